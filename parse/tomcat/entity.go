package tomcat

import (
	"bytes"
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
	text     map[string]string // replacement text of internal entities
	external map[string]string // external identifiers as written
	subset   bool              // there is an external subset or a parameter entity
	expanded int
}

var predefined = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// resolve returns the text between the offsets with its references resolved; in
// attribute values white space becomes blanks, elsewhere line ends become LF.
func (s *scanner) resolve(start, end int, attr bool) string {
	raw := s.text[start:end]
	if bytes.IndexByte(raw, '&') < 0 {
		return normalize(raw, attr)
	}
	var out strings.Builder
	for i := start; i < end; {
		if s.text[i] != '&' {
			n := bytes.IndexByte(s.text[i:end], '&')
			if n < 0 {
				n = end - i
			}
			out.WriteString(normalize(s.text[i:i+n], attr))
			i += n
			continue
		}
		semi := bytes.IndexByte(s.text[i:min(end, i+128)], ';')
		if semi < 0 || !isReference(s.text[i+1:i+semi]) {
			s.report(i, i+1, "`&` begins no entity here; write `&amp;`")
			out.WriteByte('&')
			i++
			continue
		}
		out.WriteString(s.reference(i, i+semi+1, attr))
		i += semi + 1
	}
	return out.String()
}

func normalize(raw []byte, attr bool) string {
	raw = lineEnds(raw)
	if attr && bytes.ContainsAny(raw, "\n\t") {
		return strings.NewReplacer("\n", " ", "\t", " ").Replace(string(raw))
	}
	return string(raw)
}

func isReference(name []byte) bool {
	if len(name) > 1 && name[0] == '#' {
		return true
	}
	return len(name) > 0 && nameEnd(name, 0) == len(name)
}

// reference resolves the &name; between the offsets.
func (s *scanner) reference(start, end int, attr bool) string {
	name := string(s.text[start+1 : end-1])
	if name[0] == '#' {
		r, ok := charRef(name[1:])
		if !ok {
			s.report(start, end, "`&%s;` is no character of XML", name)
		}
		return r
	}
	if v, ok := predefined[name]; ok {
		return v
	}
	if _, ok := s.ents.external[name]; ok {
		s.report(start, end, "external entity `&%s;` in an attribute value", name)
		return ""
	}
	v, ok := s.ents.text[name]
	if !ok {
		if !s.ents.subset {
			s.report(start, end, "entity `&%s;` is not declared", name)
		}
		return string(s.text[start:end])
	}
	text, problem := s.expand(v, nil, name)
	switch {
	case problem != "":
		s.report(start, end, "entity `&%s;` %s", name, problem)
	case !strings.Contains(text, "<"):
		return normalize([]byte(text), attr)
	case attr:
		s.report(start, end, "entity `&%s;` puts `<` into an attribute value", name)
	default:
		s.unread(start, end, name, "holds markup through another entity, which is not read")
	}
	return ""
}

func (s *scanner) unread(start, end int, name, why string) {
	if len(s.diags) < maxFindings {
		s.diags.Add(diag.Diagnostic{ID: "T001", Name: "xml-syntax", Severity: diag.Warning, Confidence: diag.Certain,
			Span: s.span(start, end), Message: "entity `&" + name + ";` " + why})
	}
}

// expand resolves the references inside an entity's text. A `<` that stood there
// as `&#60;` counts as markup, as the recommendation has it.
func (s *scanner) expand(v string, active []string, name string) (text, problem string) {
	if len(active) >= maxEntityDepth {
		return "", "is nested too deep"
	}
	for _, a := range active {
		if a == name {
			return "", "refers to itself"
		}
	}
	active = append(active, name)
	var out strings.Builder
	for {
		amp := strings.IndexByte(v, '&')
		if amp < 0 {
			break
		}
		s.ents.expanded += amp + 1
		out.WriteString(v[:amp])
		v = v[amp+1:]
		ref, rest, ok := strings.Cut(v, ";")
		if !ok || !isReference([]byte(ref)) {
			return "", "holds a bare `&`"
		}
		v = rest
		if ref[0] == '#' {
			r, _ := charRef(ref[1:])
			out.WriteString(r)
		} else if p, ok := predefined[ref]; ok {
			out.WriteString(p)
		} else if inner, ok := s.ents.text[ref]; ok {
			if inner, problem = s.expand(inner, active, ref); problem != "" {
				return "", problem
			}
			out.WriteString(inner)
		} else {
			return "", "refers to `&" + ref + ";`, which is not declared here"
		}
		if s.ents.expanded > maxExpansion {
			return "", "grows beyond " + strconv.Itoa(maxExpansion>>20) + " MiB"
		}
	}
	if s.ents.expanded += len(v) + 1; s.ents.expanded > maxExpansion {
		return "", "grows beyond " + strconv.Itoa(maxExpansion>>20) + " MiB"
	}
	out.WriteString(v)
	return out.String(), ""
}

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

// docType reads <!DOCTYPE …> and the entities of its internal subset.
func (s *scanner) docType() {
	start := s.pos
	if s.doctype {
		s.report(start, start+9, "a second DOCTYPE")
	}
	s.doctype = true
	i := start + 9
	for i < len(s.text) {
		switch c := s.text[i]; {
		case c == '"' || c == '\'':
			s.ents.subset = true // a system identifier
			i = s.quoted(i)
		case c == '[':
			i = s.internalSubset(i + 1)
		case c == '>':
			s.pos = i + 1
			return
		case c == '<':
			s.report(start, start+9, "the DOCTYPE is not closed with `>`")
			s.pos = i
			return
		default:
			i++
		}
	}
	s.report(start, start+9, "the DOCTYPE is not closed with `>`")
	s.pos, s.aborted = len(s.text), true
}

// quoted returns the offset behind the quoted string at i.
func (s *scanner) quoted(i int) int {
	if n := bytes.IndexByte(s.text[i+1:], s.text[i]); n >= 0 {
		return i + n + 2
	}
	return len(s.text)
}

// internalSubset reads up to the closing bracket and returns the offset behind it.
func (s *scanner) internalSubset(i int) int {
	for i < len(s.text) {
		rest := s.text[i:]
		switch {
		case rest[0] == ']':
			return i + 1
		case rest[0] == '%':
			s.ents.subset = true
			i++
		case bytes.HasPrefix(rest, []byte("<!--")):
			i = s.behind(i, "-->")
		case bytes.HasPrefix(rest, []byte("<?")):
			i = s.behind(i, "?>")
		case bytes.HasPrefix(rest, []byte("<!")):
			end := i + 2
			for end < len(s.text) && s.text[end] != '>' {
				if c := s.text[end]; c == '"' || c == '\'' {
					end = s.quoted(end)
				} else {
					end++
				}
			}
			s.declaration(s.text[i+2 : min(end, len(s.text))])
			i = end + 1
		default:
			i++
		}
	}
	return len(s.text)
}

func (s *scanner) behind(i int, mark string) int {
	if n := bytes.Index(s.text[i:], []byte(mark)); n >= 0 {
		return i + n + len(mark)
	}
	return len(s.text)
}

// declaration keeps what an <!ENTITY …> declares; the first declaration counts.
func (s *scanner) declaration(d []byte) {
	if !bytes.HasPrefix(d, []byte("ENTITY")) || len(d) < 8 || !isSpace(d[6]) {
		return
	}
	i := skipSpace(d, 6)
	n := nameEnd(d, i)
	name := string(d[i:n])
	if name == "" { // a parameter entity
		return
	}
	if s.ents.text == nil {
		s.ents.text, s.ents.external = map[string]string{}, map[string]string{}
	}
	_, internal := s.ents.text[name]
	_, external := s.ents.external[name]
	if internal || external || len(s.ents.text)+len(s.ents.external) >= maxEntities {
		return
	}
	i = skipSpace(d, n)
	if i < len(d) && (d[i] == '"' || d[i] == '\'') {
		value, _, _ := bytes.Cut(d[i+1:], d[i:i+1])
		s.ents.text[name] = string(value)
		return
	}
	if bytes.HasPrefix(d[i:], []byte("SYSTEM")) || bytes.HasPrefix(d[i:], []byte("PUBLIC")) {
		s.ents.external[name] = string(d[i:])
	}
}
