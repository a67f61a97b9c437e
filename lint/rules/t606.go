package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var accessLogShowsProxy = &lint.Rule{
	ID: "T606", Name: "access-log-shows-proxy", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "A RemoteIpValve is set, but the AccessLogValve does not use what it found.",
		Why:  "The valve takes the client's address back when the request is done, before the log is written: each line shows the address of httpd.",
		Fix:  "Add requestAttributesEnabled=\"true\" to the AccessLogValve.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost">
    <Valve className="org.apache.catalina.valves.RemoteIpValve"/>
    <Host name="localhost" appBase="webapps">
      <Valve className="org.apache.catalina.valves.AccessLogValve" directory="logs" pattern="%h %t %r %s"/>
    </Host>
  </Engine>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost">
    <Valve className="org.apache.catalina.valves.RemoteIpValve"/>
    <Host name="localhost" appBase="webapps">
      <Valve className="org.apache.catalina.valves.AccessLogValve" directory="logs" pattern="%h %t %r %s" requestAttributesEnabled="true"/>
    </Host>
  </Engine>
</Service></Server>`,
		Notes:  "Only for patterns with %a, %h, %H or %p, and only where the RemoteIpValve stands in the same Host or in the Engine.",
		Source: "AccessLogValve reference, requestAttributesEnabled; RemoteIpValve.invoke.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			for _, s := range n.Services {
				if s.Engine == nil {
					continue
				}
				engine := hasRemoteIP(s.Engine.Valves)
				if engine {
					checkAccessLogs(p, s.Engine.AccessLogs)
				}
				for _, h := range s.Engine.Hosts {
					if engine || hasRemoteIP(h.Valves) {
						checkAccessLogs(p, h.AccessLogs)
					}
				}
			}
		}
	},
}

func checkAccessLogs(p *lint.Pass, logs []*model.AccessLog) {
	for _, a := range logs {
		on := extraAttr(a.Extra, "requestAttributesEnabled")
		if on != nil && (strings.EqualFold(on.Value.V, "true") || unknown(on.Value.V)) || !showsClient(a.Pattern.V) {
			continue
		}
		f := lint.Finding{
			At: a.At.Head(), Subject: a,
			Message: "RemoteIpValve is set but this AccessLogValve does not use it: the log shows the address of httpd; add requestAttributesEnabled=\"true\"",
		}
		var written diag.Span
		if on != nil {
			written = on.Value.Span
		}
		if e, ok := setFlag(a.At, written, "requestAttributesEnabled", "true"); ok {
			f.Fixes = []diag.Fix{{Message: "use the attributes of RemoteIpValve", Safe: true, Edits: []diag.Edit{e}}}
		}
		p.Report(f)
	}
}

// showsClient reports whether a log pattern holds what RemoteIpValve changes.
func showsClient(pattern string) bool {
	switch pattern {
	case "", "common", "combined":
		return true
	}
	for _, code := range []string{"%a", "%h", "%H", "%p"} {
		if strings.Contains(pattern, code) {
			return true
		}
	}
	return false
}
