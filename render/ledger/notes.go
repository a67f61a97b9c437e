package ledger

import (
	"reflect"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/target"
)

// Notes walks the parts of the model that the target is about and returns a note
// for each written fact in them, then the notes that were added. A fact that
// nobody marked and whose value says something is dropped. roots are pointers to
// structs of the model, or lists of such; facts at one place count once.
func (l *Ledger) Notes(roots ...any) []target.Note {
	w := &walker{l: l, done: map[diag.Span]bool{}}
	for _, r := range roots {
		v := reflect.ValueOf(r)
		if v.Kind() == reflect.Slice {
			for i := range v.Len() {
				w.structs(v.Index(i).Elem())
			}
			continue
		}
		if !v.IsNil() {
			w.structs(v.Elem())
		}
	}
	return append(w.notes, l.extra...)
}

type walker struct {
	l     *Ledger
	notes []target.Note
	done  map[diag.Span]bool
}

// structs notes a struct and what is below it. A struct that is one directive is
// one fact.
func (w *walker) structs(v reflect.Value) {
	t := v.Type()
	if r, ok := v.Addr().Interface().(*model.Require); ok && len(r.Args) == 0 {
		w.group(r)
		return
	}
	if isUnit(t) {
		w.unit(v)
		return
	}
	k, _ := v.Addr().Interface().(*model.Component)
	for _, f := range model.Fields(t) {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			if k != nil && f.Key == "element" && (k.Class.IsWritten() || len(k.Attrs) > 0) {
				continue // its class and attributes tell what became of it
			}
			if x := model.Any(fv); x.Origin == model.Written {
				w.note(x.Span, areaOf(t, f.Key), t.Name()+"."+f.Key, factText(t, f, x.V), isNeutral(t, f.Key, x.V))
			}
		case model.ListField:
			for i := range fv.Len() {
				x := model.Any(fv.Index(i))
				w.note(x.Span, areaOf(t, f.Key), t.Name()+"."+f.Key, factText(t, f, x.V), false)
			}
		case model.StructField:
			if !fv.IsNil() {
				w.structs(fv.Elem())
			}
		case model.ArrayField:
			for i := range fv.Len() {
				w.structs(fv.Index(i).Elem())
			}
		case model.AttrsField:
			for i := range fv.Len() {
				a := fv.Index(i).Interface().(*model.Attr)
				w.note(a.At, areaOf(t, "attributes"), "Attr."+a.Name, diag.HideSecrets(a.Name+"="+strconv.Quote(a.Value.V)), false)
			}
		}
	}
}

// group notes the lines of a group of Require lines, and the group where it is written.
func (w *walker) group(r *model.Require) {
	if r.Group.IsWritten() {
		w.note(r.At, "access", "Require", Describe(r), len(r.Children) == 0)
	}
	for _, c := range r.Children {
		w.structs(reflect.ValueOf(c).Elem())
	}
}

// unit notes a directive that is one fact: at its own place, or by the worst fate
// of its words.
func (w *walker) unit(v reflect.Value) {
	at := model.PlaceOf(v)
	if !at.IsValid() {
		return
	}
	for _, p := range structPlaces(nil, v) {
		if f, ok := w.l.fates[p]; ok && p != at {
			w.l.markPlace(f, at)
		}
		if p != at {
			w.done[p] = true
		}
	}
	t := v.Type()
	area := areas[t.Name()]
	if d, ok := v.Addr().Interface().(*model.Directive); ok {
		area = directiveArea(d)
	}
	neutral := false
	if m, ok := v.Addr().Interface().(*model.Mapping); ok {
		neutral = m.Target.V == "" // a ProxyPass without a target is an error that lint reports
	}
	w.note(at, area, t.Name(), Describe(v.Addr().Interface()), neutral)
}

func (w *walker) note(at diag.Span, area, field, fact string, neutral bool) {
	if !at.IsValid() || w.done[at] {
		return
	}
	w.done[at] = true
	f, marked := w.l.fates[at]
	if !marked && !neutral {
		f = fate{loss: target.Dropped}
	}
	if f.loss == target.Exact && silent[field] {
		return
	}
	if f.area != "" {
		area = f.area
	}
	n := target.Note{Loss: f.loss, ID: area, Span: trimIndent(at), Fact: fact, Message: f.message, Means: f.means, Security: f.security}
	if f.loss >= target.Dropped {
		n.Security = n.Security || f.loss == target.Dropped && guards[area]
		if n.Message == "" {
			n.Message = "there is nothing like it in " + w.l.target
		}
		if n.Means == "" {
			n.Means = w.l.means[field]
		}
		if n.Means == "" {
			n.Means = w.l.means[area]
		}
	}
	w.notes = append(w.notes, n)
}

// units are the structs that are one directive of httpd each.
var units = map[reflect.Type]bool{
	reflect.TypeFor[model.Listen](): true, reflect.TypeFor[model.Log](): true,
	reflect.TypeFor[model.RewriteRule](): true, reflect.TypeFor[model.Reverse](): true, reflect.TypeFor[model.HeaderRule](): true,
	reflect.TypeFor[model.Env](): true, reflect.TypeFor[model.ErrorDoc](): true, reflect.TypeFor[model.Redirect](): true,
	reflect.TypeFor[model.Alias](): true, reflect.TypeFor[model.Directive](): true, reflect.TypeFor[model.Require](): true,
	reflect.TypeFor[model.Mapping](): true,
}

func isUnit(t reflect.Type) bool {
	return units[t] || t == reflect.TypeFor[model.Attr]() || t == reflect.TypeFor[model.Module]()
}

// Describe writes a directive of the model as it stands in httpd's files, on one
// line and without secrets.
func Describe(x any) string {
	var words []string
	add := func(list ...string) {
		for _, w := range list {
			if w != "" {
				words = append(words, model.QuoteWord(w))
			}
		}
	}
	choose := func(yes bool, a, b string) string {
		if yes {
			return a
		}
		return b
	}
	switch x := x.(type) {
	case *model.Listen:
		addr := x.Address.V
		if strings.Contains(addr, ":") {
			addr = "[" + addr + "]"
		}
		if addr != "" {
			addr += ":"
		}
		add("Listen", addr+strconv.Itoa(x.Port.V), x.Protocol.V)
	case *model.Log:
		add(choose(x.File.IsSet(), "CustomLog", "LogFormat"), x.File.V, x.Format.V, x.Name.V, x.Cond.V)
	case *model.RewriteRule:
		add("RewriteRule", x.Pattern.V, x.Target.V)
		if x.Flags.V != "" {
			words = append(words, "["+x.Flags.V+"]")
		}
	case *model.Reverse:
		add("ProxyPassReverse", x.From.V, x.To.V)
	case *model.HeaderRule:
		add(choose(x.Request.V, "RequestHeader", "Header"), choose(x.Always.V, "always", ""), x.Action.V, x.Name.V)
		if x.Value.V != "" {
			if strings.HasPrefix(x.Action.V, "edit") {
				words = append(words, x.Value.V)
			} else {
				add(x.Value.V)
			}
		}
		add(x.Cond.V)
	case *model.Env:
		add(x.Directive.V)
		for _, a := range x.Args {
			add(a.V)
		}
	case *model.ErrorDoc:
		add("ErrorDocument", strconv.Itoa(x.Status.V), x.Document.V)
	case *model.Redirect:
		add(choose(x.Regex.V, "RedirectMatch", "Redirect"), choose(x.Status.IsSet(), strconv.Itoa(x.Status.V), ""), x.Path.V, x.Target.V)
	case *model.Alias:
		add(choose(x.Script.V, "Script", "")+"Alias"+choose(x.Regex.V, "Match", ""), x.Path.V, x.File.V)
	case *model.Mapping:
		add("ProxyPass"+choose(x.Regex.V, "Match", ""), x.Path.V, x.Target.V)
	case *model.Require:
		return describeRequire(x)
	case *model.Directive:
		add(x.Name.V)
		for _, a := range x.Args {
			add(a.V)
		}
		if x.Section.V {
			return diag.HideSecrets("<" + strings.Join(words, " ") + ">")
		}
	default:
		panic("ledger: no description of " + reflect.TypeOf(x).String())
	}
	return diag.HideSecrets(strings.Join(words, " "))
}

func describeRequire(r *model.Require) string {
	if len(r.Args) == 0 {
		if r.Group.IsWritten() {
			return "<Require" + strings.ToUpper(r.Group.V[:1]) + r.Group.V[1:] + ">"
		}
		if len(r.Children) > 0 {
			return describeRequire(r.Children[0])
		}
		return "Require"
	}
	words := []string{"Require"}
	if r.Not.V {
		words = append(words, "not")
	}
	for _, a := range r.Args {
		words = append(words, model.QuoteWord(a.V))
	}
	return strings.Join(words, " ")
}

// trimIndent moves the start of a place past the blanks of its line.
func trimIndent(s diag.Span) diag.Span {
	for s.Start < s.End && (s.File.Data[s.Start] == ' ' || s.File.Data[s.Start] == '\t') {
		s.Start++
	}
	return s
}
