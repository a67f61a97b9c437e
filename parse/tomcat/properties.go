package tomcat

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"clowder/parse/diag"
)

// PropertyValue is one property and its place.
type PropertyValue struct {
	Value   string
	KeySpan diag.Span
	Span    diag.Span // from the key to the end of the value
}

// maxProperties bounds one file.
const maxProperties = 100_000

// Properties reads a Java properties file (java.util.Properties.load): of a key
// that stands twice the last value counts. Bytes are ISO-8859-1, as Java has it
// for every properties file of Tomcat. A malformed \uXXXX is reported as T006, and
// so are more properties than are read.
func Properties(f *diag.File) (map[string]PropertyValue, diag.List) {
	props := map[string]PropertyValue{}
	var diags diag.List
	data := f.Data
	bad := func(start, end int, message string) {
		if len(diags) < maxFindings {
			diags.Add(diag.Diagnostic{ID: "T006", Name: "bad-value", Severity: diag.Error, Confidence: diag.Certain,
				Span: diag.At(f, start, end), Message: message})
		}
	}
	for i := 0; i < len(data); {
		for i < len(data) && (isSpace(data[i]) || data[i] == '\f') {
			i++
		}
		if i >= len(data) {
			break
		}
		if data[i] == '#' || data[i] == '!' {
			for i < len(data) && data[i] != '\n' && data[i] != '\r' {
				i++
			}
			continue
		}
		if n := continuation(data, i); n > i {
			i = n // a line of nothing but a continuation begins no property
			continue
		}
		start := i
		key, sep, ok1 := propertyWord(data, i, true)
		i = sep
		for i < len(data) && isBlank(data[i]) {
			i++
		}
		if i < len(data) && (data[i] == '=' || data[i] == ':') {
			for i++; i < len(data) && isBlank(data[i]); i++ {
			}
		}
		value, end, ok2 := propertyWord(data, i, false)
		i = end
		if !ok1 || !ok2 {
			bad(start, end, "malformed \\uXXXX; Java does not read this file")
		}
		if _, ok := props[key]; !ok && len(props) >= maxProperties {
			bad(start, end, "more than "+strconv.Itoa(maxProperties)+" properties; the rest is not read")
			break
		}
		props[key] = PropertyValue{Value: value, KeySpan: diag.At(f, start, sep), Span: diag.At(f, start, end)}
	}
	return props, diags
}

// continuation returns the offset behind the backslash and line end at i, else i.
func continuation(data []byte, i int) int {
	switch rest := string(data[i:min(i+3, len(data))]); {
	case rest == "\\\r\n":
		return i + 3
	case strings.HasPrefix(rest, "\\\r"), strings.HasPrefix(rest, "\\\n"):
		return i + 2
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\f' }

// propertyWord reads a key or a value with its escapes and continued lines.
func propertyWord(data []byte, i int, key bool) (word string, end int, ok bool) {
	var out strings.Builder
	ok = true
	for i < len(data) {
		c := data[i]
		if c == '\n' || c == '\r' || key && (isBlank(c) || c == '=' || c == ':') {
			break
		}
		if c != '\\' {
			out.WriteRune(rune(c))
			i++
			continue
		}
		if i++; i >= len(data) {
			break
		}
		c = data[i]
		i++
		switch c {
		case 't':
			out.WriteByte('\t')
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		case 'f':
			out.WriteByte('\f')
		case '\r', '\n':
			if c == '\r' && i < len(data) && data[i] == '\n' {
				i++
			}
			for i < len(data) && isBlank(data[i]) {
				i++
			}
		case 'u':
			var r rune
			var good bool
			if r, i, good = unicodeEscape(data, i); good {
				out.WriteRune(r)
			} else {
				ok = false
			}
		default:
			out.WriteRune(rune(c))
		}
	}
	return out.String(), i, ok
}

// unicodeEscape reads the four digits behind \u, and a second escape when the
// first is half of a pair.
func unicodeEscape(data []byte, i int) (rune, int, bool) {
	unit := func(i int) (rune, bool) {
		if i+4 > len(data) {
			return 0, false
		}
		n, err := strconv.ParseUint(string(data[i:i+4]), 16, 16)
		return rune(n), err == nil
	}
	r, ok := unit(i)
	if !ok {
		return 0, i, false
	}
	i += 4
	if utf16.IsSurrogate(r) && i+6 <= len(data) && data[i] == '\\' && data[i+1] == 'u' {
		if low, ok := unit(i + 2); ok {
			return utf16.DecodeRune(r, low), i + 6, true
		}
	}
	return r, i, true
}
