package tomcat

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lineWidth is how long a tag gets before its attributes go to lines of their own, in bytes.
const lineWidth = 120

// writer prints elements as XML, two blanks for each level.
type writer struct {
	b          strings.Builder
	provenance bool
}

// document prints a whole file: the declaration, the head as a comment, the root.
func document(head string, root *element, provenance bool) []byte {
	w := &writer{provenance: provenance}
	w.b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
	w.comment("", head)
	w.element(root, "")
	return []byte(w.b.String())
}

func (w *writer) element(e *element, indent string) {
	for _, c := range e.comments {
		w.comment(indent, c)
	}
	if e.name == "" {
		return
	}
	if w.provenance && e.at.IsValid() {
		w.comment(indent, "from "+e.at.Short())
	}
	w.open(e, indent)
	switch {
	case len(e.children) == 0 && e.text == "":
		w.b.WriteString("/>\n")
		return
	case len(e.children) == 0:
		w.b.WriteString(">" + escape(e.text, false) + "</" + e.name + ">\n")
		return
	}
	w.b.WriteString(">" + escape(e.text, false) + "\n")
	for _, c := range e.children {
		w.element(c, indent+"  ")
	}
	w.b.WriteString(indent + "</" + e.name + ">\n")
}

// open prints a start tag without its last character.
func (w *writer) open(e *element, indent string) {
	w.b.WriteString(indent + "<" + e.name)
	column := len(indent) + 1 + len(e.name)
	for i, a := range e.attrs {
		text := a.name + `="` + escape(a.value, true) + `"`
		if i > 0 && column+1+len(text) > lineWidth {
			w.b.WriteString("\n" + indent + strings.Repeat(" ", len(e.name)+2) + text)
			column = len(indent) + len(e.name) + 2 + len(text)
			continue
		}
		w.b.WriteString(" " + text)
		column += 1 + len(text)
	}
}

// comment prints a comment; two hyphens may not stand in it, nor one at its end.
func (w *writer) comment(indent, text string) {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || !allowed(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	for strings.Contains(text, "--") {
		text = strings.ReplaceAll(text, "--", "- -")
	}
	fmt.Fprintf(&w.b, "%s<!-- %s -->\n", indent, strings.TrimSuffix(text, "-"))
}

// escape writes character data, or the value of an attribute: a parser must give
// back exactly what the text is, line ends included.
func escape(s string, attribute bool) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"' && attribute:
			b.WriteString("&quot;")
		case r == '\r' || attribute && (r == '\n' || r == '\t'):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// writable reports whether XML 1.0 has a way to write the text (production Char).
func writable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !allowed(r) {
			return false
		}
	}
	return true
}

func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r < 0xD800 || r >= 0xE000 && r != 0xFFFE && r != 0xFFFF
}

// isName reports whether the text can be the name of an element or attribute. Names
// beyond ASCII count as none: Tomcat has no such ones.
func isName(s string) bool {
	for i, r := range s {
		switch {
		case r == '_' || r < utf8.RuneSelf && unicode.IsLetter(r):
		case i > 0 && (r == '-' || r == '.' || r == ':' || r >= '0' && r <= '9'):
		default:
			return false
		}
	}
	return s != ""
}
