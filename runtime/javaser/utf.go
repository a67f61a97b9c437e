package javaser

import "unicode/utf8"

// appendModified appends s in modified UTF-8: U+0000 in two bytes, characters
// beyond U+FFFF as two three-byte surrogates, lone surrogates as they are.
func appendModified(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c != 0 && c < utf8.RuneSelf {
			b = append(b, c)
			i++
			continue
		}
		if c == 0 {
			b = append(b, 0xC0, 0x80)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1 && loneSurrogate(s[i:]):
			b = append(b, s[i:i+3]...)
			n = 3
		case r > 0xFFFF:
			r -= 0x10000
			b = append3(b, 0xD800+r>>10)
			b = append3(b, 0xDC00+r&0x3FF)
		default:
			b = utf8.AppendRune(b, r)
		}
		i += n
	}
	return b
}

func append3(b []byte, r rune) []byte {
	return append(b, byte(0xE0|r>>12), byte(0x80|r>>6&0x3F), byte(0x80|r&0x3F))
}

func loneSurrogate(s string) bool {
	return len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF && s[2]&0xC0 == 0x80
}

// decodeModified is the inverse of appendModified; false for malformed input.
func decodeModified(b []byte) (string, bool) {
	plain := true
	for _, c := range b {
		if c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return string(b), true
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		u, n := codeUnit(b[i:])
		if n == 0 {
			return "", false
		}
		i += n
		if u >= 0xD800 && u < 0xDC00 {
			if lo, m := codeUnit(b[i:]); m == 3 && lo >= 0xDC00 && lo < 0xE000 {
				out = utf8.AppendRune(out, 0x10000+(u-0xD800)<<10+(lo-0xDC00))
				i += m
				continue
			}
		}
		if u >= 0xD800 && u < 0xE000 {
			out = append3(out, u)
			continue
		}
		out = utf8.AppendRune(out, u)
	}
	return string(out), true
}

// codeUnit decodes one UTF-16 code unit and its length, 0 when malformed.
func codeUnit(b []byte) (rune, int) {
	switch {
	case len(b) >= 1 && b[0] < 0x80:
		return rune(b[0]), 1
	case len(b) >= 2 && b[0]&0xE0 == 0xC0 && b[1]&0xC0 == 0x80:
		return rune(b[0]&0x1F)<<6 | rune(b[1]&0x3F), 2
	case len(b) >= 3 && b[0]&0xF0 == 0xE0 && b[1]&0xC0 == 0x80 && b[2]&0xC0 == 0x80:
		return rune(b[0]&0x0F)<<12 | rune(b[1]&0x3F)<<6 | rune(b[2]&0x3F), 3
	}
	return 0, 0
}
