package rules

import (
	"fmt"
	"strings"
	"sync"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var classUnknown = &lint.Rule{
	ID: "T005", Name: "class-unknown", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "A className or protocol names a class in one of Tomcat's own packages that Tomcat does not have, or that is newer than the declared version.",
		Why:  "The digester cannot make the object, and the server or the application does not start.",
		Fix:  "Correct the name; it is case-sensitive.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTCPCluster" channelSendOptions="6"/>
</Engine></Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
</Engine></Service></Server>`,
		Notes: "Only names below org.apache.catalina, org.apache.coyote, org.apache.naming and org.apache.tomcat. A class that is gone is T004. Likely only, when no class of Tomcat has a name like it: it may be somebody's own in Tomcat's package. " +
			"Silent for a Listener with optional=\"true\", and without a declared version for classes that some version has.",
		Source: "The classes of each branch. Tried with Tomcat 10.1.60: an unknown class stops the start.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range configs(p) {
			c.elements(func(e *tomcat.Element, _ []*known.ClassInfo) {
				name := "className"
				if e.Name == "Connector" {
					name = "protocol"
				}
				if a := e.Attr(name); a != nil && !optionalListener(e) {
					c.class(p, e, a)
				}
			})
		}
	},
}

func optionalListener(e *tomcat.Element) bool {
	a := e.Attr("optional")
	return e.Name == "Listener" && a != nil && a.Value == "true"
}

// movedPackages are packages of Tomcat 5.5 and where their classes went.
var movedPackages = map[string]string{
	"org.apache.catalina.cluster.":          "org.apache.catalina.ha or org.apache.catalina.tribes",
	"org.apache.catalina.cluster.tcp.":      "org.apache.catalina.ha.tcp",
	"org.apache.catalina.cluster.session.":  "org.apache.catalina.ha.session",
	"org.apache.catalina.cluster.deploy.":   "org.apache.catalina.ha.deploy",
	"org.apache.catalina.cluster.mcast.":    "org.apache.catalina.tribes.membership",
	"org.apache.catalina.cluster.io.":       "org.apache.catalina.tribes.io",
	"org.apache.catalina.cluster.util.":     "org.apache.catalina.tribes.util",
	"org.apache.catalina.cluster.context.":  "org.apache.catalina.ha.context",
	"org.apache.catalina.cluster.authentic": "org.apache.catalina.ha.authenticator",
}

func (c *config) class(p *lint.Pass, e *tomcat.Element, a *tomcat.Attr) {
	name := strings.TrimSpace(a.Value)
	outer, _, _ := strings.Cut(name, "$")
	if !tomcatOwn(name) || unknown(name) {
		return
	}
	f := lint.Finding{At: a.Span, Subject: a}
	if info, ok := known.Class(outer); ok {
		if info.Versions&c.bits != 0 || info.Versions < c.bits {
			return // there, or gone: T004
		}
		first, _, _ := strings.Cut(info.Versions.String(), ",")
		f.Message = fmt.Sprintf("no class `%s` in Tomcat %s: it came with %s", name, c.version, first)
		p.Report(f)
		return
	}
	if _, gone := known.ListedRemoval(model.SimpleClass(name)); gone {
		return // T004
	}
	f.Message = fmt.Sprintf("no class `%s` in Tomcat", name)
	if c.declared {
		f.Message += " " + c.version
	}
	simple := model.SimpleClass(name)
	near, sure := nearClass(name, c.bits)
	switch moved := movedPackages[name[:len(name)-len(simple)]]; {
	case near != "":
		f.Message += fmt.Sprintf("; did you mean `%s`?", near)
	case moved != "":
		f.Message += "; since Tomcat 6 the package is " + moved
	case strings.HasPrefix(name, "org.apache.catalina.cluster."):
		f.Message += "; since Tomcat 6 the packages are " + movedPackages["org.apache.catalina.cluster."]
	default:
		f.Lower = 1
		f.Message += ", unless it is your own; a class that cannot be loaded stops the start"
	}
	if sure && a.ValueSpan.Text() == a.Value {
		f.Fixes = []diag.Fix{{Message: "write " + near, Safe: true, Edits: []diag.Edit{{Span: a.ValueSpan, New: near}}}}
	}
	p.Report(f)
}

// classesBySimple finds classes by their simple name in small letters.
var classesBySimple = sync.OnceValue(func() map[string][]string {
	m := map[string][]string{}
	for _, n := range known.Classes() {
		s := strings.ToLower(model.SimpleClass(n))
		m[s] = append(m[s], n)
	}
	return m
})

// nearClass returns the class of the versions that the name most likely means: one
// with the same simple name in another package, or one that is spelled nearly so.
// sure is true for a difference of case or of one letter.
func nearClass(name string, bits known.Tomcat) (near string, sure bool) {
	var here []string
	for _, n := range known.Classes() {
		if info, _ := known.Class(n); info.Versions&bits != 0 {
			here = append(here, n)
		}
	}
	if n := oneOff(name, here); n != "" {
		return n, true
	}
	var same []string
	for _, n := range classesBySimple()[strings.ToLower(model.SimpleClass(name))] {
		if info, _ := known.Class(n); info.Versions&bits != 0 {
			same = append(same, n)
		}
	}
	if len(same) == 1 {
		return same[0], false
	}
	return diag.Suggest(name, here), false
}
