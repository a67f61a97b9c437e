package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var remoteIPTrustsEveryone = &lint.Rule{
	ID: "T605", Name: "remoteip-trusts-everyone", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Access, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "internalProxies or trustedProxies of a RemoteIpValve matches any address.",
		Why:  "Whoever reaches the port writes X-Forwarded-For and X-Forwarded-Proto himself and so chooses his address and whether the request counts as https; rules by address are worth nothing.",
		Fix:  "List the addresses of the httpd servers.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost">
    <Valve className="org.apache.catalina.valves.RemoteIpValve" internalProxies=".*"/>
    <Host name="localhost" appBase="webapps"/>
  </Engine>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost">
    <Valve className="org.apache.catalina.valves.RemoteIpValve" internalProxies="10\.0\.0\.5|10\.0\.0\.6"/>
    <Host name="localhost" appBase="webapps"/>
  </Engine>
</Service></Server>`,
		Notes:  "The expression is tried on public addresses of both families. Expressions that only Java can read and unknown properties are passed over; the default, the private networks, is fine.",
		Source: "RemoteIpValve reference; RemoteIpValve.invoke, which asks both lists for the address of the peer.",
	},
	Check: func(p *lint.Pass) {
		said := map[diag.Span]bool{}
		eleven := false
		for _, n := range p.Setup.Nodes {
			version, _ := p.TomcatVersion(n)
			eleven = eleven || lint.AtLeast(version, "11")
			eachValve(n, func(v *model.Component) {
				if model.SimpleClass(v.Class.V) != "RemoteIpValve" || said[v.At] {
					return
				}
				said[v.At] = true
				for _, name := range []string{"internalProxies", "trustedProxies"} {
					if a := v.Attribute(name); a != nil {
						reportTrust(p, name, a.Value.V, a.Value.Span, eleven)
					}
				}
			})
		}
		for _, d := range p.Docs {
			d.Root.Walk(func(e *tomcat.Element) bool {
				class := e.Attr("className")
				if e.Name != "Valve" || class == nil || model.SimpleClass(class.Value) != "RemoteIpValve" || said[e.Tag] {
					return true
				}
				for _, name := range []string{"internalProxies", "trustedProxies"} {
					if a := e.Attr(name); a != nil {
						reportTrust(p, name, a.Value, a.Span, eleven)
					}
				}
				return true
			})
		}
	},
}

func reportTrust(p *lint.Pass, name, expr string, at diag.Span, eleven bool) {
	if unknown(expr) || !trustsEveryone(expr, eleven) {
		return
	}
	p.Report(lint.Finding{
		At:      at,
		Message: fmt.Sprintf("RemoteIpValve trusts every sender (%s=\"%s\"): clients can forge their address and https; list the addresses of your httpd servers", name, expr),
	})
}

// trustsEveryone tries the expression on addresses that nobody's proxies have all
// of. Lists of networks are known to Tomcat 11.
func trustsEveryone(expr string, networks bool) bool {
	if networks {
		for part := range strings.SplitSeq(expr, ",") {
			if part = strings.TrimSpace(part); strings.HasSuffix(part, "/0") {
				return true
			}
		}
	}
	re, ok := javaPattern(expr)
	return ok && (matchesAll(re, "203.0.113.77", "198.51.100.23", "8.8.4.4") || matchesAll(re, "2001:db8:0:0:0:0:0:7", "2a00:1450:4001:81b:0:0:0:200e"))
}

// eachValve calls f for the valves of all engines, hosts and contexts of a node.
func eachValve(n *model.Node, f func(*model.Component)) {
	each := func(list []*model.Component) {
		for _, v := range list {
			f(v)
		}
	}
	for _, s := range n.Services {
		if s.Engine == nil {
			continue
		}
		each(s.Engine.Valves)
		for _, h := range s.Engine.Hosts {
			each(h.Valves)
			for _, x := range h.Contexts {
				each(x.Valves)
			}
		}
	}
}
