package proxy

import (
	"maps"
	"regexp"
	"strings"

	"clowder/parse/model"
)

// conf are the per-directory settings that count for one request.
type conf struct {
	handler       string
	preserveHost  bool
	override      string
	addHeaders    bool
	continue100   bool
	interp        bool
	reverses      []reverse
	cookiePaths   []reverse
	cookieDomains []reverse
	headers       []*headerRule
	env           []*envRule
	errorDocs     map[int]string
	compat        *model.Access // Order, Allow, Deny, Satisfy
	require       *model.Require
	authType      string
	authName      string
	rule          *rule // of the last Location that has one
	realm         string
	bodyLimit     int64 // LimitRequestBody; -1 when nothing was written
}

type reverse struct{ from, to string }

// layer is the compiled form of one Settings, to be put over a conf.
type layer struct {
	s       *model.Settings
	path    string
	headers []*headerRule
	env     []*envRule
	rule    *rule
}

// given reports whether a value was written or concluded, not just defaulted.
func given[T model.Scalar](v model.Value[T]) bool { return v.Origin >= model.Inferred }

func newLayer(s *model.Settings, path string) (*layer, error) {
	l := &layer{s: s, path: path}
	for _, h := range s.Headers {
		r, err := newHeaderRule(h)
		if err != nil {
			return nil, err
		}
		l.headers = append(l.headers, r)
	}
	for _, e := range s.SetEnv {
		r, err := newEnvRule(e)
		if err != nil {
			return nil, err
		}
		l.env = append(l.env, r)
	}
	return l, nil
}

// over merges the layer into c: later settings win, lists are joined.
func (l *layer) over(c *conf) {
	s := l.s
	if given(s.Handler) {
		c.handler = s.Handler.V
		if strings.EqualFold(c.handler, "none") {
			c.handler = ""
		}
	}
	put(&c.preserveHost, s.PreserveHost)
	put(&c.addHeaders, s.AddHeaders)
	put(&c.continue100, s.Continue100)
	put(&c.interp, s.InterpolEnv)
	if given(s.LimitBody) {
		c.bodyLimit = int64(s.LimitBody.V)
	}
	put(&c.override, s.ErrorOverride)
	c.reverses = l.reverse(c.reverses, s.Reverses)
	c.cookiePaths = l.reverse(c.cookiePaths, s.CookiePaths)
	c.cookieDomains = l.reverse(c.cookieDomains, s.CookieDomains)
	if len(l.headers) > 0 {
		c.headers = append(c.headers[:len(c.headers):len(c.headers)], l.headers...)
	}
	if len(l.env) > 0 {
		c.env = append(c.env[:len(c.env):len(c.env)], l.env...)
	}
	if len(s.ErrorDocs) > 0 {
		c.errorDocs = maps.Clone(c.errorDocs)
		if c.errorDocs == nil {
			c.errorDocs = map[int]string{}
		}
		for _, d := range s.ErrorDocs {
			c.errorDocs[d.Status.V] = d.Document.V
		}
	}
	if a := s.Access; a != nil {
		if given(a.Order) || len(a.Allow) > 0 || len(a.Deny) > 0 || given(a.Satisfy) {
			c.compat = a
		}
		if a.Require != nil && (len(a.Require.Children) > 0 || len(a.Require.Args) > 0) {
			c.require = a.Require
		}
		put(&c.authType, a.AuthType)
		put(&c.authName, a.AuthName)
	}
	if l.rule != nil {
		c.rule = l.rule
	}
}

func put[T model.Scalar](to *T, v model.Value[T]) {
	if given(v) {
		*to = v.V
	}
}

func (l *layer) reverse(list []reverse, add []*model.Reverse) []reverse {
	list = list[:len(list):len(list)]
	for _, r := range add {
		from := r.From.V
		if from == "" {
			from = l.path
		}
		list = append(list, reverse{from, r.To.V})
	}
	return list
}

// section is a Location or Proxy block ready to match.
type section struct {
	layer *layer
	path  string
	re    *regexp.Regexp
	glob  bool
}

func newSection(s *model.Section) (*section, error) {
	path := s.Path.V
	match := strings.HasSuffix(s.Kind.V, "Match")
	if p, ok := strings.CutPrefix(path, "~"); ok && !match {
		path, match = strings.TrimSpace(p), true
	}
	l, err := newLayer(&s.Settings, path)
	if err != nil {
		return nil, err
	}
	sec := &section{layer: l, path: path, glob: strings.ContainsAny(path, "*?[")}
	if match {
		if sec.re, err = compile(path); err != nil {
			return nil, err
		}
	}
	if s.Mapping != nil {
		if l.rule, err = newRule(s.Mapping, path); err != nil {
			return nil, err
		}
	}
	return sec, nil
}

// location reports whether a Location applies to the decoded path.
func (s *section) location(path string) bool {
	switch {
	case s.re != nil:
		return s.re.MatchString(path)
	case s.glob:
		return matchText(s.path, path, false)
	}
	p := s.path
	return strings.HasPrefix(path, p) && (len(path) == len(p) || strings.HasSuffix(p, "/") || path[len(p)] == '/')
}

// proxied reports whether a Proxy section applies to the mapped URL.
func (s *section) proxied(url string) bool {
	switch {
	case s.re != nil:
		return s.re.MatchString(url)
	case s.glob:
		return matchText(s.path, url, true)
	}
	return strings.HasPrefix(url, s.path)
}
