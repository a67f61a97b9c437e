package tomcat

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"clowder/parse/diag"
)

// Bounds on what one file may hold.
const (
	maxBytes    = 64 << 20
	maxDepth    = 1000
	maxAttrs    = 2000 // of one element
	maxFindings = 100  // of one file
)

type tokenKind uint8

const (
	startToken tokenKind = iota
	endToken
	textToken
)

// token is one step in building the tree.
type token struct {
	kind       tokenKind
	elem       *Element // of a start tag
	name       string   // of an end tag
	text       []byte   // of character data
	from       *scanner // that the offsets belong to
	start, end int
}

// scanner cuts the text into tokens and reports what is wrong inside them.
type scanner struct {
	doc      *Document
	file     *diag.File // that is scanned: the document's or an entity's
	src      *source
	text     []byte
	pos      int
	tokens   []token
	ents     *entities
	open     Opener
	within   []string   // names of the entities being read
	fixed    *diag.Span // of the reference when the text is an internal entity
	diags    diag.List
	template int // offset of the first template mark, -1 for none
	doctype  bool
	aborted  bool // the rest of the file was not read
}

func (s *scanner) span(start, end int) diag.Span {
	if s.fixed != nil {
		return *s.fixed
	}
	return diag.At(s.file, s.src.offset(start), s.src.offset(end))
}

func (s *scanner) report(start, end int, format string, args ...any) {
	s.reportSpan(s.span(start, end), format, args...)
}

func (s *scanner) reportSpan(at diag.Span, format string, args ...any) {
	if len(s.diags) < maxFindings {
		s.diags.Add(diag.Diagnostic{ID: "T001", Name: "xml-syntax", Severity: diag.Error, Confidence: diag.Certain,
			Span: at, Message: fmt.Sprintf(format, args...),
			Detail: "Tomcat does not start with a file that is not well-formed XML."})
	}
}

func (s *scanner) markTemplate(at int) {
	if s.template < 0 {
		s.template = at
	}
}

func (s *scanner) scan() {
	s.checkCharacters()
	for s.pos < len(s.text) && !s.aborted {
		i := bytes.IndexByte(s.text[s.pos:], '<')
		if i < 0 {
			i = len(s.text) - s.pos
		}
		if i > 0 {
			s.chars(s.pos, s.pos+i)
			s.pos += i
			continue
		}
		s.markup()
	}
}

// markup reads what begins with the < at the position.
func (s *scanner) markup() {
	rest := s.text[s.pos:]
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		s.comment()
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		end := s.until("]]>", 9, "CDATA section")
		s.push(token{kind: textToken, text: lineEnds(s.text[s.pos+9 : max(s.pos+9, end-3)]), start: s.pos, end: end})
		s.pos = end
	case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
		s.docType()
	case bytes.HasPrefix(rest, []byte("<?")):
		s.procInst()
	case bytes.HasPrefix(rest, []byte("<%")):
		s.markTemplate(s.pos)
		s.pos = s.skipTemplate(s.pos)
	case bytes.HasPrefix(rest, []byte("</")):
		s.endTag()
	case len(rest) > 1 && isNameStart(rest[1]):
		s.startTag()
	default:
		s.report(s.pos, s.pos+1, "`<` begins no tag here; write `&lt;`")
		s.push(token{kind: textToken, text: []byte("<"), start: s.pos, end: s.pos + 1})
		s.pos++
	}
}

func (s *scanner) push(t token) {
	t.from = s
	s.tokens = append(s.tokens, t)
}

// until returns the offset behind the mark; the search begins skip bytes on.
func (s *scanner) until(mark string, skip int, what string) int {
	from := min(s.pos+skip, len(s.text))
	if i := bytes.Index(s.text[from:], []byte(mark)); i >= 0 {
		return from + i + len(mark)
	}
	s.report(s.pos, from, "the %s is not closed with `%s`", what, mark)
	s.aborted = true
	return len(s.text)
}

func (s *scanner) comment() {
	end := s.until("-->", 4, "comment")
	body := s.text[s.pos+4 : max(s.pos+4, end-3)]
	if s.aborted {
		body = s.text[s.pos+4:]
	} else if i := bytes.Index(append(body[:len(body):len(body)], '-'), []byte("--")); i >= 0 {
		at := s.pos + 4 + i
		s.report(at, at+2, "`--` inside a comment")
	}
	s.doc.Comments = append(s.doc.Comments, Comment{Text: string(body), Span: s.span(s.pos, end)})
	s.pos = end
}

func (s *scanner) procInst() {
	end := s.until("?>", 2, "processing instruction")
	target := s.text[s.pos+2 : nameEnd(s.text, s.pos+2)]
	switch {
	case len(target) == 0:
		s.report(s.pos, s.pos+2, "a processing instruction without a name")
	case s.pos > 0 && strings.EqualFold(string(target), "xml"):
		s.report(s.pos, end, "the XML declaration must be at the very start of the file")
	}
	s.pos = end
}

// skipTemplate returns the offset behind the template mark that begins at i.
func (s *scanner) skipTemplate(i int) int {
	if n := bytes.Index(s.text[i:], []byte("%>")); n >= 0 {
		return i + n + 2
	}
	return len(s.text)
}

func (s *scanner) chars(start, end int) {
	raw := s.text[start:end]
	for _, mark := range [][2]string{{"{{", "}}"}, {"{%", "%}"}} {
		if i := bytes.Index(raw, []byte(mark[0])); i >= 0 && bytes.Contains(raw[i:], []byte(mark[1])) {
			s.markTemplate(start + i)
		}
	}
	if i := bytes.Index(raw, []byte("]]>")); i >= 0 {
		s.report(start+i, start+i+3, "`]]>` in text; write `]]&gt;`")
	}
	for start < end {
		at, next := s.nextMarkup(start, end)
		if at > start {
			s.push(token{kind: textToken, text: []byte(s.resolve(start, at, false)), start: start, end: at})
		}
		if next > at {
			s.markupEntity(at, next)
		}
		start = next
	}
}

func (s *scanner) endTag() {
	start := s.pos
	n := nameEnd(s.text, start+2)
	i := skipSpace(s.text, n)
	t := token{kind: endToken, name: string(s.text[start+2 : n]), start: start}
	switch {
	case i < len(s.text) && s.text[i] == '>':
		i++
	default:
		s.report(start, n, "`</%s` is not closed with `>`", t.name)
		if j := bytes.IndexAny(s.text[i:min(len(s.text), i+4096)], "<>\n"); j >= 0 {
			i += j
			if s.text[i] == '>' {
				i++
			}
		}
	}
	t.end, s.pos = i, i
	s.push(t)
}

// checkCharacters reports the first byte sequence that no XML file may hold.
func (s *scanner) checkCharacters() {
	for i := 0; i < len(s.text); {
		c := s.text[i]
		if c >= ' ' && c < utf8.RuneSelf || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(s.text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			s.report(i, i+1, "byte 0x%02X is not UTF-8; the XML declaration names no other encoding", c)
			return
		case !isChar(r):
			s.report(i, i+size, "character U+%04X is not allowed in XML", r)
			return
		}
		i += size
	}
}

func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

func isNameStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == ':' || c >= utf8.RuneSelf
}

func isName(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '-' || c == '.'
}

// nameEnd returns the offset behind the name that begins at i; i when none does.
func nameEnd(b []byte, i int) int {
	if i >= len(b) || !isNameStart(b[i]) {
		return min(i, len(b))
	}
	for i < len(b) && isName(b[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// lineEnds turns CRLF and CR into LF.
func lineEnds(b []byte) []byte {
	if bytes.IndexByte(b, '\r') < 0 {
		return b
	}
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
}
