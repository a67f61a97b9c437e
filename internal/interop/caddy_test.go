package interop

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"clowder/parse"
	"clowder/render/caddy"
	"clowder/render/target"
)

// caddyfile converts files of a setup, or the setup in a directory.
func caddyfile(t *testing.T, paths ...string) string {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: paths, Whole: true, HTTPD: "2.4"})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Broken) > 0 {
		t.Fatalf("the setup does not parse: %v", r.Diags)
	}
	res, err := caddy.Target.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Files[0].Data)
}

// caddyHTTPDConf writes an httpd.conf for a test.
func caddyHTTPDConf(t *testing.T, conf string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func requireCaddy(t *testing.T) string {
	return Require(t, "caddy", "apt-get install caddy", "/usr/bin/caddy")
}

// caddyCommand is a call of Caddy that keeps its files below dir.
func caddyCommand(t *testing.T, dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(requireCaddy(t), args...)
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	cmd.Dir = dir
	return cmd
}

// startCaddy runs a real Caddy until the end of the test, or until the stop that it
// returns, and waits for the port.
func startCaddy(t *testing.T, config string, port int) (stop func()) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return runUntil(t, config, port, caddyCommand(t, dir, "run", "--config", file, "--adapter", "caddyfile"))
}

// caddyMember is a server that answers with its name and what it was asked.
type caddyMember struct {
	*httptest.Server
	name string
	hits atomic.Int64
}

// newCaddyMember starts a member; its sessions end with its name, as those of a Tomcat
// with that jvmRoute do.
func newCaddyMember(t *testing.T, name string) *caddyMember {
	m := &caddyMember{name: name}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.Close)
	return m
}

func (m *caddyMember) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.hits.Add(1)
	body, _ := io.ReadAll(r.Body)
	if _, err := r.Cookie("JSESSIONID"); err != nil {
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "ABC." + m.name, Path: "/"})
	}
	w.Header().Set("X-Member", m.name)
	fmt.Fprintf(w, "%s %s %s host=%s xff=%s body=%s upgrade=%s\n", m.name, r.Method, r.RequestURI, r.Host, r.Header.Get("X-Forwarded-For"), body, r.Header.Get("Upgrade"))
}

func (m *caddyMember) address() string { return m.Listener.Addr().String() }

// caddyAsk sends a request as it stands, without cleaning the path.
func caddyAsk(t *testing.T, port int, method, target, body string, headers ...string) (status int, answer string, header http.Header) {
	t.Helper()
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return caddyAskOn(t, c, method, target, body, headers...)
}

func caddyAskOn(t *testing.T, c net.Conn, method, target, body string, headers ...string) (status int, answer string, header http.Header) {
	t.Helper()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	host := "Host: www.example.org\r\n"
	for _, h := range headers {
		if strings.HasPrefix(h, "Host:") {
			host = ""
		}
	}
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\n%sConnection: close\r\nContent-Length: %d\r\n", method, target, host, len(body))
	for _, h := range headers {
		fmt.Fprintf(c, "%s\r\n", h)
	}
	fmt.Fprintf(c, "\r\n%s", body)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data), res.Header
}

// TestCaddyNeverMoreOpen sends the requests of render/caddy's table: those that httpd
// refuses get no member's answer.
func TestCaddyNeverMoreOpen(t *testing.T) {
	requireCaddy(t)
	archive, err := txtar.ParseFile("../../render/caddy/testdata/closed.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m := newCaddyMember(t, "m")
	secure := httptest.NewTLSServer(m)
	defer secure.Close()
	ca, _ := caddyCertificate(t, "other.example.org")
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			port := FreePorts(t, 1)[0]
			conf := fmt.Sprintf("Listen 127.0.0.1:%d\nServerName www.example.org\n%sProxyPass / http://%s/\n", port, f.Data, m.address())
			conf = strings.NewReplacer("@MEMBER@", m.address(), "@TLS@", secure.Listener.Addr().String(), "@CA@", ca).Replace(conf)
			stop := startCaddy(t, caddyfile(t, caddyHTTPDConf(t, conf)), port)
			defer stop()
			requests := 0
			for line := range strings.Lines(string(f.Data)) {
				words := strings.Fields(line)
				if len(words) < 3 || words[0] != "#" {
					continue
				}
				for _, path := range words[2:] {
					before := m.hits.Load()
					switch words[1] {
					case "refused":
						requests++
						status, body, _ := caddyAsk(t, port, "GET", path, "", "User-Agent: secret bad")
						if status < 400 || m.hits.Load() != before {
							t.Errorf("GET %s: %d, %q; it must be refused", path, status, body)
						}
					case "passed":
						status, body, _ := caddyAsk(t, port, "GET", path, "")
						if status != 200 || m.hits.Load() != before+1 {
							t.Errorf("GET %s: %d, %q; it must pass", path, status, body)
						}
					}
				}
			}
			if requests == 0 {
				t.Error("the case refuses nothing")
			}
		})
	}
}

// caddyStory is the story's front end with other ports; the members speak HTTP.
func caddyStory(t *testing.T, port int, extra string, members ...*caddyMember) string {
	t.Helper()
	data, err := os.ReadFile("../../testdata/seed/fixed/httpd.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := strings.Replace(string(data), "Listen 80\n", fmt.Sprintf("Listen 127.0.0.1:%d\n", port), 1)
	conf = strings.ReplaceAll(conf, "\r", "")
	for i, m := range members {
		old := fmt.Sprintf("ajp://localhost:%d", 8301+i)
		if !strings.Contains(conf, old) {
			t.Fatalf("the story has no %s", old)
		}
		conf = strings.Replace(conf, old, "http://"+m.address(), 1)
	}
	return conf + extra
}

// TestCaddyStory runs the story behind a real Caddy: sessions stay where they are, by
// cookie and by URL, go elsewhere when their member stops, and nobody sees the page
// of the manager.
func TestCaddyStory(t *testing.T) {
	requireCaddy(t)
	members := []*caddyMember{newCaddyMember(t, "s1"), newCaddyMember(t, "s2"), newCaddyMember(t, "s3")}
	port := FreePorts(t, 1)[0]
	startCaddy(t, caddyfile(t, caddyHTTPDConf(t, caddyStory(t, port, "", members...))), port)

	owner := func(target string, headers ...string) string {
		t.Helper()
		status, body, h := caddyAsk(t, port, "GET", target, "", headers...)
		if status != 200 {
			t.Fatalf("GET %s: %d %s", target, status, body)
		}
		return h.Get("X-Member")
	}
	seen := map[string]int{}
	for range 6 {
		seen[owner("/")]++
	}
	for _, m := range members {
		if seen[m.name] != 2 {
			t.Errorf("six requests without a session went to %v", seen)
		}
	}
	for range 3 {
		for _, m := range members {
			if got := owner("/x", "Cookie: a=b; JSESSIONID=ABC."+m.name); got != m.name {
				t.Errorf("the cookie of %s led to %s", m.name, got)
			}
			if got := owner("/x;jsessionid=ABC." + m.name + "?q=1"); got != m.name {
				t.Errorf("the URL of %s led to %s", m.name, got)
			}
			other := "JSESSIONID=ABC." + members[0].name
			if got := owner("/x;jsessionid=ABC."+m.name, "Cookie: "+other); got != m.name {
				t.Errorf("the URL of %s led to %s when there was a cookie, too", m.name, got)
			}
		}
	}
	if got := owner("/", "Cookie: JSESSIONID=ABC.s9"); got == "" {
		t.Error("an unknown route leads nowhere")
	}

	before := members[0].hits.Load() + members[1].hits.Load() + members[2].hits.Load()
	for _, path := range []string{"/balancer-manager", "/balancer-manager/", "//balancer-manager", "/%62alancer-manager", "/x/../balancer-manager", "/balancer-manager?b=mybalancer"} {
		if status, _, _ := caddyAsk(t, port, "GET", path, ""); status < 400 {
			t.Errorf("GET %s: %d", path, status)
		}
	}
	if after := members[0].hits.Load() + members[1].hits.Load() + members[2].hits.Load(); after != before {
		t.Error("a member was asked for the page of the manager")
	}

	// Before 2.11 a body is lost with the first connection that is refused, so
	// that only a request without one finds out that a member has stopped.
	members[1].Close()
	if got := owner("/", "Cookie: JSESSIONID=ABC.s2"); got == "s2" || got == "" {
		t.Errorf("a session of the stopped member went to %q", got)
	}
	for i := range 10 {
		status, body, h := caddyAsk(t, port, "POST", "/x", "abc", "Cookie: JSESSIONID=ABC.s2")
		if status != 200 || h.Get("X-Member") == "s2" || !strings.Contains(body, "body=abc ") {
			t.Fatalf("request %d after s2 stopped: %d %s %s", i, status, h.Get("X-Member"), body)
		}
		if got := owner("/"); got == "s2" {
			t.Fatal("s2 answered")
		}
		if got := owner("/", "Cookie: JSESSIONID=ABC.s3"); got != "s3" {
			t.Fatalf("a session of s3 went to %s", got)
		}
	}
}

// TestCaddyStandby: the hot standby gets no request while an ordinary member is
// there, nofailover keeps a session from others, and Host and Upgrade are httpd's.
func TestCaddyStandby(t *testing.T) {
	requireCaddy(t)
	a, b, h := newCaddyMember(t, "a"), newCaddyMember(t, "b"), newCaddyMember(t, "h")
	port := FreePorts(t, 1)[0]
	conf := fmt.Sprintf(`Listen 127.0.0.1:%d
ServerName www.example.org
<Proxy balancer://c>
  BalancerMember http://%s route=a
  BalancerMember http://%s route=b
  BalancerMember http://%s route=h status=+H
</Proxy>
<Proxy balancer://n>
  BalancerMember http://%s route=a
  BalancerMember http://%s route=b
  ProxySet nofailover=On
</Proxy>
ProxyPass /n balancer://n/inner stickysession=JSESSIONID
ProxyPass / balancer://c/ stickysession=JSESSIONID
`, port, a.address(), b.address(), h.address(), a.address(), b.address())
	startCaddy(t, caddyfile(t, caddyHTTPDConf(t, conf)), port)
	seen := map[string]int{}
	for range 60 {
		_, _, head := caddyAsk(t, port, "GET", "/", "")
		seen[head.Get("X-Member")]++
	}
	if seen["h"] > 0 || seen["a"] == 0 || seen["b"] == 0 {
		t.Errorf("new sessions went to %v", seen)
	}
	_, body, _ := caddyAsk(t, port, "GET", "/n/x%20y?q=1", "", "Cookie: JSESSIONID=ABC.b", "Upgrade: h2c", "X-Forwarded-For: 9.9.9.9")
	if want := "b GET /inner/x%20y?q=1 host=" + b.address() + " xff=127.0.0.1 body= upgrade=\n"; body != want {
		t.Errorf("the member saw %q, want %q", body, want)
	}
	b.Close()
	if status, body, _ := caddyAsk(t, port, "GET", "/n", "", "Cookie: JSESSIONID=ABC.b"); status < 500 {
		t.Errorf("nofailover: %d %s", status, body)
	}
	a.Close()
	for range 3 {
		status, _, head := caddyAsk(t, port, "GET", "/", "", "Cookie: JSESSIONID=ABC.a")
		if status != 200 || head.Get("X-Member") != "h" {
			t.Errorf("with all others down: %d %s", status, head.Get("X-Member"))
		}
	}
}

// TestCaddyTLS: certificates by name, and nobody without a client certificate gets to
// the site that wants one, whatever name TLS is told.
func TestCaddyTLS(t *testing.T) {
	requireCaddy(t)
	m := newCaddyMember(t, "m")
	cert, key := caddyCertificate(t, "www.example.org")
	cert2, key2 := caddyCertificate(t, "intern.example.org")
	port := FreePorts(t, 1)[0]
	site := "<VirtualHost *:%d>\n  ServerName %s\n  SSLEngine on\n  SSLCertificateFile %s\n  SSLCertificateKeyFile %s\n  ProxyPass / http://%s/\n%s</VirtualHost>\n"
	conf := fmt.Sprintf("Listen 127.0.0.1:%d https\n", port) +
		fmt.Sprintf(site, port, "www.example.org", cert, key, m.address(), "") +
		fmt.Sprintf(site, port, "intern.example.org", cert2, key2, m.address(), "  SSLVerifyClient require\n  SSLCACertificateFile "+cert2+"\n")
	startCaddy(t, caddyfile(t, caddyHTTPDConf(t, conf)), port)
	dial := func(name string, certs ...tls.Certificate) (*tls.Conn, error) {
		return tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{ServerName: name, InsecureSkipVerify: true, Certificates: certs})
	}
	c, err := dial("www.example.org")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ConnectionState().PeerCertificates[0].DNSNames[0]; got != "www.example.org" {
		t.Errorf("certificate of %s", got)
	}
	if status, body, _ := caddyAskOn(t, c, "GET", "/", ""); status != 200 {
		t.Errorf("www: %d %s", status, body)
	}
	if c, err = dial("www.example.org"); err != nil {
		t.Fatal(err)
	}
	before := m.hits.Load()
	if status, body, _ := caddyAskOn(t, c, "GET", "/", "", "Host: intern.example.org"); status < 400 || m.hits.Load() != before {
		t.Errorf("intern by the connection of www: %d %s", status, body)
	}
	if c, err = dial("intern.example.org"); err == nil {
		_, err = fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: intern.example.org\r\n\r\n")
		if err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		c.Close()
	}
	if err == nil || m.hits.Load() != before {
		t.Error("intern was open without a certificate")
	}
	pair, err := tls.LoadX509KeyPair(cert2, key2)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = dial("intern.example.org", pair); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := caddyAskOn(t, c, "GET", "/", "", "Host: intern.example.org"); status != 200 {
		t.Errorf("intern with a certificate: %d %s", status, body)
	}
}

// TestCaddyUpgradeAndFiles: a WebSocket goes through where httpd lets it, files are
// served without those that httpd hides, and redirects say what httpd says.
func TestCaddyUpgradeAndFiles(t *testing.T) {
	requireCaddy(t)
	ws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			http.Error(w, "no upgrade asked for", http.StatusUpgradeRequired)
			return
		}
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	}))
	defer ws.Close()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"a b.txt": "page", ".htpasswd": "secret"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	port := FreePorts(t, 1)[0]
	address := ws.Listener.Addr().String()
	conf := fmt.Sprintf(`Listen 127.0.0.1:%d
ServerName www.example.org
DocumentRoot %q
<Directory %q>
  Require all granted
</Directory>
RewriteEngine On
RewriteRule ^/new/(.*)$ https://new.example.org/n/$1 [R=301,L]
Redirect permanent /old http://other.example.org/place
ProxyPass /ws ws://%s/
ProxyPass /plain http://%s/
`, port, root, root, address, address)
	startCaddy(t, caddyfile(t, caddyHTTPDConf(t, conf)), port)
	for _, c := range []struct {
		path   string
		status int
		place  string
	}{
		{"/a%20b.txt", 200, ""}, {"/.htpasswd", 404, ""}, {"/%2ehtpasswd", 404, ""}, {"/", 404, ""},
		{"/old", 301, "http://other.example.org/place"}, {"/old/x%20y?q=1", 301, "http://other.example.org/place/x%20y?q=1"}, {"/older", 404, ""},
		{"/new/a%2Bb?q=1", 301, "https://new.example.org/n/a+b?q=1"},
	} {
		status, _, h := caddyAsk(t, port, "GET", c.path, "")
		if status != c.status || h.Get("Location") != c.place {
			t.Errorf("GET %s: %d %q, want %d %q", c.path, status, h.Get("Location"), c.status, c.place)
		}
	}
	for path, want := range map[string]int{"/ws": 101, "/plain": 426} {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: www.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", path)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != want {
			t.Errorf("upgrade of %s: %d, want %d", path, res.StatusCode, want)
		}
		c.Close()
	}
}
