package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"clowder/internal/malformed"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/runtime/front"
)

// TestMalformed: what the real httpd refuses clowder refuses; what clowder lets
// through is what httpd lets through, and a strict and a careless parser read the
// same requests in it. Where clowder is stricter than httpd the reason stands in
// docs/differences-http.md.
func TestMalformed(t *testing.T) {
	want, err := malformed.Recorded("../..")
	if err != nil {
		t.Fatal(err)
	}
	rig, err := malformed.New(16)
	if err != nil {
		t.Fatal(err)
	}
	defer rig.Close()
	conf := "ServerName front.example\nDocumentRoot " + t.TempDir() + "\n" + rig.Config()
	cfg, _ := httpd.Load(diag.NewFile(filepath.Join(t.TempDir(), "httpd.conf"), []byte(conf)), httpd.Options{})
	f, _, _ := httpd.Lower(cfg)
	p, err := New(f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, port := range rig.Ports() {
		ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			t.Fatal(err)
		}
		srv := front.New(front.Config{Handler: p.Handler(Listen{Port: port}), KeepAlive: true, ErrorPage: ErrorPage})
		go srv.Serve(ln)
		defer srv.Close()
	}
	cases := malformed.Cases()
	results, err := rig.Play(cases)
	if err != nil {
		t.Fatal(err)
	}
	short := malformed.Record(results)
	refused, stricter := 0, 0
	for _, c := range cases {
		got, w := short[c.Name], want[c.Name]
		for _, b := range results[c.Name].Backend {
			sameForAll(t, c, b)
		}
		switch reason := malformed.Stricter(c.Name); {
		case w.Refused && !got.Refused:
			t.Errorf("%s %.100q: httpd refuses it (%v), clowder does not: %v", c.Name, c.Raw, w.Statuses, got)
		case w.Refused:
			refused++
		case reason != "" && got.Refused:
			stricter++
		case reason != "":
			t.Errorf("%s %.100q is no longer refused (%s)", c.Name, c.Raw, reason)
		case malformed.Differs(c.Name) != "":
			if slices.Equal(got.Statuses, w.Statuses) {
				t.Errorf("%s %.100q no longer differs from httpd (%s)", c.Name, c.Raw, malformed.Differs(c.Name))
			}
		case !slices.Equal(got.Backend, w.Backend) || !slices.Equal(got.Statuses, w.Statuses):
			t.Errorf("%s %.100q: clowder gives %v, httpd %v", c.Name, c.Raw, got, w)
		}
	}
	t.Logf("%d requests; httpd refuses %d, clowder %d more", len(cases), refused, stricter)
}

// TestMalformedManual: the manual names every difference, and none that is not there.
func TestMalformedManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/differences-http.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(manual)) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| ---") && !strings.HasPrefix(line, "| clowder") && !strings.HasPrefix(line, "| what") {
			rows++
		}
	}
	for _, reason := range malformed.Reasons() {
		if !strings.Contains(string(manual), "\n| "+reason+" |") {
			t.Errorf("docs/differences-http.md does not name %q", reason)
		}
	}
	if n := len(malformed.Reasons()); rows != n {
		t.Errorf("docs/differences-http.md has %d rows for %d differences", rows, n)
	}
}

// sameForAll checks what went to a backend: the strict parser of net/http reads it
// to the end, and the careless one reads the same requests.
func sameForAll(t *testing.T, c malformed.Case, stream string) {
	t.Helper()
	loose := malformed.Lenient([]byte(stream))
	r := bufio.NewReader(bytes.NewReader([]byte(stream)))
	for i := 0; ; i++ {
		q, err := http.ReadRequest(r)
		if err == io.EOF && i == len(loose) {
			return
		}
		if err != nil || i == len(loose) {
			t.Errorf("%s %.100q: at the backend the strict parser says %v after %d requests, the careless one reads %d in %.300q", c.Name, c.Raw, err, i, len(loose), stream)
			return
		}
		body, err := io.ReadAll(q.Body)
		if l := loose[i]; err != nil || q.Method != l.Method || q.RequestURI != l.Target || string(body) != l.Body {
			t.Errorf("%s %.100q: at the backend request %d reads as %s %s %q (%v) and as %s", c.Name, c.Raw, i, q.Method, q.RequestURI, body, err, l)
			return
		}
	}
}
