package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"clowder/runtime/exchange"
)

// HTTPRequest is one request as it goes on the wire: nothing is added to it.
type HTTPRequest struct {
	Method, Target string
	Header         exchange.Header // with Host, framing and Connection
	Body           io.Reader       // nil without a body
	Length         int64           // of Body in bytes; -1 sends it in chunks, which Header must say
	Minor          int             // HTTP/1.Minor

	Timeout time.Duration // for each read and write, 60 s
	Fresh   bool          // do not reuse a connection
	Close   bool          // do not keep the connection; Header should say so
	Host    string        // for [PoolConfig.TLSFor], "" without one
	// Interim takes each 1xx answer; its error ends the exchange with phase Body.
	// nil ignores them.
	Interim func(status int, reason string, h exchange.Header) error
	// MaxField bounds a line of the answer's head, httpd's responsefieldsize: 8192.
	MaxField int
	// BadHeader is ProxyBadHeader: IsError (default), Ignore or StartBody.
	BadHeader string
	// OnBadHeader is told of a line that Ignore or StartBody let pass; may be nil.
	OnBadHeader func(line string)
	// Expect100 > 0 holds the body back until a 100 came, for at most this long.
	Expect100 time.Duration
	// AllowUpgrade lets a 101 end in Response.Conn; else it is an error.
	AllowUpgrade bool
}

// Causes of an Error while reading an answer.
var (
	ErrBadRequest   = errors.New("line break in the request's head")
	ErrHeadTooLong  = errors.New("header of the answer too long")
	ErrBadHeader    = errors.New("malformed header line in the answer")
	ErrBadLength    = errors.New("bad Content-Length in the answer")
	ErrBadCoding    = errors.New("unknown Transfer-Encoding in the answer")
	ErrBadChunk     = errors.New("malformed chunk in the answer")
	ErrInterims     = errors.New("too many interim answers")
	ErrUpgrade      = errors.New("unexpected 101 answer")
	ErrBodyTooShort = errors.New("request body shorter than announced")
)

// CorruptStatusError is the cause for a status line that is too long or not of HTTP/1.
type CorruptStatusError struct{ Line string }

func (e *CorruptStatusError) Error() string { return "corrupt status line: " + strconv.Quote(e.Line) }

// maxInterims is how many 1xx answers in a row are one too many.
const maxInterims = 10

// RoundTripHTTP sends r and reads the head of the answer. A request without a
// body and of an idempotent method (RFC 9110, 9.2.2) that meets a connection
// closed since its last use is sent once more on a fresh connection.
//
// The answer's body must be closed or read to its end. Ending ctx closes the
// connection at any time until then. Errors are *Error.
func (p *Pool) RoundTripHTTP(ctx context.Context, r *HTTPRequest) (*exchange.Response, error) {
	fresh := r.Fresh
	for {
		c, err := p.GetFor(ctx, fresh, r.Host)
		if err != nil {
			return nil, err
		}
		resp, fail := c.roundTrip(ctx, r)
		if fail == nil {
			return resp, nil
		}
		if fresh || !c.Reused() || r.Body != nil || !idempotent(r.Method) || fail.Timeout ||
			fail.Phase != Send && fail.Phase != Wait || ctx.Err() != nil {
			return nil, fail
		}
		fresh = true
	}
}

func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// trip is one exchange on a connection.
type trip struct {
	c       *PooledConn
	r       *HTTPRequest
	timeout time.Duration
	max     int
	sent    bool
	held    bool // the body was not sent: the connection cannot be reused
}

func (c *PooledConn) roundTrip(ctx context.Context, r *HTTPRequest) (*exchange.Response, *Error) {
	t := trip{c: c, r: r, timeout: r.Timeout, max: r.MaxField}
	if t.timeout <= 0 {
		t.timeout = time.Minute
	}
	if t.max <= 0 {
		t.max = 8192
	}
	var stop func() bool
	if ctx.Done() != nil {
		nc := c.Conn
		stop = context.AfterFunc(ctx, func() { nc.Close() })
	}
	resp, e := t.run(stop)
	if e == nil {
		return resp, nil
	}
	if stop != nil {
		stop()
	}
	c.Discard()
	e.Reused, e.BytesSent = c.Reused(), t.sent
	if err := ctx.Err(); err != nil {
		e.Err, e.Timeout = context.Cause(ctx), isTimeout(err)
	}
	return nil, e
}

func fail(phase Phase, err error) *Error {
	if phase == Wait && (err == io.EOF || err == io.ErrUnexpectedEOF) {
		err = ErrDisconnected
	}
	return &Error{Phase: phase, Err: err, Timeout: isTimeout(err)}
}

func (t *trip) run(stop func() bool) (*exchange.Response, *Error) {
	if e := t.head(); e != nil {
		return nil, e
	}
	if t.r.Body != nil && t.r.Expect100 > 0 {
		a, e := t.answer(true)
		if e != nil {
			return nil, e
		}
		if a.status != 100 {
			t.held = true
			return t.response(a, stop)
		}
	}
	if t.r.Body != nil {
		if e := t.body(); e != nil {
			return nil, e
		}
	}
	a, e := t.answer(false)
	if e != nil {
		return nil, e
	}
	return t.response(a, stop)
}

// write sends b.
func (t *trip) write(b []byte) *Error {
	t.c.AllowWrite(t.timeout)
	n, err := t.c.Conn.Write(b)
	t.sent = t.sent || n > 0
	if err != nil {
		return fail(Send, err)
	}
	return nil
}

// outSize is a connection's buffer for heads and bodies.
const outSize = 16 << 10

// head sends the request's head; with a body that need not wait its first
// bytes go with it.
func (t *trip) head() *Error {
	r, b := t.r, t.c.out[:0]
	b = append(b, r.Method...)
	b = append(b, ' ')
	b = append(b, r.Target...)
	b = append(b, " HTTP/1."...)
	b = append(b, byte('0'+r.Minor&1))
	b = append(b, "\r\n"...)
	for i := range r.Header {
		b = append(b, r.Header[i].Name...)
		b = append(b, ": "...)
		b = append(b, r.Header[i].Value...)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	t.c.out = b
	lines := len(r.Header) + 2
	if bytes.Count(b, lf) != lines || bytes.Count(b, crlf[:1]) != lines || bytes.IndexByte(b, 0) >= 0 ||
		strings.IndexByte(r.Target, ' ') >= 0 || r.Target == "" {
		return &Error{Phase: Send, Err: ErrBadRequest}
	}
	if r.Body == nil || r.Expect100 > 0 {
		return t.write(b)
	}
	return nil // body sends it
}

var (
	crlf = []byte("\r\n")
	lf   = crlf[1:]
)

const chunkHead = 10 // room for a chunk's size line: 8 hex digits, CRLF

// body sends the request's body, together with a head that is still in out.
func (t *trip) body() *Error {
	c, r := t.c, t.r
	b := c.out
	if t.sent {
		b = b[:0]
	}
	if cap(b) < outSize {
		b = append(make([]byte, 0, outSize), b...)
	}
	chunked, left := r.Length < 0, r.Length
	for {
		if cap(b)-len(b) < 1024 {
			if e := t.write(b); e != nil {
				return e
			}
			b = b[:0]
		}
		from := len(b)
		if chunked {
			from += chunkHead
		}
		room := b[from : cap(b)-2]
		if !chunked && int64(len(room)) > left {
			room = room[:left]
		}
		n, err := 0, io.EOF
		if len(room) > 0 {
			n, err = r.Body.Read(room)
		}
		left -= int64(n)
		switch {
		case chunked && n > 0:
			b = sizeLine(b, n)
			b = append(b[:from+n], "\r\n"...)
		case n > 0:
			b = b[:from+n]
		}
		if err != nil && err != io.EOF {
			return &Error{Phase: Body, Err: err, Timeout: isTimeout(err)}
		}
		end := err == io.EOF || !chunked && left == 0
		if end && !chunked && left > 0 {
			return &Error{Phase: Body, Err: ErrBodyTooShort}
		}
		if end && chunked {
			b = append(b, "0\r\n\r\n"...)
		}
		c.out = b
		if e := t.write(b); e != nil || end {
			return e
		}
		b = b[:0]
	}
}

// sizeLine appends n as exactly eight hex digits and CRLF.
func sizeLine(b []byte, n int) []byte {
	const hex = "0123456789abcdef"
	for s := 28; s >= 0; s -= 4 {
		b = append(b, hex[n>>s&15])
	}
	return append(b, "\r\n"...)
}

// answer reads heads until one that is not interim; with until100 also until a 100.
func (t *trip) answer(until100 bool) (*answer, *Error) {
	timeout := t.timeout
	if until100 {
		timeout = t.r.Expect100
	}
	for n := 1; ; n++ {
		a, e := t.readHead(timeout)
		if e != nil {
			if until100 && e.Phase == Wait && e.Timeout {
				e.Phase = Continue
			}
			return nil, e
		}
		if a.status >= 200 || a.status == 101 || a.status < 100 {
			return a, nil
		}
		if _, err := frame(a); err != nil {
			return nil, &Error{Phase: Read, Err: err}
		}
		if t.r.Interim != nil {
			if err := t.r.Interim(a.status, a.reason, a.header); err != nil {
				return nil, &Error{Phase: Body, Err: err}
			}
		}
		if until100 && a.status == 100 {
			return a, nil
		}
		if n >= maxInterims {
			return nil, &Error{Phase: Read, Err: ErrInterims}
		}
	}
}

// response makes the answer of a final head.
func (t *trip) response(a *answer, stop func() bool) (*exchange.Response, *Error) {
	c := t.c
	resp := &exchange.Response{Status: a.status, Reason: a.reason, Header: a.header, Length: -1}
	b := &body{c: c, timeout: t.timeout, stop: stop, prefix: a.prefix, left: -1, maxLine: t.max}
	resp.Body = b
	if a.status == 101 {
		if !t.r.AllowUpgrade {
			return nil, &Error{Phase: Read, Err: ErrUpgrade}
		}
		return upgraded(resp, c, stop), nil
	}
	fr, err := frame(a)
	if err != nil {
		return nil, &Error{Phase: Read, Err: err}
	}
	b.reuse = !a.old && a.minor >= 1 && !fr.close && !t.held && !fr.both && !t.r.Close
	if fr.both {
		resp.Header.Del("Content-Length")
	}
	switch {
	case fr.chunked && a.bare:
		return nil, &Error{Phase: Read, Err: ErrBadHeader}
	case t.r.Method == "HEAD" || a.status == 204 || a.status == 304:
		resp.Length, b.left = fr.length, 0
		b.finish()
	case fr.chunked:
		if c.badFirstChunk() {
			return nil, &Error{Phase: Read, Err: ErrBadChunk}
		}
		b.chunked, b.left = true, 0
	case fr.length >= 0:
		resp.Length, b.left = fr.length, fr.length
		if b.left == 0 {
			b.finish()
		}
	default:
		b.reuse = false
	}
	return resp, nil
}

// upgraded hands the connection over with the bytes that came behind the head.
func upgraded(resp *exchange.Response, c *PooledConn, stop func() bool) *exchange.Response {
	if stop != nil {
		stop()
	}
	c.Conn.SetDeadline(time.Time{})
	rest := make([]byte, c.R.Buffered())
	io.ReadFull(c.R, rest)
	resp.Conn = c.Detach()
	resp.Body = io.NopCloser(bytes.NewReader(rest))
	return resp
}

var _ net.Conn = (*PooledConn)(nil)
