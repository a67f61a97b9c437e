package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var staticMemberPortMismatch = &lint.Rule{
	ID: "X309", Name: "static-member-port-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "A static member names another port than the Receiver of that node has.",
		Why:  "The node connects to a port where nobody listens: the member never appears, and no session goes there.",
		Fix:  "Write the port of the Receiver into the Member, and autoBind=\"1\" into the Receiver, so that it keeps that port.",
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
          <Member className="org.apache.catalina.tribes.membership.StaticMember" host="10.0.0.12" port="4001" uniqueId="{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2}"/>
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
		Notes:  "The node is found by the address of its Receiver or its machine. When its Receiver may move (autoBind above 1) the real port is not fixed: a warning, also for equal ports when another Receiver of that host may take the port. Hosts that belong to no node of the set are not judged.",
		Source: "Interceptor reference, Static Membership; ReceiverBase.bind.",
	},
	Check: checkStaticPorts,
}

func checkStaticPorts(p *lint.Pass) {
	s := newStatics(p)
	for _, n := range s.nodes {
		l := s.lists[n]
		if l == nil {
			continue
		}
		targets, _ := s.targets(l)
		for i, t := range targets {
			if t.node == nil {
				continue
			}
			if r := s.recv[t.node]; !t.port {
				reportStaticPort(p, l.members[i], t, r)
			} else if r.span > 1 && !r.open && s.crowded(t.node) {
				reportUnfixedPort(p, l.members[i], t, r)
			}
		}
	}
}

// crowded reports whether the Receiver of another node on the host may take the
// port of this one's.
func (s *statics) crowded(n *model.Node) bool {
	b := s.recv[n]
	for _, other := range s.nodes {
		a := s.recv[other]
		if other == n || a.port == 0 || a.port > b.port || a.port+a.span <= b.port || !collide(a.address, b.address) {
			continue
		}
		if same, _ := s.p.Hosts().Same(other, n); same {
			return true
		}
	}
	return false
}

func reportStaticPort(p *lint.Pass, m *model.StaticMember, t target, r listener) {
	f := lint.Finding{
		At: m.At.Head(), Subject: m,
		Message: fmt.Sprintf("static member %s, but the Receiver of %s (%s) listens on %d", memberName(m), t.node.Name.V, r.at.Short(), r.port),
		Related: []diag.Related{lint.Related(r.at, "the Receiver of "+t.node.Name.V)},
	}
	if r.span > 1 {
		f.Severity = diag.Warning
		f.Message += fmt.Sprintf(" or, with autoBind=%d, on one of the next ports; static members need autoBind=\"1\" there", r.span)
	} else if m.Port.IsWritten() {
		f.Message += "; write the same port"
		f.Fixes = []diag.Fix{{Message: fmt.Sprintf("use port %d", r.port), Safe: true, Edits: []diag.Edit{{Span: valueOf(m.Port.Span), New: fmt.Sprint(r.port)}}}}
	} else if e, ok := addAttribute(m.At, fmt.Sprintf("port=\"%d\"", r.port)); ok {
		f.Message += "; write the port"
		f.Fixes = []diag.Fix{{Message: fmt.Sprintf("use port %d", r.port), Safe: true, Edits: []diag.Edit{e}}}
	}
	weakTarget(&f, t)
	p.Report(f)
}

func reportUnfixedPort(p *lint.Pass, m *model.StaticMember, t target, r listener) {
	f := lint.Finding{
		At: m.At.Head(), Subject: m, Severity: diag.Warning,
		Message: fmt.Sprintf("static member %s, but the Receiver of %s (%s) moves on to the next ports when another one took %d; static members need autoBind=\"1\" there", memberName(m), t.node.Name.V, r.at.Short(), r.port),
		Related: []diag.Related{lint.Related(r.at, "the Receiver of "+t.node.Name.V)},
	}
	weakTarget(&f, t)
	p.Report(f)
}

// memberName is a static member as people write it.
func memberName(m *model.StaticMember) string {
	if !m.Port.IsWritten() {
		return m.Host.V + " without a port"
	}
	return fmt.Sprintf("%s:%d", m.Host.V, m.Port.V)
}
