package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var lbmethods = []string{"byrequests", "bytraffic", "bybusyness", "heartbeat"}

var lbmethodNotAvailable = &lint.Rule{
	ID: "H104", Name: "lbmethod-not-available", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Modules, Fixable: true,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What: "The load balancing method of a balancer, byrequests unless another is chosen, is in a module that is not loaded.",
		Why:  "Each method has been a module of its own since 2.4. A missing default method passes `httpd -t` and the server exits at start; a missing named one is a syntax error.",
		Fix:  "Load mod_lbmethod_byrequests, or the module of the method you chose.",
		Bad: `LoadModule proxy_balancer_module modules/mod_proxy_balancer.so
LoadModule slotmem_shm_module modules/mod_slotmem_shm.so
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>`,
		Good: `LoadModule proxy_balancer_module modules/mod_proxy_balancer.so
LoadModule slotmem_shm_module modules/mod_slotmem_shm.so
LoadModule lbmethod_byrequests_module modules/mod_lbmethod_byrequests.so
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>`,
		Notes:  "Checked per balancer: byrequests is not needed when every balancer chooses another method. In httpd 2.2 the methods are inside mod_proxy_balancer. Silent when mod_proxy_balancer is not loaded by these files. A warning when an Include could not be read. Balancers of mod_jk are not looked at.",
		Source: "Upgrading to 2.4; messages AH02432 and \"unknown lbmethod\" of mod_proxy_balancer. Tried with httpd 2.4.71.",
	},
	Check: checkLBMethod,
}

func checkLBMethod(p *lint.Pass) {
	knows := map[*model.FrontEnd]bool{}
	for _, fe := range p.Setup.FrontEnds {
		knows[fe] = h1Known(p, fe)
	}
	for _, sv := range p.Servers() {
		fe := sv.FrontEnd
		version, sure := p.HTTPDVersion(fe)
		if !knows[fe] || !fe.HasModule("proxy_balancer_module") || !p.Rule.Versions.HTTPD.Contains(version) {
			continue
		}
		for _, b := range sv.Balancers {
			name, at, how := "byrequests", b.At, " (the default)"
			if b.LBMethod.IsWritten() {
				name, at, how = b.LBMethod.V, directiveOf(b.LBMethod.Span), ""
			}
			if len(b.Members) == 0 || unknown(name) || !h30OfHttpd(b) || fe.HasModule("lbmethod_"+name+"_module") {
				continue
			}
			f := lint.Finding{At: at.Head(), Subject: b}
			h1Unread(p, &f)
			if slices.Contains(lbmethods, name) {
				f.Message = fmt.Sprintf("lbmethod `%s`%s needs `LoadModule lbmethod_%s_module modules/mod_lbmethod_%s.so`", name, how, name, name)
				f.Fixes = loadModule(fe, "lbmethod_"+name, nil)
			} else if near := diag.Suggest(name, lbmethods); near != "" {
				f.Message = fmt.Sprintf("there is no lbmethod `%s`; did you mean `%s`?", name, near)
				f.Fixes = []diag.Fix{{Message: "write " + near, Edits: []diag.Edit{{Span: b.LBMethod.Span, New: strings.Replace(b.LBMethod.Span.Text(), name, near, 1)}}}}
			} else {
				f.Message = fmt.Sprintf("lbmethod `%s` is not one of byrequests, bytraffic, bybusyness, heartbeat, and no module lbmethod_%s_module is loaded", name, name)
			}
			if !sure {
				lint.Undeclared(&f, "httpd")
			}
			p.Report(f)
		}
	}
}
