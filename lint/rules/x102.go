package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var routeWithoutJVMRoute = &lint.Rule{
	ID: "X102", Name: "route-without-jvmroute", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Sticky, Versions: everyBoth, Fixable: true,
	YieldsTo: []string{"T609"},
	Doc: lint.Doc{
		What: "A member has a route, but the Tomcat behind it has no jvmRoute.",
		Why:  "The session IDs of that Tomcat carry no route, so httpd sends each request where the balancing method likes.",
		Fix:  "Add jvmRoute with the member's route to the Engine.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost"/></Engine>
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
		Notes:  "Only with stickysession, and not when httpd sets the cookie itself. Up to Tomcat 10.0 a start script may set -DjvmRoute: one that is among the files counts, and the finding is likely, not certain; since 10.1 T609 speaks about it.",
		Source: "Cluster how-to; mod_proxy_balancer, \"Details on load balancer stickyness\".",
	},
	Check: func(p *lint.Pass) {
		type pair struct {
			n     *model.Node
			route string
		}
		said := map[pair]bool{}
		for _, l := range stickyLinks(p) {
			e, route := l.Node.Engine(), l.Member.Route.V
			if route == "" || e.JVMRoute.V != "" || unknown(route) || said[pair{l.Node, route}] {
				continue
			}
			said[pair{l.Node, route}] = true
			f := lint.Finding{
				At: e.At.Head(), Subject: l.Node,
				Message: fmt.Sprintf("member has route=%s (%s), but its Tomcat has no jvmRoute; add jvmRoute=\"%s\" to this Engine", route, l.Member.At.Short(), route),
				Related: []diag.Related{lint.Related(l.Member.At.Head(), "the member")},
			}
			if !e.JVMRoute.IsWritten() {
				if edit, ok := addAttribute(e.At, fmt.Sprintf("jvmRoute=\"%s\"", route)); ok {
					f.Fixes = []diag.Fix{{Message: "add the jvmRoute", Safe: true, Edits: []diag.Edit{edit}}}
				}
			}
			if version, _ := p.TomcatVersion(l.Node); !lint.AtLeast(version, "10") {
				f.Lower++
			}
			weaken(&f, l.By)
			p.Report(f)
		}
	},
}
