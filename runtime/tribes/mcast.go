package tribes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// mcast is the socket of the multicast membership (membership.McastServiceImpl).
type mcast struct {
	mu     sync.Mutex
	conn   io.ReadWriteCloser
	closed bool
	errs   int // consecutive errors
}

func (m *mcast) get() io.ReadWriteCloser {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conn
}

func (m *mcast) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.conn.Close()
}

// replace puts a newly joined socket in place; it reports false after close.
func (m *mcast) replace(conn io.ReadWriteCloser) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		conn.Close()
		return false
	}
	m.conn.Close()
	m.conn, m.errs = conn, 0
	return true
}

// count counts an error, or with nil forgets them, and returns how many there are.
func (m *mcast) count(err error) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.errs = 0
	} else {
		m.errs++
	}
	return m.errs
}

func (c *Channel) join(ctx context.Context) (io.ReadWriteCloser, error) {
	ttl := c.cfg.ttl
	if ttl < 0 && net.IP(c.Local().Host).IsLoopback() {
		ttl = 0 // nobody beyond this host could connect to the address we announce
	}
	return c.tr.Join(ctx, c.cfg.group, c.cfg.bind, ttl, c.cfg.loopback)
}

// startMcast starts the receiver, then the sender, with Tomcat's pauses of twice
// the frequency after each (McastServiceImpl.start).
func (c *Channel) startMcast(ctx context.Context) error {
	conn, err := c.join(ctx)
	if err != nil {
		return fmt.Errorf("joining the multicast group: %w", err)
	}
	mc := &mcast{conn: conn}
	c.mu.Lock()
	c.mcast = mc
	c.mu.Unlock()
	c.wg.Go(func() { c.mcastReceive(mc) })
	if !c.sleep(ctx, 2*c.cfg.frequency) {
		return context.Cause(ctx)
	}
	c.beat(mc)
	c.wg.Go(func() { c.mcastSend(mc) })
	if !c.sleep(ctx, 2*c.cfg.frequency) {
		return context.Cause(ctx)
	}
	return nil
}

func (c *Channel) mcastSend(mc *mcast) {
	t := time.NewTicker(c.cfg.frequency)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
		}
		c.beat(mc)
		c.expire()
	}
}

// beat sends one heartbeat; the alive time it announces is the cached one of the envelopes.
func (c *Channel) beat(mc *mcast) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	c.local.Alive = time.Since(c.began).Milliseconds()
	rec := AppendMember(nil, c.local)
	c.mu.Unlock()
	_, err := mc.get().Write(rec)
	if err != nil && c.ctx.Err() == nil && c.once("mcast send: "+err.Error()) {
		c.log.Warn("sending a heartbeat failed", "err", err)
	}
	c.recover(mc, mc.count(err))
}

// recover joins the group again after too many errors (McastServiceImpl.RecoveryThread).
// The receiving goroutine goes on with the new socket.
func (c *Channel) recover(mc *mcast, errs int) {
	if !c.cfg.recovery || c.cfg.recoveryN <= 0 || errs < c.cfg.recoveryN {
		return
	}
	conn, err := c.join(c.ctx)
	if err != nil {
		c.log.Warn("joining the multicast group again failed", "err", err)
		c.sleep(c.ctx, c.cfg.recoverySleep)
		return
	}
	if mc.replace(conn) {
		c.log.Info("joined the multicast group again")
	}
}

func (c *Channel) mcastReceive(mc *mcast) {
	buf := make([]byte, 65536)
	for c.ctx.Err() == nil {
		n, err := mc.get().Read(buf)
		if c.ctx.Err() != nil {
			return
		}
		errs := mc.count(err)
		if err != nil {
			c.sleep(c.ctx, 500*time.Millisecond)
			c.recover(mc, errs)
			continue
		}
		c.datagram(buf[:n])
		c.expire()
	}
}

// minRecord is less than any member record has, in bytes. What is shorter is
// ignored quietly, as by Tomcat.
const minRecord = 40

// datagram handles one datagram of the group (McastServiceImpl.receive).
func (c *Channel) datagram(b []byte) {
	if !bytes.HasPrefix(b, []byte(memberBegin)) {
		c.broadcast(b)
		return
	}
	m, _, err := ParseMember(b)
	if err != nil {
		if len(b) >= minRecord && c.once("datagram") {
			c.log.Warn("a datagram of the group is not understood; further ones are not logged", "err", err)
		}
		return
	}
	c.mu.Lock()
	own, k := c.local, m.key()
	if k == own.key() {
		c.mu.Unlock()
		return
	}
	if k.sameAddress(own.key()) {
		c.mu.Unlock()
		if c.once("own address") {
			c.log.Warn("another member announces the address of this one: a receiver on loopback in a cluster of several machines?", "member", m.Name())
		}
		return
	}
	l := c.lower[k]
	switch {
	case m.Leaving():
		if l != nil && !l.static {
			delete(c.lower, k)
		}
		c.mu.Unlock()
		c.gone(m)
		return
	case l == nil:
		if len(c.lower) >= maxMembers {
			c.mu.Unlock()
			if c.once("too many members") {
				c.log.Warn("too many members announce themselves; further ones are ignored", "limit", maxMembers)
			}
			return
		}
		c.lower[k] = &lower{m: m, heard: time.Now()}
		c.mu.Unlock()
		c.appeared(m, false)
		return
	}
	l.heard = time.Now()
	if l.m.Alive != m.Alive {
		l.m.Alive, l.m.Payload, l.m.Command = m.Alive, m.Payload, m.Command
		if up, ok := c.known[k]; ok {
			up.Alive, up.Payload, up.Command = m.Alive, m.Payload, m.Command
			c.known[k] = up
		}
	}
	c.mu.Unlock()
}

// broadcast delivers a message that was sent as a datagram to the group.
func (c *Channel) broadcast(b []byte) {
	data, err := NewFrameReader(bytes.NewReader(b), len(b)).Next()
	if err != nil {
		return
	}
	e, err := ParseEnvelope(data)
	if err != nil || e.From.key() == c.Local().key() {
		return
	}
	c.deliver(e)
}

// expire drops members that were not heard for dropTime (membership.Membership.expire).
func (c *Channel) expire() {
	now := time.Now()
	var out []Member
	c.mu.Lock()
	for k, l := range c.lower {
		if !l.static && now.Sub(l.heard) > c.cfg.dropTime {
			delete(c.lower, k)
			out = append(out, l.m)
		}
	}
	c.mu.Unlock()
	for _, m := range out {
		c.gone(m)
	}
}

// leaveMcast sends the one leave record.
func (c *Channel) leaveMcast() {
	c.mu.Lock()
	mc := c.mcast
	m := c.local
	m.Alive = time.Since(c.began).Milliseconds()
	m.Command = shutdownCommand
	c.mu.Unlock()
	if mc != nil {
		if _, err := mc.get().Write(AppendMember(nil, m)); err != nil {
			c.log.Warn("sending the leave record failed", "err", err)
		}
	}
}
