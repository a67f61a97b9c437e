// Package ledger keeps account of a conversion: a target marks what became of
// each written fact of the model, and whatever it did not mark is reported as
// dropped. So a target cannot lose a fact in silence.
package ledger

import (
	"reflect"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/target"
)

// Ledger is the account of one conversion. It is not safe for concurrent use.
type Ledger struct {
	target string
	fates  map[diag.Span]fate
	extra  []target.Note
	means  map[string]string
}

// fate is what became of the fact at one place.
type fate struct {
	loss     target.Loss
	security bool
	message  string
	means    string
	area     string // "" for the field's own
}

// New starts the account for a target; the name is used in messages.
func New(name string) *Ledger {
	return &Ledger{target: name, fates: map[diag.Span]fate{}}
}

// Means names the target's nearest means for facts that are dropped because
// nobody marked them: by field ("Member.retry") or by area ("logging").
func (l *Ledger) Means(table map[string]string) { l.means = table }

// A fact is a [model.Value], a list of string values, a [diag.Span], or a pointer
// to a struct of the model, which stands for all that is written in it.

// Exact marks facts that the target says as the source does.
func (l *Ledger) Exact(facts ...any) { l.mark(fate{}, facts) }

// Approx marks facts that the target says nearly; the message tells the
// difference in one sentence, means is how the target says it ("" if the message does).
func (l *Ledger) Approx(message, means string, facts ...any) {
	l.mark(fate{loss: target.Approximated, message: message, means: means}, facts)
}

// Weaker is Approx for what protects less than in the source.
func (l *Ledger) Weaker(message, means string, facts ...any) {
	l.mark(fate{loss: target.Approximated, message: message, means: means, security: true}, facts)
}

// Drop marks facts that the target does not say. In areas that protect it is a
// loss of security.
func (l *Ledger) Drop(message, means string, facts ...any) {
	l.mark(fate{loss: target.Dropped, message: message, means: means}, facts)
}

// Closed marks facts that protect and that the target cannot say: its output
// refuses the requests that they are about.
func (l *Ledger) Closed(message, means string, facts ...any) {
	l.mark(fate{loss: target.Dropped, message: message, means: means, security: true}, facts)
}

// Person marks facts that somebody has to decide about; the message asks for it.
func (l *Ledger) Person(message, means string, facts ...any) {
	l.mark(fate{loss: target.NeedsPerson, message: message, means: means}, facts)
}

// Add adds a note that is not about one written fact.
func (l *Ledger) Add(n target.Note) {
	for _, old := range l.extra {
		if old == n {
			return
		}
	}
	l.extra = append(l.extra, n)
}

func (l *Ledger) mark(f fate, facts []any) {
	for _, x := range facts {
		for _, at := range places(x) {
			l.markPlace(f, at)
		}
	}
}

// markPlace keeps the worst that became of a fact: one that is inherited by
// several virtual hosts may be carried in one and lost in another.
func (l *Ledger) markPlace(f fate, at diag.Span) {
	if !at.IsValid() {
		return
	}
	if old, ok := l.fates[at]; ok && (old.loss > f.loss || old.loss == f.loss && (old.security || !f.security)) {
		return
	}
	l.fates[at] = f
}

// places lists the places of a fact.
func places(x any) []diag.Span {
	switch x := x.(type) {
	case nil:
		return nil
	case diag.Span:
		return []diag.Span{x}
	case interface{ Place() diag.Span }:
		return []diag.Span{x.Place()}
	case []model.String:
		out := make([]diag.Span, len(x))
		for i, v := range x {
			out[i] = v.Place()
		}
		return out
	}
	v := reflect.ValueOf(x)
	switch {
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct:
		if v.IsNil() {
			return nil
		}
		return structPlaces(nil, v.Elem())
	case v.Kind() == reflect.Slice:
		var out []diag.Span
		for i := range v.Len() {
			out = append(out, places(v.Index(i).Interface())...)
		}
		return out
	}
	panic("ledger: not a fact: " + v.Type().String())
}

// structPlaces lists the places of a struct and of all that is written in it.
func structPlaces(out []diag.Span, v reflect.Value) []diag.Span {
	if at := model.PlaceOf(v); at.IsValid() && isUnit(v.Type()) {
		out = append(out, at)
	}
	if v.Type() == reflect.TypeFor[model.Attr]() || v.Type() == reflect.TypeFor[model.Module]() {
		return out
	}
	for _, f := range model.Fields(v.Type()) {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			if x := model.Any(fv); x.Origin == model.Written {
				out = append(out, x.Span)
			}
		case model.ListField:
			for i := range fv.Len() {
				out = append(out, model.Any(fv.Index(i)).Span)
			}
		case model.StructField:
			if !fv.IsNil() {
				out = structPlaces(out, fv.Elem())
			}
		case model.ArrayField, model.AttrsField, model.TableField:
			for i := range fv.Len() {
				out = structPlaces(out, fv.Index(i).Elem())
			}
		}
	}
	return out
}
