package tomcat

import (
	"strings"

	"clowder/parse/diag"

	"github.com/beevik/etree"
)

// Parse reads one XML file of Tomcat. It never fails: what is wrong is in the
// list (T001), and the document holds what could be read. The encodings are
// UTF-8, UTF-16 and every single-byte encoding that the declaration may name;
// all places are offsets into the file's own bytes. Entities of the internal
// subset are resolved within bounds, external ones are not loaded. The verdict
// and the place where a parser stops are those of libexpat and of Tomcat's parser
// (docs/differences-xml.md); reading needs at most 20 bytes of memory for each
// byte of the file, and 32 MiB.
func Parse(f *diag.File) (*Document, diag.List) { return ParseWith(f, nil) }

// ParseWith is [Parse] that reads external entities standing for markup by open,
// as Tomcat's parser does; nil reads none. At most 64 files of together 16 MiB
// are read for one document, nested 16 deep; names that are absolute or URLs are
// refused before open sees them. Places inside such a file are spans of that file.
func ParseWith(f *diag.File, open Opener) (*Document, diag.List) {
	doc := &Document{File: f}
	pieces := basePieces + len(f.Data)/bytesPerPiece
	s := &scanner{doc: doc, file: f, template: -1, stopAt: -1, charAt: -1, ents: &entities{}, open: open, tokens: &tokenList{}, names: map[string]string{}, pieces: &pieces}
	if len(f.Data) > maxBytes {
		s.src, s.bounded = &source{bad: -1}, true
		s.note(s.span(0, 0), "the file is larger than %d MiB", maxBytes>>20)
	} else {
		s.src = decode(f.Data)
		s.text = s.src.text
		if s.src.unknown {
			s.report(0, 0, "encoding %q is not supported", s.src.name)
		}
		s.scan()
	}
	b := &builder{scanner: s}
	if !b.build(false) {
		b = &builder{scanner: s}
		b.build(true)
	}
	doc.roots = b.roots
	if len(b.roots) == 0 {
		doc.Root = &Element{Tag: s.span(0, 0), NameSpan: s.span(0, 0)}
		b.failAt(b.tokens.n, len(s.text), len(s.text)+1)
		if len(s.diags) == 0 {
			s.note(s.span(0, 0), "the file holds no element")
		}
	} else {
		doc.Root = b.roots[0]
	}
	if s.template >= 0 {
		doc.Template = true
		s.diags = nil
		s.note(s.span(s.template, s.template+2), "this looks like a template; check the file that is made from it")
	}
	if s.charAt >= 0 && (s.stopAt < 0 || s.charSeen < s.stopSeen) {
		s.stopAt = s.charAt
	}
	doc.WellFormed = s.stopAt < 0 && !s.bounded
	s.tellStop()
	s.xinclude(doc.Root)
	s.diags.Sort(append([]*diag.File{f}, doc.Included...))
	doc.text, doc.entities = s.text, s.ents.text
	return doc, s.diags
}

// tellStop adds to the first error the place where an XML parser gives up when no
// finding is on that line.
func (s *scanner) tellStop() {
	if s.stopAt < 0 {
		return
	}
	at := s.span(s.stopAt, min(s.stopAt+1, len(s.text)))
	s.doc.Stop = at
	first := -1
	for i, d := range s.diags {
		if d.Severity != diag.Error || d.Span.File != s.file {
			continue
		}
		if d.Span.Begin().Line == at.Begin().Line {
			return
		}
		if first < 0 {
			first = i
		}
	}
	if first >= 0 && !s.doc.Template {
		d := &s.diags[first]
		d.Related = append(d.Related, diag.Related{Span: at, Message: "Tomcat's XML parser stops here"})
	}
}

// builder makes a tree of the tokens.
type builder struct {
	*scanner
	recover bool
	faulty  bool
	stack   []*Element
	texts   [][]byte       // of the open elements, when in more than one part
	open    map[string]int // how many elements of a name are open
	roots   []*Element
	stray   bool // text outside the root was reported
	deep    bool
}

// build makes the tree. The first run matches tags by name only and notes which
// elements have an end tag of their own; when it meets a mistake it returns
// false, and the second run reports and closes by knowledge of the nesting.
func (b *builder) build(recover bool) bool {
	b.recover, b.open = recover, map[string]int{}
	for i := range b.tokens.n {
		switch t := b.tokens.at(i); t.kind {
		case startToken:
			b.start(t, i)
		case endToken:
			b.end(t, i)
		case textToken:
			b.chars(t, i)
		}
		if b.deep {
			break
		}
	}
	if len(b.stack) > 0 && !b.aborted && !b.deep {
		b.faulty = true
		b.failAt(b.tokens.n, len(b.text), len(b.text)+1)
		b.popTo(0, diag.Span{})
	}
	for len(b.stack) > 0 {
		b.pop()
	}
	return recover || !b.faulty
}

func (b *builder) start(t *token, i int) {
	e := t.elem
	if !b.recover {
		e.closed = e.SelfClosed
	} else {
		b.makeRoom(e)
	}
	e.Parent, e.Children, e.Text, e.End = nil, nil, "", diag.Span{}
	switch n := len(b.stack); {
	case n >= maxDepth:
		b.faulty, b.deep, b.bounded = true, true, true
		if b.recover {
			b.note(e.Tag, "elements are nested deeper than %d; the rest is not read", maxDepth)
		}
		return
	case n > 0:
		e.Parent = b.stack[n-1]
		e.Parent.Children = append(e.Parent.Children, e)
	default:
		if len(b.roots) > 0 {
			b.faulty = true
			b.failAt(i, int(t.start), int(t.end))
			if b.recover && !e.reported {
				e.reported = true
				b.note(e.Tag, "a second root element `<%s>` after `<%s>`", e.Name, b.roots[0].Name)
			}
		}
		b.roots = append(b.roots, e)
	}
	if !e.SelfClosed {
		b.stack, b.texts = append(b.stack, e), append(b.texts, nil)
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
			b.note(e.Tag, "`<%s>` opened at line %d is not closed before the end of the file", e.Name, line)
		} else {
			b.note(e.Tag, "`<%s>` opened at line %d is not closed before `</%s>`", e.Name, line, e.Parent.Name)
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
	if b.texts[n] != nil {
		e.Text = string(b.texts[n])
	}
	b.texts = b.texts[:n]
	return e
}

func (b *builder) end(t *token, i int) {
	at := t.from.span(int(t.start), int(t.end))
	n := len(b.stack)
	if n > 0 && b.stack[n-1].Name == t.text {
		b.close(at)
		return
	}
	b.faulty = true
	b.failAt(i, int(t.start)+2, int(t.end))
	if b.open[t.text] > 0 {
		for n > 0 && b.stack[n-1].Name != t.text {
			n--
		}
		b.popTo(n, at)
		b.close(at)
		return
	}
	if n > 0 && !b.stack[n-1].closed && diag.Suggest(t.text, []string{b.stack[n-1].Name}) != "" {
		e := b.stack[n-1]
		if b.recover && !e.reported {
			e.reported = true
			b.note(e.Tag, "`<%s>` opened at line %d is closed by `</%s>`", e.Name, e.Tag.Begin().Line, t.text)
			if last := len(b.diags) - 1; b.diags[last].Span == e.Tag {
				b.diags[last].Related = []diag.Related{{Span: at, Message: "the other name stands here"}}
			}
		}
		b.close(at)
		e.closed = false // so that the second run comes here as well
		return
	}
	if b.recover {
		b.note(at, "`</%s>` closes nothing; no such element is open", t.text)
	}
}

func (b *builder) close(at diag.Span) {
	e := b.pop()
	e.End = at
	if !b.recover {
		e.closed = true
	}
}

// failAt notes where a parser stops because of token i, unless the scanner has
// stopped before. A token of an entity was reported where the entity is used.
func (b *builder) failAt(i, at, seen int) {
	s := b.scanner
	if i < s.tokens.n && s.tokens.at(i).from != s || s.stopAt >= 0 && i >= s.stopTokens {
		return
	}
	s.stopAt, s.stopSeen, s.stopTokens = at, seen, i
}

func (b *builder) chars(t *token, i int) {
	if n := len(b.stack) - 1; n >= 0 {
		e := b.stack[n]
		switch {
		case b.texts[n] != nil:
			b.texts[n] = append(b.texts[n], t.text...)
		case e.Text == "":
			e.Text = t.text
		default:
			b.texts[n] = append([]byte(e.Text), t.text...)
		}
		return
	}
	start := int(t.start)
	if strings.TrimLeft(t.text, " \t\r\n") == "" && t.from.text[start] != '<' {
		return
	}
	b.faulty = true
	from := skipSpace(t.from.text, start)
	b.failAt(i, from, from)
	if b.recover && !b.stray {
		b.stray = true
		b.note(t.from.span(from, max(from, int(t.end))), "text outside the root element")
	}
}

// Tree returns the document as an etree of its own and, in document order, the
// etree element of each [Element]: read from the same bytes when they are
// well-formed, else built from the recovered tree. It is made anew by each call.
func (d *Document) Tree() (*etree.Document, []*etree.Element) {
	var order []*Element
	for _, r := range d.roots {
		r.Walk(func(e *Element) bool { order = append(order, e); return true })
	}
	x := etree.NewDocument()
	if d.WellFormed {
		x.ReadSettings = etree.ReadSettings{PreserveCData: true, PreserveDuplicateAttrs: true, Entity: d.entities, MaxDepth: maxDepth + 1}
		if err := x.ReadFromBytes(d.text); err == nil {
			if list := link(x, order); list != nil {
				return x, list
			}
		}
		x = etree.NewDocument()
	}
	made := map[*Element]*etree.Element{}
	list := make([]*etree.Element, 0, len(order))
	for i, e := range order {
		parent := &x.Element
		switch {
		case e.Parent != nil:
			parent = made[e.Parent]
		case i > 0:
			parent = &etree.Element{} // a second root element is in no tree
		}
		c := parent.CreateElement(e.Name)
		made[e], list = c, append(list, c)
		for _, a := range e.Attrs {
			space, key, ok := strings.Cut(a.Name, ":")
			if !ok {
				space, key = "", a.Name
			}
			c.Attr = append(c.Attr, etree.Attr{Space: space, Key: key, Value: a.Value})
		}
		if strings.TrimSpace(e.Text) != "" {
			c.CreateText(e.Text)
		}
	}
	return x, list
}

// link walks the etree in document order beside the scanner's elements; it
// returns nil when both do not hold the same.
func link(x *etree.Document, order []*Element) []*etree.Element {
	list := make([]*etree.Element, 0, len(order))
	same := true
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		for _, c := range e.ChildElements() {
			i := len(list)
			if !same || i >= len(order) || order[i].Name != c.FullTag() || len(order[i].Attrs) != len(c.Attr) {
				same = false
				return
			}
			list = append(list, c)
			walk(c)
		}
	}
	walk(&x.Element)
	if !same || len(list) != len(order) {
		return nil
	}
	return list
}
