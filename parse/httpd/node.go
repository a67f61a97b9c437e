package httpd

import "strings"

// kind tells comments and blank lines from the others.
func (l *line) kind() Kind {
	switch {
	case len(l.text) == 0:
		return Blank
	case l.text[0] == '#':
		return Comment
	}
	return Directive
}

// parts are the places in a line of a directive's or section's name, without "<",
// and of its argument text.
type parts struct {
	kind               Kind
	name               string
	nameStart, nameEnd int
	args, end          int
	noAngle            bool // an opening tag without ">"
}

// parts cuts a line that is no comment and not blank.
func (l *line) parts() parts {
	name, s, e, next := l.word(0)
	p := parts{kind: Directive, name: name, nameStart: s, nameEnd: e, args: next, end: len(l.text)}
	if len(name) < 2 || name[0] != '<' {
		return p
	}
	p.kind, p.name, p.nameStart = Section, name[1:], s+1
	if p.name[0] == '/' {
		return p
	}
	if k := strings.LastIndexByte(l.text, '>'); k < 0 {
		p.noAngle = true
	} else {
		p.end = k
		if strings.HasSuffix(p.name, ">") && e-1 == k {
			p.name, p.nameEnd = p.name[:len(p.name)-1], e-1
		}
	}
	if p.name == "" {
		p.kind, p.name = Directive, name
	}
	p.args = min(p.args, p.end)
	return p
}

// read fills the node of a line that is a directive or a tag. Without a budget
// all arguments are taken; else it reports whether it was large enough.
func (n *Node) read(l *line, args *argList, b *budget) bool {
	p := l.parts()
	n.Kind, n.Name, n.noAngle, n.Span, n.made = p.kind, p.name, p.noAngle, l.at, l.kept()
	if n.made != nil && b != nil && !b.take(l.bytes()) {
		b.left = 0
	}
	if _, closes := n.closes(); closes {
		return true
	}
	if n.word = keywords[p.name]; n.word == nil {
		n.word = keywords[strings.ToLower(p.name)]
	}
	if p.args == p.end {
		return true
	}
	if args == nil {
		args = &argList{}
	}
	most := len(l.text)
	if b != nil {
		most = max(0, b.left/argBytes)
	}
	var all bool
	n.Args, all = args.cut(l, p.args, p.end, most)
	if b != nil {
		b.take(len(n.Args) * argBytes)
	}
	return all
}

// keyword is what is known of a name, for comparing it without making it lower
// case each time.
type keyword struct {
	key                string   // in lower case
	directive, section *command // of the stock modules
}

// keywords holds the names that the stock modules know: in lower case and as
// their modules spell them.
var keywords = func() map[string]*keyword {
	m := make(map[string]*keyword, 2*len(commands))
	for key, c := range commands {
		name := strings.TrimPrefix(key, "<")
		k := m[name]
		if k == nil {
			k = &keyword{key: name}
			m[name] = k
		}
		if key[0] == '<' {
			k.section = c
		} else {
			k.directive = c
		}
		m[c.name] = k
	}
	return m
}()

// chunk is how many nodes or arguments are allocated at once in the end.
const chunk = 1024

// nodeList holds nodes in order, allocated in chunks.
type nodeList struct {
	first  int // how many nodes are expected, 0 unknown
	chunks [][]Node
}

func (l *nodeList) add() *Node {
	k := len(l.chunks) - 1
	if k < 0 || len(l.chunks[k]) == cap(l.chunks[k]) {
		size := min(max(l.first, 8), chunk)
		if k >= 0 {
			size = min(2*cap(l.chunks[k]), chunk)
		}
		l.chunks = append(l.chunks, make([]Node, 0, size))
		k++
	}
	c := l.chunks[k]
	c = c[:len(c)+1]
	l.chunks[k] = c
	return &c[len(c)-1]
}

func (l *nodeList) last() *Node {
	if len(l.chunks) == 0 {
		return nil
	}
	c := l.chunks[len(l.chunks)-1]
	return &c[len(c)-1]
}

func (l *nodeList) all(yield func(*Node) bool) {
	for _, c := range l.chunks {
		for i := range c {
			if !yield(&c[i]) {
				return
			}
		}
	}
}

// argList allocates the arguments of many nodes in chunks.
type argList struct {
	free []Arg // of the last chunk
	size int   // of the last chunk
	tmp  []Arg
}

// cut cuts l.text[i:j] into at most most arguments, and reports whether that were
// all.
func (a *argList) cut(l *line, i, j, most int) ([]Arg, bool) {
	if j-i > chunk {
		n := 0 // a long line: count first, so that nothing is allocated twice
		cut := *l
		cut.text = l.text[:j]
		for at := i; at < j && n < most; n++ {
			_, _, _, at = cut.word(at)
		}
		return l.words(make([]Arg, 0, n), i, j, most)
	}
	var all bool
	a.tmp, all = l.words(a.tmp[:0], i, j, most)
	if len(a.tmp) > len(a.free) {
		a.size = min(chunk, 2*a.size+8)
		a.free = make([]Arg, max(a.size, len(a.tmp)))
	}
	n := copy(a.free, a.tmp)
	out := a.free[:n:n]
	a.free = a.free[n:]
	return out, all
}
