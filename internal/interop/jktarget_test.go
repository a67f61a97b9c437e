package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/runtime"
)

// jkModule asks for mod_jk.
func jkModule(t *testing.T) {
	t.Helper()
	Require(t, "apache2", "apt-get install apache2", apacheBin)
	Require(t, "mod_jk", "apt-get install libapache2-mod-jk", apacheModules+"/mod_jk.so")
}

// jkRoot writes what --to jk makes of a configuration into a server root.
func jkRoot(t *testing.T, conf string) (root, file string) {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{writeTemp(t, "httpd.conf", conf)}, Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	for _, d := range []string{"conf", "logs"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(apacheModules, filepath.Join(root, "modules")); err != nil {
		t.Fatal(err)
	}
	for _, f := range convert(t, "jk", r.Setup).Files {
		text := serverRootLine.ReplaceAllString(string(f.Data), "")
		if err := os.WriteFile(filepath.Join(root, "conf", f.Name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root, filepath.Join(root, "conf", "httpd.conf")
}

// TestJkAccepts: the real httpd with mod_jk accepts what --to jk writes, of the
// story and of a balancer with every parameter.
func TestJkAccepts(t *testing.T) {
	jkModule(t)
	for name, conf := range map[string]string{
		"broken": readFile(t, "../../testdata/seed/broken/httpd.conf"),
		"fixed":  readFile(t, "../../testdata/seed/fixed/httpd.conf"),
		"everything": `Listen 18080
<Proxy balancer://c>
BalancerMember ajp://127.0.0.1:8009 route=a redirect=b loadfactor=1.5 lbset=1 retry=30 timeout=7 connectiontimeout=1500ms ping=250ms acquire=80 min=2 max=20 ttl=90 keepalive=On iobuffersize=16384 secret=s3cret
BalancerMember ajp://127.0.0.1:8010 route=b status=+H
ProxySet lbmethod=bybusyness stickysession=SID|sid nofailover=On maxattempts=2 failonstatus=500,503
</Proxy>
ProxyPass /x !
ProxyPass / balancer://c/
<Location /x/status>
SetHandler balancer-manager
</Location>
`} {
		t.Run(name, func(t *testing.T) {
			root, file := jkRoot(t, conf)
			out, err := exec.Command(apacheBin, "-d", root, "-f", file, "-C", "DefaultRuntimeDir "+root, "-C", "ServerName lab.example", "-t").CombinedOutput()
			if err != nil {
				t.Errorf("%s\n%s", out, readFile(t, file))
			}
		})
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestJkSticksAndFailsOver: a real httpd with mod_jk, set up by --to jk, before
// three Go nodes: it sticks by the route, the session outlives its node, and the
// page of mod_jk is refused to nobody but others.
func TestJkSticksAndFailsOver(t *testing.T) {
	jkModule(t)
	p := FreePorts(t, 8)
	nodes := map[string]*runtime.Running{}
	files := map[string]string{}
	var members []string
	for i, name := range []string{"s1", "s2", "s3"} {
		files[name+"/conf/server.xml"] = serverXML(name, p[i], `secret="s3cret"`, fmt.Sprintf(clusterXML, p[7], p[3+i]))
		members = append(members, fmt.Sprintf("BalancerMember ajp://127.0.0.1:%d route=%s secret=s3cret retry=1", p[i], name))
	}
	for _, name := range []string{"s1", "s2", "s3"} {
		nodes[name] = startSetup(t, files, name)
	}
	root, file := jkRoot(t, "ProxyRequests Off\n"+strings.Replace(balancerConf(p[6], members...), "ProxyPass / ", "ProxyPass /status !\nProxyPass / ", 1)+
		"<Location /status>\nSetHandler balancer-manager\nRequire ip 192.0.2.1\n</Location>\n")
	args := []string{"-d", root, "-f", file, "-D", "FOREGROUND"}
	for _, c := range []string{"DefaultRuntimeDir " + root, "PidFile " + root + "/pid", "Mutex file:" + root + " default", "ErrorLog " + root + "/error.log"} {
		args = append(args, "-c", c)
	}
	cmd := exec.Command(apacheBin, args...)
	process(t, cmd, func() { _ = cmd.Process.Signal(os.Interrupt) })
	WaitPort(t, p[6], 20*time.Second)

	url := fmt.Sprintf("http://127.0.0.1:%d", p[6])
	b := &Browser{URL: url + "/"}
	first := b.Get(t)
	if first.Status != 200 || first.Count != 1 {
		t.Fatalf("first answer: %d %q", first.Status, first.Body)
	}
	for want := 2; want <= 6; want++ {
		if a := b.Get(t); a.Count != want || a.Node != first.Node {
			t.Fatalf("request %d: count %d on %s, want it on %s", want, a.Count, a.Node, first.Node)
		}
	}
	if a := (&Browser{URL: url + "/status"}).Get(t); a.Status != 403 {
		t.Errorf("the status page answers %d to somebody it is not for", a.Status)
	}
	stopRunning(t, nodes[first.Node])
	a := b.Get(t)
	if a.Count != 7 || a.Node == first.Node {
		t.Fatalf("after %s stopped: count %d on %s; want 7 on another node\n%s", first.Node, a.Count, a.Node, a.Body)
	}
}
