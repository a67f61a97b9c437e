// Package javaregex reads regular expressions as java.util.regex.Pattern of Java
// 17 does: it says which ones Java refuses, and whether a string matches as a
// whole. Go's regexp is no help there, since Java has look-around, possessive
// quantifiers, back references, nested classes and \Q...\E, and Go has not.
//
// The package is for short patterns of configuration files. Matching is by
// backtracking with a bound on the steps; what is not known here, such as the names
// of character properties, is accepted and the answer is then not sure.
package javaregex

import (
	"strings"
)

// Error is why Java refuses a pattern.
type Error struct {
	Message string // in Java's words, without the place
	Offset  int    // in characters of the pattern, where Java's parser is
}

func (e *Error) Error() string { return e.Message }

// Regexp is a pattern that Java accepts. It is safe for concurrent use.
type Regexp struct {
	run    step
	groups int
	unsure bool // the pattern uses what this package does not know
}

// maxPattern bounds the pattern, in bytes; a longer one is accepted unread.
const maxPattern = 1 << 16

// Parse reads a pattern without flags; the error is an [*Error].
func Parse(pattern string) (*Regexp, error) {
	if len(pattern) > maxPattern {
		return &Regexp{unsure: true}, nil
	}
	p := &parser{in: unquote(pattern), names: map[string]int{}}
	var err error
	var root part
	func() {
		defer func() {
			switch x := recover().(type) {
			case nil:
			case *Error:
				err = x
			case giveUp:
				p.unsure = true
			default:
				panic(x)
			}
		}()
		root = p.alternatives()
		if p.peek() == ')' {
			p.fail("Unmatched closing ')'")
		}
	}()
	if err != nil {
		return nil, err
	}
	return &Regexp{run: root.run, groups: p.groups + 1, unsure: p.unsure}, nil
}

// item is one character of a pattern; quoted ones mean themselves.
type item struct {
	r      rune
	quoted bool
}

// unquote resolves \Q...\E, which Java does before anything else.
func unquote(pattern string) []item {
	rs := []rune(pattern)
	out := make([]item, 0, len(rs))
	for i := 0; i < len(rs); i++ {
		if rs[i] != '\\' || i+1 == len(rs) {
			out = append(out, item{r: rs[i]})
			continue
		}
		if rs[i+1] != 'Q' {
			out = append(out, item{r: rs[i]}, item{r: rs[i+1]})
			i++
			continue
		}
		for i += 2; i < len(rs) && (rs[i] != '\\' || i+1 >= len(rs) || rs[i+1] != 'E'); i++ {
			out = append(out, item{rs[i], true})
		}
		i++ // the E, or beyond the end
	}
	return out
}

// part is a parsed piece: how it matches, and whether that may be of any length.
type part struct {
	run       step
	unbounded bool
}

type parser struct {
	in     []item
	at     int
	depth  int
	groups int
	names  map[string]int
	fold   bool
	unsure bool
}

type giveUp struct{}

const (
	end      rune = -1 // behind the pattern
	quoted   rune = -2 // a quoted character: means no metacharacter
	maxDepth      = 250
)

func (p *parser) fail(message string) { panic(&Error{message, min(p.at, len(p.in))}) }

func (p *parser) runeAt(i int) rune {
	switch {
	case i >= len(p.in):
		return end
	case p.in[i].quoted:
		return quoted
	}
	return p.in[i].r
}

func (p *parser) peek() rune { return p.runeAt(p.at) }

// read returns the next character, whatever it is, and steps over it.
func (p *parser) read() rune {
	r := p.peek()
	if r == quoted {
		r = p.in[p.at].r
	}
	if p.at < len(p.in) {
		p.at++
	}
	return r
}

func (p *parser) accept(r rune, message string) {
	if p.peek() != r {
		p.fail(message)
	}
	p.at++
}

func (p *parser) alternatives() part {
	if p.depth++; p.depth > maxDepth {
		panic(giveUp{})
	}
	defer func() { p.depth-- }()
	out := p.sequence()
	for p.peek() == '|' {
		p.at++
		other := p.sequence()
		out = part{either(out.run, other.run), out.unbounded || other.unbounded}
	}
	return out
}

func (p *parser) sequence() part {
	out := part{run: empty}
	for {
		var x part
		switch r := p.peek(); r {
		case end, '|', ')':
			return out
		case '?', '*', '+':
			p.at++
			p.fail("Dangling meta character '" + string(r) + "'")
		case '(':
			var ok bool
			if x, ok = p.group(); !ok {
				continue // flags for the rest of the group
			}
		case '[':
			p.at++
			x = p.one(p.class(true, true))
		case '^':
			p.at++
			x = part{run: atStart}
		case '$':
			p.at++
			x = part{run: atEnd}
		case '.':
			p.at++
			x = part{run: one(func(r rune) bool { return r != '\n' && r != '\r' && r != 0x85 && r != 0x2028 && r != 0x2029 })}
		case '{': // a repetition of nothing
			x = part{run: empty}
		case '\\':
			x = p.escapedAtom()
		default:
			x = p.literal(p.read())
		}
		x = p.quantifier(x)
		out = part{then(out.run, x.run), out.unbounded || x.unbounded}
	}
}

func (p *parser) literal(r rune) part { return part{run: one(single(r, p.fold))} }

func (p *parser) one(s set) part { return part{run: one(s)} }

// quantifier reads what may follow an atom.
func (p *parser) quantifier(x part) part {
	low, high := 0, -1
	switch p.peek() {
	case '?':
		p.at++
		high = 1
	case '*':
		p.at++
	case '+':
		p.at++
		low = 1
	case '{':
		low, high = p.counts()
	default:
		return x
	}
	k := greedy
	switch p.peek() {
	case '?':
		p.at++
		k = lazy
	case '+':
		p.at++
		k = possessive
	}
	return part{run: repeat(x.run, low, high, k), unbounded: high < 0 || x.unbounded}
}

const maxCount = 1<<31 - 1

func (p *parser) counts() (low, high int) {
	number := func() int {
		n := 0
		for isDigit(p.peek()) {
			if n = n*10 + int(p.read()-'0'); n > maxCount {
				p.fail("Illegal repetition range")
			}
		}
		return n
	}
	p.at++
	if !isDigit(p.peek()) {
		p.fail("Illegal repetition")
	}
	low = number()
	high = low
	if p.peek() == ',' {
		p.at++
		high = -1
		if p.peek() != '}' {
			high = number()
		}
	}
	p.accept('}', "Unclosed counted closure")
	if high >= 0 && high < low {
		p.fail("Illegal repetition range")
	}
	return low, high
}

// group reads from a '('; ok is false for flags that hold for what follows.
func (p *parser) group() (part, bool) {
	p.at++
	fold := p.fold
	closing := func() { p.accept(')', "Unclosed group"); p.fold = fold }
	if p.peek() != '?' {
		return p.capture("", closing), true
	}
	p.at++
	switch r := p.read(); r {
	case ':':
		x := p.alternatives()
		closing()
		return x, true
	case '=', '!':
		x := p.alternatives()
		closing()
		return part{run: ahead(x.run, r == '=')}, true
	case '>':
		x := p.alternatives()
		closing()
		x.run = atomic(x.run)
		return x, true
	case '<':
		if r := p.peek(); r == '=' || r == '!' {
			p.at++
			x := p.alternatives()
			closing()
			// Java versions differ in what they refuse here when the length is not
			// bounded, and in how they look for a match.
			p.unsure = p.unsure || x.unbounded
			return part{run: behind(x.run, r == '=')}, true
		}
		return p.capture(p.name("capturing group"), closing), true
	case '$', '@':
		p.fail("Unknown group type")
	default:
		p.at--
		if r == end {
			p.at = len(p.in)
		}
		p.flags()
		switch p.read() {
		case ')':
			return part{}, false
		case ':':
			x := p.alternatives()
			closing()
			return x, true
		}
		p.fail("Unknown inline modifier")
	}
	return part{}, false
}

func (p *parser) capture(name string, closing func()) part {
	p.groups++
	n := p.groups
	if name != "" {
		if p.names[name] > 0 {
			p.fail("Named capturing group <" + name + "> is already defined")
		}
		p.names[name] = n
	}
	x := p.alternatives()
	closing()
	x.run = remember(x.run, n)
	return x
}

// name reads the name of a group up to its '>'.
func (p *parser) name(what string) string {
	var b strings.Builder
	if !isLetter(p.peek()) {
		p.fail(what + " name does not start with a Latin letter")
	}
	for isLetter(p.peek()) || isDigit(p.peek()) {
		b.WriteRune(p.read())
	}
	p.accept('>', "named capturing group is missing trailing '>'")
	return b.String()
}

// flags reads letters such as those of (?i-s).
func (p *parser) flags() {
	on := true
	for {
		switch p.peek() {
		case 'i':
			p.fold = on
		case 'x', 'U':
			if on {
				panic(giveUp{}) // comments and blanks, or other classes: too far for us
			}
		case 'm', 's', 'd', 'u', 'c':
		case '-':
			if !on {
				return
			}
			on = false
		default:
			return
		}
		p.at++
	}
}

func isDigit(r rune) bool  { return r >= '0' && r <= '9' }
func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
