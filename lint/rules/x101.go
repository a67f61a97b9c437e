package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var routeJVMRouteMismatch = &lint.Rule{
	ID: "X101", Name: "route-jvmroute-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Sticky, Versions: everyBoth, Fixable: true,
	YieldsTo: []string{"X104"},
	Doc: lint.Doc{
		What: "The route of a member is not the jvmRoute of the Tomcat behind it.",
		Why:  "Tomcat appends its jvmRoute to the session ID and httpd looks for a member with that route. It finds none, or the wrong one, and the session moves.",
		Fix:  "Write the jvmRoute as the route; case matters.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=S1
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
		Notes:  "Silent without stickysession, and when httpd sets the cookie itself (the ROUTEID pattern).",
		Source: "mod_proxy_balancer, \"Details on load balancer stickyness\".",
	},
	Check: func(p *lint.Pass) {
		links := stickyLinks(p)
		for _, l := range links {
			route, jvm := l.Member.Route.V, engineRoute(l.Node)
			if route == "" || jvm == "" || route == jvm || unknown(route+jvm) {
				continue
			}
			remark := ""
			if strings.EqualFold(route, jvm) {
				remark = " (case matters)"
			} else if other := nodeOfRoute(links, l.Balancer, route); other != nil {
				remark = fmt.Sprintf(" (swapped? it is the jvmRoute of %s)", other.Name.V)
			}
			f := lint.Finding{
				At: l.Member.At.Head(), Subject: l.Node,
				Message: fmt.Sprintf("route=%s here, but the Tomcat behind it has jvmRoute=\"%s\" (%s); sessions are not sticky%s", route, jvm, enginePlace(l.Node).Short(), remark),
				Related: []diag.Related{lint.Related(enginePlace(l.Node), "the jvmRoute of "+l.Node.Name.V)},
			}
			if !routeTaken(l.Balancer, l.Member, jvm) && l.Member.Route.Span.IsValid() && strings.HasSuffix(strings.TrimRight(l.Member.Route.Span.Text(), `"'`), route) {
				at := l.Member.Route.Span
				i := strings.LastIndex(at.Text(), route)
				at.Start += int32(i)
				at.End = at.Start + int32(len(route))
				f.Fixes = []diag.Fix{{Message: "write route=" + jvm, Safe: true, Edits: []diag.Edit{{Span: at, New: jvm}}}}
			}
			weaken(&f, l.By)
			p.Report(f)
		}
	},
}

// nodeOfRoute returns the node behind the balancer that has the jvmRoute.
func nodeOfRoute(links []model.Link, b *model.Balancer, route string) *model.Node {
	for _, l := range links {
		if l.Balancer == b && engineRoute(l.Node) == route {
			return l.Node
		}
	}
	return nil
}
