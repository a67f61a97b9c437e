package proxy

import (
	"net"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"clowder/internal/malformed"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/runtime/front"
)

// TestAnswers: what the real httpd makes a 502 of, clowder makes one of; no client
// gets two answers or a part of what was behind one, and the next client gets its
// own. Where clowder is stricter than httpd the reason stands in
// docs/differences-http.md.
func TestAnswers(t *testing.T) {
	want, err := malformed.RecordedAnswers("../..")
	if err != nil {
		t.Fatal(err)
	}
	rig, err := malformed.NewAnswers(16)
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
	cases := malformed.Answers()
	results, err := rig.Play(cases)
	if err != nil {
		t.Fatal(err)
	}
	refused, stricter := 0, 0
	for _, a := range cases {
		got, w := results[a.Name], want[a.Name]
		got.Names = nil
		if got.Extra != "" || got.Astray != "" || got.Next != 200 {
			t.Errorf("%s %.100q: the clients get more than their answers: %+v", a.Name, a.Raw, got)
		}
		bad := func(o malformed.Outcome) bool { return o.Status == 0 || o.Status >= 500 || o.Cut }
		switch reason := malformed.AnswerStricter(a.Name); {
		case w.Status >= 500 && got.Status < 500, w.Status == 502 && got.Status != 502:
			t.Errorf("%s %.100q: httpd answers %d, clowder %+v", a.Name, a.Raw, w.Status, got)
		case bad(w) && !bad(got):
			t.Errorf("%s %.100q: httpd cuts it (%+v), clowder does not: %+v", a.Name, a.Raw, w, got)
		case bad(w):
			refused++
		case reason != "" && bad(got):
			stricter++
		case reason != "":
			t.Errorf("%s %.100q is no longer refused (%s)", a.Name, a.Raw, reason)
		case !reflect.DeepEqual(got, w):
			t.Errorf("%s %.100q: clowder gives %+v, httpd %+v", a.Name, a.Raw, got, w)
		}
	}
	t.Logf("%d answers; httpd refuses %d, clowder %d more", len(cases), refused, stricter)
}
