package model

import (
	"strings"
	"unicode/utf8"
)

// rawBytes is where bytes stand that are no UTF-8, in the block that MirBSD's
// OPTU-16 uses for the same: byte 0x80 is U+EF80, byte 0xFF is U+EFFF.
const rawBytes = 0xEF00

// IsRawByte reports whether the rune stands for a byte, see [EncodeText].
func IsRawByte(r rune) bool { return r >= rawBytes+0x80 && r <= rawBytes+0xFF }

// EncodeText makes UTF-8 of a text of httpd's files, which may be in any encoding:
// a byte that belongs to no UTF-8 becomes U+EF00 plus its value. [DecodeText] gives
// the same bytes back; characters of that block count as their bytes.
func EncodeText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, IsRawByte) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || IsRawByte(r) {
			for _, c := range []byte(s[i : i+size]) {
				b.WriteRune(rawBytes + rune(c))
			}
		} else {
			b.WriteString(s[i : i+size])
		}
		i += size
	}
	return b.String()
}

// DecodeText is the inverse of [EncodeText].
func DecodeText(s string) string {
	if !strings.ContainsFunc(s, IsRawByte) {
		return s
	}
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if IsRawByte(r) {
			out = append(out, byte(r-rawBytes))
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return string(out)
}
