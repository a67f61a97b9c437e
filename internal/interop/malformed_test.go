package interop

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"clowder/internal/malformed"
)

var updateMalformed = flag.Bool("malformed.update", false, "record what httpd does with malformed requests anew")

// TestHTTPDMalformed plays the malformed requests through the real httpd and
// compares what comes of them with the record, which the test of clowder's own
// front (runtime/proxy, TestMalformed) is judged by.
func TestHTTPDMalformed(t *testing.T) {
	bin := Require(t, "apache2", "apt-get install apache2-bin", "/usr/sbin/apache2")
	rig, err := malformed.New(16)
	if err != nil {
		t.Fatal(err)
	}
	defer rig.Close()
	hostileFront(t, bin, rig.Config(), rig.Ports())
	got, err := rig.Play(malformed.Cases())
	if err != nil {
		t.Fatal(err)
	}
	short := malformed.Record(got)
	if *updateMalformed {
		data, err := json.MarshalIndent(short, "", " ")
		if err == nil {
			err = os.WriteFile(malformed.RecordFile("../.."), append(data, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := malformed.Recorded("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range malformed.Cases() {
		if w, g := want[c.Name], short[c.Name]; !reflect.DeepEqual(g, w) {
			t.Errorf("%s %.80q: httpd gives %v, recorded is %v", c.Name, c.Raw, g, w)
		}
	}
}

// hostileFront runs a real httpd with the lines of a rig until the test ends.
func hostileFront(t *testing.T, bin, config string, ports []int) {
	t.Helper()
	root := t.TempDir()
	conf := "ServerName front.example\nDefaultRuntimeDir " + root + "\nPidFile " + root + "/pid\nMutex file:" + root + " default\nErrorLog " + root + "/error.log\nDocumentRoot " + root + "\n" +
		"StartServers 1\nServerLimit 1\nThreadsPerChild 48\nMaxRequestWorkers 48\nMinSpareThreads 1\nMaxSpareThreads 48\n"
	for _, m := range []string{"mpm_event", "authz_core", "proxy", "proxy_http"} {
		conf += fmt.Sprintf("LoadModule %s_module %s/mod_%s.so\n", m, diffModules, m)
	}
	file := filepath.Join(root, "httpd.conf")
	if err := os.WriteFile(file, []byte(conf+config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-d", root, "-f", file, "-D", "FOREGROUND")
	process(t, cmd, func() { _ = cmd.Process.Signal(os.Interrupt) })
	for _, p := range ports {
		WaitPort(t, p, 20*time.Second)
	}
}
