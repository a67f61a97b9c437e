package ajp

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// writer is the handler's http.ResponseWriter and http.Flusher. Nothing is sent
// until a packet is full, the handler flushes or returns.
type writer struct {
	sc     *serverConn
	header http.Header
	status int
	head   bool // method HEAD
	sent   bool // SEND_HEADERS went out
	buf    []byte
	err    error
	length int64 // of the Content-Length header, -1 without
	count  int64
}

func newWriter(sc *serverConn, head bool) *writer {
	return &writer{sc: sc, head: head, header: http.Header{}, length: -1}
}

func sortedKeys(h http.Header) []string { return slices.Sorted(maps.Keys(h)) }

func (w *writer) reset() {
	clear(w.header)
	w.status, w.buf, w.length, w.count = 0, w.buf[:0], -1, 0
}

func (w *writer) Header() http.Header { return w.header }

// WriteHeader sets the status. Informational ones are not sent: AJP has no
// packet for them.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 || status < 200 || status > 999 {
		return
	}
	w.status = status
	if v := w.header.Get("Content-Length"); v != "" {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n >= 0 {
			w.length = n
		} else {
			w.header.Del("Content-Length")
		}
	}
}

func (w *writer) bodyless() bool {
	return w.head || w.status == http.StatusNoContent || w.status == http.StatusNotModified || w.status == http.StatusResetContent
}

// Write buffers and sends the body. Bytes beyond Content-Length are refused.
func (w *writer) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.err != nil {
		return 0, w.err
	}
	if !w.head && w.bodyless() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.length >= 0 && w.count+int64(len(p)) > w.length {
		return 0, http.ErrContentLength
	}
	w.count += int64(len(p))
	if w.head {
		return len(p), nil
	}
	n, full := len(p), w.sc.size-8
	for len(w.buf)+len(p) > full {
		k := full - len(w.buf)
		w.buf = append(w.buf, p[:k]...)
		p = p[k:]
		if w.push(); w.err != nil {
			return 0, w.err
		}
	}
	w.buf = append(w.buf, p...)
	return n, nil
}

// commit sends the headers.
func (w *writer) commit() {
	if w.sent || w.err != nil {
		return
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.sent = true
	for _, k := range []string{"Transfer-Encoding", "Connection", "Keep-Alive"} {
		delete(w.header, k)
	}
	for k := range w.header {
		if strings.HasPrefix(k, http.TrailerPrefix) {
			delete(w.header, k)
		}
	}
	// Tomcat sends the number as the reason.
	e := w.sc.send(func(out []byte) []byte {
		b, err := AppendHeaders(out, w.status, strconv.Itoa(w.status), orderedHeader(w.header), w.sc.size)
		if err != nil {
			// AjpProcessor: headers larger than a packet turn into an error without them.
			w.err = err
			b, _ = AppendHeaders(out, http.StatusInternalServerError, "500", nil, w.sc.size)
		}
		return b
	})
	if e != nil {
		w.err = e
	} else if w.err != nil {
		w.sc.s.log().Error("ajp: the answer's headers do not fit into a packet", "err", w.err)
	}
}

// push sends what is buffered.
func (w *writer) push() {
	w.commit()
	if len(w.buf) > 0 && w.err == nil {
		w.err = w.sc.send(func(b []byte) []byte { return AppendSendBody(b, w.buf) })
	}
	w.buf = w.buf[:0]
}

// Flush sends what is buffered and asks the front end to flush as well.
func (w *writer) Flush() { w.FlushError() }

// FlushError is Flush for [http.ResponseController].
func (w *writer) FlushError() error {
	w.push()
	if w.err == nil {
		w.err = w.sc.send(func(b []byte) []byte { return AppendSendBody(b, nil) })
	}
	return w.err
}

// finish ends the answer and reports whether the connection may be used on.
func (w *writer) finish(reuse bool) bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.sent && w.length < 0 && (!w.bodyless() || w.head && w.count > 0) {
		w.header.Set("Content-Length", strconv.FormatInt(w.count, 10))
	}
	w.push()
	if w.err != nil || !w.head && !w.bodyless() && w.length >= 0 && w.count < w.length {
		reuse = false
	}
	return w.sc.send(func(b []byte) []byte { return AppendEnd(b, reuse) }) == nil && reuse
}
