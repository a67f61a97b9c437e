package pcre

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// sets are the classes behind a backslash and between [: and :], as the inside of
// a class. In PCRE they are ASCII as httpd uses it, except for \h and \v.
var sets = map[string]string{
	`\d`: `0-9`, `\w`: `0-9A-Za-z_`, `\s`: `\x09-\x0d\x20`,
	`\h`: `\x09\x20` + string(runeOf(0xa0)), `\v`: `\x0a-\x0d` + string(runeOf(0x85)),
	"alpha": "A-Za-z", "digit": "0-9", "alnum": "0-9A-Za-z", "upper": "A-Z", "lower": "a-z", "xdigit": "0-9A-Fa-f",
	"space": `\x09-\x0d\x20`, "blank": `\x09\x20`, "cntrl": `\x00-\x1f\x7f`, "graph": `\x21-\x7e`, "print": `\x20-\x7e`,
	"punct": `\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e`, "word": "0-9A-Za-z_", "ascii": `\x00-\x7f`,
}

// others are the complements of the sets, as the inside of a class.
var others = map[string]string{
	`\d`: `\x00-\x2f\x3a-\x7f`, `\w`: `\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f`, `\s`: `\x00-\x08\x0e-\x1f\x21-\x7f`,
	`\h`: `\x00-\x08\x0a-\x1f\x21-\x7f`, `\v`: `\x00-\x09\x0e-\x7f`,
	"alpha": `\x00-\x40\x5b-\x60\x7b-\x7f`, "digit": `\x00-\x2f\x3a-\x7f`, "alnum": `\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f`,
	"upper": `\x00-\x40\x5b-\x7f`, "lower": `\x00-\x60\x7b-\x7f`, "xdigit": `\x00-\x2f\x3a-\x40\x47-\x60\x67-\x7f`,
	"space": `\x00-\x08\x0e-\x1f\x21-\x7f`, "blank": `\x00-\x08\x0a-\x1f\x21-\x7f`, "cntrl": `\x20-\x7e`,
	"graph": `\x00-\x20\x7f`, "print": `\x00-\x1f\x7f`, "punct": `\x00-\x20\x30-\x39\x41-\x5a\x61-\x7a\x7f`,
	"word": `\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f`, "ascii": "",
}

// complement returns the inside of a class for all that the set does not hold.
func complement(name string) string {
	lo, hi := string(rune(high+0x80)), string(rune(high+0xff))
	at := func(b rune) string { return string(high + b) }
	switch name {
	case `\h`:
		return others[name] + lo + "-" + at(0x9f) + at(0xa1) + "-" + hi
	case `\v`:
		return others[name] + lo + "-" + at(0x84) + at(0x86) + "-" + hi
	}
	return others[name] + lo + "-" + hi
}

// escape reads what begins with a backslash outside of classes.
func (t *translator) escape() error {
	if t.i+1 >= len(t.in) {
		return errors.New("a backslash at the end")
	}
	c := t.in[t.i+1]
	low := `\` + string(rune(c|0x20))
	switch c {
	case 'd', 'w', 's', 'h', 'v':
		t.begin()
		t.out.WriteString("[" + sets[low] + "]")
	case 'D', 'W', 'S', 'H', 'V':
		t.begin()
		t.out.WriteString("[" + complement(low) + "]")
	case 'N':
		t.begin()
		t.out.WriteString(`[^\n]`)
	case 'R':
		t.begin()
		t.out.WriteString(`(?:\r\n|[\x0a-\x0d` + string(runeOf(0x85)) + `])`)
	case 'A', 'z', 'b', 'B':
		t.atom = -1
		t.out.WriteString(t.in[t.i : t.i+2])
	case 'Z':
		t.atom = -1
		t.backtracks = true
		t.out.WriteString(`(?=\n?\z)`)
	case 'Q':
		body, _, _ := strings.Cut(t.in[t.i+2:], `\E`)
		for i := range len(body) {
			t.literal(body[i])
		}
		t.i = min(t.i+len(body)+4, len(t.in))
		return nil
	case 'E':
	case 'k', 'g':
		return t.named(c)
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		n := 2
		for t.i+n < len(t.in) && t.in[t.i+n] >= '0' && t.in[t.i+n] <= '9' {
			n++
		}
		digits := t.in[t.i+1 : t.i+n]
		if v, err := strconv.Atoi(digits); err == nil && (v < 10 || v <= t.total()) {
			t.i += n
			if v > t.total() {
				return fmt.Errorf("there is no group %d", v)
			}
			return t.refer(digits)
		}
		return t.code()
	default:
		return t.code()
	}
	t.i += 2
	return nil
}

// named reads \k<name>, \k{name}, \k'name', \g{n} and \gn.
func (t *translator) named(c byte) error {
	rest := t.in[t.i+2:]
	if rest == "" {
		return errors.New("a reference without a name")
	}
	end := map[byte]string{'<': ">", '{': "}", '\'': "'"}[rest[0]]
	if end == "" || c == 'g' && rest[0] != '{' {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if c == 'k' || n == 0 {
			return fmt.Errorf(`\%c is not supported here`, c)
		}
		t.i += 2 + n
		return t.refer(rest[:n])
	}
	k := strings.Index(rest[1:], end)
	if k < 1 {
		return errors.New("a reference without a name")
	}
	t.i += 2 + k + 2
	return t.refer(rest[1 : 1+k])
}

// code reads an escape for one byte and writes it as a literal.
func (t *translator) code() error {
	c, err := t.byteCode()
	if err == nil {
		t.literal(c)
	}
	return err
}

// byteCode reads an escape for one byte.
func (t *translator) byteCode() (byte, error) {
	c := t.in[t.i+1]
	simple := map[byte]byte{'a': 7, 'e': 27, 'f': 12, 'n': 10, 'r': 13, 't': 9}
	if b, ok := simple[c]; ok {
		t.i += 2
		return b, nil
	}
	digits := func(from, most int, set string) string {
		n := from
		for n < len(t.in) && n-from < most && strings.IndexByte(set, t.in[n]) >= 0 {
			n++
		}
		return t.in[from:n]
	}
	const hex = "0123456789abcdefABCDEF"
	switch {
	case c == 'x' && t.i+2 < len(t.in) && t.in[t.i+2] == '{':
		body, _, ok := strings.Cut(t.in[t.i+3:], "}")
		v, err := strconv.ParseUint(body, 16, 8)
		if !ok || err != nil {
			return 0, errors.New("a code that is no byte")
		}
		t.i += 4 + len(body)
		return byte(v), nil
	case c == 'x':
		d := digits(t.i+2, 2, hex)
		v, _ := strconv.ParseUint("0"+d, 16, 8)
		t.i += 2 + len(d)
		return byte(v), nil
	case c >= '0' && c <= '7':
		d := digits(t.i+1, 3, "01234567")
		v, _ := strconv.ParseUint(d, 8, 16)
		if v > 255 {
			return 0, errors.New("a code that is no byte")
		}
		t.i += 1 + len(d)
		return byte(v), nil
	case c == 'c' && t.i+2 < len(t.in) && t.in[t.i+2] >= ' ' && t.in[t.i+2] < 0x7f:
		b := t.in[t.i+2]
		if b >= 'a' && b <= 'z' {
			b -= 0x20
		}
		t.i += 3
		return b ^ 0x40, nil
	case c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z':
		return 0, fmt.Errorf(`\%c is not supported`, c)
	}
	t.i += 2
	return c, nil
}

// class reads [...].
func (t *translator) class() error {
	t.begin()
	var b strings.Builder
	t.i++
	negated := t.i < len(t.in) && t.in[t.i] == '^'
	if negated {
		t.i++
	}
	for first := true; ; first = false {
		if t.i >= len(t.in) {
			return errors.New("a class lacks its closing bracket")
		}
		if t.in[t.i] == ']' && !first {
			t.i++
			break
		}
		if err := t.member(&b); err != nil {
			return err
		}
	}
	if negated {
		t.out.WriteString("[^" + b.String() + "]")
	} else {
		t.out.WriteString("[" + b.String() + "]")
	}
	return nil
}

// member reads one character, range or set of a class.
func (t *translator) member(b *strings.Builder) error {
	set, c, err := t.classItem()
	if err != nil {
		return err
	}
	if set != "" {
		b.WriteString(set)
		return nil
	}
	write := func(c byte) {
		if c >= 0x80 {
			b.WriteRune(runeOf(c))
		} else {
			fmt.Fprintf(b, `\x%02x`, c)
		}
	}
	write(c)
	if t.i+1 >= len(t.in) || t.in[t.i] != '-' || t.in[t.i+1] == ']' {
		return nil
	}
	t.i++
	set, to, err := t.classItem()
	switch {
	case err != nil:
		return err
	case set != "":
		return errors.New("a range ends in a class")
	case to < c:
		return errors.New("a range runs backwards")
	case c < 0x80 && to >= 0x80:
		fmt.Fprintf(b, `-\x7f%c-`, high+0x80)
		write(to)
	default:
		b.WriteByte('-')
		write(to)
	}
	return nil
}

// classItem reads a set, or one byte.
func (t *translator) classItem() (set string, c byte, err error) {
	rest := t.in[t.i:]
	if strings.HasPrefix(rest, "[:") {
		if k := strings.Index(rest, ":]"); k > 1 {
			name, not := strings.CutPrefix(rest[2:k], "^")
			if _, ok := sets[name]; ok {
				t.i += k + 2
				if not {
					return complement(name), 0, nil
				}
				return sets[name], 0, nil
			}
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == "" {
				return "", 0, fmt.Errorf("there is no class [:%s:]", name)
			}
		}
	}
	if rest[0] != '\\' {
		t.i++
		return "", rest[0], nil
	}
	if len(rest) < 2 {
		return "", 0, errors.New("a backslash at the end")
	}
	low := `\` + string(rune(rest[1]|0x20))
	switch rest[1] {
	case 'd', 'w', 's', 'h', 'v':
		t.i += 2
		return sets[low], 0, nil
	case 'D', 'W', 'S', 'H', 'V':
		t.i += 2
		return complement(low), 0, nil
	case 'b':
		t.i += 2
		return "", 8, nil
	}
	c, err = t.byteCode()
	return "", c, err
}
