package proxy

import (
	"maps"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime/balancer"
	"clowder/runtime/pcre"
	"clowder/runtime/tlsconf"
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
	auth          *authConf
	rule          *rule        // of the last Location that has one
	engine        bool         // RewriteEngine
	rewrite       *rewriteConf // of the last section that has rules; nil without
	redirects     []*redirect  // of sections
	redirectAll   *redirect    // the last one without a path, of a section
	dirIndex      []string     // DirectoryIndex; nil is index.html
	noSlash       bool         // DirectorySlash Off
	types         map[string]string
	force         string // ForceType
	tls           *tlsconf.Section
	ifs           []*ifSection
	unknown       error // whether a section applies could not be found out
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
	tls     *tlsconf.Section
	auth    *authConf

	rewrite   *rewriteConf
	redirects []*redirect
	files     fileSettings
	ifs       []*ifSection
}

// given reports whether a value was written or concluded, not just defaulted.
func given[T model.Scalar](v model.Value[T]) bool { return v.Origin >= model.Inferred }

// newLayer compiles the settings of a section, of a server with path "".
func newLayer(s *model.Settings, path string, section diag.Span) (*layer, error) {
	l := &layer{s: s, path: path, tls: tlsconf.SectionOf(s)}
	for _, h := range s.Headers {
		r, err := newHeaderRule(h)
		if err != nil {
			return nil, err
		}
		l.headers = append(l.headers, r)
	}
	var err error
	k := readKept(s, path, section)
	if l.auth, err = newAuthConf(k.access, k.limits, section); err != nil {
		return nil, err
	}
	if l.env, err = newEnvRules(s); err != nil {
		return nil, err
	}
	l.files = newFileSettings(s.Extras)
	if s.Rewrite != nil {
		if l.rewrite, err = newRewrite(s.Rewrite, path); err != nil {
			return nil, err
		}
	}
	if l.redirects, err = newRedirects(s.Redirects); err != nil {
		return nil, err
	}
	return l, l.compileIfs(k.ifs)
}

// over merges the layer into c: later settings win, lists are joined. Access
// control is left to the caller, who knows the order in which httpd merges it.
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
	if l.rule != nil {
		c.rule = l.rule
	}
	if l.tls != nil {
		c.tls = l.tls.Over(c.tls)
	}
	if l.rewrite != nil {
		put(&c.engine, s.Rewrite.Engine)
		c.rewrite = l.rewrite.over(c.rewrite)
	}
	if l.ifs != nil {
		c.ifs = append(c.ifs[:len(c.ifs):len(c.ifs)], l.ifs...)
	}
	l.overRedirects(c)
	l.files.over(c)
}

// overRedirects adds the redirections of a section: the last one without a path
// counts, lists come before those of earlier sections. Those of a server are no
// part of this (mod_alias keeps them with the server).
func (l *layer) overRedirects(c *conf) {
	if l.path == "" || len(l.redirects) == 0 {
		return
	}
	var list []*redirect
	for _, r := range l.redirects {
		if r.path == "" {
			c.redirectAll = r
		} else {
			list = append(list, r)
		}
	}
	c.redirects = append(list, c.redirects...)
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
		_, to := balancer.SplitSocket(r.To.V)
		list = append(list, reverse{from, to})
	}
	return list
}

// section is a Location or Proxy block ready to match.
type section struct {
	layer *layer
	path  string
	re    *pcre.Regexp
	glob  bool
}

func newSection(s *model.Section) (*section, error) {
	path := s.Path.V
	match := strings.HasSuffix(s.Kind.V, "Match")
	if p, ok := strings.CutPrefix(path, "~"); ok && !match {
		path, match = strings.TrimSpace(p), true
	}
	l, err := newLayer(&s.Settings, path, s.At)
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

// location reports whether a Location applies to the decoded path. The error is a
// pattern that took too long.
func (s *section) location(path string) (bool, error) {
	if s.re != nil {
		return s.re.Match(path)
	}
	return s.covers(path), nil
}

func (s *section) covers(path string) bool {
	switch {
	case s.glob:
		return matchText(s.path, path, false)
	}
	p := s.path
	return strings.HasPrefix(path, p) && (len(path) == len(p) || strings.HasSuffix(p, "/") || path[len(p)] == '/')
}

// proxied reports whether a Proxy section applies to the mapped URL.
func (s *section) proxied(url string) (bool, error) {
	switch {
	case s.re != nil:
		return s.re.Match(url)
	case s.glob:
		return matchText(s.path, url, true), nil
	}
	return strings.HasPrefix(url, s.path), nil
}
