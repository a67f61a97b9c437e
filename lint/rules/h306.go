package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var routeWithoutStickysession = &lint.Rule{
	ID: "H306", Name: "route-without-stickysession", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Balancing, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "The members of a balancer have routes, but the balancer has no stickysession.",
		Why:  "httpd looks for a route in the cookie or path parameter that stickysession names. Without the name it never looks, and each request may go to another Tomcat.",
		Fix:  "Add stickysession=JSESSIONID|jsessionid to ProxySet or ProxyPass.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
</Proxy>
ProxyPass "/app" "balancer://c/app" stickysession=JSESSIONID|jsessionid`,
		Notes:  "The stickysession may stand in the section, in ProxySet elsewhere, or in a ProxyPass, that of a virtual host for a balancer of the main server included. Silent with a single member, and when the routes only serve as targets of redirect=.",
		Source: "Tomcat cluster how-to: \"Make sure that your loadbalancer is configured for sticky session mode\"; 21 of 45 public balancer files read have none.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range p.Servers() {
			for _, b := range sv.Balancers {
				if ix.sticky(sv, b).V != "" || len(b.Members) < 2 || !usesRoutes(b) || misspeltSticky(p, b) || strings.ContainsAny(b.Name.V, " \t=") {
					continue // parameters in the section's name are another mistake
				}
				f := lint.Finding{
					At: b.At.Head(), Subject: b,
					Message: fmt.Sprintf("members have route=, but balancer `%s` has no stickysession, so routes are never used; add `ProxySet stickysession=JSESSIONID|jsessionid`", b.Name.V),
				}
				for _, m := range b.Members {
					if m.Route.IsWritten() {
						f.Related = append(f.Related, lint.Related(m.Route.Span, "a route that nobody asks for"))
						break
					}
				}
				if fix, ok := stickyFix(p, b); ok {
					f.Fixes = []diag.Fix{fix}
				}
				p.Report(f)
			}
		}
	},
}

// usesRoutes reports whether a member has a route that is more than the target
// of another member's redirect.
func usesRoutes(b *model.Balancer) bool {
	redirected := map[string]bool{}
	for _, m := range b.Members {
		redirected[m.Redirect.V] = true
	}
	for _, m := range b.Members {
		if m.Route.V != "" && !redirected[m.Route.V] {
			return true
		}
	}
	return false
}

// misspeltSticky reports whether the parser found a near miss of stickysession
// in the file, which is then the cause to speak of.
func misspeltSticky(p *lint.Pass, b *model.Balancer) bool {
	return p.ParserFound("H006", "stickysession", diag.Span{File: b.At.File}) ||
		p.ParserFound("H005", "stickysession", diag.Span{File: b.At.File})
}

// stickyFix adds a ProxySet line, when all nodes use the session cookie's default name.
func stickyFix(p *lint.Pass, b *model.Balancer) (diag.Fix, bool) {
	for _, n := range p.Setup.Nodes {
		e := n.Engine()
		if e == nil {
			continue
		}
		for _, h := range e.Hosts {
			for _, c := range h.Contexts {
				if c.CookieName.V != "" && c.CookieName.V != "JSESSIONID" {
					return diag.Fix{}, false
				}
			}
		}
	}
	e, ok := addToSection(b.At, "Proxy", "ProxySet stickysession=JSESSIONID|jsessionid")
	return diag.Fix{Message: "make the balancer look for the session", Safe: true, Edits: []diag.Edit{e}}, ok
}
