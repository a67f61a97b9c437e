package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"clowder/internal/interop"
	"clowder/parse"
	"clowder/runtime/ajp"
	"clowder/runtime/front"
)

// startTLS runs a configuration with one Listen as clowder run does; its address
// is that of the listener.
func startTLS(t *testing.T, conf string) string {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, Overlay: map[string][]byte{"httpd.conf": []byte(conf)}, Config: "none", Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(r.Setup.FrontEnds[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := p.Listens()[0]
	s := front.New(front.Config{Handler: p.Handler(l), KeepAlive: true, ErrorPage: ErrorPage, PlainPage: PlainPage, H2C: p.H2C(l)})
	in := net.Listener(ln)
	if secure := p.Secure(l); secure != nil {
		in = &wrapped{ln, secure}
	}
	go s.Serve(in)
	t.Cleanup(func() { s.Close(); p.Close() })
	return ln.Addr().String()
}

type wrapped struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (w *wrapped) Accept() (net.Conn, error) {
	nc, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return w.wrap(nc), nil
}

// sharedSession gives every host the session of the last one.
type sharedSession struct{ last *tls.ClientSessionState }

func (s *sharedSession) Get(string) (*tls.ClientSessionState, bool) { return s.last, s.last != nil }
func (s *sharedSession) Put(_ string, cs *tls.ClientSessionState)   { s.last = cs }

// TestResumption: a session of a virtual host that asks for no certificate leads
// into none that does (CVE-2025-23048 in httpd).
func TestResumption(t *testing.T) {
	dir := t.TempDir()
	ca, other := interop.NewAuthority(t, dir, "ca"), interop.NewAuthority(t, dir, "other")
	ca.Issue(t, interop.Leaf{Name: "a", DNS: []string{"*.test"}})
	mine, stranger := ca.Issue(t, interop.Leaf{Name: "u", Client: true}), other.Issue(t, interop.Leaf{Name: "s", Client: true})
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer back.Close()
	addr := startTLS(t, fmt.Sprintf(`ServerRoot %q
Listen 443
SSLEngine on
SSLCertificateFile a.pem
SSLCertificateKeyFile a.key
ProxyPass / %s/
<VirtualHost *:443>
ServerName open.test
</VirtualHost>
<VirtualHost *:443>
ServerName other.test
SSLVerifyClient require
SSLCACertificateFile other.pem
</VirtualHost>
<VirtualHost *:443>
ServerName closed.test
SSLVerifyClient require
SSLCACertificateFile ca.pem
</VirtualHost>
`, dir, back.URL))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		ask := func(host string, s *sharedSession, cert *tls.Certificate) string {
			cfg := &tls.Config{InsecureSkipVerify: true, ServerName: host, ClientSessionCache: s, MinVersion: version, MaxVersion: version}
			if cert != nil {
				cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
			}
			nc, err := tls.Dial("tcp", addr, cfg)
			if err != nil {
				return "no connection"
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(nc, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
			resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				return "no connection"
			}
			io.Copy(io.Discard, resp.Body)
			return fmt.Sprint(resp.StatusCode, " resumed ", nc.ConnectionState().DidResume)
		}
		open, known, foreign := &sharedSession{}, &sharedSession{}, &sharedSession{}
		steps := []struct {
			host string
			s    *sharedSession
			cert *tls.Certificate
			want string
		}{
			{"open.test", open, nil, "200 resumed false"},
			{"open.test", open, nil, "200 resumed true"},
			{"closed.test", open, nil, "no connection"},
			{"closed.test", known, &mine, "200 resumed false"},
			{"closed.test", known, &mine, "200 resumed true"},
			{"other.test", foreign, &stranger, "200 resumed false"},
			{"closed.test", foreign, &stranger, "no connection"},
			{"closed.test", foreign, nil, "no connection"},
		}
		for i, step := range steps {
			if got := ask(step.host, step.s, step.cert); got != step.want {
				t.Errorf("%s, step %d, %s: %s, want %s", tls.VersionName(version), i, step.host, got, step.want)
			}
		}
	}
}

// TestSockets: members and plain workers on Unix domain sockets, two of them under
// the same name, over HTTP and AJP.
func TestSockets(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // t.TempDir may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	listen := func(name string) net.Listener {
		ln, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		return ln
	}
	answer := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://localhost/there")
			fmt.Fprintf(w, "%s %s %s", name, r.Host, r.URL)
		})
	}
	go http.Serve(listen("One"), answer("one"))
	go http.Serve(listen("two"), answer("two"))
	srv := &ajp.Server{Handler: answer("ajp")}
	go srv.Serve(listen("ajp"))
	defer srv.Close()
	addr := startTLS(t, fmt.Sprintf(`ServerRoot %q
DefaultRuntimeDir %q
Listen 80
<Proxy balancer://c>
BalancerMember unix:%[2]s/One|http://localhost route=one
BalancerMember unix:%[2]s/two|http://localhost route=two
</Proxy>
ProxyPass /c balancer://c stickysession=S
ProxyPass /one unix:%[2]s/One|http://localhost/x
ProxyPass /two unix:two|http://localhost/x
ProxyPass /ajp unix:%[2]s/ajp|ajp://localhost:8009/x
ProxyPass /gone unix:%[2]s/gone|http://localhost/x
ProxyPassReverse /one/ unix:%[2]s/One|http://localhost/
`, "/none", dir))
	for path, want := range map[string]string{
		"/one/a?b": "200 one localhost /x/a?b", "/two/a": "200 two localhost /x/a", "/ajp/a": "200 ajp " + addr + " /x/a",
		"/c/y;S=1.one": "200 one localhost /y;S=1.one", "/c/y;S=1.two": "200 two localhost /y;S=1.two", "/gone/a": "503",
	} {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		got := fmt.Sprint(resp.StatusCode, " ", string(body))
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if path == "/one/a?b" && resp.Header.Get("Location") != "http://"+addr+"/one/there" {
			t.Errorf("Location %s", resp.Header.Get("Location"))
		}
	}
}

// TestSecureUpgrade: a websocket from a TLS client to a member behind wss://.
func TestSecureUpgrade(t *testing.T) {
	dir := t.TempDir()
	pair := interop.NewAuthority(t, dir, "ca").Issue(t, interop.Leaf{Name: "a", DNS: []string{"localhost"}})
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			fmt.Fprintf(w, "plain %q", r.Header.Get("Upgrade"))
			return
		}
		nc, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer nc.Close()
		fmt.Fprint(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		io.Copy(nc, rw)
	}))
	back.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	back.StartTLS()
	defer back.Close()
	_, port, _ := net.SplitHostPort(back.Listener.Addr().String())
	addr := startTLS(t, fmt.Sprintf(`ServerRoot %q
Listen 443
ServerName a
SSLEngine on
SSLProxyEngine on
SSLProxyVerify require
SSLProxyCACertificateFile ca.pem
SSLCertificateFile a.pem
SSLCertificateKeyFile a.key
ProxyPass /ws wss://localhost:%s/
ProxyPass /any https://localhost:%s/ upgrade=any
`, dir, port, port))
	dial := func() *tls.Conn {
		nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		return nc
	}
	for _, path := range []string{"/ws", "/any"} {
		nc := dial()
		fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", path)
		r := bufio.NewReader(nc)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 101 {
			t.Fatalf("%s: %v %v", path, resp, err)
		}
		fmt.Fprint(nc, "hello")
		got := make([]byte, 5)
		if _, err := io.ReadFull(r, got); err != nil || string(got) != "hello" {
			t.Errorf("%s: %q %v", path, got, err)
		}
		nc.Close()
	}
	// HTTP/2 behind an upgrade would go past every rule.
	nc := dial()
	defer nc.Close()
	fmt.Fprint(nc, "GET /any HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("h2c: %v %v", resp, err)
	}
	if body, _ := io.ReadAll(resp.Body); string(body) != `plain ""` {
		t.Errorf("h2c: %s", body)
	}
}

// TestH2Member: one connection carries many requests, bodies go both ways, a client
// that gives up ends its stream, and 1xx answers come through.
func TestH2Member(t *testing.T) {
	ended := make(chan struct{}, 1)
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			<-r.Context().Done()
			ended <- struct{}{}
		case "/echo":
			w.Header().Set("X-Length", fmt.Sprint(r.ContentLength))
			io.Copy(w, r.Body)
		case "/hints":
			w.Header().Set("Link", "</a>")
			w.WriteHeader(103)
			w.WriteHeader(204)
		case "/fail":
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprintf(w, "%s %s %q %q", r.Proto, r.RequestURI, r.Header.Get("X-Forwarded-For"), r.Header["User-Agent"])
		}
	}))
	var protos http.Protocols
	protos.SetUnencryptedHTTP2(true)
	back.Config.Protocols = &protos
	back.Config.ConnState = func(nc net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			conns[nc] = true
			mu.Unlock()
		}
	}
	back.Start()
	defer back.Close()
	addr := startTLS(t, "Listen 80\n<Proxy balancer://b>\nBalancerMember h2c://"+back.Listener.Addr().String()+" timeout=1\n</Proxy>\nProxyPass / balancer://b/\n")
	get := func(method, path, body string) string {
		req, _ := http.NewRequest(method, "http://"+addr, strings.NewReader(body))
		if body == "" {
			req.Body = nil
		}
		req.URL.Opaque = path
		req.Header = http.Header{"User-Agent": nil}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return fmt.Sprintf("%d %s %d %v", resp.StatusCode, resp.Header.Get("X-Length"), len(b), err) + " " + string(b[:min(len(b), 80)])
	}
	for _, tt := range []struct{ method, path, body, want string }{
		{"GET", "/x%2520y;v?q=1", "", `200  38 <nil> HTTP/2.0 /x%2520y;v?q=1 "127.0.0.1" []`},
		{"GET", "/a?", "", `200  27 <nil> HTTP/2.0 /a? "127.0.0.1" []`},
		{"POST", "/echo", "hello", "200 5 5 <nil> hello"},
		{"POST", "/echo", strings.Repeat("x", 1<<20), "200 1048576 1048576 <nil> xxx"},
		{"GET", "/hints", "", "204  0 <nil> "},
		{"GET", "/fail", "", "502 "},
	} {
		if got := get(tt.method, tt.path, tt.body); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+addr+"/late", nil)
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != 504 {
		t.Errorf("late: %v %v", resp, err)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		t.Error("the backend was not told that nobody waits any more")
	}
	mu.Lock()
	defer mu.Unlock()
	if len(conns) != 1 {
		t.Errorf("%d connections", len(conns))
	}
}

// TestHostsOfPool: a connection is used again only for the name it was made for.
func TestHostsOfPool(t *testing.T) {
	dir := t.TempDir()
	pair := interop.NewAuthority(t, dir, "ca").Issue(t, interop.Leaf{Name: "a", DNS: []string{"a.test", "b.test"}})
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %s", r.TLS.ServerName, r.Host)
	}))
	back.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	back.StartTLS()
	defer back.Close()
	_, port, _ := net.SplitHostPort(back.Listener.Addr().String())
	addr := startTLS(t, "Listen 80\nSSLProxyEngine on\nProxyPreserveHost on\nProxyPass / https://localhost:"+port+"/\n")
	for _, host := range []string{"a.test", "a.test", "b.test", "a.test", "b.test:81"} {
		req, _ := http.NewRequestWithContext(context.Background(), "GET", "http://"+addr+"/", nil)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		name, _, _ := strings.Cut(host, ":")
		if want := name + " for " + host; string(body) != want {
			t.Errorf("%s: %s, want %s", host, body, want)
		}
	}
}
