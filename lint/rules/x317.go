package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
)

var sendOptionsDiffer = &lint.Rule{
	ID: "X317", Name: "send-options-differ", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "channelSendOptions differ between the nodes of one cluster.",
		Why:  "Replication works, but a request waits for the other nodes on one node and not on another: what a failover loses then depends on the node that the user was on.",
		Fix:  "Write the same channelSendOptions on all nodes; 6 waits until the others have confirmed.",
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
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="8"/>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
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
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "A missing value is 8; names and numbers are compared as numbers.",
		Source: "Cluster reference, channelSendOptions.",
	},
	Check: checkSendOptions,
}

func checkSendOptions(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		options := func(i int) (string, bool) {
			v, ok := intAttr(g[i].cluster.SendOptions, g[i].cluster.At, "channelSendOptions", sendDefault)
			return fmt.Sprint(v), ok
		}
		place := func(i int) diag.Span {
			if v := g[i].cluster.SendOptions; v.IsWritten() {
				return v.Span
			}
			return g[i].cluster.At.Head()
		}
		ref, odd := oddOnes(len(g), options)
		for _, i := range odd {
			x, y := g[i], g[ref]
			a, _ := options(i)
			b, _ := options(ref)
			reportPeer(p, x, y, lint.Finding{
				At: place(i),
				Message: fmt.Sprintf("channelSendOptions is %s on %s and %s on %s (%s): the nodes replicate differently; write the same on all",
					a, x.Name.V, b, y.Name.V, place(ref).Short()),
				Related: []diag.Related{lint.Related(place(ref), "the options of "+y.Name.V)},
			})
		}
	}
}
