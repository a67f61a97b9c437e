package jk

import (
	"regexp"
	"slices"
	"strings"
)

// A rule's path is a pattern: "*" stands for any bytes, "/" too, and "?" for one
// byte (jk_wildchar_match in native/common/jk_util.c).

func isWild(p string) bool { return strings.ContainsAny(p, "*?") }

// matches reports whether the whole path fits the pattern.
func matches(pattern, path string) bool {
	p, s, star, mark := 0, 0, -1, 0
	for s < len(path) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, s
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == path[s]):
			p++
			s++
		case star >= 0:
			mark++
			p, s = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// Bounds of an intersection: steps of its computation and patterns of its result.
const (
	maxSteps  = 20_000
	maxGlobs  = 32
	maxGlobIn = 512
)

// intersect returns patterns that together fit exactly the paths that fit both a
// and b; ok is false when that would be too many.
func intersect(a, b string) (out []string, ok bool) {
	if len(a) > maxGlobIn || len(b) > maxGlobIn {
		return nil, false
	}
	x := &meet{seen: map[string]bool{}, steps: maxSteps}
	x.walk("", squeeze(a), squeeze(b))
	if x.steps <= 0 {
		return nil, false
	}
	for _, g := range x.out {
		inOther := slices.ContainsFunc(x.out, func(o string) bool { return o != g && contains(o, g) })
		if !inOther {
			out = append(out, g)
		}
	}
	slices.Sort(out)
	return out, len(out) <= maxGlobs
}

// contains reports that every path of g fits o. It may miss some, never the
// other way round: wildcards of g are only met by a "*" or themselves.
func contains(o, g string) bool {
	return matches(o, strings.NewReplacer("*", "\x01", "?", "\x02").Replace(g))
}

func squeeze(p string) string {
	for strings.Contains(p, "**") {
		p = strings.ReplaceAll(p, "**", "*")
	}
	return p
}

type meet struct {
	seen  map[string]bool
	out   []string
	steps int
}

// walk appends to the result what begins with done and goes on with both a and b.
func (x *meet) walk(done, a, b string) {
	key := done + "\x00" + a + "\x00" + b
	if x.steps--; x.steps <= 0 || x.seen[key] {
		return
	}
	x.seen[key] = true
	switch {
	case a == "" && b == "":
		x.out = append(x.out, squeeze(done))
	case a == "*" && b != "":
		x.out = append(x.out, squeeze(done+b))
	case b == "*" && a != "":
		x.out = append(x.out, squeeze(done+a))
	case a != "" && a[0] == '*' && b != "" && b[0] == '*':
		x.walk(done+"*", a[1:], b)
		x.walk(done+"*", a, b[1:])
	case a != "" && a[0] == '*':
		x.walk(done, a[1:], b)
		if b != "" {
			x.walk(done+b[:1], a, b[1:])
		}
	case b != "" && b[0] == '*':
		x.walk(done, a, b[1:])
		if a != "" {
			x.walk(done+a[:1], a[1:], b)
		}
	case a == "" || b == "":
	case a[0] == '?':
		x.walk(done+b[:1], a[1:], b[1:])
	case b[0] == '?' || a[0] == b[0]:
		x.walk(done+a[:1], a[1:], b[1:])
	}
}

// shape gives a pattern the form of a mapping: a plain path of httpd, which fits
// itself and all below it, or a regular expression.
func shape(p string) (path string, regex bool) {
	p = squeeze(p)
	if lit, ok := strings.CutSuffix(p, "*"); ok && !isWild(lit) {
		if strings.HasSuffix(lit, "/") && !strings.Contains(lit, "//") {
			return lit, false
		}
		return "^" + regexp.QuoteMeta(lit), true
	}
	var b strings.Builder
	b.WriteByte('^')
	from := 0
	for i := 0; i < len(p); i++ {
		if p[i] != '*' && p[i] != '?' {
			continue
		}
		b.WriteString(regexp.QuoteMeta(p[from:i]))
		if b.WriteByte('.'); p[i] == '*' {
			b.WriteByte('*')
		}
		from = i + 1
	}
	b.WriteString(regexp.QuoteMeta(p[from:]))
	return b.String() + "$", true
}
