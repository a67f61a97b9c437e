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
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tlsPolicyHosts differ from the first one in one thing each.
var tlsPolicyHosts = []struct{ name, conf string }{
	{"a", ""},
	{"same", ""},
	{"cert", "SSLCertificateFile $DIR/c.pem\nSSLCertificateKeyFile $DIR/c.key"},
	{"copy", "SSLCertificateFile $DIR/copy.pem"},
	{"ask", "SSLVerifyClient optional\nSSLCACertificateFile $DIR/ca.pem"},
	{"ask2", "SSLVerifyClient optional\nSSLCACertificateFile $DIR/ca.pem"},
	{"ask3", "SSLVerifyClient optional\nSSLCACertificateFile $DIR/other.pem"},
	{"must", "SSLVerifyClient require\nSSLCACertificateFile $DIR/ca.pem"},
	{"depth", "SSLVerifyDepth 2"},
	{"ca", "SSLCACertificateFile $DIR/ca.pem"},
	{"crl", "SSLCARevocationCheck leaf\nSSLCARevocationFile $DIR/ca.crl"},
	{"tls12", "SSLProtocol TLSv1.2"},
	{"ciphers", "SSLCipherSuite ECDHE+AESGCM"},
	{"order", "SSLHonorCipherOrder on"},
	{"tickets", "SSLSessionTickets off"},
	{"options", "SSLOptions +StdEnvVars"},
	{"protocols", "Protocols h2 http/1.1"},
	{"off", "SSLEngine off"},
}

// TestTLSPolicies asks each virtual host on a connection made for each other one,
// under each SSLVHostSNIPolicy, and with SSLStrictSNIVHostCheck.
func TestTLSPolicies(t *testing.T) {
	dir := t.TempDir()
	ca := NewAuthority(t, dir, "ca")
	NewAuthority(t, dir, "other")
	ca.Issue(t, Leaf{Name: "a", DNS: []string{"a.test"}})
	ca.Issue(t, Leaf{Name: "c", DNS: []string{"c.test"}})
	ca.Revoke(t, "ca.crl")
	certs := map[string]tls.Certificate{"good": ca.Issue(t, Leaf{Name: "good", Client: true})}
	data, err := os.ReadFile(filepath.Join(dir, "a.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "copy.pem"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X-Host")) }))
	defer back.Close()
	for _, policy := range []string{"", "SSLVHostSNIPolicy strict", "SSLVHostSNIPolicy authonly", "SSLVHostSNIPolicy insecure", "SSLStrictSNIVHostCheck on"} {
		t.Run(policy, func(t *testing.T) {
			ports := FreePorts(t, 2)
			conf := func(port int) string {
				c := tlsModules + policy + fmt.Sprintf("\nListen 127.0.0.1:%d\nServerName main.test\nSSLEngine on\nSSLCertificateFile $DIR/a.pem\nSSLCertificateKeyFile $DIR/a.key\nProxyPass / %s/\n", port, back.URL)
				for _, h := range tlsPolicyHosts {
					c += fmt.Sprintf("<VirtualHost *:%d>\nServerName %s.test\nRequestHeader set X-Host %s\n%s\n</VirtualHost>\n", port, h.name, h.name, h.conf)
				}
				return strings.ReplaceAll(c, "$DIR", dir)
			}
			StartHTTPD(t, ports[0], conf(ports[0]))
			startClowder(t, conf(ports[1]))
			for _, sni := range append([]string{"", "zz"}, names()...) {
				if sni != "" {
					sni += ".test"
				}
				for _, host := range names() {
					version := uint16(tls.VersionTLS13)
					if sni == "tls12.test" {
						version = tls.VersionTLS12
					}
					c := tlsCase{sni, host + ".test", "good", version, "/"}
					want, got := c.ask(ports[0], certs), c.ask(ports[1], certs)
					if version == tls.VersionTLS12 && want == "no connection" && strings.HasPrefix(got, "403 ") {
						continue // httpd asks again in a second handshake, which fails
					}
					if got != want {
						t.Errorf("%s:\n got %s\nwant %s", c, got, want)
					}
				}
			}
		})
	}
}

func names() []string {
	var out []string
	for _, h := range tlsPolicyHosts {
		out = append(out, h.name)
	}
	return out
}

// TestTLSOddities are requests that mod_ssl answers by itself.
func TestTLSOddities(t *testing.T) {
	dir := t.TempDir()
	NewAuthority(t, dir, "ca").Issue(t, Leaf{Name: "a", DNS: []string{"a.test"}})
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer back.Close()
	ports := FreePorts(t, 4)
	conf := func(secure, plain int) string {
		return tlsModules + strings.NewReplacer("$DIR", dir, "$PORT", fmt.Sprint(secure), "$PLAIN", fmt.Sprint(plain), "$BACK", back.URL).Replace(`
Listen 127.0.0.1:$PORT
Listen 127.0.0.1:$PLAIN
ServerName main.test
ProxyPass / $BACK/
<Location /tls>
SSLRequireSSL
</Location>
<Proxy $BACK/proxied>
SSLRequireSSL
</Proxy>
<VirtualHost *:$PORT>
ServerName a.test
SSLEngine on
SSLCertificateFile $DIR/a.pem
SSLCertificateKeyFile $DIR/a.key
</VirtualHost>
<VirtualHost *:$PORT>
ServerName b.test
SSLEngine on
SSLCertificateFile $DIR/a.pem
SSLCertificateKeyFile $DIR/a.key
SSLStrictSNIVHostCheck on
</VirtualHost>
<VirtualHost *:$PLAIN>
ServerName a.test
<Location /cert>
SSLVerifyClient require
</Location>
</VirtualHost>
`)
	}
	StartHTTPD(t, ports[0], conf(ports[0], ports[1]))
	startClowder(t, conf(ports[2], ports[3]))
	ask := func(i int, sni, request string) string {
		nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[i]))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		if sni != "plain" {
			nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, ServerName: sni})
		}
		io.WriteString(nc, request)
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			return "no answer"
		}
		body, _ := io.ReadAll(resp.Body)
		return fmt.Sprintf("%d %v %s", resp.StatusCode, resp.Header["Connection"], body)
	}
	for _, tt := range []struct {
		plain        bool // port
		sni, request string
	}{
		{false, "plain", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"},
		{false, "plain", "POST /x HTTP/1.0\r\n\r\n"},
		{false, "plain", "\x00\x01\x02\x03\x04\x05\x06\x07\x08"},
		{false, "a.test", "GET / HTTP/1.0\r\n\r\n"},
		{false, "", "GET / HTTP/1.0\r\n\r\n"},
		{false, "", "GET / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n"},
		{false, "", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{false, "a.test", "GET https://b.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{false, "a.test", "GET /tls HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{false, "A.TEST", "GET / HTTP/1.1\r\nHost: a.test:99\r\nConnection: close\r\n\r\n"},
		{false, "a.test", "GET / HTTP/1.1\r\nHost: a.test.\r\nConnection: close\r\n\r\n"},
		{true, "plain", "GET /tls HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{true, "plain", "GET /tls/x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{true, "plain", "GET /%74ls/x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{true, "plain", "GET /x/../tls/x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{true, "plain", "GET /proxied HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{true, "plain", "GET /cert HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{true, "plain", "GET /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
		{true, "a.test", "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"},
	} {
		i := 0
		if tt.plain {
			i = 1
		}
		if want, got := ask(i, tt.sni, tt.request), ask(i+2, tt.sni, tt.request); got != want {
			t.Errorf("plain port %v, SNI %q, %q:\n got %s\nwant %s", tt.plain, tt.sni, tt.request, got, want)
		}
	}
}
