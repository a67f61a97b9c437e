package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/model"
)

var valveIgnoredInCluster = &lint.Rule{
	ID: "T413", Name: "valve-ignored-in-cluster", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "A Valve inside the Cluster is not a cluster valve.",
		Why:    "The Cluster keeps valves that implement ClusterValve and drops all others without a word: no access log, no client address from the proxy, no protection.",
		Fix:    "Move it to the Engine or Host that the Cluster stands in.",
		Bad:    inEngine(exampleCluster, `  <Valve className="org.apache.catalina.valves.RemoteIpValve"/>`, "</Cluster>"),
		Good:   inEngine(exampleCluster+"</Cluster>", `<Valve className="org.apache.catalina.valves.RemoteIpValve"/>`),
		Notes:  "Only for valves of Tomcat that are known not to be cluster valves.",
		Source: "SimpleTcpCluster.addValve. Tried with Tomcat 10.1.60: no message, and the default cluster valves stay.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range placedClusters(p) {
			for _, v := range c.Valves {
				if !plainValve(v.Class.V) {
					continue
				}
				where := "Engine"
				if c.host != nil {
					where = "Host"
				}
				f := lint.Finding{
					At: v.At.Head(), Subject: v,
					Message: fmt.Sprintf("%s is not a cluster valve and is dropped from the Cluster without a word; put it into the %s", model.SimpleClass(v.Class.V), where),
				}
				doc := p.Tomcat[c.node]
				if el := elementOf(doc, v.At); el != nil {
					edits, ok := moveBehind(el, elementOf(doc, c.At))
					f.Fixes = safeFix("move it behind the Cluster", ok, edits...)
				}
				p.Report(f)
			}
		}
	},
}

// plainValves are valves of Tomcat that its manual has no section about.
var plainValves = map[string]bool{
	"JDBCAccessLogValve": true, "SSLValve": true, "PersistentValve": true, "FormAuthenticator": true, "BasicAuthenticator": true,
	"DigestAuthenticator": true, "NonLoginAuthenticator": true, "SSLAuthenticator": true, "SpnegoAuthenticator": true, "RewriteValve": true,
}

// plainValve reports whether a class is a valve of Tomcat that is no cluster valve.
func plainValve(class string) bool {
	simple := model.SimpleClass(class)
	if !strings.HasPrefix(class, "org.apache.catalina.valves.") && !strings.HasPrefix(class, "org.apache.catalina.authenticator.") {
		return false
	}
	if plainValves[simple] {
		return true
	}
	for _, e := range known.Elements(class) {
		if e.Name == "Valve" && e.Class == class {
			return true
		}
	}
	return false
}

var clusterSSONeedsHost = &lint.Rule{
	ID: "T414", Name: "cluster-sso-needs-host", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "ClusterSingleSignOn stands where it finds no Cluster: in the Engine, in a Context, or in a Host that has none.",
		Why:  "The valve asks the Host that it stands in for the Cluster, and only a Host. Elsewhere it finds none and stops the start: \"There is no Cluster for ClusterSingleSignOn\".",
		Fix:  "Put both the Cluster and the valve into the Host.",
		Bad: inEngine(exampleCluster+"</Cluster>",
			`<Valve className="org.apache.catalina.ha.authenticator.ClusterSingleSignOn"/>`, exampleHost),
		Good: inEngine(`<Host name="localhost" appBase="webapps">`, "  "+exampleCluster+"</Cluster>",
			`  <Valve className="org.apache.catalina.ha.authenticator.ClusterSingleSignOn"/>`, "</Host>"),
		Notes: "A Host below an Engine with a Cluster inherits it, and Tomcat starts: not reported, though the manual asks for a Cluster in the Host. So it is with the valve inside the Cluster element.",
		Source: "Cluster valve reference, ClusterSingleSignOn; ClusterSingleSignOn.startInternal. All places were tried with Tomcat 10.1.60: " +
			"it does not start with the valve in the Engine, or in a Host without any Cluster.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			for _, s := range n.Services {
				if s.Engine != nil {
					checkClusterSSO(p, s.Engine)
				}
			}
		}
	},
}

func checkClusterSSO(p *lint.Pass, e *model.Engine) {
	check := func(valves []*model.Component, where, then string, c *model.Cluster) {
		for _, v := range valves {
			if !isClass(v.Class.V, "ClusterSingleSignOn") {
				continue
			}
			f := lint.Finding{
				At: v.At.Head(), Subject: v,
				Message: "ClusterSingleSignOn works only in a Host with a Cluster; here it stands in " + where + " and " + then + "; put both into the Host",
			}
			if c != nil {
				f.Related = []diag.Related{lint.Related(c.At.Head(), "the Cluster")}
			}
			p.Report(f)
		}
	}
	check(e.Valves, "the Engine", "Tomcat does not start", anyCluster(e))
	for _, h := range e.Hosts {
		c := clusterFor(e, h)
		if c == nil {
			check(h.Valves, "a Host without Cluster", "Tomcat does not start", nil)
		}
		for _, x := range h.Contexts {
			check(x.Valves, "a Context", "the application does not start", c)
		}
	}
}

// anyCluster returns the cluster of the engine, else of one of its hosts, or nil.
func anyCluster(e *model.Engine) *model.Cluster {
	if e.Cluster != nil {
		return e.Cluster
	}
	for _, h := range e.Hosts {
		if h.Cluster != nil {
			return h.Cluster
		}
	}
	return nil
}

var ssoNotReplicated = &lint.Rule{
	ID: "T415", Name: "sso-not-replicated", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "SingleSignOn is used on a server with a Cluster.",
		Why:  "It keeps its sign-ons in the memory of one node. After a failover the sessions are there, and people are asked to log in again.",
		Fix:  "Use org.apache.catalina.ha.authenticator.ClusterSingleSignOn, with the Cluster in the same Host.",
		Bad: inEngine(exampleCluster+"</Cluster>", `<Host name="localhost" appBase="webapps">`,
			`  <Valve className="org.apache.catalina.authenticator.SingleSignOn"/>`, "</Host>"),
		Good: inEngine(`<Host name="localhost" appBase="webapps">`, "  "+exampleCluster+"</Cluster>",
			`  <Valve className="org.apache.catalina.ha.authenticator.ClusterSingleSignOn"/>`, "</Host>"),
		Notes:  "Silent without a Cluster, and for a valve inside the Cluster, which is dropped there (T413).",
		Source: "Host reference, Single Sign On; Cluster valve reference, ClusterSingleSignOn.",
	},
	Check: func(p *lint.Pass) {
		check := func(valves []*model.Component, c *model.Cluster) {
			for _, v := range valves {
				if c == nil || !isTcpCluster(c) || !isClass(v.Class.V, "SingleSignOn") {
					continue
				}
				p.Report(lint.Finding{
					At: v.At.Head(), Subject: v,
					Message: "SingleSignOn is local to this node, while there is a Cluster (" + c.At.Short() + "); use ClusterSingleSignOn in a Host with the Cluster",
					Related: []diag.Related{lint.Related(c.At.Head(), "the Cluster")},
				})
			}
		}
		for _, n := range p.Setup.Nodes {
			for _, s := range n.Services {
				if s.Engine == nil {
					continue
				}
				check(s.Engine.Valves, anyCluster(s.Engine))
				for _, h := range s.Engine.Hosts {
					check(h.Valves, clusterFor(s.Engine, h))
				}
			}
		}
	},
}

var farmDeployerInEngine = &lint.Rule{
	ID: "T416", Name: "farm-deployer-in-engine", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "A FarmWarDeployer stands in a Cluster of the Engine.",
		Why:  "It only works in the Cluster of a Host. Here it logs \"FarmWarDeployer can only work as host cluster subelement!\" and deploys nothing, while Tomcat starts.",
		Fix:  "Move the Cluster into the Host, or delete the Deployer.",
		Bad:  inEngine(exampleCluster, "  "+exampleDeployer, "</Cluster>", exampleHost),
		Good: inEngine(`<Host name="localhost" appBase="webapps">`, "  "+exampleCluster, "    "+exampleDeployer, "  </Cluster>", "</Host>"),
		Notes: "Info when no node of the setup watches a folder (watchEnabled is false when left out), since it has nothing to do then; " +
			"the sample of the cluster how-to looks like that.",
		Source: "FarmWarDeployer.start. Tried with Tomcat 10.1.60: an error in the log, and the start goes on.",
	},
	Check: func(p *lint.Pass) {
		watched := false
		var found []placedCluster
		for _, c := range placedClusters(p) {
			if c.Deployer == nil || !isClass(c.Deployer.Class.V, "FarmWarDeployer") {
				continue
			}
			if a := c.Deployer.Attribute("watchEnabled"); a != nil && (strings.EqualFold(a.Value.V, "true") || unknown(a.Value.V)) {
				watched = true
			}
			if c.host == nil {
				found = append(found, c)
			}
		}
		for _, c := range found {
			f := lint.Finding{
				At: c.Deployer.At.Head(), Subject: c.Deployer,
				Message: "FarmWarDeployer works only in a Cluster inside Host; in the Engine's it does nothing; move the Cluster into the Host, or delete the Deployer",
			}
			if !watched {
				f.Severity = diag.Info
			}
			p.Report(f)
		}
	},
}

const exampleDeployer = `<Deployer className="org.apache.catalina.ha.deploy.FarmWarDeployer" tempDir="/var/tmp/war" deployDir="/opt/webapps" watchDir="/opt/new" watchEnabled="true"/>`
