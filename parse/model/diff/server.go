package diff

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// fronts compares the front ends.
func (c *comparer) fronts(a, b []*model.FrontEnd) {
	va, vb := values(a), values(b)
	to := pair(va, vb, identities["FrontEnd"].passes(reflect.TypeFor[model.FrontEnd]()))
	taken := make([]bool, len(b))
	lone := len(a) <= 1 && len(b) <= 1
	for i, f := range a {
		label := "front end " + f.Name.V
		switch {
		case to[i] < 0:
			c.inside(label, va[i].Elem(), va[i].Elem(), func() { c.present(Removed, va[i].Elem()) })
			continue
		case lone:
			c.front(f, b[to[i]])
		default:
			c.inside(label, va[i].Elem(), vb[to[i]].Elem(), func() { c.front(f, b[to[i]]) })
		}
		taken[to[i]] = true
	}
	for j, f := range b {
		if !taken[j] {
			c.inside("front end "+f.Name.V, vb[j].Elem(), vb[j].Elem(), func() { c.present(Added, vb[j].Elem()) })
		}
	}
}

// front compares two front ends: the main servers, then each virtual host as it is
// at run time. What a virtual host inherits is not told again there.
func (c *comparer) front(a, b *model.FrontEnd) {
	c.at = [2]diag.Span{}
	c.structs(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
	p := &servers{a: a, b: b}
	p.mains()
	start := len(c.out)
	c.structs(seen(a.Effective(nil)), seen(b.Effective(nil)))
	told := map[tale]bool{}
	for _, d := range c.out[start:] {
		told[taleOf(d, len(c.path))] = true
	}

	va, vb := values(a.VHosts), values(b.VHosts)
	to := pair(va, vb, identities["Server"].passes(reflect.TypeFor[model.Server]()))
	taken := make([]bool, len(vb))
	for i, x := range a.VHosts {
		label := "virtual host " + serverTitle(x)
		if to[i] < 0 {
			c.inside(label, va[i].Elem(), va[i].Elem(), func() { c.present(Removed, va[i].Elem()) })
			continue
		}
		taken[to[i]] = true
		start := len(c.out)
		c.inside(label, va[i].Elem(), vb[to[i]].Elem(), func() {
			ea, eb := p.effective(x, b.VHosts[to[i]])
			c.structs(seen(ea), seen(eb))
		})
		c.drop(start, told)
	}
	for j, y := range b.VHosts {
		if !taken[j] {
			c.inside("virtual host "+serverTitle(y), vb[j].Elem(), vb[j].Elem(), func() { c.present(Added, vb[j].Elem()) })
		}
	}
	c.firsts(a, b, to)
}

// tale is a difference without the server that it was found in.
type tale struct {
	change Change
	path   string
	field  string
	a, b   Side
}

// taleOf cuts off the first elements of the path, and places that only say where
// nothing stands.
func taleOf(d Difference, depth int) tale {
	t := tale{d.Change, strings.Join(d.Path[min(depth, len(d.Path)):], "\x00"), d.Field, d.A, d.B}
	for _, s := range []*Side{&t.a, &t.b} {
		switch {
		case d.Change == Moved:
			s.Value = ""
		case d.Change == Changed && s.Origin < model.Inferred:
			s.Span = diag.Span{}
		}
	}
	return t
}

// drop leaves out the differences from start on that were told of the main server.
func (c *comparer) drop(start int, told map[tale]bool) {
	if len(told) == 0 {
		return
	}
	kept := c.out[:start]
	for _, d := range c.out[start:] {
		if !told[taleOf(d, len(c.path)+1)] {
			kept = append(kept, d)
		}
	}
	c.out = kept
}

// servers are the front ends whose virtual hosts are compared. Lists of the main
// servers are inherited by all of them and may be long; what is the same on both
// sides, or is told of the main servers, is left out where it cannot matter.
type servers struct {
	a, b    *model.FrontEnd
	differs map[string]bool                                // keys of lists that are not the same in the main servers
	changed []string                                       // balancers and workers that are not the same there
	named   map[*model.FrontEnd]map[string][]reflect.Value // those of the main servers by name
}

// mains finds out which lists of the main servers differ.
func (p *servers) mains() {
	p.differs, p.named = map[string]bool{}, map[*model.FrontEnd]map[string][]reflect.Value{p.a: {}, p.b: {}}
	a, b := mainOf(p.a), mainOf(p.b)
	for _, f := range model.Fields(a.Type()) {
		if f.Kind != model.ArrayField {
			continue
		}
		la, lb := elements(a.FieldByIndex(f.Index)), elements(b.FieldByIndex(f.Index))
		pa, pb := prints(la), prints(lb)
		p.differs[f.Key] = !slices.Equal(pa, pb)
		if shadowing[f.Key] {
			p.name(f.Key, la, lb, pa, pb)
		}
	}
}

// name indexes the balancers or workers of the main servers.
func (p *servers) name(key string, la, lb []reflect.Value, pa, pb []string) {
	first := map[string]string{}
	for i, x := range la {
		k := worker(key, x)
		p.named[p.a][k] = append(p.named[p.a][k], x)
		first[k] = pa[i]
	}
	for j, y := range lb {
		k := worker(key, y)
		p.named[p.b][k] = append(p.named[p.b][k], y)
		if first[k] != pb[j] {
			p.changed = append(p.changed, k)
		}
	}
	for _, x := range la {
		if k := worker(key, x); len(p.named[p.b][k]) == 0 {
			p.changed = append(p.changed, k)
		}
	}
}

func prints(list []reflect.Value) []string {
	list = relevant(slices.Clone(list))
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = fingerprint(x)
	}
	return out
}

func mainOf(f *model.FrontEnd) reflect.Value {
	if f.Main == nil {
		return reflect.New(reflect.TypeFor[model.Server]()).Elem()
	}
	return reflect.ValueOf(f.Main).Elem()
}

// shadowing are lists in which an entry of a virtual host takes the place of the
// main server's with the same name.
var shadowing = map[string]bool{"balancer": true, "worker": true}

// worker is the name by which a virtual host's balancer or worker shadows another.
func worker(list string, v reflect.Value) string {
	if b, ok := v.Interface().(*model.Balancer); ok {
		return list + strings.ToLower(b.Name.V)
	}
	return list + v.Interface().(*model.Member).URL.V
}

// effective merges two virtual hosts over their main servers. Of a list that the
// main servers have the same, or in which the virtual hosts themselves do not
// differ, the inherited part is left out; of balancers and workers, too, unless
// their names count.
func (p *servers) effective(a, b *model.Server) (ea, eb *model.Server) {
	var empty model.Server
	ma, mb := empty, empty
	if p.a.Main != nil {
		ma = *p.a.Main
	}
	if p.b.Main != nil {
		mb = *p.b.Main
	}
	va, vb := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	na, nb := reflect.ValueOf(&ma).Elem(), reflect.ValueOf(&mb).Elem()
	for _, f := range model.Fields(va.Type()) {
		if f.Kind != model.ArrayField || f.Key == "CustomLog" { // logs are replaced, not joined
			continue
		}
		la, lb := elements(va.FieldByIndex(f.Index)), elements(vb.FieldByIndex(f.Index))
		own := p.differs[f.Key] && !slices.Equal(prints(la), prints(lb))
		if !shadowing[f.Key] {
			if !own {
				na.FieldByIndex(f.Index).SetZero()
				nb.FieldByIndex(f.Index).SetZero()
			}
			continue
		}
		names := map[string]bool{}
		for _, x := range slices.Concat(la, lb) {
			names[worker(f.Key, x)] = true
		}
		if own {
			for _, k := range p.changed {
				names[k] = names[k] || strings.HasPrefix(k, f.Key)
			}
		}
		p.keep(p.a, na.FieldByIndex(f.Index), names)
		p.keep(p.b, nb.FieldByIndex(f.Index), names)
	}
	return (&model.FrontEnd{Main: &ma}).Effective(a), (&model.FrontEnd{Main: &mb}).Effective(b)
}

// keep replaces a list of a main server by those of its entries that have the names.
func (p *servers) keep(f *model.FrontEnd, list reflect.Value, names map[string]bool) {
	kept := reflect.Zero(list.Type())
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if names[k] {
			kept = reflect.Append(kept, p.named[f][k]...)
		}
	}
	list.Set(kept)
}

// seen adds what follows for the whole server from its values: the engine of
// mod_rewrite is off, a ProxyTimeout that nobody set is the Timeout.
func seen(s *model.Server) reflect.Value {
	r := model.Rewrite{}
	if s.Settings.Rewrite != nil {
		r = *s.Settings.Rewrite
	}
	setDefault(&r.Engine, false)
	s.Settings.Rewrite = &r
	setDefault(&s.ProxyTimeout, s.Timeout.V)
	return reflect.ValueOf(s).Elem()
}

// firsts compares which virtual host answers for an address when no name fits: the
// first one of the file.
func (c *comparer) firsts(a, b *model.FrontEnd, to []int) {
	fa, fb := firstOf(a), firstOf(b)
	for i, x := range a.VHosts {
		for _, w := range x.Addresses {
			k := address(w.V)
			first, ok := fb[k]
			if fa[k].index != i || !ok || to[i] == first.index || fa[k].count+first.count == 2 {
				continue
			}
			y := b.VHosts[first.index]
			c.add(Difference{Change: Changed, Field: "default virtual host of " + w.V,
				A: Side{serverTitle(x), model.Written, x.At}, B: Side{serverTitle(y), model.Written, y.At}})
			delete(fb, k)
		}
	}
}

type first struct{ index, count int }

func firstOf(f *model.FrontEnd) map[string]first {
	out := map[string]first{}
	for i, s := range f.VHosts {
		for _, w := range s.Addresses {
			k := address(w.V)
			x, ok := out[k]
			if !ok {
				x.index = i
			}
			x.count++
			out[k] = x
		}
	}
	return out
}
