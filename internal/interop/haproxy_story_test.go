package interop

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// haNode is a Tomcat as far as a proxy sees it: it answers with its name, and gives
// who has no session one that ends in its route.
type haNode struct {
	name   string
	server *httptest.Server
}

func startHANode(t *testing.T, name string, port int) *haNode {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		t.Fatal(err)
	}
	n := &haNode{name: name}
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Node", name)
		w.Header().Set("X-Saw", r.Host+" "+r.RequestURI+" for="+r.Header.Get("X-Forwarded-For")+" proto="+r.Header.Get("X-Forwarded-Proto"))
		if _, err := r.Cookie("JSESSIONID"); err != nil {
			http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "0123." + name, Path: "/"})
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	n.server.Listener.Close()
	n.server.Listener = l
	n.server.Start()
	t.Cleanup(n.server.Close)
	return n
}

// storyForHAProxy converts the fixed story with free ports in the place of its own.
func storyForHAProxy(t *testing.T, front int, nodes []int) string {
	t.Helper()
	files := map[string]string{}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "seed", "fixed", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	files["httpd.conf"] = strings.Replace(read("httpd.conf"), "Listen 80\n", fmt.Sprintf("Listen 127.0.0.1:%d\n", front), 1)
	for i, port := range nodes {
		name := fmt.Sprintf("s%d/server.xml", i+1)
		files[name] = strings.ReplaceAll(read(name), fmt.Sprintf("810%d", i+1), strconv.Itoa(port))
	}
	cfg, _ := haConvert(t, files)
	return cfg
}

// haAsk sends one request with headers and returns the answer; its body is read.
func haAsk(t *testing.T, url string, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	return res
}

// TestHAProxyStory runs the story's setup, converted, on the real HAProxy before
// three nodes: sessions stay on their node by the cookie and by ;jsessionid, and
// go on elsewhere without an error when it is stopped.
func TestHAProxyStory(t *testing.T) {
	requireHAProxy(t)
	p := FreePorts(t, 4)
	nodes := map[string]*haNode{}
	for i := range 3 {
		name := fmt.Sprintf("s%d", i+1)
		nodes[name] = startHANode(t, name, p[i+1])
	}
	startHAProxy(t, storyForHAProxy(t, p[0], p[1:]), p[0])
	base := fmt.Sprintf("http://127.0.0.1:%d", p[0])

	seen := map[string]int{}
	for range 30 {
		seen[haAsk(t, base+"/").Header.Get("X-Node")]++
	}
	for name := range nodes {
		if seen[name] != 10 {
			t.Errorf("of 30 new sessions %s has %d, want 10: %v", name, seen[name], seen)
		}
	}
	cookie := func(route string) []string { return []string{"Cookie", "a=b; JSESSIONID=77AA." + route} }
	on := func(what, want string, res *http.Response) {
		t.Helper()
		if res.StatusCode != 200 || res.Header.Get("X-Node") != want {
			t.Errorf("%s: %d from %s, want %s", what, res.StatusCode, res.Header.Get("X-Node"), want)
		}
	}
	for name := range nodes {
		for range 4 {
			on("cookie", name, haAsk(t, base+"/app", cookie(name)...))
			on("path parameter", name, haAsk(t, base+"/app;jsessionid=77AA."+name))
			on("path parameter and query", name, haAsk(t, base+"/app;jsessionid=77AA."+name+"?x=1&y=2"))
			on("query parameter", name, haAsk(t, base+"/app?x=1&jsessionid=77AA."+name))
		}
	}
	on("the path parameter before the cookie", "s2", haAsk(t, base+"/app;jsessionid=77AA.s2", cookie("s3")...))
	if res := haAsk(t, base+"/", cookie("s9")...); res.StatusCode != 200 {
		t.Errorf("an unknown route: %d", res.StatusCode)
	}
	res := haAsk(t, base+"/app?q", "X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "https")
	if saw, want := res.Header.Get("X-Saw"), fmt.Sprintf("127.0.0.1:%d /app?q for=127.0.0.1 proto=http", p[0]); saw != want {
		t.Errorf("the node saw %q, want %q", saw, want)
	}
	if res := haAsk(t, base+"/balancer-manager"); res.StatusCode != 200 || res.Header.Get("X-Node") != "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		t.Errorf("balancer-manager: %d %s from node %q", res.StatusCode, res.Header.Get("Content-Type"), res.Header.Get("X-Node"))
	}
	if res := haAsk(t, base+"/%62alancer-manager/x"); res.Header.Get("X-Node") != "" {
		t.Errorf("an encoded balancer-manager reached %s", res.Header.Get("X-Node"))
	}

	nodes["s2"].server.Close()
	others := map[string]bool{}
	for range 12 {
		res := haAsk(t, base+"/app", cookie("s2")...)
		if res.StatusCode != 200 {
			t.Fatalf("after s2 stopped: %d", res.StatusCode)
		}
		others[res.Header.Get("X-Node")] = true
		on("another session", "s1", haAsk(t, base+"/app", cookie("s1")...))
	}
	if others["s2"] || len(others) == 0 {
		t.Errorf("the sessions of s2 went to %v", others)
	}
	nodes["s2"] = startHANode(t, "s2", p[2])
	for i := 0; ; i++ { // a check brings it back
		if haAsk(t, base+"/app", cookie("s2")...).Header.Get("X-Node") == "s2" {
			break
		}
		if i == 20_000 {
			t.Fatal("s2 does not come back")
		}
	}
}

// TestHAProxyTiers: hot standby, disabled and draining members, and redirects of
// routes, on the real HAProxy.
func TestHAProxyTiers(t *testing.T) {
	requireHAProxy(t)
	p := FreePorts(t, 5)
	nodes := map[string]*haNode{}
	for i, name := range []string{"a", "b", "c", "d"} {
		nodes[name] = startHANode(t, name, p[i+1])
	}
	cfg, _ := haConvert(t, map[string]string{"httpd.conf": fmt.Sprintf(`Listen 127.0.0.1:%d
ServerName t
<Proxy balancer://p>
BalancerMember http://127.0.0.1:%d route=a
BalancerMember http://127.0.0.1:%d route=b status=+H
BalancerMember http://127.0.0.1:%d route=c status=+D
BalancerMember http://127.0.0.1:%d route=d status=+N
ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass / balancer://p/
`, p[0], p[1], p[2], p[3], p[4])})
	startHAProxy(t, cfg, p[0])
	base := fmt.Sprintf("http://127.0.0.1:%d/", p[0])
	for _, x := range []struct{ cookie, want string }{
		{"", "a"}, {"x.a", "a"}, {"x.b", "b"}, {"x.c", "a"}, {"x.d", "d"},
	} {
		for range 3 {
			var headers []string
			if x.cookie != "" {
				headers = []string{"Cookie", "JSESSIONID=" + x.cookie}
			}
			if res := haAsk(t, base, headers...); res.StatusCode != 200 || res.Header.Get("X-Node") != x.want {
				t.Errorf("session %q: %d from %q, want %q", x.cookie, res.StatusCode, res.Header.Get("X-Node"), x.want)
			}
		}
	}
	nodes["a"].server.Close()
	for range 3 { // the standby takes over at once
		if res := haAsk(t, base, "Cookie", "JSESSIONID=x.a"); res.StatusCode != 200 || res.Header.Get("X-Node") != "b" {
			t.Errorf("after a stopped: %d from %q, want b", res.StatusCode, res.Header.Get("X-Node"))
		}
	}
}

// TestHAProxyClientCertificates: a virtual host that must have certificates from
// clients refuses those without one, also where the handshake named another host.
func TestHAProxyClientCertificates(t *testing.T) {
	requireHAProxy(t)
	p, b := FreePorts(t, 2), &haBackends{}
	dummy := dummyCertificate(t, t.TempDir())
	b.start(t, "A", p[1])
	cfg, _ := haConvert(t, map[string]string{"httpd.conf": fmt.Sprintf(`Listen 127.0.0.1:%[1]d https
<VirtualHost *:%[1]d>
ServerName open.example
SSLEngine On
SSLCertificateFile %[3]s
ProxyPass / http://127.0.0.1:%[2]d/
</VirtualHost>
<VirtualHost *:%[1]d>
ServerName shut.example
SSLEngine On
SSLCertificateFile %[3]s
SSLVerifyClient require
SSLCACertificateFile %[3]s
ProxyPass / http://127.0.0.1:%[2]d/
</VirtualHost>
`, p[0], p[1], dummy)})
	startHAProxy(t, cfg, p[0])
	cert, err := tls.LoadX509KeyPair(dummy, dummy)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sni, host string
		cert      bool
		want      int
	}{
		{"open.example", "open.example", false, 200},
		{"shut.example", "shut.example", false, 403},
		{"open.example", "shut.example", false, 403},
		{"open.example", "SHUT.example.:443", false, 403},
		{"shut.example", "shut.example", true, 200},
	} {
		conf := &tls.Config{InsecureSkipVerify: true, ServerName: c.sni}
		if c.cert {
			conf.Certificates = []tls.Certificate{cert}
		}
		tr := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
		req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/", p[0]), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if hits := b.take(); res.StatusCode != c.want || (len(hits) > 0) != (c.want == 200) {
			t.Errorf("handshake for %s, host %s, certificate %v: %d, members asked %v; want %d", c.sni, c.host, c.cert, res.StatusCode, hits, c.want)
		}
	}
}
