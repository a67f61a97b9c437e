package node

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const apacheModules = "/usr/lib/apache2/modules"

// missing skips the test, or fails it where the real servers are required.
func missing(t *testing.T, msg string) {
	t.Helper()
	if os.Getenv("CLOWDER_INTEROP") == "require" {
		t.Fatal(msg)
	}
	t.Skip(msg)
}

// startApache runs a real httpd with the configuration and returns its address.
func startApache(t *testing.T, conf string) string {
	t.Helper()
	bin, err := exec.LookPath("apache2")
	if err != nil {
		missing(t, "apache2 is not installed: apt-get install apache2")
	}
	root, port := t.TempDir(), freePorts(t, 1)[0]
	var b strings.Builder
	for _, m := range []string{"mpm_event", "authz_core", "proxy", "proxy_ajp", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests"} {
		so := filepath.Join(apacheModules, "mod_"+m+".so")
		if _, err := os.Stat(so); err != nil {
			missing(t, err.Error()+": apt-get install apache2-bin")
		}
		fmt.Fprintf(&b, "LoadModule %s_module %s\n", m, so)
	}
	fmt.Fprintf(&b, "ServerName front.example\nListen 127.0.0.1:%d\nServerRoot %s\nDefaultRuntimeDir %[2]s\nPidFile %[2]s/pid\nErrorLog %[2]s/error_log\n", port, root)
	fmt.Fprintf(&b, "StartServers 1\nServerLimit 1\nThreadsPerChild 4\nMaxRequestWorkers 4\nMinSpareThreads 1\nMaxSpareThreads 4\n%s\n", conf)
	file := filepath.Join(root, "httpd.conf")
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	os.Chmod(root, 0o755)
	cmd := exec.Command(bin, "-f", file, "-D", "FOREGROUND")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// SIGTERM: the parent ends its children first.
		cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		late.Stop()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(root, "error_log"))
			t.Logf("%s", log)
		}
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("httpd did not start")
	return ""
}

// A real httpd uses the node's AJP connector: ping, sessions, bodies both ways.
func TestBehindHTTPD(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real httpd: run without -short")
	}
	app := http.NewServeMux()
	app.Handle("/", counter{"s1"})
	app.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	n := run(t, testNode("s1"), Options{App: app})
	addr := startApache(t, fmt.Sprintf("<Proxy balancer://c>\nBalancerMember ajp://%s route=s1 ping=1\nProxySet stickysession=JSESSIONID|jsessionid\n</Proxy>\nProxyPass / balancer://c/\n", n.Addrs()["ajp:0"]))
	cookie := ""
	for want := 1; want <= 3; want++ {
		r, _ := http.NewRequest("GET", "http://"+addr+"/", nil)
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if field(countRE, string(b)) != fmt.Sprint(want) {
			t.Fatalf("%d: %s %s", want, resp.Status, b)
		}
		if s := resp.Header.Get("Set-Cookie"); s != "" {
			cookie, _, _ = strings.Cut(s, ";")
		}
	}
	body := strings.Repeat("0123456789", 30_000)
	for _, chunked := range []bool{false, true} {
		var in io.Reader = strings.NewReader(body)
		if chunked {
			in = struct{ io.Reader }{in}
		}
		resp, err := client.Post("http://"+addr+"/echo", "text/plain", in)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || string(b) != body {
			t.Errorf("chunked %v: %s, %d bytes, %v", chunked, resp.Status, len(b), err)
		}
	}
}
