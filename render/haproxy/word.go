package haproxy

import (
	"regexp"
	"strings"
)

// The words of a configuration line are those of section 2.2 of HAProxy's
// configuration manual (quoting and escaping): blanks cut, single quotes keep
// everything, double quotes replace $NAME and take backslashes.

// plain are the characters besides letters and digits that need no quotes.
const plain = `_./:@%+,=~^()|*?!<>&;{}[]-$`

// writable reports whether a value from the source can stand in a configuration
// at all: no control character can.
func writable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// word writes a value as one word of a line. Control characters, which no caller
// should pass (see writable), become question marks: they never end the line.
func word(s string) string {
	if !writable(s) {
		s = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return '?'
			}
			return r
		}, s)
	}
	switch {
	case s == "":
		return `""`
	case strings.IndexFunc(s, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune(plain, r) }) < 0:
		return s
	case !strings.Contains(s, "'"):
		return "'" + s + "'"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(s) + `"`
}

func isAlnum(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// isToken reports whether the text can be an argument in parentheses and the name
// of a header or cookie as it stands.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !isAlnum(r) && !strings.ContainsRune("-_.", r) }) < 0
}

// literal writes a text for a place that takes a log-format, where % begins a
// variable (section 8.2.4).
func literal(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// replacement writes a text for the place of a replacement, where a backslash
// begins a reference as well.
func replacement(s string) string { return strings.ReplaceAll(literal(s), `\`, `\\`) }

// pattern writes the values of an ACL behind its flags; -- keeps one that begins
// with a minus from being another flag, and a lone brace would end the condition.
func pattern(values ...string) string {
	var b strings.Builder
	for i, v := range values {
		if i == 0 && strings.HasPrefix(v, "-") {
			b.WriteString("-- ")
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word(v))
	}
	return b.String()
}

// regexPattern is pattern for one expression.
func regexPattern(re string) string {
	if re == "}" || re == "{" {
		re = "[" + re + "]"
	}
	return pattern(re)
}

// refs turns $1 of a target in httpd's files into \1, everything else as it
// stands (ap_pregsub in server/util.c); shift is added to the numbers. ok is false
// when a number is too large for HAProxy, which has \0 to \9.
func refs(s string, shift int) (out string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '$' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			i++
			n := int(s[i] - '0')
			if n > 0 {
				n += shift
			} else if shift > 0 {
				n = shift
			}
			if n > 9 {
				return "", false
			}
			b.WriteByte('\\')
			b.WriteByte(byte('0' + n))
		case s[i] == '\\' && i+1 < len(s):
			i++
			b.WriteString(replacement(s[i : i+1]))
		default:
			b.WriteString(replacement(s[i : i+1]))
		}
	}
	return b.String(), true
}

// encodePath writes a decoded path as clients send it: what a path cannot hold is
// percent-encoded (RFC 3986, pchar).
func encodePath(p string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if c := p[i]; isAlnum(rune(c)) || strings.IndexByte("-._~!$&'()*+,;=:@/", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// prefixRegex matches the paths, as clients send them, that begin with the prefix.
func prefixRegex(prefix string) string {
	enc := encodePath(prefix)
	if !strings.Contains(enc, "%") {
		return "^" + regexp.QuoteMeta(enc)
	}
	return "(?i)^" + regexp.QuoteMeta(enc) // %C3 and %c3; letters in another case do not reach this place
}
