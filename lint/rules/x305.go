package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var clusterLevelMismatch = &lint.Rule{
	ID: "X305", Name: "cluster-level-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "The Cluster is inside the Engine on one node and inside a Host on another.",
		Why:  "In the Engine the session manager of an application is called HOST#/app, in a Host only /app. The nodes see each other, but no message finds its manager: \"Context manager doesn't exist\" per message, nothing is replicated.",
		Fix:  "Put the Cluster at the same level on all nodes.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Host name="localhost" appBase="webapps">
      <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    </Host>
  </Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "When most nodes agree, the others are reported. Silent for a node that has a Cluster at both levels.",
		Source: "Cluster reference; SimpleTcpCluster.getManagerName. Both names were seen with Tomcat 10.1.60.",
	},
	Check: checkLevels,
}

func checkLevels(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		level := func(i int) (string, bool) {
			l := clusterLevel(g[i].Node)
			return l, l != ""
		}
		ref, odd := oddOnes(len(g), level)
		for _, i := range odd {
			x, y := g[i], g[ref]
			reportPeer(p, x, y, lint.Finding{
				At: x.cluster.At.Head(),
				Message: fmt.Sprintf("Cluster is in the %s on %s and in the %s on %s (%s): session managers get different names and nothing is replicated",
					clusterLevel(x.Node), x.Name.V, clusterLevel(y.Node), y.Name.V, y.cluster.At.Short()),
				Related: []diag.Related{lint.Related(y.cluster.At.Head(), "the Cluster of "+y.Name.V)},
			})
		}
	}
}

// clusterLevel is "Engine" or "Host", or "" for a node that has a Cluster at both or none.
func clusterLevel(n *model.Node) string {
	engine, host := false, false
	for _, s := range n.Services {
		if s.Engine == nil {
			continue
		}
		engine = engine || s.Engine.Cluster != nil
		for _, h := range s.Engine.Hosts {
			host = host || h.Cluster != nil
		}
	}
	switch {
	case engine && !host:
		return "Engine"
	case host && !engine:
		return "Host"
	}
	return ""
}
