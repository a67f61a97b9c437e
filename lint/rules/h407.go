package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
)

var sslProxyEngineMissing = &lint.Rule{
	ID: "H407", Name: "sslproxyengine-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A backend is reached by https://, but SSLProxyEngine is not On for the server.",
		Why:  "mod_ssl does not encrypt outgoing connections then, and every request fails with 500. `httpd -t` says Syntax OK.",
		Fix:  "Write SSLProxyEngine On in the same server or virtual host.",
		Bad: `ProxyPass "/app" "https://10.0.0.11:8443/app"
ProxyPassReverse "/app" "https://10.0.0.11:8443/app"`,
		Good: `SSLProxyEngine On
ProxyPass "/app" "https://10.0.0.11:8443/app"
ProxyPassReverse "/app" "https://10.0.0.11:8443/app"`,
		Notes:  "A virtual host inherits it from the main server; a <Proxy> section may have its own in newer 2.4. Silent when mod_ssl is not loaded, which is H101. One finding for each server.",
		Source: "mod_ssl, SSLProxyEngine. Tried with httpd 2.4.71: 500, AH00961.",
	},
	Check: func(p *lint.Pass) {
		engines := proxyEngines(p)
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			if proxyEngineOn(sv) || hasModules(sv.FrontEnd) && !sv.FrontEnd.HasModule("ssl_module") {
				continue
			}
			checkEngine(p, ix, sv, engines)
		}
	},
}

// proxyEngineOn reports whether the server encrypts towards its backends; for the
// main server one of its virtual hosts is enough.
func proxyEngineOn(sv lint.Server) bool {
	if sv.TLS != nil && sv.TLS.ProxyEngine.IsWritten() {
		return sv.TLS.ProxyEngine.V
	}
	if !sv.Main {
		main := sv.FrontEnd.Main
		return main != nil && main.TLS != nil && main.TLS.ProxyEngine.V
	}
	for _, v := range sv.FrontEnd.VHosts {
		if v.TLS != nil && v.TLS.ProxyEngine.V {
			return true
		}
	}
	return false
}

// proxyEngines returns the arguments of the <Proxy> sections with SSLProxyEngine On.
func proxyEngines(p *lint.Pass) []string {
	var out []string
	for d := range p.Directives {
		if !strings.EqualFold(d.Name, "SSLProxyEngine") || !strings.EqualFold(d.Node.Arg(0), "on") {
			continue
		}
		if sec := proxySection(d.Node); sec != nil {
			out = append(out, strings.ToLower(strings.TrimPrefix(sec.Arg(0), "proxy:")))
		}
	}
	return out
}

func proxySection(n *httpd.Node) *httpd.Node {
	for n = n.Parent; n != nil; n = n.Parent {
		if n.Is("Proxy") || n.Is("ProxyMatch") {
			return n
		}
	}
	return nil
}

// engineFor reports whether one of the sections may speak about the URL.
func engineFor(sections []string, urls ...string) bool {
	for _, sec := range sections {
		if strings.ContainsAny(sec, `*?[^$\(~`) {
			return true
		}
		for _, u := range urls {
			if strings.HasPrefix(strings.ToLower(u), strings.TrimRight(sec, "/")) {
				return true
			}
		}
	}
	return false
}

func checkEngine(p *lint.Pass, ix *balancerIndex, sv lint.Server, engines []string) {
	secure := func(u string) bool {
		s := schemeOf(u)
		return s == "https" || s == "wss" || s == "h2"
	}
	for _, m := range passes(sv) {
		if secure(m.Target.V) && !engineFor(engines, m.Target.V) {
			reportEngine(p, sv, m.At, m.place(), schemeOf(m.Target.V), nil)
			return
		}
	}
	targets := map[string]diag.Span{}
	var order []string
	add := func(target string, at diag.Span) {
		if base, _ := splitBackend(target); strings.HasPrefix(base, "balancer://") && !targets[base].IsValid() {
			targets[base] = at
			order = append(order, base)
		}
	}
	for _, m := range passes(sv) {
		add(m.Target.V, m.place())
	}
	for _, r := range rewritesToProxy(sv) {
		add(r.Target.V, r.At)
	}
	for _, target := range order {
		b := ix.resolve(sv, target)
		if b.balancer == nil {
			continue
		}
		for _, mem := range b.balancer.Members {
			if secure(mem.URL.V) && !engineFor(engines, target, mem.URL.V) {
				reportEngine(p, sv, mem.At, targets[target], schemeOf(mem.URL.V), []diag.Related{lint.Related(targets[target], "this server uses the balancer")})
				return
			}
		}
	}
}

func reportEngine(p *lint.Pass, sv lint.Server, at, place diag.Span, scheme string, related []diag.Related) {
	f := lint.Finding{
		At: at, Related: related, Lower: absence(p),
		Message: "`" + scheme + "://` backend without `SSLProxyEngine On`: requests fail with 500; add it to this server",
		Fixes:   []diag.Fix{{Message: "encrypt towards the backends", Safe: true, Edits: []diag.Edit{lineBefore(place, "SSLProxyEngine On")}}},
	}
	if !hasModules(sv.FrontEnd) {
		f.Lower++
	}
	if related != nil {
		f.Message = "`" + scheme + "://` backend without `SSLProxyEngine On`: requests fail with 500; add it to the server that uses the balancer (" + place.Short() + ")"
	}
	p.Report(f)
}
