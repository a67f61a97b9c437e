package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var schemeSecureDisagree = &lint.Rule{
	ID: "T507", Name: "scheme-secure-disagree", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat, Fixable: true,
	YieldsTo: []string{"T508"},
	Doc: lint.Doc{
		What: "A connector says scheme=\"https\" without secure=\"true\", or the other way round.",
		Why:  "request.isSecure() and request.getScheme() contradict each other: session cookies lack Secure, pages that demand https redirect for ever, or links say http.",
		Fix:  "Write scheme=\"https\" and secure=\"true\" together, or neither.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" proxyName="www.example.com" proxyPort="443" scheme="https"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" proxyName="www.example.com" proxyPort="443" scheme="https" secure="true"/>
</Service></Server>`,
		Notes:  "An info for AJP, where httpd says for each request whether it came by TLS, and for a connector with TLS of its own, where Tomcat itself sets both. Silent where T508 speaks.",
		Source: "HTTP connector reference; CoyoteAdapter.postParseRequest. Tried with Tomcat 10.1.60: scheme=\"https\" alone gives isSecure() false and a cookie without Secure, SSLEnabled=\"true\" alone gives https, true and Secure.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			for _, c := range n.Connectors() {
				checkSchemeSecure(p, c)
			}
		}
	},
}

func checkSchemeSecure(p *lint.Pass, c *model.Connector) {
	https := strings.EqualFold(c.Scheme.V, "https")
	if https == c.Secure.V || !c.Scheme.IsWritten() && !c.Secure.IsWritten() || unknown(c.Scheme.V) || attributeUnknown(p, c.At, "secure") {
		return
	}
	f := lint.Finding{At: c.At.Head()}
	if https {
		f.Message = "scheme=\"https\" but secure=\"false\": request.isSecure() and the Secure flag of cookies will be wrong; add secure=\"true\""
		var written diag.Span
		if c.Secure.IsWritten() {
			written = c.Secure.Span
		}
		if e, ok := setFlag(c.At, written, "secure", "true"); ok {
			f.Fixes = []diag.Fix{{Message: "add secure=\"true\"", Safe: true, Edits: []diag.Edit{e}}}
		}
	} else {
		f.Message = fmt.Sprintf("scheme=\"%s\" but secure=\"true\": the requests count as safe, yet the addresses that Tomcat writes begin with http; add scheme=\"https\"", c.Scheme.Or("http"))
		f.Subject = c
	}
	switch {
	case c.Kind() == "ajp":
		f.Severity = diag.Info
		f.Message += "; requests that httpd got by TLS are not concerned"
	case c.SSLEnabled.V:
		f.Severity = diag.Info
		f.Message += "; with TLS Tomcat sets both itself"
	}
	p.Report(f)
}
