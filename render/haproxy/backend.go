package haproxy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/render/plan"
)

// backend writes a pool.
func (w *writer) backend(p *plan.Pool) {
	t, b := w.out, p.Balancer
	if b != nil {
		at := ""
		if b.At.IsValid() {
			at = ", " + b.At.Short()
		}
		t.head("balancer " + b.Name.V + at)
	}
	t.section("backend " + p.Name)
	list := w.members(p)
	if b == nil {
		w.worker(p)
		return
	}
	w.method(b)
	if len(list) == 0 {
		t.comment("no member can be used: every answer is 503")
	}
	w.failover(p, list)
	w.timeouts(p, list)
	w.checks(p, list)
	w.sticky(p, list)
	if backups := tiers(list); backups > 1 {
		w.allBackups(list)
	}
	for _, m := range list {
		w.server(p, m, true)
	}
	w.l.Approx("it was left out: no request has to wait for a member to come back", "timeout queue", b.Timeout)
	w.l.Drop("members cannot be added at run time", "server-template", b.Growth)
}

// worker writes a pool of one worker, which httpd never takes for dead.
func (w *writer) worker(p *plan.Pool) {
	list := w.members(p)
	w.timeouts(p, list)
	for _, m := range list {
		w.server(p, m, false)
		w.l.Exact(m.Source.Retry)
	}
}

// members lists the usable ones in the order of their use: HAProxy takes the first
// backup that is up.
func (w *writer) members(p *plan.Pool) []*plan.Member {
	list := p.Usable()
	slices.SortStableFunc(list, func(a, b *plan.Member) int { return cmp.Compare(tier(a), tier(b)) })
	return list
}

// tier orders members: lower sets first, in each set hot standbys last.
func tier(m *plan.Member) int {
	n := 2 * m.Set
	if m.Standby || m.Spare {
		n++
	}
	return n
}

// isBackup reports whether a member is used only when those of the first tier are down.
func isBackup(m *plan.Member, list []*plan.Member) bool { return tier(m) != tier(list[0]) }

// tiers counts the backups.
func tiers(list []*plan.Member) int {
	n := 0
	for _, m := range list {
		if isBackup(m, list) {
			n++
		}
	}
	return n
}

// allBackups shares the load among backups where they are of one tier; with more
// tiers HAProxy takes one backup after the other.
func (w *writer) allBackups(list []*plan.Member) {
	last := list[len(list)-1]
	same := true
	for _, m := range list {
		same = same && (!isBackup(m, list) || tier(m) == tier(last))
	}
	if same {
		w.out.line(nowhere, "option allbackups")
		return
	}
	for _, m := range list {
		if isBackup(m, list) {
			w.l.Approx("HAProxy has backups, of which the first one that is up is used, but no sets of them", "backup", m.Source.LBSet, m.Source.Status)
		}
	}
}

// method chooses the algorithm.
func (w *writer) method(b *model.Balancer) {
	algo := "roundrobin"
	switch strings.ToLower(b.LBMethod.V) {
	case "bybusyness":
		algo = "leastconn"
		w.l.Approx("leastconn counts connections to members", "balance leastconn", b.LBMethod)
	case "byrequests":
		w.l.Exact(b.LBMethod)
	case "heartbeat":
		algo = "leastconn"
		w.l.Approx("HAProxy hears no heartbeats; the member with the fewest connections is taken", "balance leastconn, or agent-check", b.LBMethod)
	default:
		w.l.Approx("HAProxy does not count bytes; the members take turns", "balance leastconn", b.LBMethod)
	}
	w.out.line(b.LBMethod.Place(), "balance "+algo)
}

// failover lets another member take a request whose connection failed. httpd
// tries members - 1 more unless maxattempts says otherwise.
func (w *writer) failover(p *plan.Pool, list []*plan.Member) {
	t, b := w.out, p.Balancer
	n := b.MaxAttempts.Or(len(p.Members) - 1)
	w.l.Exact(b.MaxAttempts)
	t.line(b.MaxAttempts.Place(), "retries", itoa(max(0, n)))
	if b.NoFailover.V && p.Sticky != nil {
		t.line(b.NoFailover.Place(), "option persist")
		w.l.Approx("a session stays on its member; a request without a session also fails where its member is dead but not yet known to be", "option persist", b.NoFailover)
	} else if n > 0 {
		t.line(nowhere, "option redispatch 1")
		w.l.Exact(b.NoFailover)
	}
	if b.FailOnStatus.V != "" {
		w.l.Approx("any status of 500 and above but 501 and 505, and broken answers, mark the member down", "observe layer7", b.FailOnStatus)
	}
	if b.FailOnTimeout.V {
		w.l.Approx("a timeout of the member, as well as a status of 500 and above, marks it down", "observe layer7", b.FailOnTimeout)
	}
	w.l.Approx("members that are down are used again as soon as a check passes, not all at once", "", b.ForceRecovery)
	for _, m := range list {
		if m.Ignore {
			w.l.Approx("errors do not count, so the member has no checks", "", m.Source.Status)
		}
	}
}

// timeouts writes those that differ from the defaults.
func (w *writer) timeouts(p *plan.Pool, list []*plan.Member) {
	t := w.out
	one := func(keyword string, get func(*model.Member) model.Duration) {
		var longest model.Duration
		for _, m := range list {
			if v := get(m.Source); v.IsSet() && v.V > longest.V {
				longest = v
			}
		}
		if !longest.IsSet() || longest.V <= 0 {
			return
		}
		t.line(longest.Place(), keyword, duration(longest.V))
		for _, m := range list {
			switch v := get(m.Source); {
			case v.V == longest.V:
				w.l.Exact(v)
			default:
				w.l.Approx("all members have the longest time, "+duration(longest.V), keyword, v)
			}
		}
	}
	one("timeout connect", func(m *model.Member) model.Duration { return m.ConnTimeout })
	one("timeout server", func(m *model.Member) model.Duration { return m.Timeout })
	one("timeout queue", func(m *model.Member) model.Duration { return m.Acquire })
	for _, m := range list {
		if !m.Source.ConnTimeout.IsSet() && m.Source.Timeout.V > 0 {
			t.line(m.Source.Timeout.Place(), "timeout connect", duration(m.Source.Timeout.V)) // mod_proxy takes timeout= for both
			break
		}
	}
	reuse := len(list) > 0
	for _, m := range list {
		reuse = reuse && !m.Source.DisableReuse.V
	}
	if len(list) > 0 && !reuse {
		t.line(nowhere, "option http-server-close")
		t.line(nowhere, "http-reuse never")
	}
	for _, m := range list {
		if m.Source.DisableReuse.V == !reuse {
			w.l.Exact(m.Source.DisableReuse)
		} else {
			w.l.Approx("connections are not kept to any member of the balancer", "http-reuse never", m.Source.DisableReuse)
		}
		w.l.Exact(m.Source.EnableReuse)
	}
	for _, m := range list {
		if m.Source.KeepAlive.V {
			t.line(m.Source.KeepAlive.Place(), "option srvtcpka")
			break
		}
	}
	for _, m := range list {
		w.l.Exact(m.Source.KeepAlive)
	}
}

// sticky leads the requests of a session to its member. The route is what follows
// the first separator in the path parameter, the query's, or else the cookie
// (mod_proxy_balancer.c, find_session_route). A use-server rule for a member that
// is down is passed over, so that another member takes the session.
func (w *writer) sticky(p *plan.Pool, list []*plan.Member) {
	b, s := p.Balancer, p.Sticky
	if s == nil {
		return
	}
	if !isToken(s.Cookie) || !isToken(s.Param) || !strings.EqualFold(s.Sep, "off") && (len(s.Sep) != 1 || !strings.ContainsAny(s.Sep, ".!-_~:|/+*@^&=")) {
		w.l.Drop("the names of cookie and parameter, or the separator, cannot be written: sessions do not stick", "stick-table, cookie", b.Sticky, b.StickySep)
		return
	}
	routed := false
	for _, m := range list {
		routed = routed || m.Route != ""
	}
	w.l.Exact(b.Sticky, b.StickySep, b.ScolonDelim)
	if !routed {
		return
	}
	t := w.out
	none := "unless { var(txn.session) -m found }"
	t.line(b.Sticky.Place(), "http-request set-var(txn.session) url_param("+s.Param+",;),field(1,?)")
	t.line(b.Sticky.Place(), "http-request set-var(txn.session) url_param("+s.Param+")", none)
	t.line(b.Sticky.Place(), "http-request set-var(txn.session) req.cook("+s.Cookie+")", none)
	route := "var(txn.session)"
	if !strings.EqualFold(s.Sep, "off") {
		route = "var(txn.session),field(2," + s.Sep + ",0)"
	}
	for _, m := range list { // those without +H first, as find_route_worker
		if !m.Standby && m.Route != "" {
			t.line(m.Source.Route.Place(), "use-server", m.Name, "if { "+route+" "+equals(m.Route)+" }")
		}
	}
	for _, m := range list {
		if m.Standby && m.Route != "" {
			t.line(m.Source.Route.Place(), "use-server", m.Name, "if { "+route+" "+equals(m.Route)+" }")
		}
	}
	for _, m := range list {
		to := m.Source.Redirect.V
		if i := slices.IndexFunc(list, func(o *plan.Member) bool { return to != "" && o.Route == to }); i >= 0 && m.Route != "" && writable(to) {
			t.line(m.Source.Redirect.Place(), "use-server", list[i].Name, "if { "+route+" "+equals(m.Route)+" }")
		}
		w.l.Exact(m.Source.Route, m.Source.Redirect)
	}
}

// equals compares with a text; a lone brace would end the condition.
func equals(v string) string {
	if v == "}" || v == "{" {
		return "-m reg ^[" + v + "]$"
	}
	return "-m str " + pattern(v)
}

// checks writes how members are found to be dead: with hcmethod as mod_proxy_hcheck,
// else by connecting. httpd itself notices only failed requests.
func (w *writer) checks(p *plan.Pool, list []*plan.Member) {
	t := w.out
	var first *model.Member
	for _, m := range list {
		if m.Source.HCMethod.V != "" && !strings.EqualFold(m.Source.HCMethod.V, "none") && first == nil {
			first = m.Source
		}
	}
	if first == nil {
		return
	}
	method := strings.ToUpper(first.HCMethod.V)
	switch {
	case (method == "OPTIONS" || method == "HEAD" || method == "GET") && writable(first.HCURI.V):
		uri := first.HCURI.V
		if uri == "" {
			uri = "/"
			if method == "OPTIONS" {
				uri = "*"
			}
		}
		t.line(first.HCMethod.Place(), "option httpchk", method, word(uri))
	case method != "TCP":
		w.l.Approx("the check is a connection only", "option httpchk", first.HCMethod)
	}
	if first.HCExpr.V != "" {
		w.expect(p, first)
	}
	for _, m := range list {
		s := m.Source
		if s.HCMethod.V == first.HCMethod.V && s.HCURI.V == first.HCURI.V {
			w.l.Exact(s.HCMethod, s.HCURI)
		} else {
			w.l.Approx("all members are checked in the same way", "option httpchk", s.HCMethod, s.HCURI)
		}
		w.l.Exact(s.HCInterval, s.HCPasses, s.HCFails, s.HCTemplate)
	}
}

// expect writes the one condition of health checks that is common: a class of
// statuses. Others are left to the checks' own, 2xx and 3xx.
func (w *writer) expect(p *plan.Pool, m *model.Member) {
	for _, d := range w.plan.Front.Main.Settings.Extras {
		if !strings.EqualFold(d.Name.V, "ProxyHCExpr") || d.Arg(0) != m.HCExpr.V {
			continue
		}
		expr := strings.Trim(d.Arg(1), "{} ")
		if rest, ok := strings.CutPrefix(expr, "%{REQUEST_STATUS} =~ /"); ok && strings.HasSuffix(rest, "/") && writable(rest) {
			w.out.line(d.At, "http-check expect rstatus", word(strings.TrimSuffix(rest, "/")))
			w.l.Exact(d, m.HCExpr)
			return
		}
	}
	w.l.Approx("a check passes with any status of 2xx and 3xx", "http-check expect", m.HCExpr)
}

// server writes a member; checked tells that it can be found dead.
func (w *writer) server(p *plan.Pool, m *plan.Member, checked bool) {
	s := m.Source
	words := []string{"server", m.Name, word(serverAddress(m))}
	list := w.members(p)
	if n := w.weight(p, m); n > 0 || m.Drain {
		words = append(words, "weight", itoa(n))
	}
	w.status(m)
	if isBackup(m, list) {
		words = append(words, "backup")
	}
	if m.Down {
		words = append(words, "disabled")
	}
	if checked && !m.Ignore {
		words = append(words, w.check(p, m)...)
	}
	if s.Max.V > 0 {
		words = append(words, "maxconn", itoa(s.Max.V))
		w.l.Approx("it is for the whole process, while httpd counts in each of its own", "maxconn", s.Max)
	}
	if s.TTL.V > 0 {
		words = append(words, "pool-purge-delay", duration(s.TTL.V))
		w.l.Exact(s.TTL)
	}
	if s.SMax.IsWritten() {
		words = append(words, "pool-low-conn", itoa(s.SMax.V))
		w.l.Approx("idle connections above it are closed in the course of time", "pool-low-conn", s.SMax)
	}
	words = append(words, w.memberTLS(p, m)...)
	if m.Scheme == "h2c" {
		words = append(words, "proto h2")
	}
	if m.Socket == "" && needsResolving(m.Host) {
		words = append(words, "init-addr libc,none")
	}
	w.l.Exact(s.URL, s.LoadFactor, s.LBSet, s.Upgrade)
	w.l.Approx("HAProxy passes data on as it comes", "", s.FlushPackets, s.FlushWait)
	w.l.Approx("HAProxy has asked for the address when it started and keeps it", "resolvers", s.AddressTTL)
	w.out.line(s.URL.Place(), words...)
}

// needsResolving reports whether the host is a name that may not be known when
// HAProxy starts; without init-addr it would not start then.
func needsResolving(host string) bool {
	if model.IsLoopback(host) {
		return false
	}
	return strings.IndexFunc(host, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }) >= 0 && !strings.Contains(host, ":")
}

// serverAddress writes the address as server takes it.
func serverAddress(m *plan.Member) string {
	if m.Socket != "" {
		return "unix@" + m.Socket
	}
	return m.Address()
}

// weight scales weights to at most 256; 0 says nothing.
func (w *writer) weight(p *plan.Pool, m *plan.Member) int {
	most, equal := 1, true
	for _, o := range p.Usable() {
		most = max(most, o.Weight)
		equal = equal && o.Weight == m.Weight
	}
	switch {
	case m.Drain:
		return 0
	case equal:
		return 0
	case most <= 256:
		return m.Weight
	}
	w.l.Approx("weights go up to 256, so they were scaled", "weight", m.Source.LoadFactor)
	return max(1, m.Weight*256/most)
}

// status accounts for the letters of status=.
func (w *writer) status(m *plan.Member) {
	switch {
	case m.Spare:
		w.l.Approx("a spare takes the place of one member; as a backup it is used when all are down", "backup", m.Source.Status)
	case m.Drain:
		w.l.Approx("weight 0 keeps the sessions that it has", "weight 0", m.Source.Status)
	default:
		w.l.Exact(m.Source.Status)
	}
}

// check writes the check of a member. hcinterval, hcpasses and hcfails are inter,
// rise and fall; without them HAProxy's own, 2 s, 2 and 3, are right enough.
func (w *writer) check(p *plan.Pool, m *plan.Member) []string {
	s := m.Source
	words := []string{"check"}
	if s.HCMethod.V != "" && !strings.EqualFold(s.HCMethod.V, "none") {
		words = append(words, "inter", duration(s.HCInterval.Or(30*time.Second)), fmt.Sprintf("rise %d fall %d", max(1, s.HCPasses.Or(1)), max(1, s.HCFails.Or(1))))
		w.l.Exact(s.HCInterval, s.HCPasses, s.HCFails)
		w.l.Approx("the checks say when a member is used again", "inter", s.Retry)
	} else if s.Retry.IsWritten() && s.Retry.V > 0 {
		words = append(words, "downinter", duration(s.Retry.V))
		w.l.Approx("a member that is down is tried by a check after this time, not by a request", "downinter", s.Retry)
	} else {
		w.l.Approx("a member that is down is tried by checks", "downinter", s.Retry)
	}
	if p.Balancer.FailOnStatus.V != "" || p.Balancer.FailOnTimeout.V {
		words = append(words, "observe layer7 error-limit 1 on-error mark-down")
	}
	return words
}
