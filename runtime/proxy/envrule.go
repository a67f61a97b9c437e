package proxy

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/runtime/exchange"
	"clowder/runtime/expr"
	"clowder/runtime/pcre"
)

// envRule is SetEnv, SetEnvIf and their relatives (mod_env.c, mod_setenvif.c).
type envRule struct {
	late  bool // SetEnv, UnsetEnv and PassEnv come behind access control
	order int
	attr  string
	names *pcre.Regexp // instead of attr: headers by pattern
	re    *pcre.Regexp
	expr  *expr.Bool
	set   []string // NAME, NAME=VALUE, !NAME
	m     *model.Env
	scope *model.Settings // the server or section that it stands in
}

// newEnvRules compiles the rules of a server or section in the order of the file.
func newEnvRules(s *model.Settings) ([]*envRule, error) {
	var out []*envRule
	for _, e := range s.SetEnv {
		r, err := newEnvRule(e)
		if err != nil {
			return nil, at(e.At, err)
		}
		r.order = int(e.At.Start)
		out = append(out, r)
	}
	more := len(out)
	defer func() {
		for _, r := range out {
			r.scope = s
		}
	}()
	for _, d := range s.Extras {
		switch strings.ToLower(d.Name.V) {
		case "setenvifexpr", "passenv":
			e := &model.Env{At: d.At, Directive: d.Name, Args: d.Args}
			r, err := newEnvRule(e)
			if err != nil {
				return nil, at(d.At, err)
			}
			r.order = int(d.At.Start)
			out = append(out, r)
		}
	}
	if len(out) > more && more > 0 {
		slices.SortStableFunc(out, func(a, b *envRule) int { return cmp.Compare(a.order, b.order) })
	}
	return out, nil
}

func newEnvRule(e *model.Env) (*envRule, error) {
	r := &envRule{m: e}
	args := make([]string, len(e.Args))
	for i, a := range e.Args {
		args[i] = a.V
	}
	d := strings.ToLower(e.Directive.V)
	switch d {
	case "setenv", "unsetenv", "passenv":
		r.plain(d, args)
		return r, nil
	case "setenvifexpr":
		if len(args) < 2 {
			return nil, fmt.Errorf("%s needs an expression and a variable", e.Directive.V)
		}
		var err error
		r.expr, err = expr.Parse(args[0], 0)
		r.set = args[1:]
		return r, err
	case "browsermatch", "browsermatchnocase":
		args = append([]string{"User-Agent"}, args...)
	case "setenvif", "setenvifnocase":
	default:
		return r, nil
	}
	if len(args) < 3 {
		return nil, fmt.Errorf("%s needs an attribute, a pattern and a variable", e.Directive.V)
	}
	var fold pcre.Flags
	if strings.HasSuffix(d, "nocase") {
		fold = pcre.ICase
	}
	re, err := pcre.Compile(args[1], fold)
	r.attr, r.re, r.set = args[0], re, args[2:]
	if err == nil && strings.Trim(lowerASCII(r.attr), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		r.names, err = pcre.Compile(r.attr, pcre.ICase)
	}
	return r, err
}

// plain reads SetEnv, UnsetEnv and PassEnv.
func (r *envRule) plain(directive string, args []string) {
	r.late = true
	for i, a := range args {
		switch directive {
		case "setenv":
			if i == 0 {
				r.set = []string{a + "="}
			} else if i == 1 {
				r.set[0] += a
			}
		case "unsetenv":
			r.set = append(r.set, "!"+a)
		default:
			if v, ok := os.LookupEnv(a); ok {
				r.set = append(r.set, a+"="+v)
			}
		}
	}
}

// apply sets the variables if the rule matches. A pattern that takes too long
// counts as no match.
func (r *envRule) apply(c *call) {
	x := c.x
	var text string
	var at []int
	switch {
	case r.expr != nil:
		var m expr.Match
		ok, err := r.expr.Eval(vars{c}, &m, nil)
		if err != nil {
			c.p.log.Error("SetEnvIfExpr", "place", r.m.At, "reason", err)
		}
		if !ok {
			return
		}
		text, at = m.Source, m.At
		if at == nil {
			at = []int{}
		}
	case r.re != nil:
		var err error
		text = r.value(c)
		if at, err = r.re.Find(text); err != nil {
			c.p.log.Error("SetEnvIf", "place", r.m.At, "reason", err)
		}
		if at == nil {
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
		x.Setenv(name, strings.Clone(v))
	}
}

func (r *envRule) value(c *call) string {
	if r.names == nil {
		return envAttr(r.attr, c)
	}
	for _, f := range c.x.Req.Header {
		if r.names.MatchString(f.Name) {
			return f.Value
		}
	}
	return ""
}

func envAttr(attr string, c *call) string {
	q := c.x.Req
	switch strings.ToLower(attr) {
	case "remote_addr", "remote_host":
		return plainAddr(q.Remote).String()
	case "server_addr":
		return plainAddr(q.Local).String()
	case "request_method":
		return q.Method
	case "request_protocol":
		return protocol(q)
	case "request_uri":
		if c.path == "" {
			return q.Path // before it is decoded
		}
		return visible(c.path)
	}
	if v, ok := joined(q.Header, attr); ok {
		return v
	}
	return c.x.Env[attr]
}

// joined is the value of a header as httpd holds it: lines of one name with commas
// between them.
func joined(h exchange.Header, name string) (string, bool) {
	v, ok := h.Lookup(name)
	if !ok {
		return "", false
	}
	first := true
	for _, f := range h {
		if strings.EqualFold(f.Name, name) {
			if !first {
				v += ", " + f.Value
			}
			first = false
		}
	}
	return v, true
}

// setEnv runs SetEnvIf and the like of a stage: those of the server before the URL
// is looked at, those of sections behind its mapping.
func (c *call) setEnv(rules []*envRule) {
	for _, r := range rules {
		if !r.late {
			r.apply(c)
		}
	}
}

// setLate runs SetEnv, UnsetEnv and PassEnv, behind access control
// (fixup_env_module in modules/metadata/mod_env.c): they set what has no value yet,
// and UnsetEnv takes back what they set in outer sections.
func (c *call) setLate(rules []*envRule) {
	var set map[string]*envRule
	for _, r := range rules {
		if !r.late {
			continue
		}
		if set == nil {
			set = map[string]*envRule{}
		}
		for _, s := range r.set {
			if name, ok := strings.CutPrefix(s, "!"); ok {
				if old := set[name]; old != nil && old.scope != r.scope {
					delete(set, name)
				}
				continue
			}
			name, _, _ := strings.Cut(s, "=")
			set[name] = r
		}
	}
	for name, r := range set {
		if _, ok := c.x.Env[name]; ok {
			continue
		}
		for _, s := range r.set {
			if n, v, _ := strings.Cut(s, "="); n == name {
				c.x.Setenv(name, v)
			}
		}
	}
}
