package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var singleMemberBalancer = &lint.Rule{
	ID: "H310", Name: "single-member-balancer", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A balancer has one member only.",
		Why:  "When that one is down every request fails, and httpd waits for its retry time before it looks again.",
		Fix:  "Add a second member, or leave the balancer out.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
</Proxy>`,
		Notes:  "Less sure when an Include could not be read.",
		Source: "review practice",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range proxyServers(p) {
			for _, b := range sv.Balancers {
				if len(b.Members) == 1 && written(b.Members[0].At, "BalancerMember") {
					p.Report(lint.Finding{
						At: b.At.Head(), Subject: b, Lower: absence(p),
						Message: fmt.Sprintf("balancer `%s` has one member; there is no failover", b.Name.V),
						Related: []diag.Related{lint.Related(b.Members[0].At.Head(), "its only member")},
					})
				}
			}
		}
	},
}

var mixedMemberSchemes = &lint.Rule{
	ID: "H311", Name: "mixed-member-schemes", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "The members of a balancer do not all have the same scheme.",
		Why:  "AJP and HTTP carry the address of the client, TLS and long headers differently, so what the application sees depends on the member that it happens to reach.",
		Fix:  "Reach all members by one protocol.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
</Proxy>`,
		Notes:  "One finding for each balancer, at the first member that differs from the one in front.",
		Source: "review practice",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range proxyServers(p) {
			for _, b := range sv.Balancers {
				if odd, schemes := oddScheme(b); odd != nil {
					p.Report(lint.Finding{
						At: odd.At.Head(), Subject: b,
						Message: fmt.Sprintf("members of `%s` use different schemes (%s; the first is %s); limits and headers differ per member", b.Name.V, strings.Join(schemes, ", "), b.Members[0].At.Short()),
						Related: []diag.Related{lint.Related(b.Members[0].At.Head(), "the first member")},
					})
				}
			}
		}
	},
}

// oddScheme returns the first member that differs from the first one in its
// scheme, and all schemes in order.
func oddScheme(b *model.Balancer) (odd *model.Member, schemes []string) {
	for _, m := range b.Members {
		s := schemeOf(m.URL.V)
		if s == "" || unknown(s) {
			return nil, nil
		}
		if !slices.Contains(schemes, s) {
			schemes = append(schemes, s)
			if len(schemes) == 2 {
				odd = m
			}
		}
	}
	return odd, schemes
}

var memberTrailingSlash = &lint.Rule{
	ID: "H312", Name: "member-trailing-slash", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "The URL of a BalancerMember ends with a slash.",
		Why:  "httpd puts the path of the request behind the member's URL. Behind a path with a slash the backend gets two; behind the bare host it makes no difference in today's versions.",
		Fix:  "Remove the slash.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080/"
    BalancerMember "http://10.0.0.12:8080"
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080"
    BalancerMember "http://10.0.0.12:8080"
</Proxy>`,
		Source: "mod_proxy, BalancerMember. Tried with httpd 2.4.71: no double slash for the root path.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range proxyServers(p) {
			for _, b := range sv.Balancers {
				for _, m := range b.Members {
					if !strings.HasSuffix(m.URL.V, "/") || strings.HasSuffix(m.URL.V, "://") || !written(m.At, "BalancerMember") {
						continue
					}
					f := lint.Finding{At: m.At.Head(), Subject: m, Message: "a BalancerMember URL should not end with a slash; remove it"}
					if _, path := splitBackend(m.URL.V); path != "/" {
						f.Message = fmt.Sprintf("the slash at the end of `%s` is doubled in front of each request's path; remove it", path)
					}
					at := m.URL.Span
					if i := strings.LastIndexByte(at.Text(), '/'); i >= 0 && strings.Trim(at.Text()[i+1:], `"'`) == "" {
						at.Start += int32(i)
						at.End = at.Start + 1
						f.Fixes = []diag.Fix{{Message: "remove the slash", Safe: true, Edits: []diag.Edit{{Span: at}}}}
					}
					p.Report(f)
				}
			}
		}
	},
}
