package rules

import (
	"fmt"
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var managerPublished = &lint.Rule{
	ID: "X702", Name: "manager-application-published", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Access, Versions: everyBoth,
	Doc: lint.Doc{
		What:   "Tomcat's manager or host-manager is reachable through httpd.",
		Why:    "Its login can be tried from outside, and whoever gets in deploys applications.",
		Fix:    "Exclude /manager and /host-manager in front of the mapping, or map only the applications that are meant.",
		Bad:    "-- httpd.conf --\nProxyPass \"/\" \"http://10.0.0.11:8080/\"\n" + deployedNode(`<Context path="/manager" docBase="manager"/>`),
		Good:   "-- httpd.conf --\nProxyPass \"/manager\" \"!\"\nProxyPass \"/\" \"http://10.0.0.11:8080/\"\n" + deployedNode(`<Context path="/manager" docBase="manager"/>`),
		Notes:  "Only when the manager's context is known to be deployed. Silent when a Location of httpd closes the path, and when a RemoteAddrValve or RemoteCIDRValve of the application keeps the address of httpd out.",
		Source: "Tomcat security how-to, default web applications.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) == 0 {
			return
		}
		type key struct {
			at  diag.Span
			ctx *model.Context
		}
		said := map[key]bool{}
		uses := usesOf(p)
		for i := range uses {
			u := &uses[i]
			for j := range u.links {
				l := &u.links[j]
				nodeContexts(l.Node, func(h *model.Host, c *model.Context) {
					name := contextPath(c)
					k := key{u.at, c}
					if name != "/manager" && name != "/host-manager" || said[k] || !published(u, l, c, name) {
						return
					}
					said[k] = true
					f := lint.Finding{
						At: u.at.Head(), Subject: u.mapping,
						Message: fmt.Sprintf("the Tomcat application %s of %s is reachable from outside through `%s`; exclude it", name, l.Node.Name.V, u.describe()),
						Related: []diag.Related{lint.Related(managerAppPlace(c, h), "deployed here")},
					}
					if l.By.Confidence() < diag.Certain {
						f.Lower++
					}
					p.Report(f)
				})
			}
		}
	},
}

func managerAppPlace(c *model.Context, h *model.Host) diag.Span {
	if c.At.IsValid() {
		return c.At.Head()
	}
	return h.At.Head()
}

// published reports whether requests for the application go through the use.
func published(u *use, l *model.Link, c *model.Context, name string) bool {
	at := u.on(l)
	if u.mapping == nil || u.mapping.Regex.V || u.path == "" || at != "" && !covers(at, name) && !covers(name, at) {
		return false
	}
	public := strings.TrimRight(u.path, "/") + strings.TrimPrefix(name, at)
	if covers(name, at) && at != "" {
		public = u.path
	}
	if guardsAddress(c) && !model.IsLoopback(l.Host) {
		return false
	}
	// The sections are asked first, then the mappings of the main server and of the site.
	servers := []*model.Server{u.Server.Server}
	if main := u.FrontEnd.Main; main != nil && !u.Main {
		servers = []*model.Server{main, u.Server.Server}
	}
	for _, sv := range servers {
		for _, sec := range sv.Sections {
			for _, loc := range locations(sec) {
				if covers(loc, public) && (sec.Mapping != nil && sec.Mapping.Excludes() || hasAccess(sec.Settings.Access) && !isOpen(sec.Settings.Access)) {
					return false
				}
			}
		}
	}
	for _, sv := range servers {
		for _, m := range sv.Mappings {
			if m == u.mapping {
				return true
			}
			if mappingTakes(m, public) {
				return false
			}
		}
	}
	return true
}

// mappingTakes reports whether a mapping matches the path.
func mappingTakes(m *model.Mapping, path string) bool {
	if m.Regex.V {
		re, err := regexp.Compile(m.Path.V)
		return err != nil || re.MatchString(path)
	}
	return covers(m.Path.V, path)
}

// guardsAddress reports whether a valve of the application looks at the client's address.
func guardsAddress(c *model.Context) bool {
	for _, v := range c.Valves {
		switch model.SimpleClass(v.Class.V) {
		case "RemoteAddrValve", "RemoteCIDRValve", "RemoteHostValve":
			return true
		}
	}
	return false
}
