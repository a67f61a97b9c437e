package caddy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"clowder/parse"
	"clowder/render/target"
)

// convert renders a configuration of httpd.
func convert(t testing.TB, conf string) (string, []target.Note) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true, HTTPD: "2.4"})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Broken) > 0 {
		t.Fatalf("the configuration is broken: %v", r.Diags)
	}
	res, err := Target.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Files[0].Data), res.Notes
}

// TestNeverMoreOpen: what cannot be said is refused and noted as a loss of
// security. The interop test sends the requests of the table to a real Caddy.
func TestNeverMoreOpen(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/closed.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) < 25 {
		t.Fatalf("only %d cases", len(archive.Files))
	}
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			conf := "Listen 8080\nServerName www.example.org\n" + string(f.Data) + "ProxyPass / http://127.0.0.1:8081/\n"
			conf = strings.NewReplacer("@MEMBER@", "127.0.0.1:8081", "@TLS@", "127.0.0.1:8082", "@CA@", "/ca.pem").Replace(conf)
			out, notes := convert(t, conf)
			areas := map[string]bool{}
			for _, n := range notes {
				if n.Security && n.Loss != target.Exact {
					areas[n.ID] = true
				}
			}
			for line := range strings.Lines(string(f.Data)) {
				want, ok := strings.CutPrefix(line, "# note ")
				switch want = strings.TrimSpace(want); {
				case !ok:
				case want == "exact" && len(areas) > 0:
					t.Errorf("losses of security: %v", areas)
				case want != "exact" && !areas[want]:
					t.Errorf("no note of security for %s, only %v", want, areas)
				}
			}
			if !strings.Contains(out, "\terror ") {
				t.Error("nothing is refused")
			}
			if t.Failed() {
				t.Logf("%s\n%v", out, notes)
			}
		})
	}
}

// tryConvert is convert for a text that may be broken.
func tryConvert(t testing.TB, conf string) (string, bool) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true, HTTPD: "2.4"})
	if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
		return "", false
	}
	res, err := Target.Render(r.Setup, target.Options{Provenance: true})
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Files[0].Data), true
}
