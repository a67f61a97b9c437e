package front

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"clowder/runtime/exchange"
)

// verdict parses one head at once and returns 0 when it is accepted.
func verdict(raw string) (exchange.Request, framing, int, int) {
	l := limits{8190, 8190, 100}
	var p headParser
	var req exchange.Request
	buf := []byte(raw)
	end, ref := p.feed(buf, &l)
	if ref != nil {
		return req, framing{}, 0, ref.status
	}
	if end == 0 {
		return req, framing{}, 0, -1
	}
	fr, ref := p.build(buf[:end], &req)
	if ref != nil {
		return req, fr, end, ref.status
	}
	return req, fr, end, 0
}

type headCase struct {
	raw  string
	want int // 0 accepted, -1 incomplete
}

// get puts field lines into an otherwise good request.
func get(lines string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" }

// target puts a target into an otherwise good request.
func target(t string) string { return "GET " + t + " HTTP/1.1\r\nHost: a\r\n\r\n" }

// host puts a Host value into an otherwise good request.
func host(h string) string { return "GET / HTTP/1.1\r\nHost:" + h + "\r\n\r\n" }

func headCases() []headCase {
	long := strings.Repeat("x", 8190)
	cases := []headCase{
		// Accepted.
		{get(""), 0},
		{"\r\n" + get(""), 0},
		{"\r\n\r\n\r\n\r\n" + get(""), 0},
		{"GET / HTTP/1.0\r\n\r\n", 0},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 0},
		{"get / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		{"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		{"!#$%&'*+-.^_`|~9 / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		{"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 0},
		{"CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		{target("/a/b;x=1?q=1&r=%zz"), 0},
		{target("/a?"), 0},
		{target("/%41%2f%2F"), 0},
		{target("//a//b"), 0},
		{target("/../.."), 0},
		{target("http://h/x?y"), 0},
		{target("HTTP://h:80/"), 0},
		{target("https://h"), 0},
		{target("http://h?q"), 0},
		{target("http://[::1]:8080/"), 0},
		{host(" a"), 0}, {host("a"), 0}, {host("\ta\t "), 0}, {host(" a:80"), 0}, {host(" 127.0.0.1:8080"), 0},
		{host(" [::1]"), 0}, {host(" [::1]:80"), 0}, {host(" [::ffff:1.2.3.4]:80"), 0}, {host(" under_score.x-y"), 0},
		{host(" .a"), 0}, {host(" a."), 0},
		{target("/a\"<>\\^`{|}b\xe4\xff"), 0}, {target("/a?x={\"a\":[1]}"), 0},
		{get("X:\r\n"), 0},
		{get("X:a\r\n"), 0},
		{get("X: a b\tc \r\n"), 0},
		{get("X: \xe4\xff\r\n"), 0},
		{get("X: a\r\nx: b\r\n"), 0},
		{get("Content-Length: 0\r\n"), 0},
		{get("Content-Length: 00012\r\n"), 0},
		{get("content-length: 999999999999999999\r\n"), 0},
		{get("Transfer-Encoding: chunked\r\n"), 0},
		{get("transfer-encoding: CHUNKED\r\n"), 0},
		{get("Connection: close, keep-alive\r\n"), 0},
		{get("Expect: 100-continue\r\n"), 0},
		{get("Expect: something\r\n"), 0},
		{get("X: " + long[:8187] + "\r\n"), 0},
		{"GET /" + long[:8190-14] + " HTTP/1.1\r\nHost: a\r\n\r\n", 0},
		{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 99) + "\r\n", 0},

		// Incomplete.
		{"", -1}, {"G", -1}, {"GET / HTTP/1.1", -1}, {"GET / HTTP/1.1\r", -1}, {"GET / HTTP/1.1\r\n", -1},
		{"GET / HTTP/1.1\r\nHost: a\r\n", -1}, {"GET / HTTP/1.1\r\nHost: a\r\n\r", -1}, {"\r\n", -1},

		// The request line.
		{"\r\n\r\n\r\n\r\n\r\n" + get(""), 400},
		{"\n" + get(""), 400},
		{"GET\r\n\r\n", 400}, {"GET /\r\n\r\n", 400}, {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		{" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"GET / x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\vHTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"GET /\x0cHTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET/ HTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"\x16\x03\x01\x02\x00\x01\r\n", 400},
		{"GET / HTTP/1.1\nHost: a\r\n\r\n", 400}, {"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\rHost: a\r\n\r\n", 400}, {"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505}, {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505}, {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505}, {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1\r\nHost: a\r\n\r\n", 400}, {"GET / HTTP/1.\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/11.1\r\nHost: a\r\n\r\n", 400}, {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400}, {"GET / HTTP/a.b\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP-1.1\r\nHost: a\r\n\r\n", 400}, {"GET / HTTP/1,1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/+1.1\r\nHost: a\r\n\r\n", 400}, {"GET / XTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", 414}, {"GET /" + long + long, 414},
		{"GET /" + long[:8190-13] + " HTTP/1.1\r\nHost: a\r\n\r\n", 414}, {long + long, 414},

		// Targets.
		{target("a"), 400}, {target("*"), 400}, {target("a/b"), 400}, {target("?q"), 400}, {target("a:80"), 400},
		{target("/%"), 400}, {target("/%4"), 400}, {target("/%4g"), 400}, {target("/%zz"), 400}, {target("/a%?x"), 400},
		{target("/%%41"), 400}, {target("/a%2"), 400},
		{target("ftp://h/"), 400}, {target("http:/h/"), 400}, {target("http://"), 400}, {target("http:///x"), 400},
		{target("http://u@h/"), 400}, {target("http://u:p@h/"), 400}, {target("http://h:x/"), 400}, {target("http://h:99999/"), 400},
		{target("http://h%41/"), 400}, {target("http://[::1/"), 400}, {target("http://[x]/"), 400}, {target("javascript:x"), 400},
		{target("http://h/%zz"), 400}, {target("https:/"), 400}, {target("file:///etc/passwd"), 400},
		{"CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT http://a:1/ HTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"CONNECT a:b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT [::1] HTTP/1.1\r\nHost: a\r\n\r\n", 400}, {"CONNECT a:0 HTTP/1.1\r\nHost: a\r\n\r\n", 400},

		// Host.
		{"GET / HTTP/1.1\r\n\r\n", 400}, {"GET / HTTP/1.1\r\nX: y\r\n\r\n", 400},
		{get("Host: a\r\n"), 400}, {get("Host: b\r\n"), 400}, {get("hOST:\r\n"), 400}, {get("Host:\r\n"), 400},
		{"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"GET http://h/ HTTP/1.1\r\n\r\n", 400}, {"GET http://h/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		{host(""), 400}, {host("  "), 400}, {host(" a..b"), 400}, {host(" .."), 400}, {"GET / HTTP/1.0\r\nHost:\r\n\r\n", 400},
		{host(" a b"), 400}, {host(" a,b"), 400}, {host(" a/b"), 400}, {host(" a@b"), 400}, {host(" a:b"), 400},
		{host(" a:"), 400}, {host(" :80"), 400}, {host(" a:0"), 400}, {host(" a:65536"), 400}, {host(" a:80:80"), 400}, {host(" a:+80"), 400},
		{host(" ::1"), 400}, {host(" [::1"), 400}, {host(" [::1]x"), 400}, {host(" [::1%25eth0]"), 400}, {host(" [::1%eth0]:1"), 400},
		{host(" [1.2.3.4]"), 400}, {host(" []"), 400}, {host(" a%41"), 400}, {host(" \xe4"), 400}, {host(" a?b"), 400}, {host(" a#b"), 400},
		{host(" http://a"), 400}, {host(" a\\b"), 400}, {host(" a'b"), 400}, {host(" <a>"), 400},

		// Field syntax.
		{get("X\r\n"), 400}, {get(": a\r\n"), 400}, {get("X : a\r\n"), 400}, {get("X\t: a\r\n"), 400}, {get(" X: a\r\n"), 400},
		{get("X: a\r\n b\r\n"), 400}, {get("X: a\r\n\tb\r\n"), 400}, {get("X: a\r\n \r\n"), 400}, {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
		{get("X y: a\r\n"), 400}, {get("X(: a\r\n"), 400}, {get("X\x00: a\r\n"), 400}, {get("X\x7f: a\r\n"), 400}, {get("\xc3\xa4: a\r\n"), 400},
		{get("\"X\": a\r\n"), 400}, {get("X/Y: a\r\n"), 400}, {get("X@: a\r\n"), 400}, {get("[X]: a\r\n"), 400}, {get("{X}: a\r\n"), 400},
		{get("X: a\nY: b\r\n"), 400}, {get("X: a\n\r\n"), 400}, {get("X: a\rY: b\r\n"), 400}, {get("X: a\r\r\n"), 400}, {get("X: \ra\r\n"), 400},
		{"GET / HTTP/1.1\r\nHost: a\r\n\n", 400}, {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400}, {"GET / HTTP/1.1\nHost: a\n\n", 400},
		{get("\r: a\r\n"), 400}, {"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", 400},
		{get("X: " + long + "\r\n"), 400}, {get("X: " + long[:8188] + "\r\n"), 400}, {get(long + long), 400},
		{"GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 100) + "\r\n", 400},

		// Framing.
		{get("Content-Length: 5\r\nContent-Length: 5\r\n"), 400}, {get("Content-Length: 5\r\ncontent-length: 6\r\n"), 400},
		{get("Content-Length: 0\r\nContent-Length: 0\r\n"), 400},
		{get("Content-Length: 5, 5\r\n"), 400}, {get("Content-Length: 5,\r\n"), 400}, {get("Content-Length:\r\n"), 400}, {get("Content-Length: \t\r\n"), 400},
		{get("Content-Length: +5\r\n"), 400}, {get("Content-Length: -5\r\n"), 400}, {get("Content-Length: -0\r\n"), 400}, {get("Content-Length: 5 5\r\n"), 400},
		{get("Content-Length: 0x5\r\n"), 400}, {get("Content-Length: 5.0\r\n"), 400}, {get("Content-Length: 1e3\r\n"), 400}, {get("Content-Length: 1_0\r\n"), 400},
		{get("Content-Length: 9223372036854775808\r\n"), 400}, {get("Content-Length: 18446744073709551621\r\n"), 400}, {get("Content-Length: \xd9\xa5\r\n"), 400},
		{get("Content-Length: \"5\"\r\n"), 400}, {get("Content-Length: a\r\n"), 400}, {get("Content-Length : 5\r\n"), 400},
		{get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400}, {get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
		{get("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400}, {get("Content-Length: 5\r\nTransfer-Encoding: identity\r\n"), 400},
		{get("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400}, {get("Transfer-Encoding: chunked, chunked\r\n"), 400},
		{get("Transfer-Encoding: gzip\r\n"), 400}, {get("Transfer-Encoding: gzip, chunked\r\n"), 400}, {get("Transfer-Encoding: identity\r\n"), 400},
		{get("Transfer-Encoding:\r\n"), 400}, {get("Transfer-Encoding: chunked;q=1\r\n"), 400}, {get("Transfer-Encoding: \"chunked\"\r\n"), 400},
		{get("Transfer-Encoding: xchunked\r\n"), 400}, {get("Transfer-Encoding: chunkedx\r\n"), 400}, {get("Transfer-Encoding: chunked,\r\n"), 400},
		{get("Transfer-Encoding: \x0bchunked\r\n"), 400}, {get("Transfer-Encoding : chunked\r\n"), 400}, {get("Transfer-Encoding:\r\n chunked\r\n"), 400},
		{get("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400}, {get("Transfer-Encoding: cow\r\n"), 400},
		{get("Transfer-Encoding: , chunked\r\n"), 400}, {get("X: y\r\nTransfer\xadEncoding: chunked\r\n"), 400},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	}
	for c := range 33 {
		if c != '\n' {
			cases = append(cases, headCase{target("/a" + string(rune(c)) + "b"), 400})
		}
	}
	cases = append(cases, headCase{target("/a#b"), 400}, headCase{target("/a\x7fb"), 400})
	for c := range 32 {
		if c != '\t' && c != '\n' {
			cases = append(cases, headCase{get("X: a" + string(rune(c)) + "b\r\n"), 400})
		}
	}
	return append(cases, headCase{get("X: a\x7fb\r\n"), 400})
}

func TestHeadVerdicts(t *testing.T) {
	refused := 0
	for _, c := range headCases() {
		_, _, _, got := verdict(c.raw)
		if got != c.want {
			t.Errorf("%.120q: %d, want %d", c.raw, got, c.want)
		}
		if c.want > 0 {
			refused++
		}
	}
	if refused < 150 {
		t.Errorf("only %d malformed requests in the table", refused)
	}
}

// TestHeadBytewise feeds every case byte by byte: the verdict must not depend on
// how the bytes arrive.
func TestHeadBytewise(t *testing.T) {
	l := limits{8190, 8190, 100}
	for _, c := range headCases() {
		var p headParser
		var end int
		var ref *refusal
		for i := 1; i <= len(c.raw) && end == 0 && ref == nil; i++ {
			end, ref = p.feed([]byte(c.raw[:i]), &l)
		}
		got := -1
		if end > 0 {
			_, ref = p.build([]byte(c.raw[:end]), &exchange.Request{})
			got = 0
		}
		if ref != nil {
			got = ref.status
		}
		if got != c.want {
			t.Errorf("%.120q: %d, want %d", c.raw, got, c.want)
		}
	}
}

func TestTargetParts(t *testing.T) {
	for _, c := range []struct {
		target, path, query, host string
		hasQ                      bool
	}{
		{"/a;x?y?z", "/a;x", "y?z", "a", true},
		{"/a?", "/a", "", "a", true},
		{"/", "/", "", "a", false},
		{"http://H:81/p?q", "/p", "q", "H:81", true},
		{"http://h?q", "/", "q", "h", true},
		{"http://h", "/", "", "h", false},
	} {
		req, _, _, status := verdict(target(c.target))
		if status != 0 || req.Path != c.path || req.Query != c.query || req.HasQ != c.hasQ || req.Host != c.host || req.Target != c.target {
			t.Errorf("%s: %d %+v", c.target, status, req)
		}
	}
}

// FuzzHead: what is accepted here, net/http accepts too and reads alike.
func FuzzHead(f *testing.F) {
	for i, c := range headCases() {
		if i%7 == 0 && len(c.raw) < 500 {
			f.Add([]byte(c.raw))
		}
	}
	f.Add([]byte(get("Transfer-Encoding: chunked\r\n") + "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"))
	f.Add([]byte(get("Content-Length: 5\r\n") + "helloGET"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		req, fr, end, status := verdict(string(raw))
		if status != 0 {
			return
		}
		if err := sameAsNetHTTP(&req, fr, bytes.TrimLeft(raw[:end], "\r\n"), raw[end:]); err != nil {
			t.Fatalf("%v\n%q", err, raw)
		}
	})
}

func sameAsNetHTTP(req *exchange.Request, fr framing, head, rest []byte) error {
	hr, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(head), bytes.NewReader(rest))))
	if err != nil {
		return fmt.Errorf("net/http refuses: %w", err)
	}
	switch {
	case hr.Method != req.Method:
		return fmt.Errorf("method %q, net/http %q", req.Method, hr.Method)
	case hr.RequestURI != req.Target:
		return fmt.Errorf("target %q, net/http %q", req.Target, hr.RequestURI)
	case hr.Host != req.Host:
		return fmt.Errorf("host %q, net/http %q", req.Host, hr.Host)
	case hr.ProtoMinor != req.Minor:
		return fmt.Errorf("version")
	case fr.chunked != (len(hr.TransferEncoding) == 1):
		return fmt.Errorf("chunked %v, net/http %v", fr.chunked, hr.TransferEncoding)
	case !fr.chunked && max(fr.length, 0) != hr.ContentLength:
		return fmt.Errorf("length %d, net/http %d", fr.length, hr.ContentLength)
	}
	n := 0
	for _, v := range hr.Header {
		n += len(v)
	}
	for _, f := range req.Header {
		switch strings.ToLower(f.Name) {
		case "host", "transfer-encoding", "trailer":
			if hr.Header.Get(f.Name) != "" {
				continue
			}
			n++
			continue
		}
		found := false
		for _, v := range hr.Header[http.CanonicalHeaderKey(f.Name)] {
			found = found || v == f.Value
		}
		if !found && !strings.EqualFold(f.Name, "Content-Length") {
			return fmt.Errorf("field %q not in %q", f, hr.Header)
		}
	}
	if n < len(req.Header) {
		return fmt.Errorf("%d fields, net/http %d", len(req.Header), n)
	}
	return nil
}
