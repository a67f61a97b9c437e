package rules

import (
	"fmt"
	"strings"
	"time"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// ajpMaxBuffer is AJP_MAX_BUFFER_SZ of modules/proxy/ajp.h, in bytes.
const ajpMaxBuffer = 65536

var ajpBufferOverLimit = &lint.Rule{
	ID: "H601", Name: "ajp-buffer-over-limit", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Balancing, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "ProxyIOBufferSize is larger than an AJP packet can be.",
		Why:  "httpd sends AJP packets of at most 65536 bytes, whatever the directive says. Tomcat's packetSize set to the same number is cut as well, and long headers fail all the same.",
		Fix:  "Write 65536, and the same as packetSize of the connector.",
		Bad: `ProxyIOBufferSize 131072
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Good: `ProxyIOBufferSize 65536
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Notes:  "Only where a server with the value has AJP backends.",
		Source: "mod_proxy, ProxyIOBufferSize; ap_proxy_ajp_request in modules/proxy/mod_proxy_ajp.c.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			v := sv.IOBufferSize
			if !v.IsWritten() || v.V <= ajpMaxBuffer {
				continue
			}
			ajp := usesAJP(ix, sv)
			if sv.Main {
				for _, vh := range sv.FrontEnd.VHosts {
					ajp = ajp || !vh.IOBufferSize.IsWritten() && usesAJP(ix, lint.Server{Server: vh, FrontEnd: sv.FrontEnd})
				}
			} else if inherits(sv) {
				ajp = ajp || usesAJP(ix, mainOf(sv))
			}
			if !ajp {
				continue
			}
			p.Report(lint.Finding{
				At: directiveOf(wordPlace(v.Span)), Subject: sv.Server,
				Message: fmt.Sprintf("ProxyIOBufferSize %d is above %d, the AJP maximum; httpd uses %d; write that", v.V, ajpMaxBuffer, ajpMaxBuffer),
				Fixes:   []diag.Fix{{Message: "write the maximum", Safe: true, Edits: []diag.Edit{{Span: v.Span, New: quoted(v.Span, fmt.Sprint(ajpMaxBuffer))}}}},
			})
		}
	},
}

// usesAJP reports whether the server has AJP members, workers or targets.
func usesAJP(ix *balancerIndex, sv lint.Server) bool {
	for _, b := range sv.Balancers {
		for _, m := range b.Members {
			if schemeOf(m.URL.V) == "ajp" && written(m.At, "BalancerMember") {
				return true
			}
		}
	}
	for _, m := range passes(sv) {
		if b := ix.resolve(sv, m.Target.V); b.any("ajp") {
			return true
		}
	}
	for _, r := range rewritesToProxy(sv) {
		if b := ix.resolve(sv, r.Target.V); b.any("ajp") {
			return true
		}
	}
	return false
}

var connectTimeoutAboveTimeout = &lint.Rule{
	ID: "H602", Name: "connect-timeout-above-timeout", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Balancing,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "A member may take longer to connect than to answer.",
		Why:  "To open a connection takes milliseconds where a Tomcat lives. With a long connectiontimeout a request waits for a dead machine longer than it would for an answer, before another member gets it.",
		Fix:  "Make connectiontimeout a few seconds.",
		Bad: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" connectiontimeout=60 timeout=10
</Proxy>`,
		Good: `<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" connectiontimeout=5 timeout=60
</Proxy>`,
		Notes:  "Without timeout on the member, a written ProxyTimeout counts.",
		Source: "mod_proxy, connectiontimeout.",
	},
	Check: func(p *lint.Pass) {
		workers(p, func(sv lint.Server, _ *model.Balancer, m *model.Member) {
			timeout := m.Timeout
			if !timeout.IsWritten() {
				timeout = sv.ProxyTimeout
			}
			if main := sv.FrontEnd.Main; !timeout.IsWritten() && main != nil {
				timeout = main.ProxyTimeout
			}
			v, _ := p.HTTPDVersion(sv.FrontEnd)
			if !m.ConnTimeout.IsWritten() || !timeout.IsWritten() || m.ConnTimeout.V <= timeout.V || !p.Rule.Versions.HTTPD.Contains(v) {
				return
			}
			p.Report(lint.Finding{
				At: wordPlace(m.ConnTimeout.Span), Subject: m,
				Message: fmt.Sprintf("connectiontimeout %s is longer than timeout %s (%s); make it a few seconds", seconds(m.ConnTimeout.V), seconds(timeout.V), timeout.Span.Short()),
				Related: []diag.Related{lint.Related(timeout.Span, "the time for an answer")},
			})
		})
	},
}

func seconds(d time.Duration) string { return fmt.Sprintf("%g s", d.Seconds()) }

var maxAboveThreads = &lint.Rule{
	ID: "H603", Name: "max-above-threads", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Balancing,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "max of a member is larger than the number of threads of a child process.",
		Why:  "Each child process has a pool of its own, and a thread uses one connection at a time. A pool never grows beyond ThreadsPerChild, so the limit does nothing; that of Tomcat's connector is children times threads.",
		Fix:  "Leave max out, or set it below ThreadsPerChild to limit the connections.",
		Bad: `ThreadsPerChild 25
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" max=200
</Proxy>`,
		Good: `ThreadsPerChild 25
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" max=25
</Proxy>`,
		Notes:  "Where ThreadsPerChild is written only.",
		Source: "mod_proxy, max; mpm_common, ThreadsPerChild.",
	},
	Check: func(p *lint.Pass) {
		threads := map[*model.FrontEnd]model.Int{}
		for d := range p.Directives {
			if strings.EqualFold(d.Name, "ThreadsPerChild") && len(d.Node.Args) == 1 {
				var n int
				if _, err := fmt.Sscan(d.Node.Arg(0), &n); err == nil && n > 0 {
					threads[d.FrontEnd] = model.Is(n, d.Node.Args[0].Span)
				}
			}
		}
		if len(threads) == 0 {
			return
		}
		workers(p, func(sv lint.Server, _ *model.Balancer, m *model.Member) {
			n, ok := threads[sv.FrontEnd]
			v, _ := p.HTTPDVersion(sv.FrontEnd)
			if !ok || !m.Max.IsWritten() || m.Max.V <= n.V || !p.Rule.Versions.HTTPD.Contains(v) {
				return
			}
			p.Report(lint.Finding{
				At: wordPlace(m.Max.Span), Subject: m,
				Message: fmt.Sprintf("max=%d can never be reached: a child has %d threads (ThreadsPerChild, %s), and each child has a pool of its own", m.Max.V, n.V, n.Span.Short()),
				Related: []diag.Related{lint.Related(n.Span, "the number of threads")},
			})
		})
	},
}
