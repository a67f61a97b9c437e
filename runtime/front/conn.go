package front

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"clowder/runtime/exchange"
)

const (
	bufSize    = 4096      // of a request head buffer at first
	maxKeepBuf = 32 << 10  // larger buffers are not kept in the pool
	outSize    = 8192      // of an answer's buffer
	maxDrain   = 256 << 10 // bytes of an unread request body
	lingerTime = 2 * time.Second
	lingerSize = 512 << 10
)

// States of a connection, for Shutdown.
const (
	stateIdle int32 = iota
	stateActive
	stateClosed
)

// conn is a client connection. Between requests it has no work and so no buffers.
type conn struct {
	s             *Server
	nc            net.Conn
	raw           syscall.RawConn // to wait without a buffer; nil for TLS and pipes
	try           func(fd uintptr) bool
	remote, local netip.AddrPort
	tls           *tls.ConnectionState
	state         atomic.Int32
	served        int
	began         time.Time        // when it was accepted
	host          *exchange.Bounds // of the virtual host of the last request, if they differ
	readBy        time.Time        // deadlines as last set
	writeBy       time.Time
	w             *work
	tryErr        error
	one           [1]byte
}

// work is what a request in progress needs.
type work struct {
	c    *conn
	buf  []byte
	r, n int // unread bytes are buf[r:n]
	p    headParser
	req  exchange.Request
	ex   exchange.Exchange
	body body
	resp response
	// trailerFn is body.trailerFields, bound once.
	trailerFn func() exchange.Header
}

var works = sync.Pool{New: func() any {
	w := &work{buf: make([]byte, bufSize)}
	w.resp.out = make([]byte, 0, outSize)
	w.body.w, w.resp.w = w, w
	w.trailerFn = w.body.trailerFields
	return w
}}

func putWork(w *work) {
	w.c = nil
	w.ex = exchange.Exchange{}
	w.req.TLS = nil
	w.r, w.n = 0, 0
	if len(w.buf) > maxKeepBuf {
		w.buf = make([]byte, bufSize)
	}
	works.Put(w)
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, began: time.Now()}
	c.remote, c.local = addrPort(nc.RemoteAddr()), addrPort(nc.LocalAddr())
	switch t := nc.(type) {
	case *net.TCPConn:
		c.raw, _ = t.SyscallConn()
	case *net.UnixConn:
		c.raw, _ = t.SyscallConn()
	}
	if rawWait && c.raw != nil {
		c.try = c.tryRead
	}
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

// allow sets the read deadline so that a read may take between d and 9/8 d: the
// slack saves most of the system's timer work.
func (c *conn) allow(d time.Duration) {
	now := time.Now()
	if left := c.readBy.Sub(now); left >= d && left <= d+d/8 {
		return
	}
	c.readBy = now.Add(d + d/8)
	c.nc.SetReadDeadline(c.readBy)
}

func (c *conn) read(p []byte, d time.Duration) (int, error) {
	c.allow(d)
	return c.nc.Read(p)
}

// wait blocks until the client has sent something and takes a work for it.
func (c *conn) wait(d time.Duration) (*work, error) {
	c.allow(d)
	if rawWait && c.raw != nil {
		if err := c.raw.Read(c.try); err != nil {
			return nil, err
		}
		w, err := c.w, c.tryErr
		c.w, c.tryErr = nil, nil
		return w, err
	}
	n, err := c.nc.Read(c.one[:])
	if n == 0 {
		if err == nil {
			err = io.ErrNoProgress
		}
		return nil, err
	}
	w := works.Get().(*work)
	w.c = c
	w.buf[0], w.n = c.one[0], 1
	return w, nil
}

// serve runs the connection to its end.
func (c *conn) serve() {
	hijacked := false
	defer func() {
		if !hijacked {
			c.nc.Close()
		}
	}()
	if t, ok := c.nc.(*tls.Conn); ok {
		if !c.handshake(t) {
			return
		}
		if c.tls.NegotiatedProtocol == "h2" {
			c.serveH2(c.nc)
			return
		}
	}
	h2c := c.tls == nil && c.s.cfg.H2C != nil && c.s.cfg.H2C(c.nc)
	d := c.s.cfg.ReadHeaderTimeout
	for {
		w, err := c.wait(d)
		if err != nil {
			return
		}
		if !c.state.CompareAndSwap(stateIdle, stateActive) {
			putWork(w)
			return
		}
		if h2c {
			h2c = false
			if c.preface(w) {
				return
			}
		}
		keep := true
		for keep {
			keep = c.request(w)
			if w.r == w.n {
				break
			}
			w.n = copy(w.buf, w.buf[w.r:w.n])
			w.r = 0
		}
		hijacked = w.resp.hijacked
		if !keep && !hijacked && w.resp.linger {
			c.linger(w.buf)
		}
		if hijacked {
			// The handler may hold on to the reader and the strings.
			return
		}
		putWork(w)
		c.state.CompareAndSwap(stateActive, stateIdle)
		if !keep || c.s.closing.Load() {
			return
		}
		d = c.bounds().IdleTimeout
	}
}

// request serves the request that starts at the buffer's begin and reports whether
// the connection can take another one.
func (c *conn) request(w *work) bool {
	w.resp.reset()
	c.host = nil
	end, ref := c.head(w)
	if end == 0 {
		if ref != nil {
			c.refuse(w, ref)
		}
		return false
	}
	w.r = end
	w.req = exchange.Request{Header: w.req.Header[:0], Remote: c.remote, Local: c.local, TLS: c.tls, ConnRequests: c.served}
	fr, ref := w.p.build(w.buf[:end], &w.req)
	if ref != nil {
		c.refuse(w, ref)
		return false
	}
	if m := c.s.cfg.Methods; m != nil && !m[w.req.Method] {
		c.refuse(w, errNotKnown)
		return false
	}
	w.body = body{w: w}
	switch {
	case fr.chunked:
		w.body.startChunked()
		w.req.Body, w.req.Length, w.req.Trailer = &w.body, -1, w.trailerFn
	case fr.length >= 0:
		w.body.left = fr.length
		w.req.Body, w.req.Length = &w.body, fr.length
	}
	w.resp.begin(&w.req, fr)
	w.ex = exchange.Exchange{Req: &w.req, W: &w.resp}
	c.served++
	if !c.call(w) {
		return false
	}
	return c.finish(w)
}

// head reads until the head is complete. 0 without a refusal is a client that
// went away.
func (c *conn) head(w *work) (int, *refusal) {
	w.p.reset()
	rate, k := c.s.cfg.headRate(), clock{}
	for {
		if end, ref := w.p.feed(w.buf[:w.n], &c.s.lim); end != 0 || ref != nil {
			return end, ref
		}
		if w.n == len(w.buf) {
			nb := make([]byte, 2*len(w.buf))
			copy(nb, w.buf)
			w.buf = nb
		}
		if k.until.IsZero() {
			began := c.began
			if c.served > 0 || c.tls != nil {
				began = time.Now()
			}
			k.start(rate, began)
			k.got(rate, w.n)
		}
		n, err := c.readBefore(w.buf[w.n:], &k, rate, c.s.cfg.ReadTimeout)
		w.n += n
		if n == 0 && err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return 0, errSlow
			}
			return 0, nil
		}
	}
}

var (
	errSlow     = &refusal{408, "request head took too long"}
	errNotKnown = &refusal{501, "unknown method"}
)

// call runs the handler and reports whether it came back in order.
func (c *conn) call(w *work) (ok bool) {
	defer func() {
		if ok {
			return
		}
		v := recover()
		c.s.cfg.Log.Error("handler panicked", "remote", c.remote, "panic", v, "stack", string(debug.Stack()))
		if !w.resp.started && !w.resp.hijacked {
			c.refuse(w, &refusal{500, "internal error"})
			return
		}
		w.resp.aborted = true
	}()
	c.s.cfg.Handler.Serve(&w.ex)
	return true
}

// finish completes the answer and makes the connection ready for the next request.
func (c *conn) finish(w *work) bool {
	r := &w.resp
	if r.hijacked || r.aborted {
		return false
	}
	if !r.started {
		c.refuse(w, &refusal{500, "no answer"})
		return false
	}
	if err := r.end(); err != nil {
		return false
	}
	if r.close {
		r.linger = !w.body.done()
		return false
	}
	if !w.body.done() && !w.body.drain(maxDrain) {
		r.linger = true
		return false
	}
	return true
}

// refuse answers a request that is not served.
func (c *conn) refuse(w *work, ref *refusal) {
	ct, page := c.s.errorPage(ref.status)
	c.refusePage(w, ref, ct, page)
}

// errorPage is the page of an answer that the server makes itself.
func (s *Server) errorPage(status int) (contentType string, page []byte) {
	if s.cfg.ErrorPage != nil {
		return s.cfg.ErrorPage(status)
	}
	return "text/plain", append([]byte(reasonOf(status)), '\n')
}

func (c *conn) refusePage(w *work, ref *refusal, ct string, page []byte) {
	cfg := &c.s.cfg
	cfg.Log.Debug("request refused", "remote", c.remote, "status", ref.status, "why", ref.why)
	r := &w.resp
	interim := r.continued
	r.reset()
	r.continued = interim
	r.close, r.linger = true, true
	h := make(exchange.Header, 0, 4)
	if cfg.ServerHeader != "" {
		h.Add("Server", cfg.ServerHeader)
	}
	h = append(h, exchange.Field{Name: "Content-Length"}, exchange.Field{Name: "Connection"})
	if ct != "" {
		h.Add("Content-Type", ct)
	}
	if r.Head(ref.status, reasonOf(ref.status), h, int64(len(page))) != nil {
		return
	}
	if _, err := r.Write(page); err == nil {
		r.Flush()
	}
}

func reasonOf(status int) string {
	switch status {
	case 408:
		return "Request Timeout"
	case 414:
		return "Request-URI Too Long"
	case 500:
		return "Internal Server Error"
	case 501:
		return "Not Implemented"
	case 505:
		return "HTTP Version Not Supported"
	}
	return "Bad Request"
}

// linger lets the client read the answer before a reset can destroy it: it
// closes our side and reads what still comes, within bounds.
func (c *conn) linger(buf []byte) {
	cw, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || c.s.closing.Load() || cw.CloseWrite() != nil {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(lingerTime))
	for left := lingerSize; left > 0; {
		n, err := c.nc.Read(buf)
		if err != nil {
			return
		}
		left -= n
	}
}

// writeSoon sets the write deadline, with the same slack as allow.
func (c *conn) writeSoon() {
	d := c.bounds().WriteTimeout
	now := time.Now()
	if c.writeBy.Sub(now) >= d {
		return
	}
	c.writeBy = now.Add(d + d/8)
	c.nc.SetWriteDeadline(c.writeBy)
}
