package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime/expr"
)

// rewriteMap is one RewriteMap: a text file, or a function. It is safe for
// concurrent use.
type rewriteMap struct {
	at     diag.Span
	fn     func(string) (string, bool)
	file   string
	random bool // rnd: one of several values

	mu    sync.Mutex
	when  time.Time
	size  int64
	table map[string]string
}

// internalMaps are int:… (mod_rewrite's own functions).
var internalMaps = map[string]func(string) (string, bool){
	"tolower": func(s string) (string, bool) { return lowerASCII(s), true },
	"toupper": func(s string) (string, bool) { return upperASCII(s), true },
	"escape":  func(s string) (string, bool) { return expr.Escape(s), true },
	"unescape": func(s string) (string, bool) {
		v, err := url.PathUnescape(s)
		if err != nil {
			return s, true
		}
		return v, true
	},
}

func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 0x20
		}
	}
	return string(b)
}

// newRewriteMap reads the words of a RewriteMap line: name and type:source.
func newRewriteMap(d *model.Directive, root string) (*rewriteMap, error) {
	kind, source, ok := strings.Cut(d.Arg(1), ":")
	if !ok {
		kind, source = "txt", d.Arg(1)
	}
	m := &rewriteMap{at: d.At}
	switch strings.ToLower(kind) {
	case "int":
		if m.fn = internalMaps[strings.ToLower(source)]; m.fn == nil {
			return nil, fmt.Errorf("RewriteMap %s: there is no internal function %q", d.Arg(0), source)
		}
	case "txt", "rnd":
		m.file, m.random = below(root, source), strings.EqualFold(kind, "rnd")
		if _, err := os.Stat(m.file); err != nil {
			return nil, fmt.Errorf("RewriteMap %s: %w", d.Arg(0), err)
		}
	default:
		return nil, fmt.Errorf("RewriteMap %s: maps of the type %s: are not supported by clowder run", d.Arg(0), kind)
	}
	return m, nil
}

// lookup returns the value of a key. The file is read again when it changed.
func (m *rewriteMap) lookup(key string) (string, bool, error) {
	if m.fn != nil {
		v, ok := m.fn(key)
		return v, ok, nil
	}
	st, err := os.Stat(m.file)
	if err != nil {
		return "", false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.table == nil || !st.ModTime().Equal(m.when) || st.Size() != m.size {
		t, err := readMap(m.file)
		if err != nil {
			return "", false, err
		}
		m.table, m.when, m.size = t, st.ModTime(), st.Size()
	}
	v := m.table[key]
	if m.random && v != "" {
		list := strings.Split(v, "|")
		v = list[rand.IntN(len(list))]
	}
	return v, v != "", nil
}

// maxMap bounds a text map, in bytes.
const maxMap = 64 << 20

// readMap reads lines of a key, blanks and a value; the first of a key counts.
func readMap(name string) (map[string]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > maxMap {
		return nil, errors.Join(err, fmt.Errorf("%s: no regular file, or too large for a map", name))
	}
	table := map[string]string{}
	for in := bufio.NewScanner(f); ; {
		if !in.Scan() {
			return table, in.Err()
		}
		line := in.Text()
		if line == "" || line[0] == '#' || strings.IndexByte(" \t\v\f\r", line[0]) >= 0 {
			continue
		}
		w := strings.Fields(line)
		if len(w) < 2 {
			continue
		}
		if _, ok := table[w[0]]; !ok {
			table[w[0]] = w[1]
		}
	}
}

// lookupMap is ${name:key}; a map that does not exist or cannot be read has no keys.
func (s *server) lookupMap(p *Proxy, name, key string) (string, bool) {
	m := s.maps[name]
	if m == nil {
		return "", false
	}
	v, ok, err := m.lookup(key)
	if err != nil {
		p.log.Error("AH00661: RewriteMap cannot be read", "place", m.at, "map", name, "reason", err)
	}
	return v, ok
}

// mapNames returns the maps that a rule uses.
func mapNames(m *model.RewriteRule) []string {
	var out []string
	add := func(s string) {
		for {
			_, rest, ok := strings.Cut(s, "${")
			if !ok {
				return
			}
			if name, _, ok := strings.Cut(rest, ":"); ok && !strings.ContainsAny(name, "{}") {
				out = append(out, name)
			}
			s = rest
		}
	}
	add(m.Target.V)
	add(m.Flags.V)
	for _, c := range m.Conds {
		add(c.Test.V)
	}
	return out
}
