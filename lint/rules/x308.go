package rules

import (
	"fmt"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var interceptorStackMismatch = &lint.Rule{
	ID: "X308", Name: "interceptor-stack-mismatch", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyBoth,
	Doc: lint.Doc{
		What: "An interceptor that changes messages is on one node of the cluster and not on another, or the order of such interceptors differs.",
		Why:  "The receiver does not undo what the sender did: it gets compressed, cut or reordered bytes where it expects a session message, and drops them.",
		Fix:  "Write the same interceptors in the same order on all nodes.",
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
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
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
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.GzipInterceptor"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
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
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
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
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.ThroughputInterceptor"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpFailureDetector"/>
        <Interceptor className="org.apache.catalina.tribes.group.interceptors.MessageDispatchInterceptor"/>
      </Channel>
    </Cluster>
    <Host name="localhost" appBase="webapps"></Host>
  </Engine>
</Service></Server>`,
		Notes:  "GzipInterceptor, FragmentationInterceptor and OrderInterceptor; for the order EncryptInterceptor as well. A filter of domains is X303, missing encryption X307. Failure detectors, TcpPingInterceptor and ThroughputInterceptor may differ.",
		Source: "Interceptor reference; sendMessage and messageReceived of the three interceptors.",
	},
	Check: checkStacks,
}

// stackClasses are the interceptors whose work the receiver has to undo.
var stackClasses = []string{"GzipInterceptor", "FragmentationInterceptor", "OrderInterceptor"}

func checkStacks(p *lint.Pass) {
	for _, g := range clusterGroups(p) {
		differs := false
		for _, class := range stackClasses {
			ref, odd := oddOnes(len(g), func(i int) (string, bool) { return fmt.Sprint(interceptor(g[i].cluster, class) != nil), true })
			differs = differs || len(odd) > 0
			if len(odd) > 0 {
				reportStack(p, g, class, ref, odd)
			}
		}
		if !differs {
			compareOrder(p, g)
		}
	}
}

// reportStack reports an interceptor at the nodes that have it alone; when the odd
// ones lack it, at the last of those that have it.
func reportStack(p *lint.Pass, g []peer, class string, ref int, odd []int) {
	if interceptor(g[ref].cluster, class) == nil {
		for _, i := range odd {
			reportExtra(p, g[i], class, g[ref:ref+1])
		}
		return
	}
	last, lacking := ref, []peer{}
	for i, x := range g {
		if interceptor(x.cluster, class) != nil {
			last = i
		} else if slices.Contains(odd, i) {
			lacking = append(lacking, x)
		}
	}
	reportExtra(p, g[last], class, lacking)
}

func reportExtra(p *lint.Pass, x peer, class string, lacking []peer) {
	f := lint.Finding{At: interceptor(x.cluster, class).At.Head()}
	var names []string
	for _, y := range lacking {
		names = append(names, fmt.Sprintf("%s (%s)", y.Name.V, channelPlace(y.cluster).Short()))
		f.Related = append(f.Related, lint.Related(channelPlace(y.cluster), y.Name.V+" lacks it"))
	}
	f.Message = fmt.Sprintf("interceptor %s is on %s but not on %s: its messages cannot be read there; use the same interceptors on all nodes", class, x.Name.V, strings.Join(names, ", "))
	reportPeer(p, x, lacking[0], f)
}

// compareOrder compares the order of the interceptors that change messages.
func compareOrder(p *lint.Pass, g []peer) {
	ref, odd := oddOnes(len(g), func(i int) (string, bool) {
		return strings.Join(stack(g[i].cluster), " "), true
	})
	for _, i := range odd {
		x, y := g[i], g[ref]
		a, b := stack(x.cluster), stack(y.cluster)
		if len(a) != len(b) {
			continue // one lacks encryption: X307
		}
		k := 0
		for k < len(a)-1 && a[k] == b[k] {
			k++
		}
		at, other := interceptor(x.cluster, a[k]).At.Head(), interceptor(y.cluster, b[k]).At.Head()
		reportPeer(p, x, y, lint.Finding{
			At: at,
			Message: fmt.Sprintf("the order of the interceptors is %s on %s but %s on %s (%s): messages cannot be read; use the same order on all nodes",
				strings.Join(a, ", "), x.Name.V, strings.Join(b, ", "), y.Name.V, other.Short()),
			Related: []diag.Related{lint.Related(other, "the order on "+y.Name.V)},
		})
	}
}

func stack(c *model.Cluster) []string {
	var out []string
	if c.Channel == nil {
		return nil
	}
	for _, i := range c.Channel.Interceptors {
		if class := model.SimpleClass(i.Class.V); slices.Contains(stackClasses, class) || class == "EncryptInterceptor" {
			out = append(out, class)
		}
	}
	return out
}

func channelPlace(c *model.Cluster) diag.Span {
	if c.Channel != nil {
		return c.Channel.At.Head()
	}
	return c.At.Head()
}
