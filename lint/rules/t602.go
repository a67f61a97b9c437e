package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var defaultHostUndefined = &lint.Rule{
	ID: "T602", Name: "default-host-undefined", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Connectors, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What: "The defaultHost of an Engine is the name of none of its Hosts.",
		Why:  "Requests for names that no Host has, those by address among them, get 404; the log says \"Unknown default host\".",
		Fix:  "Write the name of a Host.",
		Bad: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="www">
    <Host name="localhost" appBase="webapps"/>
  </Engine>
</Service></Server>`,
		Good: `<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Engine name="Catalina" defaultHost="localhost">
    <Host name="localhost" appBase="webapps"/>
  </Engine>
</Service></Server>`,
		Notes:  "Names compare without case, and an Alias of a Host does as well. Silent when one of the names is a property that is not known, or a placeholder such as #HOST#.",
		Source: "Engine reference, defaultHost; MapperListener.findDefaultHost. Tried with Tomcat 10.1.60: SEVERE and 404 without such a Host, no message and 200 with an Alias.",
	},
	Check: func(p *lint.Pass) {
		for _, n := range p.Setup.Nodes {
			if p.Broken[n.At.File] || p.Tomcat[n] == nil {
				continue
			}
			for _, s := range n.Services {
				if s.Engine != nil {
					checkDefaultHost(p, s.Engine)
				}
			}
		}
	},
}

func checkDefaultHost(p *lint.Pass, e *model.Engine) {
	name := e.DefaultHost.V
	if !hostName(name) {
		return
	}
	var names []string
	for _, h := range e.Hosts {
		for _, v := range append([]model.String{h.Name}, h.Aliases...) {
			if !hostName(v.V) || name != "" && strings.EqualFold(v.V, name) {
				return
			}
		}
		names = append(names, h.Name.V)
	}
	f := lint.Finding{At: e.At.Head(), Subject: e}
	for _, h := range e.Hosts[:min(len(e.Hosts), 10)] {
		f.Related = append(f.Related, lint.Related(h.At.Head(), "a Host"))
	}
	list := "none"
	if len(names) > 0 {
		list = strings.Join(names[:min(len(names), 10)], ", ")
	}
	f.Message = fmt.Sprintf("defaultHost=\"%s\" names no Host; Tomcat cannot process requests for other names; hosts: %s", name, list)
	if !e.DefaultHost.IsWritten() {
		f.Message = "Engine has no defaultHost; Tomcat cannot process requests for other names than those of its hosts: " + list
	}
	if len(names) == 1 && names[0] != "" && !strings.ContainsAny(names[0], `"<&`) {
		var written diag.Span
		if e.DefaultHost.IsWritten() {
			written = e.DefaultHost.Span
		}
		if edit, ok := setFlag(e.At, written, "defaultHost", names[0]); ok {
			f.Fixes = []diag.Fix{{Message: "use " + names[0], Safe: true, Edits: []diag.Edit{edit}}}
		}
	}
	p.Report(f)
}

// hostName reports whether the text can be a host's name: no property and no
// placeholder (#HOST#, @host@, %HOST%) that something else replaces.
func hostName(s string) bool { return !strings.ContainsAny(s, "${}#@%<>") }
