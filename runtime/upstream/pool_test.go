package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes dials one end of a net.Pipe; the other ends arrive on the channel.
func pipes(t *testing.T) (func(context.Context, string, string) (net.Conn, error), chan net.Conn) {
	far := make(chan net.Conn, 64)
	return func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		far <- b
		return a, nil
	}, far
}

func must(t *testing.T, p *Pool, fresh bool) *PooledConn {
	t.Helper()
	c, err := p.Get(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantStats(t *testing.T, p *Pool, open, idle, waiting int) {
	t.Helper()
	if s := p.Stats(); s != (Stats{open, idle, waiting}) {
		t.Errorf("stats %+v, want %d %d %d", s, open, idle, waiting)
	}
}

func TestPoolLIFO(t *testing.T) {
	dial, _ := pipes(t)
	p := NewPool(PoolConfig{Dial: dial})
	a, b := must(t, p, false), must(t, p, false)
	a.Attach = "kept"
	b.Put()
	a.Put()
	wantStats(t, p, 2, 2, 0)
	if c := must(t, p, false); c != a || !c.Reused() || c.Attach != "kept" {
		t.Error("not the connection used last")
	}
	if c := must(t, p, true); c == b || c.Reused() {
		t.Error("fresh gave an old connection")
	}
	if c := must(t, p, false); c != b || c.Uses != 1 {
		t.Error("not the idle connection")
	}
	wantStats(t, p, 3, 0, 0)
	b.Discard()
	wantStats(t, p, 2, 0, 0)
}

func TestPoolDisableReuse(t *testing.T) {
	dial, _ := pipes(t)
	p := NewPool(PoolConfig{Dial: dial, DisableReuse: true})
	must(t, p, false).Put()
	wantStats(t, p, 0, 0, 0)
}

func phaseOf(err error) Phase {
	var e *Error
	if errors.As(err, &e) {
		return e.Phase
	}
	return ""
}

func TestPoolAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, _ := pipes(t)
		p := NewPool(PoolConfig{Dial: dial, Max: 1, Acquire: time.Second})
		c := must(t, p, false)
		began := time.Now()
		_, err := p.Get(t.Context(), false)
		var e *Error
		if !errors.As(err, &e) || e.Phase != Acquire || !e.Timeout || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		wantStats(t, p, 1, 0, 0)

		// A connection that gets free goes to the one who waits longest.
		got := make(chan int, 3)
		for i := range 2 {
			go func() {
				c, err := p.Get(t.Context(), false)
				if err != nil {
					t.Error(err)
					return
				}
				got <- i
				c.Put()
			}()
			synctest.Wait()
		}
		wantStats(t, p, 1, 0, 2)
		c.Put()
		if a, b := <-got, <-got; a != 0 || b != 1 {
			t.Error("order", a, b)
		}
		synctest.Wait()
		wantStats(t, p, 1, 1, 0)

		// One that is closed leaves its place.
		c = must(t, p, false)
		go func() {
			c, err := p.Get(t.Context(), false)
			if err != nil || c.Reused() {
				t.Error("in the place of a closed one:", err)
			}
			got <- 3
		}()
		synctest.Wait()
		c.Discard()
		<-got
		wantStats(t, p, 1, 0, 0)

		// The context ends the wait.
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := p.Get(ctx, false); !errors.Is(err, context.Canceled) || phaseOf(err) != Acquire {
			t.Error(err)
		}
		wantStats(t, p, 1, 0, 0)
	})
}

func TestPoolTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, _ := pipes(t)
		p := NewPool(PoolConfig{Dial: dial, SMax: 1, TTL: time.Minute})
		a, b, c := must(t, p, false), must(t, p, false), must(t, p, false)
		a.Put()
		b.Put()
		time.Sleep(time.Minute)
		c.Put()
		wantStats(t, p, 1, 1, 0)
		time.Sleep(time.Hour)
		if must(t, p, false) != c {
			t.Error("smax connections stay")
		}
	})
}

func TestPoolClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, far := pipes(t)
		p := NewPool(PoolConfig{Dial: dial, Max: 2})
		a, b := must(t, p, false), must(t, p, false)
		errs := make(chan error)
		go func() { _, err := p.Get(t.Context(), false); errs <- err }()
		synctest.Wait()
		p.Close()
		if err := <-errs; !errors.Is(err, ErrPoolClosed) {
			t.Error(err)
		}
		a.Put()
		b.Discard()
		wantStats(t, p, 0, 0, 0)
		for range 2 {
			if _, err := (<-far).Read(make([]byte, 1)); err != io.EOF {
				t.Error(err)
			}
		}
		if _, err := p.Get(t.Context(), false); !errors.Is(err, ErrPoolClosed) {
			t.Error(err)
		}
	})
}

// TestPoolProbe: a connection that was closed, or has unread data, is not used again.
func TestPoolProbe(t *testing.T) {
	for _, wrap := range []func(net.Conn) net.Conn{nil, func(c net.Conn) net.Conn { return struct{ net.Conn }{c} }} {
		for name, spoil := range map[string]func(net.Conn){
			"closed": func(c net.Conn) { c.Close() },
			"reset":  func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() },
			"unread": func(c net.Conn) { c.Write([]byte("x")) },
			"alive":  func(c net.Conn) {},
		} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			p := NewPool(PoolConfig{Address: l.Addr().String(), Wrap: wrap, KeepAlive: true})
			c := must(t, p, false)
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			c.Put()
			spoil(far)
			if name != "alive" { // until it has arrived
				c.Conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				c.R.Peek(1)
				if name == "unread" {
					spoil(far)
					far.Close()
				}
				c.Conn.SetReadDeadline(time.Time{})
			}
			got := must(t, p, false)
			if reused := got == c; reused != (name == "alive") {
				t.Errorf("%s: reused %v", name, reused)
			}
			wantStats(t, p, 1, 0, 0)
			got.Discard()
		}
	}
}

func TestPoolConnectErrors(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	p := NewPool(PoolConfig{Address: addr})
	if _, err := p.Get(t.Context(), false); phaseOf(err) != Connect {
		t.Error("refused:", err)
	}
	wantStats(t, p, 0, 0, 0)
	p = NewPool(PoolConfig{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x"}}
	}})
	if _, err := p.Get(t.Context(), false); phaseOf(err) != Resolve {
		t.Error("lookup:", err)
	}
	synctest.Test(t, func(t *testing.T) {
		p := NewPool(PoolConfig{ConnectTimeout: 3 * time.Second, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		_, err := p.Get(t.Context(), false)
		var e *Error
		if !errors.As(err, &e) || e.Phase != Connect || !e.Timeout {
			t.Error("connect timeout:", err)
		}
	})
}

// TestPoolCrowd: many users, few connections, and the count stays right.
func TestPoolCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial := func(context.Context, string, string) (net.Conn, error) {
			a, _ := net.Pipe()
			return a, nil
		}
		p := NewPool(PoolConfig{Dial: dial, Max: 3, Acquire: 50 * time.Millisecond})
		var busy, failed atomic.Int32
		for i := range 60 {
			go func() {
				for j := range 20 {
					c, err := p.Get(t.Context(), (i+j)%7 == 0)
					if err != nil {
						failed.Add(1)
						continue
					}
					if busy.Add(1) > 3 {
						t.Error("more than Max at one time")
					}
					time.Sleep(time.Duration(1+(i*j)%5) * time.Millisecond)
					busy.Add(-1)
					if (i+j)%11 == 0 {
						c.Discard()
					} else {
						c.Put()
					}
				}
			}()
		}
		time.Sleep(time.Hour)
		s := p.Stats()
		if s.Waiting != 0 || s.Open != s.Idle || s.Open > 3 || failed.Load() == 60*20 {
			t.Errorf("%+v, %d failed", s, failed.Load())
		}
		p.Close()
		wantStats(t, p, 0, 0, 0)
	})
}
