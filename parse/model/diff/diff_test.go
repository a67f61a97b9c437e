package diff_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/parse/model/diff"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the wanted output in testdata")

// TestArchives compares the folders a and b of each archive.
func TestArchives(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := txtar.Write(ar, dir); err != nil {
				t.Fatal(err)
			}
			a, b := load(t, filepath.Join(dir, "a")), load(t, filepath.Join(dir, "b"))
			got := lines(diff.Compare(a, b, diff.Options{}), dir)
			want := &ar.Files[len(ar.Files)-1]
			if want.Name != "want" {
				t.Fatal("the last file must be called want")
			}
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want.Data) {
				t.Errorf("got\n%s\nwant\n%s", got, want.Data)
			}
			for _, secret := range []string{"geheim", "anders", "Zm9vOmJh", "hunter", "pw1", "pw2"} {
				if strings.Contains(got, secret) {
					t.Errorf("the secret %q is shown", secret)
				}
			}
			mirrored(t, a, b)
		})
	}
}

// mirrored: the other way round there are as many differences, with added and
// removed exchanged; and a setup does not differ from itself.
func mirrored(t *testing.T, a, b *model.Setup) {
	t.Helper()
	count := func(x, y *model.Setup) map[diff.Change]int {
		n := map[diff.Change]int{}
		for _, d := range diff.Compare(x, y, diff.Options{}) {
			n[d.Change]++
		}
		return n
	}
	there, back := count(a, b), count(b, a)
	if there[diff.Added] != back[diff.Removed] || there[diff.Removed] != back[diff.Added] || there[diff.Changed] != back[diff.Changed] ||
		(there[diff.Moved] > 0) != (back[diff.Moved] > 0) {
		t.Errorf("there %v, back %v", there, back)
	}
	for _, s := range []*model.Setup{a, b} {
		if n := count(s, s); len(n) > 0 {
			t.Errorf("differs from itself: %v", n)
		}
	}
}

func read(t testing.TB, path string) *parse.Result {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{path}, Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func load(t testing.TB, path string) *model.Setup {
	t.Helper()
	r := read(t, path)
	if len(r.Broken) > 0 {
		t.Fatalf("syntax errors: %v", r.Diags)
	}
	return r.Setup
}

func lines(found []diff.Difference, dir string) string {
	var b strings.Builder
	for _, d := range found {
		b.WriteString(strings.ReplaceAll(d.String(), dir+string(filepath.Separator), "") + "\n")
	}
	return filepath.ToSlash(b.String())
}
