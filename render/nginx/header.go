package nginx

import (
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
	"clowder/render/target"
)

// headerSet is a list of headers with one value each, in order.
type headerSet struct {
	names  []string
	values map[string]string // by lower-case name
	from   map[string]*model.HeaderRule
	lost   map[string]bool // a rule of it was not carried: nothing may be added to the rest
}

func (h *headerSet) set(name, value string, r *model.HeaderRule) {
	low := strings.ToLower(name)
	if _, ok := h.values[low]; !ok {
		h.names = append(h.names, name)
	}
	h.values[low], h.from[low] = value, r
}

func (h *headerSet) has(name string) bool {
	_, ok := h.values[strings.ToLower(name)]
	return ok
}

// requestHeaders writes what members are told beside the client's own headers
// (ngx_http_proxy_module, proxy_set_header).
func (c *conf) requestHeaders(site *plan.Site, o *plan.Outcome, u *upstream) []*dir {
	st := &o.Settings
	h := &headerSet{values: map[string]string{}, from: map[string]*model.HeaderRule{}, lost: map[string]bool{}}
	c.l.Exact(st.PreserveHost, st.AddHeaders)
	keep := st.PreserveHost.V || u.pool.AJP
	if keep {
		h.set("Host", "$http_host", nil)
	} else {
		h.set("Host", c.lit(u.host), nil)
		if !u.oneHost && u.pool.Balancer != nil {
			c.l.Add(target.Note{Loss: target.Approximated, ID: "headers", Span: u.pool.Balancer.At, Fact: "<Proxy balancer://" + comment(u.pool.Balancer.Name.V) + ">",
				Message: "without ProxyPreserveHost every member gets the Host header " + comment(u.host) + ", that of the first one"})
		}
	}
	switch {
	case u.pool.AJP:
		// AJP told the address and the scheme themselves, and nothing that the client says.
		h.set("X-Forwarded-For", "$remote_addr", nil)
		h.set("X-Forwarded-Proto", "$scheme", nil)
	case st.AddHeaders.Or(true):
		h.set("X-Forwarded-For", "$proxy_add_x_forwarded_for", nil)
		h.set("X-Forwarded-Host", "$http_host", nil)
		h.set("X-Forwarded-Server", c.ownName(site), nil)
	}
	c.upgradeOf(u, h)
	if !h.has("Connection") && !slices.ContainsFunc(u.members, func(m *plan.Member) bool {
		return m.Source.DisableReuse.V || !m.Source.EnableReuse.Or(true)
	}) {
		h.set("Connection", "", nil)
	}
	for _, r := range st.Headers {
		if r.Request.V {
			c.requestRule(site, h, r, keep)
		}
	}
	var out []*dir
	for _, n := range h.names {
		low := strings.ToLower(n)
		x := d("proxy_set_header", n, h.values[low])
		if r := h.from[low]; r != nil {
			x.at = r.At
		}
		out = append(out, x)
	}
	return out
}

func (c *conf) ownName(site *plan.Site) string {
	if name := hostOnly(site.Server.ServerName.V); name != "" && writable(name) {
		return c.lit(name)
	}
	return "$hostname"
}

// hostOnly returns the host of a ServerName.
func hostOnly(name string) string {
	if i := strings.Index(name, "://"); i >= 0 {
		name = name[i+3:]
	}
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	return name
}

// upgradeOf lets connections change to WebSocket, or to anything with upgrade=ANY
// (nginx.org/en/docs/http/websocket.html).
func (c *conf) upgradeOf(u *upstream, h *headerSet) {
	if !u.pool.Upgrade {
		return
	}
	all := false
	for _, m := range u.members {
		all = all || strings.EqualFold(m.Source.Upgrade.V, "any") || m.Source.Upgrade.V == "*"
	}
	source := "$http_upgrade"
	if !all {
		source = c.variable("map", "$http_upgrade", "upgrade", d("default", ""), d("websocket", "websocket"))
	}
	h.set("Upgrade", source, nil)
	h.set("Connection", c.variable("map", source, "connection_upgrade", d("default", "upgrade"), d("", "")), nil)
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// requestRule carries one RequestHeader. What cannot be carried takes the client's
// own header away, so that nobody can send in its place what httpd would have set.
func (c *conf) requestRule(site *plan.Site, h *headerSet, r *model.HeaderRule, keepsHost bool) {
	name, action := r.Name.V, strings.ToLower(r.Action.V)
	low := strings.ToLower(name)
	if !headerName.MatchString(name) {
		c.l.Drop("the name cannot be written for nginx", "", r)
		return
	}
	switch low {
	case "connection", "upgrade", "content-length", "transfer-encoding", "te":
		c.l.Drop("nginx settles this header itself", "", r)
		return
	case "host":
		if !keepsHost {
			c.l.Exact(r) // httpd sends the member's name in any case
			return
		}
	}
	value, ok := c.headerValue(site, r.Value.V)
	if r.Cond.V != "" && !strings.EqualFold(r.Cond.V, "early") {
		ok = false
	}
	own := "$http_" + strings.ReplaceAll(low, "-", "_")
	before, ruled := h.values[low]
	remove := func(why string) {
		h.set(name, "", r)
		h.lost[low] = true
		c.l.Closed(why+": the header is removed from all requests, whoever sent it", "map and proxy_set_header", r)
	}
	switch {
	case action == "unset":
		// Also when it is bound to a condition: the header is taken away in any case.
		h.set(name, "", r)
		c.conditional(r, "the header is always removed")
	case action == "note" || action == "echo":
		c.l.Drop("nginx has nothing like it", "", r)
	case strings.HasPrefix(action, "edit"):
		remove("nginx cannot edit a header")
	case !ok:
		remove("nginx does not know the value or the condition")
	case action == "set":
		h.set(name, value, r)
		delete(h.lost, low)
		c.l.Exact(r)
	case h.lost[low]:
		remove("it adds to a value that nginx cannot make")
	case action == "setifempty" && ruled && before != "":
		if h.from[low] == nil { // one of httpd's own, which is set later than this rule
			h.set(name, c.variable("map", own, "header", d("default", own), d("", value)), r)
		}
		c.l.Exact(r)
	case action == "setifempty" && !ruled:
		h.set(name, c.variable("map", own, "header", d("default", own), d("", value)), r)
		c.l.Exact(r)
	case action == "setifempty":
		h.set(name, value, r)
		c.l.Exact(r)
	case ruled && before != "":
		h.set(name, before+", "+value, r)
		c.l.Exact(r)
	case ruled:
		h.set(name, value, r)
		c.l.Exact(r)
	default: // add, append, merge
		h.set(name, c.variable("map", own, "header", d("default", own+", "+value), d("", value)), r)
		c.l.Exact(r)
	}
}

func (c *conf) conditional(r *model.HeaderRule, message string) {
	if r.Cond.V != "" && !strings.EqualFold(r.Cond.V, "early") {
		c.l.Approx(message, "", r)
		return
	}
	c.l.Exact(r)
}

// serverVars are the variables of mod_ssl, as in %{NAME}s, that nginx knows.
var serverVars = map[string]string{
	"HTTPS": "$https", "SSL_PROTOCOL": "$ssl_protocol", "SSL_CIPHER": "$ssl_cipher", "SSL_SESSION_ID": "$ssl_session_id",
	"SSL_CLIENT_S_DN": "$ssl_client_s_dn", "SSL_CLIENT_I_DN": "$ssl_client_i_dn", "SSL_CLIENT_M_SERIAL": "$ssl_client_serial",
	"SSL_CLIENT_VERIFY": "$ssl_client_verify", "SSL_TLS_SNI": "$ssl_server_name",
}

// headerValue turns a format of mod_headers into a value; ok is false when it names
// what nginx does not know.
func (c *conf) headerValue(site *plan.Site, format string) (value string, ok bool) {
	if strings.HasPrefix(format, "expr=") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteString(c.lit(format[i : i+1]))
			continue
		}
		i++
		switch {
		case format[i] == '%':
			b.WriteByte('%')
		case format[i] == 't':
			return "", false // microseconds
		case format[i] == '{':
			end := strings.IndexByte(format[i:], '}')
			if end < 0 || i+end+1 >= len(format) {
				return "", false
			}
			name := format[i+1 : i+end]
			i += end + 1
			v := serverVars[strings.ToUpper(name)]
			if format[i] != 's' || v == "" || site.TLS == nil {
				return "", false
			}
			b.WriteString(v)
		default:
			return "", false
		}
	}
	return b.String(), true
}

// ownHeaders are those that nginx makes itself.
var ownHeaders = []string{"server", "date", "connection", "content-length", "transfer-encoding", "content-type"}

// responseRules carries Header lines (ngx_http_headers_module, and
// proxy_hide_header for what members send).
func (c *conf) responseRules(site *plan.Site, l *loc, o *plan.Outcome) {
	var adds, hides, flags, locations []*dir
	for _, r := range o.Settings.Headers {
		if r.Request.V {
			continue
		}
		name, action := r.Name.V, strings.ToLower(r.Action.V)
		low := strings.ToLower(name)
		value, ok := c.headerValue(site, r.Value.V)
		switch cond := r.Cond.V; {
		case cond == "" || strings.EqualFold(cond, "early"):
		case strings.EqualFold(cond, "env=HTTPS"):
			if site.TLS == nil {
				c.l.Exact(r) // never
				continue
			}
		default:
			ok = false
		}
		if action == "unset" && r.Cond.V != "" {
			ok = false
		}
		switch {
		case !headerName.MatchString(name):
			c.l.Drop("the name cannot be written for nginx", "", r)
		case slices.Contains(ownHeaders, low):
			c.l.Drop("nginx makes this header itself", map[string]string{"server": "server_tokens off", "content-type": "default_type"}[low], r)
		case action == "edit" && low == "set-cookie":
			if x := cookieFlags(r); x != nil {
				flags = append(flags, x)
				c.l.Exact(r)
			} else {
				c.l.Weaker("nginx cannot edit cookies like that: members' cookies go out as they are", "proxy_cookie_flags", r)
			}
		case action == "edit" && low == "location":
			if x := c.locationEdit(r); x != nil && ok {
				locations = append(locations, x)
				c.l.Exact(r)
			} else {
				c.l.Drop("nginx cannot edit the header like that", "proxy_redirect", r)
			}
		case action == "edit" || action == "edit*" || action == "echo" || action == "note":
			c.l.Drop("nginx has nothing to edit an answer's header with", "map with $upstream_http_… and add_header", r)
		case !ok:
			c.l.Drop("nginx does not know the value or the condition", "map and add_header", r)
		case action == "unset":
			hides = append(hides, d("proxy_hide_header", name).from(r.At))
			adds = slices.DeleteFunc(adds, func(x *dir) bool { return strings.EqualFold(x.args[0], name) })
			c.l.Exact(r)
		case action == "setifempty":
			v := c.variable("map", "$upstream_http_"+strings.ReplaceAll(low, "-", "_"), "header", d("default", ""), d("", value))
			adds = append(adds, d("add_header", name, v, "always").from(r.At))
			c.l.Exact(r)
		default: // set, add, append, merge
			if action == "set" {
				hides = append(hides, d("proxy_hide_header", name).from(r.At))
				adds = slices.DeleteFunc(adds, func(x *dir) bool { return strings.EqualFold(x.args[0], name) })
			}
			adds = append(adds, d("add_header", name, value, "always").from(r.At))
			if action == "append" || action == "merge" {
				c.l.Approx("it becomes a header of its own beside the member's", "add_header", r)
			} else {
				c.l.Exact(r)
			}
		}
	}
	l.add("add_header", false, adds...)
	if o.Kind == plan.Proxy {
		hides = slices.CompactFunc(hides, func(a, b *dir) bool { return strings.EqualFold(a.args[0], b.args[0]) })
		l.add("proxy_hide_header", true, hides...)
		l.add("proxy_cookie_flags", true, flags...)
		l.edits = locations
	}
}

var everyCookie = regexp.MustCompile(`^\^?\(\.\*\)\$?$`)
var namedCookie = regexp.MustCompile(`^\^\(([A-Za-z0-9_]+)=?\.\*\)\$$`)

// cookieFlags reads the usual line that adds attributes to cookies
// (ngx_http_proxy_module, proxy_cookie_flags).
func cookieFlags(r *model.HeaderRule) *dir {
	pattern, to := r.Edit()
	cookie := "~"
	if m := namedCookie.FindStringSubmatch(pattern); m != nil {
		cookie = m[1]
	} else if !everyCookie.MatchString(pattern) {
		return nil
	}
	rest, ok := strings.CutPrefix(to, "$1")
	if !ok || r.Cond.V != "" {
		return nil
	}
	if cookie == "~" {
		cookie = "~." // nginx takes a bare ~ for an expression as well
	}
	x := d("proxy_cookie_flags", cookie).from(r.At)
	for w := range strings.SplitSeq(rest, ";") {
		switch w = strings.ToLower(strings.TrimSpace(w)); w {
		case "":
		case "httponly", "secure", "samesite=strict", "samesite=lax", "samesite=none":
			x.args = append(x.args, w)
		default:
			return nil
		}
	}
	if len(x.args) == 1 {
		return nil
	}
	return x
}

// locationEdit reads an edit that replaces the beginning of a Location.
func (c *conf) locationEdit(r *model.HeaderRule) *dir {
	pattern, to := r.Edit()
	begin, ok := strings.CutPrefix(pattern, "^")
	begin = strings.NewReplacer(`\.`, ".", `\/`, "/").Replace(begin)
	if !ok || begin == "" || strings.ContainsAny(begin, `\*+?()|[]{}^$`) || strings.ContainsAny(to, `\$`) || to == "" || r.Cond.V != "" {
		return nil
	}
	return d("proxy_redirect", begin, to).from(r.At)
}
