package rules

import (
	"clowder/lint"
	"clowder/parse/diag"
)

var slotmemModuleMissing = &lint.Rule{
	ID: "H103", Name: "slotmem-module-missing", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Modules, Fixable: true,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What:   "mod_proxy_balancer is loaded without mod_slotmem_shm.",
		Why:    "The balancer keeps its members in shared memory of the provider \"shm\". `httpd -t` says Syntax OK, and the server exits at start: \"is mod_slotmem_shm loaded??\".",
		Fix:    "Load mod_slotmem_shm.",
		Bad:    "LoadModule proxy_balancer_module modules/mod_proxy_balancer.so",
		Good:   "LoadModule slotmem_shm_module modules/mod_slotmem_shm.so\nLoadModule proxy_balancer_module modules/mod_proxy_balancer.so",
		Notes:  "httpd 2.2 has no slotmem. mod_slotmem_plain does not do. A warning when an Include could not be read.",
		Source: "Message AH01177 in modules/proxy/mod_proxy_balancer.c; Upgrading to 2.4. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for _, fe := range p.Setup.FrontEnds {
			version, sure := p.HTTPDVersion(fe)
			if !p.Rule.Versions.HTTPD.Contains(version) || fe.HasModule("slotmem_shm_module") || !h1Known(p, fe) {
				continue
			}
			for _, m := range fe.Modules {
				if m.Name.V != "proxy_balancer_module" {
					continue
				}
				f := lint.Finding{
					At:      m.At,
					Message: "mod_proxy_balancer needs a slotmem provider in httpd 2.4; add `LoadModule slotmem_shm_module modules/mod_slotmem_shm.so`",
					Detail:  "httpd -t does not notice, the server exits at start",
					Fixes:   loadModule(fe, "slotmem_shm", m),
				}
				h1Unread(p, &f)
				if !sure {
					lint.Undeclared(&f, "httpd")
				}
				p.Report(f)
				break
			}
		}
	},
}
