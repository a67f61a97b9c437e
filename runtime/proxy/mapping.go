package proxy

import (
	"strconv"
	"strings"

	"clowder/parse/model"
	"clowder/runtime/expr"
	"clowder/runtime/pcre"
)

// rule is one ProxyPass or ProxyPassMatch.
type rule struct {
	m       *model.Mapping
	prefix  string
	re      *pcre.Regexp
	target  string
	exclude bool
	nocanon bool
	interp  bool
	early   string // mapping=encoded or servlet
}

// newRule compiles a mapping; path is the section's argument inside a Location.
func newRule(m *model.Mapping, path string) (*rule, error) {
	r := &rule{m: m, prefix: m.Path.V, target: m.Target.V, exclude: m.Excludes(),
		nocanon: m.Nocan.V, interp: m.Interp.V, early: strings.ToLower(m.Enc.V)}
	if r.prefix == "" {
		r.prefix = path
	}
	if m.Regex.V || path != "" && strings.ContainsAny(r.prefix, "*?[") {
		re, err := compile(r.prefix)
		if err != nil {
			return nil, err
		}
		r.re = re
	}
	return r, nil
}

// compile reads a pattern as httpd does.
func compile(pattern string) (*pcre.Regexp, error) { return pcre.Compile(pattern, 0) }

// aliasMatch returns how much of uri the prefix takes, 0 for no match
// (alias_match of modules/proxy/mod_proxy.c).
func aliasMatch(uri, prefix string) int {
	u, p := 0, 0
	for p < len(prefix) && u < len(uri) {
		if prefix[p] == '/' {
			if uri[u] != '/' {
				return 0
			}
			for p < len(prefix) && prefix[p] == '/' {
				p++
			}
			for u < len(uri) && uri[u] == '/' {
				u++
			}
			continue
		}
		if uri[u] != prefix[p] {
			return 0
		}
		u++
		p++
	}
	if p == 0 || p < len(prefix) || prefix[p-1] != '/' && u < len(uri) && uri[u] != '/' {
		return 0
	}
	return u
}

// match applies the rule to a decoded path. raw is the request's path and query
// as sent, for nocanon. The result is the URL; literal says that its rest is
// already encoded and holds the query.
func (r *rule) match(path, raw string, env map[string]string) (url string, literal, unsafe, ok bool) {
	target := r.target
	prefix := r.prefix
	if r.interp {
		target, prefix = interpolate(target, env), interpolate(prefix, env)
	}
	if r.re != nil {
		at, err := r.re.Find(path)
		if err != nil && r.exclude {
			return "", false, false, true // not to be forwarded, as far as is known
		}
		if at == nil {
			return "", false, false, false
		}
		if r.exclude {
			return "", false, false, true
		}
		u := expand(target, path, at)
		if u == target {
			u += path
			if r.nocanon {
				return target + raw, true, false, true
			}
		}
		return u, false, false, true
	}
	n := aliasMatch(path, prefix)
	if n == 0 {
		return "", false, false, false
	}
	if r.exclude {
		return "", false, false, true
	}
	if r.nocanon {
		if aliasMatch(raw, prefix) == n {
			return target + raw[n:], true, false, true
		}
		unsafe = true
	}
	return target + path[n:], false, unsafe, true
}

// expand replaces $0 to $9 (ap_pregsub): a backslash takes the next byte literally.
func expand(target, path string, at []int) string {
	var b strings.Builder
	for i := 0; i < len(target); i++ {
		switch c := target[i]; {
		case c == '\\' && i+1 < len(target):
			i++
			b.WriteByte(target[i])
		case c == '$' && i+1 < len(target) && target[i+1] >= '0' && target[i+1] <= '9':
			i++
			if n := 2 * int(target[i]-'0'); n+1 < len(at) && at[n] >= 0 {
				b.WriteString(path[at[n]:at[n+1]])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// interpolate replaces ${VAR} by request variables.
func interpolate(s string, env map[string]string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			break
		}
		j := strings.IndexByte(s[i:], '}')
		if j < 0 {
			break
		}
		b.WriteString(s[:i])
		b.WriteString(env[s[i+2:i+j]])
		s = s[i+j+1:]
	}
	b.WriteString(s)
	return b.String()
}

// matchEarly applies a rule with mapping=encoded or servlet to the encoded path.
func (r *rule) matchEarly(path string) (url string, ok bool) {
	if r.early == "encoded" {
		url, _, _, ok = r.match(path, path, nil)
		return url, ok
	}
	plain, pos := make([]byte, 0, len(path)), make([]int, 0, len(path)+1)
	for i, skip := 0, false; i < len(path); i++ {
		skip = path[i] != '/' && (skip || path[i] == ';')
		if !skip {
			plain, pos = append(plain, path[i]), append(pos, i)
		}
	}
	pos = append(pos, len(path))
	s := string(plain)
	n := aliasMatch(s, r.prefix)
	if n == 0 || r.exclude {
		return "", n > 0
	}
	if n == len(s) {
		return r.target, true
	}
	from := pos[n]
	if !strings.HasSuffix(r.prefix, "/") {
		from = pos[n-1] + 1
	}
	return r.target + path[from:], true
}

// matchText is a shell pattern in which * and ? do not match "/" if slash is
// false (apr_fnmatch with APR_FNM_PATHNAME).
func matchText(pattern, s string, slash bool) bool {
	var f expr.MatchFlags
	if !slash {
		f = expr.Pathname
	}
	return expr.Fnmatch(pattern, s, f)
}

// hostPort splits an authority; port is def without one and -1 if it is no port.
func hostPort(authority string, def int) (string, int) {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.HasSuffix(authority, "]") {
		return authority, def
	}
	n, err := strconv.Atoi(authority[i+1:])
	if err != nil || n < 1 || n > 65535 {
		n = -1
	}
	return authority[:i], n
}
