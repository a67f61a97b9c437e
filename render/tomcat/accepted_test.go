package tomcat

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/render/target"
)

// TestNothingUnknownIsWritten converts each file between versions and lets lint
// look at the result: no element, attribute or class that the target version does
// not know may stand in it, and each written fact has its note.
func TestNothingUnknownIsWritten(t *testing.T) {
	roots := []string{"../../testdata/seed"}
	if *corpus != "" {
		roots = append(roots, *corpus)
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(p, ".xml") {
				for _, pair := range [][2]string{{"7.0.23", "10.1"}, {"", "11.0"}, {"6.0", "9.0"}, {"9.0", "7.0"}, {"8.5", "10.0"}} {
					accepted(t, p, pair[0], pair[1])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func accepted(t *testing.T, file, from, to string) {
	s := read(t, file, from)
	if s == nil {
		return
	}
	out := written(t, s, to)
	r, err := parse.Load(parse.Options{Paths: []string{out}, Tomcat: map[string]string{"": to}})
	if err != nil {
		t.Errorf("%s from %q to %s: %v", file, from, to, err)
		return
	}
	for _, d := range lint.Run(lint.NewInput(r), lint.Options{Rules: rules.All}) {
		switch d.ID {
		case "T001", "T002", "T003", "T004", "T007": // not T005: a misspelled class stops the source as well, and a person is asked
			if d.Severity >= diag.Warning {
				t.Errorf("%s from %q to %s: %s %s", file, from, to, d.ID, d.Message)
			}
		}
	}
	res, err := Target.Render(s, target.Options{Tomcat: to})
	if err != nil || len(res.Notes) == 0 {
		t.Errorf("%s: %v, no notes", file, err)
	}
	for _, n := range res.Notes {
		if strings.HasPrefix(n.Message, "there is nothing like it") {
			t.Errorf("%s from %q to %s: nobody accounted for %s at %s", file, from, to, n.Fact, n.Span)
		}
	}
}
