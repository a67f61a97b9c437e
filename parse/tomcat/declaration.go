package tomcat

import (
	"bytes"
	"strings"
)

// declarationXML checks the XML declaration, or the text declaration of an
// external entity, and goes behind it.
func (s *scanner) declarationXML() {
	if s.fixed != nil || !bytes.HasPrefix(s.text, []byte("<?xml")) || nameRest(s.text, 5) > 5 {
		return
	}
	n := bytes.Index(s.text, []byte("?>"))
	if n < 0 {
		return // an unclosed instruction, reported as such
	}
	included := len(s.within) > 0
	d := &xmlDecl{text: s.text[:n], i: 5}
	name, value := d.next()
	if name == "version" {
		if value != "1.0" && value != "1.1" && d.bad == "" {
			s.note(s.span(0, n+2), "XML version %q is not known to Tomcat", value)
		}
		name, value = d.next()
	} else if !included {
		d.fault("the XML declaration must begin with `version`")
	}
	if name == "encoding" {
		if value == "" || value[0]|0x20 < 'a' || value[0]|0x20 > 'z' {
			d.fault("no name of an encoding")
		}
		name, value = d.next()
	} else if included {
		d.fault("the declaration of an included file must name its encoding")
	}
	if name == "standalone" && !included {
		if value != "yes" && value != "no" {
			d.fault("`standalone` must be yes or no")
		}
		s.ents.standalone = value == "yes"
		name, _ = d.next()
	}
	if name != "" {
		d.fault("only version, encoding and standalone may stand here, in this order")
	}
	if d.bad != "" {
		s.fail(d.at, n+2)
		s.note(s.span(d.at, n+2), "the XML declaration is wrong: %s", d.bad)
	} else if s.src.wrong {
		s.report(0, n+2, "the bytes of the file are not in the encoding %q that is declared", s.src.name)
	}
	s.pos = n + 2
}

// xmlDecl reads the pseudo attributes of a declaration.
type xmlDecl struct {
	text []byte
	i    int
	last int    // offset of the last pseudo attribute
	at   int    // offset of the first mistake
	bad  string // the first mistake
}

func (d *xmlDecl) fault(what string) {
	if d.bad == "" {
		d.at, d.bad = min(d.last, len(d.text)), what
	}
}

// next returns a pseudo attribute; no name at the end or after a mistake.
func (d *xmlDecl) next() (name, value string) {
	before := d.i
	d.i = skipSpace(d.text, d.i)
	if d.i >= len(d.text) || d.bad != "" {
		return "", ""
	}
	if d.i == before {
		d.fault("white space is missing")
		return "", ""
	}
	d.last = d.i
	n := nameEnd(d.text, d.i)
	name = string(d.text[d.i:n])
	d.i = skipSpace(d.text, n)
	if name == "" || d.i >= len(d.text) || d.text[d.i] != '=' {
		d.last = d.i
		d.fault("a name and `=` are missing")
		return "", ""
	}
	d.i = skipSpace(d.text, d.i+1)
	if d.i >= len(d.text) || d.text[d.i] != '"' && d.text[d.i] != '\'' {
		d.fault("a quoted value is missing")
		return "", ""
	}
	v, _, ok := bytes.Cut(d.text[d.i+1:], d.text[d.i:d.i+1])
	if !ok || strings.Trim(string(v), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "" {
		d.fault("this is no value")
		return "", ""
	}
	d.i += len(v) + 2
	return name, string(v)
}
