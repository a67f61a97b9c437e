package tomcat

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"clowder/parse/diag"
)

func load(t *testing.T, path ...string) (*Document, diag.List) {
	t.Helper()
	p := filepath.Join(append([]string{"..", "..", "testdata", "seed"}, path...)...)
	data, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(diag.NewFile(p, data))
}

func lines(l diag.List, id string) []int {
	var out []int
	for _, d := range l {
		if d.ID == id {
			out = append(out, d.Span.Begin().Line)
		}
	}
	return out
}

func TestVerbatimFindings(t *testing.T) {
	_, diags := load(t, "verbatim", "server.xml")
	if got, want := lines(diags, "T001"), []int{1, 12, 17, 19, 22, 25, 36, 38}; !slices.Equal(got, want) {
		t.Errorf("T001 at %v, want %v", got, want)
	}
	for _, d := range diags {
		t.Log(d.Span, d.Message)
	}
}
