package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var reverseWithAJPURL = &lint.Rule{
	ID: "H404", Name: "reverse-with-ajp-url", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "ProxyPassReverse has an ajp:// URL, or that of a balancer of AJP members.",
		Why:  "AJP hands the public host to Tomcat, which writes redirects with it. No redirect begins with ajp://, so the line never matches, and a changed path stays wrong.",
		Fix:  "Write the public address with the backend's path, or leave the line out when both paths are equal.",
		Bad: `ServerName www.example.com
ProxyPass "/apps/foo" "ajp://10.0.0.11:8009/foo"
ProxyPassReverse "/apps/foo" "ajp://10.0.0.11:8009/foo"
ProxyPassReverseCookiePath "/foo" "/apps/foo"`,
		Good: `ServerName www.example.com
ProxyPass "/apps/foo" "ajp://10.0.0.11:8009/foo"
ProxyPassReverse "/apps/foo" "http://www.example.com/foo"
ProxyPassReverseCookiePath "/foo" "/apps/foo"`,
		Notes:  "An info when the paths are equal, where the line is only useless, and for balancers.",
		Source: "mod_proxy_ajp, \"Rewriting Proxied Path\".",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			reverses := slices.Clone(sv.Settings.Reverses)
			for _, sec := range sv.Sections {
				reverses = append(reverses, sec.Settings.Reverses...)
			}
			for _, r := range reverses {
				checkAJPReverse(p, ix, sv, r)
			}
		}
	},
}

func checkAJPReverse(p *lint.Pass, ix *balancerIndex, sv lint.Server, r *model.Reverse) {
	base, path := splitBackend(r.To.V)
	public := cmp.Or(publicURL(sv), "http://<public name>") + path
	f := lint.Finding{At: r.At, Subject: r}
	switch {
	case strings.HasPrefix(base, "ajp://") && samePath(r.From.V, path):
		f.Severity = diag.Info
		f.Message = "`ProxyPassReverse` to an ajp:// URL never matches; with equal paths none is needed: leave it out"
	case strings.HasPrefix(base, "ajp://"):
		f.Message = fmt.Sprintf("`ProxyPassReverse` to an ajp:// URL never matches: Tomcat sends redirects with the public host; use `%s`", public)
	case strings.HasPrefix(base, "balancer://"):
		b := ix.resolve(sv, r.To.V)
		if !b.only("ajp") {
			return
		}
		f.Severity = diag.Info
		f.Message = fmt.Sprintf("`ProxyPassReverse` to a balancer of AJP members never matches: Tomcat sends redirects with the public host; leave it out, or use `%s` when the paths differ", public)
		f.Related = []diag.Related{lint.Related(b.balancer.At.Head(), "its members speak AJP")}
	default:
		return
	}
	p.Report(f)
}
