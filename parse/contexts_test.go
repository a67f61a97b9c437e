package parse

import (
	"path/filepath"
	"strings"
	"testing"
)

const contextServer = `<Server port="8005"><Service name="Catalina"><Connector port="${http}" protocol="HTTP/1.1"/>
<Engine name="Catalina" defaultHost="localhost" jvmRoute="${route:-r0}"><Host name="localhost">
<Context path="/old" sessionCookieName="OLD" override="true"/>%s</Host><Host name="other"/></Engine></Service></Server>
`

func TestContextPrecedence(t *testing.T) {
	dir := unpack(t, `
-- t1/conf/server.xml --
`+strings.Replace(contextServer, "%s", "", 1)+`
-- t1/conf/context.xml --
<Context sessionCookieName="GLOBAL" sessionCookieDomain="global" sessionCookiePath="/global"><WatchedResource>WEB-INF/web.xml</WatchedResource><Manager pathname=""/></Context>
-- t1/conf/web.xml --
<web-app><distributable/><session-config><session-timeout>7</session-timeout><cookie-config><name>WEB</name></cookie-config></session-config></web-app>
-- t1/conf/Catalina/localhost/context.xml.default --
<Context sessionCookieDomain="host" sessionCookiePath="/host"/>
-- t1/conf/Catalina/localhost/shop#a##2.xml --
<Context sessionCookiePath="/own" docBase="/srv/shop"/>
-- t1/webapps/plain/META-INF/context.xml --
<Context sessionCookieName="PLAIN"/>
-- t1/webapps/plain/WEB-INF/web.xml --
<web-app><distributable/><session-config><session-timeout>5</session-timeout></session-config></web-app>
-- t1/webapps/shop#a/META-INF/context.xml --
<Context sessionCookieName="IGNORED"/>
`)
	r := mustLoad(t, Options{Paths: []string{dir}})
	n := r.Setup.Node("t1")
	if n == nil || len(r.Diags) != 1 || r.Diags[0].ID != "T008" { // ${http} alone
		t.Fatalf("node %v, findings %v", n, r.Diags)
	}
	type want struct {
		cookie, domain, path  string
		timeout               int
		distributable, manage bool
	}
	tests := map[string]want{
		"/old":    {"OLD", "", "", 7, false, false},
		"/shop/a": {"GLOBAL", "host", "/own", 7, false, true},
		"/plain":  {"PLAIN", "host", "/host", 5, true, true},
	}
	h := n.Engine().Hosts[0]
	if len(h.Contexts) != len(tests) {
		t.Errorf("%d contexts", len(h.Contexts))
	}
	for _, c := range h.Contexts {
		got := want{c.CookieName.V, c.CookieDomain.V, c.CookiePath.V, c.SessionTimeout.V, c.Distributable.V, c.Manager != nil}
		if got != tests[c.Path.V] {
			t.Errorf("%s: got %+v, want %+v", c.Path.V, got, tests[c.Path.V])
		}
		if len(c.Extras) != 0 {
			t.Errorf("%s: extras %v", c.Path.V, c.Extras)
		}
	}
	other := n.Engine().Hosts[1].Contexts // none is known: the root application has the defaults
	if len(other) != 1 || other[0].Path.V != "" || other[0].CookieName.V != "GLOBAL" || other[0].SessionTimeout.V != 7 {
		t.Errorf("defaults of a host without applications: %+v", other)
	}
}

func TestProperties(t *testing.T) {
	t.Setenv("route", "fromenv")
	server := "\n-- a/server.xml --\n" + strings.Replace(contextServer, "%s", "", 1)
	tests := []struct {
		name, properties string
		defines          []string
		route            string
	}{
		{"the environment is no source", "", nil, "r0"},
		{"the environment is the source", "org.apache.tomcat.util.digester.PROPERTY_SOURCE=org.apache.tomcat.util.digester.EnvironmentPropertySource\nroute=file", nil, "fromenv"},
		{"the file", "route=file", nil, "file"},
		{"a definition", "", []string{"route=defined", "PLAIN"}, "defined"},
		{"the file sets system properties last", "route=file", []string{"route=defined"}, "file"},
	}
	for _, tt := range tests {
		dir := unpack(t, "-- a/catalina.properties --\nx=y\n"+tt.properties+server)
		n := mustLoad(t, Options{Paths: []string{dir}, Defines: tt.defines}).Setup.Nodes[0]
		if got := n.Engine().JVMRoute.V; got != tt.route {
			t.Errorf("%s: route %q, want %q", tt.name, got, tt.route)
		}
		if got := n.Connectors()[0].Port; got.V == 0 && got.IsWritten() {
			t.Errorf("%s: an unknown property became port %d", tt.name, got.V)
		}
	}
}

func TestEntityFilesAreFilesOfTheSetup(t *testing.T) {
	dir := unpack(t, `
-- s1/server.xml --
<!DOCTYPE Server [<!ENTITY con SYSTEM "part/connector.xml"><!ENTITY out SYSTEM "../out.xml">]>
<Server port="8005"><Service name="Catalina">&con;&out;<Engine name="Catalina" defaultHost="localhost"><Host name="localhost"/></Engine></Service></Server>
-- s1/part/connector.xml --
<Connector port="99999" protocol="AJP/1.3"/>
-- out.xml --
<Connector port="1"/>
`)
	r := mustLoad(t, Options{Paths: []string{dir}})
	var ids []string
	for _, d := range r.Diags {
		ids = append(ids, d.ID+" "+filepath.Base(d.Span.File.Name))
	}
	if got := strings.Join(ids, ", "); got != "T001 server.xml, T006 connector.xml" {
		t.Errorf("findings %s: %v", got, r.Diags)
	}
	if n := len(r.Setup.Nodes[0].Connectors()); n != 1 {
		t.Errorf("%d connectors", n)
	}
}

func TestDebianVariables(t *testing.T) {
	t.Setenv("APACHE_LOG_DIR", "/elsewhere")
	dir := unpack(t, "-- etc/apache2/apache2.conf --\nErrorLog ${APACHE_LOG_DIR}/e\n-- etc/apache2/envvars --\n-- plain/apache2.conf --\nListen 80\n")
	env := environment(filepath.Join(dir, "etc/apache2/apache2.conf"))
	if v, _ := env("APACHE_LOG_DIR"); v != "/elsewhere" {
		t.Errorf("a variable that is set is replaced by %q", v)
	}
	if v, _ := env("APACHE_RUN_USER"); v != "www-data" {
		t.Errorf("APACHE_RUN_USER is %q", v)
	}
	if isDebian(filepath.Join(dir, "plain/apache2.conf")) {
		t.Error("a file without Debian's folders is taken for Debian's")
	}
}
