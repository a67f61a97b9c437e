package rules

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

//go:embed directives.txt
var directiveTable string

// modulesOf maps a directive in lower case to the modules that bring it.
var modulesOf = sync.OnceValue(func() map[string][]string {
	m := map[string][]string{}
	for line := range strings.Lines(directiveTable) {
		if name, module, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			key := strings.ToLower(name)
			m[key] = append(m[key], module)
		}
	}
	return m
})

// builtIn are modules that are compiled in by Debian or by everybody, or whose
// directives httpd 2.2 has in other modules, and the one that H106 speaks about.
// The MPM of a foreign machine is not known, and so is what <IfModule !mpm_winnt>
// around User means; therefore they count as loaded for any layout.
var builtIn = map[string]bool{
	"so": true, "watchdog": true, "log_config": true, "logio": true, "version": true, "unixd": true, "access_compat": true,
}

var directiveModuleNotLoaded = &lint.Rule{
	ID: "H003", Name: "directive-module-not-loaded", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Modules, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What:   "A directive belongs to a module that no LoadModule line loads.",
		Why:    "httpd refuses to start: \"Invalid command, perhaps misspelled or defined by a module not included in the server configuration\".",
		Fix:    "Load the module, or put the directive into <IfModule>.",
		Bad:    "LoadModule proxy_module modules/mod_proxy.so\nRequestHeader set X-Forwarded-Proto \"https\"",
		Good:   "LoadModule proxy_module modules/mod_proxy.so\nLoadModule headers_module modules/mod_headers.so\nRequestHeader set X-Forwarded-Proto \"https\"",
		Notes:  "Only when the files hold LoadModule lines, and no folder of them is missing. Modules that are usually compiled in count as loaded. Less sure in a single file that loads no MPM and has no ServerRoot: it may be part of a larger configuration. One finding per module.",
		Source: "The module of each directive as httpd 2.4 -L prints it. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		said := map[*model.FrontEnd]map[string]bool{}
		knows := map[*model.FrontEnd]bool{}
		for _, fe := range p.Setup.FrontEnds {
			knows[fe] = h1Known(p, fe)
		}
		for d := range p.Directives {
			fe := d.FrontEnd
			if !knows[fe] {
				continue
			}
			mods := modulesOf()[strings.ToLower(d.Name)]
			version, _ := p.HTTPDVersion(fe)
			if len(mods) == 0 || available(fe, mods, version) {
				continue
			}
			if said[fe] == nil {
				said[fe] = map[string]bool{}
			}
			mod := mods[0]
			if said[fe][mod] {
				continue
			}
			said[fe][mod] = true
			p.Report(lint.Finding{
				At: d.Span.Head(), Lower: absence(p) + fragmentary(p, fe),
				Message: fmt.Sprintf("`%s` belongs to mod_%s, which no LoadModule line loads; add `LoadModule %s_module modules/mod_%s.so`", d.Name, mod, mod, mod),
				Fixes:   loadModule(fe, mod, nil),
			})
		}
	},
}

// available reports whether one of the modules is loaded or built in. Modules
// that 2.2 does not have count as available there: their directives were in others.
func available(fe *model.FrontEnd, mods []string, version string) bool {
	for _, m := range mods {
		if builtIn[m] || fe.HasModule(m+"_module") {
			return true
		}
		if strings.HasPrefix(m, "authz_") || strings.HasPrefix(m, "authn_") || strings.HasPrefix(m, "proxy_") || m == "access_compat" {
			if !lint.AtLeast(version, "2.4") {
				return true
			}
		}
	}
	return false
}
