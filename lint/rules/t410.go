package rules

import (
	"errors"
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/lint/javaregex"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var badRegex = &lint.Rule{
	ID: "T410", Name: "bad-regex", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Syntax, Versions: everyTomcat,
	Doc: lint.Doc{
		What: "An attribute that holds a regular expression holds none that Java can read.",
		Why:  "Most often a pattern for file names was written, such as *.gif. Tomcat logs an error and goes on without the filter, or does not start the valve that was to protect something.",
		Fix:  "Write a regular expression: .*\\.gif. The message says what Java stumbles over.",
		Bad:  exampleFilter("*.gif"),
		Good: exampleFilter(`.*\.gif`),
		Notes: "Looked at: filter, sessionAttributeNameFilter, sessionAttributeValueClassNameFilter, internalProxies, trustedProxies, allow and deny of RemoteAddrValve and RemoteHostValve, " +
			"crawlerUserAgents, allowedRequestAttributesPattern, restrictedUserAgents, noCompressionUserAgents, deployIgnore, containerSciFilter. " +
			"What Java has and other dialects have not, such as possessive quantifiers and look-around, is right.",
		Source: "java.util.regex.Pattern; compared with that of Java 17 over 400,000 patterns.",
	},
	Check: func(p *lint.Pass) {
		for _, d := range p.Docs {
			if k := d.Kind(); k != tomcat.Server && k != tomcat.Context || d.Template {
				continue
			}
			d.Root.Walk(func(e *tomcat.Element) bool {
				for _, name := range regexAttributes(e) {
					a := e.Attr(name)
					if a == nil || a.Value == "" || unknown(a.Value) {
						continue
					}
					var bad *javaregex.Error
					if _, err := javaregex.Parse(a.Value); errors.As(err, &bad) {
						p.Report(lint.Finding{
							At: a.Span, Subject: e,
							Message: fmt.Sprintf("`%s`: not a valid regular expression: %s (character %d of `%s`)%s", name, bad.Message, max(1, bad.Offset), a.Value, regexAdvice(a.Value)),
						})
					}
				}
				return true
			})
		}
	},
}

// regexAttributes returns the attributes of an element that hold regular expressions.
func regexAttributes(e *tomcat.Element) []string {
	class := ""
	if a := e.Attr("className"); a != nil {
		class = a.Value
		if !tomcatOwn(class) {
			return nil
		}
	}
	switch e.Name {
	case "Valve":
		switch model.SimpleClass(class) {
		case "ReplicationValve":
			return []string{"filter"}
		case "RemoteIpValve":
			return []string{"internalProxies", "trustedProxies"}
		case "RemoteAddrValve", "RemoteHostValve":
			return []string{"allow", "deny"}
		case "CrawlerSessionManagerValve":
			return []string{"crawlerUserAgents", "crawlerIps"}
		}
	case "Manager":
		return []string{"sessionAttributeNameFilter", "sessionAttributeValueClassNameFilter"}
	case "Connector":
		return []string{"allowedRequestAttributesPattern", "restrictedUserAgents", "noCompressionUserAgents"}
	case "Host":
		return []string{"deployIgnore"}
	case "Context":
		return []string{"containerSciFilter"}
	}
	return nil
}

func regexAdvice(value string) string {
	if strings.HasPrefix(value, "*") || strings.Contains(value, "|*") {
		return "; `*` repeats what stands before it, write `.*` for any text and `\\.` for a dot"
	}
	return "; correct it"
}

var sessionFilterUnanchored = &lint.Rule{
	ID: "T411", Name: "session-attribute-filter-unanchored", Severity: diag.Warning, Confidence: diag.Possible, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "sessionAttributeNameFilter is a plain word.",
		Why:    "The expression must match the whole name of an attribute. A plain word replicates the one attribute of that name and no other; whoever meant names that begin with it, or a list with commas, loses all of them at a failover.",
		Fix:    "Write user.* for names that begin with user, (a|b) for a list.",
		Bad:    inEngine(exampleCluster, `  <Manager className="org.apache.catalina.ha.session.DeltaManager" sessionAttributeNameFilter="user"/>`, "</Cluster>"),
		Good:   inEngine(exampleCluster, `  <Manager className="org.apache.catalina.ha.session.DeltaManager" sessionAttributeNameFilter="user.*"/>`, "</Cluster>"),
		Notes:  "Silent as soon as there is a character with a meaning in it, a dot for instance. One attribute may be what is meant: possible only.",
		Source: "Cluster manager reference, sessionAttributeNameFilter; ManagerBase.willAttributeDistribute.",
	},
	Check: func(p *lint.Pass) {
		seen := map[diag.Span]bool{}
		for _, m := range clusterManagers(p) {
			v := m.AttrNameFilter
			if !v.IsWritten() || v.V == "" || seen[v.Span] || strings.ContainsAny(v.V, `.*+?[](){}|^$\`) {
				continue
			}
			seen[v.Span] = true
			p.Report(lint.Finding{
				At: v.Span, Subject: m,
				Message: fmt.Sprintf("sessionAttributeNameFilter `%s` must match the whole name; it only lets the attribute %q through; write `%s.*` for names that begin so, `(a|b)` for a list", v.V, v.V, v.V),
			})
		}
	},
}
