package diff

import (
	"reflect"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// comparer walks two setups side by side.
type comparer struct {
	part string
	path []string
	at   [2]diag.Span // the innermost elements around
	out  []Difference
}

func (c *comparer) add(d Difference) {
	d.Part = c.part
	d.Path = append([]string(nil), c.path...)
	c.out = append(c.out, d)
}

// inside runs f with one more element on the path.
func (c *comparer) inside(label string, a, b reflect.Value, f func()) {
	at := c.at
	c.path = append(c.path, label)
	for i, v := range []reflect.Value{a, b} {
		if p := model.PlaceOf(v); p.IsValid() {
			c.at[i] = p
		}
	}
	f()
	c.path, c.at = c.path[:len(c.path)-1], at
}

// structs compares two structs of one type, field by field.
func (c *comparer) structs(a, b reflect.Value) {
	for _, f := range fieldsOf(a.Type()) {
		if f.skip {
			continue
		}
		fa, fb := a.FieldByIndex(f.Index), b.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			c.scalar(&f, fa, fb)
		case model.ListField:
			c.list(&f, fa, fb)
		case model.StructField:
			if f.text != nil {
				c.text(f.Key, f.text(fa.Interface()), f.text(fb.Interface()), fa, fb)
			} else {
				c.pointer(f.Key, fa, fb)
			}
		case model.ArrayField:
			c.array(f.Key, elements(fa), elements(fb))
		case model.AttrsField:
			c.attributes(fa.Interface().([]*model.Attr), fb.Interface().([]*model.Attr))
		}
	}
}

// scalar compares two values. What was concluded from other facts counts only
// against something written: the facts themselves are compared anyway.
func (c *comparer) scalar(f *field, va, vb reflect.Value) {
	if unset(va) == unset(vb) && va.Field(0).Equal(vb.Field(0)) {
		return
	}
	a, b := f.said(va), f.said(vb)
	written := a.Origin == model.Written || b.Origin == model.Written
	switch {
	case a.V == b.V,
		!written && (a.Origin == model.Inferred || b.Origin == model.Inferred || following[f.Key]),
		onlyWritten[f.Key] && (a.Origin != model.Written || b.Origin != model.Written):
		return
	}
	if x, ok := a.V.(string); ok {
		if y, ok := b.V.(string); ok && f.meaning(x) == f.meaning(y) {
			return
		}
	}
	c.change(f.Key, f.Secret, c.side(0, a), c.side(1, b))
}

// change adds a difference of values.
func (c *comparer) change(field string, secret bool, a, b Side) {
	d := Difference{Change: Changed, Field: field, A: a, B: b}
	if secret || c.secret(field, a.Value, b.Value) {
		d.Hidden, d.A.Value, d.B.Value = true, "", ""
	}
	c.add(d)
}

func unset(v reflect.Value) bool { return model.Origin(v.Field(1).Uint()) == model.Unset }

func (c *comparer) side(i int, v model.AnyValue) Side {
	s := Side{Origin: v.Origin, Span: v.Span}
	if v.Origin != model.Unset {
		s.Value = model.FormatScalar(v.V)
	}
	if !s.Span.IsValid() && v.Origin < model.Inferred {
		s.Span = c.at[i]
	}
	return s
}

// list compares two lists of words: as a set where the table says so.
func (c *comparer) list(f *field, va, vb reflect.Value) {
	switch {
	case va.Len() == 0 && vb.Len() == 0 || f.list(va) == f.list(vb):
	case f.set:
		a, b := va.Interface().([]model.String), vb.Interface().([]model.String)
		c.only(Removed, f, a, b)
		c.only(Added, f, b, a)
	default:
		a, b := va.Interface().([]model.String), vb.Interface().([]model.String)
		c.change(f.Key, f.Secret, c.words(0, a), c.words(1, b))
	}
}

// only adds the words of one list that the other does not have.
func (c *comparer) only(change Change, f *field, list, other []model.String) {
	known := make(map[string]bool, len(list)+len(other))
	for _, w := range other {
		known[f.meaning(w.V)] = true
	}
	for _, w := range list {
		if known[f.meaning(w.V)] {
			continue
		}
		known[f.meaning(w.V)] = true
		d := Difference{Change: change, Field: f.Key, Hidden: c.secret(f.Key, w.V)}
		s := Side{Value: quote(w.V), Origin: w.Origin, Span: w.Span}
		if d.Hidden {
			s.Value = ""
		}
		if d.A = s; change == Added {
			d.A, d.B = Side{}, s
		}
		c.add(d)
	}
}

// words makes one value of a list.
func (c *comparer) words(i int, list []model.String) Side {
	if len(list) == 0 {
		return Side{Span: c.at[i]}
	}
	words := make([]string, len(list))
	for k, w := range list {
		words[k] = model.QuoteWord(w.V)
	}
	return Side{Value: strings.Join(words, " "), Origin: model.Written, Span: list[0].Span}
}

// attributes compares the attributes of an element by their names.
func (c *comparer) attributes(a, b []*model.Attr) {
	if len(a) == 0 && len(b) == 0 {
		return
	}
	second := make(map[string]*model.Attr, len(b))
	for _, x := range b {
		second[x.Name] = x
	}
	for _, x := range a {
		y := second[x.Name]
		delete(second, x.Name)
		if y == nil {
			c.change(x.Name, false, attribute(x), Side{Span: c.at[1]})
		} else if x.Value.V != y.Value.V {
			c.change(x.Name, false, attribute(x), attribute(y))
		}
	}
	for _, y := range b {
		if second[y.Name] == y {
			c.change(y.Name, false, Side{Span: c.at[0]}, attribute(y))
		}
	}
}

func attribute(x *model.Attr) Side { return Side{x.Value.V, model.Written, x.At} }

// pointer compares two structs that may be missing. Where being there says nothing
// by itself, a missing one is the same as an empty one.
func (c *comparer) pointer(key string, a, b reflect.Value) {
	if a.IsNil() && b.IsNil() {
		return
	}
	if transparent[a.Type().Elem().Name()] {
		a, b = orEmpty(a), orEmpty(b)
	}
	switch {
	case a.IsNil():
		c.inside(called(key, b), b.Elem(), b.Elem(), func() { c.present(Added, b.Elem()) })
	case b.IsNil():
		c.inside(called(key, a), a.Elem(), a.Elem(), func() { c.present(Removed, a.Elem()) })
	default:
		a, b = prepared(a), prepared(b)
		c.inside(called(key, a), a.Elem(), b.Elem(), func() { c.structs(a.Elem(), b.Elem()) })
	}
}

// text compares two structs that are read as one value.
func (c *comparer) text(key string, ta, tb rendered, a, b reflect.Value) {
	if ta.means == tb.means {
		return
	}
	side := func(i int, r rendered, v reflect.Value) Side {
		if r.text == "" {
			return Side{Span: c.at[i]}
		}
		return Side{Value: r.text, Origin: model.Written, Span: model.PlaceOf(v.Elem())}
	}
	c.change(key, false, side(0, ta, a), side(1, tb, b))
}

func orEmpty(p reflect.Value) reflect.Value {
	if p.IsNil() {
		return reflect.New(p.Type().Elem())
	}
	return p
}

// present adds an element that only one side has; the path ends with it.
func (c *comparer) present(change Change, v reflect.Value) {
	s := Side{Value: brief(v), Origin: model.Unset, Span: model.PlaceOf(v)}
	if change == Added {
		c.add(Difference{Change: change, B: s})
	} else {
		c.add(Difference{Change: change, A: s})
	}
}

// array compares two lists of elements.
func (c *comparer) array(key string, a, b []reflect.Value) {
	if len(a) == 0 && len(b) == 0 {
		return
	}
	typ := elementType(a, b)
	id := identities[typ.Name()]
	a, b = relevant(a), relevant(b)
	to := pair(a, b, id.passes(typ))
	taken := make([]bool, len(b))
	places := misplaced(a, to, id.meet)
	for i, x := range a {
		label := called(key, x)
		if to[i] < 0 {
			c.inside(label, x.Elem(), x.Elem(), func() { c.present(Removed, x.Elem()) })
			continue
		}
		y := b[to[i]]
		taken[to[i]] = true
		c.inside(label, x.Elem(), y.Elem(), func() {
			if places[i] {
				c.moved(i, to[i], x, y)
			}
			c.element(x, y)
		})
	}
	for j, y := range b {
		if !taken[j] {
			c.inside(called(key, y), y.Elem(), y.Elem(), func() { c.present(Added, y.Elem()) })
		}
	}
}

func (c *comparer) element(x, y reflect.Value) {
	x, y = prepared(x), prepared(y)
	c.structs(x.Elem(), y.Elem())
}

func (c *comparer) moved(i, j int, x, y reflect.Value) {
	c.add(Difference{Change: Moved,
		A: Side{Value: strconv.Itoa(i + 1), Span: model.PlaceOf(x.Elem())},
		B: Side{Value: strconv.Itoa(j + 1), Span: model.PlaceOf(y.Elem())}})
}

func elementType(a, b []reflect.Value) reflect.Type {
	if len(a) > 0 {
		return a[0].Type().Elem()
	}
	return b[0].Type().Elem()
}

func elements(v reflect.Value) []reflect.Value {
	out := make([]reflect.Value, v.Len())
	for i := range out {
		out[i] = v.Index(i)
	}
	return out
}

func values[T any](list []*T) []reflect.Value { return elements(reflect.ValueOf(list)) }

func pointer[T any](p *T) reflect.Value { return reflect.ValueOf(p) }
