package front

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/runtime/exchange"
)

// Errors of the ResponseWriter.
var (
	ErrNotStarted = errors.New("front: Write before Head")
	ErrStarted    = errors.New("front: Head called twice")
	ErrTooLong    = errors.New("front: more body than announced")
	ErrTooShort   = errors.New("front: less body than announced")
	ErrField      = errors.New("front: invalid character in an answer's head")
	ErrOldClient  = errors.New("front: upgrade of an HTTP/1.0 request")
	ErrHandedOver = errors.New("front: connection was handed over or aborted")
)

// response is the exchange.ResponseWriter of one request.
type response struct {
	w   *work
	out []byte // not yet written
	req *exchange.Request
	fr  framing

	started   bool
	chunked   bool
	noBody    bool // HEAD, 204, 304
	close     bool // the connection ends with this answer
	linger    bool
	continued bool  // 100 was sent
	left      int64 // still to be written; -1 if unknown
	hijacked  bool
	aborted   bool
	err       error

	vec  [3][]byte
	bufs net.Buffers
}

func (r *response) reset() {
	*r = response{w: r.w, out: r.out[:0]}
}

func (r *response) begin(req *exchange.Request, fr framing) {
	r.req, r.fr = req, fr
}

// Started reports whether Head was called.
func (r *response) Started() bool { return r.started }

// Interim sends a 1xx answer at once; HTTP/1.0 clients get none.
func (r *response) Interim(status int, reason string, h exchange.Header) error {
	if r.started || r.hijacked || r.aborted {
		return ErrStarted
	}
	if status < 100 || status > 199 || !validAnswer(reason, h) {
		return ErrField
	}
	if r.req.Minor == 0 {
		if status == 101 {
			return ErrOldClient
		}
		return nil
	}
	if status == 100 {
		r.continued = true
	}
	r.statusLine(status, reason)
	connection := false
	for i := range h {
		connection = connection || strings.EqualFold(h[i].Name, "Connection")
		r.field(h[i].Name, h[i].Value)
	}
	if status == 101 && !connection {
		r.field("Connection", "Upgrade")
	}
	r.out = append(r.out, "\r\n"...)
	return r.Flush()
}

func (r *response) statusLine(status int, reason string) {
	r.out = append(r.out, "HTTP/1.1 "...)
	r.out = strconv.AppendInt(r.out, int64(status), 10)
	r.out = append(r.out, ' ')
	r.out = append(r.out, reason...)
	r.out = append(r.out, "\r\n"...)
}

func (r *response) field(name, value string) {
	r.out = append(r.out, name...)
	r.out = append(r.out, ": "...)
	r.out = append(r.out, value...)
	r.out = append(r.out, "\r\n"...)
}

// validAnswer refuses what would split or break the answer's head.
func validAnswer(reason string, h exchange.Header) bool {
	if !allString(reason, cValue) {
		return false
	}
	for i := range h {
		if h[i].Name == "" || !allString(h[i].Name, cToken) || !allString(h[i].Value, cValue) {
			return false
		}
	}
	return true
}

// dropsConnection is httpd's status_drops_connection.
func dropsConnection(status int) bool {
	switch status {
	case 400, 408, 411, 413, 414, 500, 501, 503:
		return true
	}
	return false
}

// Head buffers status line and header; they leave with the first body bytes.
// Connection, Keep-Alive, Transfer-Encoding and Content-Length in h are replaced,
// in the places where h has them; else they come last, in httpd's order.
// "Connection: close" in h closes the connection after the answer; a Connection
// that only names fields is sent.
func (r *response) Head(status int, reason string, h exchange.Header, length int64) error {
	switch {
	case r.hijacked || r.aborted:
		return ErrHandedOver
	case r.started:
		return ErrStarted
	case status < 200 || status > 999 || !validAnswer(reason, h):
		return ErrField
	}
	r.started = true
	method, minor := "", 1
	if r.req != nil {
		method, minor = r.req.Method, r.req.Minor
	}
	if method == "HEAD" || status == 204 || status == 304 {
		r.noBody = true
	}
	r.left = max(length, -1)
	date := false
	for i := range h {
		switch n := h[i].Name; len(n) {
		case 4:
			date = date || strings.EqualFold(n, "Date")
		case 10:
			if strings.EqualFold(n, "Connection") {
				var f framing
				f.connection(h[i].Value)
				r.close = r.close || f.close
			}
		}
	}
	if length < 0 && !r.noBody {
		r.chunked = minor >= 1
		r.close = r.close || !r.chunked
	}
	r.statusLine(status, reason)
	if !date {
		r.out = append(r.out, r.w.c.s.dateField(time.Now())...)
	}
	sized, connected, coded := length < 0 || status == 204, false, !r.chunked
	for i := range h {
		n := h[i].Name
		switch len(n) {
		case 10:
			if strings.EqualFold(n, "Connection") {
				var f framing
				if f.connection(h[i].Value); h[i].Value != "" && !f.close && !f.keepAlive {
					r.field(n, h[i].Value) // names fields, as those of AJP backends may
				} else if !connected {
					r.connectionFields(status, minor)
					connected = true
				}
				continue
			}
			if strings.EqualFold(n, "Keep-Alive") {
				continue
			}
		case 14:
			if strings.EqualFold(n, "Content-Length") {
				if !sized && (status != 304 || length > 0) {
					r.contentLength(length)
				}
				sized = true
				continue
			}
		case 17:
			if strings.EqualFold(n, "Transfer-Encoding") {
				if !coded {
					r.field("Transfer-Encoding", "chunked")
					coded = true
				}
				continue
			}
		}
		r.field(n, h[i].Value)
	}
	if !sized && (status != 304 || length > 0) {
		r.contentLength(length)
	}
	if !connected {
		r.connectionFields(status, minor)
	}
	if !coded {
		r.field("Transfer-Encoding", "chunked")
	}
	r.out = append(r.out, "\r\n"...)
	return nil
}

func (r *response) contentLength(n int64) {
	r.out = append(r.out, "Content-Length: "...)
	r.out = strconv.AppendInt(r.out, n, 10)
	r.out = append(r.out, "\r\n"...)
}

// connectionFields decides whether the connection is kept, as ap_set_keepalive.
func (r *response) connectionFields(status, minor int) {
	c := r.w.c
	cfg := c.bounds()
	left := 0
	if r.req != nil {
		left = cfg.MaxKeepAliveRequests - r.req.ConnRequests
	}
	b := &r.w.body
	switch {
	case r.close, r.req == nil, !cfg.KeepAlive, r.fr.close,
		cfg.MaxKeepAliveRequests > 0 && left <= 0,
		minor == 0 && !r.fr.keepAlive,
		dropsConnection(status), c.s.closing.Load(), c.s.retired.Load(),
		b.err != nil && b.err != io.EOF,
		// A client that waits for 100 may send its body or not.
		r.fr.expect && !r.continued && !b.touched && !b.done(),
		!b.chunked && b.err == nil && b.left > maxDrain && !b.touched:
		r.close = true
		r.field("Connection", "close")
		return
	}
	if !r.fr.keepAlive {
		return
	}
	r.out = append(r.out, "Keep-Alive: timeout="...)
	r.out = strconv.AppendInt(r.out, int64(cfg.IdleTimeout/time.Second), 10)
	if cfg.MaxKeepAliveRequests > 0 {
		r.out = append(r.out, ", max="...)
		r.out = strconv.AppendInt(r.out, int64(left), 10)
	}
	r.out = append(r.out, "\r\nConnection: Keep-Alive\r\n"...)
}

// Write sends body bytes. Small writes are gathered until Flush, the buffer's
// size or the answer's end; large ones are not copied.
func (r *response) Write(p []byte) (int, error) {
	switch {
	case r.hijacked || r.aborted:
		return 0, ErrHandedOver
	case !r.started:
		return 0, ErrNotStarted
	case r.err != nil:
		return 0, r.err
	case r.noBody || len(p) == 0:
		return len(p), nil
	}
	if r.left >= 0 {
		if int64(len(p)) > r.left {
			return 0, ErrTooLong
		}
		r.left -= int64(len(p))
	}
	const chunkOver = 20
	if len(r.out)+len(p)+chunkOver <= outSize {
		r.chunkSize(len(p))
		r.out = append(r.out, p...)
		if r.chunked {
			r.out = append(r.out, "\r\n"...)
		}
		return len(p), nil
	}
	r.chunkSize(len(p))
	r.vec[0], r.vec[1] = r.out, p
	r.bufs = r.vec[:2]
	if r.chunked {
		r.vec[2] = crlf
		r.bufs = r.vec[:3]
	}
	err := r.w.c.writeAll(&r.bufs)
	r.vec = [3][]byte{}
	r.out = r.out[:0]
	if err != nil {
		r.err = err
		return 0, err
	}
	return len(p), nil
}

var crlf = []byte("\r\n")

func (r *response) chunkSize(n int) {
	if r.chunked {
		r.out = strconv.AppendInt(r.out, int64(n), 16)
		r.out = append(r.out, "\r\n"...)
	}
}

var copyBufs = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// spliceStep bounds one splice, so that the write deadline is renewed.
const spliceStep = 1 << 20

// ReadFrom copies src to the client until its end. With an announced length and
// a plain connection the kernel moves the bytes when src can (splice(2)).
func (r *response) ReadFrom(src io.Reader) (total int64, err error) {
	t, ok := r.w.c.nc.(*net.TCPConn)
	if !ok || !r.started || r.chunked || r.noBody || r.left < spliceStep/16 || r.hijacked {
		buf := copyBufs.Get().(*[]byte)
		defer copyBufs.Put(buf)
		return io.CopyBuffer(struct{ io.Writer }{r}, src, *buf)
	}
	if err := r.Flush(); err != nil {
		return 0, err
	}
	lim := io.LimitedReader{R: src}
	if outer, ok := src.(*io.LimitedReader); ok {
		lim = *outer
		defer func() { outer.N -= total }()
	} else {
		lim.N = r.left
	}
	budget := min(lim.N, r.left)
	for budget > 0 {
		lim.N = min(budget, spliceStep)
		r.w.c.writeSoon()
		n, err := t.ReadFrom(&lim)
		total += n
		r.left -= n
		budget -= n
		if n > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			return total, err // slow, not stuck: src decides whether to go on
		}
		if err != nil {
			r.err = err
			return total, err
		}
		if n == 0 || lim.N > 0 {
			return total, nil
		}
	}
	return total, nil
}

// Flush writes what is gathered.
func (r *response) Flush() error {
	if r.err != nil || len(r.out) == 0 || r.aborted {
		return r.err
	}
	r.err = r.w.c.writeOne(r.out)
	r.out = r.out[:0]
	if cap(r.out) > 4*outSize {
		r.out = make([]byte, 0, outSize)
	}
	return r.err
}

// end completes the body and flushes.
func (r *response) end() error {
	if r.chunked && !r.noBody {
		r.out = append(r.out, "0\r\n\r\n"...)
	}
	if err := r.Flush(); err != nil {
		return err
	}
	if !r.noBody && r.left > 0 {
		return ErrTooShort
	}
	return nil
}

// Abort sends what is gathered and closes the connection, without the final
// chunk. It may be called from another goroutine only when the handler's is
// not using the writer.
func (r *response) Abort() {
	if r.hijacked || r.aborted {
		return
	}
	if r.started {
		r.Flush()
	}
	r.aborted = true
	r.w.c.nc.Close()
}

// Upgrade hands the connection over: the caller must close it. The reader has
// what the client sent so far, then goes on with the connection. Deadlines are
// cleared.
func (r *response) Upgrade() (net.Conn, io.Reader, error) {
	if r.started || r.hijacked || r.aborted {
		return nil, nil, ErrHandedOver
	}
	if err := r.Flush(); err != nil {
		return nil, nil, err
	}
	r.hijacked = true
	w := r.w
	nc := w.c.nc
	nc.SetDeadline(time.Time{})
	w.c.readBy, w.c.writeBy = time.Time{}, time.Time{}
	if w.r == w.n {
		return nc, nc, nil
	}
	rest := bytes.Clone(w.buf[w.r:w.n])
	w.r = w.n
	return nc, io.MultiReader(bytes.NewReader(rest), nc), nil
}
