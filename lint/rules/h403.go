package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

var missingCookiePath = &lint.Rule{
	ID: "H403", Name: "missing-cookie-path", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A ProxyPass changes the context path, and nothing changes the path of the session cookie with it.",
		Why:  "Tomcat sets the cookie for its own context path. The browser sends it for URLs below that path only, which the public ones are not: every request begins a new session.",
		Fix:  "Add ProxyPassReverseCookiePath with the path of the backend and the public one.",
		Bad: `ProxyPreserveHost On
ProxyPass "/shop" "http://10.0.0.11:8080/shop-web"
ProxyPassReverse "/shop" "http://10.0.0.11:8080/shop-web"`,
		Good: `ProxyPreserveHost On
ProxyPass "/shop" "http://10.0.0.11:8080/shop-web"
ProxyPassReverse "/shop" "http://10.0.0.11:8080/shop-web"
ProxyPassReverseCookiePath "/shop-web" "/shop"`,
		Notes:  "The first segments of both paths are compared. Silent when the backend's path is /, for single files, ProxyPassMatch and ws://, when a known context has a sessionCookiePath that fits, and when a Header line edits the path of Set-Cookie.",
		Source: "mod_proxy, ProxyPassReverseCookiePath; ap_proxy_cookie_reverse_map in modules/proxy/proxy_util.c.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			list := passes(sv)
			if len(list) == 0 {
				continue
			}
			rules, edited := cookieRules(sv)
			if edited {
				continue
			}
			for _, m := range list {
				b := ix.resolve(sv, m.Target.V)
				if m.Regex.V || !strings.HasPrefix(m.Path.V, "/") || !b.any("http", "https", "h2", "h2c", "ajp") || unknown(m.Path.V+b.path) {
					continue
				}
				cookie := firstSegment(b.path)
				if cookie == "/" || cookie == firstSegment(m.Path.V) || isFile(b.path) || cookieReaches(rules, b.path, m.Path.V) || p.ParserFound("H004", "", m.At) || contextCookie(p, b.path, m.Path.V) {
					continue
				}
				reportCookie(p, m, cookie)
			}
		}
	},
}

func reportCookie(p *lint.Pass, m mapped, cookie string) {
	public := strings.TrimRight(m.Path.V, "/")
	if public == "" {
		public = "/"
	}
	line := fmt.Sprintf("ProxyPassReverseCookiePath \"%s\" \"%s\"", cookie, public)
	p.Report(lint.Finding{
		At: m.At, Subject: m.Mapping, Lower: absence(p),
		Message: fmt.Sprintf("`%s` is served from `%s`: the session cookie gets Path=%s and the browser will not send it back; add `%s`", m.Path.V, m.Target.V, cookie, line),
		Fixes:   []diag.Fix{{Message: "change the cookie's path", Safe: true, Edits: []diag.Edit{lineAfter(m.At, line)}}},
	})
}

// firstSegment returns the context path that a URL path belongs to, "/" for the
// root application.
func firstSegment(path string) string {
	path, _, _ = strings.Cut(path, "?")
	first, _, _ := strings.Cut(strings.TrimLeft(path, "/"), "/")
	return "/" + first
}

// isFile reports whether the path ends with a file's name.
func isFile(path string) bool {
	return strings.Contains(path[strings.LastIndexByte(path, '/')+1:], ".")
}

// cookieRules returns the ProxyPassReverseCookiePath lines in force by the path
// that they replace, and whether a Header line edits the path of cookies instead.
func cookieRules(sv lint.Server) (rules map[string][]*model.Reverse, edited bool) {
	rules = map[string][]*model.Reverse{}
	take := func(s *model.Settings) {
		for _, r := range s.CookiePaths {
			rules[r.From.V] = append(rules[r.From.V], r)
		}
		for _, h := range s.Headers {
			if !h.Request.V && strings.EqualFold(h.Name.V, "Set-Cookie") && strings.HasPrefix(h.Action.V, "edit") && strings.Contains(strings.ToLower(h.Value.V), "path") {
				edited = true
			}
		}
	}
	for _, s := range settingsOf(sv) {
		take(s)
	}
	if sv.Main {
		for _, v := range sv.FrontEnd.VHosts {
			take(&v.Settings)
		}
	}
	return rules, edited
}

// cookieReaches reports whether a line gives the cookie a path that the browser
// sends it back for. The context may be any beginning of the backend's path; a
// slash at the cookie path's end, as old Tomcats wrote it, does no harm.
func cookieReaches(rules map[string][]*model.Reverse, path, public string) bool {
	if len(rules) == 0 {
		return false
	}
	for _, cookie := range contextsOf(path) {
		for _, from := range []string{cookie, cookie + "/", "/"} {
			for _, r := range rules[from] {
				to := r.To.V + strings.TrimPrefix(cookie, strings.TrimSuffix(from, "/"))
				if from == "/" {
					to = r.To.V + cookie[1:]
				}
				if unknown(to) || covers(strings.TrimRight(to, "/"), public) {
					return true
				}
			}
		}
	}
	return false
}

// contextsOf returns the context paths that a backend's path may belong to: its
// beginnings up to each slash.
func contextsOf(path string) []string {
	path = "/" + strings.Trim(path, "/")
	var out []string
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			out = append(out, path[:i])
		}
	}
	return out
}

// contextCookie reports whether a known context of the backend's path, or a
// context.xml that stands for all, sets its cookie for the public path.
func contextCookie(p *lint.Pass, path, public string) bool {
	contexts := contextsOf(path)
	for _, n := range p.Setup.Nodes {
		e := n.Engine()
		if e == nil {
			continue
		}
		for _, h := range e.Hosts {
			for _, c := range h.Contexts {
				if c.CookiePath.V != "" && slices.Contains(contexts, c.Path.V) && covers(strings.TrimRight(c.CookiePath.V, "/"), public) {
					return true
				}
			}
		}
	}
	for _, d := range p.Docs {
		if d.Kind() != tomcat.Context || !strings.HasSuffix(d.File.Name, "context.xml") || strings.Contains(d.File.Name, "META-INF") {
			continue
		}
		if a := d.Root.Attr("sessionCookiePath"); a != nil && covers(strings.TrimRight(a.Value, "/"), public) {
			return true
		}
	}
	return false
}
