package caddy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// reverses writes ProxyPassReverse and its kin as changes of response headers.
func (g *proxyGen) reverses(in *block) {
	for _, r := range g.set.Reverses {
		find, ours := g.realURLs(r.To.V)
		if !ours {
			continue // of another pool
		}
		if find == "" {
			g.l.Exact(r) // no answer has such a URL
			continue
		}
		t, ok := pattern("^" + find)
		v, ok2 := quote(g.public(r.From.V))
		if !ok || !ok2 || r.Interp.V && strings.Contains(r.To.V+r.From.V, "${") {
			g.l.Drop("it cannot be written for Caddy", "header_down Location", r)
			continue
		}
		in.add("header_down Location", t, v)
		in.from(r.At)
		g.l.Approx("Location only, not Content-Location and URI", "header_down", r)
	}
	g.cookies(in, g.set.CookiePaths, "Path", "")
	g.cookies(in, g.set.CookieDomains, "Domain", "(;|$)")
}

// public writes where a path is for clients.
func (g *proxyGen) public(path string) string {
	path = literal(strings.ReplaceAll(path, "$", "$$"))
	if strings.HasPrefix(path, "/") {
		return "{http.request.scheme}://{http.request.hostport}" + path
	}
	return path
}

// realURLs writes as an expression the URLs by which members call what is behind
// the URL of a ProxyPassReverse; ours is false when it is about another pool. Names
// of AJP members stand in no answer (proxy_util.c, ap_proxy_location_reverse_map).
func (g *proxyGen) realURLs(url string) (find string, ours bool) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return regexp.QuoteMeta(url), strings.HasPrefix(url, "/")
	}
	name, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		name, path = rest[:i], rest[i:]
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case "http", "https":
		return scheme + "://" + regexp.QuoteMeta(name) + optionalPort(scheme, name) + regexp.QuoteMeta(path), true
	case "balancer":
		if g.pool.Balancer == nil || !strings.EqualFold(g.pool.Balancer.Name.V, name) {
			return "", false
		}
	default:
		return "", true
	}
	var hosts []string
	for _, m := range g.members {
		if m.AJP {
			continue
		}
		host := m.Address()
		if m.Port == defaultPort(m.Scheme) {
			host = strings.TrimSuffix(host, ":"+strconv.Itoa(m.Port))
		}
		host = regexp.QuoteMeta(host) + optionalPort(plainScheme(m.Scheme), host)
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	if len(hosts) == 0 {
		return "", true
	}
	text := hosts[0]
	if len(hosts) > 1 {
		text = "(?:" + strings.Join(hosts, "|") + ")"
	}
	return plainScheme(g.scheme()) + "://" + text + regexp.QuoteMeta(g.pool.Path+path), true
}

func plainScheme(s string) string {
	switch s {
	case "https", "h2":
		return "https"
	}
	return "http"
}

// optionalPort allows the default port behind a name without one.
func optionalPort(scheme, name string) string {
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		return ""
	}
	return "(?::" + strconv.Itoa(defaultPort(scheme)) + ")?"
}

// cookies writes ProxyPassReverseCookiePath and …CookieDomain.
func (g *proxyGen) cookies(in *block, list []*model.Reverse, attribute, end string) {
	for _, r := range list {
		t, ok := pattern(`(?i)(;\s*` + attribute + `=)` + regexp.QuoteMeta(r.From.V) + end)
		to := "${1}" + literal(strings.ReplaceAll(r.To.V, "$", "$$"))
		if end != "" {
			to += "${2}"
		}
		v, ok2 := quote(to)
		if !ok || !ok2 || r.Interp.V && strings.Contains(r.To.V+r.From.V, "${") {
			g.l.Drop("it cannot be written for Caddy", "header_down Set-Cookie", r)
			continue
		}
		in.add("header_down Set-Cookie", t, v)
		in.from(r.At)
		g.l.Exact(r)
	}
}

// override writes ProxyErrorOverride: the member's error page is replaced by ours.
func (g *proxyGen) override(in *block) {
	words := strings.Fields(g.set.ErrorOverride.V)
	if len(words) == 0 || strings.EqualFold(words[0], "off") {
		g.l.Exact(g.set.ErrorOverride)
		return
	}
	codes := []string{"4xx", "5xx"}
	if len(words) > 1 {
		codes = words[1:]
		for _, w := range codes {
			if n, err := strconv.Atoi(w); err != nil || n < 400 || n > 599 {
				return
			}
		}
	}
	in.add("@error status", strings.Join(codes, " "))
	in.from(g.set.ErrorOverride.Place())
	page := g.block()
	page.add("error {http.reverse_proxy.status_code}")
	in.nest(page, "handle_response @error")
	g.l.Exact(g.set.ErrorOverride)
}

// errorPages writes ErrorDocument of the server: texts, URLs, and files that are served
// (caddyserver.com/docs/caddyfile/directives/handle_errors).
func (c *siteGen) errorPages(in *block) {
	pages := c.block()
	last := map[int]*model.ErrorDoc{}
	for _, d := range c.site.Server.Settings.ErrorDocs {
		last[d.Status.V] = d
	}
	for _, d := range c.site.Server.Settings.ErrorDocs {
		if last[d.Status.V] != d {
			c.l.Exact(d) // a later one replaces it
			continue
		}
		c.errorPage(pages, d)
	}
	if !pages.empty() {
		in.nest(pages, "handle_errors")
	}
}

func (c *siteGen) errorPage(pages *block, d *model.ErrorDoc) {
	doc := d.Document.V
	m := "error_" + itoa(d.Status.V)
	when := "@" + m + " expression `{http.error.status_code} == " + itoa(d.Status.V) + "`"
	q, ok := quoteLiteral(strings.TrimPrefix(doc, `"`))
	switch {
	case !ok:
		c.l.Drop("it cannot be written for Caddy", "handle_errors", d)
	case strings.EqualFold(doc, "default"):
		c.l.Exact(d)
	case strings.HasPrefix(doc, "/"):
		o := c.site.Find(doc)
		root, rootOK := quoteLiteral(o.Root)
		if o.Kind != plan.Files || o.Root == "" || !rootOK || c.runs(o.Settings.Extras) || o.Strip != "/" || !o.Access.Open() {
			c.l.Drop("pages that are not plain files here are not shown", "handle_errors with a reverse_proxy", d)
			return
		}
		pages.add(when)
		page := c.block()
		page.add("rewrite *", q)
		page.add("root *", root)
		page.add("file_server")
		pages.nest(page, "route", "@"+m)
		c.l.Exact(d)
	case strings.Contains(doc, "://"):
		pages.add(when)
		pages.add("redir", "@"+m, q, "302")
		c.l.Exact(d)
	default:
		pages.add(when)
		pages.add("respond", "@"+m, q, itoa(d.Status.V))
		c.l.Exact(d)
	}
	if len(pages.lines) > 0 {
		pages.from(d.At)
	}
}
