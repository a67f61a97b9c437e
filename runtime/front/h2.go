package front

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/runtime/exchange"
)

// ErrH2Upgrade is what Upgrade gives on an HTTP/2 stream.
var ErrH2Upgrade = errors.New("front: no upgrade on an HTTP/2 stream")

// h2Server hands connections to net/http's HTTP/2 server. It takes over framing,
// HPACK, flow control and the bounds on streams, header lists and resets; what it
// gives is judged again by the rules for HTTP/1 before a handler sees it.
type h2Server struct {
	once sync.Once
	mu   sync.Mutex
	srv  *http.Server
	in   h2Listener
}

// h2Conn is one connection of it.
type h2Conn struct {
	net.Conn
	c    *conn
	done chan struct{} // closed at its end
	once sync.Once
}

// h2Listener gives the server the connections that were handed over.
type h2Listener struct {
	ch   chan net.Conn
	stop chan struct{}
	once sync.Once
}

func (l *h2Listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.ch:
		return nc, nil
	case <-l.stop:
		return nil, net.ErrClosed
	}
}

func (l *h2Listener) Close() error   { l.once.Do(func() { close(l.stop) }); return nil }
func (l *h2Listener) Addr() net.Addr { return &net.TCPAddr{} }

// maxHeaderList is how large all fields of a request may be together, in bytes: as
// with nghttp2, which httpd uses.
const maxHeaderList = 64 << 10

// connKey is the context key of a connection.
type connKey struct{}

func (h *h2Server) start(s *Server) {
	h.once.Do(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.in.ch, h.in.stop = make(chan net.Conn), make(chan struct{})
		cfg := &s.cfg
		var protocols http.Protocols
		protocols.SetHTTP2(true)
		protocols.SetUnencryptedHTTP2(true)
		h.srv = &http.Server{
			Handler:           http.HandlerFunc(s.serveStream),
			Protocols:         &protocols,
			ReadHeaderTimeout: cfg.ReadHeaderTimeout,
			IdleTimeout:       cfg.IdleTimeout,
			MaxHeaderBytes:    max(cfg.MaxRequestLine+cfg.MaxFieldSize, maxHeaderList),
			ErrorLog:          slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
			HTTP2: &http.HTTP2Config{MaxConcurrentStreams: cfg.MaxStreams, WriteByteTimeout: cfg.WriteTimeout,
				MaxReceiveBufferPerConnection: 1 << 20, MaxReceiveBufferPerStream: 256 << 10},
			ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
				return context.WithValue(ctx, connKey{}, s.h2conn(nc))
			},
			ConnState: func(nc net.Conn, st http.ConnState) {
				if st == http.StateClosed || st == http.StateHijacked {
					if hc := s.h2conn(nc); hc != nil {
						hc.once.Do(func() { close(hc.done) })
					}
				}
			},
		}
		go h.srv.Serve(&h.in)
	})
}

// h2conns finds the connection again: net/http must be given a *tls.Conn itself.
var h2conns sync.Map // net.Conn → *h2Conn

func (s *Server) h2conn(nc net.Conn) *h2Conn {
	if hc, ok := nc.(*h2Conn); ok {
		return hc
	}
	hc, _ := h2conns.Load(nc)
	h, _ := hc.(*h2Conn)
	return h
}

// serveH2 serves an HTTP/2 connection to its end.
func (c *conn) serveH2(nc net.Conn) {
	s := c.s
	if !c.state.CompareAndSwap(stateIdle, stateActive) {
		return
	}
	s.h2.start(s)
	c.nc.SetDeadline(time.Time{})
	hc := &h2Conn{Conn: nc, c: c, done: make(chan struct{})}
	out := net.Conn(hc)
	if c.tls != nil {
		h2conns.Store(nc, hc)
		defer h2conns.Delete(nc)
		out = nc
	}
	select {
	case s.h2.in.ch <- out:
		<-hc.done
	case <-s.h2.in.stop:
	}
}

// shutdown lets the streams in progress end and closes the connections.
func (h *h2Server) shutdown(ctx context.Context) {
	h.mu.Lock()
	srv := h.srv
	h.mu.Unlock()
	if srv != nil {
		srv.Shutdown(ctx)
		h.in.Close()
	}
}

// close ends every connection.
func (h *h2Server) close() {
	h.mu.Lock()
	srv := h.srv
	h.mu.Unlock()
	if srv != nil {
		srv.Close()
		h.in.Close()
	}
}

// preface looks for the preface of HTTP/2 with prior knowledge and, when it is
// there, serves the connection to its end.
func (c *conn) preface(w *work) bool {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	until := time.Now().Add(c.s.cfg.ReadHeaderTimeout)
	for {
		n := min(w.n, len(preface))
		if string(w.buf[:n]) != preface[:n] {
			return false
		}
		if n == len(preface) {
			break
		}
		c.readBy = until
		c.nc.SetReadDeadline(until)
		k, err := c.nc.Read(w.buf[w.n:])
		w.n += k
		if k == 0 && err != nil {
			return false
		}
	}
	read := bytes.Clone(w.buf[:w.n])
	putWork(w)
	c.state.CompareAndSwap(stateActive, stateIdle)
	c.serveH2(&replayConn{Conn: c.nc, r: io.MultiReader(bytes.NewReader(read), c.nc)})
	return true
}

// replayConn reads what was read before first.
type replayConn struct {
	net.Conn
	r io.Reader
}

func (c *replayConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// serveStream is one request of an HTTP/2 connection.
func (s *Server) serveStream(rw http.ResponseWriter, r *http.Request) {
	hc, _ := r.Context().Value(connKey{}).(*h2Conn)
	w := &h2Response{s: s, rw: rw, ctl: http.NewResponseController(rw), r: r, left: -1}
	if hc == nil || r.ProtoMajor != 2 {
		panic(http.ErrAbortHandler)
	}
	defer w.finish()
	req, ref := s.h2Request(hc.c, w)
	if ref != nil {
		s.cfg.Log.Debug("request refused", "remote", hc.c.remote, "status", ref.status, "why", ref.why)
		w.refuse(ref.status)
		return
	}
	defer func() {
		if v := recover(); v != nil {
			s.cfg.Log.Error("handler panicked", "remote", hc.c.remote, "panic", v)
			if w.started {
				w.aborted = true
				return
			}
			w.refuse(500)
		}
	}()
	s.cfg.Handler.Serve(&exchange.Exchange{Req: req, W: w})
	if !w.started && !w.aborted {
		w.refuse(500)
	}
}

var (
	errH2Fields = &refusal{431, "too many header fields"}
	errH2Field  = &refusal{431, "header field too long"}
)

// h2Request makes the request by the rules that HTTP/1 requests have to pass: what
// goes on to a backend must be one request there, too. Names are in the form of
// net/http (X-Forwarded-For), as mod_http2 gives them, and sorted.
func (s *Server) h2Request(c *conn, w *h2Response) (*exchange.Request, *refusal) {
	r := w.r
	req := &exchange.Request{Method: r.Method, Target: r.RequestURI, Major: 2, Host: r.Host, Remote: c.remote, Local: c.local,
		TLS: c.tls, Context: r.Context()}
	switch {
	case !allString(r.Method, cToken):
		return nil, errMethod
	case len(r.RequestURI) > s.cfg.MaxRequestLine:
		return nil, errLineLong
	case r.RequestURI == "" || !allString(r.RequestURI, cTarget):
		return nil, errTarget
	case r.Method != "CONNECT" && r.RequestURI[0] != '/' && r.RequestURI != "*":
		return nil, errTarget // :path is never an absolute URL
	case r.Host != "" && !validHost(r.Host):
		return nil, errHost
	}
	if ref := s.h2Fields(req, r); ref != nil {
		return nil, ref
	}
	if ref := splitTarget(req); ref != nil {
		return nil, ref
	}
	w.body = h2Body{w: w, src: r.Body}
	length, known, ref := h2Length(r)
	switch {
	case ref != nil:
		return nil, ref
	case r.ContentLength == 0: // no body, as net/http's HTTP/2 server says it
		return req, nil
	case known:
		req.Length = length
	default:
		req.Length = -1
	}
	req.Body = &w.body
	if len(r.Trailer) > 0 {
		req.Trailer = w.trailer
	}
	return req, nil
}

// h2Fields copies the header and judges each line.
func (s *Server) h2Fields(req *exchange.Request, r *http.Request) *refusal {
	names := make([]string, 0, len(r.Header))
	total := 0
	for name, list := range r.Header {
		names = append(names, name)
		total += len(list)
	}
	if total > s.cfg.MaxFields {
		return errH2Fields
	}
	slices.Sort(names)
	req.Header = make(exchange.Header, 0, total+1)
	if r.Host != "" {
		req.Header.Add("Host", r.Host)
	}
	for _, name := range names {
		switch strings.ToLower(name) {
		case "host":
			for _, v := range r.Header[name] {
				if !strings.EqualFold(v, r.Host) {
					return errHostTwice
				}
			}
			continue
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings":
			return errFieldName
		}
		if !allString(name, cToken) {
			return errFieldName
		}
		for _, v := range r.Header[name] {
			if len(name)+len(v)+2 > s.cfg.MaxFieldSize {
				return errH2Field
			}
			if !allString(v, cValue) {
				return errFieldValue
			}
			req.Header.Add(name, v)
		}
	}
	if req.Host == "" && r.Method != "CONNECT" {
		return errHostMissing
	}
	return nil
}

// h2Length reads Content-Length, of which net/http would take the first.
func h2Length(r *http.Request) (n int64, known bool, ref *refusal) {
	list := r.Header["Content-Length"]
	switch {
	case len(list) == 0:
		return 0, false, nil
	case len(list) > 1:
		return 0, false, errLengthTwice
	}
	n, ok := parseLength(list[0])
	if !ok {
		return 0, false, errLength
	}
	if n != 0 && r.ContentLength == 0 { // the header ended the stream
		return 0, false, errLength
	}
	return n, true, nil
}

// h2Body reads a request's body with the server's time-out for each read.
type h2Body struct {
	w    *h2Response
	src  io.Reader
	by   time.Time
	seen bool // the end
}

func (b *h2Body) Read(p []byte) (int, error) {
	d := b.w.s.cfg.ReadTimeout
	if now := time.Now(); b.by.Sub(now) < d {
		b.by = now.Add(d + d/8)
		b.w.ctl.SetReadDeadline(b.by)
	}
	n, err := b.src.Read(p)
	b.seen = b.seen || err == io.EOF
	return n, err
}

// h2Response is the exchange.ResponseWriter of a stream.
type h2Response struct {
	s       *Server
	rw      http.ResponseWriter
	ctl     *http.ResponseController
	r       *http.Request
	body    h2Body
	started bool
	aborted bool
	noBody  bool
	left    int64 // still to be written, -1 if unknown
	writeBy time.Time
}

func (w *h2Response) trailer() exchange.Header {
	if !w.body.seen {
		return nil
	}
	var h exchange.Header
	for name, list := range w.r.Trailer {
		for _, v := range list {
			if allString(name, cToken) && allString(v, cValue) {
				h.Add(name, v)
			}
		}
	}
	return h
}

// finish ends the stream; an answer that was cut is reset.
func (w *h2Response) finish() {
	if w.aborted || w.started && !w.noBody && w.left > 0 {
		panic(http.ErrAbortHandler)
	}
}

// connectionField reports whether a field belongs to an HTTP/1 connection.
func connectionField(name string) bool {
	switch strings.ToLower(name) {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return true
	}
	return false
}

func (w *h2Response) fields(h exchange.Header) {
	out := w.rw.Header()
	clear(out)
	for _, f := range h {
		if connectionField(f.Name) || strings.EqualFold(f.Name, "Content-Length") {
			continue
		}
		name := http.CanonicalHeaderKey(f.Name)
		out[name] = append(out[name], f.Value)
	}
}

// Interim sends a 1xx answer; 101 is none of HTTP/2.
func (w *h2Response) Interim(status int, reason string, h exchange.Header) error {
	switch {
	case w.started || w.aborted:
		return ErrStarted
	case status < 100 || status > 199 || !validAnswer(reason, h):
		return ErrField
	case status == 101:
		return ErrH2Upgrade
	case status == 100 && w.r.Header.Get("Expect") == "":
		return nil // net/http sends it with the first read of the body
	}
	w.fields(h)
	w.rw.WriteHeader(status)
	clear(w.rw.Header())
	return nil
}

// Head sends the answer's header.
func (w *h2Response) Head(status int, reason string, h exchange.Header, length int64) error {
	switch {
	case w.aborted:
		return ErrHandedOver
	case w.started:
		return ErrStarted
	case status < 200 || status > 999 || !validAnswer(reason, h):
		return ErrField
	}
	w.started, w.left = true, max(length, -1)
	w.noBody = w.r.Method == "HEAD" || status == 204 || status == 304
	w.fields(h)
	out := w.rw.Header()
	if length >= 0 && status != 204 && (status != 304 || length > 0) {
		out["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	if _, ok := out["Content-Type"]; !ok {
		out["Content-Type"] = nil // net/http would guess one
	}
	w.rw.WriteHeader(status)
	return nil
}

// Write sends body bytes.
func (w *h2Response) Write(p []byte) (int, error) {
	switch {
	case w.aborted:
		return 0, ErrHandedOver
	case !w.started:
		return 0, ErrNotStarted
	case w.noBody || len(p) == 0:
		return len(p), nil
	case w.left >= 0 && int64(len(p)) > w.left:
		return 0, ErrTooLong
	}
	d := w.s.cfg.WriteTimeout
	if now := time.Now(); w.writeBy.Sub(now) < d {
		w.writeBy = now.Add(d + d/8)
		w.ctl.SetWriteDeadline(w.writeBy)
	}
	n, err := w.rw.Write(p)
	if w.left >= 0 {
		w.left -= int64(n)
	}
	return n, err
}

// Flush sends what is gathered.
func (w *h2Response) Flush() error { return w.ctl.Flush() }

// Abort makes the stream end in a reset once the handler returned.
func (w *h2Response) Abort() { w.aborted = true }

// Started reports whether Head was called.
func (w *h2Response) Started() bool { return w.started }

// Upgrade fails: streams are not handed over.
func (w *h2Response) Upgrade() (net.Conn, io.Reader, error) { return nil, nil, ErrH2Upgrade }

// refuse answers a request that is not served.
func (w *h2Response) refuse(status int) {
	if w.started {
		return
	}
	ct, page := w.s.errorPage(status)
	var h exchange.Header
	if w.s.cfg.ServerHeader != "" {
		h.Add("Server", w.s.cfg.ServerHeader)
	}
	if ct != "" {
		h.Add("Content-Type", ct)
	}
	if w.Head(status, "", h, int64(len(page))) == nil {
		w.Write(page)
	}
}
