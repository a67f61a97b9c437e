package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var foreignNodesInGroup = &lint.Rule{
	ID: "X302", Name: "foreign-nodes-in-group", Severity: diag.Error, Confidence: diag.Likely, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "Tomcats of different balancers are in one multicast group.",
		Why:  "The group makes them one cluster: every session of the one application is sent to the nodes of the other, where it takes memory and fills the log with \"Context manager doesn't exist\".",
		Fix:  "Give each cluster a multicast port (or address) of its own.",
		Bad: `-- httpd.conf --
<Proxy "balancer://shop">
    BalancerMember "http://10.0.0.11:8080"
</Proxy>
<Proxy "balancer://intranet">
    BalancerMember "http://10.0.0.12:8080"
</Proxy>
ProxyPass "/shop" "balancer://shop/shop"
ProxyPass "/intranet" "balancer://intranet/intranet"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.4" port="45564"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.4" port="45564"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://shop">
    BalancerMember "http://10.0.0.11:8080"
</Proxy>
<Proxy "balancer://intranet">
    BalancerMember "http://10.0.0.12:8080"
</Proxy>
ProxyPass "/shop" "balancer://shop/shop"
ProxyPass "/intranet" "balancer://intranet/intranet"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.4" port="45564"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Membership className="org.apache.catalina.tribes.membership.McastService" address="228.0.0.4" port="45565"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "Balancers that share a node, or have one name on several servers or front ends, are one farm. Silent when DomainFilterInterceptors with different domains keep the nodes apart, and when one of them sends on loopback only. That both are in one network is assumed.",
		Source: "Membership reference, address and port; McastServiceImpl.",
	},
	Check: checkForeignNodes,
}

func checkForeignNodes(p *lint.Pass) {
	farm, names := farms(p)
	outsider := map[*model.Node]bool{}
	for _, g := range clusterGroups(p) {
		_, odd := groupOutsiders(g)
		for _, i := range odd {
			outsider[g[i].Node] = true
		}
	}
	byGroup := map[string][]*model.Node{}
	for _, n := range p.Setup.Nodes {
		c := tribesCluster(n)
		if c == nil || names[n] == "" || outsider[n] {
			continue
		}
		key, ok := mcastGroup(c)
		if !ok {
			continue
		}
		for _, other := range byGroup[key] {
			if farm.find(n) == farm.find(other) || separated(p, n, other) {
				continue
			}
			p.Report(lint.Finding{
				At: membershipPlace(c), Subject: n,
				Message: fmt.Sprintf("%s (balancer %s) and %s (balancer %s, %s) share multicast group %s: sessions of one are sent to the other; give each cluster its own group",
					n.Name.V, names[n], other.Name.V, names[other], membershipPlace(tribesCluster(other)).Short(), key),
				Related: []diag.Related{lint.Related(membershipPlace(tribesCluster(other)), "the group of "+other.Name.V)},
			})
			break
		}
		byGroup[key] = append(byGroup[key], n)
	}
}

// membershipPlace is the tag of the Membership, or of the Cluster without one.
func membershipPlace(c *model.Cluster) diag.Span {
	if m := membership(c); m != nil {
		return m.At.Head()
	}
	return c.At.Head()
}

// farms joins the nodes whose balancers share a node or a name, and names a
// balancer of each node.
func farms(p *lint.Pass) (nodeUnion, map[*model.Node]string) {
	u, names, byName := nodeUnion{}, map[*model.Node]string{}, map[string]*model.Node{}
	for _, s := range nodeSets(p) {
		name := strings.ToLower(s.balancer.Name.V)
		for _, n := range s.nodes {
			if names[n] == "" {
				names[n] = s.balancer.Name.V
			}
			if byName[name] == nil {
				byName[name] = n
			}
			u.join(byName[name], n)
		}
	}
	return u, names
}

// separated reports whether two nodes of one multicast group do not meet: their
// filters let other domains through, or the heartbeats stay on two machines.
func separated(p *lint.Pass, a, b *model.Node) bool {
	ca, cb := tribesCluster(a), tribesCluster(b)
	fa, fb := domainFilter(ca), domainFilter(cb)
	if fa != nil && fb != nil && filterDomain(fa) != filterDomain(fb) {
		return true
	}
	if !mcastOnLoopback(ca) && !mcastOnLoopback(cb) {
		return false
	}
	same, conf := p.Hosts().Same(a, b)
	return !same && conf > 0
}

// mcastOnLoopback reports whether the heartbeats are bound to loopback; a blank
// bind address means that too.
func mcastOnLoopback(c *model.Cluster) bool {
	m := membership(c)
	return m != nil && m.Bind.IsWritten() && (strings.TrimSpace(m.Bind.V) == "" || model.IsLoopback(strings.TrimSpace(m.Bind.V)))
}
