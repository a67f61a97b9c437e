package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var balancerManagerOpen = &lint.Rule{
	ID: "H503", Name: "balancer-manager-open", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Access, Versions: everyHTTPD, Fixable: true,
	YieldsTo: []string{"H507"},
	Doc: lint.Doc{
		What: "The balancer-manager page has no access control, or one that lets everybody in.",
		Why:  "Whoever can open the page can take nodes out of service and change weights and routes.",
		Fix:  "Add Require local, a Require ip list, or a login.",
		Bad: `<Location "/balancer-manager">
    SetHandler balancer-manager
</Location>`,
		Good: `<Location "/balancer-manager">
    SetHandler balancer-manager
    Require local
</Location>`,
		Notes:  "Open means: no access directive in the section nor in another Location that covers it, Require all granted, or Allow from all without an effective Deny. Silent for a section that H507 speaks about.",
		Source: "mod_proxy_balancer, \"Enabling Balancer Manager Support\"; 15 of 18 public balancer-manager sections read are open.",
	},
	Check: func(p *lint.Pass) {
		for _, sv := range p.Servers() {
			for _, sec := range sv.Sections {
				if strings.EqualFold(sec.Settings.Handler.V, "balancer-manager") && strings.HasPrefix(sec.Kind.V, "Location") {
					checkManager(p, sv, sec)
				}
			}
		}
	},
}

func checkManager(p *lint.Pass, sv lint.Server, sec *model.Section) {
	openPage(p, sv, sec, lint.Finding{
		At: sec.At.Head(), Subject: sec,
		Message: fmt.Sprintf("anyone can open %s and change the balancer; add `Require local` or a `Require ip` list", sec.Path.V),
	})
}

// requireLocal is the fix that lets only this machine into a section.
func requireLocal(p *lint.Pass, sv lint.Server, sec *model.Section) []diag.Fix {
	if !written(sec.At, "<") {
		return nil // made of a JkMount
	}
	line := "Require local"
	if v, _ := p.HTTPDVersion(sv.FrontEnd); !lint.AtLeast(v, "2.4") {
		next := eol(sec.At.File) + indentOf(sec.At.File, sec.At.Start) + "    "
		line = "Order deny,allow" + next + "Deny from all" + next + "Allow from 127.0.0.1"
	} else if !canRequire(sv.FrontEnd) {
		return nil
	}
	e, ok := addToSection(sec.At, sec.Kind.V, line)
	if !ok {
		return nil
	}
	return []diag.Fix{{Message: "let only this machine in", Safe: true, Edits: []diag.Edit{e}}}
}
