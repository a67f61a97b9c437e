package caddy

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// tok is a token and the line that it stands on.
type tok struct {
	text   string
	line   int
	quoted bool
}

// tokenize cuts a Caddyfile into tokens as Caddy's manual has it (Caddyfile concepts,
// "Tokens and quotes"): white space ends a token, " and ` begin a quoted one, \"
// stands for a quote in the former, # at the start of a token is a comment, a
// backslash before a line feed joins lines, {$NAME} is replaced before all that.
func tokenize(t testing.TB, s string) []tok {
	t.Helper()
	if strings.Contains(s, "{$") {
		t.Fatalf("the environment would be read: %s", s)
	}
	var out []tok
	line := 1
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			for i < len(s) && s[i] != '\n' {
				i++
			}
			if s[i-1] == '\\' {
				t.Fatal("a comment joins the next line")
			}
		case c == '"' || c == '`':
			var b strings.Builder
			for i++; ; i++ {
				if i >= len(s) || s[i] == '\n' {
					t.Fatalf("an open quote on line %d", line)
				}
				if c == '"' && s[i] == '\\' && i+1 < len(s) {
					if s[i+1] != '"' {
						b.WriteByte('\\')
						if s[i+1] == '\\' {
							b.WriteByte('\\')
							i++
						}
						continue
					}
					i++
				} else if s[i] == c {
					break
				}
				b.WriteByte(s[i])
			}
			i++
			out = append(out, tok{b.String(), line, true})
		default:
			start := i
			if end := strings.IndexFunc(s[i:], unicode.IsSpace); end > 0 {
				i += end
			} else if end < 0 {
				i = len(s)
			} else {
				t.Fatalf("white space outside of quotes on line %d", line)
			}
			text := s[start:i]
			if strings.HasSuffix(text, `\`) || strings.HasPrefix(text, "<<") {
				t.Fatalf("the token %s on line %d is not closed", text, line)
			}
			out = append(out, tok{text, line, false})
		}
	}
	return out
}

// unescape is what Caddy's replacer makes of a value without placeholders.
func unescape(s string) string {
	if !strings.Contains(s, "{") {
		return s
	}
	return strings.NewReplacer(`\{`, "{", `\}`, "}").Replace(s)
}

// FuzzToken: a value comes back as it was, or cannot be written.
func FuzzToken(f *testing.F) {
	for _, s := range []string{"", "a b", `a"b`, "a`b", `a\`, `\"`, "{$HOME}", "{path}", `\{x}`, "{", "}", "#x", "<<EOF", "import", "a\nb", "\x00", "\xff", "é", "a\u00a0b", `{"a": {"b": 1}}`, "*", "@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if q, ok := quote(s); ok {
			got := tokenize(t, "respond "+q+" 200\nnext\n")
			if len(got) != 4 || got[1].text != s || got[3].line != 2 {
				t.Errorf("%q as %s comes back as %v", s, q, got)
			}
		}
		if q, ok := quoteLiteral(s); ok {
			got := tokenize(t, "respond "+q+" 200\n")
			if len(got) != 3 || unescape(got[1].text) != s {
				t.Errorf("%q as %s comes back as %v", s, q, got)
			}
			if regexp.MustCompile(`(^|[^\\]){`).MatchString(got[1].text) {
				t.Errorf("%q as %s has a placeholder", s, q)
			}
		}
		if q, ok := pattern(s); ok {
			got := tokenize(t, "path_regexp "+q+"\n")
			if len(got) != 2 {
				t.Fatalf("%q as %s comes back as %v", s, q, got)
			}
			a, b := regexp.MustCompile(s), regexp.MustCompile(got[1].text)
			for _, probe := range []string{"", "/", "/a", s, "{a}", "/a{2}b", "aa"} {
				if a.MatchString(probe) != b.MatchString(probe) {
					t.Errorf("%q and %q differ about %q", s, got[1].text, probe)
				}
			}
		}
	})
}

// directives are what a line of the output may begin with.
var directives = map[string]bool{}

func init() {
	for _, w := range strings.Fields(`admin auto_https http_port https_port servers protocols timeouts idle bind tls ciphers client_auth mode
		trusted_ca_cert_file log output route error request_header header map vars reverse_proxy lb_policy lb_retries lb_try_duration
		fail_duration unhealthy_status health_uri health_interval flush_interval header_up header_down transport dial_timeout read_timeout
		keepalive max_conns_per_host versions tls_trusted_ca_certs tls_insecure_skip_verify tls_client_auth handle_response handle_errors
		respond redir rewrite uri root file_server hide request_body max_size import not path_regexp vars_regexp remote_ip header_regexp
		protocol method expression`) {
		directives[w] = true
	}
}

// checkShape fails unless the text is blocks of known directives.
func checkShape(t testing.TB, text string) {
	t.Helper()
	depth, last := 0, 0
	inMap, inHeader := 0, 0
	toks := tokenize(t, text)
	for i, k := range toks {
		first := k.line != last
		last = k.line
		endOfLine := i+1 == len(toks) || toks[i+1].line != k.line
		if first && depth > 0 && k.text != "}" && !strings.HasPrefix(k.text, "@") && inMap == 0 && inHeader == 0 && !directives[k.text] {
			t.Fatalf("line %d begins with %q:\n%s", k.line, k.text, text)
		}
		switch {
		case k.quoted:
		case k.text == "{" && endOfLine:
			depth++
			word := toks[i]
			for j := i; j >= 0 && toks[j].line == k.line; j-- {
				word = toks[j]
			}
			if word.text == "map" {
				inMap = depth
			}
			if word.text == "header" {
				inHeader = depth
			}
		case k.text == "}" && first:
			if inMap == depth {
				inMap = 0
			}
			if inHeader == depth {
				inHeader = 0
			}
			if depth--; depth < 0 {
				t.Fatalf("line %d closes what is not open:\n%s", k.line, text)
			}
		}
	}
	if depth != 0 {
		t.Fatalf("%d blocks are open:\n%s", depth, text)
	}
}

// FuzzConfig: names, paths, values and patterns of a configuration cannot add
// directives to the output.
func FuzzConfig(f *testing.F) {
	f.Add("www.example.org", "/app", "a b", `\.jsp$`, "route1")
	f.Add("a}b", "/a b{", "x\"; }\\", `^/(?<n>a{2})`, "{$X}")
	f.Add("*.x", "/{path}", "`\\\"", `[{]`, "s.1")
	f.Fuzz(func(t *testing.T, name, path, value, re, route string) {
		for _, s := range []string{name, path, value, re, route} {
			if strings.ContainsAny(s, "\n\r\x00") || len(s) > 200 {
				return
			}
		}
		q := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
		conf := "Listen 80\nServerName " + q(name) + "\n<Proxy balancer://b>\nBalancerMember http://m:1 route=" + q(route) + "\nBalancerMember http://m:2\n</Proxy>\n" +
			"ProxyPass " + q(path) + " balancer://b" + " stickysession=" + q(route) + "\n" +
			"Header set X " + q(value) + "\nHeader always set Y " + q(value) + "\nErrorDocument 503 " + q(value) + "\n" +
			"<LocationMatch " + q(re) + ">\nRequire all denied\n</LocationMatch>\nRedirect " + q(path+"/r") + " " + q("https://h"+path) + "\n" +
			"<VirtualHost *:80>\nServerName x\n</VirtualHost>\n<VirtualHost *:80>\nServerName " + q(name) + "\nServerAlias " + q(value) + "\n</VirtualHost>\n"
		out, ok := tryConvert(t, conf)
		if ok {
			checkShape(t, out)
		}
	})
}
