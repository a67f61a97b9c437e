package proxy

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/runtime/exchange"
	"clowder/runtime/expr"
	"clowder/runtime/pcre"
)

// headerRule is one Header or RequestHeader line (modules/metadata/mod_headers.c).
type headerRule struct {
	m      *model.HeaderRule
	action string
	name   string
	value  []formatPart
	text   *expr.Text   // instead of value: "expr=…"
	re     *pcre.Regexp // of edit and echo
	early  bool
	env    string // env=NAME
	not    bool   // env=!NAME
	expr   *expr.Bool
}

func newHeaderRule(m *model.HeaderRule) (*headerRule, error) {
	r := &headerRule{m: m, action: strings.ToLower(m.Action.V)}
	r.name, _, _ = strings.Cut(m.Name.V, ":")
	value := m.Value.V
	var err error
	switch r.action {
	case "edit", "edit*":
		pattern, with := m.Edit()
		value = with
		r.re, err = pcre.Compile(pattern, 0)
	case "echo":
		r.re, err = pcre.Compile(m.Name.V, 0)
	}
	if err != nil {
		return nil, at(m.At, err)
	}
	if e, ok := strings.CutPrefix(value, "expr="); ok && r.action != "unset" && r.action != "echo" {
		if r.text, err = expr.ParseText(e); err != nil {
			return nil, at(m.At, err)
		}
	} else {
		r.value = parseFormat(value)
	}
	return r, at(m.At, r.condition(m.Cond.V))
}

// condition reads env=NAME, env=!NAME, expr=… or early.
func (r *headerRule) condition(cond string) error {
	if strings.EqualFold(cond, "early") {
		r.early = true
		return nil
	}
	if v, ok := cutFold(cond, "env="); ok {
		r.env, r.not = strings.CutPrefix(v, "!")
		return nil
	}
	if v, ok := cutFold(cond, "expr="); ok {
		var err error
		r.expr, err = expr.Parse(v, 0)
		return err
	}
	return nil
}

// applies evaluates the condition. An expression that fails counts as true, as in
// httpd.
func (r *headerRule) applies(c *call) bool {
	if r.env != "" {
		_, set := c.x.Env[r.env]
		return set != r.not
	}
	if r.expr == nil {
		return true
	}
	res := &expr.Result{}
	ok, err := r.expr.Eval(vars{c}, nil, res)
	if err != nil {
		c.p.log.Error("AH01501: Failed to evaluate expression - ignoring", "place", r.m.At, "reason", err)
		return true
	}
	c.addVary(res.Vary)
	return ok
}

// apply changes h, if the condition holds.
func (r *headerRule) apply(h *exchange.Header, c *call) {
	if !r.applies(c) {
		return
	}
	name := r.name
	old, has := h.Lookup(name)
	switch r.action {
	case "set":
		h.Set(name, r.fill(c))
	case "setifempty":
		if !has {
			h.Add(name, r.fill(c))
		}
	case "add":
		h.Add(name, r.fill(c))
	case "append", "merge":
		v := r.fill(c)
		if r.action == "append" || !has || !hasElement(old, v) {
			appendValue(h, name, v)
		}
	case "unset":
		h.Del(name)
	case "edit", "edit*":
		r.editAll(h, c)
	case "note":
		if has {
			c.note(r.fill(c), old)
		}
	case "echo":
		for _, f := range c.x.Req.Header {
			if r.re.MatchString(f.Name) {
				h.Add(f.Name, f.Value)
			}
		}
	}
}

// editAll edits each line of the name; the lines move to the end.
func (r *headerRule) editAll(h *exchange.Header, c *call) {
	var edited exchange.Header
	for _, f := range *h {
		if strings.EqualFold(f.Name, r.name) {
			edited = append(edited, exchange.Field{Name: f.Name, Value: cleanValue(r.edit(f.Value, c, 0))})
		}
	}
	if len(edited) == 1 && strings.EqualFold(r.name, "Content-Type") {
		h.Set(r.name, edited[0].Value)
		return
	}
	if len(edited) > 0 {
		h.Del(r.name)
		*h = append(*h, edited...)
	}
}

// maxEdits bounds the matches that edit* replaces in one value.
const maxEdits = 10000

// edit replaces the first match; with edit* what follows is edited as a text of
// its own (process_regexp). A pattern that takes too long changes nothing.
func (r *headerRule) edit(v string, c *call, n int) string {
	var b strings.Builder
	for ; n < maxEdits; n++ {
		at, err := r.re.Find(v)
		if err != nil {
			c.p.log.Error("Header edit", "place", r.m.At, "reason", err)
		}
		if at == nil {
			break
		}
		b.WriteString(v[:at[0]])
		b.WriteString(expand(r.fill(c), v, at))
		rest := v[at[1]:]
		if r.action == "edit" || at[1] == 0 {
			v = rest
			break
		}
		v = rest
	}
	b.WriteString(v)
	return b.String()
}

// fill returns the rule's value for a request.
func (r *headerRule) fill(c *call) string {
	if r.text != nil {
		v, err := r.text.Eval(vars{c}, nil)
		if err != nil {
			c.p.log.Error("AH02557: Can't evaluate value expression", "place", r.m.At, "reason", err)
		}
		return cleanValue(v)
	}
	if len(r.value) == 1 && r.value[0].kind == 0 {
		return r.value[0].text
	}
	var b strings.Builder
	for _, p := range r.value {
		b.WriteString(p.fill(c))
	}
	return cleanValue(b.String())
}

// formatPart is a text or, with a kind, a % format.
type formatPart struct {
	kind byte
	text string
}

// parseFormat takes a value apart (parse_format_string). What lint refuses stays
// as it is written.
func parseFormat(s string) []formatPart {
	var out []formatPart
	for s != "" {
		if s[0] != '%' {
			i := strings.IndexByte(s, '%')
			if i < 0 {
				i = len(s)
			}
			out = append(out, formatPart{text: cleanValue(unslash(s[:i]))})
			s = s[i:]
			continue
		}
		if s == "%" || s[1] == '%' {
			out = append(out, formatPart{text: "%"})
			s = s[min(2, len(s)):]
			continue
		}
		arg, rest := "", s[1:]
		if rest[0] == '{' {
			arg, rest, _ = strings.Cut(rest[1:], "}")
		}
		if rest == "" || strings.IndexByte("Dteslib", rest[0]) < 0 {
			return append(out, formatPart{text: cleanValue(s)})
		}
		out = append(out, formatPart{kind: rest[0], text: arg})
		s = rest[1:]
	}
	return out
}

// unslash reads \\, \r, \n and \t (parse_misc_string).
func unslash(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\r`, "\r", `\n`, "\n", `\t`, "\t").Replace(s)
}

func (p formatPart) fill(c *call) string {
	switch p.kind {
	case 'D':
		return "D=" + strconv.FormatInt(time.Since(c.start).Microseconds(), 10)
	case 't':
		return "t=" + strconv.FormatInt(c.start.UnixMicro(), 10)
	case 'e':
		if v, ok := c.x.Env[p.text]; ok {
			return v
		}
		return "(null)"
	case 's':
		name := strings.ToUpper(p.text)
		if v := c.variable(name); v != "" && (strings.HasPrefix(name, "SSL_") || c.x.Req.TLS != nil) {
			return v
		}
		return "(null)"
	case 'l':
		return loadAverage()
	case 'i':
		return "i=100" // there is no fixed number of workers to be busy
	case 'b':
		return "b=0"
	}
	return p.text
}

// loadAverage is %l: of the last minute, five and fifteen minutes.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if err != nil || len(f) < 3 {
		return "l=0.00/0.00/0.00"
	}
	return "l=" + strings.Join(f[:3], "/")
}

// appendValue joins a value to the first line of the name.
func appendValue(h *exchange.Header, name, v string) {
	for i := range *h {
		if strings.EqualFold((*h)[i].Name, name) {
			(*h)[i].Value += ", " + v
			return
		}
	}
	h.Add(name, v)
}

// hasElement looks for an element of a list; commas in quotes do not divide.
func hasElement(list, v string) bool {
	for list != "" {
		list = strings.TrimLeft(list, " \t")
		i, quoted := 0, false
		for i < len(list) && (quoted || list[i] != ',') {
			if list[i] == '"' {
				quoted = !quoted
			}
			i++
		}
		if list[:i] == v {
			return true
		}
		list = list[min(i+1, len(list)):]
	}
	return false
}

// cleanValue keeps a value from breaking the header it goes into.
func cleanValue(s string) string {
	if !strings.ContainsAny(s, "\r\n\x00") {
		return s
	}
	return strings.NewReplacer("\r", " ", "\n", " ", "\x00", "").Replace(s)
}

// headersIn runs the RequestHeader rules, the last thing before the handler.
func (c *call) headersIn() {
	for _, r := range c.conf.headers {
		if r.m.Request.V && !r.early {
			r.apply(&c.x.Req.Header, c)
		}
	}
}

// headersEarly runs the rules with "early", which only a server can have: before
// the URL is looked at (ap_headers_early).
func (c *call) headersEarly() {
	for _, r := range c.srv.base.headers {
		switch {
		case !r.early:
		case r.m.Request.V:
			r.apply(&c.x.Req.Header, c)
		case r.m.Always.V:
			r.apply(&c.errHeader, c)
		default:
			r.apply(&c.outHeader, c)
		}
	}
}

// finishHeader runs the Header rules and adds what httpd adds. httpd has two
// tables: rules with "always" work on the one that errors have, too, the others on
// what a handler gave; both are sent, the first one first. generated says that h is
// of a page that the server made of an error.
func (c *call) finishHeader(h *exchange.Header, generated bool) {
	if len(c.conf.headers) > 0 || len(c.errHeader) > 0 || len(c.outHeader) > 0 {
		*h = c.withRules(*h, generated)
	}
	if v, ok := joined(*h, "Vary"); ok {
		c.fixVary(h, v)
	}
	if _, ok := h.Lookup("Server"); !ok {
		*h = append(exchange.Header{{Name: "Server", Value: c.p.o.Server}}, *h...)
	}
}

// fixVary makes one line of all Vary values, each once (fixup_vary in
// modules/http/http_filters.c).
func (c *call) fixVary(h *exchange.Header, all string) {
	if _, ok := c.x.Env["force-no-vary"]; ok {
		h.Del("Vary")
		return
	}
	if strings.IndexByte(all, ',') < 0 {
		return
	}
	var names []string
	for n := range strings.SplitSeq(all, ",") {
		n = strings.TrimSpace(n)
		if n != "" && !slices.ContainsFunc(names, func(have string) bool { return strings.EqualFold(have, n) }) {
			names = append(names, n)
		}
	}
	h.Set("Vary", strings.Join(names, ","))
}

func (c *call) withRules(h exchange.Header, generated bool) exchange.Header {
	var always exchange.Header
	if generated {
		h = append(c.errHeader[:len(c.errHeader):len(c.errHeader)], h...)
	} else {
		always = slices.Clone(c.errHeader)
		if c.url == "" { // what a backend sent takes the place of all that was there
			h = append(c.outHeader[:len(c.outHeader):len(c.outHeader)], h...)
		}
		c.outHeader = nil
	}
	run := func(on *exchange.Header, alwaysRules bool) {
		for _, r := range c.conf.headers {
			if !r.m.Request.V && !r.early && r.m.Always.V == alwaysRules {
				r.apply(on, c)
			}
		}
	}
	c.answering = &h
	run(&always, true)
	if !generated {
		run(&h, false)
	}
	c.answering = nil
	return append(always, h...)
}
