package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var fixedSchemeForBoth = &lint.Rule{
	ID: "X504", Name: "fixed-scheme-for-both", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth,
	Doc: lint.Doc{
		What:   "A connector says scheme=\"https\" for every request, and a virtual host without TLS uses it as well.",
		Why:    "Applications take plain requests for secure ones: cookies get Secure and are never sent back, redirects change the scheme, and CONFIDENTIAL is taken as fulfilled.",
		Fix:    "Use two connectors, one for each virtual host, or RemoteIpValve in place of the fixed scheme.",
		Bad:    bothHosts("8080"),
		Good:   strings.Replace(bothHosts("8081"), "  <Engine", "  <Connector port=\"8081\" address=\"10.0.0.11\"/>\n  <Engine", 1),
		Notes:  "Silent when a rewrite rule of the plain virtual host sends everything to https, when it listens on loopback only or says that TLS ends before it, when the node has a RemoteIpValve, and for connectors with TLS of their own, whose scheme Tomcat sets itself. Redirect of mod_alias does not help: ProxyPass comes first.",
		Source: "Tomcat security how-to; CoyoteAdapter.postParseRequest.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		type ends struct {
			link       *model.Link
			tls, plain *use
		}
		uses, valves := usesOf(p), remoteIPs{}
		var order []*model.Connector
		found := map[*model.Connector]*ends{}
		for i := range uses {
			u := &uses[i]
			for j := range u.links {
				l := &u.links[j]
				c := l.Connector
				if c.Kind() == "https" || !strings.EqualFold(c.Scheme.V, "https") && !c.Secure.V {
					continue
				}
				e := found[c]
				if e == nil {
					e = &ends{link: l}
					found[c] = e
					order = append(order, c)
				}
				if u.tls && e.tls == nil {
					e.tls = u
				}
				if u.plain && !u.redirect && e.plain == nil {
					e.plain = u
				}
			}
		}
		for _, c := range order {
			e := found[c]
			if e.tls == nil || e.plain == nil || len(valves.of(e.link.Node)) > 0 {
				continue
			}
			host := e.plain.Server.At
			f := lint.Finding{
				At: c.At.Head(), Subject: c,
				Message: fmt.Sprintf("connector of %s says %s for every request, but the plain virtual host at %s uses it too; give it a connector of its own, or use RemoteIpValve", e.link.Node.Name.V, fixedWords(c), host.Short()),
				Related: []diag.Related{lint.Related(e.plain.at.Head(), "without TLS"), lint.Related(e.tls.at.Head(), "with TLS")},
			}
			weaken(&f, e.link.By)
			p.Report(f)
		}
	},
}

func fixedWords(c *model.Connector) string {
	if strings.EqualFold(c.Scheme.V, "https") {
		return `scheme="https"`
	}
	return `secure="true"`
}

// bothHosts is a plain virtual host with the port and a TLS one with port 8080.
func bothHosts(port string) string {
	return strings.Replace(tlsExample("", ` scheme="https" secure="true" proxyPort="443"`, ""), "-- httpd.conf --\n",
		"-- httpd.conf --\n<VirtualHost *:80>\n    ProxyPass \"/app\" \"http://10.0.0.11:"+port+"/app\"\n</VirtualHost>\n", 1)
}
