package front

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"clowder/runtime/exchange"
)

// FuzzH2Request: what comes out of an HTTP/2 request is exactly one HTTP/1 request
// for the parser of the HTTP/1 front, with the same method, target, host and fields.
func FuzzH2Request(f *testing.F) {
	f.Add("GET", "/a?b", "a.test", "X-A", "1", "X-B", "2", int64(0))
	f.Add("POST", "/", "a.test:8080", "Content-Length", "5", "Te", "trailers", int64(5))
	f.Add("GET", "/ HTTP/1.1\r\nHost: b\r\n\r\n", "a", "X", "y\r\nZ: 1", "Transfer-Encoding", "chunked", int64(-1))
	f.Add("OPTIONS", "*", "[::1]:1", "Host", "[::1]:1", "Connection", "close", int64(0))
	f.Add("CONNECT", "a.test:443", "a.test:443", "Content-Length", "1", "Content-Length", "1", int64(1))
	f.Add("G T", "http://evil/", "u@a", "Expect", "100-continue", "Upgrade", "h2c", int64(0))
	s := New(Config{})
	f.Fuzz(func(t *testing.T, method, target, host, n1, v1, n2, v2 string, length int64) {
		r := &http.Request{Method: method, RequestURI: target, Host: host, Header: http.Header{}, ContentLength: max(length, -1), ProtoMajor: 2}
		r.Header[http.CanonicalHeaderKey(n1)] = append(r.Header[http.CanonicalHeaderKey(n1)], v1)
		r.Header[http.CanonicalHeaderKey(n2)] = append(r.Header[http.CanonicalHeaderKey(n2)], v2)
		req, ref := s.h2Request(&conn{s: s}, &h2Response{s: s, r: r})
		if ref != nil {
			return
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", req.Method, req.Target)
		for _, f := range req.Header {
			fmt.Fprintf(&b, "%s: %s\r\n", f.Name, f.Value)
		}
		if req.Header.Get("Host") == "" {
			fmt.Fprintf(&b, "Host: %s\r\n", req.Host)
		}
		b.WriteString("\r\n")
		var p headParser
		p.reset()
		end, ref := p.feed(b.Bytes(), &s.lim)
		if ref != nil || end != b.Len() {
			t.Fatalf("%q: %v, %d of %d bytes", b.String(), ref, end, b.Len())
		}
		var again exchange.Request
		fr, ref := p.build(b.Bytes(), &again)
		if ref != nil {
			t.Fatalf("%q: %v", b.String(), ref)
		}
		if again.Method != req.Method || again.Target != req.Target || again.Path != req.Path || again.Query != req.Query || again.Host != req.Host {
			t.Fatalf("%q: %+v became %+v", b.String(), req, again)
		}
		same := func(a, b exchange.Field) bool { return a.Name == b.Name && strings.Trim(a.Value, " \t") == b.Value }
		if len(req.Header) > 0 && !slices.EqualFunc(req.Header, again.Header[:len(req.Header)], same) {
			t.Fatalf("%q: %v became %v", b.String(), req.Header, again.Header)
		}
		if fr.chunked || fr.length >= 0 && fr.length != req.Length {
			t.Fatalf("%q: length %d, chunked %v", b.String(), fr.length, fr.chunked)
		}
	})
}
