package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var duplicateJVMRoute = &lint.Rule{
	ID: "X104", Name: "duplicate-jvmroute", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Sticky, Versions: everyBoth,
	Doc: lint.Doc{
		What: "Two Tomcats behind one balancer have the same jvmRoute.",
		Why:  "Their session IDs end alike, so httpd cannot tell which of the two holds a session.",
		Fix:  "Give each node a jvmRoute of its own, the route of its member.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2"><Host name="localhost"/></Engine>
</Service></Server>`,
		Notes:  "For nodes that members of one balancer point to, and as a warning for nodes that only join the same multicast group. X101 is then silent for the node.",
		Source: "Engine reference: jvmRoute \"must be unique across all Tomcat servers which participate in the cluster\".",
	},
	Check: func(p *lint.Pass) {
		type key struct {
			b   *model.Balancer
			jvm string
		}
		groups, own := map[key][]model.Link{}, cookieMemo{}
		var order []key
		for _, l := range p.Links() {
			if l.Balancer == nil || l.Connector == nil || l.By == model.ByRoute || engineRoute(l.Node) == "" || unknown(engineRoute(l.Node)) || own.has(l) {
				continue
			}
			k := key{l.Balancer, engineRoute(l.Node)}
			if groups[k] == nil {
				order = append(order, k)
			}
			groups[k] = append(groups[k], l)
		}
		rank := map[*model.Node]int{}
		for i, n := range p.Setup.Nodes {
			rank[n] = i
		}
		said := map[*model.Node]bool{}
		for _, k := range order {
			first := groups[k][0]
			for _, l := range groups[k] {
				if rank[l.Node] < rank[first.Node] {
					first = l
				}
			}
			for _, l := range groups[k] {
				if l.Node != first.Node && !said[l.Node] {
					said[l.Node] = true
					reportDuplicateRoute(p, first.Node, l.Node, []model.Link{first, l})
				}
			}
		}
		for _, group := range multicastGroups(p) {
			first := map[string]*model.Node{}
			for _, n := range group {
				jvm := engineRoute(n)
				switch {
				case jvm == "" || unknown(jvm) || said[n]:
				case first[jvm] == nil:
					first[jvm] = n
				default:
					said[n] = true
					reportDuplicateRoute(p, first[jvm], n, nil)
				}
			}
		}
	},
}

// reportDuplicateRoute reports that b has the jvmRoute of a. Links are those of the
// balancer that leads to both; none when only their cluster joins them.
func reportDuplicateRoute(p *lint.Pass, a, b *model.Node, links []model.Link) {
	jvm := engineRoute(b)
	f := lint.Finding{
		At: b.Engine().At.Head(), Subject: b,
		Message: fmt.Sprintf("jvmRoute=\"%s\" is used by %s (%s) and %s; their sessions cannot be told apart", jvm, a.Name.V, enginePlace(a).Short(), b.Name.V),
		Related: []diag.Related{lint.Related(enginePlace(a), "the jvmRoute of "+a.Name.V)},
	}
	for _, l := range links {
		if route := l.Member.Route.V; route != "" && route != jvm {
			f.Message += fmt.Sprintf("; the member of %s says route=%s (%s)", l.Node.Name.V, route, l.Member.At.Short())
		}
		weaken(&f, l.By)
	}
	if links == nil {
		// That they meet in one network is a guess: the default group is everybody's.
		f.Severity = diag.Warning
		f.Lower = 1
	}
	p.Report(f)
}
