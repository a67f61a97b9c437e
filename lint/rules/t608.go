package rules

import (
	"fmt"
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/tomcat"
)

var securityManagerSetting = &lint.Rule{
	ID: "T608", Name: "security-manager-setting", Severity: diag.Info, Confidence: diag.Possible, Category: lint.Access,
	Versions: lint.Versions{Tomcat: lint.Range{From: "11"}, Text: "Tomcat 11"},
	Doc: lint.Doc{
		What:   "A setting that only a Java security manager used: package.access and package.definition in catalina.properties, or -Djava.security.manager and -Djava.security.policy in a start script.",
		Why:    "Tomcat 11 runs without a security manager: the setting protects nothing, whatever its author relied on.",
		Fix:    "Remove it, and keep applications that nobody trusts apart in other ways.",
		Tomcat: "11.0",
		Bad: `-- server.xml --
<Server port="8005" shutdown="SHUTDOWN"/>
-- catalina.properties --
package.access=sun.,org.apache.catalina.`,
		Good: `-- server.xml --
<Server port="8005" shutdown="SHUTDOWN"/>
-- catalina.properties --
common.loader="${catalina.base}/lib"`,
		Notes:  "Silent about deployXML and the filters of session attributes, which have another use as well. Only for a declared Tomcat 11.",
		Source: "Changelog of Tomcat 11: support for a security manager removed; SecurityConfig is gone from its sources.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			version, declared := p.TomcatVersion(n)
			if !declared || !lint.AtLeast(version, "11") || !n.At.IsValid() {
				continue
			}
			for _, d := range p.Options[n] {
				if d.Name == "java.security.manager" || d.Name == "java.security.policy" {
					reportSecurityManager(p, d.Span, "-D"+d.Name)
				}
			}
			dir := filepath.Dir(n.At.File.Name)
			for _, f := range p.Files {
				if filepath.Base(f.Name) != "catalina.properties" || filepath.Dir(f.Name) != dir {
					continue
				}
				props, _ := tomcat.Properties(f)
				for _, key := range []string{"package.access", "package.definition"} {
					if v, ok := props[key]; ok && strings.TrimSpace(v.Value) != "" {
						reportSecurityManager(p, v.KeySpan, key)
					}
				}
			}
		}
	},
}

func reportSecurityManager(p *lint.Pass, at diag.Span, what string) {
	p.Report(lint.Finding{At: at, Message: fmt.Sprintf("%s belongs to the security manager, which Tomcat 11 no longer has; remove it", what)})
}
