package jk

import (
	"cmp"
	"slices"
	"strings"

	"clowder/parse/diag"
)

// source is where a rule comes from; of rules alike in all else the higher one
// wins (SOURCE_TYPE of jk_uri_worker_map.h).
type source uint8

const (
	fromWorker  source = iota + 1 // worker.NAME.mount
	fromJkMount                   // JkMount, JkUnMount
	fromURIMap                    // uriworkermap.properties
)

// Option is one ";name=value" behind the worker of a rule.
type Option struct {
	Text string
	Span diag.Span
}

// Rule is one rule of the map from paths to workers.
type Rule struct {
	Path    string // pattern: "*" is any bytes, "?" one byte
	Worker  string // "*" in an exclusion: every worker
	Exclude bool   // JkUnMount, or "!" before the path
	Options []Option

	Span       diag.Span // the whole rule
	PathSpan   diag.Span
	WorkerSpan diag.Span

	from source
}

// order sorts rules as worker_compare in native/common/jk_uri_worker_map.c: more
// slashes first, then the longer path, then the source; else as they stand.
func order(rules []Rule) {
	slices.SortStableFunc(rules, func(a, b Rule) int {
		return cmp.Or(
			cmp.Compare(strings.Count(b.Path, "/"), strings.Count(a.Path, "/")),
			cmp.Compare(len(b.Path), len(a.Path)),
			cmp.Compare(b.from, a.from),
		)
	})
}

// find answers as map_uri_to_worker_ext does, for sorted rules: the first rule
// that fits decides, and an exclusion for its worker takes the request out of
// mod_jk's hands.
func find(rules []Rule, path string) (worker string, ok bool) {
	for _, r := range rules {
		if r.Exclude || !matches(r.Path, path) {
			continue
		}
		for _, u := range rules {
			if u.Exclude && (u.Worker == r.Worker || u.Worker == "*") && matches(u.Path, path) {
				return "", false
			}
		}
		return r.Worker, true
	}
	return "", false
}

// mount is a path and a worker as written, before "|", "!" and ";" are looked at.
type mount struct {
	path, worker       string
	span, pathAt, wkAt diag.Span
	from               source
}

// mounts is a jk_map_t of paths: a path that stands again replaces the worker of
// the first one and keeps its place in the order.
type mounts struct {
	list []mount
	at   map[string]int
}

func (m *mounts) put(x mount) (replaced diag.Span) {
	if m.at == nil {
		m.at = map[string]int{}
	}
	if i, ok := m.at[x.path]; ok {
		replaced = m.list[i].span
		m.list[i] = x
		return replaced
	}
	if len(m.list) < maxProperties {
		m.at[x.path] = len(m.list)
		m.list = append(m.list, x)
	}
	return replaced
}

// over returns the mounts with those of base that they lack (jk_map_copy).
func (m *mounts) over(base *mounts) *mounts {
	out := &mounts{}
	for _, x := range m.list {
		out.put(x)
	}
	for _, x := range base.list {
		if _, ok := out.at[x.path]; !ok {
			out.put(x)
		}
	}
	return out
}

// rules makes the rules of a mount: "/a|/*" stands for "/a" and "/a/*", "!" makes
// an exclusion, "-" switches the rule off (uri_worker_map_add). bad says that the
// path does not begin with a slash.
func (x mount) rules() (rules []Rule, bad bool) {
	paths := []string{x.path}
	if a, b, ok := strings.Cut(x.path, "|"); ok {
		paths = []string{a, a + b}
	}
	worker, wkAt, opts := options(x.worker, x.wkAt)
	for _, p := range paths {
		p, off := strings.CutPrefix(p, "-")
		p, excl := strings.CutPrefix(p, "!")
		if !strings.HasPrefix(p, "/") {
			return rules, true
		}
		if !off {
			rules = append(rules, Rule{Path: p, Worker: worker, Exclude: excl, Options: opts,
				Span: x.span, PathSpan: x.pathAt, WorkerSpan: wkAt, from: x.from})
		}
	}
	return rules, false
}

// options takes the ";name=value" words off a worker (parse_rule_extensions).
func options(worker string, at diag.Span) (name string, nameAt diag.Span, opts []Option) {
	exact := at.IsValid() && at.Text() == worker
	sub := func(from, to int) diag.Span {
		if !exact {
			return at
		}
		return diag.At(at.File, int(at.Start)+from, int(at.Start)+to)
	}
	for i := 0; i <= len(worker); {
		j := strings.IndexByte(worker[i:], ';')
		if j < 0 {
			j = len(worker)
		} else {
			j += i
		}
		switch {
		case j == i:
		case name == "":
			name, nameAt = worker[i:j], sub(i, j)
		default:
			opts = append(opts, Option{worker[i:j], sub(i, j)})
		}
		i = j + 1
	}
	return name, nameAt, opts
}

// ParseURIMap reads a uriworkermap.properties file (uri_worker_map_load): rules
// in file order. env gives $(NAME) that the file does not define; it may be nil.
func ParseURIMap(f *diag.File, env func(string) (string, bool)) ([]Rule, diag.List) {
	m, diags := readURIMap(f, env)
	rules, more := m.rules()
	return rules, append(diags, more...)
}

func readURIMap(f *diag.File, env func(string) (string, bool)) (*mounts, diag.List) {
	props, diags := ParseProperties(f)
	t := newTable(env)
	for _, p := range props {
		t.add(p, false)
	}
	m := &mounts{}
	for _, e := range t.entries {
		p := e.last()
		if !strings.ContainsAny(p.Key[:1], "/!-") && referenced(props, p.Key) {
			continue // a variable of the file
		}
		m.put(mount{path: p.Key, worker: e.value, span: p.Span, pathAt: p.KeySpan, wkAt: p.ValueSpan, from: fromURIMap})
	}
	return m, diags
}

func referenced(props []Property, name string) bool {
	return slices.ContainsFunc(props, func(p Property) bool { return strings.Contains(p.Value, "$("+name+")") })
}

func (m *mounts) rules() (out []Rule, diags diag.List) {
	for _, x := range m.list {
		rules, bad := x.rules()
		out = append(out, rules...)
		if bad && len(diags) < maxDiags {
			diags.Add(diag.Diagnostic{ID: "H007", Name: "bad-parameter-value", Severity: diag.Error, Confidence: diag.Certain,
				Span: x.pathAt, Message: "`" + x.path + "`: the path of a rule must begin with a slash; mod_jk passes over it"})
		}
	}
	return out, diags
}
