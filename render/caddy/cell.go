package caddy

import (
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// siteGen writes one site.
type siteGen struct {
	*gen
	site    *plan.Site
	out     *block
	names   map[string]bool // of matchers and expressions of this site
	proxies []earlyProxy    // rewrite rules with [P], done in the cells behind the access rules

	matchers map[string]string // names of matchers by their text
	exprs    map[string]string // names of expressions whose groups are used, by their text
	routes   map[string]*sticky
	upgraded bool // some pools take upgrades
	dry      bool // what is written is only compared
}

// name makes an unused name.
func (c *siteGen) name(base string) string {
	if c.dry {
		return word(base)
	}
	return unused(c.names, base)
}

// define defines a matcher for the whole site, once for each text, and returns its
// token.
func (c *siteGen) define(base string, set *block) string {
	key := set.key()
	if c.dry {
		return "@" + key
	}
	if c.matchers[key] == "" {
		m := c.name(base)
		c.matchers[key] = m
		if len(set.lines) == 1 {
			c.out.add("@"+m, set.lines[0].text)
		} else {
			c.out.nest(set, "@"+m)
		}
	}
	return "@" + c.matchers[key]
}

// when is define for one condition.
func (c *siteGen) when(base string, words ...string) string {
	set := c.block()
	set.add(words...)
	return c.define(base, set)
}

// expression names the groups of a pattern.
func (c *siteGen) expression(text string) string {
	if c.exprs[text] == "" {
		if c.dry {
			return "match"
		}
		c.exprs[text] = c.name("match")
	}
	return c.exprs[text]
}

// write writes the inside of the site's route block.
func (c *siteGen) write() {
	if v := c.site.Server.TraceEnable; v.IsWritten() && strings.EqualFold(v.V, "off") {
		c.out.add("error", c.when("trace", "method TRACE"), "405")
		c.l.Exact(v)
	}
	c.upgrades()
	c.always(c.site.Server.Settings.Headers, nil)
	c.early()
	c.sessions()
	for i, cell := range c.site.Cells {
		if !c.likeAround(cell, c.site.Cells[i+1:]) {
			c.cell(cell)
		}
	}
	c.server()
	first := c.refuseOddPaths()
	first.append(c.out, 0)
	c.out = first
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
	used := map[*model.Section]bool{}
	for _, o := range c.outcomes() {
		for _, sec := range o.Sections {
			used[sec] = true
		}
	}
	for _, sec := range s.Sections {
		if strings.HasPrefix(sec.Kind.V, "Proxy") && !used[sec] {
			c.l.Exact(sec) // no request is sent to what it is about
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
func (c *siteGen) refuseOddPaths() *block {
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
	out := c.block()
	c.refuseAstray(out)
	out.comment("encoded slashes and control characters, and dots that clients resolve themselves")
	beyond := ""
	if c.countsBytes() {
		out.comment("and bytes beyond ASCII: httpd's expressions look at bytes, Caddy's at letters")
		bad, beyond = bad+"|[89a-f].", `[^\x00-\x7f]|`
	}
	out.add("@odd", `vars_regexp {http.request.orig_uri} (?i)^[^?]*(`+beyond+`%(`+bad+`)|/(\.|%2e){1,2}([/?]|$))`)
	out.add("error @odd 400")
	return out
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
	for line := range strings.Lines(c.out.key()) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "rewrite ") && (strings.Contains(line, "{re.") || strings.Contains(line, "uri.path}")) {
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
	for _, b := range c.needed(cell) {
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

// likeAround reports whether the cell around one, in the list of those behind it,
// does the same.
func (c *siteGen) likeAround(cell *plan.Cell, behind []*plan.Cell) bool {
	for _, o := range behind {
		if o.Holds(cell.Path) {
			return c.cellText(cell) == c.cellText(o)
		}
	}
	return false
}

func (c *siteGen) cellText(cell *plan.Cell) string {
	var b strings.Builder
	for _, br := range cell.Branches {
		for _, p := range br.Patterns {
			b.WriteString(strconv.Quote(p.Regex))
		}
		b.WriteString("\n" + c.dryText(br, &br.Outcome))
	}
	return b.String() + "\n" + c.dryText(nil, &cell.Outcome)
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
	t, ok := pattern(re)
	if !ok {
		return // it holds control characters, which no request has from here on
	}
	c.behind(c.out, c.when(cell.Path, "path_regexp", t), in)
}

// behind writes a block behind a matcher.
func (c *siteGen) behind(out *block, matcher string, in *block) {
	if rest, ok := strings.CutPrefix(in.lines[0].text, "error * "); ok && len(in.lines) == 1 {
		out.add("error", matcher, rest)
		return
	}
	out.nest(in, "route", matcher)
}

// needed lists the branches of a cell without those that no path can take, and
// those after whose removal the same would be done: by the next branch with some of
// its patterns, or by the cell.
func (c *siteGen) needed(cell *plan.Cell) []*plan.Branch {
	var list []*plan.Branch
	patterns := map[string]bool{}
	for _, b := range cell.Branches {
		if !slices.ContainsFunc(b.Patterns, func(p plan.Pattern) bool { return !mayMatch(p.Regex, cell.Path) }) {
			list = append(list, b)
			for _, p := range b.Patterns {
				patterns[p.Regex] = true
			}
		}
	}
	if len(patterns) > 10 || len(list) != 1<<len(patterns)-1 {
		return list // not every combination has a branch
	}
	var out []*plan.Branch
	for i, b := range slices.Backward(list) {
		next := c.dryText(nil, &cell.Outcome)
		for _, k := range list[i+1:] {
			if subset(k.Patterns, b.Patterns) {
				next = c.dryText(k, &k.Outcome)
				break
			}
		}
		if next != c.dryText(b, &b.Outcome) {
			out = append(out, b)
		}
	}
	slices.Reverse(out)
	return out
}

// dryText is what would be written for an outcome, without the names.
func (c *siteGen) dryText(b *plan.Branch, o *plan.Outcome) string {
	in := c.block()
	c.dry = true
	defer func() { c.dry = false }()
	if b != nil && !slices.ContainsFunc(b.Patterns, func(p plan.Pattern) bool { _, ok := pattern(p.Regex); return !ok }) {
		c.capture(in, o, "match")
	} else if b != nil {
		in.add("error * 403")
	} else {
		c.capture(in, o, "")
	}
	return in.key()
}

func subset(a, b []plan.Pattern) bool {
	for _, p := range a {
		if !slices.ContainsFunc(b, func(q plan.Pattern) bool { return p.Regex == q.Regex }) {
			return false
		}
	}
	return true
}

// mayMatch reports whether a path of a cell can match: one that begins with other
// letters than the expression wants cannot.
func mayMatch(re, cell string) bool {
	tree, err := syntax.Parse(re, syntax.Perl)
	if err != nil || tree.Op != syntax.OpConcat || tree.Sub[0].Op != syntax.OpBeginText {
		return true
	}
	lit := ""
	for _, sub := range tree.Sub[1:] {
		if sub.Op != syntax.OpLiteral || sub.Flags&syntax.FoldCase != 0 {
			break
		}
		lit += string(sub.Rune)
	}
	return strings.HasPrefix(lit, cell) || strings.HasPrefix(cell, lit)
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
	set := c.block()
	for i, p := range known {
		t, _ := pattern(p.Regex)
		words := []string{"path_regexp"}
		if !unknown && b.Regex != nil && b.Regex.Regex == p.Regex {
			capture = c.expression(t)
			words = append(words, capture)
		}
		both(set, i, append(words, t)...)
	}
	if !unknown {
		c.capture(in, &b.Outcome, capture)
	}
	c.behind(out, c.define("pattern", set), in)
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
	rule := "remote_ip " + strings.Join(words, " ")
	if allow {
		rule = "not " + rule
	}
	in.add("error", c.when("denied", rule), "403")
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
	most := o.Settings.LimitBody
	if !most.IsSet() {
		return
	}
	c.l.Exact(most)
	if most.V <= 0 {
		return
	}
	size := c.block()
	size.add("max_size " + strconv.Itoa(most.V))
	size.from(most.Place())
	in.nest(size, "request_body")
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
