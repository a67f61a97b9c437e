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

	// What is kept of a file costs memory by the piece, not by the byte. A file may
	// hold this many attributes, comments and instructions, elements counting
	// twice, and one more for each so many bytes. That is enough for 50,000 hosts in
	// one server.xml, and reading needs at most 20 bytes for each byte of a file and
	// 32 MiB (TestMemory).
	basePieces    = 100_000
	bytesPerPiece = 20
)

type tokenKind uint8

const (
	startToken tokenKind = iota
	endToken
	textToken
)

// token is one step in building the tree.
type token struct {
	elem       *Element // of a start tag
	from       *scanner // that the offsets belong to
	text       string   // character data, or the name of an end tag
	start, end int32
	kind       tokenKind
}

// tokenList grows in pieces, so that a long one is never copied.
type tokenList struct {
	blocks [][]token
	n      int
}

const tokenBlock = 1024

func (l *tokenList) add(t token) {
	if l.n%tokenBlock == 0 {
		size := tokenBlock
		if l.n == 0 {
			size = 64
		}
		l.blocks = append(l.blocks, make([]token, 0, size))
	}
	last := &l.blocks[len(l.blocks)-1]
	*last = append(*last, t)
	l.n++
}

func (l *tokenList) at(i int) *token { return &l.blocks[i/tokenBlock][i%tokenBlock] }

// scanner cuts the text into tokens and reports what is wrong inside them.
type scanner struct {
	doc      *Document
	file     *diag.File // that is scanned: the document's or an entity's
	src      *source
	text     []byte
	pos      int
	str      string // text once more; parts of it are the values
	tokens   *tokenList
	names    map[string]string
	pieces   *int      // how many more elements, attributes and comments are kept; see basePieces
	raw      []rawAttr // of the tag being read
	ents     *entities
	open     Opener
	within   []string   // names of the entities being read
	fixed    *diag.Span // of the reference when the text is an internal entity
	diags    diag.List
	template int // offset of the first template mark, -1 for none
	doctype  bool
	rooted   bool // a start tag was read
	depth    int  // of open elements
	tagEnd   int  // of the tag whose values are resolved, else 0

	// Where an XML parser stops, -1 for nowhere; up to where it has read then; the
	// place and the tokens that the scanner was at.
	stopAt, stopSeen, stopPos, stopTokens int
	charAt, charSeen                      int // the same for what is no character

	bounded bool // a bound of this package was met
	aborted bool // the rest of the file was not read
}

// fail notes that an XML parser stops at an offset as soon as it has read up to
// seen. Of several such places in one tag or text the one that is seen first
// counts; what is found behind it comes of reading on.
func (s *scanner) fail(at, seen int) {
	switch {
	case s.stopAt < 0:
		s.stopTokens, s.stopPos = s.tokens.n, s.pos
	case s.stopPos != s.pos || seen >= s.stopSeen:
		return
	}
	s.stopAt, s.stopSeen = at, seen
}

// semantic reports a mistake that a parser sees when it has read the whole tag.
func (s *scanner) semantic(start, end int, format string, args ...any) {
	s.semanticAt(s.pos, start, end, format, args...)
}

// semanticAt is semantic for a mistake in a tag that a parser places elsewhere
// than at the tag.
func (s *scanner) semanticAt(at, start, end int, format string, args ...any) {
	if s.tagEnd > 0 {
		s.fail(at, s.tagEnd)
	} else {
		s.fail(start, start)
	}
	s.note(s.span(start, end), format, args...)
}

func (s *scanner) span(start, end int) diag.Span {
	if s.fixed != nil {
		return *s.fixed
	}
	return diag.At(s.file, s.src.offset(start), s.src.offset(end))
}

func (s *scanner) report(start, end int, format string, args ...any) {
	s.fail(start, start)
	s.note(s.span(start, end), format, args...)
}

// note adds a finding about syntax.
func (s *scanner) note(at diag.Span, format string, args ...any) {
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
	s.declarationXML()
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
		if s.outside() {
			s.fail(s.pos, s.pos)
		}
		end := s.until("]]>", 9, "CDATA section")
		s.push(token{kind: textToken, text: lineEnds(s.piece(s.pos+9, max(s.pos+9, end-3)))}, s.pos, end)
		s.count(s.pos, 1)
		s.pos = end
	case bytes.HasPrefix(rest, []byte("<!DOCTYPE")):
		s.docType()
	case bytes.HasPrefix(rest, []byte("<?")):
		s.procInst()
	case bytes.HasPrefix(rest, []byte("<%")):
		s.fail(s.pos, s.pos)
		s.markTemplate(s.pos)
		s.pos = s.skipTemplate(s.pos)
	case bytes.HasPrefix(rest, []byte("</")):
		s.endTag()
	case len(rest) > 1 && nameChar(rest[1:], true) > 0:
		s.startTag()
	default:
		s.report(s.pos, s.pos+1, "`<` begins no tag here; write `&lt;`")
		s.push(token{kind: textToken, text: "<"}, s.pos, s.pos+1)
		s.count(s.pos, 1)
		s.pos++
	}
}

func (s *scanner) push(t token, start, end int) {
	t.from, t.start, t.end = s, int32(start), int32(end)
	s.tokens.add(t)
}

// piece returns the text between the offsets without a copy.
func (s *scanner) piece(start, end int) string {
	if s.str == "" {
		s.str = string(s.text)
	}
	return s.str[start:end]
}

// count takes a piece of a weight from what a file may hold.
func (s *scanner) count(at, weight int) {
	if *s.pieces -= weight; *s.pieces >= 0 || s.aborted {
		return
	}
	s.bounded, s.aborted = true, true
	s.note(s.span(at, min(at+1, len(s.text))), "the file holds too many elements, attributes and comments for its size (%d, and one for each %d bytes); the rest is not read", basePieces, bytesPerPiece)
}

// until returns the offset behind the mark; the search begins skip bytes on.
func (s *scanner) until(mark string, skip int, what string) int {
	from := min(s.pos+skip, len(s.text))
	if i := bytes.Index(s.text[from:], []byte(mark)); i >= 0 {
		return from + i + len(mark)
	}
	stop := s.pos
	if mark == "]]>" {
		stop = len(s.text) // a parser hands the section out in parts
	}
	s.fail(stop, len(s.text))
	s.note(s.span(s.pos, from), "the %s is not closed with `%s`", what, mark)
	s.aborted = true
	return len(s.text)
}

func (s *scanner) comment() {
	from := s.pos + 4
	if i := bytes.Index(s.text[from:], []byte("--")); i >= 0 && from+i+2 < len(s.text) && s.text[from+i+2] != '>' {
		s.report(from+i, from+i+2, "`--` inside a comment")
	}
	end := s.until("-->", 4, "comment")
	text := s.piece(from, len(s.text))
	if !s.aborted {
		text = s.piece(from, end-3)
	}
	s.count(s.pos, 1)
	s.doc.Comments = append(s.doc.Comments, Comment{Text: text, Span: s.span(s.pos, end)})
	s.pos = end
}

func (s *scanner) procInst() {
	n := nameEnd(s.text, s.pos+2)
	target := string(s.text[s.pos+2 : n])
	rest := s.text[n:]
	switch {
	case len(rest) == 0 || string(rest) == "?":
	case target == "":
		s.fail(n, n)
		s.note(s.span(s.pos, s.pos+2), "a processing instruction without a name")
	case !isSpace(rest[0]) && !bytes.HasPrefix(rest, []byte("?>")):
		s.report(n, n+1, "no white space behind the name of a processing instruction")
	}
	end := s.until("?>", 2, "processing instruction")
	if strings.EqualFold(target, "xml") && !s.aborted {
		s.report(s.pos, end, "the XML declaration must be at the very start of the file")
	}
	s.count(s.pos, 1)
	s.pos = end
}

// skipTemplate returns the offset behind the template mark that begins at i.
func (s *scanner) skipTemplate(i int) int {
	if n := bytes.Index(s.text[i:], []byte("%>")); n >= 0 {
		return i + n + 2
	}
	return len(s.text)
}

// outside reports whether the scanner is outside of the root element.
func (s *scanner) outside() bool { return s.depth == 0 && len(s.within) == 0 }

func (s *scanner) chars(start, end int) {
	if from := skipSpace(s.text, start); from < end && s.outside() {
		s.fail(from, from) // said by the builder
	}
	raw := s.text[start:end]
	for _, mark := range [][2]string{{"{{", "}}"}, {"{%", "%}"}} {
		if i := bytes.Index(raw, []byte(mark[0])); i >= 0 && bytes.Contains(raw[i:], []byte(mark[1])) {
			s.markTemplate(start + i)
		}
	}
	if i := bytes.Index(raw, []byte("]]>")); i >= 0 {
		s.report(start+i, start+i+3, "`]]>` in text; write `]]&gt;`")
	}
	s.bareAmpersands(start, end)
	for start < end && !s.aborted {
		at, next := s.nextMarkup(start, end)
		if at > start {
			s.textPiece(start, at)
		}
		if next > at {
			s.markupEntity(at, next)
		}
		start = next
	}
}

// textPiece pushes character data; without references it stays where it is.
func (s *scanner) textPiece(start, end int) {
	if n := bytes.IndexByte(s.text[start:end], '&'); n >= 0 && s.outside() {
		s.report(start+n, start+n+1, "a reference outside the root element")
	}
	s.push(token{kind: textToken, text: s.resolve(start, end, false)}, start, end)
}

// bareAmpersands reports each & that begins no reference.
func (s *scanner) bareAmpersands(start, end int) {
	for i := start; i < end; i++ {
		n := bytes.IndexByte(s.text[i:end], '&')
		if n < 0 {
			return
		}
		i += n
		if referenceEnd(s.text[:end], i) < 0 {
			s.report(i, i+1, "`&` begins no entity here; write `&amp;`")
		}
	}
}

func (s *scanner) endTag() {
	start := s.pos
	if s.outside() {
		s.fail(start, start)
		s.count(start, 1)
	}
	n := nameEnd(s.text, start+2)
	i := skipSpace(s.text, n)
	t := token{kind: endToken, text: s.name(start+2, n)}
	switch {
	case i < len(s.text) && s.text[i] == '>' && n > start+2:
		i++
	default:
		switch {
		case n == start+2 && n < len(s.text):
			s.fail(n, n)
		case i < len(s.text):
			s.fail(i, i)
		default:
			s.fail(start, len(s.text))
		}
		s.note(s.span(start, n), "`</%s` is not closed with `>`", t.text)
		if j := bytes.IndexAny(s.text[i:min(len(s.text), i+4096)], "<>\n"); j >= 0 {
			i += j
			if s.text[i] == '>' {
				i++
			}
		}
	}
	s.pos = i
	s.depth = max(0, s.depth-1)
	s.push(t, start, i)
}

// checkCharacters reports the first byte sequence that no XML file may hold.
func (s *scanner) checkCharacters() {
	if bad := s.src.bad; bad >= 0 {
		s.failChar(bad, s.src.cut)
		s.note(s.span(bad, bad+1), "no character of the encoding %s", s.src.name)
	}
	for i := 0; i < len(s.text); {
		c := s.text[i]
		if c >= ' ' && c < utf8.RuneSelf || c == '\n' || c == '\t' || c == '\r' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(s.text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			s.failChar(i, !utf8.FullRune(s.text[i:]))
			s.note(s.span(i, i+1), "byte 0x%02X is not UTF-8; the XML declaration names no other encoding", c)
			return
		case !isChar(r):
			s.failChar(i, false)
			s.note(s.span(i, i+size), "character U+%04X is not allowed in XML", r)
			return
		}
		i += size
	}
}

// failChar notes bytes that are no character; those that a longer file could
// complete are seen at its end only.
func (s *scanner) failChar(at int, cut bool) {
	seen := at
	if cut {
		seen = len(s.text) + 1
	}
	if s.charAt < 0 || seen < s.charSeen {
		s.charAt, s.charSeen = at, seen
	}
}

func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func skipSpace(b []byte, i int) int {
	for i < len(b) && isSpace(b[i]) {
		i++
	}
	return i
}

// lineEnds turns CRLF and CR into LF.
func lineEnds(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.ReplaceAll(s, "\r", "\n")
}
