package nginx

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"clowder/internal/interop"
	"clowder/parse"
	"clowder/parse/model"
	"clowder/render/target"
)

// node is a directive as nginx reads it.
type node struct {
	words []string
	block []node
}

// read takes a configuration apart by the rules of ngx_conf_read_token: blanks end
// a word, a backslash keeps the next character from doing so, quotes stand at the
// beginning of a word, # begins a comment where a word could begin.
func read(s string) ([]node, error) {
	r := &reader{s: s}
	list, err := r.list(0)
	if err == nil && r.i < len(s) {
		err = errors.New("a } too many")
	}
	return list, err
}

type reader struct {
	s string
	i int
}

func (r *reader) list(depth int) (out []node, err error) {
	var n node
	for r.i < len(r.s) {
		switch ch := r.s[r.i]; {
		case strings.IndexByte(" \t\r\n", ch) >= 0:
			r.i++
		case ch == '#':
			for r.i < len(r.s) && r.s[r.i] != '\n' {
				r.i++
			}
		case ch == ';' || ch == '{':
			r.i++
			if len(n.words) == 0 {
				return nil, fmt.Errorf("unexpected %c", ch)
			}
			if ch == '{' {
				if n.block, err = r.list(depth + 1); err != nil {
					return nil, err
				}
				if n.block == nil {
					n.block = []node{}
				}
			}
			out = append(out, n)
			n = node{}
		case ch == '}':
			if depth == 0 || len(n.words) > 0 {
				return nil, errors.New("unexpected }")
			}
			r.i++
			return out, nil
		default:
			w, err := r.word()
			if err != nil {
				return nil, err
			}
			n.words = append(n.words, w)
		}
	}
	if depth > 0 || len(n.words) > 0 {
		return nil, errors.New("unexpected end")
	}
	return out, nil
}

func (r *reader) word() (string, error) {
	begin, quote := r.i, byte(0)
	if ch := r.s[r.i]; ch == '"' || ch == '\'' {
		quote = ch
		r.i++
		begin++
	}
	variable := false
	for ; r.i < len(r.s); r.i++ {
		ch := r.s[r.i]
		if ch == '{' && variable {
			continue
		}
		variable = false
		switch {
		case ch == '\\':
			r.i++
		case ch == '$':
			variable = true
		case quote != 0 && ch == quote:
			w := unescape(r.s[begin:r.i])
			if r.i++; r.i < len(r.s) && strings.IndexByte(" \t\r\n;{)", r.s[r.i]) < 0 {
				return "", fmt.Errorf("unexpected %q behind a quoted word", r.s[r.i])
			}
			return w, nil
		case quote == 0 && strings.IndexByte(" \t\r\n;{", ch) >= 0:
			return unescape(r.s[begin:r.i]), nil
		}
	}
	return "", errors.New("unexpected end of a word")
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if k := strings.IndexByte(`"'\trn`, s[i+1]); k >= 0 {
				b.WriteByte("\"'\\\t\r\n"[k])
				i++
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// FuzzQuote: a word comes back as it was written, in every place.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", "a", "a b", `"`, `'`, `\`, `\\`, `a\tb`, `\"`, "a;b", "a}b{c", "#x", "x#", "${dollar}", "$", "é", `^/a\.b\\n$`, "~x", ")", "(a)", `a\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !writable(s) {
			return
		}
		conf := text([]*dir{blk("if", []string{"$uri", "~", s}, d("x", s, "end")), blk("map", nil, d(s, s)), d("last", s)})
		got, err := read(conf)
		if err != nil {
			t.Fatalf("%q: %v\n%s", s, err, conf)
		}
		cond := strings.TrimSuffix(strings.Join(got[0].words[3:], ""), ")")
		if len(got) != 3 || cond != s || !slices.Equal(got[0].block[0].words, []string{"x", s, "end"}) || !slices.Equal(got[1].block[0].words, []string{s, s}) || got[2].words[1] != s {
			t.Fatalf("%q comes back as %q\n%s", s, got, conf)
		}
	})
}

var all = flag.Bool("all", false, "ask nginx about every odd value, not about a sample")

const fuzzConf = `Listen 80
ServerName www.example.org
<VirtualHost *:80>
ServerName a.example.org
ServerAlias *.a.example.org
ProxyPass /app balancer://c/x
ProxyPassReverse /app http://back/x
ErrorDocument 503 "we are down"
RewriteEngine On
RewriteCond %{HTTP_HOST} ^old
RewriteRule ^/r/(.*)$ http://new/$1 [R]
CustomLog logs/a "%h %{X}i"
<Proxy balancer://c>
BalancerMember http://127.0.0.1:8080 route=s1
BalancerMember http://127.0.0.1:8081 route=s2
ProxySet stickysession=JSESSIONID
</Proxy>
<Location /app/closed>
AuthType Basic
AuthName text
AuthUserFile /etc/passwords
Require user alice
</Location>
<LocationMatch "^/app/m">
Require all denied
</LocationMatch>
<Location /app/h>
Header set X-A value
RequestHeader set X-B value
</Location>
Redirect /away http://other/x
</VirtualHost>
`

// places are the values of fuzzConf that a fuzzer replaces.
var places = []struct {
	name string
	set  func(f *model.FrontEnd, vh *model.Server, v string)
}{
	{"ServerName", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.ServerName.V = v }},
	{"ServerAlias", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Aliases[0].V = v }},
	{"ProxyPass path", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Mappings[0].Path.V = v }},
	{"ProxyPass target", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Mappings[0].Target.V = v }},
	{"ProxyPassReverse from", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Settings.Reverses[0].From.V = v }},
	{"ProxyPassReverse to", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Settings.Reverses[0].To.V = v }},
	{"ErrorDocument", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Settings.ErrorDocs[0].Document.V = v }},
	{"RewriteCond", func(_ *model.FrontEnd, vh *model.Server, v string) {
		vh.Settings.Rewrite.Rules[0].Conds[0].Pattern.V = v
	}},
	{"RewriteRule pattern", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Settings.Rewrite.Rules[0].Pattern.V = v }},
	{"RewriteRule target", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Settings.Rewrite.Rules[0].Target.V = v }},
	{"CustomLog file", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.CustomLogs[0].File.V = v }},
	{"CustomLog format", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.CustomLogs[0].Format.V = v }},
	{"balancer", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Balancers[0].Name.V = v }},
	{"member", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Balancers[0].Members[0].URL.V = v }},
	{"route", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Balancers[0].Members[0].Route.V = v }},
	{"stickysession", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Balancers[0].Sticky.V = v }},
	{"separator", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Balancers[0].StickySep.V = v }},
	{"Location", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Sections[1].Path.V = v }},
	{"AuthName", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Sections[1].Settings.Access.AuthName.V = v }},
	{"AuthUserFile", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Sections[1].Settings.Access.AuthFile.V = v }},
	{"user", func(_ *model.FrontEnd, vh *model.Server, v string) {
		vh.Sections[1].Settings.Access.Require.Children[0].Args[1].V = v
	}},
	{"LocationMatch", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Sections[2].Path.V = v }},
	{"Header", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Sections[3].Settings.Headers[0].Value.V = v }},
	{"Header name", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Sections[3].Settings.Headers[0].Name.V = v }},
	{"RequestHeader", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Sections[3].Settings.Headers[1].Value.V = v }},
	{"Redirect path", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Settings.Redirects[0].Path.V = v }},
	{"Redirect target", func(_ *model.FrontEnd, vh *model.Server, v string) { vh.Settings.Redirects[0].Target.V = v }},
	{"Listen", func(f *model.FrontEnd, _ *model.Server, v string) { f.Listens[0].Address.V = v }},
}

// directives are all that the package writes, by the block around them.
var directives = map[string]string{
	"":     "worker_processes events http",
	"http": "include client_max_body_size underscores_in_headers proxy_http_version proxy_request_buffering proxy_buffering geo map log_format upstream server server_tokens server_names_hash_bucket_size",
	"server": "listen server_name access_log if rewrite set return location error_page proxy_set_header proxy_redirect proxy_intercept_errors add_header " +
		"proxy_hide_header break",
	"location": "return rewrite allow deny satisfy auth_basic auth_basic_user_file proxy_set_header proxy_redirect proxy_pass add_header error_page default_type if " +
		"proxy_hide_header",
	"if":       "return rewrite set break",
	"upstream": "server keepalive least_conn",
}

func checkNames(t *testing.T, around string, list []node) {
	t.Helper()
	for _, n := range list {
		if around == "map" || around == "geo" {
			if len(n.words) != 2 || n.block != nil {
				t.Fatalf("a line of a map: %q", n)
			}
			continue
		}
		if !slices.Contains(strings.Fields(directives[around]), n.words[0]) {
			t.Fatalf("%q in the block %q", n.words, around)
		}
		checkNames(t, n.words[0], n.block)
	}
}

// loadFuzz reads fuzzConf anew.
func loadFuzz(t testing.TB, file string) *model.Setup {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true})
	if err != nil || len(r.Broken) > 0 {
		t.Fatalf("%v %v", err, r)
	}
	return r.Setup
}

// FuzzRender: whatever stands in a value, nginx reads the directives that were
// meant and no others, and what was closed stays closed.
func FuzzRender(f *testing.F) {
	file := filepath.Join(f.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(fuzzConf), 0o644); err != nil {
		f.Fatal(err)
	}
	for i := range places {
		for _, v := range []string{"x", "a\nproxy_pass http://evil; #", "x; allow all; }", "}", `a"; deny`, "$http_evil", "${", `\`, "off", "a b", "", "^(", "(?<host>x)", "%{", "\x00", "/x;/y", "a\rb"} {
			f.Add(i, v)
		}
	}
	f.Fuzz(func(t *testing.T, i int, v string) {
		if i < 0 || i >= len(places) {
			return
		}
		s := loadFuzz(t, file)
		fe := s.FrontEnds[0]
		places[i].set(fe, fe.VHosts[0], v)
		res, err := Render(s, target.Options{Provenance: true})
		if err != nil {
			t.Fatal(err)
		}
		list, err := read(string(res.Files[0].Data))
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", places[i].name, v, err, res.Files[0].Data)
		}
		checkNames(t, "", list)
		checkValues(t, places[i].name, v, list)
	})
}

// TestNginxTakesOddValues: nginx accepts the output whatever stands in a value.
func TestNginxTakesOddValues(t *testing.T) {
	bin := interop.Require(t, "nginx", "apt-get install nginx-light", "/usr/sbin/nginx")
	dir := t.TempDir()
	file := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(file, []byte(fuzzConf), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range places {
		for j, v := range []string{"x", "/x", "a\nb", "x; allow all; }", "}", `a"; deny`, "$http_evil", "${", `\`, `\\n`, "off", "a b", "", "^(", "(?<host>x)", "%{", "\x00", "/x;/y", "a\rb", "é", "http://x/$y", "a{2}b", "[", "a**", "a++b", "(?=x)y(", strings.Repeat("long", 2000), "default", "*", "~x"} {
			if (i+j)%5 != 0 && !*all {
				continue
			}
			s := loadFuzz(t, file)
			places[i].set(s.FrontEnds[0], s.FrontEnds[0].VHosts[0], v)
			res, err := Render(s, target.Options{})
			if err != nil {
				t.Fatal(err)
			}
			conf := strings.NewReplacer("http {\n", fmt.Sprintf("http {\n client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s; access_log off;\n", dir),
				"/var/log/nginx/", dir+"/", "listen 80", "listen 127.0.0.1:8480", "listen [::]:80", "listen 127.0.0.2:8480").Replace(string(res.Files[0].Data))
			name := filepath.Join(dir, "nginx.conf")
			if err := os.WriteFile(name, []byte(conf), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(bin, "-t", "-p", dir, "-c", name, "-g", "pid "+dir+"/pid; error_log stderr;").CombinedOutput()
			if err != nil && !strings.Contains(string(out), "host not found in") && !strings.Contains(string(out), "no host in") {
				t.Errorf("%s %q: %s\n%.3000s", places[i].name, v, out, conf)
			}
		}
	}
}

// checkValues: variables are only those of the package, and header values come
// back or are left out.
func checkValues(t *testing.T, name, v string, list []node) {
	t.Helper()
	var walk func([]node)
	walk = func(list []node) {
		for _, n := range list {
			for _, w := range n.words {
				if strings.Contains(w, "$http_evil") && n.words[0] != "location" && n.words[0] != "if" && n.words[0] != "rewrite" && !strings.HasPrefix(n.words[0], "~") {
					t.Fatalf("%s %q: a variable of the source in %q", name, v, n.words)
				}
			}
			if name == "Header" && n.words[0] == "add_header" && !strings.Contains(v, "%") {
				if got := strings.ReplaceAll(n.words[2], "${dollar}", "$"); got != v {
					t.Fatalf("header %q comes back as %q", v, got)
				}
			}
			walk(n.block)
		}
	}
	walk(list)
}

func TestGlobMatch(t *testing.T) {
	for _, x := range []struct {
		p, s string
		want bool
	}{{"*.example.org", "a.example.org", true}, {"*.example.org", "*.a.example.org", true}, {"*.example.org", "example.org", false}, {"w?.x", "ww.x", true}, {"w?.x", "w.x", false},
		{"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false}, {"*", "", true}, {"", "a", false}, {strings.Repeat("a*", 60), strings.Repeat("a", 200) + "b", true}, {strings.Repeat("a*", 60) + "c", strings.Repeat("a", 200) + "b", false}} {
		if got := globMatch(x.p, x.s); got != x.want {
			t.Errorf("globMatch(%q, %q) is %v", x.p, x.s, got)
		}
	}
}
