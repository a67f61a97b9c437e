package nginx

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// loc is one location in the making.
type loc struct {
	match  []string
	note   string
	head   []*dir // done in order, before access is judged: set, if, rewrite, return
	groups []group
	edits  []*dir // of the header Location
	tail   []*dir // who answers
	proxy  bool
	files  bool
}

// group is a directive, or several of one name, that a location takes from around
// it when it has none of its own.
type group struct {
	name    string
	dirs    []*dir
	members bool // only matters where members are asked
}

func (l *loc) add(name string, members bool, list ...*dir) {
	if len(list) > 0 {
		l.groups = append(l.groups, group{name, list, members})
	}
}

func (l *loc) dir() *dir {
	inner := slices.Clone(l.head)
	groups := slices.Clone(l.groups)
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(groupRank(a.name), groupRank(b.name)) })
	for _, g := range groups {
		inner = append(inner, g.dirs...)
	}
	x := blk("location", l.match, append(inner, l.tail...)...)
	x.note = l.note
	return x
}

// groupRank puts who may get in first and what is done with answers last.
func groupRank(name string) int {
	switch {
	case name == "access":
		return 0
	case name == "client_max_body_size":
		return 1
	case name == "proxy_set_header":
		return 2
	case name == "add_header":
		return 4
	case name == "error_page":
		return 5
	}
	return 3
}

// answer makes the location answer with a status. Who may get in does not matter
// then, nor what is about members.
func (l *loc) answer(status string) {
	l.head = []*dir{d("return", status)}
	l.groups = slices.DeleteFunc(l.groups, func(g group) bool { return g.members || g.name == "access" || g.name == "client_max_body_size" })
}

func (l *loc) group(name string) []*dir {
	for _, g := range l.groups {
		if g.name == name {
			return g.dirs
		}
	}
	return nil
}

func (l *loc) drop(name string) {
	l.groups = slices.DeleteFunc(l.groups, func(g group) bool { return g.name == name })
}

// hoistServers moves what all locations have in common to the servers, and what
// all servers have in common to the http block, which is returned. Who may get in
// stays with its server.
func hoistServers(servers []*server) []*dir {
	var out []*dir
	for _, name := range groupNames(servers) {
		var common []*dir
		n, same := 0, true
		for _, s := range servers {
			if !s.proxies() {
				continue
			}
			one := s.inAll(name, 1)
			if n++; n == 1 {
				common = one
			}
			same = same && one != nil && text(one) == text(common)
		}
		if same && n > 1 {
			for _, s := range servers {
				s.take(name)
			}
			out = append(out, common...)
			continue
		}
		for _, s := range servers {
			s.share(name)
		}
	}
	for _, s := range servers {
		for _, name := range []string{"access", "add_header", "error_page", "client_max_body_size"} {
			s.share(name)
		}
	}
	return out
}

// share moves to the server what most of its locations have in a group, if each
// one that the group matters to has something in it: then none takes what it
// should not have. Who may get in is only moved when all agree.
func (s *server) share(name string) {
	if name == "access" {
		if one := s.inAll(name, 2); one != nil {
			s.take(name)
			s.shared = append(s.shared, one...)
		}
		return
	}
	members := s.aboutMembers(name)
	count := map[string]int{}
	best := ""
	for _, l := range s.locs {
		if members && !l.proxy {
			continue
		}
		g := l.group(name)
		if g == nil {
			return
		}
		key := text(g)
		if count[key]++; count[key] > count[best] {
			best = key
		}
	}
	if count[best] < 2 {
		return
	}
	var moved []*dir
	for _, l := range s.locs {
		if g := l.group(name); g != nil && text(g) == best {
			moved = g
			l.drop(name)
		}
	}
	s.shared = append(s.shared, moved...)
}

// aboutMembers reports whether a group only matters where members are asked.
func (s *server) aboutMembers(name string) bool {
	return slices.ContainsFunc(s.locs, func(l *loc) bool {
		return slices.ContainsFunc(l.groups, func(g group) bool { return g.name == name && g.members })
	})
}

// groupNames lists the groups that are about members, in order.
func groupNames(servers []*server) []string {
	var out []string
	for _, s := range servers {
		for _, l := range s.locs {
			for _, g := range l.groups {
				if g.members && !slices.Contains(out, g.name) {
					out = append(out, g.name)
				}
			}
		}
	}
	return out
}

// inAll returns the group when every location that it matters to has the same, and
// at least that many do.
func (s *server) inAll(name string, least int) []*dir {
	var found []*dir
	n := 0
	members := s.aboutMembers(name)
	for _, l := range s.locs {
		if members && !l.proxy {
			continue
		}
		g := l.group(name)
		if n++; g == nil || n > 1 && text(g) != text(found) {
			return nil
		}
		found = g
	}
	if n < least {
		return nil
	}
	return found
}

func (s *server) take(name string) {
	for _, l := range s.locs {
		l.drop(name)
	}
}

// refused writes once the patterns of a site, when all that its branches do is to
// refuse in the same way: nobody gets past them then, whatever the cell.
func (c *conf) refused(s *server, site *plan.Site) (out []*loc, ok bool) {
	var pats []plan.Pattern
	same := ""
	for _, cell := range site.Cells {
		for _, b := range cell.Branches {
			l := c.location(s, site, cell, b.Patterns, &b.Outcome)
			l.match = nil
			one := text([]*dir{l.dir()})
			if same == "" {
				same = one
			}
			if len(l.head) != 1 || l.head[0].name != "return" || one != same {
				return nil, false
			}
			for _, p := range b.Patterns {
				if !slices.ContainsFunc(pats, func(o plan.Pattern) bool { return o.Regex == p.Regex }) {
					pats = append(pats, p)
				}
			}
		}
	}
	for _, p := range pats {
		re, ok := branchRegex("/", []plan.Pattern{p})
		if !ok {
			return nil, false
		}
		cell := site.Cells[len(site.Cells)-1]
		for _, x := range site.Cells {
			if len(x.Branches) > 0 {
				cell = x
			}
		}
		l := c.location(s, site, cell, cell.Branches[0].Patterns, &cell.Branches[0].Outcome)
		l.match = []string{"~", re}
		out = append(out, l)
	}
	return out, len(pats) > 0
}

// cell writes a cell: its branches, then the rest. Locations with expressions are
// tried in order, so the order of the plan is kept; "/" is what none of them takes.
func (c *conf) cell(s *server, site *plan.Site, cell *plan.Cell, branches []*plan.Branch, raw bool) []*loc {
	var out []*loc
	for _, b := range branches {
		re, ok := branchRegex(cell.Path, b.Patterns)
		if !ok {
			for _, p := range b.Patterns {
				c.l.Closed("nginx does not understand the pattern: everything below "+comment(cell.Path)+" is refused", "", p.Fact)
			}
			return []*loc{{match: cellMatch(cell.Path), head: []*dir{d("return", "403")}}}
		}
		l := c.location(s, site, cell, b.Patterns, &b.Outcome)
		l.match = []string{"~", re}
		out = append(out, c.path(l, site, &b.Outcome, raw))
	}
	l := c.location(s, site, cell, nil, &cell.Outcome)
	return append(out, c.path(l, site, &cell.Outcome, raw))
}

func cellMatch(path string) []string {
	if path == "/" {
		return []string{"/"}
	}
	return []string{"~", cellRegex(path)}
}

// location makes what is done with the requests of a cell or a branch.
func (c *conf) location(s *server, site *plan.Site, cell *plan.Cell, on []plan.Pattern, o *plan.Outcome) *loc {
	l := &loc{match: cellMatch(cell.Path)}
	c.responses(s, site, l, o)
	c.limits(l, o)
	blind := s.anyone && !o.Access.Open() && !(o.Access.Free.Empty() && o.Access.Auth.All())
	fakes := site.TLS != nil && strings.Contains(strings.ToLower(site.TLS.Options.V), "fakebasicauth")
	switch {
	case o.Kind == plan.Refuse:
		l.answer(itoa(o.Status))
		c.l.Exact(o.Redirect)
		return l
	case blind || o.Access.Closed() || o.Access.NeedsAuth() && (o.Access.Realm == "" || fakes):
		l.answer("403")
		if o.Access.NeedsAuth() {
			c.l.Closed("passwords are made from certificates, or AuthName is missing: those requests are refused", "", o.Access.Facts...)
		}
		c.closedFacts(o)
		return l
	case o.Kind == plan.Redirect:
		c.redirect(l, cell, o)
		return l
	}
	c.access(l, o)
	switch o.Kind {
	case plan.Proxy:
		c.proxy(l, site, o)
	case plan.Handler:
		c.handler(l, o)
	default:
		c.files(l, site, cell, on, o)
	}
	return l
}

// closedFacts marks what does not matter any more where everybody is refused.
func (c *conf) closedFacts(o *plan.Outcome) {
	if o.Kind == plan.Proxy {
		c.l.Exact(o.Mapping)
		c.upstream(o.Pool)
	}
	c.l.Exact(o.Redirect, o.Settings.Handler)
}

// proxy sends the requests to a pool.
func (c *conf) proxy(l *loc, site *plan.Site, o *plan.Outcome) {
	u := c.upstream(o.Pool)
	c.l.Exact(o.Mapping)
	if u.pass == "" {
		l.answer("503")
		c.l.Person(u.why, "", o.Mapping)
		return
	}
	l.proxy = true
	l.add("proxy_set_header", true, c.requestHeaders(site, o, u)...)
	c.settings(l, site, o, u)
	l.tail = []*dir{d("proxy_pass", u.pass).from(o.Mapping.At)}
}

// settings are those of ngx_http_proxy_module, apart from headers.
func (c *conf) settings(l *loc, site *plan.Site, o *plan.Outcome, u *upstream) {
	for _, x := range c.timeouts(u, site.Server) {
		l.add(x.name, true, x)
	}
	for _, x := range u.nextUpstream() {
		l.add(x.name, true, x)
	}
	for _, x := range c.tlsMembers(u) {
		l.add(x.name, true, x)
	}
	for _, m := range u.members {
		if m.Source.KeepAlive.V {
			l.add("proxy_socket_keepalive", true, d("proxy_socket_keepalive", "on").from(m.Source.KeepAlive.Place()))
			break
		}
	}
	l.add("proxy_redirect", true, append(c.reverses(site, o, u), l.edits...)...)
	l.add("proxy_cookie_path", true, c.cookies("proxy_cookie_path", "~^", o.Settings.CookiePaths)...)
	l.add("proxy_cookie_domain", true, c.cookies("proxy_cookie_domain", "~^", o.Settings.CookieDomains)...)
}

// path maps the request's path to that of the members (B.2 of httpd's ProxyPass:
// what follows the prefix is added to the target as it is).
func (c *conf) path(l *loc, site *plan.Site, o *plan.Outcome, raw bool) *loc {
	if !l.proxy {
		return l
	}
	var re, to string
	switch {
	case o.Regex != nil:
		x, ok := pcre(o.Regex.Regex)
		y, ok2 := c.substitute(o.To, groups(x))
		if !ok || !ok2 || y == "" {
			c.l.Closed("nginx cannot make the target of that: the requests are refused", "", o.Mapping)
			return &loc{match: l.match, head: []*dir{d("return", "403")}}
		}
		re, to = x, y
	case o.Strip == o.To && o.To != o.Base || o.Strip == "" && o.To == "":
		if raw && !o.Mapping.Nocan.V && !strings.EqualFold(site.Server.EncodedSlashes.V, "nodecode") {
			l.head = append(l.head, d("rewrite", "^", "$uri", "break"))
		}
		return l
	case o.To == o.Base && o.Strip != "":
		// Behind the path of the members' URLs there is at least a slash.
		if strings.HasSuffix(o.Strip, "/") && o.To != "" {
			l.head = append(l.head, d("rewrite", "^"+regexp.QuoteMeta(o.Strip)+"$", c.lit(o.To)+"/", "break").from(o.Mapping.At))
			re, to = "^"+regexp.QuoteMeta(o.Strip)+"(.*)$", c.lit(o.To)+"$1"
			break
		}
		re, to = "^"+regexp.QuoteMeta(strings.TrimSuffix(o.Strip, "/"))+"/?(.*)$", c.lit(o.To)+"/$1"
	default:
		re, to = "^"+regexp.QuoteMeta(o.Strip)+"(.*)$", c.lit(o.To)+"$1"
	}
	if i := strings.IndexByte(o.To, '?'); i >= 0 || !strings.HasPrefix(o.To, "/") && o.To != "" && !strings.HasPrefix(o.To, "$") {
		c.l.Closed("the target's path cannot be written for nginx: the requests are refused", "", o.Mapping)
		return &loc{match: l.match, head: []*dir{d("return", "403")}}
	}
	l.head = append(l.head, d("rewrite", re, to, "break").from(o.Mapping.At))
	return l
}

// handler is a page of httpd. stub_status is the nearest to server-status; there is
// none for balancer-manager.
func (c *conf) handler(l *loc, o *plan.Outcome) {
	c.l.Exact(o.Mapping)
	if o.Handler == "server-status" {
		l.tail = []*dir{d("stub_status").from(o.Settings.Handler.Place())}
		c.l.Approx("nginx shows the numbers of connections and requests only", "stub_status", o.Settings.Handler)
		return
	}
	l.answer("404")
	c.l.Drop("nginx has no such page: its address is answered with 404, and never goes to a member", "stub_status; the API of NGINX Plus", o.Settings.Handler)
}

// files serves files where that is as safe as with httpd; elsewhere there are none.
func (c *conf) files(l *loc, site *plan.Site, cell *plan.Cell, on []plan.Pattern, o *plan.Outcome) {
	c.l.Exact(o.Mapping)
	root := c.file(o.Root)
	if root == "" || !writable(root) || !strings.HasPrefix(root, "/") || scripts(o.Settings.Extras) || o.Strip != "/" && (cell.Path != o.Strip || on != nil) {
		l.answer("404")
		return
	}
	l.files = true
	for _, a := range site.Server.PathAlias {
		if a.Path.V == o.Strip && !a.Regex.V && !a.Script.V {
			c.l.Exact(a)
			break
		}
	}
	root = strings.TrimSuffix(root, "/")
	switch {
	case o.Strip == "/":
		l.tail = append(l.tail, d("root", c.lit(root)))
	case strings.HasSuffix(o.Strip, "/"):
		l.match = []string{"~", "^" + regexp.QuoteMeta(o.Strip) + "(?<file>.*)$"}
		l.tail = append(l.tail, d("alias", c.lit(root)+"/$file"))
	default:
		l.match = []string{"~", "^" + regexp.QuoteMeta(o.Strip) + "(?<file>/.*)?$"}
		l.tail = append(l.tail, d("alias", c.lit(root)+"$file"))
	}
	l.tail = append(l.tail, blk("location", []string{"~", `/\.ht`}, d("return", "403")))
}

// scripts reports whether files of the server may be programs: their source must
// not be sent.
func scripts(list []*model.Directive) bool {
	return slices.ContainsFunc(list, func(x *model.Directive) bool {
		switch strings.ToLower(x.Name.V) {
		case "addhandler", "sethandler", "action", "xbithack", "phpinidir", "addoutputfilter", "setoutputfilter":
			return true
		case "addtype", "options", "forcetype":
			for _, a := range x.Args {
				low := strings.ToLower(a.V)
				if strings.Contains(low, "php") || strings.Contains(low, "httpd") || strings.Contains(low, "cgi") || strings.HasPrefix(strings.TrimPrefix(low, "+"), "includes") {
					return true
				}
			}
		}
		return scripts(x.Children)
	})
}

// limits is LimitRequestBody; without it bodies have no bound.
func (c *conf) limits(l *loc, o *plan.Outcome) {
	if most := o.Settings.LimitBody; most.IsSet() {
		c.l.Exact(most)
		if most.V > 0 {
			l.add("client_max_body_size", false, d("client_max_body_size", strconv.Itoa(most.V)).from(most.Place()))
		}
	}
}
