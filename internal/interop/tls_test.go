package interop

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/runtime"
)

// tlsModules are the modules that the setups of these tests need.
const tlsModules = `LoadModule mpm_event_module $MODULES/mod_mpm_event.so
LoadModule authz_core_module $MODULES/mod_authz_core.so
LoadModule ssl_module $MODULES/mod_ssl.so
LoadModule headers_module $MODULES/mod_headers.so
LoadModule proxy_module $MODULES/mod_proxy.so
LoadModule proxy_http_module $MODULES/mod_proxy_http.so
LoadModule proxy_http2_module $MODULES/mod_proxy_http2.so
LoadModule http2_module $MODULES/mod_http2.so
`

// startClowder runs the balancer of a configuration in this process. ROOT, PORT and
// MODULES are replaced as [StartHTTPD] does.
func startClowder(t *testing.T, conf string) {
	t.Helper()
	dir := t.TempDir()
	conf = strings.NewReplacer("$MODULES", "/usr/lib/apache2/modules").Replace(fmt.Sprintf("ServerRoot %q\n", dir) + conf)
	file := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true, Config: "none"})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Diags {
		t.Logf("%s: %s", d.Span, d.Message)
	}
	run, err := runtime.Start(t.Context(), r.Setup, runtime.Options{Only: []string{"balancer"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		run.Stop(ctx)
	})
}

// tlsCase is one connection with one request.
type tlsCase struct {
	sni, host string
	cert      string // of the client, "" for none
	version   uint16
	path      string
}

func (c tlsCase) String() string {
	return fmt.Sprintf("SNI %q Host %q certificate %q %s %s", c.sni, c.host, c.cert, tls.VersionName(c.version), c.path)
}

// ask makes the request and says what came of it.
func (c tlsCase) ask(port int, certs map[string]tls.Certificate) string {
	cfg := &tls.Config{InsecureSkipVerify: true, ServerName: c.sni, Renegotiation: tls.RenegotiateFreelyAsClient, MinVersion: c.version, MaxVersion: c.version}
	if c.cert != "" {
		own := certs[c.cert]
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
	}
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", fmt.Sprintf("127.0.0.1:%d", port), cfg)
	if err != nil {
		return "no connection"
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", c.path, c.host)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil {
		return "no connection"
	}
	body, _ := io.ReadAll(resp.Body)
	text := ""
	if resp.StatusCode == 200 {
		text = string(body)
	}
	return fmt.Sprintf("%d %s by %s: %s", resp.StatusCode, resp.Header.Get("X-V"), nc.ConnectionState().PeerCertificates[0].Subject.CommonName, text)
}

const tlsFront = `Listen 127.0.0.1:$PORT
ServerName main.test
SSLEngine on
SSLCertificateFile $DIR/a.pem
SSLCertificateKeyFile $DIR/a.key
Header always set X-V "%{SSL_TLS_SNI}s"
RequestHeader set X-TLS "%{SSL_PROTOCOL}s %{SSL_CLIENT_VERIFY}s %{SSL_CLIENT_S_DN}s %{SSL_CLIENT_S_DN_CN}s %{SSL_CLIENT_I_DN}s %{SSL_CLIENT_M_SERIAL}s %{SSL_CLIENT_V_END}s %{SSL_CLIENT_A_SIG}s %{SSL_CLIENT_A_KEY}s %{SSL_SERVER_S_DN_O}s %{SSL_SERVER_SAN_DNS_0}s %{SSL_SESSION_RESUMED}s %{SSL_NONE}s"
RequestHeader set X-Std "%{HTTPS}e %{SSL_TLS_SNI}e %{SSL_CLIENT_S_DN_CN}e"
ProxyPass / http://127.0.0.1:$BACK/
<Location /tls>
  SSLRequireSSL
</Location>
<VirtualHost *:$PORT>
  ServerName a.test
</VirtualHost>
<VirtualHost *:$PORT>
  ServerName b.test
  ServerAlias *.b.test
</VirtualHost>
<VirtualHost *:$PORT>
  ServerName c.test
  SSLCertificateFile $DIR/c.pem
  SSLCertificateKeyFile $DIR/c.key
  SSLVerifyClient require
  SSLCACertificateFile $DIR/ca.pem
  SSLCARevocationCheck chain
  SSLCARevocationFile $DIR/ca.crl
</VirtualHost>
<VirtualHost *:$PORT>
  ServerName d.test
  SSLProtocol TLSv1.2
  SSLVerifyClient optional
  SSLVerifyDepth 2
  SSLCACertificateFile $DIR/ca.pem
  SSLOptions +StdEnvVars
  SSLCipherSuite ECDHE+AESGCM:!AES128
  <Location /cert>
    SSLVerifyClient require
  </Location>
</VirtualHost>
`

// TestTLSFront puts the same configuration with virtual hosts under httpd and under
// clowder and compares status, virtual host, certificate and variables.
func TestTLSFront(t *testing.T) {
	dir := t.TempDir()
	ca, other := NewAuthority(t, dir, "ca"), NewAuthority(t, dir, "other")
	sub := ca.Sub(t, "sub")
	ca.Issue(t, Leaf{Name: "a", DNS: []string{"a.test"}})
	ca.Issue(t, Leaf{Name: "c", DNS: []string{"c.test"}, RSA: true})
	certs := map[string]tls.Certificate{
		"good": ca.Issue(t, Leaf{Name: "good", Client: true, CN: "Good, \"User\""}), "expired": ca.Issue(t, Leaf{Name: "expired", Client: true, Expired: true}),
		"stranger": other.Issue(t, Leaf{Name: "stranger", Client: true}), "server": ca.Issue(t, Leaf{Name: "server"}),
		"revoked": ca.Issue(t, Leaf{Name: "revoked", Client: true}), "deep": sub.Issue(t, Leaf{Name: "deep", Client: true}),
	}
	deep := certs["deep"]
	deep.Certificate = append(deep.Certificate, sub.Cert.Raw)
	certs["deep"] = deep
	ca.Revoke(t, "ca.crl", certs["revoked"].Leaf)

	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s | %s | %s", r.Header.Get("X-TLS"), r.Header.Get("X-Std"), r.Header.Get("X-Forwarded-Host"))
	}))
	defer back.Close()
	_, backPort, _ := net.SplitHostPort(back.Listener.Addr().String())
	ports := FreePorts(t, 2)
	conf := func(port int) string {
		return strings.NewReplacer("$DIR", dir, "$BACK", backPort, "$PORT", fmt.Sprint(port)).Replace(tlsModules + tlsFront)
	}
	StartHTTPD(t, ports[0], conf(ports[0]))
	startClowder(t, conf(ports[1]))

	n := 0
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, sni := range []string{"", "a.test", "b.test", "x.b.test", "c.test", "d.test", "zz.test"} {
			for _, host := range []string{"a.test", "B.test", "c.test", "d.test:1", "zz.test"} {
				for _, cert := range []string{"", "good", "expired", "stranger", "server", "revoked", "deep"} {
					for _, path := range []string{"/", "/tls/", "/cert/x"} {
						if path != "/" && (cert != "" && cert != "good" || host != "d.test:1" && host != "a.test") {
							continue
						}
						c := tlsCase{sni, host, cert, version, path}
						n++
						want, got := c.ask(ports[0], certs), c.ask(ports[1], certs)
						if path == "/cert/x" && cert == "" && want == "no connection" && strings.HasPrefix(got, "403 ") {
							continue // httpd asks again in a second handshake, which fails
						}
						if got != want {
							t.Errorf("%s:\n got %s\nwant %s", c, got, want)
						}
					}
				}
			}
		}
	}
	if n < 400 {
		t.Errorf("only %d cases", n)
	}
}

// tlsBackend starts a TLS server and returns its port.
func tlsBackend(t *testing.T, cfg *tls.Config, h2 bool) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sni, peer := "-", "-"
		if r.TLS != nil {
			sni = r.TLS.ServerName
			if len(r.TLS.PeerCertificates) > 0 {
				peer = r.TLS.PeerCertificates[0].Subject.CommonName
			}
		}
		fmt.Fprintf(w, "%s %s %s sni %s host %s peer %s", r.Method, r.URL, r.Proto, sni, strings.Split(r.Host, ":")[0], peer)
	}))
	srv.EnableHTTP2 = h2
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	if cfg == nil {
		var p http.Protocols
		p.SetHTTP1(true)
		p.SetUnencryptedHTTP2(true)
		srv.Config.Protocols = &p
		srv.Start()
	} else {
		srv.TLS = cfg
		srv.StartTLS()
	}
	t.Cleanup(srv.Close)
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	return port
}

// tlsProxies are settings towards backends, one virtual host each.
var tlsProxies = []struct{ name, conf string }{
	{"plain", ""},
	{"engine", "SSLProxyEngine on"},
	{"off", "SSLProxyEngine off"},
	{"require", "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyCACertificateFile $DIR/ca.pem"},
	{"optional", "SSLProxyEngine on\nSSLProxyVerify optional\nSSLProxyCACertificateFile $DIR/ca.pem"},
	{"nocheck", "SSLProxyEngine on\nSSLProxyCheckPeerName off\nSSLProxyCheckPeerExpire off"},
	{"cnoff", "SSLProxyEngine on\nSSLProxyCheckPeerCN off"},
	{"nameoff", "SSLProxyEngine on\nSSLProxyCheckPeerName off"},
	{"cnonly", "SSLProxyEngine on\nSSLProxyCheckPeerName off\nSSLProxyCheckPeerCN on"},
	{"nameon", "SSLProxyEngine on\nSSLProxyCheckPeerName on\nSSLProxyCheckPeerCN off"},
	{"expireoff", "SSLProxyEngine on\nSSLProxyCheckPeerExpire off"},
	{"verifyexpireoff", "SSLProxyEngine on\nSSLProxyCheckPeerExpire off\nSSLProxyVerify require\nSSLProxyCACertificateFile $DIR/ca.pem"},
	{"depth0", "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyVerifyDepth 0\nSSLProxyCACertificateFile $DIR/ca.pem"},
	{"depth2", "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyVerifyDepth 2\nSSLProxyCACertificateFile $DIR/ca.pem"},
	{"subonly", "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyVerifyDepth 2\nSSLProxyCACertificateFile $DIR/sub.pem"},
	{"preserve", "SSLProxyEngine on\nProxyPreserveHost on"},
	{"localhost", "ServerAlias localhost\nSSLProxyEngine on\nProxyPreserveHost on\nSSLProxyVerify require\nSSLProxyCACertificateFile $DIR/ca.pem"},
	{"old", "SSLProxyEngine on\nSSLProxyProtocol TLSv1.2"},
	{"machine", "SSLProxyEngine on\nSSLProxyMachineCertificateFile $DIR/machine.pem"},
	{"revoked", "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyCACertificateFile $DIR/ca.pem\nSSLProxyCARevocationCheck leaf\nSSLProxyCARevocationFile $DIR/ca.crl"},
}

// TestTLSBackends asks backends with certificates of many kinds through httpd and
// through clowder, with each SSLProxy setting, and compares what came of it.
func TestTLSBackends(t *testing.T) {
	dir := t.TempDir()
	ca, other := NewAuthority(t, dir, "ca"), NewAuthority(t, dir, "other")
	sub := ca.Sub(t, "sub")
	local := []string{"localhost"}
	one := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	deep := sub.Issue(t, Leaf{Name: "deep", DNS: local})
	deep.Certificate = append(deep.Certificate, sub.Cert.Raw)
	gone := ca.Issue(t, Leaf{Name: "gone", DNS: local})
	ca.Revoke(t, "ca.crl", gone.Leaf)
	machine := ca.Issue(t, Leaf{Name: "client", Client: true})
	var pems []byte
	for _, f := range []string{"client.pem", "client.key"} {
		data, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		pems = append(pems, data...)
	}
	if err := os.WriteFile(filepath.Join(dir, "machine.pem"), pems, 0o600); err != nil {
		t.Fatal(err)
	}
	good := ca.Issue(t, Leaf{Name: "good", DNS: local})
	asks := one(good)
	asks.ClientAuth = tls.RequireAnyClientCert
	oldest, newest := one(good), one(good)
	oldest.MaxVersion, newest.MinVersion = tls.VersionTLS12, tls.VersionTLS13
	backends := []struct{ name, target string }{
		{"good", "https://localhost:" + tlsBackend(t, one(good), false)},
		{"rsa", "https://localhost:" + tlsBackend(t, one(ca.Issue(t, Leaf{Name: "rsa", DNS: local, RSA: true})), false)},
		{"cn", "https://localhost:" + tlsBackend(t, one(ca.Issue(t, Leaf{Name: "cn", CN: "localhost", DNS: []string{"other.test"}})), false)},
		{"wrong", "https://localhost:" + tlsBackend(t, one(ca.Issue(t, Leaf{Name: "wrong", DNS: []string{"wrong.test", "*.localhost"}})), false)},
		{"ip", "https://127.0.0.1:" + tlsBackend(t, one(ca.Issue(t, Leaf{Name: "ip", DNS: local, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})), false)},
		{"expired", "https://localhost:" + tlsBackend(t, one(ca.Issue(t, Leaf{Name: "old", DNS: local, Expired: true})), false)},
		{"stranger", "https://localhost:" + tlsBackend(t, one(other.Issue(t, Leaf{Name: "stranger", DNS: local})), false)},
		{"deep", "https://localhost:" + tlsBackend(t, one(deep), false)},
		{"gone", "https://localhost:" + tlsBackend(t, one(gone), false)},
		{"client", "https://localhost:" + tlsBackend(t, one(ca.Issue(t, Leaf{Name: "clientonly", DNS: local, Client: true})), false)},
		{"asks", "https://localhost:" + tlsBackend(t, asks, false)},
		{"oldest", "https://localhost:" + tlsBackend(t, oldest, false)},
		{"newest", "https://localhost:" + tlsBackend(t, newest, false)},
		{"noTLS", "https://localhost:" + tlsBackend(t, nil, false)},
		{"dead", "https://localhost:" + fmt.Sprint(FreePorts(t, 1)[0])},
		{"h2", "h2://localhost:" + tlsBackend(t, one(good), true)},
		{"h2not", "h2://localhost:" + tlsBackend(t, one(good), false)},
		{"h2c", "h2c://localhost:" + tlsBackend(t, nil, false)},
		{"unix", "unix:" + filepath.Join(dir, "back.sock") + "|http://localhost/"},
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "back.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	os.Chmod(dir, 0o755)
	os.Chmod(filepath.Join(dir, "back.sock"), 0o777)
	go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "unix %s host %s", r.URL, r.Host) }))
	_ = machine

	ports := FreePorts(t, 2)
	conf := func(port int) string {
		c := tlsModules + fmt.Sprintf("Listen 127.0.0.1:%d\nServerName main.test\n", port)
		for _, p := range tlsProxies {
			c += fmt.Sprintf("<VirtualHost *:%d>\nServerName %s.test\n%s\n", port, p.name, p.conf)
			for _, b := range backends {
				c += fmt.Sprintf("ProxyPass /%s/ %s/\n", b.name, strings.TrimSuffix(b.target, "/"))
			}
			c += "</VirtualHost>\n"
		}
		return strings.ReplaceAll(c, "$DIR", dir)
	}
	StartHTTPD(t, ports[0], conf(ports[0]))
	startClowder(t, conf(ports[1]))
	ask := func(port int, host, path string) string {
		req, _ := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != 200 {
			_, reason, _ := strings.Cut(string(body), "Reason: <strong>")
			reason, _, _ = strings.Cut(reason, "<")
			return fmt.Sprint(resp.StatusCode, " ", reason)
		}
		return string(body)
	}
	for _, p := range tlsProxies {
		for _, b := range backends {
			host := p.name + ".test"
			if p.name == "localhost" {
				host = "localhost"
			}
			path := "/" + b.name + "/x%20y?q=1"
			want, got := ask(ports[0], host, path), ask(ports[1], host, path)
			if got != want {
				t.Errorf("%s to %s:\n got %s\nwant %s", p.name, b.name, got, want)
			}
		}
	}
}
