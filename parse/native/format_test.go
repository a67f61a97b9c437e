package native

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse/diag"

	"github.com/BurntSushi/toml"
)

func TestFormat(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"flush left", "[a]\n  [a.b]\n\tc = 1 # why  \n  # next\n", "[a]\n[a.b]\nc = 1 # why\n# next\n"},
		{"blank lines and line ends", "a = 1 \r\n  \r\n b = 2", "a = 1\r\n\r\nb = 2"},
		{"strings over lines", " a = \"\"\" \n  x  \n \"\"\"  \n b = '''\n  y ''' # z\n", "a = \"\"\" \n  x  \n \"\"\"  \nb = '''\n  y ''' # z\n"},
		{"arrays over lines", "  a = [ \n    1, # one \n    2,\n  ]\n  b = [[1,\n 2]]\n", "a = [ \n    1, # one \n    2,\n  ]\nb = [[1,\n 2]]\n"},
		{"in an inline table", " a = { b = [\n 1 ], c = \"\"\"\n x\"\"\" }\n d = 1\n", "a = { b = [\n 1 ], c = \"\"\"\n x\"\"\" }\nd = 1\n"},
		{"what only looks like a string", " a = 1 # \"\"\"\n b = \"#\" \n", "a = 1 # \"\"\"\nb = \"#\"\n"},
		{"byte order mark", "\ufeffa = 1 \n", "\ufeffa = 1\n"},
		{"quoted keys", " \"a b\".'c' = 1 \n", "\"a b\".'c' = 1\n"},
		{"nothing", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, diags := Format(diag.NewFile("x.toml", []byte(tc.in)))
			if string(got) != tc.want || len(diags) > 0 {
				t.Errorf("got %q %v, want %q", got, diags, tc.want)
			}
			formatLaws(t, []byte(tc.in))
		})
	}
	broken := "  a = [\n 1\n  b = 2\n"
	if got, diags := Format(diag.NewFile("x.toml", []byte(broken))); string(got) != broken || len(diags) != 1 || diags[0].ID != "C101" {
		t.Errorf("a broken file: %q %v", got, diags)
	}
}

// formatLaws: formatting changes no value, and doing it again changes nothing.
func formatLaws(t *testing.T, data []byte) bool {
	t.Helper()
	out, diags := Format(diag.NewFile("x.toml", data))
	if len(diags) > 0 {
		if !bytes.Equal(out, data) {
			t.Errorf("%q: changed although it has findings", data)
		}
		return false
	}
	if again, _ := Format(diag.NewFile("x.toml", out)); !bytes.Equal(again, out) {
		t.Errorf("formatting again changes it:\n%q\n%q", out, again)
	}
	var a, b map[string]any
	if _, err := toml.Decode(string(data), &a); err != nil {
		t.Fatal(err)
	}
	if _, err := toml.Decode(string(out), &b); err != nil {
		t.Errorf("%q becomes %q: %v", data, out, err)
	} else if x, y := spell(a), spell(b); x != y {
		t.Errorf("%q becomes %q, which says something else", data, out)
	}
	if x, y := strings.Join(strings.Fields(string(data)), " "), strings.Join(strings.Fields(string(out)), " "); x != y {
		t.Errorf("more than blanks changed: %q, %q", data, out)
	}
	return true
}

// spell prints values so that a NaN equals itself.
func spell(m map[string]any) string { return fmt.Sprintf("%v", m) }

// TestFormatFiles: every clowder.toml of the test data keeps its meaning.
func TestFormatFiles(t *testing.T) {
	n := 0
	err := filepath.WalkDir("../../cmd/clowder/testdata", func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		for _, part := range bytes.Split(data, []byte("\n-- ")) { // the files of an archive
			name, text, _ := bytes.Cut(part, []byte(" --\n"))
			if bytes.HasSuffix(name, []byte(".toml")) && formatLaws(t, text) {
				n++
			}
		}
		return err
	})
	if err != nil || n < 10 {
		t.Errorf("%d files formatted, %v", n, err)
	}
}

func FuzzFormat(f *testing.F) {
	for _, s := range []string{"", " [a]\n b=1 ", "a=[ \n[1,\n2],[3]] \n b=1", "a={b={c=\"\"\"\n\"\"\"}}", " \"a.b\".c='''x \n''' ", "a=\"\"\"\\\n   x\"\"\"\r\n b = \"\\\"\" # '''"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) { formatLaws(t, data) })
}
