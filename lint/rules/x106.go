package rules

import (
	"fmt"
	"sort"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var cookieNameDiffers = &lint.Rule{
	ID: "X106", Name: "cookie-name-differs-between-nodes", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Sticky, Versions: everyBoth,
	Doc: lint.Doc{
		What: "Two Tomcats behind one balancer, or of one cluster, name the session cookie of an application differently.",
		Why:  "A node looks only for its own cookie. A user who gets to the other one has no session there, although it was replicated.",
		Fix:  "Give the application the same sessionCookieName on all nodes.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
</Proxy>
ProxyPass "/app" "balancer://c/app" stickysession=SHOPSID
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2"><Host name="localhost"/></Engine>
</Service></Server>
-- s1/context.xml --
<Context sessionCookieName="SHOPSID"/>
-- s2/context.xml --
<Context sessionCookieName="SHOPID"/>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
</Proxy>
ProxyPass "/app" "balancer://c/app" stickysession=SHOPSID
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2"><Host name="localhost"/></Engine>
</Service></Server>
-- s1/context.xml --
<Context sessionCookieName="SHOPSID"/>
-- s2/context.xml --
<Context sessionCookieName="SHOPSID"/>`,
		Notes:  "Compared for each application path, defaults of conf/context.xml included. A node about whose application no file says anything is left out.",
		Source: "Context reference, sessionCookieName; SessionConfig.getSessionCookieName.",
	},
	Check: func(p *lint.Pass) {
		names := (*cookieNames)(nil)
		said := map[diag.Span]bool{}
		for _, group := range cookieGroups(p) {
			if len(group) < 2 {
				continue
			}
			if names == nil {
				names = newCookieNames(p)
			}
			compareCookies(p, group, names, said)
		}
	},
}

// cookieGroups returns the nodes that share sessions or a balancer, each group in
// the order of the setup.
func cookieGroups(p *lint.Pass) [][]*model.Node {
	rank := map[*model.Node]int{}
	for i, n := range p.Setup.Nodes {
		rank[n] = i
	}
	groups, have := map[*model.Balancer][]*model.Node{}, map[*model.Balancer]map[*model.Node]bool{}
	var order []*model.Balancer
	for _, l := range p.Links() {
		b := l.Balancer
		if b == nil || l.Node == nil || have[b][l.Node] {
			continue
		}
		if have[b] == nil {
			have[b] = map[*model.Node]bool{}
			order = append(order, b)
		}
		have[b][l.Node] = true
		groups[b] = append(groups[b], l.Node)
	}
	var out [][]*model.Node
	for _, b := range order {
		g := groups[b]
		sort.Slice(g, func(i, j int) bool { return rank[g[i]] < rank[g[j]] })
		out = append(out, g)
	}
	return append(out, multicastGroups(p)...)
}

func compareCookies(p *lint.Pass, group []*model.Node, names *cookieNames, said map[diag.Span]bool) {
	type holder struct {
		n *model.Node
		sessionCookie
	}
	first := map[string]holder{}
	for _, n := range group {
		cookies := names.of(n)
		var paths []string
		for app := range cookies {
			paths = append(paths, app)
		}
		sort.Strings(paths)
		for _, app := range paths {
			b := cookies[app]
			a, ok := first[app]
			if !ok {
				first[app] = holder{n, b}
				continue
			}
			at, other := b.at, a.at
			if !b.written {
				at, other = a.at, b.at
			}
			if a.name == b.name || unknown(a.name) || unknown(b.name) || !at.IsValid() || said[at] {
				continue
			}
			said[at] = true
			f := lint.Finding{
				At: at, Subject: n,
				Message: fmt.Sprintf("session cookie is `%s` on %s and `%s` on %s", a.name, a.n.Name.V, b.name, n.Name.V),
			}
			where := "the other name"
			if !other.IsValid() {
				other, where = n.At.Head(), "no name is written for "+n.Name.V
			}
			f.Related = []diag.Related{lint.Related(other, where)}
			f.Message += fmt.Sprintf(" (%s); users lose the session when they change node; use one name", other.Short())
			if !a.written || !b.written {
				f.Lower = 1
			}
			p.Report(f)
		}
	}
}
