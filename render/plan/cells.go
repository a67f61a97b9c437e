package plan

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
)

// cells cuts the URL space of a site at every prefix that its directives name.
// Within a cell all prefixes apply or do not, so that the order of the directives
// can be settled here; patterns become branches.
func (b *builder) cells(s *Site) {
	c := newCutter(b, s)
	b.early(s)
	paths := map[string]bool{"/": true}
	add := func(path string) {
		if p := cleanPrefix(path); p != "" {
			paths[p] = true
		}
	}
	for _, m := range c.srv.Mappings {
		if !m.Regex.V {
			add(m.Path.V)
		}
	}
	for _, sec := range c.srv.Sections {
		if sec.Kind.V == "Location" && !isGlob(sec.Path.V) {
			add(sec.Path.V)
		}
		for _, r := range sec.Settings.Redirects {
			if !r.Regex.V {
				add(r.Path.V)
			}
		}
	}
	for _, r := range c.srv.Settings.Redirects {
		if !r.Regex.V {
			add(r.Path.V)
		}
	}
	for _, a := range c.srv.PathAlias {
		if !a.Regex.V {
			add(a.Path.V)
		}
	}
	list := make([]string, 0, len(paths))
	for p := range paths {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	for _, cell := range c.distinct(list) {
		c.paths = append(c.paths, cell.Path)
		s.Cells = append(s.Cells, cell)
	}
	for _, cell := range s.Cells {
		c.branches(cell)
	}
}

// distinct makes the cells of the paths, which stand longest first, and leaves out
// those that differ in nothing from the cell around them.
func (c *cutter) distinct(paths []string) []*Cell {
	var out []*Cell
	byPath := map[string]*Cell{}
	for _, p := range slices.Backward(paths) {
		cell := &Cell{Path: p, Outcome: c.outcome(p, nil)}
		if around := enclosing(byPath, p); around != nil && cell.same(&around.Outcome) && c.sameBelow(p, around.Path) {
			continue
		}
		byPath[p] = cell
		out = append(out, cell)
	}
	slices.Reverse(out)
	return out
}

// sameBelow reports whether two cells would be served alike where a pattern takes
// the mapping away: by the same Redirect and the same Alias.
func (c *cutter) sameBelow(a, b string) bool {
	if !slices.ContainsFunc(c.srv.Mappings, func(m *model.Mapping) bool { return m.Regex.V && m.Excludes() }) {
		return true
	}
	ra, rb := c.redirects.hits(a, nil), c.redirects.hits(b, nil)
	if len(ra) != len(rb) || len(ra) > 0 && ra[0] != rb[0] {
		return false
	}
	for _, al := range c.srv.PathAlias {
		if !al.Regex.V && covers(al.Path.V, a) != covers(al.Path.V, b) {
			return false
		}
	}
	return true
}

// enclosing returns the innermost cell around a path that is no cell yet.
func enclosing(cells map[string]*Cell, p string) *Cell {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != '/' {
			continue
		}
		if c := cells[p[:i+1]]; c != nil && i+1 < len(p) {
			return c
		}
		if c := cells[p[:i]]; c != nil {
			return c
		}
	}
	return nil
}

// same reports whether two outcomes of one site come from the same directives.
func (o *Outcome) same(p *Outcome) bool {
	return o.Kind == p.Kind && o.Status == p.Status && o.Mapping == p.Mapping && o.Pool == p.Pool && o.Strip == p.Strip && o.To == p.To &&
		o.Redirect == p.Redirect && o.Root == p.Root && o.Handler == p.Handler && slices.Equal(o.Sections, p.Sections)
}

// cleanPrefix returns the prefix with single slashes, "" for one that no path has.
func cleanPrefix(p string) string {
	if !strings.HasPrefix(p, "/") {
		return ""
	}
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

func isGlob(p string) bool { return strings.ContainsAny(p, "*?[") }

// covers reports whether every path of the cell has the prefix (alias_match of
// mod_proxy.c, location_walk of server/request.c).
func covers(prefix, cell string) bool {
	prefix = cleanPrefix(prefix)
	switch {
	case prefix == "":
		return false
	case strings.HasSuffix(prefix, "/"):
		return strings.HasPrefix(cell, prefix)
	}
	return cell == prefix || strings.HasPrefix(cell, prefix+"/")
}

// cutter makes the cells of one site.
type cutter struct {
	b     *builder
	site  *Site
	srv   *model.Server
	paths []string // of the cells

	sections, mappings, redirects *prefixes
	patterned                     []*model.Section // Locations with a pattern, or with redirects that have one
	proxies                       []*model.Section // Proxy and ProxyMatch
	targets                       map[string]*goal
}

// goal is what belongs to the target of a mapping.
type goal struct {
	pool      *Pool
	rest, why string           // see [builder.pool]
	sections  []*model.Section // Proxy sections that apply to it
	partial   []*model.Section // those with access rules that may apply to a part of the URLs below it
}

// target returns what belongs to the target of a mapping.
func (c *cutter) target(url string) *goal {
	t := c.targets[url]
	if t == nil {
		t = &goal{}
		t.pool, t.rest, t.why = c.b.pool(c.site, url)
		for _, sec := range c.proxies {
			if proxied(sec, url) {
				t.sections = append(t.sections, sec)
			} else if restricts(&sec.Settings) && within(sec, url) {
				t.partial = append(t.partial, sec)
			}
		}
		c.targets[url] = t
	}
	return t
}

func newCutter(b *builder, s *Site) *cutter {
	c := &cutter{b: b, site: s, srv: s.Server, sections: &prefixes{}, mappings: &prefixes{}, redirects: &prefixes{}, targets: map[string]*goal{}}
	for i, sec := range c.srv.Sections {
		if strings.HasPrefix(sec.Kind.V, "Location") {
			re := sectionRegex(sec)
			c.sections.add(i, cmp.Or(re, sec.Path.V), re != "")
			if re != "" || slices.ContainsFunc(sec.Settings.Redirects, func(r *model.Redirect) bool { return r.Regex.V }) {
				c.patterned = append(c.patterned, sec)
			}
		} else {
			c.proxies = append(c.proxies, sec)
		}
	}
	for i, m := range c.srv.Mappings {
		c.mappings.add(i, m.Path.V, m.Regex.V)
	}
	for i, r := range c.srv.Settings.Redirects {
		c.redirects.add(i, r.Path.V, r.Regex.V)
	}
	return c
}

// conditions lists the patterns that can change what is done in the cell, those
// that only decorate the answer behind the first weighty ones.
func (c *cutter) conditions(path string, plain *Outcome) (list []Pattern, weighty int) {
	var out []Pattern
	weighs := map[string]bool{} // patterns of more than decoration
	add := func(regex string, fact any, changes bool) {
		p := Pattern{Regex: regex, RE2: isRE2(regex), Fact: fact}
		if !changes || !c.mayMatch(regex, path) || slices.ContainsFunc(out, func(o Pattern) bool { return o.Regex == regex }) {
			return
		}
		out = append(out, p)
	}
	differs := func(regex string) bool {
		o := c.outcome(path, []string{regex})
		return o.Kind != plain.Kind || o.Mapping != plain.Mapping || o.Redirect != plain.Redirect || o.Root != plain.Root
	}
	for _, sec := range c.patterned {
		if re := sectionRegex(sec); re != "" {
			add(re, sec.Path, true)
			weighs[re] = weighs[re] || !decorates(sec)
		}
		for _, r := range sec.Settings.Redirects {
			if r.Regex.V {
				weighs[r.Path.V] = true
				add(r.Path.V, r, true)
			}
		}
	}
	for _, m := range c.srv.Mappings {
		if m.Regex.V {
			weighs[m.Path.V] = true
			add(m.Path.V, m, differs(m.Path.V))
		}
	}
	for _, r := range c.srv.Settings.Redirects {
		if r.Regex.V {
			weighs[r.Path.V] = true
			add(r.Path.V, r, differs(r.Path.V))
		}
	}
	for _, a := range c.srv.PathAlias {
		if a.Regex.V {
			weighs[a.Path.V] = true
			add(a.Path.V, a, differs(a.Path.V))
		}
	}
	var light []Pattern
	heavy := out[:0:0]
	for _, p := range out {
		if weighs[p.Regex] {
			heavy = append(heavy, p)
		} else {
			light = append(light, p)
		}
	}
	return append(heavy, light...), len(heavy)
}

// sectionRegex returns the pattern of a Location section that is not a prefix.
func sectionRegex(sec *model.Section) string {
	switch {
	case sec.Kind.V == "LocationMatch":
		return cmp.Or(sec.Path.V, "^") // an empty one matches every path
	case sec.Kind.V == "Location" && isGlob(sec.Path.V):
		return globRegex(sec.Path.V)
	}
	return ""
}

// globRegex writes a shell pattern as an expression: * and ? do not match a slash
// (apr_fnmatch with APR_FNM_PATHNAME, as location_walk uses it).
func globRegex(glob string) string {
	var b strings.Builder
	b.WriteByte('^')
	for i := 0; i < len(glob); i++ {
		switch ch := glob[i]; ch {
		case '*':
			b.WriteString("[^/]*")
		case '?':
			b.WriteString("[^/]")
		case '[':
			if end := strings.IndexByte(glob[i:], ']'); end > 1 {
				class := glob[i+1 : i+end]
				if rest, ok := strings.CutPrefix(class, "!"); ok {
					class = "^" + rest
				}
				b.WriteString("[" + class + "]")
				i += end
				continue
			}
			b.WriteString(`\[`)
		case '\\':
			if i+1 < len(glob) {
				i++
				b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
			}
		default:
			b.WriteString(regexp.QuoteMeta(string(ch)))
		}
	}
	b.WriteByte('$')
	return b.String()
}

// isRE2 reports whether Go's engine, and so that of Caddy, Envoy and Traefik, takes
// the expression.
func isRE2(regex string) bool {
	_, err := regexp.Compile(regex)
	return err == nil
}

// mayMatch reports whether a path of the cell can match: the letters after ^ must
// fit the cell's path, and those of no cell inside it.
func (c *cutter) mayMatch(regex, cell string) bool {
	rest, ok := strings.CutPrefix(regex, "^")
	if !ok || strings.Contains(regex, "|") {
		return true
	}
	lit := rest[:max(literal(rest), 0)]
	for _, p := range c.paths {
		if len(p) > len(cell) && covers(cell, p) && strings.HasPrefix(lit, strings.TrimSuffix(p, "/")+"/") {
			return false
		}
	}
	return strings.HasPrefix(lit, cell) || strings.HasPrefix(cell, lit) || strings.TrimSuffix(cell, "/") == lit
}

// literal returns how long the plain letters at the start of an expression are.
func literal(regex string) int {
	end := strings.IndexAny(regex, `\.[]()*+?{}|^$`)
	switch {
	case end < 0:
		return len(regex)
	case strings.IndexByte("*?{", regex[end]) >= 0:
		return end - 1 // the last letter may be absent
	}
	return end
}
