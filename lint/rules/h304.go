package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

var duplicateMember = &lint.Rule{
	ID: "H304", Name: "duplicate-member", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A balancer has two members with one URL.",
		Why:  "httpd makes one worker for both and drops the parameters of the second line, so its route does not exist. When the URLs only mean the same, as with and without the default port, one Tomcat gets the share of two.",
		Fix:  "Keep one member per Tomcat, or correct the address of the second.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.11:8009" route=s2
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
</Proxy>`,
		Notes:  "Scheme, host (without case), port and path are compared; a default port equals one that is written, and a slash at the end does not matter. The same URL in two balancers is right.",
		Source: "mod_proxy, \"Worker Sharing\"; add_member in modules/proxy/mod_proxy.c, messages AH01149 and AH01150. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for _, sc := range h2Scopes(p) {
			seen := map[[2]string]*httpd.Node{}
			for _, n := range sc.Nodes {
				if !n.Is("BalancerMember") {
					continue
				}
				t, ok := h2TargetOf(n)
				name, named := h2MemberBalancer(n)
				if !ok || !named || unknown(t.URL) {
					continue
				}
				url := h2SameWorker(t.URL)
				if strings.HasPrefix(strings.ToLower(strings.Trim(t.At.Text(), `"'`)), "unix:") {
					url = t.At.Text()
				}
				key := [2]string{name, url}
				if first := seen[key]; first == nil {
					seen[key] = n
				} else if first.Span != n.Span {
					h30ReportTwice(p, n, first, t)
				}
			}
		}
	},
}

func h30ReportTwice(p *lint.Pass, n, first *httpd.Node, t h2Target) {
	old, _ := h2TargetOf(first)
	f := lint.Finding{At: h2At(t.At, n.Span), Related: []diag.Related{lint.Related(first.Span.Head(), "the first member with this URL")}}
	a, b := h2LowerHost(old.URL), h2LowerHost(t.URL)
	keys := strings.Join(h2Keys(n.Args), " ")
	switch {
	case !strings.HasPrefix(b, a):
		f.Message = fmt.Sprintf("`%s` is the same Tomcat as `%s` (%s), which gets the share of two; keep one member per Tomcat", t.URL, old.URL, first.Span.Short())
	case keys == "":
		f.Message = fmt.Sprintf("`%s` is already a member (%s); keep one member per Tomcat", t.URL, first.Span.Short())
	default:
		f.Message = fmt.Sprintf("`%s` is already a member (%s); httpd shares the worker and ignores `%s` here; keep one member per Tomcat", t.URL, first.Span.Short(), keys)
	}
	p.Report(f)
}

var duplicateRoute = &lint.Rule{
	ID: "H305", Name: "duplicate-route", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "Two members of a balancer have the same route.",
		Why:  "httpd gives each session to the first member with its route, so the sessions of the second Tomcat go to the first, which does not know them: users are logged out.",
		Fix:  "Give each member the jvmRoute of its Tomcat.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s1
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
</Proxy>`,
		Notes:  "Per balancer; routes compare with case. Members that stand in for each other on purpose (lbset, status=+H) are reported as well: ignore them with a reason. Two members with one URL are H304.",
		Source: "mod_proxy_balancer, \"Details on load balancer stickyness\"; find_route_worker in modules/proxy/mod_proxy_balancer.c.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range p.Servers() {
			for _, b := range sv.Balancers {
				first := map[string]*model.Member{}
				for _, m := range b.Members {
					if m.Route.V == "" || unknown(m.Route.V) {
						continue
					}
					old := first[m.Route.V]
					if old == nil {
						first[m.Route.V] = m
						continue
					}
					if h2SameWorker(old.URL.V) == h2SameWorker(m.URL.V) {
						continue
					}
					p.Report(lint.Finding{
						At: h2At(m.Route.Span, m.At), Subject: m,
						Message: fmt.Sprintf("route `%s` is used by two members (the other is %s); sessions of both go to the first; give each member the jvmRoute of its Tomcat", m.Route.V, old.At.Short()),
						Related: []diag.Related{lint.Related(h2At(old.Route.Span, old.At), "the first member with this route")},
					})
				}
			}
		}
	},
}
