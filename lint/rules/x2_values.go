package rules

import (
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// openAttr reports whether the attribute of a start tag holds a ${...}. The model
// has a default in its place when nobody resolved it, and nothing may be concluded.
func openAttr(tag diag.Span, name string) bool {
	text := tag.Text()
	for from := 0; ; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		start := from + i
		from = start + len(name)
		rest := strings.TrimLeft(text[from:], " \t\r\n")
		if start == 0 || strings.IndexByte(" \t\r\n", text[start-1]) < 0 || !strings.HasPrefix(rest, "=") {
			continue
		}
		rest = strings.TrimLeft(rest[1:], " \t\r\n")
		if rest == "" {
			return false
		}
		value, _, _ := strings.Cut(rest[1:], rest[:1])
		return unknown(value)
	}
}

// intAttr is the value of a number attribute, the given default when it is not
// written; ok is false when it holds a ${...} that nobody resolved.
func intAttr(v model.Int, tag diag.Span, name string, def int) (value int, ok bool) {
	if v.IsWritten() {
		return v.V, true
	}
	return def, !openAttr(tag, name)
}

// portOf is the port of an element after portOffset, 0 when it has none or the
// files do not tell.
func portOf(n *model.Node, v model.Int, tag diag.Span, def int) int {
	port, ok := intAttr(v, tag, "port", def)
	if !ok || port <= 0 || openAttr(n.At, "portOffset") && !n.PortOffset.IsWritten() {
		return 0
	}
	return port + n.PortOffset.V
}
