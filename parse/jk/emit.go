package jk

import (
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// servers gives every server its mappings. A virtual host has the rules of the
// main server only with JkMountCopy (merge_jk_config in mod_jk.c).
func (l *lowerer) servers() {
	base := l.rules(l.main, nil)
	base = append(base, l.workerMounts()...)
	order(base)
	shared := len(l.hosts) == len(l.front.VHosts)
	for _, v := range l.hosts {
		shared = shared && l.copies(v) && !v.has && len(v.srv.Mappings) == 0
	}
	l.emit(l.main.srv, base, !shared && len(l.front.VHosts) > 0)
	for _, v := range l.hosts {
		l.share(v)
		switch {
		case shared:
		case v.has:
			rules := l.rules(v, l.main)
			order(rules)
			l.emit(v.srv, rules, false)
		case l.copies(v):
			l.emit(v.srv, base, false)
		}
	}
}

// share gives the workers to a virtual host that inherits none of mod_proxy's:
// those of mod_jk belong to all servers.
func (l *lowerer) share(v *server) {
	eff := l.front.Effective(v.srv)
	if (v.has || l.copies(v)) && !eff.BalancerInherit.V && !eff.PassInherit.V {
		v.srv.Balancers = append(v.srv.Balancers, l.made.Balancers...)
		v.srv.Workers = append(v.srv.Workers, l.made.Workers...)
	}
}

func (l *lowerer) copies(v *server) bool {
	if v.copy != nil {
		return *v.copy
	}
	return l.copyAll
}

// rules collects the rules of a server, with those of base if it copies them.
func (l *lowerer) rules(s, base *server) []Rule {
	own, file := &s.own, s.file
	if base != nil && l.copies(s) {
		own = own.over(&base.own)
		if file == nil {
			file = base.file
		}
	}
	out, diags := own.rules()
	if file != nil {
		more, moreDiags := file.rules()
		out, diags = append(out, more...), append(diags, moreDiags...)
	}
	l.Diags = append(l.Diags, diags...)
	return out
}

// workerMounts are the rules of worker.NAME.mount; they belong to the main server.
func (l *lowerer) workerMounts() (out []Rule) {
	for _, e := range l.t.entries {
		name, ok := strings.CutSuffix(strings.TrimPrefix(e.key, "worker."), ".mount")
		if _, listed := l.targets[name]; !ok || !listed {
			continue
		}
		l.t.use(e)
		for _, it := range e.items() {
			rules, _ := mount{path: it.text, worker: name, span: it.at, pathAt: it.at, wkAt: it.at, from: fromWorker}.rules()
			out = append(out, rules...)
		}
	}
	return out
}

// emit appends the mappings of sorted rules: before each rule the exclusions
// that hold for its worker, cut to the paths of the rule, because mod_jk looks at
// exclusions only after a rule was found (is_nomatch).
func (l *lowerer) emit(srv *model.Server, rules []Rule, own bool) {
	skip := map[int]bool{}
	l.before = nil
	for i, r := range rules {
		if r.Exclude || skip[i] || !l.known(r) {
			continue
		}
		for _, u := range rules {
			if u.Exclude && (u.Worker == r.Worker || u.Worker == "*") {
				l.exclude(srv, u, r, own)
			}
		}
		l.note(r.Path)
		for _, o := range r.Options {
			l.skip(o.Span, "rule option %s", optionName(o.Text))
		}
		t := l.targets[r.Worker]
		if t.kind == "status" {
			l.status(srv, r, own)
			continue
		}
		path, regex := shape(r.Path)
		m := mapping(r, path, t.url, regex, own)
		if !regex {
			m.Target.V += path
			if j := exactTwin(rules, i); j >= 0 {
				skip[j] = true
				m.Path.V = strings.TrimSuffix(path, "/")
				m.Target.V = strings.TrimSuffix(m.Target.V, "/")
			}
		}
		srv.Mappings = append(srv.Mappings, m)
	}
	l.idle(rules)
}

// idle lists the exclusions for whose worker there is no rule: mod_jk never comes
// to look at them.
func (l *lowerer) idle(rules []Rule) {
	used := map[string]bool{}
	for _, r := range rules {
		if !r.Exclude {
			used[r.Worker], used["*"] = true, true
		}
	}
	for _, u := range rules {
		if u.Exclude && !used[u.Worker] {
			l.skip(u.Span, "exclusion %s, which has no rule to take from", u.Path)
		}
	}
}

func optionName(text string) string {
	name, _, _ := strings.Cut(text, "=")
	return name
}

func mapping(r Rule, path, target string, regex, own bool) *model.Mapping {
	m := &model.Mapping{At: r.Span, Path: model.Is(path, r.PathSpan), Target: model.Is(target, r.WorkerSpan)}
	if regex {
		m.Regex = model.Is(true, r.PathSpan)
	}
	if own {
		m.Own = model.Is(true, r.Span)
	}
	return m
}

// exactTwin finds the rule "/a" of the same worker for the rule "/a/*" at i, when
// one mapping of httpd can stand for both: nothing between them fits "/a".
func exactTwin(rules []Rule, i int) int {
	dir, ok := strings.CutSuffix(rules[i].Path, "/*")
	if !ok || dir == "" || isWild(dir) {
		return -1
	}
	twin := -1
	for j, r := range rules {
		switch {
		case !matches(r.Path, dir):
		case r.Exclude && (r.Worker == rules[i].Worker || r.Worker == "*"):
			return -1
		case !r.Exclude && twin < 0:
			if r.Path != dir || r.Worker != rules[i].Worker || j < i || len(r.Options) > 0 {
				return -1
			}
			twin = j
		}
	}
	return twin
}

// exclude emits what of the exclusion u lies inside the rule r.
func (l *lowerer) exclude(srv *model.Server, u, r Rule, own bool) {
	if l.whole[u.Span] == srv {
		return
	}
	var globs []string
	ok := l.budget > 0
	if ok {
		globs, ok = intersect(u.Path, r.Path)
		l.budget -= 1 + len(u.Path) + len(r.Path) + 100*len(globs)
	}
	if !ok {
		if l.whole == nil {
			l.whole = map[diag.Span]*model.Server{}
		}
		l.whole[u.Span] = srv
		l.skip(u.Span, "exclusion %s cut to %s (it is taken whole)", u.Path, r.Path)
		globs = []string{u.Path}
	}
	for _, g := range globs {
		if slices.ContainsFunc(l.before, func(b string) bool { return contains(b, g) }) {
			continue // an earlier mapping decides
		}
		l.note(g)
		path, regex := shape(g)
		srv.Mappings = append(srv.Mappings, mapping(u, path, "!", regex, own))
	}
}

// maxBefore bounds the patterns that an exclusion is compared with.
const maxBefore = 200

// note keeps the pattern of a mapping that was just emitted.
func (l *lowerer) note(pattern string) {
	if len(l.before) < maxBefore {
		l.before = append(l.before, pattern)
	}
}

// stockWorkers are mounted by the jk.conf that Debian installs, whose
// workers.properties has none of them; mod_jk starts all the same.
var stockWorkers = map[string]bool{"jk-status": true, "jk-manager": true}

// known reports whether the worker of a rule can be used.
func (l *lowerer) known(r Rule) bool {
	t, ok := l.targets[r.Worker]
	if ok && (t.url != "" || t.kind == "status") {
		return true
	}
	delete(l.Mapped, r.Span)
	if r.from == fromURIMap {
		l.skip(r.Span, "rule for worker %s", r.Worker)
	}
	if ok || l.unread || l.workersFile == nil && len(l.t.entries) == 0 {
		return false // said already, or the workers are not among the files
	}
	d := diag.Diagnostic{ID: "H007", Name: "bad-parameter-value", Severity: diag.Error, Confidence: diag.Certain,
		Span: r.WorkerSpan, Message: "no worker `" + r.Worker + "` in worker.list"}
	if stockWorkers[r.Worker] {
		d.Severity = diag.Info
		d.Message += ": the page answers 500 until it is there with type=status"
	}
	var names []string
	for n := range l.targets {
		names = append(names, n)
	}
	slices.Sort(names)
	if near := diag.Suggest(r.Worker, names); near != "" {
		d.Message += "; did you mean `" + near + "`?"
	}
	twice := slices.ContainsFunc(l.Diags, func(x diag.Diagnostic) bool { return x.Span == d.Span && x.ID == d.ID })
	if !twice && len(l.Diags) < maxDiags {
		l.Diags.Add(d)
	}
	return false
}

// status lowers a rule for a status worker: the path is kept from the backends
// and served by the handler jk-status. A Location that is there for the path, for
// its access control, takes the handler.
func (l *lowerer) status(srv *model.Server, r Rule, own bool) {
	path, regex := shape(r.Path)
	srv.Mappings = append(srv.Mappings, mapping(r, path, "!", regex, own))
	kind := "Location"
	switch {
	case !isWild(r.Path):
		path = r.Path
	case regex:
		kind = "LocationMatch"
	}
	for _, s := range srv.Sections {
		if s.Kind.V == kind && strings.TrimSuffix(s.Path.V, "/") == strings.TrimSuffix(path, "/") && !s.Settings.Handler.IsSet() {
			s.Settings.Handler = model.Is("jk-status", r.WorkerSpan)
			return
		}
	}
	s := &model.Section{At: r.Span, Kind: model.Is(kind, r.Span), Path: model.Is(path, r.PathSpan)}
	s.Settings.Handler = model.Is("jk-status", r.WorkerSpan)
	srv.Sections = append(srv.Sections, s)
}
