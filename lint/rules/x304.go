package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var nodeNotClustered = &lint.Rule{
	ID: "X304", Name: "node-not-clustered", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "A Tomcat has no Cluster although another one behind the same balancer has.",
		Why:  "The cluster ends at this node: whoever is sent here after a failure of another node starts with an empty session, and sessions made here die with it.",
		Fix:  "Configure the same Cluster on every node of the balancer.",
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
		Notes:  "A Cluster inside a comment is named. Nodes of different balancers are not compared, and members that are switched off are left out.",
		Source: "Cluster how-to: all instances are to be configured alike.",
	},
	Check: checkUnclustered,
}

func checkUnclustered(p *lint.Pass) {
	said := map[*model.Node]bool{}
	off := switchedOff(p)
	for _, s := range nodeSets(p) {
		var with *model.Node
		for _, n := range s.nodes {
			if n.Cluster() != nil && (with == nil || s.conf[n] > s.conf[with]) {
				with = n
			}
		}
		if with == nil {
			continue
		}
		for _, n := range s.nodes {
			if n.Cluster() != nil || n.Engine() == nil || said[n] || off[n] || incomplete(p, n) {
				continue
			}
			said[n] = true
			remark := ""
			if at := commentedCluster(p, n); at.IsValid() {
				remark = fmt.Sprintf(" (the one at %s is commented out)", at.Short())
			}
			reportPeer(p, peer{Node: n, conf: s.conf[n]}, peer{Node: with, conf: s.conf[with]}, lint.Finding{
				At: n.Engine().At.Head(),
				Message: fmt.Sprintf("%s has no Cluster%s, but %s (%s) behind the same balancer `%s` has; sessions are lost when a user comes to it",
					n.Name.V, remark, with.Name.V, with.Cluster().At.Short(), s.balancer.Name.V),
				Related: []diag.Related{lint.Related(with.Cluster().At.Head(), "the Cluster of "+with.Name.V)},
			})
		}
	}
}

// switchedOff returns the nodes that all their members in balancers leave out.
func switchedOff(p *lint.Pass) map[*model.Node]bool {
	out := map[*model.Node]bool{}
	on := map[*model.Node]bool{}
	for _, l := range p.Links() {
		if l.Node == nil || l.Balancer == nil {
			continue
		}
		if status := strings.ToUpper(l.Member.Status.V); strings.ContainsAny(status, "DS") && !strings.Contains(status, "-") {
			out[l.Node] = true
		} else {
			on[l.Node] = true
		}
	}
	for n := range on {
		delete(out, n)
	}
	return out
}

// incomplete reports whether a part of the node's server.xml could not be read: an
// entity of it may hold the Cluster.
func incomplete(p *lint.Pass, n *model.Node) bool {
	for i := range p.Diags {
		if d := &p.Diags[i]; d.ID == "T001" && d.Span.File == n.At.File {
			return true
		}
	}
	return false
}

// commentedCluster is the place of a Cluster element in a comment of the node's
// server.xml, or no place.
func commentedCluster(p *lint.Pass, n *model.Node) diag.Span {
	doc := p.Tomcat[n]
	if doc == nil {
		return diag.Span{}
	}
	for _, c := range doc.Comments {
		if i := strings.Index(c.Text, "<Cluster"); i >= 0 {
			start := int(c.Span.Start) + len("<!--") + i
			return diag.At(c.Span.File, start, start+len("<Cluster"))
		}
	}
	return diag.Span{}
}
