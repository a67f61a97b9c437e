package nginx

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/render/plan"
	"clowder/render/target"
)

// upstream is a pool as nginx has it: upstream blocks and, for sticky sessions, a
// variable that holds the name of the one to use.
type upstream struct {
	pool    *plan.Pool
	members []*plan.Member // that are written
	scheme  string
	pass    string // of proxy_pass, "" when nobody can be asked
	why     string // then
	host    string // Host header for the members
	oneHost bool   // it is that of every member
}

// upstream returns what stands for a pool, and writes it when it is asked for the
// first time.
func (c *conf) upstream(p *plan.Pool) *upstream {
	if u := c.pools[p]; u != nil {
		return u
	}
	u := &upstream{pool: p}
	c.pools[p] = u
	for _, m := range p.Usable() {
		if !writable(m.Host) || !writable(m.Socket) || strings.ContainsAny(m.Host+m.Socket, " \t;{}\"'\\$") {
			c.l.Person("its URL cannot be written for nginx: it was left out", "", m.Source.URL)
			continue
		}
		scheme := plainScheme(m.Scheme)
		if u.scheme == "" {
			u.scheme = scheme
		}
		if scheme != u.scheme {
			c.l.Person("it speaks "+scheme+", the first member "+u.scheme+": nginx has one for all, so it was left out", "", m.Source.URL)
			continue
		}
		u.members = append(u.members, m)
	}
	u.hosts()
	c.markPool(u)
	if !slices.ContainsFunc(u.members, func(m *plan.Member) bool { return !m.Down }) {
		u.why = "none of its members can be used: the requests are answered with 503"
		return u
	}
	if u.why = c.backendTLS(u); u.why != "" {
		return u
	}
	name := unique(c.names, p.Name)
	main := c.block(u, name, u.rank(nil, ""))
	main.note = c.origin(p)
	c.ups = append(c.ups, main)
	u.pass = u.scheme + "://" + name
	if v := c.sticky(u, name); v != "" {
		u.pass = u.scheme + "://" + v
	}
	return u
}

func plainScheme(s string) string {
	if s == "https" || s == "h2" {
		return "https"
	}
	return "http"
}

// hosts settles the Host header: httpd names the member that it asks, nginx only
// knows one name for all members of an upstream.
func (u *upstream) hosts() {
	u.oneHost = true
	for _, m := range u.members {
		h := m.Host
		if strings.Contains(h, ":") {
			h = "[" + h + "]"
		}
		if m.Port != 80 && m.Socket == "" && namesPort(m) {
			h += ":" + strconv.Itoa(m.Port)
		}
		if u.host == "" {
			u.host = h
		}
		u.oneHost = u.oneHost && h == u.host
	}
}

// namesPort reports whether the port of a member stands in its URL; httpd names no
// other one in the Host header.
func namesPort(m *plan.Member) bool {
	_, after, _ := strings.Cut(m.Source.URL.V, "://")
	host, _, _ := strings.Cut(after, "/")
	return m.AJP || strings.HasSuffix(host, ":"+strconv.Itoa(m.Port))
}

// origin is the comment of a pool: "balancer NAME, FILE:LINE".
func (c *conf) origin(p *plan.Pool) string {
	if p.Balancer != nil {
		return "balancer " + p.Balancer.Name.V + ", " + p.Balancer.At.Short()
	}
	at := p.Members[0].Source.At
	if !at.IsValid() {
		at = p.Members[0].Source.URL.Span
	}
	if at.IsValid() {
		return at.Short()
	}
	return p.Members[0].Address()
}

// ranked is a member and when it is asked: 0 first.
type ranked struct {
	m    *plan.Member
	rank int
}

// rank orders the members for the sessions of a route, "" for those without: the
// member of the route, one of the same route in standby, that of its redirect, and
// then the others by lbset and standby (find_session_route and
// find_best_worker of mod_proxy_balancer.c).
func (u *upstream) rank(own *plan.Member, route string) []ranked {
	var out []ranked
	for _, m := range u.members {
		r := 10 + 4*m.Set
		switch {
		case m.Down:
			r = -1
		case route != "" && m.Route == route && !m.Standby:
			r = 0
		case route != "" && m.Route == route:
			r = 2
		case own != nil && own.Source.Redirect.V != "" && m.Route == own.Source.Redirect.V:
			r = 3
		case m.Drain:
			r = -1
		case m.Spare:
			r += 1
		case m.Standby:
			r += 2
		}
		if r == 0 && slices.ContainsFunc(out, func(o ranked) bool { return o.rank == 0 }) {
			r = 1
		}
		if r >= 10 && route != "" && u.pool.Balancer != nil && u.pool.Balancer.NoFailover.V {
			r = -1
		}
		out = append(out, ranked{m, r})
	}
	return out
}

// block writes an upstream block. nginx has two ranks, the second is called
// backup; among those the weight decides who is asked first.
func (c *conf) block(u *upstream, name string, list []ranked) *dir {
	x := blk("upstream", []string{name})
	var ranks []int
	up := 0
	for _, r := range list {
		if r.rank >= 0 {
			up++
			if !slices.Contains(ranks, r.rank) {
				ranks = append(ranks, r.rank)
			}
		}
	}
	slices.Sort(ranks)
	if b := u.pool.Balancer; b != nil && up > 1 && !strings.EqualFold(b.LBMethod.V, "byrequests") && ranks[0] >= 10 {
		x.block = append(x.block, d("least_conn").from(b.LBMethod.Place()))
	}
	reuse := len(list) > 0
	for _, r := range list {
		reuse = reuse && !r.m.Source.DisableReuse.V && r.m.Source.EnableReuse.Or(true)
		if r.rank < 0 && up > 0 && (!r.m.Down || ranks[0] < 10) {
			continue // left out of this block only
		}
		x.block = append(x.block, c.server(r, ranks, list))
	}
	if reuse {
		x.block = append(x.block, d("keepalive", "32"))
		if ttl := c.ttl(list); ttl > 0 {
			x.block = append(x.block, d("keepalive_timeout", seconds(ttl)))
		}
	}
	return x
}

// server writes the line of a member (ngx_http_upstream_module, server); ranks are
// those in use.
func (c *conf) server(r ranked, ranks []int, list []ranked) *dir {
	src := r.m.Source
	addr := r.m.Address()
	if r.m.Socket != "" {
		addr = "unix:" + r.m.Socket
	}
	x := d("server", addr).from(src.At)
	if r.rank < 0 {
		x.args = append(x.args, "down")
		return x
	}
	up, beside := 0, 0 // members in use, and those among which the weight counts
	for _, o := range list {
		if o.rank >= 0 {
			up++
			if (o.rank == ranks[0]) == (r.rank == ranks[0]) {
				beside++
			}
		}
	}
	weight := r.m.Weight
	at := slices.Index(ranks, r.rank)
	if at > 0 && len(ranks) > 2 {
		weight *= int(math.Pow(100, float64(min(3, len(ranks)-1-at))))
	}
	if weight > 1 && beside > 1 {
		x.args = append(x.args, "weight="+strconv.Itoa(weight))
	}
	switch retry := src.Retry.Or(60 * time.Second); {
	case up < 2:
	case r.m.Ignore || retry == 0:
		x.args = append(x.args, "max_fails=0")
	default:
		x.args = append(x.args, "fail_timeout="+seconds(retry))
	}
	if at > 0 {
		x.args = append(x.args, "backup")
	}
	return x
}

func (c *conf) ttl(list []ranked) time.Duration {
	var ttl time.Duration
	for _, r := range list {
		if t := r.m.Source.TTL.V; t > 0 && (ttl == 0 || t < ttl) {
			ttl = t
		}
	}
	return ttl
}

// seconds writes a time in whole seconds, at least one.
func seconds(t time.Duration) string {
	return strconv.FormatInt(max(1, int64((t+time.Second-1)/time.Second)), 10) + "s"
}

// sticky writes the upstream blocks of the routes, and the map that chooses one by
// the session of the request: its route is what follows the first separator in the
// path parameter, else in the cookie. It returns the variable, "" for none.
func (c *conf) sticky(u *upstream, name string) string {
	p := u.pool
	if p.Sticky == nil || len(u.members) < 2 {
		return ""
	}
	choice := []*dir{d("default", name)}
	seen := map[string]bool{}
	prefix := "^[^" + classByte(p.Sticky.Sep) + "]*" + regexp.QuoteMeta(p.Sticky.Sep)
	if strings.EqualFold(p.Sticky.Sep, "off") || p.Sticky.Sep == "" {
		prefix = "^"
	}
	for _, m := range u.members {
		noFailover := p.Balancer != nil && p.Balancer.NoFailover.V
		if m.Route == "" || seen[m.Route] {
			continue
		}
		seen[m.Route] = true
		if !writable(m.Route) || strings.Contains(p.Sticky.Sep, "\x00") {
			c.l.Drop("it cannot be written for nginx", "", m.Source.Route)
			continue
		}
		own := m
		list := u.rank(own, m.Route)
		bound := slices.ContainsFunc(list, func(r ranked) bool { return r.rank >= 0 && r.rank < 10 })
		if !bound && !noFailover {
			continue // its member is not used: any other one
		}
		if !bound {
			list = []ranked{{m, -1}}
		}
		route := unique(c.names, name+"_"+m.Name)
		b := c.block(u, route, list)
		c.ups = append(c.ups, b)
		choice = append(choice, d("~"+prefix+regexp.QuoteMeta(m.Route)+"$", route).from(m.Source.Route.Place()))
	}
	if len(choice) == 1 {
		return ""
	}
	session := c.session(p.Sticky)
	v := c.variable("map", session, "to_"+name, choice...)
	return v
}

// classByte writes a separator inside a class of characters.
func classByte(sep string) string {
	if sep != "" && strings.ContainsAny(sep, `\]^-[`) {
		return `\` + sep
	}
	return sep
}

// session is the variable with the value of the path parameter, else of the cookie.
func (c *conf) session(s *plan.Sticky) string {
	cookie := "$cookie_" + s.Cookie
	if strings.Trim(s.Cookie, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		cookie = c.variable("map", "$http_cookie", "cookie", d("default", ""), d("~(?:^|[;, ])"+regexp.QuoteMeta(s.Cookie)+" *= *([^;,]+)", "$1"))
	}
	return c.variable("map", "$request_uri", "session", d("default", cookie), d("~"+regexp.QuoteMeta(s.Param)+"=([^;?&]+)", "$1"))
}

// markPool puts the account of a pool into the ledger.
func (c *conf) markPool(u *upstream) {
	l, p := c.l, u.pool
	for _, m := range p.Members {
		s := m.Source
		l.Exact(s.Route, s.LoadFactor, s.Status, s.DisableReuse, s.EnableReuse, s.Upgrade)
		if b := p.Balancer; b == nil || b.Sticky.V != "" {
			l.Exact(s.Redirect)
		}
		if len(u.members) < 2 || p.Balancer == nil {
			l.Exact(s.Retry, s.LBSet)
		} else {
			l.Approx("nginx gives up a member after one failure within this time, and for as long", "fail_timeout", s.Retry)
			l.Exact(s.LBSet)
		}
		if m.Spare {
			l.Approx("nginx knows no spares: it is a backup, used when all others fail", "backup", s.Status)
		}
		const ranks = "nginx has one rank of backups: for sessions whose member failed, one in a hundred may come here before its turn"
		if m.Standby {
			l.Approx(ranks, "backup", s.Status)
		}
		if m.Set > 0 {
			l.Approx(ranks, "backup", s.LBSet)
		}
		l.Approx("nginx keeps idle connections for all members of an upstream together", "keepalive", s.SMax, s.Min)
		l.Approx("counts for the upstream as a whole", "keepalive_timeout", s.TTL)
		l.Exact(s.FlushPackets, s.FlushWait, s.ConnTimeout, s.Timeout, s.KeepAlive)
		if _, err := netip.ParseAddr(m.Host); m.Unusable == "" && !m.AJP && err != nil && m.Socket == "" && !model.IsLoopback(m.Host) {
			l.Approx("nginx looks the name up when it starts: after a change of its address reload nginx", "", s.URL)
		}
		if m.Scheme == "h2" || m.Scheme == "h2c" {
			l.Approx("nginx speaks HTTP/1.1 to its members", "", s.URL)
		}
	}
	if p.Balancer != nil {
		c.markBalancer(u)
	}
}

func (c *conf) markBalancer(u *upstream) {
	l, b := c.l, u.pool.Balancer
	switch strings.ToLower(b.LBMethod.V) {
	case "byrequests":
		l.Exact(b.LBMethod)
	case "bybusyness":
		l.Approx("nginx counts the connections of each of its processes", "least_conn", b.LBMethod)
	default:
		l.Approx("nginx does not count that: the member with the fewest connections is taken", "least_conn", b.LBMethod)
	}
	l.Exact(b.Sticky, b.StickySep, b.NoFailover)
	if !b.ScolonDelim.V {
		l.Approx("a path parameter ends at a semicolon in any case", "", b.Sticky)
	}
	l.Exact(b.ScolonDelim, b.MaxAttempts)
	if b.FailOnStatus.V != "" {
		l.Approx("nginx asks the next member instead of passing the answer on, except for POST, LOCK and PATCH; only 403, 404, 429, 500 and 502 to 504 can be named", "proxy_next_upstream", b.FailOnStatus)
	}
	l.Approx("nginx sends the request to another member, too, unless it is POST, LOCK or PATCH", "proxy_next_upstream timeout", b.FailOnTimeout)
	if len(u.members) < 2 {
		l.Exact(b.ForceRecovery)
		return
	}
	l.Exact(b.ForceRecovery)
	if b.ForceRecovery.V {
		l.Add(target.Note{Loss: target.Approximated, ID: "failover", Span: b.At, Fact: "<Proxy balancer://" + comment(b.Name.V) + ">",
			Message: "a request that a member breaks off or does not answer in time goes to the next one, unless it is POST, LOCK or PATCH; when all members failed nginx answers 502 until their retry time is over, where httpd tries them again at once"})
	}
}

// nextUpstream says after which failures the next member is asked.
func (u *upstream) nextUpstream() []*dir {
	b := u.pool.Balancer
	if b == nil || len(u.members) < 2 {
		return nil
	}
	var out []*dir
	words := []string{"error", "timeout"}
	for s := range strings.FieldsFuncSeq(b.FailOnStatus.V, func(r rune) bool { return r == ',' || r == ' ' }) {
		if slices.Contains([]string{"403", "404", "429", "500", "502", "503", "504"}, s) && !slices.Contains(words, "http_"+s) {
			words = append(words, "http_"+s)
		}
	}
	if len(words) > 2 {
		out = append(out, d("proxy_next_upstream", words...).from(b.FailOnStatus.Place()))
	}
	if n := b.MaxAttempts; n.IsSet() && n.V+1 < len(u.members) {
		out = append(out, d("proxy_next_upstream_tries", strconv.Itoa(n.V+1)).from(n.Place()))
	}
	return out
}

// timeouts says how long nginx waits for the members; it has one time for all of
// them. Its own default is that of httpd, 60 s.
func (c *conf) timeouts(u *upstream, s *model.Server) []*dir {
	io := s.ProxyTimeout.Or(s.Timeout.V)
	var read, connect time.Duration
	var at, atConnect model.Duration
	for _, m := range u.members {
		t := m.Source.Timeout.Or(io)
		if t > read {
			read, at = t, m.Source.Timeout
		}
		if ct := m.Source.ConnTimeout; ct.IsSet() && ct.V > connect {
			connect, atConnect = ct.V, ct
		}
	}
	if connect == 0 {
		connect = read
	}
	for _, m := range u.members {
		if t := m.Source.Timeout; t.IsWritten() && t.V != read {
			c.l.Approx("nginx has one time for all members, the longest: "+millis(read), "proxy_read_timeout", t)
		}
		if t := m.Source.ConnTimeout; t.IsWritten() && t.V != connect {
			c.l.Approx("nginx has one time for all members, the longest: "+millis(connect), "proxy_connect_timeout", t)
		}
	}
	var out []*dir
	if connect != time.Minute && connect > 0 {
		out = append(out, d("proxy_connect_timeout", millis(connect)).from(atConnect.Place()))
	}
	if read != time.Minute && read > 0 {
		out = append(out, d("proxy_send_timeout", millis(read)).from(at.Place()), d("proxy_read_timeout", millis(read)).from(at.Place()))
	}
	return out
}

// millis writes a time: in seconds where that is exact.
func millis(t time.Duration) string {
	if t%time.Second == 0 {
		return strconv.FormatInt(int64(t/time.Second), 10) + "s"
	}
	return fmt.Sprintf("%dms", max(1, cmp.Or(t.Milliseconds(), 1)))
}
