package rules

import (
	"fmt"
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var domainMismatch = &lint.Rule{
	ID: "X303", Name: "domain-mismatch", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "A DomainFilterInterceptor lets through another domain than the one that the other nodes behind the balancer (or the node itself) announce.",
		Why:  "Members and messages of another domain are dropped: \"was refused to join cluster\", once, and nothing is replicated.",
		Fix:  "Write one domain in the Membership and in the DomainFilterInterceptor of all nodes.",
		Bad: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Membership className="org.apache.catalina.tribes.membership.McastService" domain="red"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.DomainFilterInterceptor" domain="red"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Membership className="org.apache.catalina.tribes.membership.McastService" domain="blue"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.DomainFilterInterceptor" domain="blue"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Good: `-- httpd.conf --
<Proxy "balancer://c">
    BalancerMember "http://10.0.0.11:8080" route=s1
    BalancerMember "http://10.0.0.12:8080" route=s2
    ProxySet stickysession=JSESSIONID|jsessionid
</Proxy>
ProxyPass "/app" "balancer://c/app"
-- s1/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.11"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Membership className="org.apache.catalina.tribes.membership.McastService" domain="red"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.DomainFilterInterceptor" domain="red"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>
-- s2/server.xml --
<Server port="-1" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8080" protocol="HTTP/1.1" address="10.0.0.12"/>
  <Engine name="Catalina" defaultHost="localhost" jvmRoute="s2">
    <Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster">
      <Channel className="org.apache.catalina.tribes.group.GroupChannel">
        <Membership className="org.apache.catalina.tribes.membership.McastService" domain="red"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.DomainFilterInterceptor" domain="red"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "Only nodes of one balancer, unless it stands over several clusters on purpose (see X301). Without a filter domains do nothing (T203). {114,101,100} is the same as red. Of static members only the filters are compared.",
		Source: "Interceptor reference; DomainFilterInterceptor.memberAdded. Tried with Tomcat 10.1.60.",
	},
	Check: checkDomains,
}

func checkDomains(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		bad := map[int]bool{} // contradicts itself
		for i, x := range g {
			f := domainFilter(x.cluster)
			if f == nil || !usesMcast(x.cluster) {
				continue
			}
			own, filter := domainOf(x), domainText(f)
			if unknown(own+filter) || domainBytes(own) == domainBytes(filter) {
				continue
			}
			bad[i] = true
			reportPeer(p, x, x, lint.Finding{
				At: filterPlace(f),
				Message: fmt.Sprintf("%s filters on domain %s, but its own Membership (%s) announces %s: nodes set up like this drop everything of each other",
					x.Name.V, shown(filter), membershipPlace(x.cluster).Short(), shown(own)),
				Related: []diag.Related{lint.Related(domainPlace(x.cluster), "the domain that "+x.Name.V+" announces")},
			})
		}
		compareDomains(p, g, bad)
	}
}

// compareDomains compares the domains of a group in which at least one node filters.
func compareDomains(p *lint.Pass, g []peer, bad map[int]bool) {
	filters := false
	for i, x := range g {
		filters = filters || domainFilter(x.cluster) != nil && !bad[i]
	}
	if !filters {
		return
	}
	value := func(i int) (string, bool) {
		d, ok := effectiveDomain(g[i])
		return domainBytes(d), ok && !bad[i] && !g[i].joined
	}
	ref, odd := oddOnes(len(g), value)
	for _, i := range odd {
		x, y := g[i], g[ref]
		a, _ := effectiveDomain(x)
		b, _ := effectiveDomain(y)
		if domainFilter(x.cluster) == nil && domainFilter(y.cluster) == nil {
			continue
		}
		reportPeer(p, x, y, lint.Finding{
			At: filterOrDomain(x.cluster),
			Message: fmt.Sprintf("%s %s domain %s, %s (%s) %s %s: messages between them are dropped; use one domain",
				x.Name.V, domainVerb(x), shown(a), y.Name.V, filterOrDomain(y.cluster).Short(), domainVerb(y), shown(b)),
			Related: []diag.Related{lint.Related(filterOrDomain(y.cluster), "the domain of "+y.Name.V)},
		})
	}
}

// effectiveDomain is what the node filters on, else what it announces; ok is false
// when the files do not tell.
func effectiveDomain(x peer) (string, bool) {
	d := domainOf(x)
	if f := domainFilter(x.cluster); f != nil {
		d = domainText(f)
	} else if !usesMcast(x.cluster) {
		return "", false
	}
	return d, !unknown(d)
}

func domainVerb(x peer) string {
	if domainFilter(x.cluster) != nil {
		return "filters on"
	}
	return "announces"
}

func domainFilter(c *model.Cluster) *model.Interceptor {
	return interceptor(c, "DomainFilterInterceptor")
}

// interceptor returns the first interceptor of the class, or nil.
func interceptor(c *model.Cluster, class string) *model.Interceptor {
	if c.Channel == nil {
		return nil
	}
	for _, i := range c.Channel.Interceptors {
		if model.SimpleClass(i.Class.V) == class {
			return i
		}
	}
	return nil
}

func domainText(f *model.Interceptor) string {
	if a := f.Attribute("domain"); a != nil {
		return a.Value.V
	}
	return ""
}

func filterDomain(f *model.Interceptor) string { return domainBytes(domainText(f)) }

// domainBytes brings a domain into one form: {114,101,100} is a list of bytes, as
// org.apache.catalina.tribes.util.Arrays.fromString reads it, all else text.
func domainBytes(s string) string {
	inner, ok := strings.CutPrefix(strings.TrimSpace(s), "{")
	if !ok || !strings.HasSuffix(inner, "}") {
		return s
	}
	var b []byte
	for part := range strings.SplitSeq(strings.TrimSuffix(inner, "}"), ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < -128 || n > 127 {
			return s
		}
		b = append(b, byte(n))
	}
	return string(b)
}

func shown(domain string) string {
	if domain == "" {
		return "none"
	}
	return "`" + domain + "`"
}

func filterPlace(f *model.Interceptor) diag.Span {
	if a := f.Attribute("domain"); a != nil {
		return a.Value.Span
	}
	return f.At.Head()
}

// domainPlace is where the node's own domain stands, or what lacks it.
func domainPlace(c *model.Cluster) diag.Span {
	if m := membership(c); m != nil && m.Domain.IsWritten() {
		return m.Domain.Span
	}
	return membershipPlace(c)
}

func filterOrDomain(c *model.Cluster) diag.Span {
	if f := domainFilter(c); f != nil {
		return filterPlace(f)
	}
	return domainPlace(c)
}
