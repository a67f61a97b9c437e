package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// h1Schemes maps the scheme of a URL to the modules that handle it; any one of
// them is enough, the first is the one to load.
var h1Schemes = map[string][]string{
	"http": {"proxy_http"}, "https": {"proxy_http"}, "h2": {"proxy_http2"}, "h2c": {"proxy_http2"}, "ajp": {"proxy_ajp"},
	"ws": {"proxy_wstunnel"}, "wss": {"proxy_wstunnel"}, "fcgi": {"proxy_fcgi"}, "scgi": {"proxy_scgi"}, "ftp": {"proxy_ftp"}, "uwsgi": {"proxy_uwsgi"},
}

var schemeModuleMissing = &lint.Rule{
	ID: "H101", Name: "scheme-module-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Modules, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A backend URL has a scheme whose module is not loaded.",
		Why:  "mod_proxy itself speaks no protocol. `httpd -t` says Syntax OK; requests get 503 from a balancer and 500 from a single backend, and the log says \"No protocol handler was valid for the URL\".",
		Fix:  "Load mod_proxy_ajp, mod_proxy_http or whatever the scheme needs.",
		Bad: `LoadModule proxy_module modules/mod_proxy.so
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Good: `LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_ajp_module modules/mod_proxy_ajp.so
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Notes:  "One finding per module, at the first URL. Only when the files hold LoadModule lines, that of mod_proxy among them. ws:// and wss:// need mod_proxy_wstunnel, or mod_proxy_http since 2.4.47. Of unix: URLs the scheme behind | counts. A warning when an Include could not be read.",
		Source: "mod_proxy, the table of modules; message AH01144 in modules/proxy/mod_proxy.c. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		h1Lines(p, true, func(fe *model.FrontEnd, nodes []*httpd.Node) {
			version, _ := p.HTTPDVersion(fe)
			said := map[string]bool{}
			for _, n := range nodes {
				t, ok := h2TargetOf(n)
				if !ok {
					continue
				}
				scheme := h2Scheme(t.URL)
				mods := h1Schemes[scheme]
				if mods == nil || said[mods[0]] || fe.HasModule(mods[0]+"_module") {
					continue
				}
				if (scheme == "ws" || scheme == "wss") && fe.HasModule("proxy_http_module") && lint.AtLeast(version, "2.4.47") {
					continue
				}
				said[mods[0]] = true
				status := "500"
				if n.Is("BalancerMember") {
					status = "503"
				}
				f := lint.Finding{
					At:      h2At(t.At, n.Span),
					Message: fmt.Sprintf("`%s://` is used here but mod_%s is not loaded; requests fail with %s although `httpd -t` says \"Syntax OK\"; add `LoadModule %s_module modules/mod_%s.so`", scheme, mods[0], status, mods[0], mods[0]),
					Fixes:   h1Load(fe, mods[0]),
				}
				h1Absent(p, fe, &f)
				p.Report(f)
			}
		})
	},
}

var balancerModuleMissing = &lint.Rule{
	ID: "H102", Name: "balancer-module-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Modules, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "balancer:// is used, but mod_proxy_balancer is not loaded.",
		Why:  "<Proxy balancer://…> and BalancerMember belong to mod_proxy, so `httpd -t` says Syntax OK. Each request gets 500: no protocol handler for the scheme balancer.",
		Fix:  "Load mod_proxy_balancer, and for httpd 2.4 mod_slotmem_shm and a mod_lbmethod.",
		Bad: `LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_ajp_module modules/mod_proxy_ajp.so
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Good: `LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_ajp_module modules/mod_proxy_ajp.so
LoadModule slotmem_shm_module modules/mod_slotmem_shm.so
LoadModule lbmethod_byrequests_module modules/mod_lbmethod_byrequests.so
LoadModule proxy_balancer_module modules/mod_proxy_balancer.so
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>
ProxyPass "/app" "balancer://c/app"`,
		Notes:  "As H101; one finding per front end, at the first balancer://. Silent with mod_cluster, which has a balancer of its own.",
		Source: "mod_proxy, the table of modules; mod_proxy_balancer. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		h1Lines(p, true, func(fe *model.FrontEnd, nodes []*httpd.Node) {
			if fe.HasModule("proxy_balancer_module") || h30Cluster(fe) {
				return
			}
			at, ok := h1FirstBalancer(nodes)
			if !ok {
				return
			}
			mods := []string{"proxy_balancer"}
			if v, _ := p.HTTPDVersion(fe); lint.AtLeast(v, "2.4") {
				mods = h1Lacking(fe, append([]string{"slotmem_shm"}, h1Methods(p, fe)...))
				mods = append(mods, "proxy_balancer")
			}
			f := lint.Finding{
				At:      at,
				Message: "`balancer://` is used here but mod_proxy_balancer is not loaded; requests get 500 although `httpd -t` passes; add `LoadModule proxy_balancer_module modules/mod_proxy_balancer.so`",
				Fixes:   h1Load(fe, mods...),
			}
			h1Absent(p, fe, &f)
			p.Report(f)
		})
	},
}

func h1Lacking(fe *model.FrontEnd, names []string) []string {
	var out []string
	for _, n := range names {
		if !fe.HasModule(n + "_module") {
			out = append(out, n)
		}
	}
	return out
}

// h1Methods lists the modules of the methods that the balancers use.
func h1Methods(p *lint.Pass, fe *model.FrontEnd) []string {
	var out []string
	seen := map[string]bool{}
	for _, sv := range p.Servers() {
		if sv.FrontEnd != fe {
			continue
		}
		for _, b := range sv.Balancers {
			if name := "lbmethod_" + b.LBMethod.Or("byrequests"); !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	if len(out) == 0 {
		out = []string{"lbmethod_byrequests"}
	}
	return out
}

// h1FirstBalancer finds the first balancer:// that does something.
func h1FirstBalancer(nodes []*httpd.Node) (diag.Span, bool) {
	for _, n := range nodes {
		switch {
		case n.Kind == httpd.Section && n.Is("Proxy"), n.Is("BalancerMember"):
			if len(n.Args) > 0 && h2Scheme(strings.TrimPrefix(n.Arg(0), "proxy:")) == "balancer" && !strings.ContainsAny(n.Arg(0), "*?[") {
				return h2At(n.Args[0].Span, n.Span), true
			}
		default:
			if t, ok := h2TargetOf(n); ok && h2Scheme(t.URL) == "balancer" {
				return h2At(t.At, n.Span), true
			}
		}
	}
	return diag.Span{}, false
}
