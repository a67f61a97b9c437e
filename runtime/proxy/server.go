package proxy

import (
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/runtime/balancer"
	"clowder/runtime/exchange"
	"clowder/runtime/manager"
	"clowder/runtime/tlsconf"
)

// server is one virtual host, or the main server, with all it inherits.
type server struct {
	m         *model.Server
	name      string // ServerName without port
	port      int    // of ServerName, 0 without
	base      conf
	rules     []*rule
	early     []*rule // mapping=encoded and servlet
	locations []*section
	proxies   []*section
	balancers map[string]*balancer.Balancer
	order     []*balancer.Balancer
	workers   []*balancer.Member
	paths     map[string]string // balancer → the last path mapped to it
	docRoot   string
	admin     string
	slashes   slashes
	merge     bool
	timeout   time.Duration // for backends without one of their own
	via       string
	badHeader string
	canonical bool // UseCanonicalName On
	trace     bool
	maxFwd    int
	logs      []*accessLog
	view      manager.View
	forward   remote
	remote    *remoteIP    // nil without RemoteIPHeader
	rewrite   *rewriteConf // nil without rules of its own
	redirects []*redirect
	aliases   []*alias
	maps      map[string]*rewriteMap
	types     map[string]string // of files, by extension
	root      string            // ServerRoot
	hasEarly  bool              // Header rules with "early"

	tls        *tlsconf.Server // nil in a front end without TLS and HTTP/2
	backendTLS *tlsconf.Backend
	bounds     *exchange.Bounds // nil when all servers have the same
}

// pick returns the virtual host's value if it was given, else the main server's.
func pick[T model.Scalar](main, v model.Value[T]) model.Value[T] {
	if given(v) {
		return v
	}
	return main
}

func (p *Proxy) newServer(main, v *model.Server) (*server, error) {
	s := &server{m: v, balancers: map[string]*balancer.Balancer{}, paths: map[string]string{}}
	both := []*model.Server{main, v}
	if main == v {
		both = both[:1]
	}
	s.name, s.port = hostPort(pick(main.ServerName, v.ServerName).V, 0)
	if !given(v.ServerName) && len(v.Addresses) > 0 { // a ServerName without a port takes it away again
		if _, port := hostPort(v.Addresses[0].V, 0); port > 0 {
			s.port = port + p.o.PortOffset
		}
	}
	s.docRoot = pick(main.DocRoot, v.DocRoot).V
	s.admin = pick(main.Admin, v.Admin).V
	switch strings.ToLower(pick(main.EncodedSlashes, v.EncodedSlashes).V) {
	case "on":
		s.slashes = slashesOn
	case "nodecode":
		s.slashes = slashesNoDecode
	}
	s.merge = pick(main.MergeSlashes, v.MergeSlashes).Or(true)
	s.timeout = pick(main.Timeout, v.Timeout).Or(60 * time.Second)
	if t := pick(main.ProxyTimeout, v.ProxyTimeout); given(t) {
		s.timeout = t.V
	}
	s.via = strings.ToLower(pick(main.ProxyVia, v.ProxyVia).V)
	s.badHeader = pick(main.ProxyBadHeader, v.ProxyBadHeader).V
	s.canonical = strings.EqualFold(pick(main.CanonicalName, v.CanonicalName).V, "on")
	s.trace = !strings.EqualFold(pick(main.TraceEnable, v.TraceEnable).V, "off")
	s.maxFwd = -1
	if m := pick(main.MaxForwards, v.MaxForwards); given(m) {
		s.maxFwd = m.V
	}
	s.base = conf{bodyLimit: -1, addHeaders: true, continue100: true}
	for _, m := range both {
		l, err := newLayer(&m.Settings, "", m.At)
		if err != nil {
			return nil, at(m.At, err)
		}
		l.over(&s.base)
		s.base.auth = l.auth.over(s.base.auth)
		s.redirects = append(l.redirects, s.redirects...)
		if err := s.addMappings(m); err != nil {
			return nil, err
		}
	}
	if err := p.addURLRules(s, main, v); err != nil {
		return nil, err
	}
	if err := p.addWorkers(s, main, v); err != nil {
		return nil, err
	}
	s.forward = newRemote(both)
	s.view = manager.View{
		Inherit: pick(main.BalancerInherit, v.BalancerInherit).Or(true), PassInh: pick(main.PassInherit, v.PassInherit).Or(true),
		Checks: p.has("proxy_hcheck_module"), AJP: p.has("proxy_ajp_module"), Conditions: conditionsOf(both),
	}
	var err error
	if s.remote, err = p.newRemoteIP(main, v); err != nil {
		return nil, err
	}
	return s, p.openLogs(s, main, v)
}

// conditionsOf lists the ProxyHCExpr lines for the manager's pages.
func conditionsOf(servers []*model.Server) []manager.Condition {
	var out []manager.Condition
	for _, m := range servers {
		for _, d := range m.Settings.Extras {
			if strings.EqualFold(d.Name.V, "ProxyHCExpr") {
				out = append(out, manager.Condition{Name: d.Arg(0), Text: strings.TrimSuffix(strings.TrimPrefix(d.Arg(1), "{"), "}")})
			}
		}
	}
	return out
}

// has reports whether a module is there. A setup without LoadModule lines has all.
func (p *Proxy) has(module string) bool {
	return len(p.front.Modules) == 0 || p.front.HasModule(module)
}

func (s *server) addMappings(m *model.Server) error {
	add := func(r *rule) {
		if name, _, ok := balancerName(r.target); ok {
			s.paths[name] = r.prefix
		}
	}
	for _, mp := range m.Mappings {
		r, err := newRule(mp, "")
		if err != nil {
			return at(mp.At, err)
		}
		add(r)
		if r.early == "encoded" || r.early == "servlet" {
			s.early = append(s.early, r)
		} else {
			s.rules = append(s.rules, r)
		}
	}
	for _, sec := range m.Sections {
		c, err := newSection(sec)
		if err != nil {
			return at(sec.At, err)
		}
		if strings.HasPrefix(strings.ToLower(sec.Kind.V), "proxy") {
			s.proxies = append(s.proxies, c)
			continue
		}
		s.locations = append(s.locations, c)
		if c.layer.rule != nil {
			add(c.layer.rule)
		}
	}
	return nil
}

// balancerName returns the name of a balancer:// URL in lower case, and the rest.
func balancerName(u string) (name, path string, ok bool) {
	scheme, name, path, ok := splitTarget(u)
	return name, path, ok && scheme == "balancer"
}

func (p *Proxy) addWorkers(s *server, main, v *model.Server) error {
	o := balancer.Options{PortOffset: p.o.PortOffset}
	var bs []*model.Balancer
	var ws []*model.Member
	inherits := pick(main.BalancerInherit, v.BalancerInherit).Or(true) || pick(main.PassInherit, v.PassInherit).Or(true)
	if main == v || inherits {
		bs, ws = append(bs, main.Balancers...), append(ws, main.Workers...)
	}
	if main != v {
		for _, b := range v.Balancers {
			bs = joinBalancer(bs, b)
		}
		ws = append(ws, v.Workers...)
	}
	for _, b := range bs {
		r, err := balancer.New(b, o)
		if err != nil {
			return at(b.At, err)
		}
		if s.balancers[r.Name] == nil {
			s.balancers[r.Name] = r
			s.order = append(s.order, r)
		}
	}
	for _, w := range ws {
		m, err := balancer.NewWorker(w, o)
		if err != nil {
			return at(w.At, err)
		}
		s.workers = append(s.workers, m)
	}
	rules := append(append([]*rule{}, s.rules...), s.early...)
	for _, l := range s.locations {
		if l.layer.rule != nil {
			rules = append(rules, l.layer.rule)
		}
	}
	for _, r := range rules {
		if err := s.ensureWorker(r, o); err != nil {
			return at(r.m.At, err)
		}
	}
	return nil
}

// joinBalancer puts a virtual host's balancer over the main server's of that
// name: its parameters win, the main server's members stay.
func joinBalancer(list []*model.Balancer, b *model.Balancer) []*model.Balancer {
	for i, m := range list {
		if !strings.EqualFold(m.Name.V, b.Name.V) {
			continue
		}
		n := *m
		put2(&n.LBMethod, b.LBMethod)
		put2(&n.Sticky, b.Sticky)
		put2(&n.StickySep, b.StickySep)
		put2(&n.ScolonDelim, b.ScolonDelim)
		put2(&n.NoFailover, b.NoFailover)
		put2(&n.Timeout, b.Timeout)
		put2(&n.MaxAttempts, b.MaxAttempts)
		put2(&n.FailOnStatus, b.FailOnStatus)
		put2(&n.FailOnTimeout, b.FailOnTimeout)
		put2(&n.ForceRecovery, b.ForceRecovery)
		put2(&n.Growth, b.Growth)
		put2(&n.Nonce, b.Nonce)
		list[i] = &n
		return list
	}
	return append(list, b)
}

func put2[T model.Scalar](to *model.Value[T], v model.Value[T]) {
	if given(v) {
		*to = v
	}
}

// virtualHost chooses the server for a request (vhost.c): best address, then name.
func (p *Proxy) virtualHost(q *exchange.Request, l Listen) *server {
	if len(p.vhosts) == 0 {
		return p.main
	}
	addr, port := q.Local.Addr().Unmap(), l.Port-p.o.PortOffset
	best, first := 0, (*server)(nil)
	score := make([]int, len(p.vhosts))
	for i, v := range p.vhosts {
		for _, a := range v.m.Addresses {
			score[i] = max(score[i], addressScore(a.V, addr, port))
		}
		best = max(best, score[i])
	}
	if best == 0 {
		return p.main
	}
	host, _ := hostPort(strings.ToLower(q.Host), 0)
	host = strings.TrimSuffix(host, ".")
	for i, v := range p.vhosts {
		if score[i] != best {
			continue
		}
		if first == nil {
			first = v
		}
		name, _ := hostPort(v.m.ServerName.V, 0)
		if host != "" && strings.EqualFold(name, host) {
			return v
		}
		for _, a := range v.m.Aliases {
			if host != "" && matchText(strings.ToLower(a.V), host, true) {
				return v
			}
		}
	}
	return first
}

// addressScore is 0 for no match; an address counts more than a wildcard, then a port.
func addressScore(a string, addr netip.Addr, port int) int {
	host, portText := a, ""
	if i := strings.LastIndexByte(a, ':'); i >= 0 && !strings.HasSuffix(a, "]") {
		host, portText = a[:i], a[i+1:]
	}
	score := 1
	if portText != "" && portText != "*" {
		if n, err := strconv.Atoi(portText); err != nil || n != port {
			return 0
		}
		score++
	}
	if host == "*" || host == "" || strings.EqualFold(host, "_default_") {
		return score
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		if strings.EqualFold(host, "localhost") && addr.IsLoopback() {
			return score + 2
		}
		return 0
	}
	if ip.Unmap() != addr {
		return 0
	}
	return score + 2
}

// locate merges the settings that count for a path, and for a mapped URL.
func (s *server) locate(path, url string) conf {
	c := s.base
	if len(s.locations) == 0 && len(s.proxies) == 0 {
		return c
	}
	c.errorDocs = maps.Clone(c.errorDocs)
	if url != "" {
		for _, sec := range s.proxies {
			if sec.put(&c, sec.proxied, url) {
				c.auth = sec.layer.auth.over(c.auth)
			}
		}
	}
	var auth *authConf // Locations are merged with each other first (ap_location_walk)
	for _, sec := range s.locations {
		if sec.put(&c, sec.location, path) {
			auth = sec.layer.auth.over(auth)
		}
	}
	c.auth = auth.over(c.auth)
	return c
}

// put merges the section into the conf if it applies, and reports whether it does.
// Access control is left to the caller.
func (s *section) put(c *conf, applies func(string) (bool, error), to string) bool {
	ok, err := applies(to)
	if err != nil {
		c.unknown = err
	}
	if ok {
		s.layer.over(c)
	}
	return ok
}
