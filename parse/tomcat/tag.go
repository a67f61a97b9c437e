package tomcat

import "bytes"

// startTag reads one start tag. Of several mistakes in it only the first is
// reported.
func (s *scanner) startTag() {
	start := s.pos
	n := nameEnd(s.text, start+1)
	e := &Element{Name: string(s.text[start+1 : n]), NameSpan: s.span(start+1, n)}
	t := &tagScanner{scanner: s, e: e, i: n}
	t.attributes()
	e.Tag = s.span(start, t.i)
	s.pos = t.i
	s.push(token{kind: startToken, elem: e, start: start, end: t.i})
}

type tagScanner struct {
	*scanner
	e    *Element
	i    int
	seen map[string]bool
}

func (t *tagScanner) fault(start, end int, format string, args ...any) {
	if !t.e.reported {
		t.e.reported = true
		t.report(start, min(end, len(t.text)), format, args...)
	}
}

// attributes reads up to the end of the tag.
func (t *tagScanner) attributes() {
	for {
		before := t.i
		t.i = skipSpace(t.text, t.i)
		if t.i >= len(t.text) {
			t.fault(before, t.i, "the tag `<%s` is not closed with `>`", t.e.Name)
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
			t.markTemplate(t.i)
			t.i = t.skipTemplate(t.i)
		case c == '<':
			at := int(t.e.NameSpan.Start)
			t.fault(t.i, t.i+1, "the tag `<%s` of line %d is not closed with `>` before this `<`", t.e.Name, t.e.NameSpan.File.Line(at))
			return
		case isNameStart(c):
			if t.i == before {
				t.fault(t.i, t.i+1, "no white space between the attributes of `<%s>`", t.e.Name)
			}
			t.attribute()
		case bytes.HasPrefix(t.text[t.i:], []byte("{{")), bytes.HasPrefix(t.text[t.i:], []byte("{%")):
			t.markTemplate(t.i)
			t.i += 2
		default:
			t.fault(t.i, t.i+1, "`%c` has no meaning in the tag `<%s>`", c, t.e.Name)
			t.i++
		}
	}
}

// attribute reads name="value".
func (t *tagScanner) attribute() {
	start := t.i
	t.i = nameEnd(t.text, start)
	a := Attr{Name: string(t.text[start:t.i]), NameSpan: t.span(start, t.i)}
	from, to := t.i, t.i
	if eq := skipSpace(t.text, t.i); eq < len(t.text) && t.text[eq] == '=' {
		t.i = skipSpace(t.text, eq+1)
		from, to = t.value(a.Name)
	} else {
		t.fault(start, t.i, "attribute `%s` of `<%s>` has no value", a.Name, t.e.Name)
	}
	if t.e.reported {
		a.Value = string(lineEnds(t.text[from:to]))
	} else {
		a.Value = t.resolve(from, to, true)
	}
	a.ValueSpan, a.Span = t.span(from, to), t.span(start, t.i)
	if len(t.e.Attrs) >= maxAttrs {
		t.fault(start, t.i, "`<%s>` has more than %d attributes", t.e.Name, maxAttrs)
		return
	}
	if t.seen == nil {
		t.seen = make(map[string]bool, 8)
	}
	if t.seen[a.Name] {
		t.fault(start, t.i, "attribute `%s` stands twice in `<%s>`", a.Name, t.e.Name)
	}
	t.seen[a.Name] = true
	t.e.Attrs = append(t.e.Attrs, a)
}

// value reads a quoted value and returns the offsets of its inside. When the
// closing quote is missing the value ends with its line.
func (t *tagScanner) value(name string) (from, to int) {
	if t.i >= len(t.text) {
		t.fault(t.i, t.i, "attribute `%s` has no value", name)
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
		case c != '<':
		case bytes.HasPrefix(t.text[i:], []byte("<%")):
			t.markTemplate(i)
			i = t.skipTemplate(i) - 1
		case line > 0:
			return from, t.unclosed(name, from, line)
		default:
			t.fault(i, i+1, "`<` in the value of `%s`; write `&lt;`", name)
		}
	}
	if line == 0 {
		line = len(t.text)
	}
	return from, t.unclosed(name, from, line)
}

// unclosed ends a value without a closing quote inside its first line.
func (t *tagScanner) unclosed(name string, from, line int) int {
	t.fault(from-1, line, "the value of `%s` is not closed with a quote", name)
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
