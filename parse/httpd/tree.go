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
	Comment
	Blank
)

// Tree is the lossless syntax tree of one file: each logical line belongs to
// exactly one node. It is not changed after Load.
type Tree struct {
	File  *diag.File
	Nodes []*Node

	lines []line
}

// Node is one directive, section, comment or blank line.
type Node struct {
	Kind     Kind
	Name     string    // as typed, without "<"
	NameSpan diag.Span // without "<"
	Args     []Arg
	RawArgs  diag.Span // the argument text, of a section without its ">"
	Span     diag.Span // the logical line without its last line end; of a section only the opening tag
	Close    diag.Span // the closing tag's line; invalid when it is missing
	Children []*Node
	Parent   *Node
	Skipped  bool // inside a condition that is not taken

	ln       line
	raw      string    // argument text after expansion
	use      *macroUse // the Use that made the node, or nil
	noAngle  bool      // opening tag without ">"
	unclosed bool
}

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

// Text returns the argument text after expansion of variables, with quotes.
func (n *Node) Text() string { return n.raw }

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
	spans := make([]diag.Span, 0, len(t.lines))
	var collect func([]*Node)
	collect = func(nodes []*Node) {
		for _, n := range nodes {
			spans = append(spans, n.Span)
			collect(n.Children)
			if n.Close.IsValid() {
				spans = append(spans, n.Close)
			}
		}
	}
	collect(t.Nodes)
	var out []byte
	for _, s := range spans {
		out = append(out, s.Text()...)
		out = append(out, lineEnd(t.File.Data, int(s.End))...)
	}
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
