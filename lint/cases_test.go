package lint_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"clowder/lint"
	"clowder/lint/report"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
)

var (
	casesDir = flag.String("cases", "", "folder of cases instead of ../testdata/cases and ../testdata/seed")
	known    = flag.Bool("known", false, "compare only the rules that exist here")
	update   = flag.Bool("update", false, "rewrite golden files")
)

// expectation is an expect.json; its form is described in testdata/cases/README.md.
type expectation struct {
	Files []string
	Setup struct {
		HTTPD  string
		Tomcat any
		Hosts  map[string]string
	}
	Findings []struct {
		Rule, File string
		Line       int
	}
	Exact       *bool
	MinSeverity string `json:"min_severity"`
}

func (e *expectation) options(dir string) parse.Options {
	o := parse.Options{HTTPD: e.Setup.HTTPD, Tomcat: map[string]string{}, Hosts: map[string]string{}}
	for _, f := range e.Files {
		o.Paths = append(o.Paths, filepath.Join(dir, f))
	}
	switch v := e.Setup.Tomcat.(type) {
	case string:
		o.Tomcat[""] = v
	case map[string]any:
		for k, x := range v {
			o.Tomcat[k] = fmt.Sprint(x)
		}
	}
	for k, v := range e.Setup.Hosts {
		o.Hosts[k], o.Hosts[filepath.Join(dir, k)] = v, v
	}
	return o
}

func load(t *testing.T, dir string) (*expectation, *lint.Input) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	e := &expectation{}
	if err := json.Unmarshal(data, e); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(e.options(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Setup.Files {
		if rel, err := filepath.Rel(dir, f.Name); err == nil {
			f.Name = filepath.ToSlash(rel)
		}
	}
	return e, lint.NewInput(r)
}

func implemented(id string) bool {
	return slices.ContainsFunc(rules.All, func(r *lint.Rule) bool { return r.ID == id })
}

func TestCases(t *testing.T) {
	roots := []string{filepath.Join("..", "testdata", "cases"), filepath.Join("..", "testdata", "seed")}
	if *casesDir != "" {
		roots = []string{*casesDir}
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.Name() != "expect.json" {
				return err
			}
			dir := filepath.Dir(path)
			name, _ := filepath.Rel(filepath.Dir(root), dir)
			t.Run(filepath.ToSlash(name), func(t *testing.T) { checkCase(t, dir) })
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func checkCase(t *testing.T, dir string) {
	e, in := load(t, dir)
	minimum := diag.Warning
	if s, ok := diag.ParseSeverity(e.MinSeverity); ok {
		minimum = s
	}
	var want, got []string
	for _, f := range e.Findings {
		if !*known || implemented(f.Rule) {
			want = append(want, fmt.Sprintf("%s %s:%d", f.Rule, f.File, f.Line))
		}
	}
	messages := map[string]string{}
	for _, d := range lint.Run(in, lint.Options{Rules: rules.All, MinConfidence: diag.Possible, MinSeverity: minimum}) {
		if *known && !implemented(d.ID) {
			continue
		}
		key := d.ID + " " + d.Span.Short()
		got = append(got, key)
		messages[key] = d.Message
		if strings.HasPrefix(d.ID, "X") && len(d.Related) == 0 {
			t.Errorf("%s names no second place", key)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if e.Exact != nil && !*e.Exact {
		got = slices.DeleteFunc(got, func(s string) bool { return !slices.Contains(want, s) })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
		for k, m := range messages {
			t.Log(k + ": " + m)
		}
	}
}

// TestFixes applies the first fix of every finding of a bad case and lints the
// result, which must be clean.
func TestFixes(t *testing.T) {
	dirs, _ := filepath.Glob(filepath.Join("..", "testdata", "cases", "*", "bad*"))
	for _, dir := range dirs {
		id := filepath.Base(filepath.Dir(dir))
		t.Run(id+"/"+filepath.Base(dir), func(t *testing.T) {
			e, in := load(t, dir)
			edits := map[string][]diag.Edit{}
			for _, d := range lint.Run(in, lint.Options{Rules: rules.All, Select: []string{id}}) {
				if len(d.Fixes) > 0 {
					for _, x := range d.Fixes[0].Edits {
						edits[x.Span.File.Name] = append(edits[x.Span.File.Name], x)
					}
				}
			}
			if len(edits) == 0 {
				t.Skip("no fix offered here")
			}
			fixed := t.TempDir()
			for _, name := range append(e.Files, "expect.json") {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				out := filepath.Join(fixed, name)
				if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(out, apply(data, edits[name]), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			_, again := load(t, fixed)
			for _, d := range lint.Run(again, lint.Options{Rules: rules.All, MinSeverity: diag.Warning}) {
				t.Errorf("still there after the fix: %s %s: %s", d.Span, d.ID, d.Message)
			}
		})
	}
}

func apply(data []byte, edits []diag.Edit) []byte {
	slices.SortFunc(edits, func(a, b diag.Edit) int { return int(b.Span.Start) - int(a.Span.Start) })
	for _, e := range edits {
		data = slices.Concat(data[:e.Span.Start], []byte(e.New), data[e.Span.End:])
	}
	return data
}

func TestSeedReports(t *testing.T) {
	for _, format := range report.Formats {
		t.Run(format.Name, func(t *testing.T) {
			_, in := load(t, filepath.Join("..", "testdata", "seed", "broken"))
			var b bytes.Buffer
			r := report.Report{Findings: lint.Run(in, lint.Options{Rules: rules.All}), Files: in.Files, Version: "test"}
			if err := format.Write(&b, r); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "seed-broken."+format.Name)
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
