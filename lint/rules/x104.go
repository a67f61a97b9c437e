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
		What:   "Two Tomcats behind one balancer have the same jvmRoute.",
		Why:    "Their session IDs end alike, so httpd cannot tell which of the two holds a session.",
		Fix:    "Give each node a jvmRoute of its own, the route of its member.",
		Bad:    "<!-- s1 and s2 -->\n<Engine name=\"Catalina\" defaultHost=\"localhost\" jvmRoute=\"s1\">",
		Good:   "<!-- s1 has jvmRoute=\"s1\" -->\n<Engine name=\"Catalina\" defaultHost=\"localhost\" jvmRoute=\"s2\">",
		Notes:  "Only for nodes that members of one balancer point to. X101 is then silent for the node.",
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
			first := groups[k][0].Node
			for _, l := range groups[k] {
				if rank[l.Node] < rank[first] {
					first = l.Node
				}
			}
			for _, l := range groups[k] {
				if l.Node == first || said[l.Node] {
					continue
				}
				said[l.Node] = true
				f := lint.Finding{
					At: l.Node.Engine().At.Head(), Subject: l.Node,
					Message: fmt.Sprintf("jvmRoute=\"%s\" is used by %s (%s) and %s; their sessions cannot be told apart", k.jvm, first.Name.V, enginePlace(first).Short(), l.Node.Name.V),
					Related: []diag.Related{lint.Related(enginePlace(first), "the jvmRoute of "+first.Name.V)},
				}
				if route := l.Member.Route.V; route != "" && route != k.jvm {
					f.Message += fmt.Sprintf("; the member says route=%s (%s)", route, l.Member.At.Short())
				}
				weaken(&f, l.By)
				p.Report(f)
			}
		}
	},
}
