package plan

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
	"clowder/render/ledger"
)

// Pool is a balancer, or one worker outside of a balancer.
type Pool struct {
	Name     string          // an identifier, unique in the plan
	Balancer *model.Balancer // merged over the main server's; nil for a plain worker
	Members  []*Member
	Sticky   *Sticky
	Path     string             // the path that all usable members have in their URL, without a slash at its end
	TLS      *model.TLS         // settings for https members, nil without any
	Revoked  []*model.Directive // lists of members' revoked certificates that have no field, see Sealed
	AJP      bool               // some member was an ajp:// one
	Upgrade  bool               // some member takes upgrades (ws://, wss:// or upgrade=)
}

// Sticky is how a session stays on its member: the route is what follows the
// first Sep in the value of the cookie or of the path parameter
// (mod_proxy_balancer.c, find_session_route).
type Sticky struct {
	Cookie string
	Param  string // of the path, as in ;jsessionid=…, and of the query
	Sep    string
}

// Member is one member as a proxy for HTTP can use it.
type Member struct {
	Source *model.Member
	Name   string // an identifier, unique in its pool: the route, else host and port
	Route  string

	Scheme string // http, https, h2 or h2c
	Host   string
	Port   int
	Socket string // path of a unix socket; Host is then what the Host header says
	Path   string // of its URL

	AJP       bool             // was ajp://; Scheme, Host and Port are those of Connector
	Node      *model.Node      // the Tomcat that it leads to, as far as known
	Connector *model.Connector // of Node, the one to use

	Unusable string // why it cannot be used; it is then left out
	Weight   int    // 1 for all when none is written; whole numbers in the ratios of loadfactor
	Standby  bool   // +H: used when all others are down
	Spare    bool   // +R: takes the place of one that is down
	Down     bool   // +D or +S: not used
	Drain    bool   // +N: only for sessions that it has
	Ignore   bool   // +I: errors do not count
	Set      int    // lbset: lower ones first
}

// Usable lists the members that can be used at all.
func (p *Pool) Usable() []*Member {
	var out []*Member
	for _, m := range p.Members {
		if m.Unusable == "" {
			out = append(out, m)
		}
	}
	return out
}

// Address returns host:port, with brackets around IPv6.
func (m *Member) Address() string {
	if strings.Contains(m.Host, ":") {
		return fmt.Sprintf("[%s]:%d", m.Host, m.Port)
	}
	return fmt.Sprintf("%s:%d", m.Host, m.Port)
}

type poolKey struct {
	balancer *model.Balancer
	worker   *model.Member
	url      string
}

// pool returns the pool that a ProxyPass target leads to and what follows the
// balancer's or worker's name; nil and the reason when there is none.
func (b *builder) pool(s *Site, target string) (p *Pool, rest, why string) {
	scheme, after, ok := strings.Cut(target, "://")
	if !ok {
		return nil, "", "the target is no URL: the requests are refused"
	}
	if strings.EqualFold(scheme, "balancer") {
		name := after
		if i := strings.IndexByte(after, '/'); i >= 0 {
			name, rest = after[:i], after[i:]
		}
		for _, bal := range s.Server.Balancers {
			if strings.EqualFold(bal.Name.V, name) {
				return b.balancer(s, bal), rest, ""
			}
		}
		return nil, "", "no balancer has that name: the requests are refused, as httpd does"
	}
	if strings.Contains(target, "$") && strings.ContainsAny(authority(after), "$") {
		return nil, "", "the member is chosen by the request: such requests are refused"
	}
	worker := workerOf(s.Server.Workers, target)
	return b.worker(s, worker, target), pathOf(target), ""
}

func authority(after string) string {
	if i := strings.IndexByte(after, '/'); i >= 0 {
		return after[:i]
	}
	return after
}

// pathOf returns the path of a URL; that of unix:/path|http://host/x is /x.
func pathOf(url string) string {
	if i := strings.IndexByte(url, '|'); i >= 0 && strings.HasPrefix(strings.ToLower(url), "unix:") {
		url = url[i+1:]
	}
	_, after, _ := strings.Cut(url, "://")
	return strings.TrimPrefix(after, authority(after))
}

// workerOf returns the worker with the longest URL that the target begins with
// (ap_proxy_get_worker), or nil.
func workerOf(list []*model.Member, target string) *model.Member {
	var best *model.Member
	for _, w := range list {
		url := strings.TrimSuffix(w.URL.V, "/")
		if len(url) <= len(target) && strings.EqualFold(target[:len(url)], url) && (best == nil || len(w.URL.V) > len(best.URL.V)) {
			best = w
		}
	}
	return best
}

func (b *builder) balancer(s *Site, bal *model.Balancer) *Pool {
	key := poolKey{balancer: bal}
	if p := b.pools[key]; p != nil {
		return p
	}
	p := &Pool{Name: b.identifier(bal.Name.V), Balancer: bal, TLS: s.Server.TLS, Revoked: unchecked(s.Server)}
	names := map[string]bool{}
	for _, m := range bal.Members {
		p.Members = append(p.Members, b.member(m, names))
	}
	if bal.Sticky.V != "" {
		cookie, param, both := strings.Cut(bal.Sticky.V, "|")
		if !both {
			param = cookie
		}
		p.Sticky = &Sticky{Cookie: cookie, Param: param, Sep: bal.StickySep.Or(".")}
	}
	return b.finish(key, p)
}

func (b *builder) worker(s *Site, w *model.Member, target string) *Pool {
	base := target
	if w == nil {
		if p := pathOf(target); p != "" {
			base = strings.TrimSuffix(target, p)
		}
		w = &model.Member{URL: model.Infer(base, s.Source.At)}
	}
	key := poolKey{worker: w}
	if !w.URL.IsWritten() {
		key = poolKey{url: strings.ToLower(base)}
	}
	if p := b.pools[key]; p != nil {
		return p
	}
	m := b.member(w, map[string]bool{})
	m.Path, m.Route = "", ""
	p := &Pool{Name: b.identifier(m.Host + "_" + strconv.Itoa(m.Port)), Members: []*Member{m}, TLS: s.Server.TLS, Revoked: unchecked(s.Server)}
	return b.finish(key, p)
}

// finish settles what is common to the members and keeps the pool.
func (b *builder) finish(key poolKey, p *Pool) *Pool {
	first := true
	for _, m := range p.Members {
		p.AJP = p.AJP || m.AJP
		up := m.Source.Upgrade.V
		p.Upgrade = p.Upgrade || up != "" && !strings.EqualFold(up, "none") || strings.HasPrefix(strings.ToLower(m.Source.URL.V), "ws")
		if m.Unusable != "" {
			continue
		}
		if first {
			p.Path, first = m.Path, false
		} else if m.Path != p.Path {
			m.Unusable = "its URL has another path than that of the first member"
		}
	}
	weights(p.Members)
	b.pools[key] = p
	b.plan.Pools = append(b.plan.Pools, p)
	return p
}

// weights turns load factors, which have two decimals, into whole numbers.
func weights(list []*Member) {
	div := 0
	for _, m := range list {
		m.Weight = max(1, int(math.Round(m.Source.LoadFactor.Or(1)*100)))
		div = gcd(div, m.Weight)
	}
	for _, m := range list {
		m.Weight /= max(1, div)
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// member settles how a proxy for HTTP reaches a member.
func (b *builder) member(src *model.Member, names map[string]bool) *Member {
	m := &Member{Source: src, Route: src.Route.V, Set: src.LBSet.V}
	m.status(src.Status.V)
	link := b.links[src]
	m.Node, m.Connector = link.Node, link.Connector
	url := src.URL.V
	if strings.HasPrefix(strings.ToLower(url), "unix:") {
		if i := strings.IndexByte(url, '|'); i >= 0 {
			m.Socket, url = url[len("unix:"):i], url[i+1:]
		}
	}
	var ok bool
	m.Scheme, m.Host, m.Port, ok = model.SplitURL(url)
	if m.Socket != "" && m.Host == "" {
		m.Host, m.Port, ok = "localhost", 80, true
	}
	m.Path = strings.TrimSuffix(pathOf(src.URL.V), "/")
	switch m.Scheme {
	case "http", "https", "h2", "h2c":
	case "ws":
		m.Scheme = "http"
	case "wss":
		m.Scheme = "https"
	case "ajp":
		m.overHTTP(link)
	default:
		m.Unusable = "members of " + m.Scheme + ":// cannot be used there"
	}
	if !ok {
		m.Unusable = "its URL names no host and port"
	}
	name := m.Route
	if name == "" {
		name = m.Host + "_" + strconv.Itoa(m.Port)
	}
	m.Name = unique(names, safeName(name))
	return m
}

// safeName keeps letters, digits, - and _ of a text.
func safeName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, text)
	if name == "" {
		return "member"
	}
	return name
}

// status reads the letters of status= and of the + and - that change them.
func (m *Member) status(s string) {
	on := true
	for _, r := range strings.ToUpper(s) {
		switch r {
		case '+':
			on = true
		case '-':
			on = false
		case 'D', 'S':
			m.Down = on
		case 'H':
			m.Standby = on
		case 'R':
			m.Spare = on
		case 'N':
			m.Drain = on
		case 'I':
			m.Ignore = on
		}
	}
}

// overHTTP leads an ajp:// member to the HTTP connector of its Tomcat: that of the
// service with the AJP connector first, plain before TLS. Where server.xml has
// none the member cannot be used; no port is guessed.
func (m *Member) overHTTP(link model.Link) {
	m.AJP = true
	m.Connector = nil
	if link.Node == nil {
		m.Unusable = "it speaks AJP, and no server.xml in the setup tells the HTTP connector of its Tomcat"
		return
	}
	best := 0
	for _, s := range link.Node.Services {
		own := false
		for _, c := range s.Connectors {
			own = own || c == link.Connector
		}
		for _, c := range s.Connectors {
			score := map[string]int{"http": 2, "https": 1}[c.Kind()]
			if own {
				score += 2
			}
			if c.Kind() != "ajp" && c.Port.V > 0 && score > best {
				best, m.Connector = score, c
			}
		}
	}
	if m.Connector == nil {
		m.Unusable = "it speaks AJP, and the server.xml of its Tomcat has no HTTP connector"
		return
	}
	m.Scheme, m.Port = m.Connector.Kind(), link.Node.EffectivePort(m.Connector.Port)
	bound := m.Connector.Address.V
	if model.IsWildcard(bound) {
		return
	}
	if model.IsLoopback(bound) && !model.IsLoopback(m.Host) {
		m.Unusable = "it speaks AJP, and the HTTP connector of its Tomcat listens on " + bound + " only"
		return
	}
	m.Host = bound
}

// ChecksPeers reports whether httpd looks at names and dates of members'
// certificates, which it does whatever SSLProxyVerify says
// (ssl_io_filter_handshake of mod_ssl).
func ChecksPeers(t *model.TLS) bool {
	off := func(v model.Bool) bool { return v.IsWritten() && !v.V }
	return t == nil || !off(t.ProxyPeerExpire) || !off(t.ProxyPeerName)
}

// Sealed tells why the https members of a pool cannot be reached by a proxy that
// reads authorities out of one file, "" when they can or there are none: httpd
// answers 500 without SSLProxyEngine On, and certificates that are required but
// that no authority is named for are never good.
func (p *Pool) Sealed() string {
	secure := slices.ContainsFunc(p.Usable(), func(m *Member) bool { return m.Scheme == "https" || m.Scheme == "h2" })
	t := p.TLS
	switch {
	case !secure:
		return ""
	case t == nil || !t.ProxyEngine.V:
		return "SSLProxyEngine is not On, so httpd refuses this"
	case !off(t.ProxyVerify) && t.ProxyCAFile.V == "":
		return "certificates are verified, and no file names their authority"
	case len(p.Revoked) > 0:
		return "revoked certificates are asked for, and would be taken"
	}
	return ""
}

// MarkSealed closes the members of a pool in the ledger.
func (p *Pool) MarkSealed(l *ledger.Ledger, why string) {
	for _, m := range p.Members {
		l.Closed(why+": requests for it are refused", "SSLProxyCACertificateFile here", m.Source.URL)
	}
	l.Closed(why, "", p.Revoked)
	if p.TLS != nil {
		l.Closed(why, "", p.TLS.ProxyVerify, p.TLS.ProxyCAPath)
	}
}
