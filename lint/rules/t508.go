package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var proxyPortSchemeDisagree = &lint.Rule{
	ID: "T508", Name: "proxyport-scheme-disagree", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "proxyPort is a port of the other scheme: 443 or 8443 with http, 80 or 8080 with https.",
		Why:  "Tomcat puts scheme, proxyName and proxyPort into its redirects; browsers speak http to a TLS port or the other way round.",
		Fix:  "Write scheme=\"https\" secure=\"true\" beside proxyPort=\"443\".",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" proxyName="www.example.com" proxyPort="443"/>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" proxyName="www.example.com" proxyPort="443" scheme="https" secure="true"/>
</Service></Server>`,
		Notes:  "Silent with a RemoteIpValve, which sets the scheme for each request, and for a TLS port behind a connector with TLS of its own. An info for AJP, where httpd tells the scheme.",
		Source: "Proxy how-to; HTTP connector reference, proxyPort. Tried with Tomcat 10.1.60: getRequestURL() is http://127.0.0.1:443/.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			for _, s := range n.Services {
				if remoteIPValve(s.Engine) {
					continue
				}
				for _, c := range s.Connectors {
					checkProxyPort(p, c)
				}
			}
		}
	},
}

func checkProxyPort(p *lint.Pass, c *model.Connector) {
	if !c.ProxyPort.IsWritten() || unknown(c.Scheme.V) {
		return
	}
	scheme := c.Scheme.Or("http")
	if c.SSLEnabled.V {
		scheme = "https"
	}
	port, wrong := c.ProxyPort.V, false
	switch port {
	case 443, 8443:
		wrong = !strings.EqualFold(scheme, "https")
	case 80, 8080:
		wrong = strings.EqualFold(scheme, "https")
	}
	if !wrong {
		return
	}
	name := c.ProxyName.V
	if name == "" || unknown(name) {
		name = "HOST"
	}
	f := lint.Finding{
		At: c.At.Head(), Subject: c,
		Message: fmt.Sprintf("proxyPort=\"%d\" but scheme=\"%s\": redirects will say %s://%s:%d/", port, scheme, scheme, name, port),
	}
	if strings.EqualFold(scheme, "http") {
		f.Message += "; add scheme=\"https\" secure=\"true\""
	}
	if c.Kind() == "ajp" {
		f.Severity = diag.Info
		f.Message += " for what httpd did not get by TLS"
	}
	p.Report(f)
}

// remoteIPValve reports whether a RemoteIpValve stands in the engine, one of its
// hosts or their contexts.
func remoteIPValve(e *model.Engine) bool {
	if e == nil {
		return false
	}
	if hasRemoteIP(e.Valves) {
		return true
	}
	for _, h := range e.Hosts {
		if hasRemoteIP(h.Valves) {
			return true
		}
		for _, x := range h.Contexts {
			if hasRemoteIP(x.Valves) {
				return true
			}
		}
	}
	return false
}

func hasRemoteIP(valves []*model.Component) bool {
	for _, v := range valves {
		if model.SimpleClass(v.Class.V) == "RemoteIpValve" {
			return true
		}
	}
	return false
}
