package lint

import (
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
)

func TestAtLeast(t *testing.T) {
	for _, c := range []struct {
		version, from string
		want          bool
	}{
		{"2.4", "2.4.26", true}, {"2.4.25", "2.4.26", false}, {"2.2.21", "2.4", false}, {"10.1.60", "9.0.31", true},
		{"9.0", "9.0.31", true}, {"9.0.30", "9.0.31", false}, {"7.0.23", "7.0.100", false}, {"10.1.x", "10.1.5", true}, {"8.5", "", true},
	} {
		if got := AtLeast(c.version, c.from); got != c.want {
			t.Errorf("AtLeast(%q, %q) = %v", c.version, c.from, got)
		}
	}
}

// mark is a rule that finds every occurrence of its word.
func mark(id, word string) *Rule {
	return &Rule{ID: id, Name: "mark-" + word, Severity: diag.Warning, Confidence: diag.Certain, Check: func(p *Pass) {
		for _, f := range p.Files {
			for at := 0; ; {
				i := strings.Index(string(f.Data[at:]), word)
				if i < 0 {
					break
				}
				at += i + len(word)
				p.Report(Finding{At: diag.At(f, at-len(word), at), Message: "found " + word})
			}
		}
	}}
}

func ids(list diag.List) string {
	var out []string
	for _, d := range list {
		out = append(out, d.ID+"@"+d.Span.Short())
	}
	return strings.Join(out, " ")
}

func TestIgnores(t *testing.T) {
	rules := append([]*Rule{mark("H901", "alpha"), mark("H902", "beta")}, Meta()...)
	for _, c := range []struct{ name, file, text, want string }{
		{"next directive", "a.conf", "# clowder:ignore H901 -- known\nalpha\nalpha\n", "H901@a.conf:3"},
		{"by name, reason form", "a.conf", "# clowder:ignore mark-alpha reason: known\n\n# more\nalpha \\\n beta\n", "H901@a.conf:1 H902@a.conf:5"},
		{"continued directive", "a.conf", "# clowder:ignore H902 -- known\nalpha \\\n beta\nbeta", "H901@a.conf:2 H902@a.conf:4"},
		{"several", "a.conf", "# clowder:ignore H901, H902 -- x\nalpha beta\n", ""},
		{"no reason", "a.conf", "# clowder:ignore H901\nalpha\n", "C002@a.conf:1"},
		{"unused", "a.conf", "# clowder:ignore H902 -- x\nalpha\n", "C001@a.conf:1 H901@a.conf:2"},
		{"unknown", "a.conf", "# clowder:ignore H9O1 -- x\nalpha\n", "C003@a.conf:1 H901@a.conf:2"},
		{"bare", "a.conf", "# clowder:ignore\nalpha\n", "C003@a.conf:1 H901@a.conf:2"},
		{"trailing hash is no comment", "a.conf", "alpha # clowder:ignore H901 -- x\n", "H901@a.conf:1"},
		{"block", "a.conf", "# clowder:ignore-start H901 -- x\nalpha\nalpha\n# clowder:ignore-end H901\nalpha\n", "H901@a.conf:5"},
		{"file", "a.conf", "# clowder:ignore-file H901 -- x\nalpha\nalpha\n", ""},
		{"file too late", "a.conf", "alpha\n# clowder:ignore-file H901 -- x\n", "H901@a.conf:1 C001@a.conf:2"},
		{"xml next", "a.xml", "<!-- clowder:ignore H901 reason: x -->\n<a\n b=\"alpha>\"><c d=\"alpha\"/></a>", "H901@a.xml:3"},
		{"xml trailing", "a.xml", "<a b=\"alpha\"/> <!-- clowder:ignore H901 reason: x -->\n<a b=\"alpha\"/>", "H901@a.xml:2"},
		{"xml without reason", "a.xml", "<!-- clowder:ignore H901 -->\n<a b=\"alpha\"/>", "C002@a.xml:1"},
		{"unclosed xml comment", "a.xml", "<a b=\"alpha\"/><!-- clowder:ignore H901 reason: x", ""},
		{"meta cannot be ignored", "a.conf", "# clowder:ignore C001, H902 -- x\nalpha\n", "C001@a.conf:1 H901@a.conf:2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := diag.NewFile(c.file, []byte(c.text))
			if got := ids(Run(&Input{Files: []*diag.File{f}}, Options{Rules: rules})); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func FuzzIgnores(f *testing.F) {
	f.Add("a.conf", "# clowder:ignore H901 -- x\nalpha")
	f.Add("a.xml", "<!-- clowder:ignore-start H901 reason: x --><a b='alpha")
	f.Add("a", "<!--clowder:ignore-end")
	rules := append([]*Rule{mark("H901", "alpha")}, Meta()...)
	f.Fuzz(func(t *testing.T, name, text string) {
		file := diag.NewFile(name, []byte(text))
		for _, d := range Run(&Input{Files: []*diag.File{file}}, Options{Rules: rules}) {
			if d.Span.Start < 0 || d.Span.End < d.Span.Start || int(d.Span.End) > len(text) {
				t.Fatalf("%s: span %d-%d of %d bytes", d.ID, d.Span.Start, d.Span.End, len(text))
			}
		}
	})
}

func TestOptions(t *testing.T) {
	f := diag.NewFile("a.conf", []byte("alpha beta"))
	weak := &Rule{ID: "H903", Name: "weak", Severity: diag.Warning, Confidence: diag.Likely, Check: func(p *Pass) {
		p.Report(Finding{At: diag.At(f, 0, 1), Message: "m", Lower: 1})
	}}
	broken := &Rule{ID: "H904", Name: "broken", Check: func(*Pass) { panic("oops") }}
	rules := []*Rule{mark("H901", "alpha"), mark("X902", "beta"), weak}
	for _, c := range []struct {
		name string
		o    Options
		want string
	}{
		{"all but possible", Options{Rules: rules}, "H901@a.conf:1 X902@a.conf:1"},
		{"possible", Options{Rules: rules, MinConfidence: diag.Possible}, "H901@a.conf:1 H903@a.conf:1 X902@a.conf:1"},
		{"select class", Options{Rules: rules, Select: []string{"X"}}, "X902@a.conf:1"},
		{"disable by name", Options{Rules: rules, Disable: []string{"mark-alpha"}}, "X902@a.conf:1"},
		{"severity", Options{Rules: rules, Severity: map[string]diag.Severity{"X902": diag.Info}, MinSeverity: diag.Warning}, "H901@a.conf:1"},
		{"panic", Options{Rules: append(rules, broken), Select: []string{"H904"}}, "C000@"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ids(Run(&Input{Files: []*diag.File{f}}, c.o)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
	t.Run("broken file", func(t *testing.T) {
		in := &Input{Setup: &model.Setup{Files: []*diag.File{f}}, Broken: map[*diag.File]bool{f: true}}
		if got := ids(Run(in, Options{Rules: rules})); got != "H901@a.conf:1" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("yields", func(t *testing.T) {
		subject := new(int)
		say := func(p *Pass) { p.Report(Finding{At: diag.At(f, 0, 1), Message: "m", Subject: subject}) }
		a := &Rule{ID: "H905", Name: "a", Severity: diag.Error, Confidence: diag.Certain, Check: say, YieldsTo: []string{"H906"}}
		b := &Rule{ID: "H906", Name: "b", Severity: diag.Error, Confidence: diag.Certain, Check: say}
		if got := ids(Run(&Input{Files: []*diag.File{f}}, Options{Rules: []*Rule{a, b}})); got != "H906@a.conf:1" {
			t.Errorf("got %s", got)
		}
	})
}
