package health

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Condition is a compiled ProxyHCExpr.
type Condition struct{ eval func(*Answer) bool }

// Holds reports whether the answer passes.
func (c *Condition) Holds(a *Answer) bool { return c.eval(a) }

// NewCondition makes a condition of a function, for expressions compiled elsewhere.
func NewCondition(eval func(*Answer) bool) *Condition { return &Condition{eval} }

// Compile reads an expression, in {} or without. It knows what is of use in a
// health check: comparisons of words and of whole numbers, =~ and !~, in {...},
// -z and -n, !, &&, ||, brackets; the variables REQUEST_STATUS, CONTENT_TYPE,
// SERVER_PROTOCOL and resp(...), and hc('body'). Anything else is an error, which
// says what was not understood.
func Compile(text string) (*Condition, error) {
	if t := strings.TrimSpace(text); strings.HasPrefix(t, "{") && strings.HasSuffix(t, "}") {
		text = t[1 : len(t)-1]
	}
	p := &exprParser{s: text}
	f, err := p.or()
	if err == nil {
		if p.blank(); p.s != "" {
			err = p.unknown()
		}
	}
	if err != nil {
		return nil, err
	}
	return &Condition{f}, nil
}

type (
	boolFunc = func(*Answer) bool
	textFunc = func(*Answer) string
)

// exprParser reads s from the left.
type exprParser struct {
	s     string
	depth int
}

const maxDepth = 100

func (p *exprParser) blank() { p.s = strings.TrimLeft(p.s, " \t") }

func (p *exprParser) unknown() error {
	if p.s == "" {
		return fmt.Errorf("the expression ends too early")
	}
	return fmt.Errorf("not known to health checks: %q", p.s)
}

func (p *exprParser) take(word string) bool {
	p.blank()
	rest, ok := strings.CutPrefix(p.s, word)
	if ok {
		p.s = rest
	}
	return ok
}

func (p *exprParser) or() (boolFunc, error)  { return p.join("||", p.and) }
func (p *exprParser) and() (boolFunc, error) { return p.join("&&", p.not) }

// join reads operands between equal operators.
func (p *exprParser) join(op string, operand func() (boolFunc, error)) (boolFunc, error) {
	f, err := operand()
	if err != nil {
		return nil, err
	}
	list := []boolFunc{f}
	for p.take(op) {
		if f, err = operand(); err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	if len(list) == 1 {
		return list[0], nil
	}
	stop := op == "||"
	return func(a *Answer) bool {
		for _, f := range list {
			if f(a) == stop {
				return stop
			}
		}
		return !stop
	}, nil
}

func (p *exprParser) not() (boolFunc, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("more than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("("):
		f, err := p.or()
		if err == nil && !p.take(")") {
			err = p.unknown()
		}
		return f, err
	case p.take("!"):
		f, err := p.not()
		return func(a *Answer) bool { return !f(a) }, err
	case p.takeWord("-z"):
		f, err := p.operand()
		return func(a *Answer) bool { return f(a) == "" }, err
	case p.takeWord("-n"):
		f, err := p.operand()
		return func(a *Answer) bool { return f(a) != "" }, err
	case p.takeWord("true"):
		return func(*Answer) bool { return true }, nil
	case p.takeWord("false"):
		return func(*Answer) bool { return false }, nil
	}
	return p.comparison()
}

// takeWord is take for a word that ends there.
func (p *exprParser) takeWord(w string) bool {
	p.blank()
	rest, ok := strings.CutPrefix(p.s, w)
	if !ok || rest != "" && !strings.ContainsRune(" \t)&|'\"%", rune(rest[0])) {
		return false
	}
	p.s = rest
	return true
}

// comparers are the operators; longer spellings come first. test gets the
// comparison of both sides: negative, 0 or positive.
var comparers = []struct {
	op      string
	numbers bool
	test    func(int) bool
}{
	{"==", false, func(n int) bool { return n == 0 }},
	{"!=", false, func(n int) bool { return n != 0 }},
	{"<=", false, func(n int) bool { return n <= 0 }},
	{">=", false, func(n int) bool { return n >= 0 }},
	{"<", false, func(n int) bool { return n < 0 }},
	{">", false, func(n int) bool { return n > 0 }},
	{"-eq", true, func(n int) bool { return n == 0 }},
	{"eq", true, func(n int) bool { return n == 0 }},
	{"-ne", true, func(n int) bool { return n != 0 }},
	{"ne", true, func(n int) bool { return n != 0 }},
	{"-le", true, func(n int) bool { return n <= 0 }},
	{"le", true, func(n int) bool { return n <= 0 }},
	{"-ge", true, func(n int) bool { return n >= 0 }},
	{"ge", true, func(n int) bool { return n >= 0 }},
	{"-lt", true, func(n int) bool { return n < 0 }},
	{"lt", true, func(n int) bool { return n < 0 }},
	{"-gt", true, func(n int) bool { return n > 0 }},
	{"gt", true, func(n int) bool { return n > 0 }},
}

func (p *exprParser) comparison() (boolFunc, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	for _, match := range []bool{true, false} {
		op := "!~"
		if match {
			op = "=~"
		}
		if p.take(op) {
			re, err := p.regex()
			if err != nil {
				return nil, err
			}
			return func(a *Answer) bool { return re.MatchString(left(a)) == match }, nil
		}
	}
	if p.takeWord("-in") || p.takeWord("in") {
		return p.list(left)
	}
	for _, c := range comparers {
		if c.op[0] >= 'a' || c.op[0] == '-' {
			if !p.takeWord(c.op) {
				continue
			}
		} else if !p.take(c.op) {
			continue
		}
		right, err := p.operand()
		if err != nil {
			return nil, err
		}
		if c.numbers {
			return func(a *Answer) bool { return c.test(number(left(a)) - number(right(a))) }, nil
		}
		return func(a *Answer) bool { return c.test(strings.Compare(left(a), right(a))) }, nil
	}
	if p.take("=") {
		right, err := p.operand()
		return func(a *Answer) bool { return left(a) == right(a) }, err
	}
	return nil, p.unknown()
}

func (p *exprParser) list(left textFunc) (boolFunc, error) {
	if !p.take("{") {
		return nil, p.unknown()
	}
	var items []textFunc
	for {
		f, err := p.operand()
		if err != nil {
			return nil, err
		}
		items = append(items, f)
		if p.take("}") {
			break
		}
		if !p.take(",") {
			return nil, p.unknown()
		}
	}
	return func(a *Answer) bool {
		l := left(a)
		for _, f := range items {
			if f(a) == l {
				return true
			}
		}
		return false
	}, nil
}

// number is C's atoi, bounded.
func number(s string) int {
	s = strings.TrimLeft(s, " \t")
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseInt(strings.TrimPrefix(s[:end], "+"), 10, 32)
	return int(n)
}

// regex reads /.../flags or m#...#flags.
func (p *exprParser) regex() (*regexp.Regexp, error) {
	p.blank()
	s := strings.TrimPrefix(p.s, "m")
	if s == "" || len(s) == len(p.s) && s[0] != '/' {
		return nil, p.unknown()
	}
	pattern, rest, ok := strings.Cut(s[1:], s[:1])
	if !ok {
		return nil, p.unknown()
	}
	flags := ""
	for rest != "" && strings.ContainsRune("ismgn", rune(rest[0])) {
		if rest[0] != 'g' && rest[0] != 'n' {
			flags += rest[:1]
		}
		rest = rest[1:]
	}
	p.s = rest
	if flags != "" {
		pattern = "(?" + flags + ")" + pattern
	}
	return regexp.Compile(pattern)
}

// operand reads a number, a quoted text, a variable or a function.
func (p *exprParser) operand() (textFunc, error) {
	p.blank()
	if p.s == "" {
		return nil, p.unknown()
	}
	switch c := p.s[0]; {
	case c == '\'' || c == '"':
		return p.quoted(c)
	case c >= '0' && c <= '9' || c == '-' && len(p.s) > 1 && p.s[1] >= '0' && p.s[1] <= '9':
		n := 1
		for n < len(p.s) && p.s[n] >= '0' && p.s[n] <= '9' {
			n++
		}
		text := p.s[:n]
		p.s = p.s[n:]
		return func(*Answer) string { return text }, nil
	case strings.HasPrefix(p.s, "%{"):
		name, rest, ok := strings.Cut(p.s[2:], "}")
		f := variable(name)
		if !ok || f == nil {
			return nil, p.unknown()
		}
		p.s = rest
		return f, nil
	}
	name, rest, ok := strings.Cut(p.s, "(")
	arg, after, closed := strings.Cut(rest, ")")
	arg = strings.Trim(strings.TrimSpace(arg), `'"`)
	f := function(strings.TrimSpace(name), arg)
	if !ok || !closed || f == nil {
		return nil, p.unknown()
	}
	p.s = after
	return f, nil
}

// quoted reads a text with variables in it.
func (p *exprParser) quoted(q byte) (textFunc, error) {
	var parts []textFunc
	var b strings.Builder
	flush := func() {
		text := b.String()
		b.Reset()
		parts = append(parts, func(*Answer) string { return text })
	}
	for i := 1; i < len(p.s); i++ {
		switch {
		case p.s[i] == q:
			flush()
			p.s = p.s[i+1:]
			return func(a *Answer) string {
				out := ""
				for _, f := range parts {
					out += f(a)
				}
				return out
			}, nil
		case p.s[i] == '\\' && i+1 < len(p.s):
			i++
			b.WriteByte(p.s[i])
		case strings.HasPrefix(p.s[i:], "%{"):
			name, _, ok := strings.Cut(p.s[i+2:], "}")
			f := variable(name)
			if !ok || f == nil {
				return nil, p.unknown()
			}
			flush()
			parts = append(parts, f)
			i += len(name) + 2
		default:
			b.WriteByte(p.s[i])
		}
	}
	return nil, p.unknown()
}

// variable returns nil for a name that is not known.
func variable(name string) textFunc {
	if f, arg, ok := strings.Cut(name, ":"); ok {
		return function(f, arg)
	}
	switch strings.ToUpper(name) {
	case "REQUEST_STATUS":
		return func(a *Answer) string { return strconv.Itoa(a.Status) }
	case "CONTENT_TYPE":
		return func(a *Answer) string { return a.Header.Get("Content-Type") }
	case "SERVER_PROTOCOL":
		return func(a *Answer) string { return a.Protocol }
	}
	return nil
}

func function(name, arg string) textFunc {
	switch strings.ToLower(name) {
	case "hc":
		if strings.EqualFold(arg, "body") {
			return func(a *Answer) string { return string(a.Body) }
		}
	case "resp":
		return func(a *Answer) string { return a.Header.Get(arg) }
	}
	return nil
}
