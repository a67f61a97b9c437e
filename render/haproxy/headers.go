package haproxy

import (
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// forwarded adds the headers that tell a member about the client. mod_proxy_http
// adds X-Forwarded-For, -Host and -Server unless ProxyAddHeaders is Off
// (ap_proxy_create_hdrbrgd in proxy_util.c). AJP tells the client's address, scheme
// and host by itself; over HTTP headers have to, and none of the client's own.
func (w *writer) forwarded(s *spot) []rule {
	o := s.out
	set := &o.Settings
	at := spotPlace(s)
	if o.Pool.AJP {
		w.l.Exact(set.PreserveHost, set.AddHeaders)
		out := []rule{{at, "http-request set-header X-Forwarded-For %[src]", ""}}
		if !slices.ContainsFunc(set.Headers, func(h *model.HeaderRule) bool {
			return h.Request.V && strings.EqualFold(h.Name.V, "X-Forwarded-Proto")
		}) {
			out = append(out, rule{at, "http-request set-header X-Forwarded-Proto " + s.scheme(), ""})
		}
		return out
	}
	var out []rule
	w.l.Exact(set.AddHeaders)
	if set.AddHeaders.V {
		server := "%[hostname]"
		if name := serverName(s.site.Server.ServerName.V); name != "" && writable(name) {
			server = literal(name)
		}
		out = append(out, rule{set.AddHeaders.Place(), "http-request add-header X-Forwarded-For %[src]", ""},
			rule{set.AddHeaders.Place(), "http-request add-header X-Forwarded-Host %[req.hdr(host)]", ""},
			rule{set.AddHeaders.Place(), "http-request add-header X-Forwarded-Server " + word(server), ""})
	}
	return out
}

// hosts puts the host of the member's URL in the place of the client's, unless
// ProxyPreserveHost is On. HAProxy chooses the member later, so that all members
// of a balancer get that of the first one.
func (w *writer) hosts(s *spot) []rule {
	o := s.out
	set := &o.Settings
	w.l.Exact(set.PreserveHost)
	if set.PreserveHost.V || o.Pool.AJP {
		return nil
	}
	host := ""
	for _, m := range o.Pool.Usable() {
		switch h := hostHeader(m.Source.URL.V); {
		case host == "":
			host = h
		case h != host:
			w.l.Approx("it is sent the Host header of the first member, "+printable(host), "", m.Source.URL)
		}
	}
	if host == "" || !writable(host) {
		return nil
	}
	return []rule{{set.PreserveHost.Place(), "http-request set-header Host " + word(literal(host)), ""}}
}

// serverName cuts scheme and port off a ServerName.
func serverName(name string) string {
	if i := strings.Index(name, "://"); i >= 0 {
		name = name[i+3:]
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	return name
}

// hostHeader is the Host header that httpd sends to a member: as in its URL, port
// 80 left out.
func hostHeader(url string) string {
	if i := strings.IndexByte(url, '|'); i >= 0 && strings.HasPrefix(strings.ToLower(url), "unix:") {
		url = url[i+1:]
	}
	origin, _ := plan.SplitURL(url)
	_, host, _ := strings.Cut(origin, "://")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	return strings.TrimSuffix(host, ":80")
}

// upgrades keeps the protocol of a connection: httpd drops Upgrade unless a member
// has upgrade=, and HAProxy would let the client switch to what no rule sees.
func (w *writer) upgrades(s *spot) []rule {
	p := s.out.Pool
	at := spotPlace(s)
	if !p.Upgrade || p.AJP {
		return []rule{{at, "http-request del-header Upgrade", ""}}
	}
	var protocols []string
	for _, m := range p.Usable() {
		v := strings.ToLower(m.Source.Upgrade.V)
		switch {
		case v == "any" || v == "*":
			w.l.Exact(m.Source.Upgrade)
			return nil
		case v == "" || v == "none":
			v = "websocket"
		}
		if writable(v) && !slices.Contains(protocols, v) {
			protocols = append(protocols, v)
		}
		w.l.Exact(m.Source.Upgrade)
	}
	return []rule{{at, "http-request del-header Upgrade", "!{ req.hdr(upgrade) -i -m str " + pattern(protocols...) + " }"}}
}

// requestHeaders writes RequestHeader. One that cannot be said removes the header,
// for the member may trust it.
func (w *writer) requestHeaders(s *spot) []rule {
	var out []rule
	lost := map[string]bool{} // names of which a rule was not carried: nothing may be added to the rest
	for _, h := range s.out.Settings.Headers {
		if !h.Request.V {
			continue
		}
		low := strings.ToLower(strings.TrimSuffix(h.Name.V, ":"))
		action := strings.ToLower(h.Action.V)
		if lost[low] && action != "set" && action != "unset" {
			w.l.Closed("it changes a value that HAProxy cannot make: the header is removed, whoever sent it", "http-request set-header", h)
			continue
		}
		rules := w.header(s, h, "http-request")
		lost[low] = action != "unset" && len(rules) == 1 && strings.HasPrefix(rules[0].text, "http-request del-header ")
		out = append(out, rules...)
	}
	return out
}

// responseHeaders writes Header: with always it is about every answer, without it
// about those of members.
func (w *writer) responseHeaders(s *spot) []rule {
	var out []rule
	for _, h := range s.out.Settings.Headers {
		switch {
		case h.Request.V:
		case h.Always.V:
			out = append(out, w.header(s, h, "http-after-response")...)
		case proxied(s):
			out = append(out, w.header(s, h, "http-response")...)
		}
	}
	return out
}

// fieldName is what a client may call a header (RFC 9110, section 5.6.2).
var fieldName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// header writes one rule of mod_headers.
func (w *writer) header(s *spot, h *model.HeaderRule, when string) []rule {
	name := strings.TrimSuffix(h.Name.V, ":")
	remove := rule{h.At, when + " del-header " + word(name), ""}
	lost := func(why string) []rule {
		if h.Request.V && fieldName.MatchString(name) {
			w.l.Closed(why+": the header is removed, whoever sent it", "http-request set-header", h)
			return []rule{remove}
		}
		w.l.Drop(why, when+" set-header", h)
		return nil
	}
	if !isToken(name) {
		if strings.EqualFold(h.Action.V, "unset") && h.Request.V && fieldName.MatchString(name) {
			w.l.Exact(h)
			return []rule{remove}
		}
		return lost("HAProxy cannot name this header")
	}
	action := strings.ToLower(h.Action.V)
	if c := h.Cond.V; c != "" && !strings.EqualFold(c, "early") {
		if action == "unset" {
			w.l.Approx("the header is removed always, for the condition cannot be asked there", "", h)
			return []rule{remove}
		}
		return lost("its condition cannot be asked there")
	}
	value, ok := headerValue(h.Value.V, s.secure())
	found := "{ req.hdr(" + name + ") -m found }"
	if !h.Request.V {
		found = "{ res.hdr(" + name + ") -m found }"
	}
	switch action {
	case "unset":
		w.l.Exact(h)
		return []rule{remove}
	case "edit", "edit*", "editr":
		return w.edit(h, when, name, lost)
	case "set", "setifempty", "append", "add", "merge":
		if !ok || !writable(h.Value.V) {
			return lost("its value is made of variables that HAProxy has not")
		}
	default:
		return lost("HAProxy has no such action")
	}
	switch action {
	case "set":
		w.l.Exact(h)
		return []rule{{h.At, when + " set-header " + name + " " + word(value), ""}}
	case "setifempty":
		w.l.Exact(h)
		return []rule{{h.At, when + " set-header " + name + " " + word(value), "!" + found}}
	case "add":
		w.l.Exact(h)
	default:
		w.l.Approx("the value is added as a header line of its own, which means the same", "", h)
	}
	return []rule{{h.At, when + " add-header " + name + " " + word(value), ""}}
}

// edit writes edit and edit*. httpd replaces what the expression matches, HAProxy
// the whole value, so the rest of it is matched and kept as well.
func (w *writer) edit(h *model.HeaderRule, when, name string, lost func(string) []rule) []rule {
	re, to := h.Edit()
	if h.Request.V && !strings.EqualFold(h.Action.V, "edit") {
		return lost("HAProxy replaces the first match in each line, not all")
	}
	c, err := regexp.Compile(re)
	if err != nil || !writable(re) || !writable(to) || strings.ContainsAny(to, "%") || strings.Contains(re, `\1`) {
		return lost("this edit has no form in HAProxy")
	}
	if strings.HasPrefix(re, "^") && strings.HasSuffix(re, "$") && !strings.Contains(re, "|") && !strings.HasSuffix(re, `\$`) {
		fmt, ok := refs(to, 0)
		if !ok {
			return lost("this edit has no form in HAProxy")
		}
		w.l.Exact(h)
		return []rule{{h.At, when + " replace-header " + name + " " + word(re) + " " + word(fmt), ""}}
	}
	fmt, ok := refs(to, 2)
	groups := c.NumSubexp()
	if !ok || groups > 6 {
		return lost("this edit has no form in HAProxy")
	}
	if strings.HasPrefix(strings.ToLower(h.Action.V), "edit*") {
		w.l.Approx("the first match in each line is replaced, not all", "", h)
	} else {
		w.l.Exact(h)
	}
	whole := "^(.*?)(" + re + ")(.*)$"
	return []rule{{h.At, when + " replace-header " + name + " " + word(whole) + " " + word(`\1`+fmt+`\`+itoa(groups+3)), ""}}
}

// tlsVariables are those of mod_ssl, as log-formats.
var tlsVariables = map[string]string{
	"SSL_PROTOCOL":        "%[ssl_fc_protocol]",
	"SSL_CIPHER":          "%[ssl_fc_cipher]",
	"SSL_TLS_SNI":         "%[ssl_fc_sni]",
	"SSL_CLIENT_S_DN":     "%[ssl_c_s_dn(,0,rfc2253)]",
	"SSL_CLIENT_I_DN":     "%[ssl_c_i_dn(,0,rfc2253)]",
	"SSL_CLIENT_S_DN_CN":  "%[ssl_c_s_dn(CN)]",
	"SSL_CLIENT_M_SERIAL": "%[ssl_c_serial,hex]",
	"SSL_CLIENT_VERIFY":   "%[ssl_c_used,iif(SUCCESS,NONE)]",
	"REMOTE_ADDR":         "%[src]",
	"HTTP_HOST":           "%[req.hdr(host)]",
}

// headerValue writes the value of a Header line as a log-format: its own formats
// are those of mod_headers (%%, %{NAME}s, expr=); ok is false for those without a
// counterpart.
func headerValue(v string, tls bool) (lf string, ok bool) {
	if e, isExpr := strings.CutPrefix(v, "expr="); isExpr {
		return expand(e, tls)
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '%' {
			b.WriteByte(v[i])
			continue
		}
		rest := v[i+1:]
		if strings.HasPrefix(rest, "%") {
			b.WriteString("%%")
			i++
			continue
		}
		end := strings.IndexByte(rest, '}')
		if !strings.HasPrefix(rest, "{") || end < 0 || end+1 >= len(rest) || rest[end+1] != 's' {
			return "", false
		}
		name := rest[1:end]
		x := tlsVariables[name]
		switch {
		case name == "HTTPS" && tls:
			x = "on"
		case name == "HTTPS":
			x = "off"
		}
		if x == "" {
			return "", false
		}
		b.WriteString(x)
		i += 1 + end + 1
	}
	return b.String(), true
}
