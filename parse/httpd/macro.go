package httpd

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"strings"

	"clowder/parse/diag"
)

// macro is one <Macro> of mod_macro: raw lines and the names of its arguments.
type macro struct {
	name string
	at   diag.Span
	args []string

	body  diag.Span // the lines between the tags, with their line ends
	lines []line    // instead of body, when the lines came from anywhere
	bytes int       // that a use reads
}

// count returns about how many lines the macro has.
func (m *macro) count() int {
	if m.body.File == nil {
		return len(m.lines)
	}
	return bytes.Count(m.body.File.Data[m.body.Start:m.body.End], []byte{'\n'})
}

// source is what lines are read from: a part of a file, or the kept lines of a
// macro.
type source struct {
	file       *diag.File
	at, end    int
	kept       []line
	noComments bool
	change     func(*line) line // what is made of each line; nil: nothing

	use   *macroUse
	using []*macro // the macros that these lines came through
}

// next returns the next line, false at the end.
func (s *source) next() (ln line, ok bool) {
	for {
		switch {
		case len(s.kept) > 0:
			ln, s.kept = s.kept[0], s.kept[1:]
		case s.file != nil && s.at < s.end:
			ln, s.at = nextLine(s.file, s.at, s.end)
		default:
			return line{}, false
		}
		if s.noComments && len(ln.text) > 0 && ln.text[0] == '#' {
			continue
		}
		if s.change != nil {
			ln = s.change(&ln)
		}
		return ln, true
	}
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

// newMacro reads the opening tag of a macro, as macro_section and
// check_macro_arguments in modules/core/mod_macro.c. The name must be there.
func (l *loader) newMacro(n *Node) *macro {
	m := &macro{name: strings.ToLower(n.Arg(0)), at: n.Span}
	if m.name == "" {
		l.syntax(n.Span, "`<Macro>` needs a name")
		return m
	}
	for i, a := range n.Args[1:] {
		if a.Text == "" {
			l.syntax(a.Span, "macro `%s`: the name of argument %d is empty", m.name, i+1)
		} else if slices.Contains(m.args, a.Text) {
			l.syntax(a.Span, "macro `%s` has two arguments of the name `%s`", m.name, a.Text)
		}
		m.args = append(m.args, a.Text)
	}
	return m
}

// defineMacro stores the lines between the tags; x is the opening tag after
// expansion, n as parsed.
func (l *loader) defineMacro(x, n *Node) {
	m := l.newMacro(x)
	if m.name == "" || !n.Close().IsValid() {
		return // reported
	}
	m.body = diag.Span{File: n.Span.File, Start: n.Span.End, End: n.Close().Start}
	m.body.Start += int32(len(lineEnd(m.body.File.Data, int(m.body.Start))))
	m.bytes = int(m.body.End - m.body.Start)
	l.macros[m.name] = m
}

// useMacro replays a macro's lines.
func (l *loader) useMacro(n, parent *Node) []*Node {
	m, lines := l.instance(n)
	if m == nil {
		return nil
	}
	p := &parser{budget: l.budget}
	p.nodes.first = m.count()
	for ln, ok := lines.next(); ok && p.line(ln); ln, ok = lines.next() {
	}
	nodes := p.tree()
	l.suspicious = l.suspicious || p.suspicious
	l.diags = append(l.diags, p.diags...)
	u := &macroUse{m, n.Span}
	Walk(nodes, func(c *Node) bool { c.use = u; return true })
	l.using = append(l.using, m)
	out := l.expand(nil, nodes, parent)
	l.using = l.using[:len(l.using)-1]
	return out
}

// instance returns a macro's lines with its arguments replaced, longer names
// before shorter ones, as process_content of modules/core/mod_macro.c; no macro
// when that is not possible, which it reports.
func (l *loader) instance(n *Node) (*macro, *source) {
	m := l.macros[strings.ToLower(n.Arg(0))]
	switch {
	case n.Arg(0) == "":
		l.syntax(n.Span, "`Use` needs the name of a macro")
		return nil, nil
	case m == nil:
		l.syntax(n.Span, "macro `%s` is not defined before this line", n.Arg(0))
		return nil, nil
	case slices.Contains(l.using, m):
		l.syntax(n.Span, "macro `%s` uses itself", m.name)
		return nil, nil
	case len(n.Args)-1 != len(m.args):
		l.syntax(n.Span, "macro `%s` takes %d arguments, not %d", m.name, len(m.args), len(n.Args)-1)
		return nil, nil
	case len(l.using) > maxMacroDepth:
		return nil, nil
	case !l.budget.use(m.bytes, len(m.args)):
		l.tooMuch(n.Span)
		return nil, nil
	}
	order := make([]int, len(m.args))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return len(m.args[order[i]]) > len(m.args[order[j]]) })
	values := make([]string, len(m.args))
	for i, a := range n.Args[1:] {
		values[i] = a.Text
		if strings.HasPrefix(m.args[i], "@") && a.Text != m.args[i] {
			values[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.Text) + `"`
		}
	}
	s := &source{file: m.body.File, at: int(m.body.Start), end: int(m.body.End), kept: m.lines, noComments: true}
	s.change = func(ln *line) line {
		out, _ := l.replace(ln, m.substitutes(ln, order, values))
		return out
	}
	return m, s
}

// substitutes finds the arguments of the macro in one of its lines.
func (m *macro) substitutes(ln *line, order []int, values []string) []replacement {
	t := ln.text
	var rs []replacement
	for i := 0; i < len(t); {
		step := 1
		for _, k := range order {
			if a := m.args[k]; a != "" && strings.HasPrefix(t[i:], a) {
				rs = append(rs, replacement{i, i + len(a), values[k]})
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
