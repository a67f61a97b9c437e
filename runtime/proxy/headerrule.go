package proxy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/runtime/exchange"
)

// headerRule is one Header or RequestHeader line (mod_headers).
type headerRule struct {
	m      *model.HeaderRule
	action string
	value  string
	re     *regexp.Regexp // of edit
	with   string
}

func newHeaderRule(m *model.HeaderRule) (*headerRule, error) {
	r := &headerRule{m: m, action: strings.ToLower(m.Action.V), value: m.Value.V}
	if strings.HasPrefix(r.action, "edit") {
		pattern, with := m.Edit()
		re, err := compile(pattern)
		if err != nil {
			return nil, err
		}
		r.re, r.with = re, with
	}
	return r, nil
}

// apply changes h. env are the request's variables.
func (r *headerRule) apply(h *exchange.Header, x *exchange.Exchange, start time.Time) {
	if cond, ok := strings.CutPrefix(r.m.Cond.V, "env="); ok {
		name, not := strings.CutPrefix(cond, "!")
		if _, set := x.Env[name]; set == not {
			return
		}
	} else if strings.HasPrefix(r.m.Cond.V, "expr=") {
		return // expressions are not evaluated: New warns, the rule never applies
	}
	name := r.m.Name.V
	old, has := h.Lookup(name)
	value := func() string { return headerFormat(r.value, x, start) }
	switch r.action {
	case "set":
		h.Set(name, value())
	case "setifempty":
		if !has {
			h.Add(name, value())
		}
	case "add":
		h.Add(name, value())
	case "append", "merge":
		v := value()
		if !has {
			h.Add(name, v)
		} else if r.action == "append" || !hasElement(old, v) {
			appendValue(h, name, v)
		}
	case "unset":
		h.Del(name)
	case "edit", "edit*":
		for i := range *h {
			if strings.EqualFold((*h)[i].Name, name) {
				(*h)[i].Value = r.edit((*h)[i].Value)
			}
		}
	case "echo":
		for _, f := range x.Req.Header {
			if ok, _ := regexp.MatchString("(?i)^(?:"+name+")$", f.Name); ok {
				h.Add(f.Name, f.Value)
			}
		}
	}
}

func (r *headerRule) edit(v string) string {
	at := r.re.FindAllStringSubmatchIndex(v, -1)
	if r.action == "edit" && len(at) > 1 {
		at = at[:1]
	}
	var b strings.Builder
	last := 0
	for _, m := range at {
		b.WriteString(v[last:m[0]])
		b.WriteString(expand(r.with, v, m))
		last = m[1]
	}
	b.WriteString(v[last:])
	return cleanValue(b.String())
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

func hasElement(list, v string) bool {
	for e := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(e) == v {
			return true
		}
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

// headerFormat fills %{NAME}e, %t, %D and %% of a header value.
func headerFormat(f string, x *exchange.Exchange, start time.Time) string {
	if strings.IndexByte(f, '%') < 0 {
		return f
	}
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			b.WriteByte(f[i])
			continue
		}
		i++
		switch f[i] {
		case '%':
			b.WriteByte('%')
		case 't':
			b.WriteString("t=" + strconv.FormatInt(start.UnixMicro(), 10))
		case 'D':
			b.WriteString("D=" + strconv.FormatInt(time.Since(start).Microseconds(), 10))
		case '{':
			j := strings.IndexByte(f[i:], '}')
			if j < 0 || i+j+1 >= len(f) {
				b.WriteString("%" + f[i:])
				i = len(f)
				break
			}
			v, ok := x.Env[f[i+1:i+j]]
			if f[i+j+1] == 's' {
				v, ok = tlsVar(x, f[i+1:i+j])
			}
			if !ok {
				v = "(null)"
			}
			b.WriteString(v)
			i += j + 1
		default:
			b.WriteByte('%')
			b.WriteByte(f[i])
		}
	}
	return cleanValue(b.String())
}

// envRule is SetEnv, SetEnvIf and their relatives (mod_env, mod_setenvif).
type envRule struct {
	late bool // SetEnv and UnsetEnv come after URL mapping
	attr string
	re   *regexp.Regexp
	set  []string // NAME, NAME=VALUE, !NAME
}

func newEnvRule(e *model.Env) (*envRule, error) {
	r := &envRule{}
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = a.V
	}
	d := strings.ToLower(e.Directive.V)
	switch d {
	case "setenv":
		r.late = true
		if len(args) > 0 {
			v := ""
			if len(args) > 1 {
				v = args[1]
			}
			r.set = []string{args[0] + "=" + v}
		}
		return r, nil
	case "unsetenv":
		r.late = true
		for _, a := range args {
			r.set = append(r.set, "!"+a)
		}
		return r, nil
	case "browsermatch", "browsermatchnocase":
		args = append([]string{"User-Agent"}, args...)
	case "setenvif", "setenvifnocase":
	default:
		return r, nil
	}
	if len(args) < 3 {
		return nil, fmt.Errorf("%s needs an attribute, a pattern and a variable", e.Directive.V)
	}
	pattern := args[1]
	if strings.HasSuffix(d, "nocase") {
		pattern = "(?i)" + pattern
	}
	re, err := compile(pattern)
	r.attr, r.re, r.set = args[0], re, args[2:]
	return r, err
}

// apply sets the variables if the rule matches.
func (r *envRule) apply(x *exchange.Exchange) {
	var text string
	var at []int
	if r.re != nil {
		text = envAttr(r.attr, x)
		if at = r.re.FindStringSubmatchIndex(text); at == nil {
			return
		}
	}
	for _, s := range r.set {
		if name, ok := strings.CutPrefix(s, "!"); ok {
			delete(x.Env, name)
			continue
		}
		name, v, ok := strings.Cut(s, "=")
		if !ok {
			v = "1"
		} else if at != nil {
			v = expand(v, text, at)
		}
		x.Setenv(name, v)
	}
}

func envAttr(attr string, x *exchange.Exchange) string {
	q := x.Req
	switch strings.ToLower(attr) {
	case "remote_addr", "remote_host":
		return q.Remote.Addr().Unmap().String()
	case "server_addr":
		return q.Local.Addr().Unmap().String()
	case "request_method":
		return q.Method
	case "request_protocol":
		return "HTTP/" + strconv.Itoa(max(q.Major, 1)) + "." + strconv.Itoa(q.Minor)
	case "request_uri":
		p, _ := decodePath(q.Path, slashesNoDecode)
		return visible(p)
	}
	if v, ok := q.Header.Lookup(attr); ok {
		return v
	}
	return x.Env[attr]
}
