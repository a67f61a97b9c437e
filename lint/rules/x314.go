package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var hostNameDiffers = &lint.Rule{
	ID: "X314", Name: "host-name-differs", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "The Host elements of the nodes have different names, with the Cluster in the Engine.",
		Why:  "The name of the Host is part of the name of the session manager (HOST#/app). No node finds the manager that a message is for: \"Context manager doesn't exist\" per message, nothing is replicated.",
		Fix:  "Use one Host name on all nodes; it need not be the name of the machine. Names for clients go into Alias elements.",
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
  <Engine name="Catalina" defaultHost="node2.example.com" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    <Host name="node2.example.com" appBase="webapps"></Host>
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
  <Engine name="Catalina" defaultHost="LOCALHOST" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    <Host name="LOCALHOST" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "Names are compared without case. Further hosts on one node are fine when a common one has the applications. A Cluster inside a Host does not use the name.",
		Source: "Cluster reference; SimpleTcpCluster.getManagerName. Tried with Tomcat 10.1.60.",
	},
	Check: checkHostNames,
}

func checkHostNames(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		var part []peer
		for _, x := range g {
			if clusterLevel(x.Node) == "Engine" && mainHost(x.Node) != nil && !unknownHosts(x.Node) {
				part = append(part, x)
			}
		}
		reported := map[int]bool{}
		ref, odd := oddOnes(len(part), func(i int) (string, bool) { return strings.ToLower(mainHost(part[i].Node).Name.V), true })
		for _, i := range odd {
			if !shareHost(part[i].Node, part[ref].Node) {
				reported[i] = true
				reportHost(p, part[i], mainHost(part[i].Node), part[ref], mainHost(part[ref].Node))
			}
		}
		for i, x := range part {
			if i != ref && !reported[i] {
				compareApplications(p, x, part[ref])
			}
		}
	}
}

func reportHost(p *lint.Pass, x peer, a *model.Host, y peer, b *model.Host) {
	reportPeer(p, x, y, lint.Finding{
		At: a.At.Head(),
		Message: fmt.Sprintf("Host is `%s` on %s and `%s` on %s (%s): session managers have different names and nothing is replicated; use one name",
			a.Name.V, x.Name.V, b.Name.V, y.Name.V, b.At.Short()),
		Related: []diag.Related{lint.Related(b.At.Head(), "the Host of "+y.Name.V)},
	})
}

// compareApplications reports an application that server.xml puts into different
// hosts, although the nodes have a host in common.
func compareApplications(p *lint.Pass, x, y peer) {
	for path, a := range applicationHosts(x.Node) {
		b := applicationHosts(y.Node)[path]
		if len(b) != 1 || len(a) != 1 || strings.EqualFold(a[0].Name.V, b[0].Name.V) {
			continue
		}
		reportHost(p, x, a[0], y, b[0])
		return
	}
}

// applicationHosts returns the hosts of each Context that stands in server.xml.
func applicationHosts(n *model.Node) map[string][]*model.Host {
	out := map[string][]*model.Host{}
	if e := n.Engine(); e != nil {
		for _, h := range e.Hosts {
			for _, c := range h.Contexts {
				if c.Path.IsWritten() && c.At.IsValid() && c.At.File == n.At.File {
					out[c.Path.V] = append(out[c.Path.V], h)
				}
			}
		}
	}
	return out
}

// mainHost is the default host of the node's engine, else its first host, or nil.
func mainHost(n *model.Node) *model.Host {
	e := n.Engine()
	if e == nil || len(e.Hosts) == 0 {
		return nil
	}
	for _, h := range e.Hosts {
		if strings.EqualFold(h.Name.V, e.DefaultHost.V) {
			return h
		}
	}
	return e.Hosts[0]
}

func unknownHosts(n *model.Node) bool {
	for _, h := range n.Engine().Hosts {
		if unknown(h.Name.V) {
			return true
		}
	}
	return false
}

// shareHost reports whether the nodes have a host of one name.
func shareHost(a, b *model.Node) bool {
	names := map[string]bool{}
	for _, h := range a.Engine().Hosts {
		names[strings.ToLower(h.Name.V)] = true
	}
	for _, h := range b.Engine().Hosts {
		if names[strings.ToLower(h.Name.V)] {
			return true
		}
	}
	return false
}
