package render_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"clowder/internal/schemacheck"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/model/diff"
	"clowder/parse/native"
	"clowder/render"
	"clowder/render/target"
)

var (
	vectorDir = flag.String("vectors", filepath.Join("..", "testdata", "vectors", "httpd"), "folder with the recorded cases of httpd")
	manifest  = flag.String("corpus", "", "MANIFEST.tsv of a corpus of real configurations; empty: none")
)

// roundTrip proves that a setup, written as TOML and read back, says the same:
// each fact of the model, what stays as it stands, what of that protects, and,
// written again, the same bytes. False: the files are broken, nothing is converted.
func roundTrip(t *testing.T, o parse.Options) bool {
	t.Helper()
	o.Whole, o.Config = true, "none"
	r, err := parse.Load(o)
	if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds)+len(r.Setup.Nodes) == 0 {
		return false
	}
	toml, _ := render.Find("toml")
	legacy := r.Setup
	var first []byte
	for _, provenance := range []bool{true, false} {
		first = text(t, toml, legacy, provenance)
		if problems := schema().TOML(first); problems != nil {
			t.Errorf("by the schema: %v", problems)
		}
		back := readBack(t, first)
		if back == nil {
			return true
		}
		for i, d := range model.Compare(legacy, back) {
			if t.Errorf("%s", d); i > 10 {
				break
			}
		}
		for i, d := range diff.Compare(legacy, back, diff.Options{}) {
			if r.Diags.Worst() == diag.Error {
				break // a line that httpd refuses is in the files alone
			}
			if t.Errorf("by meaning: %s", d); i > 10 {
				break
			}
		}
		if a, b := guards(legacy), guards(back); !slices.Equal(a, b) {
			t.Errorf("guards: %v in the files, %v in the TOML", a, b)
		}
		if second := text(t, toml, back, false); !provenance && !bytes.Equal(first, second) {
			t.Errorf("written again it differs: %s", firstDifference(first, second))
		}
	}
	return true
}

// schema is the JSON Schema that the TOML must be valid by.
var schema = sync.OnceValue(func() *schemacheck.Schema {
	s, err := schemacheck.New(native.Schema())
	if err != nil {
		panic(err)
	}
	return s
})

// readBack reads a clowder.toml that must be without a finding.
func readBack(t *testing.T, data []byte) *model.Setup {
	t.Helper()
	name := filepath.Join(t.TempDir(), "clowder.toml")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{name}})
	if err != nil {
		t.Errorf("%v\n%.2000s", err, data)
		return nil
	}
	for _, d := range r.Diags {
		if strings.HasPrefix(d.ID, "C") {
			t.Errorf("the TOML is refused: %s %s: %s", d.Span, d.Message, d.Span.Text())
		}
	}
	if len(r.Setup.FrontEnds)+len(r.Setup.Nodes) == 0 {
		t.Errorf("the TOML holds no setup:\n%.2000s", data)
		return nil
	}
	return r.Setup
}

// guards lists what is not in a field although it protects.
func guards(s *model.Setup) []string {
	var out []string
	for _, u := range s.Unmapped {
		if u.Guard || u.FileGuard {
			out = append(out, fmt.Sprintf("%s (%v, %v)", u.What, u.Guard, u.FileGuard))
		}
	}
	slices.Sort(out)
	return out
}

func firstDifference(a, b []byte) string {
	x, y := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(x), len(y)) {
		if !bytes.Equal(x[i], y[i]) {
			return fmt.Sprintf("line %d: %q and %q", i+1, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

// TestRoundTripVectors takes the configurations of the recorded cases, of syntax
// and of routing.
func TestRoundTripVectors(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(*vectorDir, "*", "*", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded cases below %s", *vectorDir)
	}
	done := 0
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Config  string
			Defines []string
			Files   map[string]json.RawMessage
		}
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		dir := t.TempDir()
		for name, raw := range v.Files {
			put(t, dir, name, content(t, raw, dir))
		}
		if v.Config != "" {
			put(t, dir, "httpd.conf", []byte(v.Config))
		}
		root := filepath.Join(dir, "httpd.conf")
		if _, err := os.Stat(root); err != nil {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(p), ".json"), func(t *testing.T) {
			if roundTrip(t, parse.Options{Paths: []string{root}, Defines: v.Defines}) {
				done++
			}
		})
	}
	t.Logf("%d of %d cases", done, len(paths))
	if done < len(paths)/3 {
		t.Errorf("only %d of %d cases were converted", done, len(paths))
	}
}

func put(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// content is a file of a recorded case: a text, or bytes in base64.
func content(t *testing.T, raw json.RawMessage, root string) []byte {
	t.Helper()
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(strings.ReplaceAll(s, "$ROOT", root))
	}
	var b struct{ Base64 string }
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	data, err := base64.StdEncoding.DecodeString(b.Base64)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRoundTripCorpus takes every setup of a corpus, and every file of it that is
// a root file by itself.
func TestRoundTripCorpus(t *testing.T) {
	if *manifest == "" {
		t.Skip("say -corpus MANIFEST.tsv to run it")
	}
	f, err := os.Open(*manifest)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := filepath.Dir(*manifest)
	done, all := 0, 0
	try := func(name string, paths ...string) {
		if _, err := os.Stat(paths[0]); err != nil {
			return
		}
		all++
		t.Run(name, func(t *testing.T) {
			if roundTrip(t, parse.Options{Paths: paths}) {
				done++
			} else {
				t.Skip("broken")
			}
		})
	}
	setups, err := filepath.Glob(filepath.Join(dir, "setups", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range setups {
		try(filepath.Base(s), s)
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		if len(cells) > 1 && (cells[1] == "httpd" || cells[1] == "server" || cells[1] == "context") {
			try(cells[0], filepath.Join(dir, filepath.FromSlash(cells[0])))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d setups and files", done, all)
	if done == 0 {
		t.Error("nothing was converted")
	}
}

// TestRoundTripSeed takes the setups of the story.
func TestRoundTripSeed(t *testing.T) {
	for _, name := range []string{"broken", "fixed", "broken-on-current"} {
		t.Run(name, func(t *testing.T) {
			if !roundTrip(t, parse.Options{Paths: []string{"../testdata/seed/" + name}}) {
				t.Error("the setup is broken")
			}
		})
	}
}

func text(t *testing.T, tg target.Target, s *model.Setup, provenance bool) []byte {
	t.Helper()
	res, err := tg.Render(s, target.Options{Provenance: provenance})
	if err != nil {
		t.Fatal(err)
	}
	return res.Files[0].Data
}
