package caddy

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"clowder/render/plan"
)

// address is where a site block listens for which names.
type address struct {
	site *plan.Site
	tls  *plan.Site // whose TLS settings count; nil for plain HTTP
	bind string
	keys []string
}

// sites writes a site block for each site, and a second one where it listens with
// other settings as well.
func (g *gen) sites() []*block {
	var list []*address
	find := func(s *plan.Site, l *plan.Listener) *address {
		var tls *plan.Site
		if l.TLS {
			if tls = s; s.TLS == nil {
				tls = l.Sites[0] // the socket speaks TLS, whatever the virtual host says
			}
		}
		bind := l.Address
		if l.Family == "4" {
			bind = "tcp4/0.0.0.0" // Go opens a bare 0.0.0.0 for IPv6, too
		}
		for _, a := range list {
			if a.site == s && a.tls == tls && a.bind == bind {
				return a
			}
		}
		a := &address{site: s, tls: tls, bind: bind}
		list = append(list, a)
		return a
	}
	for _, l := range g.plan.Listeners {
		g.listen(l)
		scheme := "http://"
		if l.TLS {
			scheme = "https://"
		}
		for i, names := range g.dispatch(l) {
			for _, n := range names {
				a := find(l.Sites[i], l)
				a.keys = append(a.keys, fmt.Sprintf("%s%s:%d", scheme, n, l.Port))
			}
		}
	}
	bodies := map[*plan.Site]*body{}
	var out []*block
	for _, s := range g.plan.Sites {
		for _, a := range list {
			if a.site != s {
				continue
			}
			if bodies[s] == nil {
				bodies[s] = g.siteBody(s)
			}
			out = append(out, g.siteBlocks(a, bodies[s])...)
		}
	}
	return out
}

// listen marks what the listener's facts became.
func (g *gen) listen(l *plan.Listener) {
	g.l.Exact(l.Source)
	for _, s := range l.Sites {
		g.l.Exact(s.Source.ServerName, s.Source.Aliases, s.Source.Addresses)
	}
}

// siteBlocks writes the block of an address. One with a name and the catch-all are
// kept apart: Caddy tries blocks with a catch-all after the others, all of their names included
// (httpcaddyfile/httptype.go, serversFromPairings).
func (g *gen) siteBlocks(a *address, b *body) []*block {
	var named, every []string
	for _, k := range a.keys {
		if strings.Contains(k, "://:") {
			every = append(every, k)
		} else {
			named = append(named, k)
		}
	}
	var out []*block
	for _, keys := range [][]string{named, every} {
		if len(keys) == 0 {
			continue
		}
		blk := g.block()
		in := g.block()
		if a.bind != "" {
			in.add("bind " + a.bind)
		}
		closed := g.tls(in, a)
		if closed {
			in.add("error * 403")
		} else {
			in.place(b)
		}
		if len(keys) == len(every) && keys[0] == every[0] && len(a.site.Names) > 0 {
			blk.comment(strings.Join(a.site.Names, ", ") + ", " + source(a.site.Source.At))
		} else if at := source(a.site.Source.At); at != "" {
			blk.comment(at)
		}
		blk.nest(in, strings.Join(keys, ", "))
		out = append(out, blk)
	}
	return out
}

// dispatch tells for each site of a listener which host names it answers for. httpd
// takes the first site in the order of the file one of whose names matches, else
// the first site (server/vhost.c); Caddy takes the most specific name. "" stands
// for every other name.
func (g *gen) dispatch(l *plan.Listener) [][]string {
	out := make([][]string, len(l.Sites))
	if len(l.Sites) == 1 {
		out[0] = []string{""}
		return out
	}
	fallback := 0
	var seen []string // names and patterns of sites before, in order
	for i, s := range l.Sites {
		if i > 0 && fallback == 0 && slices.Contains(s.Names, "*") {
			fallback = i
		}
		for _, n := range s.Names {
			switch {
			case n == "*" || slices.ContainsFunc(seen, func(p string) bool { return hostMatch(p, n) }):
				// taken by a site before
			case !writable(n):
				g.lostName(s, n)
			default:
				if strings.HasPrefix(n, "*.") {
					g.nearName(s, n)
				}
				out[i] = append(out[i], n)
			}
			seen = append(seen, n)
		}
		if slices.Contains(s.Names, "*") {
			seen = append(seen, "*")
		}
	}
	// The names of the site for every other name need no mention, unless a
	// wildcard of another one would take them.
	out[fallback] = slices.DeleteFunc(out[fallback], func(n string) bool {
		for i, s := range l.Sites {
			if i != fallback && slices.ContainsFunc(s.Names, func(p string) bool { return p != n && hostMatch(p, n) }) {
				return false
			}
		}
		return true
	})
	out[fallback] = append(out[fallback], "")
	return out
}

func (g *gen) nearName(s *plan.Site, name string) {
	for _, a := range s.Source.Aliases {
		if strings.EqualFold(a.V, name) {
			g.l.Approx("* stands for one label only; names with more are refused with 421", "the names one by one", a)
		}
	}
}

func (g *gen) lostName(s *plan.Site, name string) {
	for _, a := range append(slices.Clone(s.Source.Aliases), s.Source.ServerName) {
		if strings.EqualFold(a.V, name) || a == s.Source.ServerName && strings.HasPrefix(strings.ToLower(a.V), name) {
			g.l.Drop("Caddy has wildcards for whole labels only: these names are refused with 421", "the names one by one", a)
		}
	}
}

// hostMatch matches a name of a virtual host, in which * and ? are wildcards.
func hostMatch(p, name string) bool {
	if p == name || p == "*" {
		return true
	}
	if !strings.ContainsAny(p, "*?") {
		return false
	}
	re := regexp.QuoteMeta(p)
	re = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(re)
	ok, err := regexp.MatchString("(?i)^"+re+"$", name)
	return err == nil && ok
}

// astray writes an expression for the hosts that Caddy gives to the site and httpd to
// another one, or which it takes for others than httpd: those with a dot at their
// end, and names that wildcards of Caddy do not cover. "" stands for none.
func (g *gen) astray(s *plan.Site) (odd, own string) {
	words := []string{`.*\.`}
	shared, first := false, false
	for _, l := range g.plan.Listeners {
		at := slices.Index(l.Sites, s)
		if at < 0 || len(l.Sites) == 1 {
			continue
		}
		shared, first = true, first || at == 0
		for i, o := range l.Sites {
			if o == s || i > at && at > 0 {
				continue // a later one gets what this one leaves
			}
			for _, n := range o.Names {
				if w := globExpression(n); n != "*" && (strings.HasPrefix(n, "*.") || !writable(n)) && !slices.Contains(words, w) {
					words = append(words, w)
				}
			}
		}
	}
	if !shared {
		return "", ""
	}
	if first { // what httpd asks it for before the others
		var names []string
		for _, n := range s.Names {
			names = append(names, globExpression(n))
		}
		if len(names) > 0 && len(words) > 1 {
			own = "(?i)^(" + strings.Join(names, "|") + ")$"
		}
	}
	return "(?i)^(" + strings.Join(words, "|") + ")$", own
}

// globExpression writes a name with * and ? as an expression.
func globExpression(n string) string {
	return strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(n))
}

// refuseAstray writes what [gen.astray] tells.
func (c *siteGen) refuseAstray(out *block) {
	odd, own := c.astray(c.site)
	if odd == "" {
		return
	}
	t, ok := pattern(odd)
	o, ok2 := pattern(own)
	out.comment("hosts that httpd takes for those of another site")
	if !ok || !ok2 {
		out.add("error * 421")
		return
	}
	set := c.block()
	set.add("vars_regexp {http.request.host} " + t)
	if own != "" {
		not := c.block()
		not.add("vars_regexp {http.request.host} " + o)
		set.nest(not, "not")
	}
	out.nest(set, "@astray")
	out.add("error @astray 421")
}

var hostName = regexp.MustCompile(`^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$`)

// writable reports whether a name may stand in the address of a site.
func writable(n string) bool {
	if _, err := netip.ParseAddr(n); err == nil {
		return !strings.Contains(n, ":")
	}
	return hostName.MatchString(n)
}

// siteBody writes what a site does, apart from sockets and TLS.
func (g *gen) siteBody(s *plan.Site) *body {
	c := &siteGen{gen: g, site: s, out: g.block(), names: map[string]bool{"odd": true, "astray": true}, matchers: map[string]string{}, exprs: map[string]string{}}
	if s.TLS != nil && !c.onTLS() {
		g.l.Closed("its socket speaks plain HTTP by the settings of the first virtual host there: everything is refused", "", s.TLS.Engine)
		c.out.add("error * 403")
	} else if g.unknown {
		c.out.comment("something that may restrict requests is not understood")
		c.out.add("error * 403")
	} else {
		c.write()
	}
	in := g.block()
	c.logs(in)
	in.nest(c.out, "route")
	c.errorPages(in)
	return g.share("site_"+s.Name, 0, in)
}

// onTLS reports whether all sockets of the site speak TLS.
func (c *siteGen) onTLS() bool {
	for _, l := range c.plan.Listeners {
		if slices.Contains(l.Sites, c.site) && !l.TLS {
			return false
		}
	}
	return true
}

// logs writes the access log. Caddy writes JSON; a file that httpd wrote in another
// form goes on under a new name (caddyserver.com/docs/caddyfile/directives/log).
func (c *siteGen) logs(in *block) {
	done := false
	for _, l := range c.site.Server.CustomLogs {
		file := l.File.V
		switch {
		case strings.HasPrefix(file, "|") || strings.HasPrefix(file, "syslog:"):
			c.l.Drop("Caddy writes access logs to files, standard output or the network only", "log { output net … }", l)
			continue
		case l.Cond.V != "":
			c.l.Drop("there are no conditions for logging", "skip_log (log_skip since 2.8) with a matcher", l)
			continue
		case done:
			c.l.Drop("Caddy 2.6 writes one access log for a site", "a second log { } with a name, since 2.7", l)
			continue
		}
		if !path.IsAbs(file) && !isWindows(file) {
			root := c.plan.Front.ServerRoot.V
			if root == "" {
				c.l.Drop("it is below ServerRoot, which is not written", "log { output file PATH }", l)
				continue
			}
			file = strings.TrimSuffix(strings.ReplaceAll(root, `\`, "/"), "/") + "/" + file
		}
		t, ok := quoteLiteral(strings.TrimSuffix(file, ".log") + ".json")
		if !ok {
			c.l.Drop("the name cannot be written in a Caddyfile", "", l)
			continue
		}
		log := c.block()
		log.add("output file " + t)
		log.from(l.At)
		in.nest(log, "log")
		c.l.Approx("Caddy logs JSON, to "+strings.TrimSuffix(file, ".log")+".json, and rotates it at 100 MiB", "log { output file … }", l)
		done = true
	}
	for _, l := range c.site.Server.LogFormats {
		c.l.Drop("Caddy logs JSON or its console format", "log { format json }; the plugin transform-encoder writes others", l)
	}
}

func isWindows(file string) bool {
	return len(file) > 2 && file[1] == ':' && (file[2] == '/' || file[2] == '\\')
}
