package httpd

import "strings"

// rewriteArg is one word of a RewriteRule or RewriteCond, which mod_rewrite
// cuts by rules of its own.
type rewriteArg struct {
	text string
	set  bool
}

// rewriteWords cuts the argument text as parseargline in mod_rewrite.c does; ok
// says that there are at least two words.
func rewriteWords(s string) (a [3]rewriteArg, ok bool) {
	for i := range a {
		s = strings.TrimLeft(s, " \t\r\n\v\f")
		if s == "" && i != 1 {
			return a, i > 1
		}
		var quote byte
		if s != "" && (s[0] == '"' || s[0] == '\'') {
			quote, s = s[0], s[1:]
		}
		end := 0
		for end < len(s) {
			if quote == 0 && isBlank(s[end]) || quote != 0 && s[end] == quote {
				break
			}
			if s[end] == '\\' && end+1 < len(s) && isBlank(s[end+1]) {
				end++
			}
			end++
		}
		end = min(end, len(s))
		a[i] = rewriteArg{s[:end], true}
		if end == len(s) {
			return a, i > 0
		}
		s = s[end+1:]
	}
	return a, true
}

var (
	redirectWords = names("permanent temp seeother")

	ruleFlags = names(`b bnp backrefnoplus bne bctls bneg c chain co cookie dpi discardpath e env end f forbidden g gone h handler l last n next nc nocase ne noescape
		ns nosubreq p proxy pt passthrough qsa qsappend qsd qsdiscard qsl qslast r redirect s skip t type unsafeallow3f unsafeprefixstat unc`)
	condFlags = names("nc nocase or ornext nv novary")

	// knownStatus are the codes that httpd has a text for.
	knownStatus = func() map[int]bool {
		m := map[int]bool{}
		for _, r := range [][2]int{{100, 103}, {200, 208}, {226, 226}, {300, 308}, {400, 418}, {421, 426}, {428, 429}, {431, 431}, {451, 451}, {500, 508}, {510, 511}} {
			for c := r[0]; c <= r[1]; c++ {
				m[c] = true
			}
		}
		delete(m, 306)
		return m
	}()
)

// checkRewriteRule follows cmd_rewriterule in mod_rewrite.c.
func checkRewriteRule(l *lowerer, n *Node) {
	a, ok := rewriteWords(n.Text())
	switch {
	case !ok:
		l.bad(n.Span, "`RewriteRule` needs a pattern and a substitution")
	case a[2].set && !l.rewriteFlags(n, a[2], ruleFlags):
	default:
		l.regex(n, n.Span, strings.TrimPrefix(a[0].text, "!"))
	}
}

// checkRewriteCond follows cmd_rewritecond in mod_rewrite.c.
func checkRewriteCond(l *lowerer, n *Node) {
	a, ok := rewriteWords(n.Text())
	if !ok {
		l.bad(n.Span, "`RewriteCond` needs a test string and a pattern")
		return
	}
	if a[2].set && !l.rewriteFlags(n, a[2], condFlags) {
		return
	}
	pattern := strings.TrimPrefix(a[1].text, "!")
	switch {
	case strings.EqualFold(a[0].text, "expr"):
		l.expr(n, n.Span, pattern)
	case len(pattern) == 2 && pattern[0] == '-' && strings.ContainsRune("fsdxhLlUF", rune(pattern[1])):
	case len(pattern) > 3 && (strings.HasPrefix(pattern, "-lt") || strings.HasPrefix(pattern, "-le") || strings.HasPrefix(pattern, "-gt") ||
		strings.HasPrefix(pattern, "-ge") || strings.HasPrefix(pattern, "-eq") || strings.HasPrefix(pattern, "-ne")):
	case len(pattern) > 1 && strings.ContainsRune("<>=", rune(pattern[0])):
	default:
		l.regex(n, n.Span, pattern)
	}
}
