package traefik

import (
	"strings"
	"testing"
	"text/template"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v3"

	"clowder/parse"
	"clowder/render/target"
)

// convert writes an httpd.conf for Traefik; both files, and what the notes about
// security say, each behind its area.
func convert(t testing.TB, conf string) (files map[string]string, security string) {
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
		if n.Security && n.Loss != target.Exact {
			security += n.ID + ": " + n.Message + "\n"
		}
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
	if !strings.Contains(options, "RequireAndVerifyClientCert") || strings.Count(security, "\n") != 1 || !strings.Contains(security, "depth of chains") {
		t.Errorf("security %v:\n%s", security, files["dynamic.yml"])
	}
}

// TestTwoDefaults: Traefik has one set of default options, so a second site that
// takes every name with others is refused.
func TestTwoDefaults(t *testing.T) {
	second := strings.NewReplacer("443", "444", "a.example", "b.example", "/ca.pem", "/other.pem", "10.0.0.1", "10.0.0.2", "%s", "").Replace(tlsHost)
	files, security := convert(t, strings.Replace(tlsHost, "%s", "", 1)+second)
	if !strings.Contains(security, "one set of options") || strings.Contains(files["dynamic.yml"], "10.0.0.2") || !strings.Contains(files["dynamic.yml"], "10.0.0.1") {
		t.Errorf("security %v:\n%s", security, files["dynamic.yml"])
	}
}

// TestRevocation: without the list of revoked certificates nobody gets in.
func TestRevocation(t *testing.T) {
	files, security := convert(t, strings.Replace(tlsHost, "%s", "SSLCARevocationFile /crl.pem\n", 1))
	if !strings.Contains(security, "revoked") || strings.Contains(files["dynamic.yml"], "10.0.0.1") {
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
	own, wildcard := strings.Index(out, "Host(`a.example.org`)"), strings.Index(out, "HostRegexp(`^.*\\.example\\.org\\.?$`)")
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

// tables reads the table that all targets share and that of Traefik alone.
func tables(t testing.TB) []txtar.File {
	t.Helper()
	var out []txtar.File
	for _, name := range []string{"../caddy/testdata/closed.txtar", "testdata/closed.txtar"} {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, a.Files...)
	}
	if len(out) < 65 {
		t.Fatalf("only %d cases", len(out))
	}
	return out
}

func confOf(f txtar.File) string {
	conf := "Listen 80\nServerName www.example.org\n" + string(f.Data) + "ProxyPass / http://127.0.0.1:8081/\n"
	return strings.NewReplacer("@MEMBER@", "127.0.0.1:8081", "@TLS@", "127.0.0.1:8082", "@CA@", "/ca.pem").Replace(conf)
}

// TestClosedNotes: what is lost of what protects has a note about security in its
// area. The requests of the tables are asked in internal/targets/traefik.
func TestClosedNotes(t *testing.T) {
	for _, f := range tables(t) {
		t.Run(f.Name, func(t *testing.T) {
			files, security := convert(t, confOf(f))
			for line := range strings.Lines(string(f.Data)) {
				want, ok := strings.CutPrefix(line, "# note ")
				switch want = strings.TrimSpace(want); {
				case !ok:
				default:
					if other := differs[f.Name]; other != "" {
						want = other
					}
					if want == "exact" && security != "" || want != "exact" && !strings.Contains("\n"+security, "\n"+want+": ") {
						t.Errorf("want %s, got %q", want, security)
					}
				}
			}
			if !strings.Contains(files["dynamic.yml"], nobody) && f.Name != "backend-tls-verify" && f.Name != "question-mark" {
				t.Error("nothing is refused") // of those two the member or the entry point refuses
			}
		})
	}
}

// differs are the cases of the shared table of which Traefik can say more or less than
// Caddy, with the area of its note.
var differs = map[string]string{"basic": "exact", "satisfy-any": "exact", "forbid-rule-or": "rewrite", "proxy-rule-keeps-access": "rewrite", "backend-tls-off": "protocol"}

// TestTemplate: the file provider runs dynamic.yml through Go's templates, and no
// text of the source is one of them.
func TestTemplate(t *testing.T) {
	conf := "Listen 80\nRequestHeader set X-A \"{{env `HOME`}}{{{\"\n<LocationMatch \"^/a{{2}\">\nRequire all denied\n</LocationMatch>\nRedirectMatch ^/r https://x/{{.}}\nProxyPass / http://10.0.0.1:8080/\n"
	files, _ := convert(t, conf)
	tmpl, err := template.New("").Parse(files["dynamic.yml"])
	if err != nil {
		t.Fatalf("%v\n%s", err, files["dynamic.yml"])
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, false); err != nil || b.String() != files["dynamic.yml"] {
		t.Errorf("%v: became\n%s", err, b.String())
	}
	var d dynamic
	if err := yaml.Unmarshal([]byte(b.String()), &d); err != nil {
		t.Fatal(err)
	}
	if m := d.HTTP.Middlewares["headers"]; m == nil || m.Headers.CustomRequestHeaders["X-A"] != "{{env `HOME`}}{{{" {
		t.Errorf("%s", files["dynamic.yml"])
	}
}

// TestDefaultByName: a site that is called default does not give its options to others.
func TestDefaultByName(t *testing.T) {
	files, _ := convert(t, strings.Replace(tlsHost, "%s", "", 1)+"<VirtualHost *:443>\nServerName default\nSSLEngine on\nSSLCertificateFile /b.pem\n</VirtualHost>\n")
	_, options, _ := strings.Cut(files["dynamic.yml"], "\n    default:\n")
	if options, _, _ = strings.Cut(options, "\n    default-"); !strings.Contains(options, "RequireAndVerifyClientCert") {
		t.Error(files["dynamic.yml"])
	}
}

// TestPlainSite: a site without TLS on a socket that speaks it is not there in plain text.
func TestPlainSite(t *testing.T) {
	files, _ := convert(t, strings.Replace(tlsHost, "%s", "", 1)+"<VirtualHost *:443>\nServerName b.example.org\nProxyPass / http://10.0.0.2:8080/\n</VirtualHost>\n")
	var d dynamic
	if err := yaml.Unmarshal([]byte(files["dynamic.yml"]), &d); err != nil {
		t.Fatal(err)
	}
	for name, r := range d.HTTP.Routers {
		if r.TLS == nil {
			t.Errorf("router %s takes plain text", name)
		}
	}
}

// TestWildcardOptions: Traefik finds the options of a router by its Host conditions;
// one for wildcards has those called default.
func TestWildcardOptions(t *testing.T) {
	files, _ := convert(t, strings.Replace(tlsHost, "%s", "", 1)+strings.NewReplacer("Listen 443\n", "", "a.example.org\n", "b.example.org\nServerAlias *.example.net\n", "%s", "").Replace(tlsHost))
	var d dynamic
	if err := yaml.Unmarshal([]byte(files["dynamic.yml"]), &d); err != nil {
		t.Fatal(err)
	}
	wild := 0
	for name, r := range d.HTTP.Routers {
		if named := strings.Contains(r.Rule, "Host("); named != (r.TLS.Options != "") {
			t.Errorf("router %s: %s has the options %q", name, r.Rule, r.TLS.Options)
		}
		if strings.Contains(r.Rule, "HostRegexp(") {
			wild++
		}
	}
	if wild == 0 {
		t.Error("no wildcard")
	}
}

// TestRequestHeaders: what a client may not say is removed in every case.
func TestRequestHeaders(t *testing.T) {
	for _, rule := range []string{`RequestHeader unset X-User env=!trusted`, `RequestHeader set X-User ""`, "RequestHeader set x-user a\nRequestHeader unset X-USER"} {
		files, _ := convert(t, "Listen 80\n"+rule+"\nProxyPass / http://10.0.0.1:8080/\n")
		if !strings.Contains(files["dynamic.yml"], `X-User: ""`) {
			t.Errorf("%s:\n%s", rule, files["dynamic.yml"])
		}
	}
}
