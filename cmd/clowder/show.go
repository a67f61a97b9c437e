package main

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime"
)

type showCmd struct {
	inputFlags `embed:""`
	Unmapped   bool `help:"List only what the model does not hold, with its place."`
}

// Run prints the model; see [showCmd].
func (c *showCmd) Run(a *app) error {
	r, err := c.load(a.ctx)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(a.stdout)
	if c.Unmapped {
		showUnmapped(w, r.Setup)
	} else {
		p := &printer{w: w, idle: map[diag.Span]bool{}}
		for _, n := range runtime.NotNeeded(r.Setup) {
			p.idle[n.Span] = true
		}
		p.structure("", reflect.ValueOf(r.Setup).Elem())
		if n := len(r.Setup.Unmapped); n > 0 {
			fmt.Fprintf(w, "\n%d things have no place in the model: clowder show --unmapped lists them\n", n)
		}
		if len(r.Setup.FrontEnds)+len(r.Setup.Nodes) == 0 {
			fmt.Fprintln(w, "no front end and no node was found among the files")
		}
		for _, m := range r.Remarks {
			fmt.Fprintf(w, "\nnote: %s\n", m)
		}
	}
	return w.Flush()
}

func showUnmapped(w io.Writer, s *model.Setup) {
	for _, u := range s.Unmapped {
		fmt.Fprintf(w, "%s: %s\n", u.Span, u.What)
	}
}

// printer writes the model as indented blocks: name, value, place.
type printer struct {
	w      io.Writer
	indent int
	idle   map[diag.Span]bool // what clowder run has no use for
}

// title names a block, with a remark when a run has no use for it.
func (p *printer) title(key string, v reflect.Value) string {
	if p.idle[model.PlaceOf(v)] {
		return key + " (not needed by clowder run)"
	}
	return key
}

const valueColumn = 44 // where the places begin, when the value is short enough

func (p *printer) line(text, place string) {
	text = strings.Repeat("  ", p.indent) + text
	if place == "" {
		fmt.Fprintln(p.w, text)
		return
	}
	fmt.Fprintf(p.w, "%-*s  %s\n", valueColumn, text, place)
}

func (p *printer) structure(title string, v reflect.Value) {
	if title != "" {
		p.line(title, model.PlaceOf(v).Short())
		p.indent++
		defer func() { p.indent-- }()
	}
	fields := model.Fields(v.Type())
	for _, f := range fields {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.ScalarField:
			p.scalar(f, model.Any(fv))
		case model.ListField:
			for i := range fv.Len() {
				p.scalar(f, model.Any(fv.Index(i)))
			}
		case model.AttrsField:
			for _, at := range fv.Interface().([]*model.Attr) {
				p.line(at.Name+" = "+quote(mask(at.Name, at.Value.V)), at.At.Short())
			}
		case model.TableField:
			for _, m := range fv.Interface().([]*model.Module) {
				p.line("module "+m.Name.V, m.At.Short())
			}
		}
	}
	for _, f := range fields {
		fv := v.FieldByIndex(f.Index)
		switch f.Kind {
		case model.StructField:
			if !fv.IsNil() {
				p.structure(p.title(f.Key, fv.Elem()), fv.Elem())
			}
		case model.ArrayField:
			for i := range fv.Len() {
				p.structure(p.title(f.Key, fv.Index(i).Elem()), fv.Index(i).Elem())
			}
		}
	}
}

func (p *printer) scalar(f model.Field, v model.AnyValue) {
	if v.Origin == model.Unset {
		return
	}
	text := model.FormatScalar(v.V)
	if f.Secret {
		text = mask("secret", text)
	}
	if f.Type.Kind() == reflect.String {
		text = quote(text)
	}
	p.line(f.Key+" = "+text, origin(v))
}

// origin says where a value comes from: its place, "default", or what it was
// concluded from.
func origin(v model.AnyValue) string {
	at := v.Span.Short()
	switch {
	case v.Origin == model.Default:
		return "default"
	case v.Origin == model.Inferred && at != "":
		return "inferred from " + at
	case v.Origin == model.Inferred:
		return "inferred"
	case at == "":
		return "command line"
	}
	return at
}

func quote(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n\"") {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// secretWords mark attributes whose values are never printed.
var secretWords = []string{"secret", "password", "passphrase", "encryptionkey"}

func mask(name, value string) string {
	name = strings.ToLower(name)
	for _, w := range secretWords {
		if strings.Contains(name, w) && value != "" {
			return "(hidden)"
		}
	}
	return value
}
