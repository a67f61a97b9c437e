package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

const confidentialApp = `-- s1/webapps/app/WEB-INF/web.xml --
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <security-constraint>
    <web-resource-collection>
      <web-resource-name>all</web-resource-name>
      <url-pattern>/*</url-pattern>
    </web-resource-collection>
    <user-data-constraint>
      <transport-guarantee>CONFIDENTIAL</transport-guarantee>
    </user-data-constraint>
  </security-constraint>
</web-app>
`

var confidentialLoop = &lint.Rule{
	ID: "X505", Name: "confidential-loop", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyBoth,
	Doc: lint.Doc{
		What:   "An application demands TLS, and Tomcat takes every request for plain HTTP because httpd ends TLS.",
		Why:    "Tomcat redirects to https on the redirectPort, the browser comes back the same way, and Tomcat redirects again.",
		Fix:    "Tell Tomcat about TLS: X-Forwarded-Proto and RemoteIpValve, or scheme=\"https\" secure=\"true\" on the connector.",
		Bad:    tlsExample(httpsHeader, "", "") + confidentialApp,
		Good:   tlsExample(httpsHeader, "", fmt.Sprintf(remoteIP, `protocolHeader="X-Forwarded-Proto"`)) + confidentialApp,
		Notes:  "INTEGRAL means the same to Tomcat. Silent for members by AJP and https, and when the redirectPort is a TLS connector of the node itself. X501 is silent about the node then.",
		Source: "Servlet specification, user-data-constraint; RealmBase.hasUserDataPermission.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 || proxyFilter(p) {
			return
		}
		said := map[diag.Span]bool{}
		for _, c := range confidentialLoops(usesOf(p), remoteIPs{}) {
			at := c.context.Transport.Span
			if said[at] {
				continue
			}
			said[at] = true
			app := contextPath(c.context)
			if app == "" {
				app = "the root application"
			}
			fate := "endless redirect"
			if port := c.link.Connector.RedirectPort; port.IsWritten() && port.V != 443 {
				fate = fmt.Sprintf("every request is redirected to port %d and never answered", port.V)
			}
			f := lint.Finding{
				At: at, Subject: c.link.Node, Lower: absence(p),
				Message: fmt.Sprintf("%s demands TLS (transport-guarantee %s), but %s (%s) sees plain http behind the TLS virtual host: %s; set X-Forwarded-Proto and add RemoteIpValve", app, c.context.Transport.V, c.link.Node.Name.V, c.link.Connector.At.Short(), fate),
				Related: []diag.Related{
					lint.Related(c.use.at.Head(), "TLS ends here"),
					lint.Related(c.link.Connector.At.Head(), "the connector of "+c.link.Node.Name.V),
				},
			}
			weaken(&f, c.link.By)
			p.Report(f)
		}
	},
}

// loop is an application that demands TLS and never sees it.
type loop struct {
	use     *use
	link    *model.Link
	context *model.Context
}

// confidentialLoops finds the applications that demand TLS on nodes that cannot
// know of it, at most one for each node and context.
func confidentialLoops(uses []use, valves remoteIPs) []loop {
	var out []loop
	seen := map[*model.Context]bool{}
	for i := range uses {
		u := &uses[i]
		if !u.tls {
			continue
		}
		for j := range u.links {
			l := &u.links[j]
			if !overHTTP(l) || tlsConnector(l.Node, l.Connector.RedirectPort.V) {
				continue
			}
			for _, s := range l.Node.Services {
				if s.Engine == nil {
					continue
				}
				for _, h := range s.Engine.Hosts {
					for _, c := range h.Contexts {
						if !c.Transport.IsWritten() || seen[c] || !u.reaches(l, h, c) {
							continue
						}
						if t := toldTLS(u, l, valves.of(l.Node)); !t.ok && !t.mismatch {
							seen[c] = true
							out = append(out, loop{u, l, c})
						}
					}
				}
			}
		}
	}
	return out
}

func tlsConnector(n *model.Node, port int) bool {
	for _, c := range n.Connectors() {
		if c.Kind() == "https" && c.Port.V == port {
			return true
		}
	}
	return false
}
