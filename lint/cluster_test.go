package lint_test

import (
	"strings"
	"testing"

	"clowder/lint"
	"clowder/parse"
	"clowder/parse/diag"
)

const (
	haTCP     = "org.apache.catalina.ha.tcp."
	haSession = "org.apache.catalina.ha.session."
	grouped   = "org.apache.catalina.tribes.group.interceptors."
)

// inNode makes a server.xml with the text in its Engine.
func inNode(engine string) string {
	return `<Server port="8005"><Service name="Catalina"><Engine name="Catalina" defaultHost="localhost" jvmRoute="s1">` + "\n" + engine + "\n</Engine></Service></Server>"
}

func cluster(attributes, content string) string {
	return inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster" ` + attributes + ">\n" + content + "\n</Cluster>\n<Host name=\"localhost\" appBase=\"webapps\"/>")
}

func options(v string) string { return cluster(`channelSendOptions="`+v+`"`, "") }

func channel(content string) string {
	return cluster(`channelSendOptions="6"`, "<Channel className=\"org.apache.catalina.tribes.group.GroupChannel\">\n"+content+"\n</Channel>")
}

func interceptor(class string) string {
	return `<Interceptor className="` + grouped + class + `"/>` + "\n"
}

func valve(class string) string { return `<Valve className="` + class + `"/>` + "\n" }

func replicationFilter(f string) string {
	return cluster(`channelSendOptions="6"`, `<Valve className="`+haTCP+`ReplicationValve" filter="`+f+`"/>`+valve(haSession+"JvmRouteBinderValve"))
}

// TestClusterRules holds variants and traps of the rules about one node's
// cluster: the finding's level, or "" for silence.
func TestClusterRules(t *testing.T) {
	receiver := func(a string) string {
		return channel(`<Receiver className="org.apache.catalina.tribes.transport.nio.NioReceiver" address="` + a + `" port="4000"/>`)
	}
	encrypt := func(algorithm string) string {
		return channel(`<Interceptor className="` + grouped + `EncryptInterceptor" encryptionKey="00112233445566778899aabbccddeeff" encryptionAlgorithm="` + algorithm + `"/>` + interceptor("TcpFailureDetector"))
	}
	manager := func(m string) string { return cluster(`channelSendOptions="6"`, m) }
	for _, c := range []struct{ name, id, text, want string }{
		{"IPv6", "T306", receiver("2001:db8::1"), "warning"},
		{"ULA", "T306", receiver("fd00::1"), ""},
		{"carrier grade NAT", "T306", receiver("100.64.3.4"), ""},
		{"every address", "T306", receiver("0.0.0.0"), ""},
		{"a name", "T306", receiver("node1.example.com"), ""},
		{"mapped", "T306", receiver("::ffff:10.0.0.1"), ""},
		{"lower case", "T307", encrypt("aes/cbc/pkcs5padding"), "warning"},
		{"counter mode", "T307", encrypt("AES/CTR/NoPadding"), "warning"},
		{"feedback of eight bits", "T307", encrypt("AES/CFB8/NoPadding"), "warning"},
		{"authenticated", "T307", encrypt("aes/gcm/nopadding"), ""},
		{"name alone", "T307", encrypt("AES"), ""},
		{"a property", "T307", encrypt("${cipher}"), ""},
		{"only a detector", "T308", channel(interceptor("TcpFailureDetector")), ""},
		{"foreign detector", "T308", channel(`<Interceptor className="com.example.FastFailureDetector"/>`), ""},
		{"static membership", "T308", channel(`<Membership className="org.apache.catalina.tribes.membership.StaticMembershipService"/>` + interceptor("MessageDispatchInterceptor")), ""},
		{"static members", "T308", channel(`<Interceptor className="` + grouped + `StaticMembershipInterceptor"/>`), "warning"},
		{"name", "T309", options("sync"), "warning"},
		{"names", "T309", options("use_ack , sync"), ""},
		{"queued", "T309", options("12"), "warning"},
		{"upper case", "T309", options("USE_ACK"), "error"},
		{"blank", "T309", options(" 6"), "error"},
		{"beyond", "T309", options("256"), "error"},
		{"none", "T309", options("0"), "warning"},
		{"secure", "T309", options("18"), "warning"},
		{"multicast", "T309", options("multicast,use_ack"), "warning"},
		{"datagrams", "T309", options("34"), ""},
		{"a flag of an interceptor", "T309", cluster(`channelSendOptions="262"`, `<Channel><Interceptor className="`+grouped+`TwoPhaseCommitInterceptor" optionFlag="256"/></Channel>`), ""},
		{"backup", "T309", manager(`<Manager className="` + haSession + `BackupManager" mapSendOptions="4"/>`), "warning"},
		{"backup by names", "T309", manager(`<Manager className="` + haSession + `BackupManager" mapSendOptions="use_ack,sync"/>`), ""},
		{"a property", "T309", options("${options}"), ""},
		{"backup, queued", "T310", manager(`<Manager className="` + haSession + `BackupManager" mapSendOptions="10"/>`), "info"},
		{"names", "T310", options("async,use_ack"), "info"},
		{"a property", "T311", options("${options}"), ""},
		{"by name", "T311", options("async"), "warning"},
		{"not taken", "T311", options("0"), "warning"},
		{"a wrong word", "T311", options("syncronous"), "warning"},
		{"Tomcat 5.5", "T311", inNode(`<Cluster className="org.apache.catalina.cluster.tcp.SimpleTcpCluster"/>`), ""},
		{"foreign cluster", "T311", inNode(`<Cluster className="com.example.Cluster"/>`), ""},
		{"static members", "T312", channel(interceptor("StaticMembershipInterceptor") + interceptor("StaticMembershipInterceptor")), ""},
		{"foreign, of two kinds", "T312", channel(`<Interceptor className="com.example.Log" to="a"/><Interceptor className="com.example.Log" to="b"/>`), ""},
		{"other attributes", "T312", channel(interceptor("TcpFailureDetector") + `<Interceptor className="` + grouped + `TcpFailureDetector" connectTimeout="5"/>`), "warning"},
		{"sign-on is a cluster valve", "T401", manager(valve("org.apache.catalina.ha.authenticator.ClusterSingleSignOn")), "error"},
		{"only plain valves", "T401", manager(valve("org.apache.catalina.valves.RemoteIpValve")), ""},
		{"foreign valve", "T401", manager(valve(haSession+"JvmRouteBinderValve") + valve("com.example.MyReplicationValve")), ""},
		{"valve in the Engine", "T401", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster">` + valve(haSession+"JvmRouteBinderValve") + `</Cluster>` + valve(haTCP+"ReplicationValve")), ""},
		{"binder in the Host", "T402", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster">` + valve(haTCP+"ReplicationValve") + `</Cluster><Host name="localhost">` + valve(haSession+"JvmRouteBinderValve") + `</Host>`), ""},
		{"no jvmRoute", "T402", strings.Replace(manager(valve(haTCP+"ReplicationValve")), ` jvmRoute="s1"`, "", 1), ""},
		{"cluster of a host", "T402", inNode(`<Host name="localhost"><Cluster className="` + haTCP + `SimpleTcpCluster">` + valve(haTCP+"ReplicationValve") + `</Cluster></Host>`), "warning"},
		{"removed listener", "T403", manager(`<ClusterListener className="` + haSession + `JvmRouteSessionIDBinderListener"/>`), ""},
		{"both listeners", "T403", manager(`<ClusterListener className="com.example.L"/><ClusterListener className="` + haSession + `ClusterSessionListener"/>`), ""},
		{"inside a Context", "T404", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster"/><Host name="localhost"><Context path="/a"><Manager className="org.apache.catalina.session.StandardManager"/></Context></Host>`), "error"},
		{"a store", "T404", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster"/><Host name="localhost"><Context path="/a"><Manager className="org.apache.catalina.session.PersistentManager"><Store className="org.apache.catalina.session.DataSourceStore"/></Manager></Context></Host>`), ""},
		{"no store", "T404", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster"/><Host name="localhost"><Context path="/a"><Manager className="org.apache.catalina.session.PersistentManager"/></Context></Host>`), "error"},
		{"Redis", "T404", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster"/><Host name="localhost"><Context path="/a"><Manager className="org.redisson.tomcat.RedissonSessionManager"/></Context></Host>`), "info"},
		{"cluster of another host", "T404", inNode(`<Host name="a"><Cluster className="` + haTCP + `SimpleTcpCluster"/></Host><Host name="localhost"><Context path="/a"><Manager/></Context></Host>`), ""},
		{"foreign", "T405", manager(`<Manager className="com.example.Manager"/>`), ""},
		{"a list of endings", "T408", replicationFilter(`.*\.(gif|js|jsp)`), "error"},
		{"all but pages", "T408", replicationFilter(`(?!.*\.(jsp|do)$).*`), "error"},
		{"static files by look-ahead", "T408", replicationFilter(`(?i)(?=.*\.png$).*`), ""},
		{"a part is no match", "T408", replicationFilter(`login`), ""},
		{"of a folder", "T408", replicationFilter(`/app/static/.*`), ""},
		{"the old list", "T408", replicationFilter(`.*;.*\.gif`), ""},
		{"the old list", "T409", replicationFilter(`.*\.gif; .*\.js`), "warning"},
		{"a path parameter", "T409", replicationFilter(`.*;jsessionid=.*`), ""},
		{"one class", "T409", replicationFilter(`.*[.;]gif`), ""},
		{"old and broken", "T409", replicationFilter(`*.gif;*.js`), ""},
		{"old and broken", "T410", replicationFilter(`*.gif;*.js`), "error"},
		{"addresses", "T410", inNode(`<Valve className="org.apache.catalina.valves.RemoteAddrValve" allow="*.10.0.0"/>`), "error"},
		{"networks", "T410", inNode(`<Valve className="org.apache.catalina.valves.RemoteCIDRValve" allow="*"/>`), ""},
		{"proxies", "T410", inNode(`<Valve className="org.apache.catalina.valves.RemoteIpValve" internalProxies="10\.(\d+" />`), "error"},
		{"foreign valve", "T410", inNode(`<Valve className="com.example.Valve" allow="*"/>`), ""},
		{"groups of Python", "T410", manager(`<Manager className="` + haSession + `DeltaManager" sessionAttributeNameFilter="(?P&lt;n&gt;a)"/>`), "error"},
		{"quoted", "T410", manager(`<Manager className="` + haSession + `DeltaManager" sessionAttributeNameFilter="\Q*(\E.*"/>`), ""},
		{"with a comma", "T411", manager(`<Manager className="` + haSession + `DeltaManager" sessionAttributeNameFilter="user,cart"/>`), "warning"},
		{"anchored", "T411", manager(`<Manager className="` + haSession + `DeltaManager" sessionAttributeNameFilter="^user$"/>`), ""},
		{"backup has none", "T412", manager(`<Manager className="` + haSession + `BackupManager" expireSessionsOnShutdown="true"/>`), ""},
		{"upper case", "T412", manager(`<Manager className="` + haSession + `DeltaManager" expireSessionsOnShutdown="TRUE"/>`), "warning"},
		{"no is false", "T412", manager(`<Manager className="` + haSession + `DeltaManager" expireSessionsOnShutdown="yes"/>`), ""},
		{"access log", "T413", manager(valve("org.apache.catalina.valves.AccessLogValve")), "warning"},
		{"rewriting", "T413", manager(valve("org.apache.catalina.valves.rewrite.RewriteValve")), "warning"},
		{"cluster sign-on", "T413", manager(valve("org.apache.catalina.ha.authenticator.ClusterSingleSignOn")), ""},
		{"foreign", "T413", manager(valve("com.example.Valve")), ""},
		{"inherited cluster", "T414", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster"/><Host name="localhost">` + valve("org.apache.catalina.ha.authenticator.ClusterSingleSignOn") + `</Host>`), ""},
		{"no cluster", "T414", inNode(`<Host name="localhost">` + valve("org.apache.catalina.ha.authenticator.ClusterSingleSignOn") + `</Host>`), "error"},
		{"cluster below", "T414", inNode(valve("org.apache.catalina.ha.authenticator.ClusterSingleSignOn") + `<Host name="localhost"><Cluster className="` + haTCP + `SimpleTcpCluster"/></Host>`), "error"},
		{"no cluster", "T415", inNode(`<Host name="localhost">` + valve("org.apache.catalina.authenticator.SingleSignOn") + `</Host>`), ""},
		{"another host", "T415", inNode(`<Host name="a"><Cluster className="` + haTCP + `SimpleTcpCluster"/></Host><Host name="localhost">` + valve("org.apache.catalina.authenticator.SingleSignOn") + `</Host>`), ""},
		{"in the Engine", "T415", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster"/>` + valve("org.apache.catalina.authenticator.SingleSignOn")), "warning"},
		{"nothing watched", "T416", manager(`<Deployer className="org.apache.catalina.ha.deploy.FarmWarDeployer" watchEnabled="false"/>`), "info"},
		{"watched", "T416", manager(`<Deployer className="org.apache.catalina.ha.deploy.FarmWarDeployer" watchEnabled="true"/>`), "error"},
		{"in a host", "T416", inNode(`<Host name="localhost"><Cluster className="` + haTCP + `SimpleTcpCluster"><Deployer className="org.apache.catalina.ha.deploy.FarmWarDeployer" watchEnabled="true"/></Cluster></Host>`), ""},
	} {
		t.Run(c.id+"/"+c.name, func(t *testing.T) {
			got := ""
			for _, d := range lintText(t, "server.xml", c.text, true) {
				if d.ID == c.id {
					got = d.Severity.String()
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestApplicationRules holds variants of the rules about applications.
func TestApplicationRules(t *testing.T) {
	const path = "webapps/shop/WEB-INF/web.xml"
	server := cluster(`channelSendOptions="6"`, "")
	html := strings.Replace(replicationFilter(`.*\.html`), "<Host", "<Host ", 1)
	mapped := `<web-app><distributable/><servlet-mapping><servlet-name>a</servlet-name><url-pattern>*.html</url-pattern></servlet-mapping></web-app>`
	type file = lint.ExampleFile
	for _, c := range []struct {
		name, id, want string
		files          []file
	}{
		{"conf/web.xml is no excuse", "T406", "error", []file{{"conf/server.xml", server}, {"conf/web.xml", "<web-app><distributable/></web-app>"}, {path, "<web-app/>"}}},
		{"an attribute is no excuse", "T406", "error", []file{{"conf/server.xml", server}, {"webapps/shop/META-INF/context.xml", `<Context distributable="true"/>`}, {path, "<web-app/>"}}},
		{"a prefix", "T406", "", []file{{"conf/server.xml", server}, {path, `<j:web-app xmlns:j="https://jakarta.ee/xml/ns/jakartaee"><j:distributable/></j:web-app>`}}},
		{"not on the top level", "T406", "error", []file{{"conf/server.xml", server}, {path, "<web-app><session-config><distributable/></session-config></web-app>"}}},
		{"in a comment", "T406", "error", []file{{"conf/server.xml", server}, {path, "<web-app><!-- <distributable/> --></web-app>"}}},
		{"the manager", "T406", "", []file{{"conf/server.xml", server}, {"webapps/manager/WEB-INF/web.xml", "<web-app/>"}}},
		{"Tomcat's root", "T406", "", []file{{"conf/server.xml", server}, {"webapps/ROOT/WEB-INF/web.xml", "<web-app><display-name>Welcome to Tomcat</display-name></web-app>"}}},
		{"own root", "T406", "error", []file{{"conf/server.xml", server}, {"webapps/ROOT/WEB-INF/web.xml", "<web-app/>"}}},
		{"no cluster", "T406", "", []file{{"conf/server.xml", inNode(`<Host name="localhost"/>`)}, {path, "<web-app/>"}}},
		{"no cluster", "T407", "info", []file{{"conf/server.xml", inNode(`<Host name="localhost"/>`)}, {path, "<web-app><distributable/></web-app>"}}},
		{"sessions in Redis", "T406", "", []file{{"conf/server.xml", server}, {"webapps/shop/META-INF/context.xml", `<Context><Manager className="com.example.RedisManager"/></Context>`}, {path, "<web-app/>"}}},
		{"a servlet", "T408", "info", []file{{"conf/server.xml", html}, {path, mapped}}},
		{"a known application", "T408", "error", []file{{"conf/server.xml", replicationFilter("/shop/.*")}, {path, mapped}}},
		{"the manager's own Manager", "T404", "", []file{{"conf/server.xml", server}, {"webapps/manager/META-INF/context.xml", `<Context><Manager sessionAttributeValueClassNameFilter="java\.lang\.String"/></Context>`}}},
		{"META-INF", "T404", "error", []file{{"conf/server.xml", server}, {"webapps/shop/META-INF/context.xml", `<Context><Manager/></Context>`}}},
		{"descriptor", "T404", "error", []file{{"conf/server.xml", server}, {"conf/Catalina/localhost/shop.xml", `<Context docBase="/srv/shop"><Manager/></Context>`}}},
	} {
		t.Run(c.id+"/"+c.name, func(t *testing.T) {
			got := ""
			list := lintFiles(t, c.files, parse.Options{Tomcat: map[string]string{"": "10.1"}})
			for _, d := range list {
				if d.ID == c.id {
					got = d.Severity.String()
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q: %v", got, c.want, list)
			}
		})
	}
}

// TestDistributableFix: the element is put where every document type allows it.
func TestDistributableFix(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"<web-app/>", "<web-app><distributable/></web-app>"},
		{"<web-app></web-app>", "<web-app>\n  <distributable/></web-app>"},
		{"<web-app>\n  <display-name>a</display-name>\n  <description>\n  b\n  </description>\n  <servlet/>\n</web-app>", "<web-app>\n  <display-name>a</display-name>\n  <description>\n  b\n  </description>\n  <distributable/>\n  <servlet/>\n</web-app>"},
		{"<web-app>\r\n\t<servlet/>\r\n</web-app>", "<web-app>\r\n\t<distributable/>\r\n\t<servlet/>\r\n</web-app>"},
		{"<j:web-app xmlns:j='x'><j:servlet/></j:web-app>", "<j:web-app xmlns:j='x'><j:distributable/><j:servlet/></j:web-app>"},
	} {
		list := lintFiles(t, []lint.ExampleFile{{Name: "server.xml", Text: cluster(`channelSendOptions="6"`, "")}, {Name: "app/WEB-INF/web.xml", Text: c.in}}, parse.Options{})
		fixed := ""
		for _, d := range list {
			if d.ID == "T406" && len(d.Fixes) == 1 {
				fixed = string(apply([]byte(c.in), append([]diag.Edit(nil), d.Fixes[0].Edits...)))
			}
		}
		if fixed != c.out {
			t.Errorf("%q: got %q, want %q", c.in, fixed, c.out)
		}
	}
}

// TestClusterFixes applies the safe fix of a finding: the file is then well-formed
// and free of the finding, and what the test names stands where it should.
func TestClusterFixes(t *testing.T) {
	for _, c := range []struct{ name, id, text, want string }{
		{"behind encryption", "T308", channel(strings.TrimSpace(interceptor("EncryptInterceptor"))), `EncryptInterceptor"/>` + "\n" + `<Interceptor className="` + grouped + `TcpFailureDetector"/>` + "\n</Channel>"},
		{"last but one", "T308", channel(interceptor("MessageDispatchInterceptor") + strings.TrimSpace(interceptor("ThroughputInterceptor"))), `TcpFailureDetector"/>` + "\n" + `<Interceptor className="` + grouped + `ThroughputInterceptor"/>`},
		{"a line of its own goes", "T312", channel(interceptor("TcpFailureDetector") + interceptor("MessageDispatchInterceptor") + `<Interceptor className="` + grouped + `TcpFailureDetector"></Interceptor>`), `MessageDispatchInterceptor"/>` + "\n</Channel>"},
		{"names", "T309", options("sync"), `channelSendOptions="6"`},
		{"on one line", "T401", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster">` + strings.TrimSpace(valve(haSession+"JvmRouteBinderValve")) + `</Cluster>`), `SimpleTcpCluster"><Valve className="` + haTCP + `ReplicationValve" filter=""/><Valve`},
		{"with content", "T402", inNode(`<Cluster className="` + haTCP + `SimpleTcpCluster">` + "\n  " + `<Valve className="` + haTCP + `ReplicationValve"></Valve>` + "\n</Cluster>"), "></Valve>\n  <Valve className=\"" + haSession + "JvmRouteBinderValve\"/>\n</Cluster>"},
		{"listener", "T403", cluster("", `  <ClusterListener className="com.example.L"/>`), "L\"/>\n  <ClusterListener className=\"" + haSession + "ClusterSessionListener\"/>\n</Cluster>"},
		{"three patterns", "T409", replicationFilter(`.*\.gif; .*\.js;.*\.css;`), `filter=".*\.gif|.*\.js|.*\.css"`},
		{"upper case", "T412", cluster("", `<Manager className="`+haSession+`DeltaManager" expireSessionsOnShutdown='TRUE'/>`), `expireSessionsOnShutdown='false'`},
		{"lines of a valve", "T413", cluster("", "  <Valve className=\"org.apache.catalina.valves.RemoteIpValve\"\n         internalProxies=\"10\\..*\"/>"), "SimpleTcpCluster\" >\n</Cluster>\n<Valve className=\"org.apache.catalina.valves.RemoteIpValve\"\n         internalProxies=\"10\\..*\"/>\n<Host"},
	} {
		t.Run(c.id+"/"+c.name, func(t *testing.T) {
			fixed := ""
			for _, d := range lintText(t, "server.xml", c.text, true) {
				if d.ID == c.id && len(d.Fixes) == 1 && d.Fixes[0].Safe {
					fixed = string(apply([]byte(c.text), append([]diag.Edit(nil), d.Fixes[0].Edits...)))
				}
			}
			if !strings.Contains(fixed, c.want) {
				t.Fatalf("got\n%s\nwant in it\n%s", fixed, c.want)
			}
			if list := lintText(t, "server.xml", fixed, true); has(list, c.id) || has(list, "T001") {
				t.Errorf("still found in\n%s", fixed)
			}
		})
	}
}
