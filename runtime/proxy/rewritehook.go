package proxy

import (
	"os"
	"strconv"
	"strings"

	"clowder/runtime/expr"
)

// rewriteServer runs the rules of the server, before anything else maps the URL
// (hook_uri2file). done says that nothing else does.
func (c *call) rewriteServer() (done bool, prob *problem) {
	rw := c.srv.rewrite
	if rw == nil || !c.conf.engine || c.rewriteEnd {
		return false, nil
	}
	q := c.x.Req
	c.scriptURL()
	oldArgs, oldHas := q.Query, q.HasQ
	w := &rewriter{c: c, srv: c.srv, conf: rw, filename: visible(c.path)}
	if c.url != "" {
		w.filename = "proxy:" + visible(c.url)
	}
	out := w.apply(rw.rules)
	c.filename = ""
	if out == unchanged {
		return false, nil
	}
	skip, _ := absoluteURI(w.filename)
	if prob := w.verdict(out, skip); prob != nil {
		c.filename = strings.Clone(w.filename)
		return true, prob
	}
	if url, ok := strings.CutPrefix(w.filename, "proxy:"); ok {
		c.rewriteProxy(url, out)
		return true, nil
	}
	if skip > 0 {
		c.filename = strings.Clone(w.filename)
		return true, w.redirect(out, skip, oldArgs, oldHas)
	}
	if path, ok := strings.CutPrefix(w.filename, "passthrough:"); ok {
		if !strings.HasPrefix(path, "/") {
			return true, &problem{status: 400}
		}
		c.path = strings.Clone(c.hidden(path))
		return false, nil
	}
	return true, w.local()
}

// verdict is the answer that rules give, or that their result needs.
func (w *rewriter) verdict(out outcome, skip int) *problem {
	q := w.c.x.Req
	if q.HasQ && !(skip > 0 && out != changedRaw) && !safeRaw(q.Query) {
		w.c.p.log.Error("AH10410: Rewritten query string contains control characters or spaces", "path", w.c.path)
		return &problem{status: 403}
	}
	if out == answered {
		return &problem{status: w.status}
	}
	return nil
}

// rewriteProxy sends the request to the URL.
func (c *call) rewriteProxy(url string, out outcome) {
	q := c.x.Req
	c.literal, c.early, c.viaRule = out == changedRaw, false, nil
	if c.literal {
		if q.HasQ {
			url += "?" + q.Query
		}
		c.url = strings.Clone(url)
		return
	}
	c.url = strings.Clone(c.hidden(url))
}

// hidden marks the slashes that stay encoded, as decodePath does.
func (c *call) hidden(path string) string {
	if c.srv.slashes != slashesNoDecode || !strings.Contains(path, "%2") {
		return path
	}
	return strings.NewReplacer("%2F", "\x00F", "%2f", "\x00f").Replace(path)
}

// redirect answers with a Location.
func (w *rewriter) redirect(out outcome, skip int, oldArgs string, oldHas bool) *problem {
	q := w.c.x.Req
	to := w.filename
	if out != changedRaw {
		to = escapeURL(to, skip)
	}
	if q.HasQ {
		args := q.Query
		if out != changedRaw && !(oldHas && args == oldArgs) {
			args = expr.Escape(args)
		}
		to += "?" + args
	}
	status := w.status
	if status < 300 || status > 399 || status == 304 {
		status = 302
	}
	return &problem{status: status, location: cleanValue(to)}
}

// escapeURL encodes the path of a full URL (escape_absolute_uri).
func escapeURL(uri string, skip int) string {
	if uri[skip-1] == '/' {
		i := strings.IndexByte(uri[skip:], '/')
		if i < 0 || skip+i+1 == len(uri) {
			return uri
		}
		skip += i + 1
	}
	return uri[:skip] + expr.Escape(uri[skip:])
}

// local makes a file of the path: as it stands if its first part exists and the
// rule or DocumentRoot begin with it, else below DocumentRoot.
func (w *rewriter) local() *problem {
	c := w.c
	name := w.filename
	if !strings.HasPrefix(name, "/") {
		return &problem{status: 400}
	}
	name, ok := normalPath(name, true)
	if !ok {
		c.p.log.Error("AH00127: Cannot map to a file", "path", w.filename)
		return &problem{status: 403}
	}
	if w.reduced && !w.conf.options["legacyprefixdocroot"] || !w.standsAlone(name) {
		name = strings.TrimSuffix(c.srv.documentRoot(), "/") + name
	}
	c.filename = strings.Clone(name)
	return nil
}

// standsAlone reports whether the path is one of the file system (prefix_stat).
func (w *rewriter) standsAlone(name string) bool {
	i := strings.IndexByte(name[1:], '/')
	first := name
	if i >= 0 {
		first = name[:i+1]
	}
	if first == "/" {
		return false
	}
	if _, err := os.Stat(first); err != nil {
		return false
	}
	return w.conf.options["unsafeprefixstat"] || w.last == nil || w.last.has(flagPrefix) ||
		strings.HasPrefix(w.last.out, first) || strings.HasPrefix(name, w.c.srv.documentRoot())
}

// scriptURL sets SCRIPT_URL and SCRIPT_URI.
func (c *call) scriptURL() {
	url := visible(c.path)
	if v, ok := c.x.Env["REDIRECT_SCRIPT_URL"]; ok {
		url = v
	}
	url = strings.Clone(url)
	c.x.Setenv("SCRIPT_URL", url)
	c.x.Setenv("SCRIPT_URI", c.selfURL()+url)
}

// rewriteDir runs the rules of the section, behind access control (hook_fixup).
func (c *call) rewriteDir() *problem {
	rw := c.conf.rewrite
	if rw == nil || rw.dir == "" || !c.conf.engine || c.rewriteEnd {
		return nil
	}
	q := c.x.Req
	w := &rewriter{c: c, srv: c.srv, conf: rw}
	if c.url != "" {
		w.filename = "proxy:" + visible(c.url)
	} else {
		w.filename, w.info = c.mapFile()
		w.filename, w.info = visible(w.filename), visible(w.info)
		if !rw.options["allownoslash"] && w.filename+"/" == rw.dir {
			return nil
		}
	}
	before, oldArgs, oldHas := w.filename, q.Query, q.HasQ
	held := c.filename
	out := w.apply(rw.rules)
	c.filename = held
	if out == unchanged {
		return nil
	}
	skip, _ := absoluteURI(w.filename)
	if prob := w.verdict(out, skip); prob != nil {
		return prob
	}
	if url, ok := strings.CutPrefix(w.filename, "proxy:"); ok {
		c.rewriteProxy(url, out)
		return nil
	}
	if skip > 0 {
		w.rebase(skip)
		return w.redirect(out, skip, oldArgs, oldHas)
	}
	w.filename = strings.TrimPrefix(w.filename, "passthrough:")
	if !strings.HasPrefix(w.filename, "/") {
		return &problem{status: 400}
	}
	if w.filename == before {
		return nil // the same again would go round for ever
	}
	c.again = w.again()
	return nil
}

// rebase puts RewriteBase in place of the section's path in a redirect.
func (w *rewriter) rebase(skip int) {
	base := w.conf.base
	i := strings.IndexByte(w.filename[skip:], '/')
	if base == "" || i < 0 || skip+i+1 == len(w.filename) {
		return
	}
	i += skip + 1
	w.filename = w.filename[:i] + replacePrefix(w.filename[i:], strings.TrimPrefix(w.conf.dir, "/"), strings.TrimPrefix(base, "/"))
}

// again is the URL that an internal redirect goes to.
func (w *rewriter) again() string {
	q := w.c.x.Req
	to := w.filename
	if w.conf.base != "" {
		to = replacePrefix(to, w.conf.dir, w.conf.base)
	} else if rest, ok := strings.CutPrefix(to, strings.TrimSuffix(w.c.srv.documentRoot(), "/")); ok && strings.HasPrefix(rest, "/") {
		to = rest
	}
	if q.HasQ {
		to += "?" + q.Query
	}
	return to
}

// replacePrefix puts another directory in place of that at the beginning
// (subst_prefix_path).
func replacePrefix(s, dir, with string) string {
	rest, ok := strings.CutPrefix(s, strings.TrimSuffix(dir, "/"))
	if !ok || !strings.HasPrefix(rest, "/") {
		return s
	}
	return strings.TrimSuffix(with, "/") + rest
}

// maxInternal bounds internal redirects (LimitInternalRecursion).
const maxInternal = 10

// redirectInside starts the request again at another URL (ap_internal_redirect):
// the environment is kept with REDIRECT_ before each name.
func (c *call) redirectInside(target string) {
	q := c.x.Req
	c.x.Env = c.redirectEnv(200)
	target = strings.Clone(target)
	q.Path, q.Query, q.HasQ = target, "", false
	if i := strings.IndexByte(target, '?'); i >= 0 {
		q.Path, q.Query, q.HasQ = target[:i], target[i+1:], true
	}
	c.url, c.literal, c.early, c.viaRule = "", false, false, nil
	c.again, c.translating, c.fixed = "", false, false
	c.filename, c.info, c.notes, c.forcedType, c.forcedHandler = "", "", nil, "", ""
	c.script = false
	c.conf = c.srv.base
}

// redirectEnv are the variables of an internal redirect: those of before have
// another name (rename_original_env of modules/http/http_request.c).
func (c *call) redirectEnv(status int) map[string]string {
	env := make(map[string]string, len(c.x.Env)+3)
	for k, v := range c.x.Env {
		env["REDIRECT_"+k] = v
	}
	env["REDIRECT_URL"] = strings.Clone(visible(c.path))
	env["REDIRECT_STATUS"] = strconv.Itoa(status)
	if q := c.x.Req; q.HasQ {
		env["REDIRECT_QUERY_STRING"] = strings.Clone(q.Query)
	}
	return env
}

// isHost reports whether a URL's host and port are this server's
// (ap_matches_request_vhost).
func (p *Proxy) isHost(c *call, host string, port int) bool {
	for _, a := range c.srv.m.Addresses {
		name, n := hostPort(a.V, 0)
		if (n <= 0 || n == port) && strings.EqualFold(name, host) {
			return true
		}
	}
	if port != c.srv.port {
		return false
	}
	if strings.EqualFold(c.srv.name, host) {
		return true
	}
	for _, a := range c.srv.m.Aliases {
		if expr.Fnmatch(strings.ToLower(a.V), strings.ToLower(host), 0) {
			return true
		}
	}
	return false
}
