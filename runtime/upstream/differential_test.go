package upstream

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"clowder/internal/malformed"
)

// FuzzAnswerAgainstNetHTTP: an answer that is taken whole is one for net/http, too,
// with the same status and the same body. The other way it need not be: much that
// net/http takes is refused here. What differs otherwise:
//
//   - text without a status line is an answer of HTTP/0.9, as in httpd, and so is
//     one stray line end before a status line let pass;
//   - Transfer-Encoding counts in an answer of HTTP/1.0, as in httpd;
//   - net/http bounds what chunks may have besides data.
func FuzzAnswerAgainstNetHTTP(f *testing.F) {
	for _, a := range malformed.Answers() {
		f.Add([]byte(a.Raw), a.Method == "HEAD")
	}
	f.Fuzz(func(t *testing.T, raw []byte, head bool) {
		p := NewPool(PoolConfig{Dial: func(context.Context, string, string) (net.Conn, error) {
			return &script{Reader: bytes.NewReader(raw)}, nil
		}})
		r := request()
		if head {
			r.Method = "HEAD"
		}
		resp, err := p.RoundTripHTTP(context.Background(), r)
		if err != nil {
			return
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		rest, stray := bytes.CutPrefix(raw, crlf)
		if !stray {
			rest = bytes.TrimPrefix(raw, lf)
		}
		first, _, _ := bytes.Cut(rest, []byte("\n"))
		if err != nil || !statusForm(first) {
			return
		}
		br := bufio.NewReaderSize(bytes.NewReader(rest), 1<<20)
		for {
			line, _ := br.Peek(12)
			if !statusForm(line) {
				return // behind interim answers
			}
			minor := line[7]
			std, err := http.ReadResponse(br, &http.Request{Method: r.Method})
			if err != nil {
				t.Fatalf("%q: taken as %d %q, net/http says %v", raw, resp.Status, got, err)
			}
			if std.StatusCode < 200 {
				continue
			}
			if _, coded := resp.Header.Lookup("Transfer-Encoding"); coded && minor == '0' {
				return
			}
			want, err := io.ReadAll(std.Body)
			if err != nil && strings.Contains(err.Error(), "too much non-data") {
				return
			}
			if err != nil || std.StatusCode != resp.Status || !bytes.Equal(want, got) {
				t.Fatalf("%q: taken as %d %q, by net/http as %d %q (%v)", raw, resp.Status, got, std.StatusCode, want, err)
			}
			return
		}
	})
}
