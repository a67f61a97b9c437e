package render_test

import (
	"testing"

	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render"
	"clowder/render/target"
)

// FuzzHTTPD: what is read of any httpd.conf comes back from the TOML.
func FuzzHTTPD(f *testing.F) {
	for _, s := range []string{
		"Listen 80\nProxyPass / balancer://c/ stickysession=J|j\n<Proxy balancer://c>\nBalancerMember http://h:1 route=a loadfactor=2 hcmethod=GET\n</Proxy>\n",
		"Redirect gone /a\n<Location /x>\nRedirect 301 http://h/\nRequire not ip 1.2.3.4\n<Limit GET>\nRequire all denied\n</Limit>\n</Location>\nAliasMatch ^/(a) \"/b \\\"$1\"\n",
		"LoadModule a_module a.so\nLoadModule a_module b.so\nRewriteEngine on\nRewriteCond %{X} \"a b\" [NC]\nRewriteRule ^/(.*) \\$1 [R,L]\nProxyHCExpr ok {%{REQUEST_STATUS} =~ /^2/}\n",
		"<VirtualHost *:80 [::1]:81>\nServerAlias a b\nHeader always edit Set-Cookie \"(.*)\" \"$1; 'x'\"\nErrorDocument 404 \"no\nSSLEngine on\nProxyTimeout 5\n</VirtualHost>\n",
		"ServerAdmin \xe9@x\nOptions \"\xff\\\\\"\n",
	} {
		f.Add(s)
	}
	toml, _ := render.Find("toml")
	f.Fuzz(func(t *testing.T, s string) {
		const name = "/none/httpd.conf"
		r, err := parse.Load(parse.Options{Paths: []string{name}, Overlay: map[string][]byte{name: []byte(s)}, Config: "none", Whole: true})
		if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
			return
		}
		res, err := toml.Render(r.Setup, target.Options{Provenance: true})
		if err != nil {
			t.Fatal(err)
		}
		const written = "/none/clowder.toml"
		back, err := parse.Load(parse.Options{Paths: []string{written}, Overlay: map[string][]byte{written: res.Files[0].Data}})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range back.Diags {
			if d.Severity == diag.Error {
				t.Fatalf("%s: %s", d.Span, d.Message)
			}
		}
		for _, d := range model.Compare(r.Setup, back.Setup) {
			t.Error(d)
		}
		if problems := schema().TOML(res.Files[0].Data); problems != nil {
			t.Errorf("by the schema: %v", problems)
		}
	})
}
