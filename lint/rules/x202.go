package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var receiverAutobindOverlap = &lint.Rule{
	ID: "X202", Name: "receiver-autobind-overlap", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Ports, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "The Receivers of two Tomcats on one host have ports of their own, but may move into each other's by autoBind.",
		Why:  "A Receiver that finds its port taken tries the next ones. When a node restarts while its old process still holds the port, it takes the port of a neighbour, and that one moves on in turn: after a while nobody is where firewall rules and static members expect it.",
		Fix:  "Write autoBind=\"1\" where the ports are assigned by hand.",
		Bad: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel className="org.apache.catalina.tribes.group.GroupChannel">
    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="4001" autoBind="100"/>
  </Channel></Cluster>
</Engine></Service></Server>
-- s2/server.xml --
<Server port="8006" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel className="org.apache.catalina.tribes.group.GroupChannel">
    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="4002" autoBind="100"/>
  </Channel></Cluster>
</Engine></Service></Server>`,
		Good: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel className="org.apache.catalina.tribes.group.GroupChannel">
    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="4001" autoBind="1"/>
  </Channel></Cluster>
</Engine></Service></Server>
-- s2/server.xml --
<Server port="8006" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel className="org.apache.catalina.tribes.group.GroupChannel">
    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="4002" autoBind="1"/>
  </Channel></Cluster>
</Engine></Service></Server>`,
		Notes:  "Equal ports are X201. A missing port is 4000, a missing autoBind 100; 0 and negative values mean one port. An info, since most setups whose ports were separated by hand have it.",
		Source: "Receiver reference, autoBind; ReceiverBase.bind. Tried with Tomcat 10.1.60: autoBind=\"2\" tries the port and the next one.",
	},
	Check: func(p *lint.Pass) {
		var list []listener
		for _, n := range p.Setup.Nodes {
			for _, c := range clusters(n) {
				if l := receiver(n, c); l.port > 0 && !l.open {
					list = append(list, l)
				}
			}
		}
		for i, b := range list {
			for _, a := range list[:i] {
				if a.node == b.node || a.port == b.port || !overlap(a, b) || !collide(a.address, b.address) {
					continue
				}
				if same, conf := p.Hosts().Same(a.node, b.node); same {
					reportOverlap(p, a, b, conf)
					break
				}
			}
		}
	},
}

// overlap reports whether one Receiver may move to the other's first port.
func overlap(a, b listener) bool {
	if a.port > b.port {
		a, b = b, a
	}
	return a.port+a.span > b.port
}

func reportOverlap(p *lint.Pass, a, b listener, conf diag.Confidence) {
	f := lint.Finding{
		At: b.at, Subject: b.node, Confidence: conf,
		Message: fmt.Sprintf("autoBind ranges %s and %s (%s, %s) overlap on one host: after a restart a node may take the port of another; write autoBind=\"1\"", b.ports(), a.ports(), a.node.Name.V, a.at.Short()),
		Related: []diag.Related{lint.Related(a.at, "the Receiver of "+a.node.Name.V)},
	}
	fix := diag.Fix{Message: `write autoBind="1" on both nodes`, Safe: true}
	for _, l := range []listener{a, b} {
		r := receiverElement(l)
		switch {
		case l.span == 1:
		case r == nil:
			p.Report(f)
			return
		case r.AutoBind.IsWritten():
			fix.Edits = append(fix.Edits, diag.Edit{Span: valueOf(r.AutoBind.Span), New: "1"})
		default:
			if e, ok := addAttribute(r.At, `autoBind="1"`); ok {
				fix.Edits = append(fix.Edits, e)
			}
		}
	}
	f.Fixes = []diag.Fix{fix}
	p.Report(f)
}

// ports is the range of ports of a Receiver as people write it.
func (l listener) ports() string {
	if l.span == 1 {
		return fmt.Sprint(l.port)
	}
	return fmt.Sprintf("%d-%d", l.port, l.port+l.span-1)
}

// receiverElement returns the Receiver that the listener was made from, or nil.
func receiverElement(l listener) *model.Receiver {
	for _, c := range clusters(l.node) {
		if c.Channel != nil && c.Channel.Receiver != nil && c.Channel.Receiver.At.Head() == l.at {
			return c.Channel.Receiver
		}
	}
	return nil
}
