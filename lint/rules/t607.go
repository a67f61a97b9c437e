package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var plainSecretInFile = &lint.Rule{
	ID: "T607", Name: "plain-secret-in-file", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Access, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "The AJP secret or the key of EncryptInterceptor is written in clear text in server.xml.",
		Why:  "Whoever sees the file, its backup or its repository has the secret.",
		Fix:  "Write ${name} and set the property in catalina.properties, in a file with narrower rights, or from the environment.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" secret="a-long-word"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" secret="${ajp.secret}"/>
</Service></Server>`,
		Notes:  "Only secret and requiredSecret of AJP connectors and encryptionKey. The value is never printed.",
		Source: "Security how-to; Digester, which replaces ${name} in attributes.",
	},
	Check: func(p *lint.Pass) {
		for _, d := range p.Docs {
			if d.Kind() != tomcat.Server {
				continue
			}
			d.Root.Walk(func(e *tomcat.Element) bool {
				switch e.Name {
				case "Connector":
					if a := e.Attr("protocol"); a != nil && strings.Contains(strings.ToLower(a.Value), "ajp") {
						reportPlainSecret(p, e, "secret")
						reportPlainSecret(p, e, "requiredSecret")
					}
				case "Interceptor":
					if a := e.Attr("className"); a != nil && model.SimpleClass(a.Value) == "EncryptInterceptor" {
						reportPlainSecret(p, e, "encryptionKey")
					}
				}
				return true
			})
		}
	},
}

func reportPlainSecret(p *lint.Pass, e *tomcat.Element, name string) {
	a := e.Attr(name)
	if a == nil || strings.TrimSpace(a.Value) == "" || unknown(a.Value) {
		return
	}
	p.Report(lint.Finding{
		At:      a.NameSpan,
		Message: name + " is written in clear text; take it from a property: " + name + "=\"${NAME}\"",
	})
}
