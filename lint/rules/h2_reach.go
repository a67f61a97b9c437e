package rules

import (
	"regexp/syntax"
	"strings"

	"clowder/parse/model"
)

// h2Reach says which URLs a ProxyPass, ProxyPassMatch or Location takes, as far
// as the text tells.
type h2Reach struct {
	begins string // each URL that it takes begins with this; "/" when nothing is known
	exact  bool   // it takes the URL begins and no other
	whole  string // it takes this path and all below it, "" when that is not sure
	raw    string // it takes all that begins with this, "" when that is not sure
}

// h2ReachOf looks at a mapping as proxy_trans in modules/proxy/mod_proxy.c does;
// false for a path that matches nothing or is not known.
func h2ReachOf(m *model.Mapping) (h2Reach, bool) {
	path := m.Path.V
	if unknown(path) || path == "" {
		return h2Reach{}, false
	}
	if m.Regex.V {
		return h2RegexReach(path), true
	}
	if path[0] != '/' {
		return h2Reach{}, false
	}
	path = h2Squeeze(path)
	return h2Reach{begins: path, whole: path}, true
}

// h2Squeeze makes one slash of several, as alias_match takes them.
func h2Squeeze(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// h2RegexReach reads a regular expression of the forms ^/path, ^/path(.*)$,
// ^/path(/.*)?$ and ^/path$; of others only the literal beginning.
func h2RegexReach(pattern string) h2Reach {
	none := h2Reach{begins: "/"}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return none
	}
	parts := h2Flatten(re, nil)
	anchored := len(parts) > 0 && parts[0].Op == syntax.OpBeginText
	if anchored {
		parts = parts[1:]
	}
	literal := ""
	for len(parts) > 0 && parts[0].Op == syntax.OpLiteral && parts[0].Flags&syntax.FoldCase == 0 {
		literal += string(parts[0].Rune)
		parts = parts[1:]
	}
	r := none
	if anchored && strings.HasPrefix(literal, "/") {
		r.begins = literal
	}
	if literal == "" {
		literal = "/"
	}
	if literal[0] != '/' {
		return r
	}
	switch {
	case len(parts) == 0, len(parts) <= 2 && h2Anything(parts[0]) && h2Ends(parts[1:]):
		r.raw = literal
	case len(parts) == 1 && h2Ends(parts):
		r.exact = anchored
	case len(parts) == 2 && h2Ends(parts[1:]) && h2OptionalBelow(parts[0]):
		r.whole = literal
	}
	return r
}

// h2Flatten lists the parts of a concatenation without the groups around them.
func h2Flatten(re *syntax.Regexp, out []*syntax.Regexp) []*syntax.Regexp {
	switch re.Op {
	case syntax.OpCapture:
		return h2Flatten(re.Sub[0], out)
	case syntax.OpConcat:
		for _, s := range re.Sub {
			out = h2Flatten(s, out)
		}
		return out
	case syntax.OpEmptyMatch:
		return out
	}
	return append(out, re)
}

func h2Ends(parts []*syntax.Regexp) bool {
	return len(parts) == 0 || len(parts) == 1 && parts[0].Op == syntax.OpEndText
}

func h2Anything(re *syntax.Regexp) bool {
	return re.Op == syntax.OpStar && (re.Sub[0].Op == syntax.OpAnyCharNotNL || re.Sub[0].Op == syntax.OpAnyChar)
}

// h2OptionalBelow recognizes (/.*)?.
func h2OptionalBelow(re *syntax.Regexp) bool {
	if re.Op != syntax.OpQuest {
		return false
	}
	parts := h2Flatten(re.Sub[0], nil)
	return len(parts) == 2 && parts[0].Op == syntax.OpLiteral && string(parts[0].Rune) == "/" && h2Anything(parts[1])
}

// h2Table finds, among mappings in the order of evaluation, the first that takes
// every URL of another. A lookup costs as much as the path is long.
type h2Table struct {
	whole, raw map[string]int
	list       []*model.Mapping
}

func (t *h2Table) add(m *model.Mapping) {
	r, ok := h2ReachOf(m)
	if !ok || h2Declines(m) {
		return
	}
	if t.whole == nil {
		t.whole, t.raw = map[string]int{}, map[string]int{}
	}
	t.list = append(t.list, m)
	if _, seen := t.whole[r.whole]; r.whole != "" && !seen {
		t.whole[r.whole] = len(t.list) - 1
	}
	if _, seen := t.raw[r.raw]; r.raw != "" && !seen {
		t.raw[r.raw] = len(t.list) - 1
	}
}

// h2Declines reports whether a mapping may let a request go on to the next one:
// ws:// takes only requests to upgrade (mod_proxy_wstunnel's check_trans).
func h2Declines(m *model.Mapping) bool {
	s := h2Scheme(m.Target.V)
	return s == "ws" || s == "wss"
}

// first returns the first mapping that takes every URL of the reach, or nil.
func (t *h2Table) first(r h2Reach) *model.Mapping {
	best := -1
	take := func(i int, ok bool) {
		if ok && (best < 0 || i < best) {
			best = i
		}
	}
	s := r.begins
	for i := 1; i <= len(s) && t.whole != nil; i++ {
		k, ok := t.raw[s[:i]]
		take(k, ok)
		k, ok = t.whole[s[:i]]
		switch {
		case !ok:
		case i < len(s):
			take(k, s[i-1] == '/' || s[i] == '/')
		default: // the same text
			take(k, r.whole != "" || r.exact || s[i-1] == '/')
		}
	}
	if best < 0 {
		return nil
	}
	return t.list[best]
}

// h2Pair is a table for each of the two times at which httpd maps URLs: those
// with mapping=encoded are asked before the URL is decoded.
type h2Pair [2]h2Table

func (t *h2Pair) of(m *model.Mapping) *h2Table {
	if m.Enc.V == "encoded" {
		return &t[1]
	}
	return &t[0]
}

// h2IsPass reports whether a mapping was written as ProxyPass or ProxyPassMatch
// (mod_jk's are not asked in order).
func h2IsPass(m *model.Mapping) bool {
	text := strings.TrimLeft(m.At.Text(), " \t")
	return len(text) > 9 && strings.EqualFold(text[:9], "proxypass")
}

// h2SameResult reports whether both mappings send the URLs of the second, which
// the first takes as well, to one place.
func h2SameResult(first, second *model.Mapping) bool {
	if first.Regex.V || second.Regex.V {
		return first.Regex.V == second.Regex.V && first.Path.V == second.Path.V && first.Target.V == second.Target.V
	}
	if first.Nocan.V != second.Nocan.V || first.NoQry.V != second.NoQry.V || first.Interp.V != second.Interp.V || first.Enc.V != second.Enc.V {
		return false
	}
	rest := strings.TrimPrefix(second.Path.V, first.Path.V)
	return strings.TrimRight(first.Target.V+rest, "/") == strings.TrimRight(second.Target.V, "/")
}

// h2Name is the name of the mapping's directive.
func h2Name(m *model.Mapping) string {
	text := strings.TrimLeft(m.At.Text(), " \t")
	if len(text) >= 14 && strings.EqualFold(text[:14], "ProxyPassMatch") {
		return "ProxyPassMatch"
	}
	return "ProxyPass"
}

// h2Shown is the mapping as people write it.
func h2Shown(m *model.Mapping) string {
	s := h2Name(m) + " "
	if m.Regex.V && s == "ProxyPass " {
		s += "~ "
	}
	s += `"` + m.Path.V + `"`
	if m.Excludes() {
		s += ` "!"`
	}
	return s
}
