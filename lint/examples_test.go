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
// one is not. The meta rules' examples are about comments.
func TestExamples(t *testing.T) {
	for _, r := range rules.All {
		if r.ID[0] == 'C' {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			o := parse.Options{HTTPD: cmp.Or(r.Doc.HTTPD, "2.4"), Tomcat: map[string]string{"": cmp.Or(r.Doc.Tomcat, "10.1")}}
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
