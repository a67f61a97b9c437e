package native

import (
	"reflect"
	"testing"
)

// TestEveryKeyIsDescribed: a key without a sentence would be a hole in the schema
// and in docs/toml.md, and a described key that no struct has is a mistake in the
// tables.
func TestEveryKeyIsDescribed(t *testing.T) {
	used := map[string]bool{}
	for _, st := range Structs() {
		for _, k := range Keys(st) {
			used[st.Name()+"."+k.Key] = true
			if k.Doc == "" {
				t.Errorf("%s.%s has no sentence", st.Name(), k.Key)
			}
			if len(k.Words) > 0 && k.Type != reflect.TypeFor[string]() {
				t.Errorf("%s.%s of type %s has words", st.Name(), k.Key, k.Type)
			}
		}
	}
	for _, table := range []map[string]keyText{httpdKeys, tomcatKeys} {
		for name := range table {
			if name[0] != '*' && !used[name] {
				t.Errorf("%s is described, but there is no such key", name)
			}
		}
	}
	for name := range required {
		if !used[name] {
			t.Errorf("%s is required, but there is no such key", name)
		}
	}
	if len(used) < 300 {
		t.Errorf("only %d keys", len(used))
	}
}
