package parse

import (
	"os"
	"path/filepath"
	"testing"

	"clowder/parse/model"

	"golang.org/x/tools/txtar"
)

const serverXML = `<Server port="8005"><Service name="Catalina"><Connector port="8009" protocol="AJP/1.3"/>
<Engine name="Catalina" defaultHost="localhost" jvmRoute="a"><Host name="localhost"/></Engine></Service></Server>
`

// unpack writes the files of a txtar text below a new directory.
func unpack(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(text)).Files {
		p := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func mustLoad(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestDiscovery(t *testing.T) {
	dir := unpack(t, `
-- conf/httpd.conf --
Listen 80
-- conf/extra/vhosts.conf --
Listen 81
-- s1/conf/server.xml --
`+serverXML+`
-- s1/webapps/app/WEB-INF/web.xml --
<web-app><distributable/><session-config><session-timeout>5</session-timeout></session-config></web-app>
-- s2/server.xml --
`+serverXML+`
-- notes.xml --
<notes/>
-- .git/server.xml --
`+serverXML)
	r := mustLoad(t, Options{Paths: []string{dir}})
	if len(r.Setup.FrontEnds) != 1 || len(r.Setup.Nodes) != 2 {
		t.Fatalf("%d front ends, %d nodes", len(r.Setup.FrontEnds), len(r.Setup.Nodes))
	}
	if n := len(r.Setup.FrontEnds[0].Listens); n != 1 {
		t.Errorf("a file that no Include names was read: %d Listen", n)
	}
	s1 := r.Setup.Node("s1") // the folder conf is not the name
	if s1 == nil || r.Setup.Node("s2") == nil {
		t.Fatal("nodes are not named by their folders")
	}
	ctx := s1.Engine().Hosts[0].Contexts
	if len(ctx) != 1 || ctx[0].Path.V != "/app" || !ctx[0].Distributable.V || ctx[0].SessionTimeout.V != 5 {
		t.Errorf("web.xml did not reach its context: %+v", ctx)
	}
	if n := len(r.Setup.Node("s2").Engine().Hosts[0].Contexts); n != 0 {
		t.Errorf("the application of s1 is on s2 as well")
	}
}

func TestNothingFound(t *testing.T) {
	if _, err := Load(Options{Paths: []string{t.TempDir()}}); err == nil {
		t.Error("an empty directory is a setup")
	}
	if _, err := Load(Options{Paths: []string{filepath.Join(t.TempDir(), "no")}}); err == nil {
		t.Error("a missing path is a setup")
	}
}

// TestVersions: flags win over clowder.toml, which wins over signs in the files.
func TestVersions(t *testing.T) {
	const files = `
-- clowder.toml --
[versions]
httpd = "2.4.1"
s2 = "9.0"
-- httpd.conf --
LoadModule authz_default_module modules/mod_authz_default.so
-- s1/server.xml --
<Server><Listener className="org.apache.catalina.core.JasperListener"/></Server>
-- s2/server.xml --
` + serverXML
	tests := []struct {
		name          string
		o             Options
		httpd, s1, s2 model.String
	}{
		{"toml and signs", Options{}, model.String{V: "2.4.1", Origin: model.Written}, model.String{V: "7", Origin: model.Inferred}, model.String{V: "9.0", Origin: model.Written}},
		{"flags", Options{HTTPD: "2.2", Tomcat: map[string]string{"": "8.5", "s1": "7.0.23"}},
			model.String{V: "2.2", Origin: model.Written}, model.String{V: "7.0.23", Origin: model.Written}, model.String{V: "8.5", Origin: model.Written}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Paths = []string{unpack(t, files)}
			r := mustLoad(t, tt.o)
			check := func(what string, got, want model.String) {
				if got.V != want.V || got.Origin != want.Origin {
					t.Errorf("%s: got %s %s, want %s %s", what, got.V, got.Origin, want.V, want.Origin)
				}
			}
			check("httpd", r.Setup.FrontEnds[0].Version, tt.httpd)
			check("s1", r.Setup.Node("s1").Version, tt.s1)
			check("s2", r.Setup.Node("s2").Version, tt.s2)
		})
	}
	r := mustLoad(t, Options{Paths: []string{unpack(t, "-- httpd.conf --\nLoadModule authz_default_module modules/x.so\n")}})
	if v := r.Setup.FrontEnds[0].Version; v.V != "2.2" || v.Origin != model.Inferred || r.HTTPDDeclared {
		t.Errorf("signs: %+v, declared %v", v, r.HTTPDDeclared)
	}
}

func TestClassifyByContent(t *testing.T) {
	tests := []struct {
		path, text string
		want       Kind
	}{
		{"x/mysite", "Listen 80\n", HTTPDConf},
		{"tomcat-a.xml", "\xEF\xBB\xBF<?xml version='1.0'?><!-- <Context> --><!DOCTYPE Server [ <!ENTITY a 'b'> ]><Server port='1'/>", ServerXML},
		{"a.xml", "<?xml version='1.0'?>\n<Server port='1'><Context/></Server>", ServerXML},
		{"a.xml", "<Context path='/x'/>", ContextXML},
		{"w.xml", "<web-app/>", WebXML},
		{"catalina.properties", "", PropertiesFile},
		{"my.toml", "", ClowderTOML},
		{"u16.xml", "\xFF\xFE<\x00S\x00e\x00r\x00v\x00e\x00r\x00", ServerXML},
		{"other.xml", "<project/>", Unknown},
	}
	for _, tt := range tests {
		if got := classify(tt.path, []byte(tt.text)); got != tt.want {
			t.Errorf("%s %q: %v, want %v", tt.path, tt.text, got, tt.want)
		}
	}
}

func TestHostsAreInferredAndSaid(t *testing.T) {
	dir := unpack(t, `
-- httpd.conf --
<Proxy balancer://b>
  BalancerMember ajp://10.0.0.7:8009 route=a
</Proxy>
-- s1/server.xml --
`+serverXML)
	r := mustLoad(t, Options{Paths: []string{dir}})
	if h := r.Setup.Node("s1").Host; h.V != "10.0.0.7" || h.Origin != model.Inferred || h.Span.Begin().Line != 2 {
		t.Errorf("host %+v", h)
	}
	r = mustLoad(t, Options{Paths: []string{dir}, Hosts: map[string]string{"s1": "10.0.0.9"}})
	if h := r.Setup.Node("s1").Host; h.V != "10.0.0.9" || !h.IsWritten() {
		t.Errorf("declared host %+v", h)
	}
}
