package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

var statusPageOpen = &lint.Rule{
	ID: "H504", Name: "status-page-open", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Access, Versions: everyHTTPD, Fixable: true,
	YieldsTo: []string{"H507"},
	Doc: lint.Doc{
		What: "A page with the state or the configuration of the server has no access control, or one that lets everybody in.",
		Why:  "server-status shows the addresses of all clients and the URLs they ask for, session IDs in URLs included; server-info shows the configuration; jk-status can change the balancer.",
		Fix:  "Add Require local, a Require ip list, or a login.",
		Bad: `<Location "/server-status">
    SetHandler server-status
</Location>`,
		Good: `<Location "/server-status">
    SetHandler server-status
    Require local
</Location>`,
		Notes:  "Looks at server-status, server-info and jk-status. Silent when another Location in force for the URL restricts it, and for a section that H507 speaks about.",
		Source: "mod_status, security note.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range proxyServers(p) {
			for _, sec := range sv.Sections {
				handler := strings.ToLower(sec.Settings.Handler.V)
				switch handler {
				case "server-status", "server-info", "jk-status":
				default:
					continue
				}
				if !strings.HasPrefix(sec.Kind.V, "Location") {
					continue
				}
				shows := map[string]string{
					"server-status": "it shows addresses and URLs of all requests",
					"server-info":   "it shows the whole configuration",
					"jk-status":     "it shows the workers and can change them",
				}[handler]
				openPage(p, sv, sec, lint.Finding{
					At: sec.At.Head(), Subject: sec,
					Message: fmt.Sprintf("%s (%s) is readable by anyone; %s; add `Require local` or a `Require ip` list", sec.Path.V, handler, shows),
				})
			}
		}
	},
}
