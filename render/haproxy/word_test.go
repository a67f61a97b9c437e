package haproxy

import (
	"fmt"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/render/target"
)

// cut takes a line apart as section 2.2 of HAProxy's manual says; ok is false for
// an open quote, and where an environment variable would be put in.
func cut(line string) (words []string, ok bool) {
	var b strings.Builder
	in := false
	flush := func() {
		if in {
			words = append(words, b.String())
			b.Reset()
			in = false
		}
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case ' ', '\t':
			flush()
		case '#':
			if !in {
				return words, true
			}
			flush()
			return words, true
		case '\'':
			in = true
			end := strings.IndexByte(line[i+1:], '\'')
			if end < 0 {
				return nil, false
			}
			b.WriteString(line[i+1 : i+1+end])
			i += end + 1
		case '"':
			in = true
			for i++; ; i++ {
				if i >= len(line) || line[i] == '$' {
					return nil, false
				}
				if line[i] == '"' {
					break
				}
				if line[i] == '\\' {
					i++
					if i >= len(line) || !strings.ContainsRune(`\"$`, rune(line[i])) {
						return nil, false
					}
				}
				b.WriteByte(line[i])
			}
		case '\\':
			return nil, false // this package never writes one outside quotes
		default:
			in = true
			b.WriteByte(c)
		}
	}
	flush()
	return words, true
}

func FuzzWord(f *testing.F) {
	for _, s := range []string{"", "a b", `it's "q" $HOME \x`, "#c", "a#b", "é\xff", "{", "}", "a\nb", `\`, `'`, `"`, "$", "${A}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		words, ok := cut("x " + word(s) + " y")
		if !ok || len(words) != 3 || words[0] != "x" || words[2] != "y" {
			t.Fatalf("%q is written %s, which reads %q", s, word(s), words)
		}
		if writable(s) && words[1] != s {
			t.Fatalf("%q comes back as %q", s, words[1])
		}
		if strings.ContainsAny(word(s), "\r\n\x00") {
			t.Fatalf("%q breaks the line", s)
		}
	})
}

// keywords are all that a line of the output may begin with.
var keywords = map[string]bool{"global": true, "defaults": true, "frontend": true, "backend": true, "log": true, "mode": true, "option": true,
	"timeout": true, "bind": true, "acl": true, "http-request": true, "http-response": true, "http-after-response": true, "http-error": true,
	"use_backend": true, "default_backend": true, "stats": true, "balance": true, "retries": true, "use-server": true, "server": true,
	"default-server": true, "http-reuse": true, "http-check": true, "ssl-load-extra-del-ext": true}

// FuzzRender puts texts of all kinds into a setup: whatever they are, the output has
// only lines that this package writes, and a header's value comes back as it was.
func FuzzRender(f *testing.F) {
	f.Add("www.example.org", "/app", "a b", "^/x(.*)$", "s1", "JSESSIONID")
	f.Add("a'b", "/é x", "it's 100% \"q\" $x ${Y} #z", `^/[a-z]+\.(gif|jpg)$`, "s 1", "a;b")
	f.Add("*.x", "/}", "}", "}", "}", "{")
	f.Add("x\" }\n  server evil", "/a{b", "v;w\\", "#", "r\\\"'", "c'k")
	f.Fuzz(func(t *testing.T, name, path, value, regex, route, cookie string) {
		q := model.QuoteWord
		conf := fmt.Sprintf(`Listen 80
ServerName main
<Proxy balancer://p>
BalancerMember http://h1:8080 route=%s
BalancerMember http://h2:8080 route=s2
ProxySet stickysession=%s
</Proxy>
ErrorDocument 503 %s
<VirtualHost *:80>
ServerName %s
ServerAlias %s
RewriteEngine On
RewriteCond %%{HTTP_USER_AGENT} %s
RewriteRule %s - [F]
ProxyPass %s balancer://p/x
ProxyPassReverse %s balancer://p/x
ProxyPassReverseCookiePath %s /y
RedirectMatch %s http://o/%s
RequestHeader set X-Fuzz %s
Header always set X-Other %s
<LocationMatch %s>
Require ip 10.0.0.1
</LocationMatch>
</VirtualHost>
`, q(route), q(cookie), q(value), q(name), q(name), q(regex), q(regex), q(path), q(path), q(path), q(regex), q(value), q(value), q(value), q(regex))
		r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, Whole: true, Config: "none", HTTPD: "2.4", Overlay: map[string][]byte{"httpd.conf": []byte(conf)}})
		if err != nil || len(r.Broken) > 0 || len(r.Setup.FrontEnds) == 0 {
			return
		}
		res, err := render(r.Setup, target.Options{Provenance: true})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(res.Files[0].Data)) {
			line = strings.TrimSuffix(line, "\n")
			words, ok := cut(line)
			if !ok || strings.ContainsAny(line, "\r\x00") || len(words) > 0 && !keywords[words[0]] || len(words) > 64 {
				t.Fatalf("the line %q reads %q\n%s", line, words, conf)
			}
			if len(words) == 4 && words[2] == "X-Fuzz" && words[1] == "set-header" && !strings.Contains(value, "%") {
				for _, vh := range r.Setup.FrontEnds[0].VHosts {
					for _, h := range vh.Settings.Headers {
						if h.Name.V == "X-Fuzz" && h.Value.V != words[3] {
							t.Fatalf("the value %q is written %q", h.Value.V, line)
						}
					}
				}
			}
		}
	})
}

func TestRefs(t *testing.T) {
	for _, c := range []struct {
		in    string
		shift int
		want  string
		ok    bool
	}{
		{"/a/$1", 0, `/a/\1`, true},
		{"$0-$2", 2, `\2-\4`, true},
		{"$9", 2, "", false},
		{`50%\$1`, 0, `50%%$1`, true},
		{"a$", 0, "a$", true},
	} {
		if got, ok := refs(c.in, c.shift); got != c.want || ok != c.ok {
			t.Errorf("refs(%q, %d) = %q, %v; want %q, %v", c.in, c.shift, got, ok, c.want, c.ok)
		}
	}
}

func TestVersions(t *testing.T) {
	for in, want := range map[string]string{
		"all -SSLv3 -TLSv1 -TLSv1.1": "ssl-min-ver TLSv1.2",
		"-all +TLSv1.2 +TLSv1.3":     "ssl-min-ver TLSv1.2",
		"TLSv1.2":                    "ssl-min-ver TLSv1.2 ssl-max-ver TLSv1.2",
		"TLSv1 +TLSv1.3":             "ssl-min-ver TLSv1.3",
		"all":                        "ssl-min-ver TLSv1.0",
	} {
		words, ok := minMax(enabled(in))
		if got := strings.Join(words, " "); !ok || got != want {
			t.Errorf("SSLProtocol %s: %s, want %s", in, got, want)
		}
	}
	if _, ok := minMax(enabled("-all")); ok {
		t.Error("no version at all has a form")
	}
}
