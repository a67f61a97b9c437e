package tomcat

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/render/target"
)

var corpus = flag.String("corpus", "", "folder whose server.xml files are taken through the round trip too")

// TestSameVersionSaysTheSame: written for the version that it is for, a server.xml
// says what it said, and writing it again gives the same bytes.
func TestSameVersionSaysTheSame(t *testing.T) {
	roots := []string{"../../testdata/seed"}
	if *corpus != "" {
		roots = append(roots, *corpus)
	}
	n := 0
	for _, root := range roots {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(p, ".xml") {
				if roundTrip(t, p) {
					n++
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 9 {
		t.Errorf("only %d files were compared", n)
	}
	t.Logf("%d files", n)
}

// roundTrip reports whether the file is one that can be compared.
func roundTrip(t *testing.T, file string) bool {
	for _, version := range []string{"7.0.23", "9.0"} {
		first := read(t, file, version)
		if first == nil {
			return false
		}
		files := written(t, first, version)
		again := read(t, files, version)
		if again == nil {
			t.Errorf("%s: what was written cannot be read", file)
			return true
		}
		for _, d := range model.Compare(first, again) {
			t.Errorf("%s for %s: %s", file, version, d)
		}
	}
	return true
}

// read loads one server.xml; nil when it is none or has syntax errors.
func read(t *testing.T, file, version string) *model.Setup {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{file}, Tomcat: map[string]string{"": version}})
	if err != nil || len(r.Broken) > 0 || len(r.Setup.Nodes) != 1 || len(r.Docs) != 1 || r.Docs[0].Template {
		return nil
	}
	return r.Setup
}

// written renders a setup of one node into a folder and returns the name of its server.xml.
func written(t *testing.T, s *model.Setup, version string) string {
	t.Helper()
	res, err := Target.Render(s, target.Options{Tomcat: version})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range res.Files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, res.Files[0].Name)
}
