package rules

import (
	"clowder/lint"
	"clowder/parse/diag"
)

var hostHeaderNotPreserved = &lint.Rule{
	ID: "H405", Name: "host-header-not-preserved", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "ProxyPreserveHost is Off for an HTTP backend.",
		Why:  "Tomcat sees the host and port of the member in the Host header. Absolute links, redirects and links in mails that the application builds from it carry that name.",
		Fix:  "Write ProxyPreserveHost On, when the application builds addresses from Host.",
		Bad: `ProxyPass "/app" "http://10.0.0.11:8080/app"
ProxyPassReverse "/app" "http://10.0.0.11:8080/app"`,
		Good: `ProxyPreserveHost On
ProxyPass "/app" "http://10.0.0.11:8080/app"
ProxyPassReverse "/app" "http://10.0.0.11:8080/app"`,
		Notes:  "One finding for each server, at its first ProxyPass. AJP carries the public host always. Off is right when the backend has virtual hosts of its own.",
		Source: "mod_proxy, ProxyPreserveHost.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			list := passes(sv)
			if len(list) == 0 {
				continue
			}
			keeper := newHostKeeper(sv)
			for _, m := range list {
				b := ix.resolve(sv, m.Target.V)
				if b.any("http", "https", "h2", "h2c") && !keeper.keeps(m) {
					p.Report(lint.Finding{
						At: m.At, Subject: m.Mapping, Lower: absence(p),
						Message: "ProxyPreserveHost is Off: Tomcat sees the member's host name in Host, so links and redirects it builds carry it; write `ProxyPreserveHost On` if they should not",
					})
					break
				}
			}
		}
	},
}
