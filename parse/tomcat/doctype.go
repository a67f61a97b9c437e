package tomcat

import (
	"bytes"
	"strings"

	"clowder/parse/diag"
)

// docType reads <!DOCTYPE …> with its internal subset by the grammar of the XML
// recommendation (productions 28 to 83 as far as an internal subset may use
// them). Entities are kept, the rest is checked only: Tomcat does not validate.
func (s *scanner) docType() {
	start := s.pos
	again := s.doctype
	if again || s.rooted {
		s.report(start, start+9, "a DOCTYPE must stand once and before the root element")
	}
	s.doctype = true
	p := &dtdScanner{scanner: s, i: start + 9, decl: start}
	p.doctype()
	s.pos = p.i
	if !p.bad {
		return
	}
	p.inside = p.inside && !again // searched for once, so that the time stays linear
	s.pos = p.behind(max(p.i, start+9))
	s.aborted = s.aborted || s.pos >= len(s.text)
}

// behind returns where to read on after a mistake: behind the `]>` that closes the
// subset when there is one, else behind the next `>` or at the next `<`.
func (p *dtdScanner) behind(from int) int {
	for i := from; p.inside && i < len(p.text); i++ {
		n := bytes.IndexByte(p.text[i:], ']')
		if n < 0 {
			break
		}
		i += n
		if end := skipSpace(p.text, i+1); end < len(p.text) && p.text[end] == '>' {
			return end + 1
		}
	}
	for i := from; i < len(p.text); i++ {
		if p.text[i] == '>' {
			return i + 1
		}
		if p.text[i] == '<' && !p.inside {
			return i
		}
	}
	return len(p.text)
}

// dtdScanner reads declarations. After the first mistake (bad) it does nothing.
type dtdScanner struct {
	*scanner
	i      int // offset of the next byte
	decl   int // offset of the declaration being read
	token  int // offset of the string or comment that is not closed, else 0
	bad    bool
	inside bool // between [ and ]
}

// wrong reports the first mistake; at the end of the text it is that the
// declaration is not closed.
func (p *dtdScanner) wrong(what string) {
	if p.bad {
		return
	}
	p.bad = true
	if p.i >= len(p.text) {
		stop := len(p.text)
		if p.token > 0 {
			stop = p.token
		}
		p.fail(stop, len(p.text))
		p.note(p.span(p.decl, min(p.decl+9, len(p.text))), "the declaration is not closed with `>`")
		return
	}
	p.report(p.i, p.i+1, "%s", what)
}

func (p *dtdScanner) peek() byte {
	if p.bad || p.i >= len(p.text) {
		return 0
	}
	return p.text[p.i]
}

// space skips white space and reports whether there was some.
func (p *dtdScanner) space() bool {
	if p.bad {
		return false
	}
	before := p.i
	p.i = skipSpace(p.text, p.i)
	return p.i > before
}

// needSpace demands white space.
func (p *dtdScanner) needSpace() {
	if !p.space() {
		p.wrong("white space is missing in the declaration")
	}
}

func (p *dtdScanner) word(w string) bool {
	if p.bad || !bytes.HasPrefix(p.text[min(p.i, len(p.text)):], []byte(w)) {
		return false
	}
	if end := p.i + len(w); w[len(w)-1]|0x20 >= 'a' && w[len(w)-1]|0x20 <= 'z' && nameRest(p.text, end) > end {
		return false
	}
	p.i += len(w)
	return true
}

func (p *dtdScanner) expect(c byte) {
	if p.peek() != c || c == 0 {
		p.wrong("`" + string(rune(c)) + "` is missing in the declaration")
		return
	}
	p.i++
}

func (p *dtdScanner) name() string {
	if p.bad {
		return ""
	}
	start := p.i
	p.i = nameEnd(p.text, p.i)
	if p.i == start {
		p.wrong("a name is missing in the declaration")
	}
	return string(p.text[start:p.i])
}

// literal reads a quoted string and returns the offsets of its inside.
func (p *dtdScanner) literal() (from, to int) {
	q := p.peek()
	if q != '"' && q != '\'' {
		p.wrong("a quoted string is missing in the declaration")
		return p.i, p.i
	}
	n := bytes.IndexByte(p.text[p.i+1:], q)
	if n < 0 {
		p.token, p.i = p.i, len(p.text)
		p.wrong("")
		return p.i, p.i
	}
	from = p.i + 1
	p.i = from + n + 1
	if p.i < len(p.text) && !isSpace(p.text[p.i]) && bytes.IndexByte([]byte(">%["), p.text[p.i]) < 0 {
		p.wrong("white space is missing behind the quoted string")
	}
	return from, from + n
}

func (p *dtdScanner) doctype() {
	p.needSpace()
	p.name()
	if p.space() && (p.peek() == 'S' || p.peek() == 'P') {
		p.externalID(false)
		p.ents.subset = true
		p.space()
	}
	if p.peek() == '[' {
		p.i++
		p.inside = true
		p.subset()
		p.expect(']')
		p.inside = p.inside && p.bad
		p.space()
	}
	p.expect('>')
}

// externalID reads SYSTEM "…" or PUBLIC "…" "…" and returns the system
// identifier; a notation may leave it out behind PUBLIC.
func (p *dtdScanner) externalID(notation bool) string {
	public := p.word("PUBLIC")
	if !public && !p.word("SYSTEM") {
		p.wrong("`SYSTEM` or `PUBLIC` is missing in the declaration")
		return ""
	}
	p.needSpace()
	if public {
		from, to := p.literal()
		for i := from; i < to && !p.bad; i++ {
			if c := p.text[i]; !isPublic(c) {
				p.i = i
				p.wrong("the public identifier holds a character that is not allowed there")
			}
		}
		spaced := p.space()
		if q := p.peek(); notation && q != '"' && q != '\'' {
			return ""
		}
		if !spaced {
			p.wrong("white space is missing in the declaration")
		}
	}
	from, to := p.literal()
	return string(p.text[from:to])
}

func isPublic(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c != 0 && strings.IndexByte(" \r\n-'()+,./:=?;!*#@$_%", c) >= 0
}

// subset reads declarations up to the closing bracket.
func (p *dtdScanner) subset() {
	for !p.bad {
		p.space()
		p.decl = p.i
		switch {
		case p.peek() == ']':
			return
		case p.peek() == '%':
			p.i++
			p.name()
			p.expect(';')
			p.ents.subset = true
		case p.word("<!--"):
			p.skip("--", "-->")
		case p.word("<?"):
			p.instruction()
		case p.word("<!ENTITY"):
			p.entity()
		case p.word("<!ATTLIST"):
			p.attlist()
		case p.word("<!ELEMENT"):
			p.element()
		case p.word("<!NOTATION"):
			p.needSpace()
			p.name()
			p.needSpace()
			p.externalID(true)
			p.close()
		default:
			p.wrong("this is no declaration")
		}
	}
}

func (p *dtdScanner) close() {
	p.space()
	p.expect('>')
}

// skip goes behind the end mark, which must stand at the first place of first.
func (p *dtdScanner) skip(first, mark string) {
	n := bytes.Index(p.text[p.i:], []byte(first))
	if n < 0 || p.i+n+len(first) >= len(p.text) {
		p.token, p.i = p.decl, len(p.text)
		p.wrong("")
		return
	}
	if p.i += n; !p.word(mark) {
		p.wrong("`" + first + "` inside a comment")
	}
}

func (p *dtdScanner) instruction() {
	target := p.name()
	if strings.EqualFold(target, "xml") {
		p.i = p.decl
		p.wrong("the XML declaration must be at the very start of the file")
	}
	if !p.bad && !bytes.HasPrefix(p.text[p.i:], []byte("?>")) {
		p.needSpace()
	}
	if !p.bad {
		p.skip("?>", "?>")
	}
}

// entity reads what stands behind <!ENTITY. The first declaration of a name counts.
func (p *dtdScanner) entity() {
	p.needSpace()
	parameter := p.peek() == '%'
	if parameter {
		p.i++
		p.needSpace()
	}
	name := p.name()
	p.needSpace()
	var text, system string
	unparsed := false
	internal := p.peek() == '"' || p.peek() == '\''
	if internal {
		text = p.entityValue()
	} else {
		system = p.externalID(false)
		if p.space() && !parameter && p.peek() == 'N' {
			if !p.word("NDATA") {
				p.wrong("`NDATA` is missing in the declaration")
			}
			p.needSpace()
			p.name()
			unparsed = true
		}
	}
	p.close()
	if p.bad || parameter || predefined[name] != "" {
		return
	}
	e := p.ents
	if e.text == nil {
		e.text, e.external, e.unparsed = map[string]string{}, map[string]string{}, map[string]bool{}
	}
	if e.known(name) {
		return
	}
	switch {
	case len(e.text)+len(e.external) >= maxEntities:
		p.bounded = true
		p.note(p.span(p.decl, p.i), "more than %d entities; this one is not read", maxEntities)
	case internal:
		e.text[name] = text
	default:
		e.external[name], e.unparsed[name] = system, unparsed
	}
}

// entityValue reads a literal and resolves the character references in it; other
// references stay for the place where the entity is used.
func (p *dtdScanner) entityValue() string {
	from, to := p.literal()
	var out strings.Builder
	for i := from; i < to && !p.bad; {
		c := p.text[i]
		switch c {
		case '%':
			p.i = i
			p.wrong("a parameter entity inside an entity's text; the internal subset does not allow that")
		case '&':
			n := referenceEnd(p.text[:to], i)
			if n < 0 {
				p.i = i
				p.wrong("`&` begins no entity here; write `&amp;`")
				break
			}
			if p.text[i+1] != '#' {
				out.Write(p.text[i:n])
			} else if r, ok := charRef(string(p.text[i+2 : n-1])); ok {
				out.WriteString(r)
			} else {
				p.i = i
				p.wrong("this is no character of XML")
			}
			i = n
			continue
		default:
			out.WriteByte(c)
		}
		i++
	}
	return lineEnds(out.String())
}

// attlist reads what stands behind <!ATTLIST. Default values are not applied to
// the elements; that is said.
func (p *dtdScanner) attlist() {
	p.needSpace()
	element := p.name()
	for !p.bad {
		spaced := p.space()
		if p.peek() == '>' {
			p.i++
			return
		}
		if !spaced {
			p.needSpace()
		}
		attribute := p.name()
		p.needSpace()
		p.attributeType()
		p.needSpace()
		switch {
		case p.word("#REQUIRED"), p.word("#IMPLIED"):
			continue
		case p.word("#FIXED"):
			p.needSpace()
		}
		at := p.i
		from, to := p.literal()
		p.defaultValue(from, to)
		if !p.bad && len(p.diags) < maxFindings {
			p.diags.Add(diag.Diagnostic{ID: "T001", Name: "xml-syntax", Severity: diag.Warning, Confidence: diag.Certain,
				Span:    p.span(at, p.i),
				Message: "the DOCTYPE gives `" + attribute + "` of `" + element + "` a default, which is not read; write the attribute in the element"})
		}
	}
}

// defaultValue checks the default of an attribute.
func (p *dtdScanner) defaultValue(from, to int) {
	for i := from; i < to && !p.bad; i++ {
		switch p.text[i] {
		case '<':
			p.i = i
			p.wrong("`<` in a default value; write `&lt;`")
		case '&':
			n := referenceEnd(p.text[:to], i)
			if n < 0 {
				p.i = i
				p.wrong("`&` begins no entity here; write `&amp;`")
				return
			}
			before := p.stopAt
			p.reference(i, n, true)
			p.bad = p.bad || p.stopAt != before
			i = n - 1
		}
	}
}

var attributeTypes = []string{"CDATA", "IDREFS", "IDREF", "ID", "ENTITIES", "ENTITY", "NMTOKENS", "NMTOKEN"}

func (p *dtdScanner) attributeType() {
	for _, t := range attributeTypes {
		if p.word(t) {
			return
		}
	}
	notation := p.word("NOTATION")
	if notation {
		p.needSpace()
	}
	p.expect('(')
	for !p.bad {
		p.space()
		if notation {
			p.name()
		} else if end := nameRest(p.text, p.i); !p.bad && end > p.i {
			p.i = end
		} else {
			p.wrong("a name is missing in the declaration")
		}
		p.space()
		if p.peek() == ')' {
			p.i++
			return
		}
		p.expect('|')
	}
}

// element reads what stands behind <!ELEMENT.
func (p *dtdScanner) element() {
	p.needSpace()
	p.name()
	p.needSpace()
	switch {
	case p.word("EMPTY"), p.word("ANY"):
	default:
		p.expect('(')
		p.space()
		if p.word("#PCDATA") {
			p.mixed()
		} else {
			p.group(1)
		}
	}
	p.close()
}

// mixed reads the rest of (#PCDATA | a | b)*.
func (p *dtdScanner) mixed() {
	names := 0
	for p.space(); p.peek() == '|'; p.space() {
		p.i++
		p.space()
		p.name()
		names++
	}
	p.expect(')')
	if p.peek() == '*' {
		p.i++
	} else if names > 0 {
		p.expect('*')
	}
}

// group reads a content model behind its opening parenthesis.
func (p *dtdScanner) group(depth int) {
	if depth > maxDepth {
		p.wrong("content models are nested too deep")
	}
	separator := byte(0)
	for !p.bad {
		p.space()
		if p.peek() == '(' {
			p.i++
			p.group(depth + 1)
		} else {
			p.name()
			p.repeat()
		}
		p.space()
		switch c := p.peek(); {
		case c == ')':
			p.i++
			p.repeat()
			return
		case (c == '|' || c == ',') && (separator == 0 || separator == c):
			separator = c
			p.i++
		default:
			p.wrong("`)` is missing in the declaration")
		}
	}
}

func (p *dtdScanner) repeat() {
	if c := p.peek(); c == '?' || c == '*' || c == '+' {
		p.i++
	}
}
