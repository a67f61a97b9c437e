package nginx

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"

	"clowder/render/plan"
)

// usable reports whether nginx's PCRE takes an expression of httpd, and returns it
// without names of groups, which would become variables. What only Go's engine
// does not know (looking around, references) is believed.
func pcre(re string) (string, bool) {
	if !writable(re) || strings.HasPrefix(re, "(*") || strings.Contains(re, `\k`) || strings.Contains(re, "(?&") || strings.Contains(re, "(?P=") || strings.Contains(re, "(?P>") {
		return "", false
	}
	re = namedGroup.ReplaceAllString(re, "(")
	_, err := syntax.Parse(re, syntax.Perl)
	var se *syntax.Error
	if errors.As(err, &se) {
		switch se.Code {
		case syntax.ErrInvalidPerlOp, syntax.ErrInvalidEscape, syntax.ErrInvalidUTF8, syntax.ErrNestingDepth, syntax.ErrLarge:
			return re, balanced(re)
		case syntax.ErrInvalidRepeatOp:
			return re, strings.HasSuffix(se.Expr, "+") && !strings.HasSuffix(se.Expr, "+++") && balanced(re)
		}
		return "", false
	}
	return re, true
}

var namedGroup = regexp.MustCompile(`\(\?(?:P?<[A-Za-z_]\w*>|'[A-Za-z_]\w*')`)

// balanced reports whether groups and classes are closed.
func balanced(re string) bool {
	depth, class := 0, false
	for i := 0; i < len(re); i++ {
		switch c := re[i]; {
		case c == '\\':
			if i++; i == len(re) {
				return false
			}
		case class:
			class = c != ']' || re[i-1] == '[' || re[i-1] == '^' && re[i-2] == '['
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return depth == 0 && !class
}

// groups counts the groups that $1 and so on stand for.
func groups(re string) int {
	n, class := 0, false
	for i := 0; i < len(re); i++ {
		switch c := re[i]; {
		case c == '\\':
			i++
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(' && (i+1 == len(re) || re[i+1] != '?'):
			n++
		}
	}
	return n
}

// cellRegex is the expression of the paths of a cell and of those of the cells in it.
func cellRegex(path string) string {
	if strings.HasSuffix(path, "/") {
		return "^" + regexp.QuoteMeta(path)
	}
	return "^" + regexp.QuoteMeta(path) + "(/|$)"
}

// branchRegex joins the patterns of a branch and its cell in one expression; ok is
// false when nginx has none for it.
func branchRegex(cell string, pats []plan.Pattern) (re string, ok bool) {
	var list []string
	for i, p := range pats {
		x, ok := pcre(p.Regex)
		if !ok || i > 0 && backReference.MatchString(x) {
			return "", false
		}
		list = append(list, x)
	}
	inside := cell == "/"
	for _, x := range list {
		inside = inside || implies(x, cell)
	}
	if len(list) == 1 && inside {
		return list[0], true
	}
	if re = "^"; !inside {
		re += "(?=" + strings.Replace(strings.TrimPrefix(cellRegex(cell), "^"), "(/|$)", "(?:/|$)", 1) + ")"
	}
	for _, x := range list {
		if rest, ok := strings.CutPrefix(x, "^"); ok && !strings.Contains(x, "|") {
			re += "(?=" + rest + ")"
		} else {
			re += "(?=.*?(?:" + x + "))"
		}
	}
	return re, len(re) <= longest
}

var backReference = regexp.MustCompile(`\\[1-9g]`)

// implies reports whether only paths of the cell match: the letters after ^ go
// beyond its path.
func implies(re, cell string) bool {
	rest, ok := strings.CutPrefix(re, "^")
	if !ok || strings.Contains(re, "|") {
		return false
	}
	return strings.HasPrefix(rest, regexp.QuoteMeta(strings.TrimSuffix(cell, "/")+"/"))
}

// substitute turns a target of httpd with $1 to $9 (and \ before what is meant
// literally) into a value of nginx; ok is false when it names a group that the
// expression does not have, or $0.
func (c *conf) substitute(target string, groups int) (out string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(target); i++ {
		ch := target[i]
		next := byte(0)
		if i+1 < len(target) {
			next = target[i+1]
		}
		switch {
		case ch == '\\' && next != 0:
			b.WriteString(c.lit(string(next)))
			i++
		case ch == '$' && next >= '0' && next <= '9':
			switch n := int(next - '0'); {
			case n == 0:
				return "", false
			case n <= groups:
				b.WriteString("$" + string(next))
			}
			i++
		default:
			b.WriteString(c.lit(string(ch)))
		}
	}
	return b.String(), true
}
