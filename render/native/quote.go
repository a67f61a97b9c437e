package native

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
)

// quoteKey writes a key, in quotes only when it needs them.
func quoteKey(k string) string {
	for _, r := range k {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return quoteString(k)
		}
	}
	if k == "" {
		return `""`
	}
	return k
}

func quoteScalar(v any) string {
	switch v := v.(type) {
	case string:
		return quoteString(v)
	case time.Duration:
		return `"` + model.FormatDuration(v) + `"`
	case float64:
		return quoteFloat(v)
	}
	return fmt.Sprint(v)
}

func quoteFloat(v float64) string {
	switch {
	case math.IsNaN(v):
		return "nan"
	case math.IsInf(v, 0):
		return strings.ToLower(strconv.FormatFloat(v, 'f', -1, 64)) // +inf, -inf
	}
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quoteString prefers a literal string where a basic one would need escapes.
// Bytes that are no UTF-8 are written as [model.EncodeText] has them.
func quoteString(s string) string {
	s = model.EncodeText(s)
	plain := !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7F || model.IsRawByte(r) })
	if plain && strings.ContainsAny(s, `"\`) && !strings.Contains(s, "'") {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r < 0x20 || r == 0x7F || model.IsRawByte(r):
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
