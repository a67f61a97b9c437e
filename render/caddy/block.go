package caddy

import (
	"strings"

	"clowder/parse/diag"
)

// block is a list of lines of a Caddyfile, to be indented together. A line is text
// or a body that may be used at several places.
type block struct {
	lines      []line
	provenance bool
}

type line struct {
	depth int
	text  string
	use   *body
}

// body is a part that several places may share: written where it is used when
// there is one such place, else once as a snippet that the others import.
type body struct {
	name  string
	block *block
	least int // lines that make a snippet worth while
	uses  int
}

// add adds a line of tokens.
func (b *block) add(tokens ...string) {
	b.lines = append(b.lines, line{text: strings.Join(tokens, " ")})
}

// comment adds a comment.
func (b *block) comment(text string) { b.add("# " + comment(text)) }

// from says where the value of the last line stood, when asked for.
func (b *block) from(at diag.Span) {
	if b.provenance && at.IsValid() && len(b.lines) > 0 {
		b.lines[len(b.lines)-1].text += "  # " + comment(at.Short())
	}
}

// nest adds another block in braces behind the tokens.
func (b *block) nest(inner *block, tokens ...string) {
	b.add(append(tokens, "{")...)
	b.append(inner, 1)
	b.add("}")
}

func (b *block) append(inner *block, depth int) {
	for _, l := range inner.lines {
		l.depth += depth
		b.lines = append(b.lines, l)
	}
}

// place adds a body that others may use as well.
func (b *block) place(u *body) { b.lines = append(b.lines, line{use: u}) }

// count counts how often bodies are used and lists them, inner ones first: a
// snippet must stand before its use.
func (b *block) count(order *[]*body) {
	for _, l := range b.lines {
		if l.use == nil {
			continue
		}
		if l.use.uses++; l.use.uses == 1 {
			l.use.block.count(order)
			*order = append(*order, l.use)
		}
	}
}

// snippet reports whether the body is worth a snippet of its own.
func (u *body) snippet() bool { return u.uses > 1 && len(u.block.lines) >= u.least }

func (b *block) empty() bool { return len(b.lines) == 0 }

// key is the whole text of the block, for comparing.
func (b *block) key() string {
	var s strings.Builder
	b.write(&s, 0, true)
	return s.String()
}

// write writes the lines, indented by tabs as caddy fmt does; whole writes out what
// snippets hold.
func (b *block) write(s *strings.Builder, depth int, whole bool) {
	for _, l := range b.lines {
		switch {
		case l.use != nil && !whole && l.use.snippet():
			s.WriteString(strings.Repeat("\t", depth+l.depth) + "import " + l.use.name + "\n")
		case l.use != nil:
			l.use.block.write(s, depth+l.depth, whole)
		case l.text == "":
			s.WriteByte('\n')
		default:
			s.WriteString(strings.Repeat("\t", depth+l.depth) + l.text + "\n")
		}
	}
}
