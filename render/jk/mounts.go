package jk

import (
	"regexp"
	"strings"

	"clowder/parse/model"
)

// mounted is where a mapping leads.
type mounted struct {
	worker  string
	pattern string // of mod_jk: /app/*, or /app|/* for both
}

// Mounts returns the JkMount and JkUnMount lines of a server. mod_jk takes the
// longest pattern that fits where mod_proxy takes the first line: a mapping that an
// earlier one hides is left out, and an earlier exclusion becomes JkUnMount lines
// for the workers behind it. A virtual host has none of the main server's mounts,
// so those that it inherits stand in it again.
func (c *connector) Mounts(s *model.Server) (lines, refused []string) {
	eff := c.f.Effective(s)
	list := append([]*model.Mapping(nil), eff.Mappings...)
	for _, sec := range eff.Sections {
		if sec.Mapping != nil {
			list = append(list, sec.Mapping)
		}
	}
	var done []*model.Mapping
	at := map[*model.Mapping]string{}
	for i, m := range list {
		if hidden(list[:i], m) {
			c.led.Approx("an earlier line takes its URLs already; it was left out", "JkMount", m)
			continue
		}
		done = append(done, m)
		if m.Excludes() {
			c.led.Exact(m)
			continue
		}
		t, why := c.mount(m)
		if why != "" {
			c.led.Person(why+"; requests for its URLs are refused", "JkMount", m)
			refused = append(refused, regex(m))
			continue
		}
		lines = append(lines, "JkMount "+quote(t.pattern)+" "+t.worker)
		at[m] = t.worker
		c.led.Exact(m)
		for _, e := range done[:len(done)-1] {
			if e.Regex.V && !e.Excludes() && at[e] != t.worker {
				c.led.Approx("for URLs that fit an earlier pattern as well the longest one decides, not the first", "JkMount", m)
			}
		}
		for k, x := range done {
			if !x.Excludes() || !meets(x, m) {
				continue
			}
			for _, e := range done[:k] {
				if at[e] == t.worker && meets(x, e) {
					c.led.Approx("mod_jk takes its URLs from the lines before it as well", "JkUnMount", x)
				}
			}
			if p, ok := pattern(x); ok {
				line := "JkUnMount " + quote(p) + " " + t.worker
				if !contains(lines, line) {
					lines = append(lines, line)
				}
			} else {
				refused = append(refused, regex(x))
				c.led.Person("mod_jk has no pattern like that; requests for its URLs are refused", "JkUnMount", x)
			}
		}
	}
	for _, sec := range s.Sections {
		if c.Page(s, sec) {
			c.page = true
			lines = append(lines, "JkMount "+quote(sec.Path.V)+" "+statusWorker)
			if !strings.HasSuffix(sec.Path.V, "/") {
				lines = append(lines, "JkMount "+quote(sec.Path.V+"/*")+" "+statusWorker)
			}
		}
	}
	return lines, refused
}

// Page reports whether the status page stands at the section's path: not where a
// mapping takes the requests before they come to it.
func (c *connector) Page(s *model.Server, sec *model.Section) bool {
	h := strings.ToLower(sec.Settings.Handler.V)
	if h != "balancer-manager" && h != "jk-status" || sec.Kind.V != "Location" || !strings.HasPrefix(sec.Path.V, "/") || strings.ContainsAny(sec.Path.V, "*?[\n") {
		return false
	}
	eff := c.f.Effective(s)
	for _, m := range eff.Mappings {
		if covers(m, sec.Path.V) {
			return m.Excludes()
		}
	}
	return true
}

// mount says where a mapping leads, or why mod_jk cannot do it.
func (c *connector) mount(m *model.Mapping) (mounted, string) {
	worker, path := "", ""
	if rest, ok := strings.CutPrefix(m.Target.V, "balancer://"); ok {
		name, tail, slash := strings.Cut(rest, "/")
		worker = c.lb[strings.ToLower(name)]
		if slash {
			path = "/" + tail
		}
		if worker == "" {
			return mounted{}, "its balancer has no member that speaks AJP"
		}
	} else {
		if !isAJP(m.Target.V) {
			return mounted{}, "mod_jk speaks AJP only"
		}
		best := ""
		for u := range c.plain {
			if strings.HasPrefix(m.Target.V, u) && len(u) > len(best) {
				best = u
			}
		}
		if worker = c.plain[best]; worker == "" {
			return mounted{}, "its worker is not among those of the setup"
		}
		if _, rest, ok := strings.Cut(m.Target.V, "://"); ok {
			if i := strings.IndexByte(rest, '/'); i >= 0 {
				path = rest[i:]
			}
		}
	}
	p, ok := pattern(m)
	switch {
	case !ok:
		return mounted{}, "mod_jk has no pattern like that"
	case m.Regex.V && strings.Trim(path, "/") != "" && path != "/$0" && path != "$0":
		return mounted{}, "mod_jk passes the path on as it is, it cannot be changed"
	case !m.Regex.V && strings.Trim(path, "/") != strings.Trim(m.Path.V, "/"):
		return mounted{}, "mod_jk passes the path on as it is: " + m.Path.V + " cannot become " + path
	}
	return mounted{worker, p}, ""
}

// pattern is the form that mod_jk has for a mapping's URLs: /app|/* for /app, which
// stands for /app and what is below it.
func pattern(m *model.Mapping) (string, bool) {
	p := m.Path.V
	if m.Regex.V {
		return glob(p)
	}
	switch {
	case !strings.HasPrefix(p, "/") || strings.ContainsAny(p, "*?|;\n"):
		return "", false
	case strings.HasSuffix(p, "/"):
		return p + "*", true
	}
	return p + "|/*", true
}

// glob turns a regular expression into a pattern of mod_jk, if it is no more than
// one: text, ".*" and ".".
func glob(re string) (string, bool) {
	if !strings.HasPrefix(re, "^/") || !strings.HasSuffix(re, "$") || strings.HasSuffix(re, `\$`) {
		return "", false
	}
	re = re[1 : len(re)-1]
	var b strings.Builder
	for i := 0; i < len(re); i++ {
		switch ch := re[i]; {
		case ch == '\\' && i+1 < len(re) && strings.IndexByte(`.+()[]{}^$\`, re[i+1]) >= 0:
			i++
			b.WriteByte(re[i])
		case strings.HasPrefix(re[i:], ".*"):
			b.WriteByte('*')
			i++
		case ch == '.':
			b.WriteByte('?')
		case strings.IndexByte(`\+*?()[]{}^$|;`, ch) >= 0 || ch < ' ':
			return "", false
		default:
			b.WriteByte(ch)
		}
		if i+1 < len(re) && strings.IndexByte("*+?{", re[i+1]) >= 0 && !strings.HasPrefix(re[i+1:], ".*") {
			return "", false // a repetition of something else
		}
	}
	return b.String(), true
}

// regex is a regular expression for a mapping's URLs.
func regex(m *model.Mapping) string {
	if m.Regex.V {
		return m.Path.V
	}
	if strings.HasSuffix(m.Path.V, "/") {
		return "^" + regexp.QuoteMeta(m.Path.V)
	}
	return "^" + regexp.QuoteMeta(m.Path.V) + "(/|$)"
}

// covers reports whether a mapping takes the path; of a regular expression that Go
// does not know it is taken for granted.
func covers(m *model.Mapping, path string) bool {
	if m.Regex.V {
		re, err := regexp.Compile(m.Path.V)
		return err != nil || re.MatchString(path)
	}
	return under(path, m.Path.V)
}

// under reports whether path is prefix or below it, in whole parts.
func under(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || strings.HasSuffix(prefix, "/") || rest[0] == '/')
}

// hidden reports whether an earlier mapping takes all URLs of m.
func hidden(earlier []*model.Mapping, m *model.Mapping) bool {
	for _, e := range earlier {
		if e.Path.V == m.Path.V && e.Regex.V == m.Regex.V || !e.Regex.V && !m.Regex.V && under(m.Path.V, e.Path.V) {
			return true
		}
		if p, ok := pattern(m); ok && m.Regex.V && !e.Regex.V && strings.HasPrefix(p, strings.TrimSuffix(e.Path.V, "/")+"/") && !strings.ContainsAny(e.Path.V, "*?") {
			return true
		}
	}
	return false
}

// meets reports whether an exclusion may take URLs from a mapping.
func meets(x, m *model.Mapping) bool {
	return x.Regex.V || m.Regex.V || under(x.Path.V, m.Path.V) || under(m.Path.V, x.Path.V)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// quote puts a pattern in quotes for httpd.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
