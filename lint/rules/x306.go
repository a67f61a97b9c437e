package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var managerMismatch = &lint.Rule{
	ID: "X306", Name: "manager-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "The nodes of one cluster keep the sessions of an application with different managers.",
		Why:  "DeltaManager and BackupManager do not understand each other's messages. Nothing is replicated, and a starting DeltaManager waits 60 s for a state that nobody sends.",
		Fix:  "Use the same Manager on all nodes.",
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
      <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.BackupManager"/>
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
      <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Manager className="org.apache.catalina.ha.session.DeltaManager"/>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "Without a Manager element it is the DeltaManager. The Manager of a Context counts for that application. Other classes are not judged (T404, T405).",
		Source: "Cluster manager reference. Tried with Tomcat 10.1.60: \"No session state ... timing out after 60,037 ms\".",
	},
	Check: checkManagers,
}

func checkManagers(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		said := map[diag.Span]bool{}
		compareManagers(p, g, said, func(x peer) *model.Manager { return x.cluster.Manager })
		for _, app := range appsWithManager(g) {
			own := 0
			for _, x := range g {
				if m := contextManager(x.Node, app); m != nil {
					own++
				}
			}
			if own < len(g) && !sameClusterManager(g) {
				continue // the clusters differ and are reported already
			}
			compareManagers(p, g, said, func(x peer) *model.Manager {
				if m := contextManager(x.Node, app); m != nil {
					return m
				}
				return x.cluster.Manager
			})
		}
	}
}

func compareManagers(p *lint.Pass, g []peer, said map[diag.Span]bool, manager func(peer) *model.Manager) {
	class := func(i int) (string, bool) { return managerClass(manager(g[i])) }
	ref, odd := oddOnes(len(g), class)
	for _, i := range odd {
		x, y := g[i], g[ref]
		a, _ := class(i)
		b, _ := class(ref)
		at := managerPlace(x, manager(x))
		if said[at] {
			continue
		}
		said[at] = true
		reportPeer(p, x, y, lint.Finding{
			At: at,
			Message: fmt.Sprintf("%s uses %s, %s (%s) uses %s: they do not understand each other, and starts hang for 60 s; use the same manager on all nodes",
				x.Name.V, a, y.Name.V, managerPlace(y, manager(y)).Short(), b),
			Related: []diag.Related{lint.Related(managerPlace(y, manager(y)), "the manager of "+y.Name.V)},
		})
	}
}

func sameClusterManager(g []peer) bool {
	_, odd := oddOnes(len(g), func(i int) (string, bool) { return managerClass(g[i].cluster.Manager) })
	return len(odd) == 0
}

// managerClass is the simple name of a manager that replicates; ok is false for others.
func managerClass(m *model.Manager) (class string, ok bool) {
	if m == nil || !m.Class.IsWritten() {
		return "DeltaManager", true
	}
	class = model.SimpleClass(m.Class.V)
	return class, class == "DeltaManager" || class == "BackupManager"
}

func managerPlace(x peer, m *model.Manager) diag.Span {
	if m != nil && m.At.IsValid() {
		return m.At.Head()
	}
	return x.cluster.At.Head()
}

// appsWithManager returns the paths of the applications for which a Context of the
// group names a manager that replicates.
func appsWithManager(g []peer) []string {
	var out []string
	seen := map[string]bool{}
	for _, x := range g {
		for _, c := range contexts(x.Node) {
			if path := c.Path.V; !seen[path] && c.Manager != nil && c.Manager.Class.IsWritten() {
				if _, ok := managerClass(c.Manager); ok {
					seen[path] = true
					out = append(out, path)
				}
			}
		}
	}
	return out
}

// contextManager is the manager of the application's Context, or nil.
func contextManager(n *model.Node, app string) *model.Manager {
	for _, c := range contexts(n) {
		if c.Path.V == app && c.Manager != nil && c.Manager.Class.IsWritten() {
			return c.Manager
		}
	}
	return nil
}

// contexts returns the applications of all hosts of the node's first engine.
func contexts(n *model.Node) []*model.Context {
	e := n.Engine()
	if e == nil {
		return nil
	}
	var out []*model.Context
	for _, h := range e.Hosts {
		out = append(out, h.Contexts...)
	}
	return out
}
