package model

import (
	"reflect"
	"testing"
)

// TestEveryFieldCanBeWrittenDown walks all types reachable from Setup: a field
// without a usable key would be lost by show and by the TOML.
func TestEveryFieldCanBeWrittenDown(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(st reflect.Type) {
		if st == nil || seen[st] {
			return
		}
		seen[st] = true
		keys := map[string]bool{}
		for _, f := range Fields(st) {
			if keys[f.Key] {
				t.Errorf("%s: key %q twice", st, f.Key)
			}
			keys[f.Key] = true
			if f.Kind == StructField || f.Kind == ArrayField {
				walk(f.Type)
			}
		}
		for i := range st.NumField() {
			sf := st.Field(i)
			if sf.Name != "At" && sf.Tag.Get("key") == "" {
				t.Errorf("%s.%s has no key tag", st, sf.Name)
			}
		}
	}
	walk(reflect.TypeFor[Setup]())
	if len(seen) < 30 {
		t.Errorf("only %d types reached", len(seen))
	}
}

func TestCompareSeesValuesAndOrigins(t *testing.T) {
	mk := func() *Setup {
		return &Setup{Nodes: []*Node{{Name: String{V: "s1", Origin: Written}, Port: Def(8005)}}}
	}
	a, b := mk(), mk()
	if d := Compare(a, b); len(d) != 0 {
		t.Fatalf("equal setups differ: %v", d)
	}
	b.Nodes[0].Port.Origin = Written
	if d := Compare(a, b); len(d) != 1 || d[0].Path != "node[0].port" {
		t.Fatalf("got %v, want one difference at node[0].port", d)
	}
}
