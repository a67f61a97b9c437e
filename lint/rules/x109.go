package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var failoverWithoutReplication = &lint.Rule{
	ID: "X109", Name: "failover-without-replication", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Sticky, Versions: everyBoth,
	Doc: lint.Doc{
		What: "The balancer fails over to other nodes, and the nodes do not replicate their sessions.",
		Why:  "When a node dies its users go on at another one with a new, empty session, and nobody tells them: what they had entered is gone.",
		Fix:  "Replicate the sessions with a Cluster, keep them in a store that the nodes share, or write nofailover=On when an error is better.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID
</Proxy>
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID nofailover=On
</Proxy>
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
</Service></Server>`,
		Notes:  "Silent when one of the nodes has a Cluster or a session manager of another kind, such as one that keeps sessions in a database.",
		Source: "mod_proxy, ProxyPass, nofailover.",
	},
	Check: func(p *lint.Pass) {
		for _, g := range balancerNodes(p) {
			if g.b.NoFailover.V || len(g.nodes) < 2 || sharesSessions(g.nodes) {
				continue
			}
			f := lint.Finding{
				At: g.b.At.Head(), Subject: g.b,
				Message: "the nodes do not replicate sessions: after a failover users silently get a new session; add a Cluster, or nofailover=On",
			}
			for _, n := range g.nodes {
				f.Related = append(f.Related, lint.Related(n.At.Head(), "no Cluster on "+n.Name.V))
			}
			weaken(&f, g.by)
			f.Severity = diag.Info
			p.Report(f)
		}
	},
}

// sharesSessions reports whether a node has a Cluster, or a manager that may keep
// sessions where other nodes find them.
func sharesSessions(nodes []*model.Node) bool {
	for _, n := range nodes {
		if n.Cluster() != nil {
			return true
		}
		for _, s := range n.Services {
			if s.Engine == nil {
				continue
			}
			for _, h := range s.Engine.Hosts {
				for _, x := range h.Contexts {
					if x.Manager != nil && x.Manager.Class.V != "" && !strings.HasSuffix(x.Manager.Class.V, ".StandardManager") {
						return true
					}
				}
			}
		}
	}
	return false
}
