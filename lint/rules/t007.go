package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/tomcat"
)

var elementMisplaced = &lint.Rule{
	ID: "T007", Name: "element-misplaced", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "An element that Tomcat knows stands where its digester does not look for it.",
		Why:  "Tomcat logs \"No rules found matching\" and starts without the element: no cluster, no manager, no valve.",
		Fix:  "Move it into one of the elements that the message names.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Host name="localhost" appBase="webapps"><Context path="/app" docBase="app">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
  </Context></Host>
</Engine></Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Host name="localhost" appBase="webapps">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
    <Context path="/app" docBase="app"/>
  </Host>
</Engine></Service></Server>`,
		Notes:  "One finding for an element with all that is in it. Silent below elements of somebody else's class, in files that are not well-formed, and in templates.",
		Source: "The rule sets in org.apache.catalina.startup and org.apache.catalina.ha; Cluster reference. Tried with Tomcat 10.1.60: a warning, and it starts without.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range configs(p) {
			c.misfits(func(parent, e *tomcat.Element, versions known.Tomcat) {
				if versions != 0 || known.Containers(e.Name) == nil && e.Name != "Server" {
					return // T002
				}
				right := "the root of server.xml"
				if list := known.Containers(e.Name); list != nil {
					right = "<" + strings.Join(list, ">, <") + ">"
					if i := strings.LastIndex(right, ", "); i >= 0 {
						right = right[:i] + " or " + right[i+2:]
					}
				}
				p.Report(lint.Finding{At: e.Tag.Head(), Subject: e,
					Message: fmt.Sprintf("`<%s>` inside `<%s>` is ignored by Tomcat; it belongs into %s", e.Name, parent.Name, right)})
			})
		}
	},
}
