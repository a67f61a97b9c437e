package native

import (
	"strconv"
	"strings"

	"clowder/parse/diag"
)

// place is where a key and its value stand.
type place struct{ Key, Value diag.Span }

// scanKeys finds the place of every key of a well-formed TOML file (what it finds in
// another is of no use), by its full path: "node[1].service[0].connector[0].port". The TOML
// library gives no places for keys, so this walks the bytes once more. False: the
// paths take more memory than [pathsPerByte] allows.
func scanKeys(f *diag.File) (map[string]place, bool) {
	s := &scanner{file: f, b: f.Data, out: map[string]place{}, arrays: map[string]int{}, left: freePaths + pathsPerByte*len(f.Data)}
	s.document()
	return s.out, s.left >= 0
}

// set records a place and pays for its path.
func (s *scanner) set(path string, p place) {
	if s.left -= len(path); s.left >= 0 {
		s.out[path] = p
	}
}

type scanner struct {
	file   *diag.File
	b      []byte
	i      int
	out    map[string]place
	arrays map[string]int // elements so far of each array of tables
	left   int            // bytes that paths may still take
}

func (s *scanner) span(start, end int) diag.Span { return diag.At(s.file, start, end) }

func (s *scanner) document() {
	prefix := ""
	for {
		s.blank()
		if s.i >= len(s.b) || s.left < 0 {
			return
		}
		start := s.i
		if s.b[s.i] == '[' {
			prefix = s.header(start)
		} else {
			s.pair(prefix)
		}
		if s.i == start { // not TOML: the library has reported it
			s.i++
		}
	}
}

// blank skips white space, line ends and comments.
func (s *scanner) blank() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n', ',':
			s.i++
		case '#':
			for s.i < len(s.b) && s.b[s.i] != '\n' {
				s.i++
			}
		default:
			return
		}
	}
}

func (s *scanner) spaces() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\t') {
		s.i++
	}
}

// header reads [a.b] or [[a.b]] and returns the path that its keys get.
func (s *scanner) header(start int) string {
	s.i++
	array := s.i < len(s.b) && s.b[s.i] == '['
	if array {
		s.i++
	}
	parts := s.key()
	for s.i < len(s.b) && s.b[s.i] == ']' {
		s.i++
	}
	path := ""
	for n, p := range parts {
		path = join(path, p)
		if _, ok := s.out[path]; !ok && n < len(parts)-1 && s.arrays[path] == 0 {
			at := s.span(start, s.i) // a table that only this header makes
			s.set(path, place{at, at})
		}
		if n == len(parts)-1 && array {
			path += "[" + strconv.Itoa(s.arrays[path]) + "]"
			s.arrays[strings.TrimSuffix(path, path[strings.LastIndexByte(path, '['):])]++
		} else if count := s.arrays[path]; count > 0 {
			path += "[" + strconv.Itoa(count-1) + "]"
		}
	}
	at := s.span(start, s.i)
	s.set(path, place{at, at})
	return path
}

// key reads a dotted key and the blanks behind it.
func (s *scanner) key() []string {
	var parts []string
	for s.i < len(s.b) {
		s.spaces()
		start := s.i
		if s.i < len(s.b) && (s.b[s.i] == '"' || s.b[s.i] == '\'') {
			s.str()
			part := string(s.b[start+1 : max(start+1, s.i-1)])
			if s.b[start] == '"' {
				if u, err := strconv.Unquote(string(s.b[start:s.i])); err == nil {
					part = u
				}
			}
			parts = append(parts, part)
		} else {
			for s.i < len(s.b) && !strings.ContainsRune(" \t.=]\r\n{}[,", rune(s.b[s.i])) {
				s.i++
			}
			parts = append(parts, string(s.b[start:s.i]))
		}
		s.spaces()
		if s.i >= len(s.b) || s.b[s.i] != '.' {
			break
		}
		s.i++
	}
	return parts
}

// pair reads key = value.
func (s *scanner) pair(prefix string) {
	start := s.i
	parts := s.key()
	keyEnd := s.i
	for keyEnd > start && (s.b[keyEnd-1] == ' ' || s.b[keyEnd-1] == '\t') {
		keyEnd--
	}
	if s.i < len(s.b) && s.b[s.i] == '=' {
		s.i++
	}
	s.spaces()
	path := prefix
	for _, p := range parts {
		path = join(path, p)
		if _, ok := s.out[path]; !ok {
			s.set(path, place{Key: s.span(start, keyEnd)})
		}
	}
	from := s.i
	s.value(path)
	s.set(path, place{s.span(start, keyEnd), s.span(from, s.i)})
}

// value skips one value; the keys of inline tables are recorded.
func (s *scanner) value(path string) {
	if s.i >= len(s.b) {
		return
	}
	switch s.b[s.i] {
	case '"', '\'':
		s.str()
	case '[':
		s.i++
		for n := 0; ; n++ {
			s.blank()
			if s.i >= len(s.b) || s.b[s.i] == ']' {
				break
			}
			from, el := s.i, path+"["+strconv.Itoa(n)+"]"
			s.value(el)
			if s.i == from {
				return
			}
			s.set(el, place{s.span(from, s.i), s.span(from, s.i)})
		}
		s.i++
	case '{':
		s.i++
		for {
			s.blank()
			if s.i >= len(s.b) || s.b[s.i] == '}' {
				break
			}
			from := s.i
			s.pair(path)
			if s.i == from {
				return
			}
		}
		s.i++
	default:
		from := s.i
		for s.i < len(s.b) && !strings.ContainsRune(",]}#\r\n", rune(s.b[s.i])) {
			s.i++
		}
		for s.i > from && (s.b[s.i-1] == ' ' || s.b[s.i-1] == '\t') {
			s.i--
		}
	}
	s.i = min(s.i, len(s.b))
}

// str skips a string of any of the four kinds.
func (s *scanner) str() {
	q := s.b[s.i]
	if s.i+2 < len(s.b) && s.b[s.i+1] == q && s.b[s.i+2] == q {
		end := strings.Repeat(string(q), 3)
		s.i += 3
		for s.i < len(s.b) {
			if q == '"' && s.b[s.i] == '\\' {
				s.i += 2
				continue
			}
			if strings.HasPrefix(string(s.b[s.i:min(s.i+3, len(s.b))]), end) {
				s.i += 3
				for s.i < len(s.b) && s.b[s.i] == q {
					s.i++
				}
				return
			}
			s.i++
		}
		s.i = len(s.b)
		return
	}
	s.i++
	for s.i < len(s.b) && s.b[s.i] != q && s.b[s.i] != '\n' {
		if q == '"' && s.b[s.i] == '\\' {
			s.i++
		}
		s.i++
	}
	s.i = min(s.i+1, len(s.b))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
