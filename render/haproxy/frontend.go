package haproxy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/render/plan"
)

func itoa(n int) string { return strconv.Itoa(n) }

// duration writes a time in HAProxy's units (section 2.4); zero, which would mean
// no limit, is written as a millisecond.
func duration(d time.Duration) string {
	ms := max(1, d.Milliseconds())
	if ms%1000 == 0 {
		return fmt.Sprintf("%ds", ms/1000)
	}
	return fmt.Sprintf("%dms", ms)
}

// frontend is one or more listeners with the same sites.
type frontend struct {
	name   string
	listen []*plan.Listener
	tls    bool
	sites  []*plan.Site
	spots  []*spot
	kinds  []*spot               // of spots that are treated alike one each
	hosts  map[*plan.Site]string // the condition for a site's names; "" for the default site

	clean  bool // paths are cleaned before they are compared or go to a member
	at     bool // txn.at tells the spot
	delExt bool // keys of certificates stand beside them
}

// spot is a part of a site's URL space with one outcome.
type spot struct {
	id    string
	site  *plan.Site
	out   *plan.Outcome
	conds []string // one of them holds for a request to the site; "" always does
	path  string   // of the cell, for comments
	early *plan.Early

	shut    bool // every request is refused
	refused bool // by the rules on access
}

// frontends makes them: listeners with the same sites share one.
func (w *writer) frontends() {
	for _, l := range w.plan.Listeners {
		i := slices.IndexFunc(w.front, func(f *frontend) bool { return f.tls == l.TLS && slices.Equal(f.sites, l.Sites) })
		if i >= 0 {
			w.front[i].listen = append(w.front[i].listen, l)
			continue
		}
		f := &frontend{listen: []*plan.Listener{l}, tls: l.TLS, sites: l.Sites, hosts: map[*plan.Site]string{}}
		f.name = w.unique(frontName(l))
		w.front = append(w.front, f)
		for _, s := range f.sites {
			w.spots(f, s)
			if s.TLS != nil && f.tls {
				w.certificate(f, s.TLS) // the global section asks for what it finds
			}
		}
		f.at = len(f.spots) > 1
		f.clean = f.at || f.spots[0].out.Kind == plan.Proxy || f.spots[0].out.Kind == plan.Redirect || len(f.sites[0].Early) > 0
	}
}

func frontName(l *plan.Listener) string {
	name := "http"
	if l.TLS {
		name = "https"
	}
	if l.TLS && l.Port != 443 || !l.TLS && l.Port != 80 {
		name += "_" + itoa(l.Port)
	}
	return name
}

// spots lists those of a site, inner ones last; of branches the first one last.
// Whatever is set last counts.
func (w *writer) spots(f *frontend, s *plan.Site) {
	add := func(sp *spot, suffix string) {
		base := s.Name + "/" + ident(sp.path)
		sp.id = base + suffix
		for i := 2; slices.ContainsFunc(f.spots, func(o *spot) bool { return o.id == sp.id }); i++ {
			sp.id = base + "~" + itoa(i) + suffix
		}
		f.spots = append(f.spots, sp)
	}
	for _, c := range slices.Backward(s.Cells) {
		within := ""
		if c.Path != "/" {
			within = cellCond(c.Path)
		}
		add(&spot{site: s, out: &c.Outcome, conds: []string{within}, path: c.Path}, "")
		for _, b := range slices.Backward(c.Branches) {
			cond, out := within, &b.Outcome
			for _, p := range b.Patterns {
				if !backReference.MatchString(p.Regex) {
					cond = join(cond, pathMatches(p.Regex))
					continue
				}
				w.l.Closed("HAProxy's expressions have no back references: everything below "+c.Path+" is refused", "", p.Fact)
				closed := *out
				closed.Access = plan.Access{}
				out = &closed
			}
			add(&spot{site: s, out: out, conds: []string{cond}, path: c.Path}, "")
		}
	}
	for i, e := range s.Early {
		if e.Kind == plan.EarlyProxy {
			w.earlySpots(s, i, e, slices.Clone(f.spots), add)
		}
	}
}

// backReference finds a reference to a group within an expression.
var backReference = regexp.MustCompile(`\\[1-9]`)

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

// ident makes letters, digits and _ of a path.
func ident(p string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if isAlnum(r) || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, p), "_")
}

// cellCond is the condition for the decoded paths of a cell.
func cellCond(p string) string {
	if strings.HasSuffix(p, "/") {
		return "{ var(txn.path) -m beg " + pattern(p) + " }"
	}
	return "{ var(txn.path) -m reg " + regexPattern("^"+regexp.QuoteMeta(p)+"(/|$)") + " }"
}

// pathMatches is the condition for an expression of the source. httpd lets a dot
// match everything (AP_REG_DOTALL); line feeds in paths are refused anyway.
func pathMatches(re string) string {
	return "{ var(txn.path) -m reg " + regexPattern(re) + " }"
}

// rule is one rule of a frontend and the condition that it adds.
type rule struct {
	at   diag.Span
	text string
	cond string
}

// emit writes rules for the spots that concern says something about. Spots with
// the same rules share them; a rule for all of them needs no condition.
func (w *writer) emit(f *frontend, rules func(*spot) []rule, concern func(*spot) bool) {
	type group struct {
		rules []rule
		spots []*spot
	}
	var groups []*group
	total := 0
	for _, s := range f.kinds {
		if !concern(s) {
			continue
		}
		total++
		rs := rules(s)
		if len(rs) == 0 {
			continue
		}
		i := slices.IndexFunc(groups, func(g *group) bool { return sameRules(g.rules, rs) })
		if i < 0 {
			groups = append(groups, &group{rules: rs})
			i = len(groups) - 1
		}
		groups[i].spots = append(groups[i].spots, s)
	}
	for _, g := range groups {
		for _, r := range g.rules {
			if len(g.spots) == total {
				w.rule(r, "")
				continue
			}
			for _, cond := range f.within(g.spots) {
				w.rule(r, cond)
			}
		}
	}
}

func sameRules(a, b []rule) bool {
	return slices.EqualFunc(a, b, func(x, y rule) bool { return x.text == y.text && x.cond == y.cond })
}

// rule writes a rule with its condition behind another one. Nothing comes after a
// request rule that ends every request: HAProxy warns of such rules.
func (w *writer) rule(r rule, cond string) {
	request := strings.HasPrefix(r.text, "http-request ")
	if w.final && request {
		return
	}
	if cond = join(cond, r.cond); cond != "" {
		cond = "if " + cond
	} else if request {
		word, _, _ := strings.Cut(strings.TrimPrefix(r.text, "http-request "), " ")
		w.final = word == "deny" || word == "return" || word == "redirect"
	}
	for _, acl := range w.pending {
		w.out.line(nowhere, acl)
	}
	w.pending = nil
	w.out.line(r.at, r.text, cond)
}

// mostWords is how many values one condition gets; a line may have 64 words.
const mostWords = 40

// within returns conditions, of which one holds, for a request to be in one of the spots.
func (f *frontend) within(spots []*spot) []string {
	if !f.at {
		return []string{""}
	}
	var out []string
	for part := range slices.Chunk(spots, mostWords) {
		ids := make([]string, len(part))
		for i, s := range part {
			ids[i] = s.id
		}
		out = append(out, "{ var(txn.at) -m str "+pattern(ids...)+" }")
	}
	return out
}

func proxied(s *spot) bool { return s.out.Kind == plan.Proxy && !s.shut }

func open(s *spot) bool { return !s.shut }

func every(*spot) bool { return true }

// aspect is one kind of rules, and the spots that it is about.
type aspect struct {
	rules   func(*spot) []rule
	concern func(*spot) bool
}

// aspects lists them in the order of the rules. The first two may refuse all
// requests of a spot, and then only the last one is about it.
func (w *writer) aspects() []aspect {
	return []aspect{
		{w.accessRules, every}, {w.answers, every}, {w.bodyLimits, open}, {w.requestHeaders, proxied}, {w.forwarded, proxied}, {w.hosts, proxied},
		{w.upgrades, proxied}, {w.pathRewrites, proxied}, {w.reverses, proxied}, {w.responseHeaders, every},
	}
}

// kindsOf gives spots of a site that are treated alike one id, so that the rules
// have to name only one.
func (w *writer) kindsOf(f *frontend) {
	byRules := map[string]*spot{}
	for _, s := range f.spots {
		key := s.site.Name + "\n"
		for i, a := range w.aspects() {
			if !a.concern(s) {
				continue
			}
			for _, r := range a.rules(s) {
				key += fmt.Sprintf("%d %s if %s\n", i, r.text, r.cond)
				s.shut = s.shut || i < 2 && r.cond == "" && (strings.HasPrefix(r.text, "http-request deny") || strings.HasPrefix(r.text, "http-request return"))
			}
			if s.shut && i == 0 {
				s.refused = true
			}
		}
		if !s.shut {
			key += w.backendOf(s)
		}
		if first := byRules[key]; first != nil {
			s.id = first.id
			continue
		}
		byRules[key] = s
		f.kinds = append(f.kinds, s)
	}
	f.at = len(f.kinds) > 1
}

// frontend writes one.
func (w *writer) frontend(f *frontend) {
	t := w.out
	w.current, w.final = f.name, false
	t.section("frontend " + f.name)
	for _, l := range f.listen {
		w.l.Exact(l.Source)
		w.bind(f, l)
	}
	w.accounts(f)
	w.kindsOf(f)
	if len(w.unknown) > 0 {
		t.comment("something that may restrict requests is not understood")
		w.rule(rule{w.unknown[0].Span, "http-request deny deny_status 403", ""}, "")
	}
	w.trace(f)
	if f.clean && !w.final {
		w.cleanPath(f)
	}
	if len(f.sites) > 1 {
		w.hostNames(f)
	}
	if f.at && !w.final {
		w.place(f)
	}
	if f.sixToFour() && !w.final {
		t.comment("HAProxy takes a 6to4 address for the IPv4 address in it")
		t.line(nowhere, "http-request deny deny_status 403 if { src 2002::/16 }")
	}
	w.clientCertificates(f)
	w.earlyRules(f)
	if slices.ContainsFunc(f.spots, func(s *spot) bool { return proxied(s) && len(s.out.Settings.Reverses) > 0 }) {
		w.rule(rule{nowhere, "http-request set-var(txn.public) req.hdr(host)", ""}, "")
	}
	for _, a := range w.aspects() {
		w.emit(f, a.rules, a.concern)
	}
	w.errorPages(f)
	w.routes(f)
}

// trace refuses TRACE where TraceEnable is Off.
func (w *writer) trace(f *frontend) {
	for _, s := range f.sites {
		switch strings.ToLower(s.Server.TraceEnable.V) {
		case "off":
			if !slices.ContainsFunc(f.sites, func(o *plan.Site) bool { return !strings.EqualFold(o.Server.TraceEnable.V, "off") }) {
				w.l.Exact(s.Server.TraceEnable)
			} else {
				w.l.Approx("TRACE is refused in all virtual hosts", "", s.Server.TraceEnable)
			}
		default:
			w.l.Exact(s.Server.TraceEnable)
		}
	}
	for _, s := range f.sites {
		if strings.EqualFold(s.Server.TraceEnable.V, "off") {
			w.rule(rule{s.Server.TraceEnable.Place(), "http-request deny deny_status 405", "METH_TRACE"}, "")
			break
		}
	}
}

// cleanPath makes txn.path, the path as httpd compares it: decoded, slashes merged.
// What httpd would clean further, dot segments, and what could mean different
// things to HAProxy and to the member, is refused (400): encoded control characters
// and broken encodings. httpd refuses %2F with 404 without AllowEncodedSlashes.
func (w *writer) cleanPath(f *frontend) {
	t := w.out
	t.comment("txn.path is the path as httpd compares it; what could hide a path is refused")
	t.line(nowhere, "http-request deny deny_status 400 unless { path -m beg / }")
	t.line(nowhere, `http-request deny deny_status 400 if { path -m reg -i '%([^0-9a-f]|.[^0-9a-f]|.?$|[01].|7f)' }`)
	slashes := true
	for _, s := range f.sites {
		slashes = slashes && strings.EqualFold(s.Server.EncodedSlashes.V, "on")
		if !strings.EqualFold(s.Server.EncodedSlashes.V, "off") {
			w.l.Approx("paths with %2F are taken only where all virtual hosts have On", "", s.Server.EncodedSlashes)
		} else {
			w.l.Exact(s.Server.EncodedSlashes)
		}
		if s.Server.MergeSlashes.V {
			w.l.Exact(s.Server.MergeSlashes)
		} else {
			w.l.Approx("slashes are merged", "", s.Server.MergeSlashes)
		}
	}
	if !slashes {
		t.line(nowhere, "http-request deny deny_status 404 if { path -m sub -i %2f }")
	}
	t.line(nowhere, "http-request set-path %[path,regsub(/+,/,g)] if { path -m sub // }")
	t.line(nowhere, "http-request set-var(txn.path) path,url_dec")
	t.line(nowhere, `http-request deny deny_status 400 if { var(txn.path) -m reg '/\.\.?(/|$)|//' }`)
}

// hostNames writes an ACL for the names of each site but the default one.
func (w *writer) hostNames(f *frontend) {
	w.rule(rule{nowhere, "http-request deny deny_status 400", "{ req.hdr(host) -m sub .. }"}, "")
	w.rule(rule{nowhere, "http-request set-var(txn.host) req.hdr(host),host_only,rtrim(.)", ""}, "")
	for i, s := range f.sites {
		if i == 0 && !f.claimed() {
			f.hosts[s] = ""
			continue
		}
		name := "host_" + s.Name
		var exact, wild []string
		for _, n := range s.Names {
			if !writable(n) {
				continue
			}
			if strings.ContainsAny(n, "*?") {
				wild = append(wild, hostRegex(n))
			} else {
				exact = append(exact, n)
			}
		}
		f.hosts[s] = name
		if len(exact)+len(wild) == 0 {
			w.out.line(s.Source.At, "acl", name, "always_false")
		}
		for part := range slices.Chunk(exact, mostWords) {
			w.out.line(s.Source.ServerName.Place(), "acl", name, "var(txn.host) -m str", pattern(part...))
		}
		for part := range slices.Chunk(wild, mostWords) {
			w.out.line(s.Source.At, "acl", name, "var(txn.host) -m reg", pattern(part...))
		}
	}
}

// claimed reports whether another site may have a name of the first one, which has
// to be asked for them then, not only for names that no site has.
func (f *frontend) claimed() bool {
	return slices.ContainsFunc(f.sites[1:], func(s *plan.Site) bool {
		return slices.ContainsFunc(s.Names, func(n string) bool { return strings.ContainsAny(n, "*?") }) ||
			slices.ContainsFunc(f.sites[0].Names, func(n string) bool { return strings.ContainsAny(n, "*?") || slices.Contains(s.Names, n) })
	})
}

// hostRegex writes a name with * and ? as an expression (ap_strcasecmp_match).
func hostRegex(n string) string {
	var b strings.Builder
	b.WriteByte('^')
	for _, r := range n {
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
	}
	return b.String() + "$"
}

// place sets txn.at, where the request belongs: the default site first, then the
// others from the last to the first, each from its outermost part inwards, and once
// more the default site for its own names; what is set last counts.
func (w *writer) place(f *frontend) {
	w.out.comment("txn.at is where a request belongs: the last that applies counts")
	set := func(site *plan.Site, host string) {
		around := "" // the id of the cell that branches are in, as long as it holds for all of it
		for _, s := range f.spots {
			if s.site != site || s.early != nil || !s.isCell() && s.id == around {
				continue
			}
			if around = s.id; !s.isCell() {
				around = ""
			}
			text := "http-request set-var(txn.at) str(" + s.id + ")"
			for _, c := range s.conds {
				w.rule(rule{spotPlace(s), text, c}, host)
			}
		}
	}
	first := f.sites[0]
	set(first, "")
	for _, s := range slices.Backward(f.sites[1:]) {
		set(s, f.hosts[s])
	}
	if f.hosts[first] != "" {
		set(first, f.hosts[first])
	}
}

// isCell reports whether the spot is a whole cell; its branches come right after it.
func (s *spot) isCell() bool {
	return slices.ContainsFunc(s.site.Cells, func(c *plan.Cell) bool { return s.out == &c.Outcome })
}

// spotPlace is the directive that a spot comes from.
func spotPlace(s *spot) diag.Span {
	switch {
	case s.early != nil:
		return s.early.Source.At
	case s.out.Redirect != nil:
		return s.out.Redirect.At
	case s.out.Mapping != nil:
		return s.out.Mapping.At
	case len(s.out.Sections) > 0:
		return s.out.Sections[len(s.out.Sections)-1].At
	}
	return s.site.Source.At
}

// routes leads the requests to backends.
func (w *writer) routes(f *frontend) {
	type route struct {
		to    string
		at    diag.Span
		spots []*spot
	}
	var list []*route
	for _, s := range f.kinds {
		to := w.backendOf(s)
		if to == "" || s.shut {
			continue
		}
		i := slices.IndexFunc(list, func(r *route) bool { return r.to == to })
		if i < 0 {
			list = append(list, &route{to: to, at: spotPlace(s)})
			i = len(list) - 1
		}
		list[i].spots = append(list[i].spots, s)
	}
	for i, r := range slices.Backward(list) { // the first one is that of the outermost part
		if i == 0 {
			break
		}
		for _, c := range f.within(r.spots) {
			w.rule(rule{r.at, "use_backend " + r.to, c}, "")
		}
	}
	if len(list) > 0 {
		w.out.line(list[0].at, "default_backend", list[0].to)
	}
}

// backendOf names the backend of a spot, "" for one that the frontend answers.
func (w *writer) backendOf(s *spot) string {
	switch s.out.Kind {
	case plan.Proxy:
		return w.backendName(s.out.Pool)
	case plan.Handler:
		if p := w.statsOf(s); p != nil {
			return p.name
		}
	}
	return ""
}

// accounts accounts for names, logs, and handlers that no request reaches:
// HAProxy has one log format for a frontend.
func (w *writer) accounts(f *frontend) {
	for _, s := range f.spots {
		if proxied(s) {
			w.l.Approx("these requests go to members, as ProxyPass has it", "", s.out.Settings.Handler)
		}
	}
	for _, s := range f.sites {
		w.l.Exact(s.Source.ServerName, s.Source.Aliases, s.Server.ServerName, s.Source.Addresses, w.plan.Front.Main.ServerName)
		if rw := s.Server.Settings.Rewrite; rw != nil && len(s.Early) > 0 {
			w.l.Exact(rw.Engine)
		}
		for _, l := range s.Server.CustomLogs {
			w.l.Approx("requests are logged to standard output in HAProxy's own format", "log-format", l)
		}
		for _, l := range s.Server.LogFormats {
			w.l.Drop("requests are logged in HAProxy's own format", "log-format", l)
		}
		w.l.Approx("HAProxy logs its own events to the same place as requests", "log", s.Server.ErrorLog)
	}
}
