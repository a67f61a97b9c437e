package tribes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// bind opens the receiver at the first free of autoBind ports (ReceiverBase.bind).
func (c *Channel) bind(ctx context.Context, host []byte) (net.Listener, int, error) {
	var last error
	for i := range c.cfg.autoBind {
		port := c.cfg.port + i
		if port > 65535 {
			break
		}
		ln, err := c.tr.Listen(ctx, net.JoinHostPort(net.IP(host).String(), strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		if a, ok := ln.Addr().(*net.TCPAddr); ok {
			port = a.Port
		}
		return ln, port, nil
	}
	return nil, 0, fmt.Errorf("the receiver found no free port from %d on, autoBind %d: %w", c.cfg.port, c.cfg.autoBind, last)
}

// accept takes connections. There is no idle timeout, as in Tomcat; their number is bounded.
func (c *Channel) accept() {
	for {
		conn, err := c.ln.Accept()
		if err != nil {
			if c.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			c.log.Warn("accepting a connection failed", "err", err)
			if !c.sleep(c.ctx, 100*time.Millisecond) {
				return
			}
			continue
		}
		c.mu.Lock()
		if !c.running || len(c.conns) >= c.cfg.maxConns {
			full := c.running
			c.mu.Unlock()
			conn.Close()
			if full && c.once("too many connections") {
				c.log.Warn("too many connections to the receiver; further ones are closed", "limit", c.cfg.maxConns)
			}
			continue
		}
		c.conns[conn] = struct{}{}
		c.wg.Go(func() { c.serve(conn) })
		c.mu.Unlock()
	}
}

// serve reads the frames of one connection and handles them in order.
func (c *Channel) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		c.mu.Lock()
		delete(c.conns, conn)
		c.mu.Unlock()
	}()
	r := NewFrameReader(conn, c.cfg.maxFrame)
	for {
		data, err := r.Next()
		if err != nil {
			if errors.Is(err, ErrFrame) {
				c.log.Warn("closing a connection that is no member's", "remote", conn.RemoteAddr().String(), "err", err)
			} else if err != io.EOF && c.ctx.Err() == nil {
				c.log.Debug("connection of a member ended", "remote", conn.RemoteAddr().String(), "err", err)
			}
			return
		}
		e, err := ParseEnvelope(data)
		if err != nil {
			c.log.Warn("closing a connection that is no member's", "remote", conn.RemoteAddr().String(), "err", err)
			return
		}
		if err := c.handle(conn, e); err != nil {
			return
		}
	}
}

// handle delivers one message and acknowledges it as its options ask
// (transport.nio.NioReplicationTask, transport.RxTaskPool).
func (c *Channel) handle(conn net.Conn, e *Envelope) error {
	ack := e.Options & (OptUseAck | OptSync)
	if ack == OptUseAck {
		if err := c.answer(conn, ackFrame); err != nil {
			return err
		}
	}
	err := c.deliver(e)
	if ack == OptUseAck|OptSync {
		if err != nil {
			return c.answer(conn, failAckFrame)
		}
		return c.answer(conn, ackFrame)
	}
	return nil
}

func (c *Channel) answer(conn net.Conn, frame []byte) error {
	conn.SetWriteDeadline(time.Now().Add(c.cfg.timeout))
	_, err := conn.Write(frame)
	return err
}

// deliver handles the messages of the interceptors and hands the others to the listener.
func (c *Channel) deliver(e *Envelope) error {
	c.adopt(e.From)
	switch {
	case bytes.Equal(e.Data, probeData), bytes.Equal(e.Data, pingData):
		return nil
	case bytes.Equal(e.Data, staticStart):
		c.staticNote(e.From, true)
		return nil
	case bytes.Equal(e.Data, staticStop):
		c.staticNote(e.From, false)
		return nil
	}
	if c.cfg.filter != nil && !bytes.Equal(e.From.Domain, c.cfg.filter) {
		return nil
	}
	if c.lst == nil {
		if c.once("no listener") {
			c.log.Warn("messages arrive, but nothing listens for them")
		}
		return nil
	}
	if c.recent.seen(e.UniqueID) {
		c.log.Debug("a message that was sent twice is ignored", "member", e.From.Name())
		return nil
	}
	err := c.lst.Message(e.From, e.Data, e.Options)
	if err != nil {
		c.recent.forget(e.UniqueID)
		c.failed.Add(1)
		if c.once("message: " + e.From.Name()) {
			c.log.Warn("a message could not be handled; further ones of this member are not logged", "member", e.From.Name(), "err", err)
		}
	}
	return err
}

// recentSize is how many message ids are remembered.
const recentSize = 8192

// recent remembers the ids of the last messages: a sender that retries may send
// one twice.
type recent struct {
	mu   sync.Mutex
	ids  map[[16]byte]struct{}
	ring [][16]byte
	next int
}

// seen reports whether the id came before, and remembers it.
func (r *recent) seen(b []byte) bool {
	if len(b) != 16 {
		return false
	}
	id := [16]byte(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.ids[id]; ok {
		return true
	}
	if r.ids == nil {
		r.ids = map[[16]byte]struct{}{}
	}
	if len(r.ring) < recentSize {
		r.ring = append(r.ring, id)
	} else {
		delete(r.ids, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % recentSize
	}
	r.ids[id] = struct{}{}
	return false
}

// forget lets a message that could not be handled come again.
func (r *recent) forget(b []byte) {
	if len(b) != 16 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ids, [16]byte(b))
}
