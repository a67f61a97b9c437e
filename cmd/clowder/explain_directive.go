package main

import (
	"fmt"
	"strings"

	"clowder/parse/known"
)

// explainName documents a directive, an element, a class or Element.attribute.
// It returns "" if the name is none of them.
func explainName(name string, markdown bool) string {
	p := page{markdown: markdown}
	if d, ok := known.Directive(name); ok {
		p.directive(d)
		return p.String()
	}
	if owner, attr, ok := cutAttribute(name); ok {
		if _, found := known.Attribute(owner, attr, ""); found {
			p.attribute(owner, attr)
			return p.String()
		}
	}
	for i, e := range known.Elements(name) {
		if i > 0 {
			p.WriteString("\n")
		}
		p.element(e)
	}
	return p.String()
}

// cutAttribute splits Element.attribute at the last dot, for a class has dots.
func cutAttribute(name string) (owner, attr string, ok bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return "", "", false
	}
	return name[:i], name[i+1:], true
}

// page writes titles and labelled lines as text or Markdown.
type page struct {
	strings.Builder
	markdown bool
}

func (p *page) title(name, help string) {
	if p.markdown {
		fmt.Fprintf(p, "# %s\n\n", name)
	} else {
		fmt.Fprintf(p, "%s\n\n", name)
	}
	switch {
	case strings.HasSuffix(help, "..."):
		fmt.Fprintf(p, "%s\n\n", help)
	case help != "":
		fmt.Fprintf(p, "%s.\n\n", help)
	}
}

func (p *page) line(label, value string) {
	switch {
	case value == "":
	case p.markdown:
		fmt.Fprintf(p, "- **%s:** %s\n", label, value)
	default:
		fmt.Fprintf(p, "%-10s %s\n", label+":", value)
	}
}

func (p *page) directive(d known.DirectiveInfo) {
	name := d.Name
	if d.IsSection {
		name = "<" + name + ">"
	}
	p.title(name, d.Help)
	p.directiveLines(d)
	p.line("Versions", "httpd "+d.Versions.String())
	if d.In22 != nil {
		if p.markdown {
			p.WriteString("\nIn httpd 2.2:\n\n")
		} else {
			p.WriteString("\nIn httpd 2.2:\n")
		}
		p.directiveLines(*d.In22)
	}
}

func (p *page) directiveLines(d known.DirectiveInfo) {
	module := d.Module
	if d.Identifier != "" {
		module += " (" + d.Identifier + ", " + d.Source + ")"
	}
	p.line("Module", module)
	p.line("Syntax", d.Syntax)
	p.line("Contexts", d.Contexts.String())
	p.line("Override", d.Override)
	p.line("Default", d.Default)
	p.line("Status", d.Status)
	p.line("Remark", d.Compat)
}

func (p *page) attribute(owner, attr string) {
	// An element may have several classes: each that has the attribute is told.
	first := true
	for _, e := range known.Elements(owner) {
		for _, a := range e.Attributes {
			if !strings.EqualFold(a.Name, attr) {
				continue
			}
			if !first {
				p.WriteString("\n")
			}
			first = false
			p.attributeOf(e, a)
		}
	}
	if first { // held by the element for each of its classes
		if a, ok := known.Attribute(owner, attr, ""); ok {
			if e, ok := known.Element(owner); ok {
				p.attributeOf(e, a)
			}
		}
	}
}

func (p *page) attributeOf(e known.ElementInfo, a known.AttributeInfo) {
	p.title(e.Name+"."+a.Name, a.Help)
	p.line("Class", e.Class)
	for _, f := range a.Facts {
		label := "Default"
		text := f.Default
		if text == "" {
			text = "none named"
		}
		if f.Required {
			text += "; required"
		}
		if len(a.Facts) > 1 {
			text += " (Tomcat " + f.Versions.String() + ")"
		}
		p.line(label, text)
	}
	p.line("Versions", tomcatVersions(a.Versions, e.Versions))
}

// tomcatVersions lists the versions and, of those the element has, the missing.
func tomcatVersions(has, all known.Tomcat) string {
	text := "Tomcat " + has.String()
	if gone := all &^ has; gone != 0 {
		text += "; not in " + gone.String()
	}
	return text
}

func (p *page) element(e known.ElementInfo) {
	p.title("<"+e.Name+">", "")
	p.line("Class", e.Class)
	p.line("Manual", e.Page)
	p.line("Versions", tomcatVersions(e.Versions, known.AllTomcat))
	var names []string
	for _, a := range e.Attributes {
		n := a.Name
		if a.Versions != e.Versions {
			n += " (" + a.Versions.String() + ")"
		}
		names = append(names, n)
	}
	p.line("Attributes", strings.Join(names, ", "))
}
