package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var ajpSecretRequired = &lint.Rule{
	ID: "T501", Name: "ajp-secret-required", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors,
	Versions: lint.Versions{Text: "Tomcat 7.0.100+ 8.5.51+ 9.0.31+ 10.1 11"},
	Doc: lint.Doc{
		What: "An AJP connector has no secret although this version requires one.",
		Why:  "The connector does not start and the rest of Tomcat does: HTTP answers, httpd gives 503.",
		Fix:  "Add the same secret to the connector and to the httpd member (2.4.42), and bind the connector to the address that httpd uses.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" redirectPort="8443"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
</Service></Server>`,
		Notes:  "A blank secret counts as none. Silent with secretRequired=\"false\" or a property that is not known, with the old name requiredSecret, and before the versions listed. Without a declared version a warning.",
		Source: "AJP connector reference, secretRequired; AbstractAjpProtocol.start. Tried with Tomcat 10.1.60: SEVERE for the connector only, the server goes on.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			version, declared := p.TomcatVersion(n)
			if declared && !requiresSecret(version) {
				continue
			}
			for _, c := range n.Connectors() {
				if c.Kind() != "ajp" || strings.TrimSpace(c.Secret.V) != "" || c.Port.V < 0 || c.SecretRequired.IsWritten() && !c.SecretRequired.V || oldSecret(c) || attributeUnknown(p, c.At, "secretRequired") {
					continue
				}
				f := lint.Finding{
					At: c.At.Head(), Subject: c,
					Message: `the AJP connector has no secret and secretRequired is true by default: it does not start, while HTTP does; add secret="..." here and secret= on the httpd member`,
				}
				if !declared {
					f.Message = `the AJP connector has no secret: since 7.0.100, 8.5.51, 9.0.31 and in 10 it does not start, while HTTP does (add secret="..." here and secret= on the httpd member); before it is open to whoever reaches the port`
					lint.Undeclared(&f, "Tomcat")
				}
				p.Report(f)
			}
		}
	},
}

// requiresSecret reports whether AJP needs a secret by default in the version:
// the change after CVE-2020-1938.
func requiresSecret(version string) bool {
	switch {
	case lint.AtLeast(version, "9"):
		return lint.AtLeast(version, "9.0.31")
	case lint.AtLeast(version, "8"):
		return lint.AtLeast(version, "8.5.51")
	}
	return lint.AtLeast(version, "7.0.100")
}

// oldSecret reports whether the secret stands under its old name, which is a
// cause of its own.
func oldSecret(c *model.Connector) bool {
	for _, a := range c.Extra {
		if a.Name == "requiredSecret" && a.Value.V != "" {
			return true
		}
	}
	return false
}
