package runtime

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
	"clowder/runtime/front"
	"clowder/runtime/proxy"
)

func frontOf(t *testing.T, conf string) *model.FrontEnd {
	t.Helper()
	cfg, diags := httpd.Load(diag.NewFile(filepath.Join(t.TempDir(), "httpd.conf"), []byte(conf)), httpd.Options{})
	f, _, more := httpd.Lower(cfg)
	for _, d := range append(diags, more...) {
		if d.Severity == diag.Error {
			t.Fatalf("%v", d)
		}
	}
	return f
}

// TestLimits: what the first virtual host of an address says counts for its
// listener, else the main server, else httpd's defaults.
func TestLimits(t *testing.T) {
	f := frontOf(t, `Listen 127.0.0.1:81
Listen 127.0.0.1:82
Timeout 33
LimitRequestFields 0
RequestReadTimeout body=0
<VirtualHost 127.0.0.1:81>
  KeepAliveTimeout 7
  MaxKeepAliveRequests 3
  LimitRequestLine 200
  LimitRequestFieldSize 300
  LimitRequestFields 4
  RequestReadTimeout header=5-9,MinRate=100
  HttpProtocolOptions RegisteredMethods
</VirtualHost>
<VirtualHost 127.0.0.1:81>
  ServerName second.example
  KeepAlive Off
</VirtualHost>
`)
	p, err := proxy.New(f, proxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var first, second front.Config
	applyLimits(&first, p, proxy.Listen{Address: "127.0.0.1", Port: 81})
	applyLimits(&second, p, proxy.Listen{Address: "127.0.0.1", Port: 82})
	if !first.Methods["PATCH"] || first.Methods["BREW"] || second.Methods != nil {
		t.Error("methods", first.Methods, second.Methods)
	}
	first.Methods = nil
	want := front.Config{KeepAlive: true, IdleTimeout: 7 * time.Second, MaxKeepAliveRequests: 3, ReadTimeout: 33 * time.Second, WriteTimeout: 33 * time.Second,
		HeadRate: front.Rate{First: 5 * time.Second, Most: 9 * time.Second, MinRate: 100}, ReadHeaderTimeout: 5 * time.Second, MaxRequestLine: 200, MaxFieldSize: 300, MaxFields: 4}
	if got, want := show(first), show(want); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	want = front.Config{KeepAlive: true, IdleTimeout: 5 * time.Second, MaxKeepAliveRequests: 100, ReadTimeout: 33 * time.Second, WriteTimeout: 33 * time.Second,
		HeadRate: front.Rate{First: 20 * time.Second, Most: 40 * time.Second, MinRate: 500}, ReadHeaderTimeout: 20 * time.Second, MaxRequestLine: 8190, MaxFieldSize: 8190, MaxFields: maxFields}
	if got, want := show(second), show(want); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func show(c front.Config) string {
	var b strings.Builder
	for _, v := range []any{c.KeepAlive, c.IdleTimeout, c.MaxKeepAliveRequests, c.ReadTimeout, c.WriteTimeout, c.HeadRate, c.BodyRate, c.ReadHeaderTimeout, c.MaxRequestLine, c.MaxFieldSize, c.MaxFields} {
		b.WriteString(strings.TrimSpace(fmt.Sprint(v)) + " ")
	}
	return b.String()
}

func TestConnections(t *testing.T) {
	for _, c := range []struct {
		conf string
		want int
	}{
		{"", 0},
		{"MaxRequestWorkers 100\n", 300},
		{"MaxClients 100\nLoadModule mpm_prefork_module m.so\n", 100},
		{"MaxRequestWorkers 100\nServerLimit 2\nThreadsPerChild 10\nLoadModule mpm_worker_module m.so\n", 20},
		{"MaxRequestWorkers 100\nThreadsPerChild 10\nServerLimit 5\nAsyncRequestWorkerFactor 1.5\n", 125},
	} {
		if got := connections(frontOf(t, c.conf)); got != c.want {
			t.Errorf("%q: %d, want %d", c.conf, got, c.want)
		}
	}
}

// TestLimitsRun: a running balancer keeps to the limits of the virtual host.
func TestLimitsRun(t *testing.T) {
	back, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	go func() {
		for {
			c, err := back.Accept()
			if err != nil {
				return
			}
			go func() { // answers when all was sent
				b := make([]byte, 4096)
				for s := ""; ; {
					n, err := c.Read(b)
					if s += string(b[:n]); err != nil {
						c.Close()
						return
					}
					if strings.HasSuffix(s, "\r\n0\r\n\r\n") || strings.HasSuffix(s, "\r\n\r\nabc") {
						io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
						s = ""
					}
				}
			}()
		}
	}()
	to := "http://" + back.Addr().String() + "/"
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	ln.Close()
	f := frontOf(t, "Listen 127.0.0.1:"+at+"\nMaxRequestWorkers 4\nListenBacklog 5\n<VirtualHost *:"+at+">\n ServerName one.example\n LimitRequestBody 10\n ProxyPass / "+to+"\n"+
		" <Location /more>\n  LimitRequestBody 100000\n </Location>\n</VirtualHost>\n"+
		"<VirtualHost *:"+at+">\n ServerName two.example\n KeepAliveTimeout 77\n ProxyPass / "+to+"\n</VirtualHost>\n")
	fe, err := startFrontEnd(f, false, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer fe.stop(t.Context())
	chunked := "Transfer-Encoding: chunked\r\n"
	big := "ffff\r\n" + strings.Repeat("x", 0xffff) + "\r\n0\r\n\r\n"
	for _, c := range []struct{ name, send, want string }{
		{"short", "POST / HTTP/1.1\r\nHost: one.example\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200"},
		{"announced", "POST / HTTP/1.1\r\nHost: one.example\r\nContent-Length: 11\r\n\r\n12345678abc", "HTTP/1.1 413"},
		{"chunked", "POST / HTTP/1.1\r\nHost: one.example\r\n" + chunked + "\r\n" + big, "HTTP/1.1 413"},
		{"location", "POST /more HTTP/1.1\r\nHost: one.example\r\n" + chunked + "\r\n" + big, "HTTP/1.1 200"},
		{"other host", "POST / HTTP/1.1\r\nHost: two.example\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc", "Keep-Alive: timeout=77, max=100"},
	} {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", at))
		if err != nil {
			t.Fatal(err)
		}
		go io.WriteString(conn, c.send)
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		buf := make([]byte, 1024)
		n, _ := conn.Read(buf)
		if !strings.Contains(string(buf[:n]), c.want) {
			t.Errorf("%s: %q, want %s", c.name, buf[:n], c.want)
		}
		conn.Close()
	}
}
