package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

var proxyPassReverseMismatch = &lint.Rule{
	ID: "H402", Name: "proxypassreverse-mismatch", Severity: diag.Warning, Confidence: diag.Likely, Category: lint.Mapping, Versions: everyHTTPD, Fixable: true,
	Doc: lint.Doc{
		What: "A ProxyPassReverse does not name what the ProxyPass of its path leads to, or has a third word that httpd takes for interpolate.",
		Why:  "httpd rewrites a redirect only when it begins with exactly this URL. Another host, port or path never matches, and the browser gets the backend's address.",
		Fix:  "Copy the URL of the ProxyPass.",
		Bad: `ProxyPass "/app" "http://10.0.0.11:8080/shop"
ProxyPassReverse "/app" "http://10.0.0.11:8080/app"`,
		Good: `ProxyPass "/app" "http://10.0.0.11:8080/shop"
ProxyPassReverse "/app" "http://10.0.0.11:8080/shop"`,
		Notes:  "Silent when another line for the path fits: further ones for old names are legal. For a balancer its own URL and those of its members fit; with AJP or ProxyPreserveHost the public host does. ajp:// URLs are H404.",
		Source: "mod_proxy, ProxyPassReverse; ap_proxy_location_reverse_map in modules/proxy/proxy_util.c. Tried with httpd 2.4.71: `ProxyPassReverse /app balancer://c/app stickysession=...` is taken without a word.",
	},
	Check: func(p *lint.Pass) {
		ix := newBalancerIndex()
		for _, sv := range proxyServers(p) {
			checkReverses(p, ix, sv)
		}
	},
}

// ownReverses returns the ProxyPassReverse lines of the server and its Locations in order.
func ownReverses(sv lint.Server) []*model.Reverse {
	out := sv.Settings.Reverses[:len(sv.Settings.Reverses):len(sv.Settings.Reverses)]
	for _, sec := range sv.Sections {
		if sec.Kind.V == "Location" {
			out = append(out, sec.Settings.Reverses...)
		}
	}
	return out
}

func checkReverses(p *lint.Pass, ix *balancerIndex, sv lint.Server) {
	reverses := ownReverses(sv)
	if len(reverses) == 0 {
		return
	}
	list := passes(sv)
	if inherits(sv) {
		list = append(list, passes(mainOf(sv))...)
	}
	byPath := map[string][]mapped{}
	for _, m := range list {
		if !m.Regex.V {
			key := strings.TrimRight(m.Path.V, "/")
			byPath[key] = append(byPath[key], m)
		}
	}
	keeper := newHostKeeper(sv)
	bad, fits := map[string]*model.Reverse{}, map[string]bool{}
	var order []string
	for _, r := range reverses {
		key := strings.TrimRight(r.From.V, "/")
		third := r.Interp.IsWritten() && !strings.EqualFold(strings.Trim(r.Interp.Span.Text(), `"'`), "interpolate")
		ok := len(byPath[key]) == 0
		for _, m := range byPath[key] {
			ok = ok || reverseFits(ix, sv, r, m, keeper)
		}
		if third && ok {
			reportThirdWord(p, r)
		}
		fits[key] = fits[key] || ok
		if !ok && bad[key] == nil {
			bad[key] = r
			order = append(order, key)
		}
	}
	for _, key := range order {
		if !fits[key] {
			reportReverse(p, ix, sv, bad[key], byPath[key])
		}
	}
}

func reportThirdWord(p *lint.Pass, r *model.Reverse) {
	cut := r.To.Span
	cut.Start, cut.End = cut.End, r.Interp.Span.End
	p.Report(lint.Finding{
		At: wordPlace(r.At), Subject: r,
		Message: fmt.Sprintf("`ProxyPassReverse \"%s\" \"%s\"` matches no ProxyPass with parameters: the third word `%s` is taken for `interpolate`; remove it", r.From.V, r.To.V, strings.Trim(r.Interp.Span.Text(), `"'`)),
		Fixes:   []diag.Fix{{Message: "remove the word", Safe: true, Edits: []diag.Edit{{Span: cut}}}},
	})
}

func reportReverse(p *lint.Pass, ix *balancerIndex, sv lint.Server, r *model.Reverse, list []mapped) {
	m := list[0]
	b := ix.resolve(sv, m.Target.V)
	what := fmt.Sprintf("that of this path leads to `%s` (%s)", m.Target.V, m.At.Short())
	if _, path := splitBackend(r.To.V); slashEnd(r, b.path) && samePath(path, b.path) {
		what += "; with the slash at its end a redirect to `" + r.To.V + "x` becomes `" + r.From.V + "x`"
	}
	f := lint.Finding{
		At: r.At, Subject: r,
		Message: fmt.Sprintf("`ProxyPassReverse \"%s\" \"%s\"` matches no ProxyPass: %s; copy its URL", r.From.V, r.To.V, what),
		Related: []diag.Related{lint.Related(m.At, "the ProxyPass of this path")},
	}
	if len(list) == 1 && !b.schemes["ajp"] && r.To.Span.IsValid() {
		f.Fixes = []diag.Fix{{Message: "copy the URL of the ProxyPass", Safe: true, Edits: []diag.Edit{{Span: r.To.Span, New: quoted(r.To.Span, m.Target.V)}}}}
	}
	p.Report(f)
}

// slashEnd reports whether the line has a slash at the end of its URL that
// neither its path nor the target has.
func slashEnd(r *model.Reverse, path string) bool {
	return strings.HasSuffix(r.To.V, "/") && !strings.HasSuffix(r.From.V, "/") && !strings.HasSuffix(path, "/") && path != ""
}

// reverseFits reports whether redirects of what the mapping leads to begin with
// the line's URL.
func reverseFits(ix *balancerIndex, sv lint.Server, r *model.Reverse, m mapped, keeper *hostKeeper) bool {
	base, path := splitBackend(r.To.V)
	scheme, _, _ := strings.Cut(base, "://")
	if unknown(r.To.V) || unknown(m.Target.V) || scheme == "ajp" {
		return true
	}
	b := ix.resolve(sv, m.Target.V)
	mbase, mpath := splitBackend(m.Target.V)
	switch {
	case len(b.schemes) == 0:
		return true // members unknown; an undefined balancer is another mistake
	case b.any("ws", "wss", "fcgi", "scgi", "uwsgi"):
		return true
	case scheme == "balancer":
		return base == mbase && samePath(path, mpath)
	case slashEnd(r, b.path):
		return false
	case base == "": // a path of the backend
		return samePath(path, b.path)
	}
	for _, u := range b.urls {
		ubase, upath := splitBackend(u)
		if b.balancer != nil {
			upath = strings.TrimRight(upath, "/") + mpath
		}
		if defaultPort(ubase) == defaultPort(base) && samePath(path, upath) {
			return true
		}
	}
	return samePath(path, b.path) && (b.any("ajp") || keeper.keeps(m) || isPublicHost(sv, base))
}

// defaultPort leaves out the port that the scheme has anyway.
func defaultPort(base string) string {
	if s, ok := strings.CutSuffix(base, ":80"); ok && strings.HasPrefix(base, "http://") {
		return s
	}
	if s, ok := strings.CutSuffix(base, ":443"); ok && strings.HasPrefix(base, "https://") {
		return s
	}
	return base
}
