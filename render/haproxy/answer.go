package haproxy

import (
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/render/plan"
)

// denied are the statuses that http-request deny knows (section 4.2).
var denied = []int{400, 401, 403, 404, 405, 407, 408, 410, 413, 421, 425, 429, 500, 501, 502, 503, 504}

// refusal writes the rule that answers with the status.
func refusal(status int) string {
	switch {
	case slices.Contains(denied, status):
		return "http-request deny deny_status " + itoa(status)
	case status >= 200 && status <= 599:
		return "http-request return status " + itoa(status)
	}
	return "http-request deny deny_status 403"
}

// answers are the rules of spots that go to no member.
func (w *writer) answers(s *spot) []rule {
	o := s.out
	if s.refused {
		return nil
	}
	switch o.Kind {
	case plan.Refuse:
		if o.Redirect != nil {
			w.l.Exact(o.Redirect)
		}
		return []rule{{spotPlace(s), refusal(o.Status), ""}}
	case plan.Files:
		if o.Mapping != nil {
			w.l.Approx("it goes to no member; HAProxy serves no files, so the answer is 404", "http-request return file", o.Mapping)
		}
		return []rule{{spotPlace(s), refusal(404), ""}}
	case plan.Handler:
		if o.Mapping != nil {
			w.l.Exact(o.Mapping)
		}
		if w.statsOf(s) == nil {
			w.l.Drop("HAProxy has no such page: the answer is 404", "", o.Settings.Handler)
			return []rule{{spotPlace(s), refusal(404), ""}}
		}
	case plan.Redirect:
		return w.redirect(s)
	}
	return nil
}

// redirectCodes are the statuses that http-request redirect knows.
var redirectCodes = []int{301, 302, 303, 307, 308}

// codeWords names the status of a redirect unless it is HAProxy's own, 302.
func codeWords(status int) string {
	if status == 302 {
		return ""
	}
	return " code " + itoa(status)
}

// redirect writes Redirect and RedirectMatch. What follows the prefix in the path,
// and the query, are added to the target (mod_alias.c, try_redirect).
func (w *writer) redirect(s *spot) []rule {
	o := s.out
	lost := func(why string) []rule {
		w.l.Drop(why+": the answer is 404", "http-request redirect", o.Redirect)
		return []rule{{o.Redirect.At, refusal(404), ""}}
	}
	if !slices.Contains(redirectCodes, o.Status) {
		return lost("HAProxy sends no redirect with this status")
	}
	if !writable(o.Location) {
		return lost("the target has control characters")
	}
	code := codeWords(o.Status)
	origin, path := plan.SplitURL(o.Location)
	if o.Redirect.Path.V == "" && !o.Redirect.Regex.V {
		lf, ok := expand(o.Location, s.secure())
		if !ok {
			return lost("the target is made by an expression")
		}
		w.l.Exact(o.Redirect)
		return []rule{{o.Redirect.At, "http-request redirect location " + word(w.absolute(s, lf)) + code, ""}}
	}
	if strings.Contains(origin, "$") && o.Regex != nil {
		return lost("the host of the target is taken from the path")
	}
	if o.Regex != nil {
		to, ok := refs(path, 0)
		if !ok || strings.ContainsAny(path, "?#") {
			return lost("the query of the target is taken from the path")
		}
		w.l.Exact(o.Redirect)
		return []rule{
			{o.Redirect.At, "http-request replace-path " + word(o.Regex.Regex) + " " + word(to), ""},
			{o.Redirect.At, "http-request redirect prefix " + word(w.absolute(s, literal(origin))) + code, ""},
		}
	}
	if strings.ContainsAny(path, "?#") {
		w.l.Approx("what follows "+printable(o.Strip)+" in the path is not added to a target with a query", "", o.Redirect)
		return []rule{{o.Redirect.At, "http-request redirect location " + word(w.absolute(s, literal(o.Location))) + code, ""}}
	}
	if path == "" && o.Strip == "/" {
		path = "/"
		w.l.Approx("a slash was put between the host and what follows", "", o.Redirect)
	}
	w.l.Exact(o.Redirect)
	out := w.strip(o.Redirect.At, o.Strip, path)
	return append(out, rule{o.Redirect.At, "http-request redirect prefix " + word(w.absolute(s, literal(origin))) + code, ""})
}

// strip replaces a prefix of the path. A path that is encoded in another way than
// the prefix is written here is refused.
func (w *writer) strip(at diag.Span, from, to string) []rule {
	if from == to {
		return nil
	}
	prefix, slash := prefixRegex(from), ""
	if to == "" { // the target is only a host: there is a slash behind it at least
		to, slash = "/", "/?"
	}
	var out []rule
	if from != "/" {
		out = append(out, rule{at, refusal(400), "!{ path -m reg " + regexPattern(prefix) + " }"})
	}
	return append(out,
		rule{at, "http-request replace-path " + word(prefix+slash+"(.*)$") + " " + word(replacement(to)+`\1`), ""})
}

// absolute puts the client's own scheme and host before a target without them
// (ap_construct_url with UseCanonicalName Off); lf is a log-format.
func (w *writer) absolute(s *spot, lf string) string {
	if lf == "" || strings.HasPrefix(lf, "/") || strings.HasPrefix(lf, "%[path") {
		return s.scheme() + "://%[req.hdr(host)]" + lf
	}
	return lf
}

// secure tells whether the spot's site speaks TLS.
func (s *spot) secure() bool { return s.site.TLS != nil }

func (s *spot) scheme() string {
	if s.secure() {
		return "https"
	}
	return "http"
}

// variables are those of httpd's expressions and rewrite rules, as log-formats.
var variables = map[string]string{
	"HTTP_HOST":    "%[req.hdr(host)]",
	"REQUEST_URI":  "%[path]",
	"QUERY_STRING": "%[query]",
	"SERVER_NAME":  "%[req.hdr(host),host_only]",
	"SERVER_PORT":  "%[dst_port]",
	"REMOTE_ADDR":  "%[src]",
}

// expand writes a text with %{NAME} as a log-format; ok is false when a variable
// has no counterpart.
func expand(s string, tls bool) (lf string, ok bool) {
	var b strings.Builder
	for {
		i := strings.Index(s, "%{")
		if i < 0 {
			return b.String() + literal(s), true
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			return "", false
		}
		b.WriteString(literal(s[:i]))
		name := strings.ToUpper(s[i+2 : i+end])
		v := variables[name]
		if name == "REQUEST_SCHEME" {
			if v = "http"; tls {
				v = "https"
			}
		}
		if v == "" {
			return "", false
		}
		b.WriteString(v)
		s = s[i+end+1:]
	}
}

// statsOf returns the page of statistics that stands for a handler of httpd, nil
// for none. It can change nothing, and shows the balancers that balancer-manager
// would show.
func (w *writer) statsOf(s *spot) *statsPage {
	o := s.out
	if o.Handler != "balancer-manager" && o.Handler != "server-status" || !writable(s.path) {
		return nil
	}
	p := &statsPage{uri: s.path, at: o.Settings.Handler.Place(), what: o.Handler}
	key := o.Handler + " " + s.path
	if o.Handler == "balancer-manager" {
		key += " " + s.site.Name
		p.pools = []*plan.Pool{}
		for _, pool := range w.plan.Pools {
			if pool.Balancer != nil && slices.ContainsFunc(w.front, func(f *frontend) bool {
				return slices.ContainsFunc(f.spots, func(x *spot) bool { return x.site == s.site && x.out.Kind == plan.Proxy && x.out.Pool == pool })
			}) {
				p.pools = append(p.pools, pool)
			}
		}
	}
	if old := w.stats[key]; old != nil {
		return old
	}
	w.l.Approx("HAProxy's page of statistics answers there; it shows members and can change nothing", "stats admin", o.Settings.Handler)
	p.name = w.unique(strings.ReplaceAll(o.Handler, "-", "_"))
	w.stats[key] = p
	w.pages = append(w.pages, p)
	return p
}

// statsBackend writes one; the frontend's rules say who may see it.
func (w *writer) statsBackend(p *statsPage) {
	t := w.out
	t.head(p.what)
	t.section("backend " + p.name)
	t.line(p.at, "stats enable")
	t.line(p.at, "stats uri", word(encodePath(p.uri)))
	t.line(nowhere, "stats hide-version")
	var shown []string
	for _, pool := range p.pools {
		if name := w.backendName(pool); !slices.Contains(shown, name) {
			shown = append(shown, name)
			t.line(nowhere, "stats scope", name)
		}
	}
	if p.pools != nil && len(p.pools) == 0 {
		t.line(nowhere, "stats scope .")
	}
}
