package caddy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/render/plan"
)

func itoa(n int) string { return strconv.Itoa(n) }

// proxy writes the way of a request to its pool.
func (c *siteGen) proxy(in *block, o *plan.Outcome, expr string) {
	if r := sectionRules(o); r != nil {
		c.l.Closed("rewrite rules of a section cannot be carried over: its requests are refused", "rewrite with a matcher", r)
		in.add("error * 503")
		return
	}
	fail := func() {
		c.l.Drop("its path cannot be written for Caddy: the requests are refused", "", o.Mapping)
		in.add("error * 503")
	}
	switch {
	case o.Regex != nil:
		to, ok := template{src: o.To, expr: expr}.parse(o.To)
		q, ok2 := quote(to)
		if expr == "" || !ok || !ok2 || strings.ContainsAny(to, "?#") {
			fail()
			return
		}
		in.add("rewrite *", q)
	case o.Strip == "" && o.To != "":
		// A pattern without references: the path is appended to the target's.
		if !c.move(in, "", strings.TrimSuffix(o.To, "/")) && o.To != "/" {
			fail()
			return
		}
	case o.Strip == "":
	case !c.move(in, o.Strip, o.To):
		fail()
		return
	}
	c.reverseProxy(in, o.Pool, &o.Settings)
}

// sectionRules returns a rewrite rule of the outcome's sections that does more than
// setting variables; those that refuse are closed by the plan.
func sectionRules(o *plan.Outcome) *model.RewriteRule {
	if o.Settings.Rewrite == nil || !o.Settings.Rewrite.Engine.V {
		return nil
	}
	for _, sec := range o.Sections {
		if sec.Settings.Rewrite == nil {
			continue
		}
		for _, r := range sec.Settings.Rewrite.Rules {
			if r.Target.V != "-" {
				return r
			}
		}
	}
	return nil
}

// proxyGen writes the reverse_proxy directives of one pool with one outcome's settings.
type proxyGen struct {
	*siteGen
	pool    *plan.Pool
	set     *model.Settings
	members []*plan.Member // that can be used, in file order
}

var hostText = regexp.MustCompile(`^[A-Za-z0-9._:-]+$`)

// reverseProxy writes a pool; the text is shared by all places that use it alike.
func (c *siteGen) reverseProxy(in *block, p *plan.Pool, set *model.Settings) {
	g := &proxyGen{siteGen: c, pool: p, set: set}
	why := g.usable()
	g.facts()
	if len(g.members) == 0 {
		in.comment("no member of " + p.Name + " can be used" + why)
		in.add("error * 503")
		return
	}
	if c.upgraded && !p.Upgrade {
		in.add("request_header -Upgrade")
	}
	b := c.block()
	if p.Balancer != nil {
		b.comment("balancer " + p.Balancer.Name.V + ", " + source(p.Balancer.At))
	}
	g.directives(b)
	if c.dry {
		in.append(b, 0)
		return
	}
	in.place(c.share(p.Name, 0, b))
}

// usable settles the members that Caddy can use: all of one scheme, for a handler
// has one transport; it returns why there are none.
func (g *proxyGen) usable() (why string) {
	scheme := ""
	for _, m := range g.pool.Usable() {
		kind := m.Scheme
		switch {
		case m.Socket == "" && (!hostText.MatchString(m.Host) || m.Port < 1 || m.Port > 65535):
			g.l.Person("its address cannot be written for Caddy: it was left out", "", m.Source.URL)
			continue
		case m.Socket != "" && !regexp.MustCompile(`^/[A-Za-z0-9._/-]+$`).MatchString(m.Socket):
			g.l.Person("its socket cannot be written for Caddy: it was left out", "", m.Source.URL)
			continue
		case scheme != "" && scheme != kind:
			g.l.Person("Caddy wants one scheme for all members of a pool, and the first has another: it was left out", "", m.Source.URL)
			continue
		}
		scheme = kind
		g.members = append(g.members, m)
	}
	if scheme == "https" || scheme == "h2" {
		if reason := g.backendTLS(); reason != "" {
			g.members = nil
			return ": " + reason
		}
	}
	return ""
}

func (g *proxyGen) scheme() string { return g.members[0].Scheme }

// address writes the upstream of a member.
func (g *proxyGen) address(m *plan.Member) string {
	switch {
	case m.Socket != "":
		return "unix/" + m.Socket
	case m.Scheme == "https", m.Scheme == "h2":
		return "https://" + m.Address()
	case m.Scheme == "h2c":
		return "h2c://" + m.Address()
	}
	return m.Address()
}

// active lists the members that may be asked at all.
func (g *proxyGen) active() []*plan.Member {
	return slices.DeleteFunc(slices.Clone(g.members), func(m *plan.Member) bool { return m.Down })
}

// order lists members as they are tried after start: sets in their order, in each
// the ordinary ones from start on, then spares, then standbys (mod_proxy_balancer,
// lbmethods). Draining ones are left out.
func order(list []*plan.Member, start *plan.Member) []*plan.Member {
	sets := map[int]bool{}
	for _, m := range list {
		sets[m.Set] = true
	}
	var numbers []int
	for n := range sets {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var out []*plan.Member
	for _, n := range numbers {
		var plainOnes, spare, standby []*plan.Member
		for _, m := range list {
			switch {
			case m.Set != n || m.Drain:
			case m.Standby:
				standby = append(standby, m)
			case m.Spare:
				spare = append(spare, m)
			default:
				plainOnes = append(plainOnes, m)
			}
		}
		if i := slices.Index(plainOnes, start); i > 0 {
			plainOnes = append(slices.Clone(plainOnes[i:]), plainOnes[:i]...)
		}
		out = slices.Concat(out, plainOnes, spare, standby)
	}
	return out
}

// first lists the ordinary members of the first set, among which new sessions are spread.
func first(list []*plan.Member) []*plan.Member {
	all := order(list, nil)
	var out []*plan.Member
	for _, m := range all {
		if m.Set == all[0].Set && !m.Spare && !m.Standby {
			out = append(out, m)
		}
	}
	if len(out) == 0 && len(all) > 0 {
		return all[:1]
	}
	return out
}

// directives writes one reverse_proxy for each route, then those for requests
// without a session.
func (g *proxyGen) directives(out *block) {
	list := g.active()
	if len(list) == 0 {
		out.add("error * 503")
		return
	}
	g.forRoutes(out, list)
	all := order(list, nil)
	start := first(list)
	switch {
	case len(all) == 0:
		out.add("error * 503")
	case len(start) == len(all) && len(all) > 1:
		g.handler(out, "", g.weighted(all), g.policy(), len(all))
	case len(start) <= 1:
		g.handler(out, "", all, "first", len(all))
	default:
		g.spread(out, list, start)
	}
}

// forRoutes writes where requests of a session go: to the member with its route,
// then to one named by redirect=, then to the others.
func (g *proxyGen) forRoutes(out *block, list []*plan.Member) {
	s := g.session(g.pool)
	if s == nil || len(list) < 2 && !g.noFailover() {
		return
	}
	done := map[string]bool{}
	for _, m := range g.members {
		if m.Route == "" || done[m.Route] {
			continue
		}
		done[m.Route] = true
		matcher := s.matchers[m.Route]
		if matcher == "" {
			continue
		}
		own := withRoute(list, m.Route)
		if len(own) == 0 && !g.noFailover() {
			if m.Source.Redirect.V == "" {
				continue
			}
		}
		if m.Source.Redirect.V != "" {
			own = append(own, withRoute(list, m.Source.Redirect.V)...)
		}
		if !g.noFailover() {
			own = append(own, order(list, m)...)
		}
		own = distinct(own)
		if len(own) == 0 {
			out.add("error", matcher, "503")
			continue
		}
		g.handler(out, matcher, own, "first", len(own))
	}
}

func (g *proxyGen) noFailover() bool { return g.pool.Balancer != nil && g.pool.Balancer.NoFailover.V }

func withRoute(list []*plan.Member, route string) []*plan.Member {
	var out, standby []*plan.Member
	for _, m := range list {
		if m.Route == route {
			if m.Standby {
				standby = append(standby, m)
			} else {
				out = append(out, m)
			}
		}
	}
	return append(out, standby...)
}

func distinct(list []*plan.Member) []*plan.Member {
	var out []*plan.Member
	for _, m := range list {
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	return out
}

// spread divides new sessions at random among the members of the first set, each
// with the others, the spares and the standbys behind it: no policy of Caddy knows
// members that are used last.
func (g *proxyGen) spread(out *block, list, start []*plan.Member) {
	if len(start) > len(hexDigits) {
		start = start[:len(hexDigits)]
	}
	shares := sixteenths(start)
	from := 0
	for i, m := range start {
		matcher := ""
		if i < len(start)-1 {
			matcher = g.when(g.pool.Name+"_"+m.Name, "vars_regexp {http.request.uuid} ^["+digitClass(from, from+shares[i])+"]")
		}
		full := order(list, m)
		g.handler(out, matcher, full, "first", len(full))
		from += shares[i]
	}
	g.l.Approx("new sessions are spread at random, so that standbys and later sets stay behind the others", "lb_policy first", g.pool.Balancer.LBMethod)
}

const hexDigits = "0123456789abcdef"

// sixteenths divides 16 by the weights, at least one for each.
func sixteenths(list []*plan.Member) []int {
	total, sum, done := 0, 0, 0
	for _, m := range list {
		total += m.Weight
	}
	out := make([]int, len(list))
	for i, m := range list {
		sum += m.Weight
		to := max(done+1, (sum*16+total/2)/total)
		to = min(to, 16-(len(list)-1-i))
		out[i], done = to-done, to
	}
	return out
}

// digitClass writes some of the 16 digits for a class of an expression.
func digitClass(from, to int) string {
	var b strings.Builder
	part := func(lo, hi int) {
		if lo >= hi {
			return
		}
		b.WriteByte(hexDigits[lo])
		if hi-lo > 2 {
			b.WriteByte('-')
		}
		if hi-lo > 1 {
			b.WriteByte(hexDigits[hi-1])
		}
	}
	part(from, min(to, 10))
	part(max(from, 10), to)
	return b.String()
}

// most upstreams that weights may make of a pool
const mostRepeated = 40

// weighted repeats members by their weights, spread as byrequests does it.
func (g *proxyGen) weighted(list []*plan.Member) []*plan.Member {
	total, most := 0, 0
	for _, m := range list {
		total, most = total+m.Weight, max(most, m.Weight)
	}
	if total == len(list) {
		return list
	}
	weight := func(m *plan.Member) int {
		if total <= mostRepeated {
			return m.Weight
		}
		return max(1, m.Weight*(mostRepeated/2)/most)
	}
	if total > mostRepeated {
		for _, m := range list {
			g.l.Approx("weights are made smaller: Caddy 2.6 has none, members are named several times", "lb_policy weighted_round_robin since 2.8", m.Source.LoadFactor)
		}
	}
	sum := 0
	status := map[*plan.Member]int{}
	for _, m := range list {
		sum += weight(m)
	}
	var out []*plan.Member
	for range sum {
		var best *plan.Member
		for _, m := range list {
			status[m] += weight(m)
			if best == nil || status[m] > status[best] {
				best = m
			}
		}
		status[best] -= sum
		out = append(out, best)
	}
	return out
}

// policy names the selection policy of a balancer's lbmethod.
func (g *proxyGen) policy() string {
	m := g.pool.Balancer.LBMethod
	switch m.V {
	case "bybusyness":
		g.l.Approx("Caddy takes the member with the fewest requests, and does not count load factors", "lb_policy least_conn", m)
		return "least_conn"
	case "bytraffic":
		g.l.Approx("Caddy counts requests, not bytes", "lb_policy round_robin", m)
	case "heartbeat":
		g.l.Approx("Caddy hears no heartbeats: members take turns", "lb_policy round_robin", m)
	default:
		g.l.Exact(m)
	}
	return "round_robin"
}

// handler writes one reverse_proxy.
func (g *proxyGen) handler(out *block, matcher string, list []*plan.Member, policy string, members int) {
	words := []string{"reverse_proxy"}
	if matcher != "" {
		words = append(words, matcher)
	}
	for _, m := range list {
		words = append(words, g.address(m))
	}
	in, rest := g.block(), g.block()
	if members > 1 {
		in.add("lb_policy " + policy)
		g.retries(rest, members)
	}
	g.common(rest)
	switch {
	case g.dry:
		in.append(rest, 0)
	case !rest.empty():
		in.place(g.share(g.pool.Name+"_options", 3, rest))
	}
	if in.empty() {
		out.add(words...)
	} else {
		out.nest(in, words...)
	}
	if g.opt.Provenance {
		for _, m := range distinct(list) {
			out.from(m.Source.URL.Span)
		}
	}
}

// retries writes failover: as many further attempts as httpd makes, and how long a
// member that failed is left alone (caddyserver.com/docs/caddyfile/directives/reverse_proxy).
func (g *proxyGen) retries(in *block, members int) {
	b := g.pool.Balancer
	n := members - 1
	if b.MaxAttempts.IsSet() {
		n = b.MaxAttempts.V
	}
	if n > 0 {
		in.add("lb_retries " + itoa(n))
		in.from(b.MaxAttempts.Place())
	}
	if b.Timeout.V > 0 {
		in.add("lb_try_duration " + seconds(b.Timeout.V))
		in.from(b.Timeout.Place())
	}
	retry := g.members[0].Source.Retry
	d := retry.Or(time.Minute)
	if d <= 0 {
		d = time.Second // without any the failed member would be tried again at once
	}
	in.add("fail_duration " + seconds(d))
	in.from(retry.Place())
	if status := statusList(b.FailOnStatus.V); status != "" {
		in.add("unhealthy_status " + status)
		in.from(b.FailOnStatus.Place())
	}
}

// statusList reads failonstatus=: numbers with commas or blanks.
func statusList(s string) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	for _, w := range words {
		if n, err := strconv.Atoi(w); err != nil || n < 100 || n > 599 {
			return ""
		}
	}
	return strings.Join(words, " ")
}

// common writes what all handlers of the pool have in common.
func (g *proxyGen) common(in *block) {
	g.health(in)
	if m := g.members[0].Source; strings.EqualFold(m.FlushPackets.V, "on") {
		in.add("flush_interval -1")
		in.from(m.FlushPackets.Place())
	}
	g.host(in)
	g.headers(in)
	g.reverses(in)
	g.transport(in)
	g.override(in)
}

// host writes which Host the members see: theirs, unless ProxyPreserveHost is on or
// they were reached over AJP, which always sends the client's.
func (g *proxyGen) host(in *block) {
	keep := g.set.PreserveHost.V
	switch {
	case keep || g.pool.AJP:
		if g.scheme() == "https" || g.scheme() == "h2" {
			in.add("header_up Host {http.request.hostport}") // since 2.11 the member's is the default
		}
	case slices.ContainsFunc(g.members, func(m *plan.Member) bool { return m.Socket != "" }):
		in.add("header_up Host " + g.members[0].Host)
	case !slices.ContainsFunc(g.members, func(m *plan.Member) bool { return m.Port != defaultPort(m.Scheme) }):
		in.add("header_up Host {http.reverse_proxy.upstream.host}")
	default:
		in.add("header_up Host {upstream_hostport}")
	}
	if keep {
		in.from(g.set.PreserveHost.Place())
	}
	g.l.Exact(g.set.PreserveHost)
	if g.pool.AJP && !keep {
		for _, m := range g.members {
			if !m.AJP {
				g.l.Approx("it gets the client's Host, as the members that were reached over AJP", "", m.Source.URL)
			}
		}
	}
}

func defaultPort(scheme string) int {
	if scheme == "https" || scheme == "h2" {
		return 443
	}
	return 80
}

// health writes active checks. Caddy sends GET only and counts no passes and
// fails before 2.8 (caddyserver.com/docs/caddyfile/directives/reverse_proxy#active-health-checks).
func (g *proxyGen) health(in *block) {
	m := g.members[0].Source
	switch strings.ToUpper(m.HCMethod.V) {
	case "GET", "HEAD", "OPTIONS", "GET11", "HEAD11", "OPTIONS11":
	default:
		return
	}
	uri, ok := quote(g.pool.Path + orWord(m.HCURI.V, "/"))
	if !ok || !strings.HasPrefix(g.pool.Path+orWord(m.HCURI.V, "/"), "/") {
		return
	}
	in.add("health_uri " + uri)
	in.from(m.HCMethod.Place())
	in.add("health_interval " + seconds(m.HCInterval.Or(30*time.Second)))
	in.from(m.HCInterval.Place())
}

// transport writes timeouts, connections and TLS towards the members.
func (g *proxyGen) transport(in *block) {
	t := g.block()
	m := g.members[0].Source
	wait := func(word string, d model.Duration) {
		if d.V > 0 {
			t.add(word + " " + seconds(d.V))
			t.from(d.Place())
		}
	}
	wait("dial_timeout", m.ConnTimeout)
	wait("read_timeout", g.timeout(m))
	switch {
	case m.DisableReuse.V || m.EnableReuse.IsSet() && !m.EnableReuse.V:
		t.add("keepalive off")
		t.from(m.DisableReuse.Place())
	case m.TTL.V > 0:
		wait("keepalive", m.TTL)
	}
	if m.Max.V > 0 {
		t.add(fmt.Sprint("max_conns_per_host ", m.Max.V))
		t.from(m.Max.Place())
	}
	if g.scheme() == "h2" {
		t.add("versions 2")
	}
	g.tlsLines(t)
	if !t.empty() {
		in.nest(t, "transport http")
	}
}

// timeout is the longest wait for the next bytes of a member: its own, else
// ProxyTimeout, else Timeout (mod_proxy.h, ap_proxy_connection_create).
func (g *proxyGen) timeout(m *model.Member) model.Duration {
	s := g.site.Server
	g.l.Exact(s.ProxyTimeout)
	g.l.Approx("it counts towards members only", "servers { timeouts { … } }", s.Timeout)
	for _, d := range []model.Duration{m.Timeout, s.ProxyTimeout, s.Timeout} {
		if d.IsWritten() {
			return d
		}
	}
	return model.Duration{}
}
