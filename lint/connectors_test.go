package lint_test

import (
	"path/filepath"
	"strings"
	"testing"

	"clowder/lint"
	"clowder/parse"
	"clowder/parse/diag"
)

// server is a server.xml with the connectors and the inside of its Engine, which
// has the attributes of engine beside name and defaultHost.
func server(connectors, engine, inside string) string {
	return "<Server port=\"-1\"><Service name=\"Catalina\">\n" + connectors + "\n<Engine name=\"Catalina\" defaultHost=\"localhost\"" + engine +
		">\n" + inside + "<Host name=\"localhost\" appBase=\"webapps\"/>\n</Engine></Service></Server>\n"
}

// variant is one setup and what a rule says about it: "" for nothing, else the
// levels of its findings.
type variant struct {
	name, id, tomcat string
	want             string
	files            []string // "NAME TEXT"
}

func (v *variant) check(t *testing.T) {
	var files []lint.ExampleFile
	for _, f := range v.files {
		name, text, _ := strings.Cut(f, " ")
		files = append(files, lint.ExampleFile{Name: name, Text: text})
	}
	o := parse.Options{HTTPD: "2.4"}
	if v.tomcat != "" {
		o.Tomcat = map[string]string{"": v.tomcat}
	}
	var got []string
	edits := map[string][]diag.Edit{}
	for _, d := range lintFiles(t, files, o) {
		if d.ID == v.id {
			got = append(got, d.Severity.String())
			if strings.Contains(d.Message, "hush-hush") {
				t.Errorf("tells the secret: %s", d.Message)
			}
			if d.Span.File == nil || d.Span.Text() == "" {
				t.Errorf("no place: %s", d.Message)
			}
			if v.id[0] == 'X' && len(d.Related) == 0 {
				t.Errorf("no second place: %s", d.Message)
			}
			for i, f := range d.Fixes {
				for _, e := range f.Edits {
					if i == 0 {
						edits[e.Span.File.Name] = append(edits[e.Span.File.Name], e)
					}
					if strings.Contains(e.New, "hush-hush") {
						t.Errorf("tells the secret: %s", e.New)
					}
				}
			}
		}
	}
	if s := strings.Join(got, " "); s != v.want {
		t.Errorf("got %q, want %q", s, v.want)
	}
	if len(edits) == 0 {
		return
	}
	for i, f := range files {
		for path, list := range edits {
			if strings.HasSuffix(filepath.ToSlash(path), "/001/"+f.Name) {
				files[i].Text = string(apply([]byte(f.Text), list))
			}
		}
	}
	for _, d := range lintFiles(t, files, o) {
		if d.ID == v.id && len(d.Fixes) > 0 || d.ID == "T001" || d.ID == "H001" {
			t.Errorf("after the fix: %s %s", d.ID, d.Message)
		}
	}
}

func TestConnectorVariants(t *testing.T) {
	conn := func(attrs string) []string { return []string{"server.xml " + server("<Connector "+attrs+"/>", "", "")} }
	remote := `<Valve className="org.apache.catalina.valves.RemoteIpValve"/>`
	const ajp = `port="8009" protocol="AJP/1.3" `
	for _, v := range []variant{
		{"every address", "T502", "10.1", "error", conn(ajp + `address="0.0.0.0" secretRequired="false"`)},
		{"every IPv6 address", "T502", "9.0", "error", conn(ajp + `address="::" secretRequired="false"`)},
		{"public address", "T502", "11.0", "error", conn(ajp + `address="203.0.113.9" secretRequired="FALSE"`)},
		{"private address", "T502", "10.1", "warning", conn(ajp + `address="10.0.0.11" secretRequired="false"`)},
		{"private IPv6 address", "T502", "10.1", "warning", conn(ajp + `address="[fd00::5]" secretRequired="false"`)},
		{"class name of the protocol", "T502", "10.1", "error", conn(`port="8009" protocol="org.apache.coyote.ajp.AjpNioProtocol" address="0.0.0.0" secretRequired="false" secret=" "`)},
		{"undeclared version", "T502", "", "error", conn(ajp + `address="0.0.0.0" secretRequired="false"`)},
		{"loopback by default", "T502", "10.1", "", conn(ajp + `secretRequired="false"`)},
		{"empty address", "T502", "10.1", "", conn(ajp + `address="" secretRequired="false"`)},
		{"loopback by name", "T502", "10.1", "", conn(ajp + `address="localhost" secretRequired="false"`)},
		{"IPv6 loopback", "T502", "10.1", "", conn(ajp + `address="::1" secretRequired="false"`)},
		{"with a secret", "T502", "10.1", "", conn(ajp + `address="0.0.0.0" secret="hush-hush" secretRequired="false"`)},
		{"every address and a member on loopback", "T502", "10.1", "error", append(conn(ajp+`address="0.0.0.0" secretRequired="false"`), `httpd.conf ProxyPass "/a" "ajp://127.0.0.1:8009/a"`)},
		{"does not start", "T502", "10.1", "", conn(ajp + `address="0.0.0.0"`)},
		{"unknown address", "T502", "10.1", "", conn(ajp + `address="${a}" secretRequired="false"`)},
		{"old version, no address", "T502", "9.0.30", "info", conn(ajp)},
		{"HTTP", "T502", "10.1", "", conn(`port="8080" address="0.0.0.0" secretRequired="false"`)},
		{"secretRequired by property", "T501", "10.1", "", conn(ajp + `secretRequired="${ajp.strict}"`)},

		{"old name in 11", "T503", "11.0", "error", conn(ajp + `requiredSecret="hush-hush"`)},
		{"old name beside the new one in 11", "T503", "11.0", "warning", conn(ajp + `requiredSecret="hush-hush" secret="hush-hush"`)},
		{"old name in 9.0.31", "T503", "9.0.31", "warning", conn(ajp + `requiredSecret="hush-hush"`)},
		{"the only name in 9.0.30", "T503", "9.0.30", "", conn(ajp + `requiredSecret="hush-hush"`)},
		{"the flag", "T503", "10.1", "", conn(ajp + `secret="hush-hush" secretRequired="true"`)},
		{"not AJP", "T503", "10.1", "", conn(`port="8080" requiredSecret="hush-hush"`)},

		{"any name", "T504", "10.1", "warning", conn(ajp + `secret="x" allowedRequestAttributesPattern="(?s).+"`)},
		{"possessive", "T504", "9.0", "warning", conn(ajp + `secret="x" allowedRequestAttributesPattern=".*+"`)},
		{"a family", "T504", "10.1", "", conn(ajp + `secret="x" allowedRequestAttributesPattern="AJP_.*"`)},
		{"unknown", "T504", "10.1", "", conn(ajp + `secret="x" allowedRequestAttributesPattern="${p}"`)},

		{"HTTP by intention", "T505", "10.1", "", conn(`port="8009" protocol="HTTP/1.1"`)},
		{"TLS", "T505", "10.1", "", conn(`port="8009" SSLEnabled="true"`)},
		{"offset", "T505", "10.1", "warning", []string{`server.xml <Server port="-1" portOffset="100"><Service name="a"><Connector port="8009"/></Service></Server>`}},
		{"http member", "T505", "10.1", "", append(conn(`port="8009"`), `httpd.conf ProxyPass "/a" "http://localhost:8009/a"`)},
		{"ajp member", "T505", "10.1", "", append(conn(`port="8009"`), `httpd.conf ProxyPass "/a" "ajp://localhost:8009/a"`)},

		{"other case", "T506", "10.1", "warning", []string{"server.xml " + server(`<Executor name="Pool"/><Connector port="8080" executor="pool"/>`, "", "")}},
		{"behind", "T506", "10.1", "warning", []string{"server.xml " + server(`<Connector port="8080" executor="pool"/><Executor name="pool"/>`, "", "")}},
		{"limits twice", "T506", "10.1", "info", []string{"server.xml " + server(`<Executor name="pool"/><Connector port="8080" executor="pool" maxThreads="9"/>`, "", "")}},
		{"of another service", "T506", "10.1", "warning", []string{`server.xml <Server port="-1"><Service name="a"><Executor name="p"/></Service><Service name="b"><Connector port="8080" executor="p"/></Service></Server>`}},
		{"unknown name", "T506", "10.1", "", conn(`port="8080" executor="${pool}"`)},

		{"https only", "T507", "10.1", "warning", conn(`port="8080" scheme="https" secure="false"`)},
		{"secure only", "T507", "10.1", "warning", conn(`port="8080" secure="true"`)},
		{"TLS sets both", "T507", "10.1", "", conn(`port="8443" SSLEnabled="true"`)},
		{"TLS and half of it", "T507", "10.1", "info", conn(`port="8443" SSLEnabled="true" scheme="https"`)},
		{"AJP", "T507", "10.1", "info", conn(ajp + `secret="x" scheme="https"`)},
		{"by property", "T507", "10.1", "", conn(`port="8080" scheme="https" secure="${s}"`)},
		{"said by T508", "T507", "10.1", "", conn(`port="8080" secure="true" proxyPort="443"`)},

		{"plain port and https", "T508", "10.1", "warning", conn(`port="8080" scheme="https" secure="true" proxyPort="80"`)},
		{"TLS port of an application server", "T508", "10.1", "warning", conn(`port="8080" proxyPort="8443"`)},
		{"own TLS", "T508", "10.1", "", conn(`port="8443" SSLEnabled="true" proxyPort="443"`)},
		{"RemoteIpValve", "T508", "10.1", "", []string{"server.xml " + server(`<Connector port="8080" proxyPort="443"/>`, "", remote)}},
		{"any other port", "T508", "10.1", "", conn(`port="8080" proxyPort="9443"`)},
		{"AJP tells the scheme", "T508", "10.1", "info", conn(ajp + `secret="x" proxyPort="443"`)},

		{"too large", "T509", "10.1", "warning", conn(ajp + `secret="x" packetSize="65537"`)},
		{"largest", "T509", "10.1", "", conn(ajp + `secret="x" packetSize="65536"`)},
		{"smallest", "T509", "10.1", "", conn(ajp + `secret="x" packetSize="8192"`)},
		{"zero", "T509", "10.1", "warning", conn(ajp + `secret="x" packetSize="0"`)},
		{"HTTP has none", "T509", "10.1", "", conn(`port="8080" packetSize="1"`)},
	} {
		t.Run(v.id+" "+v.name, v.check)
	}
}

func TestEngineVariants(t *testing.T) {
	engine := func(attrs, inside string) string {
		return "server.xml " + server(`<Connector port="8080"/>`, attrs, inside)
	}
	valve := func(attrs string) string {
		return engine("", `<Valve className="org.apache.catalina.valves.RemoteIpValve" `+attrs+"/>")
	}
	const cluster = `<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"/>`
	const none = `context.xml <Context><CookieProcessor sameSiteCookies="None"/></Context>`
	const front = "httpd.conf Listen 80\n"
	for _, v := range []variant{
		{"no route", "T601", "10.1", "warning", []string{engine("", cluster)}},
		{"empty route", "T601", "10.1", "warning", []string{engine(` jvmRoute=""`, cluster)}},
		{"route by property", "T601", "10.1", "", []string{engine(` jvmRoute="${n}"`, cluster)}},
		{"cluster of a host", "T601", "10.1", "warning", []string{`server.xml <Server port="-1"><Service name="a"><Engine name="a" defaultHost="h"><Host name="h">` + cluster + `</Host></Engine></Service></Server>`}},
		{"not clustered", "T601", "10.1", "", []string{engine("", "")}},
		{"beside httpd", "T601", "10.1", "", []string{engine("", cluster), front}},
		{"route of a script", "T601", "9.0", "", []string{engine("", cluster), "bin/setenv.sh export CATALINA_OPTS=\"-Xmx1g -DjvmRoute=s1\"\n"}},
		{"property is not read", "T601", "10.1", "", []string{engine("", cluster), "bin/setenv.sh export CATALINA_OPTS=\"-Xmx1g -DjvmRoute=s1\"\n"}},

		{"an alias", "T602", "10.1", "", []string{`server.xml <Server port="-1"><Service name="a"><Engine name="a" defaultHost="www"><Host name="h"><Alias>WWW</Alias></Host></Engine></Service></Server>`}},
		{"no defaultHost", "T602", "10.1", "error", []string{`server.xml <Server port="-1"><Service name="a"><Engine name="a"><Host name="h"/></Engine></Service></Server>`}},
		{"no host", "T602", "10.1", "error", []string{`server.xml <Server port="-1"><Service name="a"><Engine name="a" defaultHost="h"/></Service></Server>`}},
		{"placeholder", "T602", "10.1", "", []string{`server.xml <Server port="-1"><Service name="a"><Engine name="a" defaultHost="h"><Host name="#HOST#"/></Engine></Service></Server>`}},
		{"host by property", "T602", "10.1", "", []string{`server.xml <Server port="-1"><Service name="a"><Engine name="a" defaultHost="h"><Host name="${h}"/></Engine></Service></Server>`}},

		{"nothing known", "T603", "10.1", "warning", []string{none}},
		{"plain HTTP", "T603", "10.1", "error", []string{engine("", ""), none}},
		{"secure cookies", "T603", "10.1", "", []string{engine("", ""), none, `web.xml <web-app><session-config><cookie-config><secure>true</secure></cookie-config></session-config></web-app>`}},
		{"secure cookies of the application", "T603", "10.1", "", []string{engine("", ""), none, `app/WEB-INF/web.xml <web-app><session-config><cookie-config><secure>true</secure></cookie-config></session-config></web-app>`}},
		{"secure connector", "T603", "10.1", "", []string{"server.xml " + server(`<Connector port="8080" scheme="https" secure="true"/>`, "", ""), none}},
		{"RemoteIpValve", "T603", "10.1", "", []string{valve(""), none}},
		{"AJP behind TLS", "T603", "10.1", "", []string{"server.xml " + server(`<Connector port="8009" protocol="AJP/1.3" secret="x"/>`, "", ""), none,
			"httpd.conf <VirtualHost *:443>\nSSLEngine on\nProxyPass / ajp://localhost:8009/\n</VirtualHost>\n"}},
		{"AJP behind plain HTTP", "T603", "10.1", "error", []string{"server.xml " + server(`<Connector port="8009" protocol="AJP/1.3" secret="x"/>`, "", ""), none,
			"httpd.conf <VirtualHost *:80>\nProxyPass / ajp://localhost:8009/\n</VirtualHost>\n"}},
		{"AJP alone", "T603", "10.1", "warning", []string{"server.xml " + server(`<Connector port="8009" protocol="AJP/1.3" secret="x"/>`, "", ""), none}},
		{"balancer of the main server behind TLS", "T603", "10.1", "", []string{"server.xml " + server(`<Connector port="8009" protocol="AJP/1.3" secret="x"/>`, "", ""), none,
			"httpd.conf <Proxy balancer://c>\nBalancerMember ajp://localhost:8009\n</Proxy>\n<VirtualHost *:443>\nSSLEngine on\nProxyPass / balancer://c/\n</VirtualHost>\n"}},

		{"any value but true", "T604", "10.1", "warning", []string{`context.xml <Context useHttpOnly="no"/>`}},
		{"inside server.xml", "T604", "10.1", "warning", []string{`server.xml <Server port="-1"><Service name="a"><Engine name="a" defaultHost="h"><Host name="h"><Context path="/a" useHttpOnly="false"/></Host></Engine></Service></Server>`}},
		{"in web.xml", "T604", "10.1", "warning", []string{`web.xml <web-app><session-config><cookie-config><http-only>false</http-only></cookie-config></session-config></web-app>`}},
		{"web.xml says true", "T604", "10.1", "", []string{`app/META-INF/context.xml <Context useHttpOnly="false"/>`, `app/WEB-INF/web.xml <web-app><session-config><cookie-config><http-only>true</http-only></cookie-config></session-config></web-app>`}},
		{"by property", "T604", "10.1", "", []string{`context.xml <Context useHttpOnly="${h}"/>`}},

		{"all of IPv4", "T605", "10.1", "error", []string{valve(`internalProxies="\d+\.\d+\.\d+\.\d+"`)}},
		{"all of IPv6", "T605", "10.1", "error", []string{valve(`trustedProxies="[0-9a-f:]+"`)}},
		{"trusted", "T605", "10.1", "error", []string{valve(`trustedProxies=".+"`)}},
		{"in a context file", "T605", "10.1", "error", []string{`context.xml <Context><Valve className="org.apache.catalina.valves.RemoteIpValve" internalProxies=".*"/></Context>`}},
		{"default", "T605", "10.1", "", []string{valve("")}},
		{"private networks", "T605", "10.1", "", []string{valve(`internalProxies="10\.\d{1,3}\.\d{1,3}\.\d{1,3}|192\.168\..*|fe[89ab]\p{XDigit}:.*|f[cd]\p{XDigit}{2}+:.*"`)}},
		{"one public address", "T605", "10.1", "", []string{valve(`internalProxies="203\.0\.113\.77"`)}},
		{"networks in 11", "T605", "11.0", "error", []string{valve(`internalProxies="10.0.0.0/8, 0.0.0.0/0"`)}},

		{"log of the engine's host", "T606", "10.1", "info", []string{engine("", `<Valve className="org.apache.catalina.valves.RemoteIpValve"/><Valve className="org.apache.catalina.valves.AccessLogValve"/>`)}},
		{"log without address", "T606", "10.1", "", []string{engine("", `<Valve className="org.apache.catalina.valves.RemoteIpValve"/><Valve className="org.apache.catalina.valves.AccessLogValve" pattern="%{X-Forwarded-For}i %r"/>`)}},
		{"log without valve", "T606", "10.1", "", []string{engine("", `<Valve className="org.apache.catalina.valves.AccessLogValve"/>`)}},

		{"secrets", "T607", "10.1", "info info", []string{"server.xml " + server(`<Connector port="8009" protocol="AJP/1.3" secret="hush-hush"/>`, "",
			`<Cluster className="org.apache.catalina.ha.tcp.SimpleTcpCluster"><Channel><Interceptor className="org.apache.catalina.tribes.group.interceptors.EncryptInterceptor" encryptionKey="hush-hush"/></Channel></Cluster>`)}},
		{"secret by property", "T607", "10.1", "", []string{"server.xml " + server(`<Connector port="8009" protocol="AJP/1.3" secret="${s}"/>`, "", "")}},

		{"security manager of a script", "T608", "11.0", "info", []string{engine("", ""), "bin/setenv.sh JAVA_OPTS=-Djava.security.policy=x\n"}},
		{"security manager before 11", "T608", "10.1", "", []string{engine("", ""), "bin/setenv.sh JAVA_OPTS=-Djava.security.policy=x\n"}},

		{"batch file", "T609", "10.1", "error", []string{engine("", ""), "bin/setenv.bat rem -DjvmRoute=x\r\nset \"CATALINA_OPTS=%CATALINA_OPTS% -DjvmRoute=s1\"\r\n"}},
		{"unit", "T609", "11.0", "error", []string{engine("", ""), "tomcat.service [Service]\nEnvironment=\"CATALINA_OPTS=-Xmx1g -DjvmRoute=s1\"\n"}},
		{"variable", "T609", "10.1", "error", []string{engine("", ""), "bin/setenv.sh JAVA_OPTS=\"$JAVA_OPTS -DjvmRoute=$HOSTNAME\"\n"}},
		{"undeclared", "T609", "", "warning", []string{engine("", ""), "bin/setenv.sh JAVA_OPTS=-DjvmRoute=s1\n"}},
		{"comment", "T609", "10.1", "", []string{engine("", ""), "bin/setenv.sh # JAVA_OPTS=-DjvmRoute=s1\nJAVA_OPTS=-Xmx1g\n"}},
		{"the Engine takes it", "T609", "10.1", "", []string{engine(` jvmRoute="${jvmRoute}"`, ""), "bin/setenv.sh JAVA_OPTS=-DjvmRoute=s1\n"}},
	} {
		t.Run(v.id+" "+v.name, v.check)
	}
}
