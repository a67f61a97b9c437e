package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

var emptyBalancer = &lint.Rule{
	ID: "H303", Name: "empty-balancer", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A <Proxy> section defines a balancer that has no BalancerMember.",
		Why:  "Each request to it gets 503: no workers in balancer.",
		Fix:  "Add BalancerMember lines.",
		Bad: `<Proxy "balancer://c">
    ProxySet lbmethod=byrequests
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
    ProxySet lbmethod=byrequests
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Notes:  "Members may stand elsewhere in the front end. Silent with growth= or BalancerPersist On, and with mod_cluster, which add members at run time; when the section has an IncludeOptional, or an Include that could not be read; and where H209 speaks about the balancer. A warning when nothing uses the balancer, or when an Include could not be read.",
		Source: "Message AH01171 in modules/proxy/mod_proxy_balancer.c.",
	},
	Check: func(p *lint.Pass) {
		tags := h30Tags(p)
		for _, f := range h30Fronts(p) {
			if f.grows {
				continue
			}
			for _, sc := range f.scopes {
				misnamed := h30Misnamed(f.fe.Main, sc.Server.Server)
				for _, b := range sc.Balancers {
					name := strings.ToLower(b.Name.V)
					if len(b.Members) > 0 || f.members[name] || !h30Tag(b) || b.Growth.V > 0 || misnamed[name] || unknown(name) {
						continue
					}
					h30ReportEmpty(p, f, tags, b)
				}
			}
		}
	},
}

func h30ReportEmpty(p *lint.Pass, f *h30Front, tags map[diag.Span]*httpd.Node, b *model.Balancer) {
	commented, optional := h30InSection(p, tags[b.At])
	if optional {
		return
	}
	r := lint.Finding{At: b.At.Head(), Subject: b, Message: fmt.Sprintf("`balancer://%s` has no BalancerMember", b.Name.V)}
	if len(commented) > 0 {
		r.Message += "; its members are comments: " + strings.Join(commented, ", ")
	} else {
		r.Message += "; add one for each Tomcat"
	}
	if !f.used[strings.ToLower(b.Name.V)] {
		r.Severity = diag.Warning
	}
	h30Absent(p, f.fe, &r)
	p.Report(r)
}

// h30InSection looks at what the section holds in the file beside directives in
// force: the URLs of members in comments, and whether it includes optional files.
func h30InSection(p *lint.Pass, tag *httpd.Node) (commented []string, optional bool) {
	if tag == nil {
		return nil, false
	}
	httpd.Walk(tag.Children, func(c *httpd.Node) bool {
		switch {
		case c.Is("IncludeOptional"), c.Is("Use"), c.Is("Include") && absence(p) > 0:
			optional = true
		case c.Kind == httpd.Comment:
			words := strings.Fields(strings.TrimLeft(c.Span.Text(), "# \t"))
			if len(words) > 1 && strings.EqualFold(words[0], "BalancerMember") && len(commented) < 4 {
				commented = append(commented, "`"+strings.Trim(words[1], `"'`)+"`")
			}
		}
		return true
	})
	return commented, optional
}

// h30Tags finds the <Proxy> sections of the files as they are written.
func h30Tags(p *lint.Pass) map[diag.Span]*httpd.Node {
	out := map[diag.Span]*httpd.Node{}
	for _, cfg := range p.Configs {
		if cfg == nil {
			continue
		}
		for _, t := range cfg.Trees {
			httpd.Walk(t.Nodes, func(n *httpd.Node) bool {
				if n.Kind == httpd.Section && n.Is("Proxy") {
					out[n.Span] = n
				}
				return true
			})
		}
	}
	return out
}
