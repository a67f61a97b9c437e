package front

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"clowder/runtime/exchange"
)

// h2Client is net/http's client with prior knowledge of HTTP/2.
func h2Client(t *testing.T, addr string) *http.Client {
	t.Helper()
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: &p, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func always(net.Conn) bool { return true }

// describe answers with what the exchange says of the request.
func describe(x *exchange.Exchange) {
	q := x.Req
	body := "no body"
	if q.Body != nil {
		b, err := io.ReadAll(q.Body)
		if err != nil {
			x.W.Head(400, "Bad Request", nil, 0)
			return
		}
		body = fmt.Sprintf("%d announced, %q %v", q.Length, b, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/%d path %s query %q %v host %s\n", q.Method, q.Target, q.Major, q.Path, q.Query, q.HasQ, q.Host)
	for _, f := range q.Header {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	b.WriteString(body + "\n")
	if q.Trailer != nil {
		for _, f := range q.Trailer() {
			fmt.Fprintf(&b, "trailer %s: %s\n", f.Name, f.Value)
		}
	}
	x.W.Head(200, "OK", exchange.Header{{Name: "Connection", Value: "close"}, {Name: "Set-Cookie", Value: "a=1"}, {Name: "set-cookie", Value: "b=2"},
		{Name: "Transfer-Encoding", Value: "chunked"}}, int64(b.Len()))
	x.W.Write([]byte(b.String()))
}

func TestH2Request(t *testing.T) {
	_, addr := start(t, Config{Handler: exchange.HandlerFunc(describe), H2C: always})
	c := h2Client(t, addr)
	tests := []struct {
		name, method, target string
		body                 io.Reader
		header               http.Header
		want                 string
	}{
		{"get", "GET", "http://a.test/x//y%2Fz;v=1?q=%20", nil, http.Header{"X-B": {"2", "3"}, "X-A": {"1"}, "Cookie": {"a=1", "b=2"}, "User-Agent": {""}},
			"GET /x//y%2Fz;v=1?q=%20 HTTP/2 path /x//y%2Fz;v=1 query \"q=%20\" true host a.test\nHost: a.test\nAccept-Encoding: gzip\nCookie: a=1; b=2\nX-A: 1\nX-B: 2\nX-B: 3\nno body\n"},
		{"empty query", "GET", "http://a.test/?", nil, http.Header{"User-Agent": {""}},
			"GET /? HTTP/2 path / query \"\" true host a.test\nHost: a.test\nAccept-Encoding: gzip\nno body\n"},
		{"length", "POST", "http://a.test/", strings.NewReader("hello"), http.Header{"User-Agent": {""}},
			"POST / HTTP/2 path / query \"\" false host a.test\nHost: a.test\nAccept-Encoding: gzip\nContent-Length: 5\n5 announced, \"hello\" <nil>\n"},
		{"no length", "PUT", "http://a.test/", io.MultiReader(strings.NewReader("hel"), strings.NewReader("lo")), http.Header{"User-Agent": {""}},
			"PUT / HTTP/2 path / query \"\" false host a.test\nHost: a.test\nAccept-Encoding: gzip\n-1 announced, \"hello\" <nil>\n"},
		{"options", "OPTIONS", "http://a.test", nil, http.Header{"User-Agent": {""}},
			"OPTIONS / HTTP/2 path / query \"\" false host a.test\nHost: a.test\nAccept-Encoding: gzip\nno body\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequest(tt.method, tt.target, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header = tt.header
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil || string(b) != tt.want {
				t.Errorf("got %q %v\nwant %q", b, err, tt.want)
			}
			if h := resp.Header; resp.ProtoMajor != 2 || h.Get("Connection") != "" || h.Get("Transfer-Encoding") != "" || len(h["Set-Cookie"]) != 2 || h.Get("Date") == "" || h["Content-Type"] != nil {
				t.Errorf("%s %v", resp.Proto, h)
			}
		})
	}
}

func TestH2Trailer(t *testing.T) {
	_, addr := start(t, Config{Handler: exchange.HandlerFunc(describe), H2C: always})
	req, _ := http.NewRequest("POST", "http://a.test/", io.MultiReader(strings.NewReader("x")))
	req.Trailer = http.Header{"X-Sum": {"7"}}
	resp, err := h2Client(t, addr).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); !strings.HasSuffix(string(b), "\ntrailer X-Sum: 7\n") {
		t.Errorf("%s", b)
	}
}

// frame writes an HTTP/2 frame.
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	return append([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags, byte(stream >> 24), byte(stream >> 16), byte(stream >> 8), byte(stream)}, payload...)
}

// literal writes a field without compression (RFC 7541, 6.2.2).
func literal(name, value string) []byte {
	out := []byte{0}
	for _, s := range []string{name, value} {
		if len(s) < 127 {
			out = append(out, byte(len(s)))
		} else {
			out = append(out, 127)
			n := len(s) - 127
			for n >= 128 {
				out = append(out, byte(n)|128)
				n >>= 7
			}
			out = append(out, byte(n))
		}
		out = append(out, s...)
	}
	return out
}

// rawH2 sends one request as it stands and says which status came, or what ended it.
func rawH2(t *testing.T, addr string, fields [][2]string, body []byte) string {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	var block []byte
	for _, f := range fields {
		block = append(block, literal(f[0], f[1])...)
	}
	out := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, nil)...)
	flags := byte(0)
	if body == nil {
		flags = 1
	}
	for kind := byte(1); ; kind, flags = 9, 0 {
		n := min(len(block), 16384)
		f := flags
		if n == len(block) {
			f |= 4
		}
		out = append(out, frame(kind, f, 1, block[:n])...)
		if block = block[n:]; len(block) == 0 {
			break
		}
	}
	if body != nil {
		out = append(out, frame(0, 1, 1, body)...)
	}
	go nc.Write(out)
	r := bufio.NewReader(nc)
	for {
		var head [9]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return "closed"
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(r, payload); err != nil {
			return "closed"
		}
		switch head[3] {
		case 1:
			return h2Status(payload)
		case 3:
			return "reset"
		case 7:
			return "goaway"
		}
	}
}

// h2Status reads :status, the first field, from an answer's block.
func h2Status(block []byte) string {
	for len(block) > 0 && block[0]&0xe0 == 0x20 {
		block = block[1:] // size of the table
	}
	known := map[byte]string{0x88: "200", 0x89: "204", 0x8a: "206", 0x8b: "304", 0x8c: "400", 0x8d: "404", 0x8e: "500"}
	if s, ok := known[block[0]]; ok {
		return s
	}
	if len(block) > 4 && block[1] == 3 {
		return string(block[2:5])
	}
	if len(block) > 4 && block[1]&0x80 != 0 { // digits by Huffman: 0, 1, 2 of five bits, the others of six
		return huffmanDigits(block[2 : 2+block[1]&0x7f])
	}
	return fmt.Sprintf("%x", block[:min(8, len(block))])
}

func huffmanDigits(b []byte) string {
	bits := ""
	for _, c := range b {
		bits += fmt.Sprintf("%08b", c)
	}
	codes := map[string]string{"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5", "011100": "6", "011101": "7", "011110": "8", "011111": "9"}
	out := ""
	for len(out) < 3 {
		n := 5
		if d, ok := codes[bits[:5]]; ok {
			out += d
		} else {
			n = 6
			out += codes[bits[:6]]
		}
		bits = bits[n:]
	}
	return out
}

// TestH2Refused sends what would be another request, or several, in HTTP/1.
func TestH2Refused(t *testing.T) {
	base := func(more ...string) [][2]string {
		f := [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "a.test"}, {":path", "/"}}
		for i := 0; i+1 < len(more); i += 2 {
			name, set := more[i], false
			for k := range f {
				if f[k][0] == name && strings.HasPrefix(name, ":") {
					f[k][1], set = more[i+1], true
				}
			}
			if !set {
				f = append(f, [2]string{name, more[i+1]})
			}
		}
		return f
	}
	many := base()
	for i := range 120 {
		many = append(many, [2]string{fmt.Sprint("x-", i), "v"})
	}
	tests := []struct {
		name   string
		fields [][2]string
		body   []byte
		want   string // statuses or ends
	}{
		{"good", base("te", "trailers"), nil, "200"},
		{"method with a blank", base(":method", "GET / HTTP/1.1"), nil, "400 reset"},
		{"method with CRLF", base(":method", "GET\r\nX: y"), nil, "400 reset goaway"},
		{"empty method", base(":method", ""), nil, "400 reset"},
		{"path with a blank", base(":path", "/a b"), nil, "400 reset"},
		{"path with CR", base(":path", "/a\rb"), nil, "400 reset"},
		{"path with CRLF", base(":path", "/ HTTP/1.1\r\nHost: evil\r\n\r\nGET /b"), nil, "400 reset"},
		{"path with NUL", base(":path", "/a\x00b"), nil, "400 reset"},
		{"path with a fragment", base(":path", "/a#b"), nil, "400 reset"},
		{"path without a slash", base(":path", "a"), nil, "400 reset"},
		{"empty path", base(":path", ""), nil, "400 reset"},
		{"absolute path", base(":path", "http://evil.test/"), nil, "400 reset"},
		{"bad escape", base(":path", "/%zz"), nil, "400 reset"},
		{"star for GET", base(":path", "*"), nil, "400 reset"},
		{"authority with user", base(":authority", "u@a.test"), nil, "400 reset"},
		{"authority with a blank", base(":authority", "a.test b"), nil, "400 reset"},
		{"authority with a path", base(":authority", "a.test/x"), nil, "400 reset"},
		{"authority with CRLF", base(":authority", "a.test\r\nX: y"), nil, "400 reset goaway"},
		{"another Host", base("host", "b.test"), nil, "400 reset"},
		{"two Hosts", base("host", "a.test", "host", "b.test"), nil, "400 reset"},
		{"no host at all", [][2]string{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}, nil, "400 reset"},
		{"connection", base("connection", "keep-alive"), nil, "400 reset"},
		{"keep-alive", base("keep-alive", "5"), nil, "400 reset"},
		{"proxy-connection", base("proxy-connection", "close"), nil, "400 reset"},
		{"transfer-encoding", base("transfer-encoding", "chunked"), []byte("0\r\n\r\n"), "400 reset"},
		{"upgrade", base("upgrade", "websocket"), nil, "400 reset"},
		{"TE with more", base("te", "trailers, gzip"), nil, "400 reset"},
		{"upper case", base("X-Up", "1"), nil, "400 reset goaway"},
		{"name with a blank", base("x y", "1"), nil, "400 reset goaway"},
		{"name with a colon", base("x:y", "1"), nil, "400 reset goaway"},
		{"name with CRLF", base("x\r\ny", "1"), nil, "400 reset goaway"},
		{"empty name", base("", "1"), nil, "400 reset goaway"},
		{"value with LF", base("x-a", "1\nx-b: 2"), nil, "400 reset goaway"},
		{"value with CR", base("x-a", "1\r2"), nil, "400 reset goaway"},
		{"value with NUL", base("x-a", "1\x002"), nil, "400 reset goaway"},
		{"value with a control", base("x-a", "1\x012"), nil, "400 reset goaway"},
		{"unknown pseudo field", base(":evil", "1"), nil, "400 reset goaway"},
		{"pseudo field behind", append(base("x-a", "1"), [2]string{":path", "/b"}), nil, "400 reset goaway"},
		{"two paths", append(base(), [2]string{":path", "/b"}), nil, "400 reset goaway"},
		{"extended CONNECT", base(":method", "CONNECT", ":protocol", "websocket"), nil, "400 reset goaway"},
		{"length without a body", base("content-length", "5"), nil, "400 reset"},
		{"length too large", base(":method", "POST", "content-length", "9"), []byte("12345"), "400 reset 500"},
		{"length too small", base(":method", "POST", "content-length", "2"), []byte("12345"), "400 reset"},
		{"two lengths", base(":method", "POST", "content-length", "5", "content-length", "5"), []byte("12345"), "400 reset"},
		{"length with a sign", base(":method", "POST", "content-length", "+5"), []byte("12345"), "400 reset"},
		{"length with a list", base(":method", "POST", "content-length", "5, 5"), []byte("12345"), "400 reset"},
		{"negative length", base(":method", "POST", "content-length", "-1"), []byte("12345"), "400 reset"},
		{"length too long", base(":method", "POST", "content-length", "99999999999999999999"), []byte("12345"), "400 reset"},
		{"many fields", many, nil, "431"},
		{"long field", base("x-long", strings.Repeat("x", 9000)), nil, "431"},
		{"long path", base(":path", "/"+strings.Repeat("x", 9000)), nil, "414"},
		{"very long field", base("x-long", strings.Repeat("x", 200000)), nil, "431 reset goaway closed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A server for each: a handler of the case before may still be on its way.
			served := make(chan string, 1000)
			_, addr := start(t, Config{Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
				served <- x.Req.Target
				describe(x)
			}), H2C: always})
			got := rawH2(t, addr, tt.fields, tt.body)
			if !strings.Contains(" "+tt.want+" ", " "+got+" ") {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if tt.want == "200" {
				<-served
				return
			}
			select {
			case target := <-served:
				if !strings.HasPrefix(tt.name, "length too") { // known only at the body's end
					t.Errorf("the handler was asked for %q", target)
				}
			default:
			}
		})
	}
}

func TestH2InterimFlushAbort(t *testing.T) {
	step := make(chan struct{})
	gone := make(chan error, 1)
	_, addr := start(t, Config{H2C: always, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
		switch x.Req.Path {
		case "/hints":
			x.W.Interim(103, "Early Hints", exchange.Header{{Name: "Link", Value: "</a.css>"}})
			x.W.Head(204, "No Content", nil, 0)
		case "/flush":
			x.W.Head(200, "OK", nil, -1)
			x.W.Write([]byte("first"))
			x.W.Flush()
			<-step
			x.W.Write([]byte("last"))
		case "/abort":
			x.W.Head(200, "OK", nil, -1)
			x.W.Write([]byte("part"))
			x.W.Flush()
			x.W.Abort()
		case "/short":
			x.W.Head(200, "OK", nil, 10)
			x.W.Write([]byte("part"))
		case "/wait":
			step <- struct{}{}
			<-x.Req.Context.Done()
			gone <- x.Req.Context.Err()
		case "/upgrade":
			_, _, err := x.W.Upgrade()
			err2 := x.W.Interim(101, "Switching Protocols", nil)
			if !errors.Is(err, ErrH2Upgrade) || !errors.Is(err2, ErrH2Upgrade) {
				x.W.Head(500, "", nil, 0)
				return
			}
			x.W.Head(200, "OK", nil, 0)
		case "/panic":
			panic("oh")
		case "/none":
		}
	})})
	c := h2Client(t, addr)
	get := func(path string) (*http.Response, string, error) {
		resp, err := c.Get("http://a.test" + path)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp, string(b), err
	}
	link := ""
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		link = fmt.Sprint(code, h.Get("Link"))
		return nil
	}})
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://a.test/hints", nil)
	if resp, err := c.Do(req); err != nil || resp.StatusCode != 204 || link != "103</a.css>" || resp.Header.Get("Link") != "" {
		t.Errorf("interim: %v %v %q", resp, err, link)
	}
	resp, err := c.Get("http://a.test/flush")
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "first" {
		t.Errorf("flush: %q %v", first, err)
	}
	step <- struct{}{}
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "last" {
		t.Errorf("flush: %q %v", rest, err)
	}
	for _, path := range []string{"/abort", "/short"} {
		if _, body, err := get(path); err == nil {
			t.Errorf("%s: %q came as a whole answer", path, body)
		}
	}
	for path, status := range map[string]int{"/upgrade": 200, "/panic": 500, "/none": 500} {
		if resp, _, err := get(path); err != nil || resp.StatusCode != status {
			t.Errorf("%s: %v %v", path, resp, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-step; cancel() }()
	req, _ = http.NewRequestWithContext(ctx, "GET", "http://a.test/wait", nil)
	if _, err := c.Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("wait: %v", err)
	}
	select {
	case <-gone:
	case <-time.After(10 * time.Second):
		t.Error("the handler was not told that the client gave up")
	}
}

// TestH2RapidReset: streams that are reset at once do not make more handlers run
// than MaxStreams, and end the connection when there are too many (CVE-2023-44487).
func TestH2RapidReset(t *testing.T) {
	var mu sync.Mutex
	running, most, total := 0, 0, 0
	stop := make(chan struct{})
	_, addr := start(t, Config{H2C: always, MaxStreams: 5, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
		mu.Lock()
		running++
		total++
		most = max(most, running)
		mu.Unlock()
		<-stop
		mu.Lock()
		running--
		mu.Unlock()
	})})
	defer close(stop)
	nc := dial(t, addr)
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(nc, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	nc.Write(frame(4, 0, 0, nil))
	var block []byte
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "a.test"}, {":path", "/"}} {
		block = append(block, literal(f[0], f[1])...)
	}
	go func() {
		for i := uint32(0); i < 2000; i++ {
			if _, err := nc.Write(append(frame(1, 5, 2*i+1, block), frame(3, 0, 2*i+1, []byte{0, 0, 0, 8})...)); err != nil {
				return
			}
		}
	}()
	r := bufio.NewReader(nc)
	code := -1
	for {
		var head [9]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			break
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(r, payload); err != nil {
			break
		}
		if head[3] == 7 && len(payload) >= 8 {
			code = int(payload[7])
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if code != 11 || most > 5 || total > 5 { // ENHANCE_YOUR_CALM
		t.Errorf("GOAWAY with code %d, %d handlers at one time, %d in all", code, most, total)
	}
}

// TestH2Off: without H2C the preface is no request that is served.
func TestH2Off(t *testing.T) {
	_, addr := start(t, Config{Handler: exchange.HandlerFunc(describe)})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(nc, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	b, _ := io.ReadAll(nc)
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 505 ")) && !bytes.HasPrefix(b, []byte("HTTP/1.1 400 ")) {
		t.Errorf("%q", b)
	}
}

// TestH2Beside: HTTP/1.1 is served on the same port.
func TestH2Beside(t *testing.T) {
	_, addr := start(t, Config{Handler: exchange.HandlerFunc(describe), H2C: always, KeepAlive: true})
	for _, target := range []string{"/a", "/PRI"} {
		resp, err := http.Get("http://" + addr + target)
		if err != nil || resp.StatusCode != 200 || resp.ProtoMajor != 1 {
			t.Fatalf("%v %v", resp, err)
		}
		resp.Body.Close()
	}
}

// TestH2Shutdown: streams in progress end, then the connection does.
func TestH2Shutdown(t *testing.T) {
	in, step := make(chan struct{}), make(chan struct{})
	s := New(Config{H2C: always, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
		close(in)
		<-step
		x.W.Head(200, "OK", nil, 2)
		x.W.Write([]byte("ok"))
	})})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(ln)
	c := h2Client(t, ln.Addr().String())
	got := make(chan error, 1)
	go func() {
		resp, err := c.Get("http://a.test/")
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		got <- err
	}()
	<-in
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	select {
	case err := <-done:
		t.Fatalf("ended before the request: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(step)
	if err := <-got; err != nil {
		t.Errorf("the request was lost: %v", err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if open, _ := s.Conns(); open != 0 {
		t.Errorf("%d connections are left", open)
	}
}

// TestPlainOnTLS: plain HTTP on a TLS connection is answered in the clear.
func TestPlainOnTLS(t *testing.T) {
	s := New(Config{Handler: exchange.HandlerFunc(describe), PlainPage: func() (string, []byte) { return "text/html", []byte("use https") }})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(tls.NewListener(ln, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }}))
	defer s.Close()
	for request, want := range map[string]string{"GET / HTTP/1.1\r\nHost: a\r\n\r\n": "400", "POST / HTTP/1.0\r\n\r\n": "400", "SSH-2.0-OpenSSH\r\n": ""} {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		io.WriteString(nc, request)
		b, _ := io.ReadAll(nc)
		nc.Close()
		if got := strings.HasPrefix(string(b), "HTTP/1.1 400 Bad Request\r\n") && strings.HasSuffix(string(b), "\r\n\r\nuse https"); got != (want == "400") {
			t.Errorf("%q: %q", request, b)
		}
	}
}
