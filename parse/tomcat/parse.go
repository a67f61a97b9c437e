package tomcat

import (
	"bytes"
	"strings"

	"clowder/parse/diag"

	"github.com/beevik/etree"
)

// Parse reads one XML file of Tomcat. It never fails: what is wrong is in the
// list (T001), and the document holds what could be read. The encodings are
// UTF-8, UTF-16 and every single-byte encoding that the declaration may name;
// all places are offsets into the file's own bytes. Entities of the internal
// subset are resolved within bounds, external ones are not loaded.
func Parse(f *diag.File) (*Document, diag.List) { return ParseWith(f, nil) }

// ParseWith is [Parse] that reads external entities standing for markup by open,
// as Tomcat's parser does; nil reads none. At most 64 files of together 16 MiB
// are read for one document, nested 8 deep; names that are absolute or URLs are
// refused before open sees them. Places inside such a file are spans of that file.
func ParseWith(f *diag.File, open Opener) (*Document, diag.List) {
	doc := &Document{File: f}
	s := &scanner{doc: doc, file: f, template: -1, ents: &entities{}, open: open}
	if len(f.Data) > maxBytes {
		s.src = &source{}
		s.report(0, 0, "the file is larger than %d MiB", maxBytes>>20)
	} else {
		s.src = decode(f.Data)
		if s.src.bad != "" {
			s.report(0, 0, "encoding %q is not supported", s.src.bad)
		}
		s.text = s.src.text
		s.scan()
	}
	var roots []*Element
	b := &builder{scanner: s}
	if !b.build(false) {
		b = &builder{scanner: s}
		b.build(true)
	}
	roots = b.roots
	if s.template >= 0 {
		doc.Template = true
		s.diags = nil
		s.report(s.template, s.template+2, "this looks like a template; check the file that is made from it")
	}
	if len(roots) == 0 {
		doc.Root = &Element{Tag: s.span(0, 0), NameSpan: s.span(0, 0)}
		if len(s.diags) == 0 {
			s.report(0, 0, "the file holds no element")
		}
	} else {
		doc.Root = roots[0]
	}
	doc.WellFormed = s.diags.Count(diag.Error) == 0
	doc.XML = s.etree(b)
	s.xinclude(doc.Root)
	s.diags.Sort(append([]*diag.File{f}, doc.Included...))
	return doc, s.diags
}

// builder makes a tree of the tokens.
type builder struct {
	*scanner
	recover bool
	faulty  bool
	stack   []*Element
	open    map[string]int // how many elements of a name are open
	roots   []*Element
	order   []*Element // in document order
	stray   bool       // text outside the root was reported
	deep    bool
}

// build makes the tree. The first run matches tags by name only and notes which
// elements have an end tag of their own; when it meets a mistake it returns
// false, and the second run reports and closes by knowledge of the nesting.
func (b *builder) build(recover bool) bool {
	b.recover, b.open = recover, map[string]int{}
	for i := range b.tokens {
		switch t := &b.tokens[i]; t.kind {
		case startToken:
			b.start(t)
		case endToken:
			b.end(t)
		case textToken:
			b.chars(t)
		}
		if b.deep {
			break
		}
	}
	if len(b.stack) > 0 && !b.aborted && !b.deep {
		b.faulty = true
		b.popTo(0, diag.Span{})
	}
	for _, e := range b.stack {
		e.Text = string(e.text)
	}
	return recover || !b.faulty
}

func (b *builder) start(t *token) {
	e := t.elem
	if !b.recover {
		e.closed = e.SelfClosed
	} else {
		b.makeRoom(e)
	}
	e.Parent, e.Children, e.text, e.Text, e.End = nil, nil, nil, "", diag.Span{}
	switch n := len(b.stack); {
	case n >= maxDepth:
		b.faulty, b.deep = true, true
		if b.recover {
			b.reportSpan(e.Tag, "elements are nested deeper than %d; the rest is not read", maxDepth)
		}
		return
	case n > 0:
		e.Parent = b.stack[n-1]
		e.Parent.Children = append(e.Parent.Children, e)
	default:
		if len(b.roots) > 0 {
			b.faulty = true
			if b.recover && !e.reported {
				e.reported = true
				b.reportSpan(e.Tag, "a second root element `<%s>` after `<%s>`", e.Name, b.roots[0].Name)
			}
		}
		b.roots = append(b.roots, e)
	}
	b.order = append(b.order, e)
	if !e.SelfClosed {
		b.stack = append(b.stack, e)
		b.open[e.Name]++
	}
}

// makeRoom closes the open elements that have no end tag and in which e cannot
// stand, when that leads to one in which it can.
func (b *builder) makeRoom(e *Element) {
	n := len(b.stack)
	for n > 0 && !b.stack[n-1].closed && !accepts(b.stack[n-1].Name, e.Name) {
		n--
	}
	if n > 0 && n < len(b.stack) && accepts(b.stack[n-1].Name, e.Name) {
		b.popTo(n, e.Tag)
	}
}

// popTo closes open elements without an end tag until n are left; at is the place
// where they should have been closed.
func (b *builder) popTo(n int, at diag.Span) {
	for len(b.stack) > n {
		e := b.pop()
		if !b.recover || e.reported {
			continue
		}
		e.reported = true
		line := e.Tag.Begin().Line
		if e.Parent == nil {
			b.reportSpan(e.Tag, "`<%s>` opened at line %d is not closed before the end of the file", e.Name, line)
		} else {
			b.reportSpan(e.Tag, "`<%s>` opened at line %d is not closed before `</%s>`", e.Name, line, e.Parent.Name)
		}
		if last := len(b.diags) - 1; at.IsValid() && b.diags[last].Span == e.Tag {
			b.diags[last].Related = []diag.Related{{Span: at, Message: "`</" + e.Name + ">` is missing before this"}}
		}
	}
}

func (b *builder) pop() *Element {
	n := len(b.stack) - 1
	e := b.stack[n]
	b.stack = b.stack[:n]
	b.open[e.Name]--
	e.Text = string(e.text)
	return e
}

func (b *builder) end(t *token) {
	at := t.from.span(t.start, t.end)
	n := len(b.stack)
	if n > 0 && b.stack[n-1].Name == t.name {
		b.close(at)
		return
	}
	b.faulty = true
	if b.open[t.name] > 0 {
		for n > 0 && b.stack[n-1].Name != t.name {
			n--
		}
		b.popTo(n, at)
		b.close(at)
		return
	}
	if n > 0 && !b.stack[n-1].closed && diag.Suggest(t.name, []string{b.stack[n-1].Name}) != "" {
		e := b.stack[n-1]
		if b.recover && !e.reported {
			e.reported = true
			b.reportSpan(e.Tag, "`<%s>` opened at line %d is closed by `</%s>`", e.Name, e.Tag.Begin().Line, t.name)
			if last := len(b.diags) - 1; b.diags[last].Span == e.Tag {
				b.diags[last].Related = []diag.Related{{Span: at, Message: "the other name stands here"}}
			}
		}
		b.close(at)
		e.closed = false // so that the second run comes here as well
		return
	}
	if b.recover {
		b.reportSpan(at, "`</%s>` closes nothing; no such element is open", t.name)
	}
}

func (b *builder) close(at diag.Span) {
	e := b.pop()
	e.End = at
	if !b.recover {
		e.closed = true
	}
}

func (b *builder) chars(t *token) {
	if n := len(b.stack); n > 0 {
		b.stack[n-1].text = append(b.stack[n-1].text, t.text...)
		return
	}
	text := bytes.TrimLeft(t.text, " \t\r\n")
	if len(text) == 0 && t.from.text[t.start] != '<' {
		return
	}
	b.faulty = true
	if b.recover && !b.stray {
		b.stray = true
		from := skipSpace(t.from.text, t.start)
		b.reportSpan(t.from.span(from, max(from, t.end)), "text outside the root element")
	}
}

// etree gives every element its etree counterpart: read from the same bytes when
// they are well-formed, else built from the recovered tree.
func (s *scanner) etree(b *builder) *etree.Document {
	if s.doc.WellFormed {
		x := etree.NewDocument()
		x.ReadSettings = etree.ReadSettings{PreserveCData: true, PreserveDuplicateAttrs: true, Entity: s.ents.text, MaxDepth: maxDepth + 1}
		if err := x.ReadFromBytes(s.text); err == nil && link(x, b.order) {
			return x
		}
	}
	x := etree.NewDocument()
	for i, e := range b.order {
		parent := &x.Element
		switch {
		case e.Parent != nil:
			parent = e.Parent.XML
		case i > 0:
			parent = &etree.Element{} // a second root element is in no tree
		}
		e.XML = parent.CreateElement(e.Name)
		for _, a := range e.Attrs {
			space, key, ok := strings.Cut(a.Name, ":")
			if !ok {
				space, key = "", a.Name
			}
			e.XML.Attr = append(e.XML.Attr, etree.Attr{Space: space, Key: key, Value: a.Value})
		}
		if strings.TrimSpace(e.Text) != "" {
			e.XML.CreateText(e.Text)
		}
	}
	return x
}

// link walks the etree in document order beside the scanner's elements and
// reports whether both hold the same.
func link(x *etree.Document, order []*Element) bool {
	i, same := 0, true
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		for _, c := range e.ChildElements() {
			if i >= len(order) || order[i].Name != c.FullTag() || len(order[i].Attrs) != len(c.Attr) {
				same = false
				return
			}
			order[i].XML = c
			i++
			walk(c)
		}
	}
	walk(&x.Element)
	return same && i == len(order)
}
