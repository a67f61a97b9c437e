package haproxy

import (
	"strings"

	"clowder/parse/diag"
)

// text collects the lines of a configuration.
type text struct {
	b          strings.Builder
	provenance bool
}

// section begins global, defaults, a frontend or a backend.
func (t *text) section(head string) {
	if t.b.Len() > 0 {
		t.b.WriteByte('\n')
	}
	t.b.WriteString(head + "\n")
}

// comment writes a comment of its own line in a section.
func (t *text) comment(s string) { t.b.WriteString("    # " + printable(s) + "\n") }

// head writes a comment before a section.
func (t *text) head(s string) {
	if t.b.Len() > 0 {
		t.b.WriteByte('\n')
	}
	t.b.WriteString("# " + printable(s))
}

// line writes one line of words that are quoted already; at is where it comes from.
func (t *text) line(at diag.Span, words ...string) {
	t.b.WriteString("    ")
	first := true
	for _, w := range words {
		if w == "" {
			continue
		}
		if !first {
			t.b.WriteByte(' ')
		}
		first = false
		t.b.WriteString(w)
	}
	if t.provenance && at.IsValid() {
		t.b.WriteString("  # " + printable(at.Short()))
	}
	t.b.WriteByte('\n')
}

// printable keeps a text of the source within its comment.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, s)
}

// nowhere is the place of lines that say a default of httpd or hold the
// configuration together.
var nowhere diag.Span
