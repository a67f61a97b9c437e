package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

const ajpNode = `-- s1/server.xml --
<Server port="-1"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" %s/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Host name="localhost" appBase="webapps"/>
  </Engine>
</Service></Server>
`

// ajpExample is a balancer with one AJP member and the Tomcat behind it.
func ajpExample(member, connector string) string {
	return "-- httpd.conf --\n<Proxy \"balancer://c\">\n    BalancerMember \"ajp://10.0.0.11:8009\" route=s1" + member +
		"\n    ProxySet stickysession=JSESSIONID|jsessionid\n</Proxy>\nProxyPass \"/app\" \"balancer://c/app\"\n" + fmt.Sprintf(ajpNode, connector)
}

var ajpSecretDiffers = &lint.Rule{
	ID: "X401", Name: "ajp-secret-differs", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors,
	Versions: lint.Versions{HTTPD: lint.Range{From: secretSince}, Text: "httpd 2.4.42+; Tomcat 7 8.5 9 10.1 11"},
	Doc: lint.Doc{
		What:   "The AJP secret of a member is not the one of the connector behind it.",
		Why:    "Tomcat compares the two words and answers every request with 403, before any application sees it.",
		Fix:    "Write the same secret on both sides, with the same case.",
		Bad:    ajpExample(" secret=first-word", `secret="second-word"`),
		Good:   ajpExample(" secret=first-word", `secret="first-word"`),
		Notes:  "Values with a ${...} that nobody resolves are not compared. Neither message nor fix shows a secret. Workers of mod_jk count in all versions.",
		Source: "AJP connector reference, secret; AjpProcessor.prepareRequest. Tried with httpd 2.4.71 and Tomcat 10.1.60: 403.",
	},
	Check: func(p *lint.Pass) {
		for _, l := range ajpLinks(p) {
			asked, at := connectorSecret(p, &l)
			sent := l.Member.Secret.V
			if _, too := cannotSend(p, &l); too || asked == "" || sent == "" || asked == sent || unknown(asked+sent) {
				continue
			}
			reportSecret(p, l, at, "secret of this member differs from that of %s (%s): every request gets 403", "another secret is asked for here")
		}
	},
}

var ajpSecretMissing = &lint.Rule{
	ID: "X402", Name: "ajp-secret-missing-in-httpd", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors,
	Versions: lint.Versions{HTTPD: lint.Range{From: secretSince}, Text: "httpd 2.4.42+; Tomcat 7 8.5 9 10.1 11"},
	Doc: lint.Doc{
		What:   "A member sends no AJP secret to a connector that asks for one.",
		Why:    "Tomcat answers every request that comes without the secret with 403.",
		Fix:    "Add secret= to the member, best in a file that only root can read, or by Define.",
		Bad:    ajpExample("", `secret="a-long-word"`),
		Good:   ajpExample(" secret=a-long-word", `secret="a-long-word"`),
		Notes:  "Before httpd 2.4.42 there is nothing to add; X403 speaks then. A connector with secretRequired=\"false\" and a secret still asks for it.",
		Source: "AJP connector reference, secret and secretRequired; mod_proxy, secret. Tried with httpd 2.4.71 and Tomcat 10.1.60: 403.",
	},
	Check: func(p *lint.Pass) {
		for _, l := range ajpLinks(p) {
			asked, at := connectorSecret(p, &l)
			if _, too := cannotSend(p, &l); too || asked == "" || l.Member.Secret.V != "" {
				continue
			}
			reportSecret(p, l, at, "connector of %s (%s) requires a secret, but the member has none: every request gets 403; add secret= to the member", "the secret is asked for here")
		}
	},
}

var ajpSecretNeedsNewer = &lint.Rule{
	ID: "X403", Name: "ajp-secret-needs-newer-httpd", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors,
	Versions: lint.Versions{HTTPD: lint.Range{Below: secretSince}, Text: "httpd 2.2 and 2.4 below 2.4.42; Tomcat 7 8.5 9 10.1 11"},
	Doc: lint.Doc{
		What:   "A connector asks for an AJP secret, and this httpd is too old to send one.",
		Why:    "mod_proxy_ajp knows no secret= before 2.4.42, so that every request gets 403.",
		Fix:    "Upgrade httpd, use an HTTP connector, or take the secret away and write secretRequired=\"false\" where nobody else reaches the port.",
		Bad:    ajpExample("", `secret="a-long-word"`),
		Good:   ajpExample("", `secretRequired="false"`),
		HTTPD:  "2.4.37",
		Notes:  "Only with a known version. Silent when the member has secret= or clowder.toml says features = [\"ajp-secret\"] in [lint] (some distributions have ported it back; X402 speaks then), and for mod_jk, which can send one in every version.",
		Source: "mod_proxy, secret: since 2.4.42.",
	},
	Check: func(p *lint.Pass) {
		for _, l := range ajpLinks(p) {
			asked, at := connectorSecret(p, &l)
			version, too := cannotSend(p, &l)
			if !too || asked == "" || l.Member.Secret.IsWritten() {
				continue
			}
			reportSecret(p, l, at, "%s (%s) has an AJP secret, but httpd "+version+" cannot send one (secret= came with 2.4.42): every request gets 403; upgrade httpd, use http, or secretRequired=\"false\" without a secret on a loopback or trusted network", "the secret is asked for here")
		}
	},
}

var ajpSecretOnlyInHTTPD = &lint.Rule{
	ID: "X404", Name: "ajp-secret-only-in-httpd", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth,
	YieldsTo: []string{"T501", "T503"},
	Doc: lint.Doc{
		What:   "A member sends an AJP secret to a connector that does not ask for one.",
		Why:    "It works, but whoever reaches the port gets in without the secret that somebody meant to be needed.",
		Fix:    "Write the same secret on the connector.",
		Bad:    ajpExample(" secret=a-long-word", `secretRequired="false"`),
		Good:   ajpExample(" secret=a-long-word", `secret="a-long-word"`),
		Notes:  "Silent when the connector does not start for lack of a secret (T501).",
		Source: "AJP connector reference, secret.",
	},
	Check: func(p *lint.Pass) {
		for _, l := range ajpLinks(p) {
			if asked, _ := connectorSecret(p, &l); asked != "" || l.Member.Secret.V == "" || oldSecret(l.Connector) {
				continue
			}
			f := lint.Finding{
				At: memberPlace(l.Member), Subject: l.Connector,
				Message: fmt.Sprintf("the member sends a secret, but %s (%s) does not ask for one", l.Node.Name.V, l.Connector.At.Short()),
				Related: []diag.Related{lint.Related(l.Connector.At.Head(), "the connector of "+l.Node.Name.V)},
			}
			weaken(&f, l.By)
			f.Severity = diag.Info
			p.Report(f)
		}
	},
}

// reportSecret reports the member; message takes the node and the connector's line.
func reportSecret(p *lint.Pass, l model.Link, at diag.Span, message, there string) {
	f := lint.Finding{
		At: memberPlace(l.Member), Subject: l.Member,
		Message: fmt.Sprintf(message, l.Node.Name.V, l.Connector.At.Short()),
		Related: []diag.Related{lint.Related(secretName(at, l.Connector), there)},
	}
	weaken(&f, l.By)
	p.Report(f)
}

// secretName narrows a place to the connector's tag, so that no excerpt shows the value.
func secretName(at diag.Span, c *model.Connector) diag.Span {
	if !at.IsValid() {
		return c.At.Head()
	}
	at = at.Head()
	at.End = min(at.End, at.Start+int32(len("secret")))
	return at
}
