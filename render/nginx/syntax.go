package nginx

import (
	"slices"
	"strings"

	"clowder/parse/diag"
)

// dir is one directive, or one line of a map. Words are what nginx sees once it has read the file; the
// quotes are set when it is written.
type dir struct {
	name  string
	args  []string
	block []*dir // with braces when not nil
	note  string // comment above it
	at    diag.Span
}

// d makes a simple directive.
func d(name string, args ...string) *dir { return &dir{name: name, args: args} }

// from says where the directive comes from; it is shown with --provenance.
func (x *dir) from(at diag.Span) *dir {
	x.at = at
	return x
}

// blk makes a directive with braces.
func blk(name string, args []string, inner ...*dir) *dir {
	if inner == nil {
		inner = []*dir{}
	}
	return &dir{name: name, args: args, block: inner}
}

// longest is the most bytes of a word: nginx reads its files through a buffer of
// 4096 bytes (ngx_conf_read_token in core/ngx_conf_file.c).
const longest = 4000

// writable reports whether a text can stand in nginx.conf: no control character,
// which would end or split what it is written into, and not too long.
func writable(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return len(s) <= longest
}

// allWritable reports whether every word below the directives can be written.
func allWritable(list []*dir) bool {
	for _, x := range list {
		if !writable(x.name) || slices.ContainsFunc(x.args, func(a string) bool { return !writable(a) }) {
			return false
		}
		if !allWritable(x.block) {
			return false
		}
	}
	return true
}

// quote writes a word. Within quotes as without, nginx takes a backslash away only
// before a quote, a backslash and the letters t, r and n.
func quote(s string) string {
	plain := s != ""
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			b.WriteByte('\\')
			if i+1 == len(s) || strings.IndexByte(`"'\trn`, s[i+1]) >= 0 {
				b.WriteByte('\\')
			}
			continue
		case c == '"':
			plain = false
			b.WriteByte('\\')
		case c == ' ', c == ';', c == '{', c == '}', c == '\'', c == '#', c >= 0x7f, c < ' ':
			plain = false
		}
		b.WriteByte(s[i])
	}
	if plain {
		return b.String()
	}
	return `"` + b.String() + `"`
}

// comment makes a text safe for a comment line, which nginx bounds like a word.
func comment(s string) string {
	if len(s) > 300 {
		s = s[:300] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, s)
}

// print writes directives with four blanks a level.
func printDirs(b *strings.Builder, list []*dir, level int, provenance bool) {
	indent := strings.Repeat("    ", level)
	for i, x := range list {
		if i > 0 && (x.block != nil || x.note != "" || list[i-1].block != nil) && !(x.name == "if" && list[i-1].name == "set") && x.note != sameGroup {
			b.WriteByte('\n')
		}
		if x.note != "" && x.note != sameGroup {
			b.WriteString(indent + "# " + comment(x.note) + "\n")
		}
		b.WriteString(indent + quote(x.name))
		if x.name == "if" {
			b.WriteString(" (" + x.args[0])
			for _, a := range x.args[1:] {
				b.WriteString(" " + quote(a))
			}
			b.WriteByte(')')
		} else {
			for _, a := range x.args {
				b.WriteString(" " + quote(a))
			}
		}
		if x.block == nil {
			b.WriteByte(';')
		} else {
			b.WriteString(" {")
		}
		if provenance && x.at.IsValid() {
			b.WriteString(" # " + comment(x.at.Short()))
		}
		b.WriteByte('\n')
		if x.block != nil {
			printDirs(b, x.block, level+1, provenance)
			b.WriteString(indent + "}\n")
		}
	}
}

// sameGroup as a note says that the block belongs to the one above it.
const sameGroup = "\x00"

// text writes directives on their own, to compare them.
func text(list []*dir) string {
	var b strings.Builder
	printDirs(&b, list, 0, false)
	return b.String()
}
