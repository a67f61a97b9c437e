package render

import (
	"os"
	"path/filepath"
	"testing"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/render/target"
)

// TestUnknownGuard: what may restrict requests and has no place in the model is a
// loss of security in every reverse proxy.
func TestUnknownGuard(t *testing.T) {
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte("Listen 80\nProxyPass / http://a:8080/\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nginx", "haproxy", "caddy", "traefik", "envoy"} {
		r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true, HTTPD: "2.4"})
		if err != nil {
			t.Fatal(err)
		}
		tg, ok := Find(name)
		if !ok {
			t.Fatalf("no target %s", name)
		}
		plain, err := tg.Render(r.Setup, target.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r.Setup.Unmapped = append(r.Setup.Unmapped, model.Unmapped{Span: r.Setup.FrontEnds[0].At.Head(), What: "Odd", Guard: true})
		res, err := tg.Render(r.Setup, target.Options{})
		if err != nil {
			t.Fatal(err)
		}
		lost := false
		for _, n := range res.Notes {
			lost = lost || n.Fact == "Odd" && n.Security && n.Loss == target.Dropped
		}
		if !lost {
			t.Errorf("%s: no note of security: %+v", name, res.Notes)
		}
		same := true
		for i, f := range res.Files {
			same = same && string(f.Data) == string(plain.Files[i].Data)
		}
		if same {
			t.Errorf("%s: the output is as open as without it", name)
		}
	}
}
