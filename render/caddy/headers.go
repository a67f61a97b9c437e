package caddy

import (
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// change is one operation on a header, as Caddy's header directives have it: it
// adds first, then sets, deletes and replaces, whatever their order
// (modules/caddyhttp/headers/headers.go, ApplyTo).
type change struct {
	op    byte // '=' set, '+' add, '-' delete, '?' set if absent, '~' replace
	name  string
	value string // token, or the replacement of ~
	find  string // token of ~
	rule  *model.HeaderRule
}

var token = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

// fieldName is what a client may call a header (RFC 9110, section 5.6.2), but for
// characters that a Caddyfile may take for others.
var fieldName = regexp.MustCompile("^[A-Za-z0-9!$%&'^_|~.][A-Za-z0-9!#$%&'+.^_|~-]*$")

func headerName(s string) bool { return token.MatchString(s) }

// fold puts operations that Caddy would carry out in another order into one.
func fold(list []change) []change {
	var out []change
	for _, c := range list {
		same := func(o change) bool { return strings.EqualFold(o.name, c.name) }
		last := -1
		for i, o := range out {
			if same(o) && (o.op == '=' || o.op == '-') {
				last = i
			}
		}
		switch {
		case c.op == '=' || c.op == '-':
			out = append(slices.DeleteFunc(out, same), c)
		case c.op == '+' && last >= 0 && out[last].op == '-':
			c.op = '='
			out[last] = c
		case c.op == '+' && last >= 0:
			if v, ok := joinTokens(out[last].value, c.value); ok {
				out[last].value = v
			}
		case c.op == '?' && last >= 0:
			if out[last].op == '-' {
				c.op = '='
				out[last] = c
			}
		default:
			out = append(out, c)
		}
	}
	return out
}

// joinTokens joins two values by a comma.
func joinTokens(a, b string) (string, bool) {
	return quote(unquote(a) + ", " + unquote(b))
}

func unquote(t string) string {
	switch {
	case len(t) > 1 && t[0] == '`':
		return t[1 : len(t)-1]
	case len(t) > 1 && t[0] == '"':
		return strings.ReplaceAll(t[1:len(t)-1], `\"`, `"`)
	}
	return t
}

// write writes the change behind a prefix such as header_down.
func (ch change) write(b *block, prefix string) {
	words := []string{}
	if prefix != "" {
		words = append(words, prefix)
	}
	switch ch.op {
	case '=':
		words = append(words, ch.name, ch.value)
	case '~':
		words = append(words, ch.name, ch.find, ch.value)
	case '-':
		words = append(words, "-"+ch.name)
	default:
		words = append(words, string(ch.op)+ch.name, ch.value)
	}
	b.add(words...)
	if ch.rule != nil {
		b.from(ch.rule.At)
	}
}

// read turns a rule into an operation; ok is false when Caddy cannot say it. Actions
// are those of mod_headers.
func (g *gen) read(h *model.HeaderRule) (ch change, ok bool) {
	ch = change{name: h.Name.V, rule: h}
	if !headerName(h.Name.V) || h.Cond.V != "" && !strings.EqualFold(h.Cond.V, "early") {
		return ch, false
	}
	switch action := strings.ToLower(h.Action.V); action {
	case "unset":
		ch.op = '-'
		return ch, true
	case "set", "add", "append", "merge", "setifempty":
		ch.op = map[string]byte{"set": '=', "setifempty": '?'}[action]
		if ch.op == 0 {
			ch.op = '+'
		}
		v, known := headerValue(h.Value.V)
		if !known {
			return ch, false
		}
		ch.value, ok = quote(v)
		return ch, ok
	case "edit", "edit*":
		find, repl := h.Edit()
		t, ok1 := pattern(find)
		v, ok2 := headerValue(repl)
		r, ok3 := quote(v)
		ch.op, ch.find, ch.value = '~', t, r
		return ch, ok1 && ok2 && ok3 && t != ""
	}
	return ch, false
}

// serverVariables are those of %{NAME}s that a placeholder has.
var serverVariables = map[string]string{
	"REMOTE_ADDR": "{http.request.remote.host}", "SERVER_NAME": "{http.request.host}", "SERVER_PORT": "{http.request.port}",
	"REQUEST_SCHEME": "{http.request.scheme}", "HTTP_HOST": "{http.request.hostport}", "REQUEST_METHOD": "{http.request.method}",
	"SSL_PROTOCOL": "{http.request.tls.version}", "SSL_CIPHER": "{http.request.tls.cipher_suite}",
	"SSL_CLIENT_S_DN": "{http.request.tls.client.subject}", "SSL_CLIENT_I_DN": "{http.request.tls.client.issuer}",
	"SSL_CLIENT_M_SERIAL": "{http.request.tls.client.serial}",
}

// headerValue writes the value of a header rule with its %-codes as placeholders.
func headerValue(s string) (string, bool) {
	if strings.HasPrefix(s, "expr=") {
		return "", false
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			b.WriteString(literal(s))
			break
		}
		b.WriteString(literal(s[:i]))
		s = s[i+1:]
		if strings.HasPrefix(s, "%") {
			b.WriteByte('%')
			s = s[1:]
			continue
		}
		end := strings.Index(s, "}s")
		if !strings.HasPrefix(s, "{") || end < 0 || serverVariables[s[1:end]] == "" {
			return "", false
		}
		b.WriteString(serverVariables[s[1:end]])
		s = s[end+2:]
	}
	return b.String(), true
}

// always writes response headers that errors have, too (Header always), apart from
// those of the server when without tells them.
func (c *siteGen) always(rules, without []*model.HeaderRule) {
	c.alwaysRules(c.out, rules, without)
}

func (c *siteGen) alwaysRules(in *block, rules, without []*model.HeaderRule) {
	var list []change
	for _, h := range rules {
		if h.Request.V || !h.Always.V || slices.Contains(without, h) {
			continue
		}
		if ch, ok := c.read(h); ok && ch.op != '~' {
			list = append(list, ch)
		}
	}
	c.headerBlock(in, fold(list))
}

// headerBlock writes header directives.
func (c *siteGen) headerBlock(in *block, list []change) {
	if len(list) == 1 && list[0].op != '~' {
		b := c.block()
		list[0].write(b, "")
		in.add("header " + b.lines[0].text)
		return
	}
	if len(list) == 0 {
		return
	}
	b := c.block()
	for _, ch := range list {
		ch.write(b, "")
	}
	in.nest(b, "header")
}

// alwaysIn writes what the sections of an outcome add to the response headers of
// the server, and for what is not proxied the other rules as well.
func (c *siteGen) alwaysIn(in *block, o *plan.Outcome) {
	c.alwaysRules(in, o.Settings.Headers, c.site.Server.Settings.Headers)
	var list []change
	for _, h := range o.Settings.Headers {
		ch, ok := c.read(h)
		switch {
		case h.Request.V && o.Kind != plan.Proxy:
			c.l.Exact(h) // nothing sees the request's headers
		case h.Request.V:
		case !ok:
			c.l.Drop("Caddy has no such condition or value", "header with a matcher", h)
		case h.Always.V && ch.op == '~':
			c.l.Drop("answers that Caddy makes itself are not edited", "header_down", h)
		case ch.op == '~':
			c.l.Approx("Caddy replaces all that matches", "header_down", h)
		default:
			c.l.Exact(h)
		}
		if ok && !h.Request.V && !h.Always.V && o.Kind == plan.Files && o.Root != "" {
			list = append(list, ch)
		}
	}
	c.headerBlock(in, fold(list))
}

// headers writes the header rules of a proxied request. A rule for request headers
// that cannot be said may guard what members trust, so the header is taken away.
func (g *proxyGen) headers(in *block) {
	var up, down []change
	lost := map[string]bool{} // names of which a rule was not carried: nothing may be added to the rest
	for _, h := range g.set.Headers {
		ch, ok := g.read(h)
		low := strings.ToLower(h.Name.V)
		switch {
		case h.Request.V && !fieldName.MatchString(h.Name.V):
			g.l.Closed("the name of the header cannot be written for Caddy: no client can send it either", "", h)
		case h.Request.V && (!ok || ch.op == '?' || lost[low] && ch.op != '=' && ch.op != '-'):
			g.l.Closed("Caddy cannot set it so: members never see this header, from the client neither", "request_header with a matcher", h)
			up = append(up, change{op: '-', name: h.Name.V, rule: h})
			lost[low] = true
		case h.Request.V:
			lost[low] = false
			up = append(up, ch)
			if ch.op == '~' {
				g.l.Approx("Caddy replaces all that matches", "header_up", h)
			} else {
				g.l.Exact(h)
			}
		case !ok:
		case h.Always.V:
			if ch.op == '=' || ch.op == '-' {
				down = append(down, change{op: '-', name: ch.name, rule: h}) // the site sets its own
			} else if ch.op == '~' {
				down = append(down, ch)
			}
		case ch.op == '?':
			g.l.Approx("Caddy sets it when there is none", "header ?NAME", h)
		default:
			down = append(down, ch)
		}
	}
	for _, ch := range fold(up) {
		ch.write(in, "header_up")
	}
	for _, ch := range fold(down) {
		ch.write(in, "header_down")
	}
	if v := g.set.AddHeaders; v.IsWritten() && !v.V {
		for _, n := range []string{"For", "Host", "Proto"} {
			in.add("header_up -X-Forwarded-" + n)
		}
		g.l.Approx("what the client sent in X-Forwarded-For, -Host and -Proto is taken away as well", "header_up -X-Forwarded-For", v)
	}
}

// upgrades takes the Upgrade header away where no member takes upgrades, as httpd
// does: an upgraded connection to HTTP/2 would lead around the rules here.
func (c *siteGen) upgrades() {
	some := false
	for _, p := range c.pools() {
		some = some || p.Upgrade
	}
	for _, e := range c.site.Early {
		some = some || e.Pool != nil && e.Pool.Upgrade
	}
	if !some {
		c.out.add("request_header -Upgrade")
		return
	}
	c.upgraded = true
	set := c.block()
	set.add("header Upgrade *")
	no := c.block()
	no.add("header_regexp Upgrade (?i)^websocket$")
	set.nest(no, "not")
	c.out.add("request_header " + c.define("upgrade", set) + " -Upgrade")
}
