package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clowder/runtime/exchange"
)

// start serves h on a loopback listener and returns its address.
func start(t testing.TB, cfg Config) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg)
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

// talk sends raw, closes nothing, and returns all that comes until the server closes.
func talk(t testing.TB, addr, raw string) string {
	t.Helper()
	c := dial(t, addr)
	go io.WriteString(c, raw)
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("%.60q: %v after %q", raw, err, all)
	}
	return string(all)
}

// noDate cuts Date lines out.
func noDate(s string) string {
	var out []string
	for l := range strings.SplitSeq(s, "\r\n") {
		if !strings.HasPrefix(l, "Date: ") {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// echo answers with what it read of the request.
var echo = exchange.HandlerFunc(func(x *exchange.Exchange) {
	var body []byte
	if x.Req.Body != nil {
		var err error
		if body, err = io.ReadAll(x.Req.Body); err != nil {
			status := 500
			if errors.Is(err, ErrBody) {
				status = 400
			}
			x.W.Head(status, "Bad", nil, 0)
			return
		}
	}
	s := fmt.Sprintf("%s %s %d %q", x.Req.Method, x.Req.Path, x.Req.ConnRequests, body)
	if x.Req.Trailer != nil {
		s += fmt.Sprint(x.Req.Trailer())
	}
	x.W.Head(200, "OK", exchange.Header{{Name: "X", Value: "y"}}, int64(len(s)))
	io.WriteString(x.W, s)
})

func TestConversations(t *testing.T) {
	_, addr := start(t, Config{Handler: echo, KeepAlive: true, MaxKeepAliveRequests: 3, ServerHeader: "cl"})
	const bye = "Connection: close\r\n"
	for _, c := range []struct{ name, send, want string }{
		{"close", get(bye), "HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nConnection: close\n\nGET / 0 \"\""},
		{"1.0", "GET /a HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\nX: y\nContent-Length: 11\nConnection: close\n\nGET /a 0 \"\""},
		{"pipelined", get("") + get("Content-Length: 2\r\n") + "ab" + get(bye),
			"HTTP/1.1 200 OK\nX: y\nContent-Length: 10\n\nGET / 0 \"\"HTTP/1.1 200 OK\nX: y\nContent-Length: 12\n\nGET / 1 \"ab\"" +
				"HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nConnection: close\n\nGET / 2 \"\""},
		{"1.0 keep-alive", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET / HTTP/1.0\r\n\r\n",
			"HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nKeep-Alive: timeout=5, max=3\nConnection: Keep-Alive\n\nGET / 0 \"\"" +
				"HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nConnection: close\n\nGET / 1 \"\""},
		{"max requests", strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", 5),
			"HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nKeep-Alive: timeout=5, max=3\nConnection: Keep-Alive\n\nGET / 0 \"\"" +
				"HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nKeep-Alive: timeout=5, max=2\nConnection: Keep-Alive\n\nGET / 1 \"\"" +
				"HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nKeep-Alive: timeout=5, max=1\nConnection: Keep-Alive\n\nGET / 2 \"\"" +
				"HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nConnection: close\n\nGET / 3 \"\""},
		{"chunked with trailers", get("Transfer-Encoding: chunked\r\n"+bye) + "3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: u\r\nV:w \r\n\r\n",
			"HTTP/1.1 200 OK\nX: y\nContent-Length: 36\nConnection: close\n\nGET / 0 \"abc0123456789\"[{T u} {V w}]"},
		{"chunked, then another", get("Transfer-Encoding: chunked\r\n") + "1\r\na\r\n0\r\n\r\n" + get(bye),
			"HTTP/1.1 200 OK\nX: y\nContent-Length: 13\n\nGET / 0 \"a\"[]HTTP/1.1 200 OK\nX: y\nContent-Length: 10\nConnection: close\n\nGET / 1 \"\""},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n" + bye + "\r\n", "HTTP/1.1 200 OK\nX: y\nContent-Length: 11\nConnection: close\n\n"},
		{"refused", get("X : y\r\n"), "HTTP/1.1 400 Bad Request\nServer: cl\nContent-Length: 12\nConnection: close\nContent-Type: text/plain\n\nBad Request\n"},
		{"refused after a good one", get("") + "GET  / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\nX: y\nContent-Length: 10\n\nGET / 0 \"\"" +
			"HTTP/1.1 400 Bad Request\nServer: cl\nContent-Length: 12\nConnection: close\nContent-Type: text/plain\n\nBad Request\n"},
		{"nothing after a refusal", get("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + get(""),
			"HTTP/1.1 400 Bad Request\nServer: cl\nContent-Length: 12\nConnection: close\nContent-Type: text/plain\n\nBad Request\n"},
		{"414", "GET /" + strings.Repeat("a", 9000), "HTTP/1.1 414 Request-URI Too Long\nServer: cl\nContent-Length: 21\nConnection: close\nContent-Type: text/plain\n\nRequest-URI Too Long\n"},
	} {
		if got := noDate(talk(t, addr, c.send)); got != c.want {
			t.Errorf("%s:\n%q\nwant\n%q", c.name, got, c.want)
		}
	}
}

func TestBadChunks(t *testing.T) {
	_, addr := start(t, Config{Handler: echo, KeepAlive: true})
	for _, c := range []string{
		"\r\n", "x\r\n", "-1\r\n", "+1\r\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n", " 1\r\na\r\n0\r\n\r\n", "1 \r\na\r\n0\r\n\r\n",
		"1\na\r\n0\r\n\r\n", "1\r\na\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\r\na0\r\n\r\n", "1\r\na\r\n0\r\n\n", "1\r\na\r\n0\n\r\n",
		"FFFFFFFFFFFFFFFF\r\n", "10000000000000000\r\n", "0000000000000001\r\na\r\n0\r\n\r\n", "1;\x00\r\na\r\n0\r\n\r\n", "1;a\rb\r\na\r\n0\r\n\r\n",
		"1,2\r\na\r\n0\r\n\r\n", "1\t;x\r\na\r\n0\r\n\r\n", "1;" + strings.Repeat("x", 1100) + "\r\na\r\n0\r\n\r\n", strings.Repeat("0", 2000),
		strings.Repeat("1;"+strings.Repeat("x", 900)+"\r\na\r\n", 20) + "0\r\n\r\n",
		"0\r\nX : y\r\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\nContent-Length: 4\r\n\r\n", "0\r\nHost: b\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nX\r\n\r\n",
		"0\r\n" + strings.Repeat("X: y\r\n", 101) + "\r\n",
	} {
		got := talk(t, addr, get("Transfer-Encoding: chunked\r\n")+c+get(""))
		if !strings.HasPrefix(got, "HTTP/1.1 400 Bad\r\n") || strings.Count(got, "HTTP/1.1") != 1 || !strings.Contains(got, "Connection: close\r\n") {
			t.Errorf("%.60q: %q", c, got)
		}
	}
}

// TestChunkedSizes sends a body in chunks of many sizes, cut at every place by the network.
func TestChunkedSizes(t *testing.T) {
	_, addr := start(t, Config{KeepAlive: true, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
		x.W.Head(200, "OK", nil, -1)
		io.Copy(x.W, x.Req.Body)
	})})
	var wire, plain bytes.Buffer
	wire.WriteString(get("Transfer-Encoding: chunked\r\nX: " + strings.Repeat("p", 3000) + "\r\nConnection: close\r\n"))
	for i := 1; i < 20000; i = i*3 + 1 {
		part := strings.Repeat(string(rune('a'+i%26)), i)
		fmt.Fprintf(&wire, "%X\r\n%s\r\n", i, part)
		plain.WriteString(part)
	}
	wire.WriteString("0\r\n\r\n")
	c := dial(t, addr)
	go func() {
		for b := wire.Bytes(); len(b) > 0; {
			n := min(len(b), 1+len(b)%977)
			c.Write(b[:n])
			b = b[n:]
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(got, plain.Bytes()) {
		t.Fatalf("%v: %d bytes, want %d", err, len(got), plain.Len())
	}
}

func TestAnswers(t *testing.T) {
	const g10, g11 = "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
	big := strings.Repeat("b", 100000)
	for _, c := range []struct {
		name, send, want string
		serve            exchange.HandlerFunc
	}{
		{"chunked", g11, "HTTP/1.1 200 \nConnection: close\nTransfer-Encoding: chunked\n\n3\nabc\n2\nde\n0\n\n", func(x *exchange.Exchange) {
			x.W.Head(200, "", nil, -1)
			io.WriteString(x.W, "abc")
			x.W.Flush()
			io.WriteString(x.W, "")
			io.WriteString(x.W, "de")
		}},
		{"unknown length to 1.0", g10, "HTTP/1.1 200 OK\nConnection: close\n\nabc", func(x *exchange.Exchange) {
			x.W.Head(200, "OK", nil, -1)
			io.WriteString(x.W, "abc")
		}},
		{"204", g11, "HTTP/1.1 204 No Content\nConnection: close\n\n", func(x *exchange.Exchange) {
			x.W.Head(204, "No Content", nil, -1)
			io.WriteString(x.W, "abc")
		}},
		{"304", g11, "HTTP/1.1 304 Not Modified\nConnection: close\n\n", func(x *exchange.Exchange) { x.W.Head(304, "Not Modified", nil, 0) }},
		{"framing fields replaced in place", g11, "HTTP/1.1 200 OK\nA: b\nContent-Length: 1\nConnection: x\nC: d\nConnection: close\n\nx", func(x *exchange.Exchange) {
			x.W.Head(200, "OK", exchange.Header{{Name: "A", Value: "b"}, {Name: "content-length", Value: "77"}, {Name: "Connection", Value: "x"},
				{Name: "Keep-Alive", Value: "x"}, {Name: "Transfer-Encoding", Value: "x"}, {Name: "C", Value: "d"}}, 1)
			io.WriteString(x.W, "x")
		}},
		{"handler closes", get(""), "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 0\n\n", func(x *exchange.Exchange) {
			x.W.Head(200, "OK", exchange.Header{{Name: "Connection", Value: "close"}}, 0)
		}},
		{"503 closes", get(""), "HTTP/1.1 503 Busy\nContent-Length: 0\nConnection: close\n\n", func(x *exchange.Exchange) { x.W.Head(503, "Busy", nil, 0) }},
		{"interim", g11, "HTTP/1.1 103 Early\nL: x\n\nHTTP/1.1 200 OK\nContent-Length: 0\nConnection: close\n\n", func(x *exchange.Exchange) {
			x.W.Interim(103, "Early", exchange.Header{{Name: "L", Value: "x"}})
			x.W.Head(200, "OK", nil, 0)
		}},
		{"no interim for 1.0", g10, "HTTP/1.1 200 OK\nContent-Length: 0\nConnection: close\n\n", func(x *exchange.Exchange) {
			if err := x.W.Interim(103, "Early", nil); err != nil {
				t.Error(err)
			}
			if err := x.W.Interim(101, "Go", nil); err != ErrOldClient {
				t.Error("101 to HTTP/1.0:", err)
			}
			x.W.Head(200, "OK", nil, 0)
		}},
		{"too short is cut", get(""), "HTTP/1.1 200 OK\nContent-Length: 5\n\nabc", func(x *exchange.Exchange) {
			x.W.Head(200, "OK", nil, 5)
			io.WriteString(x.W, "abc")
		}},
		{"abort is cut", get(""), "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nabc\n", func(x *exchange.Exchange) {
			x.W.Head(200, "OK", nil, -1)
			io.WriteString(x.W, "abc")
			x.W.Abort()
		}},
		{"no answer", get(""), "HTTP/1.1 500 Internal Server Error\nContent-Length: 22\nConnection: close\nContent-Type: text/plain\n\nInternal Server Error\n", func(*exchange.Exchange) {}},
		{"panic", get(""), "HTTP/1.1 500 Internal Server Error\nContent-Length: 22\nConnection: close\nContent-Type: text/plain\n\nInternal Server Error\n", func(*exchange.Exchange) { panic("x") }},
		{"large write", g11, "HTTP/1.1 200 OK\nContent-Length: 100000\nConnection: close\n\n" + big, func(x *exchange.Exchange) {
			x.W.Head(200, "OK", nil, int64(len(big)))
			io.WriteString(x.W, big)
		}},
		{"large chunk", g11, "HTTP/1.1 200 OK\nConnection: close\nTransfer-Encoding: chunked\n\n186a0\n" + big + "\n1\nz\n0\n\n", func(x *exchange.Exchange) {
			x.W.Head(200, "OK", nil, -1)
			io.WriteString(x.W, big)
			io.WriteString(x.W, "z")
		}},
		{"bad calls", g11, "HTTP/1.1 200 OK\nContent-Length: 1\nConnection: close\n\nx", func(x *exchange.Exchange) {
			if _, err := x.W.Write([]byte("early")); err != ErrNotStarted {
				t.Error("Write before Head:", err)
			}
			for _, h := range []exchange.Header{{{Name: "A\r\nB", Value: ""}}, {{Name: "A", Value: "b\r\nC: d"}}, {{Name: "", Value: "x"}}, {{Name: "A", Value: "\x00"}}} {
				if err := x.W.Head(200, "OK", h, 0); err != ErrField || x.W.Started() {
					t.Error("bad field:", err)
				}
			}
			x.W.Head(200, "OK", nil, 1)
			if err := x.W.Head(200, "OK", nil, 1); err != ErrStarted {
				t.Error("second Head:", err)
			}
			if _, err := x.W.Write([]byte("xy")); err != ErrTooLong {
				t.Error("too long:", err)
			}
			io.WriteString(x.W, "x")
		}},
	} {
		_, addr := start(t, Config{KeepAlive: true, Handler: c.serve})
		if got := noDate(talk(t, addr, c.send)); got != c.want {
			t.Errorf("%s:\n%.300q\nwant\n%.300q", c.name, got, c.want)
		}
	}
}

func TestUnreadBody(t *testing.T) {
	_, addr := start(t, Config{KeepAlive: true, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) { x.W.Head(200, "OK", nil, 0) })})
	for _, c := range []struct {
		name, send string
		answers    int
		closes     bool
	}{
		{"small is drained", get("Content-Length: 5\r\n") + "GET x" + get("Connection: close\r\n"), 2, true},
		{"chunked is drained", get("Transfer-Encoding: chunked\r\n") + "2\r\nGE\r\n0\r\n\r\n" + get("Connection: close\r\n"), 2, true},
		{"large closes", get("Content-Length: 1000000\r\n") + strings.Repeat("x", 1000000), 1, true},
		{"endless chunks close", get("Transfer-Encoding: chunked\r\n") + strings.Repeat("1000\r\n"+strings.Repeat("x", 4096)+"\r\n", 80), 1, false},
		{"expecting closes", get("Content-Length: 5\r\nExpect: 100-continue\r\n"), 1, true},
	} {
		got := talk(t, addr, c.send)
		if n := strings.Count(got, "HTTP/1.1 200"); n != c.answers || c.closes != strings.Contains(got, "Connection: close") {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestContinue(t *testing.T) {
	_, addr := start(t, Config{KeepAlive: true, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
		x.W.Interim(100, "Continue", nil)
		b, _ := io.ReadAll(x.Req.Body)
		x.W.Head(200, "OK", nil, int64(len(b)))
		x.W.Write(b)
	})})
	c := dial(t, addr)
	r := bufio.NewReader(c)
	io.WriteString(c, get("Expect: 100-continue\r\nContent-Length: 2\r\n"))
	if l, err := r.ReadString('\n'); l != "HTTP/1.1 100 Continue\r\n" {
		t.Fatal(l, err)
	}
	r.ReadString('\n')
	io.WriteString(c, "hi")
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.Close {
		t.Fatal(err, resp)
	}
}

func TestUpgrade(t *testing.T) {
	_, addr := start(t, Config{KeepAlive: true, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
		x.W.Interim(101, "Switching Protocols", exchange.Header{{Name: "Upgrade", Value: "echo"}})
		c, r, err := x.W.Upgrade()
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer c.Close()
			io.CopyN(c, r, 8)
		}()
	})})
	c := dial(t, addr)
	io.WriteString(c, get("Upgrade: echo\r\nConnection: upgrade\r\n")+"soon")
	io.WriteString(c, "late")
	got, err := io.ReadAll(c)
	if want := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nsoonlate"; string(got) != want || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// pipeServer serves one end of a pipe inside a synctest bubble.
func pipeServer(cfg Config) (net.Conn, *Server) {
	a, b := net.Pipe()
	s := New(cfg)
	go s.ServeConn(b)
	return a, s
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name, send string
		after      time.Duration
		want       string
	}{
		{"nothing sent", "", 20 * time.Second, ""},
		{"half a head", "GET / HT", 20 * time.Second, "HTTP/1.1 408 "},
		{"idle", get(""), 5 * time.Second, "HTTP/1.1 200 "},
		{"stalled body", get("Content-Length: 5\r\n") + "ab", 60 * time.Second, "HTTP/1.1 500 "},
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, _ := pipeServer(Config{Handler: echo, KeepAlive: true})
			began := time.Now()
			if c.send != "" {
				io.WriteString(conn, c.send)
			}
			got, _ := io.ReadAll(conn)
			took := time.Since(began)
			if !strings.HasPrefix(string(got), c.want) || took < c.after || took > c.after+c.after/8 {
				t.Errorf("%s: %q after %v", c.name, got, took)
			}
		})
	}
}

// TestSlowHead: bytes that trickle in do not prolong the time for a head.
func TestSlowHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := pipeServer(Config{Handler: echo, KeepAlive: true})
		began := time.Now()
		go func() {
			for {
				if _, err := io.WriteString(conn, "G"); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		got, _ := io.ReadAll(conn)
		if took := time.Since(began); !strings.HasPrefix(string(got), "HTTP/1.1 408") || took > 21*time.Second {
			t.Errorf("%q after %v", got, took)
		}
		conn.Close()
		time.Sleep(2 * time.Second) // the writer sees it
	})
}

func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := make(chan error, 1)
		conn, _ := pipeServer(Config{KeepAlive: true, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
			x.W.Head(200, "OK", nil, 1<<20)
			_, err := x.W.Write(make([]byte, 1<<20))
			failed <- err
		})})
		began := time.Now()
		io.WriteString(conn, get(""))
		err := <-failed
		if took := time.Since(began); err == nil || took < time.Minute || took > 70*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		conn.Close()
	})
}

func TestShutdown(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	s, addr := start(t, Config{KeepAlive: true, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
		if x.Req.Path == "/slow" {
			entered <- true
			<-leave
		}
		x.W.Head(200, "OK", nil, 0)
	})})
	idle, busy := dial(t, addr), dial(t, addr)
	io.WriteString(idle, get(""))
	ir := bufio.NewReader(idle)
	if _, err := http.ReadResponse(ir, nil); err != nil {
		t.Fatal(err)
	}
	io.WriteString(busy, target("/slow"))
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); err != context.Canceled {
		t.Error("Shutdown with a request in progress:", err)
	}
	if _, err := ir.ReadByte(); err != io.EOF {
		t.Error("idle connection:", err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("still listening")
	}
	leave <- true
	resp, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil || !resp.Close {
		t.Error("request in progress:", err, resp)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMaxConns(t *testing.T) {
	s, addr := start(t, Config{Handler: echo, KeepAlive: true, MaxConns: 1})
	first, second := dial(t, addr), dial(t, addr)
	fr, sr := bufio.NewReader(first), bufio.NewReader(second)
	io.WriteString(first, get(""))
	if _, err := http.ReadResponse(fr, nil); err != nil {
		t.Fatal(err)
	}
	io.WriteString(second, get("Connection: close\r\n"))
	if open, _ := s.Conns(); open != 1 {
		t.Error("open:", open)
	}
	first.Close()
	if _, err := http.ReadResponse(sr, nil); err != nil {
		t.Fatal(err)
	}
}

var fixed = exchange.HandlerFunc(func(x *exchange.Exchange) {
	if x.Req.Header.Get("User-Agent") == "" || x.Req.Path != "/p/q" {
		panic("bad request")
	}
	x.W.Head(200, "OK", fixedHeader, int64(len(fixedBody)))
	x.W.Write(fixedBody)
})

var (
	fixedHeader = exchange.Header{{Name: "Server", Value: "x"}, {Name: "Content-Type", Value: "text/plain"}}
	fixedBody   = []byte(strings.Repeat("a", 130))
	fixedGet    = []byte("GET /p/q?r=s HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: x/1.0\r\nAccept: */*\r\nCookie: JSESSIONID=0123456789ABCDEF.n1\r\n\r\n")
)

func oneGet(tb testing.TB, c net.Conn, buf []byte) {
	c.Write(fixedGet)
	for n := 0; ; {
		m, err := c.Read(buf[n:])
		if err != nil {
			tb.Fatal(err)
		}
		if n += m; bytes.HasSuffix(buf[:n], fixedBody) {
			return
		}
	}
}

// TestNoAllocations: a kept-alive GET allocates nothing, on either side.
func TestNoAllocations(t *testing.T) {
	if raceOn {
		t.Skip("the race detector drops pooled objects")
	}
	_, addr := start(t, Config{Handler: fixed, KeepAlive: true})
	c := dial(t, addr)
	buf := make([]byte, 4096)
	for range 20 {
		oneGet(t, c, buf)
	}
	if n := testing.AllocsPerRun(500, func() { oneGet(t, c, buf) }); n > 0 {
		t.Errorf("%v allocations per request", n)
	}
}

func BenchmarkGet(b *testing.B) {
	_, addr := start(b, Config{Handler: fixed, KeepAlive: true})
	c := dial(b, addr)
	c.SetDeadline(time.Time{})
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		oneGet(b, c, buf)
	}
}
