package front

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"clowder/runtime/exchange"
)

// ErrBody is wrapped by the errors that a request body's Read gives when its
// chunks are malformed: the answer to it is 400.
var ErrBody = errors.New("malformed request body")

const (
	maxChunkLine = 1024     // a chunk size with its extensions, in bytes
	maxChunkExt  = 16 << 10 // all extensions of one body
	minChunkBuf  = 2048     // room needed behind a head for reading chunk lines
)

type bodyError struct{ why string }

func (e *bodyError) Error() string { return ErrBody.Error() + ": " + e.why }
func (e *bodyError) Unwrap() error { return ErrBody }

// body reads the body of the request in work w.
type body struct {
	w       *work
	chunked bool
	touched bool  // Read was called
	inChunk bool  // the current chunk's CRLF is still to come
	left    int64 // of the body, or of the current chunk
	ext     int
	base    int // chunked: where the buffer's part for the body starts
	err     error
	trailer exchange.Header
	clock   clock
}

// Read reads body bytes. It blocks no longer than the server's ReadTimeout. The
// first one sends 100 Continue to a client that waits for it and has no answer yet.
func (b *body) Read(p []byte) (int, error) {
	if r := &b.w.resp; !b.touched && r.fr.expect && !r.continued && !r.started && !b.done() {
		if err := r.Interim(100, "Continue", nil); err != nil {
			b.touched, b.err = true, err
		}
	}
	b.touched = true
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if b.chunked && b.left == 0 {
		if b.err = b.nextChunk(); b.err != nil {
			return 0, b.err
		}
	}
	if b.left == 0 {
		b.err = io.EOF
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.raw(p)
	b.left -= int64(n)
	if err != nil {
		b.err = unexpected(err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// ChunkLeft implements exchange.ChunkReader.
func (b *body) ChunkLeft() int64 {
	if !b.chunked || b.err != nil {
		return 0
	}
	return b.left
}

// done reports whether the body was read to its end.
func (b *body) done() bool { return b.err == io.EOF || !b.chunked && b.left == 0 && b.err == nil }

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// raw reads buffered bytes first, then from the connection; small reads of
// chunked bodies go through the buffer, since more chunk lines will follow.
func (b *body) raw(p []byte) (int, error) {
	w := b.w
	if w.r == w.n && b.chunked && len(p) < len(w.buf)-b.base {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	if w.r < w.n {
		n := copy(p, w.buf[w.r:w.n])
		w.r += n
		return n, nil
	}
	return b.read(p)
}

// fill reads more into the buffer, behind the head.
func (b *body) fill() error {
	w := b.w
	if w.r > b.base {
		w.n = b.base + copy(w.buf[b.base:], w.buf[w.r:w.n])
		w.r = b.base
	}
	n, err := b.read(w.buf[w.n:])
	w.n += n
	if n > 0 {
		return nil
	}
	return err
}

// startChunked makes sure that chunk lines have room behind the head.
func (b *body) startChunked() {
	w := b.w
	b.chunked, b.base = true, w.r
	if len(w.buf)-w.r < max(minChunkBuf, w.n-w.r+minChunkBuf/2) {
		nb := make([]byte, max(bufSize, w.n-w.r+minChunkBuf))
		w.n = copy(nb, w.buf[w.r:w.n])
		w.r, w.buf, b.base = 0, nb, 0
	}
}

// line returns the next line without its CRLF, of at most limit bytes; it is
// valid until the next read.
func (b *body) line(limit int) ([]byte, error) {
	w := b.w
	limit = min(limit, len(w.buf)-b.base-2)
	for seen := 0; ; {
		i := bytes.IndexByte(w.buf[w.r+seen:w.n], '\n')
		if i < 0 && w.n-w.r > limit+1 || i >= 0 && seen+i > limit+1 {
			return nil, &bodyError{"line too long"}
		}
		if i >= 0 {
			l := w.buf[w.r : w.r+seen+i]
			w.r += seen + i + 1
			if len(l) == 0 || l[len(l)-1] != '\r' {
				return nil, &bodyError{"line does not end in CRLF"}
			}
			return l[:len(l)-1], nil
		}
		seen = w.n - w.r
		if err := b.fill(); err != nil {
			return nil, unexpected(err)
		}
	}
}

// nextChunk reads up to the next chunk's data, or to the end of the trailers:
// then it returns io.EOF.
func (b *body) nextChunk() error {
	if b.inChunk {
		l, err := b.line(0)
		if err != nil {
			return err
		}
		if len(l) != 0 {
			return &bodyError{"chunk longer than its size"}
		}
		b.inChunk = false
	}
	l, err := b.line(maxChunkLine)
	if err != nil {
		return err
	}
	n, ext, ok := parseChunkLine(l)
	if b.ext += ext; !ok || b.ext > maxChunkExt {
		return &bodyError{"bad chunk size line"}
	}
	if n > 0 {
		b.left, b.inChunk = n, true
		return nil
	}
	return b.trailers()
}

// parseChunkLine reads 1 to 15 hex digits and an optional extension.
func parseChunkLine(l []byte) (size int64, ext int, ok bool) {
	i := 0
	for ; i < len(l) && class[l[i]]&cHex != 0; i++ {
		if i == 15 {
			return 0, 0, false
		}
		c := l[i] | 0x20
		if c >= 'a' {
			c -= 'a' - 10
		} else {
			c &= 0x0f
		}
		size = size<<4 | int64(c)
	}
	if i == 0 || i < len(l) && l[i] != ';' || !all(l[i:], cValue) {
		return 0, 0, false
	}
	return size, len(l) - i, true
}

func (b *body) trailers() error {
	cfg := &b.w.c.s.cfg
	for {
		l, err := b.line(cfg.MaxFieldSize)
		if err != nil {
			return err
		}
		if len(l) == 0 {
			return io.EOF
		}
		if len(b.trailer) >= cfg.MaxFields {
			return &bodyError{errFieldCount.why}
		}
		f, ref := parseField(l, 0, len(l))
		if ref != nil {
			return &bodyError{ref.why}
		}
		name := string(l[f.name.from:f.name.to])
		switch strings.ToLower(name) {
		case "content-length", "transfer-encoding", "host", "connection", "trailer":
			return &bodyError{errTrailerField.why}
		}
		b.trailer.Add(name, string(l[f.value.from:f.value.to]))
	}
}

// trailerFields is the request's Trailer function.
func (b *body) trailerFields() exchange.Header {
	if b.err != io.EOF {
		return nil
	}
	return b.trailer
}

// drain reads and forgets up to limit bytes and reports whether that was all.
func (b *body) drain(limit int64) bool {
	if b.done() {
		return true
	}
	if b.err != nil || !b.chunked && b.left > limit {
		return false
	}
	var scratch [2048]byte
	for limit > 0 {
		n, err := b.Read(scratch[:])
		limit -= int64(n)
		if err != nil {
			return err == io.EOF
		}
	}
	return b.done()
}
