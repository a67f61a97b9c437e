// Package upstream connects to backends: a pool of connections for any protocol,
// and an HTTP/1.1 client over it.
//
// The pool follows httpd's proxy workers (modules/proxy/proxy_util.c): the
// connection used last is taken first, and its socket is tested before reuse.
package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"time"
)

// Phase is the step of an exchange with a backend that failed.
type Phase string

// The phases in the order they happen.
const (
	Resolve  Phase = "resolve"  // name lookup
	Connect  Phase = "connect"  // TCP or unix socket connect
	TLS      Phase = "tls"      // TLS handshake, checks of the certificate included
	Acquire  Phase = "acquire"  // no connection free in time
	Send     Phase = "send"     // writing the request
	Body     Phase = "body"     // reading the request's body from the client: Err is the reader's
	Continue Phase = "continue" // waiting for 100 Continue
	Wait     Phase = "wait"     // nothing of the answer came
	Read     Phase = "read"     // the answer began, and was cut, stalled or malformed
)

// Error is what every function of this package fails with.
type Error struct {
	Phase     Phase
	Err       error
	Reused    bool // the connection had served a request before
	BytesSent bool // the backend may have seen some of the request
	Timeout   bool
}

// Error names the phase and the cause.
func (e *Error) Error() string { return "upstream: " + string(e.Phase) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Causes that errors of this package wrap.
var (
	ErrPoolClosed   = errors.New("connection pool is closed")
	ErrPoolFull     = errors.New("no free connection")
	ErrDisconnected = errors.New("backend closed the connection")
)

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// DefaultMax bounds a pool whose Max is 0.
const DefaultMax = 1024

// PoolConfig says how to reach one backend. Zero values stand for the defaults.
type PoolConfig struct {
	Network, Address string // as for net.Dial: "tcp", "unix"

	Max            int           // connections at one time, DefaultMax
	SMax           int           // idle connections above this many are closed after TTL; 0 is Max, -1 none
	TTL            time.Duration // 0 keeps idle connections for ever
	Acquire        time.Duration // wait for a free connection; 0 waits as long as the context
	ConnectTimeout time.Duration // also for the TLS handshake; 60 s
	KeepAlive      bool          // TCP keepalive
	DisableReuse   bool          // a new connection for every request

	TLS *tls.Config // for TLS; ServerName must be set or verification be off
	// TLSFor makes the settings for a host; connections are used again for the
	// same host only. It goes before TLS; nil from it is the error ErrNoTLS.
	TLSFor func(host string) *tls.Config
	// Wrap replaces a new connection, below TLS. What it makes should have a
	// method NetConn() net.Conn, as *tls.Conn has, so that testing it is cheap.
	Wrap func(net.Conn) net.Conn
	// Dial replaces the dialer, for tests and other transports.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Pool holds the connections to one backend. It is safe for many goroutines.
type Pool struct {
	cfg PoolConfig

	mu      sync.Mutex
	idle    []*PooledConn // the last one was used last
	open    int           // idle, in use and being dialled
	waiters []*waiter
	closed  bool
}

type waiter struct {
	ready chan struct{}
	conn  *PooledConn // nil: a slot to dial in, or the pool was closed
	err   error
}

// NewPool makes a pool; it dials nothing yet.
func NewPool(c PoolConfig) *Pool {
	if c.Network == "" {
		c.Network = "tcp"
	}
	if c.Max <= 0 {
		c.Max = DefaultMax
	}
	if c.SMax == 0 || c.SMax > c.Max {
		c.SMax = c.Max
	}
	c.SMax = max(c.SMax, 0)
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = time.Minute
	}
	return &Pool{cfg: c}
}

// PooledConn is a connection taken from a pool. Its user must call exactly one
// of Put and Discard, once. It is for one goroutine at a time.
type PooledConn struct {
	net.Conn
	R      *bufio.Reader // reads from Conn
	Attach any           // state of the protocol's codec, kept while the connection lives
	Uses   int           // how often it was taken before this time; 0 for a new connection

	pool    *Pool
	host    string // of TLSFor
	probe   prober
	since   time.Time // became idle
	readBy  time.Time
	writeBy time.Time
	out     []byte // request bytes
	in      []byte // head lines of the answer
}

// Reused reports whether the connection served a request before.
func (c *PooledConn) Reused() bool { return c.Uses > 0 }

// slack is how much later than asked a deadline may fire: setting one costs
// more than a small read, so one that is about right is left alone.
func slack(d time.Duration) time.Duration { return min(d/8, time.Second) }

// AllowRead lets reads block for d from now, up to an eighth (at most 1 s) more.
// 0 is no limit.
func (c *PooledConn) AllowRead(d time.Duration) {
	if by, set := later(c.readBy, d); set {
		c.readBy = by
		c.Conn.SetReadDeadline(by)
	}
}

// AllowWrite is AllowRead for writes.
func (c *PooledConn) AllowWrite(d time.Duration) {
	if by, set := later(c.writeBy, d); set {
		c.writeBy = by
		c.Conn.SetWriteDeadline(by)
	}
}

// later returns the deadline that replaces by, if it has to be replaced.
func later(by time.Time, d time.Duration) (time.Time, bool) {
	if d <= 0 {
		return time.Time{}, !by.IsZero()
	}
	now := time.Now()
	if left := by.Sub(now); left >= d && left <= d+slack(d) {
		return by, false
	}
	return now.Add(d + slack(d)), true
}

// Get takes a connection: the idle one used last, a new one, or, with Max open,
// the next that gets free. fresh asks for a new one. Its error is an *Error of
// phase Acquire, Resolve, Connect or TLS.
func (p *Pool) Get(ctx context.Context, fresh bool) (*PooledConn, error) {
	return p.GetFor(ctx, fresh, "")
}

// GetFor is Get for a host of [PoolConfig.TLSFor].
func (p *Pool) GetFor(ctx context.Context, fresh bool, host string) (*PooledConn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, &Error{Phase: Acquire, Err: ErrPoolClosed}
	}
	p.expire(time.Now())
	for !fresh && len(p.idle) > 0 {
		c := p.pop()
		p.mu.Unlock()
		if c.host == host && c.alive() {
			return c, nil
		}
		c.Conn.Close()
		p.mu.Lock()
		p.open--
	}
	if fresh && p.open >= p.cfg.Max && len(p.idle) > 0 {
		old := p.idle[0]
		p.idle = append(p.idle[:0], p.idle[1:]...)
		p.open--
		old.Conn.Close()
	}
	if p.open < p.cfg.Max && !p.closed {
		p.open++
		p.mu.Unlock()
		return p.dial(ctx, host)
	}
	w := &waiter{ready: make(chan struct{})}
	p.waiters = append(p.waiters, w)
	p.mu.Unlock()
	return p.await(ctx, w, fresh, host)
}

// pop takes the idle connection used last; mu is held.
func (p *Pool) pop() *PooledConn {
	n := len(p.idle) - 1
	c := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	c.Uses++
	return c
}

// expire closes what is idle for longer than TTL above SMax; mu is held.
func (p *Pool) expire(now time.Time) {
	if p.cfg.TTL <= 0 {
		return
	}
	n := 0
	for n < len(p.idle) && p.open-n > p.cfg.SMax && now.Sub(p.idle[n].since) >= p.cfg.TTL {
		p.idle[n].Conn.Close()
		n++
	}
	if n > 0 {
		p.idle = append(p.idle[:0], p.idle[n:]...)
		p.open -= n
	}
}

func (p *Pool) await(ctx context.Context, w *waiter, fresh bool, host string) (*PooledConn, error) {
	var limit <-chan time.Time
	if p.cfg.Acquire > 0 {
		t := time.NewTimer(p.cfg.Acquire)
		defer t.Stop()
		limit = t.C
	}
	var err error
	timeout := false
	select {
	case <-w.ready:
	case <-limit:
		err, timeout = ErrPoolFull, true
	case <-ctx.Done():
		err, timeout = context.Cause(ctx), isTimeout(ctx.Err())
	}
	if err != nil {
		p.mu.Lock()
		left := p.forget(w)
		p.mu.Unlock()
		if !left { // something was handed over at the same moment
			p.giveBack(w)
		}
		return nil, &Error{Phase: Acquire, Err: err, Timeout: timeout}
	}
	switch {
	case w.err != nil:
		return nil, &Error{Phase: Acquire, Err: w.err}
	case w.conn == nil:
		return p.dial(ctx, host)
	case !fresh && w.conn.host == host && w.conn.alive():
		return w.conn, nil
	}
	w.conn.Conn.Close()
	return p.dial(ctx, host) // in the slot of the one just closed
}

// forget takes w off the queue; false when it is not there any more.
func (p *Pool) forget(w *waiter) bool {
	for i, x := range p.waiters {
		if x == w {
			p.waiters = append(p.waiters[:i], p.waiters[i+1:]...)
			return true
		}
	}
	return false
}

func (p *Pool) giveBack(w *waiter) {
	switch {
	case w.err != nil:
	case w.conn != nil:
		w.conn.Uses--
		w.conn.Put()
	default:
		p.freeSlot()
	}
}

// freeSlot gives one connection's slot to a waiter, or up.
func (p *Pool) freeSlot() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) > 0 {
		w := p.waiters[0]
		p.waiters = p.waiters[1:]
		close(w.ready)
		return
	}
	p.open--
}

// dial connects in a slot that is already counted.
func (p *Pool) dial(ctx context.Context, host string) (*PooledConn, error) {
	host = strings.Clone(host) // it may lie in the buffer of a request
	dctx, cancel := context.WithTimeout(ctx, p.cfg.ConnectTimeout)
	defer cancel()
	nc, err := p.connect(dctx, host)
	if err != nil {
		p.freeSlot()
		phase := Connect
		var dns *net.DNSError
		var hs *handshakeError
		switch {
		case errors.As(err, &dns):
			phase = Resolve
		case errors.As(err, &hs):
			phase = TLS
		}
		return nil, &Error{Phase: phase, Err: err, Timeout: isTimeout(err)}
	}
	c := &PooledConn{Conn: nc, pool: p, host: host, R: bufio.NewReaderSize(nc, 4096)}
	c.probe.init(nc)
	return c, nil
}

func (p *Pool) connect(ctx context.Context, host string) (net.Conn, error) {
	dial := p.cfg.Dial
	if dial == nil {
		d := net.Dialer{KeepAlive: -1}
		if p.cfg.KeepAlive {
			d.KeepAlive = 0
		}
		dial = d.DialContext
	}
	nc, err := dial(ctx, p.cfg.Network, p.cfg.Address)
	if err != nil {
		return nil, err
	}
	if p.cfg.Wrap != nil {
		nc = p.cfg.Wrap(nc)
	}
	return p.secure(ctx, nc, host)
}

// Put gives the connection back for reuse. What was read ahead must be consumed.
func (c *PooledConn) Put() {
	p := c.pool
	if p.cfg.DisableReuse || c.R.Buffered() > 0 {
		c.Discard()
		return
	}
	p.mu.Lock()
	if p.closed {
		p.open--
		p.mu.Unlock()
		c.Conn.Close()
		return
	}
	if len(p.waiters) > 0 {
		w := p.waiters[0]
		p.waiters = p.waiters[1:]
		c.Uses++
		w.conn = c
		p.mu.Unlock()
		close(w.ready)
		return
	}
	if p.cfg.TTL > 0 {
		c.since = time.Now()
		p.expire(c.since)
	}
	p.idle = append(p.idle, c)
	p.mu.Unlock()
}

// Discard closes the connection.
func (c *PooledConn) Discard() {
	c.Conn.Close()
	c.pool.freeSlot()
}

// Detach takes the connection out of the pool's count without closing it: it
// belongs to the caller from then on (a connection that was upgraded).
func (c *PooledConn) Detach() net.Conn {
	c.pool.freeSlot()
	return c.Conn
}

// Stats are a pool's numbers at one moment.
type Stats struct{ Open, Idle, Waiting int }

// Stats returns the pool's numbers.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{p.open, len(p.idle), len(p.waiters)}
}

// CloseIdle closes the idle connections.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeIdle()
}

func (p *Pool) closeIdle() {
	for i, c := range p.idle {
		c.Conn.Close()
		p.idle[i] = nil
	}
	p.open -= len(p.idle)
	p.idle = p.idle[:0]
}

// Close closes the idle connections, fails those who wait, and makes Put close
// the connections in use.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.closeIdle()
	for _, w := range p.waiters {
		w.err = ErrPoolClosed
		close(w.ready)
	}
	p.waiters = nil
	return nil
}
