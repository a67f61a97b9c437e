package upstream

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
	"testing/iotest"
	"testing/synctest"
	"time"

	"clowder/runtime/exchange"
)

// backend runs a script for each connection on loopback.
func backend(t *testing.T, cfg PoolConfig, script func(n int, c net.Conn, r *bufio.Reader)) *Pool {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				script(n, c, bufio.NewReader(c))
			}()
		}
	}()
	cfg.Address = l.Addr().String()
	p := NewPool(cfg)
	t.Cleanup(func() { p.Close() })
	return p
}

// readHead reads up to the empty line.
func readHead(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		l, err := r.ReadString('\n')
		b.WriteString(l)
		if err != nil || l == "\r\n" {
			return b.String(), err
		}
	}
}

func request() *HTTPRequest {
	return &HTTPRequest{Method: "GET", Target: "/x?y", Minor: 1, Timeout: 5 * time.Second, Header: exchange.Header{{Name: "Host", Value: "h"}}}
}

// describe runs one request and says what came in one line.
func describe(p *Pool, r *HTTPRequest) string {
	return describeBy(p, r, func(body io.Reader) ([]byte, error) { return io.ReadAll(iotest.OneByteReader(body)) })
}

func describeBy(p *Pool, r *HTTPRequest, read func(io.Reader) ([]byte, error)) string {
	resp, err := p.RoundTripHTTP(context.Background(), r)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return "untyped " + err.Error()
		}
		return fmt.Sprintf("%s: %v", e.Phase, e.Err)
	}
	b, err := read(resp.Body)
	s := fmt.Sprintf("%d %q %v %d %q", resp.Status, resp.Reason, resp.Header, resp.Length, b)
	var e *Error
	if errors.As(err, &e) {
		s += fmt.Sprintf(" %s: %v", e.Phase, e.Err)
	}
	return s
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat("x", 9000)
	for _, c := range []struct {
		name, answer, want string
		reuse              bool
		change             func(*HTTPRequest)
	}{
		{"length", "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\nabc", `200 "OK" [{A b} {Content-Length 3}] 3 "abc"`, true, nil},
		{"length 0", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", `200 "OK" [{Content-Length 0}] 0 ""`, true, nil},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: u\r\n\r\n", `200 "OK" [{Transfer-Encoding chunked}] -1 "abcde"`, true, nil},
		{"padded chunk size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3  \r\nabc\r\n0\r\n\r\n", `200 "OK" [{Transfer-Encoding chunked}] -1 "abc"`, true, nil},
		{"until close", "HTTP/1.1 200 OK\r\n\r\nabc", `200 "OK" [] -1 "abc"`, false, nil},
		{"connection close", "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\na", `200 "OK" [{Connection x, Close} {Content-Length 1}] 1 "a"`, false, nil},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", `200 "OK" [{Content-Length 1}] 1 "a"`, false, nil},
		{"no reason", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", `404 "" [{Content-Length 0}] 0 ""`, true, nil},
		{"empty reason", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", `404 "" [{Content-Length 0}] 0 ""`, true, nil},
		{"odd status", "HTTP/1.1 999 Odd One\r\nContent-Length: 0\r\n\r\n", `999 "Odd One" [{Content-Length 0}] 0 ""`, true, nil},
		{"204", "HTTP/1.1 204 No\r\n\r\n", `204 "No" [] -1 ""`, true, nil},
		{"304 with length", "HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n", `304 "No" [{Content-Length 9}] 9 ""`, true, nil},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", `200 "OK" [{Content-Length 9}] 9 ""`, true, func(r *HTTPRequest) { r.Method = "HEAD" }},
		{"bare LF", "HTTP/1.1 200 OK\nA: b\nContent-Length: 1\n\na", `200 "OK" [{A b} {Content-Length 1}] 1 "a"`, true, nil},
		{"folded", "HTTP/1.1 200 OK\r\nA: b\r\n  c \r\n\td\r\nContent-Length: 1\r\n\r\na", `200 "OK" [{A b c d} {Content-Length 1}] 1 "a"`, true, nil},
		{"blank before colon", "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 1\r\n\r\na", `read: malformed header line in the answer`, false, nil},
		{"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", `200 "OK" [{Transfer-Encoding chunked}] -1 "a"`, false, nil},
		{"garbage", "garbage\nmore", `200 "OK" [] -1 "garbagemore"`, false, nil},
		{"garbage without end", "gar", `read: unexpected EOF`, false, nil},
		{"long garbage", long, `200 "OK" [] -1 "` + long + `"`, false, nil},
		{"HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", `read: corrupt status line: "HTTP/2.0 200 OK"`, false, nil},
		{"long status", "HTTP/1.1 2000 OK\r\n\r\n", `read: corrupt status line: "HTTP/1.1 2000 OK"`, false, nil},
		{"status 0", "HTTP/1.1 099 OK\r\n\r\n", `read: corrupt status line: "HTTP/1.1 099 OK"`, false, nil},
		{"long reason", "HTTP/1.1 200 " + long + "\r\n\r\n", `read: corrupt status line: "HTTP/1.1 200 ` + long[:187] + `"`, false, nil},
		{"nothing", "", `wait: backend closed the connection`, false, nil},
		{"cut status line", "HTTP/1.1 200 O", `read: unexpected EOF`, false, nil},
		{"cut head", "HTTP/1.1 200 OK\r\nA: b\r\n", `read: unexpected EOF`, false, nil},
		{"cut length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", `200 "OK" [{Content-Length 5}] 5 "abc" read: unexpected EOF`, false, nil},
		{"cut chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", `200 "OK" [{Transfer-Encoding chunked}] -1 "abc" read: unexpected EOF`, false, nil},
		{"cut last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", `200 "OK" [{Transfer-Encoding chunked}] -1 "a" read: unexpected EOF`, false, nil},
		{"long field", "HTTP/1.1 200 OK\r\nA: " + long + "\r\n\r\n", `read: header of the answer too long`, false, nil},
		{"long field allowed", "HTTP/1.1 200 OK\r\nA: " + long + "\r\nContent-Length: 0\r\n\r\n", `200 "OK" [{A ` + long + `} {Content-Length 0}] 0 ""`, true, func(r *HTTPRequest) { r.MaxField = 10000 }},
		{"endless head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 1001), `read: header of the answer too long`, false, nil},
		{"endless fold", "HTTP/1.1 200 OK\r\nA: b\r\n" + strings.Repeat(" "+long[:4000]+"\r\n", 3), `read: header of the answer too long`, false, nil},
		{"no colon", "HTTP/1.1 200 OK\r\nbad\r\nContent-Length: 0\r\n\r\n", `read: malformed header line in the answer`, false, nil},
		{"no colon, Ignore", "HTTP/1.1 200 OK\r\nbad\r\nContent-Length: 0\r\n\r\n", `200 "OK" [{Content-Length 0}] 0 ""`, true, func(r *HTTPRequest) { r.BadHeader = "Ignore" }},
		{"no colon, StartBody", "HTTP/1.1 200 OK\r\nA: b\r\nbad\r\nrest", `200 "OK" [{A b}] -1 "rest"`, false, func(r *HTTPRequest) { r.BadHeader = "StartBody" }},
		{"no colon, StartBody, length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nbad\r\nrest", `200 "OK" [{Content-Length 3}] 3 "res"`, false, func(r *HTTPRequest) { r.BadHeader = "StartBody" }},
		{"bad name", "HTTP/1.1 200 OK\r\nA B: c\r\n\r\n", `read: malformed header line in the answer`, false, nil},
		{"NUL in value", "HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n", `read: malformed header line in the answer`, false, nil},
		{"CR in value", "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", `read: malformed header line in the answer`, false, nil},
		{"bad length", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", `read: bad Content-Length in the answer`, false, nil},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", `read: bad Content-Length in the answer`, false, nil},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", `read: bad Content-Length in the answer`, false, nil},
		{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na", `read: unknown Transfer-Encoding in the answer`, false, nil},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", `read: malformed chunk in the answer`, false, nil},
		{"chunk too long", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", `200 "OK" [{Transfer-Encoding chunked}] -1 "a" read: malformed chunk in the answer`, false, nil},
		{"bare LF in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n", `read: malformed chunk in the answer`, false, nil},
		{"101 unasked", "HTTP/1.1 101 Go\r\n\r\n", `read: unexpected 101 answer`, false, nil},
		{"interims", "HTTP/1.1 103 E\r\nL: m\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", `200 "OK" [{Content-Length 0}] 0 ""`, true, nil},
		{"too many interims", strings.Repeat("HTTP/1.1 102 P\r\n\r\n", 12), `read: too many interim answers`, false, nil},
		{"more than asked for", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 Smuggled\r\n\r\n", `200 "OK" [{Content-Length 1}] 1 "a"`, false, nil},
	} {
		p := backend(t, PoolConfig{}, func(_ int, far net.Conn, r *bufio.Reader) {
			if _, err := readHead(r); err != nil {
				return
			}
			io.WriteString(far, c.answer)
			if c.reuse {
				readHead(r)
			}
		})
		for mode, read := range map[string]func(io.Reader) ([]byte, error){
			"Read": func(body io.Reader) ([]byte, error) { return io.ReadAll(iotest.OneByteReader(body)) },
			"WriteTo": func(body io.Reader) ([]byte, error) {
				var b bytes.Buffer
				_, err := body.(io.WriterTo).WriteTo(&b)
				return b.Bytes(), err
			},
		} {
			r := request()
			r.Fresh = true
			if c.change != nil {
				c.change(r)
			}
			if got := describeBy(p, r, read); got != c.want {
				t.Errorf("%s, %s:\n%.400s\nwant\n%.400s", c.name, mode, got, c.want)
			}
			if s := p.Stats(); (s.Idle == 1) != c.reuse || s.Open != s.Idle {
				t.Errorf("%s, %s: %+v, reuse %v", c.name, mode, s, c.reuse)
			}
			p.CloseIdle()
		}
	}
}

func TestRequestBytes(t *testing.T) {
	long := strings.Repeat("0123456789", 5000)
	for _, c := range []struct {
		name   string
		change func(*HTTPRequest)
		want   string
	}{
		{"GET", func(*HTTPRequest) {}, "GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"1.0", func(r *HTTPRequest) { r.Minor = 0 }, "GET /x?y HTTP/1.0\r\nHost: h\r\n\r\n"},
		{"length", func(r *HTTPRequest) { r.Body, r.Length = strings.NewReader("abcdef"), 3 }, "GET /x?y HTTP/1.1\r\nHost: h\r\n\r\nabc"},
		{"length 0", func(r *HTTPRequest) { r.Body, r.Length = strings.NewReader(""), 0 }, "GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"long", func(r *HTTPRequest) { r.Body, r.Length = strings.NewReader(long), int64(len(long)) }, "GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n" + long},
		{"chunked", func(r *HTTPRequest) { r.Body, r.Length = iotest.OneByteReader(strings.NewReader("abc")), -1 },
			"GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n00000001\r\na\r\n00000001\r\nb\r\n00000001\r\nc\r\n0\r\n\r\n"},
		{"empty chunked", func(r *HTTPRequest) { r.Body, r.Length = strings.NewReader(""), -1 }, "GET /x?y HTTP/1.1\r\nHost: h\r\n\r\n0\r\n\r\n"},
	} {
		seen := make(chan string, 1)
		p := backend(t, PoolConfig{}, func(_ int, far net.Conn, r *bufio.Reader) {
			b := make([]byte, len(c.want))
			n, _ := io.ReadFull(r, b)
			io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			seen <- string(b[:n])
		})
		r := request()
		c.change(r)
		describe(p, r)
		if got := <-seen; got != c.want {
			t.Errorf("%s: %.200q, want %.200q", c.name, got, c.want)
		}
	}
	for _, f := range []exchange.Field{{Name: "A", Value: "b\r\nC: d"}, {Name: "A\n", Value: ""}, {Name: "A", Value: "\r"}, {Name: "A", Value: "\x00"}} {
		r := request()
		r.Header = append(r.Header, f)
		p := backend(t, PoolConfig{}, func(int, net.Conn, *bufio.Reader) {})
		if got := describe(p, r); got != "send: "+ErrBadRequest.Error() {
			t.Errorf("%q: %s", f, got)
		}
	}
}

// TestChunkedUpload is read by net/http.
func TestChunkedUpload(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 9000)
	p := backend(t, PoolConfig{}, func(_ int, far net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			t.Error(err)
			return
		}
		b, err := io.ReadAll(req.Body)
		if err != nil || !bytes.Equal(b, body) {
			t.Error(err, len(b))
		}
		io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	r := request()
	r.Method, r.Body, r.Length = "POST", bytes.NewReader(body), -1
	r.Header.Add("Transfer-Encoding", "chunked")
	if got := describe(p, r); !strings.HasPrefix(got, "200") {
		t.Error(got)
	}
}

// TestRetry: a kept connection that dies under a request is replaced, but only
// if nothing can be done twice by that.
func TestRetry(t *testing.T) {
	for _, c := range []struct {
		method, body, want string
	}{
		{"GET", "", "200"}, {"DELETE", "", "200"}, {"POST", "", "wait"}, {"PUT", "x", "wait"},
	} {
		p := backend(t, PoolConfig{}, func(n int, far net.Conn, r *bufio.Reader) {
			readHead(r)
			io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			readHead(r) // then close without an answer
		})
		describe(p, request())
		r := request()
		if r.Method = c.method; c.body != "" {
			r.Body, r.Length = strings.NewReader(c.body), 1
		}
		if got := describe(p, r); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %q: %s", c.method, c.body, got)
		}
	}
	// On a connection without a past nothing is repeated.
	asked := make(chan bool, 9)
	p := backend(t, PoolConfig{}, func(n int, far net.Conn, r *bufio.Reader) {
		readHead(r)
		asked <- true
	})
	_, err := p.RoundTripHTTP(t.Context(), request())
	var e *Error
	if !errors.As(err, &e) || e.Reused || !e.BytesSent || e.Phase != Wait || len(asked) != 1 {
		t.Errorf("%+v, asked %d times", err, len(asked))
	}
}

func TestExpect100(t *testing.T) {
	for _, c := range []struct {
		name, answer, want string
		sent               bool
	}{
		{"continue", "HTTP/1.1 100 Continue\r\n\r\n", `200 "OK" [{Content-Length 0}] 0 "" [100]`, true},
		{"other interim first", "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", `200 "OK" [{Content-Length 0}] 0 "" [103 100]`, true},
		{"final", "HTTP/1.1 417 No\r\nContent-Length: 1\r\n\r\nx", `417 "No" [{Content-Length 1}] 1 "x" []`, false},
	} {
		bodies := make(chan string, 1)
		p := backend(t, PoolConfig{}, func(_ int, far net.Conn, r *bufio.Reader) {
			readHead(r)
			io.WriteString(far, c.answer)
			b := make([]byte, 2)
			n, _ := io.ReadFull(r, b)
			io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			bodies <- string(b[:n])
		})
		r := request()
		r.Body, r.Length, r.Expect100 = strings.NewReader("hi"), 2, 5*time.Second
		var seen []int
		r.Interim = func(status int, _ string, _ exchange.Header) error { seen = append(seen, status); return nil }
		if got := fmt.Sprint(describe(p, r), " ", seen); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
		if b := <-bodies; (b == "hi") != c.sent {
			t.Errorf("%s: body %q", c.name, b)
		}
	}
}

func TestUpgraded(t *testing.T) {
	p := backend(t, PoolConfig{Max: 1}, func(_ int, far net.Conn, r *bufio.Reader) {
		readHead(r)
		io.WriteString(far, "HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\nfirst")
		io.Copy(far, r)
	})
	r := request()
	r.AllowUpgrade = true
	resp, err := p.RoundTripHTTP(t.Context(), r)
	if err != nil || resp.Conn == nil {
		t.Fatal(err)
	}
	defer resp.Conn.Close()
	io.WriteString(resp.Conn, "then")
	b := make([]byte, 9)
	if _, err := io.ReadFull(io.MultiReader(resp.Body, resp.Conn), b); err != nil || string(b) != "firstthen" {
		t.Errorf("%q %v", b, err)
	}
}

// pipeBackend is backend inside a synctest bubble.
func pipeBackend(t *testing.T, script func(c net.Conn)) *Pool {
	return NewPool(PoolConfig{Dial: func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		go script(b)
		return a, nil
	}})
}

func TestStalls(t *testing.T) {
	for _, c := range []struct {
		name, answer, phase string
		expect              time.Duration
		after               time.Duration
	}{
		{"no answer", "", "wait", 0, 8 * time.Second},
		{"half a status line", "HTTP/1.1 2", "read", 0, 8 * time.Second},
		{"half a head", "HTTP/1.1 200 OK\r\nA:", "read", 0, 8 * time.Second},
		{"no 100", "", "continue", 2 * time.Second, 2 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := pipeBackend(t, func(far net.Conn) {
				readHead(bufio.NewReader(far))
				io.WriteString(far, c.answer)
			})
			r := request()
			r.Timeout = 8 * time.Second
			if c.expect > 0 {
				r.Body, r.Length, r.Expect100 = strings.NewReader("x"), 1, c.expect
			}
			began := time.Now()
			_, err := p.RoundTripHTTP(t.Context(), r)
			var e *Error
			took := time.Since(began)
			if !errors.As(err, &e) || string(e.Phase) != c.phase || !e.Timeout || took < c.after || took > c.after+c.after/8 {
				t.Errorf("%s: %+v after %v", c.name, err, took)
			}
			wantStats(t, p, 0, 0, 0)
		})
	}
	synctest.Test(t, func(t *testing.T) { // in the body
		p := pipeBackend(t, func(far net.Conn) {
			readHead(bufio.NewReader(far))
			io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
		})
		if got := describe(p, request()); !strings.HasSuffix(got, `"abc" read: i/o timeout`) && !strings.Contains(got, `"abc" read: `) {
			t.Error(got)
		}
		wantStats(t, p, 0, 0, 0)
	})
}

func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pipeBackend(t, func(far net.Conn) {
			readHead(bufio.NewReader(far))
			io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		resp, err := p.RoundTripHTTP(ctx, request())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "abc" || phaseOf(err) != Read {
			t.Errorf("%q %v", b, err)
		}
		wantStats(t, p, 0, 0, 0)
		p = pipeBackend(t, func(far net.Conn) { readHead(bufio.NewReader(far)) })
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = p.RoundTripHTTP(ctx, request())
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestRequestBodyFails(t *testing.T) {
	boom := errors.New("client went away")
	p := backend(t, PoolConfig{}, func(_ int, _ net.Conn, r *bufio.Reader) { io.Copy(io.Discard, r) })
	r := request()
	r.Body, r.Length = io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(boom)), 5
	if got := describe(p, r); got != "body: client went away" {
		t.Error(got)
	}
	r.Body = strings.NewReader("ab")
	if got := describe(p, r); got != "body: "+ErrBodyTooShort.Error() {
		t.Error(got)
	}
	wantStats(t, p, 0, 0, 0)
}

func TestCloseEarly(t *testing.T) {
	p := backend(t, PoolConfig{}, func(_ int, far net.Conn, r *bufio.Reader) {
		readHead(r)
		io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
		readHead(r)
	})
	resp, err := p.RoundTripHTTP(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	resp.Body.Close()
	wantStats(t, p, 0, 0, 0)
	if _, err := resp.Body.Read(make([]byte, 1)); err != errClosed {
		t.Error(err)
	}
}

// TestSplice copies a long body from socket to socket.
func TestSplice(t *testing.T) {
	const size = 3 << 20
	p := backend(t, PoolConfig{}, func(_ int, far net.Conn, r *bufio.Reader) {
		readHead(r)
		fmt.Fprintf(far, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		io.CopyN(far, zeros{}, size)
		readHead(r)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan int64)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, c)
		got <- n
	}()
	w, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.RoundTripHTTP(t.Context(), request())
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(struct {
		io.Writer
		io.ReaderFrom
	}{w, w.(io.ReaderFrom)}, resp.Body)
	w.Close()
	if n != size || err != nil || <-got != size {
		t.Error(n, err)
	}
	wantStats(t, p, 1, 1, 0)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// FuzzAnswer feeds any bytes as an answer: no panic, the answer is bounded by
// its bytes, and the pool's count is right afterwards.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("HTTP/1.1 103 E\r\nA: b\r\n c\r\n\r\nHTTP/1.0 200\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: u\r\n\r\n"))
	f.Add([]byte("junk\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\nbad\n\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, badHeader := range []string{"", "Ignore", "StartBody"} {
			p := NewPool(PoolConfig{Dial: func(context.Context, string, string) (net.Conn, error) {
				return &script{Reader: bytes.NewReader(answer)}, nil
			}})
			r := request()
			r.BadHeader = badHeader
			resp, err := p.RoundTripHTTP(context.Background(), r)
			if err == nil {
				n, _ := io.Copy(io.Discard, resp.Body)
				if n > int64(len(answer)) {
					t.Fatalf("%d bytes of %d", n, len(answer))
				}
				resp.Body.Close()
			}
			if s := p.Stats(); s.Open != s.Idle {
				t.Fatalf("%+v after %v", s, err)
			}
		}
	})
}

// script is a connection that gives fixed bytes.
type script struct {
	net.Conn
	io.Reader
}

func (s *script) Read(p []byte) (int, error)       { return s.Reader.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return len(p), nil }
func (s *script) Close() error                     { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
