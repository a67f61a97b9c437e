package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"clowder/internal/ports"
	"clowder/parse/model"
	"clowder/runtime/ajp"
	"clowder/runtime/exchange"
	"clowder/runtime/session"
)

func str(s string) model.String { return model.Def(s) }
func num(n int) model.Int       { return model.Def(n) }

// testNode is a Tomcat with one HTTP and one AJP connector on free ports of loopback.
func testNode(name string) *model.Node {
	return &model.Node{
		Name: str(name), Address: str("127.0.0.1"), Port: num(0), Shutdown: str("HALT"),
		Services: []*model.Service{{
			Connectors: []*model.Connector{
				{Port: num(0), Address: str("127.0.0.1"), Protocol: str("HTTP/1.1"), MaxHeaderSize: num(8192)},
				{Port: num(0), Address: str("127.0.0.1"), Protocol: str("AJP/1.3")},
			},
			Engine: &model.Engine{Name: str("Catalina"), DefaultHost: str("localhost"), JVMRoute: str(name),
				Hosts: []*model.Host{{Name: str("localhost")}}},
		}},
	}
}

func run(t *testing.T, m *model.Node, o Options) *Node {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	n, err := New(m, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, n) })
	return n
}

func stop(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
}

var client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{DisableKeepAlives: true}}

// get asks by HTTP and returns the answer with its body read.
func get(t *testing.T, n *Node, target string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest("GET", "http://"+n.Addrs()["http:0"], nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = target
	if p, q, ok := strings.Cut(target, "?"); ok {
		r.URL = &url.URL{Scheme: "http", Host: r.URL.Host, Opaque: p, RawQuery: q}
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Add(header[i], header[i+1])
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

var (
	countRE = regexp.MustCompile(`(?m)^Tambah = (\d+)$`)
	idRE    = regexp.MustCompile(`(?m)^ID = (.+)$`)
	nodeRE  = regexp.MustCompile(`(?m)^Node = (.+)$`)
)

func field(re *regexp.Regexp, body string) string {
	if m := re.FindStringSubmatch(body); m != nil {
		return m[1]
	}
	return ""
}

func TestCounter(t *testing.T) {
	n := run(t, testNode("s1"), Options{})
	resp, body := get(t, n, "/")
	id := field(idRE, body)
	if field(countRE, body) != "1" || field(nodeRE, body) != "s1" || !strings.HasSuffix(id, ".s1") || resp.Header.Get("Content-Type") != "text/html;charset=UTF-8" {
		t.Fatalf("%v\n%s", resp.Header, body)
	}
	if c := resp.Header.Get("Set-Cookie"); c != "JSESSIONID="+id+"; Path=/; HttpOnly" {
		t.Error(c)
	}
	resp, body = get(t, n, "/sub/page?x=1", "Cookie", "a=b; JSESSIONID=unknown; JSESSIONID="+id)
	if field(countRE, body) != "2" || field(idRE, body) != id || resp.Header.Get("Set-Cookie") != "" {
		t.Errorf("by cookie: %v %s", resp.Header, body)
	}
	if _, body = get(t, n, "/a;x=y;jsessionid="+id+"/b"); field(countRE, body) != "3" {
		t.Errorf("by URL: %s", body)
	}
	if resp, _ = get(t, n, "/favicon.ico", "Cookie", "JSESSIONID="+id); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}
	if _, body = get(t, n, "/", "Cookie", "JSESSIONID="+id); field(countRE, body) != "4" {
		t.Errorf("after favicon: %s", body)
	}
}

func TestAJPConnector(t *testing.T) {
	n := run(t, testNode("s1"), Options{})
	c, err := net.Dial("tcp", n.Addrs()["ajp:0"])
	if err != nil {
		t.Fatal(err)
	}
	k := ajp.NewConn(c, ajp.Options{Timeout: 5 * time.Second})
	defer k.Close()
	cookie := ""
	for i := 1; i <= 3; i++ {
		req := &ajp.Request{Method: "GET", Protocol: "HTTP/1.1", URI: "/", RemoteAddr: "10.1.1.1", ServerName: "localhost", ServerPort: 80, TLS: true}
		req.Header = exchange.Header{{Name: "host", Value: "localhost"}}
		if cookie != "" {
			req.Header.Add("cookie", cookie)
		}
		resp, err := k.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || field(countRE, string(b)) != strconv.Itoa(i) {
			t.Fatalf("%v %s", err, b)
		}
		if i == 1 {
			set := resp.Header.Get("Set-Cookie")
			if !strings.HasSuffix(set, "; Path=/; Secure; HttpOnly") {
				t.Error(set)
			}
			cookie, _, _ = strings.Cut(set, ";")
		}
	}
}

func TestHostsAndContexts(t *testing.T) {
	m := testNode("s1")
	e := m.Services[0].Engine
	e.Hosts = []*model.Host{
		{Name: str("localhost"), Contexts: []*model.Context{{Path: str("/app"), CookieName: str("SID")}, {Path: str("/app/deep")}}},
		{Name: str("www.example.com"), Aliases: []model.String{str("Example.com"), str("*.wild.test")}},
	}
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.URL.Path, r.RequestURI)
		session.From(r)
	})
	n := run(t, m, Options{App: app})
	for _, tt := range []struct {
		target, host string
		status       int
		path, cookie string
	}{
		{"/x", "localhost", 200, "/x", ""},
		{"/app/x;p=1/y", "LOCALHOST:80", 200, "/app/x/y", ""},
		{"/app?q", "unknown", 302, "", ""},
		{"/app/deep/z", "unknown", 200, "/app/deep/z", ""},
		{"/application", "localhost", 200, "/application", ""},
		{"/app/x", "example.com", 200, "/app/x", ""},
	} {
		resp, body := get(t, n, tt.target, "Host", tt.host)
		if resp.StatusCode != tt.status || tt.path != "" && body != tt.path+" "+tt.target {
			t.Errorf("%s at %s: %d %q", tt.target, tt.host, resp.StatusCode, body)
		}
		if tt.status == 302 && resp.Header.Get("Location") != "/app/?q" {
			t.Error(resp.Header)
		}
	}
	eng := n.engines[0]
	for header, want := range map[string]string{"": "localhost", "www.example.com:8080": "www.example.com", "EXAMPLE.COM": "www.example.com",
		"a.wild.test": "www.example.com", "a.b.wild.test": "localhost", "[::1]:80": "localhost", "[::1]": "localhost"} {
		if h := eng.host(header); h == nil || h.name != want {
			t.Errorf("%q: %v", header, h)
		}
	}
	for path, want := range map[string]string{"/app/x": "/app", "/app": "/app", "/app/deep/": "/app/deep", "/ap": ""} {
		if c := eng.hosts["localhost"].context(path); c.path != want {
			t.Errorf("%s: %q", path, c.path)
		}
	}
	if c := eng.hosts["localhost"].context("/app"); c.cookieName != "SID" || c.cookiePath != "/app" || c.manager.Context() != "localhost#/app" {
		t.Errorf("%+v", c)
	}
}

func TestShutdownPort(t *testing.T) {
	n := run(t, testNode("s1"), Options{})
	say := func(s string) {
		c, err := net.Dial("tcp", n.Addrs()["shutdown:0"])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, s)
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
	}
	for _, wrong := range []string{"SHUTDOWN", "HALTE", "", "\nHALT", strings.Repeat("x", 3000)} {
		say(wrong)
	}
	select {
	case <-n.Done():
		t.Fatal("stopped by a wrong command")
	default:
	}
	if _, body := get(t, n, "/"); field(countRE, body) != "1" {
		t.Error(body)
	}
	say("HALT\r\nrest")
	select {
	case <-n.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("not stopped")
	}
}

func TestAccessLogFile(t *testing.T) {
	dir := t.TempDir()
	m := testNode("s1")
	m.Services[0].Engine.Hosts[0].AccessLogs = []*model.AccessLog{{Directory: str("logs"), Prefix: str("a_log"), Suffix: str(".txt"),
		Pattern: str(`%h %l %u "%r" %s %b %{X-A}i %{JSESSIONID}c %S`)}}
	n := run(t, m, Options{LogDir: dir})
	_, body := get(t, n, "/p?q=%22", "X-A", "v")
	stop(t, n)
	b, err := os.ReadFile(filepath.Join(dir, "logs", "a_log"+time.Now().Format(".2006-01-02")+".txt"))
	want := fmt.Sprintf("127.0.0.1 - - \"GET /p?q=%%22 HTTP/1.1\" 200 %d v - %s\n", len(body), field(idRE, body))
	if err != nil || string(b) != want {
		t.Errorf("%v\n%s\n%s", err, b, want)
	}
}

func TestPattern(t *testing.T) {
	begin := time.Date(2026, 11, 24, 1, 2, 3, 456e6, time.FixedZone("", 3600))
	r, _ := http.NewRequest("GET", "/", nil)
	r.Method, r.RequestURI, r.Host, r.RemoteAddr = "PUT", `/a;b/c?x="y`, "www:81", "10.0.0.9:1234"
	r.Header.Set("Referer", "r\t\"")
	r.Header.Set("Cookie", "k=v")
	w := recorder{ResponseWriter: fakeWriter{http.Header{"X-O": {"1", "2"}}}, status: 201, bytes: 12, commit: begin.Add(time.Millisecond)}
	l := &line{r: r, x: &exchangeInfo{connector: &connector{name: "ajp-nio-8009", port: 8009}, info: &ajp.Info{RemoteUser: "me", LocalAddr: "10.0.0.1", TLS: true},
		uri: "/a;b/c", session: "S.s1", begin: begin, end: begin.Add(1234567 * time.Microsecond), writer: w}}
	for p, want := range map[string]string{
		"common":                    `10.0.0.9 - me [24/Nov/2026:01:02:03 +0100] "PUT /a;b/c?x=\"y HTTP/1.1" 201 12`,
		"combined":                  `10.0.0.9 - me [24/Nov/2026:01:02:03 +0100] "PUT /a;b/c?x=\"y HTTP/1.1" 201 12 "r\t\"" "-"`,
		"%D %T %{ms}T %{s}T %F":     "1234567 1.234 1234 1 1",
		"%a %A %p %{local}p":        "10.0.0.9 10.0.0.1 81 8009",
		"%B%b|%H|%m|%q|%U|%v|%I":    `1212|HTTP/1.1|PUT|?x=\"y|/a;b/c|www|ajp-nio-8009`,
		"%S %{k}c %{x-o}o %{Q}i":    "S.s1 v 1,2 -",
		"%{yyyy-MM-dd HH:mm:ss}t":   "2026-11-24 01:02:03",
		"%{end:msec_frac}t %{sec}t": "690 " + strconv.FormatInt(begin.Unix(), 10),
		"100%% %y %{x}y %{open %":   "100% ???y??? ???y??? ???{???open %",
	} {
		a := &accessLog{pattern: parsePattern(p, true)}
		if got := string(a.format(nil, l)); got != want+"\n" {
			t.Errorf("%s\ngot  %swant %s", p, got, want)
		}
	}
	if got := string((&accessLog{pattern: parsePattern("%D", false)}).format(nil, l)); got != "1234\n" {
		t.Error(got)
	}
}

type fakeWriter struct{ h http.Header }

func (w fakeWriter) Header() http.Header         { return w.h }
func (w fakeWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w fakeWriter) WriteHeader(int)             {}

func TestStartFailureLeavesNothingOpen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m := testNode("s1")
	taken := l.Addr().(*net.TCPAddr).Port
	m.Services[0].Connectors[1].Port = num(taken - 7)
	n, err := New(m, Options{PortOffset: 7, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err == nil {
		t.Fatal("started on a port in use")
	}
	if c, err := net.Dial("tcp", n.Addrs()["http:0"]); err == nil {
		c.Close()
		t.Error("the HTTP connector stayed open")
	}
}

func TestBadModels(t *testing.T) {
	for name, change := range map[string]func(*model.Node){
		"secret":  func(m *model.Node) { m.Services[0].Connectors[1].SecretRequired = model.Def(true) },
		"pattern": func(m *model.Node) { m.Services[0].Connectors[1].AllowedAttrs = str("(") },
		"engine":  func(m *model.Node) { m.Services[0].Engine = nil },
	} {
		m := testNode("s1")
		change(m)
		if _, err := New(m, Options{Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Error(name)
		}
	}
}

// freePorts returns ports of loopback that were free just now.
func freePorts(t *testing.T, n int) []int {
	var out []int
	for range n {
		p, err := ports.Free()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestReplication(t *testing.T) {
	ports := freePorts(t, 2)
	start := func(i int) *Node {
		m := testNode(fmt.Sprintf("s%d", i+1))
		m.Services[0].Engine.Cluster = &model.Cluster{SendOptions: num(6), Manager: &model.Manager{StateTimeout: num(60)}, Channel: &model.Channel{
			Receiver: &model.Receiver{Address: str("127.0.0.1"), Port: num(ports[i]), AutoBind: num(1)}}}
		return run(t, m, Options{StaticPeers: []string{fmt.Sprintf("127.0.0.1:%d", ports[1-i])}})
	}
	one := start(0)
	_, body := get(t, one, "/")
	old := field(idRE, body)
	two := start(1)    // takes the state over
	for i := range 2 { // wait until the first node has seen the second
		for wait := 0; len([]*Node{one, two}[i].clusters[0].channel.Members()) != 1; wait++ {
			if wait > 1000 {
				t.Fatalf("node %d has no member", i+1)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	if _, body = get(t, one, "/", "Cookie", "JSESSIONID="+old); field(countRE, body) != "2" {
		t.Fatal(body)
	}
	resp, body := get(t, two, "/", "Cookie", "JSESSIONID="+old)
	id := strings.TrimSuffix(old, "s1") + "s2"
	if field(countRE, body) != "3" || field(idRE, body) != id || !strings.HasPrefix(resp.Header.Get("Set-Cookie"), "JSESSIONID="+id+";") {
		t.Fatalf("taken over: %v %s", resp.Header, body)
	}
	stop(t, two)
	if _, body = get(t, one, "/", "Cookie", "JSESSIONID="+id); field(countRE, body) != "4" || field(idRE, body) != old {
		t.Fatalf("back: %s", body)
	}
}

func TestRebindWithoutSession(t *testing.T) {
	c := &webContext{route: "s1", manager: session.NewStandard(session.Config{JVMRoute: "s1"})}
	s, err := c.manager.Create()
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(s.ID(), ".s1")
	for in, want := range map[string]string{"": "", "abc": "", "abc.s1": "", "abc.s2": "", base + ".s2": s.ID(), s.ID(): ""} {
		if id, _ := c.rebind(in); id != want {
			t.Errorf("%q: %q, want %q", in, id, want)
		}
	}
}

func FuzzSplitParams(f *testing.F) {
	f.Add("/a;x=1/b;jsessionid=2.s1;y")
	f.Fuzz(func(t *testing.T, p string) {
		path, params := splitParams(p)
		if strings.Contains(path, ";") || len(path) > len(p) || len(params) > len(p) {
			t.Errorf("%q: %q %q", p, path, params)
		}
	})
}
