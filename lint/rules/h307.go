package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

var stickysessionWithoutRoute = &lint.Rule{
	ID: "H307", Name: "stickysession-without-route", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD,
	YieldsTo: []string{"X103"},
	Doc: lint.Doc{
		What: "A balancer has stickysession, but one of its members has no route.",
		Why:  "httpd finds the member of a session by the route behind the dot of the session ID. No session can name a member without a route, so requests of its sessions are spread over all members.",
		Fix:  "Give the member a route, the jvmRoute of the Tomcat behind it.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009"
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Notes:  "Standby and spare members need a route too, and so does a cookie that httpd sets itself from BALANCER_WORKER_ROUTE. Silent with a single member, when route is misspelt on the member (H005), and when X103 knows the jvmRoute.",
		Source: "mod_proxy_balancer, \"Details on load balancer stickyness\"; find_route_worker in modules/proxy/mod_proxy_balancer.c.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			for _, b := range sv.Balancers {
				sticky := ix.sticky(sv, b)
				if sticky.V == "" || len(b.Members) < 2 {
					continue
				}
				for _, m := range b.Members {
					if m.Route.V != "" || !written(m.At, "BalancerMember") || misspeltRoute(p, m) {
						continue
					}
					cookie, _, _ := strings.Cut(sticky.V, "|")
					p.Report(lint.Finding{
						At: m.At.Head(), Subject: m,
						Message: fmt.Sprintf("balancer `%s` is sticky on `%s` (%s), but this member has no route=; its sessions are not sticky; add route= with the jvmRoute of its Tomcat", b.Name.V, cookie, sticky.Span.Short()),
						Related: []diag.Related{lint.Related(sticky.Span, "the balancer looks for a route here")},
					})
				}
			}
		}
	},
}
