package httpd

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"clowder/parse/diag"
)

func lowerText(t *testing.T, files map[string]string) (*Config, diag.List) {
	t.Helper()
	m := fstest.MapFS{}
	for name, text := range files {
		m["r/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	rel := func(p string) string { return strings.TrimPrefix(p, "/") }
	return Load(diag.NewFile("/r/httpd.conf", []byte(files["httpd.conf"])), Options{
		Open:    func(p string) ([]byte, error) { return m.ReadFile(rel(p)) },
		ReadDir: func(p string) ([]fs.DirEntry, error) { return m.ReadDir(rel(p)) },
		Stat:    func(p string) (os.FileInfo, error) { return m.Stat(rel(p)) },
	})
}

// TestLowerWholeSetup walks through includes, a macro, a variable, a virtual
// host and the places of what comes out.
func TestLowerWholeSetup(t *testing.T) {
	c, diags := lowerText(t, map[string]string{
		"httpd.conf": `ServerRoot "D:\Apache"
Listen 127.0.0.1:8080 http
LoadModule proxy_module modules/mod_proxy.so
LoadModule authz_host_module modules/mod_authz_host.so
<IfModule mod_proxy.c>
Include conf/*.conf
</IfModule>
<IfModule mod_ssl.c>
SSLEngine on
</IfModule>
`,
		"conf/a.conf": `Define HOST 10.0.0.1
<Macro Member $port $route>
  BalancerMember ajp://${HOST}:$port route=$route ping=500ms
</Macro>
<VirtualHost *:80 [::1]:81>
  ProxyHCTemplate tpl hcmethod=GET hcinterval=5
  ServerName a.example
  ServerAlias b.example c.example
  <Proxy balancer://c lbmethod=bytraffic>
    Use Member 8009 s1
    Use Member 8010 s2
    BalancerMember ajp://10.0.0.1:8009 route=twice hctemplate=tpl
    ProxySet stickysession=S timeout=3
  </Proxy>
  ProxyPass /m !
  ProxyPassMatch ^/x(.*) http://h:1/$1 retry=0
  <Location /app>
    ProxyPass balancer://C/app nofailover=On
    ProxyPassReverse balancer://c/app
    Header always set X-A "b c" env=Y
    <RequireAll>
      Require ip 10.0.0.0/8
      Require not host bad.example
    </RequireAll>
  </Location>
  SSLRandomSeed startup builtin
</VirtualHost>
`,
	})
	fe, unmapped, more := Lower(c)
	if diags = append(diags, more...); len(diags) > 0 {
		t.Fatalf("findings: %v", diags)
	}
	if len(fe.Listens) != 1 || fe.Listens[0].Port.V != 8080 || fe.Listens[0].Address.V != "127.0.0.1" {
		t.Errorf("Listen: %+v", fe.Listens)
	}
	v := fe.VHosts[0]
	if len(v.Addresses) != 2 || v.ServerName.V != "a.example" || len(v.Aliases) != 2 || v.TLS != nil {
		t.Errorf("virtual host: %+v", v)
	}
	if len(v.Balancers) != 1 || len(v.Balancers[0].Members) != 2 {
		t.Fatalf("balancers: %+v", v.Balancers)
	}
	b := v.Balancers[0]
	if b.LBMethod.V != "bytraffic" || b.Sticky.V != "S" || b.Timeout.V != 3*time.Second || !b.NoFailover.V {
		t.Errorf("balancer: %+v", b)
	}
	m := b.Members[1]
	if m.URL.V != "ajp://10.0.0.1:8010" || m.Route.V != "s2" || m.Ping.V != 500*time.Millisecond {
		t.Errorf("member: %+v", m)
	}
	if m.Route.Span.Short() != "/r/conf/a.conf:3" || m.Route.Span.Text() != "route=$route" {
		t.Errorf("a member of a macro is placed at %s %q", m.Route.Span, m.Route.Span.Text())
	}
	if len(v.Mappings) != 2 || !v.Mappings[0].Excludes() || !v.Mappings[1].Regex.V || len(v.Workers) != 1 || v.Workers[0].Retry.V != 0 {
		t.Errorf("mappings: %+v", v.Mappings)
	}
	loc := v.Sections[len(v.Sections)-1]
	if loc.Mapping == nil || loc.Mapping.Path.V != "/app" || loc.Settings.Reverses[0].From.V != "/app" {
		t.Errorf("location: %+v", loc)
	}
	if h := loc.Settings.Headers[0]; !h.Always.V || h.Value.V != "b c" || h.Cond.V != "env=Y" {
		t.Errorf("header: %+v", h)
	}
	r := loc.Settings.Access.Require
	if r.Group.V != "any" || r.Children[0].Group.V != "all" || !r.Children[0].Children[1].Not.V {
		t.Errorf("require: %+v", r)
	}
	what := func(i int) string { return unmapped[i].What }
	if len(unmapped) != 4 || what(0) != "BalancerMember, which adds none: the URL belongs to the member of /r/conf/a.conf:3" ||
		what(1) != "parameter route, which httpd ignores: the worker is that of /r/conf/a.conf:3" || what(3) != "SSLRandomSeed" {
		t.Errorf("unmapped: %+v", unmapped)
	}
}

// TestEmptyName: a directive whose name is empty quotes is unknown, like others.
func TestEmptyName(t *testing.T) {
	c, _ := Load(diag.NewFile("/none/httpd.conf", []byte("LoadModule proxy_module x\n\"\"\n'' a\n")), Options{})
	var found []string
	for _, d := range Check(c) {
		found = append(found, fmt.Sprintf("%s %d", d.ID, d.Span.Begin().Line))
	}
	if got := strings.Join(found, ", "); got != "H002 2, H002 3" {
		t.Errorf("findings: %s", got)
	}
}
