package javaser

import (
	"encoding/binary"
	"math/big"
	"time"
)

// Thaw gives the Go value of a node, or the node itself where it has none: an
// object of an unknown class, a tree with cycles or with one node in two places.
// Go values that are no nodes are returned as they are.
func Thaw(v any) any {
	if !isTree(v, map[any]bool{}) {
		return v
	}
	return thaw(v)
}

// isTree reports whether no object or array is reached twice.
func isTree(v any, seen map[any]bool) bool {
	var all [][]any
	switch v := v.(type) {
	case *Object:
		for i := range v.Parts {
			all = append(all, v.Parts[i].Values, v.Parts[i].Extra)
		}
		if len(v.Parts) > 0 && isScalar(v) {
			return true
		}
	case *Array:
		all = [][]any{v.Elems}
	default:
		return true
	}
	if seen[v] {
		return false
	}
	seen[v] = true
	for _, list := range all {
		for _, e := range list {
			switch e.(type) {
			case *Object, *Array:
				if !isTree(e, seen) {
					return false
				}
			}
		}
	}
	return true
}

func isScalar(o *Object) bool {
	_, ok := unbox(o)
	return ok
}

// unbox gives the value of a java.lang wrapper.
func unbox(o *Object) (any, bool) {
	switch o.Class.Name {
	case "java.lang.Boolean", "java.lang.Byte", "java.lang.Short", "java.lang.Integer", "java.lang.Long",
		"java.lang.Float", "java.lang.Double", "java.lang.Character":
	default:
		return nil, false
	}
	if len(o.Parts) == 0 {
		return nil, false
	}
	p := o.Parts[len(o.Parts)-1]
	if len(p.Values) != 1 || p.Class.Fields[0].Name != "value" {
		return nil, false
	}
	var ok bool
	v := p.Values[0]
	switch o.Class.Name[len("java.lang."):] {
	case "Boolean":
		_, ok = v.(bool)
	case "Byte":
		_, ok = v.(int8)
	case "Short":
		_, ok = v.(int16)
	case "Integer":
		_, ok = v.(int32)
	case "Long":
		_, ok = v.(int64)
	case "Float":
		_, ok = v.(float32)
	case "Double":
		_, ok = v.(float64)
	case "Character":
		_, ok = v.(Char)
	}
	return v, ok
}

func thaw(v any) any {
	switch n := v.(type) {
	case *String:
		return n.S
	case *Enum:
		return EnumValue{Class: n.Class.Name, Name: n.Name.S}
	case *Array:
		return thawArray(n)
	case *Object:
		if s, ok := unbox(n); ok {
			return s
		}
		if g, ok := thawObject(n); ok {
			return g
		}
	}
	return v
}

func thawAll(in []any) []any {
	out := make([]any, len(in))
	for i, e := range in {
		out[i] = thaw(e)
	}
	return out
}

func thawArray(a *Array) any {
	switch a.Class.Name {
	case "[B":
		return append([]byte{}, a.Data...)
	case "[I":
		out := make([]int32, len(a.Data)/4)
		for i := range out {
			out[i] = int32(binary.BigEndian.Uint32(a.Data[4*i:]))
		}
		return out
	case "[Ljava.lang.String;":
		out := make([]string, len(a.Elems))
		for i, e := range a.Elems {
			switch s := e.(type) {
			case *String:
				out[i] = s.S
			case string:
				out[i] = s
			default:
				return a
			}
		}
		return out
	case "[Ljava.lang.Object;":
		return ObjectArray(thawAll(a.Elems))
	}
	return a
}

// thawObject converts the known classes of java.util and java.math. The shape is
// checked as well as the name: a stream may say anything.
func thawObject(o *Object) (any, bool) {
	if len(o.Parts) == 0 {
		return nil, false
	}
	last := o.Parts[len(o.Parts)-1]
	switch o.Class.Name {
	case "java.util.Date":
		if b, rest := head(last.Extra, 8); len(rest) == 0 && b != nil {
			return time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC(), true
		}
	case "java.util.UUID":
		lo, ok1 := fieldOf[int64](o, "leastSigBits")
		hi, ok2 := fieldOf[int64](o, "mostSigBits")
		if ok1 && ok2 {
			var u UUID
			binary.BigEndian.PutUint64(u[:8], uint64(hi))
			binary.BigEndian.PutUint64(u[8:], uint64(lo))
			return u, true
		}
	case "java.math.BigInteger":
		return thawBig(o)
	case "java.math.BigDecimal":
		scale, ok := fieldOf[int32](o, "scale")
		iv, ok2 := fieldOf[*Object](o, "intVal")
		if ok && ok2 {
			if n, ok := thawBig(iv); ok {
				return &Decimal{Unscaled: n.(*big.Int), Scale: scale}, true
			}
		}
	case "java.util.ArrayList":
		size, ok := fieldOf[int32](o, "size")
		if b, rest := head(last.Extra, 4); ok && b != nil && len(rest) == int(size) {
			return thawAll(rest), true
		}
	case "java.util.HashSet":
		if b, rest := head(last.Extra, 12); b != nil && len(rest) == int(int32(binary.BigEndian.Uint32(b[8:]))) {
			return &Set{Elems: thawAll(rest)}, true
		}
	case "java.util.HashMap", "java.util.LinkedHashMap":
		return thawMap(o)
	}
	return nil, false
}

func fieldOf[T any](o *Object, name string) (T, bool) {
	v, _ := o.Field(name)
	t, ok := v.(T)
	return t, ok
}

// head splits contents into a block of n bytes and objects only.
func head(contents []any, n int) (Block, []any) {
	if len(contents) == 0 {
		return nil, nil
	}
	b, ok := contents[0].(Block)
	if !ok || len(b) != n {
		return nil, nil
	}
	for _, e := range contents[1:] {
		if _, isBlock := e.(Block); isBlock {
			return nil, nil
		}
	}
	return b, contents[1:]
}

func thawBig(o *Object) (any, bool) {
	sign, ok := fieldOf[int32](o, "signum")
	mag, ok2 := fieldOf[*Array](o, "magnitude")
	if !ok || !ok2 || o.Class.Name != "java.math.BigInteger" {
		return nil, false
	}
	n := new(big.Int).SetBytes(mag.Data)
	if sign < 0 {
		n.Neg(n)
	}
	return n, true
}

func thawMap(o *Object) (any, bool) {
	b, rest := head(o.Parts[0].Extra, 8)
	if b == nil || len(rest)%2 != 0 || len(rest)/2 != int(int32(binary.BigEndian.Uint32(b[4:]))) {
		return nil, false
	}
	m := &Map{Linked: o.Class.Name == "java.util.LinkedHashMap"}
	m.AccessOrder, _ = fieldOf[bool](o, "accessOrder")
	simple := map[string]any{}
	for i := 0; i < len(rest); i += 2 {
		e := Entry{thaw(rest[i]), thaw(rest[i+1])}
		m.Entries = append(m.Entries, e)
		if k, ok := e.Key.(string); ok {
			simple[k] = e.Value
		}
	}
	if !m.Linked && len(simple) == len(m.Entries) {
		return simple, true
	}
	return m, true
}

// Scalar gives the Go value of a string, a java.lang wrapper or an enum
// constant, and false for everything else.
func Scalar(v any) (any, bool) {
	switch n := v.(type) {
	case *String, *Enum:
		return thaw(n), true
	case *Object:
		return unbox(n)
	case nil, string, bool, int8, int16, int32, int64, float32, float64, Char, EnumValue:
		return v, true
	}
	return nil, false
}
