package rules

import (
	"path"
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// sessionCookie is the name that Tomcat gives the session cookie of an application.
type sessionCookie struct {
	name    string
	at      diag.Span // where it is written, else what could have said so
	written bool
	sure    bool // written, or each file that could say so was read
}

const defaultCookie = "JSESSIONID"

// everyApp is the path under which the defaults of a node stand.
const everyApp = "*"

// cookieNames finds out session cookies with Tomcat's precedence (SessionConfig):
// sessionCookieName of any Context file, then the name in web.xml, then JSESSIONID.
type cookieNames struct {
	contexts map[string]*tomcat.Document // conf/context.xml by folder
	webs     map[string]*tomcat.Document // conf/web.xml by folder
	seen     map[string]bool             // context paths whose WEB-INF/web.xml was read
	kinds    map[*diag.File]tomcat.Kind
}

func newCookieNames(p *lint.Pass) *cookieNames {
	c := &cookieNames{map[string]*tomcat.Document{}, map[string]*tomcat.Document{}, map[string]bool{}, map[*diag.File]tomcat.Kind{}}
	for _, d := range p.Docs {
		c.kinds[d.File] = d.Kind()
		dir, base := path.Split(filepath.ToSlash(d.File.Name))
		switch dir = path.Clean(dir); {
		case path.Base(dir) == "WEB-INF":
			if d.Kind() == tomcat.WebXML {
				c.seen[pathOfApp(path.Base(path.Dir(dir)))] = true
			}
		case path.Base(dir) == "META-INF":
		case d.Kind() == tomcat.Context && base == "context.xml":
			c.contexts[dir] = d
		case d.Kind() == tomcat.WebXML:
			c.webs[dir] = d
		}
	}
	return c
}

// pathOfApp turns the folder of an application into its path (ContextName).
func pathOfApp(folder string) string {
	folder, _, _ = strings.Cut(folder, "##")
	if folder == "ROOT" {
		return ""
	}
	return "/" + strings.ReplaceAll(folder, "#", "/")
}

// of returns the cookies of the node's applications by path; everyApp stands for
// applications that are not known, when the node's defaults are.
func (c *cookieNames) of(n *model.Node) map[string]sessionCookie {
	out := map[string]sessionCookie{}
	if !n.At.IsValid() {
		return out
	}
	dir := filepath.ToSlash(filepath.Dir(n.At.File.Name))
	var global, web *sessionCookie
	if d := c.contexts[dir]; d != nil {
		if a := d.Root.Attr("sessionCookieName"); a != nil && a.Value != "" {
			global = &sessionCookie{a.Value, a.Span, true, true}
		}
	}
	if d := c.webs[dir]; d != nil {
		if e := cookieConfig(d, "name"); e != nil && strings.TrimSpace(e.Text) != "" {
			web = &sessionCookie{strings.TrimSpace(e.Text), e.Tag, true, false}
		}
	}
	switch {
	case global != nil:
		out[everyApp] = *global
	case web != nil:
		out[everyApp] = *web
	case c.contexts[dir] != nil:
		out[everyApp] = sessionCookie{name: defaultCookie, at: c.contexts[dir].Root.Tag}
	}
	for _, s := range n.Services {
		if s.Engine == nil {
			continue
		}
		for _, h := range s.Engine.Hosts {
			for _, x := range h.Contexts {
				if x.Path.V == "" && x.Path.Origin == model.Inferred && x.Path.Span.IsValid() {
					continue // made of the defaults
				}
				app := strings.TrimSuffix(x.Path.V, "/")
				out[app] = c.context(x, app, global, web)
			}
		}
	}
	return out
}

func (c *cookieNames) context(x *model.Context, app string, global, web *sessionCookie) sessionCookie {
	own := x.CookieName.IsWritten() && x.CookieName.V != ""
	switch {
	case own && c.kinds[x.CookieName.Span.File] != tomcat.WebXML:
		return sessionCookie{x.CookieName.V, x.CookieName.Span, true, true}
	case global != nil:
		return *global
	case own:
		return sessionCookie{x.CookieName.V, x.CookieName.Span, true, true}
	case web != nil:
		return *web
	}
	return sessionCookie{name: defaultCookie, at: x.At, sure: c.seen[app]}
}

// balancerTargets collects the paths that the servers of a front end map onto each
// balancer: "balancer NAME" to "/app".
func balancerTargets(fe *model.FrontEnd) map[string][]string {
	out := map[string][]string{}
	servers := fe.VHosts
	if fe.Main != nil {
		servers = append([]*model.Server{fe.Main}, fe.VHosts...)
	}
	for _, sv := range servers {
		eachTarget(sv, func(url string) {
			name := targetName(url)
			if !strings.HasPrefix(name, "balancer ") {
				return
			}
			_, rest, _ := strings.Cut(url[len("balancer://"):], "/")
			if i := strings.IndexAny(rest, "$%?;"); i >= 0 {
				rest = rest[:strings.LastIndexByte(rest[:i], '/')+1]
			}
			if rest = strings.TrimSuffix(rest, "/"); rest != "" {
				rest = "/" + rest
			}
			out[name] = append(out[name], rest)
		})
	}
	return out
}

// isBehind reports whether requests for one of the paths can get to the application.
func isBehind(app string, paths []string) bool {
	for _, t := range paths {
		if t == "" || app == everyApp || app != "" && (covers(app, t) || covers(t, app)) {
			return true
		}
	}
	return len(paths) == 0
}

// wholeDirective widens the place of an argument to the beginning of its
// directive, which continued lines may put some lines further up.
func wholeDirective(at diag.Span) diag.Span {
	if at.File == nil {
		return at
	}
	line := at.Begin().Line
	for line > 1 && strings.HasSuffix(strings.TrimRight(at.File.LineText(line-1), "\r\n"), `\`) {
		line--
	}
	start := int32(at.File.LineStart(line))
	return diag.Span{File: at.File, Start: start + int32(len(indentOf(at.File, start))), End: at.End}
}
