package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/model"
)

// groups makes the cards of the Tomcats and puts those together that replicate
// sessions among themselves: they send heartbeats to one address and port, or one
// names the other's Receiver as a static member.
func (b *builder) groups() {
	n := len(b.setup.Nodes)
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	var root func(int) int
	root = func(i int) int {
		if parent[i] != i {
			parent[i] = root(parent[i])
		}
		return parent[i]
	}
	join := func(i, j int) {
		i, j = root(i), root(j)
		parent[max(i, j)] = min(i, j)
	}
	first := map[string]int{}
	members := make([]membership, n)
	hosts := model.NewHosts(b.setup, b.setup.Links())
	byPort := map[int][]int{} // of Receivers
	for i, node := range b.setup.Nodes {
		members[i] = membershipOf(node)
		if k := members[i].key; k != "" {
			if j, ok := first[k]; ok {
				join(i, j)
			} else {
				first[k] = i
			}
		}
		if p := members[i].port; p > 0 {
			byPort[p] = append(byPort[p], i)
		}
	}
	for i := range members {
		for _, m := range members[i].static {
			for _, j := range byPort[m.Port.V] {
				same, _ := hosts.Has(b.setup.Nodes[j], m.Host.V)
				if i != j && (same || model.IsLoopback(m.Host.V)) {
					join(i, j)
				}
			}
		}
	}
	frames := map[int]*Group{}
	clusters := map[*Group][]*model.Cluster{}
	for i, node := range b.setup.Nodes {
		card := nodeCard(node)
		b.nodes[node] = card
		b.own(node, &card.Marks)
		g := frames[root(i)]
		if g == nil {
			g = &Group{}
			if members[i].clustered {
				g.Title = "Cluster " + members[i].name()
			}
			frames[root(i)] = g
			b.g.Groups = append(b.g.Groups, g)
		}
		g.Nodes = append(g.Nodes, card)
		if c := node.Cluster(); c != nil {
			clusters[g] = append(clusters[g], c)
		}
	}
	for _, g := range b.g.Groups {
		g.Notes = clusterNotes(clusters[g])
	}
}

// membership is how a node finds the others.
type membership struct {
	clustered bool
	key       string // of the heartbeats; "" without them
	class     string
	static    []*model.StaticMember
	port      int // of the Receiver
}

// Bits of channelStartOptions (org.apache.catalina.tribes.Channel).
const (
	receiveMembers = 4
	sendMembers    = 8
)

func membershipOf(n *model.Node) membership {
	c := n.Cluster()
	if c == nil {
		return membership{}
	}
	ch := c.EffectiveChannel()
	m := membership{clustered: true, class: model.SimpleClass(ch.Membership.Class.V), port: ch.Receiver.Port.V}
	m.static = append(m.static, ch.Membership.Members...)
	for _, i := range ch.Interceptors {
		m.static = append(m.static, i.Members...)
	}
	beats := c.StartOptions.V
	if !c.StartOptions.IsSet() || beats&(receiveMembers|sendMembers) == receiveMembers|sendMembers {
		switch {
		case strings.Contains(m.class, "Static"):
		case m.class == "McastService":
			m.key = fmt.Sprintf("%s:%d", clean(ch.Membership.Address.V), ch.Membership.Port.V)
		default:
			m.key = clean(m.class)
		}
	}
	return m
}

// name is how a cluster is called: the address of its heartbeats, else how the
// members know each other.
func (m membership) name() string {
	switch {
	case m.key != "":
		return m.key
	case len(m.static) > 0:
		return "of static members"
	}
	return "without membership"
}

// clusterNotes says what all nodes of a cluster agree on.
func clusterNotes(list []*model.Cluster) []string {
	if len(list) == 0 {
		return nil
	}
	same := func(what string, of func(*model.Cluster) string) string {
		v := of(list[0])
		for _, c := range list[1:] {
			if of(c) != v {
				return what + " differs"
			}
		}
		return v
	}
	return []string{
		same("manager", func(c *model.Cluster) string { return clean(model.SimpleClass(c.EffectiveManager().Class.V)) }),
		same("channelSendOptions", func(c *model.Cluster) string {
			if !c.SendOptions.IsSet() {
				return "channelSendOptions 8"
			}
			return "channelSendOptions " + strconv.Itoa(c.SendOptions.V)
		}),
	}
}

// nodeCard shows a Tomcat: its jvmRoute, its connectors, AJP first, and its Receiver.
func nodeCard(n *model.Node) *Card {
	c := &Card{Kind: Tomcat, Title: clean(n.Name.V)}
	if e := n.Engine(); e != nil && e.JVMRoute.V != "" {
		c.Notes = append(c.Notes, "jvmRoute "+clean(e.JVMRoute.V))
	} else {
		c.Notes = append(c.Notes, "no jvmRoute")
	}
	host := n.Host.V
	if host == "" || model.IsLoopback(host) || host == n.Name.V {
		host = ""
	} else {
		c.Notes = append(c.Notes, "on "+clean(host))
	}
	conns := slices.Clone(n.Connectors())
	slices.SortStableFunc(conns, func(a, b *model.Connector) int { return strings.Compare(a.Kind(), b.Kind()) })
	for _, con := range conns {
		c.Notes = append(c.Notes, strings.ToUpper(con.Kind())+" "+socket(con.Address, n.EffectivePort(con.Port), host))
	}
	if len(conns) == 0 {
		c.Notes = append(c.Notes, "no connectors")
	}
	cl := n.Cluster()
	if cl == nil {
		c.Notes = append(c.Notes, "no cluster")
		return c
	}
	r := cl.EffectiveChannel().Receiver
	c.Notes = append(c.Notes, "Receiver "+socket(r.Address, r.Port.V, host))
	return c
}

// socket writes a port, with the address when it is another one than the host's.
func socket(a model.String, port int, host string) string {
	if !a.IsWritten() || model.IsWildcard(a.V) || strings.EqualFold(a.V, "auto") || a.V == host {
		if port == 0 {
			return "?" // a variable, or none
		}
		return strconv.Itoa(port)
	}
	return clean(address(a.V, port))
}
