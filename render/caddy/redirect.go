package caddy

import (
	"regexp"
	"strings"

	"clowder/render/plan"
)

// template is the target of a redirect or a rewriting with its references: $1 are
// groups of the pattern named expr, %1 of that named cond, %{NAME} variables.
type template struct{ src, expr, cond string }

// variables are those of mod_rewrite that a placeholder has
// (caddyserver.com/docs/json/apps/http, Placeholders).
var variables = map[string]string{
	"HTTP_HOST": "{http.request.hostport}", "SERVER_NAME": "{http.request.host}", "SERVER_PORT": "{http.request.port}",
	"REQUEST_SCHEME": "{http.request.scheme}", "REQUEST_URI": "{http.request.uri.path}", "QUERY_STRING": "{http.request.uri.query}",
	"REMOTE_ADDR": "{http.request.remote.host}", "REQUEST_METHOD": "{http.request.method}",
}

var reference = regexp.MustCompile(`\$(\d)|%(\d)|%\{([^}]*)\}|\\(.)|\$\{`)

// parse writes a text with its references as placeholders.
func (t template) parse(text string) (string, bool) {
	var b strings.Builder
	for text != "" {
		m := reference.FindStringSubmatchIndex(text)
		if m == nil {
			b.WriteString(literal(text))
			break
		}
		b.WriteString(literal(text[:m[0]]))
		group := func(i int) string {
			if m[2*i] < 0 {
				return ""
			}
			return text[m[2*i]:m[2*i+1]]
		}
		switch {
		case group(1) != "" && t.expr != "":
			b.WriteString("{re." + t.expr + "." + group(1) + "}")
		case group(2) != "" && t.cond != "":
			b.WriteString("{re." + t.cond + "." + group(2) + "}")
		case variables[strings.ToUpper(group(3))] != "":
			b.WriteString(variables[strings.ToUpper(group(3))])
		case group(4) != "":
			b.WriteString(literal(group(4)))
		default:
			return "", false
		}
		text = text[m[1]:]
	}
	return b.String(), true
}

// whole are patterns whose first group is the path without its slash.
var whole = map[string]bool{"^/?(.*)$": true, "^/?(.*)": true, "^/(.*)$": true, "^/(.*)": true, "/(.*)": true}

// redirectTo writes a RewriteRule with [R]. The path is rewritten first, so that
// Caddy escapes it and keeps the query as httpd does; then {uri} is sent.
func (c *siteGen) redirectTo(in *block, t template, e *plan.Early) bool {
	origin, path := plan.SplitURL(e.Target)
	if origin == "" && !strings.HasPrefix(path, "/") {
		return false
	}
	to, ok := t.parse(origin)
	if !ok {
		return false
	}
	regex := strings.TrimPrefix(e.Path.Regex, "(?i)")
	same := path == "%{REQUEST_URI}" || whole[regex] && path == "/$1" || path == "$1" && (regex == "^(.*)$" || regex == "(.*)" || regex == "^(/.*)$")
	if path == "" {
		path = "/"
	}
	if full := query(path, e.Source); !same || full != path {
		p, ok := t.parse(full)
		q, quotable := quote(p)
		if !ok || !quotable || strings.Contains(full, "#") {
			return c.plainRedirect(in, e)
		}
		in.add("rewrite *", q)
	}
	q, ok := quote(to + "{uri}")
	if !ok {
		return false
	}
	in.add("redir *", q, itoa(e.Status))
	in.from(e.Source.At)
	return true
}

// plainRedirect writes a target that depends on nothing, such as one with a fragment.
func (c *siteGen) plainRedirect(in *block, e *plan.Early) bool {
	if strings.ContainsAny(e.Target, "$%") {
		return false
	}
	q, ok := quoteLiteral(e.Target)
	if !ok {
		return false
	}
	in.add("redir *", q, itoa(e.Status))
	in.from(e.Source.At)
	return true
}

// redirect writes Redirect and RedirectMatch (mod_alias): what follows the prefix is
// appended, and the query is kept.
func (c *siteGen) redirect(in *block, o *plan.Outcome) {
	r := o.Redirect
	origin, path := plan.SplitURL(o.Location)
	status := itoa(o.Status)
	fail := func() {
		c.l.Drop("its target cannot be written for Caddy: the requests are refused", "redir", r)
		in.add("error * 503")
	}
	if o.Regex != nil {
		t, ok := pattern(o.Regex.Regex)
		name := c.expression(t)
		to := template{src: o.Location, expr: name}
		org, ok2 := to.parse(origin)
		p, ok3 := to.parse(orWord(path, "/"))
		p, ok4 := quote(p)
		org, ok5 := quote(org + "{uri}")
		if !ok || !ok2 || !ok3 || !ok4 || !ok5 || strings.Contains(path, "#") || origin == "" && !strings.HasPrefix(path, "/") {
			fail()
			return
		}
		in.add("rewrite", c.when("pattern", "path_regexp", name, t), p)
		in.add("redir *", org, status)
		in.from(r.At)
		c.l.Exact(r)
		return
	}
	if !r.Path.IsSet() || strings.ContainsAny(path, "?#") {
		q, ok := template{src: o.Location}.parse(o.Location)
		q, ok2 := quote(q)
		if !ok || !ok2 {
			fail()
			return
		}
		in.add("redir *", q, status)
		c.l.Exact(r)
		return
	}
	q, ok := quote(literal(origin) + "{uri}")
	if !ok || !c.move(in, o.Strip, path) {
		fail()
		return
	}
	in.add("redir *", q, status)
	in.from(r.At)
	c.l.Exact(r)
}

func (c *siteGen) redirectFact(o *plan.Outcome) {
	if o.Redirect != nil {
		c.l.Exact(o.Redirect)
	}
}

// move replaces the prefix from of the path by to; it reports whether Caddy can.
// strip_prefix compares decoded letters, and path_regexp works on the escaped path,
// so that nothing is decoded twice (modules/caddyhttp/rewrite/rewrite.go).
func (c *siteGen) move(in *block, from, to string) bool {
	if from == to {
		return true
	}
	if strings.ContainsAny(from, "{}%?#") || strings.ContainsAny(to, "?#") {
		return false
	}
	strip := strings.TrimSuffix(from, "/")
	q, ok := quote(strip)
	repl, ok2 := quote(literal(strings.ReplaceAll(to, "$", "$$")))
	if !ok || !ok2 {
		return false
	}
	if strip != "" {
		in.add("uri strip_prefix", q)
	}
	if strings.HasSuffix(from, "/") || from == "" {
		if to != "/" {
			in.add("uri path_regexp ^/", repl)
		}
		return to != ""
	}
	if to != "" && to != "/" {
		in.add("uri path_regexp ^", repl)
	}
	return true
}
