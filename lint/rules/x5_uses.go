package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// use is one mapping through which a site sends requests to Tomcats: ProxyPass,
// JkMount, RewriteRule [P] or SetHandler proxy:.
type use struct {
	*site
	owner    *model.Server // where it is written; the main server when inherited
	mapping  *model.Mapping
	at       diag.Span
	path     string // public path; "" when it cannot be told
	target   string // path on the Tomcat without a slash at its end; "" is all
	sure     bool   // target is known
	balancer *model.Balancer
	links    []model.Link // with a node and a connector, at least one

	set map[string]*model.HeaderRule // see requestHeaders
}

// usesOf returns the uses of all front ends in the order of the sites. A mapping
// of the main server is listed once for each kind of site that inherits it, not
// for each of thousands of virtual hosts.
func usesOf(p *lint.Pass) []use {
	ix := newTargets(p)
	if len(ix.members) == 0 && len(ix.workers) == 0 {
		return nil
	}
	var out []use
	for _, fe := range p.Setup.FrontEnds {
		seen := map[string]bool{}
		for _, s := range sitesOf(fe) {
			if !s.Main && fe.Main != nil && s.PassInherit.Or(fe.Main.PassInherit.Or(true)) {
				if k := s.kind(); !seen[k] && len(seen) < maxKinds {
					seen[k] = true
					out = ix.uses(out, s, fe.Main)
				}
			}
			out = ix.uses(out, s, s.Server.Server)
		}
	}
	return out
}

// maxKinds bounds the kinds of sites for which inherited mappings are looked at.
const maxKinds = 32

// kind is equal for sites to which an inherited mapping means the same.
func (s *site) kind() string {
	var b strings.Builder
	fmt.Fprint(&b, s.tls, s.plain, s.redirect, s.ProxyTimeout.V, s.Timeout.V, s.IOBufferSize.V)
	for _, h := range s.headers {
		if schemeWord(h) == "" && !schemeNames[strings.ToLower(h.Name.V)] {
			continue
		}
		fmt.Fprintf(&b, "\n%s %s %s %s", h.Action.V, h.Name.V, h.Value.V, h.Cond.V)
	}
	for _, sec := range s.sections {
		fmt.Fprintf(&b, "\n%p", sec)
	}
	return b.String()
}

// targets finds the links behind the URL of a mapping.
type targets struct {
	members  map[*model.Balancer][]model.Link
	workers  map[workerKey][]model.Link
	balancer map[*model.Server]map[string]*model.Balancer
}

type workerKey struct {
	server       *model.Server
	scheme, host string
	port         int
}

func newTargets(p *lint.Pass) *targets {
	ix := &targets{
		members: map[*model.Balancer][]model.Link{}, workers: map[workerKey][]model.Link{},
		balancer: map[*model.Server]map[string]*model.Balancer{},
	}
	for _, l := range p.Links() {
		switch {
		case l.Node == nil || l.Connector == nil:
		case l.Balancer != nil:
			ix.members[l.Balancer] = append(ix.members[l.Balancer], l)
			names := ix.balancer[l.Server]
			if names == nil {
				names = map[string]*model.Balancer{}
				ix.balancer[l.Server] = names
			}
			names[strings.ToLower(l.Balancer.Name.V)] = l.Balancer
		default:
			k := workerKey{l.Server, l.Scheme, l.Host, l.Port}
			ix.workers[k] = append(ix.workers[k], l)
		}
	}
	return ix
}

// uses appends what the server's mappings give to the site.
func (ix *targets) uses(out []use, s *site, owner *model.Server) []use {
	add := func(m *model.Mapping, at diag.Span, path, url string) {
		u := use{site: s, owner: owner, mapping: m, at: at, path: path}
		if ix.resolve(&u, url) {
			out = append(out, u)
		}
	}
	for _, m := range owner.Mappings {
		if m.Excludes() || m.Own.V && owner != s.Server.Server {
			continue
		}
		path := m.Path.V
		if m.Regex.V || unknown(path) {
			path = ""
		}
		add(m, m.At, path, m.Target.V)
	}
	rewrites(owner.Settings.Rewrite, add)
	for _, sec := range owner.Sections {
		path := ""
		if sec.Kind.V == "Location" && !strings.ContainsAny(sec.Path.V, "*?[$") {
			path = sec.Path.V
		}
		if m := sec.Mapping; m != nil && !m.Excludes() {
			add(m, m.At, path, m.Target.V)
		}
		rewrites(sec.Settings.Rewrite, add)
		if h := sec.Settings.Handler; len(h.V) > 6 && strings.EqualFold(h.V[:6], "proxy:") {
			add(nil, directiveOf(h.Span), path, h.V[6:])
		}
	}
	return out
}

func rewrites(r *model.Rewrite, add func(*model.Mapping, diag.Span, string, string)) {
	if r == nil || !r.Engine.V {
		return
	}
	for _, rule := range r.Rules {
		if rule.HasFlag("P", "proxy") {
			add(nil, rule.At, "", rule.Target.V)
		}
	}
}

// resolve finds the links of a URL; false when none leads to a known Tomcat.
func (ix *targets) resolve(u *use, url string) bool {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return false
	}
	host, path := rest, ""
	if i := strings.IndexAny(rest, "/$%?"); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	u.target, u.sure = staticPath(path)
	main := u.FrontEnd.Main
	if strings.EqualFold(scheme, "balancer") {
		for _, sv := range []*model.Server{main, u.owner, u.Server.Server} {
			if b := ix.balancer[sv][strings.ToLower(host)]; b != nil {
				u.balancer, u.links = b, ix.members[b]
				return true
			}
		}
		return false
	}
	sch, h, port, ok := model.SplitURL(scheme + "://" + host)
	if !ok {
		return false
	}
	for _, sv := range []*model.Server{u.owner, u.Server.Server, main} {
		if ls := ix.workers[workerKey{sv, sch, h, port}]; len(ls) > 0 {
			u.links = ls[:1]
			return true
		}
	}
	return false
}

// staticPath returns the part of a path that no expression replaces, without a
// slash at its end; sure is false when something was cut off.
func staticPath(path string) (string, bool) {
	path, _, _ = strings.Cut(path, "?")
	i := strings.IndexAny(path, "$%")
	if i >= 0 {
		path = path[:strings.LastIndexByte(path[:i], '/')+1]
	}
	return strings.TrimRight(path, "/"), i < 0
}

// on returns the path that the use has on the Tomcat of a link: that of a
// balancer's member stands before that of the mapping.
func (u *use) on(l *model.Link) string {
	if u.balancer == nil {
		return u.target
	}
	_, rest, _ := strings.Cut(l.Member.URL.V, "://")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		path, _ := staticPath(rest[i:])
		return path + u.target
	}
	return u.target
}

// reaches reports whether requests for the context go through the use.
func (u *use) reaches(l *model.Link, h *model.Host, c *model.Context) bool {
	at, path := u.on(l), contextPath(c)
	if path != "" {
		return at == "" || covers(path, at) || covers(at, path)
	}
	for _, other := range h.Contexts {
		if o := contextPath(other); o != "" && at != "" && covers(o, at) {
			return false
		}
	}
	return true
}

// contextPath returns the path of a context, "" for the root application. Without
// a path it is named after its docBase (Tomcat's ContextName).
func contextPath(c *model.Context) string {
	path := c.Path.V
	if !c.Path.IsSet() && c.DocBase.V != "" {
		base := strings.TrimRight(strings.ReplaceAll(c.DocBase.V, `\`, "/"), "/")
		base = strings.TrimSuffix(base[strings.LastIndexByte(base, '/')+1:], ".war")
		base, _, _ = strings.Cut(base, "##")
		path = "/" + strings.ReplaceAll(base, "#", "/")
	}
	path = strings.TrimRight(path, "/")
	if path == "/ROOT" {
		return ""
	}
	return path
}

// describe names the mapping in a message.
func (u *use) describe() string {
	switch {
	case u.mapping == nil:
		return strings.TrimSpace(u.at.Head().Text())
	case u.mapping.Own.V || ofModJK(&model.Member{At: u.at}):
		return "JkMount " + u.mapping.Path.V
	case u.mapping.Regex.V:
		return `ProxyPassMatch "` + u.mapping.Path.V + `"`
	}
	return `ProxyPass "` + u.mapping.Path.V + `"`
}

// linkEvidence is the weakest evidence of the links.
func linkEvidence(links []model.Link) model.Evidence {
	by := model.BySetup
	for i := range links {
		by = min(by, links[i].By)
	}
	return by
}
