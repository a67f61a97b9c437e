package httpd

import (
	"strings"
	"unsafe"

	"clowder/parse/model"
)

// directiveBytes is what a [model.Directive] costs without its words.
const directiveBytes = int(unsafe.Sizeof(model.Directive{})) + 16

// keep takes a directive or section without a field into the model as it stands,
// with all that is in it, when the options ask for that. The memory comes from
// the budget of the model.
func (l *lowerer) keep(n *Node, s *scope) {
	if !l.c.whole && !strings.HasPrefix(n.key(), "remoteip") || l.aside > 0 {
		return
	}
	if d := l.directive(n); d != nil {
		if s.req != nil && s.req.Group.V != "" { // a <Limit> in it is about its lines only
			d = &model.Directive{At: n.Span, Name: model.Is("Require"+s.req.Group.V, s.req.At), Section: model.Is(true, s.req.At), Children: []*model.Directive{d}}
		}
		st := s.settings()
		st.Extras = append(st.Extras, d)
	}
}

// directive returns nil when the budget is used up.
func (l *lowerer) directive(n *Node) *model.Directive {
	args := wholeWords(n)
	if l.left.left == 0 || !l.left.take(directiveBytes+len(args)*valueBytes) {
		l.left.left = 0 // reported with the next node
		return nil
	}
	d := &model.Directive{At: n.Span, Name: model.Is(n.Name, n.NameSpan())}
	if n.Kind == Section {
		d.Section = model.Is(true, n.NameSpan())
	}
	if len(args) > 0 {
		d.Args = make([]model.String, len(args))
		for i, a := range args {
			d.Args[i] = model.Is(a.Text, a.Span)
		}
	}
	for _, c := range n.Children {
		if inner := l.directive(c); inner != nil {
			d.Children = append(d.Children, inner)
		}
	}
	return d
}

// wholeWords returns the words of a directive as its module cuts them: mod_rewrite
// keeps backslashes, and expressions that go on to the end of the line are one
// word with the quotes in them.
func wholeWords(n *Node) []Arg {
	switch n.key() {
	case "rewriterule", "rewritecond":
		return rewriteArgs(n)
	case "sslrequire", "extfilterdefine":
		if n.Text() != "" {
			return []Arg{{Text: n.Text(), Span: n.RawArgs()}}
		}
	case "require":
		i := 0
		if strings.EqualFold(n.Arg(0), "not") {
			i = 1
		}
		if strings.EqualFold(n.Arg(i), "expr") && len(n.Args) > i+1 {
			return append(n.Args[:i+1:i+1], Arg{Text: requireExpr(n.Text()), Span: n.Args[i+1].Span})
		}
	case "proxyhcexpr":
		if text, ok := exprBody(n); ok && len(n.Args) > 1 {
			at := n.Args[1].Span
			at.End = max(at.End, n.Args[len(n.Args)-1].Span.End)
			return []Arg{n.Args[0], {Text: text, Span: at}}
		}
	}
	return n.Args
}
