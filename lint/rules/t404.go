package rules

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var contextManagerOverridesCluster = &lint.Rule{
	ID: "T404", Name: "context-manager-overrides-cluster", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "A context has a Manager of its own that is no cluster manager, on a server with a Cluster.",
		Why:  "The Manager of a context takes the place of the one that the Cluster would make. Sessions of the application stay on their node; one warning at its start says that the manager was not added to the cluster.",
		Fix:  "Delete the Manager, or give it the class org.apache.catalina.ha.session.DeltaManager.",
		Bad: "-- server.xml --\n" + inEngine(exampleCluster+"</Cluster>", exampleHost) +
			"\n-- context.xml --\n<Context>\n  <Manager pathname=\"\"/>\n</Context>\n",
		Good: "-- server.xml --\n" + inEngine(exampleCluster+"</Cluster>", exampleHost) +
			"\n-- context.xml --\n<Context>\n  <Manager className=\"org.apache.catalina.ha.session.DeltaManager\"/>\n</Context>\n",
		Notes:  "A Manager without className is StandardManager. Silent for PersistentManager with a Store and for the applications that come with Tomcat; foreign managers, which may keep sessions elsewhere, are info.",
		Source: "Cluster manager reference, on overriding the manager in a context; StandardContext.startInternal. Tried with Tomcat 10.1.60.",
	},
	Check: func(p *lint.Pass) {
		type found struct {
			manager *model.Manager
			cluster *model.Cluster
			apps    []string
		}
		var order []diag.Span
		all := map[diag.Span]*found{}
		eachContext(p, func(n *model.Node, e *model.Engine, h *model.Host, x *model.Context) {
			c := clusterFor(e, h)
			if c == nil || !isTcpCluster(c) || x.Manager == nil || !x.Manager.At.IsValid() || ofManagerApp(x) || keepsSessions(x.Manager) == replicates {
				return
			}
			at := x.Manager.At
			if all[at] == nil {
				all[at] = &found{manager: x.Manager, cluster: c}
				order = append(order, at)
			}
			if app := "/" + strings.TrimPrefix(x.Path.V, "/"); !contains(stringsOf(all[at].apps), app) {
				all[at].apps = append(all[at].apps, app)
			}
		})
		for _, at := range order {
			reportManager(p, all[at].manager, all[at].cluster, all[at].apps)
		}
	},
}

func reportManager(p *lint.Pass, m *model.Manager, c *model.Cluster, apps []string) {
	f := lint.Finding{
		At: m.At.Head(), Subject: m,
		Related: []diag.Related{lint.Related(c.At.Head(), "the Cluster")},
	}
	switch keepsSessions(m) {
	case elsewhere:
		return
	case perhaps:
		f.Severity = diag.Info
	}
	class := m.Class.V
	if class == "" {
		class = "org.apache.catalina.session.StandardManager"
	}
	whose := strings.Join(apps, ", ")
	if isNodeContext(m.At.File.Name) {
		whose = "every application"
	}
	f.Message = fmt.Sprintf("this Manager (%s) replaces the manager of the Cluster (%s) for %s: their sessions are not replicated; delete it, or write className=\"org.apache.catalina.ha.session.DeltaManager\"", class, c.At.Short(), whose)
	p.Report(f)
}

// ofManagerApp reports whether a context is that of Tomcat's manager or
// host-manager, whose own context.xml has a Manager.
func ofManagerApp(x *model.Context) bool {
	return bundledPath(x.Path.V) || strings.Contains(x.Manager.AttrClassFilter.V, "CsrfPreventionFilter")
}

// isNodeContext reports whether a file is the context.xml of a whole node or host.
func isNodeContext(name string) bool {
	name = filepath.ToSlash(name)
	base := path.Base(name)
	return (base == "context.xml" || base == "context.xml.default") && path.Base(path.Dir(name)) != "META-INF"
}

// keeping is where a manager keeps sessions.
type keeping uint8

const (
	local      keeping = iota // on its node
	replicates                // in the cluster, or nobody can tell
	elsewhere                 // in a store
	perhaps                   // a foreign class
)

// keepsSessions says where the manager of a context keeps sessions.
func keepsSessions(m *model.Manager) keeping {
	class := m.Class.V
	switch {
	case class == "" || !m.Class.IsWritten():
		return local
	case unknown(class) || !strings.Contains(class, "."):
		return replicates
	case !tomcatOwn(class):
		return perhaps
	case !strings.HasPrefix(class, "org.apache.catalina.session."):
		return replicates // a cluster manager, or no class at all
	case model.SimpleClass(class) == "PersistentManager":
		for _, c := range m.Children {
			if c.Element.V == "Store" {
				return elsewhere
			}
		}
	}
	return local
}

func stringsOf(list []string) []model.String {
	var out []model.String
	for _, s := range list {
		out = append(out, model.String{V: s})
	}
	return out
}

// eachContext calls f for the contexts of all nodes.
func eachContext(p *lint.Pass, f func(*model.Node, *model.Engine, *model.Host, *model.Context)) {
	for _, n := range p.Setup.Nodes {
		for _, s := range n.Services {
			if s.Engine == nil {
				continue
			}
			for _, h := range s.Engine.Hosts {
				for _, x := range h.Contexts {
					f(n, s.Engine, h, x)
				}
			}
		}
	}
}

var clusterManagerWrongClass = &lint.Rule{
	ID: "T405", Name: "cluster-manager-wrong-class", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "The Manager inside the Cluster is one of Tomcat's managers for a single server.",
		Why:    "The cluster only takes a manager that implements ClusterManager. Tomcat gives up while it reads server.xml (\"argument type mismatch\") and does not start.",
		Fix:    "Use org.apache.catalina.ha.session.DeltaManager, or BackupManager on more than a few nodes.",
		Bad:    inEngine(exampleCluster, `  <Manager className="org.apache.catalina.session.StandardManager"/>`, "</Cluster>"),
		Good:   inEngine(exampleCluster, `  <Manager className="org.apache.catalina.ha.session.DeltaManager"/>`, "</Cluster>"),
		Notes:  "Only for classes of org.apache.catalina.session; nobody knows what foreign ones implement.",
		Source: "Cluster manager reference; SimpleTcpCluster.setManagerTemplate. Tried with Tomcat 10.1.60.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			m := c.Manager
			if m == nil || !m.Class.IsWritten() || !strings.HasPrefix(m.Class.V, "org.apache.catalina.session.") {
				continue
			}
			p.Report(lint.Finding{
				At: m.At.Head(), Subject: m,
				Message: fmt.Sprintf("%s is not a cluster manager, and Tomcat does not start with it here; use org.apache.catalina.ha.session.DeltaManager or BackupManager", m.Class.V),
			})
		}
	},
}

var sessionsExpireOnShutdown = &lint.Rule{
	ID: "T412", Name: "sessions-expire-on-shutdown", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "The DeltaManager has expireSessionsOnShutdown=\"true\".",
		Why:    "A node that is stopped ends its sessions, and says so to all others: everybody who was on it is logged out at each restart, which is what a cluster is to prevent.",
		Fix:    "Write false, the default.",
		Bad:    inEngine(exampleCluster, `  <Manager className="org.apache.catalina.ha.session.DeltaManager" expireSessionsOnShutdown="true"/>`, "</Cluster>"),
		Good:   inEngine(exampleCluster, `  <Manager className="org.apache.catalina.ha.session.DeltaManager" expireSessionsOnShutdown="false"/>`, "</Cluster>"),
		Notes:  "BackupManager has no such attribute. Some designs with single sign-off want it: ignore the finding there with that reason.",
		Source: "Cluster manager reference, expireSessionsOnShutdown; DeltaManager.stopInternal.",
	},
	Check: func(p *lint.Pass) {
		seen := map[diag.Span]bool{}
		for _, m := range clusterManagers(p) {
			at := m.ExpireOnShutdown.Span
			if !m.ExpireOnShutdown.V || !m.ExpireOnShutdown.IsWritten() || model.SimpleClass(m.Class.V) == "BackupManager" || seen[at] {
				continue
			}
			seen[at] = true
			f := lint.Finding{
				At: at, Subject: m,
				Message: `expireSessionsOnShutdown="true": stopping one node ends its sessions on all nodes; write false`,
			}
			value := valueOf(at)
			f.Fixes = safeFix("keep the sessions", strings.EqualFold(value.Text(), "true"), diag.Edit{Span: value, New: "false"})
			p.Report(f)
		}
	},
}

// clusterManagers returns the managers of clusters, and those of contexts that
// are cluster managers.
func clusterManagers(p *lint.Pass) []*model.Manager {
	var out []*model.Manager
	for _, c := range placedClusters(p) {
		if c.Manager != nil {
			out = append(out, c.Manager)
		}
	}
	eachContext(p, func(_ *model.Node, e *model.Engine, h *model.Host, x *model.Context) {
		if x.Manager != nil && clusterFor(e, h) != nil && strings.HasPrefix(x.Manager.Class.V, "org.apache.catalina.ha.") {
			out = append(out, x.Manager)
		}
	})
	return out
}
