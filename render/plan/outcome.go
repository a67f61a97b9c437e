package plan

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
)

// outcome settles what is done with the paths of a cell that match the patterns
// in on, and no others. The order is httpd's: ProxyPass of a Location, ProxyPass
// of the server in file order, then Redirect, handler and files; a Redirect in a
// Location wins: over a mapping when access was granted, else before that is asked
// (translate_alias_redir and fixup_redir of mod_alias.c).
func (c *cutter) outcome(cell string, on []string) Outcome {
	var o Outcome
	var inSection *model.Redirect
	var of *model.Section // the Location that has the mapping
	for _, i := range c.sections.hits(cell, on) {
		sec := c.srv.Sections[i]
		o.Sections = append(o.Sections, sec)
		if sec.Mapping != nil {
			o.Mapping, of = sec.Mapping, sec
		}
		for _, r := range slices.Backward(sec.Settings.Redirects) {
			if hits(r.Path.Or(sec.Path.V), r.Regex.V, cell, on) || !r.Path.IsSet() {
				inSection = r
			}
		}
	}
	if o.Mapping == nil {
		if first := c.mappings.hits(cell, on); len(first) > 0 {
			o.Mapping = c.srv.Mappings[first[0]]
		}
	}
	c.settings(&o)
	o.Access = newAccess(o.Settings.Access)
	for _, sec := range o.partial {
		if a := newAccess(sec.Settings.Access); !a.Open() {
			o.Access = o.Access.stricter(a, sec.Settings.Access.At)
			continue
		}
		o.Access = closed(o.Access, sec.At, "it restricts a part of what this mapping leads to; all of it is refused")
	}
	switch {
	case inSection != nil:
		if o.Mapping == nil || o.Mapping.Excludes() {
			o.Access = Access{Free: Everyone()} // sent when the URL is translated, before anybody is asked
		}
		c.redirect(&o, inSection)
	case o.Mapping != nil && !o.Mapping.Excludes():
		c.proxy(&o, of)
	default:
		c.local(&o, cell, on)
	}
	c.guard(&o)
	return o
}

// hits reports whether a prefix or a pattern applies.
func hits(p string, regex bool, cell string, on []string) bool {
	if regex {
		return slices.Contains(on, p)
	}
	return covers(p, cell)
}

// settings merges what counts: the server, Proxy sections of the target, Location
// sections (proxy_walk comes before the second location_walk, server/request.c).
func (c *cutter) settings(o *Outcome) {
	merged := c.srv.Settings
	var place model.Settings // of the Locations alone: they are merged first
	if o.Mapping != nil && !o.Mapping.Excludes() {
		to := c.target(o.Mapping.Target.V)
		for _, sec := range to.sections {
			merged = sec.Settings.Over(&merged)
			o.Sections = append(o.Sections, sec)
		}
		o.partial = to.partial
	}
	for _, sec := range o.Sections {
		if strings.HasPrefix(sec.Kind.V, "Location") {
			place.Access = (&model.Settings{Access: sec.Settings.Access}).Over(&place).Access
		}
	}
	outer := model.Settings{Access: merged.Access}
	for _, sec := range o.Sections {
		if strings.HasPrefix(sec.Kind.V, "Location") {
			merged = sec.Settings.Over(&merged)
		}
	}
	merged.Access = place.Over(&outer).Access
	o.Settings = merged
}

// proxied reports whether a Proxy section applies to every URL that begins with the
// target (proxy_walk); see within for those that apply to some.
func proxied(sec *model.Section, url string) bool {
	p := sec.Path.V
	switch {
	case sec.Kind.V == "ProxyMatch":
		re, err := regexp.Compile(p)
		return err != nil || re.MatchString(url) // the stricter settings when in doubt
	case isGlob(p):
		re, err := regexp.Compile("(?s)" + strings.ReplaceAll(globRegex(p), "[^/]", "."))
		return err != nil || re.MatchString(url)
	}
	return strings.HasPrefix(strings.ToLower(url), strings.ToLower(p))
}

// restricts reports whether settings refuse somebody.
func restricts(s *model.Settings) bool {
	if a := newAccess(s.Access); !a.Open() {
		return true
	}
	if s.Rewrite != nil && slices.ContainsFunc(s.Rewrite.Rules, turnsAway) {
		return true
	}
	return slices.ContainsFunc(s.Extras, func(d *model.Directive) bool { return d.Guard.V })
}

// within reports whether a Proxy section that does not apply to a target may apply
// to URLs that begin with it.
func within(sec *model.Section, url string) bool {
	p := strings.ToLower(sec.Path.V)
	url = strings.ToLower(url)
	lit := p
	switch {
	case sec.Kind.V == "ProxyMatch":
		rest, anchored := strings.CutPrefix(p, "^")
		if !anchored || strings.Contains(p, "|") {
			return true
		}
		lit = rest[:max(0, literal(rest))]
	case isGlob(p):
		lit = p[:strings.IndexAny(p, "*?[")]
	default:
		return len(p) > len(url) && strings.HasPrefix(p, url)
	}
	return strings.HasPrefix(lit, url) || strings.HasPrefix(url, lit)
}

// local settles what httpd does itself.
func (c *cutter) local(o *Outcome, cell string, on []string) {
	if first := c.redirects.hits(cell, on); len(first) > 0 {
		o.Access = Access{Free: Everyone()} // the redirect of a server is sent before anybody is asked
		c.redirect(o, c.srv.Settings.Redirects[first[0]])
		return
	}
	if h := o.Settings.Handler; h.V != "" && !strings.EqualFold(h.V, "none") && !strings.EqualFold(h.V, "default-handler") {
		o.Kind, o.Handler = Handler, strings.ToLower(h.V)
		return
	}
	o.Kind, o.Strip = Files, "/"
	root := c.srv.DocRoot.V
	for _, a := range c.srv.PathAlias {
		if hits(a.Path.V, a.Regex.V, cell, on) {
			if root = ""; !a.Regex.V && !a.Script.V {
				root, o.Strip = a.File.V, a.Path.V
			}
			break
		}
	}
	if root != "" && c.servable(root, &o.Settings) {
		o.Root = path.Clean(root)
	}
}

func (c *cutter) redirect(o *Outcome, r *model.Redirect) {
	o.Kind, o.Redirect, o.Location, o.Status = Redirect, r, r.Target.V, r.Status.Or(302)
	switch {
	case r.Regex.V:
		o.Regex = &Pattern{Regex: r.Path.V, RE2: isRE2(r.Path.V), Fact: r}
	case r.Path.IsSet():
		o.Strip = r.Path.V
	default: // in a Location without a path: one place for all (fixup_redir of mod_alias.c)
		o.Regex = &Pattern{Regex: "^", RE2: true, Fact: r}
	}
	if o.Location == "" || o.Status < 300 || o.Status > 399 {
		o.Kind = Refuse
	}
}

// proxy settles the pool and the path that its members see; of is the Location
// section that has the mapping, nil for one of the server.
func (c *cutter) proxy(o *Outcome, of *model.Section) {
	m := o.Mapping
	o.Kind = Proxy
	to := c.target(m.Target.V)
	pool, rest, why := to.pool, to.rest, to.why
	switch {
	case pool != nil && (m.Interp.V && strings.Contains(m.Target.V+m.Path.V, "${")):
		why = "variables in ProxyPass cannot be replaced there: the requests are refused"
	case pool != nil && m.Enc.V != "":
		o.Access.Lost = append(o.Access.Lost, Lost{Fact: m.Enc, Message: "it is compared with the path as it was decoded", Near: true})
	}
	if of != nil && of.Kind.V == "Location" && isGlob(of.Path.V) && why == "" {
		why = "httpd takes the shell pattern of this Location for a regular expression when it maps the URL: the requests are refused; use LocationMatch"
	}
	if why != "" {
		o.Kind, o.Status = Refuse, 503
		o.Access.Lost = append(o.Access.Lost, Lost{Fact: m, Message: why})
		return
	}
	o.Pool = pool
	regex := ""
	if m.Regex.V {
		regex = m.Path.V
	}
	o.Strip = m.Path.V
	if of != nil {
		if regex = sectionRegex(of); !m.Path.IsSet() {
			o.Strip = of.Path.V
		}
	}
	o.Base = pool.Path
	if o.To = pool.Path + rest; regex != "" {
		o.Strip = ""
		if strings.Contains(rest, "$") {
			o.Regex = &Pattern{Regex: regex, RE2: isRE2(regex), Fact: m}
		}
	}
	if o.Strip == "/" && o.To == "" {
		o.To = "/"
	}
}

// closed turns an access into one that lets nobody in.
func closed(a Access, fact any, message string) Access {
	a.Free, a.Auth = Set{}, Set{}
	a.Lost = append(slices.Clone(a.Lost), Lost{Fact: fact, Message: message})
	return a
}
