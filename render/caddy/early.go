package caddy

import (
	"net/textproto"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// earlyProxy is a rewrite rule with [P]: it is decided before the cells and carried
// out in them, behind the access rules.
type earlyProxy struct {
	rule *plan.Early
	id   string // value of the variable rule when it applies
	expr string // name of the expression of its pattern
}

// early writes the rewrite rules of the server, in their order.
func (c *siteGen) early() {
	rw := c.site.Server.Settings.Rewrite
	if rw == nil {
		return
	}
	c.l.Exact(rw.Engine, rw.Options)
	r := &earlyGen{siteGen: c}
	for i, e := range c.site.Early {
		r.rest = c.site.Early[i+1:]
		r.rule(e)
	}
}

type earlyGen struct {
	*siteGen
	rest      []*plan.Early // the rules behind the current one
	stops     []string      // values of the variable rule when a rule before has ended the list
	uncertain bool          // a rule before decides in a way that cannot be said whether others are looked at
}

// rule writes one rule.
func (r *earlyGen) rule(e *plan.Early) {
	set, expr, condExpr, complete := r.conditions(e)
	src := e.Source
	skips := src.HasFlag("S", "skip") || src.HasFlag("C", "chain") || src.HasFlag("N", "next")
	vague := r.uncertain || !complete
	t := template{src: e.Target, expr: expr, cond: condExpr}
	switch {
	case e.Kind == plan.EarlyRefuse:
		if vague {
			r.l.Closed("some of its conditions cannot be asked in Caddy: it refuses without them, and so more", "", src)
		} else {
			r.l.Exact(src)
		}
		r.apply(set, src, "error", statusText(e.Status))
	case e.Kind == plan.EarlyOther && src.Target.V == "-":
		if e.Last && len(r.rest) > 0 && !vague && !skips {
			r.stop(set, "last", src)
			r.l.Approx("it ends the list of rules; variables are not set", "vars", src)
		} else {
			r.uncertain = r.uncertain || e.Last && len(r.rest) > 0
			r.l.Drop("it sets variables or flags only", "vars", src)
		}
	case vague, e.Kind == plan.EarlyOther && !src.HasFlag("PT", "passthrough"), !r.effect(e, t, set):
		why := e.Why
		if why == "" {
			why = "Caddy cannot say it"
		}
		r.l.Closed(why+": the requests that it could be about are refused", "rewrite with a matcher", src)
		r.apply(set, src, "error", "503")
	}
	r.uncertain = r.uncertain || skips
}

// apply writes a directive for the requests that match.
func (r *earlyGen) apply(set *block, src *model.RewriteRule, directive string, words ...string) {
	m := r.when(set, src)
	r.out.add(append([]string{directive, m}, words...)...)
	r.out.from(src.At)
}

// when defines the matcher of a rule and returns its token.
func (r *earlyGen) when(set *block, src *model.RewriteRule) string {
	if len(r.stops) > 0 {
		r.deny(set, "vars rule "+strings.Join(r.stops, " "))
	}
	if set.empty() {
		return "*"
	}
	return r.define("rule", set)
}

// stop ends the list of rules for requests that match, with a word for why.
func (r *earlyGen) stop(set *block, word string, src *model.RewriteRule) {
	r.apply(set, src, "vars", "rule", word)
	if !slices.Contains(r.stops, word) {
		r.stops = append(r.stops, word)
	}
}

// effect writes a redirect, a proxy rule or a new path; it reports whether it could.
func (r *earlyGen) effect(e *plan.Early, t template, set *block) bool {
	src := e.Source
	in := r.block()
	switch e.Kind {
	case plan.EarlyRedirect:
		if !r.redirectTo(in, t, e) {
			return false
		}
	case plan.EarlyProxy:
		if p, ok := t.parse(e.Target); !ok || strings.ContainsAny(p, "?#") || e.Path.Not && strings.Contains(p, "{re.") {
			return false
		}
		id := r.name("proxy")
		r.siteGen.proxies = append(r.siteGen.proxies, earlyProxy{e, id, t.expr})
		r.stop(set, id, src)
		r.out.add("@"+id, "vars rule "+id)
		r.l.Exact(src)
		return true
	default:
		to, ok := t.parse(e.Target)
		if !ok || !strings.HasPrefix(to, "/") {
			return false
		}
		q, ok := quote(query(to, src))
		if !ok {
			return false
		}
		in.add("rewrite *", q)
		if e.Last {
			in.add("vars * rule last")
		}
	}
	m := r.when(set, src)
	r.out.nest(in, "route", m)
	r.l.Exact(src)
	if e.Kind == plan.EarlyOther && e.Last && !slices.Contains(r.stops, "last") {
		r.stops = append(r.stops, "last")
	}
	return true
}

// query tells what becomes of the query (mod_rewrite.c, splitout_queryargs): a
// target with one replaces it unless QSA is given, QSD drops it.
func query(to string, r *model.RewriteRule) string {
	has := strings.Contains(to, "?")
	switch {
	case has && r.HasFlag("QSA", "qsappend"):
		return to + "&{query}"
	case !has && r.HasFlag("QSD", "qsdiscard"):
		return to + "?"
	}
	return to
}

// conditions writes the conditions of a rule into a matcher. complete is false when
// some could not be written and were left out.
func (r *earlyGen) conditions(e *plan.Early) (set *block, expr, condExpr string, complete bool) {
	set = r.block()
	complete = true
	used := map[string]bool{} // matchers that may stand only once in a set
	if !e.Path.Always || strings.Contains(e.Target, "$") {
		t, ok := pattern(e.Path.Regex)
		switch {
		case !ok:
			complete = false
		case e.Path.Not:
			r.deny(set, "path_regexp "+t)
		default:
			expr = r.name("rewrite")
			set.add("path_regexp", expr, t)
			used["path_regexp"] = true
		}
	}
	for i := 0; i < len(e.Conds); {
		n := i + 1
		for n < len(e.Conds) && e.Conds[n-1].Or {
			n++
		}
		group := e.Conds[i:n]
		i = n
		var words []string
		ok := true
		for _, cond := range group {
			w, name, known := r.condition(&cond, len(group) == 1 && i == len(e.Conds) && strings.Contains(e.Target, "%"))
			ok = ok && known
			words = append(words, w)
			if name != "" {
				condExpr = name
			}
		}
		if !ok {
			complete = false
			continue // one of several conditions is unknown: any could be true
		}
		r.group(set, used, group, words)
	}
	return set, expr, condExpr, complete
}

// group adds conditions of which one must be true.
func (r *earlyGen) group(set *block, used map[string]bool, group []plan.Cond, words []string) {
	if len(group) == 1 {
		kind, _, _ := strings.Cut(words[0], " ")
		switch {
		case group[0].Not:
			r.deny(set, words[0])
		case used[kind]:
			deny := r.block()
			r.deny(deny, words[0])
			set.nest(deny, "not")
		default:
			used[kind] = true
			set.add(words[0])
		}
		return
	}
	none := r.block()
	for i, w := range words {
		if group[i].Not {
			none.add(w)
			continue
		}
		r.deny(none, w)
	}
	set.nest(none, "not")
}

// deny adds the opposite of a condition.
func (r *earlyGen) deny(set *block, words string) {
	in := r.block()
	in.add(words)
	set.nest(in, "not")
}

// condition writes a RewriteCond without its negation; capture asks for a name of
// the expression, for %1 and the like.
func (r *earlyGen) condition(cond *plan.Cond, capture bool) (words, name string, ok bool) {
	if cond.What == plan.CondHTTPS {
		return "protocol https", "", true
	}
	v := map[string]string{
		plan.CondHost: "{http.request.hostport}", plan.CondQuery: "{http.request.uri.query}",
		plan.CondMethod: "{http.request.method}", plan.CondAddr: "{http.request.remote.host}",
	}[cond.What]
	if cond.What == plan.CondHeader {
		if !headerName(cond.Name) {
			return "", "", false
		}
		v = "{http.request.header." + textproto.CanonicalMIMEHeaderKey(cond.Name) + "}"
	}
	t, ok := pattern(cond.Regex)
	if cond.What == plan.CondHeader || cond.What == plan.CondQuery {
		ok = ok && byLetters(cond.Regex, !cond.Not)
	}
	if !ok || v == "" && cond.What != plan.CondPath {
		return "", "", false
	}
	if capture && !cond.Not {
		name = r.name("cond")
	}
	if cond.What == plan.CondPath {
		return join("path_regexp", name, t), name, true
	}
	return join("vars_regexp", name, v, t), name, true
}

// join joins the words that are not empty.
func join(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// chosen sends what a rule with [P] chose to its member.
func (c *siteGen) chosen(in *block, o *plan.Outcome) {
	for _, p := range c.proxies {
		if o.Kind == plan.Handler || o.Kind == plan.Refuse {
			continue
		}
		blk := c.block()
		to, _ := template{src: p.rule.Target, expr: p.expr}.parse(p.rule.Target)
		t, ok := quote(to)
		if !ok {
			blk.add("error * 503")
		} else {
			if to != "" {
				blk.add("rewrite *", t)
			}
			c.reverseProxy(blk, p.rule.Pool, &o.Settings)
		}
		in.nest(blk, "route", "@"+p.id)
	}
}
