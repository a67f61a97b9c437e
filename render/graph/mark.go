package graph

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"sort"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// anchor is a place in a file and what shows the findings there.
type anchor struct {
	start, end int32
	owners     []*Marks
}

// place puts each finding on the thing whose words it is about: the last one that
// begins before it in its file, on its line if there is one.
func (b *builder) place(findings diag.List) {
	if len(findings) == 0 {
		return
	}
	w := walker{b: b, anchors: map[*diag.File][]anchor{}}
	for _, fe := range b.setup.FrontEnds {
		w.object(reflect.ValueOf(fe), nil)
	}
	for _, n := range b.setup.Nodes {
		w.object(reflect.ValueOf(n), nil)
	}
	for f := range w.anchors {
		slices.SortStableFunc(w.anchors[f], func(a, b anchor) int {
			return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end))
		})
	}
	for i := range findings {
		d := &findings[i]
		for _, m := range nearest(w.anchors[d.Span.File], d.Span) {
			m.add(d)
		}
	}
}

// nearest returns the owners of a place; the anchors are in order.
func nearest(list []anchor, at diag.Span) []*Marks {
	if len(list) == 0 {
		return nil
	}
	behind := sort.Search(len(list), func(i int) bool { return list[i].start > at.Start })
	if behind == 0 {
		return list[0].owners
	}
	before := list[behind-1]
	if before.end <= at.Start && behind < len(list) {
		line := func(offset int32) int { return at.File.Line(int(offset)) }
		if here := line(at.Start); line(before.start) != here && line(list[behind].start) == here {
			return list[behind].owners
		}
	}
	return before.owners
}

func (m *Marks) add(d *diag.Diagnostic) { m.join(Mark{d.ID, d.Severity, 1}) }

// join adds a mark to that of its rule, and keeps the worst first.
func (m *Marks) join(k Mark) {
	if i := slices.IndexFunc(*m, func(o Mark) bool { return o.ID == k.ID }); i >= 0 {
		(*m)[i].Count += k.Count
		(*m)[i].Severity = max((*m)[i].Severity, k.Severity)
	} else {
		*m = append(*m, k)
	}
	slices.SortStableFunc(*m, func(a, b Mark) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(a.ID, b.ID))
	})
}

// worst returns the highest severity, 0 for none.
func (m Marks) worst() diag.Severity {
	if len(m) == 0 {
		return 0
	}
	return m[0].Severity
}

// walker collects the places of the model.
type walker struct {
	b       *builder
	anchors map[*diag.File][]anchor
}

func (w *walker) at(s diag.Span, owners []*Marks) {
	if s.IsValid() && len(owners) > 0 {
		w.anchors[s.File] = append(w.anchors[s.File], anchor{s.Start, s.End, owners})
	}
}

// object walks a pointer to a struct of the model; what it holds belongs to the
// same things unless it has its own.
func (w *walker) object(v reflect.Value, owners []*Marks) {
	if own := w.b.owners[v.Interface()]; own != nil {
		owners = own
	}
	v = v.Elem()
	w.at(model.PlaceOf(v), owners)
	for _, f := range model.Fields(v.Type()) {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			w.value(model.Any(fv), owners)
		case model.ListField:
			for i := range fv.Len() {
				w.value(model.Any(fv.Index(i)), owners)
			}
		case model.StructField:
			if !fv.IsNil() {
				w.object(fv, owners)
			}
		case model.ArrayField:
			for i := range fv.Len() {
				w.object(fv.Index(i), owners)
			}
		case model.AttrsField:
			for _, a := range fv.Interface().([]*model.Attr) {
				w.at(a.At, owners)
				w.value(model.AnyValue{Origin: a.Value.Origin, Span: a.Value.Span}, owners)
			}
		case model.TableField:
			for _, m := range fv.Interface().([]*model.Module) {
				w.at(m.At, owners)
			}
		}
	}
}

// value is a place only where it is written: a value concluded from another file
// does not own that file's words.
func (w *walker) value(v model.AnyValue, owners []*Marks) {
	if v.Origin == model.Written {
		w.at(v.Span, owners)
	}
}

// Bounds of the legend: entries of one rule, and places of one entry.
const (
	entriesOfRule  = 3
	placesOfEntry  = 6
	longestMessage = 400 // characters
)

// legend lists what the findings say: one entry for each sentence, a few for each rule.
func (g *Graph) legend(findings diag.List) {
	g.Errors, g.Warnings, g.Infos = findings.Count(diag.Error), findings.Count(diag.Warning), findings.Count(diag.Info)
	type key struct {
		severity    diag.Severity
		id, message string
	}
	entry := map[key]*Finding{}
	byRule := map[string][]*Finding{}
	var order []string
	for i := range findings {
		d := &findings[i]
		k := key{d.Severity, d.ID, d.Message}
		e := entry[k]
		if e == nil {
			if len(byRule[d.ID]) == entriesOfRule {
				byRule[d.ID][entriesOfRule-1].More++
				continue
			}
			e = &Finding{ID: d.ID, Severity: d.Severity, Message: shorten(plain(d.Message), longestMessage)}
			entry[k] = e
			if byRule[d.ID] == nil {
				order = append(order, d.ID)
			}
			byRule[d.ID] = append(byRule[d.ID], e)
		}
		switch at := plain(d.Span.Short()); {
		case at == "" || slices.Contains(e.Places, at):
		case len(e.Places) < placesOfEntry:
			e.Places = append(e.Places, at)
		default:
			e.More++
		}
	}
	for _, id := range order {
		for _, e := range byRule[id] {
			g.Findings = append(g.Findings, *e)
		}
	}
	slices.SortStableFunc(g.Findings, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
}

// where lists the places of an entry.
func (f *Finding) where() string {
	text := ""
	for i, p := range f.Places {
		if i > 0 {
			text += ", "
		}
		text += p
	}
	if f.More > 0 {
		text += fmt.Sprintf(" and %d more", f.More)
	}
	return text
}
