package model

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"clowder/parse/diag"
)

// FieldKind says how a field of the model is written down.
type FieldKind uint8

// The kinds of fields.
const (
	ScalarField FieldKind = iota + 1 // Value[T]
	ListField                        // []Value[string]
	StructField                      // *T
	ArrayField                       // []*T
	AttrsField                       // []*Attr
	TableField                       // []*Module: a table of name = file
)

// Field describes one keyed field of a model struct. It is derived from the key
// tags, so that show, the TOML writer and reader and the schema agree.
type Field struct {
	Key    string
	Kind   FieldKind
	Secret bool         // never print the value
	Type   reflect.Type // of a scalar: string, bool, int, float64, time.Duration; else the element struct
	Index  []int

	Default string // of a scalar, as in its default tag; "" for none
}

var fieldCache sync.Map // reflect.Type → []Field

// Fields lists the keyed fields of a model struct type in declaration order;
// inline structs are flattened. It panics on a type that the model may not hold:
// a mistake in this package, found by its tests.
func Fields(t reflect.Type) []Field {
	if f, ok := fieldCache.Load(t); ok {
		return f.([]Field)
	}
	fields := appendFields(nil, t, nil)
	fieldCache.Store(t, fields)
	return fields
}

func appendFields(out []Field, t reflect.Type, prefix []int) []Field {
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("key")
		if tag == "" || tag == "-" {
			continue
		}
		index := append(append([]int(nil), prefix...), i)
		if tag == ",inline" {
			out = appendFields(out, sf.Type, index)
			continue
		}
		f := Field{Key: tag, Index: index, Secret: sf.Tag.Get("secret") == "true", Default: sf.Tag.Get("default")}
		f.Kind, f.Type = kindOf(sf.Type)
		if f.Kind == 0 {
			panic(fmt.Sprintf("model: field %s.%s of type %s cannot be written down", t, sf.Name, sf.Type))
		}
		out = append(out, f)
	}
	return out
}

func kindOf(t reflect.Type) (FieldKind, reflect.Type) {
	switch t {
	case reflect.TypeFor[[]*Attr]():
		return AttrsField, nil
	case reflect.TypeFor[[]*Module]():
		return TableField, nil
	case reflect.TypeFor[[]String]():
		return ListField, reflect.TypeFor[string]()
	}
	if isValue(t) {
		return ScalarField, t.Field(0).Type
	}
	switch {
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		return StructField, t.Elem()
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Pointer:
		return ArrayField, t.Elem().Elem()
	}
	return 0, nil
}

func isValue(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.Name(), "Value[")
}

// AnyValue is a Value of any scalar type, for code that walks the model.
type AnyValue struct {
	V      any
	Origin Origin
	Span   diag.Span
}

// Any unpacks a reflected Value[T].
func Any(v reflect.Value) AnyValue {
	return AnyValue{v.Field(0).Interface(), v.Field(1).Interface().(Origin), v.Field(2).Interface().(diag.Span)}
}

// SetAny fills a reflected Value[T]; x must be of its scalar type.
func SetAny(v reflect.Value, x any, at diag.Span) {
	v.Field(0).Set(reflect.ValueOf(x))
	v.Field(1).Set(reflect.ValueOf(Written))
	v.Field(2).Set(reflect.ValueOf(at))
}

// PlaceOf returns the At field of a reflected model struct, or no place.
func PlaceOf(v reflect.Value) diag.Span {
	if f := v.FieldByName("At"); f.IsValid() {
		return f.Interface().(diag.Span)
	}
	return diag.Span{}
}

// FormatDuration prints a duration as httpd reads it back: "60s", "500ms".
func FormatDuration(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	if d%time.Millisecond == 0 {
		return fmt.Sprintf("%dms", d/time.Millisecond)
	}
	return d.String()
}

// FormatScalar prints the scalar of a Value for people.
func FormatScalar(v any) string {
	if d, ok := v.(time.Duration); ok {
		return FormatDuration(d)
	}
	return fmt.Sprint(v)
}
