package interop

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"clowder/runtime/ajp"
)

// headBackend answers each request with its head, the fields sorted.
func headBackend(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(10 * time.Second))
				r := bufio.NewReader(nc)
				var lines []string
				length := 0
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if line = strings.TrimRight(line, "\r\n"); line == "" {
						break
					}
					fmt.Sscanf(line, "Content-Length: %d", &length)
					lines = append(lines, line)
				}
				body := make([]byte, length)
				if _, err := io.ReadFull(r, body); err != nil {
					return
				}
				slices.Sort(lines[1:])
				text := strings.Join(lines, "\n") + "\n" + string(body)
				fmt.Fprintf(nc, "HTTP/1.1 200 OK\r\nConnection: close\r\nX-Some-Field: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

const h2Front = `Listen 127.0.0.1:$PORT
ServerName main.test
SSLEngine on
SSLCertificateFile $DIR/a.pem
SSLCertificateKeyFile $DIR/a.key
ProxyPass / http://127.0.0.1:$BACK/ timeout=5
<VirtualHost *:$PORT>
  ServerName a.test
  Protocols h2 http/1.1
  RequestHeader set X-TLS "%{SSL_PROTOCOL}s %{SSL_TLS_SNI}s"
</VirtualHost>
<VirtualHost *:$PORT>
  ServerName b.test
</VirtualHost>
<VirtualHost *:$PORT>
  ServerName c.test
  Protocols http/1.1 h2
</VirtualHost>
<VirtualHost *:$PORT>
  ServerName d.test
  Protocols h2 h2c
  SSLProtocol TLSv1.2
</VirtualHost>
`

// TestH2Front asks httpd and clowder over HTTP/2 and compares the protocol that was
// chosen, the answer and what the backend got.
func TestH2Front(t *testing.T) {
	dir := t.TempDir()
	NewAuthority(t, dir, "ca").Issue(t, Leaf{Name: "a", DNS: []string{"a.test"}})
	back := headBackend(t)
	ports := FreePorts(t, 2)
	conf := func(port int) string {
		return strings.NewReplacer("$DIR", dir, "$BACK", back, "$PORT", fmt.Sprint(port)).Replace(tlsModules + h2Front)
	}
	StartHTTPD(t, ports[0], conf(ports[0]))
	startClowder(t, conf(ports[1]))
	n := 0
	for _, sni := range []string{"", "a.test", "b.test", "c.test", "d.test"} {
		for _, protos := range [][]string{nil, {"h2"}, {"http/1.1"}, {"h2", "http/1.1"}, {"http/1.1", "h2"}, {"foo"}} {
			for _, host := range []string{"a.test", "b.test", "d.test"} {
				n++
				ask := func(port int) string { return askALPN(port, sni, host, protos) }
				want, got := ask(ports[0]), ask(ports[1])
				if want != got {
					t.Errorf("SNI %q Host %q offers %q:\n got %s\nwant %s", sni, host, protos, got, want)
				}
			}
		}
	}
	if n < 90 {
		t.Errorf("%d cases", n)
	}
}

// askALPN makes one request over what ALPN chose.
func askALPN(port int, sni, host string, protos []string) string {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: sni, NextProtos: protos})
	if err != nil {
		return "no connection"
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	proto := nc.ConnectionState().NegotiatedProtocol
	var p http.Protocols
	p.SetHTTP1(proto != "h2")
	p.SetHTTP2(proto == "h2")
	tr := &http.Transport{Protocols: &p, DisableCompression: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nc, nil }}
	defer tr.CloseIdleConnections()
	req, _ := http.NewRequest("POST", "https://"+host+"/x%2fy;v=1/?a=%20", strings.NewReader("body"))
	req.URL.Path, req.URL.RawPath = "/x y;v=1/", "/x%20y;v=1/"
	req.Header = http.Header{"User-Agent": {"t"}, "X-Two": {"1", "2"}, "Cookie": {"a=1", "b=2"}, "X-Request-Id": {"9"}, "Te": {"trailers"}, "Dnt": {"1"}}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return proto + " no answer"
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 {
		body = nil
	}
	text := strings.ReplaceAll(string(body), fmt.Sprint(port), "PORT")
	return fmt.Sprintf("ALPN %q %s %d %v %v %q %v\n%s", proto, resp.Proto, resp.StatusCode, resp.Header["Set-Cookie"], resp.Header["X-Some-Field"], resp.Header["Connection"], err, text)
}

// TestH2C: prior knowledge is understood where Protocols has h2c, on plain ports.
func TestH2C(t *testing.T) {
	back := headBackend(t)
	ports := FreePorts(t, 4)
	conf := func(plain, with int) string {
		return tlsModules + fmt.Sprintf("Listen 127.0.0.1:%d\nListen 127.0.0.1:%d\nServerName main.test\nProxyPass / http://127.0.0.1:%s/\n<VirtualHost *:%d>\nServerName a.test\nProtocols h2 h2c http/1.1\n</VirtualHost>\n", plain, with, back, with)
	}
	StartHTTPD(t, ports[0], conf(ports[0], ports[1]))
	startClowder(t, conf(ports[2], ports[3]))
	ask := func(port int, h2 bool) string {
		var p http.Protocols
		p.SetHTTP1(!h2)
		p.SetUnencryptedHTTP2(h2)
		tr := &http.Transport{Protocols: &p, DisableCompression: true}
		defer tr.CloseIdleConnections()
		req, _ := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/x", port), nil)
		req.Host, req.Header = "a.test", http.Header{"User-Agent": {"t"}, "X-A": {"1"}}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return "no answer"
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.Proto, resp.StatusCode, err, string(body))
	}
	for i := range 2 {
		for _, h2 := range []bool{false, true} {
			if want, got := ask(ports[i], h2), ask(ports[2+i], h2); got != want || got == "no answer" && (i == 1 || !h2) {
				t.Errorf("port with h2c %v, HTTP/2 %v:\n got %s\nwant %s", i == 1, h2, got, want)
			}
		}
	}
}

// TestTLSOverAJP compares what a Tomcat is told about the client's connection.
func TestTLSOverAJP(t *testing.T) {
	dir := t.TempDir()
	ca := NewAuthority(t, dir, "ca")
	ca.Issue(t, Leaf{Name: "a", DNS: []string{"a.test"}, RSA: true})
	certs := map[string]tls.Certificate{"good": ca.Issue(t, Leaf{Name: "good", Client: true})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, back, _ := net.SplitHostPort(ln.Addr().String())
	serveAJP(t, ln)
	ports := FreePorts(t, 2)
	conf := func(port int) string {
		return tlsModules + "LoadModule proxy_ajp_module $MODULES/mod_proxy_ajp.so\n" + strings.NewReplacer("$DIR", dir, "$PORT", fmt.Sprint(port), "$BACK", back).Replace(`Listen 127.0.0.1:$PORT
ServerName a.test
SSLEngine on
SSLCertificateFile $DIR/a.pem
SSLCertificateKeyFile $DIR/a.key
SSLVerifyClient optional
SSLCACertificateFile $DIR/ca.pem
ProxyPass / ajp://127.0.0.1:$BACK/
`)
	}
	StartHTTPD(t, ports[0], conf(ports[0]))
	startClowder(t, conf(ports[1]))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, cert := range []string{"", "good"} {
			c := tlsCase{"a.test", "a.test", cert, version, "/"}
			want, got := c.ask(ports[0], certs), c.ask(ports[1], certs)
			if got != want || !strings.Contains(got, "200") {
				t.Errorf("%s:\n got %s\nwant %s", c, got, want)
			}
		}
	}
}

// serveAJP answers with what AJP tells of TLS; sessions are not compared.
func serveAJP(t *testing.T, ln net.Listener) {
	t.Helper()
	s := &ajp.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ssl := ajp.FromContext(r.Context()).SSL
		ssl.Session = ""
		fmt.Fprintf(w, "%v %+v", r.TLS != nil, ssl)
	})}
	go s.Serve(ln)
	t.Cleanup(func() { s.Close() })
}
