package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var urlSessionNeedsScolon = &lint.Rule{
	ID: "H309", Name: "url-session-needs-scolonpathdelim", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "stickysession names a parameter of the URL as well, but scolonpathdelim is Off.",
		Why:  "Tomcat writes the session into the URL behind a semicolon. Without scolonpathdelim httpd takes a further path parameter behind it for a part of the route, and finds no such member.",
		Fix:  "Add scolonpathdelim=On.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid scolonpathdelim=On
</Proxy>`,
		Notes:  "The parameter itself is found without it, whatever the manual says; hence an info.",
		Source: "mod_proxy_balancer; get_path_param in modules/proxy/mod_proxy_balancer.c.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			for _, b := range sv.Balancers {
				_, param, ok := strings.Cut(b.Sticky.V, "|")
				if !ok || param == "" || b.ScolonDelim.V || !b.Sticky.Span.IsValid() {
					continue
				}
				if m := ix.of(sv.FrontEnd.Main)[strings.ToLower(b.Name.V)]; m != nil && m.ScolonDelim.V && !b.ScolonDelim.IsWritten() {
					continue
				}
				p.Report(lint.Finding{
					At: wordPlace(b.Sticky.Span), Subject: b, Fixes: []diag.Fix{scolonFix(b)},
					Message: fmt.Sprintf("stickysession names a URL parameter (`%s`), but scolonpathdelim is Off: a path parameter after `;%s=` becomes part of the route; add scolonpathdelim=On", param, param),
				})
			}
		}
	},
}

func scolonFix(b *model.Balancer) diag.Fix {
	e := diag.Edit{Span: b.Sticky.Span, New: " scolonpathdelim=On"}
	e.Span.Start = e.Span.End
	if b.ScolonDelim.IsWritten() && b.ScolonDelim.Span.IsValid() {
		e = diag.Edit{Span: b.ScolonDelim.Span, New: quoted(b.ScolonDelim.Span, "scolonpathdelim=On")}
	}
	return diag.Fix{Message: "end path parameters at a semicolon", Safe: true, Edits: []diag.Edit{e}}
}
