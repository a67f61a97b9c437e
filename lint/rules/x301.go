package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var membershipGroupMismatch = &lint.Rule{
	ID: "X301", Name: "membership-group-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "Clustered Tomcats behind one balancer are in different multicast groups.",
		Why:  "Address and port together make the group. Nodes of different groups never hear of each other: each one is alone, nothing is replicated, and no log says so.",
		Fix:  "Write the same Membership address and port on all nodes.",
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
        <Membership className="org.apache.catalina.tribes.membership.McastService" port="45564"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "The defaults 228.0.0.4 and 45564 count. Silent for nodes without multicast, for values that are not known, and for a balancer over several clusters: each part has two nodes or more, and its own balancer, lbset or domain. When most nodes agree, the others are reported.",
		Source: "Membership reference; McastServiceImpl joins one group on one port.",
	},
	Check: checkGroups,
}

func checkGroups(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		ref, odd := groupOutsiders(g)
		for _, i := range odd {
			reportGroup(p, g[i], g[ref], len(g)-len(odd) > 1)
		}
	}
}

// groupOutsiders returns the nodes behind the balancers that are in another
// multicast group than the reference.
func groupOutsiders(g []peer) (ref int, odd []int) {
	return oddOnes(len(g), func(i int) (string, bool) {
		key, ok := mcastGroup(g[i].cluster)
		return key, ok && !g[i].joined
	})
}

func reportGroup(p *lint.Pass, x, y peer, most bool) {
	address, port, _ := mcast(x.cluster)
	wantAddress, wantPort, _ := mcast(y.cluster)
	m := membership(x.cluster)
	f := lint.Finding{
		At: groupPlace(x.cluster, address != wantAddress),
		Message: fmt.Sprintf("%s uses multicast group %s:%d, %s (%s) uses %s:%d: they never see each other; use one address and port",
			x.Name.V, address, port, y.Name.V, groupPlace(y.cluster, address != wantAddress).Short(), wantAddress, wantPort),
		Related: []diag.Related{lint.Related(groupPlace(y.cluster, address != wantAddress), "the group of "+y.Name.V)},
	}
	if most && m != nil {
		f.Fixes = groupFix(m, address != wantAddress, wantAddress, port != wantPort, wantPort)
	}
	reportPeer(p, x, y, f)
}

// groupFix writes the address and port of the other nodes; of a default nothing.
func groupFix(m *model.Membership, setAddress bool, address string, setPort bool, port int) []diag.Fix {
	fix := diag.Fix{Message: fmt.Sprintf("use the group %s:%d of the other nodes", address, port), Safe: true}
	set := func(name, value string, written bool, at diag.Span) {
		e, ok := diag.Edit{Span: valueOf(at), New: value}, true
		if !written {
			e, ok = addAttribute(m.At, name+`="`+value+`"`)
		}
		if ok {
			fix.Edits = append(fix.Edits, e)
		}
	}
	if setAddress {
		set("address", address, m.Address.IsWritten(), m.Address.Span)
	}
	if setPort {
		set("port", fmt.Sprint(port), m.Port.IsWritten(), m.Port.Span)
	}
	return []diag.Fix{fix}
}

// groupPlace is where the address (else the port) of the multicast group stands.
func groupPlace(c *model.Cluster, address bool) diag.Span {
	m := membership(c)
	switch {
	case m == nil:
		return c.At.Head()
	case address && m.Address.IsWritten():
		return m.Address.Span
	case !address && m.Port.IsWritten():
		return m.Port.Span
	}
	return m.At.Head()
}
