package javaser

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"
)

// Freeze turns a Go value into what a Writer takes and nobody changes any more:
// scalars and strings stay what they are, nodes too, everything else becomes a
// tree of nodes. It fails for a value that has no Java form and names its type.
func Freeze(v any) (any, error) { return freeze(v, 0) }

func freeze(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, ErrLimit
	}
	switch v := v.(type) {
	case nil, string, bool, int8, int16, int32, int64, float32, float64, Char, EnumValue:
		return v, nil
	case *Object, *Array, *Enum, *String, *ClassRef, *Class:
		return v, nil
	case int:
		if v >= math.MinInt32 && v <= math.MaxInt32 {
			return int32(v), nil
		}
		return int64(v), nil
	case time.Time:
		return extra(classDate, Block(binary.BigEndian.AppendUint64(nil, uint64(v.UnixMilli())))), nil
	case UUID:
		return NewObject(classUUID, int64(binary.BigEndian.Uint64(v[8:])), int64(binary.BigEndian.Uint64(v[:8]))), nil
	case *big.Int:
		if v != nil {
			return bigInteger(v), nil
		}
	case *Decimal:
		if v != nil && v.Unscaled != nil {
			return NewObject(classBigDecimal, v.Scale, bigInteger(v.Unscaled)), nil
		}
	case []byte:
		return NewBytes(slices.Clone(v)), nil
	case []int32:
		a := &Array{Class: classInts}
		for _, n := range v {
			a.Data = binary.BigEndian.AppendUint32(a.Data, uint32(n))
		}
		return a, nil
	case []string:
		a := &Array{Class: classStrings}
		for _, s := range v {
			a.Elems = append(a.Elems, s)
		}
		return a, nil
	case ObjectArray:
		e, err := freezeAll(nil, v, depth)
		return &Array{Class: classObjects, Elems: e}, err
	case []any:
		return freezeList(v, depth)
	case map[string]any:
		return freezeStringMap(v, depth)
	case *Map:
		if v != nil {
			return freezeMap(v, depth)
		}
	case *Set:
		if v != nil {
			return freezeSet(v, depth)
		}
	}
	return nil, fmt.Errorf("type %T has no Java form", v)
}

// box makes the node of a scalar that stands where an object must.
func box(v any) any {
	switch v := v.(type) {
	case bool:
		return NewObject(classBoolean, v)
	case int8:
		return NewObject(classByte, v)
	case int16:
		return NewObject(classShort, v)
	case int32:
		return NewObject(classInteger, v)
	case int64:
		return NewObject(classLong, v)
	case float32:
		return NewObject(classFloat, v)
	case float64:
		return NewObject(classDouble, v)
	case Char:
		return NewObject(classCharacter, v)
	case EnumValue:
		return &Enum{
			Class: &Class{Name: v.Class, Flags: FlagSerializable | FlagEnum, Super: classEnum},
			Name:  &String{S: v.Name},
		}
	}
	return nil
}

// extra makes an object of a class whose last part wrote contents of its own.
func extra(c *Class, contents ...any) *Object {
	o := NewObject(c)
	o.Parts[len(o.Parts)-1].Extra = contents
	return o
}

func bigInteger(v *big.Int) *Object {
	return NewObject(classBigInteger, int32(-1), int32(-1), int32(-2), int32(-2), int32(v.Sign()), NewBytes(v.Bytes()))
}

func freezeAll(out []any, in []any, depth int) ([]any, error) {
	for _, e := range in {
		n, err := freeze(e, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func freezeList(v []any, depth int) (any, error) {
	e, err := freezeAll([]any{Block(be32(len(v)))}, v, depth)
	if err != nil {
		return nil, err
	}
	o := NewObject(classArrayList, int32(len(v)))
	o.Parts[0].Extra = e
	return o, nil
}

func freezeStringMap(v map[string]any, depth int) (any, error) {
	keys := make([]string, 0, len(v))
	for k := range v {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	m := &Map{}
	for _, k := range keys {
		m.Entries = append(m.Entries, Entry{k, v[k]})
	}
	return freezeMap(m, depth)
}

// buckets gives the table size of a HashMap that grew to n entries.
func buckets(n int) int {
	c := 16
	for n > c/4*3 {
		c *= 2
	}
	return c
}

func be32(n ...int) []byte {
	var b []byte
	for _, v := range n {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return b
}

func freezeMap(v *Map, depth int) (any, error) {
	size := buckets(len(v.Entries))
	e := []any{Block(be32(size, len(v.Entries)))}
	var err error
	for _, kv := range v.Entries {
		if e, err = freezeAll(e, []any{kv.Key, kv.Value}, depth); err != nil {
			return nil, err
		}
	}
	o := NewObject(classHashMap, float32(0.75), int32(size/4*3))
	if v.Linked {
		o = NewObject(classLinkedMap, float32(0.75), int32(size/4*3), v.AccessOrder)
	}
	o.Parts[0].Extra = e
	return o, nil
}

func freezeSet(v *Set, depth int) (any, error) {
	head := be32(buckets(len(v.Elems)), int(math.Float32bits(0.75)), len(v.Elems))
	e, err := freezeAll([]any{Block(head)}, v.Elems, depth)
	if err != nil {
		return nil, err
	}
	return extra(classHashSet, e...), nil
}
