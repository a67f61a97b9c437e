package expr

import (
	"fmt"
	"strings"
)

// token kinds; a single byte of punctuation is its own kind.
type token int

const (
	tEnd     token = -iota - 1
	tID            // identifier
	tDigit         // number
	tStr           // a quote was read
	tVar           // %{ was read
	tBackref       // $n
	tRegex         // /…/ or m#…#
	tUnary         // -n
	tBinary        // -ipmatch
	tOp            // comparison, in val its canonical spelling
	tOr
	tAnd
	tNot
	tTrue
	tFalse
)

// parser reads an expression; the first error ends it.
type parser struct {
	in    string
	i     int
	ahead bool // tok was not taken yet
	tok   token
	start int // of tok
	val   string
	fold  bool // of a regex
	err   *Error
}

func (p *parser) fail(at int, format string, args ...any) {
	if p.err == nil {
		p.err = &Error{min(at, len(p.in)), fmt.Sprintf(format, args...)}
	}
	p.i, p.tok, p.ahead = len(p.in), tEnd, true
}

// word describes the current token for a message.
func (p *parser) word() string {
	if p.start >= len(p.in) {
		return "end"
	}
	rest := p.in[p.start:]
	if k := strings.IndexAny(rest, " \t\n"); k > 0 {
		rest = rest[:k]
	}
	return fmt.Sprintf("%q", rest[:min(len(rest), 40)])
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }
func idByte(c byte) bool { return letter(c) || digit(c) || c == '_' }

var keywords = map[string]struct {
	tok token
	val string
}{
	"and": {tAnd, ""}, "or": {tOr, ""}, "not": {tNot, ""}, "true": {tTrue, ""}, "false": {tFalse, ""},
	"lt": {tOp, "-lt"}, "le": {tOp, "-le"}, "gt": {tOp, "-gt"}, "ge": {tOp, "-ge"}, "ne": {tOp, "-ne"}, "eq": {tOp, "-eq"}, "in": {tOp, "-in"},
}

var dashed = map[string]bool{"-in": true, "-eq": true, "-ne": true, "-ge": true, "-le": true, "-gt": true, "-lt": true}

var signs = []struct {
	text string
	tok  token
	val  string
}{
	{"==", tOp, "=="}, {"!=", tOp, "!="}, {"<=", tOp, "<="}, {">=", tOp, ">="}, {"=~", tOp, "=~"}, {"!~", tOp, "!~"},
	{"&&", tAnd, ""}, {"||", tOr, ""}, {"=", tOp, "=="}, {"<", tOp, "<"}, {">", tOp, ">"}, {"!", tNot, ""}, {"%{", tVar, ""},
}

// next makes the token that follows the current one; with ahead set it stays.
func (p *parser) next() {
	if p.ahead {
		return
	}
	p.ahead = true
	for p.i < len(p.in) && strings.IndexByte(" \t\n", p.in[p.i]) >= 0 {
		p.i++
	}
	p.start = p.i
	if p.i >= len(p.in) {
		p.tok = tEnd
		return
	}
	rest := p.in[p.i:]
	c := rest[0]
	switch {
	case c == '"' || c == '\'':
		p.tok, p.val = tStr, rest[:1]
		p.i++
		return
	case c == '$' && len(rest) > 1 && digit(rest[1]):
		p.tok, p.val = tBackref, rest[1:2]
		p.i += 2
		return
	case c == '/':
		p.regex(c, 1)
		return
	case c == 'm' && len(rest) > 1 && strings.IndexByte(`/#$%^,;:_?|-!.'"`, rest[1]) >= 0 && !(rest[1] == '_' && len(rest) > 2 && idByte(rest[2])):
		p.regex(rest[1], 2)
		return
	}
	for _, s := range signs {
		if strings.HasPrefix(rest, s.text) {
			p.tok, p.val = s.tok, s.val
			p.i += len(s.text)
			return
		}
	}
	p.longer(rest)
}

// longer reads numbers, operators with a dash, names and punctuation.
func (p *parser) longer(rest string) {
	c := rest[0]
	n := 1
	switch {
	case digit(c) || c == '-' && len(rest) > 1 && digit(rest[1]):
		for n < len(rest) && digit(rest[n]) {
			n++
		}
		p.tok, p.val = tDigit, rest[:n]
	case c == '-' && len(rest) > 1 && (letter(rest[1]) || rest[1] == '_'):
		for n < len(rest) && idByte(rest[n]) {
			n++
		}
		switch {
		case dashed[rest[:n]]:
			p.tok, p.val = tOp, rest[:n]
		case n == 2:
			p.tok, p.val = tUnary, rest[1:n]
		default:
			p.tok, p.val = tBinary, rest[1:n]
		}
	case letter(c):
		for n < len(rest) && idByte(rest[n]) {
			n++
		}
		p.tok, p.val = tID, rest[:n]
		if k, ok := keywords[p.val]; ok {
			p.tok, p.val = k.tok, k.val
		}
	case strings.IndexByte("(){},:.", c) >= 0:
		p.tok, p.val = token(c), rest[:1]
	default:
		p.fail(p.i, "unexpected %q", rest[:1])
		return
	}
	p.i += n
}

// regex reads a pattern up to its delimiter and the flag i.
func (p *parser) regex(end byte, skip int) {
	body := p.in[p.i+skip:]
	k := strings.IndexByte(body, end)
	if k < 0 {
		p.fail(p.i, "the regular expression lacks its closing %q", string(end))
		return
	}
	p.tok, p.val, p.fold = tRegex, body[:k], false
	p.i += skip + k + 1
	if p.i < len(p.in) && p.in[p.i] == 'i' {
		p.fold = true
		p.i++
	}
}

// take consumes the token if it is of the kind.
func (p *parser) take(t token) bool {
	p.next()
	if p.err != nil || p.tok != t {
		return false
	}
	p.ahead = false
	return true
}

// text reads the parts of a text up to its end: a quote, "}" for an argument of
// %{name:…}, or with end 0 the end of the input.
func (p *parser) text(end byte, depth int) word {
	var parts concat
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			parts = append(parts, literal(b.String()))
			b.Reset()
		}
	}
	start := p.i
	for p.err == nil {
		if p.i >= len(p.in) {
			if end != 0 {
				p.fail(start-1, "unterminated string or variable")
				return literal("")
			}
			break
		}
		c := p.in[p.i]
		switch {
		case c == end:
			p.i++
			flush()
			return p.joined(parts)
		case end == '}' && (c == '"' || c == '\''), c == '\n':
			p.fail(p.i, "unexpected %q in a string or variable", string(c))
		case c == '\\' && p.i+1 < len(p.in):
			p.escape(&b)
		case c == '\\':
			p.fail(p.i, "a backslash at the end")
		case c == '$' && p.i+1 < len(p.in) && digit(p.in[p.i+1]):
			flush()
			parts = append(parts, backref(p.in[p.i+1]-'0'))
			p.i += 2
		case strings.HasPrefix(p.in[p.i:], "%{"):
			flush()
			p.i += 2
			parts = append(parts, p.variable(depth+1))
		default:
			b.WriteByte(c)
			p.i++
		}
	}
	flush()
	return p.joined(parts)
}

func (p *parser) joined(parts concat) word {
	switch len(parts) {
	case 0:
		return literal("")
	case 1:
		return parts[0]
	}
	return parts
}

// escape reads a backslash sequence of a text.
func (p *parser) escape(b *strings.Builder) {
	c := p.in[p.i+1]
	if !digit(c) {
		simple := map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'f': '\f'}
		if s, ok := simple[c]; ok {
			c = s
		}
		b.WriteByte(c)
		p.i += 2
		return
	}
	n := p.i + 1
	for n < len(p.in) && digit(p.in[n]) {
		n++
	}
	octal, v := 0, 0
	for k := p.i + 1; k < n && octal < 3 && p.in[k] < '8'; k++ {
		v = v*8 + int(p.in[k]-'0')
		octal++
	}
	switch {
	case n-p.i-1 > octal:
		p.fail(p.i, "bad escape sequence")
	case v > 255:
		p.fail(p.i, "escape sequence out of bound")
	case v == 0:
		p.fail(p.i, "a text cannot hold the byte 0")
	default:
		b.WriteByte(byte(v))
		p.i = n
	}
}

// variable reads what follows "%{".
func (p *parser) variable(depth int) word {
	if depth > maxParse {
		p.fail(p.i, "nested too deep")
		return literal("")
	}
	start := p.i
	if p.i < len(p.in) && letter(p.in[p.i]) {
		for p.i < len(p.in) && idByte(p.in[p.i]) {
			p.i++
		}
	}
	name := p.in[start:p.i]
	if name == "" || p.i >= len(p.in) {
		p.fail(start, "%%{ must be followed by a name and }")
		return literal("")
	}
	switch p.in[p.i] {
	case '}':
		p.i++
		return p.makeVariable(start, name)
	case ':':
		p.i++
		if p.i < len(p.in) && p.in[p.i] == '}' {
			p.fail(p.i, "%%{%s: needs an argument", name)
			return literal("")
		}
		arg := p.text('}', depth)
		return p.makeCall(start, name, arg)
	}
	p.fail(p.i, "invalid character %q in a variable's name", p.in[p.i:p.i+1])
	return literal("")
}
