package tomcat

import "strings"

// Bounds of Tomcat on ${…} in ${…}, and ours on what it may grow to, in bytes.
const (
	maxSubstitutions = 20
	maxSubstituted   = 1 << 20
)

// Substitute replaces ${name} and ${name:-default} as Tomcat does in attributes
// and in character data (org.apache.tomcat.util.IntrospectionUtils,
// replaceProperties): the name ends at the first `}`, the whole of it is looked
// up before the part in front of `:-`, what is not known stays as it is written,
// and the result is gone through again, up to 20 times, as long as it changes and
// holds `${`. Unresolved are the names that remain. A text that grows beyond 1 MiB
// is left where it is then; Tomcat itself would run out of memory.
func Substitute(s string, property func(string) (string, bool)) (value string, unresolved []string) {
	for range maxSubstitutions {
		if !strings.Contains(s, "${") {
			return s, nil
		}
		next, missing := substituteOnce(s, property)
		if next == s || len(next) > maxSubstituted {
			return next[:min(len(next), maxSubstituted)], missing
		}
		s = next
	}
	_, unresolved = substituteOnce(s, func(string) (string, bool) { return "", false })
	return s, unresolved
}

func substituteOnce(s string, property func(string) (string, bool)) (value string, missing []string) {
	var out strings.Builder
	for out.Len() <= maxSubstituted {
		before, rest, ok := strings.Cut(s, "${")
		out.WriteString(before)
		if !ok {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			out.WriteString("${" + rest)
			break
		}
		s = after
		v, known := "", false
		if property != nil {
			v, known = property(name)
		}
		key, def, hasDefault := strings.Cut(name, ":-")
		if !known && hasDefault && property != nil {
			v, known = property(key)
		}
		switch {
		case known:
			out.WriteString(v)
		case hasDefault:
			out.WriteString(def)
		default:
			out.WriteString("${" + name + "}")
			missing = append(missing, name)
		}
	}
	return out.String(), missing
}
