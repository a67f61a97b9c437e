package httpd

import (
	"bytes"

	"clowder/parse/diag"
)

// line is one logical line: physical lines joined at "\" LF, trimmed. Each byte
// of text knows the bytes of the file it came from.
type line struct {
	file     *diag.File
	at       diag.Span // whole logical line without its last line end
	text     []byte
	base     int32   // place of text[0] while from is nil
	from, to []int32 // per byte of text, after joining or substitution
}

// span converts a range of text to a place in the file.
func (l *line) span(i, j int) diag.Span {
	if l.from == nil {
		return diag.At(l.file, int(l.base)+i, int(l.base)+j)
	}
	switch {
	case len(l.text) == 0:
		return diag.At(l.file, int(l.base), int(l.base))
	case j > i:
		return diag.At(l.file, int(l.from[i]), int(l.to[j-1]))
	case i < len(l.text):
		return diag.At(l.file, int(l.from[i]), int(l.from[i]))
	}
	e := int(l.to[len(l.text)-1])
	return diag.At(l.file, e, e)
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
	if l.from != nil {
		l.from, l.to = l.from[i:j], l.to[i:j]
	}
}

// splitLines cuts data[start:end] of the file into logical lines, as
// ap_cfg_getline in server/util.c does.
func splitLines(f *diag.File, start, end int) []line {
	data := f.Data
	lines := make([]line, 0, bytes.Count(data[start:end], []byte{'\n'})+1)
	for start < end {
		l := line{file: f, base: int32(start)}
		first := start
		var stop int
		for {
			eol, next := physical(data, start, end)
			body := data[start:eol]
			if i := bytes.IndexByte(body, 0); i >= 0 {
				body = body[:i]
			}
			cont := next > eol && len(body) == eol-start && len(body) > 0 && body[len(body)-1] == '\\'
			if cont {
				body = body[:len(body)-1]
			}
			if cont && l.from == nil {
				l.from, l.to = []int32{}, []int32{}
			}
			l.appendBytes(body, start)
			start, stop = next, eol
			if cont && start >= end {
				stop = end // httpd counts the line that is not there
			}
			if !cont || start >= end {
				break
			}
		}
		l.at = diag.At(f, first, stop)
		l.trim()
		lines = append(lines, l)
	}
	return lines
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

func (l *line) appendBytes(b []byte, at int) {
	if l.from == nil {
		l.text = b
		return
	}
	l.text = append(l.text[:len(l.text):len(l.text)], b...)
	for i := range b {
		l.from = append(l.from, int32(at+i))
		l.to = append(l.to, int32(at+i+1))
	}
}

// maxLineBytes bounds what replacements may make of one line.
const maxLineBytes = 4 << 20

// replacement says that text[start:end] becomes new.
type replacement struct {
	start, end int
	new        string
}

// replace returns the line with the ranges replaced; inserted bytes are placed
// on the range that they replace.
func (l *line) replace(rs []replacement) line {
	if len(rs) == 0 {
		return *l
	}
	out := line{file: l.file, at: l.at, base: l.base, from: []int32{}, to: []int32{}}
	size := len(l.text)
	for _, r := range rs {
		if size += len(r.new); size > maxLineBytes {
			return *l
		}
	}
	keep := func(i, j int) {
		for ; i < j; i++ {
			s := l.span(i, i+1)
			out.text, out.from, out.to = append(out.text, l.text[i]), append(out.from, s.Start), append(out.to, s.End)
		}
	}
	last := 0
	for _, r := range rs {
		keep(last, r.start)
		s := l.span(r.start, r.end)
		for i := range len(r.new) {
			out.text, out.from, out.to = append(out.text, r.new[i]), append(out.from, s.Start), append(out.to, s.End)
		}
		last = r.end
	}
	keep(last, len(l.text))
	out.trim()
	return out
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

func unescape(b []byte, q byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && (b[i+1] == '\\' || q != 0 && b[i+1] == q) {
			i++
		}
		out = append(out, b[i])
	}
	return string(out)
}

// words cuts text[i:j] into arguments.
func (l *line) words(i, j int) []Arg {
	cut := *l
	cut.text = l.text[:j]
	var args []Arg
	for i < j {
		text, s, e, next := cut.word(i)
		if s == e {
			break
		}
		args = append(args, Arg{text, l.span(s, e)})
		i = next
	}
	return args
}
