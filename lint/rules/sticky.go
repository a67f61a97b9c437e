package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// stickyLinks returns the links of members whose balancer follows Tomcat's own
// session IDs: it has a stickysession, and httpd makes no cookie of its own.
func stickyLinks(p *lint.Pass) []model.Link {
	var out []model.Link
	own := cookieMemo{}
	for _, l := range p.Links() {
		if l.Balancer != nil && !impliedAlone(l) && l.Balancer.Sticky.V != "" && l.Connector != nil && l.Node.Engine() != nil && !own.has(l) {
			out = append(out, l)
		}
	}
	return out
}

// impliedAlone reports whether the member is the only one and its route is just
// the name that mod_jk gives its worker: nobody relies on it.
func impliedAlone(l model.Link) bool {
	r := l.Member.Route
	return len(l.Balancer.Members) == 1 && r.IsWritten() && r.Span.IsValid() && !strings.Contains(strings.ToLower(r.Span.Text()), "route")
}

// cookieMemo remembers the answers of ownCookie, which looks at all servers.
type cookieMemo map[cookieKey]bool

type cookieKey struct {
	fe     *model.FrontEnd
	sticky string
}

func (m cookieMemo) has(l model.Link) bool {
	k := cookieKey{l.FrontEnd, l.Balancer.Sticky.V}
	v, ok := m[k]
	if !ok {
		v = ownCookie(l.FrontEnd, l.Balancer)
		m[k] = v
	}
	return v
}

// ownCookie reports whether httpd itself sets the cookie that the balancer
// follows (the ROUTEID pattern of the mod_proxy_balancer manual); jvmRoute plays
// no part then.
func ownCookie(fe *model.FrontEnd, b *model.Balancer) bool {
	cookie, _, _ := strings.Cut(b.Sticky.V, "|")
	found := func(list []*model.HeaderRule) bool {
		for _, h := range list {
			if strings.EqualFold(h.Name.V, "Set-Cookie") &&
				(strings.Contains(h.Value.V, "BALANCER_WORKER_ROUTE") || cookie != "" && strings.HasPrefix(h.Value.V, cookie+"=")) {
				return true
			}
		}
		return false
	}
	servers := fe.VHosts
	if fe.Main != nil {
		servers = append([]*model.Server{fe.Main}, fe.VHosts...)
	}
	for _, sv := range servers {
		if found(sv.Settings.Headers) {
			return true
		}
		for _, sec := range sv.Sections {
			if found(sec.Settings.Headers) {
				return true
			}
		}
	}
	return false
}

// routeTaken reports whether another member of the balancer has the route.
func routeTaken(b *model.Balancer, except *model.Member, route string) bool {
	for _, m := range b.Members {
		if m != except && m.Route.V == route {
			return true
		}
	}
	return false
}

// misspeltRoute reports whether the parser found a near miss of route on the member.
func misspeltRoute(p *lint.Pass, m *model.Member) bool {
	return p.ParserFound("H005", "`route`", m.At)
}

func engineRoute(n *model.Node) string {
	if e := n.Engine(); e != nil {
		return e.JVMRoute.V
	}
	return ""
}

// enginePlace is where the jvmRoute of a node stands, which may be a start script,
// or its Engine tag.
func enginePlace(n *model.Node) diag.Span {
	e := n.Engine()
	if e.JVMRoute.IsSet() && e.JVMRoute.Span.IsValid() {
		return e.JVMRoute.Span
	}
	return e.At.Head()
}
