package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
)

var ajpAcceptsAllAttributes = &lint.Rule{
	ID: "T504", Name: "ajp-accepts-all-attributes", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors,
	Versions: lint.Versions{Tomcat: lint.Range{From: "8.5.51"}, Text: "Tomcat 8.5.51+ 9.0.31+ 10.1 11"},
	Doc: lint.Doc{
		What: "allowedRequestAttributesPattern of an AJP connector matches every name.",
		Why:  "The list is what keeps a peer from setting attributes that change how Tomcat handles the request, such as those of an include: the way in of CVE-2020-1938.",
		Fix:  "List the attributes that httpd really sends.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" secret="a-long-word" allowedRequestAttributesPattern=".*"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" secret="a-long-word" allowedRequestAttributesPattern="REMOTE_DEPT|X_USER"/>
</Service></Server>`,
		Notes:  "Only for patterns that match a made-up name and one of the servlet container's own. Silent for expressions that only Java can read.",
		Source: "AJP connector reference; AjpProcessor.prepareRequest, which matches the whole name.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			version, declared := p.TomcatVersion(n)
			if declared && (!lint.AtLeast(version, "8.5") || !requiresSecret(version)) {
				continue
			}
			for _, c := range n.Connectors() {
				expr := c.AllowedAttrs.V
				if c.Kind() != "ajp" || expr == "" || unknown(expr) {
					continue
				}
				re, ok := javaPattern(expr)
				if !ok || !matchesAll(re, "zqxjkv", "javax.servlet.include.servlet_path", "jakarta.servlet.include.servlet_path") {
					continue
				}
				p.Report(lint.Finding{
					At: c.AllowedAttrs.Span, Subject: c,
					Message: fmt.Sprintf("allowedRequestAttributesPattern=\"%s\" lets the proxy set any request attribute; list the ones you need", expr),
				})
			}
		}
	},
}
