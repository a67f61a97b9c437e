package rules

import (
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// staticList is the static members of one node: of a StaticMembershipInterceptor
// or a StaticMembershipService.
type staticList struct {
	node    *model.Node
	cluster *model.Cluster
	at      diag.Span // the start tag
	members []*model.StaticMember
	local   *model.StaticMember // nil without a LocalMember
}

// staticOf returns the static members of the node's cluster, or nil without an
// element for them.
func staticOf(p *lint.Pass, n *model.Node) *staticList {
	c := tribesCluster(n)
	if c == nil || c.Channel == nil {
		return nil
	}
	if m := c.Channel.Membership; m != nil && model.SimpleClass(m.Class.V) == "StaticMembershipService" {
		return &staticList{n, c, m.At, m.Members, localMember(p, n, m.At)}
	}
	var out *staticList
	for _, i := range c.Channel.Interceptors {
		if model.SimpleClass(i.Class.V) != "StaticMembershipInterceptor" {
			continue
		}
		if out == nil {
			out = &staticList{node: n, cluster: c, at: i.At}
		}
		out.members = append(out.members, i.Members...)
		if out.local == nil {
			out.local = i.Local
		}
	}
	return out
}

// localMember finds the LocalMember inside a Membership, which the model does not hold.
func localMember(p *lint.Pass, n *model.Node, at diag.Span) *model.StaticMember {
	doc := p.Tomcat[n]
	if doc == nil {
		return nil
	}
	var out *model.StaticMember
	doc.Root.Walk(func(e *tomcat.Element) bool {
		if e.Name == "LocalMember" && e.Parent != nil && e.Parent.Tag == at && out == nil {
			out = &model.StaticMember{At: e.Tag}
			if a := e.Attr("uniqueId"); a != nil {
				out.UniqueID = model.Is(a.Value, a.Span)
			}
		}
		return out == nil
	})
	return out
}

// memberUniqueID brings a uniqueId into one form; ok is false when it is no list of
// bytes, which T205 speaks about.
func memberUniqueID(m *model.StaticMember) (string, bool) {
	if m == nil || !m.UniqueID.IsWritten() {
		return "", false
	}
	s := strings.TrimSpace(m.UniqueID.V)
	inner, ok := strings.CutPrefix(s, "{")
	if !ok || !strings.HasSuffix(inner, "}") {
		return "", false
	}
	var parts []string
	for part := range strings.SplitSeq(strings.TrimSuffix(inner, "}"), ",") {
		b, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || b < -128 || b > 127 {
			return "", false
		}
		parts = append(parts, strconv.Itoa(b))
	}
	return "{" + strings.Join(parts, ",") + "}", len(parts) == 16
}

// statics knows the clustered nodes and finds the ones that static members mean.
type statics struct {
	p     *lint.Pass
	nodes []*model.Node
	recv  map[*model.Node]listener
	lists map[*model.Node]*staticList
}

func newStatics(p *lint.Pass) *statics {
	s := &statics{p: p, recv: map[*model.Node]listener{}, lists: map[*model.Node]*staticList{}}
	for _, n := range p.Setup.Nodes {
		if c := tribesCluster(n); c != nil {
			s.nodes = append(s.nodes, n)
			s.recv[n] = receiver(n, c)
			if l := staticOf(p, n); l != nil {
				s.lists[n] = l
			}
		}
	}
	return s
}

// on reports whether the host of a static member of from is that of node n.
func (s *statics) on(from, n *model.Node, host string) (bool, diag.Confidence) {
	if host = strings.TrimSpace(host); host == "" || unknown(host) {
		return false, 0
	}
	if model.IsLoopback(host) {
		return s.p.Hosts().Same(from, n)
	}
	if r := s.recv[n]; r.address != "auto" && !unknown(r.address) && !model.IsWildcard(r.address) && model.AddressesCollide(r.address, host) {
		return true, diag.Certain
	}
	if ok, c := s.p.Hosts().Has(n, host); ok {
		return true, c
	}
	return strings.EqualFold(host, n.Name.V), diag.Likely
}

// target is the node that a static member means.
type target struct {
	node *model.Node
	port bool // by host and port, not by the host alone
	conf diag.Confidence
}

// targets finds the nodes that the members of a list mean, parallel to them. The
// zero target means a node outside of the set, one that cannot be told from
// others, or the listing node itself (self is true).
func (s *statics) targets(l *staticList) (out []target, self []bool) {
	out, self = make([]target, len(l.members)), make([]bool, len(l.members))
	taken := map[*model.Node]bool{}
	for i, m := range l.members {
		for _, n := range s.nodes {
			ok, conf := s.on(l.node, n, m.Host.V)
			if !ok || s.recv[n].port == 0 || s.recv[n].port != m.Port.V {
				continue
			}
			if n == l.node {
				self[i] = true
				continue
			}
			out[i], self[i], taken[n] = target{n, true, conf}, false, true
			break
		}
	}
	for i, m := range l.members {
		if out[i].node != nil || self[i] || openAttr(m.At, "port") {
			continue
		}
		var left []target
		for _, n := range s.nodes {
			if ok, conf := s.on(l.node, n, m.Host.V); ok && n != l.node && !taken[n] && s.recv[n].port > 0 {
				left = append(left, target{n, false, conf})
			}
		}
		if len(left) > 1 {
			left = s.sameID(m, left)
		}
		if own, _ := s.on(l.node, l.node, m.Host.V); own && len(left) == 0 {
			self[i] = true
		}
		if len(left) == 1 {
			out[i], taken[left[0].node] = left[0], true
		}
	}
	return out, self
}

// sameID keeps the targets that call themselves as the member does.
func (s *statics) sameID(m *model.StaticMember, list []target) []target {
	var out []target
	id, ok := memberUniqueID(m)
	for _, t := range list {
		if l := s.lists[t.node]; ok && l != nil {
			if own, has := memberUniqueID(l.local); has && own == id {
				out = append(out, t)
			}
		}
	}
	return out
}

// weakTarget lowers a finding that rests on a guess about the host of a member.
func weakTarget(f *lint.Finding, t target) {
	if t.conf < diag.Certain {
		f.Severity = diag.Warning
		f.Lower++
	}
}
