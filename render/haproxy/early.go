package haproxy

import (
	"regexp"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// earlyRules writes the rewrite rules of the servers, which come before everything
// else. A rule that cannot be said refuses what it could be about.
func (w *writer) earlyRules(f *frontend) {
	for _, s := range f.sites {
		e := &earlyWriter{w: w, f: f, site: s}
		if len(f.sites) > 1 {
			e.in = "{ var(txn.at) -m beg " + pattern(s.Name+"/") + " }"
		}
		for _, r := range s.Early {
			e.rule(r)
		}
	}
}

type earlyWriter struct {
	w    *writer
	f    *frontend
	site *plan.Site
	in   string // the condition for the site
	done bool   // some rule before may have ended the list, and txn.done tells
	lost bool   // some rule before may have ended the list, and nothing tells

	singles []string // headers that may stand only once
}

func (e *earlyWriter) rule(r *plan.Early) {
	l, src := e.w.l, r.Source
	if src.HasFlag("C", "chain") || src.HasFlag("S", "skip") || src.HasFlag("N", "next") {
		e.lost = true
	}
	conds, exact := e.conditions(r)
	e.single(r)
	switch r.Kind {
	case plan.EarlyRefuse:
		if exact {
			l.Exact(src)
		} else {
			l.Closed("a condition cannot be asked there: the rule refuses without it", "", src)
		}
		e.write(r, conds, refusal(r.Status))
		return
	case plan.EarlyRedirect:
		if rules, ok := e.redirect(r); ok && exact && !e.lost {
			if r.Last {
				l.Exact(src)
			} else {
				l.Approx("the redirect is sent at once; later rules do not change its target", "", src)
			}
			e.write(r, conds, rules...)
			return
		}
	case plan.EarlyProxy:
		if exact && !e.lost && e.proxy(r, conds) {
			l.Exact(src)
			return
		}
	default:
		if src.Target.V == "-" {
			e.flags(r, conds, exact)
			return
		}
		if !src.HasFlag("PT", "passthrough") {
			l.Approx("it leads to a file; HAProxy serves none, so the answer is 404", "http-request return file", src)
			e.write(r, conds, refusal(404))
			return
		}
	}
	l.Closed("the rule cannot be said there: the requests that it is about are refused", "http-request set-path, http-request redirect", src)
	e.write(r, conds, refusal(403))
}

// single refuses requests with several lines of a header that a rule asks for: httpd
// looks at all of them as one value, HAProxy and many a member at one line each.
func (e *earlyWriter) single(r *plan.Early) {
	for _, c := range r.Conds {
		if c.What != plan.CondHeader || !isToken(c.Name) {
			continue
		}
		e.w.l.Approx("requests with more than one header of that name are refused", "", c.Source)
		if low := strings.ToLower(c.Name); !slices.Contains(e.singles, low) {
			e.singles = append(e.singles, low)
			e.w.rule(rule{r.Source.At, refusal(400), "{ req.fhdr_cnt(" + c.Name + ") gt 1 }"}, e.in)
		}
	}
}

// flags handles a rule that changes nothing: with [L] it ends the list.
func (e *earlyWriter) flags(r *plan.Early, conds []string, exact bool) {
	switch {
	case !r.Last:
		e.w.l.Drop("", "http-request set-var, http-request set-header", r.Source)
	case exact:
		e.w.l.Exact(r.Source)
		e.write(r, conds, "http-request set-var(txn.done) bool(true)")
		e.done = true
	default:
		e.w.l.Approx("a condition cannot be asked there: later rules are not skipped", "", r.Source)
		e.lost = true
	}
}

// write writes rules under each of the conditions.
func (e *earlyWriter) write(r *plan.Early, conds []string, rules ...string) {
	in := e.in
	if e.done {
		in = join(in, "!{ var(txn.done) -m bool }")
	}
	for _, c := range conds {
		for _, text := range rules {
			e.w.rule(rule{r.Source.At, text, c}, in)
		}
	}
}

// conditions returns conjunctions, of which one holds when the rule applies; none
// when it never does. exact is false when a condition had to be left out.
func (e *earlyWriter) conditions(r *plan.Early) (conds []string, exact bool) {
	conds, exact = []string{""}, true
	for i := 0; i < len(r.Conds); i++ {
		var alts []string
		known := true
		for ; ; i++ {
			a, ok := e.cond(&r.Conds[i])
			known = known && ok
			alts = append(alts, a...)
			if !r.Conds[i].Or || i+1 == len(r.Conds) {
				break
			}
		}
		if !known {
			exact = false
			continue
		}
		conds = product(conds, alts)
	}
	if !r.Path.Always {
		alts, ok := test("var(txn.path)", &r.Path)
		if ok {
			conds = product(conds, alts)
		} else {
			exact = false
		}
	}
	return conds, exact
}

// product joins each of a with each of b.
func product(a, b []string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			if y = join(x, y); !slices.Contains(out, y) {
				out = append(out, y)
			}
		}
	}
	return out
}

// cond writes one condition as alternatives; no alternative means never.
func (e *earlyWriter) cond(c *plan.Cond) (alts []string, ok bool) {
	switch c.What {
	case plan.CondHTTPS:
		if e.f.tls != c.Not {
			return []string{""}, true
		}
		return nil, true
	case plan.CondHost:
		return test("req.hdr(host)", &c.Test)
	case plan.CondPath:
		return test("var(txn.path)", &c.Test)
	case plan.CondQuery:
		return test("query", &c.Test)
	case plan.CondMethod:
		return test("method", &c.Test)
	case plan.CondAddr:
		return test("src", &c.Test)
	case plan.CondHeader:
		if isToken(c.Name) {
			return test("req.fhdr("+c.Name+")", &c.Test)
		}
	}
	return nil, false
}

// test asks for an expression in a sample. httpd takes what is missing for an
// empty text, HAProxy matches nothing then.
func test(sample string, t *plan.Test) (alts []string, ok bool) {
	if t.Always {
		return []string{""}, true
	}
	re, err := regexp.Compile(t.Regex)
	if err != nil || !writable(t.Regex) || backReference.MatchString(t.Regex) {
		return nil, false
	}
	match := "{ " + sample + " -m reg " + regexPattern(t.Regex) + " }"
	found := "{ " + sample + " -m found }"
	switch empty := re.MatchString(""); {
	case empty && t.Not:
		return []string{found + " !" + match}, true
	case empty:
		return []string{match, "!" + found}, true
	case t.Not:
		return []string{"!" + match}, true
	}
	return []string{match}, true
}

// wholePath are the expressions whose $1 is the path without or with its slash.
var wholePath = map[string]string{
	"^/?(.*)$": "/$1", "^/?(.*)": "/$1", "^/(.*)$": "/$1", "^/(.*)": "/$1", "/(.*)": "/$1",
	"^(.*)$": "$1", "^(.*)": "$1", "(.*)": "$1", "(.*)$": "$1",
}

// redirect writes the target of a redirect.
func (e *earlyWriter) redirect(r *plan.Early) (rules []string, ok bool) {
	if !slices.Contains(redirectCodes, r.Status) || !writable(r.Target) || hasCondRef(r.Target) {
		return nil, false
	}
	code := codeWords(r.Status)
	tls := e.f.tls
	origin, rest := plan.SplitURL(r.Target)
	path, query, hasQuery := strings.Cut(rest, "?")
	base, ok := expand(origin, tls)
	if !ok || strings.Contains(origin, "$") || strings.Contains(path, "#") || strings.Contains(query, "$") {
		return nil, false
	}
	if base == "" {
		if !strings.HasPrefix(path, "/") {
			return nil, false
		}
		base = "http://%[req.hdr(host)]"
		if tls {
			base = "https://%[req.hdr(host)]"
		}
	}
	if whole := wholePath[r.Path.Regex]; whole != "" && !r.Path.Not {
		path = strings.ReplaceAll(path, whole, "%{REQUEST_URI}")
	}
	if strings.Contains(path, "$") {
		to, ok := refs(path, 0)
		if !ok || r.Path.Not || strings.Contains(path, "%{") {
			return nil, false
		}
		rules = append(rules, "http-request replace-path "+word(r.Path.Regex)+" "+word(to))
		path = "%{REQUEST_URI}"
	}
	lf, ok1 := expand(path, tls)
	qf, ok2 := expand(query, tls)
	if !ok1 || !ok2 {
		return nil, false
	}
	switch {
	case query != "":
		return append(rules, "http-request redirect location "+word(base+lf+"?"+qf)+code), true
	case hasQuery || lf == "" || r.Source.HasFlag("QSD", "qsdiscard"):
		return append(rules, "http-request redirect location "+word(base+lf)+code), true
	case lf != "%[path]":
		rules = append(rules, "http-request set-path "+word(lf))
	}
	return append(rules, "http-request redirect prefix "+word(base)+code), true
}

// hasCondRef reports whether a target takes groups of a condition (%1).
func hasCondRef(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '%' && s[i+1] >= '0' && s[i+1] <= '9' {
			return true
		}
	}
	return false
}

// earlySpots adds spots for a rule with [P]: each spot of the site has one that
// goes to the rule's pool instead, with the same access rules.
func (w *writer) earlySpots(s *plan.Site, n int, e *plan.Early, spots []*spot, add func(*spot, string)) {
	if !writable(e.Target) || hasCondRef(e.Target) || strings.Contains(e.Target, "%{") || strings.ContainsAny(e.Target, "?#") {
		return
	}
	for _, base := range spots {
		if base.site != s || base.early != nil || base.out.Kind == plan.Handler {
			continue
		}
		o := *base.out
		o.Mapping, o.Redirect, o.Strip, o.Regex, o.To = nil, nil, "", nil, e.Target
		switch {
		case base.out.Redirect != nil || guarded(s, base.out):
			o.Kind, o.Status = plan.Refuse, 403
		default:
			o.Kind, o.Pool = plan.Proxy, e.Pool
			if whole := wholePath[e.Path.Regex]; whole != "" && whole == e.Target {
				o.Strip, o.To = "/", "/"
			} else if strings.Contains(e.Target, "$") {
				o.Regex = &plan.Pattern{Regex: e.Path.Regex, RE2: e.Path.RE2}
			}
		}
		add(&spot{site: s, out: &o, conds: base.conds, path: base.path, early: e}, "~r"+itoa(n+1))
	}
}

// guarded reports whether a Proxy section that the outcome does not have may
// restrict requests; of which URLs is not asked.
func guarded(s *plan.Site, o *plan.Outcome) bool {
	return slices.ContainsFunc(s.Server.Sections, func(sec *model.Section) bool {
		return strings.HasPrefix(sec.Kind.V, "Proxy") && !slices.Contains(o.Sections, sec) &&
			(sec.Settings.Access != nil || slices.ContainsFunc(sec.Settings.Extras, func(d *model.Directive) bool { return d.Guard.V }))
	})
}

// proxy writes a rule with [P]: the request belongs to another spot then.
func (e *earlyWriter) proxy(r *plan.Early, conds []string) bool {
	any := false
	for _, s := range e.f.spots {
		if s.early != r || s.site != e.site {
			continue
		}
		any = true
		e.write(r, product(conds, s.conds), "http-request set-var(txn.at) str("+s.id+")")
	}
	if any {
		e.write(r, conds, "http-request set-var(txn.done) bool(true)")
		e.done = true
	}
	return any
}
