package haproxy

import (
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// rewrites reports whether the member sees another path than the client sent.
func rewrites(o *plan.Outcome) bool { return o.Regex != nil || o.Strip != o.To }

// pathRewrites puts the member's path in the place of the public one. HAProxy
// changes the path as it was sent, not the decoded one, so that it goes on encoded.
func (w *writer) pathRewrites(s *spot) []rule {
	o := s.out
	at := spotPlace(s)
	if o.Mapping != nil {
		w.l.Exact(o.Mapping)
		w.l.Approx("a path goes on encoded as the client sent it, unless it is refused", "", o.Mapping.Nocan)
		if o.Mapping.NoQry.V {
			return append(w.rewrite(s), rule{at, `http-request set-query ""`, ""})
		}
	}
	return w.rewrite(s)
}

func (w *writer) rewrite(s *spot) []rule {
	o := s.out
	at := spotPlace(s)
	bad := func() []rule {
		if o.Mapping != nil {
			w.l.Drop("the target cannot be made there: the requests are refused", "http-request replace-path", o.Mapping)
		}
		return []rule{{at, refusal(503), ""}}
	}
	to, query, hasQuery := strings.Cut(o.To, "?")
	switch {
	case !rewrites(o):
		return nil
	case hasQuery || !writable(o.To) || query != "":
		return bad()
	case o.Regex != nil:
		fmt, ok := refs(to, 0)
		if !ok {
			return bad()
		}
		re := o.Regex.Regex
		return []rule{
			{at, refusal(400), "!{ path -m reg " + regexPattern(re) + " }"},
			{at, "http-request replace-path " + word(re) + " " + word(fmt), ""},
		}
	case o.Strip == "": // a pattern with a fixed target
		return []rule{{at, "http-request set-path " + word(literal(to)), ""}}
	}
	return w.strip(at, o.Strip, to)
}

// reverses writes ProxyPassReverse and the rules for cookies.
func (w *writer) reverses(s *spot) []rule {
	set := &s.out.Settings
	var out []rule
	for _, r := range set.Reverses {
		out = append(out, w.location(s, r)...)
	}
	for _, r := range set.CookiePaths {
		if !writable(r.From.V+r.To.V) || r.Interp.V && strings.Contains(r.From.V+r.To.V, "${") {
			continue
		}
		w.l.Exact(r)
		out = append(out, rule{r.At, "http-response replace-header Set-Cookie " +
			word(`^(.*;\s*(?i:path)=)`+regexp.QuoteMeta(r.From.V)+`[^;]*(.*)$`) + " " + word(`\1`+replacement(r.To.V)+`\2`), ""})
	}
	for _, r := range set.CookieDomains {
		if !writable(r.From.V+r.To.V) || r.Interp.V && strings.Contains(r.From.V+r.To.V, "${") {
			continue
		}
		w.l.Exact(r)
		out = append(out, rule{r.At, "http-response replace-header Set-Cookie " +
			word(`^(.*;\s*(?i:domain)=)(?i:`+regexp.QuoteMeta(r.From.V)+`)[^;]*(.*)$`) + " " + word(`\1`+replacement(r.To.V)+`\2`), ""})
	}
	return out
}

// location writes one ProxyPassReverse: a Location that begins with the URL of the
// member, or of any member of the balancer, gets the public path instead
// (ap_proxy_location_reverse_map in proxy_util.c).
func (w *writer) location(s *spot, r *model.Reverse) []rule {
	if !writable(r.From.V+r.To.V) || r.Interp.V && strings.Contains(r.From.V+r.To.V, "${") {
		return nil
	}
	from := r.From.V
	if from == "" {
		from = s.path
	}
	origins, path := w.realURLs(s, r.To.V)
	if len(origins) == 0 {
		return nil
	}
	public := literal(from)
	if !strings.Contains(from, "://") {
		public = s.scheme() + "://%[var(txn.public)]" + public
	}
	var alts []string
	for _, o := range origins {
		alts = append(alts, regexp.QuoteMeta(o))
	}
	re := "(?i)^" + alts[0]
	if len(alts) > 1 {
		re = "(?i)^(?:" + strings.Join(alts, "|") + ")"
	}
	w.l.Approx("Location is rewritten; Content-Location and URI are left as they are", "http-response replace-header", r)
	return []rule{
		{r.At, "http-response replace-header Location " + word(re+regexp.QuoteMeta(path)+"(.*)$") + " " +
			word(strings.ReplaceAll(public, `\`, `\\`)+`\1`), ""},
	}
}

// realURLs takes the second word of ProxyPassReverse apart: the origins that a
// member's answer may name, and the path behind them.
func (w *writer) realURLs(s *spot, real string) (origins []string, path string) {
	origin, path := plan.SplitURL(real)
	scheme, name, isURL := strings.Cut(origin, "://")
	if !isURL {
		return []string{""}, path
	}
	add := func(o string) {
		if !slices.Contains(origins, o) {
			origins = append(origins, o)
		}
	}
	if !strings.EqualFold(scheme, "balancer") {
		if strings.EqualFold(scheme, "ajp") { // such members now answer over HTTP with the client's host
			return nil, ""
		}
		add(origin)
		return origins, path
	}
	for _, b := range s.site.Server.Balancers {
		if !strings.EqualFold(b.Name.V, name) {
			continue
		}
		for _, m := range b.Members {
			o, _ := plan.SplitURL(m.URL.V)
			if i := strings.IndexByte(o, '|'); i >= 0 {
				o = o[i+1:]
			}
			if !strings.HasPrefix(strings.ToLower(o), "ajp:") {
				add(o)
			}
		}
	}
	return origins, path
}

// errorPages writes the ErrorDocuments that are a text and hold for the whole
// frontend.
func (w *writer) errorPages(f *frontend) {
	docs := f.spots[0].out.Settings.ErrorDocs
	for _, s := range f.spots {
		if !slices.Equal(s.out.Settings.ErrorDocs, docs) {
			for _, s := range f.spots {
				for _, d := range s.out.Settings.ErrorDocs {
					w.l.Drop("it does not hold for all that the socket serves, and HAProxy has error pages for a frontend only", "http-error", d)
				}
			}
			return
		}
	}
	for _, d := range docs {
		text := strings.TrimPrefix(d.Document.V, `"`)
		if text == "" || strings.HasPrefix(text, "/") || strings.Contains(text, "://") || strings.EqualFold(text, "default") ||
			!writable(text) || !slices.Contains(denied, d.Status.V) {
			continue
		}
		w.l.Approx("it is sent for errors of HAProxy itself", "", d)
		w.out.line(d.At, "http-error status", itoa(d.Status.V), "content-type text/html string", word(text))
	}
}
