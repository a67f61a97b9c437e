package nginx

import (
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// responses carries what httpd does to answers on their way out.
func (c *conf) responses(s *server, site *plan.Site, l *loc, o *plan.Outcome) {
	c.responseRules(site, l, o)
	c.errorPages(s, site, l, o)
}

// reverses carries ProxyPassReverse (ngx_http_proxy_module, proxy_redirect): the
// first one that fits counts in both.
func (c *conf) reverses(site *plan.Site, o *plan.Outcome, u *upstream) []*dir {
	var out []*dir
	add := func(from, to string, r *model.Reverse) {
		if from != "" && !slices.ContainsFunc(out, func(x *dir) bool { return x.args[0] == from }) {
			out = append(out, d("proxy_redirect", from, to).from(r.At))
		}
	}
	for _, r := range o.Settings.Reverses {
		real, public := r.To.V, c.lit(r.From.V)
		c.l.Exact(r)
		switch {
		case r.Interp.V && strings.Contains(real+r.From.V, "${"):
			c.l.Drop("nginx cannot replace these variables", "proxy_redirect", r)
		case strings.HasPrefix(real, "/"):
			add("~^(?:https?://[^/]+)?"+regexp.QuoteMeta(real)+"(.*)$", public+"$1", r)
		case strings.HasPrefix(strings.ToLower(real), "balancer://"):
			_, path, _ := strings.Cut(real[len("balancer://"):], "/")
			for _, b := range site.Server.Balancers {
				if name, _, _ := strings.Cut(real[len("balancer://"):], "/"); !strings.EqualFold(b.Name.V, name) {
					continue
				}
				for _, m := range b.Members {
					url := m.URL.V
					if low := strings.ToLower(url); !strings.HasPrefix(low, "http") {
						continue // no answer names such a member
					}
					if path != "" {
						add(c.lit(strings.TrimSuffix(url, "/")+"/"+path), public, r)
					} else if r.From.V == "/" {
						add(c.lit(strings.TrimSuffix(url, "/")+"/"), public, r)
					} else {
						add(c.lit(url), public, r)
					}
				}
			}
		default:
			add(c.lit(real), public, r)
		}
	}
	if u.pool.AJP && site.TLS != nil {
		// Over HTTP a Tomcat without RemoteIpValve does not know that the client used TLS.
		out = append(out, d("proxy_redirect", "http://$http_host/", "https://$http_host/"))
	}
	return out
}

// cookies carries ProxyPassReverseCookiePath and …CookieDomain: what begins with
// the internal value is replaced as a whole.
func (c *conf) cookies(name, begin string, list []*model.Reverse) []*dir {
	var out []*dir
	for _, r := range list {
		if r.From.V == "" || r.Interp.V && strings.Contains(r.From.V+r.To.V, "${") {
			c.l.Drop("nginx cannot say that", name, r)
			continue
		}
		c.l.Exact(r)
		out = append(out, d(name, begin+regexp.QuoteMeta(r.From.V), c.lit(r.To.V)).from(r.At))
	}
	return out
}

// errorStatus are the statuses from 400 on, for pages that replace those of members.
var errorStatus = []string{"400", "401", "402", "403", "404", "405", "406", "408", "409", "410", "411", "412", "413", "414", "415", "416", "417", "421", "422", "423",
	"424", "426", "428", "429", "431", "451", "500", "501", "502", "503", "504", "505", "506", "507", "508", "510", "511"}

// errorPages carries ErrorDocument and ProxyErrorOverride
// (ngx_http_core_module, error_page; ngx_http_proxy_module, proxy_intercept_errors).
func (c *conf) errorPages(s *server, site *plan.Site, l *loc, o *plan.Outcome) {
	docs := map[string]*model.ErrorDoc{}
	for _, e := range o.Settings.ErrorDocs {
		docs[itoa(e.Status.V)] = e
		c.l.Exact(e)
	}
	pages := map[string]string{}
	var order []string
	put := func(status, page string) {
		if pages[status] == "" {
			pages[status] = page
			order = append(order, status)
		}
	}
	for _, status := range sortedKeys(docs) {
		if page := c.errorPage(s, site, docs[status]); page != "" {
			put(status, page)
		}
	}
	// Where httpd answers 503 and 502, nginx says 502 and 504.
	if p := pages["503"]; p != "" {
		put("502", p)
	}
	if p := pages["502"]; p != "" {
		put("504", p)
	}
	over := strings.Fields(o.Settings.ErrorOverride.V)
	c.l.Exact(o.Settings.ErrorOverride)
	if o.Kind == plan.Proxy && len(over) > 0 && strings.EqualFold(over[0], "on") {
		codes := errorStatus
		if len(over) > 1 {
			codes = over[1:]
		}
		for _, code := range codes {
			if pages[code] == "" && len(code) == 3 && code >= "300" && code <= "599" && strings.Trim(code, "0123456789") == "" {
				put(code, c.ownErrorPage(s))
			}
		}
		l.add("proxy_intercept_errors", true, d("proxy_intercept_errors", "on").from(o.Settings.ErrorOverride.Place()))
	}
	slices.Sort(order)
	var out []*dir
	for len(order) > 0 {
		page := pages[order[0]]
		x := d("error_page")
		rest := order[:0:0]
		for _, status := range order {
			if pages[status] == page {
				x.args = append(x.args, status)
			} else {
				rest = append(rest, status)
			}
		}
		x.args = append(x.args, page)
		if e := docs[x.args[0]]; e != nil {
			x.at = e.At
		}
		out = append(out, x)
		order = rest
	}
	l.add("error_page", false, out...)
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// errorPage returns the page of an ErrorDocument, "" for nginx's own.
func (c *conf) errorPage(s *server, site *plan.Site, e *model.ErrorDoc) string {
	doc := e.Document.V
	switch {
	case e.Status.V < 300 || e.Status.V > 599:
		c.l.Drop("nginx has no pages for such a status", "", e)
		return ""
	case strings.EqualFold(doc, "default") || doc == "":
		return ""
	case !writable(doc):
		c.l.Drop("it cannot be written in nginx.conf: nginx's own page is sent", "error_page", e)
		return ""
	case strings.Contains(doc, "://"):
		if e.Status.V == 401 || strings.ContainsAny(doc, " \t") {
			c.l.Drop("a browser could not log in: nginx's own page is sent", "error_page", e)
			return ""
		}
		return c.lit(doc)
	case strings.HasPrefix(doc, "/"):
		if !c.answers(site, doc) {
			c.l.Drop("nothing in nginx.conf answers for that path: nginx's own page is sent", "error_page and a location with root", e)
			return ""
		}
		return c.lit(doc)
	}
	return c.errorText(s, itoa(e.Status.V), doc)
}

// answers reports whether a path of the site is a file that is served, or goes to
// members.
func (c *conf) answers(site *plan.Site, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	for _, cell := range site.Cells {
		p := strings.TrimSuffix(cell.Path, "/")
		if path == cell.Path || strings.HasPrefix(path, p+"/") {
			return cell.Kind == plan.Proxy || cell.Kind == plan.Files && cell.Root != "" && !scripts(cell.Settings.Extras)
		}
	}
	return false
}

// errorText makes a location that answers with a text; the status stays that of
// the error.
func (c *conf) errorText(s *server, status, doc string) string {
	key := status + " " + doc
	if p := s.errors[key]; p != "" {
		return p
	}
	name := "@error_" + status
	for n := 2; slices.ContainsFunc(s.named, func(x *dir) bool { return x.args[0] == name }); n++ {
		name = "@error_" + status + "_" + itoa(n)
	}
	s.errors[key] = name
	s.named = append(s.named, blk("location", []string{name}, d("default_type", "text/html"), d("return", status, c.lit(doc))))
	return name
}

// ownErrorPage is the page in place of a member's, where no ErrorDocument stands.
func (c *conf) ownErrorPage(s *server) string {
	const name = "@error"
	if s.errors[name] == "" {
		s.errors[name] = name
		s.named = append(s.named, blk("location", []string{name}, d("default_type", "text/html"), d("return", "200", "<h1>Error</h1>")))
	}
	return name
}
