package traefik

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"clowder/render/plan"
	"clowder/render/target"
)

// nobody is a network that no client comes from: who is not in it gets 403.
const nobody = "255.255.255.255/32"

// site writes the routers of a site for the requests that the host condition takes.
func (w *writer) site(s *plan.Site, host string) {
	if w.unknown || w.refused[s] {
		w.router(s, both(host, "PathPrefix(`/`)"), []string{w.deny()}, "")
		return
	}
	if protects(s) {
		w.router(s, both(host, "PathRegexp(`[\\x00-\\x1f\\x7f]|%[0-7][0-9A-Fa-f]`)"), []string{w.deny()}, "")
		w.l.Add(target.Note{Loss: target.Approximated, ID: "mappings", Span: s.Source.At,
			Message: "Traefik compares reserved letters as they are encoded: where something is protected, paths with such an encoding or with control characters are refused"})
	}
	for _, e := range s.Early {
		w.early(s, host, e)
	}
	for _, c := range s.Cells {
		for _, b := range c.Branches {
			rule, out := both(host, pathRule(c.Path)), b.Outcome
			for _, p := range b.Patterns {
				if p.RE2 {
					rule = both(rule, "PathRegexp("+quote(p.Regex)+")")
					continue
				}
				w.l.Closed("Go's expressions cannot say it: everything below "+c.Path+" is refused", "", p.Fact)
				out.Access = plan.Access{}
			}
			w.outcome(s, rule, &out)
		}
		w.outcome(s, both(host, pathRule(c.Path)), &c.Outcome)
	}
}

// protects reports whether something of a site is not for everybody.
func protects(s *plan.Site) bool {
	shut := func(o *plan.Outcome) bool { return o.Kind != plan.Proxy || !o.Access.Open() }
	return len(s.Early) > 0 || slices.ContainsFunc(s.Cells, func(c *plan.Cell) bool {
		return shut(&c.Outcome) || slices.ContainsFunc(c.Branches, func(b *plan.Branch) bool { return shut(&b.Outcome) })
	})
}

// router adds a router of a site; without a service every request ends in its middlewares.
func (w *writer) router(s *plan.Site, rule string, middlewares []string, service string) {
	if service == "" {
		service = "noop@internal"
	}
	r := &router{EntryPoints: slices.Clone(w.on), Rule: rule, Priority: w.next, Middlewares: middlewares, Service: service}
	if s.TLS != nil {
		r.TLS = &routerTLS{w.tlsOptions(s)}
	}
	w.next--
	w.dynamic.HTTP.Routers[fmt.Sprintf("%s-%03d", s.Name, len(w.dynamic.HTTP.Routers)+1)] = r
}

// middleware adds a middleware, or returns the name of one that says the same.
func (w *writer) middleware(name string, m *middleware) string {
	text := fmt.Sprint(describe(m))
	for have, old := range w.dynamic.HTTP.Middlewares {
		if fmt.Sprint(describe(old)) == text {
			return have
		}
	}
	name = w.unique(name)
	w.dynamic.HTTP.Middlewares[name] = m
	return name
}

// describe writes a middleware by value, for comparison.
func describe(m *middleware) []any {
	var out []any
	add := func(name string, ok bool, v func() any) {
		if ok {
			out = append(out, name, v())
		}
	}
	add("allow", m.IPAllowList != nil, func() any { return *m.IPAllowList })
	add("auth", m.BasicAuth != nil, func() any { return *m.BasicAuth })
	add("strip", m.StripPrefix != nil, func() any { return *m.StripPrefix })
	add("replace", m.ReplacePathRegex != nil, func() any { return *m.ReplacePathRegex })
	add("redirect", m.RedirectRegex != nil, func() any { return *m.RedirectRegex })
	add("headers", m.Headers != nil, func() any { return *m.Headers })
	add("retry", m.Retry != nil, func() any { return *m.Retry })
	return out
}

func (w *writer) deny() string {
	return w.middleware("refuse", &middleware{IPAllowList: &ipAllowList{[]string{nobody}}})
}

func networks(set plan.Set) []string {
	var out []string
	for _, p := range set.Prefixes() {
		out = append(out, p.String())
	}
	return out
}

// outcome writes the routers for one outcome: with access by address first, then
// with passwords.
func (w *writer) outcome(s *plan.Site, rule string, o *plan.Outcome) {
	a := &o.Access
	auth := ""
	if a.NeedsAuth() {
		auth = w.auth(o)
	}
	switch {
	case auth == "" && a.Free.Empty():
		w.router(s, rule, []string{w.deny()}, "")
		w.refusedFacts(o)
	case auth == "" && a.Open():
		w.action(s, rule, nil, o)
	case auth == "":
		w.action(s, rule, []string{w.allow(a.Free)}, o)
	default:
		if !a.Free.Empty() {
			var alts []string
			for _, n := range networks(a.Free) {
				alts = append(alts, "ClientIP("+quote(n)+")")
			}
			w.action(s, both(rule, group(alts)), nil, o)
		}
		chain := []string{auth}
		if !a.Auth.Or(a.Free).All() {
			chain = []string{w.allow(a.Auth.Or(a.Free)), auth}
		}
		w.action(s, rule, chain, o)
	}
}

func (w *writer) allow(set plan.Set) string {
	return w.middleware("allow", &middleware{IPAllowList: &ipAllowList{networks(set)}})
}

// auth returns the middleware for passwords, "" when Traefik cannot ask as httpd does.
func (w *writer) auth(o *plan.Outcome) string {
	a := &o.Access
	facts := o.Settings.Access
	if a.Users != nil {
		w.l.Closed("Traefik lets everybody in who stands in the file: nobody who would have to log in gets in", "a file with these users only", facts.Require)
		return ""
	}
	w.l.Approx("Traefik reads hashes of MD5, SHA1 and bcrypt; who has another one cannot log in", "", facts.AuthFile)
	return w.middleware("login", &middleware{BasicAuth: &basicAuth{a.File, a.Realm}})
}

// refusedFacts marks what a refused outcome does not need.
func (w *writer) refusedFacts(o *plan.Outcome) {
	if o.Mapping != nil {
		w.l.Exact(o.Mapping)
	}
}

// action writes the router for who got in.
func (w *writer) action(s *plan.Site, rule string, chain []string, o *plan.Outcome) {
	if o.Mapping != nil {
		w.l.Exact(o.Mapping)
	}
	switch o.Kind {
	case plan.Proxy:
		w.forward(s, rule, chain, o)
	case plan.Redirect:
		if m := w.redirectTo(o); m != "" {
			w.router(s, rule, append(chain, m), "")
			return
		}
		w.router(s, rule, append(chain, w.deny()), "")
	case plan.Handler:
		w.l.Drop("the page is not there: 403", "the dashboard (api)", o.Settings.Handler)
		w.router(s, rule, append(chain, w.deny()), "")
	default:
		if o.Root != "" {
			w.l.Drop("Traefik serves no files: 403", "a web server beside it", s.Server.DocRoot)
		}
		if o.Redirect != nil {
			w.l.Approx("it answers 403 instead", "", o.Redirect)
		}
		w.router(s, rule, append(chain, w.deny()), "")
	}
}

// forward writes the routers to a pool.
func (w *writer) forward(s *plan.Site, rule string, chain []string, o *plan.Outcome) {
	name := w.pool(o.Pool, s, o)
	if name == "" {
		w.router(s, rule, append(chain, w.deny()), "")
		return
	}
	chain = append(chain, w.path(o)...)
	chain = append(chain, w.headers(o)...)
	for _, st := range w.stickyServices(o.Pool, name) {
		w.router(s, both(rule, st.rule), chain, st.service)
	}
	w.router(s, rule, chain, name)
}

// path rewrites the path as the mapping does.
func (w *writer) path(o *plan.Outcome) []string {
	to := strings.ReplaceAll(o.To, "$", "$$")
	switch {
	case o.Regex != nil:
		to = groupRef.ReplaceAllString(o.To, "$${$1}")
		return []string{w.middleware("path", &middleware{ReplacePathRegex: &replacePath{"(?s)^.*?(?:" + o.Regex.Regex + ").*$", to}})}
	case o.Strip == o.To, o.Strip == "" && o.To == "":
		return nil
	case o.To == "":
		return []string{w.middleware("path", &middleware{StripPrefix: &stripPrefix{[]string{o.Strip}}})}
	}
	return []string{w.middleware("path", &middleware{ReplacePathRegex: &replacePath{"^" + regexp.QuoteMeta(o.Strip) + "(.*)", to + "${1}"}})}
}

var groupRef = regexp.MustCompile(`\$([0-9])`)

// redirectTo returns the middleware that sends a request elsewhere.
func (w *writer) redirectTo(o *plan.Outcome) string {
	if o.Regex != nil && !o.Regex.RE2 || strings.Contains(o.Location, "%{") {
		w.l.Drop("Go's expressions or Traefik's replacements cannot say it: 403", "", o.Redirect)
		return ""
	}
	to := strings.ReplaceAll(o.Location, "$", "$$")
	site := "^(https?://[^/]+)"
	if strings.HasPrefix(o.Location, "/") {
		to = "${1}" + to
	}
	r := &redirectRule{Permanent: o.Status == 301 || o.Status == 308}
	if o.Regex != nil {
		re := strings.TrimPrefix(o.Regex.Regex, "^")
		if re != o.Regex.Regex || re == "" {
			r.Regex = site + "(?:" + strings.TrimSuffix(re, "$") + ")"
		} else {
			r.Regex = site + ".*?(?:" + strings.TrimSuffix(re, "$") + ")"
		}
		r.Regex += ".*$"
		to = shiftGroups(o.Location, to)
	} else {
		r.Regex = site + regexp.QuoteMeta(o.Strip) + "(.*)$"
		to += "${2}"
	}
	r.Replacement = to
	if o.Status == 301 || o.Status == 302 {
		w.l.Exact(o.Redirect)
	} else {
		w.l.Approx(fmt.Sprintf("Traefik answers %d, or 307 and 308 for other methods than GET", map[bool]int{true: 301, false: 302}[r.Permanent]), "", o.Redirect)
	}
	return w.middleware("redirect", &middleware{RedirectRegex: r})
}

// shiftGroups numbers the groups of a target behind the one for scheme and host.
func shiftGroups(location, to string) string {
	if !groupRef.MatchString(location) {
		return to
	}
	out := groupRef.ReplaceAllStringFunc(location, func(m string) string { return fmt.Sprintf("${%d}", int(m[1]-'0')+1) })
	if strings.HasPrefix(location, "/") {
		out = "${1}" + out
	}
	return out
}
