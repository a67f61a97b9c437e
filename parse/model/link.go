package model

import (
	"net/netip"
	"strconv"
	"strings"

	"clowder/parse/diag"
)

// Evidence says why a member is taken to point to a node.
type Evidence uint8

// The kinds of evidence, from weak to strong.
const (
	NoEvidence Evidence = iota
	ByRoute             // the member's route is the node's jvmRoute; nothing else is known
	ByName              // the member's host is the name of the node
	ByLoopback          // the member's host is this machine and the node does not say otherwise
	ByAddress           // the member's host is an address the node listens on
	BySetup             // the setup file gives the node that host
)

func (e Evidence) String() string {
	return [...]string{"none", "route", "name", "loopback", "address", "setup"}[e]
}

// Confidence returns how sure a conclusion from the evidence can be.
func (e Evidence) Confidence() diag.Confidence {
	switch e {
	case NoEvidence:
		return diag.Possible
	case ByRoute, ByName:
		return diag.Likely
	}
	return diag.Certain
}

// Link is one worker of a front end and the Tomcat that it reaches.
type Link struct {
	FrontEnd *FrontEnd
	Server   *Server
	Balancer *Balancer // nil for a plain worker
	Member   *Member

	Scheme string // ajp, http, https, h2, h2c, ws, wss; lower case
	Host   string // lower case, without brackets
	Port   int    // the scheme's default port when the URL has none

	Node       *Node      // nil: not in the set, or one of several that cannot be told apart
	Connector  *Connector // nil: no connector of the node has that port
	By         Evidence
	Candidates []*Node // every node on the member's host, as far as known
}

// Links returns, for every balancer member and plain worker of the setup in file
// order, the node and the connector it points to. The host is matched by the
// setup file, then by the addresses that the node listens on, then loopback, then
// the node's name; the member's route is the last resort.
func (s *Setup) Links() []Link {
	ix := newHostIndex(s)
	var out []Link
	for _, fe := range s.FrontEnds {
		servers := fe.VHosts
		if fe.Main != nil {
			servers = append([]*Server{fe.Main}, fe.VHosts...)
		}
		for _, sv := range servers {
			for _, b := range sv.Balancers {
				for _, m := range b.Members {
					out = append(out, ix.link(Link{FrontEnd: fe, Server: sv, Balancer: b, Member: m}))
				}
			}
			for _, m := range sv.Workers {
				out = append(out, ix.link(Link{FrontEnd: fe, Server: sv, Member: m}))
			}
		}
	}
	return out
}

// SplitURL takes a worker URL apart. The port is the scheme's default (http 80,
// https 443, ajp 8009 as in mod_proxy's scheme handlers) when none is written;
// ok is false for URLs without a host, as unix: and balancer: ones.
func SplitURL(url string) (scheme, host string, port int, ok bool) {
	scheme, rest, found := strings.Cut(url, "://")
	scheme = strings.ToLower(scheme)
	if !found || scheme == "balancer" || strings.HasPrefix(scheme, "unix:") {
		return scheme, "", 0, false
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	host = rest
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return scheme, "", 0, false
		}
		host, rest = rest[1:end], rest[end+1:]
	} else if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host, rest = rest[:i], rest[i:]
	} else {
		rest = ""
	}
	if p, has := strings.CutPrefix(rest, ":"); has {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 || n > 65535 {
			return scheme, strings.ToLower(host), 0, false
		}
		port = n
	} else {
		switch scheme {
		case "http", "h2c", "ws":
			port = 80
		case "https", "h2", "wss":
			port = 443
		case "ajp":
			port = 8009
		}
	}
	return scheme, strings.ToLower(host), port, host != ""
}

// EffectivePort returns the port after portOffset; 0 and -1 stay as they are.
func (n *Node) EffectivePort(p Int) int {
	if p.V <= 0 {
		return p.V
	}
	return p.V + n.PortOffset.V
}

// IsLoopback reports whether the host is this machine by its name or address.
func IsLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.EqualFold(host, "localhost.localdomain") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// IsWildcard reports whether a listener with that address takes every address.
func IsWildcard(address string) bool {
	if address == "" || address == "*" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(address, "[]"))
	return err == nil && a.IsUnspecified()
}

// hostKey brings names of one host into one form.
func hostKey(host string) string {
	host = strings.ToLower(strings.Trim(host, "[]"))
	if IsLoopback(host) {
		return "loopback"
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String()
	}
	return strings.TrimSuffix(host, ".")
}

// addresses returns the specific addresses that the node says it listens on.
func (n *Node) addresses() []string {
	var out []string
	add := func(v String) {
		if v.IsWritten() && !IsWildcard(v.V) && !strings.EqualFold(v.V, "auto") && !strings.Contains(v.V, "${") {
			out = append(out, hostKey(v.V))
		}
	}
	for _, c := range n.Connectors() {
		add(c.Address)
	}
	if c := n.Cluster(); c != nil && c.Channel != nil && c.Channel.Receiver != nil {
		add(c.Channel.Receiver.Address)
	}
	return out
}

// hostIndex finds nodes by host.
type hostIndex struct {
	nodes    []*Node
	bySetup  map[string][]*Node
	byAddr   map[string][]*Node
	byName   map[string][]*Node
	byRoute  map[string][]*Node
	floating []*Node // nodes that name no host at all

	// hostOfRoute is the one host that members with the route name; "" when they
	// name several, and the route then tells nothing about a host.
	hostOfRoute map[string]string
}

func newHostIndex(s *Setup) *hostIndex {
	ix := &hostIndex{nodes: s.Nodes, bySetup: map[string][]*Node{}, byAddr: map[string][]*Node{},
		byName: map[string][]*Node{}, byRoute: map[string][]*Node{}, hostOfRoute: map[string]string{}}
	eachMember(s, func(m *Member) {
		if _, host, _, ok := SplitURL(m.URL.V); ok && m.Route.V != "" {
			if h, seen := ix.hostOfRoute[m.Route.V]; seen && h != hostKey(host) {
				host = ""
			}
			ix.hostOfRoute[m.Route.V] = hostKey(host)
		}
	})
	for _, n := range s.Nodes {
		if e := n.Engine(); e != nil && e.JVMRoute.V != "" {
			ix.byRoute[e.JVMRoute.V] = append(ix.byRoute[e.JVMRoute.V], n)
		}
		if n.Host.IsWritten() {
			k := hostKey(n.Host.V)
			ix.bySetup[k] = append(ix.bySetup[k], n)
			continue
		}
		seen, specific := map[string]bool{}, false
		for _, a := range n.addresses() {
			if !seen[a] {
				seen[a] = true
				ix.byAddr[a] = append(ix.byAddr[a], n)
			}
			specific = specific || a != "loopback"
		}
		if !specific {
			ix.floating = append(ix.floating, n)
		}
		k := hostKey(n.Name.V)
		ix.byName[k] = append(ix.byName[k], n)
	}
	return ix
}

func eachMember(s *Setup, f func(*Member)) {
	for _, fe := range s.FrontEnds {
		servers := fe.VHosts
		if fe.Main != nil {
			servers = append([]*Server{fe.Main}, fe.VHosts...)
		}
		for _, sv := range servers {
			for _, b := range sv.Balancers {
				for _, m := range b.Members {
					f(m)
				}
			}
		}
	}
}

// on returns the nodes on the host and why; nodes of stronger evidence come first.
func (ix *hostIndex) on(host string, fe *FrontEnd) ([]*Node, Evidence) {
	k := hostKey(host)
	by, list := NoEvidence, []*Node(nil)
	take := func(ns []*Node, e Evidence) {
		for _, n := range ns {
			if !containsNode(list, n) {
				list = append(list, n)
				by = max(by, e)
			}
		}
	}
	take(ix.bySetup[k], BySetup)
	if k == "loopback" && fe.Host.IsWritten() {
		take(ix.bySetup[hostKey(fe.Host.V)], BySetup)
	}
	take(ix.byAddr[k], ByAddress)
	if k == "loopback" {
		take(ix.floating, ByLoopback)
	}
	if len(list) == 0 && k != "loopback" {
		take(ix.byName[k], ByName)
	}
	return list, by
}

func (ix *hostIndex) link(l Link) Link {
	var ok bool
	l.Scheme, l.Host, l.Port, ok = SplitURL(l.Member.URL.V)
	if !ok {
		return l
	}
	l.Candidates, l.By = ix.on(l.Host, l.FrontEnd)
	route := l.Member.Route.V
	if len(l.Candidates) == 0 {
		l.By = NoEvidence
		if route == "" || ix.hostOfRoute[route] != hostKey(l.Host) {
			return l
		}
		for _, n := range ix.byRoute[route] {
			if containsNode(ix.floating, n) {
				l.Candidates = append(l.Candidates, n)
				l.By = ByRoute
			}
		}
	}
	var hit []*Node
	for _, n := range l.Candidates {
		if l.connector(n) != nil {
			hit = append(hit, n)
		}
	}
	from := hit
	if len(hit) == 0 {
		from = l.Candidates
	}
	switch {
	case len(from) == 1 && !(len(hit) == 0 && otherRoute(from[0], route)):
		l.Node = from[0]
	case route != "":
		for _, n := range from {
			if e := n.Engine(); e != nil && e.JVMRoute.V == route {
				l.Node = n
				break
			}
		}
	}
	if l.Node == nil && len(hit) > 0 {
		l.Node = hit[0]
	}
	if l.Node != nil {
		l.Connector = l.connector(l.Node)
	}
	return l
}

// otherRoute reports whether the node's jvmRoute says that it is not the one the
// route means; without a matching port the member then points to another server.
func otherRoute(n *Node, route string) bool {
	e := n.Engine()
	return route != "" && e != nil && e.JVMRoute.V != "" && e.JVMRoute.V != route
}

// connector returns the node's connector that takes the member's connections.
// One bound to exactly that address is preferred to one on every address.
func (l *Link) connector(n *Node) *Connector {
	var best *Connector
	for _, c := range n.Connectors() {
		if n.EffectivePort(c.Port) != l.Port {
			continue
		}
		if !IsWildcard(c.Address.V) && hostKey(c.Address.V) == hostKey(l.Host) {
			return c
		}
		if best == nil {
			best = c
		}
	}
	return best
}

func containsNode(list []*Node, n *Node) bool {
	for _, x := range list {
		if x == n {
			return true
		}
	}
	return false
}

// Hosts answers which nodes run on one machine.
type Hosts struct {
	keys map[*Node]map[string]diag.Confidence

	// linked holds the nodes that a front end reaches by loopback. For another one
	// loopback among its keys only says that it listens there.
	linked map[*Node]bool
}

// NewHosts prepares the answers from the setup and its links (see [Setup.Links]).
func NewHosts(s *Setup, links []Link) *Hosts {
	h := &Hosts{keys: make(map[*Node]map[string]diag.Confidence, len(s.Nodes)), linked: map[*Node]bool{}}
	note := func(n *Node, key string, c diag.Confidence) {
		m := h.keys[n]
		if m == nil {
			m = map[string]diag.Confidence{}
			h.keys[n] = m
		}
		m[key] = max(m[key], c)
	}
	for _, n := range s.Nodes {
		if n.Host.IsWritten() {
			note(n, hostKey(n.Host.V), diag.Certain)
			continue
		}
		for _, a := range n.addresses() {
			note(n, a, literal(a))
		}
	}
	for i := range links {
		l := &links[i]
		if l.Node == nil || l.Node.Host.IsWritten() || l.By == ByRoute {
			continue
		}
		key := hostKey(l.Host)
		h.linked[l.Node] = h.linked[l.Node] || key == "loopback"
		if key == "loopback" && l.FrontEnd.Host.IsWritten() {
			note(l.Node, hostKey(l.FrontEnd.Host.V), diag.Certain)
		}
		if key == "loopback" && len(s.FrontEnds) > 1 {
			key = "loopback of " + l.FrontEnd.Name.V
		}
		note(l.Node, key, min(literal(key), l.By.Confidence()))
	}
	return h
}

// literal is Certain for an address and for this machine, Likely for a name.
func literal(key string) diag.Confidence {
	if strings.HasPrefix(key, "loopback") {
		return diag.Certain
	}
	if _, err := netip.ParseAddr(key); err == nil {
		return diag.Certain
	}
	return diag.Likely
}

// Same reports whether both nodes run on one machine, and how sure that is. No
// evidence at all gives false and 0; evidence of different hosts gives false and
// its confidence.
func (h *Hosts) Same(a, b *Node) (bool, diag.Confidence) {
	if a == b {
		return true, diag.Certain
	}
	ka, kb := h.keys[a], h.keys[b]
	if len(ka) == 0 || len(kb) == 0 {
		return false, 0
	}
	// Every machine has a loopback address: it joins no nodes that are known to be elsewhere.
	apart := !(h.linked[a] && h.linked[b]) && elsewhere(ka) && elsewhere(kb)
	var best diag.Confidence
	for k, c := range ka {
		if d, ok := kb[k]; ok && !(apart && k == "loopback") {
			best = max(best, min(c, d))
		}
	}
	if best > 0 {
		return true, best
	}
	return false, diag.Likely
}

// elsewhere reports whether the keys name more than loopback.
func elsewhere(keys map[string]diag.Confidence) bool {
	for k := range keys {
		if !strings.HasPrefix(k, "loopback") {
			return true
		}
	}
	return false
}

// Has reports whether the address or name is one of the node's machine, and how
// sure that is.
func (h *Hosts) Has(n *Node, host string) (bool, diag.Confidence) {
	c, ok := h.keys[n][hostKey(host)]
	return ok, c
}

// SameHost reports whether both nodes run on one machine, and how sure that is.
// Callers with many pairs use [NewHosts] once.
func (s *Setup) SameHost(a, b *Node) (bool, diag.Confidence) {
	return NewHosts(s, s.Links()).Same(a, b)
}

// AddressesCollide reports whether two listeners with these addresses on one
// host and port exclude each other: an unset or wildcard address takes all, and
// different addresses of the loopback network do not meet.
func AddressesCollide(a, b string) bool {
	if IsWildcard(a) || IsWildcard(b) {
		return true
	}
	x, errX := netip.ParseAddr(strings.Trim(a, "[]"))
	y, errY := netip.ParseAddr(strings.Trim(b, "[]"))
	switch {
	case errX == nil && errY == nil:
		return x.Unmap() == y.Unmap()
	case errX == nil && IsLoopback(b):
		return isLocalhost(x)
	case errY == nil && IsLoopback(a):
		return isLocalhost(y)
	}
	return hostKey(a) == hostKey(b)
}

// isLocalhost reports whether the name localhost means the address.
func isLocalhost(a netip.Addr) bool {
	return a == netip.IPv6Loopback() || a.Unmap() == netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
