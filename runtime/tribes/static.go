package tribes

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Notifications of StaticMembershipInterceptor (MEMBER_START, MEMBER_STOP).
var (
	staticStart = []byte("Local StaticMember Notification Data")
	staticStop  = []byte("Local StaticMember Shutdown Data")
)

// startStatic probes the configured members and tells those that live that this
// one has started (StaticMembershipInterceptor.start).
func (c *Channel) startStatic(ctx context.Context) error {
	var peers []Member
	for _, p := range c.cfg.static {
		host, err := c.tr.Resolve(ctx, p.host)
		if err != nil {
			return fmt.Errorf("static member %s: %w", p.host, err)
		}
		m := Member{Host: host, Port: p.port, SecurePort: -1, UDPPort: -1, Domain: p.domain, UniqueID: p.id}
		c.mu.Lock()
		if !m.key().sameAddress(c.local.key()) {
			c.lower[m.key()] = &lower{m: m, heard: time.Now(), static: true, fixed: p.fixed}
			peers = append(peers, m)
		}
		c.mu.Unlock()
	}
	var wg sync.WaitGroup
	for _, m := range peers {
		wg.Go(func() {
			c.admit(m, true)
			if up, ok := c.find(m); ok {
				c.notifyStatic(ctx, up, staticStart)
			}
		})
	}
	wg.Wait()
	return nil
}

// find returns the known member with that address.
func (c *Channel) find(m Member) (Member, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, up := range c.known {
		if k.sameAddress(m.key()) {
			return up, true
		}
	}
	return Member{}, false
}

func (c *Channel) notifyStatic(ctx context.Context, m Member, data []byte) {
	if err := c.transmit(ctx, m, c.frame(data, 0), 0); err != nil {
		c.log.Debug("notifying a static member failed", "member", m.Name(), "err", err)
	}
}

func (c *Channel) stopStatic(ctx context.Context) {
	c.mu.Lock()
	var to []Member
	for _, l := range c.lower {
		if up, ok := c.known[l.m.key()]; ok && l.static {
			to = append(to, up)
		}
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.connectTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, m := range to {
		wg.Go(func() { c.notifyStatic(ctx, m, staticStop) })
	}
	wg.Wait()
}

// adopt learns the uniqueId of a static member that is configured without one
// from a frame it sent. A member with another id than before was started anew.
func (c *Channel) adopt(from Member) {
	c.mu.Lock()
	k := from.key()
	if _, ok := c.lower[k]; ok {
		c.mu.Unlock()
		return
	}
	var old *lower
	for lk, l := range c.lower {
		if l.static && !l.fixed && lk.sameAddress(k) {
			old = l
			delete(c.lower, lk)
			break
		}
	}
	if old == nil {
		c.mu.Unlock()
		return
	}
	was := old.m.key()
	up, known := c.known[was]
	delete(c.known, was)
	delete(c.remSusp, was)
	old.m = from
	c.lower[k] = old
	var none [16]byte
	if known && was.id == none {
		c.known[k] = from // the same member, now with its name
		c.mu.Unlock()
		return
	}
	if known {
		c.announce(up, false)
	}
	c.mu.Unlock()
	if known {
		c.appeared(from, true)
	}
}

// staticNote handles a start or stop notification.
func (c *Channel) staticNote(from Member, started bool) {
	c.mu.Lock()
	l := c.lower[from.key()]
	c.mu.Unlock()
	switch {
	case l == nil || !l.static:
	case started:
		c.appeared(from, true)
	default:
		from.Command = shutdownCommand
		c.gone(from)
	}
}
