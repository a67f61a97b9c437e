package session

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"clowder/runtime/tribes"
)

// fakeNet joins channels in one process. Messages with options 6 are handled
// before Send returns, all others a little later, each on its own.
type fakeNet struct {
	mu    sync.Mutex
	chans []*fakeChan
	delay func() time.Duration
}

type fakeChan struct {
	net  *fakeNet
	me   tribes.Member
	cl   *Cluster
	dead bool
	mute bool // takes messages and never reacts
	sent [][]byte
}

const app = "localhost#/app"

var errDead = errors.New("connection refused")

func (n *fakeNet) add(port int) *fakeChan {
	c := &fakeChan{net: n, me: tribes.Member{Host: []byte{127, 0, 0, 1}, Port: port, Alive: int64(100000 - port)}}
	c.me.UniqueID[0], c.me.UniqueID[1] = byte(port>>8), byte(port)
	c.cl = NewCluster(c, nil)
	n.mu.Lock()
	n.chans = append(n.chans, c)
	n.mu.Unlock()
	return c
}

// kill ends a channel as kill -9 does; the others are told when tell is set.
func (n *fakeNet) kill(c *fakeChan, tell bool) {
	n.mu.Lock()
	c.dead = true
	n.chans = slices.DeleteFunc(n.chans, func(o *fakeChan) bool { return o == c })
	others := slices.Clone(n.chans)
	n.mu.Unlock()
	if tell {
		for _, o := range others {
			o.cl.MemberDisappeared(c.me)
		}
	}
}

func (c *fakeChan) Local() tribes.Member { return c.me }

func (c *fakeChan) Members() []tribes.Member {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	var out []tribes.Member
	for _, o := range c.net.chans {
		if o != c {
			out = append(out, o.me)
		}
	}
	return out
}

func (c *fakeChan) Send(ctx context.Context, data []byte, opts tribes.SendOptions, to ...tribes.Member) error {
	var errs []error
	for _, m := range to {
		c.net.mu.Lock()
		i := slices.IndexFunc(c.net.chans, func(o *fakeChan) bool { return same(o.me, m) })
		if i < 0 || c.dead {
			c.net.mu.Unlock()
			errs = append(errs, errDead)
			continue
		}
		dst := c.net.chans[i]
		c.sent = append(c.sent, data)
		delay := time.Duration(0)
		if c.net.delay != nil && opts&6 != 6 {
			delay = c.net.delay()
		}
		c.net.mu.Unlock()
		if dst.mute {
			continue
		}
		if opts&6 == 6 {
			errs = append(errs, dst.cl.Message(c.me, data, opts))
			continue
		}
		time.AfterFunc(delay, func() { dst.cl.Message(c.me, data, opts) })
	}
	return errors.Join(errs...)
}

func delta(t testing.TB, c *fakeChan, change func(*Config)) Manager {
	t.Helper()
	cfg := Config{
		Context: app, JVMRoute: "s" + string(rune('0'+c.me.Port%10)), MaxInactive: 30 * time.Minute, SendOptions: 6,
		StateTransferTimeout: time.Minute, SendAllSessions: true, StateTimestampDrop: true,
	}
	if change != nil {
		change(&cfg)
	}
	m := c.cl.NewDelta(cfg)
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func stop(t testing.TB, all ...Manager) {
	for _, m := range all {
		if err := m.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func count(old any) any {
	n, _ := old.(int32)
	return n + 1
}

// visit is one request: the session of that id or a new one, tambah counted up.
func visit(t testing.TB, m Manager, id string) (*Session, int32) {
	t.Helper()
	s := m.Find(id)
	if s == nil {
		var err error
		if s, err = m.Create(); err != nil {
			t.Fatal(err)
		}
	} else {
		s.Access()
	}
	v := s.Update("tambah", count)
	if err := m.EndRequest(s); err != nil && !errors.Is(err, errDead) {
		t.Error(err)
	}
	return s, v.(int32)
}
