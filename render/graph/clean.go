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
	return plain(userInfo.ReplaceAllString(diag.HideSecrets(s), "://"))
}

// plain is clean for what holds no secrets anyway, such as the message of a finding.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
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
