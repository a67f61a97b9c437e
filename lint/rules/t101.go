package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var portTwiceInFile = &lint.Rule{
	ID: "T101", Name: "port-twice-in-file", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Ports, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "Two listeners of one Tomcat have the same port: connectors, the shutdown port, the Receiver of the cluster.",
		Why:  "Only one of them can bind it. The other one fails with \"Address already in use\": the connector is missing, or the server stops.",
		Fix:  "Give each its own port, or addresses that differ.",
		Bad: `<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="HTTP/1.1"/>
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
</Service></Server>`,
		Good: `<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
</Service></Server>`,
		Notes:  "A listener without address collides with all; two different addresses do not. The shutdown port is on localhost unless Server has an address. portOffset is added to it and to connectors. Ports 0 and -1 collide with nothing; redirectPort and proxyPort are no listeners. Likely only, when the Receiver may move to another port.",
		Source: "StandardServer.await, AbstractEndpoint.bind, ReceiverBase.bind; field reports of \"Address already in use\".",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			checkPorts(p, n)
		}
	},
}

func checkPorts(p *lint.Pass, n *model.Node) {
	var list []listener
	add := func(l listener) {
		if l.port > 0 && !unknown(l.address) {
			list = append(list, l)
		}
	}
	add(listener{node: n, address: n.Address.Or("localhost"), port: n.EffectivePort(n.Port), at: n.At.Head(), what: "the shutdown port"})
	for _, c := range n.Connectors() {
		add(listener{node: n, address: c.Address.V, port: n.EffectivePort(c.Port), at: c.At.Head(), what: "the " + connectorName(c) + " connector"})
	}
	for _, c := range clusters(n) {
		l := receiver(n, c)
		l.what = "the Receiver of the cluster"
		add(l)
	}
	slices.SortStableFunc(list, func(a, b listener) int {
		if a.at.File != b.at.File {
			return 0
		}
		return int(a.at.Start) - int(b.at.Start)
	})
	byPort := map[int][]listener{}
	for _, b := range list {
		for _, a := range byPort[b.port] {
			if !collide(a.address, b.address) {
				continue
			}
			f := lint.Finding{At: b.at, Subject: n,
				Message: fmt.Sprintf("port %d is used by %s (line %d) and by %s; only one of them can bind it", b.port, a.what, a.at.Begin().Line, b.what),
				Related: []diag.Related{lint.Related(a.at, a.what+" has it first")}}
			if a.span > 1 || a.open || b.span > 1 || b.open {
				f.Confidence = diag.Likely
			}
			p.Report(f)
			break
		}
		byPort[b.port] = append(byPort[b.port], b)
	}
}

var defaultShutdownCommand = &lint.Rule{
	ID: "T102", Name: "default-shutdown-command", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Access, Versions: everyTomcat, YieldsTo: []string{"T103"},
	Doc: lint.Doc{
		What:   "The shutdown port is open and its command is the well-known word SHUTDOWN.",
		Why:    "Every user of the machine can stop Tomcat: echo SHUTDOWN | nc localhost 8005.",
		Fix:    "Write port=\"-1\" when a service manager stops Tomcat by a signal, or a word that nobody knows.",
		Bad:    `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"/></Server>`,
		Good:   `<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina"/></Server>`,
		Notes:  "An info: it is the default, listens on localhost only, and stop scripts may need it. Silent where T103 speaks.",
		Source: "Tomcat's security considerations, Server; StandardServer.await.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			if port := n.EffectivePort(n.Port); port > 0 && n.Shutdown.Or("SHUTDOWN") == "SHUTDOWN" && n.At.IsValid() {
				p.Report(lint.Finding{At: n.At.Head(), Subject: n,
					Message: fmt.Sprintf("shutdown port %d answers to the well-known word SHUTDOWN; set port=\"-1\", or a secret word", port)})
			}
		}
	},
}

var shutdownPortReachable = &lint.Rule{
	ID: "T103", Name: "shutdown-port-reachable", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Access, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "The shutdown port listens on an address that other machines reach.",
		Why:    "Whoever connects and sends the word stops Tomcat; there is no other check, and the word travels in clear text.",
		Fix:    "Take the address attribute out, so that it is localhost, or write port=\"-1\".",
		Bad:    `<Server port="8005" shutdown="SHUTDOWN" address="0.0.0.0"><Service name="Catalina"/></Server>`,
		Good:   `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"/></Server>`,
		Notes:  "Loopback addresses, localhost and a blank address are fine. With a word of one's own a warning. A host name is likely only: it may stand for a loopback address.",
		Source: "Tomcat's security considerations, Server; StandardServer.await.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			address := strings.TrimSpace(n.Address.V)
			if !n.Address.IsWritten() || address == "" || n.EffectivePort(n.Port) <= 0 || model.IsLoopback(address) || unknown(address) {
				continue
			}
			f := lint.Finding{At: n.At.Head(), Subject: n,
				Message: fmt.Sprintf("the shutdown port listens on %s: whoever reaches it can stop Tomcat; remove the address, or write port=\"-1\"", address)}
			if n.Shutdown.Or("SHUTDOWN") != "SHUTDOWN" {
				f.Severity = diag.Warning
				f.Message = fmt.Sprintf("the shutdown port listens on %s: whoever reads its word on the wire can stop Tomcat; remove the address, or write port=\"-1\"", address)
			}
			if strings.Trim(address, "0123456789.") != "" && !strings.Contains(address, ":") {
				f.Lower = 1
			}
			if e, ok := removeAttribute(n.Address.Span, "address"); ok {
				f.Fixes = []diag.Fix{{Message: "listen on localhost", Safe: true, Edits: []diag.Edit{e}}}
			}
			p.Report(f)
		}
	},
}

var redirectPortUnused = &lint.Rule{
	ID: "T104", Name: "redirectport-unused", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "An application asks for TLS, and the redirectPort of a connector has no connector in the service.",
		Why:  "Tomcat sends the browser to that port of the public host, where nobody listens when httpd is in front.",
		Fix:  "Write the public TLS port, mostly 443.",
		Bad: `-- server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" redirectPort="8443"/>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost"/></Engine>
</Service></Server>
-- webapps/app/WEB-INF/web.xml --
<web-app><security-constraint><user-data-constraint>
  <transport-guarantee>CONFIDENTIAL</transport-guarantee>
</user-data-constraint></security-constraint></web-app>`,
		Good: `-- server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" redirectPort="443"/>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost"/></Engine>
</Service></Server>
-- webapps/app/WEB-INF/web.xml --
<web-app><security-constraint><user-data-constraint>
  <transport-guarantee>CONFIDENTIAL</transport-guarantee>
</user-data-constraint></security-constraint></web-app>`,
		Notes:  "Only with a transport-guarantee in a web.xml of the set. Silent for 443, for connectors with TLS, and when nothing is written.",
		Source: "HTTP connector reference, redirectPort; RealmBase.hasUserDataPermission.",
	},
	Check: func(p *lint.Pass) {
		if !wantsTLS(p) {
			return
		}
		for _, n := range p.Setup.Nodes {
			for _, s := range n.Services {
				ports := map[int]bool{443: true}
				for _, c := range s.Connectors {
					ports[n.EffectivePort(c.Port)] = true
				}
				for _, c := range s.Connectors {
					if c.RedirectPort.IsWritten() && !ports[n.EffectivePort(c.RedirectPort)] && !c.SSLEnabled.V && !c.Secure.V {
						p.Report(lint.Finding{At: c.At.Head(), Subject: c,
							Message: fmt.Sprintf("redirectPort %d has no connector here; behind a proxy the redirect should go to the public TLS port", c.RedirectPort.V)})
					}
				}
			}
		}
	},
}

// wantsTLS reports whether a web.xml of the set has a transport-guarantee.
func wantsTLS(p *lint.Pass) bool {
	found := false
	for _, d := range p.Docs {
		if d.Kind() != tomcat.WebXML {
			continue
		}
		d.Root.Walk(func(e *tomcat.Element) bool {
			if e.Local() == "transport-guarantee" {
				t := strings.TrimSpace(e.Text)
				found = found || t == "CONFIDENTIAL" || t == "INTEGRAL"
			}
			return !found
		})
	}
	return found
}
