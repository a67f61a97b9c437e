package upstream

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	maxChunkLine = 1024
	maxTrailer   = 64 << 10
	maxTrailers  = 100 // fields, httpd's LimitRequestFields
	spliceStep   = 256 << 10
)

// errClosed is what reading a closed body gives.
var errClosed = errors.New("upstream: read of a closed body")

// body is the body of an answer; reading its end gives the connection back.
type body struct {
	c       *PooledConn
	stop    func() bool // ends the watch on the context
	timeout time.Duration
	prefix  []byte // bytes that were read with the head, part of the body
	chunked bool
	inChunk bool
	reuse   bool
	ended   bool  // the connection was given back or closed
	left    int64 // of the body or of the current chunk; -1 until close
	maxLine int
	err     error
}

// finish gives the connection back after the body's last byte.
func (b *body) finish() {
	if b.ended {
		return
	}
	b.ended = true
	if b.err == nil {
		b.err = io.EOF
	}
	if b.stop != nil && !b.stop() {
		b.reuse = false // the context ended: the connection is being closed
	}
	if b.reuse {
		b.c.Put()
	} else {
		b.c.Discard()
	}
}

// broken closes the connection and remembers why.
func (b *body) broken(err error) error {
	b.reuse = false
	b.err = &Error{Phase: Read, Err: err, Reused: b.c.Reused(), BytesSent: true, Timeout: isTimeout(err)}
	b.finish()
	return b.err
}

// Close gives the connection up unless the body was read to its end.
func (b *body) Close() error {
	if !b.ended {
		b.reuse = false
		b.err = errClosed
		b.finish()
	}
	return nil
}

// Read reads body bytes. A cut or stalled answer is an *Error of phase Read.
func (b *body) Read(p []byte) (int, error) {
	if len(b.prefix) > 0 && b.err == nil {
		return b.readPrefix(p), nil
	}
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.chunked && b.left == 0 {
		if err := b.nextChunk(); err != nil {
			return 0, b.broken(err)
		}
		if b.left == 0 {
			b.finish()
			return 0, b.err
		}
	}
	if b.left >= 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.c.R.Buffered() == 0 {
		b.c.AllowRead(b.timeout)
	}
	n, err := b.c.R.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	switch {
	case n > 0 && b.left == 0 && !b.chunked:
		b.finish()
		return n, nil
	case n > 0 || err == nil:
		return n, nil
	case err == io.EOF && b.left < 0:
		b.finish()
		return 0, b.err
	}
	return 0, b.broken(unexpected(err))
}

func (b *body) readPrefix(p []byte) int {
	if b.left >= 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n := copy(p, b.prefix)
	b.prefix = b.prefix[n:]
	if b.left >= 0 {
		if b.left -= int64(n); b.left == 0 {
			b.finish()
		}
	}
	return n
}

// nextChunk reads up to the next chunk's data; left stays 0 after the last one.
func (b *body) nextChunk() error {
	c := b.c
	if b.inChunk {
		if l, err := b.strictLine(0); err != nil || len(l) != 0 {
			return either(err, ErrBadChunk)
		}
		b.inChunk = false
	}
	l, err := b.strictLine(maxChunkLine)
	if err != nil {
		return err
	}
	n, ok := chunkSize(l)
	if !ok {
		return ErrBadChunk
	}
	if n > 0 {
		b.left, b.inChunk = n, true
		return nil
	}
	for total, n := 0, 0; total < maxTrailer && n <= maxTrailers; n++ {
		c.in = c.in[:0]
		l, err := b.strictLine(b.maxLine)
		if err != nil {
			return err
		}
		if len(l) == 0 {
			return nil
		}
		if _, ok := parseField(l, 0); !ok {
			return ErrBadChunk
		}
		total += len(l)
	}
	return ErrHeadTooLong
}

// badFirstChunk reports whether the first chunk's line came together with the head
// and is malformed: then the client can still be told.
func (c *PooledConn) badFirstChunk() bool {
	p, _ := c.R.Peek(c.R.Buffered())
	i := bytes.IndexByte(p[:min(len(p), maxChunkLine+2)], '\n')
	if i < 0 {
		return len(p) >= maxChunkLine+2
	}
	if i == 0 || p[i-1] != '\r' {
		return true
	}
	_, ok := chunkSize(p[:i-1])
	return !ok
}

func either(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// strictLine reads a line that must end in CRLF.
func (b *body) strictLine(limit int) ([]byte, error) {
	c := b.c
	c.in = c.in[:0]
	from, raw, err := c.line(limit, b.timeout)
	if err == ErrHeadTooLong {
		return nil, ErrBadChunk
	}
	if err != nil {
		return nil, unexpected(err)
	}
	l := c.in[from:]
	if raw != len(l)+2 {
		return nil, ErrBadChunk
	}
	return l, nil
}

// chunkSize reads 1 to 15 hex digits, blanks (some servers pad the size), and
// an optional extension.
func chunkSize(l []byte) (int64, bool) {
	var n int64
	i := 0
	for ; i < len(l) && i < 16; i++ {
		c := l[i]
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int64(c-'0')
			continue
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | int64(c|0x20-'a'+10)
			continue
		}
		break
	}
	if i == 0 || i == 16 || !clean(l) {
		return 0, false
	}
	for i < len(l) && (l[i] == ' ' || l[i] == '\t') {
		i++
	}
	return n, i == len(l) || l[i] == ';'
}

var copyBufs = sync.Pool{New: func() any { b := make([]byte, 16<<10); return &b }}

// WriteTo copies the rest of the body to w. A long body of known length goes
// from socket to socket in the kernel when w can (io.ReaderFrom); what is in the
// connection's buffer is written from there.
func (b *body) WriteTo(w io.Writer) (total int64, err error) {
	var buf *[]byte
	for {
		n, ok := int64(0), false
		if rf, can := w.(io.ReaderFrom); can && b.spliceable() {
			n, err = b.splice(rf)
			ok = true
		} else if n, ok, err = b.writeBuffered(w); !ok {
			if buf == nil {
				buf = copyBufs.Get().(*[]byte)
				defer copyBufs.Put(buf)
			}
			n, err = b.copyOnce(w, *buf)
		}
		total += n
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// copyOnce does one Read and one Write.
func (b *body) copyOnce(w io.Writer, buf []byte) (int64, error) {
	n, rerr := b.Read(buf)
	if n > 0 {
		if m, werr := w.Write(buf[:n]); werr != nil {
			return int64(m), werr
		}
	}
	return int64(n), rerr
}

// writeBuffered writes the buffered part of the body or chunk, if there is one.
func (b *body) writeBuffered(w io.Writer) (int64, bool, error) {
	n := int64(b.c.buffered(b))
	if n == 0 {
		return 0, false, nil
	}
	if b.left > 0 {
		n = min(n, b.left)
	}
	p, _ := b.c.R.Peek(int(n))
	m, err := w.Write(p)
	if err != nil {
		return int64(m), true, err
	}
	b.c.R.Discard(len(p))
	if b.left > 0 {
		if b.left -= n; b.left == 0 && !b.chunked {
			b.finish()
		}
	}
	return n, true, nil
}

// buffered returns how much of b, which must be in the middle of data, is buffered.
func (c *PooledConn) buffered(b *body) int {
	if b.err != nil || b.left == 0 || len(b.prefix) > 0 {
		return 0
	}
	return c.R.Buffered()
}

func (b *body) spliceable() bool {
	_, tcp := b.c.Conn.(*net.TCPConn)
	return tcp && b.err == nil && !b.chunked && b.left >= spliceStep/4 && len(b.prefix) == 0 && b.c.R.Buffered() == 0
}

// splice moves one step's worth of bytes.
func (b *body) splice(w io.ReaderFrom) (int64, error) {
	b.c.AllowRead(b.timeout)
	lim := io.LimitedReader{R: b.c.Conn, N: min(b.left, spliceStep)}
	n, err := w.ReadFrom(&lim)
	b.left -= n
	switch {
	case n > 0 && errors.Is(err, os.ErrDeadlineExceeded):
	case err != nil:
		return n, b.broken(err)
	case n == 0:
		return n, b.broken(io.ErrUnexpectedEOF)
	}
	if b.left == 0 {
		b.finish()
	}
	return n, nil
}
