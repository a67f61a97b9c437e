package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"clowder/runtime/exchange"
)

const (
	maxLines = 1000      // header lines of an answer
	maxHead  = 256 << 10 // bytes of an answer's head
)

// answer is the head of an answer.
type answer struct {
	status int
	reason string
	minor  int
	header exchange.Header
	old    bool   // HTTP/0.9: all is body
	bare   bool   // the header ended with a line that is none
	prefix []byte // body bytes read with the head
}

// line appends the next line, without its end, to c.in and returns where it
// starts. raw says how many bytes it had with its end.
func (c *PooledConn) line(limit int, timeout time.Duration) (from, raw int, err error) {
	from = len(c.in)
	for {
		if c.R.Buffered() == 0 {
			c.AllowRead(timeout)
		}
		part, err := c.R.ReadSlice('\n')
		c.in = append(c.in, part...)
		raw = len(c.in) - from
		if err != nil && err != bufio.ErrBufferFull {
			return from, raw, err
		}
		if raw > limit+2 || len(c.in) > maxHead {
			return from, raw, ErrHeadTooLong
		}
		if err == nil {
			break
		}
	}
	end := len(c.in) - 1
	if end > from && c.in[end-1] == '\r' {
		end--
	}
	if end-from > limit {
		return from, raw, ErrHeadTooLong
	}
	c.in = c.in[:end]
	return from, raw, nil
}

type fieldSpan struct{ name0, name1, value0, value1 int }

// readHead reads one head. Before its first byte errors are of phase Wait.
func (t *trip) readHead(timeout time.Duration) (*answer, *Error) {
	c := t.c
	c.in = c.in[:0]
	_, raw, err := c.line(t.max-1, timeout)
	if err == nil && len(c.in) == 0 {
		// One stray line end before the status line is let pass, as by httpd.
		_, raw, err = c.line(t.max-1, timeout)
	}
	if raw == 0 && err != nil {
		return nil, fail(Wait, err)
	}
	a := &answer{}
	line := c.in
	if !statusForm(line) && err != nil && err != ErrHeadTooLong && !(err == io.EOF && raw >= t.max) {
		return nil, fail(Read, unexpected(err))
	}
	if !statusForm(line) {
		return t.old(a)
	}
	if err != nil && err != ErrHeadTooLong {
		return nil, fail(Read, unexpected(err))
	}
	if err != nil || line[5] != '1' || len(line) > 12 && line[12] != ' ' || !clean(line) {
		return nil, &Error{Phase: Read, Err: &CorruptStatusError{string(line[:min(len(line), 200)])}}
	}
	a.status = int(line[9]-'0')*100 + int(line[10]-'0')*10 + int(line[11]-'0')
	a.minor = int(line[7] - '0')
	if a.status < 100 {
		return nil, &Error{Phase: Read, Err: &CorruptStatusError{string(line)}}
	}
	var room [24]fieldSpan
	spans, e := t.fields(a, room[:0])
	if e != nil {
		return nil, e
	}
	all := string(c.in)
	if len(all) > 13 {
		a.reason = all[min(13, len(line)):len(line)]
	}
	a.header = make(exchange.Header, len(spans), len(spans)+4)
	for i, s := range spans {
		a.header[i] = exchange.Field{Name: all[s.name0:s.name1], Value: all[s.value0:s.value1]}
	}
	if cap(c.in) > 16<<10 {
		c.in = nil
	}
	return a, nil
}

// statusForm is httpd's mask "HTTP/#.# ###*".
func statusForm(l []byte) bool {
	if len(l) < 12 || string(l[:5]) != "HTTP/" || l[6] != '.' || l[8] != ' ' {
		return false
	}
	for _, i := range [...]int{5, 7, 9, 10, 11} {
		if l[i] < '0' || l[i] > '9' {
			return false
		}
	}
	return true
}

// old takes what has no status line as an HTTP/0.9 answer. As in httpd the first
// line has lost its end.
func (t *trip) old(a *answer) (*answer, *Error) {
	c := t.c
	a.prefix = bytes.Clone(c.in)
	a.old, a.status, a.reason = true, 200, "OK"
	return a, nil
}

func clean(b []byte) bool {
	for _, ch := range b {
		if ch < ' ' && ch != '\t' || ch == 0x7f {
			return false
		}
	}
	return true
}

func token(b []byte) bool {
	for _, ch := range b {
		if ch <= ' ' || ch >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", ch) >= 0 {
			return false
		}
	}
	return len(b) > 0
}

// fields reads the header lines up to the empty one.
func (t *trip) fields(a *answer, spans []fieldSpan) ([]fieldSpan, *Error) {
	c := t.c
	for n := 0; ; n++ {
		from, _, err := c.line(t.max, t.timeout)
		if err != nil {
			return nil, fail(Read, unexpected(err))
		}
		line := c.in[from:]
		if len(line) == 0 {
			return spans, nil
		}
		if n >= maxLines {
			return nil, &Error{Phase: Read, Err: ErrHeadTooLong}
		}
		if line[0] == ' ' || line[0] == '\t' {
			if len(spans) > 0 && clean(line) {
				if !c.fold(&spans[len(spans)-1], from, t.max) {
					return nil, &Error{Phase: Read, Err: ErrHeadTooLong}
				}
				continue
			}
		}
		s, ok := parseField(c.in, from)
		if ok {
			spans = append(spans, s)
			continue
		}
		switch {
		case strings.EqualFold(t.r.BadHeader, "Ignore"):
			t.note(line)
			c.in = c.in[:from]
		case strings.EqualFold(t.r.BadHeader, "StartBody") && bytes.IndexByte(line, ':') < 0:
			c.in = c.in[:from]
			t.note(line)
			a.bare = true
			return spans, nil
		default:
			return nil, &Error{Phase: Read, Err: ErrBadHeader}
		}
	}
}

// fold joins the continuation line at from to the field before it, with one blank.
func (c *PooledConn) fold(s *fieldSpan, from, limit int) bool {
	more := bytes.Trim(c.in[from:], " \t")
	in := c.in[:s.value1]
	if len(more) > 0 {
		in = append(in, ' ')
		in = append(in, more...)
	}
	c.in = in
	s.value1 = len(in)
	return s.value1-s.name0 <= limit
}

// note reports a line that is no header.
func (t *trip) note(line []byte) {
	if t.r.OnBadHeader != nil {
		t.r.OnBadHeader(string(line))
	}
}

func parseField(in []byte, from int) (fieldSpan, bool) {
	i := bytes.IndexByte(in[from:], ':')
	if i < 0 {
		return fieldSpan{}, false
	}
	s := fieldSpan{from, from + i, from + i + 1, len(in)}
	for s.value0 < s.value1 && (in[s.value0] == ' ' || in[s.value0] == '\t') {
		s.value0++
	}
	for s.value1 > s.value0 && (in[s.value1-1] == ' ' || in[s.value1-1] == '\t') {
		s.value1--
	}
	return s, token(in[s.name0:s.name1]) && clean(in[s.value0:s.value1])
}

// framing of an answer's body.
type framing struct {
	chunked, close, both bool
	length               int64 // -1 without Content-Length
}

func frame(a *answer) (framing, error) {
	fr := framing{length: -1}
	coded, lengths := 0, 0
	var length string
	for i := range a.header {
		name, value := a.header[i].Name, a.header[i].Value
		switch len(name) {
		case 10:
			if strings.EqualFold(name, "Connection") {
				for tok := range strings.SplitSeq(value, ",") {
					fr.close = fr.close || strings.EqualFold(strings.Trim(tok, " \t"), "close")
				}
			}
		case 14:
			if strings.EqualFold(name, "Content-Length") {
				lengths++
				length = value
			}
		case 17:
			if strings.EqualFold(name, "Transfer-Encoding") {
				coded++
				if coded > 1 || !strings.EqualFold(value, "chunked") {
					return fr, ErrBadCoding
				}
				fr.chunked = true
			}
		}
	}
	if lengths == 0 {
		return fr, nil
	}
	n, ok := parseLength(length)
	if lengths > 1 || !ok {
		return fr, ErrBadLength
	}
	if fr.chunked {
		fr.both = true
		return fr, nil
	}
	fr.length = n
	return fr, nil
}

func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
