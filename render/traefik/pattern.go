package traefik

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"

	"clowder/render/plan"
)

// countsBytes reports whether an expression for the paths of a site tells letters
// beyond ASCII apart by their bytes: httpd's engine looks at bytes, Go's at letters.
func countsBytes(s *plan.Site) bool {
	var list []string
	for _, c := range s.Cells {
		for _, b := range c.Branches {
			for _, p := range b.Patterns {
				if p.RE2 {
					list = append(list, p.Regex)
				}
			}
		}
	}
	for _, e := range s.Early {
		if e.Path.RE2 && !e.Path.Always {
			list = append(list, e.Path.Regex)
		}
		for _, c := range e.Conds {
			if c.What == plan.CondPath && c.RE2 {
				list = append(list, c.Regex)
			}
		}
	}
	return slices.ContainsFunc(list, func(re string) bool {
		return !leaves(re, func(set []rune, many bool) bool {
			for i := 0; i+1 < len(set); i += 2 {
				switch lo, hi := set[i], set[i+1]; {
				case hi < 0x80, lo == hi && (lo == 'ſ' || lo == 'K'): // the other case of s and k
				case lo <= 0x80 && hi == 0x10FFFF && many:
				default:
					return false
				}
			}
			return true
		})
	})
}

// stable are the letters that stand as they are in an encoded path, as ranges: those
// that need no encoding, and reserved ones, which Traefik does not decode.
var stable = []rune{'!', '!', '#', ';', '=', '=', '?', '[', ']', ']', '_', '_', 'a', 'z', '~', '~'}

// seesEncoded reports whether an expression matches the encoded form of every path
// whose decoded form it matches: rules look at the one, replacePathRegex at the
// other, and lets pass what it does not match.
func seesEncoded(re string) bool {
	return leaves(re, func(set []rune, many bool) bool {
		within := true
		for i := 0; i+1 < len(set); i += 2 {
			within = within && covered(stable, set[i], set[i+1])
		}
		return within || many && covered(set, '%', '%') && covered(set, '0', '9') && covered(set, 'A', 'F')
	})
}

// covered reports whether the ranges hold all letters from lo to hi.
func covered(set []rune, lo, hi rune) bool {
	for i := 0; i+1 < len(set); i += 2 {
		if set[i] <= lo && hi <= set[i+1] {
			return true
		}
	}
	return false
}

// leaves reports whether all parts of an expression that match one letter are fine:
// ok gets the letters as ranges, many tells that the part may repeat without end.
// An expression that Go does not take is not fine.
func leaves(re string, ok func(set []rune, many bool) bool) bool {
	tree, err := syntax.Parse(re, syntax.Perl)
	return err == nil && walk(tree, false, ok)
}

func walk(re *syntax.Regexp, many bool, ok func([]rune, bool) bool) bool {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			set := []rune{r, r}
			if re.Flags&syntax.FoldCase != 0 {
				for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
					set = append(set, f, f)
				}
			}
			if !ok(set, many && len(re.Rune) == 1) {
				return false
			}
		}
	case syntax.OpCharClass:
		return ok(re.Rune, many)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return ok([]rune{0, 0x10FFFF}, many)
	case syntax.OpStar, syntax.OpPlus:
		many = true
	case syntax.OpRepeat:
		many = re.Min < 2 && re.Max < 0
	case syntax.OpCapture:
	default:
		many = false
	}
	return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !walk(sub, many, ok) })
}

// looksAtName reports whether an expression for the Host header, which has a port and
// any case, says the same of what HostRegexp looks at: the name in lower case.
func looksAtName(re string) bool {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil || strings.Contains(re, `\Q`) {
		return false
	}
	colon := !begins(tree) // something before it may hold the colon of a port
	if !walk(tree, false, func(set []rune, _ bool) bool {
		for r := 'A'; r <= 'Z'; r++ {
			if covered(set, r, r) && !covered(set, r+'a'-'A', r+'a'-'A') {
				return false
			}
		}
		if covered(set, ':', ':') {
			if len(set) == 2 && set[0] == set[1] {
				return false // a port
			}
			colon = true
		}
		return true
	}) {
		return false
	}
	return !colon || !endsInDigit(tree)
}

// begins reports whether an expression is bound to the start of the text.
func begins(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginText:
		return true
	case syntax.OpConcat, syntax.OpCapture:
		return begins(re.Sub[0])
	}
	return false
}

// endsInDigit reports whether an expression that is bound to the end of the text may
// match a digit there, as a port ends in one; true when in doubt.
func endsInDigit(re *syntax.Regexp) bool {
	if !anchored(re) {
		return false
	}
	if re.Op == syntax.OpConcat && re.Sub[len(re.Sub)-1].Op == syntax.OpEndText && len(re.Sub) > 1 {
		last := re.Sub[len(re.Sub)-2]
		if last.Op == syntax.OpLiteral {
			r := last.Rune[len(last.Rune)-1]
			return r >= '0' && r <= '9'
		}
	}
	return true
}

// anchored reports whether something in an expression is bound to the end of the text
// or to the edge of a word.
func anchored(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEndText, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	return slices.ContainsFunc(re.Sub, anchored)
}

// endless reports whether an expression is not bound to the end of a text.
func endless(re string) bool {
	re = strings.TrimSuffix(re, ".*$")
	tree, err := syntax.Parse(re, syntax.Perl)
	return err == nil && !anchored(tree)
}

// wholeText returns the one text that an expression matches as a whole, as ^text$.
func wholeText(re string) (text string, ok bool) {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil {
		return "", false
	}
	tree = tree.Simplify()
	n := len(tree.Sub)
	if tree.Op != syntax.OpConcat || n < 2 || n > 3 || tree.Sub[0].Op != syntax.OpBeginText || tree.Sub[n-1].Op != syntax.OpEndText {
		return "", false
	}
	if n == 2 {
		return "", true
	}
	lit := tree.Sub[1]
	return string(lit.Rune), lit.Op == syntax.OpLiteral && lit.Flags&syntax.FoldCase == 0
}

// others is an expression for every text but one.
func others(text string) string {
	var b strings.Builder
	b.WriteString("(?s)^(?:")
	for i, r := range text {
		fmt.Fprintf(&b, `%s(?:$|[^\x{%x}])|`, regexp.QuoteMeta(text[:i]), r)
	}
	b.WriteString(regexp.QuoteMeta(text) + ".)")
	return b.String()
}
