package httpd

import (
	"fmt"
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// TestRedirects: each form of the directives, by add_redirect_internal of
// mod_alias.c; what httpd refuses is not in the model.
func TestRedirects(t *testing.T) {
	tests := []struct {
		line     string
		inServer string // regex status path target, "" when refused there
		inPlace  string // the same in a Location
	}{
		{"Redirect /a http://h/b", "- - /a http://h/b", "- - /a http://h/b"},
		{"Redirect permanent /a /b", "- 301 /a /b", "- 301 /a /b"},
		{"Redirect TEMP /a /b", "- 302 /a /b", "- 302 /a /b"},
		{"Redirect seeother /a /b", "- 303 /a /b", "- 303 /a /b"},
		{"Redirect 308 /a /b", "- 308 /a /b", "- 308 /a /b"},
		{"Redirect gone /a", "- 410 /a -", "- 410 /a -"},
		{"Redirect 404 /a", "- 404 /a -", "- 404 /a -"},
		{"Redirect http://h/", "", "- - - http://h/"},
		{"Redirect permanent http://h/", "", "- 301 - http://h/"},
		{"Redirect gone", "listed", "- 410 - -"}, // httpd takes it and fails with the first request
		{"Redirect 403", "listed", "- 403 - -"},
		{"Redirect 301", "", ""},
		{"Redirect gone /a /b", "", ""},
		{"Redirect other /a /b", "", ""},
		{"Redirect /a b", "", ""},
		{"RedirectMatch ^/a(.*) b$1", "true - ^/a(.*) b$1", "true - ^/a(.*) b$1"},
		{"RedirectMatch 404 ^/a", "true 404 ^/a -", "true 404 ^/a -"},
		{"RedirectMatch seeother http://h/", "", "- 303 - http://h/"},
		{"RedirectMatch ( /b", "", ""},
		{"RedirectPermanent /a /b", "- 301 /a /b", "- 301 /a /b"},
		{"RedirectPermanent /b", "", ""},
		{"RedirectTemp /a /b", "- 302 /a /b", "- 302 /a /b"},
	}
	for _, tt := range tests {
		for _, p := range []struct{ name, text, want string }{
			{"server", "%s\n", tt.inServer},
			{"Location", "<Location /l>\n%s\n</Location>\n", tt.inPlace},
		} {
			f, unmapped, diags := lowerString(fmt.Sprintf(p.text, tt.line))
			list := f.Main.Settings.Redirects
			if p.name == "Location" {
				list = f.Main.Sections[0].Settings.Redirects
			}
			switch {
			case p.want == "listed":
				if len(list) != 0 || len(diags) != 0 || len(unmapped) != 1 {
					t.Errorf("%s in %s: held %d, findings %v, %d listed", tt.line, p.name, len(list), diags, len(unmapped))
				}
			case p.want == "":
				if len(list) != 0 || len(diags) != 1 {
					t.Errorf("%s in %s: held %d, findings %v; httpd refuses it", tt.line, p.name, len(list), diags)
				}
			case len(list) != 1 || len(diags) != 0 || len(unmapped) != 0:
				t.Errorf("%s in %s: held %d, findings %v, listed %v", tt.line, p.name, len(list), diags, unmapped)
			default:
				if got := describe(list[0]); got != p.want {
					t.Errorf("%s in %s: %s, want %s", tt.line, p.name, got, p.want)
				}
			}
		}
	}
}

func describe(r *model.Redirect) string {
	words := []string{"-", "-", "-", "-"}
	for i, v := range []struct {
		set  bool
		text any
	}{{r.Regex.IsSet(), r.Regex.V}, {r.Status.IsSet(), r.Status.V}, {r.Path.IsSet(), r.Path.V}, {r.Target.IsSet(), r.Target.V}} {
		if v.set {
			words[i] = fmt.Sprint(v.text)
		}
	}
	return strings.Join(words, " ")
}

// TestAliases: the four directives in their order; in a section they have no path.
func TestAliases(t *testing.T) {
	f, unmapped, diags := lowerString("Alias /a /srv/a\nAliasMatch ^/b(.*) /srv/b$1\nScriptAlias /c /srv/c/\nScriptAliasMatch ^/d /srv/d\n<Location /e>\nAlias /srv/e\n</Location>\n")
	if len(diags) != 0 || len(unmapped) != 1 || unmapped[0].Span.Begin().Line != 6 {
		t.Fatalf("findings %v, listed %v", diags, unmapped)
	}
	var got []string
	for _, a := range f.Main.PathAlias {
		got = append(got, fmt.Sprintf("%d %v %v %s %s", a.At.Begin().Line, a.Regex.V, a.Script.V, a.Path.V, a.File.V))
	}
	want := "1 false false /a /srv/a; 2 true false ^/b(.*) /srv/b$1; 3 false true /c /srv/c/; 4 true true ^/d /srv/d"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

const extraText = `Define dir /srv/www
<Macro Shut $who>
<Limit POST>
Require ip $who
</Limit>
</Macro>
Options "a b" ${dir}
RewriteEngine On
<Directory ${dir}>
RewriteRule "^a\.b c" - [F]
</Directory>
<VirtualHost *:80>
SSLCertificateFile one
SSLCertificateFile two
ProxyHCTemplate unused hcmethod=TCP
ProxyHCExpr ok {%{REQUEST_STATUS} =~ /^[23]/}
<Location /x>
Use Shut 10.0.0.1
DirectorySlash Off
</Location>
</VirtualHost>
`

// TestExtras: with Whole everything that is listed stays in the model as it
// stands, in its server or section; without it nothing does.
func TestExtras(t *testing.T) {
	load := func(whole bool) *model.FrontEnd {
		c, _ := Load(diag.NewFile("/none/httpd.conf", []byte(extraText)), Options{Whole: whole})
		f, _, _ := Lower(c)
		return f
	}
	f := load(true)
	v := f.VHosts[0]
	for _, tt := range []struct {
		name string
		list []*model.Directive
		want string
	}{
		{"main server", f.Main.Settings.Extras, `Options["a b" "/srv/www"] Directory["/srv/www"]{RewriteRule["^a\\.b c" "-" "[F]"]}`},
		{"virtual host", v.Settings.Extras, `SSLCertificateFile["two"] ProxyHCExpr["ok" "{%{REQUEST_STATUS} =~ /^[23]/}"] ProxyHCTemplate["unused" "hcmethod=TCP"]`},
		{"Location", v.Sections[0].Settings.Extras, `Limit["POST"]{Require["ip" "10.0.0.1"]} DirectorySlash["Off"]`},
	} {
		if got := extraWords(tt.list); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
	f = load(false)
	if n := len(f.Main.Settings.Extras) + len(f.VHosts[0].Settings.Extras) + len(f.VHosts[0].Sections[0].Settings.Extras); n != 0 {
		t.Errorf("%d directives are kept that nobody asked for", n)
	}
}

func extraWords(list []*model.Directive) string {
	words := make([]string, len(list))
	for i, d := range list {
		args := make([]string, len(d.Args))
		for k, a := range d.Args {
			args[k] = fmt.Sprintf("%q", a.V)
		}
		words[i] = d.Name.V + "[" + strings.Join(args, " ") + "]"
		if d.Section.V {
			words[i] += "{" + extraWords(d.Children) + "}"
		}
	}
	return strings.Join(words, " ")
}

// TestExtrasBudget: what is kept is paid for, so that a file of many short
// directives cannot take more memory than it may.
func TestExtrasBudget(t *testing.T) {
	text := strings.Repeat("Foo a b c d e f g h i j k l m n o p q r s t u v w x y z\n", 60000)
	for _, whole := range []bool{false, true} {
		c, diags := Load(diag.NewFile("/none/httpd.conf", []byte(text)), Options{Whole: whole})
		f, _, more := Lower(c)
		if stopped := len(diags)+len(more) > 0; stopped != whole {
			t.Errorf("Whole %v: findings %d", whole, len(diags)+len(more))
		}
		if n := len(f.Main.Settings.Extras); whole && (n == 0 || n >= 60000) {
			t.Errorf("%d directives are kept", n)
		}
	}
}
