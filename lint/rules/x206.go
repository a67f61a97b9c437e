package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var listenTakenByTomcat = &lint.Rule{
	ID: "X206", Name: "listen-taken-by-tomcat", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Ports, Versions: everyBoth,
	Doc: lint.Doc{
		What: "httpd listens on a port that a Tomcat on the same host uses as well.",
		Why:  "The second of the two cannot bind it: httpd does not start (\"could not bind to address\"), or Tomcat runs without that connector.",
		Fix:  "Move one of them; behind httpd nobody needs Tomcat's port but httpd.",
		Bad: `-- httpd.conf --
Listen 8080
ProxyPass "/app" "ajp://127.0.0.1:8009/app"
-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="127.0.0.1" secret="a-long-word"/>
  <Connector port="8080" protocol="HTTP/1.1"/>
</Service></Server>`,
		Good: `-- httpd.conf --
Listen 80
ProxyPass "/app" "ajp://127.0.0.1:8009/app"
-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="127.0.0.1" secret="a-long-word"/>
  <Connector port="8080" protocol="HTTP/1.1"/>
</Service></Server>`,
		Notes:  "One host is: declared so, a member on loopback, or a Listen with the address on which the Tomcat listens. Addresses that do not overlap are fine. Shutdown ports and Receivers count as well.",
		Source: "make_sock in server/listen.c of httpd; the endpoints of Tomcat's connectors.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		byPort := map[int][]listener{}
		for _, l := range allListeners(p) {
			byPort[l.port] = append(byPort[l.port], l)
		}
		local := loopbackNodes(p)
		for _, fe := range p.Setup.FrontEnds {
			for _, listen := range fe.Listens {
				for _, l := range byPort[listen.Port.V] {
					if !collide(listen.Address.V, l.address) {
						continue
					}
					if same, conf := besideHTTPD(p, fe, listen, l, local[fe]); same {
						reportListenTaken(p, listen, l, conf)
						break
					}
				}
			}
		}
	},
}

func reportListenTaken(p *lint.Pass, listen *model.Listen, l listener, conf diag.Confidence) {
	f := lint.Finding{
		At: listen.At.Head(), Confidence: conf,
		Message: fmt.Sprintf("httpd listens on %d, and so does the %s of %s (%s) on the same host; move one of them", listen.Port.V, l.what, l.node.Name.V, l.at.Short()),
		Related: []diag.Related{lint.Related(l.at, "node "+l.node.Name.V+" has the port as well")},
	}
	if conf < diag.Certain {
		f.Severity = diag.Warning
	}
	p.Report(f)
}

// loopbackNodes returns the nodes that each front end reaches by loopback.
func loopbackNodes(p *lint.Pass) map[*model.FrontEnd]map[*model.Node]diag.Confidence {
	out := map[*model.FrontEnd]map[*model.Node]diag.Confidence{}
	for _, l := range p.Links() {
		if l.Node == nil || !model.IsLoopback(l.Host) || l.By == model.ByRoute {
			continue
		}
		if out[l.FrontEnd] == nil {
			out[l.FrontEnd] = map[*model.Node]diag.Confidence{}
		}
		out[l.FrontEnd][l.Node] = max(out[l.FrontEnd][l.Node], l.By.Confidence())
	}
	return out
}

// besideHTTPD reports whether the listener's node runs on the machine of the front
// end, and how sure that is.
func besideHTTPD(p *lint.Pass, fe *model.FrontEnd, listen *model.Listen, l listener, local map[*model.Node]diag.Confidence) (bool, diag.Confidence) {
	if fe.Host.IsWritten() {
		return p.Hosts().Has(l.node, fe.Host.V)
	}
	if c, ok := local[l.node]; ok {
		return true, c
	}
	if a := listen.Address.V; a != "" && !model.IsLoopback(a) {
		if same, conf := p.Hosts().Has(l.node, a); same {
			return true, conf
		}
	}
	best := diag.Confidence(0)
	for n, c := range local {
		if same, conf := p.Hosts().Same(n, l.node); same {
			best = max(best, min(c, conf))
		}
	}
	return best > 0, best
}
