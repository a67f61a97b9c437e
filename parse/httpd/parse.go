package httpd

import (
	"fmt"
	"strings"

	"clowder/parse/diag"
)

// maxSyntaxErrors bounds the findings of one file.
const maxSyntaxErrors = 200

// maxNesting bounds how deep sections are followed. httpd has no such bound: it
// accepts 10,000 nested <If>, and crashes on 10,000 nested <IfModule>.
const maxNesting = 10000

// maxRecovery bounds in how many unclosed sections around a directive the parser
// looks for one in which it may not stand.
const maxRecovery = 16

// Parse builds the lossless syntax tree of one file. Errors of the sections'
// structure are findings H001; after one the parser goes on, and takes what may
// not stand in an unclosed section as being outside of it again.
func Parse(f *diag.File) (*Tree, diag.List) {
	b := newBudget()
	b.grow(len(f.Data))
	p := &parser{budget: b}
	return p.file(f), p.diags
}

// file reads a file whose size the budget knows.
func (p *parser) file(f *diag.File) *Tree {
	for at := 0; at < len(f.Data); {
		var l line
		l, at = nextLine(f, at, len(f.Data))
		if !p.line(l) {
			p.rest(f, int(l.at.Start))
			break
		}
	}
	return &Tree{File: f, Nodes: p.tree()}
}

// parser builds a tree in three passes: a node of each line, the pairs of opening
// and closing tags, the sections' content.
type parser struct {
	budget *budget
	diags  diag.List
	nodes  nodeList
	args   argList
	root   Node
	stack  []*Node

	// suspicious says that the tags do not make a plain tree: httpd, which reads
	// line by line and skips what is not taken, may see it otherwise.
	suspicious bool
	overrun    *diag.Diagnostic // that the budget was used up
}

// line adds the node of one logical line; false when there are too many. Blank
// lines and comments that follow each other become one node.
func (p *parser) line(l line) bool {
	kind := l.kind()
	if last := p.nodes.last(); last != nil && kind != Directive && last.Kind != Directive && last.Kind != Section {
		last.Span.End = l.at.End
		last.Kind = min(last.Kind, kind)
		return true
	}
	if !p.budget.node() {
		p.tell(l.at, tooDense(p.budget))
		return false
	}
	n := p.nodes.add()
	if kind != Directive {
		n.Kind, n.Span = kind, l.at
		return true
	}
	if !n.read(&l, &p.args, p.budget) || n.Kind == Section && !p.budget.take(sectionBytes-nodeBytes) {
		p.tell(l.at, tooDense(p.budget))
	}
	if n.Kind == Directive && strings.HasPrefix(n.Name, "<") {
		p.suspicious = true // a tag without a name
	}
	return true
}

// rest makes one node, like a comment, of what is not read.
func (p *parser) rest(f *diag.File, start int) {
	end := len(f.Data)
	if end > start && f.Data[end-1] == '\n' {
		end--
	}
	*p.nodes.add() = Node{Kind: Comment, Span: diag.At(f, start, end)}
}

// closes reports whether the node is a closing tag; tag is its name.
func (n *Node) closes() (tag string, ok bool) {
	if n.Kind != Section || n.Name[0] != '/' {
		return "", false
	}
	return strings.TrimSuffix(n.Name[1:], ">"), true
}

// tree makes the sections out of the lines.
func (p *parser) tree() []*Node {
	p.match()
	p.stack = append(p.stack, &p.root)
	for n := range p.nodes.all {
		tag, closes := n.closes()
		switch {
		case closes:
			opener := n.Parent
			n.Parent = nil
			p.close(n, tag, opener)
		case n.Kind == Comment || n.Kind == Blank:
			p.add(n)
		default:
			p.leave(n)
			p.add(n)
			if n.Kind == Section {
				if n.noAngle {
					p.report(n.Span, fmt.Sprintf("`<%s>` lacks its closing `>`", n.Name))
				}
				n.open = true
				p.stack = append(p.stack, n)
			}
		}
	}
	for len(p.stack) > 1 {
		p.drop(nil)
	}
	for _, n := range p.root.Children {
		n.Parent = nil
	}
	return p.root.Children
}

// match finds for each closing tag its opening tag, which it leaves in Parent, and
// marks the opening tags that have none. Tags that are too deep become directives.
func (p *parser) match() {
	var stack []*Node
	open := map[string]int{} // how often a name is on the stack
	for n := range p.nodes.all {
		if n.Kind != Section {
			continue
		}
		tag, closes := n.closes()
		if !closes {
			if stack = append(stack, n); len(stack) == maxNesting+1 {
				p.tell(n.Span, fmt.Sprintf("sections are nested more than %d deep; what is deeper was not read as sections", maxNesting))
			}
			open[strings.ToLower(n.Name)]++
			continue
		}
		key := strings.ToLower(tag)
		if open[key] == 0 {
			continue
		}
		for done := false; !done; {
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			name := strings.ToLower(top.Name)
			open[name]--
			if done = name == key; done {
				n.Parent = top
			} else {
				top.unclosed = true
			}
			if len(stack) >= maxNesting {
				top.flatten()
				if done {
					n.flatten()
				}
			}
		}
	}
	for i, n := range stack {
		n.unclosed = true
		if i >= maxNesting {
			n.flatten()
		}
	}
}

// flatten makes a directive of a tag.
func (n *Node) flatten() {
	n.Kind, n.Name, n.word, n.Parent = Directive, "<"+n.Name, nil, nil
}

func (p *parser) top() *Node { return p.stack[len(p.stack)-1] }

func (p *parser) add(n *Node) {
	n.Parent = p.top()
	n.Parent.Children = append(n.Parent.Children, n)
	if n.Parent == &p.root {
		n.Parent = nil
	}
}

// leave ends the unclosed sections in which n may not stand.
func (p *parser) leave(n *Node) {
	for k := len(p.stack) - 1; k > max(0, len(p.stack)-maxRecovery) && p.stack[k].unclosed; k-- {
		if mayStandIn(n, p.stack[k]) {
			continue
		}
		for len(p.stack) > k {
			p.drop(n)
		}
	}
}

// close handles a closing tag. One without an opener is kept as a directive so
// that no byte is lost.
func (p *parser) close(n *Node, name string, opener *Node) {
	if !strings.HasSuffix(n.Name, ">") {
		p.report(n.Span, fmt.Sprintf("`<%s>` lacks its closing `>`", n.Name))
	}
	if opener == nil || !opener.open {
		n.Kind = Directive
		if strings.HasSuffix(n.Name, ">") {
			p.report(n.Span, fmt.Sprintf("`</%s>` without a matching `<%s>`", name, name))
		}
		p.add(n)
		return
	}
	for p.top() != opener {
		p.drop(n)
	}
	if s := n.NameSpan(); int(s.End-s.Start) != len(n.line().text)-1 {
		p.suspicious = true // text behind the tag: not the end of a condition
	}
	opener.closing, opener.open = [2]int32{n.Span.Start, n.Span.End}, false
	p.stack = p.stack[:len(p.stack)-1]
}

// drop ends the innermost section, which is never closed, before next.
func (p *parser) drop(next *Node) {
	s := p.top()
	s.open = false
	p.stack = p.stack[:len(p.stack)-1]
	if len(p.diags) < maxSyntaxErrors {
		p.neverClosed(s, next)
	}
	// Trailing comments and blank lines belong to what follows.
	keep := len(s.Children)
	for keep > 0 && (s.Children[keep-1].Kind == Blank || s.Children[keep-1].Kind == Comment) {
		keep--
	}
	rest := s.Children[keep:]
	s.Children = s.Children[:keep:keep]
	for _, n := range rest {
		p.add(n)
	}
}

// neverClosed reports a section without an end; next is what ended it.
func (p *parser) neverClosed(s, next *Node) {
	f := s.Span.File
	last := f.Line(int(s.Span.End))
	for d := s; len(d.Children) > 0; {
		k := len(d.Children) - 1
		for k >= 0 && (d.Children[k].Kind == Comment || d.Children[k].Kind == Blank) {
			k--
		}
		if k < 0 {
			break
		}
		d = d.Children[k]
		last = max(last, f.Line(int(d.Span.End)))
		if c := d.Close(); c.IsValid() {
			last = max(last, f.Line(int(c.End)))
			break
		}
	}
	msg := fmt.Sprintf("`<%s>` opened at line %d is never closed; add `</%s>` after line %d", s.Name, f.Line(int(s.Span.Start)), s.Name, last)
	d := diag.Diagnostic{Span: s.Span}
	if next != nil {
		name := next.Name
		if next.Kind == Section {
			name = "<" + strings.TrimSuffix(name, ">") + ">"
		}
		msg += fmt.Sprintf(" (the next directive, `%s`, is not allowed inside it)", name)
		d.Related = []diag.Related{{Span: next.Span, Message: "not allowed inside `<" + s.Name + ">`"}}
	}
	d.Message = msg
	p.add1(d)
}

// tell reports, once for a configuration, that it is not read as it stands.
func (p *parser) tell(at diag.Span, msg string) {
	if !p.budget.told {
		p.budget.told = true
		p.report(at, msg)
		p.overrun = &p.diags[len(p.diags)-1]
	}
}

func (p *parser) report(at diag.Span, msg string) {
	p.add1(diag.Diagnostic{Span: at, Message: msg})
}

func (p *parser) add1(d diag.Diagnostic) {
	p.suspicious = true
	if len(p.diags) < maxSyntaxErrors {
		d.ID, d.Name, d.Severity, d.Confidence = "H001", "httpd-syntax", diag.Error, diag.Certain
		p.diags.Add(d)
	}
}
