package rules

import (
	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var jvmRouteMissing = &lint.Rule{
	ID: "T601", Name: "jvmroute-missing", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Sticky, Versions: everyTomcat,
	YieldsTo: []string{"T609"},
	Doc: lint.Doc{
		What: "An Engine has a Cluster but no jvmRoute.",
		Why:  "Session IDs carry no name of their node, so no balancer can send a session back to it, and JvmRouteBinderValve has nothing to bind.",
		Fix:  "Add a jvmRoute of its own to the Engine of each node.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    <Host name="localhost" appBase="webapps"/>
  </Engine>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    <Host name="localhost" appBase="webapps"/>
  </Engine>
</Service></Server>`,
		Notes:  "Only while no httpd configuration is among the files; X102 and X107 know more when there is one. jvmRoute=\"${name}\" counts, and up to Tomcat 10.0 so does -DjvmRoute in a start script.",
		Source: "Engine reference, jvmRoute; cluster how-to; 23 of 59 public cluster files read have none.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.FrontEnds) > 0 {
			return
		}
		for _, n := range p.Setup.Nodes {
			for _, s := range n.Services {
				if s.Engine == nil || s.Engine.JVMRoute.V != "" || !hasCluster(s.Engine) {
					continue
				}
				p.Report(lint.Finding{
					At: s.Engine.At.Head(), Subject: n,
					Message: "Engine has a Cluster but no jvmRoute: sticky routing and JvmRouteBinderValve cannot work; add jvmRoute with a name of this node's own",
				})
			}
		}
	},
}

// hasCluster reports whether the engine or one of its hosts has a Cluster.
func hasCluster(e *model.Engine) bool {
	if e.Cluster != nil {
		return true
	}
	for _, h := range e.Hosts {
		if h.Cluster != nil {
			return true
		}
	}
	return false
}
