package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var portKindsCollide = &lint.Rule{
	ID: "X205", Name: "port-kinds-collide", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Ports, Versions: everyBoth,
	Doc: lint.Doc{
		What: "Two Tomcats on one host use the same port for different things: shutdown, connector, Receiver.",
		Why:  "Whichever starts first has the port. The other one lacks a connector, moves its Receiver, or ends at once, and after the next restart it is the other way round.",
		Fix:  "Give each kind of port a block of its own, e.g. 80xx for shutdown, 83xx for AJP, 40xx for Receivers.",
		Bad: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8081" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>
-- s2/server.xml --
<Server port="8006" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8005" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>`,
		Good: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8081" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>
-- s2/server.xml --
<Server port="8006" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8082" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>`,
		Notes:  "Equal kinds are X201, X203 and X204, one file alone T101, httpd's own ports X206. Of a Receiver the first port counts; when it may move on the finding is likely, not certain. Different specific addresses do not collide; a shutdown port is on localhost unless its address says otherwise.",
		Source: "StandardServer.await, ReceiverBase.bind and the endpoints of the connectors: each binds its port alone.",
	},
	Check: func(p *lint.Pass) {
		byPort := map[int][]listener{}
		for _, b := range allListeners(p) {
			for _, a := range byPort[b.port] {
				if a.node == b.node || a.kind() == b.kind() || !collide(a.address, b.address) {
					continue
				}
				if same, conf := p.Hosts().Same(a.node, b.node); same {
					reportKinds(p, clash{a, b, conf})
					break
				}
			}
			byPort[b.port] = append(byPort[b.port], b)
		}
	},
}

func reportKinds(p *lint.Pass, c clash) {
	f := c.finding()
	if c.conf == diag.Certain && (c.a.span > 1 || c.b.span > 1) {
		f.Confidence = diag.Likely
	}
	f.Related = []diag.Related{lint.Related(c.a.at, fmt.Sprintf("%s of %s", c.a.what, c.a.node.Name.V))}
	f.Message = fmt.Sprintf("%s %d of %s (%s) and %s of %s are the same port on one host; give each a port of its own",
		c.a.what, c.b.port, c.a.node.Name.V, c.a.at.Short(), c.b.what, c.b.node.Name.V)
	p.Report(f)
}

// kind is what the listener is for; all connectors are of one kind.
func (l listener) kind() string {
	if strings.HasSuffix(l.what, " connector") {
		return "connector"
	}
	return l.what
}

// allListeners returns the sockets of all nodes in the order of the setup.
func allListeners(p *lint.Pass) []listener {
	var out []listener
	for _, n := range p.Setup.Nodes {
		out = append(out, nodeListeners(n)...)
	}
	return out
}

func nodeListeners(n *model.Node) []listener {
	var out []listener
	if l := shutdownListener(n); l.port > 0 {
		out = append(out, l)
	}
	for _, l := range connectorListeners(n) {
		l.what += " connector"
		out = append(out, l)
	}
	for _, c := range clusters(n) {
		if l := receiver(n, c); l.port > 0 {
			out = append(out, l)
		}
	}
	return out
}
