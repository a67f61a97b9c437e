package rules

import (
	"regexp"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var everythingProxied = &lint.Rule{
	ID: "H511", Name: "everything-proxied", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Access, Versions: everyHTTPD,
	Doc: lint.Doc{
		What: "A ProxyPass of / hands every URL to the backend.",
		Why:  "That includes /manager, /host-manager and /examples of a stock Tomcat, which were meant for the machine itself.",
		Fix:  "Exclude them in front of the ProxyPass, or do not deploy them.",
		Bad:  `ProxyPass "/" "ajp://10.0.0.11:8009/"`,
		Good: `ProxyPassMatch "^/(host-)?manager" "!"
ProxyPass "/examples" "!"
ProxyPass "/" "ajp://10.0.0.11:8009/"`,
		Notes:  "Silent when /manager is excluded or restricted, when the backend's path is not the root, and when the applications given do not hold them.",
		Source: "Tomcat security considerations, default web applications.",
	},
	Check: func(p *lint.Pass) {
		apps := deployed(p)
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			for _, m := range passes(sv) {
				if m.Path.V != "/" || m.Regex.V || len(apps) > 0 && !slices.ContainsFunc(apps, isDefaultApp) {
					continue
				}
				b := ix.resolve(sv, m.Target.V)
				if strings.Trim(b.path, "/") != "" || !b.any("ajp", "http", "https", "h2", "h2c") || keptBack(sv, m, "/manager/html") {
					continue
				}
				p.Report(lint.Finding{
					At: m.At, Subject: m.Mapping,
					Message: "`ProxyPass \"/\"` also publishes /manager, /host-manager and /examples of Tomcat if they are deployed; exclude them in front of it",
				})
			}
		}
	},
}

// deployed returns the paths of the applications that are known.
func deployed(p *lint.Pass) []string {
	var out []string
	for _, n := range p.Setup.Nodes {
		if e := n.Engine(); e != nil {
			for _, h := range e.Hosts {
				for _, c := range h.Contexts {
					out = append(out, c.Path.V)
				}
			}
		}
	}
	return out
}

func isDefaultApp(path string) bool {
	return path == "/manager" || path == "/host-manager" || path == "/examples"
}

// keptBack reports whether an earlier exclusion or a Location keeps the URL from
// the mapping's clients.
func keptBack(sv lint.Server, m mapped, url string) bool {
	sections := sectionsOf(sv)
	for _, sec := range sections {
		if sec.Mapping != nil && sec.Mapping.Excludes() && sectionTakes(sec, url) || hasAccess(sec.Settings.Access) && !isOpen(sec.Settings.Access) && sectionTakes(sec, url) {
			return true
		}
	}
	lists := [][]*model.Mapping{sv.Mappings}
	if inherits(sv) {
		lists = [][]*model.Mapping{sv.FrontEnd.Main.Mappings, sv.Mappings}
	}
	for _, list := range lists {
		for _, x := range list {
			if x == m.Mapping {
				return false
			}
			if !x.Excludes() {
				continue
			}
			if x.Regex.V {
				if re, err := regexp.Compile(x.Path.V); err == nil && re.MatchString(url) {
					return true
				}
			} else if covers(x.Path.V, url) {
				return true
			}
		}
	}
	return false
}
