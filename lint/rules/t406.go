package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/tomcat"
)

var distributableMissing = &lint.Rule{
	ID: "T406", Name: "distributable-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	YieldsTo: []string{"X316"},
	Doc: lint.Doc{
		What: "The web.xml of an application has no <distributable/>, and the server has a Cluster.",
		Why:  "Tomcat gives a cluster manager only to applications that say they are distributable. The sessions of this one stay on their node, and no line in any log says so.",
		Fix:  "Add <distributable/> to WEB-INF/web.xml, after display-name and description; everything put into sessions must be Serializable.",
		Bad: "-- server.xml --\n" + inEngine(exampleCluster+"</Cluster>", exampleHost) +
			"\n-- app/WEB-INF/web.xml --\n<web-app version=\"6.0\">\n  <display-name>app</display-name>\n</web-app>\n",
		Good: "-- server.xml --\n" + inEngine(exampleCluster+"</Cluster>", exampleHost) +
			"\n-- app/WEB-INF/web.xml --\n<web-app version=\"6.0\">\n  <display-name>app</display-name>\n  <distributable/>\n</web-app>\n",
		Notes: "The element in conf/web.xml, or an attribute of Context, helps nothing and is no excuse. Silent for the applications that come with Tomcat, " +
			"and for one whose own Manager keeps sessions in a store. An application without web.xml in the set is not looked at.",
		Source: "Cluster how-to, the list of what is to be done; ContextConfig.webConfig. Tried with Tomcat 10.1.60: no message.",
	},
	Check: func(p *lint.Pass) {
		seen := map[*tomcat.Document]bool{}
		for _, a := range webApps(p) {
			if a.cluster == nil || a.distributable != nil || a.ownSessions() || seen[a.doc] {
				continue
			}
			seen[a.doc] = true
			f := lint.Finding{
				At: a.doc.Root.Tag.Head(), Subject: a.doc,
				Message: fmt.Sprintf("%s has no <distributable/> in web.xml: its sessions stay on one node although there is a Cluster (%s), and Tomcat says nothing; add it", a.title(), a.cluster.At.Short()),
				Related: []diag.Related{lint.Related(a.cluster.At.Head(), "the Cluster")},
			}
			e, ok := distributableEdit(a.doc.Root)
			f.Fixes = safeFix("add <distributable/>", ok, e)
			p.Report(f)
		}
	},
}

// distributableEdit inserts <distributable/> where the document types of all
// versions allow it: behind icon, display-name and description.
func distributableEdit(root *tomcat.Element) (diag.Edit, bool) {
	prefix := strings.TrimSuffix(root.Name, root.Local())
	text := "<" + prefix + "distributable/>"
	var last *tomcat.Element
	for _, c := range root.Children {
		switch c.Local() {
		case "icon", "display-name", "description", "module-name":
			last = c
			continue
		}
		break
	}
	switch {
	case last != nil:
		return xmlAfter(last, text)
	case len(root.Children) > 0:
		return xmlBefore(root.Children[0].Tag, text), root.Children[0].Tag.File == root.Tag.File
	case root.SelfClosed && strings.HasSuffix(root.Tag.Text(), "/>"):
		at := diag.At(root.Tag.File, int(root.Tag.End)-2, int(root.Tag.End))
		return diag.Edit{Span: at, New: ">" + text + "</" + root.Name + ">"}, true
	}
	at := diag.At(root.Tag.File, int(root.Tag.End), int(root.Tag.End))
	return diag.Edit{Span: at, New: eol(root.Tag.File) + indentOf(root.Tag.File, root.Tag.Start) + "  " + text}, true
}

var distributableWithoutCluster = &lint.Rule{
	ID: "T407", Name: "distributable-without-cluster", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "An application is distributable, and the server it runs on has no Cluster.",
		Why:  "Its sessions stay on their node. Tomcat says nothing about it.",
		Fix:  "Add a Cluster to the Engine or Host, or accept it.",
		Bad: "-- server.xml --\n" + inEngine(exampleHost) +
			"\n-- app/WEB-INF/web.xml --\n<web-app version=\"6.0\">\n  <distributable/>\n</web-app>\n",
		Good: "-- server.xml --\n" + inEngine(exampleCluster+"</Cluster>", exampleHost) +
			"\n-- app/WEB-INF/web.xml --\n<web-app version=\"6.0\">\n  <distributable/>\n</web-app>\n",
		Notes:  "Silent when a Manager of the application keeps sessions in a store.",
		Source: "Cluster how-to. Tried with Tomcat 10.1.60: no message.",
	},
	Check: func(p *lint.Pass) {
		seen := map[*tomcat.Document]bool{}
		for _, a := range webApps(p) {
			if a.cluster != nil || a.distributable == nil || a.ownSessions() || seen[a.doc] {
				continue
			}
			seen[a.doc] = true
			p.Report(lint.Finding{
				At: a.distributable.Tag, Subject: a.Context,
				Message: fmt.Sprintf("%s is distributable, but the server (%s) has no Cluster: its sessions stay on the node; add a Cluster, or accept it", a.title(), a.node.At.Short()),
				Related: []diag.Related{lint.Related(a.node.At.Head(), "the server")},
			})
		}
	},
}

var fragmentNotDistributable = &lint.Rule{
	ID: "T417", Name: "fragment-not-distributable", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	YieldsTo: []string{"T406"},
	Doc: lint.Doc{
		What: "A jar of a distributable application brings a web-fragment.xml without <distributable/>.",
		Why:  "An application is distributable only when all its fragments are. One such jar turns replication off for the whole application, and no line in any log says so.",
		Fix:  "Add <distributable/> to the fragment of the jar. Or leave the fragment out: an <absolute-ordering> without it, or metadata-complete=\"true\", in web.xml.",
		Bad: "-- server.xml --\n" + inEngine(exampleCluster+"</Cluster>", exampleHost) +
			"\n-- app/WEB-INF/web.xml --\n<web-app version=\"6.0\">\n  <distributable/>\n</web-app>\n" +
			"-- app/WEB-INF/lib/reports.jar/META-INF/web-fragment.xml --\n<web-fragment version=\"6.0\">\n  <name>reports</name>\n</web-fragment>\n",
		Good: "-- server.xml --\n" + inEngine(exampleCluster+"</Cluster>", exampleHost) +
			"\n-- app/WEB-INF/web.xml --\n<web-app version=\"6.0\">\n  <distributable/>\n</web-app>\n" +
			"-- app/WEB-INF/lib/reports.jar/META-INF/web-fragment.xml --\n<web-fragment version=\"6.0\">\n  <name>reports</name>\n  <distributable/>\n</web-fragment>\n",
		Notes: "The jars in WEB-INF/lib are opened when the application is in the set; the jars of Tomcat's own lib folder do not count. " +
			"Silent when web.xml leaves the fragment out, for jars that jarsToSkip in catalina.properties names, and for an application that is not distributable itself (T406).",
		Source: "Servlet specification, 8.2; WebXml.merge. Tried with Tomcat 10.1.60 and descriptors of versions 2.3 to 6.0.",
	},
	Check: func(p *lint.Pass) {
		fragments := fragmentsOf(p)
		if len(fragments) == 0 {
			return
		}
		seen := map[*tomcat.Document]bool{}
		for _, a := range webApps(p) {
			if a.cluster == nil || a.distributable == nil || a.ownSessions() {
				continue
			}
			for _, fr := range fragments[a.dir] {
				if seen[fr.doc] || child(fr.doc.Root, "distributable") != nil || !takesFragment(a.doc.Root, fr.doc.Root) || !scanned(p, a.node, fr.jar) {
					continue
				}
				seen[fr.doc] = true
				p.Report(lint.Finding{
					At: fr.doc.Root.Tag.Head(), Subject: a.doc,
					Message: fmt.Sprintf("%s has a web-fragment.xml without <distributable/>: that turns replication off for %s without a word, although its web.xml has it (%s); add it to the fragment, or leave the fragment out by <absolute-ordering> in web.xml", fr.jar, a.title(), a.distributable.Tag.Short()),
					Related: []diag.Related{lint.Related(a.distributable.Tag, "web.xml is distributable")},
				})
			}
		}
	},
}

// takesFragment reports whether a web.xml lets a fragment in.
func takesFragment(web, fragment *tomcat.Element) bool {
	if a := web.Attr("metadata-complete"); a != nil && strings.EqualFold(strings.TrimSpace(a.Value), "true") {
		return false
	}
	order := child(web, "absolute-ordering")
	if order == nil {
		return true
	}
	name := ""
	if n := child(fragment, "name"); n != nil {
		name = strings.TrimSpace(n.Text)
	}
	for _, c := range order.Children {
		if c.Local() == "others" || c.Local() == "name" && name != "" && strings.TrimSpace(c.Text) == name {
			return true
		}
	}
	return false
}
