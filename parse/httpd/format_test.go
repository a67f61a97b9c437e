package httpd

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse/diag"
)

var formatCorpus = flag.String("corpus", "", "folder of httpd files to format")

func TestFormat(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"nesting", "<VirtualHost *>\n<Location /a>\n# why\n\nSetHandler x\n  </Location>\n</VirtualHost>\nListen 80",
			"<VirtualHost *>\n    <Location /a>\n        # why\n\n        SetHandler x\n    </Location>\n</VirtualHost>\nListen 80"},
		{"blanks", " \t Listen 80 \t\n \t\n\t# x  \n", "Listen 80\n\n# x\n"},
		{"line ends", "<If a>\r\nListen 80 \r\n\r\n</If>\r\n", "<If a>\r\n    Listen 80\r\n\r\n</If>\r\n"},
		{"mixed line ends", "<If a>\r\nListen 80\n</If>", "<If a>\r\n    Listen 80\n</If>"},
		{"continued", "<If a>\nListen \\\n  80  \n# c \\\nmore\n</If>\n", "<If a>\n    Listen \\\n  80\n    # c \\\nmore\n</If>\n"},
		{"quoted", "<If a>\nLogFormat \"a  b \\\n   c \"\n</If>\n", "<If a>\n    LogFormat \"a  b \\\n   c \"\n</If>\n"},
		{"backslash and blank", "Alias / C:\\ \nListen 80\n", "Alias / C:\\ \nListen 80\n"},
		{"macro", "<Macro a $b>\n<Location $b>\n  SetEnv x   \"$b  y\"\n</Location>\n</Macro>\n",
			"<Macro a $b>\n    <Location $b>\n        SetEnv x   \"$b  y\"\n    </Location>\n</Macro>\n"},
		{"byte order mark", "\ufeff# x\n  Listen 80\n", "\ufeff# x\nListen 80\n"},
		{"perl", "<Perl>\n  my $x = <<E;\nE\n=head\n</Perl>\n", "<Perl>\n  my $x = <<E;\nE\n=head\n</Perl>\n"},
		{"carriage return before blanks", "Listen 80\r \nListen 81\r\r\n", "Listen 80\nListen 81\r\n"},
		{"NUL", "  Listen 80\x00 x \n", "  Listen 80\x00 x \n"},
		{"comment before the end", "<If a>\n# last\n</If>\n# next\n", "<If a>\n    # last\n</If>\n# next\n"},
		{"ends in a continuation", "  Listen 80 \\\n", "Listen 80 \\\n"},
		{"only a backslash", "\\\n", "\\\n"},
		{"nothing", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, diags := Format(diag.NewFile("x", []byte(tc.in)), "    ")
			if string(got) != tc.want || len(diags) > 0 {
				t.Errorf("got %q %v, want %q", got, diags, tc.want)
			}
			formatLaws(t, "x", []byte(tc.in))
		})
	}
}

func TestFormatLeavesAlone(t *testing.T) {
	for in, place := range map[string]string{
		"  <If a>\nListen 80\n":                         "x:1:3",
		"Listen 80\n   </If>\n":                         "x:2:4",
		"  server {\n    listen 80;\n  }\n":             "x:3:3",
		"<VirtualHost *>\n <If a>\n</VirtualHost>\n":    "x:2:2",
		"<VirtualHost *\n Listen 80\n</VirtualHost>\n":  "x:1:1",
		"<VirtualHost *>\n Listen 80\n</VirtualHost \n": "x:3:1",
	} {
		got, diags := Format(diag.NewFile("x", []byte(in)), "    ")
		if string(got) != in || len(diags) != 1 {
			t.Errorf("%q: %q, %v", in, got, diags)
			continue
		}
		at := diags[0].Span
		for at.Start < at.End && isBlank(at.File.Data[at.Start]) {
			at.Start++
		}
		if at.String() != place {
			t.Errorf("%q: finding at %s, want %s", in, at, place)
		}
	}
}

// formatLaws: formatting changes neither what httpd reads nor anything but blanks
// at the ends of lines, and doing it again changes nothing. It reports whether the
// file can be formatted.
func formatLaws(t *testing.T, name string, data []byte) bool {
	t.Helper()
	before := diag.NewFile(name, data)
	out, diags := Format(before, "\t")
	if len(diags) > 0 {
		if !bytes.Equal(out, data) {
			t.Errorf("%s: changed although it has findings", name)
		}
		return false
	}
	after := diag.NewFile(name, out)
	if again, _ := Format(after, "\t"); !bytes.Equal(again, out) {
		t.Errorf("%s: formatting again changes it:\n%q\n%q", name, out, again)
	}
	if a, b := bare(data), bare(out); a != b {
		t.Errorf("%s: more than blanks changed:\n%q\n%q", name, a, b)
	}
	a, _ := Parse(before)
	b, _ := Parse(after)
	if x, y := spell(a.Nodes), spell(b.Nodes); x != y {
		t.Errorf("%s: it says something else:\n%s\n%s", name, x, y)
	}
	return true
}

// bare is the text without the blanks around each line.
func bare(data []byte) string {
	lines := strings.SplitAfter(string(data), "\n")
	for i, l := range lines {
		text := strings.TrimSuffix(strings.TrimSuffix(l, "\n"), "\r")
		if !strings.HasSuffix(l, "\n") {
			text = l
		}
		lines[i] = strings.Trim(text, " \t\r\v\f") + l[len(text):]
	}
	return strings.Join(lines, "")
}

// spell writes down what a tree says, without its comments.
func spell(nodes []*Node) string {
	var b strings.Builder
	var put func([]*Node)
	put = func(nodes []*Node) {
		for _, n := range nodes {
			if n.Kind == Comment || n.Kind == Blank {
				continue
			}
			b.WriteString(n.Name + "\x00" + n.Text() + "\x00" + strings.Join(argTexts(n.Args), "\x00") + "{\n")
			put(n.Children)
			b.WriteString("}\n")
		}
	}
	put(nodes)
	return b.String()
}

// TestFormatRecorded formats every file of the recorded cases and of the test data,
// and those of a corpus.
func TestFormatRecorded(t *testing.T) {
	formatted := 0
	paths, err := filepath.Glob(filepath.Join(*vectorDir, "*", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded cases below %s", *vectorDir)
	}
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatal(err)
		}
		root := t.TempDir()
		for name, raw := range v.Files {
			writeFile(t, root, name, raw)
		}
		formatted += formatBelow(t, root, func(string) bool { return true })
	}
	conf := func(p string) bool { return strings.HasSuffix(p, ".conf") }
	formatted += formatBelow(t, filepath.Join("..", "..", "testdata"), conf)
	t.Logf("%d files formatted", formatted)
	if formatted < 500 {
		t.Errorf("only %d files could be formatted", formatted)
	}
}

// TestFormatCorpus formats the files of httpd in the folder of the flag -corpus.
func TestFormatCorpus(t *testing.T) {
	if *formatCorpus == "" {
		t.Skip("name a folder with -corpus")
	}
	n := formatBelow(t, *formatCorpus, func(p string) bool {
		base := filepath.Base(p)
		return strings.HasSuffix(base, ".conf") || strings.Contains(p, "sites-") || base == ".htaccess"
	})
	t.Logf("%d files formatted", n)
	if n == 0 {
		t.Errorf("no file below %s could be formatted", *formatCorpus)
	}
}

func formatBelow(t *testing.T, dir string, take func(string) bool) int {
	n := 0
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !take(p) {
			return err
		}
		data, err := os.ReadFile(p)
		if err == nil && formatLaws(t, p, data) {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func FuzzFormat(f *testing.F) {
	for _, s := range snippets {
		f.Add([]byte(s))
	}
	f.Add([]byte("<If a>\r\n a \\ \n# b \\\n  \n\tc \\\r\n d\x00 \n</If>"))
	f.Fuzz(func(t *testing.T, data []byte) { formatLaws(t, "x", data) })
}
