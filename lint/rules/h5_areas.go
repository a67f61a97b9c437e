package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// area is one section with access rules, of any kind, with the directives that
// say them: the model holds Location and Proxy only.
type area struct {
	fe    *model.FrontEnd
	vhost *httpd.Node // nil for the main server
	owner *httpd.Node // the section; the virtual host or nil when there is none
	kind  string      // directory, location, …; lower case
	path  string      // "" when it is a pattern, or stands in another section

	old []*httpd.Node // Order, Allow, Deny
	new []*httpd.Node // Require

	access model.Access // of the old ones
	open   bool         // the new ones let everybody in
}

var sectionKinds = map[string]bool{"directory": true, "directorymatch": true, "location": true, "locationmatch": true,
	"files": true, "filesmatch": true, "proxy": true, "proxymatch": true, "if": true, "elseif": true, "else": true}

// areas groups the access directives of all front ends by their sections, in order.
func areas(p *lint.Pass) []*area {
	type key struct{ owner, vhost *httpd.Node }
	seen := map[key]*area{}
	var out []*area
	for d := range p.Directives {
		old := d.Node.Is("Order") || d.Node.Is("Allow") || d.Node.Is("Deny")
		if !old && (!d.Node.Is("Require") || asksForUser(d.Node)) {
			continue
		}
		owner, vhost := ownerOf(d.Node)
		k := key{owner, vhost}
		if owner == nil && vhost == nil {
			continue // not allowed there; the parser says so
		}
		a := seen[k]
		if a == nil {
			a = &area{fe: d.FrontEnd, owner: owner, vhost: vhost}
			a.kind, a.path = areaPath(owner)
			seen[k] = a
			out = append(out, a)
		}
		a.add(d.Node, old)
	}
	return out
}

// asksForUser reports whether a Require line is about users and groups, which
// httpd 2.2 had as well, beside Order and Allow.
func asksForUser(n *httpd.Node) bool {
	word := strings.ToLower(n.Arg(0))
	if word == "not" {
		word = strings.ToLower(n.Arg(1))
	}
	switch word {
	case "all", "ip", "host", "forward-dns", "local", "env", "method", "expr":
		return false
	}
	return true
}

// ownerOf returns the innermost section that has access rules of its own, and the
// virtual host around it.
func ownerOf(n *httpd.Node) (owner, vhost *httpd.Node) {
	for x := n.Parent; x != nil; x = x.Parent {
		switch name := strings.ToLower(x.Name); {
		case name == "virtualhost":
			vhost = x
		case owner == nil && sectionKinds[name]:
			owner = x
		}
	}
	return owner, vhost
}

// areaPath returns the kind of a section and its path, if that is a plain one
// directly in a server.
func areaPath(n *httpd.Node) (kind, path string) {
	if n == nil {
		return "", ""
	}
	kind, path = strings.ToLower(n.Name), n.Arg(0)
	if path == "~" || strings.HasSuffix(kind, "match") || strings.ContainsAny(path, "*?[") || unknown(path) || !strings.HasPrefix(path, "/") {
		return kind, ""
	}
	for x := n.Parent; x != nil; x = x.Parent {
		if sectionKinds[strings.ToLower(x.Name)] {
			return kind, ""
		}
	}
	return kind, "/" + strings.Trim(path, "/")
}

func (a *area) add(n *httpd.Node, old bool) {
	if !old {
		a.new = append(a.new, n)
		grouped := n.Parent != nil && (n.Parent.Is("RequireAll") || n.Parent.Is("RequireNone"))
		a.open = a.open || !grouped && strings.EqualFold(n.Arg(0), "all") && strings.EqualFold(n.Arg(1), "granted")
		return
	}
	a.old = append(a.old, n)
	if n.Is("Order") {
		a.access.Order = model.Is(n.Arg(0), n.Span)
		return
	}
	for i, w := range n.Args {
		switch v := model.Is(w.Text, w.Span); {
		case i == 0:
		case n.Is("Allow"):
			a.access.Allow = append(a.access.Allow, v)
		default:
			a.access.Deny = append(a.access.Deny, v)
		}
	}
}

// at returns the place of the old-style rule: its Order, else its first line.
func (a *area) at() *httpd.Node {
	for _, n := range a.old {
		if n.Is("Order") {
			return n
		}
	}
	return a.old[0]
}

// limited reports whether the old rules are about single methods only.
func (a *area) limited() bool { return a.old[0].Parent != nil && a.old[0].Parent.Is("Limit") }

func (a *area) name() string {
	if a.owner == nil {
		return "this server"
	}
	return "<" + a.owner.Name + " " + strings.TrimSpace(a.owner.RawArgs().Text()) + ">"
}

// canRequire reports whether the modules behind Require ip, host, local and all
// are there, as far as is known.
func canRequire(fe *model.FrontEnd) bool {
	return !hasModules(fe) || fe.HasModule("authz_core_module") && fe.HasModule("authz_host_module")
}

// compatLoaded reports whether mod_access_compat is there, as far as is known.
func compatLoaded(fe *model.FrontEnd) bool {
	return !hasModules(fe) || fe.HasModule("access_compat_module")
}

// serversByPlace finds the server of a <VirtualHost> tag.
func serversByPlace(p *lint.Pass) map[diag.Span]lint.Server {
	out := map[diag.Span]lint.Server{}
	for _, sv := range proxyServers(p) {
		if !sv.Main {
			out[sv.Server.At] = sv
		}
	}
	return out
}
