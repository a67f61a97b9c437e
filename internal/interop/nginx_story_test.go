package interop

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// nginxNode is a member that hands out sessions with its route.
type nginxNode struct {
	name string
	port int
	srv  *http.Server
}

func startNginxNode(t *testing.T, name string, port int) *nginxNode {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	n := &nginxNode{name: name, port: ln.Addr().(*net.TCPAddr).Port}
	count := 0
	n.srv = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count++
		if _, err := r.Cookie("JSESSIONID"); err != nil && !strings.Contains(r.RequestURI, ";jsessionid=") {
			http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: fmt.Sprintf("%s%d.%s", name, count, name), Path: "/"})
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s host=%s for=%s proto=%s upgrade=%s/%s body=%d\n", name, r.Method, r.RequestURI, r.Host, r.Header.Get("X-Forwarded-For"),
			r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Connection"), r.Header.Get("Upgrade"), len(body))
	})}
	go func() { _ = n.srv.Serve(ln) }()
	t.Cleanup(n.stop)
	return n
}

func (n *nginxNode) stop() { _ = n.srv.Close() }

// nginxGet sends a request with a cookie and returns who answered, and the session it set.
func nginxGet(t *testing.T, method, url, cookie, body string) (node, session, text string, status int) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		req.Header.Set("Cookie", "a=b; JSESSIONID="+cookie)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		session = c.Value
	}
	node, _, _ = strings.Cut(string(data), " ")
	return node, session, string(data), res.StatusCode
}

// TestNginxStory runs the story's setup as nginx in front of three members: the
// session stays on its member, by cookie and by path, and goes to another one when
// that is stopped.
func TestNginxStory(t *testing.T) {
	bin := requireNginx(t)
	ports := FreePorts(t, 4)
	moves := []string{"Listen 80\n", fmt.Sprintf("Listen 127.0.0.1:%d\n", ports[3])}
	var nodes []*nginxNode
	for i, name := range []string{"s1", "s2", "s3"} {
		nodes = append(nodes, startNginxNode(t, name, ports[i]))
		moves = append(moves, fmt.Sprintf(`port="810%d"`, i+1), fmt.Sprintf(`port="%d"`, ports[i]))
	}
	dir := t.TempDir()
	for _, name := range []string{"httpd.conf", "s1/server.xml", "s2/server.xml", "s3/server.xml"} {
		data, err := os.ReadFile(filepath.Join("../../testdata/seed/fixed", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.NewReplacer(moves...).Replace(string(data))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	confs, _, ok := convertToNginx(t, dir)
	if !ok {
		t.Fatal("the story does not parse")
	}
	newNginxRoot(t).start(t, bin, confs[0], ports[3])
	url := fmt.Sprintf("http://127.0.0.1:%d", ports[3])

	// New sessions go round, each stays where it began.
	first := map[string]string{}
	for range 6 {
		node, session, text, status := nginxGet(t, "GET", url+"/app", "", "")
		if status != 200 || !strings.HasSuffix(session, "."+node) {
			t.Fatalf("%d %q, session %q", status, text, session)
		}
		first[node] = session
	}
	if len(first) != 3 {
		t.Fatalf("new sessions went to %v only", first)
	}
	want := fmt.Sprintf("host=127.0.0.1:%d for=127.0.0.1 proto=http upgrade=/", ports[3])
	for range 4 {
		for node, session := range first {
			if got, _, text, _ := nginxGet(t, "GET", url+"/app", session, ""); got != node || !strings.Contains(text, want) {
				t.Fatalf("the session of %s: %q, want %q", node, text, want)
			}
			if got, _, text, _ := nginxGet(t, "GET", url+"/app;jsessionid="+session+"?x=1", "", ""); got != node || !strings.Contains(text, "/app;jsessionid="+session+"?x=1") {
				t.Fatalf("the session of %s in the path: %q", node, text)
			}
			// The path counts before the cookie.
			if got, _, text, _ := nginxGet(t, "GET", url+"/app;jsessionid="+session, "x.s1", ""); got != node {
				t.Fatalf("the session of %s in the path, with another cookie: %q", node, text)
			}
		}
	}
	if _, _, text, status := nginxGet(t, "GET", url+"/app", "x.nobody", ""); status != 200 {
		t.Fatalf("an unknown route: %d %s", status, text)
	}
	if _, _, text, status := nginxGet(t, "GET", url+"/balancer-manager", "", ""); status != 404 {
		t.Errorf("balancer-manager: %d %q", status, text)
	}
	if _, _, text, _ := nginxGet(t, "POST", url+"/app", first["s2"], strings.Repeat("x", 3<<20)); !strings.Contains(text, "s2 POST /app") || !strings.Contains(text, "body=3145728") {
		t.Errorf("a large body: %q", text)
	}

	// A member stops: its sessions go on elsewhere, the others stay.
	nodes[1].stop()
	for range 6 {
		if got, _, text, status := nginxGet(t, "GET", url+"/app", first["s2"], ""); status != 200 || got == "s2" {
			t.Fatalf("after s2 stopped: %d %q", status, text)
		}
		if got, _, text, status := nginxGet(t, "POST", url+"/app", first["s2"], "x=1"); status != 200 || got == "s2" {
			t.Fatalf("a POST after s2 stopped: %d %q", status, text)
		}
		if got, _, text, _ := nginxGet(t, "GET", url+"/app", first["s3"], ""); got != "s3" {
			t.Fatalf("the session of s3: %q", text)
		}
		if got, _, text, status := nginxGet(t, "GET", url+"/app", "", ""); status != 200 || got == "s2" {
			t.Fatalf("a new session after s2 stopped: %d %q", status, text)
		}
	}
}

// TestNginxRanks: hot standby, lbset, drained and disabled members, nofailover, and
// paths that are mapped.
func TestNginxRanks(t *testing.T) {
	bin := requireNginx(t)
	port := FreePorts(t, 1)[0]
	node := map[string]*nginxNode{}
	for _, n := range []string{"a", "b", "h", "d", "n", "f", "g"} {
		node[n] = startNginxNode(t, n, 0)
	}
	member := func(n, more string) string {
		return fmt.Sprintf("BalancerMember http://127.0.0.1:%d/ctx route=%s %s\n", node[n].port, n, more)
	}
	conf := fmt.Sprintf("Listen 127.0.0.1:%d\nServerName www.example.org\n<Proxy balancer://c>\n", port) +
		member("a", "") + member("b", "") + member("h", "status=+H") + member("d", "status=+D") + member("n", "status=+N") +
		"ProxySet stickysession=JSESSIONID|jsessionid\n</Proxy>\n<Proxy balancer://strict>\n" + member("f", "") + member("g", "") +
		"ProxySet stickysession=JSESSIONID|jsessionid nofailover=On\n</Proxy>\n" +
		"ProxyPass /strict balancer://strict/s\nProxyPass /app balancer://c\nProxyPassMatch ^/img/(.*)\\.png$ balancer://c/p/$1\nProxyPass /deep/ balancer://c/x/\nProxyPass /chat " +
		fmt.Sprintf("ws://127.0.0.1:%d/chat\n", node["g"].port) +
		"<Location /private>\nProxyPass balancer://c/private\nRequire ip 10.0.0.0/8\n</Location>\n"
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	confs, _, ok := convertToNginx(t, file)
	if !ok {
		t.Fatal("the setup does not parse")
	}
	newNginxRoot(t).start(t, bin, confs[0], port)
	url := fmt.Sprintf("http://127.0.0.1:%d", port)

	expect := func(path, cookie, nodes, sees string) {
		t.Helper()
		for range 4 {
			got, _, text, status := nginxGet(t, "GET", url+path, cookie, "")
			if status != 200 || !strings.Contains(nodes, got) || !strings.Contains(text, " GET "+sees+" ") {
				t.Fatalf("%s with %q: %d %q, want one of %s and %s\n%s", path, cookie, status, text, nodes, sees, confs[0])
			}
		}
	}
	expect("/app", "", "ab", "/ctx/")
	expect("/app/1", "", "ab", "/ctx/1")
	expect("/app/a%20b%3Fc%25?x=%41", "", "ab", "/ctx/a%20b%3Fc%25?x=%41")
	expect("/app//1/../2", "", "ab", "/ctx/2")
	expect("/img/x/y.png", "", "ab", "/ctx/p/x/y")
	expect("/deep/1", "", "ab", "/ctx/x/1")
	expect("/app/1", "1.h", "h", "/ctx/1") // a standby serves its own sessions
	expect("/app/1", "1.n", "n", "/ctx/1") // a drained one as well
	expect("/app/1", "1.d", "ab", "/ctx/1")
	expect("/strict/1", "1.f", "f", "/ctx/s/1")
	for path, want := range map[string]int{"/apple": 404, "/deep": 404, "/private/x": 403, "/app;x=1": 404, "/app/%0a": 400} {
		if _, _, text, status := nginxGet(t, "GET", url+path, "", ""); status != want {
			t.Errorf("%s: %d %q, want %d", path, status, text, want)
		}
	}
	status, text := nginxSend(t, port, "GET", "/chat/1", "1.1", [][2]string{{"Upgrade", "h2c"}}, nil, false)
	if status != 200 || !strings.Contains(text, "upgrade=/") {
		t.Errorf("an upgrade to h2c: %d %q", status, text)
	}

	req, err := http.NewRequest("GET", url+"/chat/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket")
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(body), "upgrade=upgrade/websocket") {
		t.Errorf("an upgrade to WebSocket: %q, %v", body, err)
	}
	res.Body.Close()

	node["f"].stop()
	if _, _, text, status := nginxGet(t, "GET", url+"/strict/1", "1.f", ""); status < 500 {
		t.Errorf("nofailover: %d %q", status, text)
	}
	expect("/strict/1", "1.x", "g", "/ctx/s/1")
	node["a"].stop()
	expect("/app/1", "1.a", "b", "/ctx/1")
	node["b"].stop()
	expect("/app/1", "1.a", "h", "/ctx/1")
	expect("/app/1", "", "h", "/ctx/1")
}
