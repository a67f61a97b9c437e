package model

import (
	"fmt"
	"reflect"
)

// Difference is one place where two setups do not say the same.
type Difference struct {
	Path string // node[1].port
	A, B string
}

func (d Difference) String() string { return fmt.Sprintf("%s: %s | %s", d.Path, d.A, d.B) }

// Compare lists what differs between two setups: values and whether they are
// stated (written or inferred) or defaults, not their places.
func Compare(a, b *Setup) []Difference {
	c := &comparer{}
	c.structs("", reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
	return c.out
}

type comparer struct{ out []Difference }

func (c *comparer) add(path, a, b string) { c.out = append(c.out, Difference{path, a, b}) }

func (c *comparer) structs(path string, a, b reflect.Value) {
	for _, f := range Fields(a.Type()) {
		p := f.Key
		if path != "" {
			p = path + "." + f.Key
		}
		fa, fb := a.FieldByIndex(f.Index), b.FieldByIndex(f.Index)
		switch f.Kind {
		case ScalarField:
			c.value(p, fa, fb)
		case ListField:
			c.list(p, fa, fb, c.value)
		case StructField:
			c.pointer(p, fa, fb)
		case ArrayField:
			c.list(p, fa, fb, c.pointer)
		case AttrsField:
			c.list(p, fa, fb, func(p string, x, y reflect.Value) {
				ax, ay := x.Interface().(*Attr), y.Interface().(*Attr)
				if ax.Name != ay.Name || ax.Value.V != ay.Value.V {
					c.add(p, ax.Name+"="+ax.Value.V, ay.Name+"="+ay.Value.V)
				}
			})
		case TableField:
			c.modules(p, fa.Interface().([]*Module), fb.Interface().([]*Module))
		}
	}
}

// modules compares what is loaded: of several lines for one module httpd takes the
// first and skips the others (load_module in mod_so.c).
func (c *comparer) modules(path string, a, b []*Module) {
	a, b = LoadedModules(a), LoadedModules(b)
	c.list(path, reflect.ValueOf(a), reflect.ValueOf(b), func(p string, x, y reflect.Value) {
		c.value(p+".name", x.Elem().Field(1), y.Elem().Field(1))
		c.value(p+".file", x.Elem().Field(2), y.Elem().Field(2))
	})
}

// LoadedModules leaves out the lines that load a module a second time.
func LoadedModules(list []*Module) []*Module {
	seen := make(map[string]bool, len(list))
	out := make([]*Module, 0, len(list))
	for _, m := range list {
		if !seen[m.Name.V] {
			seen[m.Name.V] = true
			out = append(out, m)
		}
	}
	return out
}

func (c *comparer) value(path string, a, b reflect.Value) {
	va, vb := Any(a), Any(b)
	if va.Origin == Unset && vb.Origin == Unset {
		return
	}
	if va.V != vb.V || stated(va.Origin) != stated(vb.Origin) {
		c.add(path, fmt.Sprintf("%v (%s)", va.V, va.Origin), fmt.Sprintf("%v (%s)", vb.V, vb.Origin))
	}
}

// stated treats a conclusion like a written fact: what was inferred in one form
// of a setup is written down in another.
func stated(o Origin) bool { return o == Written || o == Inferred }

func (c *comparer) pointer(path string, a, b reflect.Value) {
	switch {
	case a.IsNil() && b.IsNil():
	case a.IsNil() || b.IsNil():
		c.add(path, presence(a), presence(b))
	default:
		c.structs(path, a.Elem(), b.Elem())
	}
}

func presence(v reflect.Value) string {
	if v.IsNil() {
		return "absent"
	}
	return "present"
}

func (c *comparer) list(path string, a, b reflect.Value, each func(string, reflect.Value, reflect.Value)) {
	if a.Len() != b.Len() {
		c.add(path, fmt.Sprintf("%d entries", a.Len()), fmt.Sprintf("%d entries", b.Len()))
		return
	}
	for i := range a.Len() {
		each(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i))
	}
}
