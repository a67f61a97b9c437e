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
	"sslrequiressl": true, "proxyblock": true, "secrule": true, "sslverifyclient": true, "allowmethods": true,
}

// fileSections apply to files only, not to what is proxied (httpd manual, Configuration Sections).
var fileSections = map[string]bool{"directory": true, "directorymatch": true, "files": true, "filesmatch": true}

// markGuards finds what the model does not hold although it restricts access, so
// that nobody runs the setup more open than httpd would.
func markGuards(cfg *httpd.Config, unmapped []model.Unmapped) {
	if len(unmapped) == 0 {
		return
	}
	nodes := make(map[diag.Span]*httpd.Node, len(unmapped))
	for _, u := range unmapped {
		nodes[u.Span] = nil
	}
	httpd.Walk(cfg.Nodes, func(n *httpd.Node) bool {
		if _, ok := nodes[n.Span]; ok {
			nodes[n.Span] = n
		}
		return true
	})
	var parent *httpd.Node // of the last node, and whether that is in a section of files
	inFiles := false
	for i := range unmapped {
		n := nodes[unmapped[i].Span]
		trimIndent(&unmapped[i].Span)
		if n == nil || !restricts(n) {
			continue
		}
		if n.Parent == nil || n.Parent != parent {
			parent, inFiles = n.Parent, inFileSection(n.Parent)
		}
		if inFiles || fileSections[strings.ToLower(n.Name)] {
			unmapped[i].FileGuard = true
		} else {
			unmapped[i].Guard = true
		}
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

func inFileSection(n *httpd.Node) bool {
	for ; n != nil; n = n.Parent {
		if fileSections[strings.ToLower(n.Name)] {
			return true
		}
	}
	return false
}
