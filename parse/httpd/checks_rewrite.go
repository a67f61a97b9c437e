package httpd

import (
	"strconv"
	"strings"
)

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

// rewriteWords checks one line of mod_rewrite, cut by [rewriteArgs]; false:
// httpd refuses it.
func (l *lowerer) rewriteWords(n *Node, args []Arg, s *scope) bool {
	if t := strings.TrimSpace(n.Text()); len(args) == 1 && len(t) > 1 && t[0] == t[len(t)-1] && (t[0] == '"' || t[0] == '\'') {
		args = append(args, Arg{Span: n.Span}) // behind a closing quote stands an empty word
	}
	switch n.key() {
	case "rewritebase":
		if s.sec == nil {
			l.bad(n.Span, "`RewriteBase` is not allowed outside of `<Directory>` and `<Location>`")
			return false
		}
		if !strings.HasPrefix(n.Arg(0), "/") {
			l.bad(n.Span, "`RewriteBase %s`: it must begin with a slash", n.Arg(0))
			return false
		}
		return true
	case "rewriterule":
		return l.rewriteLine(n, args, ruleFlags) && l.rewriteRegex(n, args[0])
	case "rewritecond":
		return l.rewriteLine(n, args, condFlags) && l.rewriteCond(n, args)
	}
	return true
}

// rewriteLine checks the number of words and the flags.
func (l *lowerer) rewriteLine(n *Node, args []Arg, flags set) bool {
	if len(args) < 2 {
		l.bad(n.Span, "`%s` takes two words and flags in brackets", n.Name)
		return false
	}
	return len(args) < 3 || l.flagWords(n, args[2], flags)
}

func (l *lowerer) rewriteRegex(n *Node, a Arg) bool {
	if re := strings.TrimPrefix(a.Text, "!"); !l.compiles(re) {
		l.bad(a.Span, "`%s`: `%s` is no regular expression", n.Name, re)
		return false
	}
	return true
}

// rewriteCond follows cmd_rewritecond in mod_rewrite.c.
func (l *lowerer) rewriteCond(n *Node, args []Arg) bool {
	p := strings.TrimPrefix(args[1].Text, "!")
	switch {
	case strings.EqualFold(args[0].Text, "expr"):
		l.expr(n, args[1].Span, p)
	case len(p) == 2 && p[0] == '-' && strings.ContainsRune("fsdxhLlUF", rune(p[1])):
	case len(p) > 3 && p[0] == '-' && strings.Contains(" lt le gt ge eq ne ", " "+p[1:3]+" "):
	case len(p) > 1 && strings.ContainsRune("<>=", rune(p[0])):
	default:
		return l.rewriteRegex(n, args[1])
	}
	return true
}

// flagWords checks "[A,B=c]" (cmd_parseflagfield in mod_rewrite.c).
func (l *lowerer) flagWords(n *Node, a Arg, known set) bool {
	if len(a.Text) < 2 || a.Text[0] != '[' || a.Text[len(a.Text)-1] != ']' {
		l.bad(a.Span, "`%s`: the flags of `%s` stand in brackets, without blanks or in quotes", a.Text, n.Name)
		return false
	}
	for f := range strings.SplitSeq(a.Text[1:len(a.Text)-1], ",") {
		key, val, _ := strings.Cut(strings.TrimSpace(f), "=")
		switch low := strings.ToLower(key); {
		case key == "":
		case !known[low]:
			l.bad(a.Span, "`%s`: there is no flag `%s`", n.Name, key)
			return false
		case (low == "r" || low == "redirect") && val != "":
			if code, err := strconv.Atoi(val); !redirectWords[strings.ToLower(val)] && (err != nil || !knownStatus[code]) {
				l.bad(a.Span, "`%s`: `%s` is no status to answer with", n.Name, f)
				return false
			}
		}
	}
	return true
}
