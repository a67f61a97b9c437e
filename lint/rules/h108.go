package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

var hcheckModuleMissing = &lint.Rule{
	ID: "H108", Name: "hcheck-module-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Modules, Fixable: true,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4.21"}, Text: "httpd 2.4.21+"},
	Doc: lint.Doc{
		What: "A member has parameters for health checks, but mod_proxy_hcheck or mod_watchdog is not loaded.",
		Why:  "The parameters belong to mod_proxy_hcheck: without it httpd does not start (\"unknown Worker parameter\"). Without mod_watchdog the checks have no clock, and httpd does not start either.",
		Fix:  "Load both modules.",
		Bad: `LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" hcmethod=GET
</Proxy>`,
		Good: `LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so
LoadModule watchdog_module modules/mod_watchdog.so
LoadModule proxy_hcheck_module modules/mod_proxy_hcheck.so
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" hcmethod=GET
</Proxy>`,
		Notes:  "One finding per front end, at the first such line. Debian has mod_watchdog compiled in. Silent when ProxyHCExpr or ProxyHCTemplate is used as well: H003 names the module there. A warning when an Include could not be read.",
		Source: "mod_proxy_hcheck; hc_init and hc_post_config in modules/proxy/mod_proxy_hcheck.c. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		h1Lines(p, true, func(fe *model.FrontEnd, nodes []*httpd.Node) {
			version, _ := p.HTTPDVersion(fe)
			hcheck := fe.HasModule("proxy_hcheck_module")
			watchdog := fe.HasModule("watchdog_module") || h1Debian(fe)
			if !p.Rule.Versions.HTTPD.Contains(version) || hcheck && watchdog {
				return
			}
			for _, n := range nodes {
				if !hcheck && (n.Is("ProxyHCExpr") || n.Is("ProxyHCTemplate") || n.Is("ProxyHCTPsize")) {
					return
				}
			}
			for _, n := range nodes {
				if word, ok := h1HealthWord(n); ok {
					p.Report(h1Health(p, fe, n, word, hcheck, watchdog))
					return
				}
			}
		})
	},
}

// h1HealthWord returns the first parameter of a line that only mod_proxy_hcheck knows.
func h1HealthWord(n *httpd.Node) (httpd.Arg, bool) {
	if !n.Is("BalancerMember") && !n.Is("ProxySet") && !n.Is("ProxyPass") && !(n.Kind == httpd.Section && n.Is("Proxy")) {
		return httpd.Arg{}, false
	}
	for _, a := range n.Args {
		switch key, _, ok := strings.Cut(strings.ToLower(a.Text), "="); {
		case !ok:
		case key == "hcmethod", key == "hcinterval", key == "hcpasses", key == "hcfails", key == "hcuri", key == "hcexpr", key == "hctemplate":
			return a, true
		}
	}
	return httpd.Arg{}, false
}

func h1Health(p *lint.Pass, fe *model.FrontEnd, n *httpd.Node, word httpd.Arg, hcheck, watchdog bool) lint.Finding {
	var mods []string
	if !watchdog {
		mods = append(mods, "watchdog")
	}
	if !hcheck {
		mods = append(mods, "proxy_hcheck")
	}
	key, _, _ := strings.Cut(word.Text, "=")
	f := lint.Finding{At: h2At(word.Span, n.Span), Fixes: h1Load(fe, mods...)}
	f.Message = fmt.Sprintf("health check parameter `%s` needs mod_proxy_hcheck and mod_watchdog; add `LoadModule %s_module modules/mod_%s.so`", key, mods[len(mods)-1], mods[len(mods)-1])
	if hcheck {
		f.Lower = 1 // mod_watchdog may be compiled in
	}
	h1Absent(p, fe, &f)
	return f
}
