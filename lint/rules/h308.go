package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var allMembersDisabled = &lint.Rule{
	ID: "H308", Name: "all-members-disabled", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "Every member of a balancer starts disabled, stopped or draining.",
		Why:  "httpd picks no member in these states for a new request, and answers 503 until somebody enables one in the balancer-manager.",
		Fix:  "Take D, S or N off the status of at least one member.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1 status=+D
    BalancerMember "ajp://10.0.0.12:8009" route=s2 status=+S
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2 status=+D
</Proxy>`,
		Notes:  "Hot standby members (H) serve when nobody else can: a balancer of nothing else works and is an info.",
		Source: "mod_proxy, status; ap_proxy_parse_wstatus and PROXY_WORKER_NOT_USABLE_BITMAP in modules/proxy/mod_proxy.h.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range proxyServers(p) {
			for _, b := range sv.Balancers {
				if len(b.Members) == 0 {
					continue
				}
				off, standby, first := 0, 0, (*model.Member)(nil)
				var states []string
				for _, m := range b.Members {
					letters := statusLetters(m.Status.V)
					switch {
					case strings.ContainsAny(letters, "DSN"):
						off++
					case strings.ContainsAny(letters, "HR"):
						standby++
					}
					if first == nil && m.Status.IsWritten() {
						first = m
					}
					states = append(states, m.Status.V)
				}
				f := lint.Finding{At: b.At.Head(), Subject: b, Lower: absence(p)}
				switch len(b.Members) {
				case off:
					f.Message = fmt.Sprintf("every member of `%s` starts disabled, stopped or draining (%s); no request can be served", b.Name.V, strings.Join(states, ", "))
				case standby:
					f.Severity = diag.Info
					f.Message = fmt.Sprintf("every member of `%s` is a standby (%s); they serve, but none of them is the normal one", b.Name.V, strings.Join(states, ", "))
				default:
					continue
				}
				f.Related = []diag.Related{lint.Related(first.Status.Span, "the status of the first member")}
				p.Report(f)
			}
		}
	},
}

// statusLetters returns the letters that a status= sets, in upper case; a minus
// takes one back (ap_proxy_parse_wstatus).
func statusLetters(s string) string {
	on := true
	var out []rune
	for _, c := range strings.ToUpper(s) {
		switch c {
		case '+':
			on = true
		case '-':
			on = false
		default:
			out = []rune(strings.ReplaceAll(string(out), string(c), ""))
			if on {
				out = append(out, c)
			}
		}
	}
	return string(out)
}
