package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/tomcat"
)

var unknownElement = &lint.Rule{
	ID: "T002", Name: "unknown-element", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "An element has a name that no rule of Tomcat's digester knows, or that its version does not know yet.",
		Why:  "Tomcat logs \"No rules found matching\" and starts without the element and all that is in it.",
		Fix:  "Correct the spelling; names differ by case too.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/>
  <Clustr className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
</Engine></Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/>
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6"/>
</Engine></Service></Server>`,
		Notes:  "One finding for an element with all that is in it. Silent below elements of somebody else's class, in files that are not well-formed, and in templates. A known element in a wrong place is T007.",
		Source: "The rule sets in org.apache.catalina.startup and org.apache.catalina.ha. Tried with Tomcat 10.1.60: a warning only, and no cluster.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range configs(p) {
			c.misfits(func(parent, e *tomcat.Element, versions known.Tomcat) {
				if versions != 0 || known.Containers(e.Name) == nil && e.Name != "Server" {
					p.Report(unknownElementFinding(&c, parent, e, versions))
				}
			})
		}
	},
}

// misfits calls f for each element that the digester has no rule for in that
// place: versions are those that accept it there.
func (c *config) misfits(f func(parent, e *tomcat.Element, versions known.Tomcat)) {
	if !c.sound {
		return
	}
	c.elements(func(e *tomcat.Element, _ []*known.ClassInfo) {
		if foreign(e) {
			return
		}
		accepted := childrenOf(e)
		for _, child := range e.Children {
			if v := accepted[child.Name]; v&c.bits == 0 {
				f(e, child, v)
			}
		}
	})
}

func unknownElementFinding(c *config, parent, e *tomcat.Element, versions known.Tomcat) lint.Finding {
	f := lint.Finding{At: e.Tag.Head(), Subject: e}
	if versions != 0 {
		first, _, _ := strings.Cut(versions.String(), ",")
		f.Message = fmt.Sprintf("`<%s>` inside `<%s>` is not known to Tomcat %s, which ignores it; it came with Tomcat %s", e.Name, parent.Name, c.version, first)
		return f
	}
	f.Message = fmt.Sprintf("`<%s>` is not known inside `<%s>` and is ignored by Tomcat, with all that is in it", e.Name, parent.Name)
	var here []string
	for child, v := range childrenOf(parent) {
		if v&c.bits != 0 {
			here = append(here, child)
		}
	}
	slices.Sort(here)
	near := oneOff(e.Name, here)
	if near != "" {
		edits := []diag.Edit{{Span: e.NameSpan, New: near}}
		if !e.SelfClosed && e.End.IsValid() && strings.HasPrefix(e.End.Text(), "</"+e.Name) {
			start := int(e.End.Start) + 2
			edits = append(edits, diag.Edit{Span: diag.At(e.End.File, start, start+len(e.Name)), New: near})
		}
		if e.SelfClosed || len(edits) == 2 {
			f.Fixes = []diag.Fix{{Message: "write <" + near + ">", Safe: true, Edits: edits}}
		}
	} else {
		near = diag.Suggest(e.Name, here)
	}
	if near != "" {
		f.Message += fmt.Sprintf("; did you mean `<%s>`?", near)
	}
	return f
}
