package rules

import (
	"fmt"
	"strings"
	"time"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// workers calls f for every member of a balancer and every plain worker that a
// directive of httpd made.
func workers(p *lint.Pass, f func(sv lint.Server, b *model.Balancer, m *model.Member)) {
	for _, sv := range proxyServers(p) {
		for _, b := range sv.Balancers {
			for _, m := range b.Members {
				if written(m.At, "BalancerMember") {
					f(sv, b, m)
				}
			}
		}
		for _, m := range sv.Workers {
			if written(m.At, "Proxy") || written(m.At, "<Proxy") {
				f(sv, nil, m)
			}
		}
	}
}

var acquireInSeconds = &lint.Rule{
	ID: "H313", Name: "acquire-in-seconds", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Balancing,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "acquire is so small that seconds were meant.",
		Why:  "Unlike timeout and ttl, acquire counts milliseconds. With 3 a request waits three milliseconds for a free connection of the pool and then fails with 503.",
		Fix:  "Write the time in milliseconds, or with a unit.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" max=20 acquire=3
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" max=20 acquire=3000
</Proxy>`,
		Notes:  "Only below 50 milliseconds, and not when the unit is written. flushwait is in milliseconds as well, all other times are in seconds.",
		Source: "mod_proxy, acquire; set_worker_param in modules/proxy/mod_proxy.c.",
	},
	Check: func(p *lint.Pass) {
		workers(p, func(sv lint.Server, _ *model.Balancer, m *model.Member) {
			v, _ := p.HTTPDVersion(sv.FrontEnd)
			if !m.Acquire.IsWritten() || m.Acquire.V >= 50*time.Millisecond || !p.Rule.Versions.HTTPD.Contains(v) {
				return
			}
			_, value, _ := strings.Cut(strings.Trim(m.Acquire.Span.Text(), `"'`), "=")
			if value == "" || strings.Trim(value, "0123456789") != "" {
				return
			}
			p.Report(lint.Finding{
				At: wordPlace(m.Acquire.Span), Subject: m,
				Message: fmt.Sprintf("`acquire=%s` is in milliseconds; %s ms is almost no wait; did you mean %s000?", value, value, value),
			})
		})
	},
}

var ajpWithoutPing = &lint.Rule{
	ID: "H314", Name: "ajp-without-ping", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Balancing,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.2.12"}, Text: "httpd 2.2.12+ 2.4"},
	Doc: lint.Doc{
		What: "An AJP member has no ping.",
		Why:  "Without the probe httpd learns only from a failed request that a Tomcat hangs, or that a firewall has cut a connection of the pool.",
		Fix:  "Add ping=3 or alike: httpd then asks the Tomcat before it hands over a request.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1 ping=3
</Proxy>`,
		Notes:  "For HTTP members ping is another probe, an Expect: 100-continue; they are not looked at.",
		Source: "mod_proxy, ping.",
	},
	Check: func(p *lint.Pass) {
		workers(p, func(sv lint.Server, _ *model.Balancer, m *model.Member) {
			v, _ := p.HTTPDVersion(sv.FrontEnd)
			if schemeOf(m.URL.V) != "ajp" || m.Ping.IsWritten() || !p.Rule.Versions.HTTPD.Contains(v) {
				return
			}
			p.Report(lint.Finding{
				At: m.At.Head(), Subject: m,
				Message: "AJP member without `ping=`: a hung Tomcat, or a pooled connection cut by a firewall, is noticed only by a failed request; add ping=3",
			})
		})
	},
}
