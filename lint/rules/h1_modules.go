package rules

import (
	"fmt"
	"path"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// h1Known reports whether the files tell which modules the front end loads: there
// are LoadModule lines, and no folder of them was left out of the set.
func h1Known(p *lint.Pass, fe *model.FrontEnd) bool {
	if len(fe.Modules) == 0 {
		return false
	}
	cfg := h1Config(p, fe)
	if cfg == nil {
		return true
	}
	for _, t := range cfg.Trees {
		for _, n := range t.Nodes {
			if n.Kind != httpd.Directive || !n.Is("Include") && !n.Is("IncludeOptional") {
				continue
			}
			arg := strings.ReplaceAll(n.Arg(0), `\`, "/")
			dir := path.Base(path.Dir(arg))
			if (strings.Contains(dir, "mods") || strings.Contains(dir, "modules") || strings.HasSuffix(arg, ".load")) && !h1ReadFrom(cfg, dir) {
				return false
			}
		}
	}
	return true
}

func h1ReadFrom(cfg *httpd.Config, dir string) bool {
	for _, f := range cfg.Files {
		if path.Base(path.Dir(strings.ReplaceAll(f.Name, `\`, "/"))) == dir {
			return true
		}
	}
	return false
}

func h1Config(p *lint.Pass, fe *model.FrontEnd) *httpd.Config {
	for i, f := range p.Setup.FrontEnds {
		if f == fe && i < len(p.Configs) {
			return p.Configs[i]
		}
	}
	return nil
}

// h1Absent weakens a finding whose evidence is a LoadModule line that is not
// there: a file that was not read may hold it; and a list without any module
// that each httpd has is that of a server with others compiled in.
func h1Absent(p *lint.Pass, fe *model.FrontEnd, f *lint.Finding) {
	h1Unread(p, f)
	if h1Partial(fe) {
		f.Lower++
	}
}

// h1Partial reports whether the list lacks all of the modules that each httpd has,
// so that they are compiled in or loaded by a file that is not in the set.
func h1Partial(fe *model.FrontEnd) bool {
	for _, m := range fe.Modules {
		switch m.Name.V {
		case "authz_core_module", "authz_host_module", "unixd_module", "mime_module", "dir_module", "alias_module", "log_config_module":
			return false
		}
		if strings.HasPrefix(m.Name.V, "mpm_") {
			return false
		}
	}
	return true
}

// h1Unread makes a warning of a finding, one step less sure, while an Include
// could not be read that may hold the LoadModule line.
func h1Unread(p *lint.Pass, f *lint.Finding) {
	if absence(p) > 0 {
		f.Lower++
		f.Severity = diag.Warning
	}
}

// h1Debian reports whether the modules come from Debian's packages, which have
// mod_watchdog, mod_unixd and some more compiled in.
func h1Debian(fe *model.FrontEnd) bool {
	if strings.Contains(fe.ServerRoot.V, "/etc/apache2") {
		return true
	}
	for _, m := range fe.Modules {
		if strings.Contains(m.File.V, "/lib/apache2/modules/") {
			return true
		}
	}
	return false
}

// h1Load is the fix that loads several modules: lines behind the last LoadModule.
func h1Load(fe *model.FrontEnd, names ...string) []diag.Fix {
	if len(names) == 0 || len(fe.Modules) == 0 {
		return nil
	}
	last := fe.Modules[len(fe.Modules)-1]
	if !last.At.IsValid() {
		return nil
	}
	indent := indentOf(last.At.File, last.At.Start)
	dir := path.Dir(strings.ReplaceAll(last.File.V, `\`, "/"))
	var lines []string
	for _, n := range names {
		lines = append(lines, fmt.Sprintf("LoadModule %s_module %s/mod_%s.so", n, dir, n))
	}
	e := lineAfter(last.At, strings.Join(lines, eol(last.At.File)+indent))
	return []diag.Fix{{Message: "load mod_" + strings.Join(names, ", mod_"), Safe: true, Edits: []diag.Edit{e}}}
}

// h1Lines calls f for the directives of each front end whose modules are known
// and that loads mod_proxy; without it H003 names the cause.
func h1Lines(p *lint.Pass, needProxy bool, f func(fe *model.FrontEnd, nodes []*httpd.Node)) {
	nodes := map[*model.FrontEnd][]*httpd.Node{}
	for d := range p.Directives {
		if d.Node != nil {
			nodes[d.FrontEnd] = append(nodes[d.FrontEnd], d.Node)
		}
	}
	for _, fe := range p.Setup.FrontEnds {
		if (!needProxy || fe.HasModule("proxy_module")) && h1Known(p, fe) {
			f(fe, nodes[fe])
		}
	}
}
