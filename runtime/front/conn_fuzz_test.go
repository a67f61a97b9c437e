package front

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"clowder/runtime/exchange"
)

// script is a connection whose client sends fixed bytes and keeps the answers.
type script struct {
	net.Conn
	in   *bytes.Reader
	step int // most bytes of one read
	out  bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p[:min(len(p), s.step)]) }
func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) LocalAddr() net.Addr              { return nil }
func (s *script) RemoteAddr() net.Addr             { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzConn serves a whole conversation. Every body that comes through to its end
// is the one that net/http reads, requests follow each other at the same places,
// and nothing depends on how the bytes are cut.
func FuzzConn(f *testing.F) {
	f.Add([]byte(get("Transfer-Encoding: chunked\r\n") + "3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nT: u\r\n\r\n" + get("")))
	f.Add([]byte(get("Content-Length: 3\r\n") + "abc" + get("Content-Length: 0\r\n") + "GET / HTTP/1.0\r\n\r\n"))
	f.Add([]byte(get("Transfer-Encoding: chunked\r\n") + "1\r\nab\r\n0\r\n\r\n"))
	f.Add([]byte(get("Expect: 100-continue\r\nContent-Length: 3\r\n") + "a"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		type seen struct {
			target string
			body   []byte
		}
		var first []seen
		for i, step := range []int{1, 7, 1 << 20} {
			var got []seen
			s := New(Config{KeepAlive: true, Handler: exchange.HandlerFunc(func(x *exchange.Exchange) {
				var b []byte
				var err error
				if x.Req.Body != nil {
					b, err = io.ReadAll(x.Req.Body)
				}
				if err == nil {
					got = append(got, seen{string([]byte(x.Req.Target)), b})
				}
				x.W.Head(200, "OK", nil, 0)
			})})
			c := &script{in: bytes.NewReader(raw), step: step}
			s.ServeConn(c)
			if i == 0 {
				first = got
			}
			if len(got) != len(first) {
				t.Fatalf("step %d: %d requests, bytewise %d", step, len(got), len(first))
			}
			for j := range got {
				if got[j].target != first[j].target || !bytes.Equal(got[j].body, first[j].body) {
					t.Fatalf("step %d: request %d differs", step, j)
				}
			}
		}
		r := bufio.NewReader(bytes.NewReader(raw))
		for j := range first {
			for b, _ := r.Peek(2); string(b) == "\r\n"; b, _ = r.Peek(2) {
				r.Discard(2)
			}
			req, err := http.ReadRequest(r)
			if err != nil {
				t.Fatalf("request %d: net/http: %v\n%q", j, err, raw)
			}
			b, err := io.ReadAll(req.Body)
			if err != nil || req.RequestURI != first[j].target || !bytes.Equal(b, first[j].body) {
				t.Fatalf("request %d: %q %q, net/http %q %q %v", j, first[j].target, first[j].body, req.RequestURI, b, err)
			}
		}
	})
}
