package tomcat

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

// source is the text of a file in UTF-8 and the way back to its own bytes.
type source struct {
	text  []byte
	first int     // offset of the text's first byte when at is nil (byte order mark)
	at    []int32 // original offset of each text byte and of the end; nil: identity
	bad   string  // the encoding that is not supported
}

// offset converts an offset in the text to one in the file.
func (s *source) offset(i int) int {
	if s.at != nil {
		return int(s.at[min(i, len(s.at)-1)])
	}
	return i + s.first
}

// decode finds the encoding as the XML recommendation (appendix F) says: byte
// order mark, the pattern of the first bytes, the XML declaration, UTF-8.
func decode(data []byte) *source {
	switch {
	case bytes.HasPrefix(data, []byte("\xEF\xBB\xBF")):
		return &source{text: data[3:], first: 3}
	case bytes.HasPrefix(data, []byte("\xFF\xFE")), bytes.HasPrefix(data, []byte("<\x00")):
		return decodeUTF16(data, false)
	case bytes.HasPrefix(data, []byte("\xFE\xFF")), bytes.HasPrefix(data, []byte("\x00<")):
		return decodeUTF16(data, true)
	}
	name := strings.ToLower(declaredEncoding(data))
	switch name {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return &source{text: data}
	case "iso-8859-1", "latin1", "iso8859-1", "iso_8859-1":
		return decodeBytes(data, charmap.ISO8859_1)
	}
	if e, err := htmlindex.Get(name); err == nil {
		if cm, ok := e.(*charmap.Charmap); ok {
			return decodeBytes(data, cm)
		}
	}
	return &source{text: data, bad: name}
}

// declaredEncoding returns the encoding of the XML declaration, or "".
func declaredEncoding(data []byte) string {
	if !bytes.HasPrefix(data, []byte("<?xml")) {
		return ""
	}
	decl, _, ok := bytes.Cut(data[:min(len(data), 1024)], []byte("?>"))
	if !ok {
		return ""
	}
	_, rest, ok := bytes.Cut(decl, []byte("encoding"))
	rest = bytes.TrimLeft(rest, " \t\r\n=")
	if !ok || len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	name, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(name)
}

func decodeBytes(data []byte, cm *charmap.Charmap) *source {
	s := &source{text: make([]byte, 0, len(data)), at: make([]int32, 0, len(data)+1)}
	for i, b := range data {
		s.add(cm.DecodeByte(b), i)
	}
	s.at = append(s.at, int32(len(data)))
	return s
}

func decodeUTF16(data []byte, big bool) *source {
	s := &source{text: make([]byte, 0, len(data)/2), at: make([]int32, 0, len(data)/2+1)}
	unit := func(i int) rune {
		if i+1 >= len(data) {
			return utf8.RuneError
		}
		if big {
			return rune(data[i])<<8 | rune(data[i+1])
		}
		return rune(data[i+1])<<8 | rune(data[i])
	}
	i := 0
	if len(data) >= 2 && unit(0) == 0xFEFF {
		i = 2
	}
	for ; i < len(data); i += 2 {
		r, start := unit(i), i
		if utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, unit(i+2)); r != utf8.RuneError {
				i += 2
			}
		}
		s.add(r, start)
	}
	s.at = append(s.at, int32(len(data)))
	return s
}

func (s *source) add(r rune, at int) {
	n := len(s.text)
	s.text = utf8.AppendRune(s.text, r)
	for range len(s.text) - n {
		s.at = append(s.at, int32(at))
	}
}
