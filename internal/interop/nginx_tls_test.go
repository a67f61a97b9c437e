package interop

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNginxTLS: certificates of clients are asked for where httpd asks for them,
// virtual hosts are told apart by name, old protocols are refused, and a member
// whose certificate is checked is only used with the right one.
func TestNginxTLS(t *testing.T) {
	bin := requireNginx(t)
	seen := &nginxMembers{}
	member := seen.listen(t, "A")
	dir := t.TempDir()
	cert := nginxCertificate(t)
	pem := filepath.Join(dir, "localhost.pem")
	if err := os.WriteFile(pem, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, cert)
	if err != nil {
		t.Fatal(err)
	}
	ports := FreePorts(t, 2)
	back := startNginxTLSMember(t, pair)
	conf := fmt.Sprintf(`Listen 127.0.0.1:%[1]d
Listen 127.0.0.1:%[2]d
SSLProxyEngine on
SSLProxyVerify require
SSLProxyCACertificateFile %[3]s
<VirtualHost *:%[1]d>
ServerName open.example.org
SSLEngine on
SSLCertificateFile %[3]s
SSLProtocol all -TLSv1 -TLSv1.1
ProxyPass /good/ https://localhost:%[5]d/
ProxyPass /bad/ https://wrong.localhost:%[5]d/
ProxyPass / http://127.0.0.1:%[4]d/
<Location /tls>
SSLRequireSSL
</Location>
</VirtualHost>
<VirtualHost *:%[1]d>
ServerName client.example.org
SSLEngine on
SSLCertificateFile %[3]s
SSLVerifyClient require
SSLCACertificateFile %[3]s
ProxyPass / http://127.0.0.1:%[4]d/
RequestHeader set X-Verified "%%{SSL_CLIENT_VERIFY}s"
</VirtualHost>
<VirtualHost *:%[1]d>
ServerName folder.example.org
SSLEngine on
SSLCertificateFile %[3]s
SSLVerifyClient require
SSLCACertificatePath /etc/ssl/certs
ProxyPass / http://127.0.0.1:%[4]d/
</VirtualHost>
<VirtualHost *:%[2]d>
ServerName odd.example.org
ProxyPass / http://127.0.0.1:%[4]d/
</VirtualHost>
<VirtualHost *:%[2]d>
ServerName client.example.org
SSLEngine on
SSLCertificateFile %[3]s
SSLVerifyClient require
SSLCACertificateFile %[3]s
ProxyPass / http://127.0.0.1:%[4]d/
</VirtualHost>
`, ports[0], ports[1], pem, member, back)
	file := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	confs, _, ok := convertToNginx(t, file)
	if !ok {
		t.Fatal("the setup does not parse")
	}
	root := newNginxRoot(t)
	if err := os.WriteFile(root.cert, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	root.start(t, bin, confs[0], ports[0])

	get := func(name, path string, certs []tls.Certificate, most uint16) (int, string) {
		tr := &http.Transport{TLSClientConfig: &tls.Config{ServerName: name, InsecureSkipVerify: true, Certificates: certs, MinVersion: tls.VersionTLS10, MaxVersion: most}}
		defer tr.CloseIdleConnections()
		req, err := http.NewRequest("GET", fmt.Sprintf("https://127.0.0.1:%d%s", ports[0], path), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = name
		res, err := tr.RoundTrip(req)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	mine := []tls.Certificate{pair}
	for _, x := range []struct {
		name, path string
		certs      []tls.Certificate
		most       uint16
		want       int
		has        string
	}{
		{"open.example.org", "/tls/x", nil, 0, 200, "A GET /tls/x"},
		{"open.example.org", "/", nil, tls.VersionTLS11, 0, ""},
		{"open.example.org", "/good/x", nil, 0, 200, "over TLS /x"},
		{"open.example.org", "/bad/x", nil, 0, 502, ""},
		{"client.example.org", "/", nil, 0, 400, ""},
		{"client.example.org", "/", mine, 0, 200, "X-Verified: SUCCESS"},
		{"folder.example.org", "/", nil, 0, 403, ""},
		{"folder.example.org", "/", mine, 0, 403, ""},
	} {
		if status, body := get(x.name, x.path, x.certs, x.most); status != x.want || !strings.Contains(body, x.has) {
			t.Errorf("%s%s, %d certificates, at most %x: %d %q, want %d\n%s", x.name, x.path, len(x.certs), x.most, status, body, x.want, confs[0])
		}
	}
	// A host with TLS on a socket without it answers nothing there.
	seen.take()
	if status, _ := nginxSend(t, ports[1], "GET", "/", "1.1", [][2]string{{"Host", "client.example.org"}}, nil, false); status < 400 || len(seen.take()) > 0 {
		t.Errorf("client.example.org without TLS: %d", status)
	}
	if status, _ := nginxSend(t, ports[1], "GET", "/", "1.1", [][2]string{{"Host", "odd.example.org"}}, nil, false); status != 200 {
		t.Errorf("odd.example.org: %d", status)
	}
}

// startNginxTLSMember starts a member that speaks TLS and returns its port.
func startNginxTLSMember(t *testing.T, pair tls.Certificate) int {
	t.Helper()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "over TLS %s\n", r.RequestURI) })}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { _ = srv.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}
