package parse

import (
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// accessWords are the directives that restrict who may see something, lower case.
var accessWords = map[string]bool{
	"require": true, "order": true, "allow": true, "deny": true, "satisfy": true,
	"requireall": true, "requireany": true, "requirenone": true, "authtype": true, "sslrequire": true,
	"sslrequiressl": true, "proxyblock": true, "secrule": true, "sslverifyclient": true, "allowmethods": true, "authmerging": true,
}

// fileSections apply to files only, not to what is proxied (httpd manual, Configuration Sections).
var fileSections = map[string]bool{"directory": true, "directorymatch": true, "files": true, "filesmatch": true}

// markGuards finds what the model does not hold although it restricts access, so
// that nobody runs the setup more open than httpd would.
func markGuards(cfg *httpd.Config, unmapped []model.Unmapped) {
	if len(unmapped) == 0 {
		return
	}
	type place struct {
		n       *httpd.Node
		inFiles bool // in a section of files
	}
	nodes := make(map[diag.Span]place, len(unmapped))
	for _, u := range unmapped {
		nodes[u.Span] = place{}
	}
	listed := map[*httpd.Node]bool{} // sections
	var walk func(list []*httpd.Node, inFiles bool)
	walk = func(list []*httpd.Node, inFiles bool) {
		for _, n := range list {
			in := inFiles || fileSections[strings.ToLower(n.Name)]
			if _, ok := nodes[n.Span]; ok {
				nodes[n.Span] = place{n, in}
				if n.Kind == httpd.Section {
					listed[n] = true
				}
			}
			walk(n.Children, in)
		}
	}
	walk(cfg.Nodes, false)
	for i := range unmapped {
		p := nodes[unmapped[i].Span]
		trimIndent(&unmapped[i].Span)
		if p.n == nil || listed[p.n.Parent] || !restricts(p.n) {
			continue // the section around it stands for it
		}
		unmapped[i].FileGuard, unmapped[i].Guard = p.inFiles, !p.inFiles
	}
}

// forbids reports whether a directive refuses what it matches: a RewriteRule with
// [F] or [G], a Redirect with a status that leads nowhere.
func forbids(name string, arg func(int) string) bool {
	switch strings.ToLower(name) {
	case "rewriterule":
		for flag := range strings.SplitSeq(strings.Trim(arg(2), "[]"), ",") {
			switch strings.ToLower(strings.TrimSpace(flag)) {
			case "f", "forbidden", "g", "gone":
				return true
			}
		}
	case "redirect", "redirectmatch":
		first := arg(0)
		return strings.EqualFold(first, "gone") || first != "" && first[0] >= '0' && first[0] <= '9' && !strings.HasPrefix(first, "3")
	}
	return false
}

// trimIndent moves the start of a span past the blanks of its line.
func trimIndent(s *diag.Span) {
	for s.IsValid() && s.Start < s.End && (s.File.Data[s.Start] == ' ' || s.File.Data[s.Start] == '\t') {
		s.Start++
	}
}

func restricts(n *httpd.Node) bool {
	found := false
	httpd.Walk([]*httpd.Node{n}, func(n *httpd.Node) bool {
		found = found || accessWords[strings.ToLower(n.Name)] || forbids(n.Name, n.Arg)
		return !found
	})
	return found
}

// inferGuards says of the directives that are kept as they stand whether they
// restrict access, by the same rules; what a clowder.toml says itself stays.
func inferGuards(front *model.FrontEnd) {
	eachExtra(front, func(d *model.Directive) {
		switch {
		case !guarding(d):
		case fileSections[strings.ToLower(d.Name.V)]:
			infer(&d.Files, d.Name.Span)
		default:
			infer(&d.Guard, d.Name.Span)
		}
	})
}

func infer(v *model.Bool, from diag.Span) {
	if !v.IsSet() {
		*v = model.Infer(true, from)
	}
}

// guarding is [restricts] for a directive of the model.
func guarding(d *model.Directive) bool {
	return accessWords[strings.ToLower(d.Name.V)] || forbids(d.Name.V, d.Arg) || slices.ContainsFunc(d.Children, guarding)
}

// extrasOf lists the kept directives of a front end as what the model has no field
// for, in the way in which it is listed when httpd's own files are read.
func extrasOf(front *model.FrontEnd) []model.Unmapped {
	var out []model.Unmapped
	var list func(d *model.Directive, where string)
	list = func(d *model.Directive, where string) {
		what := d.Name.V
		if d.Section.V {
			what = "<" + what + ">"
		}
		out = append(out, model.Unmapped{Span: d.At, What: what + where, Guard: d.Guard.V, FileGuard: d.Files.V})
		for _, c := range d.Children {
			list(c, " in <"+d.Name.V+">")
		}
	}
	eachExtra(front, func(d *model.Directive) { list(d, "") })
	return out
}

// eachExtra calls f for each kept directive of the servers and their sections.
func eachExtra(front *model.FrontEnd, f func(*model.Directive)) {
	for _, srv := range append([]*model.Server{front.Main}, front.VHosts...) {
		if srv == nil {
			continue
		}
		for _, d := range srv.Settings.Extras {
			f(d)
		}
		for _, sec := range srv.Sections {
			for _, d := range sec.Settings.Extras {
				f(d)
			}
		}
	}
}
