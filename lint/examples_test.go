package lint_test

import (
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
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	o := parse.Options{Paths: []string{path}}
	if declared {
		o.HTTPD, o.Tomcat = "2.4", map[string]string{"": "10.1"}
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

// TestExamplesOfOneFile lints the examples of the rules that need one file only;
// those of X rules are in testdata/cases.
func TestExamplesOfOneFile(t *testing.T) {
	for _, r := range rules.All {
		name := map[byte]string{'H': "httpd.conf", 'T': "server.xml"}[r.ID[0]]
		if name == "" {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			bad, good := r.Doc.Bad, r.Doc.Good
			if r.ID == "T001" {
				bad, good = "<Server>"+bad+"</Server>", "<Server>"+good+"</Server>"
			}
			if !has(lintText(t, name, bad, true), r.ID) {
				t.Error("the bad example is not found")
			}
			for _, d := range lintText(t, name, good, true) {
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
