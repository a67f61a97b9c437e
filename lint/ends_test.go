package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"clowder/lint"
	"clowder/parse"
)

const (
	ajpMember  = "<Proxy balancer://c>\n BalancerMember ajp://10.0.0.11:8009 route=s1 %s\n ProxySet stickysession=JSESSIONID\n</Proxy>\nProxyPass /app balancer://c/app\n"
	tlsServer  = "<VirtualHost *:443>\nServerName a\nSSLEngine on\n%s\n</VirtualHost>\n"
	toApp      = "ProxyPass /app http://10.0.0.11:8080/app\n"
	protoHTTPS = "RequestHeader set X-Forwarded-Proto https\n"
)

// nodeXML is a server.xml with the connector's attributes, children of the Engine and of the Host.
func nodeXML(connector, engine, host string) string {
	return fmt.Sprintf("<Server port=\"-1\"><Service name=\"Catalina\">\n<Connector %s/>\n<Engine name=\"Catalina\" defaultHost=\"localhost\" jvmRoute=\"s1\">\n%s\n"+
		"<Host name=\"localhost\" appBase=\"webapps\">\n%s\n</Host></Engine></Service></Server>\n", connector, engine, host)
}

func ajpTomcat(attrs string) string {
	return nodeXML(`port="8009" protocol="AJP/1.3" address="10.0.0.11" `+attrs, "", "")
}

func httpTomcat(attrs, engine string) string {
	return nodeXML(`port="8080" address="10.0.0.11" `+attrs, engine, "")
}

func ipValve(attrs string) string {
	return `<Valve className="org.apache.catalina.valves.RemoteIpValve" ` + attrs + `/>`
}

// webXML is the web.xml of /app with the given content.
func webXML(s string) string {
	return `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">` + s + `</web-app>`
}

const (
	confidential = `<security-constraint><web-resource-collection><web-resource-name>a</web-resource-name><url-pattern>/*</url-pattern></web-resource-collection><user-data-constraint><transport-guarantee> %s </transport-guarantee></user-data-constraint></security-constraint>`
	insecure     = `<session-config><cookie-config><secure>false</secure></cookie-config></session-config>`
)

// TestBothEnds tries spellings of both ends of one setup: which rules of the
// groups X4 to X7 fire, with their lines in the file that they are about.
func TestBothEnds(t *testing.T) {
	for _, c := range []struct {
		name, httpd, tomcat, web string
		toml                     string // clowder.toml
		want                     string // "ID file:line ..."
		o                        parse.Options
	}{
		{name: "secret quoted and with another case", httpd: fmt.Sprintf(ajpMember, `"secret=Ab"`), tomcat: ajpTomcat(`secret="ab"`), want: "X401 httpd.conf:2"},
		{name: "secret by Define", httpd: "Define S ab\n" + fmt.Sprintf(ajpMember, `secret=${S}`), tomcat: ajpTomcat(`secret="ab"`)},
		{name: "secret by Define differs", httpd: "Define S ac\n" + fmt.Sprintf(ajpMember, `secret=${S}`), tomcat: ajpTomcat(`secret="ab"`), want: "X401 httpd.conf:3"},
		{name: "secret of an unknown variable", httpd: fmt.Sprintf(ajpMember, `secret=${S}`), tomcat: ajpTomcat(`secret="ab"`)},
		{name: "secret of an unknown property", httpd: fmt.Sprintf(ajpMember, `secret=ab`), tomcat: ajpTomcat(`secret="${ajp.secret}"`)},
		{name: "no secret for a property", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`secret="${ajp.secret}"`), want: "X402 httpd.conf:2"},
		{name: "secret by ProxySet", httpd: "ProxyPass /app ajp://10.0.0.11:8009/app\nProxySet ajp://10.0.0.11:8009/app secret=ab\n", tomcat: ajpTomcat(`secret="ab"`)},
		{name: "plain worker", httpd: "ProxyPass /app ajp://10.0.0.11/app\n", tomcat: ajpTomcat(`secret="ab"`), want: "X402 httpd.conf:1"},
		{name: "secret though not required", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`secret="ab" secretRequired="false"`), want: "X402 httpd.conf:2"},
		{name: "blank secret", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`secret="" secretRequired="false"`)},
		{name: "httpd 2.2", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`secret="ab"`), want: "X403 httpd.conf:2", o: parse.Options{HTTPD: "2.2.21"}},
		{name: "httpd 2.4.41", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`secret="ab"`), want: "X403 httpd.conf:2", o: parse.Options{HTTPD: "2.4.41"}},
		{name: "httpd 2.4.42", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`secret="ab"`), want: "X402 httpd.conf:2", o: parse.Options{HTTPD: "2.4.42"}},
		{name: "secrets ported back", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`secret="ab"`), toml: "[lint]\nfeatures = [\"ajp-secret\"]\n", want: "X402 httpd.conf:2", o: parse.Options{HTTPD: "2.4.37"}},
		{name: "undeclared httpd", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`secret="ab"`), want: "X402 httpd.conf:2", o: parse.Options{Tomcat: map[string]string{"": "10.1"}}},
		{name: "old name in 9", httpd: fmt.Sprintf(ajpMember, ``), tomcat: ajpTomcat(`requiredSecret="ab"`), want: "X402 httpd.conf:2", o: parse.Options{HTTPD: "2.4", Tomcat: map[string]string{"": "9.0.65"}}},
		{name: "secret only in httpd", httpd: fmt.Sprintf(ajpMember, `secret=ab`), tomcat: ajpTomcat(`secretRequired="false"`), want: "X404 httpd.conf:2"},
		{name: "secret only in httpd, required", httpd: fmt.Sprintf(ajpMember, `secret=ab`), tomcat: ajpTomcat(``)},

		{name: "TLS in front of a Location", httpd: fmt.Sprintf(tlsServer, "<Location /app>\nProxyPass http://10.0.0.11:8080/app\n</Location>"), tomcat: httpTomcat("", ""), want: "X501 httpd.conf:5"},
		{name: "TLS with rewriting", httpd: fmt.Sprintf(tlsServer, "RewriteEngine On\nRewriteRule ^/app(.*)$ http://10.0.0.11:8080/app$1 [P,L]\nProxyPass /x http://10.0.0.11:8080/x"), tomcat: httpTomcat("", ""), want: "X501 httpd.conf:6"},
		{name: "TLS and a balancer of the main server", httpd: fmt.Sprintf("<Proxy balancer://c>\nBalancerMember http://10.0.0.11:8080\n</Proxy>\n"+tlsServer, "ProxyPass /app balancer://c/app"), tomcat: httpTomcat("", ""), want: "X501 httpd.conf:7"},
		{name: "TLS and everything in the main server", httpd: "Listen 443\nSSLEngine on\n" + toApp, tomcat: httpTomcat("", ""), want: "X501 httpd.conf:3"},
		{name: "inherited SSLEngine and mapping", httpd: "Listen 443\nSSLEngine on\n" + toApp + "<VirtualHost *:443>\nServerName a\n</VirtualHost>\n", tomcat: httpTomcat("", ""), want: "X501 httpd.conf:3"},
		{name: "no TLS at all", httpd: "Listen 80\n" + toApp, tomcat: httpTomcat("", "")},
		{name: "engine off", httpd: "Listen 443\nSSLEngine on\n<VirtualHost *:80>\nSSLEngine off\n" + toApp + "</VirtualHost>\n", tomcat: httpTomcat("", "")},
		{name: "fixed scheme", httpd: fmt.Sprintf(tlsServer, toApp), tomcat: httpTomcat(`scheme="https" secure="true" proxyPort="443"`, "")},
		{name: "header and valve of the Host", httpd: protoHTTPS + fmt.Sprintf(tlsServer, toApp), tomcat: nodeXML(`port="8080" address="10.0.0.11"`, "", ipValve(""))},
		{name: "header by expression", httpd: fmt.Sprintf(tlsServer, "RequestHeader setifempty X-Forwarded-Proto expr=%{REQUEST_SCHEME}\n"+toApp), tomcat: httpTomcat("", ipValve(""))},
		{name: "header by variable", httpd: fmt.Sprintf(tlsServer, "RequestHeader set x-forwarded-proto \"%{REQUEST_SCHEME}s\"\n"+toApp), tomcat: httpTomcat("", ipValve(`protocolHeader="x-forwarded-proto"`))},
		{name: "header in the Location", httpd: fmt.Sprintf(tlsServer, "<Location /app>\n"+protoHTTPS+"</Location>\n"+toApp), tomcat: httpTomcat("", ipValve(""))},
		{name: "header in another Location", httpd: fmt.Sprintf(tlsServer, "<Location /other>\n"+protoHTTPS+"</Location>\n"+toApp), tomcat: httpTomcat("", ipValve("")), want: "X501 httpd.conf:7"},
		{name: "header taken away", httpd: protoHTTPS + fmt.Sprintf(tlsServer, "RequestHeader unset X-Forwarded-Proto\n"+toApp), tomcat: httpTomcat("", ipValve("")), want: "X501 httpd.conf:6"},
		{name: "answer header does not count", httpd: fmt.Sprintf(tlsServer, "Header set X-Forwarded-Proto https\n"+toApp), tomcat: httpTomcat("", ipValve("")), want: "X501 httpd.conf:5"},
		{name: "filter in web.xml", httpd: fmt.Sprintf(tlsServer, protoHTTPS+toApp), tomcat: httpTomcat("", ""), web: webXML(`<filter><filter-name>f</filter-name><filter-class>org.apache.catalina.filters.RemoteIpFilter</filter-class></filter>`)},
		{name: "the application reads the headers", httpd: fmt.Sprintf(tlsServer, protoHTTPS+toApp), tomcat: httpTomcat("", ""), toml: "[lint]\nfeatures = [\"forwarded-by-app\"]\n"},
		{name: "https member", httpd: fmt.Sprintf(tlsServer, "SSLProxyEngine on\nProxyPass /app https://10.0.0.11:8080/app"), tomcat: httpTomcat(`SSLEnabled="true" scheme="https" secure="true"`, "")},
		{name: "port 443 switches mod_ssl on", httpd: "Listen 443\n<VirtualHost *:443>\nSSLCertificateFile a.crt\n" + toApp + "</VirtualHost>\n", tomcat: httpTomcat("", ""), want: "X501 httpd.conf:4"},

		{name: "network list", httpd: toApp, tomcat: httpTomcat("", ipValve(`internalProxies="10.0.0.0/24, 127.0.0.0/8"`)), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "10.0.0.5"}}},
		{name: "other network list", httpd: toApp, tomcat: httpTomcat("", ipValve(`internalProxies="10.1.0.0/24"`)), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "10.0.0.5"}}, want: "X502 server.xml:4"},
		{name: "trustedProxies", httpd: toApp, tomcat: httpTomcat("", ipValve(`internalProxies="192\.168\..*" trustedProxies="10\.0\.0\.5"`)), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "10.0.0.5"}}},
		{name: "part of the address", httpd: toApp, tomcat: httpTomcat("", ipValve(`internalProxies="10\.0\.0"`)), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "10.0.0.5"}}, want: "X502 server.xml:4"},
		{name: "public httpd", httpd: toApp, tomcat: httpTomcat("", ipValve(``)), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "203.0.113.5"}}, want: "X502 server.xml:4"},
		{name: "bound httpd", httpd: "ProxySourceAddress 10.0.0.9\n" + toApp, tomcat: httpTomcat("", ipValve(`internalProxies="10\.0\.0\.9"`)), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "10.0.0.5"}}},
		{name: "bound httpd elsewhere", httpd: "ProxySourceAddress 10.0.0.8\n" + toApp, tomcat: httpTomcat("", ipValve(`internalProxies="10\.0\.0\.9"`)), want: "X502 server.xml:4"},
		{name: "unknown httpd", httpd: toApp, tomcat: httpTomcat("", ipValve(`internalProxies="192\.168\..*"`))},
		{name: "loopback by name", httpd: "ProxyPass /app http://localhost:8080/app\n", tomcat: nodeXML(`port="8080" address="localhost"`, ipValve(`internalProxies="::1|0:0:0:0:0:0:0:1"`), "")},
		{name: "IPv6 httpd", httpd: toApp, tomcat: httpTomcat("", ipValve(`internalProxies="2001:db8:0:0:0:0:0:5"`)), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "2001:db8::5"}}},
		{name: "expression of Java", httpd: toApp, tomcat: httpTomcat("", ipValve(`internalProxies="(?!10)\d+"`)), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "10.0.0.5"}}},
		{name: "AJP needs no trust", httpd: fmt.Sprintf(ajpMember, "secret=a"), tomcat: nodeXML(`port="8009" protocol="AJP/1.3" address="10.0.0.11" secret="a"`, ipValve(`internalProxies="192\.168\..*"`), ""), o: parse.Options{HTTPD: "2.4", Hosts: map[string]string{"httpd": "10.0.0.5"}}},

		{name: "other header by default", httpd: fmt.Sprintf(tlsServer, "RequestHeader set X-Forwarded-Scheme https\n"+toApp), tomcat: httpTomcat("", ipValve(``)), want: "X503 server.xml:4"},
		{name: "other word", httpd: fmt.Sprintf(tlsServer, protoHTTPS+toApp), tomcat: httpTomcat("", ipValve(`protocolHeaderHttpsValue="on"`)), want: "X503 server.xml:4"},
		{name: "word on", httpd: fmt.Sprintf(tlsServer, "RequestHeader set X-Forwarded-SSL on\n"+toApp), tomcat: httpTomcat("", ipValve(`protocolHeader="x-forwarded-ssl" protocolHeaderHttpsValue="on"`))},
		{name: "client's address under another name", httpd: protoHTTPS + toApp, tomcat: httpTomcat("", ipValve(`remoteIpHeader="X-Forward-For"`)), want: "X503 server.xml:4"},
		{name: "client's address set by httpd", httpd: "RequestHeader set X-Real-IP %{REMOTE_ADDR}s\n" + toApp, tomcat: httpTomcat("", ipValve(`remoteIpHeader="x-real-ip"`))},
		{name: "client's address of a network in front", httpd: toApp, tomcat: httpTomcat("", ipValve(`remoteIpHeader="CF-Connecting-IP"`))},

		{name: "redirect of mod_alias comes too late", httpd: "<VirtualHost *:80>\nRedirect / https://a/\n" + toApp + "</VirtualHost>\n" + fmt.Sprintf(tlsServer, toApp), tomcat: httpTomcat(`scheme="https" secure="true"`, ""), want: "X504 server.xml:2"},
		{name: "plain host rewrites all", httpd: "<VirtualHost *:80>\nRewriteEngine on\nRewriteCond %{HTTPS} off\nRewriteRule ^/?(.*) https://%{HTTP_HOST}/$1 [R=301,L]\n" + toApp + "</VirtualHost>\n" + fmt.Sprintf(tlsServer, toApp), tomcat: httpTomcat(`scheme="https" secure="true"`, "")},
		{name: "plain host behind another TLS", httpd: "<VirtualHost *:80>\n" + protoHTTPS + toApp + "</VirtualHost>\n" + fmt.Sprintf(tlsServer, toApp), tomcat: httpTomcat(`scheme="https" secure="true"`, "")},
		{name: "only a plain host", httpd: "<VirtualHost *:80>\n" + toApp + "</VirtualHost>\n", tomcat: httpTomcat(`scheme="https" secure="true"`, "")},
		{name: "inherited by both", httpd: toApp + "<VirtualHost *:80>\n</VirtualHost>\n" + fmt.Sprintf(tlsServer, ""), tomcat: httpTomcat(`scheme="https" secure="true"`, ""), want: "X504 server.xml:2"},
		{name: "AJP with a fixed scheme", httpd: "<VirtualHost *:80>\nProxyPass / ajp://10.0.0.11:8009/ secret=a\n</VirtualHost>\n" + fmt.Sprintf(tlsServer, "ProxyPass / ajp://10.0.0.11:8009/ secret=a"), tomcat: ajpTomcat(`secret="a" scheme="https"`), want: "X504 server.xml:2"},

		{name: "INTEGRAL", httpd: fmt.Sprintf(tlsServer, toApp), tomcat: httpTomcat("", ""), web: webXML(fmt.Sprintf(confidential, "INTEGRAL")), want: "X505 web.xml:1"},
		{name: "NONE", httpd: fmt.Sprintf(tlsServer, protoHTTPS+toApp), tomcat: httpTomcat("", ipValve("")), web: webXML(fmt.Sprintf(confidential, "NONE"))},
		{name: "another application", httpd: fmt.Sprintf(tlsServer, "ProxyPass /other http://10.0.0.11:8080/other"), tomcat: httpTomcat("", ""), web: webXML(fmt.Sprintf(confidential, "CONFIDENTIAL")), want: "X501 httpd.conf:4 X701 httpd.conf:4"},
		{name: "CONFIDENTIAL by AJP", httpd: fmt.Sprintf(tlsServer, "ProxyPass /app ajp://10.0.0.11:8009/app secret=a"), tomcat: ajpTomcat(`secret="a"`), web: webXML(fmt.Sprintf(confidential, "CONFIDENTIAL"))},
		{name: "insecure cookie and plain host too", httpd: "<VirtualHost *:80>\n" + toApp + "</VirtualHost>\n" + fmt.Sprintf(tlsServer, protoHTTPS+toApp), tomcat: httpTomcat("", ipValve("")), web: webXML(insecure)},
		{name: "insecure cookie of a root mapping", httpd: fmt.Sprintf(tlsServer, protoHTTPS+"ProxyPass / http://10.0.0.11:8080/"), tomcat: httpTomcat("", ipValve("")), web: webXML(insecure), want: "X506 web.xml:1"},

		{name: "AJP without ttl", httpd: fmt.Sprintf(ajpMember, "secret=a"), tomcat: ajpTomcat(`secret="a" connectionTimeout="20000"`), want: "X601 httpd.conf:2"},
		{name: "keepAliveTimeout counts first", httpd: fmt.Sprintf(ajpMember, "secret=a ttl=60"), tomcat: ajpTomcat(`secret="a" connectionTimeout="20000" keepAliveTimeout="120000"`)},
		{name: "never closed", httpd: fmt.Sprintf(ajpMember, "secret=a"), tomcat: ajpTomcat(`secret="a" connectionTimeout="20000" keepAliveTimeout="-1"`)},
		{name: "ping", httpd: fmt.Sprintf(ajpMember, "secret=a ping=1"), tomcat: ajpTomcat(`secret="a" connectionTimeout="20000"`)},
		{name: "no reuse", httpd: fmt.Sprintf(ajpMember, "secret=a disablereuse=On"), tomcat: ajpTomcat(`secret="a" connectionTimeout="20000"`)},
		{name: "no keep-alive", httpd: "SetEnv proxy-nokeepalive 1\n" + fmt.Sprintf(ajpMember, "secret=a"), tomcat: ajpTomcat(`secret="a" connectionTimeout="20000"`)},
		{name: "HTTP with a long ttl", httpd: "ProxyPass /app http://10.0.0.11:8080/app ttl=30\n", tomcat: httpTomcat(`connectionTimeout="20000"`, ""), want: "X601 httpd.conf:1"},
		{name: "time of the member", httpd: "ProxyTimeout 90\nProxyPass /app http://10.0.0.11:8080/app timeout=20\n", tomcat: httpTomcat(`asyncTimeout="30000"`, ""), want: "X602 httpd.conf:2"},
		{name: "time of the virtual host", httpd: "ProxyTimeout 90\n<VirtualHost *:80>\nProxyTimeout 20\n" + toApp + "</VirtualHost>\n", tomcat: httpTomcat(`asyncTimeout="30000"`, ""), want: "X602 httpd.conf:3"},
		{name: "Timeout", httpd: "Timeout 20\n" + toApp, tomcat: httpTomcat(`asyncTimeout="30000"`, ""), want: "X602 httpd.conf:1"},
		{name: "default Timeout", httpd: toApp, tomcat: httpTomcat(`asyncTimeout="90000"`, ""), want: "X602 httpd.conf:1"},
		{name: "default Timeout of 2.2", httpd: toApp, tomcat: httpTomcat(`asyncTimeout="90000"`, ""), o: parse.Options{HTTPD: "2.2.21"}},
		{name: "connectionTimeout is no answer", httpd: "ProxyTimeout 10\n" + toApp, tomcat: httpTomcat(`connectionTimeout="60000"`, ""), want: "X601 httpd.conf:2"},
		{name: "MaxClients and an executor", httpd: "MaxClients 300\n" + toApp, tomcat: "<Server port=\"-1\"><Service name=\"C\"><Executor name=\"e\" maxThreads=\"100\"/><Connector port=\"8080\" address=\"10.0.0.11\" executor=\"e\" maxThreads=\"400\"/><Engine name=\"C\" defaultHost=\"l\"><Host name=\"l\"/></Engine></Service></Server>", want: "X603 httpd.conf:1"},
		{name: "max on the member", httpd: "MaxRequestWorkers 300\nProxyPass /app http://10.0.0.11:8080/app max=5\n", tomcat: httpTomcat(`maxThreads="100"`, "")},
		{name: "default maxThreads", httpd: "MaxRequestWorkers 3000\n" + toApp, tomcat: httpTomcat("", "")},
		{name: "default packet size of Tomcat", httpd: "ProxyIOBufferSize 65536\n" + fmt.Sprintf(ajpMember, "secret=a"), tomcat: ajpTomcat(`secret="a"`), want: "X604 httpd.conf:1"},
		{name: "default packet size of httpd", httpd: fmt.Sprintf(ajpMember, "secret=a"), tomcat: ajpTomcat(`secret="a" packetSize="65536"`), want: "X604 server.xml:2"},
		{name: "least packet size", httpd: "ProxyIOBufferSize 4096\n" + fmt.Sprintf(ajpMember, "secret=a"), tomcat: ajpTomcat(`secret="a" packetSize="8192"`)},
		{name: "buffer of the member", httpd: fmt.Sprintf(ajpMember, "secret=a iobuffersize=65536"), tomcat: ajpTomcat(`secret="a" packetSize="65536"`)},
		{name: "buffer of the member alone", httpd: fmt.Sprintf(ajpMember, "secret=a iobuffersize=65536"), tomcat: ajpTomcat(`secret="a"`), want: "X604 httpd.conf:2"},
		{name: "buffer of the member in an old httpd", httpd: fmt.Sprintf(ajpMember, "secret=a iobuffersize=65536"), tomcat: ajpTomcat(`secret="a"`), o: parse.Options{HTTPD: "2.4.62"}},
		{name: "buffer of HTTP", httpd: "ProxyIOBufferSize 65536\n" + toApp, tomcat: httpTomcat("", "")},

		{name: "application by its docBase", httpd: "ProxyPass /shop http://10.0.0.11:8080/shop\n", tomcat: strings.Replace(nodeXML(`port="8080" address="10.0.0.11"`, "", `<Context docBase="shop.war"/>`), `appBase="webapps"`, `autoDeploy="false" deployOnStartup="false"`, 1)},
		{name: "part of a name", httpd: "ProxyPass /application http://10.0.0.11:8080/application\n", tomcat: strings.Replace(nodeXML(`port="8080" address="10.0.0.11"`, "", `<Context path="/app" docBase="a"/>`), `appBase="webapps"`, `autoDeploy="false" deployOnStartup="false"`, 1), want: "X701 httpd.conf:1"},
		{name: "deployed by itself", httpd: "ProxyPass /shop http://10.0.0.11:8080/shop\n", tomcat: nodeXML(`port="8080" address="10.0.0.11"`, "", `<Context path="/app" docBase="a"/>`)},
		{name: "manager through the root", httpd: "ProxyPass / http://10.0.0.11:8080/\n", tomcat: nodeXML(`port="8080" address="10.0.0.11"`, "", `<Context path="/manager" docBase="a"/>`), want: "X702 httpd.conf:1"},
		{name: "manager closed by httpd", httpd: "<Location /manager>\nRequire ip 10.0.0.0/8\n</Location>\nProxyPass / http://10.0.0.11:8080/\n", tomcat: nodeXML(`port="8080" address="10.0.0.11"`, "", `<Context path="/manager" docBase="a"/>`)},
		{name: "manager not mapped", httpd: toApp, tomcat: nodeXML(`port="8080" address="10.0.0.11"`, "", `<Context path="/manager" docBase="a"/>`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.o.HTTPD == "" && c.o.Tomcat == nil {
				c.o.HTTPD = "2.4"
			}
			if c.o.Tomcat == nil {
				c.o.Tomcat = map[string]string{"": "10.1"}
			}
			files := []lint.ExampleFile{{Name: "httpd.conf", Text: c.httpd}, {Name: "s1/server.xml", Text: c.tomcat}}
			if c.web != "" {
				files = append(files, lint.ExampleFile{Name: "s1/webapps/app/WEB-INF/web.xml", Text: c.web})
			}
			if c.toml != "" {
				files = append(files, lint.ExampleFile{Name: "clowder.toml", Text: c.toml})
			}
			var got []string
			for _, d := range lintFiles(t, files, c.o) {
				if d.ID >= "X4" {
					got = append(got, fmt.Sprintf("%s %s", d.ID, d.Span.Short()[strings.LastIndexByte(d.Span.Short(), '/')+1:]))
					t.Log(d.ID, d.Message)
				}
			}
			slices.Sort(got)
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}
