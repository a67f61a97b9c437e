package rules

import (
	"bytes"
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

var nofailoverWithReplication = &lint.Rule{
	ID: "X108", Name: "nofailover-with-replication", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Sticky, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "A balancer has nofailover=On although its Tomcats replicate their sessions.",
		Why:  "When a node dies its users get 503 instead of going on with their session on another node: the replication is paid for and not used.",
		Fix:  "Remove nofailover.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID nofailover=On
</Proxy>
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/></Engine>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2"><Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/></Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID
</Proxy>
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/></Engine>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2"><Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/></Engine>
</Service></Server>`,
		Notes:  "Only when each node behind the balancer has a Cluster of the same group, and not when the web.xml of every known application lacks distributable.",
		Source: "mod_proxy, ProxyPass, nofailover.",
	},
	Check: func(p *lint.Pass) {
		for _, g := range balancerNodes(p) {
			if !g.b.NoFailover.V || !g.b.NoFailover.IsWritten() || g.foreign || len(g.nodes) < 2 || !oneCluster(g.nodes) || nothingDistributable(p, g.nodes) {
				continue
			}
			f := lint.Finding{
				At: wholeDirective(g.b.NoFailover.Span), Subject: g.b,
				Message: failoverOff(g.b) + " sends errors to the users of a dead node, although the nodes replicate sessions; remove it",
				Fixes:   removeParameter(p, g.b.NoFailover.Span, "nofailover"),
			}
			for _, n := range g.nodes {
				f.Related = append(f.Related, lint.Related(n.Cluster().At.Head(), "the Cluster of "+n.Name.V))
			}
			weaken(&f, g.by)
			p.Report(f)
		}
	},
}

// failoverOff names what turns the failover off, in the words of the file.
func failoverOff(b *model.Balancer) string {
	if strings.Contains(strings.ToLower(b.NoFailover.Span.Text()), "sticky_session_force") {
		return "sticky_session_force=True"
	}
	return "nofailover=On"
}

// nodesBehind is what is known about the nodes of one balancer.
type nodesBehind struct {
	b       *model.Balancer
	nodes   []*model.Node
	foreign bool // has members that are no known nodes
	by      model.Evidence
}

// balancerNodes returns the balancers that lead to known nodes, in file order.
func balancerNodes(p *lint.Pass) []*nodesBehind {
	index, seen := map[*model.Balancer]*nodesBehind{}, map[*model.Balancer]map[*model.Node]bool{}
	var out []*nodesBehind
	for _, l := range p.Links() {
		if l.Balancer == nil {
			continue
		}
		g := index[l.Balancer]
		if g == nil {
			g = &nodesBehind{b: l.Balancer, by: model.BySetup}
			index[l.Balancer], seen[l.Balancer] = g, map[*model.Node]bool{}
			out = append(out, g)
		}
		switch {
		case l.Node == nil:
			g.foreign = true
		case !seen[l.Balancer][l.Node]:
			seen[l.Balancer][l.Node] = true
			g.nodes = append(g.nodes, l.Node)
			g.by = min(g.by, l.By)
		}
	}
	return out
}

// oneCluster reports whether the nodes all have a cluster and find each other in
// the same group.
func oneCluster(nodes []*model.Node) bool {
	group := ""
	for i, n := range nodes {
		c := n.Cluster()
		if c == nil {
			return false
		}
		g := groupOf(c)
		if i > 0 && g != group {
			return false
		}
		group = g
	}
	return true
}

// groupOf names the group that a cluster joins: its multicast address and port,
// or "static", and the domain that a filter keeps it to.
func groupOf(c *model.Cluster) string {
	ch := c.EffectiveChannel()
	group := "static"
	static := model.SimpleClass(ch.Membership.Class.V) != "McastService"
	domain := ""
	for _, i := range ch.Interceptors {
		switch model.SimpleClass(i.Class.V) {
		case "StaticMembershipInterceptor":
			static = static || len(i.Members) > 0
		case "DomainFilterInterceptor":
			if a := i.Attribute("domain"); a != nil {
				domain = a.Value.V
			}
		}
	}
	if !static {
		group = fmt.Sprintf("%s:%d", strings.ToLower(strings.TrimSpace(ch.Membership.Address.V)), ch.Membership.Port.V)
	}
	return group + " " + domain
}

// multicastGroups returns the nodes that find each other by multicast, in the order
// of the setup.
func multicastGroups(p *lint.Pass) [][]*model.Node {
	index := map[string]int{}
	var out [][]*model.Node
	for _, n := range p.Setup.Nodes {
		c := n.Cluster()
		if c == nil {
			continue
		}
		group := groupOf(c)
		if strings.HasPrefix(group, "static ") || unknown(group) {
			continue
		}
		i, ok := index[group]
		if !ok {
			i = len(out)
			index[group] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], n)
	}
	return out
}

// nothingDistributable reports whether the web.xml of applications was read and
// none of them is distributable.
func nothingDistributable(p *lint.Pass, nodes []*model.Node) bool {
	names := newCookieNames(p)
	known := false
	for _, n := range nodes {
		for _, s := range n.Services {
			if s.Engine == nil {
				continue
			}
			for _, h := range s.Engine.Hosts {
				for _, x := range h.Contexts {
					if x.Distributable.V {
						return false
					}
					known = known || names.seen[strings.TrimSuffix(x.Path.V, "/")]
				}
			}
		}
	}
	return known
}

// removeParameter takes a key=value word out of its directive; a ProxySet that
// has no other goes with its line.
func removeParameter(p *lint.Pass, at diag.Span, key string) []diag.Fix {
	if at.File == nil || !strings.HasPrefix(strings.ToLower(strings.TrimLeft(at.Text(), `"'`)), key) {
		return nil
	}
	edit := diag.Edit{Span: at}
	if n := directiveNode(p, at); n != nil && n.Is("ProxySet") && parameters(n) == 1 {
		start := at.File.LineStart(n.Span.Begin().Line)
		end := at.File.LineStart(at.File.Line(int(n.Span.End)-1) + 1)
		if len(bytes.TrimSpace(at.File.Data[start:n.Span.Start])) == 0 {
			edit.Span = diag.At(at.File, start, end)
		}
	} else {
		start := int(at.Start)
		for start > 0 && (at.File.Data[start-1] == ' ' || at.File.Data[start-1] == '\t') {
			start--
		}
		edit.Span = diag.At(at.File, start, int(at.End))
	}
	return []diag.Fix{{Message: "remove " + key, Safe: true, Edits: []diag.Edit{edit}}}
}

// parameters counts the words of a ProxySet behind the URL that it may begin with.
func parameters(n *httpd.Node) int {
	k := len(n.Args)
	if k > 0 && strings.Contains(n.Args[0].Text, "://") {
		k--
	}
	return k
}

// directiveNode returns the innermost directive around a place, or nil.
func directiveNode(p *lint.Pass, at diag.Span) *httpd.Node {
	var best *httpd.Node
	for d := range p.Directives {
		if d.Span.File == at.File && d.Span.Start <= at.Start && at.End <= d.Span.End {
			best = d.Node
		}
	}
	return best
}
