package httpd

import (
	"fmt"
	"strings"

	"clowder/parse/diag"
)

// strict reads a configuration line by line as ap_build_config in
// server/config.c does, with conditions, includes and macros as the stream that
// they are for httpd: a section may be opened by a variable or in one use of a
// macro and closed in the next. It is asked when the tree of [Parse] shows a
// mistake in the sections' structure, or something that only looks like a
// structure: then it says whether httpd would stop, and where.
type strict struct {
	l     *loader
	in    []*source        // what lines come from, innermost last
	stop  *diag.Diagnostic // why httpd stops; nil while it goes on
	depth int              // of conditions and sections around the next line
	full  bool             // the budget is used up: nothing more is read
}

// readStrictly reads the whole configuration anew. It leaves in l.c what httpd
// makes of it, or returns the mistake at which httpd stops.
func readStrictly(f *diag.File, l *loader) *diag.Diagnostic {
	s := &strict{l: l}
	t := l.parse(f)
	l.c.Files, l.c.Trees = append(l.c.Files, f), append(l.c.Trees, t)
	l.c.Nodes = s.file(t)
	return s.stop
}

func (s *strict) fail(at diag.Span, format string, args ...any) {
	if s.stop == nil {
		s.stop = &diag.Diagnostic{ID: "H001", Name: "httpd-syntax", Severity: diag.Error, Confidence: diag.Certain,
			Span: at, Message: fmt.Sprintf(format, args...)}
	}
}

// read returns the next line of the stream.
func (s *strict) read() (line, bool) {
	for len(s.in) > 0 && !s.full {
		if ln, ok := s.in[len(s.in)-1].next(); ok {
			return ln, true
		}
		if len(s.in) == 1 {
			break
		}
		s.in = s.in[:len(s.in)-1]
	}
	return line{}, false
}

// file reads one file; its sections must be closed in it.
func (s *strict) file(t *Tree) []*Node {
	outer := s.in
	s.in = []*source{{file: t.File, end: len(t.File.Data)}}
	b := s.building()
	for s.stop == nil {
		ln, ok := s.read()
		if !ok {
			break
		}
		s.line(ln, b)
	}
	if s.stop == nil && !s.full && b.cur != b.root {
		n := b.cur
		for n.Parent != nil {
			n = n.Parent
		}
		s.fail(n.Span, "`<%s>` is never closed", n.Name)
	}
	s.in = outer
	return b.root.Children
}

// building is one level of nodes in the making.
type building struct {
	root, cur *Node
	drop      bool // nodes are not kept
}

func (s *strict) building() *building {
	n := &Node{}
	return &building{root: n, cur: n, drop: s.l.judging}
}

func (b *building) add(n *Node) {
	if !b.drop {
		b.cur.Children = append(b.cur.Children, n)
	}
	n.Parent = b.cur
	if b.cur == b.root {
		n.Parent = nil
	}
}

// line handles one line as ap_build_config_sub does.
func (s *strict) line(ln line, b *building) {
	if len(ln.text) == 0 || ln.text[0] == '#' {
		return
	}
	top := s.in[len(s.in)-1]
	resolved, _ := s.l.resolveEnv(&ln)
	n := s.node(&resolved)
	if n == nil {
		return
	}
	n.Span, n.use = ln.at, top.use
	if n.Kind == Blank {
		return
	}
	if n.Kind == Comment { // a "#" out of a variable
		n.Kind, n.Name = Directive, "#"
	}
	if n.Kind == Directive && (n.Name == "<" || n.Name == "<>") {
		n.Kind, n.Name = Section, "" // for httpd a section without a name
	}
	name := n.key()
	switch {
	case n.Kind == Section && strings.HasPrefix(name, "/"):
		s.close(n, b)
	case n.Kind == Section && conditions[name]:
		s.condition(n, b)
	case n.Kind == Section && name == "macro" && s.l.c.hasCommand("<macro"):
		s.macro(n)
	case n.Kind == Section:
		b.add(n)
		b.cur = n
		s.deeper(n)
	default:
		s.directive(n, name, b)
	}
}

// node makes the node of a line; nil when the budget is used up, which is a
// finding.
func (s *strict) node(ln *line) *Node {
	b := s.l.budget
	n := new(Node)
	if !s.l.judging {
		n = s.l.made.add()
	}
	switch ok := b.node(); {
	case ok && ln.kind() != Directive:
		n.Kind = ln.kind()
	case !ok || !n.read(ln, &s.l.args, b):
		s.full = true
		s.l.syntax(ln.at, "%s", tooDense(b))
		return nil
	}
	return n
}

// deeper counts one more level, which the caller ends.
func (s *strict) deeper(n *Node) {
	if s.depth++; s.depth > maxNesting {
		s.full = true
		s.l.syntax(n.Span, "sections are nested more than %d deep; what follows was not read", maxNesting)
	}
}

func (s *strict) close(n *Node, b *building) {
	name := strings.TrimSuffix(n.Name[1:], ">")
	switch {
	case b.cur == b.root:
		s.fail(n.Span, "`</%s>` without a matching `<%s>`", name, name)
	case !strings.HasSuffix(n.Name, ">"):
		s.fail(n.Span, "`<%s>` lacks its closing `>`", n.Name)
	case !b.cur.Is(name):
		s.fail(n.Span, "`</%s>` stands where `</%s>` should", name, b.cur.Name)
	default:
		b.cur.closing = [2]int32{n.Span.Start, n.Span.End}
		s.depth--
		if b.cur = b.cur.Parent; b.cur == nil {
			b.cur = b.root
		}
	}
}

func (s *strict) directive(n *Node, name string, b *building) {
	before := len(s.l.diags)
	switch {
	case name == "include" || name == "includeoptional":
		s.include(n, b)
		return
	case name == "use" && s.l.c.hasCommand("use"):
		s.use(n)
		return
	case s.l.readTime(n, name):
	default:
		b.add(n)
	}
	s.refused(before)
}

// refused stops when an error was reported since before.
func (s *strict) refused(before int) bool {
	for _, d := range s.l.diags[before:] {
		if d.Severity == diag.Error && s.stop == nil {
			s.stop = &d
		}
	}
	return s.stop != nil
}

// condition handles <IfX> as start_cond_section in server/core.c.
func (s *strict) condition(n *Node, b *building) {
	if n.noAngle {
		s.fail(n.Span, "`<%s>` lacks its closing `>`", n.Name)
		return
	}
	before := len(s.l.diags)
	taken := s.l.condition(n)
	switch {
	case s.refused(before):
	case taken:
		s.deeper(n)
		for _, c := range s.container(n.Name) {
			b.add(c)
		}
		s.depth--
	default:
		if seen, ok := s.soak(n.Name); !ok && !s.full {
			if seen == "" {
				s.fail(n.Span, "`<%s>` is never closed", n.Name)
			} else {
				s.fail(n.Span, "in this `<%s>`, which is skipped, %s", n.Name, seen)
			}
		}
	}
}

// container reads up to the closing tag of a condition that was taken
// (ap_build_cont_config): a line that holds nothing else, where all sections
// opened inside are closed. The end of the input ends it too.
func (s *strict) container(name string) []*Node {
	b := s.building()
	end := "</" + name + ">"
	for s.stop == nil {
		ln, ok := s.read()
		if !ok || b.cur == b.root && strings.EqualFold(ln.text, end) {
			break
		}
		s.line(ln, b)
	}
	return b.root.Children
}

// soak skips to the closing tag (ap_soak_end_container). It returns what stands
// there instead, or false and nothing at the end of the input.
func (s *strict) soak(name string) (instead string, ok bool) {
	open := []string{name}
	for {
		ln, more := s.read()
		if !more {
			return "", false
		}
		word, _, _, next := ln.word(0)
		if len(word) < 2 || word[0] != '<' {
			continue
		}
		if word[1] != '/' {
			word = word[1:]
			if next == len(ln.text) {
				word = strings.TrimSuffix(word, ">")
			}
			open = append(open, word)
			continue
		}
		top := open[len(open)-1]
		if !strings.EqualFold(word[2:len(word)-1], top) {
			return fmt.Sprintf("`%s` stands at line %d where `</%s>` should", word, lastLine(ln.at), top), false
		}
		if open = open[:len(open)-1]; len(open) == 0 {
			return "", true
		}
	}
}

func (s *strict) include(n *Node, b *building) {
	l := s.l
	before := len(l.diags)
	trees := l.included(n)
	if s.refused(before) {
		return
	}
	l.depth++
	for _, t := range trees {
		for _, c := range s.file(t) {
			b.add(c)
		}
	}
	l.depth--
}

// macro stores a definition (get_lines_till_end_token in mod_macro.c).
func (s *strict) macro(n *Node) {
	if n.noAngle {
		s.fail(n.Span, "`<Macro>` lacks its closing `>`")
		return
	}
	before := len(s.l.diags)
	m := s.l.newMacro(n)
	if s.refused(before) {
		return
	}
	for depth := 1; ; {
		ln, ok := s.read()
		if !ok && s.full {
			return
		}
		if !ok {
			s.fail(n.Span, "`<Macro>` is never closed")
			return
		}
		if len(ln.text) > 0 && ln.text[0] == '#' {
			continue
		}
		word, _, _, _ := ln.word(0)
		switch {
		case strings.EqualFold(word, "</Macro>"):
			depth--
		case strings.EqualFold(word, "<Macro"):
			depth++
		}
		if depth == 0 {
			break
		}
		if !s.l.budget.take(lineBytes + ln.bytes()) {
			s.full = true
			s.l.syntax(ln.at, "%s", tooDense(s.l.budget))
			return
		}
		m.lines = append(m.lines, ln)
		m.bytes += len(ln.text) + 1
	}
	s.l.macros[m.name] = m
}

// use puts the lines of a macro in front of the rest of the input.
func (s *strict) use(n *Node) {
	before := len(s.l.diags)
	top := s.in[len(s.in)-1]
	s.l.using = top.using
	m, lines := s.l.instance(n)
	if s.refused(before) || m == nil {
		return
	}
	lines.use = &macroUse{m, n.Span}
	lines.using = append(top.using[:len(top.using):len(top.using)], m)
	s.in = append(s.in, lines)
}
