package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
)

var protocolMissingOnAJPPort = &lint.Rule{
	ID: "T505", Name: "protocol-missing-on-ajp-port", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Connectors, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "A connector on port 8009, the usual one of AJP, has no protocol.",
		Why:  "Without protocol a connector speaks HTTP/1.1. An ajp:// member of httpd then gets no answer that it understands: 503.",
		Fix:  "Write protocol=\"AJP/1.3\", or protocol=\"HTTP/1.1\" when HTTP is meant.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" redirectPort="8443"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" secret="a-long-word" redirectPort="8443"/>
</Service></Server>`,
		Notes:  "Silent when a member of httpd goes to the port: an http:// one shows that HTTP is meant, an ajp:// one is X003's. Silent with TLS.",
		Source: "AJP connector reference, protocol.",
	},
	Check: func(p *lint.Pass) {
		used := linksByConnector(p)
		for _, n := range p.Setup.Nodes {
			for _, c := range n.Connectors() {
				port := n.EffectivePort(c.Port)
				if c.Protocol.IsWritten() || c.Port.V != 8009 && port != 8009 || port <= 0 || c.SSLEnabled.V || c.Scheme.V == "https" || len(used[c]) > 0 {
					continue
				}
				p.Report(lint.Finding{
					At: c.At.Head(), Subject: c,
					Message: fmt.Sprintf("Connector on port %d has no protocol, so it speaks HTTP; for AJP add protocol=\"AJP/1.3\"", port),
				})
			}
		}
	},
}
