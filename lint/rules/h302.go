package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

var unusedBalancer = &lint.Rule{
	ID: "H302", Name: "unused-balancer", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Balancing, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A balancer has members, but nothing sends requests to it.",
		Why:  "Either a ProxyPass is missing or wrong, or the section is a left-over. Changes to it do nothing.",
		Fix:  "Delete the section, or add the ProxyPass.",
		Bad: `<Proxy "balancer://old">
    BalancerMember "ajp://10.0.0.21:8009"
    BalancerMember "ajp://10.0.0.22:8009"
</Proxy>`,
		Good: `<Proxy "balancer://old">
    BalancerMember "ajp://10.0.0.21:8009"
    BalancerMember "ajp://10.0.0.22:8009"
</Proxy>
ProxyPass "/old" "balancer://old/old"`,
		Notes:  "ProxyPass, ProxyPassMatch, RewriteRule and SetHandler proxy: use a balancer, and so does any other directive that names its URL, save ProxyPassReverse. Silent while an Include could not be read, and when a rule builds the name of the balancer out of the request. Less sure without LoadModule lines. Balancers of mod_jk are not looked at.",
		Source: "Review practice.",
	},
	Check: func(p *lint.Pass) {
		if absence(p) > 0 {
			return
		}
		for _, f := range h30Fronts(p) {
			if f.dynamic {
				continue
			}
			near := f.undefinedNames()
			for _, sc := range f.scopes {
				for _, b := range sc.Balancers {
					name := strings.ToLower(b.Name.V)
					if len(b.Members) == 0 || f.used[name] || !h30OfHttpd(b) || strings.ContainsAny(name, " \t=*?[") {
						continue
					}
					if diag.Suggest(name, near) != "" {
						continue // H301 says that the name is wrong where it is used
					}
					r := lint.Finding{
						At: b.At.Head(), Subject: b,
						Message: fmt.Sprintf("`balancer://%s` is defined but nothing sends requests to it; delete it, or add a ProxyPass", b.Name.V),
					}
					h30Absent(p, f.fe, &r)
					p.Report(r)
				}
			}
		}
	},
}

// undefinedNames lists the names that are used and have no members.
func (f *h30Front) undefinedNames() []string {
	var out []string
	for name := range f.used {
		if !f.members[name] {
			out = append(out, name)
		}
	}
	return out
}
