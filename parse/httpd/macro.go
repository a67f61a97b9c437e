package httpd

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"clowder/parse/diag"
)

// macro is one <Macro> of mod_macro: raw lines and the names of its arguments.
type macro struct {
	name  string
	at    diag.Span
	args  []string
	lines []line
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
	if m.name == "" || !n.Close.IsValid() {
		return // reported
	}
	for _, t := range l.c.Trees {
		if t.File != n.Span.File {
			continue
		}
		for _, ln := range t.lines {
			if ln.at.Start > n.Span.Start && ln.at.Start < n.Close.Start && (len(ln.text) == 0 || ln.text[0] != '#') {
				m.lines = append(m.lines, ln)
			}
		}
		break
	}
	l.macros[m.name] = m
}

// useMacro replays a macro's lines.
func (l *loader) useMacro(n, parent *Node) []*Node {
	m, lines := l.instance(n)
	if m == nil {
		return nil
	}
	p := &parser{}
	nodes := p.parse(lines)
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
func (l *loader) instance(n *Node) (*macro, []line) {
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
	lines := make([]line, len(m.lines))
	for i := range m.lines {
		lines[i] = m.substitute(&m.lines[i], order, values)
	}
	return m, lines
}

func (m *macro) substitute(ln *line, order []int, values []string) line {
	t := string(ln.text)
	var rs []replacement
	for i := 0; i < len(t); {
		step := 1
		for _, k := range order {
			if a := m.args[k]; a != "" && strings.HasPrefix(t[i:], a) {
				rs = append(rs, replacement{i, i + len(a), values[k]})
				step = len(a)
				break
			}
		}
		i += step
	}
	return ln.replace(rs)
}
