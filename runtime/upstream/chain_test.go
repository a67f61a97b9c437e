package upstream_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"clowder/runtime/exchange"
	"clowder/runtime/front"
	"clowder/runtime/upstream"
)

// relay is the smallest proxy: a front before a pool.
func relay(p *upstream.Pool) exchange.HandlerFunc {
	return func(x *exchange.Exchange) {
		resp, err := p.RoundTripHTTP(context.Background(), &upstream.HTTPRequest{
			Method: x.Req.Method, Target: x.Req.Target, Header: x.Req.Header, Minor: 1,
			Body: x.Req.Body, Length: x.Req.Length,
		})
		if err != nil {
			x.W.Head(502, "Proxy Error", nil, 0)
			return
		}
		defer resp.Body.Close()
		x.W.Head(resp.Status, resp.Reason, resp.Header, resp.Length)
		if _, err := io.Copy(x.W, resp.Body); err != nil {
			x.W.Abort()
		}
	}
}

func serve(tb testing.TB, h exchange.Handler, wrap func(net.Listener) net.Listener) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	addr := l.Addr().String()
	if wrap != nil {
		l = wrap(l)
	}
	s := front.New(front.Config{Handler: h, KeepAlive: true})
	tb.Cleanup(func() { s.Close() })
	go s.Serve(l)
	return addr
}

// TestChain sends bodies of many sizes through front, pool and net/http and
// back, over TCP and over TLS on both sides.
func TestChain(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Host", r.Host)
		if r.URL.Query().Get("chunked") == "" {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		}
		w.Write(b)
	})
	for _, secure := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(app)
		cfg := upstream.PoolConfig{KeepAlive: true}
		var wrap func(net.Listener) net.Listener
		scheme := "http://"
		if secure {
			srv.StartTLS()
			scheme = "https://"
			cfg.TLS = &tls.Config{InsecureSkipVerify: true}
			wrap = func(l net.Listener) net.Listener {
				return tls.NewListener(l, &tls.Config{Certificates: srv.TLS.Certificates})
			}
		} else {
			srv.Start()
		}
		defer srv.Close()
		cfg.Address = srv.Listener.Addr().String()
		p := upstream.NewPool(cfg)
		defer p.Close()
		next := relay(p)
		addr := serve(t, exchange.HandlerFunc(func(x *exchange.Exchange) {
			if (x.Req.TLS != nil) != secure || !x.Req.Remote.Addr().IsLoopback() || x.Req.Local.Port() == 0 {
				t.Errorf("TLS %v, %v to %v", x.Req.TLS, x.Req.Remote, x.Req.Local)
			}
			next(x)
		}), wrap)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: 20 * time.Second}
		for _, size := range []int{0, 1, 100, 4000, 5000, 16384, 70000, 3 << 20} {
			for _, query := range []string{"", "?chunked=1"} {
				for _, known := range []bool{true, false} {
					want := bytes.Repeat([]byte("x"), size)
					var body io.Reader = bytes.NewReader(want)
					if !known {
						body = struct{ io.Reader }{body}
					}
					resp, err := client.Post(scheme+addr+"/"+query, "text/plain", body)
					if err != nil {
						t.Fatal(secure, size, err)
					}
					got, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if err != nil || !bytes.Equal(got, want) || resp.Header.Get("X-Host") != addr {
						t.Errorf("secure %v, %d bytes%s: %d, %v", secure, size, query, len(got), err)
					}
				}
			}
		}
		client.CloseIdleConnections()
		if s := p.Stats(); s.Open != 1 || s.Idle != 1 {
			t.Errorf("secure %v: %+v", secure, s)
		}
	}
}

func BenchmarkChain(b *testing.B) {
	body := []byte(strings.Repeat("a", 130))
	h := exchange.Header{{Name: "Content-Type", Value: "text/plain"}}
	backend := serve(b, exchange.HandlerFunc(func(x *exchange.Exchange) {
		x.W.Head(200, "OK", h, int64(len(body)))
		x.W.Write(body)
	}), nil)
	p := upstream.NewPool(upstream.PoolConfig{Address: backend})
	defer p.Close()
	c, err := net.Dial("tcp", serve(b, relay(p), nil))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	get := []byte("GET /p HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n\r\n")
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		c.Write(get)
		for n := 0; !bytes.HasSuffix(buf[:n], body); {
			m, err := c.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += m
		}
	}
}
