package tribes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// Errors of a send to one member.
var (
	// ErrFailedAck says that the member got the message but could not handle it.
	ErrFailedAck = errors.New("the member answered FAIL_ACK")
	// ErrAckTimeout says that the member did not acknowledge in time.
	ErrAckTimeout = errors.New("operation has timed out")
	// ErrQueueFull says that a queued message found no room (alwaysSend false).
	ErrQueueFull = errors.New("the queue of messages is full")
)

// FaultyMember is a member that a message did not reach, and why.
type FaultyMember struct {
	Member Member
	Err    error
}

// SendError lists the members that a message did not reach (tribes.ChannelException).
type SendError struct{ Faulty []FaultyMember }

func (e *SendError) Error() string {
	var b strings.Builder
	b.WriteString("send failed; faulty members:")
	for _, f := range e.Faulty {
		fmt.Fprintf(&b, " %s (%v);", f.Member.Name(), f.Err)
	}
	return b.String()
}

// Unwrap gives the errors of the members.
func (e *SendError) Unwrap() []error {
	out := make([]error, len(e.Faulty))
	for i, f := range e.Faulty {
		out[i] = f.Err
	}
	return out
}

// Send sends data to the members, without any to all known ones; it copies data.
// With OptAsync it returns when the message is queued, and later errors are only
// logged; messages queued for one member arrive in the order in which they were
// queued. With OptUseAck it returns when all have acknowledged, otherwise when
// the message is written. The error is a *[SendError] unless the channel is not
// running.
func (c *Channel) Send(ctx context.Context, data []byte, opts SendOptions, to ...Member) error {
	c.mu.Lock()
	ok := c.running && !c.closing
	c.mu.Unlock()
	if !ok {
		return ErrStopped
	}
	if opts&OptMulticast != 0 {
		return c.sendMulticast(data, opts)
	}
	if len(to) == 0 {
		to = c.Members()
	}
	if len(to) == 0 {
		return nil
	}
	frame := c.frame(data, opts)
	errs := make([]error, len(to))
	switch {
	case opts&OptAsync != 0 && c.cfg.dispatch:
		for i, m := range to {
			errs[i] = c.enqueue(ctx, m, frame, opts)
		}
	case len(to) == 1:
		errs[0] = c.transmit(ctx, to[0], frame, opts)
	default:
		var wg sync.WaitGroup
		for i, m := range to {
			wg.Go(func() { errs[i] = c.transmit(ctx, m, frame, opts) })
		}
		wg.Wait()
	}
	var out SendError
	for i, err := range errs {
		if err != nil {
			out.Faulty = append(out.Faulty, FaultyMember{to[i], err})
		}
	}
	if out.Faulty != nil {
		return &out
	}
	return nil
}

// frame makes the whole frame of a message from this member.
func (c *Channel) frame(data []byte, opts SendOptions) []byte {
	id := newID()
	e := Envelope{Options: opts, Timestamp: time.Now().UnixMilli(), UniqueID: id[:], From: c.Local(), Data: data}
	body := e.Append(make([]byte, 0, 256+len(data)))
	return AppendFrame(make([]byte, 0, len(body)+frameOverhead), body)
}

func (c *Channel) sendMulticast(data []byte, opts SendOptions) error {
	c.mu.Lock()
	mc := c.mcast
	c.mu.Unlock()
	if mc == nil {
		return errors.New("no multicast membership to send by")
	}
	_, err := mc.get().Write(c.frame(data, opts))
	return err
}

// transmit sends one frame to one member, again after an I/O error
// (ParallelNioSender.sendMessage). The failure detector hears of failures.
func (c *Channel) transmit(ctx context.Context, m Member, frame []byte, opts SendOptions) error {
	d, err := c.dest(m)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		err = c.attempt(ctx, d, frame, opts)
		if err == nil || errors.Is(err, ErrFailedAck) {
			return err
		}
		if ctx.Err() != nil || c.ctx.Err() != nil {
			return err // the caller gave up: says nothing about the member
		}
		d.dropIdle()
		if errors.Is(err, ErrAckTimeout) || attempt >= c.cfg.maxRetry {
			break
		}
		c.log.Warn("sending to a member failed; retrying", "member", m.Name(), "err", err)
	}
	c.gone(Member{Host: m.Host, Port: m.Port, UniqueID: m.UniqueID, Alive: m.Alive, Domain: m.Domain, Payload: m.Payload})
	return err
}

func (c *Channel) attempt(ctx context.Context, d *dest, frame []byte, opts SendOptions) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.cfg.timeout, ErrAckTimeout)
	defer cancel()
	conn, err := d.take(ctx, c)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	_, err = conn.Write(frame)
	if err == nil && opts&OptUseAck != 0 {
		err = conn.wait(ctx)
	}
	if !stop() || err != nil && !errors.Is(err, ErrFailedAck) {
		d.discard(conn)
	} else {
		d.give(conn)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = context.Cause(ctx)
	}
	return err
}

// dest is one destination: its pooled connections and its queue of messages.
type dest struct {
	address string
	slots   chan struct{} // one per connection in use

	mu     sync.Mutex
	idle   []*outConn // the last one was used last
	all    map[*outConn]struct{}
	closed bool

	queue   []queued // guarded by queueState.mu
	working bool
}

// dest returns the destination of the member.
func (c *Channel) dest(m Member) (*dest, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		return nil, ErrStopped
	}
	a := m.address()
	d := c.dests[a]
	if d == nil {
		d = &dest{address: a, slots: make(chan struct{}, c.cfg.poolSize), all: map[*outConn]struct{}{}}
		c.dests[a] = d
	}
	return d, nil
}

// take gives a connection that nobody else uses, waiting at most maxWait for a free slot.
func (d *dest) take(ctx context.Context, c *Channel) (*outConn, error) {
	select {
	case d.slots <- struct{}{}:
	default:
		t := time.NewTimer(c.cfg.maxWait)
		defer t.Stop()
		select {
		case d.slots <- struct{}{}:
		case <-t.C:
			return nil, errors.New("no connection became free in time")
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	d.mu.Lock()
	if n := len(d.idle); n > 0 {
		conn := d.idle[n-1]
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		return conn, nil
	}
	d.mu.Unlock()
	raw, err := c.tr.Dial(ctx, d.address)
	if err != nil {
		<-d.slots
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	conn := &outConn{Conn: raw, acks: make(chan error, 1)}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		raw.Close()
		<-d.slots
		return nil, ErrStopped
	}
	d.all[conn] = struct{}{}
	d.mu.Unlock()
	if !c.background(func() { conn.readAcks(); d.forget(conn) }) {
		d.discard(conn)
		return nil, ErrStopped
	}
	return conn, nil
}

// give puts a healthy connection back.
func (d *dest) give(conn *outConn) {
	d.mu.Lock()
	if _, ok := d.all[conn]; ok {
		d.idle = append(d.idle, conn)
	}
	d.mu.Unlock()
	<-d.slots
}

func (d *dest) discard(conn *outConn) {
	conn.Close()
	d.forget(conn)
	<-d.slots
}

// forget takes a connection that ended out of the pool.
func (d *dest) forget(conn *outConn) {
	conn.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.all, conn)
	for i, o := range d.idle {
		if o == conn {
			d.idle = append(d.idle[:i], d.idle[i+1:]...)
			return
		}
	}
}

// dropIdle closes the connections that nobody uses.
func (d *dest) dropIdle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.idle {
		conn.Close()
		delete(d.all, conn)
	}
	d.idle = nil
}

func (d *dest) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for conn := range d.all {
		conn.Close()
	}
}

// outConn is a connection to a member. Its reader sees acknowledgements, and
// also that the member closed it.
type outConn struct {
	net.Conn
	acks chan error // closed when the connection ended
}

// readAcks reads acknowledgements until the connection ends.
func (o *outConn) readAcks() {
	defer close(o.acks)
	r := NewFrameReader(o.Conn, 64)
	for {
		data, err := r.Next()
		if err != nil {
			return
		}
		var ack error
		switch string(data) {
		case "\x06\x02\x03":
		case "\x0b\x00\x05":
			ack = ErrFailedAck
		default:
			return
		}
		select {
		case o.acks <- ack:
		default:
			return // an acknowledgement that nobody asked for
		}
	}
}

func (o *outConn) wait(ctx context.Context) error {
	select {
	case err, ok := <-o.acks:
		if !ok {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errors.New("the member closed the connection before it acknowledged")
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
