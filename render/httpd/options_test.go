package httpd

import (
	"strings"
	"testing"
)

// TestOptions: lines of 2.2 with both kinds of words, which 2.4 refuses.
func TestOptions(t *testing.T) {
	for line, want := range map[string]string{
		"Indexes +FollowSymLinks":      "Indexes FollowSymLinks",
		"None +FollowSymLinks":         "FollowSymLinks",
		"All -Indexes":                 "Includes FollowSymLinks ExecCGI",
		"Includes -IncludesNOEXEC":     "None",
		"Indexes -indexes +MultiViews": "MultiViews",
	} {
		if got := strings.Join(plainOptions(strings.Fields(line)), " "); got != want {
			t.Errorf("Options %s: %s, want %s", line, got, want)
		}
	}
}

// TestQuote: words come back as ap_getword_conf reads them; the reading is written
// here once more, from server/util.c.
func TestQuote(t *testing.T) {
	for _, w := range []string{"", "a", "a b", `a\b`, `a\\b`, `a\`, `a\\`, `say "x"`, `\"`, `^/x\.y$`, "it's", "tab\there", `\\"\`} {
		for _, q := range []string{quote(w), always(w)} {
			if got := unquote(q); got != w {
				t.Errorf("%q is written %s, which reads %q", w, q, got)
			}
			if strings.HasSuffix(q, `\`) {
				t.Errorf("%s at the end of a line joins it with the next", q)
			}
		}
	}
}

func unquote(s string) string {
	var quote byte
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		quote, s = s[0], s[1:]
	}
	var b strings.Builder
	for i := 0; i < len(s) && (quote == 0 && !isBlank(s[i]) || quote != 0 && s[i] != quote); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || quote != 0 && s[i+1] == quote) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
