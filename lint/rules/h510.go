package rules

import (
	"fmt"
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// mappingServlet is the first httpd with mapping=servlet.
const mappingServlet = "2.4.49"

var locationACLBypass = &lint.Rule{
	ID: "H510", Name: "location-acl-bypass", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Access, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A Location restricts a part of what a ProxyPass hands to Tomcat.",
		Why:  "Tomcat drops path parameters before it looks for the servlet, httpd compares the path with them: /app/admin;x=1/ does not match <Location \"/app/admin\">, is handed over, and opens /app/admin. The restriction is for honest people only.",
		Fix:  "Add mapping=servlet to the ProxyPass (2.4.49), or protect the path in Tomcat.",
		Bad: `<Location "/app/admin">
    Require ip 10.0.0.0/24
</Location>
ProxyPass "/app" "ajp://10.0.0.11:8009/app"`,
		Good: `<Location "/app/admin">
    Require ip 10.0.0.0/24
</Location>
ProxyPass "/app" "ajp://10.0.0.11:8009/app" mapping=servlet`,
		Notes:  "Certain for AJP and known Tomcats; a warning for other HTTP backends, which may not be servlet containers. Silent for a Location equal to the mapping's path (/app;x does not match the ProxyPass), for excluded paths, pages of httpd itself, expressions that match the parameter too, and WEB-INF and META-INF, which Tomcat hides itself.",
		Source: "mod_proxy, mapping; ap_proxy_trans_match in modules/proxy/mod_proxy.c. Tried with httpd 2.4.71: 403 for /app/admin, the backend's page for /app/admin;x=1/x; with mapping=servlet 403 for both.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		var tomcats map[*model.Server]map[string]bool
		for _, sv := range proxyServers(p) {
			var mappings *mappingIndex
			for _, sec := range sv.Sections {
				a := sec.Settings.Access
				if !strings.HasPrefix(sec.Kind.V, "Location") || !hasAccess(a) || isOpen(a) || sec.Settings.Handler.IsWritten() {
					continue
				}
				loc, ok := guardedPath(sec)
				if !ok {
					continue
				}
				if mappings == nil {
					mappings = newMappingIndex(sv)
				}
				m := mappings.takenBy(loc)
				if m == nil || m.Enc.V == "servlet" {
					continue
				}
				if tomcats == nil {
					tomcats = knownTomcats(p)
				}
				reportBypass(p, ix, sv, sec, loc, m, tomcats)
			}
		}
	},
}

// guardedPath returns the path that the section guards, when a path parameter
// behind it is not matched by the section.
func guardedPath(sec *model.Section) (string, bool) {
	loc := sec.Path.V
	if sec.Kind.V == "LocationMatch" {
		re, err := regexp.Compile(sec.Path.V)
		literal := strings.TrimPrefix(strings.TrimPrefix(sec.Path.V, "(?i)"), "^")
		if i := strings.IndexAny(literal, `\.+*?()[]{}|^$`); i >= 0 {
			literal = literal[:i]
		}
		loc = strings.TrimRight(literal, "/")
		if err != nil || loc == "" || !re.MatchString(loc) && !re.MatchString(loc+"/") && !re.MatchString(loc+"/x") ||
			re.MatchString(loc+";x=1/") || re.MatchString(loc+";x=1/x") {
			return "", false
		}
	} else if strings.ContainsAny(loc, "*?[") {
		return "", false
	}
	loc = strings.TrimRight(loc, "/")
	hidden := strings.Contains(strings.ToUpper(loc), "/WEB-INF") || strings.Contains(strings.ToUpper(loc), "/META-INF")
	return loc, strings.HasPrefix(loc, "/") && !unknown(loc) && !hidden
}

// mappingIndex finds the mapping that takes a path without a look at all of them.
type mappingIndex struct {
	list     []*model.Mapping
	byPath   map[string]int // path without its last slash → its first mapping
	regex    []int
	sections map[string]*model.Section // Locations with a ProxyPass of their own
}

func newMappingIndex(sv lint.Server) *mappingIndex {
	ix := &mappingIndex{list: sv.Mappings, byPath: map[string]int{}, sections: map[string]*model.Section{}}
	if inherits(sv) {
		main := sv.FrontEnd.Main.Mappings
		ix.list = append(main[:len(main):len(main)], sv.Mappings...)
	}
	for i, m := range ix.list {
		path := strings.TrimRight(m.Path.V, "/")
		if m.Regex.V {
			ix.regex = append(ix.regex, i)
		} else if _, ok := ix.byPath[path]; !ok {
			ix.byPath[path] = i
		}
	}
	for _, sec := range sv.Sections {
		if sec.Mapping != nil && sec.Kind.V == "Location" {
			ix.sections[strings.TrimRight(sec.Path.V, "/")] = sec
		}
	}
	return ix
}

// takenBy returns the mapping that hands the path with a parameter over, of a
// strictly shorter path; nil when it is excluded or not mapped.
func (ix *mappingIndex) takenBy(loc string) *model.Mapping {
	first := len(ix.list)
	if i, ok := ix.byPath[loc]; ok && ix.list[i].Excludes() {
		first = i
	}
	for path := loc; path != ""; {
		path = path[:strings.LastIndexByte(path, '/')]
		if sec := ix.sections[path]; sec != nil {
			if sec.Mapping.Excludes() {
				return nil
			}
			return sec.Mapping
		}
		if i, ok := ix.byPath[path]; ok {
			first = min(first, i)
		}
	}
	for _, i := range ix.regex {
		if i >= first {
			break
		}
		m := ix.list[i]
		re, err := regexp.Compile(m.Path.V)
		if err != nil || !re.MatchString(loc) && !re.MatchString(loc+"/x") {
			continue
		}
		if !m.Excludes() && !re.MatchString(loc+";x=1/x") {
			return nil // it does not take the path with a parameter
		}
		first = i
		break
	}
	if first == len(ix.list) || ix.list[first].Excludes() || !written(ix.list[first].At, "ProxyPass") {
		return nil
	}
	return ix.list[first]
}

// knownTomcats returns, for each server, the scheme://host:port of its workers and
// members that lead to a Tomcat of the setup.
func knownTomcats(p *lint.Pass) map[*model.Server]map[string]bool {
	out := map[*model.Server]map[string]bool{}
	for _, l := range p.Links() {
		if l.Node == nil {
			continue
		}
		if out[l.Server] == nil {
			out[l.Server] = map[string]bool{}
		}
		base, _ := splitBackend(l.Member.URL.V)
		out[l.Server][base] = true
	}
	return out
}

func reportBypass(p *lint.Pass, ix *balancerIndex, sv lint.Server, sec *model.Section, loc string, m *model.Mapping, tomcats map[*model.Server]map[string]bool) {
	b := ix.resolve(sv, m.Target.V)
	tomcat := b.any("ajp") || tomcats[sv.Server][b.base]
	if b.balancer != nil {
		for _, u := range b.urls {
			base, _ := splitBackend(u)
			tomcat = tomcat || tomcats[sv.Server][base] || tomcats[sv.FrontEnd.Main][base]
		}
	}
	if !tomcat && !b.any("http", "https", "h2", "h2c") {
		return
	}
	version, _ := p.HTTPDVersion(sv.FrontEnd)
	f := lint.Finding{
		At: sec.At.Head(), Subject: sec,
		Related: []diag.Related{lint.Related(m.At, "this mapping hands it over")},
	}
	advice := fmt.Sprintf("add `mapping=servlet` to the ProxyPass (%s), or protect the path in Tomcat", m.At.Short())
	if !lint.AtLeast(version, mappingServlet) {
		advice = fmt.Sprintf("protect the path in Tomcat (the ProxyPass of %s can have `mapping=servlet` from httpd %s on)", m.At.Short(), mappingServlet)
	} else if tomcat {
		f.Fixes = []diag.Fix{{Message: "match paths as Tomcat does", Safe: true, Edits: []diag.Edit{appendWord(m.At, "mapping=servlet")}}}
	}
	who := "Tomcat drops it"
	if !tomcat {
		f.Severity = diag.Warning
		who = "a Tomcat behind it drops it"
	}
	f.Message = fmt.Sprintf("access control on `<%s \"%s\">` can be passed with a path parameter (`%s;x=1/...`): %s, httpd does not; %s", sec.Kind.V, sec.Path.V, loc, who, advice)
	p.Report(f)
}
