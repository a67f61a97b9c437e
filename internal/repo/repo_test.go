// Package repo holds the rules of the repository as tests.
package repo

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// forbidden lists imports that would let data flow the wrong way round.
var forbidden = []struct{ from, to, why string }{
	{"", "clowder/cmd", "nothing imports cmd"},
	{"runtime", "clowder/parse/httpd", "runtime sees only the model"},
	{"runtime", "clowder/parse/tomcat", "runtime sees only the model"},
	{"runtime", "clowder/parse/native", "runtime sees only the model"},
	{"render", "clowder/parse/httpd", "render sees only the model"},
	{"render", "clowder/parse/tomcat", "render sees only the model"},
	{"render", "clowder/parse/native", "render sees only the model"},
	{"parse", "clowder/lint", "parse is below lint"},
	{"parse", "clowder/runtime", "parse is below runtime"},
	{"parse", "clowder/render", "parse is below render"},
	{"lint", "clowder/runtime", "lint does not run anything"},
	{"parse/diag", "clowder/", "diag is a leaf"},
	{"parse/model", "clowder/parse/httpd", "model is a leaf"},
	{"parse/model", "clowder/parse/tomcat", "model is a leaf"},
	{"runtime/exchange", "clowder/", "exchange is a leaf"},
}

// TestImportArrows checks that packages import only in the direction of docs/architecture.md.
func TestImportArrows(t *testing.T) {
	checked := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		pkg, err := build.ImportDir(path, 0)
		if err != nil {
			return nil // no Go files here
		}
		checked++
		rel, _ := filepath.Rel(root, path)
		for _, imp := range pkg.Imports {
			for _, f := range forbidden {
				if within(rel, f.from) && strings.HasPrefix(imp+"/", strings.TrimSuffix(f.to, "/")+"/") {
					t.Errorf("%s imports %s: %s", rel, imp, f.why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 15 {
		t.Errorf("only %d packages found", checked)
	}
}

func within(rel, dir string) bool {
	return dir == "" || rel == dir || strings.HasPrefix(rel, dir+"/")
}

// TestFilesAreSmall keeps files readable: see docs/architecture.md.
func TestFilesAreSmall(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_gen.go") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if n := strings.Count(string(data), "\n"); n > 620 {
			t.Errorf("%s has %d lines; split it", path, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
