package interop

import (
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/render"
	"clowder/render/target"

	"github.com/rogpeppe/go-internal/txtar"
)

// frontServer is a real proxy that runs what clowder wrote for it.
type frontServer struct {
	target string
	start  func(t *testing.T, config string, port int) (stop func())
}

var frontServers = []frontServer{{"haproxy", startHAProxyUntil}, {"nginx", startNginxUntil}}

// convertTo writes an httpd.conf for the target; the first file is the configuration.
func convertTo(t *testing.T, name, conf string) string {
	t.Helper()
	return string(resultOf(t, name, conf).Files[0].Data)
}

// notesOf are the notes of convertTo.
func notesOf(t *testing.T, name, conf string) []target.Note {
	t.Helper()
	return resultOf(t, name, conf).Notes
}

func resultOf(t *testing.T, name, conf string) *target.Result {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{caddyHTTPDConf(t, conf)}, Whole: true, HTTPD: "2.4", Config: "none"})
	if err != nil || len(r.Broken) > 0 {
		t.Fatal(err, r.Diags)
	}
	tg, ok := render.Find(name)
	if !ok {
		t.Fatalf("no target %s", name)
	}
	res, err := tg.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// runUntil starts a program in the foreground and waits for the port.
func runUntil(t *testing.T, config string, port int, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	end := func() { _ = cmd.Process.Kill() }
	process(t, cmd, end)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("configuration:\n%s", config)
		}
	})
	WaitPort(t, port, 20*time.Second)
	return end
}

func startHAProxyUntil(t *testing.T, config string, port int) (stop func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return runUntil(t, config, port, exec.Command(requireHAProxy(t), "-db", "-f", file))
}

func startNginxUntil(t *testing.T, config string, port int) (stop func()) {
	t.Helper()
	bin := Require(t, "nginx", "apt-get install nginx-light", "/usr/sbin/nginx")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return runUntil(t, config, port, exec.Command(bin, "-p", dir, "-e", filepath.Join(dir, "error.log"),
		"-g", "daemon off; master_process off; pid "+filepath.Join(dir, "nginx.pid")+";", "-c", file))
}

// closedModules are what the configurations of the table use.
const closedModules = "mpm_event authn_core authn_file authz_core authz_host authz_user authz_groupfile access_compat allowmethods auth_basic auth_digest alias headers env setenvif rewrite status " +
	"slotmem_shm socache_shmcb ssl proxy proxy_http proxy_balancer proxy_wstunnel lbmethod_byrequests"

// TestNeverMoreOpen sends the requests of a table to real httpd and to the real
// programs with what clowder made of the same configuration: what httpd lets no
// member see, no member sees, and a page that httpd refuses is refused.
func TestNeverMoreOpen(t *testing.T) {
	archive, err := txtar.ParseFile("../../render/caddy/testdata/closed.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m := newCaddyMember(t, "m")
	secure := httptest.NewTLSServer(m)
	defer secure.Close()
	ca, _ := caddyCertificate(t, "other.example.org")
	folder := t.TempDir() // httpd does not start with one that holds no certificate
	if data, err := os.ReadFile(ca); err != nil || os.WriteFile(filepath.Join(folder, "ca.pem"), data, 0o644) != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			ports := FreePorts(t, 1+len(frontServers))
			conf := func(port int) string {
				text := fmt.Sprintf("Listen 127.0.0.1:%d\nServerName www.example.org\n%sProxyPass / http://%s/\n", port, f.Data, m.address())
				return strings.NewReplacer("@MEMBER@", m.address(), "@TLS@", secure.Listener.Addr().String(), "@CA@", ca, "/nowhere", folder).Replace(text)
			}
			head := "DocumentRoot $ROOT\n"
			for _, mod := range strings.Fields(closedModules) {
				head += fmt.Sprintf("LoadModule %s_module $MODULES/mod_%s.so\n", mod, mod)
			}
			StartHTTPD(t, ports[0], head+conf(ports[0]))
			for i, server := range frontServers {
				stop := server.start(t, convertTo(t, server.target, conf(ports[i+1])), ports[i+1])
				for _, path := range tablePaths(string(f.Data)) {
					want, asked := look(t, m, ports[0], path)
					got, asks := look(t, m, ports[i+1], path)
					if asks && !asked || want >= 400 && got < 300 {
						t.Errorf("%s: GET %s: httpd answered %d (member asked: %v), %s %d (member asked: %v)", server.target, path, want, asked, server.target, got, asks)
					}
				}
				stop()
			}
		})
	}
}

// tablePaths lists the paths in a case's comments.
func tablePaths(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "#" && (words[1] == "refused" || words[1] == "passed") {
			out = append(out, words[2:]...)
		}
	}
	return out
}

// look asks for a path and tells whether the member saw it.
func look(t *testing.T, m *caddyMember, port int, path string) (status int, asked bool) {
	t.Helper()
	before := m.hits.Load()
	status, _, _ = caddyAsk(t, port, "GET", path, "", "User-Agent: secret bad")
	return status, m.hits.Load() != before
}

// TestStoryBehind runs the story behind the real programs: sessions stay by cookie and
// by URL, go elsewhere when their member stops, and the manager's page is no member's.
func TestStoryBehind(t *testing.T) {
	for _, server := range frontServers {
		t.Run(server.target, func(t *testing.T) {
			members := []*caddyMember{newCaddyMember(t, "s1"), newCaddyMember(t, "s2"), newCaddyMember(t, "s3")}
			port := FreePorts(t, 1)[0]
			server.start(t, convertTo(t, server.target, caddyStory(t, port, "", members...)), port)
			owner := func(path string, headers ...string) string {
				t.Helper()
				status, body, h := caddyAsk(t, port, "GET", path, "", headers...)
				if status != 200 {
					t.Errorf("GET %s %v: %d %s", path, headers, status, body)
				}
				return h.Get("X-Member")
			}
			for range 3 {
				for _, m := range members {
					if got := owner("/x", "Cookie: a=b; JSESSIONID=ABC."+m.name); got != m.name {
						t.Errorf("the cookie of %s led to %s", m.name, got)
					}
					if got := owner("/x;jsessionid=ABC." + m.name + "?q=1"); got != m.name {
						t.Errorf("the URL of %s led to %s", m.name, got)
					}
				}
			}
			seen := map[string]bool{}
			for range 6 {
				seen[owner("/", "Cookie: JSESSIONID=ABC.s9")] = true
			}
			if len(seen) != 3 {
				t.Errorf("requests without a known route went to %v only", seen)
			}
			members[0].Close()
			kept := ""
			for range 5 {
				got := owner("/x", "Cookie: JSESSIONID=ABC.s1")
				if got == "s1" || got == "" {
					t.Errorf("after s1 stopped its session led to %q", got)
				}
				kept = got
			}
			if kept == "" {
				t.Error("nobody took over")
			}
			before := members[1].hits.Load() + members[2].hits.Load()
			caddyAsk(t, port, "GET", "/balancer-manager", "")
			if members[1].hits.Load()+members[2].hits.Load() != before {
				t.Error("/balancer-manager went to a member")
			}
		})
	}
}
