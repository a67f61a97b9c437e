// Package expr reads and evaluates the expressions of httpd 2.4 (ap_expr), which
// stand in Require expr, Header … expr=, SetEnvIfExpr, RewriteCond expr and <If>.
//
// Grammar and meaning follow server/util_expr_parse.y, util_expr_scan.l and
// util_expr_eval.c and the manual's page expr.html.
package expr

import (
	"errors"
	"fmt"
	"net/netip"
)

// Request is what an expression asks about one request. Names of variables come in
// upper case.
type Request interface {
	// Var returns %{NAME}, "" for what the request does not have.
	Var(name string) string
	// Header returns a line of the request, or of the answer.
	Header(name string) string
	Response(name string) string
	// Env and Note return a variable of the request's environment and a note.
	Env(name string) (string, bool)
	Note(name string) (string, bool)
	// Remote is the client's address, unmapped.
	Remote() netip.Addr
	// Allowed reports whether a request for the path (-U, -A) would be answered,
	// or with file set whether the file could be reached (-F).
	Allowed(path string, file bool) bool
}

// Error says where an expression is wrong.
type Error struct {
	Offset int // in bytes
	Msg    string
}

func (e *Error) Error() string { return fmt.Sprintf("at byte %d: %s", e.Offset, e.Msg) }

// ErrDepth is the error of an expression that goes deeper than httpd follows.
var ErrDepth = errors.New("recursion limit reached")

// maxRecursion is AP_EXPR_MAX_RECURSION.
const maxRecursion = 20

// maxParse bounds what the parser nests; evaluation ends much earlier.
const maxParse = 200

// Flags change how an expression is read.
type Flags uint8

// SSLCompat compares as SSLRequire does: shorter text is less.
const SSLCompat Flags = 1

// Bool is a condition, safe for concurrent use.
type Bool struct {
	root node
	ssl  bool
}

// Text is a text with variables, safe for concurrent use.
type Text struct{ root word }

// Match holds what $0 to $9 stand for. The zero value is ready; one Match may
// serve several expressions in turn, as conditions of one request do.
type Match struct {
	Source string
	At     []int
}

// Group returns the text of group n.
func (m *Match) Group(n int) string {
	if m == nil || 2*n+1 >= len(m.At) || m.At[2*n] < 0 {
		return ""
	}
	return m.Source[m.At[2*n]:m.At[2*n+1]]
}

// Result is what an evaluation has besides its value.
type Result struct {
	Vary []string // request headers that were looked at, Host left out
}

// Parse reads a condition. The error is an *Error.
func Parse(text string, f Flags) (*Bool, error) {
	p := &parser{in: text}
	n := p.or(0)
	p.next()
	if p.err == nil && p.tok != tEnd {
		p.fail(p.start, "unexpected %s", p.word())
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Bool{n, f&SSLCompat != 0}, nil
}

// ParseText reads a text with variables. The error is an *Error.
func ParseText(text string) (*Text, error) {
	p := &parser{in: text}
	w := p.text(0, 0)
	if p.err != nil {
		return nil, p.err
	}
	return &Text{w}, nil
}

// Eval evaluates the condition. On an error (too deep, a file that cannot be read,
// a pattern that took too long) the value is false. match and res may be nil.
func (b *Bool) Eval(r Request, match *Match, res *Result) (bool, error) {
	if match == nil {
		match = &Match{}
	}
	c := &context{r: r, match: match, res: res, ssl: b.ssl}
	v := c.eval(b.root)
	return v && c.err == nil, c.err
}

// Eval returns the text; "" with an error.
func (t *Text) Eval(r Request, match *Match) (string, error) {
	if s, ok := t.root.(literal); ok {
		return string(s), nil
	}
	if match == nil {
		match = &Match{}
	}
	c := &context{r: r, match: match}
	s := c.word(t.root)
	if c.err != nil {
		return "", c.err
	}
	return s, nil
}

// Constant returns the text if it has no variables.
func (t *Text) Constant() (string, bool) {
	s, ok := t.root.(literal)
	return string(s), ok
}

// Walk calls f with the name of each variable of the expression, in upper case, and
// of each function, in lower case with its argument if that is constant.
func (b *Bool) Walk(f func(name, arg string)) { walkNode(b.root, f) }

func walkNode(n node, f func(name, arg string)) {
	switch n := n.(type) {
	case not:
		walkNode(n.of, f)
	case or:
		walkNode(n.a, f)
		walkNode(n.b, f)
	case and:
		walkNode(n.a, f)
		walkNode(n.b, f)
	case unary:
		f("-"+string(n.op), "")
		walkWord(n.arg, f)
	case compare:
		walkWord(n.a, f)
		walkWord(n.b, f)
	case matches:
		walkWord(n.a, f)
	case in:
		walkWord(n.a, f)
		for _, w := range n.list {
			walkWord(w, f)
		}
	case subnet:
		if n.arg != nil {
			walkWord(n.arg, f)
		}
	}
}

func walkWord(w word, f func(name, arg string)) {
	switch w := w.(type) {
	case variable:
		f(string(w), "")
	case call:
		arg, _ := w.arg.(literal)
		f(w.name, string(arg))
		walkWord(w.arg, f)
	case concat:
		for _, part := range w {
			walkWord(part, f)
		}
	}
}
