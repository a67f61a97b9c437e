// Package native writes a setup as TOML, the format that clowder keeps: the
// names are those of httpd and Tomcat, defaults are left out, and each block
// says which file and line it came from. Package parse/native reads it back.
package native

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/target"
)

// Target writes clowder.toml.
var Target = target.Target{
	Name:   "toml",
	Doc:    "clowder's own format, complete and meant to be kept",
	Render: render,
}

func render(s *model.Setup, o target.Options) (*target.Result, error) {
	w := &writer{provenance: o.Provenance}
	w.buf.WriteString("# A setup of httpd and Tomcat for clowder. Names are those of the two servers;\n" +
		"# what is not written here has the servers' own default.\n")
	w.table("", reflect.ValueOf(s).Elem())
	res := &target.Result{Files: []target.File{{Name: "clowder.toml", Data: w.buf.Bytes()}}}
	res.Notes = dropped(s)
	return res, nil
}

// dropped has a note for everything that neither a field of the model nor a kept
// directive holds.
func dropped(s *model.Setup) []target.Note {
	kept := map[diag.Span]bool{} // by file and end: the list of the others may be without indents
	end := func(at diag.Span) diag.Span { return diag.Span{File: at.File, End: at.End} }
	var add func(list []*model.Directive)
	add = func(list []*model.Directive) {
		for _, d := range list {
			kept[end(d.At)] = true
			add(d.Children)
		}
	}
	for _, f := range s.FrontEnds {
		for _, srv := range append([]*model.Server{f.Main}, f.VHosts...) {
			if srv == nil {
				continue
			}
			add(srv.Settings.Extras)
			for _, sec := range srv.Sections {
				add(sec.Settings.Extras)
			}
		}
	}
	var notes []target.Note
	for _, u := range s.Unmapped {
		if !kept[end(u.Span)] {
			notes = append(notes, target.Note{Loss: target.Dropped, ID: "unmapped", Security: u.Guard || u.FileGuard, Span: u.Span, Fact: u.What, Message: "It has no place in the TOML."})
		}
	}
	return notes
}

type writer struct {
	buf        bytes.Buffer
	provenance bool
}

// table writes the scalars of a struct, then its sub-tables under path.
func (w *writer) table(path string, v reflect.Value) {
	fields := model.Fields(v.Type())
	for _, f := range fields {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			w.scalar(f.Key, fv)
		case model.ListField:
			w.list(f.Key, fv)
		case model.AttrsField:
			w.attributes(f.Key, fv.Interface().([]*model.Attr), v.Type() == reflect.TypeFor[model.Component]())
		}
	}
	for _, f := range fields {
		fv := v.FieldByIndex(f.Index)
		sub := join(path, f.Key)
		switch f.Kind {
		case model.StructField:
			if !fv.IsNil() {
				w.header("[", sub, "]", model.PlaceOf(fv.Elem()))
				w.table(sub, fv.Elem())
			}
		case model.ArrayField:
			for i := range fv.Len() {
				el := fv.Index(i).Elem()
				w.header("[[", sub, "]]", model.PlaceOf(el))
				w.table(sub, el)
			}
		case model.TableField:
			w.modules(sub, fv.Interface().([]*model.Module))
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (w *writer) header(open, path, end string, at diag.Span) {
	w.buf.WriteByte('\n')
	if at.IsValid() {
		fmt.Fprintf(&w.buf, "# %s\n", at.Short())
	}
	fmt.Fprintf(&w.buf, "%s%s%s\n", open, path, end)
}

// stated reports whether a value must be written: it stands in a source file, or
// it was inferred and is the name that other places refer to.
func stated(key string, v model.AnyValue) bool {
	return v.Origin == model.Written || v.Origin == model.Inferred && key == "name"
}

func (w *writer) scalar(key string, fv reflect.Value) {
	v := model.Any(fv)
	if stated(key, v) {
		fmt.Fprintf(&w.buf, "%s = %s%s\n", quoteKey(key), quoteScalar(v.V), w.comment(v.Span))
	}
}

func (w *writer) comment(at diag.Span) string {
	if !w.provenance || !at.IsValid() {
		return ""
	}
	return " # " + at.Short()
}

func (w *writer) list(key string, fv reflect.Value) {
	if fv.Len() == 0 {
		return
	}
	items := make([]string, fv.Len())
	var at diag.Span
	for i := range items {
		v := model.Any(fv.Index(i))
		items[i] = quoteScalar(v.V)
		if i == 0 {
			at = v.Span
		}
	}
	fmt.Fprintf(&w.buf, "%s = [%s]%s\n", quoteKey(key), strings.Join(items, ", "), w.comment(at))
}

// attributes writes name = "value" pairs: straight into the table of a component,
// as an inline table elsewhere.
func (w *writer) attributes(key string, attrs []*model.Attr, flat bool) {
	if len(attrs) == 0 {
		return
	}
	var nested []string
	for _, a := range attrs {
		pair := quoteKey(a.Name) + " = " + quoteString(a.Value.V)
		if flat && !reserved(a.Name) {
			w.buf.WriteString(pair + w.comment(a.At) + "\n")
			continue
		}
		nested = append(nested, pair)
	}
	if nested != nil {
		fmt.Fprintf(&w.buf, "%s = { %s }\n", quoteKey(key), strings.Join(nested, ", "))
	}
}

// reserved reports whether a component's attribute would collide with a key of the component itself.
func reserved(name string) bool {
	for _, f := range model.Fields(reflect.TypeFor[model.Component]()) {
		if f.Key == name {
			return true
		}
	}
	return false
}

func (w *writer) modules(path string, mods []*model.Module) {
	if len(mods) == 0 {
		return
	}
	w.header("[", path, "]", mods[0].At)
	for _, m := range mods {
		fmt.Fprintf(&w.buf, "%s = %s%s\n", quoteKey(m.Name.V), quoteString(m.File.V), w.comment(m.At))
	}
}

func quoteKey(k string) string {
	for _, r := range k {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return quoteString(k)
		}
	}
	if k == "" {
		return `""`
	}
	return k
}

func quoteScalar(v any) string {
	switch v := v.(type) {
	case string:
		return quoteString(v)
	case time.Duration:
		return `"` + model.FormatDuration(v) + `"`
	case float64:
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return fmt.Sprint(v)
}

// quoteString prefers a literal string where a basic one would need escapes.
func quoteString(s string) string {
	plain := true
	for _, r := range s {
		if r < 0x20 || r == 0x7F || r == 0xFFFD {
			plain = false
		}
	}
	if plain && strings.ContainsAny(s, `"\`) && !strings.Contains(s, "'") {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20 || r == 0x7F:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
