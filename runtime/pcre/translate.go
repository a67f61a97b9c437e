package pcre

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxDepth bounds nested groups (PCRE2's own limit is 250).
const maxDepth = 250

// translator rewrites a PCRE pattern (pcre2pattern(3)) into what both engines read
// alike: groups by number, classes and escapes spelled out, each byte one rune.
type translator struct {
	in         string
	i          int
	out        strings.Builder
	names      []string // by number
	backtracks bool
	stack      []group
	extended   bool // (?x)
	multi      bool // (?m)
	atom       int  // where the last atom starts in out, -1 for none
}

type group struct {
	start           int // in out
	extended, multi bool
}

func (t *translator) run() error {
	t.names = []string{""}
	t.atom = -1
	for t.i < len(t.in) {
		if err := t.step(); err != nil {
			return fmt.Errorf("at byte %d: %w", t.i, err)
		}
	}
	if len(t.stack) > 0 {
		return errors.New("a group lacks its closing parenthesis")
	}
	return nil
}

// total counts the groups of the whole pattern, for the meaning of \10 and above.
func (t *translator) total() int {
	n := 0
	for i := 0; i < len(t.in); i++ {
		switch {
		case t.in[i] == '\\':
			i++
		case t.in[i] == '(' && !strings.HasPrefix(t.in[i:], "(?") && !strings.HasPrefix(t.in[i:], "(*"):
			n++
		case strings.HasPrefix(t.in[i:], "(?P<"), strings.HasPrefix(t.in[i:], "(?'"),
			strings.HasPrefix(t.in[i:], "(?<") && !strings.HasPrefix(t.in[i:], "(?<=") && !strings.HasPrefix(t.in[i:], "(?<!"):
			n++
		}
	}
	return n
}

func (t *translator) step() error {
	c := t.in[t.i]
	switch {
	case t.extended && strings.IndexByte(" \t\n\v\f\r", c) >= 0:
		t.i++
	case t.extended && c == '#':
		if k := strings.IndexByte(t.in[t.i:], '\n'); k >= 0 {
			t.i += k
		} else {
			t.i = len(t.in)
		}
	case c == '\\':
		return t.escape()
	case c == '[':
		return t.class()
	case c == '(':
		return t.open()
	case c == ')':
		return t.close()
	case c == '*' || c == '+' || c == '?':
		return t.quantifier(t.in[t.i : t.i+1])
	case c == '{':
		if m := counted.FindString(t.in[t.i:]); m != "" {
			return t.quantifier(m)
		}
		t.literal(c)
		t.i++
	case c == '|' || c == '^':
		t.atom = -1
		t.out.WriteByte(c)
		t.i++
	case c == '$':
		t.atom = -1
		if t.multi {
			t.out.WriteByte('$')
		} else {
			t.out.WriteString(`\z`)
		}
		t.i++
	case c == '.':
		t.begin()
		t.out.WriteByte('.')
		t.i++
	default:
		t.literal(c)
		t.i++
	}
	return nil
}

var counted = regexp.MustCompile(`^\{[0-9]+(,[0-9]*)?\}`)

func (t *translator) begin() { t.atom = t.out.Len() }

// literal writes a byte that stands for itself.
func (t *translator) literal(c byte) {
	t.begin()
	t.quote(c)
}

func (t *translator) quote(c byte) {
	switch {
	case c >= 0x80:
		t.out.WriteRune(runeOf(c))
	case c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '/' || c == '_':
		t.out.WriteByte(c)
	default:
		fmt.Fprintf(&t.out, `\x%02x`, c)
	}
}

// quantifier writes *, +, ? or {n,m} with what may stand behind it.
func (t *translator) quantifier(q string) error {
	if t.atom < 0 {
		return fmt.Errorf("nothing stands before %q", q)
	}
	t.i += len(q)
	start := t.atom
	next := byte(0)
	if t.i < len(t.in) {
		next = t.in[t.i]
	}
	switch next {
	case '?':
		t.i++
		t.out.WriteString(q + "?")
	case '+': // possessive: an atomic group
		t.i++
		all := t.out.String()
		t.out.Reset()
		t.out.WriteString(all[:start] + "(?>" + all[start:] + q + ")")
		t.backtracks = true
	default:
		t.out.WriteString(q)
	}
	t.atom = -1
	return nil
}

func (t *translator) close() error {
	if len(t.stack) == 0 {
		return errors.New("a closing parenthesis without a group")
	}
	g := t.stack[len(t.stack)-1]
	t.stack = t.stack[:len(t.stack)-1]
	t.extended, t.multi = g.extended, g.multi
	t.out.WriteByte(')')
	t.atom = g.start
	t.i++
	return nil
}

func (t *translator) push(text string, skip int) error {
	if len(t.stack) >= maxDepth {
		return errors.New("groups are nested too deep")
	}
	t.stack = append(t.stack, group{t.out.Len(), t.extended, t.multi})
	t.out.WriteString(text)
	t.i += skip
	t.atom = -1
	return nil
}

func (t *translator) capture(name string, skip int) error {
	t.names = append(t.names, name)
	return t.push("(", skip)
}

// open reads what begins with "(".
func (t *translator) open() error {
	rest := t.in[t.i:]
	if strings.HasPrefix(rest, "(*") {
		return errors.New("(*…) is not supported")
	}
	if !strings.HasPrefix(rest, "(?") {
		return t.capture("", 1)
	}
	for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>"} {
		if strings.HasPrefix(rest, look) {
			t.backtracks = true
			return t.push(look, len(look))
		}
	}
	for _, named := range []struct{ open, end string }{{"(?P<", ">"}, {"(?<", ">"}, {"(?'", "'"}} {
		if body, ok := strings.CutPrefix(rest, named.open); ok {
			k := strings.Index(body, named.end)
			if k < 1 || !word.MatchString(body[:k]) {
				return errors.New("a group's name is broken")
			}
			return t.capture(body[:k], len(named.open)+k+1)
		}
	}
	switch {
	case strings.HasPrefix(rest, "(?#"):
		k := strings.IndexByte(rest, ')')
		if k < 0 {
			return errors.New("a comment lacks its end")
		}
		t.i += k + 1
		return nil
	case strings.HasPrefix(rest, "(?P="):
		k := strings.IndexByte(rest, ')')
		if k < 0 {
			return errors.New("a reference lacks its end")
		}
		t.i += k + 1
		return t.refer(rest[4:k])
	case conditional.MatchString(rest):
		m := conditional.FindString(rest)
		t.backtracks = true
		return t.push(m, len(m))
	}
	m := inlineFlags.FindStringSubmatch(rest)
	if m == nil {
		return fmt.Errorf("%.4q is not supported", rest)
	}
	return t.inline(m)
}

var (
	word        = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	conditional = regexp.MustCompile(`^\(\?\([0-9]+\)`)
	inlineFlags = regexp.MustCompile(`^\(\?(\^?[imsxU]*)(?:-([imsxU]*))?([:)])`)
)

// inline reads (?i), (?-s:…) and the like.
func (t *translator) inline(m []string) error {
	on, off := m[1], m[2]
	if rest, reset := strings.CutPrefix(on, "^"); reset {
		on, off = rest, "imsxU"
	}
	extended, multi := t.extended, t.multi
	set := func(letters string, v bool) {
		for _, l := range letters {
			switch l {
			case 'x':
				extended = v
			case 'm':
				multi = v
			}
		}
	}
	set(off, false)
	set(on, true)
	strip := strings.NewReplacer("x", "")
	on, off = strip.Replace(on), strip.Replace(off)
	if strings.Contains(on, "U") {
		return errors.New("(?U) is not supported")
	}
	off = strings.ReplaceAll(off, "U", "")
	text := "(?" + on
	if off != "" {
		text += "-" + off
	}
	if m[3] == ")" {
		t.extended, t.multi = extended, multi
		if on+off != "" {
			t.out.WriteString(text + ")")
		}
		t.i += len(m[0])
		t.atom = -1
		return nil
	}
	err := t.push(text+":", len(m[0]))
	t.extended, t.multi = extended, multi
	return err
}

// refer writes a reference to a group by name or number; a name that comes later
// is refused.
func (t *translator) refer(name string) error {
	n, err := strconv.Atoi(name)
	switch {
	case err == nil && name[0] == '-':
		n += len(t.names)
	case err != nil:
		n = 0
		for i, have := range t.names {
			if have == name && name != "" {
				n = i
				break
			}
		}
	}
	if n < 1 {
		return fmt.Errorf("there is no group %q", name)
	}
	t.begin()
	t.backtracks = true
	fmt.Fprintf(&t.out, `(?:\%d)`, n)
	return nil
}
