package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var staticMembersIncomplete = &lint.Rule{
	ID: "X310", Name: "static-members-incomplete", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "A node with static members does not list every other node of its cluster.",
		Why:  "Without multicast a node knows the listed members only. It sends its sessions to these, and a user who comes to the missing node after a failure finds none.",
		Fix:  "List every other node in every node, each with the uniqueId of its LocalMember.",
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
		Notes:  "Nodes behind one balancer are compared. Silent when the list names hosts that are none of the known nodes and may be the missing ones. An info when the node hears multicast as well.",
		Source: "Interceptor reference, Static Membership; StaticMembershipInterceptor.getMembers.",
	},
	Check: checkStaticLists,
}

func checkStaticLists(p *lint.Pass) {
	s := newStatics(p)
	if len(s.lists) == 0 {
		return
	}
	for _, g := range clusterGroups(p) {
		for _, x := range g {
			if l := s.lists[x.Node]; l != nil {
				checkStaticList(s, g, x, l)
			} else {
				checkNoList(s, g, x)
			}
		}
	}
}

func checkStaticList(s *statics, g []peer, x peer, l *staticList) {
	targets, self := s.targets(l)
	listed, strangers := map[*model.Node]bool{}, 0
	for i, t := range targets {
		listed[t.node] = true
		if t.node == nil && !self[i] {
			strangers++
		}
	}
	var missing []peer
	for _, y := range g {
		if y.Node != x.Node && !listed[y.Node] {
			missing = append(missing, y)
		}
	}
	if len(missing) <= strangers {
		return
	}
	f := missingFinding(s, x, l.at.Head(), missing, "does not list")
	f.Message += "; every node lists every other one"
	f.Fixes = s.listFix(l, missing)
	if usesMcast(x.cluster) {
		f.Severity = diag.Info
	}
	reportPeer(s.p, x, missing[0], f)
}

// checkNoList reports a node without static members in a group that has nothing else.
func checkNoList(s *statics, g []peer, x peer) {
	var others []peer
	for _, y := range g {
		if l := s.lists[y.Node]; l != nil && !usesMcast(y.cluster) && s.lists[y.Node].names(s, x.Node) {
			others = append(others, y)
		}
	}
	if len(others) == 0 || len(others) < len(g)-1 {
		return
	}
	f := missingFinding(s, x, channelPlace(x.cluster), others, "has no static members, and so does not know")
	reportPeer(s.p, x, others[0], f)
}

// names reports whether the list has the node as a member.
func (l *staticList) names(s *statics, n *model.Node) bool {
	targets, _ := s.targets(l)
	for _, t := range targets {
		if t.node == n {
			return true
		}
	}
	return false
}

func missingFinding(s *statics, x peer, at diag.Span, missing []peer, verb string) lint.Finding {
	f := lint.Finding{At: at}
	var names []string
	for _, y := range missing {
		place := s.recv[y.Node].at
		names = append(names, fmt.Sprintf("%s (%s)", y.Name.V, place.Short()))
		f.Related = append(f.Related, lint.Related(place, "the Receiver of "+y.Name.V))
	}
	f.Message = fmt.Sprintf("%s %s %s as a static member", x.Name.V, verb, strings.Join(names, ", "))
	return f
}

// listFix adds the missing members behind the last one of the list. Everything
// about them must be known: address, port and uniqueId.
func (s *statics) listFix(l *staticList, missing []peer) []diag.Fix {
	after := l.local
	if len(l.members) > 0 {
		after = l.members[len(l.members)-1]
	}
	if after == nil || !strings.HasSuffix(strings.TrimSpace(after.At.Text()), "/>") {
		return nil
	}
	fix := diag.Fix{Message: "add the missing members", Safe: true}
	var lines []string
	for _, y := range missing {
		r, other := s.recv[y.Node], s.lists[y.Node]
		if other == nil || r.port == 0 || r.span > 1 || r.address == "auto" || model.IsLoopback(r.address) || model.IsWildcard(r.address) {
			return nil
		}
		if _, ok := memberUniqueID(other.local); !ok {
			return nil
		}
		lines = append(lines, fmt.Sprintf(`<Member className="org.apache.catalina.tribes.membership.StaticMember" host="%s" port="%d" uniqueId="%s"/>`,
			r.address, r.port, other.local.UniqueID.V))
	}
	end, sep := int(after.At.End), eol(after.At.File)+indentOf(after.At.File, after.At.Start)
	fix.Edits = []diag.Edit{{Span: diag.At(after.At.File, end, end), New: sep + strings.Join(lines, sep)}}
	return []diag.Fix{fix}
}
