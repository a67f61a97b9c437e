package lint

import (
	"fmt"
	"strings"

	"clowder/parse/diag"
)

// Format of an explanation.
type Format uint8

// The formats.
const (
	Text Format = iota
	Markdown
)

// Explain returns the documentation of the rule with that ID or name. For an
// unknown one it returns false and, when there is one, the nearest name.
func Explain(rules []*Rule, ref string, f Format) (text string, ok bool) {
	if r := find(rules, ref); r != nil {
		return r.Explain(f), true
	}
	var names []string
	for _, r := range rules {
		names = append(names, r.ID, r.Name)
	}
	return diag.Suggest(ref, names), false
}

// Explain returns the documentation of the rule.
func (r *Rule) Explain(f Format) string {
	var b strings.Builder
	fix := "no"
	if r.Fixable {
		fix = "yes, at least in some cases"
	}
	if f == Markdown {
		fmt.Fprintf(&b, "# %s %s\n\n", r.ID, r.Name)
		fmt.Fprintf(&b, "| severity | confidence | category | versions | fix |\n|---|---|---|---|---|\n| %s | %s | %s | %s | %s |\n",
			r.Severity, r.Confidence, r.Category, r.Versions.Text, fix)
	} else {
		fmt.Fprintf(&b, "%s %s\n", r.ID, r.Name)
		fmt.Fprintf(&b, "severity %s, confidence %s, category %s, versions: %s, fix: %s\n", r.Severity, r.Confidence, r.Category, r.Versions.Text, fix)
	}
	section := func(title, text string, code bool) {
		if text == "" {
			return
		}
		switch {
		case f == Markdown && code:
			fmt.Fprintf(&b, "\n## %s\n\n```%s\n%s\n```\n", title, language(text), text)
		case f == Markdown:
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", title, text)
		case code:
			fmt.Fprintf(&b, "\n%s:\n\n    %s\n", title, strings.ReplaceAll(text, "\n", "\n    "))
		default:
			fmt.Fprintf(&b, "\n%s:\n%s\n", title, wrap(text, "  ", 78))
		}
	}
	section("What", r.Doc.What, false)
	section("Why", r.Doc.Why, false)
	section("How to fix", r.Doc.Fix, false)
	examples := func(title, text string) {
		files := r.Example(text)
		if len(files) < 2 {
			section(title, strings.TrimRight(files[0].Text, "\n"), true)
			return
		}
		for _, x := range files {
			section(title+", "+x.Name, strings.TrimRight(x.Text, "\n"), true)
		}
	}
	examples("Bad", r.Doc.Bad)
	examples("Good", r.Doc.Good)
	section("Notes", r.Doc.Notes, false)
	section("Source", r.Doc.Source, false)
	return b.String()
}

// language guesses the name that a fenced block gets.
func language(code string) string {
	for line := range strings.Lines(code) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "<Proxy"), strings.HasPrefix(line, "<Location"), strings.HasPrefix(line, "<VirtualHost"):
			return "apache"
		case strings.HasPrefix(line, "<"):
			return "xml"
		}
	}
	return "apache"
}

func wrap(text, indent string, width int) string {
	var b strings.Builder
	col := 0
	for _, w := range strings.Fields(text) {
		switch {
		case col == 0:
			b.WriteString(indent)
			col = len(indent)
		case col+1+len(w) > width:
			b.WriteString("\n" + indent)
			col = len(indent)
		default:
			b.WriteByte(' ')
			col++
		}
		b.WriteString(w)
		col += len(w)
	}
	return b.String()
}
