package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var receiverOnLoopback = &lint.Rule{
	ID: "X312", Name: "receiver-on-loopback", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "The Receiver (or the multicast socket) of a clustered node is on loopback while other nodes of the cluster run on other hosts.",
		Why:  "Each node announces 127.0.0.1, and the others then send to themselves. The logs look healthy; a start waits 60 s for the state, and nothing is replicated.",
		Fix:  "Write the address by which the other hosts reach this one.",
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
        <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="4000" autoBind="1"/>
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
        <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.12" port="4000" autoBind="1"/>
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
        <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" port="4000" autoBind="1"/>
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
        <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.12" port="4000" autoBind="1"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "A blank address means loopback too. The hosts are those of the setup file, of the members in httpd, or of the addresses of the connectors. Fine when all nodes are on one host. address=\"auto\" depends on the host name and is not judged (T301).",
		Source: "Cluster how-to; ReceiverBase.getBind. Tried with Tomcat 10.1.60 in two network namespaces.",
	},
	Check: checkLoopback,
}

func checkLoopback(p *lint.Pass) {
	hosts := machines(p)
	for _, g := range clusterGroups(p) {
		for _, x := range g {
			if c := x.cluster.Channel; c != nil {
				if r := c.Receiver; r != nil && onLoopback(r.Address) {
					reportLoopback(p, hosts, g, x, r.Address, "Receiver of %s listens on %s")
				}
				if m := c.Membership; m != nil && usesMcast(x.cluster) && onLoopback(m.Bind) {
					reportLoopback(p, hosts, g, x, m.Bind, "Membership of %s is bound to %s")
				}
			}
		}
	}
}

// onLoopback reports whether the written address is loopback, as a blank one is.
func onLoopback(v model.String) bool {
	a := strings.TrimSpace(v.V)
	return v.IsWritten() && (a == "" || model.IsLoopback(a))
}

func reportLoopback(p *lint.Pass, hosts map[*model.Node]machine, g []peer, x peer, address model.String, what string) {
	mine := hosts[x.Node]
	f := lint.Finding{At: address.Span}
	var names []string
	other := x
	conf := mine.conf
	for _, y := range g {
		m := hosts[y.Node]
		if y.Node == x.Node || mine.host == "" || m.host == "" || m.host == mine.host || x.joined != y.joined {
			continue
		}
		if same, _ := p.Hosts().Same(x.Node, y.Node); same || mine.loopback && m.loopback {
			continue
		}
		if !slices.Contains(names, m.host) {
			names = append(names, m.host)
		}
		if other.Node == x.Node || m.conf > conf {
			other, conf = y, min(mine.conf, m.conf)
		}
		f.Related = append(f.Related, lint.Related(y.At.Head(), y.Name.V+" runs on "+m.host))
	}
	if len(names) == 0 {
		return
	}
	shown := address.V
	if strings.TrimSpace(shown) == "" {
		shown = "loopback (the address is blank)"
	}
	f.Message = fmt.Sprintf(what, x.Name.V, shown) + fmt.Sprintf(", but cluster members run on other hosts (%s); they cannot send to it", strings.Join(names, ", "))
	x.conf, other.conf = min(x.conf, conf), min(other.conf, conf)
	reportPeer(p, x, other, f)
}

// machine is the host that a node runs on.
type machine struct {
	host     string
	loopback bool // that of a front end, whose address is not known
	conf     diag.Confidence
}

// machines returns the host of each node as far as something else than the
// Receiver tells: the setup file, a member in httpd, the address of a connector.
func machines(p *lint.Pass) map[*model.Node]machine {
	out := map[*model.Node]machine{}
	note := func(n *model.Node, m machine) {
		if old := out[n]; m.conf > old.conf || m.conf == old.conf && old.loopback {
			out[n] = m
		}
	}
	for _, n := range p.Setup.Nodes {
		if n.Host.IsWritten() {
			note(n, machine{n.Host.V, false, diag.Certain})
			continue
		}
		for _, c := range n.Connectors() {
			if a := strings.TrimSpace(c.Address.V); a != "" && !model.IsLoopback(a) && !unknown(a) && !model.IsWildcard(a) {
				note(n, machine{a, false, diag.Certain})
			}
		}
	}
	for _, l := range p.Links() {
		switch {
		case l.Node == nil || l.Host == "" || unknown(l.Host) || l.Node.Host.IsWritten():
		case !model.IsLoopback(l.Host):
			note(l.Node, machine{l.Host, false, l.By.Confidence()})
		case l.FrontEnd.Host.IsWritten():
			note(l.Node, machine{l.FrontEnd.Host.V, false, l.By.Confidence()})
		default:
			note(l.Node, machine{"that of " + l.FrontEnd.Name.V, true, diag.Likely})
		}
	}
	return out
}
