// Package schemacheck validates values of TOML by a JSON Schema, for tests. It
// knows the keywords that clowder's schema uses and refuses a schema with others.
package schemacheck

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	root     map[string]any
	patterns map[string]*regexp.Regexp
}

// annotations say nothing about what is valid.
var annotations = map[string]bool{"$schema": true, "$defs": true, "title": true, "description": true, "default": true}

// New reads a schema.
func New(data []byte) (*Schema, error) {
	s := &Schema{patterns: map[string]*regexp.Regexp{}}
	if err := json.Unmarshal(data, &s.root); err != nil {
		return nil, err
	}
	defs, _ := s.root["$defs"].(map[string]any)
	for name, d := range defs {
		if err := s.check("$defs/"+name, d); err != nil {
			return nil, err
		}
	}
	return s, s.check("", s.root)
}

// check looks for keywords that are not known, references that lead nowhere and
// bad regular expressions.
func (s *Schema) check(path string, v any) error {
	node, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s: no schema", path)
	}
	for k, x := range node {
		var err error
		switch k {
		case "$ref":
			_, err = s.resolve(x.(string))
		case "pattern":
			s.patterns[x.(string)], err = regexp.Compile(x.(string))
		case "properties":
			for name, p := range x.(map[string]any) {
				if e := s.check(path+"/"+name, p); e != nil {
					err = e
				}
			}
		case "items":
			err = s.check(path+"/items", x)
		case "anyOf":
			for _, p := range x.([]any) {
				if e := s.check(path+"/anyOf", p); e != nil {
					err = e
				}
			}
		case "additionalProperties":
			if _, plain := x.(bool); !plain {
				err = s.check(path+"/*", x)
			}
		case "type", "enum", "required", "minimum", "maximum":
		default:
			if !annotations[k] {
				err = fmt.Errorf("%s: unknown keyword %q", path, k)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) resolve(ref string) (map[string]any, error) {
	name, ok := strings.CutPrefix(ref, "#/$defs/")
	defs, _ := s.root["$defs"].(map[string]any)
	d, found := defs[name].(map[string]any)
	if !ok || !found {
		return nil, fmt.Errorf("%s leads nowhere", ref)
	}
	return d, nil
}

// TOML validates a file and returns what is wrong, in a stable order.
func (s *Schema) TOML(data []byte) []string {
	var v map[string]any
	if _, err := toml.Decode(string(data), &v); err != nil {
		return []string{err.Error()}
	}
	return s.value("", v, s.root)
}

func (s *Schema) value(path string, v any, node map[string]any) []string {
	var out []string
	wrong := func(format string, args ...any) { out = append(out, path+": "+fmt.Sprintf(format, args...)) }
	if ref, ok := node["$ref"].(string); ok {
		d, _ := s.resolve(ref)
		out = append(out, s.value(path, v, d)...)
	}
	if want, ok := node["type"].(string); ok && kind(v) != want && !(want == "number" && kind(v) == "integer") {
		wrong("%s, want %s", kind(v), want)
		return out
	}
	if list, ok := node["enum"].([]any); ok && !contains(list, v) {
		wrong("%v is none of %v", v, list)
	}
	if p, ok := node["pattern"].(string); ok {
		if text, ok := v.(string); ok && !s.patterns[p].MatchString(text) {
			wrong("%q does not match %s", text, p)
		}
	}
	if n, ok := v.(int64); ok {
		if least, ok := node["minimum"].(float64); ok && float64(n) < least {
			wrong("%d is too small", n)
		}
		if most, ok := node["maximum"].(float64); ok && float64(n) > most {
			wrong("%d is too large", n)
		}
	}
	if list, ok := node["anyOf"].([]any); ok {
		out = append(out, s.any(path, v, list)...)
	}
	switch v := v.(type) {
	case map[string]any:
		out = append(out, s.object(path, v, node)...)
	case []map[string]any:
		for i, x := range v {
			out = append(out, s.item(path, i, x, node)...)
		}
	case []any:
		for i, x := range v {
			out = append(out, s.item(path, i, x, node)...)
		}
	}
	return out
}

func (s *Schema) any(path string, v any, list []any) []string {
	var first []string
	for _, p := range list {
		problems := s.value(path, v, p.(map[string]any))
		if problems == nil {
			return nil
		}
		first = append(first, problems...)
	}
	return first
}

func (s *Schema) item(path string, i int, v any, node map[string]any) []string {
	if items, ok := node["items"].(map[string]any); ok {
		return s.value(fmt.Sprintf("%s[%d]", path, i), v, items)
	}
	return nil
}

func (s *Schema) object(path string, v, node map[string]any) []string {
	var out []string
	properties, _ := node["properties"].(map[string]any)
	for k, x := range v {
		at := path + "." + k
		if p, ok := properties[k].(map[string]any); ok {
			out = append(out, s.value(at, x, p)...)
			continue
		}
		switch rest := node["additionalProperties"].(type) {
		case bool:
			if !rest {
				out = append(out, at+": unknown key")
			}
		case map[string]any:
			out = append(out, s.value(at, x, rest)...)
		}
	}
	if needed, ok := node["required"].([]any); ok {
		for _, k := range needed {
			if _, ok := v[k.(string)]; !ok {
				out = append(out, fmt.Sprintf("%s: %s is missing", path, k))
			}
		}
	}
	sort.Strings(out)
	return out
}

func contains(list []any, v any) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

// kind is the type of a TOML value in the words of JSON Schema.
func kind(v any) string {
	switch v.(type) {
	case string, time.Time:
		return "string"
	case bool:
		return "boolean"
	case int64:
		return "integer"
	case float64:
		return "number"
	case map[string]any:
		return "object"
	case []any, []map[string]any:
		return "array"
	}
	return fmt.Sprintf("%T", v)
}
