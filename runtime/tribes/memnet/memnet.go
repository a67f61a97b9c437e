// Package memnet is a network in memory for tests: hosts with TCP and multicast
// that can be delayed, cut off, partitioned and crashed. It works inside
// testing/synctest bubbles; it starts no goroutines.
package memnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Net is one network. All methods may be called from many goroutines.
type Net struct {
	mu     sync.Mutex
	change chan struct{} // closed and replaced whenever something changes
	hosts  map[string]*Host
	cut    map[[2]string]bool
	delay  time.Duration
	drop   func(from, to string, datagram []byte) bool
	nport  int
}

// New returns an empty network without delay.
func New() *Net {
	return &Net{change: make(chan struct{}), hosts: map[string]*Host{}, cut: map[[2]string]bool{}, nport: 40000}
}

// Host returns the host with that literal IP address, made at the first call. It
// is a tribes.Transport.
func (n *Net) Host(ip string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[ip]
	if h == nil {
		h = &Host{n: n, ip: ip, listeners: map[string]*listener{}}
		n.hosts[ip] = h
	}
	return h
}

// Delay makes everything sent from now on arrive that much later.
func (n *Net) Delay(d time.Duration) { n.update(func() { n.delay = d }) }

// DropDatagrams loses the datagrams for which f reports true; nil loses none.
func (n *Net) DropDatagrams(f func(from, to string, datagram []byte) bool) {
	n.update(func() { n.drop = f })
}

// Partition cuts the network between every host of a and every host of b:
// datagrams are lost, connecting hangs, sent bytes wait until Heal.
func (n *Net) Partition(a, b []string) {
	n.update(func() {
		for _, x := range a {
			for _, y := range b {
				n.cut[[2]string{x, y}], n.cut[[2]string{y, x}] = true, true
			}
		}
	})
}

// Heal ends all partitions.
func (n *Net) Heal() { n.update(func() { clear(n.cut) }) }

func (n *Net) update(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	n.changed()
}

// changed wakes everybody who waits. n.mu is held.
func (n *Net) changed() {
	close(n.change)
	n.change = make(chan struct{})
}

// wait releases n.mu until something changes, the time comes (zero: never) or done ends.
func (n *Net) wait(until time.Time, done <-chan struct{}) {
	ch := n.change
	n.mu.Unlock()
	defer n.mu.Lock()
	var timer <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ch:
	case <-timer:
	case <-done:
	}
}

// Host is one machine.
type Host struct {
	n         *Net
	ip        string
	listeners map[string]*listener
	groups    []*group
	conns     []*conn
	down      bool
}

// Crash ends all sockets of the host at once: connecting to it is refused, its
// connections are reset. What ran there can open no new ones before Restart.
func (h *Host) Crash() {
	h.n.update(func() {
		h.down = true
		for _, l := range h.listeners {
			l.closed = true
		}
		clear(h.listeners)
		for _, g := range h.groups {
			g.closed = true
		}
		h.groups = nil
		for _, c := range h.conns {
			c.out.reset, c.in.reset = true, true
		}
		h.conns = nil
	})
}

// Restart lets a crashed host open sockets again.
func (h *Host) Restart() { h.n.update(func() { h.down = false }) }

// Resolve gives the bytes of a literal address; "" is the host's own.
func (h *Host) Resolve(_ context.Context, host string) ([]byte, error) {
	if host == "" {
		host = h.ip
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return nil, err
	}
	return a.AsSlice(), nil
}

// Listen opens a listener; the port must be given.
func (h *Host) Listen(_ context.Context, address string) (net.Listener, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if h.down {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: syscall.ENETDOWN}
	}
	if h.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: syscall.EADDRINUSE}
	}
	l := &listener{h: h, key: address, addr: net.TCPAddrFromAddrPort(a)}
	h.listeners[address] = l
	return l, nil
}

// Dial connects; to a host that is cut off it waits for ctx or Heal.
func (h *Host) Dial(ctx context.Context, address string) (net.Conn, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	n := h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	to := a.Addr().String()
	if h.down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ENETDOWN}
	}
	for n.cut[[2]string{h.ip, to}] {
		n.wait(time.Time{}, ctx.Done())
		if ctx.Err() != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
		}
	}
	peer := n.hosts[to]
	if peer == nil || peer.listeners[address] == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	l := peer.listeners[address]
	n.nport++
	local := &net.TCPAddr{IP: net.ParseIP(h.ip), Port: n.nport}
	ab, ba := &stream{from: h.ip, to: to}, &stream{from: to, to: h.ip}
	here := &conn{n: n, out: ab, in: ba, local: local, remote: l.addr}
	there := &conn{n: n, out: ba, in: ab, local: l.addr, remote: local}
	h.conns, peer.conns = append(h.conns, here), append(peer.conns, there)
	l.queue = append(l.queue, there)
	n.changed()
	return here, nil
}

// Join joins a multicast group.
func (h *Host) Join(_ context.Context, address, _ string, _ int, loopback bool) (io.ReadWriteCloser, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	if !a.Addr().IsMulticast() {
		return nil, fmt.Errorf("%s is not a multicast address", a.Addr())
	}
	g := &group{h: h, address: address, loopback: loopback}
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	if h.down {
		return nil, &net.OpError{Op: "join", Net: "udp", Err: syscall.ENETDOWN}
	}
	h.groups = append(h.groups, g)
	return g, nil
}

type listener struct {
	h      *Host
	key    string
	addr   net.Addr
	queue  []*conn
	closed bool
}

func (l *listener) Accept() (net.Conn, error) {
	n := l.h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(l.queue) == 0 {
		if l.closed {
			return nil, net.ErrClosed
		}
		n.wait(time.Time{}, nil)
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	return c, nil
}

func (l *listener) Close() error {
	l.h.n.update(func() {
		l.closed = true
		if l.h.listeners[l.key] == l {
			delete(l.h.listeners, l.key)
		}
		for _, c := range l.queue {
			c.out.reset, c.in.reset = true, true
		}
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }

// packet is some bytes on their way.
type packet struct {
	data []byte
	at   time.Time
}

type group struct {
	h        *Host
	address  string
	loopback bool
	queue    []packet
	closed   bool
}

func (g *group) Read(p []byte) (int, error) {
	n := g.h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		if g.closed {
			return 0, net.ErrClosed
		}
		var until time.Time
		if len(g.queue) > 0 {
			d := g.queue[0]
			if !d.at.After(time.Now()) {
				g.queue = g.queue[1:]
				return copy(p, d.data), nil
			}
			until = d.at
		}
		n.wait(until, nil)
	}
}

func (g *group) Write(p []byte) (int, error) {
	n := g.h.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if g.closed {
		return 0, net.ErrClosed
	}
	d := packet{append([]byte(nil), p...), time.Now().Add(n.delay)}
	for ip, h := range n.hosts {
		if n.cut[[2]string{g.h.ip, ip}] || ip == g.h.ip && !g.loopback || n.drop != nil && n.drop(g.h.ip, ip, d.data) {
			continue
		}
		for _, o := range h.groups {
			if o.address == g.address && len(o.queue) < 1024 {
				o.queue = append(o.queue, d)
			}
		}
	}
	n.changed()
	return len(p), nil
}

func (g *group) Close() error {
	g.h.n.update(func() { g.closed = true; g.h.groups = without(g.h.groups, g) })
	return nil
}

func without[T comparable](list []T, v T) []T {
	for i, o := range list {
		if o == v {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}

// stream is one direction of a connection.
type stream struct {
	from, to string
	queue    []packet
	size     int
	ended    bool // the writer closed it
	gone     bool // the reader closed it
	reset    bool
}

// window is how many bytes may be on their way in one direction.
const window = 64 << 10

type conn struct {
	n             *Net
	in, out       *stream
	local, remote net.Addr
	closed        bool
	rd, wd        time.Time
}

var errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

func (c *conn) Read(p []byte) (int, error) {
	n := c.n
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		s, now := c.in, time.Now()
		var until time.Time
		switch cut := n.cut[[2]string{s.from, s.to}]; {
		case c.closed:
			return 0, net.ErrClosed
		case !c.rd.IsZero() && !c.rd.After(now):
			return 0, os.ErrDeadlineExceeded
		case s.reset:
			return 0, errReset
		case cut:
		case len(s.queue) > 0 && !s.queue[0].at.After(now):
			k := copy(p, s.queue[0].data)
			if s.queue[0].data = s.queue[0].data[k:]; len(s.queue[0].data) == 0 {
				s.queue = s.queue[1:]
			}
			s.size -= k
			n.changed()
			return k, nil
		case len(s.queue) > 0:
			until = s.queue[0].at
		case s.ended:
			return 0, io.EOF
		}
		if !c.rd.IsZero() && (until.IsZero() || c.rd.Before(until)) {
			until = c.rd
		}
		n.wait(until, nil)
	}
}

func (c *conn) Write(p []byte) (int, error) {
	n := c.n
	n.mu.Lock()
	defer n.mu.Unlock()
	done := 0
	for done < len(p) {
		s := c.out
		switch {
		case c.closed:
			return done, net.ErrClosed
		case !c.wd.IsZero() && !c.wd.After(time.Now()):
			return done, os.ErrDeadlineExceeded
		case s.reset || s.gone:
			return done, &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
		case s.size < window:
			k := min(window-s.size, len(p)-done)
			s.queue = append(s.queue, packet{append([]byte(nil), p[done:done+k]...), time.Now().Add(n.delay)})
			s.size += k
			done += k
			n.changed()
			continue
		}
		n.wait(c.wd, nil)
	}
	return done, nil
}

func (c *conn) Close() error {
	err := errors.New("closed twice")
	c.n.update(func() {
		if !c.closed {
			c.closed, c.out.ended, c.in.gone, err = true, true, true, nil
		}
		for _, h := range c.n.hosts {
			h.conns = without(h.conns, c)
		}
	})
	return err
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	c.n.update(func() { c.rd, c.wd = t, t })
	return nil
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.n.update(func() { c.rd = t })
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.n.update(func() { c.wd = t })
	return nil
}
