package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// deployedNode is a Tomcat whose applications are the Context elements alone.
func deployedNode(contexts string) string {
	return `-- s1/server.xml --
<Server port="-1"><Service name="Catalina">
  <Connector port="8080" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost">
    <Host name="localhost" appBase="webapps" deployOnStartup="false" autoDeploy="false">
      ` + contexts + `
    </Host>
  </Engine>
</Service></Server>
`
}

var contextNotDeployed = &lint.Rule{
	ID: "X701", Name: "context-not-deployed", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Mapping, Versions: everyBoth,
	Doc: lint.Doc{
		What:   "httpd sends a path to an application that the Tomcat behind it does not have.",
		Why:    "Every request gets 404 from Tomcat, or from the wrong application.",
		Fix:    "Deploy the application on the node, or write the path of one that is there.",
		Bad:    "-- httpd.conf --\nProxyPass \"/shop\" \"http://10.0.0.11:8080/shop\"\n" + deployedNode(`<Context path="/app" docBase="app"/>`),
		Good:   "-- httpd.conf --\nProxyPass \"/shop\" \"http://10.0.0.11:8080/shop\"\n" + deployedNode(`<Context path="/shop" docBase="shop"/>`),
		Notes:  "Only when the applications of the node are known: Context elements with deployOnStartup and autoDeploy off, or, less sure, the applications of a webapps folder in the setup. The root application takes every path.",
		Source: "Tomcat host reference, autoDeploy and deployOnStartup; Mapper.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		apps := map[*model.Node]*nodeApps{}
		said := map[*model.Mapping]bool{}
		uses := usesOf(p)
		for i := range uses {
			u := &uses[i]
			if u.mapping == nil || !u.sure || said[u.mapping] {
				continue
			}
			for j := range u.links {
				l := &u.links[j]
				d := apps[l.Node]
				if d == nil {
					d = deployedOn(p, l.Node)
					apps[l.Node] = d
				}
				if path := u.on(l); path != "" && d.known && !d.has(path) {
					said[u.mapping] = true
					reportNotDeployed(p, u, l, path, d)
					break
				}
			}
		}
	},
}

func reportNotDeployed(p *lint.Pass, u *use, l *model.Link, path string, d *nodeApps) {
	f := lint.Finding{
		At: u.at.Head(), Subject: u.mapping, Lower: d.lower,
		Message: fmt.Sprintf("`%s` sends requests to context %s, but %s has no such application (%s); deploy it or fix the path", u.describe(), path, l.Node.Name.V, d.list()),
		Related: []diag.Related{lint.Related(d.at, "the applications of "+l.Node.Name.V)},
	}
	if l.By.Confidence() < diag.Certain {
		f.Lower++
	}
	p.Report(f)
}

// nodeApps is what a node is known to run.
type nodeApps struct {
	known bool
	lower int
	paths []string
	at    diag.Span
}

// has reports whether an application answers below the path, or could.
func (d *nodeApps) has(path string) bool {
	for _, c := range d.paths {
		if c == "" || covers(c, path) || covers(path, c) {
			return true
		}
	}
	return false
}

func (d *nodeApps) list() string {
	if len(d.paths) == 0 {
		return "none at all"
	}
	return strings.Join(d.paths, ", ")
}

// deployedOn finds out which applications the node has. They are known when each
// host deploys nothing by itself, or when its webapps folder is in the setup.
func deployedOn(p *lint.Pass, n *model.Node) *nodeApps {
	d := &nodeApps{known: true, at: n.At.Head()}
	hosts := 0
	for _, s := range n.Services {
		if s.Engine == nil {
			continue
		}
		for _, h := range s.Engine.Hosts {
			if hosts++; hosts == 1 {
				d.at = h.At.Head()
			}
			if !deploysNothing(h) {
				if len(s.Engine.Hosts) > 1 || !webappsSeen(p, n, h) {
					d.known = false
				}
				d.lower = 1
			}
			for _, x := range h.Extras {
				if model.SimpleClass(x.Class.V) == "HostConfig" || x.Element.V == "Listener" {
					d.known = false // deploys by other means
				}
			}
			for _, c := range h.Contexts {
				if unknown(c.Path.V) {
					d.known = false
				}
				d.paths = append(d.paths, contextPath(c))
			}
		}
	}
	d.known = d.known && hosts > 0
	return d
}

func deploysNothing(h *model.Host) bool {
	start := extraAttr(h.Extra, "deployOnStartup")
	return !h.AutoDeploy.V && start != nil && strings.EqualFold(start.Value.V, "false")
}

// webappsSeen reports whether files of applications in the host's own folder of
// the node are part of the setup.
func webappsSeen(p *lint.Pass, n *model.Node, h *model.Host) bool {
	base := "/" + n.Name.V + "/" + strings.Trim(h.AppBase.V, "/") + "/"
	for _, d := range p.Docs {
		name := "/" + strings.ReplaceAll(d.File.Name, `\`, "/")
		if k := d.Kind(); (k == tomcat.WebXML || k == tomcat.Context) && strings.Contains(name, base) {
			return true
		}
	}
	return false
}
