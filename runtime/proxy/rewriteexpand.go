package proxy

import (
	"os"
	"strconv"
	"strings"
	"time"

	"clowder/runtime/exchange"
)

// expansion fills variables, maps and references into a text (do_expand). The
// result is never looked at again for such things.
type expansion struct {
	w      *rewriter
	rule   *rewriteRule // escapes references by its flags; nil without
	track  bool         // look out for question marks from the request
	unsafe bool         // the first one (with QSL the last one) came from the request
	out    strings.Builder
}

// mark notes a question mark; safe ones are the rule's own.
func (x *expansion) mark(unsafe bool) {
	if !x.track {
		return
	}
	x.unsafe = unsafe
	if x.rule == nil || !x.rule.has(flagQueryLast) {
		x.track = false
	}
}

func (x *expansion) put(v string) {
	if strings.IndexByte(v, '?') >= 0 {
		x.mark(true)
	}
	x.out.WriteString(v)
}

func (x *expansion) expand(in string) string {
	for i := 0; i < len(in); {
		c := in[i]
		rest := in[i+1:]
		switch {
		case c == '\\' && rest != "":
			x.out.WriteByte(rest[0])
			i += 2
		case (c == '%' || c == '$') && strings.HasPrefix(rest, "{"):
			i += x.braces(c, rest[1:])
		case (c == '%' || c == '$') && rest != "" && rest[0] >= '0' && rest[0] <= '9':
			x.reference(c, int(rest[0]-'0'))
			i += 2
		default:
			if c == '?' {
				x.mark(false)
			}
			x.out.WriteByte(c)
			i++
		}
	}
	return x.out.String()
}

// braces handles %{…} and ${map:key|default}; it returns how much of the text that took.
func (x *expansion) braces(c byte, body string) int {
	end := closing(body)
	if end < 0 {
		x.out.WriteString(string(c) + "{")
		return 2
	}
	inner := body[:end]
	if c == '%' {
		x.put(x.w.variable(inner))
		return end + 3
	}
	name, key, ok := cutDepth(inner, ':')
	if !ok {
		x.out.WriteString("${")
		return 2
	}
	key, def, _ := cutDepth(key, '|')
	v, found := x.w.srv.lookupMap(x.w.c.p, name, x.nested(key))
	if !found && def != "" {
		v = x.nested(def)
	}
	x.put(v)
	return end + 3
}

func (x *expansion) nested(s string) string {
	return (&expansion{w: x.w, rule: x.rule}).expand(s)
}

// closing returns the place of the brace that ends the text, -1 without one.
func closing(s string) int {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// cutDepth cuts at a byte outside of inner braces.
func cutDepth(s string, sep byte) (before, after string, ok bool) {
	depth := 0
	for i := range len(s) {
		switch {
		case s[i] == sep && depth == 0:
			return s[:i], s[i+1:], true
		case s[i] == '{':
			depth++
		case s[i] == '}':
			depth--
		}
	}
	return s, "", false
}

func (x *expansion) reference(c byte, n int) {
	m := &x.w.rr
	if c == '%' {
		m = &x.w.rc
	}
	v := m.Group(n)
	if x.rule != nil && x.rule.has(flagEscape) {
		v = x.rule.escape(v)
	}
	x.put(v)
}

// escape encodes a reference for [B] (escape_backref).
func (r *rewriteRule) escape(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		want := r.escapes == ""
		if r.has(flagCtls) {
			want = c < 0x21 || c == 0x7f
		}
		want = (want || strings.IndexByte(r.escapes, c) >= 0) && strings.IndexByte(r.noEscapes, c) < 0
		switch {
		case !want || alnum(c) || c == '_':
			b.WriteByte(c)
		case c == ' ' && !r.has(flagNoPlus):
			b.WriteByte('+')
		default:
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}

// variable is %{…} in a rule (lookup_variable).
func (w *rewriter) variable(name string) string {
	if len(name) < 4 {
		return ""
	}
	if kind, arg, ok := strings.Cut(name, ":"); ok {
		switch strings.ToUpper(kind) {
		case "ENV":
			return w.c.envOrNote(arg)
		case "SSL":
			return w.c.variable(strings.ToUpper(arg))
		case "HTTP":
			return w.header(arg)
		case "LA-U", "LA-F":
			return w.lookahead(arg)
		}
		if len(kind) == 3 || len(kind) == 4 {
			return ""
		}
	}
	w.c.filename = w.filename
	up := strings.ToUpper(name)
	if h, ok := headerNames[up]; ok {
		return w.header(h)
	}
	switch up {
	case "SCRIPT_USER", "SCRIPT_GROUP":
		return "<unknown>"
	case "API_VERSION":
		return apiVersion + ":" + apiMinor
	case "SERVER_ADDR":
		return plainAddr(w.c.x.Req.Local).String()
	case "REQUEST_STATUS", "CONTENT_TYPE", "HANDLER", "HTTP2", "DOCUMENT_URI", "LAST_MODIFIED", "REQUEST_LOG_ID", "CONN_LOG_ID":
		return "" // expressions alone have these
	}
	if strings.HasPrefix(up, "SSL_") {
		return ""
	}
	return w.c.variable(up)
}

// headerNames are the variables that are request headers.
var headerNames = map[string]string{"HTTP_USER_AGENT": "User-Agent", "HTTP_PROXY_CONNECTION": "Proxy-Connection", "HTTP_REFERER": "Referer",
	"HTTP_COOKIE": "Cookie", "HTTP_FORWARDED": "Forwarded", "HTTP_HOST": "Host", "HTTP_ACCEPT": "Accept"}

// header returns a request header and notes that the answer depends on it.
func (w *rewriter) header(name string) string {
	v, ok := joined(w.c.x.Req.Header, name)
	if ok && !strings.EqualFold(name, "Host") {
		w.varyThis = append(w.varyThis, strings.Clone(name))
	}
	return v
}

// lookahead is what a variable would be when the request went on with the path as
// it is now; without modules that set more, REMOTE_USER and the file are what differs.
func (w *rewriter) lookahead(name string) string {
	if w.uri == "" || !w.c.mayLookup() {
		return ""
	}
	sub := w.c.lookup(w.uri)
	in := &rewriter{c: sub, srv: w.srv, conf: w.conf, filename: sub.fileName(), uri: w.uri}
	return in.variable(name)
}

// splitQuery takes the query off a path (splitout_queryargs).
func splitQuery(q *exchange.Request, uri string, f ruleFlag) string {
	set := func(args string) { q.Query, q.HasQ = args, args != "" }
	if f&flagQueryNone != 0 {
		set("")
		return uri
	}
	skip, hasQuery := absoluteURI(uri)
	if skip > 0 && !hasQuery {
		set("")
		return uri
	}
	if f&flagDiscard != 0 {
		set("")
	}
	i := strings.IndexByte(uri[skip:], '?')
	if f&flagQueryLast != 0 {
		i = strings.LastIndexByte(uri[skip:], '?')
	}
	if i < 0 {
		return uri
	}
	i += skip
	own := uri[i+1:]
	if f&flagAppend != 0 {
		if own != "" {
			own += "&" + q.Query
		} else {
			own = q.Query
		}
	}
	set(strings.TrimSuffix(own, "&"))
	return uri[:i]
}

// rewriteCookie sets the cookie of [CO=name:value:domain:…] once (add_cookie).
func (c *call) rewriteCookie(s string) {
	sep := ":"
	if rest, ok := strings.CutPrefix(s, ";"); ok {
		sep, s = ";", rest
	}
	var f [8]string
	n := 0
	for part := range strings.SplitSeq(s, sep) { // as strtok: empty parts do not count
		if part != "" && n < len(f) {
			f[n] = part
			n++
		}
	}
	if n < 3 {
		return
	}
	for c.parent != nil {
		c = c.parent // a lookup sets cookies of the request that it is for
	}
	for _, h := range c.errHeader {
		if h.Name == "Set-Cookie" && strings.HasPrefix(h.Value, f[0]+"=") {
			return
		}
	}
	path := "/"
	if f[4] != "" {
		path = f[4]
	}
	v := f[0] + "=" + f[1] + "; path=" + path + "; domain=" + f[2]
	if m, _ := strconv.Atoi(f[3]); m != 0 {
		v += "; expires=" + c.start.Add(time.Duration(m)*time.Minute).UTC().Format("Mon, 02-Jan-2006 15:04:05 GMT")
	}
	yes := func(s, word string) bool {
		return s == "1" || strings.EqualFold(s, "true") || strings.EqualFold(s, word)
	}
	if yes(f[5], "secure") {
		v += "; secure"
	}
	if yes(f[6], "HttpOnly") {
		v += "; HttpOnly"
	}
	if f[7] != "" && f[7] != "0" && !strings.EqualFold(f[7], "false") {
		v += "; SameSite=" + f[7]
	}
	c.errHeader.Add("Set-Cookie", cleanValue(v))
}

// envOrNote is %{ENV:name}: a note, a variable of the request or of the process.
func (c *call) envOrNote(name string) string {
	if v, ok := c.notes[name]; ok {
		return v
	}
	if v, ok := c.x.Env[name]; ok {
		return v
	}
	return os.Getenv(name)
}
