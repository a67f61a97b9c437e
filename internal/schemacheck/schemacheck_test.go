package schemacheck

import (
	"strings"
	"testing"
)

const schema = `{"type": "object", "additionalProperties": false, "required": ["n"], "properties": {
	"n": {"type": "integer", "minimum": 1, "maximum": 3},
	"x": {"type": "number"},
	"w": {"anyOf": [{"enum": ["On"]}, {"type": "string", "pattern": "^o+$"}]},
	"l": {"type": "array", "items": {"$ref": "#/$defs/e"}},
	"t": {"type": "object", "additionalProperties": {"type": "string"}}},
	"$defs": {"e": {"type": "object", "additionalProperties": false, "properties": {"b": {"type": "boolean"}}}}}`

// TestValidator: each keyword lets the right through and nothing else.
func TestValidator(t *testing.T) {
	s, err := New([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ toml, want string }{
		{"n = 1\nx = 2\nw = 'On'\n[[l]]\nb = true\n[[l]]\n[t]\na = 'b'\n", ""},
		{"n = 1\nw = 'oo'\nl = [{b = false}]\nx = 1.5\n", ""},
		{"n = 0\n", ".n: 0 is too small"},
		{"n = 4\n", ".n: 4 is too large"},
		{"n = '1'\n", ".n: string, want integer"},
		{"x = true\n", ".x: boolean, want number; : n is missing"},
		{"n = 1\nw = 'x'\n", ".w: \"x\" does not match ^o+$; .w: x is none of [On]"},
		{"n = 1\n[l]\n", ".l: object, want array"},
		{"n = 1\n[[l]]\nc = 1\n", ".l[0].c: unknown key"},
		{"n = 1\n[t]\na = 1\n", ".t.a: integer, want string"},
		{"n = 1\ny = 1\n", ".y: unknown key"},
	} {
		if got := strings.Join(s.TOML([]byte(tt.toml)), "; "); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.toml, got, tt.want)
		}
	}
	for _, bad := range []string{`{"oneOf": []}`, `{"$ref": "#/$defs/x"}`, `{"properties": {"a": {"minLength": 1}}}`, `{"pattern": "("}`} {
		if _, err := New([]byte(bad)); err == nil {
			t.Errorf("%s is taken for a schema that is known", bad)
		}
	}
}
