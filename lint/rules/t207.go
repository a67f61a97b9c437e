package rules

import (
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var staticBeforeDetector = &lint.Rule{
	ID: "T207", Name: "static-interceptor-before-detector", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "A StaticMembershipInterceptor is listed before the TcpFailureDetector.",
		Why:    "The detector then never sees the static members: one that is gone stays a member, and every request waits for it.",
		Fix:    "List TcpFailureDetector first.",
		Bad:    inCluster(` channelStartOptions="3"`, examplePing+"\n"+exampleStatic+"\n"+exampleDetector),
		Good:   inCluster(` channelStartOptions="3"`, examplePing+"\n"+exampleDetector+"\n"+exampleStatic),
		Notes:  "Silent without a TcpFailureDetector, and when one is listed on either side.",
		Source: "Interceptor reference, Static Membership; StaticMembershipInterceptor.start looks for the detector above itself.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			static, at := c.interceptor("StaticMembershipInterceptor")
			detector, first := c.interceptor("TcpFailureDetector")
			if static == nil || detector == nil || first < at {
				continue
			}
			p.Report(lint.Finding{At: static.At.Head(), Subject: static,
				Message: "StaticMembershipInterceptor must come after TcpFailureDetector, which checks only members that it hears of from below",
				Related: []diag.Related{lint.Related(detector.At.Head(), "the detector")},
				Fixes:   moveElement(p, static.At, detector.At, true, "move it behind TcpFailureDetector")})
		}
	},
}

var staticWithoutPing = &lint.Rule{
	ID: "T208", Name: "static-without-ping", Severity: diag.Warning, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat, Fixable: true,
	Doc: lint.Doc{
		What:   "A StaticMembershipInterceptor has no TcpPingInterceptor before it.",
		Why:    "Nobody asks the static members whether they live; Tomcat says so at its start: \"There is no TcpPingInterceptor\".",
		Fix:    "List a TcpPingInterceptor before the TcpFailureDetector.",
		Bad:    inCluster(` channelStartOptions="3"`, exampleDetector+"\n"+exampleStatic),
		Good:   inCluster(` channelStartOptions="3"`, examplePing+"\n"+exampleDetector+"\n"+exampleStatic),
		Notes:  "One behind the StaticMembershipInterceptor does not count, as Tomcat looks above only. Silent when the channel has an interceptor that is not Tomcat's own.",
		Source: "StaticMembershipInterceptor.start, in all branches. Tried with Tomcat 10.1.60: it prints the message.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			static, at := c.interceptor("StaticMembershipInterceptor")
			ping, first := c.interceptor("TcpPingInterceptor")
			if static == nil || ping != nil && first < at || c.hasForeignInterceptor() {
				continue
			}
			f := lint.Finding{At: static.At.Head(), Subject: static,
				Message: "StaticMembershipInterceptor without TcpPingInterceptor before it: static members are not health-checked"}
			if ping != nil {
				f.Related = []diag.Related{lint.Related(ping.At.Head(), "the TcpPingInterceptor that comes too late")}
			} else {
				f.Fixes = addPing(c, static, at)
			}
			p.Report(f)
		}
	},
}

// addPing is the fix that lists a TcpPingInterceptor before the detector, or
// before the static members when the detector does not come first.
func addPing(c clusterAt, static *model.Interceptor, at int) []diag.Fix {
	before := static
	if detector, first := c.interceptor("TcpFailureDetector"); detector != nil && first < at {
		before = detector
	}
	line := before.At.File.LineStart(before.At.Begin().Line)
	if strings.TrimSpace(string(before.At.File.Data[line:before.At.Start])) != "" {
		return nil
	}
	return []diag.Fix{{Message: "add a TcpPingInterceptor", Safe: true, Edits: []diag.Edit{
		lineBefore(before.At, `<Interceptor className="org.apache.catalina.tribes.group.interceptors.TcpPingInterceptor"/>`),
	}}}
}

var mcastStillOn = &lint.Rule{
	ID: "T209", Name: "mcast-still-on-with-static", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "Static members are listed, but the multicast service runs as well.",
		Why:    "Other Tomcats that announce themselves in the group join too.",
		Fix:    "Write channelStartOptions=\"3\" on the Cluster, unless both are wanted.",
		Bad:    inCluster("", examplePing+"\n"+exampleDetector+"\n"+exampleStatic),
		Good:   inCluster(` channelStartOptions="3"`, examplePing+"\n"+exampleDetector+"\n"+exampleStatic),
		Notes:  "An info: setups that mix both exist.",
		Source: "Interceptor reference, Static Membership; Cluster reference, channelStartOptions.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			if static, _ := c.interceptor("StaticMembershipInterceptor"); static != nil && c.mcast() {
				p.Report(lint.Finding{At: c.At.Head(), Subject: c.Cluster,
					Message: "static members are listed, but the multicast service also runs (channelStartOptions is not 3)",
					Related: []diag.Related{lint.Related(static.At.Head(), "the static members")}})
			}
		}
	},
}

var mcastTTLZero = &lint.Rule{
	ID: "T210", Name: "mcast-ttl-zero", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Cluster, Versions: everyTomcat,
	Doc: lint.Doc{
		What:   "The multicast Membership has ttl=\"0\".",
		Why:    "Datagrams with this time to live do not leave the machine: nodes on other machines are never found.",
		Fix:    "Write ttl=\"1\" for nodes on one network, more behind routers, or take it out.",
		Bad:    inCluster("", `    <Membership className="org.apache.catalina.tribes.membership.McastService" port="45701" ttl="0"/>`),
		Good:   inCluster("", `    <Membership className="org.apache.catalina.tribes.membership.McastService" port="45701" ttl="1"/>`),
		Notes:  "Silent when all nodes of the set are on one host, or when the Receiver is on a loopback address.",
		Source: "Membership reference, ttl; MulticastSocket.setTimeToLive.",
	},
	Check: func(p *lint.Pass) {
		for _, c := range allClusters(p) {
			m := c.membership()
			if m != nil && c.mcast() && m.TTL.IsWritten() && m.TTL.V == 0 && !oneMachine(p) && !model.IsLoopback(c.EffectiveChannel().Receiver.Address.V) {
				p.Report(lint.Finding{At: m.TTL.Span, Subject: m,
					Message: `ttl="0" keeps heartbeats on this machine; nodes on other machines are never found`})
			}
		}
	},
}

// oneMachine reports whether there are several nodes and all are on one host.
func oneMachine(p *lint.Pass) bool {
	nodes := p.Setup.Nodes
	if len(nodes) < 2 {
		return false
	}
	for _, n := range nodes[1:] {
		if same, _ := p.Hosts().Same(nodes[0], n); !same {
			return false
		}
	}
	return true
}
