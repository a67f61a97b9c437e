package lint_test

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
)

// lintText lints one file of the given name with declared current versions.
func lintText(t *testing.T, name, text string, declared bool) diag.List {
	t.Helper()
	o := parse.Options{}
	if declared {
		o.HTTPD, o.Tomcat = "2.4", map[string]string{"": "10.1"}
	}
	return lintFiles(t, []lint.ExampleFile{{Name: name, Text: text}}, o)
}

// lintFiles writes the files below a new folder and lints them as one setup.
func lintFiles(t *testing.T, files []lint.ExampleFile, o parse.Options) diag.List {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.Text), 0o644); err != nil {
			t.Fatal(err)
		}
		o.Paths = append(o.Paths, path)
	}
	r, err := parse.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return lint.Run(lint.NewInput(r), lint.Options{Rules: rules.All, MinConfidence: diag.Possible})
}

func has(list diag.List, id string) bool {
	return slices.ContainsFunc(list, func(d diag.Diagnostic) bool { return d.ID == id })
}

// TestExamples lints the examples of all rules: the bad one is found, the good
// one is not. The meta rules' examples are about comments. An example with a
// clowder.toml declares the Tomcat versions there.
func TestExamples(t *testing.T) {
	for _, r := range rules.All {
		if r.ID[0] == 'C' {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			o := parse.Options{HTTPD: cmp.Or(r.Doc.HTTPD, "2.4"), Tomcat: map[string]string{"": cmp.Or(r.Doc.Tomcat, "10.1")}}
			if strings.Contains(r.Doc.Bad, "-- clowder.toml --") {
				o.Tomcat = nil
			}
			if !has(lintFiles(t, r.Example(r.Doc.Bad), o), r.ID) {
				t.Error("the bad example is not found")
			}
			for _, d := range lintFiles(t, r.Example(r.Doc.Good), o) {
				if d.ID == r.ID {
					t.Errorf("the good example is found: %s", d.Message)
				}
			}
		})
	}
}

// TestUndeclaredVersions checks that what depends on a version nobody declared
// is a warning that says so.
func TestUndeclaredVersions(t *testing.T) {
	for _, c := range []struct{ id, name, text string }{
		{"T501", "server.xml", `<Server><Service name="a"><Connector port="8009" protocol="AJP/1.3"/></Service></Server>`},
		{"T004", "server.xml", `<Server><Listener className="org.apache.catalina.core.JasperListener"/></Server>`},
		{"H103", "httpd.conf", "LoadModule proxy_balancer_module modules/mod_proxy_balancer.so\n"},
	} {
		t.Run(c.id, func(t *testing.T) {
			for _, d := range lintText(t, c.name, c.text, false) {
				if d.ID == c.id {
					if d.Severity != diag.Warning || d.Confidence != diag.Likely || !strings.Contains(d.Message, "declare the") {
						t.Errorf("%s %s: %s", d.Severity, d.Confidence, d.Message)
					}
					return
				}
			}
			t.Error("not found")
		})
	}
}

// TestPlaceholders: what a deployment still replaces is no mistake; the finding is
// an info that is hidden by default.
func TestPlaceholders(t *testing.T) {
	for _, text := range []string{"ProxyPass /a http://${HOST}:${PORT}/\n", "Listen @PORT@\n", "Listen %HTTP_PORT%\n", "ServerName [SERVER_NAME]\n", "Listen {{ port }}\n"} {
		found := false
		for _, d := range lintText(t, "httpd.conf", text, true) {
			if d.ID == "H007" {
				found = true
				if d.Severity != diag.Info || d.Confidence != diag.Possible {
					t.Errorf("%s: %s %s", text, d.Severity, d.Confidence)
				}
			}
		}
		if !found {
			t.Errorf("%s: no finding at all", text)
		}
	}
	if !has(lintText(t, "httpd.conf", "Listen http\n", true), "H007") {
		t.Error("a plain mistake is not found")
	}
}

// TestTraps are right configurations that look like mistakes.
func TestTraps(t *testing.T) {
	const proxy = "<Proxy balancer://c>\n BalancerMember ajp://10.0.0.1:8009\n BalancerMember ajp://10.0.0.2:8009\n</Proxy>\n"
	for _, c := range []struct{ name, id, text string }{
		{"exclusion by a shorter prefix", "H201", proxy + "ProxyPass /int !\nProxyPass / balancer://c/\n<Location /int/status>\nSetHandler server-status\n</Location>\n"},
		{"excluded by expression", "H201", proxy + "ProxyPassMatch ^/server-status$ !\nProxyPass / balancer://c/\n<Location /server-status>\nSetHandler server-status\n</Location>\n"},
		{"narrow ProxyPass", "H201", proxy + "ProxyPass /app balancer://c/app\n<Location /application>\nSetHandler server-status\n</Location>\n"},
		{"proxy handler", "H201", proxy + "ProxyPass / balancer://c/\n<Location /php>\nSetHandler proxy:fcgi://localhost:9000\n</Location>\n"},
		{"routes of redirects", "H306", "<Proxy balancer://c>\n BalancerMember ajp://10.0.0.1:8009 redirect=b\n BalancerMember ajp://10.0.0.2:8009 route=b\n</Proxy>\nProxyPass / balancer://c/\n"},
		{"a login closes the page", "H503", "<Location /balancer-manager>\nSetHandler balancer-manager\nAuthType Basic\nRequire valid-user\n</Location>\n"},
		{"an outer location closes the page", "H503", "<Location />\nRequire ip 10.0.0.0/8\n</Location>\n<Location /balancer-manager>\nSetHandler balancer-manager\n</Location>\n"},
		{"allow by variable", "H507", "<Location /x>\nOrder deny,allow\nAllow from env=ok\n</Location>\n"},
		{"deny from all first", "H507", "<Location /x>\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.1\n</Location>\n"},
		{"stickysession of a virtual host", "H306", "<Proxy balancer://c>\n BalancerMember ajp://10.0.0.1:8009 route=a\n BalancerMember ajp://10.0.0.2:8009 route=b\n</Proxy>\n<VirtualHost *:80>\nProxyPass / balancer://c/ stickysession=JSESSIONID\n</VirtualHost>\n"},
		{"a minus takes the state back", "H308", "<Proxy balancer://c>\n BalancerMember ajp://10.0.0.1:8009 status=+D-D\n BalancerMember ajp://10.0.0.2:8009 status=+D\n</Proxy>\n"},
		{"unit of acquire", "H313", "ProxyPass /a http://10.0.0.1:8080/a max=3 acquire=20ms\n"},
		{"reverse of a shorter path", "H401", "ProxyPass /a http://10.0.0.1:8080/a\nProxyPass /b http://10.0.0.1:8080/b\nProxyPassReverse / http://10.0.0.1:8080/\n"},
		{"reverse in a Location", "H401", "<Location /a>\nProxyPass http://10.0.0.1:8080/a\nProxyPassReverse http://10.0.0.1:8080/a\n</Location>\n"},
		{"ajp with equal paths", "H401", "ProxyPass /a/ ajp://10.0.0.1:8009/a/\n"},
		{"one of several lines fits", "H402", "ProxyPass /a http://10.0.0.1:8080/a\nProxyPassReverse /a http://old.example.com/a\nProxyPassReverse /a http://10.0.0.1:8080/a\n"},
		{"public host with ProxyPreserveHost", "H402", "ProxyPreserveHost On\nProxyPass /a http://10.0.0.1:8080/b\nProxyPassReverse /a http://www.example.com/b\n"},
		{"the default port", "H402", "ProxyPass /a http://10.0.0.1:80/a\nProxyPassReverse /a http://10.0.0.1/a\n"},
		{"backend's root", "H403", "ProxyPass /a http://10.0.0.1:8080/\nProxyPassReverse /a http://10.0.0.1:8080/\n"},
		{"context of two segments", "H403", "ProxyPass /a http://10.0.0.1:8080/x/y\nProxyPassReverseCookiePath /x/y /a\n"},
		{"header of the main server", "H406", "RequestHeader setifempty X-Forwarded-Proto %{REQUEST_SCHEME}s\n<VirtualHost *:443>\nSSLEngine on\nSSLCertificateFile a\nProxyPass /a http://10.0.0.1:8080/a\n</VirtualHost>\n"},
		{"SSLProxyEngine of the main server", "H407", "SSLProxyEngine On\n<VirtualHost *:80>\nProxyPass /a https://10.0.0.1:8443/a\n</VirtualHost>\n"},
		{"SSLProxyEngine of a Proxy section", "H407", "<Proxy https://10.0.0.1:8443>\nSSLProxyEngine On\n</Proxy>\nProxyPass /a https://10.0.0.1:8443/a\n"},
		{"forward proxy closed by an expression", "H501", "ProxyRequests On\n<ProxyMatch .*>\nRequire ip 10.0.0.0/8\n</ProxyMatch>\n"},
		{"closed by an outer section", "H504", "<Location />\nRequire ip 10.0.0.0/8\n</Location>\n<Location /server-status>\nSetHandler server-status\n</Location>\n"},
		{"users are not a new style", "H505", "<Location /a>\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.1\nRequire valid-user\nAuthType Basic\n</Location>\n"},
		{"sections that do not meet", "H505", "<Location /a>\nOrder deny,allow\nDeny from all\n</Location>\n<Location /b>\nRequire local\n</Location>\n"},
		{"reopened in between", "H505", "<Location /a>\nOrder deny,allow\nDeny from all\n</Location>\n<Location /a/b>\nOrder allow,deny\nAllow from all\n</Location>\n<Location /a/b/c>\nRequire local\n</Location>\n"},
		{"a Location lets in again", "H509", "<Proxy *>\nRequire all denied\n</Proxy>\nProxyPass /a http://10.0.0.1:8080/a\n<Location /a>\nRequire all granted\n</Location>\n"},
		{"a later section lets in again", "H509", "<Proxy *>\nRequire all denied\n</Proxy>\n<Proxy http://10.0.0.1:8080/>\nRequire all granted\n</Proxy>\nProxyPass /a http://10.0.0.1:8080/a\n"},
		{"Location of the mapping itself", "H510", "<Location /a>\nRequire local\n</Location>\nProxyPass /a ajp://10.0.0.1:8009/a\n"},
		{"expression takes the parameter", "H510", "<LocationMatch ^/a/admin>\nRequire local\n</LocationMatch>\nProxyPass /a ajp://10.0.0.1:8009/a\n"},
		{"excluded path", "H510", "<Location /a/admin>\nRequire local\n</Location>\nProxyPass /a/admin !\nProxyPass /a ajp://10.0.0.1:8009/a\n"},
		{"both families", "H702", "Listen 0.0.0.0:80\nListen [::]:80\nListen 127.0.0.1:81\nListen [::1]:81\n"},
		{"one address of two", "H701", "Listen 80\n<VirtualHost *:80 *:8443>\n</VirtualHost>\n"},
		{"no LoadModule at all", "H003", "RequestHeader set A b\n"},
		{"inside IfModule", "H003", "LoadModule proxy_module modules/mod_proxy.so\n<IfModule mod_headers.c>\nRequestHeader set A b\n</IfModule>\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, d := range lintText(t, "httpd.conf", c.text, true) {
				if d.ID == c.id {
					t.Errorf("%s: %s", d.ID, d.Message)
				}
			}
		})
	}
}

// TestVariants are other spellings of mistakes, each found at its line.
func TestVariants(t *testing.T) {
	const status = "<Location /server-status>\nSetHandler server-status\n"
	for _, c := range []struct {
		name, id string
		line     int
		severity diag.Severity
		text     string
	}{
		{"parameter on a continued line", "H313", 1, diag.Warning, "ProxyPass /a http://10.0.0.1:8080/a max=3 \\\n acquire=3\n"},
		{"stickysession in ProxyPass", "H307", 3, diag.Warning, "<Proxy balancer://C>\n BalancerMember ajp://10.0.0.1:8009 route=a\n BalancerMember ajp://10.0.0.2:8009 status=+H\n</Proxy>\nProxyPass / balancer://c/ stickysession=JSESSIONID\n"},
		{"states behind one sign", "H308", 1, diag.Error, "<Proxy balancer://c>\n BalancerMember ajp://10.0.0.1:8009 status=D\n BalancerMember ajp://10.0.0.2:8009 status=+HN\n</Proxy>\n"},
		{"nothing but standbys", "H308", 1, diag.Info, "<Proxy balancer://c>\n BalancerMember ajp://10.0.0.1:8009 status=+H\n BalancerMember ajp://10.0.0.2:8009 status=+H\n</Proxy>\n"},
		{"ajp with another path", "H401", 1, diag.Warning, "ProxyPass /a ajp://10.0.0.1:8009/b\nProxyPassReverseCookiePath /b /a\n"},
		{"host preserved", "H401", 2, diag.Info, "ProxyPreserveHost On\nProxyPass /a http://10.0.0.1:8080/a\n"},
		{"regular expression", "H401", 1, diag.Info, "ProxyPassMatch ^/a(.*)$ http://10.0.0.1:8080/a$1\n"},
		{"another port", "H402", 3, diag.Warning, "<Location /a>\nProxyPass http://10.0.0.1:8080/a\nProxyPassReverse http://10.0.0.1:8081/a\n</Location>\n"},
		{"parameters behind the URL", "H402", 2, diag.Warning, "ProxyPass /a http://10.0.0.1:8080/a\nProxyPassReverse /a http://10.0.0.1:8080/a stickysession=JSESSIONID\n"},
		{"swapped cookie paths", "H403", 1, diag.Warning, "ProxyPass /a http://10.0.0.1:8080/b\nProxyPassReverse /a http://10.0.0.1:8080/b\nProxyPassReverseCookiePath /a /b\n"},
		{"cookie of a root mapping", "H403", 1, diag.Warning, "ProxyPass / ajp://10.0.0.1:8009/app/\n"},
		{"wrong scheme told", "H406", 5, diag.Warning, "<VirtualHost *:443>\nSSLEngine On\nSSLCertificateFile a\nRequestHeader set X-Forwarded-Proto http\nProxyPass /a http://10.0.0.1:8080/a\n</VirtualHost>\n"},
		{"https members", "H407", 2, diag.Error, "<Proxy balancer://c>\nBalancerMember https://10.0.0.1:8443\nBalancerMember https://10.0.0.2:8443\n</Proxy>\nProxyPass /a balancer://c/a\n"},
		{"granted to all is open", "H501", 1, diag.Error, "ProxyRequests On\n<Proxy *>\nRequire all granted\n</Proxy>\n"},
		{"inherited by a virtual host", "H502", 1, diag.Warning, "ProxyRequests On\n<Proxy *>\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.0/8\n</Proxy>\n<VirtualHost *:80>\nProxyPass /a http://10.0.0.1:8080/a\n</VirtualHost>\n"},
		{"a later section opens it again", "H504", 1, diag.Warning, status + "Require local\n</Location>\n<Location />\nRequire all granted\n</Location>\n"},
		{"old style that allows all", "H504", 1, diag.Warning, status + "Order allow,deny\nAllow from all\n</Location>\n"},
		{"Directory around a page", "H505", 2, diag.Warning, "<Directory />\nOrder deny,allow\nDeny from all\n</Directory>\n" + status + "Require local\n</Location>\n"},
		{"new style around old style", "H505", 5, diag.Warning, "<Directory />\nRequire all denied\n</Directory>\n<Directory /srv/app>\nOrder allow,deny\nAllow from all\n</Directory>\n"},
		{"list in a Directory", "H507", 2, diag.Error, "<Directory /srv>\nOrder Deny,Allow\nAllow from 10.0.0.1\n</Directory>\n"},
		{"old style network", "H508", 3, diag.Warning, "<Location /a>\nOrder deny,allow\nDeny from 10.1.0.0 10.2.0.0\n</Location>\n"},
		{"old style denial", "H509", 1, diag.Error, "<Proxy *>\nOrder deny,allow\nDeny from all\n</Proxy>\nRewriteEngine On\nRewriteRule ^/a(.*) http://10.0.0.1:8080/a$1 [P]\n"},
		{"plain http backend", "H510", 1, diag.Warning, "<Location /admin>\nRequire local\n</Location>\nProxyPass / http://10.0.0.1:8080/\n"},
		{"expression with an end", "H510", 1, diag.Error, "<LocationMatch ^/a/admin(/|$)>\nRequire local\n</LocationMatch>\nProxyPass /a ajp://10.0.0.1:8009/a\n"},
		{"buffer of the main server", "H601", 1, diag.Warning, "ProxyIOBufferSize 70000\n<VirtualHost *:80>\nProxyPass /a ajp://10.0.0.1:8009/a\n</VirtualHost>\n"},
		{"IPv6 virtual host", "H701", 2, diag.Warning, "Listen [::]:80\n<VirtualHost [2001:db8::1]:8443>\n</VirtualHost>\n"},
		{"all addresses and one", "H702", 2, diag.Error, "Listen 127.0.0.1:80\nListen 80\n"},
		{"all addresses in two ways", "H702", 2, diag.Warning, "Listen 80\nListen 0.0.0.0:80\n"},
		{"any and one of IPv6", "H702", 2, diag.Error, "Listen [::]:80\nListen 10.0.0.1:80\n"},
	} {
		t.Run(c.id+" "+c.name, func(t *testing.T) {
			found := false
			for _, d := range lintText(t, "httpd.conf", c.text, true) {
				if d.ID != c.id {
					continue
				}
				if got := d.Span.Begin().Line; found || got != c.line || d.Severity != c.severity {
					t.Errorf("line %d, %s: %s", got, d.Severity, d.Message)
				}
				found = true
			}
			if !found {
				t.Error("not found")
			}
		})
	}
}

// TestExampleFixes applies the first fix of each finding of a bad example of one
// file: the finding is gone then, and no other warning or error has come.
func TestExampleFixes(t *testing.T) {
	for _, r := range rules.All {
		files := r.Example(r.Doc.Bad)
		if r.ID[0] == 'C' || len(files) != 1 {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			o := parse.Options{HTTPD: cmp.Or(r.Doc.HTTPD, "2.4"), Tomcat: map[string]string{"": cmp.Or(r.Doc.Tomcat, "10.1")}}
			before := lintFiles(t, files, o)
			var edits []diag.Edit
			for _, d := range before {
				if d.ID == r.ID && len(d.Fixes) > 0 {
					edits = append(edits, d.Fixes[0].Edits...)
				}
			}
			if len(edits) == 0 {
				t.Skip("no fix offered here")
			}
			text := string(apply([]byte(files[0].Text), edits))
			for _, d := range lintFiles(t, []lint.ExampleFile{{Name: files[0].Name, Text: text}}, o) {
				if d.ID == r.ID || d.Severity > diag.Info && !has(before, d.ID) {
					t.Errorf("after the fix: %s %s: %s\n%s", d.Span.Short(), d.ID, d.Message, text)
				}
			}
		})
	}
}
