package tribes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"clowder/parse/model"
)

// Listener takes what a channel receives.
type Listener interface {
	// Message is called in order per connection of a sender, and from many
	// goroutines for different connections. data is valid during the call only.
	// An error makes the answer to a message with UseAck and Sync a FAIL_ACK.
	Message(from Member, data []byte, opts SendOptions) error
	// MemberAdded and MemberDisappeared are called one at a time, in order.
	MemberAdded(Member)
	MemberDisappeared(Member)
}

// ErrStopped is given by a channel that is not running.
var ErrStopped = errors.New("the channel is not running")

// Channel is one member of a cluster (group.GroupChannel). Its methods may be
// called from many goroutines. A channel is started once.
type Channel struct {
	cfg settings
	tr  Transport
	log *slog.Logger
	lst Listener

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	began  time.Time
	ln     net.Listener
	mcast  *mcast

	mu      sync.Mutex
	running bool
	closing bool
	local   Member
	lower   map[key]*lower        // what membership says
	known   map[key]Member        // what the failure detector lets through
	adding  map[key]bool          // members being probed now
	remSusp map[key]time.Time     // members gone by membership, yet alive
	conns   map[net.Conn]struct{} // inbound
	dests   map[string]*dest
	notes   []note
	wake    chan struct{}

	queue  queueState
	recent recent
	warned sync.Map // things logged once
	failed atomic.Int64
}

// lower is a member below the failure detector.
type lower struct {
	m      Member
	heard  time.Time
	static bool
	fixed  bool // its uniqueId is configured
}

// note is one membership event on its way to the listener.
type note struct {
	m     Member
	added bool
}

// maxMembers bounds how many members multicast can make this one remember.
const maxMembers = 1024

// FromModel makes the channel of a cluster. It does not touch the network.
func FromModel(c *model.Cluster, o Options) (*Channel, error) {
	s, err := settingsOf(c, o)
	if err != nil {
		return nil, err
	}
	ch := &Channel{
		cfg: s, tr: o.Transport, log: o.Log,
		lower: map[key]*lower{}, known: map[key]Member{}, adding: map[key]bool{},
		remSusp: map[key]time.Time{}, conns: map[net.Conn]struct{}{}, dests: map[string]*dest{}, wake: make(chan struct{}, 1),
	}
	if ch.tr == nil {
		ch.tr = network{}
	}
	if ch.log == nil {
		ch.log = slog.Default()
	}
	if o.NodeName != "" {
		ch.log = ch.log.With("node", o.NodeName)
	}
	if o.Engine != "" {
		ch.log = ch.log.With("engine", o.Engine)
	}
	return ch, nil
}

// SetListener sets who takes messages and membership events. Call it before Start.
func (c *Channel) SetListener(l Listener) { c.lst = l }

// Start opens the receiver and joins the cluster: with multicast it listens for
// twice the heartbeat frequency, then announces itself for as long, as Tomcat
// does; with static members it probes and notifies each of them once. When it
// fails nothing stays open. ctx bounds the start only.
func (c *Channel) Start(ctx context.Context) error {
	c.mu.Lock()
	if c.ctx != nil {
		c.mu.Unlock()
		return errors.New("the channel was started before")
	}
	c.ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	c.mu.Unlock()
	c.began = time.Now()
	if err := c.start(ctx); err != nil {
		c.closeAll()
		c.wg.Wait()
		return err
	}
	return nil
}

func (c *Channel) start(ctx context.Context) error {
	host, err := c.resolveLocal(ctx)
	if err != nil {
		return err
	}
	ln, port, err := c.bind(ctx, host)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.ln = ln
	c.local = Member{Host: host, Port: port, SecurePort: c.cfg.securePort, UDPPort: c.cfg.udpPort, Domain: c.cfg.domain, UniqueID: c.cfg.localID}
	c.running = true
	c.mu.Unlock()
	c.log.Info("receiver bound", "address", ln.Addr().String())
	c.wg.Go(c.accept)
	c.wg.Go(c.notifier)
	if c.cfg.mcast {
		if err := c.startMcast(ctx); err != nil {
			return err
		}
	}
	if len(c.cfg.static) > 0 {
		if err := c.startStatic(ctx); err != nil {
			return err
		}
	}
	c.wg.Go(c.heartbeats)
	return nil
}

// resolveLocal gives the address to bind and announce (ReceiverBase.getBind).
func (c *Channel) resolveLocal(ctx context.Context) ([]byte, error) {
	switch c.cfg.address {
	case "":
		return []byte{127, 0, 0, 1}, nil
	case "auto":
		host, err := c.tr.Resolve(ctx, "")
		if err != nil {
			c.log.Warn("the host name does not resolve; the receiver listens on 127.0.0.1", "err", err)
			return []byte{127, 0, 0, 1}, nil
		}
		return host, nil
	}
	host, err := c.tr.Resolve(ctx, c.cfg.address)
	if err != nil {
		return nil, fmt.Errorf("receiver address %q: %w", c.cfg.address, err)
	}
	return host, nil
}

// Stop says good-bye to the cluster, closes everything and waits for it, at most
// until ctx is done. Queued messages get up to two seconds to leave first.
func (c *Channel) Stop(ctx context.Context) error {
	c.mu.Lock()
	if !c.running || c.closing {
		c.mu.Unlock()
		return nil
	}
	c.closing = true
	c.mu.Unlock()
	drain, cancel := context.WithTimeout(ctx, 2*time.Second)
	c.queue.wait(drain)
	cancel()
	c.stopStatic(ctx)
	c.leaveMcast()
	c.closeAll()
	done := make(chan struct{})
	go func() { c.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopping the channel: %w", ctx.Err())
	}
}

func (c *Channel) closeAll() {
	c.cancel()
	c.mu.Lock()
	c.running = false
	if c.ln != nil {
		c.ln.Close()
	}
	for conn := range c.conns {
		conn.Close()
	}
	dests := c.dests
	c.dests = map[string]*dest{}
	mc := c.mcast
	c.mu.Unlock()
	for _, d := range dests {
		d.close()
	}
	if mc != nil {
		mc.close()
	}
}

// Local returns this member as it announces itself; before Start it is zero.
func (c *Channel) Local() Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local
}

// Members returns the other members, the oldest (largest alive time) first.
func (c *Channel) Members() []Member {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Member, 0, len(c.known))
	for _, m := range c.known {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b Member) int {
		if a.Alive != b.Alive {
			if a.Alive > b.Alive {
				return -1
			}
			return 1
		}
		if n := bytes.Compare(a.Host, b.Host); n != 0 {
			return n
		}
		if a.Port != b.Port {
			return a.Port - b.Port
		}
		return bytes.Compare(a.UniqueID[:], b.UniqueID[:])
	})
	return out
}

// Unhandled returns how many messages the listener could not handle so far. Of
// each member only the first one is logged.
func (c *Channel) Unhandled() int64 { return c.failed.Load() }

// announce puts an event on its way to the listener. c.mu is held.
func (c *Channel) announce(m Member, added bool) {
	if added {
		c.log.Info("member added", "member", m.Name())
	} else {
		c.log.Info("member disappeared", "member", m.Name())
	}
	c.notes = append(c.notes, note{m, added})
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// notifier calls the listener with the membership events, in order.
func (c *Channel) notifier() {
	for {
		c.mu.Lock()
		list := c.notes
		c.notes = nil
		c.mu.Unlock()
		for _, n := range list {
			switch {
			case c.lst == nil:
			case n.added:
				c.lst.MemberAdded(n.m)
			default:
				c.lst.MemberDisappeared(n.m)
			}
		}
		if len(list) > 0 {
			continue
		}
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
	}
}

// once reports whether this is the first call for that thing.
func (c *Channel) once(what string) bool {
	_, seen := c.warned.LoadOrStore(what, true)
	return !seen
}

// sleep waits and reports false when the channel stops or ctx ends first.
func (c *Channel) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.ctx.Done():
	case <-ctx.Done():
	}
	return false
}

// address returns the "host:port" of the member's receiver.
func (m Member) address() string {
	return net.JoinHostPort(net.IP(m.Host).String(), strconv.Itoa(m.Port))
}
