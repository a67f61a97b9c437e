package runtime

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// socket is a listening socket that outlives the servers that accept from it: one
// holds it at a time, through a lease.
type socket struct {
	net.Listener
	mu    sync.Mutex // of lease
	last  *lease
	close sync.Mutex // of every lease's Close
}

// lease is the right to accept from a socket. Closing it ends Accept and leaves
// the socket open; what clients do meanwhile waits in the kernel's queue.
type lease struct {
	s      *socket
	over   atomic.Bool
	accept sync.Mutex // held by Accept
}

// deadliner is what listeners of TCP and of unix sockets have.
type deadliner interface{ SetDeadline(time.Time) error }

// lease takes the socket over from the holder before, whose Accept has ended when
// it returns.
func (s *socket) lease() *lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		s.last.Close()
		s.last.wait()
	}
	if d, ok := s.Listener.(deadliner); ok {
		d.SetDeadline(time.Time{})
	}
	s.last = &lease{s: s}
	return s.last
}

// Accept waits for the next connection; after Close it fails with net.ErrClosed.
func (l *lease) Accept() (net.Conn, error) {
	l.accept.Lock()
	defer l.accept.Unlock()
	if l.over.Load() {
		return nil, net.ErrClosed
	}
	c, err := l.s.Listener.Accept()
	if err != nil && l.over.Load() {
		return nil, net.ErrClosed
	}
	return c, err
}

// Close ends the lease. Only the first call does something: a later one must not
// disturb who holds the socket then.
func (l *lease) Close() error {
	l.s.close.Lock()
	defer l.s.close.Unlock()
	if l.over.Swap(true) {
		return nil
	}
	if d, ok := l.s.Listener.(deadliner); ok {
		return d.SetDeadline(time.Unix(1, 0))
	}
	return l.s.Listener.Close()
}

// wait returns when no Accept is under way; after Close none comes to anything.
func (l *lease) wait() {
	l.accept.Lock()
	defer l.accept.Unlock()
}

// Addr returns the socket's address.
func (l *lease) Addr() net.Addr { return l.s.Addr() }
