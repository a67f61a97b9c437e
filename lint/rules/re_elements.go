package rules

import (
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// elementAt returns the element with that start tag, nil when the part of the
// model did not come from XML.
func elementAt(p *lint.Pass, tag diag.Span) *tomcat.Element {
	var found *tomcat.Element
	for _, d := range p.Docs {
		if d.File != tag.File && !includes(d, tag.File) {
			continue
		}
		d.Root.Walk(func(e *tomcat.Element) bool {
			if e.Tag.File == tag.File && e.Tag.Start == tag.Start {
				found = e
			}
			return found == nil
		})
		if found != nil {
			return found
		}
	}
	return nil
}

func includes(d *tomcat.Document, f *diag.File) bool {
	for _, x := range d.Included {
		if x == f {
			return true
		}
	}
	return false
}

// attributeUnknown reports whether the attribute of the element is written with a
// ${...} that nobody resolved; the model has then no value for numbers and flags.
func attributeUnknown(p *lint.Pass, tag diag.Span, name string) bool {
	e := elementAt(p, tag)
	if e == nil {
		return false
	}
	a := e.Attr(name)
	return a != nil && unknown(a.Value)
}

// extraAttr returns one of the attributes that a connector has beside the model's own.
func extraAttr(list []*model.Attr, name string) *model.Attr {
	for _, a := range list {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// setFlag writes an attribute of an element with another value: the value in
// place when the attribute is there, else a new attribute.
func setFlag(tag, written diag.Span, name, value string) (diag.Edit, bool) {
	if written.IsValid() {
		at := valueOf(written)
		return diag.Edit{Span: at, New: value}, at != written
	}
	return addAttribute(tag, name+`="`+value+`"`)
}

// javaOnly rewrites what Java has and regexp has not: possessive quantifiers, which
// match the same texts as far as a whole text is concerned, and POSIX classes.
var javaOnly = strings.NewReplacer(`\p{XDigit}`, `[0-9A-Fa-f]`, `\p{Alnum}`, `[0-9A-Za-z]`, `\p{Alpha}`, `[A-Za-z]`, `\p{Digit}`, `[0-9]`,
	`}+`, `}`, `*+`, `*`, `++`, `+`, `?+`, `?`)

// javaPattern compiles a regular expression that Java matches against the whole
// text; false for those that only Java understands.
func javaPattern(expr string) (*regexp.Regexp, bool) {
	re, err := regexp.Compile(`^(?:` + expr + `)$`)
	if err != nil {
		re, err = regexp.Compile(`^(?:` + javaOnly.Replace(expr) + `)$`)
	}
	return re, err == nil
}

// matchesAll reports whether the whole of each text matches.
func matchesAll(re *regexp.Regexp, texts ...string) bool {
	for _, t := range texts {
		if !re.MatchString(t) {
			return false
		}
	}
	return true
}

// linksByConnector groups the links by the connector that they reach.
func linksByConnector(p *lint.Pass) map[*model.Connector][]model.Link {
	out := map[*model.Connector][]model.Link{}
	for _, l := range p.Links() {
		if l.Connector != nil {
			out[l.Connector] = append(out[l.Connector], l)
		}
	}
	return out
}
