package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse"
	"clowder/parse/diag"
)

var jvmRoutePropertyIgnored = &lint.Rule{
	ID: "T609", Name: "jvmroute-property-ignored", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Sticky,
	Versions: lint.Versions{Tomcat: lint.Range{From: "10.1"}, Text: "Tomcat 10.1 11"},
	Doc: lint.Doc{
		What: "A start script sets -DjvmRoute, and the Engine has no jvmRoute.",
		Why:  "Tomcat reads the system property no longer since 10.1. Session IDs carry no route, and the balancer sends each request where it likes.",
		Fix:  "Write jvmRoute on the Engine, as a word or as ${jvmRoute}, which still takes it from the script.",
		Bad: `-- server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine>
</Service></Server>
-- bin/setenv.sh --
CATALINA_OPTS="$CATALINA_OPTS -DjvmRoute=s1"`,
		Good: `-- server.xml --
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="${jvmRoute}"><Host name="localhost" appBase="webapps"/></Engine>
</Service></Server>
-- bin/setenv.sh --
CATALINA_OPTS="$CATALINA_OPTS -DjvmRoute=s1"`,
		Notes:  "Read are setenv.sh, setenv.bat, units and files of variables that set CATALINA_OPTS or JAVA_OPTS. Up to Tomcat 10.0 the property is the jvmRoute of the node for all rules. Without a declared version a warning.",
		Source: "Changelog of Tomcat 10.1; StandardEngine of the release branches. Tried with Tomcat 10.1.60: session IDs have no suffix.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			e := n.Engine()
			version, declared := p.TomcatVersion(n)
			if e == nil || e.JVMRoute.V != "" || !lint.AtLeast(version, "10.1") {
				continue
			}
			d, ok := lastOption(p.Options[n], "jvmRoute")
			if !ok || d.Value == "" {
				continue
			}
			f := lint.Finding{
				At: d.Span, Subject: n,
				Message: fmt.Sprintf("-DjvmRoute=%s is no longer read since Tomcat 10.1; put jvmRoute=\"%s\" (or \"${jvmRoute}\") on the Engine (%s)", plainValue(d.Value), plainValue(d.Value), e.At.Short()),
				Related: []diag.Related{lint.Related(e.At.Head(), "the Engine without jvmRoute")},
			}
			if !declared {
				lint.Undeclared(&f, "Tomcat")
			}
			p.Report(f)
		}
	},
}

// lastOption returns the option that counts when one stands several times.
func lastOption(list []parse.Define, name string) (parse.Define, bool) {
	for _, d := range slices.Backward(list) {
		if d.Name == name {
			return d, true
		}
	}
	return parse.Define{}, false
}

// plainValue writes a value that a script makes at its start as a name.
func plainValue(v string) string {
	if unknown(v) {
		return strings.NewReplacer("${", "", "}", "").Replace(v)
	}
	return v
}
