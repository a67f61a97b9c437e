package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
)

var jvmRouteWithoutRoute = &lint.Rule{
	ID: "X103", Name: "jvmroute-without-route", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Sticky, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "The Tomcat behind a member has a jvmRoute, but the member has no route.",
		Why:  "httpd reads the route from the session ID and finds no member that has it; sessions of that Tomcat move.",
		Fix:  "Add route= with the jvmRoute to the member.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
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
		Notes:  "Only with stickysession, and not when httpd sets the cookie itself or the parameter is misspelt (H005).",
		Source: "mod_proxy_balancer; 25 of 45 public balancer files read have no route.",
	},
	Check: func(p *lint.Pass) {
		for _, l := range stickyLinks(p) {
			jvm := engineRoute(l.Node)
			if l.Member.Route.V != "" || jvm == "" || unknown(jvm) || misspeltRoute(p, l.Member) {
				continue
			}
			f := lint.Finding{
				At: l.Member.At.Head(), Subject: l.Member,
				Message: fmt.Sprintf("Tomcat behind this member has jvmRoute=\"%s\" (%s), but the member has no route=; add route=%s", jvm, enginePlace(l.Node).Short(), jvm),
				Related: []diag.Related{lint.Related(enginePlace(l.Node), "the jvmRoute of "+l.Node.Name.V)},
			}
			if !routeTaken(l.Balancer, l.Member, jvm) {
				f.Fixes = []diag.Fix{{Message: "add the route", Safe: true, Edits: []diag.Edit{appendWord(l.Member.At, "route="+jvm)}}}
			}
			weaken(&f, l.By)
			p.Report(f)
		}
	},
}
