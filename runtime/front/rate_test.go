package front

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clowder/runtime/exchange"
)

// drip writes n bytes of b each period, until it is all written or refused.
func drip(w io.Writer, b string, n int, period time.Duration) {
	for b != "" {
		if _, err := io.WriteString(w, b[:min(n, len(b))]); err != nil {
			return
		}
		b = b[min(n, len(b)):]
		time.Sleep(period)
	}
}

// TestRates: a client below the rate is cut with 408 at the second that
// RequestReadTimeout says, one at the rate is served, and none has more than the
// longest time.
func TestRates(t *testing.T) {
	head := func(n int) string {
		return "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + strings.Repeat("X: "+strings.Repeat("x", 190)+"\r\n", n) + "\r\n"
	}
	post := func(n int) string {
		return "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: " + "20000" + "\r\n\r\n" + strings.Repeat("b", n)
	}
	for _, c := range []struct {
		name, send string
		step       int
		period     time.Duration
		want       string
		after      time.Duration
	}{
		{"slowloris", head(50), 1, time.Second, "HTTP/1.1 408 ", 20*time.Second + 20*2*time.Millisecond},
		{"below the rate", head(90), 150, time.Second, "HTTP/1.1 408 ", 28 * time.Second},
		{"at the rate, too long", head(90), 400, time.Second, "HTTP/1.1 408 ", 40 * time.Second},
		{"fast", head(90), 2000, time.Second, "HTTP/1.1 200 ", 8 * time.Second},
		{"slow body", post(20000), 100, time.Second, "HTTP/1.1 408 ", 24 * time.Second},
		{"body at the rate", post(20000), 600, time.Second, "HTTP/1.1 200 ", 33 * time.Second},
		{"stalled body", post(10), 100, time.Second, "HTTP/1.1 408 ", 20 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, _ := pipeServer(Config{KeepAlive: true, HeadRate: Rate{20 * time.Second, 40 * time.Second, 500}, BodyRate: Rate{First: 20 * time.Second, MinRate: 500},
				Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
					status := 200
					if x.Req.Body != nil {
						if _, err := io.Copy(io.Discard, x.Req.Body); err != nil {
							status = 408
						}
					}
					x.W.Head(status, "x", nil, 0)
				})})
			began := time.Now()
			written := make(chan bool)
			go func() { drip(conn, c.send, c.step, c.period); close(written) }()
			got, _ := bufio.NewReader(conn).ReadString('\n')
			took := time.Since(began)
			conn.Close()
			<-written
			if !strings.HasPrefix(got, c.want) || took < c.after || took > c.after+2*time.Second {
				t.Errorf("%s: %q after %v, want %q after %v", c.name, got, took, c.want, c.after)
			}
		})
	}
}

// TestSlowTaker: a client that takes its answer slowly gets all of it.
func TestSlowTaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := pipeServer(Config{Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
			x.W.Head(200, "OK", nil, 100000)
			x.W.Write(make([]byte, 100000))
		})})
		io.WriteString(conn, get(""))
		resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 4096), nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for buf := make([]byte, 5000); ; time.Sleep(50 * time.Second) {
			k, err := resp.Body.Read(buf)
			n += k
			if err != nil {
				break
			}
		}
		if n != 100000 {
			t.Errorf("%d bytes came", n)
		}
		conn.Close()
	})
}

// TestBound: a virtual host's bounds count until the next head.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &exchange.Bounds{KeepAlive: true, IdleTimeout: 50 * time.Second, MaxKeepAliveRequests: 1, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
		conn, _ := pipeServer(Config{KeepAlive: true, MaxKeepAliveRequests: 9, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
			if x.Req.Path == "/own" {
				x.W.(exchange.Bounded).Bound(b)
			}
			x.W.Head(200, "OK", nil, 0)
		})})
		r := bufio.NewReader(conn)
		io.WriteString(conn, "GET /own HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.Header.Get("Keep-Alive") != "timeout=50, max=1" {
			t.Fatal(err, resp)
		}
		time.Sleep(40 * time.Second)
		io.WriteString(conn, "GET /listener HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
		resp, err = http.ReadResponse(r, nil)
		if err != nil || resp.Header.Get("Keep-Alive") != "timeout=5, max=8" {
			t.Fatal(err, resp)
		}
		io.WriteString(conn, "GET /own HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
		resp, err = http.ReadResponse(r, nil)
		if err != nil || !resp.Close {
			t.Fatal(err, resp)
		}
		conn.Close()
	})
}

// TestMethods: with known methods only, others get 501.
func TestMethods(t *testing.T) {
	_, addr := start(t, Config{Handler: echo, KeepAlive: true, Methods: map[string]bool{"GET": true}})
	if got := talk(t, addr, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 501 Not Implemented\r\n") {
		t.Errorf("%q", got)
	}
	if got := talk(t, addr, get("Connection: close\r\n")); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("%q", got)
	}
}
