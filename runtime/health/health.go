// Package health checks members of balancers in the background as httpd's
// mod_proxy_hcheck does: TCP, OPTIONS, HEAD, GET and CPING, each member at its own
// interval. A member that fails is taken out, one that passes comes back, also
// when it was a request that had put it into error.
//
// The behaviour follows modules/proxy/mod_proxy_hcheck.c of httpd 2.4: a timer of
// 100 ms, a thread pool of ProxyHCTPsize, one connection for each check.
package health

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"clowder/runtime/balancer"
)

// DefaultSize is ProxyHCTPsize without the directive: checks at one time.
const DefaultSize = 16

const (
	tick = 100 * time.Millisecond // AP_WD_TM_SLICE
	slow = time.Second            // between looks when no member has a method
)

// Target says how to reach one member. It is comparable but for TLS: members of
// several servers with equal targets are checked once for all of them.
type Target struct {
	Network, Address string // as for net.Dial
	Host             string // for the Host field: name and port
	Path             string // of the member's URL, put before hcuri
	Secure           bool   // TLS is spoken; without settings for it every check but TCP fails
	TLS              *tls.Config
	ConnectTimeout   time.Duration // also for a TLS handshake
	Timeout          time.Duration // for a whole check once it is connected
	Ping             time.Duration // for the answer to a CPING
}

// Group is a balancer with what its members need beyond their own settings. Its
// functions are called from one goroutine at a time.
type Group struct {
	Balancer *balancer.Balancer
	Target   func(*balancer.Member) Target
	// Condition returns the expression of that name, nil when there is none: then
	// the status decides.
	Condition func(name string) *Condition
}

// Options are the settings common to all checks. The zero value is ready for use.
type Options struct {
	Size int          // checks at one time; 0 is one after another, as is 1
	Log  *slog.Logger // nil discards
	// Dial replaces the dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Checker runs the checks of a front end. Start and Stop may be called once each,
// in this order; nothing runs before Start.
type Checker struct {
	groups []Group
	o      Options
	slots  chan struct{}
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu   sync.Mutex
	busy map[*balancer.Member]bool // being checked, or waiting for a slot
}

// New makes a checker. It fails for a method that cannot be carried out.
func New(groups []Group, o Options) (*Checker, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		d := net.Dialer{KeepAlive: -1}
		o.Dial = d.DialContext
	}
	c := &Checker{groups: groups, o: o, slots: make(chan struct{}, max(o.Size, 1)), busy: map[*balancer.Member]bool{}}
	for _, g := range groups {
		for _, m := range g.Balancer.Members() {
			if name := m.Health().Method; !off(name) && find(name) == nil {
				return nil, fmt.Errorf("%s: hcmethod=%s cannot be carried out; the methods are %s", m.Model.HCMethod.Span, name, names())
			}
		}
	}
	return c, nil
}

func off(method string) bool { return method == "" || strings.EqualFold(method, "none") }

// Start begins to check; the first checks come one interval later.
func (c *Checker) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.wg.Go(func() { c.run(ctx) })
}

// Stop ends the checks under way, whose results do not count, and waits for them.
func (c *Checker) Stop() {
	if c.cancel != nil {
		c.cancel()
	}
	c.wg.Wait()
}

func (c *Checker) run(ctx context.Context) {
	for {
		d := slow
		if c.look(ctx, time.Now()) {
			d = tick
		}
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// job is one check, for all members that want the same.
type job struct {
	Target
	method, uri string
	cond        *Condition
}

// look starts what is due and reports whether any member has a method. The
// settings are read each time: balancer-manager may change them and add members.
func (c *Checker) look(ctx context.Context, now time.Time) bool {
	any := false
	due := map[job][]*balancer.Member{}
	for _, g := range c.groups {
		for _, m := range g.Balancer.Members() {
			h := m.Health()
			if off(h.Method) {
				continue
			}
			any = true
			if h.Checked.IsZero() {
				m.UpdateHealth(func(h *balancer.Health) { h.Checked = now })
				continue
			}
			if now.Sub(h.Checked) <= h.Interval || m.Status()&balancer.Stopped != 0 || !c.take(m) {
				continue
			}
			j := job{Target: g.Target(m), method: h.Method, uri: h.URI}
			if h.Expr != "" {
				j.cond = g.Condition(h.Expr)
			}
			due[j] = append(due[j], m)
		}
	}
	for j, ms := range due {
		c.wg.Go(func() { c.perform(ctx, j, ms) })
	}
	return any
}

func (c *Checker) take(m *balancer.Member) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[m] {
		return false
	}
	c.busy[m] = true
	return true
}

// perform waits for a slot, checks, and tells the members the result.
func (c *Checker) perform(ctx context.Context, j job, ms []*balancer.Member) {
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, m := range ms {
			delete(c.busy, m)
		}
	}()
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return
	}
	err := c.check(ctx, j)
	<-c.slots
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	for _, m := range ms {
		switch m.Checked(err == nil, now) {
		case balancer.HealthLost:
			c.o.Log.Warn("AH03303: health check takes the member out", "member", m.Name, "method", j.method, "reason", err)
		case balancer.HealthBack:
			c.o.Log.Info("AH03302: health check brings the member back", "member", m.Name, "method", j.method)
		}
	}
}
