package rules

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// peer is a clustered node in a group.
type peer struct {
	*model.Node
	cluster *model.Cluster
	conf    diag.Confidence // that it belongs to the group
	joined  bool            // by its multicast group alone: no balancer leads to it
}

// nodeSets returns the distinct sets of nodes behind the balancers, each in the
// order of the setup, and how sure it is that a node is behind the balancer.
func nodeSets(p *lint.Pass) []nodeSet {
	return p.Once("nodeSets", func() any { return makeNodeSets(p) }).([]nodeSet)
}

func makeNodeSets(p *lint.Pass) []nodeSet {
	if len(p.Setup.Nodes) < 2 {
		return nil
	}
	index := map[*model.Node]int{}
	for i, n := range p.Setup.Nodes {
		index[n] = i
	}
	byBalancer := map[*model.Balancer]map[*model.Node]diag.Confidence{}
	var order []*model.Balancer
	for _, l := range p.Links() {
		if l.Balancer == nil || l.Node == nil {
			continue
		}
		m := byBalancer[l.Balancer]
		if m == nil {
			m = map[*model.Node]diag.Confidence{}
			byBalancer[l.Balancer] = m
			order = append(order, l.Balancer)
		}
		m[l.Node] = max(m[l.Node], l.By.Confidence())
	}
	var out []nodeSet
	seen := map[string]bool{}
	for _, b := range order {
		s := nodeSet{balancer: b, conf: byBalancer[b]}
		for n := range s.conf {
			s.nodes = append(s.nodes, n)
		}
		slices.SortFunc(s.nodes, func(a, b *model.Node) int { return index[a] - index[b] })
		key := strings.Builder{}
		for _, n := range s.nodes {
			fmt.Fprintf(&key, "%d ", index[n])
		}
		if k := strings.ToLower(b.Name.V) + " " + key.String(); !seen[k] {
			seen[k] = true
			out = append(out, s)
		}
	}
	return out
}

// nodeSet is the nodes behind one balancer.
type nodeSet struct {
	balancer *model.Balancer
	nodes    []*model.Node
	conf     map[*model.Node]diag.Confidence
}

// nodeUnion joins nodes into groups.
type nodeUnion map[*model.Node]*model.Node

func (u nodeUnion) find(n *model.Node) *model.Node {
	for u[n] != nil && u[n] != n {
		n = u[n]
	}
	return n
}

func (u nodeUnion) join(a, b *model.Node) {
	if a, b = u.find(a), u.find(b); a != b {
		u[b] = a
	}
}

// clusterGroups returns the groups of nodes that should form one cluster: nodes
// with a Cluster behind one balancer, and with them the nodes behind no balancer
// that are in their multicast group. A balancer over several clusters on purpose
// (see [splitOnPurpose]) gives several groups.
func clusterGroups(p *lint.Pass) [][]peer {
	return p.Once("clusterGroups", func() any { return makeGroups(p) }).([][]peer)
}

func makeGroups(p *lint.Pass) [][]peer {
	sets := nodeSets(p)
	u, conf := nodeUnion{}, map[*model.Node]diag.Confidence{}
	for _, s := range sets {
		var first *model.Node
		for _, n := range s.nodes {
			if tribesCluster(n) == nil {
				continue
			}
			conf[n] = max(conf[n], s.conf[n])
			if first == nil {
				first = n
			}
			u.join(first, n)
		}
	}
	joinByGroup(p, u, conf)
	byRoot := map[*model.Node][]peer{}
	var roots []*model.Node
	for _, n := range p.Setup.Nodes {
		c := tribesCluster(n)
		if c == nil {
			continue
		}
		root := u.find(n)
		if byRoot[root] == nil {
			roots = append(roots, root)
		}
		x := peer{Node: n, cluster: c, conf: conf[n]}
		if conf[n] == 0 {
			x.conf, x.joined = diag.Likely, true
		}
		byRoot[root] = append(byRoot[root], x)
	}
	var out [][]peer
	for _, r := range roots {
		out = append(out, splitOnPurpose(p, sets, byRoot[r])...)
	}
	return out
}

// joinByGroup joins the nodes behind no balancer with the others of their multicast group.
func joinByGroup(p *lint.Pass, u nodeUnion, conf map[*model.Node]diag.Confidence) {
	byGroup := map[string]*model.Node{}
	for _, balanced := range []bool{true, false} {
		for _, n := range p.Setup.Nodes {
			c := tribesCluster(n)
			if c == nil || (conf[n] > 0) != balanced {
				continue
			}
			key, ok := mcastGroup(c)
			switch first := byGroup[key]; {
			case !ok:
			case first == nil:
				byGroup[key] = n
			case !balanced:
				u.join(first, n)
			}
		}
	}
}

// splitOnPurpose takes a group apart by multicast group when each part has two
// nodes or more and something says that it is meant so: each part has a balancer of
// its own, its own lbset, or its own domain.
func splitOnPurpose(p *lint.Pass, sets []nodeSet, group []peer) [][]peer {
	parts := map[string][]peer{}
	var keys []string
	for _, x := range group {
		key, ok := mcastGroup(x.cluster)
		if !ok {
			return [][]peer{group}
		}
		if parts[key] == nil {
			keys = append(keys, key)
		}
		parts[key] = append(parts[key], x)
	}
	if len(keys) < 2 {
		return [][]peer{group}
	}
	var out [][]peer
	for _, k := range keys {
		if len(parts[k]) < 2 {
			return [][]peer{group}
		}
		out = append(out, parts[k])
	}
	if !ownBalancers(sets, out) && !ownMarks(out, lbsets(p)) && !ownMarks(out, domainOf) {
		return [][]peer{group}
	}
	return out
}

// ownBalancers reports whether there is a balancer for each part alone.
func ownBalancers(sets []nodeSet, parts [][]peer) bool {
	for _, part := range parts {
		found := false
		for _, s := range sets {
			same := len(s.nodes) == len(part)
			for _, x := range part {
				_, in := s.conf[x.Node]
				same = same && in
			}
			found = found || same
		}
		if !found {
			return false
		}
	}
	return true
}

// ownMarks reports whether all nodes of each part have one mark that no other part has.
func ownMarks(parts [][]peer, mark func(peer) string) bool {
	seen := map[string]bool{}
	for _, part := range parts {
		m := mark(part[0])
		for _, x := range part {
			if mark(x) != m {
				return false
			}
		}
		if m == "" || seen[m] {
			return false
		}
		seen[m] = true
	}
	return true
}

// lbsets returns a function that gives the lbset of a node's members.
func lbsets(p *lint.Pass) func(peer) string {
	sets := map[*model.Node]string{}
	for _, l := range p.Links() {
		if l.Balancer != nil && l.Node != nil {
			sets[l.Node] = fmt.Sprint(l.Member.LBSet.V)
		}
	}
	return func(x peer) string { return sets[x.Node] }
}

func domainOf(x peer) string {
	if x.cluster.Channel == nil || x.cluster.Channel.Membership == nil {
		return ""
	}
	return x.cluster.Channel.Membership.Domain.V
}

// tribesCluster returns the node's cluster when it is Tomcat's own, since version 6.
func tribesCluster(n *model.Node) *model.Cluster {
	c := n.Cluster()
	if c == nil || c.Class.IsWritten() && c.Class.V != "org.apache.catalina.ha.tcp.SimpleTcpCluster" {
		return nil
	}
	return c
}

// Defaults of McastService.
const (
	mcastAddress = "228.0.0.4"
	mcastPort    = 45564
)

// usesMcast reports whether the cluster finds its members by multicast.
func usesMcast(c *model.Cluster) bool {
	start, ok := intAttr(c.StartOptions, c.At, "channelStartOptions", startDefault)
	if ok && start&startMembership == 0 {
		return false
	}
	m := membership(c)
	return m == nil || !m.Class.IsWritten() || model.SimpleClass(m.Class.V) == "McastService"
}

func membership(c *model.Cluster) *model.Membership {
	if c.Channel == nil {
		return nil
	}
	return c.Channel.Membership
}

// mcast returns address and port of the cluster's multicast group; ok is false
// without one, and when a part of it is unknown or no group at all (T201).
func mcast(c *model.Cluster) (address string, port int, ok bool) {
	if !usesMcast(c) {
		return "", 0, false
	}
	m := membership(c)
	if m == nil {
		return mcastAddress, mcastPort, true
	}
	address = mcastAddress
	if m.Address.IsWritten() {
		address = strings.ToLower(strings.TrimSpace(m.Address.V))
	}
	port, ok = intAttr(m.Port, m.At, "port", mcastPort)
	if !ok || unknown(address) || !mayBeGroup(address) {
		return "", 0, false
	}
	return address, port, true
}

// mayBeGroup reports whether the address is that of a multicast group, or a name.
func mayBeGroup(address string) bool {
	a, err := netip.ParseAddr(address)
	return address != "" && (err != nil || a.IsMulticast())
}

// mcastGroup is the multicast group as people write it; see [mcast].
func mcastGroup(c *model.Cluster) (string, bool) {
	a, port, ok := mcast(c)
	return fmt.Sprintf("%s:%d", a, port), ok
}

// oddOnes compares the values of n peers: the reference is the first of those that
// share the value of most, or the first of all when no value is the most frequent
// one; the others with another value are the odd ones. Peers whose value is not
// known (ok is false) take no part; ref is -1 when none does.
func oddOnes(n int, value func(int) (string, bool)) (ref int, odd []int) {
	count, values := map[string]int{}, make([]string, n)
	ref = -1
	for i := range n {
		v, ok := value(i)
		if !ok {
			continue
		}
		values[i] = "=" + v
		count[values[i]]++
		if ref < 0 {
			ref = i
		}
	}
	if ref < 0 {
		return ref, nil
	}
	best, unique := ref, true
	for i, v := range values {
		switch {
		case v == "" || v == values[best]:
		case count[v] > count[values[best]]:
			best, unique = i, true
		case count[v] == count[values[best]]:
			unique = false
		}
	}
	if unique {
		ref = best
	}
	for i, v := range values {
		if v != "" && v != values[ref] {
			odd = append(odd, i)
		}
	}
	return ref, odd
}

// reportPeer adds a finding about peer x in comparison with y, weaker when it is not
// sure that both belong together. A node that contradicts itself is given twice.
func reportPeer(p *lint.Pass, x, y peer, f lint.Finding) {
	if x.Node != y.Node && min(x.conf, y.conf) < diag.Certain {
		if f.Severity == 0 && p.Rule.Severity == diag.Error {
			f.Severity = diag.Warning
		}
		f.Lower++
	}
	if f.Subject == nil {
		f.Subject = x.Node
	}
	p.Report(f)
}
