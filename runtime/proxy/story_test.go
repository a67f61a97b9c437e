package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/runtime/ajp"
	"clowder/runtime/front"
)

// TestStory is the question that clowder began with: three Tomcats by AJP,
// sticky by cookie and by ;jsessionid, one dies, and the manager's page is open
// to this machine only.
func TestStory(t *testing.T) {
	var members strings.Builder
	servers := map[string]*ajp.Server{}
	for _, route := range []string{"node1", "node2", "node3"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &ajp.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s", route, body)
		})}
		servers[route] = s
		go s.Serve(ln)
		t.Cleanup(func() { s.Close() })
		fmt.Fprintf(&members, "BalancerMember ajp://%s route=%s\n", ln.Addr(), route)
	}
	url := start(t, `
ProxyPass /balancer-manager !
ProxyPass / balancer://cluster/ stickysession=JSESSIONID|jsessionid
<Proxy balancer://cluster>
`+members.String()+`</Proxy>
<Location /balancer-manager>
SetHandler balancer-manager
Order deny,allow
Deny from all
Allow from 127.0.0.1
</Location>
<Location /closed>
Order deny,allow
Deny from all
Allow from 10.1.2.3
</Location>
`)
	get := func(path, cookie, body string) (int, string) {
		req, _ := http.NewRequest("GET", url+path, nil)
		if body != "" {
			req, _ = http.NewRequest("POST", url+path, strings.NewReader(body))
		}
		if cookie != "" {
			req.Header.Set("Cookie", "JSESSIONID="+cookie)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	for range 3 {
		if _, b := get("/x", "abc.node2", ""); b != "node2 " {
			t.Error("cookie:", b)
		}
		if _, b := get("/x;jsessionid=abc.node3", "", ""); b != "node3 " {
			t.Error("path parameter:", b)
		}
	}
	if _, b := get("/x", "abc.node2", "a=b"); b != "node2 a=b" {
		t.Error("body:", b)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	servers["node2"].Shutdown(ctx)
	servers["node2"].Close()
	status, b := get("/x", "abc.node2", "")
	if status != 200 || strings.HasPrefix(b, "node2") {
		t.Error("failover:", status, b)
	}
	if s, b := get("/x", "abc.node2", "a=b"); s != 200 || !strings.HasSuffix(b, "a=b") {
		t.Error("failover with a body:", s, b)
	}
	if s, b := get("/balancer-manager", "", ""); s != 200 || !strings.Contains(b, "Init Err") {
		t.Error("manager:", s, b)
	}
	if s, _ := get("/closed", "", ""); s != 403 {
		t.Error("closed:", s)
	}
}

// start runs a configuration on a free port and returns its URL.
func start(t *testing.T, config string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config = fmt.Sprintf("ServerName front.example\nListen %s\n%s", ln.Addr(), config)
	cfg, _ := httpd.Load(diag.NewFile("httpd.conf", []byte(config)), httpd.Options{})
	f, _, _ := httpd.Lower(cfg)
	p, err := New(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv := front.New(front.Config{Handler: p.Handler(p.Listens()[0]), KeepAlive: true})
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close(); p.Close() })
	return "http://" + ln.Addr().String()
}

func FuzzPath(f *testing.F) {
	f.Add("/a/%2e%2e/b//c%2Fd/.")
	f.Add("/%")
	f.Add("/..")
	f.Add("0/..")
	f.Add("/\x00 ")
	f.Fuzz(func(t *testing.T, raw string) {
		p, status := decodePath(raw, slashesNoDecode)
		if status != 0 {
			return
		}
		n, ok := normalPath(p, true)
		if !ok || raw == "" || raw[0] != '/' {
			return
		}
		if strings.Contains(n, "/../") || strings.HasSuffix(n, "/..") || strings.Contains(n, "//") {
			t.Fatalf("%q: %q", raw, n)
		}
		if c := canonPath(n); !safeRaw(c) {
			t.Fatalf("%q: unsafe %q", raw, c)
		}
	})
}
