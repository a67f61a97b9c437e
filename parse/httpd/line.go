package httpd

import (
	"bytes"
	"sort"
	"strings"

	"clowder/parse/diag"
)

// line is one logical line: physical lines joined at "\\" LF, trimmed. Each byte
// of text knows the bytes of the file it came from.
type line struct {
	file *diag.File
	at   diag.Span // whole logical line without its last line end
	text string
	base int32     // place of text[0] while segs is nil
	segs []segment // where text came from after joining or substitution, by start
}

// segment says that text[start:], up to the next segment, came from from:to of
// the file: byte by byte, or when whole is set as the replacement of that range.
type segment struct {
	start    int32
	from, to int32
	whole    bool
}

// made is what a node keeps of a line that does not stand so in its file.
type made struct {
	text string
	base int32
	segs []segment
}

// kept returns what a node has to keep of the line, nil when its place is enough.
func (l *line) kept() *made {
	if l.segs == nil {
		return nil
	}
	return &made{l.text, l.base, l.segs}
}

// bytes returns the memory that kept needs.
func (l *line) bytes() int { return madeBytes + len(l.text) + len(l.segs)*segmentBytes }

// segmentAt returns the index of the segment that holds text[i].
func (l *line) segmentAt(i int) int {
	return sort.Search(len(l.segs), func(k int) bool { return int(l.segs[k].start) > i }) - 1
}

// byteAt returns the range of the file that text[i] came from.
func (l *line) byteAt(i int) (from, to int) {
	g := l.segs[l.segmentAt(i)]
	if g.whole {
		return int(g.from), int(g.to)
	}
	from = int(g.from) + i - int(g.start)
	return from, from + 1
}

// span converts a range of text to a place in the file.
func (l *line) span(i, j int) diag.Span {
	if l.segs == nil {
		return diag.At(l.file, int(l.base)+i, int(l.base)+j)
	}
	if len(l.text) == 0 {
		return diag.At(l.file, int(l.base), int(l.base))
	}
	if i < len(l.text) {
		from, _ := l.byteAt(i)
		if j <= i {
			return diag.At(l.file, from, from)
		}
		_, to := l.byteAt(j - 1)
		return diag.At(l.file, from, to)
	}
	_, end := l.byteAt(len(l.text) - 1)
	return diag.At(l.file, end, end)
}

func isBlank(c byte) bool {
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\n'
}

// trim cuts white space at both ends.
func (l *line) trim() {
	i, j := 0, len(l.text)
	for i < j && isBlank(l.text[i]) {
		i++
	}
	for j > i && isBlank(l.text[j-1]) {
		j--
	}
	l.text = l.text[i:j]
	l.base += int32(i)
	if l.segs == nil || i == 0 || i == j {
		return
	}
	l.segs = l.segs[l.segmentAt(i):]
	for k := range l.segs {
		l.segs[k].start -= int32(i)
	}
	if g := &l.segs[0]; g.start < 0 && !g.whole {
		g.from -= g.start
		g.start = 0
	} else {
		g.start = 0
	}
}

// nextLine cuts the logical line that begins at start out of the first end bytes
// of a file, as ap_cfg_getline in server/util.c does, and returns where the next
// one begins.
func nextLine(f *diag.File, start, end int) (line, int) {
	eol, next := physical(f.Data, start, end)
	l := line{file: f, at: diag.At(f, start, eol), base: int32(start)}
	body, cont := lineBody(f, start, eol, next)
	if cont {
		return l.join(end)
	}
	l.text = body
	l.trim()
	return l, next
}

// lineBody returns the text of a physical line up to a NUL byte, and whether the
// next line continues it.
func lineBody(f *diag.File, start, eol, next int) (body string, cont bool) {
	body = f.Text(start, eol)
	if i := strings.IndexByte(body, 0); i >= 0 {
		return body[:i], false
	}
	if n := len(body); next > eol && n > 0 && body[n-1] == '\\' {
		return body[:n-1], true
	}
	return body, false
}

// join makes the logical line of physical lines that continue each other.
func (l line) join(end int) (line, int) {
	pieces, size, stop, next := 0, 0, 0, 0
	l.pieces(end, func(_ int, body string, eol, n int, cont bool) {
		if body != "" {
			pieces++
		}
		size += len(body)
		stop, next = eol, n
		if cont && n >= end {
			stop = end // httpd counts the line that is not there
		}
	})
	text := make([]byte, 0, size)
	l.segs = make([]segment, 0, pieces)
	l.pieces(end, func(at int, body string, _, _ int, _ bool) {
		if body != "" {
			l.segs = append(l.segs, segment{start: int32(len(text)), from: int32(at)})
			text = append(text, body...)
		}
	})
	l.at.End = int32(stop)
	l.text = string(text)
	l.trim()
	return l, next
}

// pieces calls f for each physical line of a logical one: where it begins, its
// text, its end, where the next line begins and whether that continues it.
func (l *line) pieces(end int, f func(at int, body string, eol, next int, cont bool)) {
	for at, cont := int(l.at.Start), true; cont && at < end; {
		eol, next := physical(l.file.Data, at, end)
		var body string
		body, cont = lineBody(l.file, at, eol, next)
		f(at, body, eol, next, cont)
		at = next
	}
}

// physical finds the end of the line's text and the start of the next line.
func physical(data []byte, start, end int) (eol, next int) {
	i := bytes.IndexByte(data[start:end], '\n')
	if i < 0 {
		return end, end
	}
	eol, next = start+i, start+i+1
	if eol > start && data[eol-1] == '\r' {
		eol--
	}
	return eol, next
}

// maxLineBytes bounds what replacements may make of one line; httpd reads no
// longer ones (VARBUF_MAX_LEN in server/config.c).
const maxLineBytes = 16 << 20

// maxReplacements bounds how many ranges of one line are replaced.
const maxReplacements = 1 << 17

// replacement says that text[start:end] becomes new.
type replacement struct {
	start, end int
	new        string
}

// sizeAfter returns how long the text would be with the ranges replaced.
func (l *line) sizeAfter(rs []replacement) int {
	size := len(l.text)
	for _, r := range rs {
		size += len(r.new) - (r.end - r.start)
	}
	return size
}

// segsAfter returns at most how many segments that line would have.
func (l *line) segsAfter(rs []replacement) int { return len(l.segs) + 2*len(rs) + 1 }

// replace returns the line with the ranges replaced; inserted bytes are placed
// on the range that they replace.
func (l *line) replace(rs []replacement) line {
	size := l.sizeAfter(rs)
	out := line{file: l.file, at: l.at, base: l.base, segs: make([]segment, 0, min(l.segsAfter(rs), size+1))}
	var text strings.Builder
	text.Grow(size)
	keep := func(i, j int) {
		for i < j {
			g, stop := l.piece(i, j)
			g.start = int32(text.Len())
			out.segs = append(out.segs, g)
			text.WriteString(l.text[i:stop])
			i = stop
		}
	}
	last := 0
	for _, r := range rs {
		keep(last, r.start)
		if r.new != "" {
			s := l.span(r.start, r.end)
			out.segs = append(out.segs, segment{int32(text.Len()), s.Start, s.End, true})
			text.WriteString(r.new)
		}
		last = r.end
	}
	keep(last, len(l.text))
	out.text = text.String()
	out.trim()
	return out
}

// piece returns the segment of text[i] as if it began there, and the end of what
// it holds of text[i:j].
func (l *line) piece(i, j int) (segment, int) {
	if l.segs == nil {
		return segment{from: l.base + int32(i)}, j
	}
	k := l.segmentAt(i)
	g := l.segs[k]
	if k+1 < len(l.segs) {
		j = min(j, int(l.segs[k+1].start))
	}
	if !g.whole {
		g.from += int32(i) - g.start
	}
	return g, j
}

// word cuts the next word at or behind i as ap_getword_conf in server/util.c
// does: the word's text, its range with quotes, and where to go on.
func (l *line) word(i int) (text string, start, end, next int) {
	t := l.text
	for i < len(t) && isBlank(t[i]) {
		i++
	}
	start = i
	if i == len(t) {
		return "", i, i, i
	}
	var q byte
	if t[i] == '"' || t[i] == '\'' {
		q = t[i]
		i++
	}
	from := i
	for i < len(t) {
		if q == 0 && isBlank(t[i]) || q != 0 && t[i] == q {
			break
		}
		if q != 0 && t[i] == '\\' && i+1 < len(t) && (t[i+1] == '\\' || t[i+1] == q) {
			i++
		}
		i++
	}
	text = unescape(t[from:i], q)
	if q != 0 && i < len(t) {
		i++
	}
	end = i
	for i < len(t) && isBlank(t[i]) {
		i++
	}
	return text, start, end, i
}

func unescape(s string, q byte) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '\\' || q != 0 && s[i+1] == q) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}

// words appends the arguments in text[i:j] to args, at most most of them. It
// reports whether that were all.
func (l *line) words(args []Arg, i, j, most int) ([]Arg, bool) {
	cut := *l
	cut.text = l.text[:j]
	for i < j {
		text, s, e, next := cut.word(i)
		if s == e {
			break
		}
		if most == 0 {
			return args, false
		}
		most--
		args = append(args, Arg{text, l.span(s, e)})
		i = next
	}
	return args, true
}
