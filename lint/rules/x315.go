package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

var versionsMixed = &lint.Rule{
	ID: "X315", Name: "versions-mixed", Severity: diag.Warning, Confidence: diag.Possible, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "The nodes of one cluster run different major versions of Tomcat.",
		Why:  "The nodes exchange serialized Java objects, and classes of different versions need not fit; an application for javax.servlet does not even start in Tomcat 10. With the BackupManager 9.0 and 10.1 do not share sessions at all.",
		Fix:  "Run one version on all nodes; during a change, drain the old nodes instead of mixing.",
		Bad: `-- clowder.toml --
[versions]
s1 = "9.0"
s2 = "10.1"
-- httpd.conf --
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
		Good: `-- clowder.toml --
[versions]
s1 = "9.0"
s2 = "9.0"
-- httpd.conf --
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
		Notes:  "Only with a version declared per node. Different minor versions are fine.",
		Source: "Tomcat migration guide. Tried with 9.0.70 and 10.1.60: DeltaManager works, BackupManager fails with InvalidClassException.",
	},
	Check: checkVersions,
}

func checkVersions(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		ref, odd := oddOnes(len(g), func(i int) (string, bool) {
			major, _, _ := strings.Cut(g[i].Version.V, ".")
			return major, g[i].Version.IsWritten() && major != ""
		})
		for _, i := range odd {
			x, y := g[i], g[ref]
			reportPeer(p, x, y, lint.Finding{
				At: x.At.Head(),
				Message: fmt.Sprintf("nodes of one cluster run Tomcat %s (%s) and %s (%s, %s): mixed major versions exchange serialized classes that need not fit, and javax and jakarta applications differ; run one version",
					x.Version.V, x.Name.V, y.Version.V, y.Name.V, y.At.Short()),
				Related: []diag.Related{lint.Related(y.At.Head(), "node "+y.Name.V)},
			})
		}
	}
}
