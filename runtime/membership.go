package runtime

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"clowder/parse/model"
	"clowder/runtime/tribes"
)

// planMembership decides how the nodes find each other. A nil list of peers means
// multicast. Where multicast does not work and every node of the cluster is on
// this machine, the nodes become static members of each other.
func planMembership(s *model.Setup, chosen []*model.Node, o Options) (map[*model.Node][]string, error) {
	plan := map[*model.Node][]string{}
	receivers := receiverAddresses(s, o.PortOffset)
	for _, n := range chosen {
		c := n.Cluster()
		if c == nil || o.Membership == Multicast {
			continue
		}
		m := c.EffectiveChannel().Membership
		if o.Membership != Static {
			err := tribes.MulticastWorks(m.Address.V, m.Port.V+o.PortOffset)
			if err == nil {
				continue
			}
			if !allLocal(s) {
				return nil, fmt.Errorf("node %s: multicast to %s:%d does not work here (%w), and not every node is on this machine; "+
					"run with --membership static, or list the members with StaticMembershipInterceptor",
					n.Name.V, m.Address.V, m.Port.V+o.PortOffset, err)
			}
			o.Log.Warn("multicast does not work on this machine; the nodes become static members of each other",
				"node", n.Name.V, "group", m.Address.V, "err", err)
		}
		peers := []string{}
		for _, other := range s.Nodes {
			if other != n && receivers[other] != "" && sameGroup(c, other.Cluster()) {
				peers = append(peers, receivers[other])
			}
		}
		plan[n] = peers
	}
	return plan, nil
}

// sameGroup reports whether both clusters use one multicast group and port.
func sameGroup(a, b *model.Cluster) bool {
	ma, mb := a.EffectiveChannel().Membership, b.EffectiveChannel().Membership
	return ma.Address.V == mb.Address.V && ma.Port.V == mb.Port.V
}

// receiverAddresses says where each node's receiver will be. Nodes of one machine
// that share a port get the following ones in the order of the setup, as autoBind
// gives them to Tomcats that start in that order (ReceiverBase.bind).
func receiverAddresses(s *model.Setup, offset int) map[*model.Node]string {
	out := map[*model.Node]string{}
	taken := map[string]bool{}
	for _, n := range s.Nodes {
		c := n.Cluster()
		if c == nil {
			continue
		}
		r := c.EffectiveChannel().Receiver
		host := receiverHost(n, r)
		for i := range max(1, r.AutoBind.V) {
			addr := net.JoinHostPort(host, strconv.Itoa(r.Port.V+offset+i))
			if !taken[addr] {
				taken[addr], out[n] = true, addr
				break
			}
		}
	}
	return out
}

// receiverHost is the address that the node's receiver announces: for a node of
// another machine, whose "auto" is not known here, the machine's own.
func receiverHost(n *model.Node, r *model.Receiver) string {
	if h := n.Host.V; r.Address.V == "auto" && h != "" && !model.IsLoopback(h) {
		return h
	}
	ip, err := tribes.HostAddress(context.Background(), r.Address.V)
	if err != nil {
		return r.Address.V // the node itself reports it when it binds
	}
	return ip.String()
}

// allLocal reports whether every node runs on this machine, as far as is known.
func allLocal(s *model.Setup) bool {
	for _, n := range s.Nodes {
		if h := n.Host.V; h != "" && !model.IsLoopback(h) {
			return false
		}
	}
	return true
}
