package rules

import (
	"fmt"
	"net/netip"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var nodeUnused = &lint.Rule{
	ID: "X001", Name: "node-unused", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Connectors, Versions: everyBoth,
	Doc: lint.Doc{
		What: "No member of httpd leads to one of the Tomcats, while others are reached.",
		Why:  "The node runs, takes part in the replication and gets no requests.",
		Fix:  "Add a BalancerMember for it, or leave the node out of the set.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina"><Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/></Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina"><Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/></Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "ajp://10.0.0.11:8009"
    BalancerMember "ajp://10.0.0.12:8009"
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="8005"><Service name="Catalina"><Connector port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a-long-word"/></Service></Server>
-- s2/server.xml --
<Server port="8005"><Service name="Catalina"><Connector port="8009" protocol="AJP/1.3" address="10.0.0.12" secret="a-long-word"/></Service></Server>`,
		Notes:  "Silent while an included file is missing, while a member names a host that no node is known by, when the target of a mapping is made of variables, with mod_cluster, and for a node without connector.",
		Source: "Review practice.",
	},
	Check: func(p *lint.Pass) {
		if len(p.Setup.Nodes) < 2 || absence(p) > 0 || registersItself(p) {
			return
		}
		used := map[*model.Node]bool{}
		var first *model.Link
		targets := map[string]bool{}
		for i, l := range p.Links() {
			if l.Node == nil && len(l.Candidates) == 0 && (l.Host == "" || !literalAddress(l.Host)) {
				return // may be any of the nodes
			}
			for _, n := range l.Candidates {
				used[n] = used[n] || l.Node == nil
			}
			if l.Node != nil {
				used[l.Node] = true
				if first == nil {
					first = &p.Links()[i]
				}
			}
		}
		if first == nil || !plainTargets(p, targets) {
			return
		}
		for _, n := range p.Setup.Nodes {
			ports := connectorPorts(n)
			if used[n] || len(ports) == 0 || namedByTarget(n, targets) {
				continue
			}
			p.Report(lint.Finding{
				At: n.At.Head(), Subject: n,
				Message: fmt.Sprintf("no BalancerMember or ProxyPass points to this Tomcat (%s); it gets no requests; add a member, or leave the node out", strings.Join(ports, ", ")),
				Related: []diag.Related{lint.Related(first.Member.At.Head(), "this member leads to "+first.Node.Name.V)},
			})
		}
	},
}

func literalAddress(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || model.IsLoopback(host)
}

// connectorPorts lists the open ports of a node.
func connectorPorts(n *model.Node) []string {
	var out []string
	for _, c := range n.Connectors() {
		if port := n.EffectivePort(c.Port); port > 0 {
			out = append(out, fmt.Sprintf("%s %d", connectorName(c), port))
		}
	}
	return out
}

// registersItself reports whether nodes tell a front end about themselves
// (mod_cluster), so that no member stands in a file.
func registersItself(p *lint.Pass) bool {
	for d := range p.Directives {
		switch strings.ToLower(d.Name) {
		case "enablemcpmreceive", "managerbalancername":
			return true
		}
	}
	for _, n := range p.Setup.Nodes {
		for _, l := range n.Listeners {
			if strings.Contains(l.Class.V, "ModCluster") {
				return true
			}
		}
	}
	return false
}

// plainTargets collects host:port of what handlers and rewrite rules send to, for
// which the model has no member; false when one of them is made at run time.
func plainTargets(p *lint.Pass, into map[string]bool) bool {
	for _, sv := range p.Servers() {
		ok := true
		eachTarget(sv.Server, func(url string) {
			authority := url
			if _, rest, found := strings.Cut(url, "://"); found {
				authority, _, _ = strings.Cut(rest, "/")
			}
			if strings.ContainsAny(authority, "$%") {
				ok = false
			}
			if name := targetName(url); name != "" && !strings.HasPrefix(name, "balancer ") {
				into[name] = true
			}
		})
		if !ok {
			return false
		}
	}
	return true
}

// namedByTarget reports whether one of the targets may be the node: a port of it
// on this machine, on an address it listens on, or on a host that only has a name.
func namedByTarget(n *model.Node, targets map[string]bool) bool {
	for t := range targets {
		i := strings.LastIndexByte(t, ':')
		host, port := t[:i], t[i+1:]
		for _, c := range n.Connectors() {
			if fmt.Sprint(n.EffectivePort(c.Port)) != port {
				continue
			}
			if model.AddressesCollide(c.Address.V, host) || !literalAddress(host) || model.IsLoopback(host) {
				return !linkedElsewhere(host, n)
			}
		}
	}
	return false
}

// linkedElsewhere reports whether the node is known to be on another host.
func linkedElsewhere(host string, n *model.Node) bool {
	return n.Host.IsWritten() && literalAddress(host) && !model.AddressesCollide(n.Host.V, host)
}
