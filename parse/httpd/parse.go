package httpd

import (
	"bytes"
	"fmt"
	"strings"

	"clowder/parse/diag"
)

// maxSyntaxErrors bounds the findings of one file.
const maxSyntaxErrors = 200

// maxNesting bounds how deep sections are followed; deeper opening tags are
// taken as directives.
const maxNesting = 200

// Parse builds the lossless syntax tree of one file. Errors of the sections'
// structure are findings H001; after one the parser goes on, and takes what may
// not stand in an unclosed section as being outside of it again.
func Parse(f *diag.File) (*Tree, diag.List) {
	p := &parser{}
	return p.file(f), p.diags
}

func (p *parser) file(f *diag.File) *Tree {
	lines := splitLines(f, 0, len(f.Data))
	return &Tree{File: f, Nodes: p.parse(lines), lines: lines}
}

type parser struct {
	diags diag.List
	root  Node
	stack []*Node

	// suspicious says that the tags do not make a plain tree: httpd, which reads
	// line by line and skips what is not taken, may see it otherwise.
	suspicious bool
}

func (p *parser) parse(lines []line) []*Node {
	nodes := make([]*Node, 0, len(lines))
	closes := make([]string, len(lines)) // name of the closing tag on that line
	for i := range lines {
		n := newNode(lines[i])
		if strings.HasPrefix(n.Name, "/") && n.Kind == Section {
			closes[i] = strings.TrimSuffix(n.Name[1:], ">")
		}
		nodes = append(nodes, n)
	}
	openers := match(nodes, closes)
	p.stack = []*Node{&p.root}
	for i, n := range nodes {
		switch {
		case closes[i] != "" || n.Kind == Section && strings.HasPrefix(n.Name, "/"):
			p.close(n, closes[i], openers[i])
		case n.Kind == Comment || n.Kind == Blank:
			p.add(n)
		default:
			p.leave(n)
			p.add(n)
			if n.Kind == Section && len(p.stack) > maxNesting {
				n.Kind = Directive
			}
			if n.Kind == Section {
				if n.noAngle {
					p.report(n.Span, fmt.Sprintf("`<%s>` lacks its closing `>`", n.Name))
				}
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

// match finds for each closing tag its opening tag, and marks the opening tags
// that have none.
func match(nodes []*Node, closes []string) map[int]*Node {
	openers := map[int]*Node{}
	var stack []*Node
	open := map[string]int{} // how often a name is on the stack
	for i, n := range nodes {
		if n.Kind != Section {
			continue
		}
		if !strings.HasPrefix(n.Name, "/") {
			if len(stack) < maxNesting {
				stack = append(stack, n)
				open[strings.ToLower(n.Name)]++
			}
			continue
		}
		if open[strings.ToLower(closes[i])] == 0 {
			continue
		}
		for {
			top := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			open[strings.ToLower(top.Name)]--
			if top.Is(closes[i]) {
				openers[i] = top
				break
			}
			top.unclosed = true
		}
	}
	for _, n := range stack {
		n.unclosed = true
	}
	return openers
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
	for k := len(p.stack) - 1; k > 0 && p.stack[k].unclosed; k-- {
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
	open := opener != nil
	if open {
		open = false
		for _, s := range p.stack {
			open = open || s == opener
		}
	}
	if !open {
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
	if int(n.NameSpan.End-n.NameSpan.Start) != len(n.ln.text)-1 {
		p.suspicious = true // text behind the tag: not the end of a condition
	}
	opener.Close = n.Span
	p.stack = p.stack[:len(p.stack)-1]
}

// drop ends the innermost section, which is never closed, before next.
func (p *parser) drop(next *Node) {
	s := p.top()
	p.stack = p.stack[:len(p.stack)-1]
	f := s.Span.File
	last := f.Line(int(s.Span.End))
	Walk(s.Children, func(n *Node) bool {
		if n.Kind == Directive || n.Kind == Section {
			last = max(last, f.Line(int(n.Span.End)))
			if n.Close.IsValid() {
				last = max(last, f.Line(int(n.Close.End)))
			}
		}
		return true
	})
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

// newNode makes the node of one logical line; sections still lack their content.
func newNode(l line) *Node {
	n := &Node{Span: l.at, ln: l}
	switch {
	case len(l.text) == 0:
		n.Kind = Blank
		return n
	case l.text[0] == '#':
		n.Kind = Comment
		return n
	}
	n.Kind = Directive
	name, s, e, next := l.word(0)
	n.Name, n.NameSpan = name, l.span(s, e)
	end := len(l.text)
	if strings.HasPrefix(name, "<") && len(name) > 1 {
		n.Kind = Section
		n.Name, n.NameSpan = name[1:], l.span(s+1, e)
		if n.Name[0] == '/' {
			return n
		}
		if k := bytes.LastIndexByte(l.text, '>'); k < 0 {
			n.noAngle = true
		} else {
			end = k
			if strings.HasSuffix(n.Name, ">") && e-1 == k {
				n.Name, n.NameSpan = n.Name[:len(n.Name)-1], l.span(s+1, e-1)
			}
		}
		if n.Name == "" {
			n.Kind, n.Name = Directive, name
		}
	}
	next = min(next, end)
	n.RawArgs, n.raw = l.span(next, end), string(l.text[next:end])
	n.Args = l.words(next, end)
	return n
}
