package rules

import (
	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var ajpOldSecretName = &lint.Rule{
	ID: "T503", Name: "ajp-required-secret-old-name", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Fixable: true,
	Versions: lint.Versions{Tomcat: lint.Range{From: "8.5"}, Text: "Tomcat 8.5 9 10.1 11"},
	Doc: lint.Doc{
		What: "The secret of an AJP connector stands under its old name, requiredSecret.",
		Why:  "The versions up to 10.1 still take it. Tomcat 11 does not know the name: the connector has no secret there and does not start.",
		Fix:  "Rename the attribute to secret.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" requiredSecret="a-long-word"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word" secretRequired="true"/>
</Service></Server>`,
		Notes:  "An error in Tomcat 11 when no secret stands beside it. Silent before 8.5.51 and 9.0.31, where requiredSecret is the only name. secretRequired is another attribute, a flag.",
		Source: "AbstractAjpProtocol of the release branches; changelogs of 8.5.51 and 9.0.31. Tomcat 10.1.60 takes the old name without a message.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			version, declared := p.TomcatVersion(n)
			if declared && (!lint.AtLeast(version, "8.5") || !requiresSecret(version)) {
				continue
			}
			for _, c := range n.Connectors() {
				if c.Kind() == "ajp" {
					checkOldSecret(p, c, declared && lint.AtLeast(version, "11"), declared)
				}
			}
		}
	},
}

func checkOldSecret(p *lint.Pass, c *model.Connector, gone, declared bool) {
	a := extraAttr(c.Extra, "requiredSecret")
	if a == nil {
		return
	}
	f := lint.Finding{At: a.At, Subject: c, Message: "requiredSecret is the old name of secret; rename it"}
	switch {
	case gone && !c.Secret.IsWritten():
		f.Severity = diag.Error
		f.Message = "requiredSecret is the old name of secret, which Tomcat 11 no longer knows: the connector has no secret and does not start; rename it"
	case gone:
		f.Message = "requiredSecret is the old name of secret, which Tomcat 11 no longer knows; remove it, secret is there"
	}
	switch {
	case !c.Secret.IsWritten() && a.At.Text() == "requiredSecret":
		f.Fixes = []diag.Fix{{Message: "rename the attribute", Safe: true, Edits: []diag.Edit{{Span: a.At, New: "secret"}}}}
	case c.Secret.IsWritten() && c.Secret.V == a.Value.V:
		if e, ok := removeAttribute(a.Value.Span, "requiredSecret"); ok {
			f.Fixes = []diag.Fix{{Message: "remove the old name", Safe: true, Edits: []diag.Edit{e}}}
		}
	}
	if !declared {
		lint.Undeclared(&f, "Tomcat")
	}
	p.Report(f)
}
