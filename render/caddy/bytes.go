package caddy

import (
	"regexp/syntax"

	"clowder/render/plan"
)

// countsBytes reports whether an expression for paths of the site may judge a path
// with bytes beyond ASCII otherwise than httpd's, which looks at bytes (PCRE without
// UTF): Go's engine looks at letters of UTF-8.
func (c *siteGen) countsBytes() bool {
	for _, cell := range c.site.Cells {
		for _, b := range cell.Branches {
			for _, p := range b.Patterns {
				if !byLetters(p.Regex, b.Access.Closed() || b.Kind == plan.Refuse) {
					return true
				}
			}
		}
	}
	for _, e := range c.site.Early {
		if !e.Path.Always && !byLetters(e.Path.Regex, !e.Path.Not) {
			return true
		}
		for _, cond := range e.Conds {
			if cond.What == plan.CondPath && !byLetters(cond.Regex, !cond.Not) {
				return true
			}
		}
	}
	return false
}

// byLetters reports whether an expression matches the same texts by letters as by
// bytes: its classes and dots have all or none of what is beyond ASCII, and their
// number does not matter. With more it may match more by letters than by bytes, as
// one dot does, but not less, as two of them do.
func byLetters(re string, more bool) bool {
	if escapesByte(re) {
		return false
	}
	tree, err := syntax.Parse(re, syntax.Perl|syntax.DotNL)
	return err != nil || letters(tree, more) // what Go does not know is refused elsewhere
}

// letters goes through an expression.
func letters(re *syntax.Regexp, more bool) bool {
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return more
	case syntax.OpCharClass:
		last := len(re.Rune) - 1
		return last < 0 || re.Rune[last] < 0x80 || more && wide(re)
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r >= 0x80 && re.Flags&syntax.FoldCase != 0 {
				return false
			}
		}
		return true
	case syntax.OpStar, syntax.OpPlus:
		return wide(re.Sub[0]) || letters(re.Sub[0], more)
	case syntax.OpRepeat:
		return !wide(re.Sub[0]) && letters(re.Sub[0], more)
	}
	for i, sub := range re.Sub {
		if !letters(sub, more) || re.Op == syntax.OpConcat && i > 0 && wide(sub) && wide(re.Sub[i-1]) {
			return false
		}
	}
	return true
}

// wide reports whether one piece takes each letter beyond ASCII.
func wide(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpCapture, syntax.OpQuest:
		return wide(re.Sub[0])
	case syntax.OpCharClass:
		last := len(re.Rune) - 1
		return last > 0 && re.Rune[last] == 0x10FFFF && re.Rune[last-1] <= 0x80
	}
	return false
}

// escapesByte reports whether an expression names a byte beyond ASCII by its number:
// \xe9, \x{e9}, \351.
func escapesByte(re string) bool {
	for i := 0; i+1 < len(re); i++ {
		if re[i] != '\\' {
			continue
		}
		i++
		switch {
		case re[i] == 'x' && i+1 < len(re):
			if next := re[i+1]; next == '{' || next == '8' || next == '9' || next >= 'a' && next <= 'f' || next >= 'A' && next <= 'F' {
				return true
			}
		case re[i] >= '1' && re[i] <= '3' && i+2 < len(re) && re[i+1] >= '0' && re[i+1] <= '7' && re[i+2] >= '0' && re[i+2] <= '7':
			return true
		}
	}
	return false
}
