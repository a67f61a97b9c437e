package graph

import (
	"regexp"
	"strings"
	"unicode"

	"clowder/parse/diag"
)

// userInfo is the name and password in a URL.
var userInfo = regexp.MustCompile(`://[^/?#\s"']*@`)

// clean makes a text of the setup fit for a picture: no secrets, no control
// characters, nothing that reverses the writing direction of what follows.
func clean(s string) string {
	return plain(diag.HideSecrets(s))
}

// plain is clean for the message of a finding, which holds no secret= but speaks
// of it; names and passwords in URLs are taken out.
func plain(s string) string {
	s = userInfo.ReplaceAllString(s, "://")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == 0xFFFE, r == 0xFFFF:
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// shorten cuts the middle out of a text of more than n characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	head := (n - 1) * 3 / 5
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}
