package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// h1Handlers maps the handlers of status pages to their modules.
var h1Handlers = map[string]string{
	"server-status": "status", "server-info": "info", "balancer-manager": "proxy_balancer", "ldap-status": "ldap", "jk-status": "jk",
}

var handlerModuleMissing = &lint.Rule{
	ID: "H105", Name: "handler-module-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Modules, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "SetHandler names a status page whose module is not loaded.",
		Why:  "httpd does not know the names of handlers when it reads its files. The page is looked for on disk and answered with 404.",
		Fix:  "Load the module, or delete the section.",
		Bad: `LoadModule proxy_module modules/mod_proxy.so
<Location "/server-status">
    SetHandler server-status
    Require local
</Location>`,
		Good: `LoadModule proxy_module modules/mod_proxy.so
LoadModule status_module modules/mod_status.so
<Location "/server-status">
    SetHandler server-status
    Require local
</Location>`,
		Notes:  "server-status, server-info, balancer-manager, ldap-status and jk-status; one finding per handler. Silent about balancer-manager when H102 speaks about mod_proxy_balancer, and when the files hold no LoadModule line. A warning when an Include could not be read.",
		Source: "mod_status, mod_info, mod_proxy_balancer, mod_ldap, mod_jk. Tried with httpd 2.4.71: 404.",
	},
	Check: func(p *lint.Pass) {
		h1Lines(p, false, func(fe *model.FrontEnd, nodes []*httpd.Node) {
			_, balancer := h1FirstBalancer(nodes)
			said := map[string]bool{}
			for _, n := range nodes {
				if !n.Is("SetHandler") || len(n.Args) != 1 {
					continue
				}
				handler := strings.ToLower(n.Arg(0))
				mod := h1Handlers[handler]
				if mod == "" || said[handler] || fe.HasModule(mod+"_module") {
					continue
				}
				said[handler] = true
				if mod == "proxy_balancer" && (balancer || h30Cluster(fe)) {
					continue
				}
				f := lint.Finding{
					At:      h2At(n.Args[0].Span, n.Span),
					Message: fmt.Sprintf("`SetHandler %s` needs mod_%s; without it the page is a plain 404; add `LoadModule %s_module modules/mod_%s.so`", n.Arg(0), mod, mod, mod),
				}
				if f.Fixes = h1Load(fe, mod); mod == "proxy_balancer" {
					f.Fixes = nil // H103 and H104 would follow
					if v, _ := p.HTTPDVersion(fe); lint.AtLeast(v, "2.4") {
						f.Fixes = h1Load(fe, append(h1Lacking(fe, []string{"slotmem_shm", "lbmethod_byrequests"}), mod)...)
					}
				}
				h1Absent(p, fe, &f)
				p.Report(f)
			}
		})
	},
}
