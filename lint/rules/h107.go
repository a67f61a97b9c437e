package rules

import (
	"fmt"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var duplicateLoadmodule = &lint.Rule{
	ID: "H107", Name: "duplicate-loadmodule", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Modules, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What:   "A module is loaded twice.",
		Why:    "httpd skips the second line with a warning. Whoever comments one of the two out wonders why the module is still there.",
		Fix:    "Delete the second line.",
		Bad:    "LoadModule proxy_module modules/mod_proxy.so\nLoadModule proxy_module modules/mod_proxy.so",
		Good:   "LoadModule proxy_module modules/mod_proxy.so",
		Notes:  "Silent when the lines stand in different <IfModule> or <IfDefine> sections, of which one may be meant for another machine.",
		Source: "Message AH01574 in modules/core/mod_so.c.",
	},
	Check: func(p *lint.Pass) {
		blocks := h2Blocks{}
		for _, fe := range p.Setup.FrontEnds {
			first := map[string]*model.Module{}
			for _, m := range fe.Modules {
				old := first[m.Name.V]
				if old == nil {
					first[m.Name.V] = m
					continue
				}
				if old.At == m.At || !m.At.IsValid() || blocks.conditional(p, m.At) != blocks.conditional(p, old.At) {
					continue
				}
				p.Report(lint.Finding{
					At:      m.At.Head(),
					Message: fmt.Sprintf("module %s is loaded twice (first at %s); delete this line", m.Name.V, old.At.Short()),
					Related: []diag.Related{lint.Related(old.At.Head(), "loaded here")},
					Fixes:   []diag.Fix{{Message: "delete the line", Safe: true, Edits: []diag.Edit{h2DeleteLines(m.At)}}},
				})
			}
		}
	},
}
