package envoy

import (
	"strings"
	"testing"

	"clowder/parse"
	"clowder/render/target"
)

// convert writes an httpd.conf for Envoy and tells whether a note is about security.
func convert(t *testing.T, conf string) (out string, security bool) {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, HTTPD: "2.4", Whole: true, Config: "none", Overlay: map[string][]byte{"httpd.conf": []byte(conf)}})
	if err != nil || len(r.Broken) > 0 {
		t.Fatal(err, r.Diags)
	}
	res, err := Target.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range res.Notes {
		security = security || n.Security && n.Loss != target.Exact
	}
	return string(res.Files[0].Data), security
}

// TestNeverMoreOpen: what Envoy cannot say as httpd means it is closed.
func TestNeverMoreOpen(t *testing.T) {
	for _, c := range []struct {
		name, conf string
		has, lacks []string
		security   bool
	}{
		{"encoded letters beside a rule", "<Location \"/top secret\">\nRequire all denied\n</Location>\n", []string{`%[0-7][0-9A-Fa-f]`, "status: 403"}, nil, false},
		{"paths beyond ASCII", "<Location /über>\nRequire all denied\n</Location>\n", []string{`(?s).*%.*`}, nil, false},
		{"address from a header", "RemoteIPHeader X-Client\n" + "<Location />\nRequire ip 10.0.0.0/8\n</Location>\n", []string{"status: 403"}, []string{"direct_remote_ip"}, true},
		{"condition on an absent header", "RewriteEngine On\nRewriteCond %{HTTP:X-Key} !^sesame$\nRewriteRule ^/ - [F]\n", []string{"treat_missing_header_as_empty: true", "invert_match: true"}, nil, false},
		{"unknown condition", "RewriteEngine On\nRewriteCond %{REQUEST_FILENAME} -f\nRewriteRule ^/x - [F]\n", []string{"status: 403"}, nil, false},
		{"rewriting", "RewriteEngine On\nRewriteRule ^/moved$ /private\n", []string{"regex: (?s).*(?:^/moved$).*", "status: 403"}, nil, false},
		{"passwords", "<Location /u>\nAuthType Basic\nAuthName x\nAuthUserFile /p\nRequire valid-user\n</Location>\n", []string{"status: 403"}, nil, true},
		{"look-ahead", "<LocationMatch ^/(?!open)>\nRequire all denied\n</LocationMatch>\n", []string{"status: 403"}, []string{"(?!"}, true},
		{"methods", "<Location /u>\n<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n</Location>\n", []string{"status: 403"}, nil, true},
		{"handler", "ProxyPass /m !\n", []string{"status: 404"}, nil, false},
		{"pattern beyond ASCII", "RewriteEngine On\nRewriteRule [\\x80-\\xff] - [F]\n", []string{`regex: (?s).*%.*`}, nil, false},
		{"one byte", "RewriteEngine On\nRewriteRule ^/.$ - [F]\n", []string{`regex: (?s).*%.*`}, nil, false},
		{"pattern of ASCII", "RewriteEngine On\nRewriteRule ^/x/.*\\.jsp$ - [F]\n", []string{`%[0-7][0-9A-Fa-f]`}, []string{`regex: (?s).*%.*`}, false},
		{"bytes beyond ASCII in a header", "RewriteEngine On\nRewriteCond %{HTTP_USER_AGENT} bad\nRewriteRule ^ - [F]\n", []string{"invert_match: true\n                                name: USER-AGENT", `[\x00-\x7F]*`}, nil, false},
		{"a variable that httpd does not know", "RewriteEngine On\nRewriteCond %{HTTP_X_KEY} !^sesame$\nRewriteRule ^/k - [F]\n", []string{"status: 403"}, []string{"sesame"}, false},
		{"letter of a header's name", "RewriteEngine On\nRewriteCond \"%{HTTP:X Key}\" ^a$\nRewriteRule ^/k - [F]\n", []string{"status: 403"}, []string{"X Key"}, false},
		{"open quote of an expression", "RewriteEngine On\nRewriteRule \\Qsecret - [F]\n", []string{"status: 403"}, []string{`\Q`}, false},
		{"question mark in a path", "Redirect /a?b /c\nProxyPass /x#y !\n", nil, []string{"path_separated_prefix: /a?b", "/x#y"}, false},
		{"TRACE", "TraceEnable off\n", []string{"exact: TRACE", "status: 405"}, nil, false},
		{"header taken away later", "RequestHeader set X-Admin yes\n<Location /pub>\nRequestHeader unset X-Admin\n</Location>\n<Location />\nRequestHeader unset x-admin\n</Location>\n", []string{"- X-Admin", "- x-admin"}, []string{"key: X-Admin"}, false},
		{"header taken away by a condition", "RequestHeader unset X-User env=!trusted\n", []string{"request_headers_to_remove", "- X-User"}, nil, false},
		{"header edited", "RequestHeader edit X-User ^admin$ nobody\n", []string{"request_headers_to_remove", "- X-User"}, nil, false},
		{"redirecting rule of a section", "<Location /app>\nRewriteEngine On\nRewriteRule ^ https://login.example.org/ [R,L]\n</Location>\n", []string{"status: 403"}, nil, true},
		{"revoked certificates of members", "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile /ca.pem\nSSLProxyCARevocationFile /crl.pem\nSSLProxyCARevocationCheck chain\nProxyPass / https://10.0.0.2:443/\n", []string{"status: 503"}, []string{"cluster: x10_0_0_2_443"}, true},
		{"IPv4 only", "Listen 0.0.0.0:81\n", []string{"address: 0.0.0.0\n          port_value: 81"}, nil, false},
		{"mixed members", "SSLProxyEngine On\n<Proxy balancer://c>\nBalancerMember http://10.0.0.1:80\nBalancerMember https://10.0.0.2:443\n</Proxy>\nProxyPass / balancer://c/\n", []string{"10.0.0.1"}, []string{"10.0.0.2"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, security := convert(t, "Listen 80\nServerName www.example.org\n"+c.conf+"ProxyPass / http://10.0.0.1:8080/\n")
			for _, w := range c.has {
				if !strings.Contains(out, w) {
					t.Errorf("%q is missing in\n%s", w, out)
				}
			}
			for _, w := range c.lacks {
				if strings.Contains(out, w) {
					t.Errorf("%q stands in\n%s", w, out)
				}
			}
			if c.security && !security {
				t.Error("no note is about security")
			}
		})
	}
}

// TestClientCertificates: a connection that showed no certificate reaches no host
// that asks for one, whatever its Host header says.
func TestClientCertificates(t *testing.T) {
	out, _ := convert(t, `Listen 443
<VirtualHost *:443>
ServerName a.example.org
SSLEngine on
SSLCertificateFile /a.pem
ProxyPass / http://10.0.0.1:8080/
</VirtualHost>
<VirtualHost *:443>
ServerName b.example.org
SSLEngine on
SSLCertificateFile /b.pem
SSLVerifyClient require
SSLCACertificateFile /ca.pem
ProxyPass / http://10.0.0.2:8080/
</VirtualHost>
`)
	if n := strings.Count(out, "status: 421"); n != 3 { // the first site has two chains: for its name and for all others
		t.Errorf("%d hosts answer 421, want one in each chain", n)
	}
	if !strings.Contains(out, "require_client_certificate: true") {
		t.Error("nobody asks for a certificate")
	}
}

// TestNames: names go by the order of the sites, as in httpd: a wildcard takes none of
// an earlier site, and one that an earlier wildcard takes stays with that.
func TestNames(t *testing.T) {
	const host = "<VirtualHost *:80>\nServerName %s\nProxyPass / http://10.0.0.1:8080/\n</VirtualHost>\n"
	conf := "Listen 80\n"
	for _, n := range []string{"first.example.org", "*.example.org", "late.example.org"} {
		conf += strings.Replace(host, "%s", n, 1)
	}
	out, _ := convert(t, strings.Replace(conf, "ServerName *.example.org", "ServerName x\nServerAlias *.example.org", 1))
	if !strings.Contains(out, "'*.example.org'") || strings.Contains(out, "- late.example.org") || !strings.Contains(out, "- first.example.org") {
		t.Error(out)
	}
}

// TestDefaultSite: the site with the name * takes every other name, not the first one.
func TestDefaultSite(t *testing.T) {
	out, _ := convert(t, `Listen 80
<VirtualHost *:80>
ServerName open.example.org
ProxyPass / http://10.0.0.1:8080/
</VirtualHost>
<VirtualHost *:80>
ServerName closed.example.org
ServerAlias *
<Location />
Require all denied
</Location>
ProxyPass / http://10.0.0.1:8080/
</VirtualHost>
<VirtualHost *:80>
ServerName late.example.org
ProxyPass / http://10.0.0.1:8080/
</VirtualHost>
`)
	if !strings.Contains(out, "- domains:\n                        - open.example.org\n                      name: open_example_org") ||
		!strings.Contains(out, "- '*'\n                        - closed.example.org\n") || strings.Contains(out, "- late.example.org") {
		t.Error(out)
	}
	if !strings.Contains(out, "strip_trailing_host_dot: true") {
		t.Error("a dot behind a name leads to another site")
	}
}

// TestOddWildcards: hosts of a name that Envoy cannot say reach no other site.
func TestOddWildcards(t *testing.T) {
	out, _ := convert(t, `Listen 80
<VirtualHost *:80>
ServerName open.example.org
ProxyPass / http://10.0.0.1:8080/
</VirtualHost>
<VirtualHost *:80>
ServerName closed.example.org
ServerAlias adm?n.*
<Location />
Require all denied
</Location>
ProxyPass / http://10.0.0.1:8080/
</VirtualHost>
<VirtualHost *:80>
ServerName late.example.org
ServerAlias *.example.org admin.example.org
ProxyPass / http://10.0.0.1:8080/
</VirtualHost>
`)
	if n := strings.Count(out, `regex: (?is)(?:adm.n\..*)\.?(?::[0-9]*)?`); n != 2 {
		t.Errorf("%d sites refuse those hosts, want 2:\n%s", n, out)
	}
	if strings.Contains(out, "- admin.example.org") || !strings.Contains(out, `regex: (?is)(?:open\.example\.org)\.?(?::[0-9]*)?`) {
		t.Error(out)
	}
}

// TestNoAuthorities: a server's own chain is no authority of clients.
func TestNoAuthorities(t *testing.T) {
	for _, line := range []string{"SSLCACertificatePath /cas", "SSLCACertificateFile /ca.pem\nSSLOCSPEnable on", "SSLCACertificateFile /ca.pem\nSSLCARevocationPath /crls\nSSLCARevocationCheck chain"} {
		out, security := convert(t, "Listen 443\nSSLEngine on\nSSLCertificateFile /a.pem\nSSLVerifyClient require\n"+line+"\nProxyPass / http://10.0.0.1:8080/\n")
		if strings.Contains(out, "trusted_ca:\n                    filename: /a.pem") || strings.Contains(out, "cluster:") || !strings.Contains(out, "status: 403") || !security {
			t.Error(line, out)
		}
	}
}

// TestMembersNames: each https member has to show its own name.
func TestMembersNames(t *testing.T) {
	out, security := convert(t, `Listen 80
SSLProxyEngine On
SSLProxyVerify require
SSLProxyCACertificateFile /ca.pem
<Proxy balancer://c>
BalancerMember https://a.example.org:443 route=a
BalancerMember https://b.example.org:443 route=b
</Proxy>
ProxyPass / balancer://c/ stickysession=JSESSIONID
`)
	for _, w := range []string{"- match:\n            member: a\n", "- match:\n            member: b\n", "envoy.transport_socket_match:\n                      member: b"} {
		if !strings.Contains(out, w) {
			t.Errorf("%q is missing in\n%s", w, out)
		}
	}
	if security {
		t.Error("nothing is lost here")
	}
}

// TestSettingsOfTLS: as in httpd, a connection with other settings of TLS reaches no site.
func TestSettingsOfTLS(t *testing.T) {
	const host = "<VirtualHost *:443>\nServerName %s.example.org\nSSLEngine on\nSSLCertificateFile /a.pem\nSSLProtocol %p\nProxyPass / http://10.0.0.1:8080/\n</VirtualHost>\n"
	conf := "Listen 443\n" + strings.NewReplacer("%s", "a", "%p", "TLSv1.2").Replace(host) + strings.NewReplacer("%s", "b", "%p", "TLSv1.3").Replace(host)
	out, _ := convert(t, conf)
	if n := strings.Count(out, "status: 421"); n != 3 { // the first site has two chains: for its name and for all others
		t.Errorf("%d hosts answer 421, want 3\n%s", n, out)
	}
}

// TestClusters: a member's cluster is no other balancer's.
func TestClusters(t *testing.T) {
	out, _ := convert(t, `Listen 80
<Proxy balancer://app>
BalancerMember http://10.0.0.1:80 route=admin
</Proxy>
<Proxy balancer://app_admin>
BalancerMember http://10.0.0.2:80
</Proxy>
ProxyPass /a balancer://app/ stickysession=S
ProxyPass / balancer://app_admin/
`)
	if n := strings.Count(out, "\n      name: app_admin\n"); n != 1 {
		t.Errorf("%d clusters have the name app_admin\n%s", n, out)
	}
}

// TestEarlierWildcard: a host that an earlier site has by a wildcard which Envoy does
// not know is refused at a later site, even if that one has it, too.
func TestEarlierWildcard(t *testing.T) {
	out, _ := convert(t, "Listen 80\n<VirtualHost *:80>\nServerName first.example.org\nServerAlias adm?n.*\n<Location />\nRequire all denied\n</Location>\n</VirtualHost>\n"+
		"<VirtualHost *:80>\nServerName two.example.org\nServerAlias *.example.org\nProxyPass / http://10.0.0.1:80/\n</VirtualHost>\n")
	_, two, ok := strings.Cut(out, "two.example.org")
	guard := strings.Index(two, "status: 421")
	member := strings.Index(two, "cluster: x10_0_0_1_80")
	if !ok || guard < 0 || member < guard {
		t.Fatalf("admin.example.org is not refused before the member:\n%s", out)
	}
	if strings.Contains(two[:guard], "invert_match") {
		t.Errorf("names of the site itself are let through:\n%s", two[:guard])
	}
}
