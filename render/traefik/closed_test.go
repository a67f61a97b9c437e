package traefik

import (
	"strings"
	"testing"

	"clowder/parse"
	"clowder/render/target"
)

// convert writes an httpd.conf for Traefik; both files, and whether a note is about security.
func convert(t *testing.T, conf string) (files map[string]string, security bool) {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, HTTPD: "2.4", Whole: true, Config: "none", Overlay: map[string][]byte{"httpd.conf": []byte(conf)}})
	if err != nil || len(r.Broken) > 0 {
		t.Fatal(err, r.Diags)
	}
	res, err := Target.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for _, f := range res.Files {
		files[f.Name] = string(f.Data)
	}
	for _, n := range res.Notes {
		security = security || n.Security && n.Loss != target.Exact
	}
	return files, security
}

const tlsHost = `Listen 443
<VirtualHost *:443>
ServerName a.example.org
SSLEngine on
SSLCertificateFile /a.pem
SSLVerifyClient require
SSLCACertificateFile /ca.pem
ProxyPass / http://10.0.0.1:8080/
%s</VirtualHost>
`

// TestClientCertificates: a site that takes every name has the options that Traefik
// applies where no Host condition stands.
func TestClientCertificates(t *testing.T) {
	files, security := convert(t, strings.Replace(tlsHost, "%s", "", 1))
	_, options, _ := strings.Cut(files["dynamic.yml"], "\n    default:\n")
	if !strings.Contains(options, "RequireAndVerifyClientCert") || security {
		t.Errorf("security %v:\n%s", security, files["dynamic.yml"])
	}
}

// TestTwoDefaults: Traefik has one set of default options, so a second site that
// takes every name with others is refused.
func TestTwoDefaults(t *testing.T) {
	second := strings.NewReplacer("443", "444", "a.example", "b.example", "/ca.pem", "/other.pem", "10.0.0.1", "10.0.0.2", "%s", "").Replace(tlsHost)
	files, security := convert(t, strings.Replace(tlsHost, "%s", "", 1)+second)
	if !security || strings.Contains(files["dynamic.yml"], "10.0.0.2") || !strings.Contains(files["dynamic.yml"], "10.0.0.1") {
		t.Errorf("security %v:\n%s", security, files["dynamic.yml"])
	}
}

// TestRevocation: without the list of revoked certificates nobody gets in.
func TestRevocation(t *testing.T) {
	files, security := convert(t, strings.Replace(tlsHost, "%s", "SSLCARevocationFile /crl.pem\n", 1))
	if !security || strings.Contains(files["dynamic.yml"], "10.0.0.1") {
		t.Errorf("security %v:\n%s", security, files["dynamic.yml"])
	}
}

// TestNames: a wildcard of a later virtual host takes no name of the first one, and a
// site that takes every name on one socket does so only there.
func TestNames(t *testing.T) {
	files, _ := convert(t, `Listen 80
Listen 81
<VirtualHost *:80>
ServerName a.example.org
ProxyPass / http://10.0.0.1:8080/
</VirtualHost>
<VirtualHost *:81>
ServerName first.example.org
ProxyPass / http://10.0.0.3:8080/
</VirtualHost>
<VirtualHost *:80 *:81>
ServerName b.example.org
ServerAlias *.example.org
ProxyPass / http://10.0.0.2:8080/
</VirtualHost>
`)
	out := files["dynamic.yml"]
	own, wildcard := strings.Index(out, "Host(`a.example.org`)"), strings.Index(out, "HostRegexp(`^.*\\.example\\.org$`)")
	if own < 0 || wildcard < own {
		t.Errorf("the first host's name stands at %d, the wildcard at %d:\n%s", own, wildcard, out)
	}
	for part := range strings.SplitSeq(out, "entryPoints:") {
		if strings.Contains(part, "service: x10_0_0_2_8080") && !strings.Contains(part, "Host") {
			t.Errorf("the third host takes every name:\n%s", out)
		}
	}
}

// TestEncodings: the entry points refuse what a path can hide.
func TestEncodings(t *testing.T) {
	files, _ := convert(t, "Listen 80\nProxyPass / http://10.0.0.1:8080/\n")
	for _, name := range []string{"Slash", "BackSlash", "NullCharacter", "Semicolon", "Percent", "QuestionMark", "Hash"} {
		if !strings.Contains(files["traefik.yml"], "allowEncoded"+name+": false\n") {
			t.Errorf("encoded %s passes", name)
		}
	}
}

// TestTrustedHeader: a header whose value cannot be said is removed, not left to the client.
func TestTrustedHeader(t *testing.T) {
	files, _ := convert(t, "Listen 80\nRequestHeader set X-User %{SSL_CLIENT_S_DN}s\nProxyPass / http://10.0.0.1:8080/\n")
	if !strings.Contains(files["dynamic.yml"], `X-User: ""`) {
		t.Error(files["dynamic.yml"])
	}
}
