package front

import (
	"errors"
	"net"
	"os"
	"time"

	"clowder/runtime/exchange"
)

// Rate bounds how long a client may take for a part of a request, as a stage of
// mod_reqtimeout's RequestReadTimeout: First at the beginning, a second more for
// each MinRate bytes, and never more than Most. MinRate 0 prolongs nothing; Most 0
// is no bound.
type Rate struct {
	First, Most time.Duration
	MinRate     int // bytes per second
}

// clock is a Rate at work.
type clock struct{ until, last time.Time }

func (k *clock) start(r Rate, now time.Time) {
	k.until = now.Add(r.First)
	if k.last = (time.Time{}); r.Most > 0 {
		k.last = now.Add(r.Most)
	}
}

// got prolongs the time for n bytes.
func (k *clock) got(r Rate, n int) {
	if r.MinRate <= 0 {
		return
	}
	k.until = k.until.Add(time.Duration(n) * time.Second / time.Duration(r.MinRate))
	if !k.last.IsZero() && k.until.After(k.last) {
		k.until = k.last
	}
}

// readBefore reads until the clock's end, and each read no longer than d. A
// deadline that was set before and comes too early is set anew when it has passed:
// fast clients cost no timer work.
func (c *conn) readBefore(p []byte, k *clock, r Rate, d time.Duration) (int, error) {
	now := time.Now()
	by := now.Add(d)
	if k.until.Before(by) {
		by = k.until
	}
	for {
		if !now.Before(by) {
			return 0, os.ErrDeadlineExceeded
		}
		if c.readBy.After(by) || !c.readBy.After(now) {
			c.readBy = by
			c.nc.SetReadDeadline(by)
		}
		n, err := c.nc.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			k.got(r, n)
			return n, err
		}
		now = time.Now()
	}
}

// headRate is the bound of a request's head.
func (c *Config) headRate() Rate {
	if c.HeadRate.First > 0 {
		return c.HeadRate
	}
	return Rate{First: c.ReadHeaderTimeout}
}

// bounds are those of the virtual host, else of the listener.
func (c *conn) bounds() *exchange.Bounds {
	if c.host != nil {
		return c.host
	}
	return &c.s.own
}

// Bound implements exchange.Bounded.
func (r *response) Bound(b *exchange.Bounds) { r.w.c.host = b }

// ownBounds are the bounds of the server's own configuration.
func (c *Config) ownBounds() exchange.Bounds {
	return exchange.Bounds{KeepAlive: c.KeepAlive, IdleTimeout: c.IdleTimeout, MaxKeepAliveRequests: c.MaxKeepAliveRequests,
		ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout, BodyFirst: c.BodyRate.First, BodyMost: c.BodyRate.Most, BodyMinRate: c.BodyRate.MinRate}
}

// read reads from the connection within the bounds of bodies.
func (b *body) read(p []byte) (int, error) {
	c := b.w.c
	h := c.bounds()
	if h.BodyFirst <= 0 {
		return c.read(p, h.ReadTimeout)
	}
	rate := Rate{h.BodyFirst, h.BodyMost, h.BodyMinRate}
	if b.clock.until.IsZero() {
		b.clock.start(rate, time.Now())
	}
	return c.readBefore(p, &b.clock, rate, h.ReadTimeout)
}

// writeAll writes the buffers. The time for it begins anew with each part that the
// client takes: a slow client is no stuck one. TLS cannot go on after a timeout.
func (c *conn) writeAll(bufs *net.Buffers) (err error) {
	for {
		c.writeSoon()
		var n int64
		if n, err = bufs.WriteTo(c.nc); err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		c.writeBy = time.Time{}
	}
}

// writeOne writes one buffer, as writeAll does.
func (c *conn) writeOne(p []byte) error {
	for {
		c.writeSoon()
		n, err := c.nc.Write(p)
		if err == nil || n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		c.writeBy = time.Time{}
		p = p[n:]
	}
}

// Slots bounds the connections of several servers together.
type Slots chan struct{}

// NewSlots makes n of them.
func NewSlots(n int) Slots { return make(Slots, n) }
