package ajp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clowder/runtime/exchange"
)

// pipeListener gives a server one end of pipes.
type pipeListener struct {
	c    chan net.Conn
	done chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.c:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error {
	select {
	case <-l.done:
	default:
		close(l.done)
	}
	return nil
}
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial() net.Conn {
	a, b := net.Pipe()
	l.c <- b
	return a
}

func start(t *testing.T, s *Server) *pipeListener {
	t.Helper()
	l := &pipeListener{make(chan net.Conn), make(chan struct{})}
	s.Log = slog.New(slog.DiscardHandler)
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() { s.Close(); <-done; s.wg.Wait() })
	return l
}

func echo(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(418)
		return
	}
	w.Header().Set("X-Len", fmt.Sprint(len(b), r.ContentLength))
	w.Write(b)
}

func get() *Request {
	return &Request{Method: "GET", Protocol: "HTTP/1.1", URI: "/", RemoteAddr: "127.0.0.1", ServerName: "h", ServerPort: 80}
}

func TestBodies(t *testing.T) {
	for _, size := range []int{0, 1, 8186, 8187, 100_000, 1 << 20} {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d chunked %v", size, chunked), func(t *testing.T) {
				s := &Server{Handler: http.HandlerFunc(echo)}
				l := start(t, s)
				c := NewConn(l.dial(), Options{Timeout: 10 * time.Second})
				defer c.Close()
				want := bytes.Repeat([]byte("abcdefg\n"), size/8+1)[:size]
				for range 2 {
					if err := c.Ping(time.Second); err != nil {
						t.Fatal(err)
					}
					req := get()
					req.Method, req.Body, req.Length = "POST", bytes.NewReader(want), int64(size)
					if chunked {
						req.Length = -1
						req.Header.Add("Transfer-Encoding", "chunked")
					} else {
						req.Header.Add("Content-Length", fmt.Sprint(size))
					}
					resp, err := c.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(resp.Body)
					if err != nil || !bytes.Equal(got, want) || resp.Status != 200 || resp.Reason != "200" {
						t.Fatalf("%d bytes of %d, %d %s, %v", len(got), size, resp.Status, resp.Reason, err)
					}
					if l := resp.Header.Get("X-Len"); l != fmt.Sprint(size, req.Length) {
						t.Error(l)
					}
					if !c.Reusable() {
						t.Fatal("not reusable")
					}
				}
			})
		}
	}
}

func TestFlushAndUnread(t *testing.T) {
	l := start(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "one")
		w.(http.Flusher).Flush()
		io.WriteString(w, "two")
	})})
	c := NewConn(l.dial(), Options{})
	defer c.Close()
	for range 2 { // the body that the handler did not read is swallowed
		req := get()
		flushed := 0
		req.Body, req.Length, req.OnFlush = strings.NewReader("body"), 4, func() { flushed++ }
		req.Header.Add("content-length", "4")
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if string(b) != "onetwo" || err != nil || flushed != 1 || !c.Reusable() {
			t.Fatalf("%q %v %d", b, err, flushed)
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		srv    *Server
		change func(*Request)
		want   int
	}{
		{"plain", &Server{}, func(r *Request) {}, 200},
		{"secret ok", &Server{Secret: "s"}, func(r *Request) { r.Secret = "s" }, 200},
		{"secret wrong", &Server{Secret: "s"}, func(r *Request) { r.Secret = "t" }, 403},
		{"secret missing", &Server{Secret: "s"}, func(r *Request) {}, 403},
		{"secret extra", &Server{}, func(r *Request) { r.Secret = "t" }, 200},
		{"attribute", &Server{}, func(r *Request) { r.Attributes = []Attribute{{"foo", "1"}} }, 403},
		{"known attribute", &Server{}, func(r *Request) { r.Attributes = []Attribute{{"JK_LB_ACTIVATION", "1"}} }, 200},
		{"allowed", &Server{AllowedAttributes: regexp.MustCompile("fo|foo")}, func(r *Request) { r.Attributes = []Attribute{{"foo", "1"}} }, 200},
		{"allowed part", &Server{AllowedAttributes: regexp.MustCompile("fo")}, func(r *Request) { r.Attributes = []Attribute{{"foo", "1"}} }, 403},
		{"bad escape", &Server{}, func(r *Request) { r.URI = "/%zz" }, 400},
		{"bad length", &Server{}, func(r *Request) { r.Header.Add("Content-Length", "-5") }, 400},
		{"relative", &Server{}, func(r *Request) { r.URI = "x" }, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.srv
			s.Handler = http.HandlerFunc(echo)
			l := start(t, s)
			c := NewConn(l.dial(), Options{})
			defer c.Close()
			req := get()
			tt.change(req)
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			if resp.Status != tt.want || c.Reusable() != (tt.want == 200) {
				t.Errorf("status %d, reusable %v", resp.Status, c.Reusable())
			}
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	var got *http.Request
	l := start(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r })})
	c := NewConn(l.dial(), Options{})
	defer c.Close()
	req := get()
	req.URI, req.Query, req.HasQuery = "/a%20b;jsessionid=1.s1", "", true
	req.TLS, req.SSL = true, SSL{Cipher: "C", KeySize: 256}
	req.JVMRoute, req.RemotePort, req.LocalAddr, req.RemoteUser = "s1", 4711, "10.0.0.1", "u"
	req.Header = exchange.Header{{Name: "Host", Value: "www:81"}, {Name: "x-a", Value: "1"}, {Name: "X-A", Value: "2"}}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	if got.URL.RawPath != req.URI || got.URL.Path != "/a b;jsessionid=1.s1" || got.RequestURI != req.URI+"?" ||
		got.Host != "www:81" || got.RemoteAddr != "127.0.0.1:4711" || len(got.Header["X-A"]) != 2 {
		t.Errorf("%+v", got)
	}
	i := FromContext(got.Context())
	if i == nil || !i.TLS || i.SSL.KeySize != 256 || i.JVMRoute != "s1" || i.RemoteUser != "u" || i.LocalAddr != "10.0.0.1" {
		t.Errorf("%+v", i)
	}
}

func TestBrokenInput(t *testing.T) {
	for name, tt := range map[string]struct {
		in   []byte
		want string // status in hex after 04, or empty: just closed
	}{
		"magic":       {[]byte("GET / HTTP/1.0\r\n\r\n"), ""},
		"other way":   {AppendPong(nil), ""},
		"too long":    {[]byte{0x12, 0x34, 0x20, 0x00}, "\x04\x01\x90"},
		"no type":     {[]byte{0x12, 0x34, 0, 0}, ""},
		"body first":  {AppendBody(nil, []byte("x")), ""},
		"short":       {[]byte{0x12, 0x34, 0, 3, 2, 2, 0}, "\x04\x01\x90"},
		"header code": {[]byte{0x12, 0x34, 0, 21, 2, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 80, 0, 0, 1, 0xA0, 0x77, 0xff, 0xff}, "\x04\x01\x90"},
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t, &Server{Handler: http.HandlerFunc(echo)})
			c := l.dial()
			defer c.Close()
			go c.Write(tt.in)
			b, err := io.ReadAll(c)
			if err != nil || tt.want == "" && len(b) != 0 || !bytes.Contains(b, []byte(tt.want)) {
				t.Errorf("%q %v", b, err)
			}
		})
	}
}

// backend plays answers to a client, then closes the connection.
func backend(t *testing.T, answers []byte, o Options) *Conn {
	return openBackend(t, answers, o, false)
}

// openBackend leaves the connection open when told to: a client that answers
// must not meet a closed pipe before it has seen all packets.
func openBackend(t *testing.T, answers []byte, o Options, open bool) *Conn {
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		b.Read(buf)
		go io.Copy(io.Discard, b)
		b.Write(answers)
		if !open && !bytes.HasSuffix(answers, []byte("hang")) {
			b.Close()
		}
	}()
	return NewConn(a, o)
}

func TestClientFailures(t *testing.T) {
	head, _ := AppendHeaders(nil, 200, "200", nil, MinPacketSize)
	end := AppendEnd(nil, true)
	cat := func(p ...[]byte) []byte { return bytes.Join(p, nil) }
	for name, tt := range map[string]struct {
		in    []byte
		phase Phase
		pkt   bool
		head  bool
	}{
		"closed":      {nil, PhaseWait, false, false},
		"magic":       {AppendPing(nil), PhaseWait, false, false},
		"pong":        {AppendPong(nil), PhaseRead, true, false},
		"cut":         {head[:len(head)-1], PhaseWait, false, false},
		"no end":      {cat(head, AppendSendBody(nil, []byte("x"))), PhaseRead, true, true},
		"twice":       {cat(head, head), PhaseRead, true, true},
		"bad chunk":   {cat(head, []byte{0x41, 0x42, 0, 5, 3, 0, 9, 'x', 0}), PhaseRead, true, true},
		"asked twice": {cat(AppendGetBody(nil, 1), AppendGetBody(nil, 1)), PhaseRead, true, false},
		"long":        {[]byte{0x41, 0x42, 0xff, 0xff}, PhaseWait, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := openBackend(t, tt.in, Options{}, name == "asked twice")
			resp, err := c.Do(get())
			if err == nil {
				_, err = io.ReadAll(resp.Body)
			}
			var e *Error
			if !errors.As(err, &e) || e.Phase != tt.phase || e.GotPacket != tt.pkt || e.GotHead != tt.head || c.Reusable() {
				t.Errorf("%v %+v", err, e)
			}
		})
	}
	t.Run("body before headers", func(t *testing.T) {
		c := backend(t, cat(AppendSendBody(nil, []byte("ab")), head, AppendSendBody(nil, []byte("cd")), end), Options{})
		resp, err := c.Do(get())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "abcd" || err != nil || !c.Reusable() {
			t.Error(b, err)
		}
	})
	t.Run("no headers", func(t *testing.T) {
		resp, err := backend(t, end, Options{}).Do(get())
		if err != nil || resp.Status != 200 || resp.Length != 0 {
			t.Error(resp, err)
		}
	})
	t.Run("head too large", func(t *testing.T) {
		c := backend(t, nil, Options{})
		req := get()
		req.URI = "/" + strings.Repeat("x", 9000)
		var e *Error
		if _, err := c.Do(req); !errors.As(err, &e) || !e.TooLarge || !c.Reusable() {
			t.Error(err)
		}
	})
	t.Run("client body fails", func(t *testing.T) {
		c := backend(t, nil, Options{})
		req := get()
		req.Body, req.Length = strings.NewReader("ab"), 5
		var e *Error
		if _, err := c.Do(req); !errors.As(err, &e) || e.Phase != PhaseClient {
			t.Error(err)
		}
	})
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		go io.Copy(io.Discard, b)
		c := NewConn(a, Options{Timeout: time.Minute})
		begin := time.Now()
		var e *Error
		if err := c.Ping(time.Second); !errors.As(err, &e) || !e.Timeout || e.Phase != PhasePing || time.Since(begin) != time.Second {
			t.Error(err, time.Since(begin))
		}
		a.Close()
		a, b2 := net.Pipe()
		go io.Copy(io.Discard, b2)
		c = NewConn(a, Options{Timeout: time.Minute})
		begin = time.Now()
		if _, err := c.Do(get()); !errors.As(err, &e) || !e.Timeout || e.Phase != PhaseWait || time.Since(begin) != time.Minute {
			t.Error(err, time.Since(begin))
		}
		a.Close()
		b.Close()
		b2.Close()

		s := &Server{Handler: http.HandlerFunc(echo), ConnectionTimeout: 10 * time.Second, KeepAliveTimeout: 3 * time.Second, Log: slog.New(slog.DiscardHandler)}
		l := &pipeListener{make(chan net.Conn), make(chan struct{})}
		go s.Serve(l)
		for i, want := range []time.Duration{10 * time.Second, 3 * time.Second} {
			nc := l.dial()
			if i == 1 {
				resp, err := NewConn(nc, Options{}).Do(get())
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, resp.Body)
			}
			begin := time.Now()
			if _, err := nc.Read(make([]byte, 1)); err != io.EOF || time.Since(begin) != want {
				t.Error(err, time.Since(begin))
			}
			nc.Close()
		}
		s.Close()
		s.wg.Wait()
	})
}

// A proxy in a handler reads the body and writes the answer at the same time.
func TestReadWhileWriting(t *testing.T) {
	l := start(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pr, pw := io.Pipe()
		go func() { _, err := io.Copy(pw, r.Body); pw.CloseWithError(err) }()
		io.Copy(w, pr)
	})})
	c := NewConn(l.dial(), Options{Timeout: 10 * time.Second})
	defer c.Close()
	want := bytes.Repeat([]byte("0123456789"), 50_000)
	req := get()
	req.Method, req.Body, req.Length = "POST", bytes.NewReader(want), -1
	req.Header.Add("Transfer-Encoding", "chunked")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, want) || !c.Reusable() {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

// An answer whose headers are too large becomes a 500 and ends the connection.
func TestLargeAnswerHead(t *testing.T) {
	l := start(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X", strings.Repeat("x", 9000))
	})})
	c := NewConn(l.dial(), Options{})
	defer c.Close()
	resp, err := c.Do(get())
	if err != nil || resp.Status != 500 {
		t.Fatal(resp, err)
	}
	if _, err := io.ReadAll(resp.Body); err != nil || c.Reusable() {
		t.Error(err)
	}
}

func TestAbortAndPanic(t *testing.T) {
	gone := make(chan error, 1)
	l := start(t, &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("x")
		case "/abort":
			io.WriteString(w, "part")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 10000))
		}
		gone <- err
	})})
	for path, want := range map[string]int{"/panic": 500, "/abort": 200} {
		c := NewConn(l.dial(), Options{})
		req := get()
		req.URI = path
		resp, err := c.Do(req)
		if err != nil || resp.Status != want {
			t.Fatal(resp, err)
		}
		if _, err = io.ReadAll(resp.Body); (err == nil) != (path == "/panic") {
			t.Error(path, err)
		}
		c.Close()
	}
	c := NewConn(l.dial(), Options{})
	resp, err := c.Do(get())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Read(make([]byte, 10))
	resp.Body.Close()
	if err := <-gone; err == nil || c.Reusable() {
		t.Error("the handler did not see the abort")
	}
}

func TestShutdown(t *testing.T) {
	nl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	in, release := make(chan bool), make(chan bool)
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { in <- true; <-release })}
	served := make(chan error, 1)
	go func() { served <- s.Serve(nl) }()
	nc, err := net.Dial("tcp", nl.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	idle, _ := net.Dial("tcp", nl.Addr().String())
	c := NewConn(nc, Options{})
	down := make(chan error, 1)
	go func() {
		<-in
		go func() { down <- s.Shutdown(context.Background()) }()
		if err := <-served; err != ErrServerClosed {
			t.Error(err)
		}
		close(release)
	}()
	resp, err := c.Do(get())
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	if c.Reusable() {
		t.Error("reuse after shutdown")
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	idle.Close()
	if err := (&Server{SecretRequired: true}).Serve(nl); err != ErrSecretRequired {
		t.Error(err)
	}
}
