package tomcat

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/diag"
)

// Bounds on entities: what all references of one file may expand to, in bytes,
// and how deep they may refer to each other.
const (
	maxExpansion   = 1 << 20
	maxEntityDepth = 16
	maxEntities    = 1000
)

// entities are the general entities that a DOCTYPE declares.
type entities struct {
	text       map[string]string // replacement text of internal entities
	external   map[string]string // system identifiers
	unparsed   map[string]bool   // external with NDATA
	subset     bool              // there is an external subset or a parameter entity
	standalone bool              // the XML declaration says so
	expanded   int
}

func (e *entities) known(name string) bool {
	_, internal := e.text[name]
	_, external := e.external[name]
	return internal || external
}

var predefined = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// referenceEnd returns the offset behind the reference that begins with the & at
// i, or -1 when it is none.
func referenceEnd(b []byte, i int) int {
	n := i + 1
	switch {
	case n < len(b) && b[n] == '#':
		n++
		hex := n < len(b) && b[n] == 'x'
		if hex {
			n++
		}
		start := n
		for n < len(b) && (b[n] >= '0' && b[n] <= '9' || hex && b[n]|0x20 >= 'a' && b[n]|0x20 <= 'f') {
			n++
		}
		if n == start {
			return -1
		}
	default:
		if n = nameEnd(b, i+1); n == i+1 {
			return -1
		}
	}
	if n < len(b) && b[n] == ';' {
		return n + 1
	}
	return -1
}

// resolve returns the text between the offsets with its references resolved; in
// attribute values white space becomes blanks, elsewhere line ends become LF.
// What begins no reference was reported before.
func (s *scanner) resolve(start, end int, attr bool) string {
	if bytes.IndexByte(s.text[start:end], '&') < 0 {
		return normalize(s.piece(start, end), attr)
	}
	var out strings.Builder
	for i := start; i < end; {
		if s.text[i] != '&' {
			n := bytes.IndexByte(s.text[i:end], '&')
			if n < 0 {
				n = end - i
			}
			out.WriteString(normalize(s.piece(i, i+n), attr))
			i += n
			continue
		}
		n := referenceEnd(s.text[:end], i)
		if n < 0 {
			out.WriteByte('&')
			i++
			continue
		}
		out.WriteString(s.reference(i, n, attr))
		i = n
	}
	return out.String()
}

func normalize(raw string, attr bool) string {
	raw = lineEnds(raw)
	if attr && strings.ContainsAny(raw, "\n\t") {
		return blanks.Replace(raw)
	}
	return raw
}

var blanks = strings.NewReplacer("\n", " ", "\t", " ")

// reference resolves the &name; between the offsets, which stands for no markup.
func (s *scanner) reference(start, end int, attr bool) string {
	name := string(s.text[start+1 : end-1])
	if name[0] == '#' {
		r, ok := charRef(name[1:])
		if !ok {
			s.semanticAt(start, start, end, "`&%s;` is no character of XML", name)
		}
		return r
	}
	if v, ok := predefined[name]; ok {
		return v
	}
	if s.ents.unparsed[name] {
		s.semanticAt(start, start, end, "entity `&%s;` is not text but data of another kind", name)
		return ""
	}
	if _, ok := s.ents.external[name]; ok {
		s.semanticAt(start, start, end, "external entity `&%s;` in an attribute value", name)
		return ""
	}
	v, ok := s.ents.text[name]
	if !ok {
		if s.undeclared() {
			s.semantic(start, end, "entity `&%s;` is not declared", name)
		}
		return string(s.text[start:end])
	}
	text, problem := s.expand(v, nil, name)
	if problem != "" {
		s.semantic(start, end, "entity `&%s;` %s", name, problem)
		return ""
	}
	return text
}

// undeclared reports whether an unknown entity is a mistake: it may be declared
// in what is not read, unless the document says that it needs nothing else.
func (s *scanner) undeclared() bool { return !s.ents.subset || s.ents.standalone }

func (s *scanner) unread(start, end int, name, why string) {
	if len(s.diags) < maxFindings {
		s.diags.Add(diag.Diagnostic{ID: "T001", Name: "xml-syntax", Severity: diag.Warning, Confidence: diag.Certain,
			Span: s.span(start, end), Message: "entity `&" + name + ";` " + why})
	}
}

// expand resolves the references inside an entity's text for an attribute value.
// A `<` that stood there as `&#60;` counts as markup, as the recommendation has it.
func (s *scanner) expand(text string, active []string, name string) (value, problem string) {
	if len(active) >= maxEntityDepth {
		s.bounded = true
		return "", "is nested too deep"
	}
	if slices.Contains(active, name) {
		return "", "refers to itself"
	}
	active = append(active, name)
	var out strings.Builder
	for v := []byte(text); len(v) > 0; {
		amp := bytes.IndexByte(v, '&')
		if amp < 0 {
			amp = len(v)
		}
		if s.ents.expanded += amp + 1; s.ents.expanded > maxExpansion {
			s.bounded = true
			return "", "grows beyond " + strconv.Itoa(maxExpansion>>20) + " MiB"
		}
		if bytes.IndexByte(v[:amp], '<') >= 0 {
			return "", "puts `<` into an attribute value"
		}
		out.WriteString(normalize(string(v[:amp]), true))
		if v = v[amp:]; len(v) == 0 {
			break
		}
		n := referenceEnd(v, 0)
		if n < 0 {
			return "", "holds a bare `&`"
		}
		inner := ""
		if inner, problem = s.inner(string(v[1:n-1]), active); problem != "" {
			return "", problem
		}
		out.WriteString(inner)
		v = v[n:]
	}
	return out.String(), ""
}

// inner resolves a reference inside an entity's text.
func (s *scanner) inner(ref string, active []string) (text, problem string) {
	if ref[0] == '#' {
		r, ok := charRef(ref[1:])
		if !ok {
			return "", "holds `&" + ref + ";`, which is no character of XML"
		}
		return r, ""
	}
	if p, ok := predefined[ref]; ok {
		return p, ""
	}
	if v, ok := s.ents.text[ref]; ok {
		return s.expand(v, active, ref)
	}
	if s.ents.known(ref) {
		return "", "refers to the external entity `&" + ref + ";`"
	}
	if s.undeclared() {
		return "", "refers to `&" + ref + ";`, which is not declared here"
	}
	return "&" + ref + ";", ""
}

// charRef returns the character of the digits between &# and ;.
func charRef(digits string) (string, bool) {
	base := 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil || !isChar(rune(n)) {
		return "", false
	}
	return string(rune(n)), true
}
