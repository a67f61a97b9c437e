package interop

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTLSRequire: Require ssl and Require ssl-verify-client as httpd has them.
func TestTLSRequire(t *testing.T) {
	dir := t.TempDir()
	ca := NewAuthority(t, dir, "ca")
	ca.Issue(t, Leaf{Name: "a", DNS: []string{"a.test"}})
	certs := map[string]tls.Certificate{"good": ca.Issue(t, Leaf{Name: "good", Client: true})}
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer back.Close()
	ports := FreePorts(t, 2)
	conf := func(port int) string {
		return tlsModules + strings.NewReplacer("$DIR", dir, "$PORT", fmt.Sprint(port), "$BACK", back.URL).Replace(`Listen 127.0.0.1:$PORT
ServerName a.test
SSLEngine on
SSLCertificateFile $DIR/a.pem
SSLCertificateKeyFile $DIR/a.key
SSLVerifyClient optional
SSLCACertificateFile $DIR/ca.pem
SSLOptions +StdEnvVars
ProxyPass / $BACK/
<Location /ssl>
Require ssl
</Location>
<Location /cert>
Require ssl-verify-client
</Location>
<Location /env>
Require env HTTPS SSL_PROTOCOL
</Location>
`)
	}
	StartHTTPD(t, ports[0], conf(ports[0]))
	startClowder(t, conf(ports[1]))
	for _, cert := range []string{"", "good"} {
		for path, status := range map[string]string{"/": "200", "/ssl": "200", "/cert": map[string]string{"": "403", "good": "200"}[cert], "/env": "403"} {
			c := tlsCase{"a.test", "a.test", cert, tls.VersionTLS13, path}
			if want, got := c.ask(ports[0], certs), c.ask(ports[1], certs); got != want || !strings.HasPrefix(got, status+" ") {
				t.Errorf("%s:\n got %s\nwant %s, %s", c, got, want, status)
			}
		}
	}
}
