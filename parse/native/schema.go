package native

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
)

// object is a part of a JSON Schema.
type object = map[string]any

// Schema returns the JSON Schema (draft 2020-12) of clowder.toml, indented, with a
// line end. It says what [Parse] accepts, made from the same tables.
func Schema() []byte {
	defs := object{"duration": object{
		"description": `A time such as "60s", "500ms" or "1h30m", or a whole number of seconds.`,
		"anyOf": []any{
			object{"type": "string", "pattern": `^[+-]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`},
			object{"type": "integer", "minimum": 0},
		},
	}}
	for _, t := range Structs()[1:] {
		defs[t.Name()] = structSchema(t)
	}
	root := structSchema(reflect.TypeFor[model.Setup]())
	properties := root["properties"].(object)
	for _, s := range rootKeys {
		properties[s.key] = s.schema()
	}
	lint := settingsSchema(lintKeys)
	lint["description"] = properties["lint"].(object)["description"]
	ignore := settingsSchema(ignoreKeys)
	ignore["required"] = ignoreRequired
	lint["properties"].(object)["ignore"].(object)["items"] = ignore
	properties["lint"] = lint
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "clowder.toml"
	root["description"] = "A setup of Apache httpd and Tomcat, and settings of clowder. A file has one of them, or both."
	root["$defs"] = defs
	return marshal(root)
}

func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		panic(err) // of maps, lists and texts only
	}
	return b.Bytes()
}

func settingsSchema(list []setting) object {
	properties := object{}
	for _, s := range list {
		properties[s.key] = s.schema()
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

func (s setting) schema() object {
	text := object{"type": "string"}
	if s.words != "" {
		text["enum"] = strings.Split(s.words, "|")
	}
	out := object{"description": s.doc}
	switch s.kind {
	case textSetting:
		for k, v := range text {
			out[k] = v
		}
	case listSetting:
		out["type"], out["items"] = "array", text
	case tableSetting:
		out["type"], out["additionalProperties"] = "object", text
	case arraySetting:
		out["type"] = "array"
	}
	return out
}

// structSchema is the schema of a table.
func structSchema(t reflect.Type) object {
	properties := object{}
	var needed []string
	for _, k := range Keys(t) {
		properties[k.Key] = k.schema()
		if k.Required {
			needed = append(needed, k.Key)
		}
	}
	out := object{"type": "object", "additionalProperties": false, "properties": properties}
	if t == reflect.TypeFor[model.Component]() {
		out["additionalProperties"] = object{"type": "string"}
	}
	if needed != nil {
		out["required"] = needed
	}
	return out
}

func (k Key) schema() object {
	out := object{"description": k.description()}
	ref := object{}
	if k.Type != nil {
		ref["$ref"] = "#/$defs/" + k.Type.Name()
	}
	switch k.Kind {
	case model.ScalarField:
		k.scalarSchema(out)
	case model.ListField:
		out["type"], out["items"] = "array", object{"type": "string"}
	case model.StructField:
		out["$ref"] = ref["$ref"]
	case model.ArrayField:
		out["type"], out["items"] = "array", ref
	case model.AttrsField, model.TableField:
		out["type"], out["additionalProperties"] = "object", object{"type": "string"}
	}
	return out
}

func (k Key) description() string {
	if k.Counterpart == "" {
		return k.Doc
	}
	return k.Doc + " (" + k.Counterpart + ")"
}

func (k Key) scalarSchema(out object) {
	switch k.Type {
	case reflect.TypeFor[string]():
		switch {
		case k.Open:
			out["anyOf"] = []any{object{"enum": k.Words}, object{"type": "string"}}
		case k.Words != nil:
			out["anyOf"] = []any{object{"enum": k.Words}, object{"type": "string", "pattern": anyCase(k.Words)}}
		default:
			out["type"] = "string"
		}
	case reflect.TypeFor[bool]():
		out["type"] = "boolean"
	case reflect.TypeFor[int]():
		out["type"], out["minimum"], out["maximum"] = "integer", minInt, maxInt
	case reflect.TypeFor[float64]():
		out["type"] = "number"
	case reflect.TypeFor[time.Duration]():
		out["$ref"] = "#/$defs/duration"
	}
	if d, ok := k.typedDefault(); ok {
		out["default"] = d
	}
}

// typedDefault is the default as a value of TOML.
func (k Key) typedDefault() (any, bool) {
	switch k.Type {
	case reflect.TypeFor[bool]():
		b, err := strconv.ParseBool(k.DefaultText)
		return b, err == nil
	case reflect.TypeFor[int]():
		n, err := strconv.Atoi(k.DefaultText)
		return n, err == nil
	case reflect.TypeFor[float64]():
		x, err := strconv.ParseFloat(k.DefaultText, 64)
		return x, err == nil
	}
	return k.Default, k.Default != ""
}

// anyCase is a regular expression for one of the words in any case of letters;
// those of JSON Schema have no flag for that.
func anyCase(words []string) string {
	var b strings.Builder
	b.WriteString("^(")
	for i, w := range words {
		if i > 0 {
			b.WriteByte('|')
		}
		for _, r := range w {
			if low, up := strings.ToLower(string(r)), strings.ToUpper(string(r)); low != up {
				b.WriteString("[" + up + low + "]")
			} else {
				b.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
	}
	b.WriteString(")$")
	return b.String()
}

// Structs lists the types below a setup in the order in which they are first used,
// beginning with [model.Setup].
func Structs() []reflect.Type {
	var out []reflect.Type
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		out = append(out, t)
		for _, f := range model.Fields(t) {
			if f.Kind == model.StructField || f.Kind == model.ArrayField {
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[model.Setup]())
	return out
}
