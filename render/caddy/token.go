package caddy

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// Caddy reads a Caddyfile in three steps, and each has characters of its own
// (caddyfile/lexer.go, httpcaddyfile/httptype.go, replacer.go of Caddy 2.6 to 2.11):
// {$NAME} is replaced in the text by the environment, then the text is cut into
// tokens, then {name} in a token is a placeholder, filled for each request.

// quote writes one token, with quotes where it needs them. ok is false for what no
// token can hold: control characters, {$, bytes that are not UTF-8, backquotes
// together with a backslash before a double quote.
func quote(s string) (token string, ok bool) {
	if !utf8.ValidString(s) || strings.Contains(s, "{$") || s == "{" || s == "}" {
		return "", false
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
			return "", false
		}
	}
	switch {
	case bare(s):
		return s, true
	case !strings.ContainsAny(s, "\"\\"):
		return `"` + s + `"`, true
	case !strings.Contains(s, "`"):
		return "`" + s + "`", true
	case !strings.Contains(s, `\"`) && !strings.HasSuffix(s, `\`):
		return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`, true
	}
	return "", false
}

// bare reports whether the token may stand without quotes.
func bare(s string) bool {
	if s == "" || strings.IndexByte("\"`#<@", s[0]) >= 0 || s == "import" || strings.HasSuffix(s, `\`) {
		return false
	}
	// A brace at the end or the start may open or close a block.
	if s[0] == '}' || strings.HasSuffix(s, "{") || strings.Contains(s, `\<`) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// literal writes a text so that nothing in it is a placeholder.
func literal(s string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	return strings.NewReplacer("{", `\{`, "}", `\}`).Replace(s)
}

// quoteLiteral is quote for a value in which Caddy would fill placeholders.
func quoteLiteral(s string) (string, bool) { return quote(literal(s)) }

// pattern writes a regular expression as a token. A brace that is no quantifier
// becomes \x7b, so that it cannot be taken for a placeholder. ok is false for an
// expression that Go does not know or no token can hold.
func pattern(re string) (token string, ok bool) {
	if _, err := regexp.Compile(re); err != nil {
		return "", false
	}
	if strings.Contains(re, "(?<") || strings.Contains(re, `\Q`) || strings.Contains(re, "(?P>") {
		// Names without P are known since Go 1.22 only; braces in \Q…\E are hard to see.
		tree, err := syntax.Parse(re, syntax.Perl)
		if err != nil {
			return "", false
		}
		re = tree.String()
	}
	var b strings.Builder
	for i := 0; i < len(re); i++ {
		switch c := re[i]; {
		case c == '\\' && i+1 < len(re):
			next := re[i+1]
			i++
			switch {
			case next == '{':
				b.WriteString(`\x7b`)
			case (next == 'p' || next == 'P' || next == 'x') && i+1 < len(re) && re[i+1] == '{':
				b.WriteString(re[i-1 : i+2])
				i++
			default:
				b.WriteString(re[i-1 : i+1])
			}
		case c == '{' && !isQuantifier(re[i:]):
			b.WriteString(`\x7b`)
		default:
			b.WriteByte(c)
		}
	}
	if _, err := regexp.Compile(b.String()); err != nil {
		return "", false
	}
	return quote(b.String())
}

var quantifier = regexp.MustCompile(`^\{[0-9]+(,[0-9]*)?\}`)

func isQuantifier(s string) bool { return quantifier.MatchString(s) }

// comment makes one line of printable text of a source's name.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x20 || r == 0x7f || r == utf8.RuneError || r == '{':
			return '?'
		case r == '\\':
			return '/' // one at the end would join the next line
		}
		return r
	}, s)
}

// word makes a name for a matcher: letters, digits and _.
func word(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s) && len(b) < 40; i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b = append(b, c)
		} else if len(b) > 0 && b[len(b)-1] != '_' {
			b = append(b, '_')
		}
	}
	if out := strings.Trim(string(b), "_"); out != "" {
		return out
	}
	return "x"
}
