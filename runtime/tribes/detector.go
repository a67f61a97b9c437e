package tribes

import (
	"bytes"
	"context"
	"time"
)

// probeData is the message of TcpFailureDetector (TCP_FAIL_DETECT).
var probeData = []byte("\x4F\xA7\x73\x48\x79\x82\x43\xC9\x9F\x6F\x89\x80\xA1\x5B\x07\x14\x7D\xD9\x52\x5B\xEB\xF1\x43\x9A\xB7\x7E\xBE\x8F\x81\x67\x1E\xB6" +
	"\x37\x15\xBE\x87\x45\x7E\x4C\xA8\xBF\x0A\x4D\x13\x53\x38\x15\x32\x55\xF6\x94\xB7\x3A\xFA\x40\x78\x91\x04\x7D\xD7\x72\x84\xC0\xD5")

// pingData is the message of TcpPingInterceptor (TCP_PING_DATA).
var pingData = []byte("\x4F\xA7\x73\x48\x79\xDF\x43\xC9\x9F\x6F\x89\x80\xA1\x5B\x07\x14\x7D\xD9\x52\x5B\xEB\xDF\x43\x9A\xB7\x7E\xBE\x8F\x81\x67\x1E\xB6" +
	"\x37\x15\xBE\x87\x45\x21\x4C\xA8\xBF\x0A\x4D\x13\x53\x38\x15\x32\x55\xF6\x94\xB7\x3A\xDF\x21\x78\x91\x04\x7D\xD7\x72\x84\xC0\xD5")

// appeared takes the report of membership that a member is there, without waiting.
func (c *Channel) appeared(m Member, static bool) { c.background(func() { c.admit(m, static) }) }

// gone takes the report of membership that a member is not there any more. A
// member that said good-bye is removed at once, others are probed first.
func (c *Channel) gone(m Member) {
	if m.Leaving() {
		c.remove(m)
		return
	}
	c.background(func() { c.verify(m) })
}

// background runs f and reports true, unless the channel has ended. Neither
// c.mu nor the lock of a destination may be held.
func (c *Channel) background(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		c.wg.Go(f)
	}
	return c.running
}

// admit adds a member that lives (TcpFailureDetector.memberAdded).
func (c *Channel) admit(m Member, static bool) {
	if c.cfg.filter != nil && !bytes.Equal(m.Domain, c.cfg.filter) {
		if c.once("domain " + m.Name()) {
			c.log.Info("member of another domain refused", "member", m.Name(), "domain", string(m.Domain))
		}
		return
	}
	k := m.key()
	c.mu.Lock()
	delete(c.remSusp, k)
	_, known := c.known[k]
	if known || c.adding[k] || !c.running {
		c.mu.Unlock()
		return
	}
	c.adding[k] = true
	c.mu.Unlock()
	alive := c.alive(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.adding, k)
	l := c.lower[k]
	if l == nil && static { // its uniqueId may have been learnt meanwhile
		for lk, o := range c.lower {
			if o.static && lk.sameAddress(k) {
				l = o
			}
		}
	}
	if l == nil || c.closing {
		return
	}
	m = l.m
	if _, twice := c.known[m.key()]; twice {
		return
	}
	if !alive {
		return // tried again at the next channel heartbeat
	}
	c.known[m.key()] = m
	c.announce(m, true)
}

// verify removes a member that does not answer (TcpFailureDetector.memberDisappeared).
func (c *Channel) verify(m Member) {
	k := m.key()
	c.mu.Lock()
	_, known := c.known[k]
	replaced := false
	for o := range c.known {
		replaced = replaced || o != k && o.sameAddress(k)
	}
	c.mu.Unlock()
	if !known {
		return
	}
	// A member that was started again listens where the old one did; the old one is dead all the same.
	if replaced || !c.alive(m) {
		c.remove(m)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.remSusp[k]; !ok {
		c.remSusp[k] = time.Now()
		c.log.Info("member is alive, though it was reported as gone", "member", m.Name())
	}
}

func (c *Channel) remove(m Member) {
	k := m.key()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.remSusp, k)
	up, ok := c.known[k]
	if !ok {
		return
	}
	delete(c.known, k)
	if m.Leaving() {
		up.Command = m.Command
	}
	c.announce(up, false)
	if d := c.dests[up.address()]; d != nil {
		d.dropIdle()
	}
}

// alive probes the member (TcpFailureDetector.memberAlive).
func (c *Channel) alive(m Member) bool {
	if !c.cfg.detector {
		return true
	}
	if m.Leaving() {
		return false
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.connectTimeout)
	defer cancel()
	conn, err := c.tr.Dial(ctx, m.address())
	if err != nil {
		return false
	}
	defer conn.Close()
	if !c.cfg.sendTest {
		return true
	}
	opts := OptByte
	if c.cfg.readTest {
		opts |= OptUseAck
	}
	conn.SetDeadline(time.Now().Add(c.cfg.connectTimeout))
	if _, err := conn.Write(c.frame(probeData, opts)); err != nil || !c.cfg.readTest {
		return err == nil
	}
	conn.SetDeadline(time.Now().Add(c.cfg.readTimeout))
	n, _ := conn.Read(make([]byte, len(ackFrame)))
	return n > 0
}

// heartbeats is the channel heartbeat (GroupChannel.heartbeatSleeptime).
func (c *Channel) heartbeats() {
	t := time.NewTicker(c.cfg.heartbeat)
	defer t.Stop()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-t.C:
			c.check()
		}
	}
}

// check probes members about which membership and detector disagree
// (TcpFailureDetector.performBasicCheck). Each probe runs on its own; one that
// is under way is not started twice.
func (c *Channel) check() {
	c.mu.Lock()
	type task struct {
		m      Member
		static bool
	}
	var add []task
	var suspects []Member
	for k, l := range c.lower {
		if _, ok := c.known[k]; !ok {
			add = append(add, task{l.m, l.static})
		}
	}
	for k, since := range c.remSusp {
		m, ok := c.known[k]
		if !ok {
			delete(c.remSusp, k)
			continue
		}
		if time.Since(since) > c.cfg.removeSuspects {
			delete(c.remSusp, k)
		}
		suspects = append(suspects, m)
	}
	c.mu.Unlock()
	for _, t := range add {
		c.appeared(t.m, t.static)
	}
	for _, m := range suspects {
		c.background(func() {
			if !c.alive(m) {
				c.remove(m)
			}
		})
	}
}
