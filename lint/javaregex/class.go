package javaregex

import (
	"strings"
	"unicode"
)

// set is a set of characters.
type set func(rune) bool

func single(r rune, fold bool) set {
	if fold {
		return func(x rune) bool { return x == r || unicode.ToLower(x) == unicode.ToLower(r) }
	}
	return func(x rune) bool { return x == r }
}

func union(a, b set) set {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return func(r rune) bool { return a(r) || b(r) }
}

func not(a set) set { return func(r rune) bool { return !a(r) } }

// class reads behind a '['; without consume the closing ']' is left, which is how
// the right side of && is read, and first is false there: ^ is then a character.
func (p *parser) class(consume, first bool) set {
	if p.depth++; p.depth > maxDepth {
		panic(giveUp{})
	}
	defer func() { p.depth-- }()
	var out set
	negated := false
	if first && p.peek() == '^' {
		p.at++
		negated = true
	}
	for {
		switch p.peek() {
		case '[':
			p.at++
			out = union(out, p.class(true, true))
			continue
		case '&':
			if p.runeAt(p.at+1) == '&' {
				p.at += 2
				out = p.intersection(out)
				continue
			}
		case end:
			p.fail("Unclosed character class")
		case ']':
			if out != nil {
				if consume {
					p.at++
				}
				if negated {
					return not(out)
				}
				return out
			}
		}
		out = union(out, p.classRange())
	}
}

// intersection reads what follows && and joins it with what came before.
func (p *parser) intersection(left set) set {
	var right set
	for p.peek() != ']' && p.peek() != '&' {
		if p.peek() == '[' {
			p.at++
			right = union(right, p.class(true, true))
		} else {
			right = union(right, p.class(false, false))
		}
	}
	switch {
	case left == nil && right == nil:
		p.fail("Bad class syntax")
	case left == nil:
		return right
	case right == nil:
		return left
	}
	return func(r rune) bool { return left(r) && right(r) }
}

func (p *parser) classRange() set {
	var low rune
	if p.peek() == '\\' {
		s, r := p.escape(true)
		if s != nil {
			return s
		}
		low = r
	} else {
		low = p.read()
	}
	if p.peek() != '-' {
		return single(low, p.fold)
	}
	switch p.runeAt(p.at + 1) {
	case '[', ']':
		return single(low, p.fold)
	}
	p.at++
	var high rune
	if p.peek() == '\\' {
		s, r := p.escape(true)
		if s != nil {
			p.fail("Illegal character range")
		}
		high = r
	} else {
		high = p.read()
	}
	if high < low {
		p.fail("Illegal character range")
	}
	fold := p.fold
	return func(r rune) bool {
		return r >= low && r <= high || fold && (inside(unicode.ToLower(r), low, high) || inside(unicode.ToUpper(r), low, high))
	}
}

func inside(r, low, high rune) bool { return r >= low && r <= high }

// escapedAtom reads from a backslash outside of classes.
func (p *parser) escapedAtom() part {
	switch r := p.runeAt(p.at + 1); {
	case r >= '1' && r <= '9':
		p.at += 2
		n := int(r - '0')
		for isDigit(p.peek()) && n*10+int(p.peek()-'0') <= p.groups {
			n = n*10 + int(p.read()-'0')
		}
		return part{run: again(n), unbounded: true}
	case r == 'k':
		p.at += 2
		p.accept('<', "\\k is not followed by '<' for named capturing group")
		name := p.name("capturing group")
		if p.names[name] == 0 {
			p.fail("named capturing group <" + name + "> does not exist")
		}
		return part{run: again(p.names[name]), unbounded: true}
	case r == 'A':
		p.at += 2
		return part{run: atStart}
	case r == 'Z' || r == 'z':
		p.at += 2
		return part{run: atEnd}
	case r == 'b' || r == 'B' || r == 'G':
		p.at += 2
		if r == 'b' && p.peek() == '{' && p.runeAt(p.at+1) == 'g' { // of a grapheme cluster
			p.at += 2
			p.accept('}', "Illegal/unsupported escape sequence")
			p.unsure = true
		}
		p.unsure = p.unsure || r == 'G'
		return part{run: boundary(r == 'b')}
	case r == 'R' || r == 'X':
		p.at += 2
		p.unsure = true
		return part{run: one(func(rune) bool { return true })}
	}
	s, r := p.escape(false)
	if s == nil {
		return p.literal(r)
	}
	return p.one(s)
}

// escape reads an escape sequence that stands for one character or a set of them.
func (p *parser) escape(inClass bool) (set, rune) {
	p.at++
	if p.peek() == end {
		p.fail("Unexpected internal error")
	}
	r := p.read()
	if s := predefined(r); s != nil {
		return s, 0
	}
	switch r {
	case 'p', 'P':
		return p.property(r == 'P'), 0
	case '0':
		return nil, p.octal()
	case 'a':
		return nil, 7
	case 'e':
		return nil, 27
	case 'f':
		return nil, '\f'
	case 'n':
		return nil, '\n'
	case 'r':
		return nil, '\r'
	case 't':
		return nil, '\t'
	case 'c':
		if p.at >= len(p.in) {
			p.fail("Illegal control escape sequence")
		}
		return nil, p.read() ^ 64
	case 'u':
		return nil, p.hex(4, "Illegal Unicode escape sequence")
	case 'x':
		if p.peek() == '{' {
			return nil, p.longHex()
		}
		return nil, p.hex(2, "Illegal hexadecimal escape sequence")
	case 'N':
		return p.named(), 0
	}
	if isLetter(r) || isDigit(r) {
		p.fail("Illegal/unsupported escape sequence")
	}
	return nil, r
}

// predefined returns the set of \d, \s and their like, or nil.
func predefined(r rune) set {
	var s set
	switch unicode.ToLower(r) {
	case 'd':
		s = isDigit
	case 'w':
		s = func(r rune) bool { return isDigit(r) || isLetter(r) || r == '_' }
	case 's':
		s = func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) }
	case 'h':
		s = func(r rune) bool { return r == ' ' || r == '\t' || r == 0xA0 }
	case 'v':
		s = func(r rune) bool { return r >= '\n' && r <= '\r' || r == 0x85 || r == 0x2028 || r == 0x2029 }
	default:
		return nil
	}
	if unicode.IsUpper(r) {
		return not(s)
	}
	return s
}

func (p *parser) octal() rune {
	isOctal := func(r rune) bool { return r >= '0' && r <= '7' }
	if !isOctal(p.peek()) {
		p.fail("Illegal octal escape sequence")
	}
	first := p.read() - '0'
	n := first
	for i := 1; i < 3 && isOctal(p.peek()) && (i < 2 || first <= 3); i++ {
		n = n*8 + p.read() - '0'
	}
	return n
}

func (p *parser) hex(digits int, message string) rune {
	var n rune
	for range digits {
		d := strings.IndexRune("0123456789abcdef", unicode.ToLower(p.peek()))
		if d < 0 {
			p.fail(message)
		}
		n = n*16 + rune(d)
		p.at++
	}
	return n
}

func (p *parser) longHex() rune {
	p.at++
	n, digits := rune(0), 0
	for {
		d := strings.IndexRune("0123456789abcdef", unicode.ToLower(p.peek()))
		if d < 0 || p.peek() == end {
			break
		}
		if n = n*16 + rune(d); n > unicode.MaxRune {
			p.fail("Hexadecimal codepoint is too big")
		}
		digits++
		p.at++
	}
	switch {
	case digits == 0:
		p.fail("Illegal hexadecimal escape sequence")
	case p.peek() != '}':
		p.fail("Unclosed hexadecimal escape sequence")
	}
	p.at++
	return n
}

// named reads the {name} of \N; the names of characters are not known here.
func (p *parser) named() set {
	p.accept('{', "Illegal character name escape sequence")
	for p.peek() != '}' {
		if p.peek() == end {
			p.fail("Unclosed character name escape sequence")
		}
		p.at++
	}
	p.at++
	p.unsure = true
	return func(rune) bool { return true }
}

// property reads what follows \p or \P. A name that is not known here is taken,
// and the answer of a match is then not sure.
func (p *parser) property(negated bool) set {
	name := ""
	if p.peek() != '{' {
		if p.peek() == end {
			p.fail("Unknown character property name")
		}
		if name = string(p.read()); !strings.Contains("CLMNPSZ", name) {
			p.fail("Unknown character property name {" + name + "}")
		}
	} else {
		p.at++
		start := p.at
		for p.peek() != '}' {
			if p.peek() == end {
				p.fail("Unclosed character family")
			}
			p.at++
		}
		for _, i := range p.in[start:p.at] {
			name += string(i.r)
		}
		p.at++
		if name == "" {
			p.fail("Empty character family")
		}
	}
	s, ok := properties[strings.TrimPrefix(name, "Is")]
	if !ok {
		p.unsure = true
		s = func(rune) bool { return true }
	}
	if negated {
		return not(s)
	}
	return s
}

var properties = map[string]set{
	"L": unicode.IsLetter, "Lu": unicode.IsUpper, "Ll": unicode.IsLower, "N": unicode.IsNumber, "Nd": unicode.IsDigit,
	"Alpha": isLetter, "Digit": isDigit, "Alnum": func(r rune) bool { return isLetter(r) || isDigit(r) },
	"Upper": func(r rune) bool { return r >= 'A' && r <= 'Z' }, "Lower": func(r rune) bool { return r >= 'a' && r <= 'z' },
	"Punct": func(r rune) bool { return r > ' ' && r < 127 && !isLetter(r) && !isDigit(r) },
	"Space": func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) },
	"ASCII": func(r rune) bool { return r < 128 },
}
