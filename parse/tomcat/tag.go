package tomcat

import "bytes"

// startTag reads one start tag, first its form and then, when that is right, the
// values of its attributes. Of several mistakes in its form only the first is
// reported.
func (s *scanner) startTag() {
	start := s.pos
	if s.rooted && s.outside() {
		s.fail(start, start) // a second root, said by the builder
	}
	n := nameEnd(s.text, start+1)
	e := &Element{Name: s.name(start+1, n), NameSpan: s.span(start+1, n)}
	t := &tagScanner{scanner: s, e: e, start: start, i: n}
	s.raw = s.raw[:0]
	t.attributes()
	e.Tag = s.span(start, t.i)
	t.values()
	s.pos = t.i
	s.rooted = true
	if !e.SelfClosed {
		s.depth++
	}
	s.push(token{kind: startToken, elem: e}, start, t.i)
	s.count(start, 2)
}

// name returns the text between the offsets; equal names share their memory.
func (s *scanner) name(start, end int) string {
	if v, ok := s.names[string(s.text[start:end])]; ok {
		return v
	}
	v := string(s.text[start:end])
	if len(s.names) < 1000 {
		s.names[v] = v
	}
	return v
}

type tagScanner struct {
	*scanner
	e     *Element
	start int
	i     int
	stop  bool // a parser has stopped in this tag
}

// rawAttr holds the offsets of an attribute.
type rawAttr struct{ start, name, from, to, end int }

// fault reports a mistake in the tag's form at which a parser stops.
func (t *tagScanner) fault(start, end int, format string, args ...any) {
	t.failOnce(start, start)
	t.say(start, end, format, args...)
}

// failOnce is fail for the form of the tag: what is found after the first mistake
// comes of reading on.
func (t *tagScanner) failOnce(at, seen int) {
	if !t.stop {
		t.stop = true
		t.fail(at, seen)
	}
}

func (t *tagScanner) say(start, end int, format string, args ...any) {
	if !t.e.reported {
		t.e.reported = true
		t.note(t.span(start, min(end, len(t.text))), format, args...)
	}
}

// attributes reads up to the end of the tag.
func (t *tagScanner) attributes() {
	for {
		before := t.i
		t.i = skipSpace(t.text, t.i)
		if t.i >= len(t.text) {
			t.failOnce(t.start, len(t.text))
			t.say(before, t.i, "the tag `<%s` is not closed with `>`", t.e.Name)
			return
		}
		switch c := t.text[t.i]; {
		case c == '>':
			t.i++
			return
		case c == '/' && t.i+1 < len(t.text) && t.text[t.i+1] == '>':
			t.i += 2
			t.e.SelfClosed = true
			return
		case c == '<' && bytes.HasPrefix(t.text[t.i:], []byte("<%")):
			t.failOnce(t.i, t.i)
			t.markTemplate(t.i)
			t.i = t.skipTemplate(t.i)
		case c == '<':
			at := int(t.e.NameSpan.Start)
			t.fault(t.i, t.i+1, "the tag `<%s` of line %d is not closed with `>` before this `<`", t.e.Name, t.e.NameSpan.File.Line(at))
			return
		case nameChar(t.text[t.i:], true) > 0:
			if t.i == before {
				t.fault(t.i, t.i+1, "no white space between the attributes of `<%s>`", t.e.Name)
			}
			t.attribute()
		case bytes.HasPrefix(t.text[t.i:], []byte("{{")), bytes.HasPrefix(t.text[t.i:], []byte("{%")):
			t.failOnce(t.i, t.i)
			t.markTemplate(t.i)
			t.i += 2
		case c == '/' && t.i+1 == len(t.text):
			t.i++
		default:
			n := len(string([]rune(string(t.text[t.i:min(t.i+4, len(t.text))]))[:1]))
			t.fault(t.i, t.i+1, "`%s` has no meaning in the tag `<%s>`", t.text[t.i:min(t.i+n, len(t.text))], t.e.Name)
			t.i++
		}
	}
}

// attribute reads the form of name="value".
func (t *tagScanner) attribute() {
	a := rawAttr{start: t.i}
	t.i = nameEnd(t.text, t.i)
	a.name, a.from, a.to = t.i, t.i, t.i
	if eq := skipSpace(t.text, t.i); eq < len(t.text) && t.text[eq] == '=' {
		t.i = skipSpace(t.text, eq+1)
		a.from, a.to = t.value(string(t.text[a.start:a.name]))
	} else {
		if eq < len(t.text) {
			t.failOnce(eq, eq)
		} else {
			t.failOnce(t.start, len(t.text))
		}
		t.say(a.start, t.i, "attribute `%s` of `<%s>` has no value", t.text[a.start:a.name], t.e.Name)
	}
	a.end = t.i
	switch {
	case len(t.raw) < maxAttrs:
		t.raw = append(t.raw, a)
	default:
		t.bounded = true
		t.say(a.start, t.i, "`<%s>` has more than %d attributes", t.e.Name, maxAttrs)
	}
}

// values resolves the references in the values and finds double attributes.
func (t *tagScanner) values() {
	if len(t.raw) == 0 {
		return
	}
	t.tagEnd = t.i
	defer func() { t.tagEnd = 0 }()
	broken := t.e.reported
	var seen map[string]bool
	if len(t.raw) > 1 {
		seen = make(map[string]bool, len(t.raw))
	}
	t.e.Attrs = make([]Attr, 0, len(t.raw))
	for _, r := range t.raw {
		a := Attr{Name: t.name(r.start, r.name), NameSpan: t.span(r.start, r.name), ValueSpan: t.span(r.from, r.to), Span: t.span(r.start, r.end)}
		if seen[a.Name] {
			t.fail(r.start, t.i)
			t.say(r.start, r.end, "attribute `%s` stands twice in `<%s>`", a.Name, t.e.Name)
		} else if seen != nil {
			seen[a.Name] = true
		}
		if broken {
			a.Value = lineEnds(t.piece(r.from, r.to))
		} else {
			a.Value = t.resolve(r.from, r.to, true)
		}
		t.e.Attrs = append(t.e.Attrs, a)
		t.count(r.start, 1)
	}
}

// value reads a quoted value and returns the offsets of its inside. When the
// closing quote is missing the value ends with its line.
func (t *tagScanner) value(name string) (from, to int) {
	if t.i >= len(t.text) {
		t.failOnce(t.start, len(t.text))
		t.say(t.i, t.i, "attribute `%s` has no value", name)
		return t.i, t.i
	}
	q := t.text[t.i]
	if q != '"' && q != '\'' {
		from = t.i
		for t.i < len(t.text) && !isSpace(t.text[t.i]) && t.text[t.i] != '>' && t.text[t.i] != '<' &&
			!bytes.HasPrefix(t.text[t.i:], []byte("/>")) {
			t.i++
		}
		t.fault(from, t.i, "the value of `%s` is not in quotes", name)
		return from, t.i
	}
	from = t.i + 1
	line := 0 // offset of the first line end inside
	for i := from; i < len(t.text); i++ {
		switch c := t.text[i]; {
		case c == q:
			t.i = i + 1
			t.templateValue(from, i)
			return from, i
		case c == '\n' && line == 0:
			line = i
		case c == '&' && referenceEnd(t.text, i) < 0:
			if t.cutOff(i + 1) {
				t.failOnce(t.start, len(t.text))
			}
			if line == 0 {
				t.fault(i, i+1, "`&` begins no entity here; write `&amp;`")
			}
			t.failOnce(i, i)
		case c != '<':
		case bytes.HasPrefix(t.text[i:], []byte("<%")):
			t.failOnce(i, i)
			t.markTemplate(i)
			i = t.skipTemplate(i) - 1
		case line > 0:
			t.failOnce(i, i)
			return from, t.unclosed(name, from, line)
		default:
			t.fault(i, i+1, "`<` in the value of `%s`; write `&lt;`", name)
		}
	}
	t.failOnce(t.start, len(t.text))
	if line == 0 {
		line = len(t.text)
	}
	return from, t.unclosed(name, from, line)
}

// cutOff reports whether the file ends inside the reference behind i.
func (t *tagScanner) cutOff(i int) bool {
	rest := bytes.TrimPrefix(t.text[i:], []byte("#"))
	return nameRest(rest, 0) == len(rest)
}

// unclosed ends a value without a closing quote inside its first line.
func (t *tagScanner) unclosed(name string, from, line int) int {
	t.say(from-1, line, "the value of `%s` is not closed with a quote", name)
	end := line
	for _, mark := range []string{"/>", ">"} {
		if i := bytes.LastIndex(t.text[from:line], []byte(mark)); i >= 0 {
			end = from + i
			break
		}
	}
	t.i = end
	return end
}

func (t *tagScanner) templateValue(from, to int) {
	v := t.text[from:to]
	if i := bytes.Index(v, []byte("{{")); i >= 0 && bytes.Contains(v[i:], []byte("}}")) {
		t.markTemplate(from + i)
	}
}
