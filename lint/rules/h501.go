package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var openForwardProxy = &lint.Rule{
	ID: "H501", Name: "open-forward-proxy", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Access, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "ProxyRequests is On and nothing restricts who may use the forward proxy.",
		Why:  "Anybody can send requests to any host through this server, in its name. Open proxies are found within hours, used for abuse and put on block lists.",
		Fix:  "Set ProxyRequests Off: a reverse proxy does not need it. A forward proxy needs a <Proxy \"*\"> section with Require.",
		Bad: `ProxyRequests On
ProxyPass "/app" "http://10.0.0.11:8080/app"
ProxyPassReverse "/app" "http://10.0.0.11:8080/app"`,
		Good: `ProxyRequests Off
ProxyPass "/app" "http://10.0.0.11:8080/app"
ProxyPassReverse "/app" "http://10.0.0.11:8080/app"`,
		Notes:  "Closed by sections for all URLs (<Proxy \"*\">, or a <ProxyMatch>) with Require or old-style rules that do not let everybody in, and by ProxyBlock *. Less sure when an Include could not be read. The fix is offered when the server has ProxyPass lines and neither AllowCONNECT nor ProxyRemote.",
		Source: "mod_proxy, ProxyRequests and \"Controlling Access to Your Proxy\"; proxy_walk in modules/proxy/mod_proxy.c.",
	},
	Check: func(p *lint.Pass) {
		uses := forwardUses(p)
		for _, sv := range proxyServers(p) {
			if !sv.ProxyRequests.IsWritten() || !sv.ProxyRequests.V || uses[sv.FrontEnd].blocked || !forwardOpen(sv) {
				continue
			}
			f := lint.Finding{
				At: directiveOf(wordPlace(sv.ProxyRequests.Span)), Subject: sv.Server, Lower: absence(p),
				Message: "`ProxyRequests On` without access control makes this server an open proxy for anyone; a reverse proxy needs `ProxyRequests Off`",
			}
			if reverseProxy(sv) && !uses[sv.FrontEnd].forward {
				f.Fixes = []diag.Fix{{Message: "be a reverse proxy only", Safe: true, Edits: []diag.Edit{{Span: sv.ProxyRequests.Span, New: quoted(sv.ProxyRequests.Span, "Off")}}}}
			}
			p.Report(f)
		}
	},
}

type forwardUse struct{ forward, blocked bool }

// forwardUses looks for signs that a forward proxy is meant, and for ProxyBlock *.
func forwardUses(p *lint.Pass) map[*model.FrontEnd]forwardUse {
	out := map[*model.FrontEnd]forwardUse{}
	for d := range p.Directives {
		u := out[d.FrontEnd]
		switch strings.ToLower(d.Name) {
		case "allowconnect", "proxyremote", "proxyremotematch":
			u.forward = true
		case "proxyblock":
			u.forward = true
			for _, a := range d.Node.Args {
				u.blocked = u.blocked || a.Text == "*"
			}
		default:
			continue
		}
		out[d.FrontEnd] = u
	}
	return out
}

// forwardOpen reports whether anybody may send a forward request to the server:
// the Proxy sections for a host that nobody names let him in.
func forwardOpen(sv lint.Server) bool {
	for _, url := range []string{"http://host.invalid/", "https://host.invalid/"} {
		var list []*model.Section
		for _, sec := range sectionsOf(sv) {
			if takesTarget(sec, url) {
				list = append(list, sec)
			}
		}
		if a := fold(list); a == nil || !hasAccess(a) || isOpen(a) {
			return true
		}
	}
	return false
}

// reverseProxy reports whether the server maps URLs to backends itself.
func reverseProxy(sv lint.Server) bool { return len(passes(sv)) > 0 || len(rewritesToProxy(sv)) > 0 }

var forwardProxyMixed = &lint.Rule{
	ID: "H502", Name: "forward-proxy-mixed", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Access, Versions: everyHTTPD,
	YieldsTo: []string{"H501"},
	Doc: lint.Doc{
		What: "One server is forward proxy (ProxyRequests On) and reverse proxy.",
		Why:  "ProxyPass works without ProxyRequests. On turns the server into a forward proxy as well, and its access rules decide about requests to the backends and to the rest of the world at once.",
		Fix:  "Set ProxyRequests Off, or put the forward proxy into a virtual host of its own.",
		Bad: `ProxyRequests On
<Proxy "*">
    Require ip 10.0.0.0/24
</Proxy>
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Good: `ProxyRequests Off
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Notes:  "Silent when the virtual host maps nothing to a backend, and when the proxy is open: H501.",
		Source: "mod_proxy, ProxyRequests.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range proxyServers(p) {
			if !sv.ProxyRequests.IsWritten() || !sv.ProxyRequests.V || forwardOpen(sv) {
				continue
			}
			at, ok := firstPass(sv)
			if !ok && sv.Main {
				for _, v := range sv.FrontEnd.VHosts { // they inherit it
					if at, ok = firstPass(lint.Server{Server: v, FrontEnd: sv.FrontEnd}); ok && !v.ProxyRequests.IsWritten() {
						break
					}
					ok = false
				}
			}
			if !ok && inherits(sv) {
				at, ok = firstPass(mainOf(sv))
			}
			if ok {
				p.Report(lint.Finding{
					At: directiveOf(wordPlace(sv.ProxyRequests.Span)), Subject: sv.Server,
					Message: "forward proxy (ProxyRequests On) and reverse proxy (" + at.Short() + ") in one server: usually a mistake; set it Off",
					Related: []diag.Related{lint.Related(at, "the reverse proxy")},
				})
			}
		}
	},
}

// firstPass returns the place of the server's first mapping to a backend.
func firstPass(sv lint.Server) (diag.Span, bool) {
	if list := passes(sv); len(list) > 0 {
		return list[0].At, true
	}
	if list := rewritesToProxy(sv); len(list) > 0 {
		return list[0].At, true
	}
	return diag.Span{}, false
}
