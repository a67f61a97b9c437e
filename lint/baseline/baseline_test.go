package baseline_test

import (
	"os"
	"path/filepath"
	"testing"

	"clowder/lint"
	"clowder/lint/baseline"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
)

func run(t *testing.T, dir, conf string) (diag.List, *lint.Fingerprints) {
	t.Helper()
	path := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{path}, HTTPD: "2.4"})
	if err != nil {
		t.Fatal(err)
	}
	in := lint.NewInput(r)
	return lint.Run(in, lint.Options{Rules: rules.All, Select: []string{"H503"}}), lint.NewFingerprints(in)
}

const open = "<Location \"/balancer-manager\">\nSetHandler balancer-manager\nRequire all granted\n</Location>\n"

func TestSplit(t *testing.T) {
	dir := t.TempDir()
	found, prints := run(t, dir, open+open)
	if len(found) != 2 {
		t.Fatalf("%d findings, want 2", len(found))
	}
	b := baseline.Of(found, prints, dir)
	if len(b.Findings) != 1 || b.Findings[0].Count != 2 || b.Findings[0].Path != "httpd.conf" {
		t.Fatalf("baseline %+v", b.Findings)
	}
	file := filepath.Join(dir, "b.json")
	if err := b.Write(file); err != nil {
		t.Fatal(err)
	}
	b, err := baseline.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, conf         string
		fresh, known, gone int
	}{
		{"the same", open + open, 0, 2, 0},
		{"moved, other layout", "Listen 80\n\n  <Location   \"/balancer-manager\">\nSetHandler balancer-manager\nRequire all granted\n</Location>\n" + open, 0, 2, 0},
		{"one more of the kind", open + open + open, 1, 2, 0},
		{"one gone", open, 0, 1, 1},
		{"another place", open + "<VirtualHost *:80>\n" + open + "</VirtualHost>\n", 1, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, prints := run(t, dir, c.conf)
			fresh, known, gone := b.Split(found, prints, dir)
			left := 0
			for _, e := range gone {
				left += e.Count
			}
			if len(fresh) != c.fresh || len(known) != c.known || left != c.gone {
				t.Errorf("%d new, %d known, %d gone; want %d, %d, %d", len(fresh), len(known), left, c.fresh, c.known, c.gone)
			}
		})
	}
}
