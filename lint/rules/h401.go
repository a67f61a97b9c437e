package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

var missingProxyPassReverse = &lint.Rule{
	ID: "H401", Name: "missing-proxypassreverse", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A ProxyPass to an HTTP backend has no ProxyPassReverse.",
		Why:  "A redirect of the backend names the backend's own host, port and path. Without ProxyPassReverse the browser follows it there and reaches nothing, or goes around the front end.",
		Fix:  "Add ProxyPassReverse with the same two arguments.",
		Bad: `ServerName www.example.com
ProxyPass "/app" "http://10.0.0.11:8080/app"`,
		Good: `ServerName www.example.com
ProxyPass "/app" "http://10.0.0.11:8080/app"
ProxyPassReverse "/app" "http://10.0.0.11:8080/app"`,
		Notes: "Silent for AJP with equal paths (Tomcat knows the public host then), for ws:// and wss://, other protocols, and when a line for a shorter path, a Location or a Header rule covers it. " +
			"An info for ProxyPassMatch, and with ProxyPreserveHost On and equal paths: Tomcat's redirects are right already.",
		Source: "mod_proxy, ProxyPassReverse; mod_proxy_ajp; 22 of 140 public proxy files read have none.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			list := passes(sv)
			if len(list) == 0 {
				continue
			}
			reverses, keeper := reversesOf(sv), newHostKeeper(sv)
			for _, m := range list {
				b := ix.resolve(sv, m.Target.V)
				if b.any("http", "https", "h2", "h2c") || b.only("ajp") {
					checkReverse(p, sv, m, &b, reverses, keeper)
				}
			}
		}
	},
}

func checkReverse(p *lint.Pass, sv lint.Server, m mapped, b *backend, reverses *reverseIndex, keeper *hostKeeper) {
	equal := samePath(m.Path.V, b.path)
	ajp := b.only("ajp")
	if !m.Regex.V && !strings.HasPrefix(m.Path.V, "/") || p.ParserFound("H004", "", m.At) {
		return // matches nothing: H205; or refused by httpd
	}
	if ajp && (equal || m.Regex.V) || reverses.covers(m, b) {
		return
	}
	f := lint.Finding{At: m.At, Subject: m.Mapping, Lower: absence(p)}
	if unknown(m.Target.V) {
		f.Lower++
	}
	url := m.Target.V
	switch {
	case ajp:
		public := publicURL(sv)
		url = public + b.path
		if public == "" {
			url = ""
		}
		f.Message = fmt.Sprintf("`ProxyPass \"%s\"` to `%s` has no ProxyPassReverse; redirects of the backend will show its own path; add one for the public host and `%s`", m.Path.V, m.Target.V, b.path)
	case m.Regex.V:
		f.Severity = diag.Info
		f.Message = fmt.Sprintf("`%s` to `%s` has no ProxyPassReverse; redirects of the backend will show its own address", m.Path.V, m.Target.V)
		p.Report(f)
		return
	default:
		f.Message = fmt.Sprintf("`ProxyPass \"%s\"` to `%s` has no ProxyPassReverse; redirects of the backend will show its own address; add a line with the same two arguments", m.Path.V, m.Target.V)
		if equal && keeper.keeps(m) {
			f.Severity = diag.Info
		}
	}
	if url != "" {
		line := fmt.Sprintf("ProxyPassReverse \"%s\" \"%s\"", m.Path.V, url)
		if m.section != nil {
			line = fmt.Sprintf("ProxyPassReverse \"%s\"", url)
		}
		f.Fixes = []diag.Fix{{Message: "rewrite the backend's redirects", Safe: true, Edits: []diag.Edit{lineAfter(m.At, line)}}}
	}
	p.Report(f)
}
