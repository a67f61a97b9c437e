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
	if n := strings.Count(out, "status: 421"); n != 2 {
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
