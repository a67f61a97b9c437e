package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var receiverPortShared = &lint.Rule{
	ID: "X201", Name: "receiver-port-shared", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Ports, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "Two Tomcats on one host have the same Receiver port for the cluster.",
		Why:  "The second one cannot bind it. With autoBind below 2 it does not start; with more it may move to the next port, which then depends on the start order, or replication fails.",
		Fix:  "Give each node on the host a Receiver port of its own.",
		Bad: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel className="org.apache.catalina.tribes.group.GroupChannel">
    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="4000" autoBind="1"/>
  </Channel></Cluster>
</Engine></Service></Server>
-- s2/server.xml --
<Server port="8006" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel className="org.apache.catalina.tribes.group.GroupChannel">
    <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="127.0.0.1" port="4000" autoBind="1"/>
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
		Notes:  "One host is: declared so, equal literal addresses, the same host in the httpd members, or loopback. Different specific addresses do not collide. A missing port is 4000, a missing autoBind 100; with room to move the finding is likely, not certain.",
		Source: "Cluster how-to: \"make sure the Receiver.port attribute is unique for each instance\". Tried with Tomcat 10.1.60 on Linux: autoBind 100 moves to 4001, autoBind 0 does not start.",
	},
	Check: checkReceivers,
}

var shutdownPortShared = &lint.Rule{
	ID: "X203", Name: "shutdown-port-shared", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Ports, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "Two Tomcats on one host have the same shutdown port.",
		Why:  "The second one stops right after its start: \"Failed to create server shutdown socket\".",
		Fix:  "Give each node its own port, or -1 for none.",
		Bad: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8081" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>
-- s2/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8082" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>`,
		Good: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8081" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>
-- s2/server.xml --
<Server port="8006" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8082" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>`,
		Notes:  "-1 never collides. The address of Server counts, localhost by default.",
		Source: "StandardServer.await. Tried with Tomcat 10.1.60: the process ends.",
	},
	Check: func(p *lint.Pass) {
		var list []listener
		for _, n := range p.Setup.Nodes {
			if l := shutdownListener(n); l.port > 0 {
				list = append(list, l)
			}
		}
		free := newPorts(p)
		for _, c := range clashes(p, list) {
			next := free.next(c.b.port)
			f := c.finding()
			f.Message = fmt.Sprintf("shutdown port %d is also that of %s (%s); the second node stops right after its start; use e.g. %d", c.b.port, c.a.node.Name.V, c.a.at.Short(), next)
			f.Fixes = setPort(c.b, next)
			p.Report(f)
		}
	},
}

var connectorPortShared = &lint.Rule{
	ID: "X204", Name: "connector-port-shared", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Ports, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "Two Tomcats on one host have connectors with the same port.",
		Why:  "The second node starts without that connector, or not at all, depending on the version and bindOnInit; httpd reaches only the first.",
		Fix:  "Give each node its own ports and change the httpd member with them.",
		Bad: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8081" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>
-- s2/server.xml --
<Server port="8006" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8081" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>`,
		Good: `-- s1/server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8081" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>
-- s2/server.xml --
<Server port="8006" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8082" protocol="HTTP/1.1" address="127.0.0.1"/>
</Service></Server>`,
		Notes:  "A connector on every address collides with all; two different specific addresses do not. redirectPort is no listener.",
		Source: "Field reports \"Address already in use\"; Connector reference, bindOnInit.",
	},
	Check: func(p *lint.Pass) {
		var list []listener
		for _, n := range p.Setup.Nodes {
			list = append(list, connectorListeners(n)...)
		}
		free := newPorts(p)
		for _, c := range clashes(p, list) {
			f := c.finding()
			f.Fixes = moveConnector(p, c.b, free)
			f.Message = fmt.Sprintf("port %d (%s) is also that of %s (%s) on the same host and address", c.b.port, c.b.what, c.a.node.Name.V, c.a.at.Short())
			p.Report(f)
		}
	},
}

// listener is one socket of a node.
type listener struct {
	node      *model.Node
	address   string
	port      int
	at        diag.Span
	value     model.Int // where the port is written
	what      string
	span      int              // of a Receiver: how many ports it tries when the first is taken, 1 for none
	connector *model.Connector // nil for other sockets
	open      bool             // span is a ${...}
}

// moveConnector suggests another port for a connector together with the members
// that go there; without such members nothing.
func moveConnector(p *lint.Pass, b listener, free ports) []diag.Fix {
	var edits []diag.Edit
	var members []model.Link
	for _, l := range p.Links() {
		if l.Connector != nil && l.Connector == b.connector {
			members = append(members, l)
		}
	}
	if len(members) == 0 {
		return nil
	}
	next := free.next(b.port)
	for _, l := range members {
		fix := portFix(l, next)
		if fix == nil {
			return nil
		}
		edits = append(edits, fix[0].Edits...)
	}
	fix := setPort(b, next)
	if fix == nil {
		return nil
	}
	return []diag.Fix{{Message: fmt.Sprintf("use port %d here and in httpd", next), Edits: append(edits, fix[0].Edits...)}}
}

// Default of the shutdown port, from StandardServer.
const shutdownPort = 8005

// shutdownListener is the socket for the shutdown command; port 0 when there is
// none. Its address is localhost unless one is written.
func shutdownListener(n *model.Node) listener {
	l := listener{node: n, address: n.Address.V, port: portOf(n, n.Port, n.At, shutdownPort), at: n.At.Head(), value: n.Port, what: "shutdown port"}
	if strings.TrimSpace(l.address) == "" {
		l.address = "localhost"
	}
	return l
}

func connectorListeners(n *model.Node) []listener {
	var out []listener
	for _, c := range n.Connectors() {
		if port := portOf(n, c.Port, c.At, 0); port > 0 && !unknown(c.Address.V) {
			out = append(out, listener{node: n, address: c.Address.V, port: port, at: c.At.Head(), value: c.Port, what: connectorName(c), connector: c})
		}
	}
	return out
}

// clash is two listeners that exclude each other; b is of the later node.
type clash struct {
	a, b listener
	conf diag.Confidence
}

func (c *clash) finding() lint.Finding {
	f := lint.Finding{
		At: c.b.at, Subject: c.b.node, Confidence: c.conf,
		Related: []diag.Related{lint.Related(c.a.at, "node "+c.a.node.Name.V+" has it first")},
	}
	if c.conf < diag.Certain {
		f.Severity = diag.Warning
	}
	return f
}

// clashes returns, for each listener in the order of the setup, the first
// listener of an earlier node on the same host that it collides with.
func clashes(p *lint.Pass, list []listener) []clash {
	byPort := map[int][]listener{}
	var out []clash
	for _, b := range list {
		for _, a := range byPort[b.port] {
			if a.node == b.node || !collide(a.address, b.address) {
				continue
			}
			if same, conf := p.Hosts().Same(a.node, b.node); same {
				out = append(out, clash{a, b, conf})
				break
			}
		}
		byPort[b.port] = append(byPort[b.port], b)
	}
	return out
}

// collide is [model.AddressesCollide] with the Receiver's "auto": the address of
// the machine's own name, whatever that is.
func collide(a, b string) bool {
	if strings.EqualFold(a, "auto") || strings.EqualFold(b, "auto") {
		return strings.EqualFold(a, b) || model.AddressesCollide(a, "") && !model.IsLoopback(a) && !model.IsLoopback(b)
	}
	return model.AddressesCollide(a, b)
}

// ports finds free ports; those it gave out are taken.
type ports map[int]bool

func newPorts(p *lint.Pass) ports {
	used := ports{}
	for _, n := range p.Setup.Nodes {
		used[n.EffectivePort(n.Port)] = true
		for _, c := range n.Connectors() {
			used[n.EffectivePort(c.Port)] = true
		}
		for _, c := range clusters(n) {
			used[receiver(n, c).port] = true
		}
	}
	for _, fe := range p.Setup.FrontEnds {
		for _, l := range fe.Listens {
			used[l.Port.V] = true
		}
	}
	return used
}

func (u ports) next(after int) int {
	for port := after + 1; port < 65536; port++ {
		if !u[port] {
			u[port] = true
			return port
		}
	}
	return 0
}

// setPort is the fix that writes another port, when a port is written at all.
func setPort(l listener, port int) []diag.Fix {
	port -= l.port - l.value.V // portOffset
	at := valueOf(l.value.Span)
	if !l.value.IsWritten() || port <= 0 || at.Text() != fmt.Sprint(l.value.V) {
		return nil
	}
	return []diag.Fix{{Message: fmt.Sprintf("use port %d", port), Safe: true, Edits: []diag.Edit{{Span: at, New: fmt.Sprint(port)}}}}
}

// Defaults of the Receiver, from ReceiverBase.
const (
	receiverPort     = 4000
	receiverAutoBind = 100
)

// receiver is the socket of the cluster's Receiver, which portOffset does not
// move; port 0 when the files do not tell. A blank address means loopback.
func receiver(n *model.Node, c *model.Cluster) listener {
	l := listener{node: n, address: "auto", port: receiverPort, at: c.At.Head(), what: "Receiver", span: receiverAutoBind}
	if c.Channel == nil || c.Channel.Receiver == nil {
		return l
	}
	r := c.Channel.Receiver
	l.at, l.value, l.address = r.At.Head(), r.Port, r.Address.Or("auto")
	if strings.TrimSpace(l.address) == "" {
		l.address = "localhost"
	}
	var ok, known bool
	l.port, ok = intAttr(r.Port, r.At, "port", receiverPort)
	l.span, known = intAttr(r.AutoBind, r.At, "autoBind", receiverAutoBind)
	if !ok || unknown(l.address) {
		l.port = 0
	}
	l.open = !known
	l.span = max(1, l.span)
	return l
}

func checkReceivers(p *lint.Pass) {
	var list []listener
	for _, n := range p.Setup.Nodes {
		for _, c := range clusters(n) {
			if l := receiver(n, c); l.port > 0 {
				list = append(list, l)
			}
		}
	}
	fixed := staticPorts(p)
	free := newPorts(p)
	for _, c := range clashes(p, list) {
		next := free.next(c.b.port)
		f := c.finding()
		if c.b.span > 1 && c.conf == diag.Certain {
			f.Confidence = diag.Likely
		}
		f.Message = fmt.Sprintf("Receiver port %d is also that of %s (%s) on the same host; give each node its own, e.g. %d", c.b.port, c.a.node.Name.V, c.a.at.Short(), next)
		if !fixed[c.b.port] {
			f.Fixes = setPort(c.b, next)
		}
		p.Report(f)
	}
}

// staticPorts returns the ports that static members name; changing a Receiver
// alone would cut them off.
func staticPorts(p *lint.Pass) map[int]bool {
	out := map[int]bool{}
	for _, n := range p.Setup.Nodes {
		for _, c := range clusters(n) {
			if c.Channel == nil {
				continue
			}
			for _, i := range c.Channel.Interceptors {
				for _, m := range i.Members {
					out[m.Port.V] = true
				}
			}
			if c.Channel.Membership != nil {
				for _, m := range c.Channel.Membership.Members {
					out[m.Port.V] = true
				}
			}
		}
	}
	return out
}
