// Package native writes a setup as TOML, the format that clowder keeps: the
// names are those of httpd and Tomcat, and defaults are left out. Package
// parse/native reads it back; docs/toml.md describes it.
package native

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

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

const head = `# A setup of httpd and Tomcat for clowder. Names are those of the two servers;
# what is not written here has the servers' own default.
`

// render writes one file. The order is that of the model, what has no field last;
// the same setup gives the same bytes. There is no note for what the TOML says
// exactly, which is all but what notes lists.
func render(s *model.Setup, o target.Options) (*target.Result, error) {
	w := &writer{provenance: o.Provenance}
	w.buf.WriteString(head)
	w.table("", "", reflect.ValueOf(s).Elem())
	if w.err != nil {
		return nil, w.err
	}
	return &target.Result{
		Files: []target.File{{Name: "clowder.toml", Data: w.buf.Bytes(), Private: w.private}},
		Notes: notes(s),
	}, nil
}

type writer struct {
	buf        bytes.Buffer
	provenance bool
	private    bool // a secret was written
	depth      int
	err        error // nothing more is written then
}

// maxDepth is how deep tables may be nested: each writes the names of all around
// it, and the reader follows no more than 100.
const maxDepth = 64

// down goes into a table; the caller goes up again. False: it must not be written.
func (w *writer) down(at diag.Span) bool {
	if w.depth++; w.depth > maxDepth && w.err == nil {
		w.err = fmt.Errorf("%s: this is nested more than %d deep, too deep for TOML", at, maxDepth)
	}
	return w.err == nil
}

// line writes one line, with the place of its value when that was asked for.
func (w *writer) line(text string, at diag.Span) {
	w.private = w.private || diag.HideSecrets(text) != text
	w.buf.WriteString(text)
	if w.provenance && at.IsValid() {
		w.buf.WriteString(" # ")
		w.buf.WriteString(placeText(at))
	}
	w.buf.WriteByte('\n')
}

// placeText is a place for a comment, which must not end its line.
func placeText(at diag.Span) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7F {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(at.Short(), "?"))
}

// table writes the scalars of a struct, then its sub-tables under path; key is the
// last part of that.
func (w *writer) table(path, key string, v reflect.Value) {
	fields := model.Fields(v.Type())
	_, component := v.Addr().Interface().(*model.Component)
	for _, f := range fields {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			if component && f.Key == "element" && model.Any(fv).V == model.ImpliedElement(key) {
				continue
			}
			w.scalar(f, fv)
		case model.ListField:
			w.list(f.Key, fv)
		case model.AttrsField:
			w.attributes(f.Key, fv.Interface().([]*model.Attr), component)
		}
	}
	for _, f := range fields {
		if !isExtra(f) {
			w.subTable(join(path, f.Key), f, v.FieldByIndex(f.Index))
		}
	}
	for _, f := range fields {
		if isExtra(f) {
			w.subTable(join(path, f.Key), f, v.FieldByIndex(f.Index))
		}
	}
}

// isExtra reports whether the field holds what has none: it comes last.
func isExtra(f model.Field) bool { return f.Type == reflect.TypeFor[model.Directive]() }

func (w *writer) subTable(path string, f model.Field, v reflect.Value) {
	defer func(depth int) { w.depth = depth }(w.depth)
	switch f.Kind {
	case model.StructField:
		if !v.IsNil() && w.down(model.PlaceOf(v.Elem())) {
			w.header("["+path+"]", model.PlaceOf(v.Elem()))
			w.table(path, f.Key, v.Elem())
		}
	case model.ArrayField:
		if v.Len() == 0 || !w.down(model.PlaceOf(v.Index(0).Elem())) {
			return
		}
		for i := range v.Len() {
			el := v.Index(i).Elem()
			w.header("[["+path+"]]", model.PlaceOf(el))
			if d, ok := el.Addr().Interface().(*model.Directive); ok {
				w.secretWords(d)
			}
			w.table(path, f.Key, el)
		}
	case model.TableField:
		w.modules(path, v.Interface().([]*model.Module))
	}
}

// secretWords looks for secrets that stand behind the name of a directive, such as
// AuthLDAPBindPassword.
func (w *writer) secretWords(d *model.Directive) {
	for i := range d.Args {
		text := d.Name.V + `="` + d.Arg(i) + `"`
		w.private = w.private || diag.HideSecrets(text) != text
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (w *writer) header(text string, at diag.Span) {
	w.buf.WriteByte('\n')
	w.line(text, at)
}

// inferredKeys are what is written although no file says it: it was concluded from
// the names and the rest of the files, which the TOML does not have.
var inferredKeys = map[string]bool{"name": true, "version": true, "path": true}

// stated reports whether a value must be written.
func stated(key string, v model.AnyValue) bool {
	return v.Origin == model.Written || v.Origin == model.Inferred && inferredKeys[key]
}

func (w *writer) scalar(f model.Field, fv reflect.Value) {
	v := model.Any(fv)
	if !stated(f.Key, v) {
		return
	}
	w.private = w.private || f.Secret && v.V != ""
	w.line(quoteKey(f.Key)+" = "+quoteScalar(v.V), v.Span)
}

// list writes an array in one line; with provenance one value in each line when
// they come from several.
func (w *writer) list(key string, fv reflect.Value) {
	if fv.Len() == 0 {
		return
	}
	items := make([]model.AnyValue, fv.Len())
	texts := make([]string, fv.Len())
	spread := false
	for i := range items {
		items[i] = model.Any(fv.Index(i))
		texts[i] = quoteScalar(items[i].V)
		spread = spread || w.provenance && items[i].Span.Short() != items[0].Span.Short()
	}
	if !spread {
		w.line(quoteKey(key)+" = ["+strings.Join(texts, ", ")+"]", items[0].Span)
		return
	}
	w.line(quoteKey(key)+" = [", diag.Span{})
	for i, text := range texts {
		w.line("  "+text+",", items[i].Span)
	}
	w.line("]", diag.Span{})
}

// attributes writes name = "value" pairs: straight into the table of a component,
// below their key elsewhere and when a component has a key of that name.
func (w *writer) attributes(key string, attrs []*model.Attr, component bool) {
	for _, a := range attrs {
		name := quoteKey(a.Name)
		if !component || reserved(a.Name) {
			name = key + "." + name
		}
		w.line(name+" = "+quoteString(a.Value.V), a.At)
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

// modules writes what is loaded: a table holds no key twice, and httpd takes the
// first line of several for one module.
func (w *writer) modules(path string, mods []*model.Module) {
	if len(mods) == 0 {
		return
	}
	w.header("["+path+"]", mods[0].At)
	for _, m := range model.LoadedModules(mods) {
		w.line(quoteKey(m.Name.V)+" = "+quoteString(m.File.V), m.At)
	}
}
