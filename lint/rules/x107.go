package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var noStickiness = &lint.Rule{
	ID: "X107", Name: "no-stickiness", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Sticky, Versions: everyBoth, Fixable: true,
	Doc: lint.Doc{
		What: "Several Tomcats stand behind a balancer that has neither routes nor stickysession.",
		Why:  "Every request may hit another node. Without replication each has its own session; with asynchronous replication requests overtake the session.",
		Fix:  "Add route= to the members, jvmRoute to the Engines and stickysession=JSESSIONID|jsessionid to the balancer.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
    BalancerMember "ajp://10.0.0.12:8009"
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost"/></Engine>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost"><Host name="localhost"/></Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009" route=s1
    BalancerMember "ajp://10.0.0.12:8009" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1"><Host name="localhost"/></Engine>
</Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina">
  <Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2"><Host name="localhost"/></Engine>
</Service></Server>`,
		Notes:  "Silent when one member is active and the others are standby or disabled. An info when all nodes replicate synchronously (channelSendOptions 6).",
		Source: "Cluster how-to: \"Make sure that your loadbalancer is configured for sticky session mode\".",
	},
	Check: func(p *lint.Pass) {
		links := map[*model.Balancer][]model.Link{}
		for _, l := range p.Links() {
			if l.Balancer != nil && l.Node != nil && activeMember(l.Member) {
				links[l.Balancer] = append(links[l.Balancer], l)
			}
		}
		for _, sv := range p.Servers() {
			for _, b := range sv.Balancers {
				if b.Sticky.V == "" && !anyRoute(b) && !misspeltSticky(p, b) {
					reportNoStickiness(p, b, links[b])
				}
			}
		}
	},
}

func reportNoStickiness(p *lint.Pass, b *model.Balancer, links []model.Link) {
	nodes, jvms, synchronous := map[*model.Node]bool{}, map[string]bool{}, true
	var edits []diag.Edit
	f := lint.Finding{At: b.At.Head(), Subject: b}
	for _, l := range links {
		if !nodes[l.Node] {
			f.Related = append(f.Related, lint.Related(l.Node.At.Head(), "node "+l.Node.Name.V))
		}
		nodes[l.Node] = true
		synchronous = synchronous && replicatesSynchronously(l.Node)
		if jvm := engineRoute(l.Node); jvm != "" && !unknown(jvm) {
			jvms[jvm] = true
			edits = append(edits, appendWord(l.Member.At, "route="+jvm))
		}
	}
	if len(nodes) < 2 {
		return
	}
	f.Message = fmt.Sprintf("%d Tomcat nodes behind balancer `%s`, but neither routes nor stickysession: every request may hit another node", len(nodes), b.Name.V)
	if len(jvms) == len(b.Members) && len(nodes) == len(b.Members) {
		if e, ok := addToSection(b.At, "Proxy", "ProxySet stickysession=JSESSIONID|jsessionid"); ok {
			f.Fixes = []diag.Fix{{Message: "add routes and stickysession", Safe: true, Edits: append(edits, e)}}
		}
	}
	if synchronous {
		f.Severity = diag.Info
	}
	p.Report(f)
}

func anyRoute(b *model.Balancer) bool {
	for _, m := range b.Members {
		if m.Route.V != "" {
			return true
		}
	}
	return false
}

// activeMember reports whether the member gets requests while all others work:
// it is no hot standby or spare and not disabled, stopped or draining.
func activeMember(m *model.Member) bool {
	on := true
	for _, c := range strings.ToUpper(m.Status.V) {
		switch c {
		case '+':
			on = true
		case '-':
			on = false
		case 'H', 'D', 'S', 'R', 'N':
			if on {
				return false
			}
		}
	}
	return true
}

func replicatesSynchronously(n *model.Node) bool {
	c := n.Cluster()
	if c == nil {
		return false
	}
	o := c.SendOptions.Or(sendDefault)
	return o&sendAsync == 0 && o&(sendUseAck|sendSyncAck) == sendUseAck|sendSyncAck
}
