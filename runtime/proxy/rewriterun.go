package proxy

import (
	"os"
	"strings"

	"clowder/runtime/expr"
)

// rewriter is one pass of rules over one request (rewrite_ctx).
type rewriter struct {
	c        *call
	srv      *server // whose maps are used
	conf     *rewriteConf
	filename string
	info     string // path_info
	uri      string // what the rule at hand looks at
	rr, rc   expr.Match
	vary     []string // of the rule at hand
	varyThis []string // of the condition at hand
	status   int
	prefixed bool
	reduced  bool
	last     *rewriteRule // the last one with a substitution
}

// outcome of a list of rules.
type outcome uint8

const (
	unchanged outcome = iota
	changed
	changedRaw // [NE]
	answered   // with a status
)

// matching of one rule.
type matching uint8

const (
	noMatch matching = iota
	matchedOnly
	matchedSub
	matchedError
)

// maxRewritten bounds what rules may make of a path: twice LimitRequestLine.
const maxRewritten = 2 * 8190

func (w *rewriter) apply(rules []*rewriteRule) outcome {
	out, round := unchanged, 1
	for i := 0; i < len(rules); i++ {
		r := rules[i]
		if w.c.sub && r.flags&(flagNoSubreq|flagRedirect) != 0 {
			continue
		}
		w.vary = nil
		m := w.rule(r)
		if m == noMatch {
			for i < len(rules) && rules[i].has(flagChain) {
				i++
			}
			continue
		}
		if !r.has(flagNoSub) {
			w.last = r
		}
		if len(w.filename) > maxRewritten {
			w.c.p.log.Error("RewriteRule made a path that is too long", "place", r.m.At, "path", w.c.path)
			w.status = 500
			return answered
		}
		w.c.addVary(w.vary)
		if m == matchedError || r.has(flagStatus) {
			return answered
		}
		if m != matchedOnly {
			out = changed
			if r.has(flagNoEscape) {
				out = changedRaw
			}
		}
		switch {
		case r.has(flagPass):
			w.filename = "passthrough:" + w.filename
			return changed
		case r.has(flagEnd):
			w.c.rewriteEnd = true
			return out
		case r.has(flagProxy | flagLast):
			return out
		case r.has(flagNext):
			if round++; round >= r.rounds {
				w.c.p.log.Error("AH02596: RewriteRule exceeded the maximum number of rounds", "place", r.m.At, "path", w.c.path, "rounds", r.rounds)
				w.status = 500
				return answered
			}
			i = -1
		default:
			i += r.skip
		}
	}
	return out
}

// rule is apply_rewrite_rule.
func (w *rewriter) rule(r *rewriteRule) matching {
	w.uri = w.filename
	proxied := false
	if w.conf.dir != "" {
		proxied = strings.HasPrefix(w.filename, "proxy:") && w.c.url != ""
		w.uri += w.info
		if !proxied {
			w.uri = strings.TrimPrefix(w.uri, w.conf.dir)
		}
	}
	at, err := r.re.Find(w.uri)
	if err != nil {
		w.c.p.log.Error("RewriteRule", "place", r.m.At, "path", w.c.path, "reason", err)
		w.status = 500 // it may have guarded something
		return matchedError
	}
	if (at != nil) == r.not {
		return noMatch
	}
	w.varyThis = nil
	w.rc, w.rr = expr.Match{}, expr.Match{}
	if !r.not {
		w.rr = expr.Match{Source: w.uri, At: at}
	}
	switch m := w.conditions(r); m {
	case noMatch, matchedError:
		return m
	}
	if r.has(flagNoSub) {
		w.sideEffects(r)
		w.force(r)
		if r.has(flagStatus) {
			w.status = r.status
		}
		return matchedOnly
	}
	x := &expansion{w: w, rule: r, track: !r.has(flagAllow3F)}
	uri := x.expand(r.out)
	if x.unsafe {
		w.c.p.log.Error("AH10508: Unsafe URL with %3f URL rewritten without UnsafeAllow3F", "place", r.m.At, "path", w.c.path)
		w.status = 403
		return matchedError
	}
	w.sideEffects(r)
	return w.substitute(r, uri, proxied)
}

// conditions runs the RewriteConds of a rule; matchedSub stands for yes.
func (w *rewriter) conditions(r *rewriteRule) matching {
	for i := 0; i < len(r.conds); i++ {
		c := r.conds[i]
		ok, err := w.condition(c)
		if err != nil {
			w.c.p.log.Error("RewriteCond", "place", c.m.At, "path", w.c.path, "reason", err)
			w.status = 500
			return matchedError
		}
		if c.noVary {
			w.varyThis = nil
		}
		switch {
		case c.or && !ok:
			w.varyThis = nil
			if i == len(r.conds)-1 {
				return matchedSub
			}
			continue
		case c.or:
			for i < len(r.conds)-1 && r.conds[i].or {
				i++
			}
		case !ok:
			return noMatch
		}
		w.vary = append(w.vary, w.varyThis...)
		w.varyThis = nil
	}
	return matchedSub
}

// condition is apply_rewrite_cond. The error is a pattern that took too long.
func (w *rewriter) condition(c *rewriteCond) (bool, error) {
	if c.kind == condExpr {
		return w.exprCondition(c), nil
	}
	in := (&expansion{w: w}).expand(c.m.Test.V)
	ok := false
	switch c.kind {
	case condRegex:
		at, err := c.re.Find(in)
		if err != nil {
			return false, err
		}
		if ok = at != nil; ok && !c.not {
			w.rc = expr.Match{Source: in, At: at}
		}
	case condFile:
		ok = w.c.fileTest(c.text[0], in)
	case condURL:
		ok = in != "" && w.c.allowed(in, false)
	case condSub:
		ok = in != "" && w.c.allowed(in, true)
	case condLess, condLessEq, condGreater, condGreaterEq, condEqual:
		ok = c.compare(in)
	default:
		a, b := int32(expr.Atoi(in)), int32(expr.Atoi(c.text))
		switch c.kind {
		case condIntLess:
			ok = a < b
		case condIntLessEq:
			ok = a <= b
		case condIntGreater:
			ok = a > b
		case condIntGreaterEq:
			ok = a >= b
		default:
			ok = a == b
		}
	}
	return ok != c.not, nil
}

func (w *rewriter) exprCondition(c *rewriteCond) bool {
	var res *expr.Result
	if !c.noVary {
		res = &expr.Result{}
	}
	match := expr.Match{}
	w.c.filename = w.filename
	ok, err := c.expr.Eval(vars{w.c}, &match, res)
	if err != nil {
		w.c.p.log.Error("RewriteCond: expression failed", "place", c.m.At, "path", w.c.path, "reason", err)
	}
	if res != nil && err == nil {
		w.c.addVary(res.Vary)
	}
	if ok && !c.not {
		w.rc = match
	}
	return ok != c.not
}

// compare orders texts: shorter ones are less, unless without case
// (compare_lexicography; strcasecmp).
func (c *rewriteCond) compare(in string) bool {
	n := 0
	switch {
	case c.kind == condEqual && c.fold:
		return strings.EqualFold(in, c.text)
	case c.kind == condEqual:
		return in == c.text
	case c.fold:
		n = strings.Compare(lowerASCII(in), lowerASCII(c.text))
	default:
		if n = len(in) - len(c.text); n == 0 {
			n = strings.Compare(in, c.text)
		}
	}
	switch c.kind {
	case condLess:
		return n < 0
	case condLessEq:
		return n <= 0
	case condGreater:
		return n > 0
	}
	return n >= 0
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 0x20
		}
	}
	return string(b)
}

// fileTest is -f, -s, -d, -x, -h, -L and -l of RewriteCond.
func (c *call) fileTest(op byte, name string) bool {
	if c.p.o.NoFiles || name == "" || strings.IndexByte(name, 0) >= 0 {
		return false
	}
	if op == 'h' || op == 'L' || op == 'l' {
		st, err := os.Lstat(name)
		return err == nil && st.Mode()&os.ModeSymlink != 0
	}
	st, err := os.Stat(name)
	if err != nil {
		return false
	}
	switch op {
	case 'd':
		return st.IsDir()
	case 's':
		return st.Mode().IsRegular() && st.Size() > 0
	case 'x':
		return st.Mode().Perm()&0o111 != 0
	}
	return st.Mode().IsRegular()
}

// sideEffects sets the variables and cookies of a rule.
func (w *rewriter) sideEffects(r *rewriteRule) {
	for _, e := range r.env {
		name := (&expansion{w: w}).expand(e)
		if n, unset := strings.CutPrefix(name, "!"); unset {
			delete(w.c.x.Env, n)
			continue
		}
		name, val, _ := strings.Cut(name, ":")
		w.c.x.Setenv(strings.Clone(name), strings.Clone(val))
	}
	for _, e := range r.cookies {
		w.c.rewriteCookie((&expansion{w: w}).expand(e))
	}
}

// force remembers [T] and [H] (force_type_handler).
func (w *rewriter) force(r *rewriteRule) {
	x := &expansion{w: w, rule: r}
	if r.mime != "" {
		if v := x.expand(r.mime); v != "" {
			w.c.forcedType = strings.ToLower(v)
		}
	}
	if r.handler != "" {
		if v := x.expand(r.handler); v != "" {
			w.c.forcedHandler = strings.ToLower(v)
		}
	}
}

// substitute puts the new path in place of the old one.
func (w *rewriter) substitute(r *rewriteRule, uri string, proxied bool) matching {
	q := w.c.x.Req
	prefixed := false
	if !proxied && !strings.HasPrefix(uri, "/") {
		if skip, _ := absoluteURI(uri); skip == 0 {
			if w.conf.dir != "" {
				uri, prefixed = w.conf.dir+uri, true
			} else if !r.has(flagProxy | flagRedirect) {
				uri, prefixed = "/"+uri, true
			}
		}
	}
	w.filename = uri
	if w.conf.dir != "" && r.has(flagNoInfo) {
		w.info = ""
	}
	w.filename = splitQuery(q, w.filename, r.flags)
	switch {
	case r.has(flagProxy):
		w.qualify()
		w.filename = "proxy:" + w.filename
		return matchedSub
	case r.has(flagRedirect):
		w.qualify()
		w.status = r.status
		return matchedSub
	}
	w.reduce()
	if skip, _ := absoluteURI(w.filename); skip > 0 {
		w.status = r.status
		return matchedSub
	}
	if !r.has(flagUNC) && !prefixed && !strings.HasPrefix(r.out, "//") {
		for strings.HasPrefix(w.filename, "//") {
			w.filename = w.filename[1:]
		}
	}
	w.force(r)
	return matchedSub
}

// qualify makes a full URL of a path (fully_qualify_uri).
func (w *rewriter) qualify() {
	if skip, _ := absoluteURI(w.filename); skip > 0 {
		return
	}
	if !strings.HasPrefix(w.filename, "/") {
		w.filename = "/" + w.filename
	}
	w.filename = w.c.selfURL() + w.filename
}

// reduce takes scheme and host off a URL that leads to this server (reduce_uri).
func (w *rewriter) reduce() {
	rest, ok := cutFold(w.filename, w.c.scheme()+"://")
	if !ok {
		return
	}
	i := strings.IndexByte(rest, '/')
	path := "/"
	if i >= 0 {
		rest, path = rest[:i], rest[i:]
	}
	def := 80
	if w.c.scheme() == "https" {
		def = 443
	}
	host, port := hostPort(rest, def)
	if w.c.p.isHost(w.c, host, port) {
		w.filename, w.reduced = path, true
	}
}

// schemes are those that mod_rewrite knows as the beginning of a URL, and whether
// they have a query (is_absolute_uri).
var schemes = []struct {
	prefix string
	query  bool
}{
	{"http://", true}, {"https://", true}, {"balancer://", true}, {"ajp://", true}, {"ws://", true}, {"wss://", true},
	{"h2://", true}, {"h2c://", true}, {"fcgi://", true}, {"scgi://", true}, {"unix://", true}, {"unix:", true}, {"mailto:", true},
	{"ftp://", false}, {"gopher://", false}, {"ldap://", false}, {"nntp://", false}, {"news:", false},
}

// absoluteURI returns the length of the scheme that the text begins with, 0 for none.
func absoluteURI(s string) (skip int, query bool) {
	if len(s) <= 5 || s[0] == '/' {
		return 0, false
	}
	for _, x := range schemes {
		if _, ok := cutFold(s, x.prefix); ok {
			return len(x.prefix), x.query
		}
	}
	return 0, false
}
