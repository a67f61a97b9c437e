package proxy

import (
	"strings"

	"clowder/parse/model"
	"clowder/runtime/expr"
	"clowder/runtime/pcre"
)

// redirect is one Redirect or RedirectMatch (mod_alias).
type redirect struct {
	m      *model.Redirect
	path   string
	re     *pcre.Regexp
	text   *expr.Text // target of one without a path
	status int
}

func newRedirect(m *model.Redirect) (*redirect, error) {
	r := &redirect{m: m, path: m.Path.V, status: m.Status.Or(302)}
	var err error
	switch {
	case m.Regex.V:
		r.re, err = pcre.Compile(m.Path.V, 0)
	case m.Path.V == "" && !r.refuses():
		r.text, err = expr.ParseText(m.Target.V)
	}
	return r, at(m.At, err)
}

func (r *redirect) refuses() bool { return r.status < 300 || r.status > 399 }

func newRedirects(list []*model.Redirect) ([]*redirect, error) {
	var out []*redirect
	for _, m := range list {
		r, err := newRedirect(m)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// redirects looks for the first redirection (try_redirect and try_alias_list in
// mod_alias.c): of the sections the one without a path, then the list.
func (c *call) redirects(list []*redirect) *problem {
	if r := c.conf.redirectAll; r != nil {
		to := ""
		if r.text != nil {
			v, err := r.text.Eval(vars{c}, nil)
			if err != nil {
				c.p.log.Error("AH02826: Can't evaluate redirect expression", "place", r.m.At, "reason", err)
				return &problem{status: 500}
			}
			to = escapeTarget(v)
		}
		return c.redirectTo(r, to)
	}
	path := visible(c.path)
	for _, r := range list {
		to := ""
		if r.re != nil {
			at, err := r.re.Find(path)
			if err != nil {
				c.p.log.Error("RedirectMatch", "place", r.m.At, "path", path, "reason", err)
				return &problem{status: 500}
			}
			if at == nil {
				continue
			}
			to = escapeTarget(expand(r.m.Target.V, path, at))
		} else {
			n := aliasMatch(path, r.path)
			if n == 0 {
				continue
			}
			to = r.m.Target.V + expr.Escape(path[n:])
		}
		return c.redirectTo(r, to)
	}
	return nil
}

// redirectTo answers with the status of a rule.
func (c *call) redirectTo(r *redirect, to string) *problem {
	if r.refuses() {
		return &problem{status: r.status}
	}
	if strings.HasPrefix(to, "/") {
		to = c.selfURL() + to
	}
	if !isURL(to) {
		c.p.log.Error("AH00674: cannot redirect; target is not a valid absoluteURI or abs_path", "place", r.m.At, "path", c.path, "target", to)
		return &problem{status: 500}
	}
	if q := c.x.Req; q.HasQ && !strings.Contains(to, "?") {
		to += "?" + q.Query
	}
	return &problem{status: r.status, location: cleanValue(to)}
}

// isURL is ap_is_url: a scheme and "://".
func isURL(s string) bool {
	i := strings.Index(s, "://")
	if i < 1 {
		return false
	}
	for _, c := range []byte(s[:i]) {
		if !alnum(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// escapeTarget encodes a target, except for its query and fragment.
func escapeTarget(s string) string {
	i := strings.IndexAny(s, "?#")
	if i < 0 {
		return expr.Escape(s)
	}
	return expr.Escape(s[:i]) + s[i:]
}
