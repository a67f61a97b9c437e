package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var staticUniqueidMismatch = &lint.Rule{
	ID: "X311", Name: "static-uniqueid-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "A static member has another uniqueId than that node gives itself, or two nodes give themselves the same one.",
		Why:  "The uniqueId is the identity of a member. With another one the messages of the node come from a stranger, and it is listed twice or not at all; two nodes with one identity are taken for each other.",
		Fix:  "Copy the uniqueId of the LocalMember into the Member elements of the other nodes; one per node.",
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
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelStartOptions="3">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" port="4000" autoBind="1"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor">
          <LocalMember className="org.apache.catalina.tribes.membership.StaticMember" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1}"/>
          <Member className="org.apache.catalina.tribes.membership.StaticMember" host="10.0.0.12" port="4000" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,7}"/>
        </Interceptor>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelStartOptions="3">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.12" port="4000" autoBind="1"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor">
          <LocalMember className="org.apache.catalina.tribes.membership.StaticMember" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2}"/>
          <Member className="org.apache.catalina.tribes.membership.StaticMember" host="10.0.0.11" port="4000" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1}"/>
        </Interceptor>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
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
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelStartOptions="3">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" port="4000" autoBind="1"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor">
          <LocalMember className="org.apache.catalina.tribes.membership.StaticMember" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1}"/>
          <Member className="org.apache.catalina.tribes.membership.StaticMember" host="10.0.0.12" port="4000" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2}"/>
        </Interceptor>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelStartOptions="3">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.12" port="4000" autoBind="1"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.StaticMembershipInterceptor">
          <LocalMember className="org.apache.catalina.tribes.membership.StaticMember" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2}"/>
          <Member className="org.apache.catalina.tribes.membership.StaticMember" host="10.0.0.11" port="4000" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1}"/>
        </Interceptor>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "Blanks in the list of bytes do not matter. Nodes without a LocalMember, and lists that are no 16 bytes (T205), are not judged. A Member that names a node whose own uniqueId is taken twice is not reported as well.",
		Source: "Interceptor reference, LocalMember; MemberImpl.equals.",
	},
	Check: checkNodeUniqueIDs,
}

func checkNodeUniqueIDs(p *lint.Pass) {
	s := newStatics(p)
	twice := reportEqualIDs(p, s)
	for _, n := range s.nodes {
		l := s.lists[n]
		if l == nil {
			continue
		}
		targets, _ := s.targets(l)
		for i, t := range targets {
			if t.node == nil || twice[t.node] || s.lists[t.node] == nil {
				continue
			}
			id, ok := memberUniqueID(l.members[i])
			own, has := memberUniqueID(s.lists[t.node].local)
			if ok && has && id != own {
				reportUniqueID(p, l.members[i], t, s.lists[t.node].local)
			}
		}
	}
}

func reportUniqueID(p *lint.Pass, m *model.StaticMember, t target, local *model.StaticMember) {
	f := lint.Finding{
		At: m.At.Head(), Subject: m,
		Message: fmt.Sprintf("static member %s has uniqueId %s, but %s calls itself %s (%s); write the same", memberName(m), m.UniqueID.V, t.node.Name.V, local.UniqueID.V, local.At.Short()),
		Related: []diag.Related{lint.Related(local.At.Head(), "the LocalMember of "+t.node.Name.V)},
		Fixes:   []diag.Fix{{Message: "copy the uniqueId of the node", Safe: true, Edits: []diag.Edit{{Span: valueOf(m.UniqueID.Span), New: local.UniqueID.V}}}},
	}
	weakTarget(&f, t)
	p.Report(f)
}

// reportEqualIDs reports nodes of one group that give themselves one uniqueId, and
// returns all of these.
func reportEqualIDs(p *lint.Pass, s *statics) map[*model.Node]bool {
	twice := map[*model.Node]bool{}
	if len(s.lists) < 2 {
		return twice
	}
	u := nodeUnion{}
	for _, g := range clusterGroups(p) {
		for _, x := range g {
			u.join(g[0].Node, x.Node)
		}
	}
	for _, n := range s.nodes {
		if l := s.lists[n]; l != nil {
			targets, _ := s.targets(l)
			for _, t := range targets {
				if t.node != nil {
					u.join(n, t.node)
				}
			}
		}
	}
	type key struct {
		group *model.Node
		id    string
	}
	first := map[key]*model.Node{}
	for _, n := range s.nodes {
		if s.lists[n] == nil {
			continue
		}
		id, ok := memberUniqueID(s.lists[n].local)
		k := key{u.find(n), id}
		switch a := first[k]; {
		case !ok:
		case a == nil:
			first[k] = n
		default:
			twice[a], twice[n] = true, true
			at, other := s.lists[n].local.At.Head(), s.lists[a].local.At.Head()
			p.Report(lint.Finding{
				At: at, Subject: n,
				Message: fmt.Sprintf("%s calls itself %s, and so does %s (%s): the nodes are taken for each other; give each its own uniqueId", n.Name.V, id, a.Name.V, other.Short()),
				Related: []diag.Related{lint.Related(other, "the LocalMember of "+a.Name.V)},
			})
		}
	}
	return twice
}
