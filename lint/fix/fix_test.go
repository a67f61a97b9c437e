package fix

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse/diag"
)

// finding has a fix that replaces one word of the file.
func finding(f *diag.File, id, old, new string, safe bool) diag.Diagnostic {
	i := strings.Index(string(f.Data), old)
	at := diag.At(f, i, i+len(old))
	return diag.Diagnostic{ID: id, Message: old, Span: at, Severity: diag.Error,
		Fixes: []diag.Fix{{Message: "write " + new, Safe: safe, Edits: []diag.Edit{{Span: at, New: new}}}}}
}

// relintOf finds each word of bad again in the replaced content.
func relintOf(f *diag.File, bad map[string]string, safe bool) Relint {
	return func(overlay map[string][]byte) (diag.List, error) {
		data := f.Data
		if d, ok := overlay[f.Name]; ok {
			data = d
		}
		now := diag.NewFile(f.Name, data)
		var out diag.List
		for word, better := range bad {
			if strings.Contains(string(data), word) {
				out.Add(finding(now, "H1-"+word, word, better, safe))
			}
		}
		return out, nil
	}
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		name, text string
		bad        map[string]string
		safe, ask  bool
		want       string
		rolledBack int
	}{
		{"safe", "a bad word", map[string]string{"bad": "good"}, true, false, "a good word", 0},
		{"suggested, not asked", "a bad word", map[string]string{"bad": "good"}, false, false, "", 0},
		{"suggested, asked", "a bad word", map[string]string{"bad": "good"}, false, true, "a good word", 0},
		{"one after the other", "a bad word", map[string]string{"bad word": "word word2", "word2": "x"}, true, false, "", 1},
		{"causes a new finding", "a bad word and ugly", map[string]string{"bad": "worse", "worse": "x", "ugly": "fine"}, true, false, "a bad word and fine", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := diag.NewFile("f.conf", []byte(c.text))
			relint := relintOf(f, c.bad, c.safe)
			found, _ := relint(nil)
			r, err := Run(found, c.ask, relint)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(r.Changes) > 0 {
				got = string(r.Changes[0].After)
			}
			if got != c.want || len(r.RolledBack) != c.rolledBack {
				t.Errorf("%q, %d rolled back; want %q, %d", got, len(r.RolledBack), c.want, c.rolledBack)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.conf"), filepath.Join(dir, "link.conf")
	if err := os.WriteFile(real, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.conf", link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	change := Change{File: diag.NewFile(link, []byte("old")), After: []byte("new")}
	if err := Write([]Change{change}); err != nil {
		t.Fatal(err)
	}
	data, _ := os.ReadFile(real)
	st, _ := os.Stat(real)
	l, _ := os.Lstat(link)
	if string(data) != "new" || st.Mode().Perm() != 0o640 || l.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%q, mode %v, link %v", data, st.Mode(), l.Mode())
	}

	// A file that is not what was linted stops everything; nothing is left behind.
	other := filepath.Join(dir, "other.conf")
	if err := os.WriteFile(other, []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := Write([]Change{{File: diag.NewFile(real, []byte("new")), After: []byte("newer")}, {File: diag.NewFile(other, []byte("old")), After: []byte("x")}})
	if err == nil || !strings.Contains(err.Error(), "changed meanwhile") {
		t.Errorf("error %v", err)
	}
	if data, _ := os.ReadFile(real); string(data) != "new" {
		t.Errorf("one of two files was written: %q", data)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 3 {
		t.Errorf("%d files in the folder, want 3", len(entries))
	}
}

func TestDiffMasksSecrets(t *testing.T) {
	old := "<Connector secret=\"abc\" port=\"1\"/>\nBalancerMember x secret=abc\n<Interceptor encryptionKey='abc'/>\n"
	out := string(Diff([]Change{{File: diag.NewFile("/etc/f", []byte(old)), After: []byte(strings.Replace(old, "\"1\"", "\"2\"", 1))}}))
	if strings.Contains(out, "abc") || !strings.Contains(out, `+<Connector secret="***" port="2"/>`) || !strings.Contains(out, "--- a/etc/f\n") {
		t.Errorf("patch:\n%s", out)
	}
}

// FuzzApply: edits change nothing outside of their spans.
func FuzzApply(f *testing.F) {
	f.Add("some text of a file", 2, 5, "new", 7, 9, "")
	f.Fuzz(func(t *testing.T, text string, a, b int, x string, c, d int, y string) {
		if a < 0 || b < a || c < b || d < c || d > len(text) || a == c {
			return
		}
		file := diag.NewFile("f", []byte(text))
		got := string(Apply(file.Data, []diag.Edit{{Span: diag.At(file, c, d), New: y}, {Span: diag.At(file, a, b), New: x}}))
		if want := text[:a] + x + text[b:c] + y + text[d:]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
