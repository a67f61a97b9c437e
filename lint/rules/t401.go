package rules

import (
	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

const (
	replicationTag  = `<Valve className="org.apache.catalina.ha.tcp.ReplicationValve" filter=""/>`
	routeBinderTag  = `<Valve className="org.apache.catalina.ha.session.JvmRouteBinderValve"/>`
	sessListenerTag = `<ClusterListener className="org.apache.catalina.ha.session.ClusterSessionListener"/>`
)

var replicationValveMissing = &lint.Rule{
	ID: "T401", Name: "replication-valve-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:  "The Cluster lists cluster valves, and ReplicationValve is not one of them.",
		Why:   "Tomcat adds its own two valves only to a cluster that lists none. Nobody then sends changes at the end of a request: the nodes see each other, the log is clean, and no session ever arrives.",
		Fix:   "Add ReplicationValve as the first valve.",
		Bad:   inEngine(exampleCluster, "  "+routeBinderTag, "</Cluster>"),
		Good:  inEngine(exampleCluster, "  "+replicationTag, "  "+routeBinderTag, "</Cluster>"),
		Notes: "Silent without any cluster valve: the defaults are then there, also beside valves that Tomcat drops (T413). Silent when the valve stands in the Engine, Host or Context instead, and with a foreign valve, which may be a subclass.",
		Source: "Cluster how-to, the hint about custom cluster valves; SimpleTcpCluster.checkDefaults. " +
			"Tried with two nodes of Tomcat 10.1.60.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			if !listsOwnValves(c.Cluster) || hasValve(c, "ReplicationValve") {
				continue
			}
			f := lint.Finding{
				At: c.At.Head(), Subject: c.Cluster,
				Message: "the Cluster lists valves but not ReplicationValve; the defaults are gone, so no session is ever sent; add it",
			}
			f.Fixes = safeFix("add ReplicationValve", c.Valves[0].At.IsValid(), xmlBefore(c.Valves[0].At, replicationTag))
			p.Report(f)
		}
	},
}

var routeBinderMissing = &lint.Rule{
	ID: "T402", Name: "route-binder-missing", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "The Cluster lists cluster valves, and JvmRouteBinderValve is not one of them, while the Engine has a jvmRoute.",
		Why:    "After a failover the session ID keeps the route of the dead node. httpd finds no such member and spreads the requests of the session, and when the node is back they return to it.",
		Fix:    "Add JvmRouteBinderValve behind ReplicationValve. Leave it out, and say so in an ignore, when sessions shall go back to their node.",
		Bad:    inEngine(exampleCluster, "  "+replicationTag, "</Cluster>"),
		Good:   inEngine(exampleCluster, "  "+replicationTag, "  "+routeBinderTag, "</Cluster>"),
		Notes:  "Silent without any cluster valve, without jvmRoute, with a foreign valve, and when the valve stands in the Engine, Host or Context instead.",
		Source: "Cluster valve reference, JvmRouteBinderValve; SimpleTcpCluster.checkDefaults. Tried with Tomcat 10.1.60: the ID keeps .s1 on the other node.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			if !listsOwnValves(c.Cluster) || c.engine.JVMRoute.V == "" || hasValve(c, "JvmRouteBinderValve") {
				continue
			}
			f := lint.Finding{
				At: c.At.Head(), Subject: c.Cluster,
				Message: "the Cluster lists valves but not JvmRouteBinderValve: after a failover the session ID keeps the route of the dead node; add it behind ReplicationValve",
			}
			last := c.Valves[len(c.Valves)-1]
			for _, v := range c.Valves {
				if isClass(v.Class.V, "ReplicationValve") {
					last = v
					break
				}
			}
			e, ok := xmlAfter(elementOf(p.Tomcat[c.node], last.At), routeBinderTag)
			f.Fixes = safeFix("add JvmRouteBinderValve", ok, e)
			p.Report(f)
		}
	},
}

var sessionListenerMissing = &lint.Rule{
	ID: "T403", Name: "session-listener-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "The Cluster lists a ClusterListener, but not ClusterSessionListener, and its manager is DeltaManager.",
		Why:    "Tomcat adds ClusterSessionListener only to a cluster that lists no listener. It is what hands received sessions to the manager: without it they are dropped.",
		Fix:    "Add ClusterSessionListener, or delete the other listener.",
		Bad:    inEngine(exampleCluster, `  <ClusterListener className="com.example.InvalidationListener"/>`, "</Cluster>"),
		Good:   inEngine(exampleCluster, `  <ClusterListener className="com.example.InvalidationListener"/>`, "  "+sessListenerTag, "</Cluster>"),
		Notes:  "Silent with BackupManager, which needs no listener, and for listeners that this version no longer has (T004). One step less sure with a foreign listener, which may be a subclass.",
		Source: "SimpleTcpCluster.checkDefaults.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			if len(c.Listeners) == 0 || !usesDelta(c.Cluster) {
				continue
			}
			version, declared := p.TomcatVersion(c.node)
			counts, lower := false, 0
			for _, l := range c.Listeners {
				simple := model.SimpleClass(l.Class.V)
				if simple == "ClusterSessionListener" {
					counts = false
					break
				}
				if r, removed := known.ListedRemoval(simple); removed && tomcatOwn(l.Class.V) && (!declared || lint.AtLeast(version, r.Since)) {
					continue
				}
				counts = true
				if isForeign(l.Class.V) {
					lower = 1
				}
			}
			if !counts {
				continue
			}
			f := lint.Finding{
				At: c.At.Head(), Subject: c.Cluster, Lower: lower,
				Message: "a ClusterListener is listed but not ClusterSessionListener; the default is gone, so DeltaManager never receives sessions; add it",
			}
			var e diag.Edit
			ok := false
			if el := elementOf(p.Tomcat[c.node], c.Listeners[len(c.Listeners)-1].At); el != nil {
				e, ok = xmlAfter(el, sessListenerTag)
			}
			f.Fixes = safeFix("add ClusterSessionListener", ok, e)
			p.Report(f)
		}
	},
}

// clusterValves are the classes of Tomcat that implement ClusterValve.
var clusterValves = map[string]bool{"ReplicationValve": true, "JvmRouteBinderValve": true, "ClusterSingleSignOn": true}

// listsOwnValves reports whether the cluster lists a cluster valve of Tomcat, so
// that the default valves are gone, and no foreign one, which might do their work.
func listsOwnValves(c *model.Cluster) bool {
	own := false
	for _, v := range c.Valves {
		if isForeign(v.Class.V) || unknown(v.Class.V) {
			return false
		}
		own = own || clusterValves[model.SimpleClass(v.Class.V)]
	}
	return own
}

// hasValve reports whether the valve stands in the cluster, or in a container
// that the cluster serves, where it finds the cluster too.
func hasValve(c placedCluster, simple string) bool {
	among := func(list []*model.Component) bool {
		for _, v := range list {
			if isClass(v.Class.V, simple) {
				return true
			}
		}
		return false
	}
	if among(c.Valves) || c.host == nil && among(c.engine.Valves) {
		return true
	}
	for _, h := range c.hosts() {
		if among(h.Valves) {
			return true
		}
		for _, x := range h.Contexts {
			if among(x.Valves) {
				return true
			}
		}
	}
	return false
}

// moveBehind moves an element behind another one: two edits of one file.
func moveBehind(e, other *tomcat.Element) ([]diag.Edit, bool) {
	whole, ok := wholeElement(e)
	if !ok || other == nil || other.Tag.File != e.Tag.File {
		return nil, false
	}
	gone, ok1 := removeElement(e)
	there, ok2 := xmlAfter(other, whole.Text())
	return []diag.Edit{gone, there}, ok1 && ok2
}
