package caddy

import (
	"net/netip"
	"regexp"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// siteGen writes one site.
type siteGen struct {
	*gen
	site    *plan.Site
	out     *block
	proxies []earlyProxy // rewrite rules with [P], done in the cells behind the access rules
}

// write writes the inside of the site's route block.
func (c *siteGen) write() {
	c.refuseOddPaths()
	if v := c.site.Server.TraceEnable; v.IsWritten() && strings.EqualFold(v.V, "off") {
		m := c.name("trace")
		c.out.add("@"+m, "method TRACE")
		c.out.add("error", "@"+m, "405")
		c.l.Exact(v)
	}
	c.upgrades()
	c.always(c.site.Server.Settings.Headers, nil)
	c.early()
	c.sessions()
	for _, cell := range c.site.Cells {
		c.cell(cell)
	}
	c.server()
}

// server marks what of the server needs no line of its own.
func (c *siteGen) server() {
	s := c.site.Server
	c.l.Exact(c.site.Source.DocRoot)
	if s.MergeSlashes.IsWritten() && !s.MergeSlashes.V {
		c.l.Approx("Caddy compares paths with double slashes made single", "", s.MergeSlashes)
	}
	c.l.Exact(s.MergeSlashes)
	if strings.EqualFold(s.CanonicalName.V, "off") {
		c.l.Exact(s.CanonicalName)
	}
	for _, d := range s.Settings.Extras {
		if d.Files.V {
			c.l.Exact(d) // what files they hide is not served, see plan.Outcome
		}
	}
	c.passwords()
}

// refuseOddPaths refuses paths that Caddy and httpd would take apart differently.
// Caddy compares the decoded and cleaned path but sends the path as it came, and
// its rewriting sees dots that are written %2e as names; httpd answers 404 to an
// encoded slash, and resolves dots before anything else. Clients resolve them
// themselves. Control characters are refused because $ in a PCRE matches before a
// line feed at the end.
func (c *siteGen) refuseOddPaths() {
	v := c.site.Server.EncodedSlashes
	bad := `2f|[01]|7f`
	if on := strings.ToLower(v.V); on == "on" || on == "nodecode" {
		if c.guarded() {
			c.l.Closed("encoded slashes could lead around the access rules: such paths are refused", "", v)
		} else {
			bad = `[01]|7f`
			c.l.Exact(v)
		}
	} else {
		c.l.Exact(v)
	}
	if c.captures() {
		bad += `|3f` // a captured question mark would end the path, see rewrite.go of Caddy
	}
	c.name("odd")
	c.out.add("@odd", `vars_regexp {http.request.orig_uri} (?i)^[^?]*(%(`+bad+`)|/(\.|%2e){1,2}([/?]|$))`)
	c.out.add("error @odd 400")
}

// guarded reports whether some place of the site is not open to everybody.
func (c *siteGen) guarded() bool {
	for _, o := range c.outcomes() {
		if !o.Access.Open() || o.Kind != plan.Proxy {
			return true
		}
	}
	return false
}

// captures reports whether parts of paths are put into other paths.
func (c *siteGen) captures() bool {
	for _, e := range c.site.Early {
		if strings.ContainsAny(e.Target, "$%") {
			return true
		}
	}
	for _, o := range c.outcomes() {
		if o.Regex != nil {
			return true
		}
	}
	return false
}

func (c *siteGen) outcomes() []*plan.Outcome {
	var out []*plan.Outcome
	for _, cell := range c.site.Cells {
		out = append(out, &cell.Outcome)
		for _, b := range cell.Branches {
			out = append(out, &b.Outcome)
		}
	}
	return out
}

// cell writes a cell of the URL space. The path matcher of Caddy ignores case, so
// prefixes are expressions (caddyserver.com/docs/caddyfile/matchers#path).
func (c *siteGen) cell(cell *plan.Cell) {
	in := c.block()
	for _, b := range cell.Branches {
		if c.branch(in, b) {
			if cell.Mapping != nil {
				c.l.Drop("its requests are refused together with those of a pattern", "", cell.Mapping)
			}
			c.closeCell(cell, in)
			return
		}
	}
	c.outcome(in, &cell.Outcome)
	c.closeCell(cell, in)
}

// closeCell puts the inside of a cell behind its matcher.
func (c *siteGen) closeCell(cell *plan.Cell, in *block) {
	if cell.Path == "/" {
		c.out.append(in, 0)
		return
	}
	re := "^" + regexp.QuoteMeta(cell.Path)
	if !strings.HasSuffix(cell.Path, "/") {
		re += "(/|$)"
	}
	m := c.name(cell.Path)
	t, ok := pattern(re)
	if !ok {
		return // it holds control characters, which no request has from here on
	}
	c.out.add("@"+m, "path_regexp", t)
	c.out.nest(in, "route", "@"+m)
}

// branch writes what is done with paths that match patterns. It reports whether
// nothing can come after it: Go does not know a pattern, so that everything which
// it could be about is refused.
func (c *siteGen) branch(out *block, b *plan.Branch) (final bool) {
	var known []plan.Pattern
	unknown := false
	for _, p := range b.Patterns {
		if _, ok := pattern(p.Regex); !ok {
			c.l.Closed("Caddy's expressions (RE2) do not know this pattern: everything that it could be about is refused", "the same without look-around and back references", p.Fact)
			unknown = true
			continue
		}
		known = append(known, p)
	}
	in := c.block()
	var capture string
	if unknown {
		in.add("error * 403")
		if b.Mapping != nil {
			c.l.Drop("its requests are refused with those of the pattern", "", b.Mapping)
		}
	}
	if len(known) == 0 {
		out.append(in, 0)
		return true
	}
	m := c.name("pattern")
	set := c.block()
	for i, p := range known {
		t, _ := pattern(p.Regex)
		words := []string{"path_regexp"}
		if !unknown && b.Regex != nil && b.Regex.Regex == p.Regex {
			capture = c.name("match")
			words = append(words, capture)
		}
		both(set, i, append(words, t)...)
	}
	if !unknown {
		c.capture(in, &b.Outcome, capture)
	}
	c.matcher(out, m, set)
	out.nest(in, "route", "@"+m)
	return false
}

// both adds one more condition to a matcher; an expression may stand there only
// once, so that the others are denied twice.
func both(set *block, i int, words ...string) {
	if i == 0 {
		set.add(words...)
		return
	}
	inner, deny := &block{}, &block{}
	inner.add(words...)
	deny.nest(inner, "not")
	set.nest(deny, "not")
}

// matcher defines a named matcher, on one line when it has one condition.
func (c *gen) matcher(out *block, name string, set *block) {
	if len(set.lines) == 1 {
		out.add("@"+name, set.lines[0].text)
		return
	}
	out.nest(set, "@"+name)
}

// outcome writes what is done with a request.
func (c *siteGen) outcome(in *block, o *plan.Outcome) { c.capture(in, o, "") }

// capture is outcome behind the expression of that name.
func (c *siteGen) capture(in *block, o *plan.Outcome, expr string) {
	c.mark(o)
	if o.Kind == plan.Refuse {
		c.alwaysIn(in, o)
		in.add("error", "*", statusText(o.Status))
		c.redirectFact(o)
		return
	}
	if !c.access(in, &o.Access) {
		return
	}
	c.limits(in, o)
	c.alwaysIn(in, o)
	c.chosen(in, o)
	switch o.Kind {
	case plan.Proxy:
		c.proxy(in, o, expr)
	case plan.Redirect:
		c.redirect(in, o)
	case plan.Handler:
		c.l.Drop("Caddy has no such page: the path is refused", handlerMeans(o.Handler), o.Settings.Handler)
		in.add("error * 404")
	default:
		c.files(in, o)
	}
}

func handlerMeans(handler string) string {
	switch handler {
	case "balancer-manager", "server-status":
		return "the admin API, GET /reverse_proxy/upstreams, on localhost"
	}
	return ""
}

func statusText(status int) string {
	if status < 400 || status > 599 {
		status = 403
	}
	return itoa(status)
}

// mark marks what the cells settle: the mappings and what is as it is in Caddy.
func (c *siteGen) mark(o *plan.Outcome) {
	if o.Mapping != nil {
		c.l.Exact(o.Mapping)
		if o.Mapping.NoQry.V && o.Kind == plan.Proxy {
			c.l.Approx("the query is sent to the member all the same", "", o.Mapping.NoQry)
		}
	}
	s := &o.Settings
	if !strings.EqualFold(s.ErrorOverride.V, "on") && o.Kind != plan.Proxy {
		c.l.Exact(s.ErrorOverride)
	}
	if o.Kind != plan.Handler {
		c.l.Exact(s.Handler)
	}
	if s.Continue100.V {
		c.l.Exact(s.Continue100)
	}
	if o.Kind != plan.Proxy {
		return
	}
	if s.AddHeaders.V {
		c.l.Approx("Caddy sends X-Forwarded-For, -Host and -Proto of its own and drops what the client sent in them; there is no X-Forwarded-Server", "trusted_proxies", s.AddHeaders)
	}
}

// access writes who gets in; it reports whether anybody does. Passwords are closed:
// Caddy wants the bcrypt hashes themselves and reads no files of them
// (caddyserver.com/docs/caddyfile/directives/basic_auth).
func (c *siteGen) access(in *block, a *plan.Access) bool {
	if a.NeedsAuth() {
		in.comment("those who log in with a password of " + orWord(a.File, "a file") + " are refused: basicauth needs the hashes here")
	}
	if a.Free.Empty() {
		in.add("error * 403")
		return false
	}
	if a.Free.All() {
		return true
	}
	nets, allow := a.Free.Rules()
	words := make([]string, len(nets))
	for i, p := range nets {
		words[i] = plan.Short(unzoned(p))
	}
	m := c.name("denied")
	if allow {
		in.add("@"+m, "not remote_ip", strings.Join(words, " "))
	} else {
		in.add("@"+m, "remote_ip", strings.Join(words, " "))
	}
	in.add("error", "@"+m, "403")
	return true
}

func unzoned(p netip.Prefix) netip.Prefix { return netip.PrefixFrom(p.Addr().WithZone(""), p.Bits()) }

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// passwords marks the facts of Basic authentication that could not be carried over.
func (c *siteGen) passwords() {
	for _, o := range c.outcomes() {
		if !o.Access.NeedsAuth() {
			continue
		}
		m := o.Settings.Access
		c.l.Closed("Caddy reads no files of passwords: those who would have to log in are refused", "basicauth (basic_auth since 2.8) with the users' bcrypt hashes", m.AuthType, m.AuthName, m.AuthFile)
		var walk func(r *model.Require)
		walk = func(r *model.Require) {
			if len(r.Args) > 0 {
				switch strings.ToLower(r.Args[0].V) {
				case "valid-user", "user":
					c.l.Closed("those who would have to log in are refused", "basicauth (basic_auth since 2.8) with the users' bcrypt hashes", r.At)
				}
			}
			for _, x := range r.Children {
				walk(x)
			}
		}
		if m.Require != nil {
			walk(m.Require)
		}
	}
}

// limits writes LimitRequestBody, in bytes.
func (c *siteGen) limits(in *block, o *plan.Outcome) {
	var last *model.Directive
	for _, d := range o.Settings.Extras {
		if strings.EqualFold(d.Name.V, "LimitRequestBody") && digits(d.Arg(0)) {
			c.l.Exact(d)
			last = d
		}
	}
	if last == nil || strings.Trim(last.Arg(0), "0") == "" {
		return
	}
	size := c.block()
	size.add("max_size " + last.Arg(0))
	size.from(last.At)
	in.nest(size, "request_body")
}

func digits(s string) bool {
	return s != "" && len(s) < 19 && strings.Trim(s, "0123456789") == ""
}

// files serves the files of a directory, or refuses when none is known to be safe
// (caddyserver.com/docs/caddyfile/directives/file_server).
func (c *siteGen) files(in *block, o *plan.Outcome) {
	root, ok := quoteLiteral(o.Root)
	if o.Root == "" || !ok || c.runs(o.Settings.Extras) || strings.ContainsAny(o.Strip, "{%") {
		in.add("error * 404")
		for _, a := range c.site.Server.PathAlias {
			c.l.Drop("files of it are not served", "file_server", a)
		}
		return
	}
	strip := strings.TrimSuffix(o.Strip, "/")
	if strip != "" {
		t, ok := quote(strip)
		if !ok {
			in.add("error * 404")
			return
		}
		in.add("uri strip_prefix", t)
	}
	in.add("root *", root)
	hide := c.block()
	hide.add("hide .ht*")
	in.nest(hide, "file_server")
	for _, a := range c.site.Server.PathAlias {
		if a.Path.V == o.Strip && !a.Regex.V && !a.Script.V {
			c.l.Exact(a)
		}
	}
}

// runs reports whether httpd would run some of the files instead of sending them.
func (c *siteGen) runs(list []*model.Directive) bool {
	for _, d := range list {
		switch name := strings.ToLower(d.Name.V); name {
		case "addhandler", "sethandler", "action", "script", "addoutputfilter", "setoutputfilter", "addinputfilter", "setinputfilter", "php_admin_flag", "php_flag":
			return true
		case "addtype", "forcetype":
			if strings.HasPrefix(strings.ToLower(d.Arg(0)), "application/x-httpd") {
				return true
			}
		case "options":
			for _, a := range d.Args {
				if w := strings.ToLower(strings.TrimPrefix(a.V, "+")); w == "execcgi" || w == "includes" || w == "includesnoexec" || w == "all" {
					return true
				}
			}
		}
		if c.runs(d.Children) {
			return true
		}
	}
	return false
}
