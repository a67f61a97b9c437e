package rules

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var distributableDiffers = &lint.Rule{
	ID: "X316", Name: "distributable-differs", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "An application is distributable on one node of the cluster and not on another.",
		Why:  "The node without it keeps its sessions to itself, without a word, and drops what the others send: \"Context manager doesn't exist\" per message.",
		Fix:  "Deploy the same application everywhere, with <distributable/> in web.xml.",
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
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s1/webapps/app/WEB-INF/web.xml --
<web-app version="6.0">
  <display-name>app</display-name>
  <distributable/>
</web-app>
-- s2/webapps/app/WEB-INF/web.xml --
<web-app version="6.0">
  <display-name>app</display-name>
</web-app>`,
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
</Service></Server>
-- s1/webapps/app/WEB-INF/web.xml --
<web-app version="6.0">
  <display-name>app</display-name>
  <distributable/>
</web-app>
-- s2/webapps/app/WEB-INF/web.xml --
<web-app version="6.0">
  <display-name>app</display-name>
  <distributable/>
</web-app>`,
		Notes:  "Only for web.xml files of which each node has its own copy. That no copy has it is T406.",
		Source: "Cluster how-to; StandardContext.startInternal makes a cluster manager for distributable applications only. Tried with Tomcat 10.1.60.",
	},
	Check: checkDistributable,
}

func checkDistributable(p *lint.Pass) {
	apps := appCopies(p)
	if len(apps) == 0 {
		return
	}
	for _, g := range clusterGroups(p) {
		seen := map[string]bool{}
		for _, x := range g {
			for _, a := range apps[x.Node] {
				if !seen[a.name] {
					seen[a.name] = true
					compareCopies(p, g, apps, a.name)
				}
			}
		}
	}
}

// appCopy is one copy of an application.
type appCopy struct {
	name string // of its folder
	doc  *tomcat.Document
}

func compareCopies(p *lint.Pass, g []peer, apps map[*model.Node][]appCopy, name string) {
	var with *tomcat.Element
	var owner peer
	var without []peer
	var docs []*tomcat.Document
	for _, x := range g {
		for _, a := range apps[x.Node] {
			if a.name != name {
				continue
			}
			if e := distributable(a.doc); e == nil {
				without, docs = append(without, x), append(docs, a.doc)
			} else if with == nil {
				with, owner = e, x
			}
		}
	}
	if with == nil {
		return
	}
	for i, x := range without {
		root := docs[i].Root
		reportPeer(p, x, owner, lint.Finding{
			At: root.Tag.Head(), Subject: docs[i],
			Message: fmt.Sprintf("%s is distributable on %s (%s) but not on %s: its sessions stay on that node; add <distributable/>", name, owner.Name.V, with.Tag.Short(), x.Name.V),
			Related: []diag.Related{lint.Related(with.Tag.Head(), "the copy of "+owner.Name.V)},
			Fixes:   distributableFix(root),
		})
	}
}

func distributable(doc *tomcat.Document) *tomcat.Element {
	for _, e := range doc.Root.Children {
		if e.Local() == "distributable" {
			return e
		}
	}
	return nil
}

// distributableFix inserts the element where the schemas of all versions allow it:
// behind icon, display-name and description.
func distributableFix(root *tomcat.Element) []diag.Fix {
	after, indent := root.Tag, indentOf(root.Tag.File, root.Tag.Start)+"  "
	for _, e := range root.Children {
		if name := e.Local(); name != "icon" && name != "display-name" && name != "description" {
			break
		}
		after, indent = e.Tag, indentOf(e.Tag.File, e.Tag.Start)
		if e.End.IsValid() {
			after = e.End
		} else if !e.SelfClosed {
			return nil
		}
	}
	if root.SelfClosed || after.File != root.Tag.File {
		return nil
	}
	name := strings.TrimSuffix(root.Name, "web-app") + "distributable"
	end := int(after.End)
	return []diag.Fix{{Message: "add <distributable/>", Safe: true, Edits: []diag.Edit{
		{Span: diag.At(after.File, end, end), New: eol(after.File) + indent + "<" + name + "/>"},
	}}}
}

// appCopies returns the applications of which a node has a copy of its own: their
// folder lies in that of the node, or in one with the node's name.
func appCopies(p *lint.Pass) map[*model.Node][]appCopy {
	out := map[*model.Node][]appCopy{}
	for _, doc := range p.Docs {
		dir, file, ok := strings.Cut(filepath.ToSlash(doc.File.Name), "/WEB-INF/")
		if !ok || file != "web.xml" || doc.Kind() != tomcat.WebXML || p.Broken[doc.File] {
			continue
		}
		for _, n := range p.Setup.Nodes {
			if ownsFolder(n, dir) {
				out[n] = append(out[n], appCopy{path.Base(dir), doc})
			}
		}
	}
	return out
}

// ownsFolder reports whether the folder of an application is the node's alone.
func ownsFolder(n *model.Node, dir string) bool {
	parts := strings.Split(dir, "/")
	for _, part := range parts[:len(parts)-1] {
		if part == n.Name.V {
			return true
		}
	}
	if !n.At.IsValid() {
		return false
	}
	home := path.Dir(filepath.ToSlash(n.At.File.Name))
	if path.Base(home) == "conf" {
		home = path.Dir(home)
	}
	return home != "." && strings.HasPrefix(dir, home+"/")
}
