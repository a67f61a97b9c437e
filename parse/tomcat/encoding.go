package tomcat

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/ianaindex"
)

// source is the text of a file in UTF-8 and the way back to its own bytes. For
// one in another encoding the offset of each markEvery-th byte is kept; between
// two marks the characters are counted.
type source struct {
	text    []byte
	first   int     // offset of the text's first byte in a file of UTF-8
	unit    int     // bytes per character: 1, or 2 and 4 beyond the basic plane; 0: UTF-8
	marks   []int32 // offset in the file of the character at each mark
	size    int     // of the file, in bytes
	bad     int     // offset in the text of the first bytes that are no character, -1 for none
	cut     bool    // because the file ends inside one
	name    string  // of the encoding, as declared
	unknown bool    // no encoding of that name is supported
	wrong   bool    // the declared encoding cannot be that of these bytes
}

const markEvery = 256

// offset converts an offset in the text to one in the file.
func (s *source) offset(i int) int {
	if s.unit == 0 {
		return i + s.first
	}
	if i >= len(s.text) {
		return s.size
	}
	mark := i / markEvery
	at, j := int(s.marks[mark]), mark*markEvery
	for !utf8.RuneStart(s.text[j]) {
		j--
	}
	for {
		r, n := utf8.DecodeRune(s.text[j:])
		if j+n > i {
			return at
		}
		j += n
		at += s.unit
		if s.unit == 2 && r > 0xFFFF {
			at += 2
		}
	}
}

// decode finds the encoding as the XML recommendation (appendix F) says: byte
// order mark, the pattern of the first bytes, the XML declaration, UTF-8.
func decode(data []byte) *source {
	first := 0
	switch {
	case bytes.HasPrefix(data, []byte("\xEF\xBB\xBF")):
		first = 3
	case bytes.HasPrefix(data, []byte("\xFF\xFE")), bytes.HasPrefix(data, []byte("<\x00")):
		return decodeUTF16(data, false)
	case bytes.HasPrefix(data, []byte("\xFE\xFF")), bytes.HasPrefix(data, []byte("\x00<")):
		return decodeUTF16(data, true)
	}
	name := strings.ToLower(declaredEncoding(data[first:]))
	s := &source{text: data[first:], first: first, bad: -1, name: name}
	switch name {
	case "", "utf-8", "utf8":
		return s
	case "us-ascii", "ascii":
		for i, b := range s.text {
			if b >= utf8.RuneSelf {
				s.bad = i
				break
			}
		}
		return s
	case "utf-16", "utf-16le", "utf-16be":
		s.wrong = true
		return s
	}
	if cm := singleByte(name); cm != nil {
		return decodeBytes(data, first, cm, name)
	}
	s.unknown = true
	return s
}

// singleByte returns the encoding of that name (in lower case) in which each byte
// is a character, or nil.
func singleByte(name string) *charmap.Charmap {
	switch name {
	case "iso-8859-1", "latin1", "iso8859-1", "iso_8859-1":
		return charmap.ISO8859_1
	case "iso-8859-9", "latin5", "iso8859-9", "iso_8859-9":
		return charmap.ISO8859_9
	}
	if rest, ok := strings.CutPrefix(name, "iso8859"); ok {
		name = "iso-8859" + rest
	} else if rest, ok := strings.CutPrefix(name, "cp125"); ok {
		name = "windows-125" + rest
	}
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil {
		return nil
	}
	cm, _ := e.(*charmap.Charmap)
	return cm
}

// declaredEncoding returns the encoding of the XML declaration, or "".
func declaredEncoding(data []byte) string {
	if !bytes.HasPrefix(data, []byte("<?xml")) || len(data) < 6 || !isSpace(data[5]) {
		return ""
	}
	decl, _, ok := bytes.Cut(data[:min(len(data), 1024)], []byte("?>"))
	if !ok {
		return ""
	}
	for _, b := range decl {
		if b >= utf8.RuneSelf {
			return ""
		}
	}
	_, rest, ok := bytes.Cut(decl, []byte("encoding"))
	rest = bytes.TrimLeft(rest, " \t\r\n=")
	if !ok || len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(name)
}

func decodeBytes(data []byte, first int, cm *charmap.Charmap, name string) *source {
	var table [256]rune
	size := 0
	for i := range table {
		table[i] = cm.DecodeByte(byte(i))
		if i >= 0x80 && i < 0xA0 && strings.HasPrefix(cm.String(), "ISO 8859") {
			table[i] = rune(i) // control characters, which the tables leave out
		}
	}
	for _, b := range data[first:] {
		size += utf8.RuneLen(table[b])
	}
	s := newSource(size, len(data), 1, name)
	for i, b := range data[first:] {
		s.add(table[b], first+i)
	}
	return s
}

func newSource(textSize, fileSize, unit int, name string) *source {
	return &source{text: make([]byte, 0, textSize), marks: make([]int32, 0, textSize/markEvery+1),
		size: fileSize, unit: unit, bad: -1, name: name}
}

// utf16Rune reads one character; RuneError for half a pair or half a unit.
func utf16Rune(data []byte, i int, big bool) (r rune, size int) {
	unit := func(i int) rune {
		if i+1 >= len(data) {
			return utf8.RuneError
		}
		if big {
			return rune(data[i])<<8 | rune(data[i+1])
		}
		return rune(data[i+1])<<8 | rune(data[i])
	}
	if r = unit(i); utf16.IsSurrogate(r) {
		if r = utf16.DecodeRune(r, unit(i+2)); r != utf8.RuneError {
			return r, 4
		}
		return utf8.RuneError, 2
	}
	return r, 2
}

func decodeUTF16(data []byte, big bool) *source {
	start := 0
	if r, _ := utf16Rune(data, 0, big); r == 0xFEFF {
		start = 2
	}
	total := 0
	for i := start; i < len(data); {
		r, n := utf16Rune(data, i, big)
		total += utf8.RuneLen(r)
		i += n
	}
	s := newSource(total, len(data), 2, "utf-16")
	for i := start; i < len(data); {
		r, n := utf16Rune(data, i, big)
		if r == utf8.RuneError && !(i+1 < len(data) && data[i]^data[i+1] == 0xFF^0xFD && max(data[i], data[i+1]) == 0xFF && (data[i] == 0xFF) == big) {
			if s.bad < 0 && i+4 > len(data) {
				s.cut = true
			}
			if s.undecodable(); s.cut {
				break
			}
		}
		s.add(r, i)
		i += n
	}
	if name := strings.ToLower(declaredEncoding(s.text)); name != "" && !strings.HasPrefix(name, "utf-16") {
		s.wrong, s.name = true, name
	}
	return s
}

func (s *source) undecodable() {
	if s.bad < 0 {
		s.bad = len(s.text)
	}
}

func (s *source) add(r rune, at int) {
	if r == utf8.RuneError && s.unit == 1 {
		s.undecodable()
	}
	n := len(s.text)
	s.text = utf8.AppendRune(s.text, r)
	if (n+markEvery-1)/markEvery*markEvery < len(s.text) {
		s.marks = append(s.marks, int32(at))
	}
}
