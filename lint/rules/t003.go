package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/known"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var unknownAttribute = &lint.Rule{
	ID: "T003", Name: "unknown-attribute", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "An element has an attribute that its class has no setter for.",
		Why:  "Tomcat logs \"failed to set property\" and goes on with the default: a port or an address written this way is not used.",
		Fix:  "Write the attribute's name of this version, or take the attribute out.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6">
    <Channel className="org.apache.catalina.tribes.group.GroupChannel">
      <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" tcpListenPort="4001"/>
    </Channel>
  </Cluster>
</Engine></Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost">
  <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster" channelSendOptions="6">
    <Channel className="org.apache.catalina.tribes.group.GroupChannel">
      <Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="10.0.0.11" port="4001"/>
    </Channel>
  </Cluster>
</Engine></Service></Server>`,
		Notes: "A connector has the attributes of its protocol handlers and endpoints. Names of Tomcat 5.5 for the cluster (tcpListenPort, mcastAddr, …) still work in Tomcat 7. " +
			"Silent for somebody else's classes, resources (which take any attribute), name space declarations, and without a declared version for attributes that some version has, except these old names. One step less sure when the release may be older than the table's.",
		Source: "The setters of the classes of each branch, as SetPropertiesRule and IntrospectionUtils look for them. Tried with Tomcat 10.1.60: a warning; tcpListenPort=\"4001\" leaves the receiver on 4000.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range configs(p) {
			c.elements(func(e *tomcat.Element, classes []*known.ClassInfo) {
				if len(classes) == 0 {
					return
				}
				seen := map[string]bool{}
				for i := range e.Attrs {
					a := &e.Attrs[i]
					if _, versions, skip := c.property(e, classes, a.Name); !skip && !seen[a.Name] {
						c.attribute(p, e, classes, a, versions)
					}
					seen[a.Name] = true
				}
			})
		}
	},
}

// oldAttributes are names of Tomcat 5.5 that Tomcat 7 was the last to take.
var oldAttributes = map[string]string{
	"mcastAddr": "address", "mcastPort": "port", "mcastFrequency": "frequency", "mcastDropTime": "dropTime",
	"mcastBindAddress": "bind", "mcastTTL": "ttl", "mcastSoTimeout": "soTimeout",
	"tcpListenAddress": "address", "tcpListenPort": "port", "tcpSelectorTimeout": "selectorTimeout", "tcpThreadCount": "maxThreads",
}

// attribute reports an attribute that the versions of the file do not have.
// versions are all that have it.
func (c *config) attribute(p *lint.Pass, e *tomcat.Element, classes []*known.ClassInfo, a *tomcat.Attr, versions known.Tomcat) {
	new := oldAttributes[a.Name]
	if e.Name != "Membership" && e.Name != "Receiver" {
		new = ""
	}
	old := new != "" && !c.declared && versions == known.T7
	if versions&c.bits != 0 && !old {
		return
	}
	owner := ownerName(e, classes)
	f := lint.Finding{At: a.Span, Subject: a,
		Message: fmt.Sprintf("`%s` is not an attribute of %s%s", a.Name, owner, c.when(versions))}
	if c.declared && !c.exact && versions != 0 {
		f.Lower = 1
	}
	names := c.documented(e, classes)
	var free []string // what is not written yet
	for _, n := range names {
		if e.Attr(n) == nil {
			free = append(free, n)
		}
	}
	switch {
	case new != "" && slices.Contains(free, new):
	case new != "":
		new = ""
	default:
		new = oneOff(a.Name, free)
	}
	near := new
	if near == "" && versions == 0 {
		near = diag.Suggest(a.Name, free)
	}
	f.Message += "; Tomcat warns and " + consequence(e, classes, near, c.version)
	if near != "" {
		f.Message += fmt.Sprintf("; did you mean `%s`?", near)
	} else if tlsAttribute(e, a.Name, versions) {
		f.Message += "; write it in an <SSLHostConfig> with a <Certificate>"
	}
	if new != "" {
		f.Fixes = []diag.Fix{{Message: "write " + new, Safe: true, Edits: []diag.Edit{{Span: a.NameSpan, New: new}}}}
	}
	if old {
		lint.Undeclared(&f, "Tomcat")
	}
	p.Report(f)
}

// tlsAttribute reports whether the connector's attribute was one of those that
// became <SSLHostConfig> and <Certificate>.
func tlsAttribute(e *tomcat.Element, name string, versions known.Tomcat) bool {
	return e.Name == "Connector" && versions&(known.T101|known.T11) == 0 && versions&known.T9 != 0 && tlsName.MatchString(name)
}

var tlsName = regexp.MustCompile(`(?i)^(ssl|key|trust|cipher|crl|clientAuth|algorithm|session|useServerCipher)`)

// when says which versions have the attribute, if any has.
func (c *config) when(versions known.Tomcat) string {
	if versions == 0 {
		return ""
	}
	if !c.declared {
		return " since Tomcat 8"
	}
	return fmt.Sprintf(" in Tomcat %s (it is in %s)", c.version, versions)
}

// ownerName is how people call the class of an element.
func ownerName(e *tomcat.Element, classes []*known.ClassInfo) string {
	if e.Name == "Connector" {
		if ajpConnector(e) {
			return "an AJP Connector"
		}
		return "an HTTP Connector"
	}
	return model.SimpleClass(classes[0].Name)
}

// consequence says what Tomcat does without the attribute.
func consequence(e *tomcat.Element, classes []*known.ClassInfo, near, version string) string {
	if near == "" {
		return "ignores it"
	}
	owner := classes[0].Name
	if e.Name == "Connector" {
		owner = "HTTP/1.1"
		if ajpConnector(e) {
			owner = "AJP/1.3"
		}
	}
	if info, ok := known.Attribute(owner, near, version); ok {
		if fact, ok := info.In(version); ok && fact.Default != "" && !strings.Contains(fact.Default, " ") {
			return fmt.Sprintf("uses the default %s of `%s`", fact.Default, near)
		}
	}
	return "ignores it"
}
