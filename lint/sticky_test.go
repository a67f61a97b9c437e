package lint_test

import (
	"fmt"
	"strings"
	"testing"
)

// member is one Tomcat of a setup in a test.
type tomcatNode struct{ dir, connector, route, inside string }

func (n tomcatNode) file() string {
	route := ""
	if n.route != "" {
		route = ` jvmRoute="` + n.route + `"`
	}
	return n.dir + "/server.xml " + server(n.connector, route, n.inside)
}

// pair returns a balancer over two nodes with one host each; params are those of
// the balancer, the nodes' own settings may be changed by edit.
func pair(params string, edit func(a, b *tomcatNode)) []string {
	ajp := func(ip string) string {
		return fmt.Sprintf(`<Connector port="8009" protocol="AJP/1.3" address="%s" secret="x"/>`, ip)
	}
	a, b := tomcatNode{"s1", ajp("10.0.0.11"), "s1", ""}, tomcatNode{"s2", ajp("10.0.0.12"), "s2", ""}
	if edit != nil {
		edit(&a, &b)
	}
	conf := "httpd.conf <Proxy balancer://c>\nBalancerMember ajp://10.0.0.11:8009 route=s1\nBalancerMember ajp://10.0.0.12:8009 route=s2\n"
	if params != "" {
		conf += "ProxySet " + params + "\n"
	}
	return []string{conf + "</Proxy>\nProxyPass /app balancer://c/app\n", a.file(), b.file()}
}

func with(files []string, more ...string) []string { return append(files, more...) }

func TestLinkVariants(t *testing.T) {
	third := tomcatNode{"s3", `<Connector port="8009" protocol="AJP/1.3" address="10.0.0.13" secret="x"/>`, "s3", ""}.file()
	both := func(inside string) func(a, b *tomcatNode) {
		return func(a, b *tomcatNode) { a.inside, b.inside = inside, inside }
	}
	second := func(connector string) func(a, b *tomcatNode) {
		return func(_, b *tomcatNode) { b.connector = connector }
	}
	const sticky = "stickysession=JSESSIONID|jsessionid"
	const cluster = `<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>`
	const other = `<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel><Membership address="228.0.0.9"/></Channel></Cluster>`
	const webapp = `WEB-INF/web.xml <web-app><session-config><cookie-config><name>%s</name></cookie-config></session-config></web-app>`
	for _, v := range []variant{
		{"third node", "X001", "10.1", "warning", with(pair(sticky, nil), third)},
		{"reached by a rewrite rule", "X001", "10.1", "", with(pair(sticky, nil), third, "more.conf RewriteEngine On\nRewriteRule ^/x http://10.0.0.13:8009/ [P]\n")},
		{"member by a name nobody knows", "X001", "10.1", "", with(pair(sticky, nil), third, "more.conf ProxyPass /x http://tomcat3.example.com:8080/x\n")},
		{"missing include", "X001", "10.1", "", with(pair(sticky, nil), third, "more.conf Include conf/none.conf\n")},
		{"target of variables", "X001", "10.1", "", with(pair(sticky, nil), third, "more.conf ProxyPassMatch ^/x/(.*) http://$1:8009/\n")},
		{"nothing is matched", "X001", "10.1", "", []string{third, "httpd.conf ProxyPass /x http://10.9.9.9:8080/x\n"}},
		{"no connector", "X001", "10.1", "", with(pair(sticky, nil), `s3/server.xml <Server port="-1"><Service name="a"><Engine name="a" defaultHost="localhost"><Host name="localhost"/></Engine></Service></Server>`)},

		{"one more Tomcat on the host", "X002", "10.1", "info", []string{"httpd.conf <Proxy balancer://c>\nBalancerMember ajp://localhost:8009\nBalancerMember ajp://localhost:9009\n</Proxy>\n",
			tomcatNode{"s2", `<Connector port="9009" protocol="AJP/1.3" secret="x"/>`, "", ""}.file()}},
		{"wrong port", "X002", "10.1", "error", pair(sticky, second(`<Connector port="8019" protocol="AJP/1.3" address="10.0.0.12" secret="x"/>`))},

		{"loopback by default", "X004", "10.1", "warning", pair(sticky, second(`<Connector port="8009" protocol="AJP/1.3" secret="x"/>`))},
		{"all addresses in old versions", "X004", "9.0.30", "", pair(sticky, second(`<Connector port="8009" protocol="AJP/1.3"/>`))},
		{"loopback beside the receiver's address", "X004", "10.1", "error", pair(sticky, func(_, b *tomcatNode) {
			b.connector = `<Connector port="8009" protocol="AJP/1.3" secret="x"/>`
			b.inside = `<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel><Receiver address="10.0.0.12"/></Channel></Cluster>`
		})},
		{"undeclared version", "X004", "", "warning", pair(sticky, func(_, b *tomcatNode) {
			b.connector = `<Connector port="8009" protocol="AJP/1.3" secret="x"/>`
			b.inside = `<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel><Receiver address="10.0.0.12"/></Channel></Cluster>`
		})},
		{"every address", "X004", "10.1", "", pair(sticky, second(`<Connector port="8009" protocol="AJP/1.3" address="0.0.0.0" secret="x"/>`))},
		{"loopback member", "X004", "10.1", "", []string{"httpd.conf ProxyPass /a ajp://localhost:8009/a\n", tomcatNode{"s1", `<Connector port="8009" protocol="AJP/1.3" address="127.0.0.1" secret="x"/>`, "", ""}.file()}},
		{"IPv6 loopback member", "X004", "10.1", "", []string{"httpd.conf ProxyPass /a ajp://[::1]:8009/a\n", tomcatNode{"s1", `<Connector port="8009" protocol="AJP/1.3" secret="x"/>`, "", ""}.file()}},
		{"a name that is not resolved", "X004", "10.1", "", []string{"httpd.conf ProxyPass /a ajp://s1:8009/a\n", tomcatNode{"s1", `<Connector port="8009" protocol="AJP/1.3" secret="x"/>`, "", ""}.file()}},
		{"unknown address", "X004", "10.1", "", pair(sticky, second(`<Connector port="8009" protocol="AJP/1.3" address="${a}" secret="x"/>`))},

		{"case", "X101", "10.1", "error", pair(sticky, func(_, b *tomcatNode) { b.route = "S2" })},
		{"route of a script", "X101", "9.0", "error", with(pair(sticky, func(_, b *tomcatNode) { b.route = "" }), "s2/bin/setenv.sh CATALINA_OPTS=-DjvmRoute=S2\n")},
		{"own cookie", "X101", "10.1", "", with(pair("stickysession=ROUTEID", func(_, b *tomcatNode) { b.route = "S2" }), "more.conf Header add Set-Cookie \"ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/\" env=BALANCER_ROUTE_CHANGED\n")},
		{"no jvmRoute", "X102", "10.1", "error", pair(sticky, func(_, b *tomcatNode) { b.route = "" })},
		{"route of a script", "X102", "9.0", "", with(pair(sticky, func(_, b *tomcatNode) { b.route = "" }), "s2/bin/setenv.sh CATALINA_OPTS=-DjvmRoute=s2\n")},
		{"said by T609", "X102", "10.1", "", with(pair(sticky, func(_, b *tomcatNode) { b.route = "" }), "s2/bin/setenv.sh CATALINA_OPTS=-DjvmRoute=s2\n")},
		{"same name", "X104", "10.1", "error", pair(sticky, func(_, b *tomcatNode) { b.route = "s1" })},
		{"same name in one cluster", "X104", "10.1", "warning", []string{tomcatNode{"s1", "", "s1", cluster}.file(), tomcatNode{"s2", "", "s1", cluster}.file()}},
		{"same name in two clusters", "X104", "10.1", "", []string{tomcatNode{"s1", "", "s1", cluster}.file(), tomcatNode{"s2", "", "s1", other}.file()}},

		{"name of web.xml", "X105", "10.1", "error", with(pair(sticky, nil), "app/"+fmt.Sprintf(webapp, "SHOPSID"))},
		{"right name of web.xml", "X105", "10.1", "", with(pair("stickysession=SHOPSID|shopsid", nil), "app/"+fmt.Sprintf(webapp, "SHOPSID"))},
		{"case of the cookie", "X105", "10.1", "error", with(pair("stickysession=SHOPSID", nil), "app/"+fmt.Sprintf(webapp, "ShopSID"))},
		{"another application", "X105", "10.1", "", with(pair(sticky, nil), "other/"+fmt.Sprintf(webapp, "SHOPSID"))},
		{"default name", "X105", "10.1", "error", with(pair("stickysession=SHOPSID", nil), "app/WEB-INF/web.xml <web-app/>")},
		{"default name in small letters", "X105", "10.1", "error", pair("stickysession=jsessionid", nil)},
		{"web.xml not read", "X105", "10.1", "", pair("stickysession=SHOPSID", nil)},
		{"Context before web.xml", "X105", "10.1", "", with(pair("stickysession=CTX", nil), "app/"+fmt.Sprintf(webapp, "WEB"), `s1/context.xml <Context sessionCookieName="CTX"/>`, `s2/context.xml <Context sessionCookieName="CTX"/>`)},
		{"nodes disagree", "X105", "10.1", "", with(pair(sticky, nil), `s1/context.xml <Context sessionCookieName="A"/>`, `s2/context.xml <Context sessionCookieName="B"/>`)},
		{"own cookie", "X105", "10.1", "", with(pair("stickysession=ROUTEID", nil), "app/"+fmt.Sprintf(webapp, "SHOPSID"), "more.conf Header add Set-Cookie \"ROUTEID=.%{BALANCER_WORKER_ROUTE}e; path=/\"\n")},

		{"one node has a name", "X106", "10.1", "error", with(pair("", nil), `s1/context.xml <Context sessionCookieName="A"/>`, `s2/context.xml <Context/>`)},
		{"second node is not known", "X106", "10.1", "", with(pair("", nil), `s1/context.xml <Context sessionCookieName="A"/>`)},
		{"applications of their own", "X106", "10.1", "error", with(pair("", nil), "s1/webapps/app/"+fmt.Sprintf(webapp, "A"), "s2/webapps/app/"+fmt.Sprintf(webapp, "B"))},
		{"other applications", "X106", "10.1", "", with(pair("", nil), "s1/webapps/a/"+fmt.Sprintf(webapp, "A"), "s2/webapps/b/"+fmt.Sprintf(webapp, "B"))},
		{"nodes of one cluster", "X106", "10.1", "error", []string{tomcatNode{"s1", "", "s1", cluster}.file(), tomcatNode{"s2", "", "s2", cluster}.file(), `s1/context.xml <Context sessionCookieName="A"/>`, `s2/context.xml <Context sessionCookieName="B"/>`}},

		{"one cluster", "X108", "10.1", "warning", pair(sticky+" nofailover=On", both(cluster))},
		{"on ProxyPass", "X108", "10.1", "warning", with(pair(sticky, both(cluster)), "more.conf ProxyPass /b balancer://c/b nofailover=on\n")},
		{"alone on its line", "X108", "10.1", "warning", pair(sticky+"\nProxySet nofailover=On", both(cluster))},
		{"continued line", "X108", "10.1", "warning", pair(sticky+" \\\n    nofailover=On", both(cluster))},
		{"two clusters", "X108", "10.1", "", pair(sticky+" nofailover=On", func(a, b *tomcatNode) { a.inside, b.inside = cluster, other })},
		{"one node without", "X108", "10.1", "", pair(sticky+" nofailover=On", func(a, _ *tomcatNode) { a.inside = cluster })},
		{"off", "X108", "10.1", "", pair(sticky+" nofailover=Off", both(cluster))},
		{"not distributable", "X108", "10.1", "", with(pair(sticky+" nofailover=On", both(cluster)), "app/WEB-INF/web.xml <web-app/>")},

		{"no cluster", "X109", "10.1", "info", pair(sticky, nil)},
		{"cluster", "X109", "10.1", "", pair(sticky, both(cluster))},
		{"sessions in a store", "X109", "10.1", "", with(pair(sticky, nil), `s1/context.xml <Context><Manager className="org.example.RedisSessionManager"/></Context>`)},
	} {
		v.files = join(v.files)
		t.Run(v.id+" "+v.name, v.check)
	}
}

// join puts what more.conf holds behind httpd.conf: a second file would be another httpd.
func join(files []string) []string {
	out, more := []string(nil), ""
	for _, f := range files {
		if text, ok := strings.CutPrefix(f, "more.conf "); ok {
			more += text
			continue
		}
		out = append(out, f)
	}
	for i, f := range out {
		if strings.HasPrefix(f, "httpd.conf ") {
			out[i] = f + more
		}
	}
	return out
}
