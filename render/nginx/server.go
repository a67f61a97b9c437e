package nginx

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/render/plan"
	"clowder/render/target"
)

// server is one server block in the making.
type server struct {
	note    string
	at      *model.Server
	head    []*dir // sockets, names, TLS, times, logs
	early   []*dir // what is settled before a location is chosen
	shared  []*dir // what all locations have in common
	locs    []*loc
	named   []*dir // locations of error pages
	errors  map[string]string
	refuses bool // answers nothing but an error
	anyone  bool // the client's address is not known: rules about it refuse everybody
}

func (s *server) servesFiles() bool {
	return slices.ContainsFunc(s.locs, func(l *loc) bool { return l.files })
}

func (s *server) proxies() bool {
	return slices.ContainsFunc(s.locs, func(l *loc) bool { return l.proxy })
}

// dir writes the server.
func (s *server) dir() *dir {
	inner := slices.Concat(s.head, s.early)
	slices.SortStableFunc(s.shared, func(a, b *dir) int { return cmp.Compare(groupRank(a.name), groupRank(b.name)) })
	for i, x := range s.shared {
		if i == 0 {
			first := *x
			first.note = "For all locations that say nothing else."
			x = &first
		}
		inner = append(inner, x)
	}
	for _, l := range s.locs {
		inner = append(inner, l.dir())
	}
	used := text(inner)
	for _, n := range s.named {
		if strings.Contains(used, " "+n.args[0]+";") {
			inner = append(inner, n)
		}
	}
	x := blk("server", nil, inner...)
	x.note = s.note
	return x
}

// servers makes the servers of all sites that a request can reach.
func (c *conf) servers() []*server {
	c.regexes = c.wildcardsClash()
	var out []*server
	for _, site := range c.plan.Sites {
		good, odd := c.sockets(site)
		if len(good) > 0 {
			out = append(out, c.server1(site, good))
		}
		if len(odd) > 0 {
			out = append(out, c.refusing(site, odd))
		}
		if len(good)+len(odd) == 0 {
			c.l.Add(target.Note{Loss: target.Approximated, ID: "virtual-hosts", Span: site.Source.At,
				Message: "another virtual host comes before it and has its names, or it has none: no request reaches it, it was left out"})
		}
	}
	c.unreached()
	return out
}

// socket is a listener of a site.
type socket struct {
	*plan.Listener
	first bool // the site is its default
}

// sockets lists the listeners of a site: those on which it can answer, and those
// on which httpd refuses it, since one speaks TLS and the other does not.
func (c *conf) sockets(site *plan.Site) (good, odd []socket) {
	for _, l := range c.plan.Listeners {
		i := slices.Index(l.Sites, site)
		if i < 0 || i > 0 && len(c.namesOn(l, i)) == 0 {
			continue
		}
		s := socket{l, i == 0}
		if l.TLS == (site.TLS != nil) {
			good = append(good, s)
		} else {
			odd = append(odd, s)
		}
	}
	return good, odd
}

// namesOn lists the names of the i-th site that none before it takes: httpd asks
// the sites in order, wildcards as well as names.
func (c *conf) namesOn(l *plan.Listener, i int) []string {
	var out []string
	for _, n := range l.Sites[i].Names {
		taken := slices.Contains(out, n)
		for _, before := range l.Sites[:i] {
			for _, p := range before.Names {
				taken = taken || globMatch(p, n)
			}
		}
		if !taken {
			out = append(out, n)
		}
	}
	return out
}

// globMatch reports whether a name with * and ? covers another one (ap_strcasecmp_match).
func globMatch(p, s string) bool {
	i, j, star, mark := 0, 0, -1, 0
	for j < len(s) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == s[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(p[i:], "*") == ""
}

// wildcardsClash reports whether two sites of a listener have wildcards that one
// name can match: nginx then takes the longest instead of the first, unless they
// are written as expressions.
func (c *conf) wildcardsClash() bool {
	for _, l := range c.plan.Listeners {
		var seen []string
		for _, s := range l.Sites {
			n := len(seen)
			for _, name := range s.Names {
				if !strings.ContainsAny(name, "*?") {
					continue
				}
				for _, o := range seen[:n] {
					if overlap(name, o) {
						return true
					}
				}
				seen = append(seen, name)
			}
		}
	}
	return false
}

// overlap reports whether two wildcards may have a name in common, judged by what
// stands before and behind their stars.
func overlap(a, b string) bool {
	ends := func(s string) (string, string) {
		return s[:strings.IndexAny(s, "*?")], s[strings.LastIndexAny(s, "*?")+1:]
	}
	ap, as := ends(a)
	bp, bs := ends(b)
	return (strings.HasPrefix(ap, bp) || strings.HasPrefix(bp, ap)) && (strings.HasSuffix(as, bs) || strings.HasSuffix(bs, as))
}

// serverNames writes server_name (ngx_http_core_module).
func (c *conf) serverNames(site *plan.Site, on []socket) *dir {
	var out []string
	for _, s := range on {
		for _, n := range c.namesOn(s.Listener, slices.Index(s.Sites, site)) {
			if w := c.serverName(n); w != "" && !slices.Contains(out, w) {
				out = append(out, w)
				c.longName = max(c.longName, len(w))
				c.numNames++
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return d("server_name", out...).from(site.Source.ServerName.Place())
}

func (c *conf) serverName(n string) string {
	switch {
	case !writable(n) || n == "" || strings.ContainsAny(n, " \t\"'\\/;{}$~") || len(n) > 255:
		c.l.Add(target.Note{Loss: target.Dropped, ID: "virtual-hosts", Fact: comment(n), Message: "no Host header can have this name: it was left out"})
		return ""
	case !strings.ContainsAny(n, "*?"):
		return n
	case !c.regexes && strings.Count(n, "*") == 1 && !strings.Contains(n, "?") && len(n) > 2 &&
		(strings.HasPrefix(n, "*.") || strings.HasSuffix(n, ".*")) && !strings.Contains(n, ".."):
		return n
	}
	return "~^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(n)) + "$"
}

// listen writes the sockets (ngx_http_core_module, listen). http2 is a word of
// listen up to nginx 1.25; later versions warn, and take it.
func (c *conf) listen(on []socket) []*dir {
	var out []*dir
	for _, s := range on {
		if strings.Trim(s.Address, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:%_") != "" || len(s.Address) > 255 {
			c.l.Person("nginx cannot listen on such an address: it was left out", "listen", s.Source)
			continue
		}
		port := strconv.Itoa(s.Port)
		addrs := []string{port, "[::]:" + port}
		if s.Family == "4" {
			addrs = addrs[:1]
		}
		if s.Address != "" {
			addrs = []string{s.Address + ":" + port}
			if strings.Contains(s.Address, ":") {
				addrs = []string{"[" + s.Address + "]:" + port}
			}
		}
		for _, a := range addrs {
			x := d("listen", a).from(s.Source.At)
			if s.TLS {
				x.args = append(x.args, "ssl")
				if c.http2(s.Sites[0]) {
					x.args = append(x.args, "http2")
				}
			}
			if s.first && len(s.Sites) > 1 {
				x.args = append(x.args, "default_server")
			}
			out = append(out, x)
		}
		c.l.Exact(s.Source)
	}
	return out
}

// http2 reports whether Protocols has h2.
func (c *conf) http2(site *plan.Site) bool {
	for _, x := range slices.Backward(site.Server.Settings.Extras) {
		if strings.EqualFold(x.Name.V, "Protocols") {
			c.l.Exact(x)
			return slices.ContainsFunc(x.Args, func(a model.String) bool { return a.V == "h2" })
		}
	}
	return false
}

// server1 makes the server of a site.
func (c *conf) server1(site *plan.Site, on []socket) *server {
	src, eff := site.Source, site.Server
	s := &server{note: title(site), at: src, errors: map[string]string{}}
	s.head = c.listen(on)
	if n := c.serverNames(site, on); n != nil {
		s.head = append(s.head, n)
	}
	c.l.Exact(src.ServerName, src.Aliases, src.Addresses, eff.ServerName, eff.CanonicalName)
	if strings.EqualFold(eff.CanonicalName.V, "on") || strings.EqualFold(eff.CanonicalName.V, "dns") {
		s.head = append(s.head, d("server_name_in_redirect", "on").from(eff.CanonicalName.Place()))
	}
	closed := ""
	if site.TLS != nil {
		var tls []*dir
		tls, closed = c.tlsServer(site)
		s.head = append(s.head, tls...)
	}
	s.head = append(s.head, c.times(eff)...)
	real, known := c.realIP(eff)
	s.head = append(s.head, real...)
	s.anyone = !known
	s.head = append(s.head, c.logs(site)...)
	if closed != "" || c.unknown {
		s.early = append(s.early, d("return", "403"))
		return c.safe(s, site)
	}
	if len(site.Cells) == 1 && site.Cells[0].Kind == plan.Redirect && site.Cells[0].Access.Open() && len(site.Early) == 0 && len(site.Cells[0].Branches) == 0 {
		if l := c.location(s, site, site.Cells[0], nil, &site.Cells[0].Outcome); len(l.head) == 1 && l.head[0].name == "return" && len(l.groups) == 0 {
			s.early = append(s.early, l.head...)
			return c.safe(s, site)
		}
	}
	c.body(s, site)
	return c.safe(s, site)
}

// body makes what a server does with requests.
func (c *conf) body(s *server, site *plan.Site) {
	line := blk("if", []string{"$uri", "~", `[\x00-\x1f]`}, d("return", "400"))
	line.note = "No expression below looks beyond the end of a line."
	s.early = append(s.early, line)
	if slices.ContainsFunc(c.plan.Listeners, func(l *plan.Listener) bool { return len(l.Sites) > 1 }) {
		absolute := blk("if", []string{"$request", "~", "^[^ ]+ +[^/* ]"}, d("return", "400"))
		absolute.note = "A target with a host would choose the server, and members would be told another one."
		s.early = append(s.early, absolute)
	}
	raw := c.raw(site)
	if proxies(site) && !raw {
		same := d("rewrite", "^", "$uri")
		same.note = "Members get the path as it is judged here: decoded and without dots, as from httpd."
		s.early = append(s.early, same)
	}
	s.early = append(s.early, c.earlyRules(s, site)...)
	refused, once := c.refused(s, site)
	s.locs = append(s.locs, refused...)
	plain := once || !slices.ContainsFunc(site.Cells, func(cell *plan.Cell) bool { return len(cell.Branches) > 0 })
	first := len(s.locs)
	for _, cell := range site.Cells {
		branches := cell.Branches
		if once {
			branches = nil
		}
		s.locs = append(s.locs, c.cell(s, site, cell, branches, raw)...)
	}
	if plain {
		s.merge(site.Cells, first)
	}
}

// merge leaves out the locations that say the same as the one that takes their
// requests then. cells are those of the locations from the first on.
func (s *server) merge(cells []*plan.Cell, first int) {
	same := func(a, b *loc) bool {
		x, y := *a, *b
		x.match, y.match = nil, nil
		return text([]*dir{x.dir()}) == text([]*dir{y.dir()})
	}
	var out []*loc
	for i, cell := range cells {
		l := s.locs[first+i]
		around := slices.IndexFunc(cells[i+1:], func(o *plan.Cell) bool {
			return o.Path == "/" || o.Path != cell.Path && strings.HasPrefix(cell.Path, strings.TrimSuffix(o.Path, "/")+"/")
		})
		if around < 0 || !same(l, s.locs[first+i+1+around]) {
			out = append(out, l)
		}
	}
	s.locs = append(s.locs[:first:first], out...)
}

func proxies(site *plan.Site) bool {
	for _, cell := range site.Cells {
		if cell.Kind == plan.Proxy || slices.ContainsFunc(cell.Branches, func(b *plan.Branch) bool { return b.Kind == plan.Proxy }) {
			return true
		}
	}
	return false
}

// raw reports whether members get the path as the client wrote it: with nocanon or
// AllowEncodedSlashes NoDecode, and only where no access rule depends on how a path
// is read.
func (c *conf) raw(site *plan.Site) bool {
	e := site.Server.EncodedSlashes
	want := strings.EqualFold(e.V, "nodecode")
	c.l.Exact(e)
	if strings.EqualFold(e.V, "off") {
		c.l.Approx("an encoded slash is taken as a slash, not answered with 404", "", e)
	}
	open := true
	var facts []any
	each(site, func(o *plan.Outcome) {
		open = open && o.Access.Open()
		if m := o.Mapping; m != nil && m.Nocan.V {
			want = true
			facts = append(facts, m.Nocan)
		}
	})
	if strings.EqualFold(e.V, "nodecode") {
		facts = append(facts, e)
	}
	if want && !open {
		c.l.Approx("members get the decoded path: access rules would not hold for others", "", facts...)
		return false
	}
	c.l.Exact(facts...)
	return want
}

func each(site *plan.Site, f func(*plan.Outcome)) {
	for _, cell := range site.Cells {
		f(&cell.Outcome)
		for _, b := range cell.Branches {
			f(&b.Outcome)
		}
	}
}

// refusing is the server for a site on sockets on which httpd refuses it: one
// without TLS on a socket with it, or the other way round.
func (c *conf) refusing(site *plan.Site, on []socket) *server {
	s := &server{note: title(site) + ": " + map[bool]string{true: "has no TLS, the socket has", false: "has TLS, the socket does not"}[on[0].TLS], at: site.Source, refuses: true}
	s.head = c.listen(on)
	if n := c.serverNames(site, on); n != nil {
		s.head = append(s.head, n)
	}
	if on[0].TLS {
		tls, _ := c.tlsServer(on[0].Sites[0])
		s.head = append(s.head, tls...)
	}
	s.early = []*dir{d("return", map[bool]string{true: "421", false: "403"}[on[0].TLS])}
	c.l.Add(target.Note{Loss: target.NeedsPerson, ID: "tls", Span: site.Source.At,
		Message: "it shares a socket with a virtual host that differs in TLS: there it answers with an error"})
	return s
}

// safe closes a server in which something cannot be written.
func (c *conf) safe(s *server, site *plan.Site) *server {
	for _, l := range s.locs {
		if !allWritable([]*dir{l.dir()}) {
			c.l.Add(target.Note{Loss: target.Dropped, ID: "mappings", Security: true, Span: site.Source.At,
				Message: "something in the location " + comment(strings.Join(l.match, " ")) + " cannot be written in nginx.conf: everything in it is refused"})
			*l = loc{match: l.match, head: []*dir{d("return", "403")}}
		}
	}
	if allWritable([]*dir{s.dir()}) {
		return s
	}
	c.l.Add(target.Note{Loss: target.Dropped, ID: "virtual-hosts", Security: true, Span: site.Source.At,
		Message: "something in this server cannot be written in nginx.conf: everything is refused"})
	var head []*dir
	for _, x := range s.head {
		if allWritable([]*dir{x}) && (x.name == "listen" || x.name == "server_name") {
			head = append(head, x)
		}
	}
	if site.TLS != nil {
		head = append(head, d("ssl_reject_handshake", "on"))
	}
	return &server{note: s.note, at: s.at, head: head, early: []*dir{d("return", "403")}, refuses: true}
}

// title is the comment of a server.
func title(site *plan.Site) string {
	at := ""
	if site.Source.At.IsValid() {
		at = ", " + site.Source.At.Short()
	}
	switch {
	case site.Main:
		return "main server" + at
	case len(site.Names) == 0:
		return "virtual host" + at
	}
	return site.Names[0] + at
}

// times are the times and the reuse of connections of clients. nginx's own times
// are httpd's 60 s; those of idle connections are written when httpd's are.
func (c *conf) times(s *model.Server) []*dir {
	var out []*dir
	if t := s.Timeout; t.V != time.Minute {
		for _, name := range []string{"client_header_timeout", "client_body_timeout", "send_timeout"} {
			out = append(out, d(name, millis(t.V)).from(t.Place()))
		}
	}
	switch {
	case !s.KeepAlive.V:
		out = append(out, d("keepalive_timeout", "0").from(s.KeepAlive.Place()))
	case s.KeepAliveTime.IsWritten():
		out = append(out, d("keepalive_timeout", millis(s.KeepAliveTime.V)).from(s.KeepAliveTime.Place()))
	}
	c.l.Exact(s.Timeout, s.ProxyTimeout, s.KeepAlive, s.KeepAliveTime)
	if !s.MergeSlashes.V {
		c.l.Approx("slashes are merged, so that no access rule can be passed by with more of them", "", s.MergeSlashes)
	}
	return out
}

func itoa(n int) string { return strconv.Itoa(n) }
