package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var memberProtocolMismatch = &lint.Rule{
	ID: "X003", Name: "member-protocol-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "A member speaks another protocol than the connector on its port.",
		Why:  "AJP to an HTTP connector gives 503, HTTP to an AJP connector 502, on every request.",
		Fix:  "Use the scheme of the connector, or the port of the connector with the member's protocol.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8080" route=s1
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>`,
		Notes:  "No protocol, HTTP/1.1 and the Http11 classes mean HTTP; AJP/1.3 and the Ajp classes AJP; SSLEnabled=\"true\" needs https; h2c needs an UpgradeProtocol Http2Protocol.",
		Source: "AJP connector reference; httpd messages AH01080 and AH01102. Tried with httpd 2.4.71 and Tomcat 10.1.60.",
	},
	Check: func(p *lint.Pass) {
		for _, l := range p.Links() {
			if l.Connector == nil || speaks(l.Scheme, l.Connector) || unknown(l.Connector.Protocol.V) {
				continue
			}
			f := lint.Finding{
				At: l.Member.At.Head(), Subject: l.Member,
				Message: fmt.Sprintf("member speaks %s, but port %d of %s (%s) is an %s connector", l.Scheme, l.Port, l.Node.Name.V, l.Connector.At.Short(), connectorName(l.Connector)),
				Related: []diag.Related{lint.Related(l.Connector.At.Head(), "the connector on that port")},
			}
			var fits []*model.Connector
			for _, c := range l.Node.Connectors() {
				if speaks(l.Scheme, c) {
					fits = append(fits, c)
				}
			}
			if len(fits) == 1 {
				f.Fixes = portFix(l, l.Node.EffectivePort(fits[0].Port))
			}
			weaken(&f, l.By)
			p.Report(f)
		}
	},
}

func connectorName(c *model.Connector) string {
	switch c.Kind() {
	case "ajp":
		return "AJP"
	case "https":
		return "HTTPS"
	}
	return "HTTP"
}
