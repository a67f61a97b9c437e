package jk

import (
	"strings"

	"clowder/parse/diag"
)

// entry is one key of a table with its value after replacement. parts are the
// lines that it is made of: more than one for a list that stands several times.
type entry struct {
	key, value string
	parts      []Property
}

// last returns the line that counts.
func (e *entry) last() Property { return e.parts[len(e.parts)-1] }

// table is jk_map_t: properties in the order of their first line.
type table struct {
	env     func(string) (string, bool)
	entries []*entry
	byKey   map[string]*entry
	first   map[string]Property // first line of each worker
	steps   int                 // entries looked at to resolve references
	used    map[diag.Span]bool  // lines that the model holds or that only steer
}

func newTable(env func(string) (string, bool)) *table {
	return &table{env: env, byKey: map[string]*entry{}, first: map[string]Property{}, used: map[diag.Span]bool{}}
}

// add puts a line in as jk_map_read_property does. join says that lists are
// joined, which is so for workers and not for rules.
func (t *table) add(p Property, join bool) {
	if len(t.entries) >= maxProperties {
		return
	}
	p.Value = t.replace(p.Value)
	if name, ok := strings.CutPrefix(p.Key, "worker."); ok {
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			if _, old := t.first[name[:i]]; !old {
				t.first[name[:i]] = p
			}
		}
	}
	e := t.byKey[p.Key]
	switch {
	case e == nil:
		e = &entry{key: p.Key, value: p.Value, parts: []Property{p}}
		t.byKey[p.Key] = e
		t.entries = append(t.entries, e)
	case join && lists[attribute(p.Key)] && len(e.value) < 1<<16:
		e.value += "," + p.Value
		e.parts = append(e.parts, p)
	default:
		for _, old := range e.parts {
			t.used[old.Span] = true // without effect, not lost
		}
		e.value, e.parts = p.Value, []Property{p}
	}
}

// replace fills $(NAME) in from the lines before, else from the environment;
// a name that is known nowhere stays (jk_map_replace_properties). What was put
// in is not looked at again.
func (t *table) replace(v string) string {
	var b strings.Builder
	for range 20 {
		i := strings.Index(v, "$(")
		if i < 0 {
			break
		}
		j := strings.IndexByte(v[i:], ')')
		if j < 0 {
			break
		}
		j += i
		name := v[i+2 : j]
		b.WriteString(v[:i])
		if e := t.byKey[name]; e != nil {
			b.WriteString(e.value)
			t.use(e)
			v = v[j+1:]
		} else if x, ok := t.lookup(name); ok {
			b.WriteString(x)
			v = v[j+1:]
		} else {
			b.WriteString(v[i:j])
			v = v[j:]
		}
		if b.Len() > 1<<16 {
			break
		}
	}
	b.WriteString(v)
	return b.String()
}

func (t *table) lookup(name string) (string, bool) {
	if t.env == nil {
		return "", false
	}
	return t.env(name)
}

func (t *table) use(e *entry) {
	for _, p := range e.parts {
		t.used[p.Span] = true
	}
}

// maxReference is JK_MAP_RECURSION of jk_map.c; maxResolve bounds the work of all
// references together, maxKey the length of a key that they make.
const (
	maxReference = 20
	maxResolve   = 5_000_000
	maxKey       = 512
)

// resolve copies what the reference attributes name to their workers
// (jk_map_resolve_references). It returns the references that name nothing.
func (t *table) resolve() []Property {
	var missing []Property
	done := map[string]bool{}
	for i := 0; i < len(t.entries) && i < maxProperties; i++ {
		e := t.entries[i]
		if strings.HasPrefix(e.key, "worker.") && strings.HasSuffix(e.key, ".reference") && len(e.key) > len("worker..reference") {
			missing = append(missing, t.inherit(e, done, 1)...)
		}
	}
	return missing
}

func (t *table) inherit(e *entry, done map[string]bool, depth int) (missing []Property) {
	if done[e.key] || depth > maxReference || t.steps > maxResolve {
		return nil
	}
	done[e.key] = true
	t.steps += len(t.entries)
	t.use(e)
	if inner := t.byKey[e.value+".reference"]; inner != nil {
		missing = t.inherit(inner, done, depth+1)
	}
	from, to := e.value+".", strings.TrimSuffix(e.key, "reference")
	found := false
	for _, x := range t.entries[:len(t.entries):len(t.entries)] {
		rest, ok := strings.CutPrefix(x.key, from)
		if !ok {
			continue
		}
		found = true
		if len(t.entries) < maxProperties && len(to)+len(rest) < maxKey && t.byKey[to+rest] == nil {
			c := &entry{key: to + rest, value: x.value, parts: x.parts}
			t.byKey[c.key] = c
			t.entries = append(t.entries, c)
		}
	}
	if !found {
		missing = append(missing, e.last())
	}
	return missing
}

// item is one word of a list and its place.
type item struct {
	text string
	at   diag.Span
}

// items splits a list at blanks, tabs and commas (jk_map_get_string_list).
func (e *entry) items() []item {
	var out []item
	for _, p := range e.parts {
		exact := p.ValueSpan.Text() == p.Value
		for i := 0; i < len(p.Value); {
			if strings.IndexByte(" \t,", p.Value[i]) >= 0 {
				i++
				continue
			}
			j := i
			for j < len(p.Value) && strings.IndexByte(" \t,", p.Value[j]) < 0 {
				j++
			}
			at := p.ValueSpan
			if exact {
				at = diag.At(at.File, int(at.Start)+i, int(at.Start)+j)
			}
			out = append(out, item{p.Value[i:j], at})
			i = j
		}
	}
	return out
}
