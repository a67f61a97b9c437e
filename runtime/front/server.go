// Package front is clowder's HTTP/1.x server: strict, streaming, one goroutine
// per connection. It reads a request head into a pooled buffer, hands it to an
// exchange.Handler without copying, and frames the answer.
//
// What is ambiguous is refused and the connection closed, never repaired:
// Transfer-Encoding beside Content-Length, repeated Content-Length, a bare CR or
// LF, folded fields, a blank before a colon, odd chunk sizes, a missing or second
// Host. Limits and statuses are those of httpd's LimitRequest* directives;
// Connection and Keep-Alive follow ap_set_keepalive (modules/http/http_protocol.c).
//
// A kept-alive connection that waits holds no buffer.
package front

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"clowder/runtime/exchange"
)

// Config is fixed once New was called. Zero durations and sizes stand for the
// defaults. All timeouts but the one for a head may take up to an eighth more:
// a deadline that is about right is not set again.
type Config struct {
	Handler exchange.Handler

	ReadHeaderTimeout time.Duration // for a whole request head, 20 s; also for the first byte and a TLS handshake
	IdleTimeout       time.Duration // between requests, httpd's KeepAliveTimeout, 5 s
	ReadTimeout       time.Duration // for each read of a body, httpd's Timeout, 60 s
	WriteTimeout      time.Duration // for each write until the client takes some of it, 60 s
	HeadRate          Rate          // for a whole head in place of ReadHeaderTimeout, if given
	BodyRate          Rate          // for a whole body; zero: each read has ReadTimeout

	MaxConns       int             // connections at one time; 0 is no limit. More wait in the kernel's backlog.
	Slots          Slots           // bound together with other servers, in place of MaxConns
	Methods        map[string]bool // known methods, others are answered 501; nil: all are
	MaxRequestLine int             // bytes, 8190; more is answered 414
	MaxFieldSize   int             // bytes of one header line, 8190
	MaxFields      int             // header lines, 100

	KeepAlive            bool
	MaxKeepAliveRequests int // answers that keep a connection open; 0 is no limit

	// ErrorPage gives the body of the answers that the server makes itself (400,
	// 408, 414, 500, 505); nil is a plain text.
	ErrorPage    func(status int) (contentType string, body []byte)
	ServerHeader string // Server field of those answers, "" for none
	// PlainPage is the page for plain HTTP on a TLS connection; nil is ErrorPage(400).
	PlainPage func() (contentType string, body []byte)
	// H2C says whether a plain connection may speak HTTP/2; nil is no. On TLS
	// connections ALPN decides.
	H2C        func(net.Conn) bool
	MaxStreams int // of an HTTP/2 connection at one time, httpd's H2MaxSessionStreams: 100

	Log *slog.Logger // nil is silent
}

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("front: server closed")

func orDuration(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}

func orInt(n *int, def int) {
	if *n <= 0 {
		*n = def
	}
}

// Server serves connections. Its methods may be called from many goroutines.
type Server struct {
	cfg  Config
	lim  limits
	slot chan struct{} // one per connection; nil without a limit
	own  exchange.Bounds
	stop chan struct{} // closed by Shutdown and Close

	closing atomic.Bool
	retired atomic.Bool // see Retire
	mu      sync.Mutex
	lns     map[net.Listener]struct{}
	conns   map[*conn]struct{}
	empty   chan struct{} // closed when conns gets empty while closing
	date    atomic.Pointer[dateLine]
	h2      h2Server
}

// New makes a server; nothing runs until Serve.
func New(c Config) *Server {
	orDuration(&c.ReadHeaderTimeout, 20*time.Second)
	orDuration(&c.IdleTimeout, 5*time.Second)
	orDuration(&c.ReadTimeout, time.Minute)
	orDuration(&c.WriteTimeout, time.Minute)
	orInt(&c.MaxRequestLine, 8190)
	orInt(&c.MaxFieldSize, 8190)
	orInt(&c.MaxFields, 100)
	orInt(&c.MaxStreams, 100)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg:   c,
		lim:   limits{c.MaxRequestLine, c.MaxFieldSize, c.MaxFields},
		stop:  make(chan struct{}),
		lns:   make(map[net.Listener]struct{}),
		conns: make(map[*conn]struct{}),
		empty: make(chan struct{}),
	}
	s.own = c.ownBounds()
	if s.slot = c.Slots; s.slot == nil && c.MaxConns > 0 {
		s.slot = make(chan struct{}, c.MaxConns)
	}
	return s
}

// Serve accepts connections from l until the server is closed, then returns
// ErrServerClosed. It closes l. Many listeners may be served at once; the
// connections of a TLS listener must be *tls.Conn.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.lns[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.lns, l)
		s.mu.Unlock()
	}()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.closing.Load() {
				return ErrServerClosed
			}
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.cfg.Log.Error("accept failed", "addr", l.Addr(), "err", err, "retry", pause)
			select {
			case <-time.After(pause):
			case <-s.stop:
				return ErrServerClosed
			}
			continue
		}
		pause = 0
		if !s.takeSlot() {
			nc.Close()
			return ErrServerClosed
		}
		go func() {
			defer s.freeSlot()
			s.ServeConn(nc)
		}()
	}
}

func (s *Server) takeSlot() bool {
	if s.slot == nil {
		return true
	}
	select {
	case s.slot <- struct{}{}:
		return true
	case <-s.stop:
		return false
	}
}

func (s *Server) freeSlot() {
	if s.slot != nil {
		<-s.slot
	}
}

// ServeConn serves one connection, accepted elsewhere, until it is closed or
// handed over by Upgrade. MaxConns does not count it.
func (s *Server) ServeConn(nc net.Conn) {
	c := newConn(s, nc)
	s.mu.Lock()
	if s.closing.Load() {
		s.mu.Unlock()
		nc.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		if s.closing.Load() && len(s.conns) == 0 {
			s.signalEmpty()
		}
		s.mu.Unlock()
	}()
	c.serve()
}

// Conns returns how many connections are open and how many of them wait for a request.
func (s *Server) Conns() (open, idle int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.state.Load() == stateIdle {
			idle++
		}
	}
	return len(s.conns), idle
}

// signalEmpty is called with mu held.
func (s *Server) signalEmpty() {
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

// beginClose closes the listeners and stops the accept loops.
func (s *Server) beginClose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing.Swap(true) {
		close(s.stop)
	}
	for l := range s.lns {
		l.Close()
	}
	if len(s.conns) == 0 {
		s.signalEmpty()
	}
}

// Shutdown stops accepting, closes idle connections at once and waits for the
// requests in progress, whose answers say Connection: close. It returns ctx's
// error when that takes longer than ctx; Close ends what is left.
func (s *Server) Shutdown(ctx context.Context) error {
	s.beginClose()
	s.mu.Lock()
	for c := range s.conns {
		if c.state.CompareAndSwap(stateIdle, stateClosed) {
			c.nc.Close()
		}
	}
	s.mu.Unlock()
	s.h2.shutdown(ctx)
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes listeners and all connections at once.
func (s *Server) Close() error {
	s.beginClose()
	s.h2.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.state.Store(stateClosed)
		c.nc.Close()
	}
	return nil
}

// dateLine is a Date field, made once per second.
type dateLine struct {
	sec  int64
	line []byte
}

func (s *Server) dateField(now time.Time) []byte {
	d := s.date.Load()
	if sec := now.Unix(); d == nil || d.sec != sec {
		d = &dateLine{sec, now.UTC().AppendFormat([]byte("Date: "), "Mon, 02 Jan 2006 15:04:05 GMT\r\n")}
		s.date.Store(d)
	}
	return d.line
}
