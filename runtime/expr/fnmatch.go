package expr

// MatchFlags change what a shell pattern matches.
type MatchFlags uint8

// The flags of apr_fnmatch that httpd uses.
const (
	Pathname  MatchFlags = 1 << iota // wildcards do not match "/"
	CaseBlind                        // ASCII letters of both cases are alike
)

// Fnmatch reports whether the shell pattern matches all of s (apr_fnmatch): *, ?,
// [a-z], [!a-z] and a backslash before a literal character. It takes time
// proportional to the product of both lengths at most.
func Fnmatch(pattern, s string, f MatchFlags) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, mark = p, i
			continue
		}
		if i == len(s) && p == len(pattern) {
			return true
		}
		if i < len(s) && p < len(pattern) {
			if n, ok := one(pattern[p:], s[i], f); ok {
				p += n
				i++
				continue
			}
		}
		if star < 0 || mark >= len(s) || f&Pathname != 0 && s[mark] == '/' {
			return false
		}
		mark++
		p, i = star, mark
	}
}

// one matches one byte against the beginning of a pattern and returns how much of
// the pattern that took.
func one(p string, c byte, f MatchFlags) (int, bool) {
	switch p[0] {
	case '?':
		return 1, f&Pathname == 0 || c != '/'
	case '[':
		if n, ok := bracket(p, c, f); n > 0 {
			return n, ok && (f&Pathname == 0 || c != '/')
		}
	case '\\':
		if len(p) > 1 {
			return 2, same(p[1], c, f)
		}
	}
	return 1, same(p[0], c, f)
}

func same(a, b byte, f MatchFlags) bool { return a == b || f&CaseBlind != 0 && lower(a) == lower(b) }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 0x20
	}
	return c
}

// bracket matches [...]; n is 0 when the bracket is not closed.
func bracket(p string, c byte, f MatchFlags) (n int, ok bool) {
	i := 1
	negated := i < len(p) && (p[i] == '!' || p[i] == '^')
	if negated {
		i++
	}
	for first := true; ; first = false {
		if i >= len(p) || f&Pathname != 0 && p[i] == '/' {
			return 0, false
		}
		if p[i] == ']' && !first {
			return i + 1, ok != negated
		}
		lo, k := plain(p, i)
		i = k
		hi := lo
		if i+1 < len(p) && p[i] == '-' && p[i+1] != ']' {
			hi, i = plain(p, i+1)
		}
		in := func(c byte) bool { return c >= lo && c <= hi }
		ok = ok || in(c) || f&CaseBlind != 0 && (in(lower(c)) || c >= 'a' && c <= 'z' && in(c-0x20))
	}
}

// plain reads one byte of a bracket, with a backslash before it or not.
func plain(p string, i int) (byte, int) {
	if p[i] == '\\' && i+1 < len(p) {
		i++
	}
	return p[i], i + 1
}
