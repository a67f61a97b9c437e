// Package httpd reads Apache httpd's configuration language: a lossless syntax
// tree with exact places, the expansion of Include, Define, conditions and
// macros, and the lowering to the model.
//
// [Parse] never gives up: it returns a tree and what is wrong with it. [Load]
// reads a whole configuration as httpd's first phase does (server/config.c,
// ap_build_config), [Lower] executes it as the second phase does.
package httpd

import (
	"strings"

	"clowder/parse/diag"
)

// Kind says what a [Node] is.
type Kind uint8

// The kinds of nodes.
const (
	Directive Kind = iota + 1
	Section
	Comment // lines of which at least one is a comment, the others blank
	Blank   // blank lines
)

// Tree is the lossless syntax tree of one file: each logical line belongs to
// exactly one node. It is not changed after Load.
type Tree struct {
	File  *diag.File
	Nodes []*Node
}

// Node is one directive or section, or a run of comments and blank lines. It
// holds what most readers want and the place of the rest, which methods cut out
// of the file again: a large configuration has very many of them.
type Node struct {
	Kind     Kind
	Skipped  bool // inside a condition that is not taken
	noAngle  bool // opening tag without ">"
	unclosed bool
	open     bool     // on the parser's stack
	closing  [2]int32 // the closing tag's line in Span.File, 0:0 when it is missing

	Name     string // as typed, without "<"
	Args     []Arg
	Span     diag.Span // the logical line without its last line end; of a section only the opening tag
	Children []*Node
	Parent   *Node // after Load the section around it in Config.Nodes

	word *keyword  // what is known of the name; nil: nothing
	made *made     // the line when it is joined or substituted; nil: as it stands in the file
	use  *macroUse // the Use that made the node, or nil
}

// NameSpan returns the place of the name, without "<".
func (n *Node) NameSpan() diag.Span {
	l := n.line()
	p := l.parts()
	return l.span(p.nameStart, p.nameEnd)
}

// RawArgs returns the place of the argument text, of a section without its ">".
func (n *Node) RawArgs() diag.Span {
	l := n.line()
	p := l.parts()
	return l.span(p.args, p.end)
}

// Text returns the argument text after expansion of variables, with quotes.
func (n *Node) Text() string {
	l := n.line()
	p := l.parts()
	return l.text[p.args:p.end]
}

// Close returns the closing tag's line; it is not valid when that is missing.
func (n *Node) Close() diag.Span {
	if n.closing == [2]int32{} {
		return diag.Span{}
	}
	return diag.Span{File: n.Span.File, Start: n.closing[0], End: n.closing[1]}
}

// line returns the logical line of a directive or section.
func (n *Node) line() line {
	if m := n.made; m != nil {
		return line{file: n.Span.File, at: n.Span, text: m.text, base: m.base, segs: m.segs}
	}
	text := n.Span.File.Text(int(n.Span.Start), int(n.Span.End))
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	l := line{file: n.Span.File, at: n.Span, text: text, base: n.Span.Start}
	l.trim()
	return l
}

// command returns what the stock modules say about the directive or section, nil
// when none of them has it.
func (n *Node) command() *command {
	switch {
	case n.word == nil:
		return nil
	case n.Kind == Section:
		return n.word.section
	}
	return n.word.directive
}

// key returns the name in lower case; of one that is too long to be known, as it is.
func (n *Node) key() string {
	if n.word != nil {
		return n.word.key
	}
	if len(n.Name) > longestName {
		return n.Name // no known name is so long
	}
	return strings.ToLower(n.Name)
}

// longestName is more than the length of any name that a module knows.
const longestName = 100

// Arg is one word of a directive's arguments.
type Arg struct {
	Text string    // quotes and escapes resolved
	Span diag.Span // as written, quotes included
}

// Is reports whether the node is a directive or section of that name; case does
// not matter.
func (n *Node) Is(name string) bool { return strings.EqualFold(n.Name, name) }

// Arg returns the text of the i-th argument, "" when there is none.
func (n *Node) Arg(i int) string {
	if i < len(n.Args) {
		return n.Args[i].Text
	}
	return ""
}

// Walk calls f for each node in document order; when f returns false the
// children of that node are left out.
func Walk(nodes []*Node, f func(*Node) bool) {
	for _, n := range nodes {
		if f(n) {
			Walk(n.Children, f)
		}
	}
}

// Bytes prints the tree. An untouched tree gives the bytes of its file.
func (t *Tree) Bytes() []byte {
	out := make([]byte, 0, len(t.File.Data))
	add := func(s diag.Span) {
		out = append(out, s.File.Data[s.Start:s.End]...)
		out = append(out, lineEnd(s.File.Data, int(s.End))...)
	}
	var print func([]*Node)
	print = func(nodes []*Node) {
		for _, n := range nodes {
			add(n.Span)
			print(n.Children)
			if c := n.Close(); c.IsValid() {
				add(c)
			}
		}
	}
	print(t.Nodes)
	return out
}

func lineEnd(data []byte, at int) []byte {
	if at < len(data) && data[at] == '\n' {
		return data[at : at+1]
	}
	if at+1 < len(data) && data[at] == '\r' && data[at+1] == '\n' {
		return data[at : at+2]
	}
	return nil
}
