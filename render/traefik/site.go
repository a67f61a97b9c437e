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
	if t := s.Server.TraceEnable; strings.EqualFold(t.V, "off") {
		w.router(s, both(host, "Method(`TRACE`) && PathPrefix(`/`)"), []string{w.deny()}, "")
		w.l.Approx("TRACE is answered with 403", "", t)
	}
	if protects(s) {
		re := `[\x00-\x1f\x7f]|%[0-7][0-9A-Fa-f]`
		if countsBytes(s) {
			re += `|[^\x00-\x7f]`
			w.l.Add(target.Note{Loss: target.Approximated, ID: "mappings", Span: s.Source.At,
				Message: "Go's expressions count letters where httpd's count bytes: where something is protected, paths with letters beyond ASCII are refused"})
		}
		w.router(s, both(host, "PathRegexp("+quote(re)+")"), []string{w.deny()}, "")
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
					rule = both(rule, "PathRegexp("+pattern(p.Regex)+")")
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
	if w.options != nil {
		r.TLS = &routerTLS{*w.options}
	}
	w.next--
	w.dynamic.HTTP.Routers[fmt.Sprintf("%s-%03d", s.Name, len(w.dynamic.HTTP.Routers)+1)] = r
}

// middleware adds a middleware, or returns the name of one that says the same.
func (w *writer) middleware(name string, m *middleware) string {
	text := fmt.Sprintf("%#v", describe(m))
	if have := w.made[text]; have != "" {
		return have
	}
	name = w.unique(name)
	w.made[text] = name
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
		// A router is left out where the file of passwords cannot be read, or has a
		// line that Traefik does not understand; no other one may get its requests.
		w.router(s, rule, []string{w.deny()}, "")
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
	path, ok := w.path(o)
	if !ok {
		w.l.Drop("Traefik's replacements cannot say it: 403", "", o.Mapping)
		w.router(s, rule, append(chain, w.deny()), "")
		return
	}
	if o.Regex != nil && !seesEncoded(o.Regex.Regex) {
		w.router(s, both(rule, "PathRegexp("+quote(`[^A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]`)+")"), []string{w.deny()}, "")
		w.l.Approx("Traefik maps the path as it is encoded: one with letters that have to be encoded is refused", "", o.Mapping)
	}
	chain = append(chain, path...)
	chain = append(chain, w.headers(o)...)
	for _, st := range w.stickyServices(o.Pool, name) {
		w.router(s, both(rule, st.rule), chain, st.service)
	}
	w.router(s, rule, chain, name)
}

// path rewrites the path as the mapping does, see seesEncoded; ok is false when Go
// does not take the expression: Traefik leaves out a router with such a middleware,
// and others take its requests.
func (w *writer) path(o *plan.Outcome) (chain []string, ok bool) {
	to := strings.ReplaceAll(o.To, "$", "$$")
	re := "^" + regexp.QuoteMeta(encoded(o.Strip)) + "(.*)"
	switch {
	case o.Regex != nil:
		re, to = "(?s)^.*?(?:"+o.Regex.Regex+").*$", groupRef.ReplaceAllString(o.To, "$${$1}")
	case o.Strip == o.To, o.Strip == "" && o.To == "":
		return nil, true
	case o.To == "":
		return []string{w.middleware("path", &middleware{StripPrefix: &stripPrefix{[]string{o.Strip}}})}, true
	default:
		to += "${1}"
	}
	if _, err := regexp.Compile(re); err != nil {
		return nil, false
	}
	return []string{w.middleware("path", &middleware{ReplacePathRegex: &replacePath{re, to}})}, true
}

// encoded writes a prefix of a decoded path as it stands in a URL: Traefik has
// decoded what needs no encoding, and the entry point lets no reserved letter be
// encoded that is part of a prefix here.
func encoded(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; strings.IndexByte(`"<>\^`+"`{|}", c) >= 0 || c <= ' ' || c > '~' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
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
			r.Regex = site + "(?:" + trimEnd(re) + ")"
		} else {
			r.Regex = site + ".*?(?:" + trimEnd(re) + ")"
		}
		r.Regex += ".*$"
		to = shiftGroups(o.Location, to)
	} else {
		r.Regex = site + regexp.QuoteMeta(encoded(o.Strip)) + "(.*)$"
		to += "${2}"
	}
	if _, err := regexp.Compile(r.Regex); err != nil {
		w.l.Drop("Go's expressions cannot say it: 403", "", o.Redirect)
		return ""
	}
	r.Replacement = to
	if o.Status == 301 || o.Status == 302 {
		w.l.Exact(o.Redirect)
	} else {
		w.l.Approx(fmt.Sprintf("Traefik answers %d, or 307 and 308 for other methods than GET", map[bool]int{true: 301, false: 302}[r.Permanent]), "", o.Redirect)
	}
	return w.middleware("redirect", &middleware{RedirectRegex: r})
}

// trimEnd takes the $ from the end of an expression.
func trimEnd(re string) string {
	rest, ok := strings.CutSuffix(re, "$")
	if ok && (len(rest)-len(strings.TrimRight(rest, `\`)))%2 == 0 {
		return rest
	}
	return re
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
