package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var memberWithoutConnector = &lint.Rule{
	ID: "X002", Name: "member-without-connector", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "A member points to a port on which its Tomcat has no connector.",
		Why:  "httpd cannot connect, takes the member out for its retry time, and answers 503 when no other member is left.",
		Fix:  "Write the same port on both sides.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8010" route=s1
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>`,
		Notes:  "The node is found by the setup file, the addresses its connectors name, loopback, and as a last resort route = jvmRoute; weaker evidence makes it a warning. A member whose host is no known node is an info: it may be another server; so is a further member on the host of a node to which another one leads, unless the setup file names the host. portOffset is added. Port mappings of containers have to be declared.",
		Source: "Review practice; httpd gives 503.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		reached := map[reachedNode]bool{}
		for _, l := range p.Links() {
			if l.Connector != nil {
				reached[reachedNode{l.FrontEnd, l.Node, l.Scheme}] = true
			}
		}
		for _, l := range p.Links() {
			switch {
			case l.Host == "" || unknown(l.Host) || l.Connector != nil:
			case l.Node != nil && l.By < model.BySetup && reached[reachedNode{l.FrontEnd, l.Node, l.Scheme}]:
				p.Report(lint.Finding{
					At: l.Member.At.Head(), Severity: diag.Info, Confidence: diag.Likely, Subject: l.Member,
					Message: fmt.Sprintf("member %s is not in the set: %s on that host has no such port, and another member leads to it", plainURL(l), l.Node.Name.V),
					Related: []diag.Related{lint.Related(l.Node.At.Head(), "node "+l.Node.Name.V)},
				})
			case l.Node == nil:
				p.Report(lint.Finding{
					At: l.Member.At.Head(), Severity: diag.Info, Confidence: diag.Likely, Subject: l.Member,
					Message: fmt.Sprintf("member %s is not in the set: no known Tomcat is on that host and port", plainURL(l)),
				})
			default:
				reportNoConnector(p, l)
			}
		}
	},
}

// reachedNode is a node that a member of the front end does reach: one more member
// on its host then means another Tomcat, which is not in the set.
type reachedNode struct {
	fe     *model.FrontEnd
	n      *model.Node
	scheme string
}

func reportNoConnector(p *lint.Pass, l model.Link) {
	var ports []string
	var fits []*model.Connector
	for _, c := range l.Node.Connectors() {
		ports = append(ports, fmt.Sprintf("%d (%s)", l.Node.EffectivePort(c.Port), strings.ToUpper(c.Kind())))
		if speaks(l.Scheme, c) {
			fits = append(fits, c)
		}
	}
	if len(ports) == 0 {
		ports = []string{"no port"}
	}
	f := lint.Finding{
		At: l.Member.At.Head(), Subject: l.Member,
		Message: fmt.Sprintf("member %s: node %s on that host listens on %s, not on %d", plainURL(l), l.Node.Name.V, strings.Join(ports, ", "), l.Port),
		Related: []diag.Related{lint.Related(l.Node.At.Head(), "node "+l.Node.Name.V)},
	}
	if len(fits) == 1 {
		f.Related[0] = lint.Related(fits[0].At.Head(), "the connector of "+l.Node.Name.V)
		f.Fixes = portFix(l, l.Node.EffectivePort(fits[0].Port))
	}
	weaken(&f, l.By)
	if l.Balancer == nil && l.Scheme != "ajp" && l.By < model.BySetup {
		// A plain HTTP worker may well be another server on the machine of a Tomcat.
		f.Severity, f.Confidence = diag.Warning, diag.Possible
	}
	p.Report(f)
}

// weaken lowers a finding that rests on a guess about hosts.
func weaken(f *lint.Finding, by model.Evidence) {
	if by.Confidence() < diag.Certain {
		f.Severity = diag.Warning
		f.Lower++
	}
}

// plainURL is the member's URL without anything that may be secret.
func plainURL(l model.Link) string {
	host := l.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s://%s:%d", l.Scheme, host, l.Port)
}

// portFix writes another port into the member's URL.
func portFix(l model.Link, port int) []diag.Fix {
	text, written := l.Member.URL.Span.Text(), fmt.Sprintf(":%d", l.Port)
	at := strings.LastIndex(text, written)
	if at < 0 || port <= 0 || strings.Count(text, written) != 1 {
		return nil
	}
	start := int(l.Member.URL.Span.Start) + at + 1
	return []diag.Fix{{
		Message: fmt.Sprintf("use port %d", port), Safe: true,
		Edits: []diag.Edit{{Span: diag.At(l.Member.URL.Span.File, start, start+len(written)-1), New: fmt.Sprint(port)}},
	}}
}

// speaks reports whether a connector understands the scheme of a worker.
func speaks(scheme string, c *model.Connector) bool {
	switch kind := c.Kind(); scheme {
	case "ajp":
		return kind == "ajp"
	case "http", "ws":
		return kind == "http"
	case "https", "wss":
		return kind == "https"
	case "h2c":
		return kind == "http" && upgradesToHTTP2(c)
	case "h2":
		return kind == "https" && upgradesToHTTP2(c)
	}
	return true
}

func upgradesToHTTP2(c *model.Connector) bool {
	for _, x := range c.Children {
		if x.Element.V == "UpgradeProtocol" && model.SimpleClass(x.Class.V) == "Http2Protocol" {
			return true
		}
	}
	return false
}
