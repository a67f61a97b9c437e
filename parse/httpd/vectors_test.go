package httpd

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"clowder/parse/diag"
)

var vectorDir = flag.String("vectors", filepath.Join("..", "..", "testdata", "vectors", "httpd", "syntax"), "folder of the recorded syntax cases")

// What is asked, in percent of the cases of each measure.
const (
	minVerdict = 100 // would httpd start: yes or no
	minPlace   = 100 // of the cases that httpd refuses: the finding is on its line
	minTree    = 98  // of the cases that httpd takes: the expanded tree is the same
)

type vector struct {
	ID      string
	Modules []string
	Defines []string
	Env     map[string]string
	Files   map[string]json.RawMessage
	Expect  struct {
		Exit   int
		Output string
		Tree   []struct {
			File string
			Line *int
			Text string
		}
	}
}

type score struct {
	good, all int
	misses    []string
}

func (s *score) add(ok bool, format string, args ...any) {
	s.all++
	if ok {
		s.good++
	} else {
		s.misses = append(s.misses, fmt.Sprintf(format, args...))
	}
}

func (s *score) check(t *testing.T, name string, least int) {
	t.Logf("%s: %d of %d", name, s.good, s.all)
	if s.all == 0 || s.good*100 < least*s.all {
		t.Errorf("%s: %d of %d is below %d%%", name, s.good, s.all, least)
	}
	sort.Strings(s.misses)
	if testing.Verbose() {
		for _, m := range s.misses {
			t.Logf("%s: %s", name, m)
		}
	}
}

// TestVectors compares with what httpd 2.4.71 did with the same files.
func TestVectors(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(*vectorDir, "*", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded cases below %s", *vectorDir)
	}
	var verdict, place, tree score
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		compare(t, &v, &verdict, &place, &tree)
	}
	verdict.check(t, "verdict", minVerdict)
	place.check(t, "place", minPlace)
	tree.check(t, "tree", minTree)
}

func compare(t *testing.T, v *vector, verdict, place, tree *score) {
	root := t.TempDir()
	for name, raw := range v.Files {
		writeFile(t, root, name, raw)
	}
	data, err := os.ReadFile(filepath.Join(root, "httpd.conf"))
	if err != nil {
		t.Fatal(err)
	}
	lossless(t, data)
	c, diags := Load(diag.NewFile(filepath.Join(root, "httpd.conf"), data), Options{Defines: v.Defines, Modules: v.Modules, OnHost: true,
		Env:  func(k string) (string, bool) { s, ok := v.Env[k]; return s, ok },
		Stat: statModules})
	_, _, more := Lower(c)
	diags = append(append(append(diags, more...), Check(c)...), CheckModules(c)...)
	var refused diag.List
	for _, d := range diags {
		if d.Severity == diag.Error || d.ID == "H010" {
			refused = append(refused, d)
		}
	}
	first := ""
	if len(refused) > 0 {
		first = refused[0].Span.Short() + " " + refused[0].Message
	}
	verdict.add((len(refused) > 0) == (v.Expect.Exit != 0), "%s: exit %d %q; here %s", v.ID, v.Expect.Exit, v.Expect.Output, first)
	if v.Expect.Exit != 0 {
		file, line := errorPlace(v.Expect.Output, root)
		ok := false
		for _, d := range refused {
			ok = ok || d.Span.File != nil && d.Span.File.Name == file && c.LineNumber(d.Span) == line || file == "" && d.Span.IsValid()
			for _, r := range d.Related { // an unclosed section's tag is the place, the close that does not fit is related
				ok = ok || r.Span.File.Name == file && c.LineNumber(r.Span) == line
			}
		}
		place.add(ok, "%s: %s:%d; here %s", v.ID, file, line, first)
		return
	}
	var want, got []string
	for _, n := range v.Expect.Tree {
		if n.Line != nil {
			want = append(want, fmt.Sprintf("%s:%d %s", n.File, *n.Line, n.Text))
		}
	}
	got = dump(nil, c.Nodes, root, 0)
	w, g := strings.Join(want, "\n"), strings.Join(got, "\n")
	tree.add(strings.EqualFold(w, g), "%s:\n%s\n--- here\n%s", v.ID, w, g)
}

// statModules takes httpd's own module files as being there, as they were on
// the machine of the recording.
func statModules(name string) (os.FileInfo, error) {
	if strings.HasPrefix(name, "/usr/lib/apache2/modules/") {
		return os.Stat(".")
	}
	return os.Stat(name)
}

func writeFile(t *testing.T, root, name string, raw json.RawMessage) {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		var b struct{ Base64 string }
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		data, err := base64.StdEncoding.DecodeString(b.Base64)
		if err != nil {
			t.Fatal(err)
		}
		text = string(data)
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "$ROOT", root), "$MODULES", "/usr/lib/apache2/modules")
	p := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var errorLine = regexp.MustCompile(`Syntax error on line (\d+) of (\$ROOT/[^:\n]*):`)

// errorPlace takes the innermost place out of httpd's message; no file for one
// inside a macro.
func errorPlace(output, root string) (string, int) {
	all := errorLine.FindAllStringSubmatch(output, -1)
	if len(all) == 0 {
		return "", 0
	}
	m := all[len(all)-1]
	return strings.Replace(m[2], "$ROOT", root, 1), atoi(m[1])
}

// dump prints expanded nodes as mod_info's DUMP_CONFIG does.
func dump(out []string, nodes []*Node, root string, depth int) []string {
	for _, n := range nodes {
		if reading[strings.ToLower(n.Name)] {
			continue
		}
		file := strings.TrimPrefix(n.Span.File.Name, root+"/")
		line := lastLine(n.Span)
		if n.use != nil {
			file = strings.ReplaceAll(n.use.file(), root+"/", "")
			line -= lastLine(n.use.m.at)
		}
		text := strings.TrimRight(n.Name+" "+n.Text(), " ")
		if n.Kind == Section {
			text = "<" + n.Name + " " + strings.TrimRight(n.Text(), " ") + ">"
		}
		out = append(out, fmt.Sprintf("%s:%d %s%s", file, line, strings.Repeat("  ", depth), escape(text)))
		out = dump(out, n.Children, root, depth+1)
	}
	return out
}

var reading = names("LoadModule LoadFile ServerRoot DefaultRuntimeDir")

// escape writes bytes that are not UTF-8 as the recorded cases do.
func escape(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}
