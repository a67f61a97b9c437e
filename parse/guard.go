package parse

import (
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

// forbids reports whether a RewriteRule refuses what it matches ([F] or [G]).
func forbids(n *httpd.Node) bool {
	if !n.Is("RewriteRule") || len(n.Args) < 3 {
		return false
	}
	for _, flag := range strings.Split(strings.Trim(n.Args[2].Text, "[]"), ",") {
		switch strings.ToLower(strings.TrimSpace(flag)) {
		case "f", "forbidden", "g", "gone":
			return true
		}
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
		found = found || accessWords[strings.ToLower(n.Name)] || forbids(n)
		return !found
	})
	return found
}
