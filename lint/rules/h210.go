package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var pathAddedTwice = &lint.Rule{
	ID: "H210", Name: "path-added-twice", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Mapping, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "The path of an application stands in the URLs of the members and again behind the balancer's name.",
		Why:  "httpd replaces balancer://name by the URL of a member and leaves the rest: the backend is asked for /app/app and mostly answers 404.",
		Fix:  "Leave the path out of the members, or out of the balancer's URL.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080/app"
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Good: `<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080"
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Notes:  "Silent when the balancer's URL has no path.",
		Source: "mod_proxy, BalancerMember; proxy_balancer_pre_request in modules/proxy/mod_proxy_balancer.c. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		view := h2Views()
		for _, sv := range p.Servers() {
			balancers := view(sv)
			for _, m := range sv.Mappings {
				if h2IsPass(m) {
					h2PathTwice(p, balancers, m.At, m.Target)
				}
			}
			h2RewritesTwice(p, balancers, sv.Settings.Rewrite)
			for _, sec := range sv.Sections {
				if sec.Mapping != nil {
					h2PathTwice(p, balancers, sec.Mapping.At, sec.Mapping.Target)
				}
				h2RewritesTwice(p, balancers, sec.Settings.Rewrite)
			}
		}
	},
}

// h2View finds the balancers that a server can use by their names in lower case.
type h2View struct{ own, main map[string]*model.Balancer }

// get returns the balancer; one with members comes before one without, and the
// main server's before the server's own.
func (v h2View) get(name string) *model.Balancer {
	if b := v.main[name]; b != nil && len(b.Members) > 0 {
		return b
	}
	if b := v.own[name]; b != nil {
		return b
	}
	return v.main[name]
}

// h2Views makes the views of servers; those of the main servers are made once.
func h2Views() func(lint.Server) h2View {
	mains := map[*model.Server]map[string]*model.Balancer{}
	return func(sv lint.Server) h2View {
		main := sv.FrontEnd.Main
		if main == nil || sv.Main || !h2Inherits(sv) {
			return h2View{own: h2ByName(sv.Balancers)}
		}
		if mains[main] == nil {
			mains[main] = h2ByName(main.Balancers)
		}
		return h2View{own: h2ByName(sv.Balancers), main: mains[main]}
	}
}

// h2Inherits reports whether a virtual host sees the balancers of the main
// server: unless BalancerInherit and ProxyPassInherit are both Off
// (merge_proxy_config in modules/proxy/mod_proxy.c).
func h2Inherits(sv lint.Server) bool {
	main := sv.FrontEnd.Main
	return main != nil && (sv.BalancerInherit.Or(main.BalancerInherit.Or(true)) || sv.PassInherit.Or(main.PassInherit.Or(true)))
}

func h2ByName(list []*model.Balancer) map[string]*model.Balancer {
	if len(list) == 0 {
		return nil
	}
	out := make(map[string]*model.Balancer, len(list))
	for _, b := range list {
		out[strings.ToLower(b.Name.V)] = b
	}
	return out
}

func h2RewritesTwice(p *lint.Pass, balancers h2View, r *model.Rewrite) {
	if r == nil {
		return
	}
	for _, rule := range r.Rules {
		if rule.HasFlag("P", "proxy") {
			h2PathTwice(p, balancers, rule.At, rule.Target)
		}
	}
}

func h2PathTwice(p *lint.Pass, balancers h2View, line diag.Span, target model.String) {
	name, dynamic, ok := h2BalancerName(target.V)
	b := balancers.get(name)
	if !ok || dynamic || b == nil {
		return
	}
	_, path, _ := strings.Cut(target.V[len("balancer://"):], "/")
	if i := strings.IndexAny(path, "$%?"); i >= 0 {
		path = path[:i]
		path = path[:strings.LastIndexByte(path, '/')+1] // whole parts only
	}
	path = strings.TrimRight("/"+path, "/")
	if path == "" {
		return
	}
	for _, m := range b.Members {
		own := h2PathOf(m.URL.V)
		if own == "" || !strings.HasSuffix(own, path) && !strings.HasPrefix(path, own+"/") {
			continue
		}
		p.Report(lint.Finding{
			At:      h2At(target.Span, line),
			Message: fmt.Sprintf("member `%s` (%s) already ends with `%s`, and `balancer://%s%s` adds it again: the backend sees `%s%s`", m.URL.V, m.At.Short(), own, b.Name.V, path, own, path),
			Related: []diag.Related{lint.Related(m.At.Head(), "the member's URL has the path already")},
		})
		return
	}
}

// h2PathOf returns the path of a URL without the slash at its end.
func h2PathOf(u string) string {
	_, rest, ok := strings.Cut(u, "://")
	i := strings.IndexByte(rest, '/')
	if !ok || i < 0 {
		return ""
	}
	return strings.TrimRight(rest[i:], "/")
}
