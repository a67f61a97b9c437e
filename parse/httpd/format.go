package httpd

import (
	"bytes"
	"strings"

	"clowder/parse/diag"
)

// maxIndent bounds the levels of nesting that are shown by indentation.
const maxIndent = 40

// Format indents the lines of a file by the nesting of its sections, each level by
// the given blanks, and removes blanks at the ends of lines. Nothing else is
// touched: lines that continue another keep their text, comments and blank lines
// their places, the file its line ends; httpd reads what it read before. A file
// whose sections do not nest, or that is no file of httpd, comes back as it is,
// with findings.
func Format(f *diag.File, indent string) ([]byte, diag.List) {
	t, diags := Parse(f)
	Walk(t.Nodes, func(n *Node) bool {
		if n.Kind == Directive && n.Name == "}" && len(diags) == 0 {
			diags.Add(diag.Diagnostic{ID: "H001", Name: "httpd-syntax", Severity: diag.Error, Confidence: diag.Certain,
				Span: n.Span, Message: "`}` ends nothing in a file of httpd; is this the configuration of another server?"})
		}
		return true
	})
	if len(diags) > 0 {
		return f.Data, diags
	}
	w := &formatter{file: f, indent: indent, out: make([]byte, 0, len(f.Data)+len(f.Data)/8)}
	w.nodes(t.Nodes, 0)
	return w.out, nil
}

type formatter struct {
	file   *diag.File
	indent string
	out    []byte
}

func (w *formatter) nodes(nodes []*Node, depth int) {
	for _, n := range nodes {
		at := w.lines(n.Span, depth)
		c := n.Close()
		switch {
		case n.Kind != Section:
		case n.Is("Perl"): // another language, in which blanks count
			w.out = append(w.out, w.file.Data[at:c.Start]...)
		default:
			w.nodes(n.Children, depth+1)
		}
		if c.IsValid() {
			w.lines(c, depth)
		}
	}
}

// lines writes the logical lines of a node and returns where the next one begins.
func (w *formatter) lines(span diag.Span, depth int) int {
	at := int(span.Start)
	for at <= int(span.End) && at < len(w.file.Data) {
		l, next := nextLine(w.file, at, len(w.file.Data))
		w.line(&l, at, next, depth)
		at = next
	}
	return at
}

// line writes the logical line in data[at:next].
func (w *formatter) line(l *line, at, next, depth int) {
	data := w.file.Data
	eol, after := physical(data, at, len(data))
	switch {
	case bytes.IndexByte(data[at:next], 0) >= 0: // httpd reads up to the NUL
		w.out = append(w.out, data[at:next]...)
		return
	case len(l.text) == 0 && len(bytes.TrimFunc(data[at:eol], isBlankRune)) == 0:
		w.out = append(w.out, data[eol:next]...)
		return
	case len(l.text) == 0: // a backslash and nothing
		w.out = append(w.out, data[at:next]...)
		return
	}
	w.out = append(w.out, strings.Repeat(w.indent, min(depth, maxIndent))...)
	for at < eol && isBlank(data[at]) {
		at++
	}
	for after < next {
		w.out = append(w.out, data[at:after]...)
		at = after
		eol, after = physical(data, at, len(data))
	}
	w.out = append(w.out, trimEnd(data[at:eol])...)
	w.out = append(w.out, data[eol:next]...)
}

func isBlankRune(r rune) bool { return r < 0x80 && isBlank(byte(r)) }

// trimEnd cuts blanks off the end of a line, but not behind a backslash, which
// would continue the line then.
func trimEnd(text []byte) []byte {
	short := bytes.TrimRight(text, " \t\r\v\f")
	if bytes.HasSuffix(short, []byte{'\\'}) {
		return text
	}
	return short
}
