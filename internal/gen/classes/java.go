package main

import (
	"regexp"
	"strings"
)

// class is the top-level type of one Java file.
type class struct {
	name    string          // with its package
	parents []string        // what it extends and implements, with packages
	setters map[string]byte // properties by name as in a configuration; see kindOf
}

var (
	packageLine = regexp.MustCompile(`(?m)^\s*package\s+([\w.]+)\s*;`)
	importLine  = regexp.MustCompile(`(?m)^\s*import\s+([\w.]+)\.(\w+)\s*;`)
	typeHead    = regexp.MustCompile(`(?s)\b(class|interface|enum|record|@interface)\s+(\w+)(.*)$`)
	setter      = regexp.MustCompile(`(?s)\b(public|default|)\s*((?:static|final|synchronized|abstract|\s)*)(?:<[^>]*>\s*)?(void|boolean|[\w.<>\[\]]+)\s+set(\w*)\s*\(([^()]*)\)`)
	generics    = regexp.MustCompile(`<[^<>]*>`)
)

// parseClass reads the public setters of a file's top-level type. It knows as
// much of Java as Tomcat's source needs: comments, strings and braces.
func parseClass(src string) class {
	src = blank(src)
	c := class{setters: map[string]byte{}}
	pkg := ""
	if m := packageLine.FindStringSubmatch(src); m != nil {
		pkg = m[1]
	}
	imports := map[string]string{}
	for _, m := range importLine.FindAllStringSubmatch(src, -1) {
		imports[m[2]] = m[1] + "." + m[2]
	}
	head, body := split(src)
	m := typeHead.FindStringSubmatch(head)
	if m == nil {
		return c
	}
	c.name = pkg + "." + m[2]
	rest := m[3]
	for generics.MatchString(rest) {
		rest = generics.ReplaceAllString(rest, "")
	}
	for word := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' || r == '\r' }) {
		switch {
		case word == "extends", word == "implements", word == "permits":
		case strings.Contains(word, "."):
			c.parents = append(c.parents, word)
		case imports[word] != "":
			c.parents = append(c.parents, imports[word])
		default:
			c.parents = append(c.parents, pkg+"."+word)
		}
	}
	for _, m := range setter.FindAllStringSubmatch(body, -1) {
		if m[1] == "" && m[0] != "" || m[1] == "default" && !strings.Contains(head, "interface") {
			continue
		}
		c.add(m[4], m[3], m[5])
	}
	return c
}

// add notes a setter. setProperty with two parameters takes any property and is
// noted as "*".
func (c *class) add(name, result, params string) {
	for generics.MatchString(params) {
		params = generics.ReplaceAllString(params, "")
	}
	list := strings.Split(strings.TrimSpace(params), ",")
	if name == "Property" && len(list) == 2 {
		c.setters["*"] = 's'
	}
	if name == "" || len(list) != 1 || strings.TrimSpace(list[0]) == "" {
		return
	}
	kind := kindOf(list[0])
	property := uncapitalize(name)
	if rank(kind) > rank(c.setters[property]) {
		c.setters[property] = kind
	}
}

// kindOf says what the digester turns the value into (IntrospectionUtils,
// setProperty): s a string, i a whole number, l a long one, b a truth value, a an
// address; o is anything else, which is set to null.
func kindOf(param string) byte {
	words := strings.Fields(strings.ReplaceAll(param, "final ", ""))
	if len(words) < 2 {
		return 'o'
	}
	switch strings.TrimPrefix(strings.TrimPrefix(words[0], "java.lang."), "java.net.") {
	case "String":
		return 's'
	case "int", "Integer":
		return 'i'
	case "long", "Long":
		return 'l'
	case "boolean", "Boolean":
		return 'b'
	case "InetAddress":
		return 'a'
	}
	return 'o'
}

func rank(kind byte) int { return strings.IndexByte("\x00oabils", kind) }

// uncapitalize undoes what the digester does to find the setter: only the first
// letter changes.
func uncapitalize(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// split returns the text in front of the first brace and that of the type's own
// level, without what stands in inner braces.
func split(src string) (head, body string) {
	var b strings.Builder
	depth := 0
	for i := range len(src) {
		switch src[i] {
		case '{':
			if depth++; depth == 1 {
				head = src[:i]
			} else if depth == 2 {
				b.WriteByte(';')
			}
		case '}':
			depth--
		default:
			if depth == 1 {
				b.WriteByte(src[i])
			}
		}
	}
	return head, b.String()
}

// blank takes comments, annotations' arguments and the text of literals out.
func blank(src string) string {
	var b strings.Builder
	for i := 0; i < len(src); {
		rest := src[i:]
		switch {
		case strings.HasPrefix(rest, "//"):
			i += lineLength(rest)
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return b.String()
			}
			i += end + 4
			b.WriteByte(' ')
		case strings.HasPrefix(rest, `"""`):
			end := strings.Index(rest[3:], `"""`)
			if end < 0 {
				return b.String()
			}
			i += end + 6
		case rest[0] == '"', rest[0] == '\'':
			i += literalLength(rest)
		default:
			b.WriteByte(rest[0])
			i++
		}
	}
	return b.String()
}

func lineLength(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

func literalLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		case '\n':
			return i
		}
	}
	return len(s)
}
