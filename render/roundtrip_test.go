package render_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/parse/model/diff"
	"clowder/render"
	"clowder/render/target"
)

// TestTOMLRoundTrip: a setup, written as TOML and read back, says the same; and
// writing it again gives the same bytes.
func TestTOMLRoundTrip(t *testing.T) {
	toml, _ := render.Find("toml")
	for _, name := range []string{"broken", "fixed", "broken-on-current"} {
		for _, provenance := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				legacy := load(t, "../testdata/seed/"+name)
				first := text(t, toml, legacy, provenance)
				dir := t.TempDir()
				if err := os.WriteFile(filepath.Join(dir, "clowder.toml"), first, 0o644); err != nil {
					t.Fatal(err)
				}
				back := load(t, dir)
				for _, d := range model.Compare(legacy, back) {
					t.Error(d)
				}
				for _, d := range diff.Compare(legacy, back, diff.Options{}) {
					t.Error(d)
				}
				if len(back.Nodes) != 3 || len(back.FrontEnds) != 1 || len(back.FrontEnds[0].Main.Balancers[0].Members) != 3 {
					t.Errorf("the TOML holds %d nodes, %d front ends", len(back.Nodes), len(back.FrontEnds))
				}
				if second := text(t, toml, back, false); !bytes.Equal(stripComments(first), stripComments(second)) {
					t.Errorf("written again it differs:\n%s", second)
				}
			})
		}
	}
}

func load(t *testing.T, dir string) *model.Setup {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Broken) > 0 {
		t.Fatalf("syntax errors: %v", r.Diags)
	}
	return r.Setup
}

func text(t *testing.T, tg target.Target, s *model.Setup, provenance bool) []byte {
	t.Helper()
	res, err := tg.Render(s, target.Options{Provenance: provenance})
	if err != nil {
		t.Fatal(err)
	}
	return res.Files[0].Data
}

// stripComments drops comment lines and trailing provenance, which name other files.
func stripComments(b []byte) []byte {
	var out [][]byte
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("#")) {
			continue
		}
		if i := bytes.LastIndex(line, []byte(" # ")); i >= 0 {
			line = append(bytes.Clone(line[:i]), '\n')
		}
		out = append(out, line)
	}
	return bytes.Join(out, nil)
}
