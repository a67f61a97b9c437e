package httpd

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"clowder/parse/diag"
)

// macro is one <Macro> of mod_macro: raw lines and the names of its arguments.
type macro struct {
	name string
	at   diag.Span
	args []string
	body diag.Span // the lines between the tags, with their line ends
}

// macroUse is one Use line.
type macroUse struct {
	m  *macro
	at diag.Span
}

// file is the pseudo file name that httpd gives to the lines of a use.
func (u *macroUse) file() string {
	return fmt.Sprintf("macro '%s' (defined on line %d of \"%s\") used on line %d of \"%s\"", u.m.name,
		lastLine(u.m.at), u.m.at.File.Name, lastLine(u.at), u.at.File.Name)
}

// lastLine is the line number that httpd gives for a logical line: its last.
func lastLine(s diag.Span) int { return s.File.Line(int(s.End)) }

// defineMacro stores the lines between the tags; x is the opening tag after
// expansion, n as parsed.
func (l *loader) defineMacro(x, n *Node) {
	if len(x.Args) == 0 {
		l.syntax(n.Span, "`<Macro>` needs a name")
		return
	}
	m := &macro{name: strings.ToLower(x.Arg(0)), at: n.Span}
	for _, a := range x.Args[1:] {
		m.args = append(m.args, a.Text)
	}
	if !n.Close().IsValid() {
		return // reported as an unclosed section
	}
	m.body = diag.Span{File: n.Span.File, Start: n.Span.End, End: n.Close().Start}
	m.body.Start += int32(len(lineEnd(m.body.File.Data, int(m.body.Start))))
	l.macros[m.name] = m
}

// useMacro replays a macro's lines with its arguments replaced, longer names
// before shorter ones, as process_content of modules/core/mod_macro.c.
func (l *loader) useMacro(n, parent *Node) []*Node {
	m := l.macros[strings.ToLower(n.Arg(0))]
	switch {
	case len(n.Args) == 0:
		l.syntax(n.Span, "`Use` needs the name of a macro")
		return nil
	case m == nil:
		l.syntax(n.Span, "macro `%s` is not defined before this line", n.Arg(0))
		return nil
	case len(n.Args)-1 != len(m.args):
		l.syntax(n.Span, "macro `%s` takes %d arguments, not %d", m.name, len(m.args), len(n.Args)-1)
		return nil
	case len(l.using) > maxMacroDepth:
		return nil
	}
	for _, u := range l.using {
		if u == m {
			l.syntax(n.Span, "macro `%s` uses itself", m.name)
			return nil
		}
	}
	order := make([]int, len(m.args))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return len(m.args[order[i]]) > len(m.args[order[j]]) })
	p := &parser{budget: l.budget}
	p.nodes.first = bytes.Count(m.body.File.Data[m.body.Start:m.body.End], []byte{'\n'})
	for at := int(m.body.Start); at < int(m.body.End); {
		var ln line
		ln, at = nextLine(m.body.File, at, int(m.body.End))
		ln, _ = l.replace(&ln, m.substitutes(&ln, order, n.Args[1:]))
		if !p.line(ln) {
			break
		}
	}
	nodes := p.tree()
	l.diags = append(l.diags, p.diags...)
	u := &macroUse{m, n.Span}
	Walk(nodes, func(c *Node) bool { c.use = u; return true })
	l.using = append(l.using, m)
	out := l.expand(nil, nodes, parent)
	l.using = l.using[:len(l.using)-1]
	return out
}

// substitutes finds the arguments of the macro in one of its lines.
func (m *macro) substitutes(ln *line, order []int, values []Arg) []replacement {
	t := ln.text
	var rs []replacement
	for i := 0; i < len(t); {
		step := 1
		for _, k := range order {
			if a := m.args[k]; a != "" && strings.HasPrefix(t[i:], a) {
				rs = append(rs, replacement{i, i + len(a), values[k].Text})
				step = len(a)
				if len(rs) > maxReplacements {
					return rs
				}
				break
			}
		}
		i += step
	}
	return rs
}
