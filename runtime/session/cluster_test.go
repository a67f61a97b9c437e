package session

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clowder/runtime/javaser"
	"clowder/runtime/tribes"
)

func TestReplicateAndFailOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a, b, c := n.add(4001), n.add(4002), n.add(4003)
		ma, mb, mc := delta(t, a, nil), delta(t, b, nil), delta(t, c, nil)
		s, v := visit(t, ma, "")
		if v != 1 || !s.IsNew() || !strings.HasSuffix(s.ID(), ".s1") || len(s.ID()) != 35 {
			t.Fatalf("first visit: %d, %s", v, s.ID())
		}
		if got := mb.Find(s.ID()).Get("tambah"); got != int32(1) {
			t.Errorf("on the second node tambah is %v", got)
		}
		n.kill(a, true)
		onB := mb.Find(s.ID())
		newID := strings.TrimSuffix(s.ID(), "s1") + "s2"
		mb.ChangeID(onB, newID)
		if _, v := visit(t, mb, newID); v != 2 {
			t.Errorf("after failover tambah is %d", v)
		}
		if mc.Find(s.ID()) != nil || mc.Find(newID) == nil || mc.Find(newID).Get("tambah") != int32(2) {
			t.Error("the third node did not follow the new id")
		}
		onB.Invalidate()
		if mc.Count() != 0 || onB.Valid() {
			t.Error("the session lives on after Invalidate")
		}
		stop(t, ma, mb, mc)
	})
}

func TestJoinTakesState(t *testing.T) {
	for _, whole := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := &fakeNet{}
			blocks := func(c *Config) { c.SendAllSessions, c.SendAllSize, c.SendAllWait = whole, 2, time.Second }
			ma := delta(t, n.add(4001), blocks)
			var ids []string
			for range 5 {
				s, _ := visit(t, ma, "")
				s.Set("list", []any{"x", 1})
				if err := ma.EndRequest(s); err != nil {
					t.Error(err)
				}
				ids = append(ids, s.ID())
			}
			mb := delta(t, n.add(4002), blocks)
			if mb.Count() != 5 {
				t.Errorf("%d sessions after joining", mb.Count())
			}
			for _, id := range ids {
				s := mb.Find(id)
				if list, _ := s.Get("list").([]any); len(list) != 2 || list[1] != int32(1) || s.Get("tambah") != int32(1) {
					t.Errorf("session %s: %v", id, s.Get("list"))
				}
			}
			stop(t, ma, mb)
		})
	}
}

func TestTransferAsksTheNextMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		old, b := n.add(4001), n.add(4002)
		old.mute = true
		mb := delta(t, b, func(c *Config) { c.StateTransferTimeout = time.Second })
		visit(t, mb, "")
		time.AfterFunc(5*time.Second, func() { n.kill(old, true) })
		start := time.Now()
		mc := delta(t, n.add(4003), nil)
		if mc.Count() != 1 || time.Since(start) > 10*time.Second {
			t.Errorf("%d sessions after %v", mc.Count(), time.Since(start))
		}
		stop(t, mb, mc)
	})
}

func TestUnknownContextAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		n.add(4001)
		start := time.Now()
		m := delta(t, n.add(4002), nil)
		if time.Since(start) > time.Second {
			t.Errorf("waited %v", time.Since(start))
		}
		stop(t, m)
	})
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a, b := n.add(4001), n.add(4002)
		minute := func(c *Config) { c.MaxInactive = time.Minute }
		ma, mb := delta(t, a, minute), delta(t, b, minute)
		visit(t, ma, "")
		time.Sleep(75 * time.Second)
		if ma.Count() != 0 || mb.Count() != 0 {
			t.Errorf("primary %d, backup %d after the interval", ma.Count(), mb.Count())
		}
		visit(t, ma, "")
		n.kill(a, false)
		time.Sleep(100 * time.Second)
		if mb.Count() != 1 {
			t.Error("a backup expired before twice the interval")
		}
		time.Sleep(40 * time.Second)
		if mb.Count() != 0 {
			t.Error("a backup never expired")
		}
		stop(t, ma, mb)
	})
}

// With options 8 messages overtake each other; nothing is lost all the same.
func TestReordering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(1, 2))
		n := &fakeNet{delay: func() time.Duration { return time.Duration(rnd.IntN(1000)) * time.Millisecond }}
		async := func(c *Config) { c.SendOptions = 8 }
		ma, mb := delta(t, n.add(4001), async), delta(t, n.add(4002), async)
		for range 100 {
			s, _ := visit(t, ma, "")
			time.Sleep(1100 * time.Millisecond)
			if o := mb.Find(s.ID()); o == nil || o.Get("tambah") != int32(1) {
				t.Fatal("the first attributes of a session were lost")
			}
		}
		stop(t, ma, mb)
	})
}

func TestHoldBackIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := n.add(4001)
		m := delta(t, a, nil).(*manager)
		for i := range 5000 {
			m.process(tribes.Member{}, &message{event: evDelta, id: fmt.Sprint(i), data: make([]byte, 64<<10)})
			if q, b := m.held.size(); q > holdMessages || b > holdBytes {
				t.Fatalf("%d messages, %d bytes held", q, b)
			}
		}
		time.Sleep(holdTime + time.Millisecond)
		synctest.Wait()
		if q, b := m.held.size(); q != 0 || b != 0 {
			t.Errorf("%d messages, %d bytes held after %v", q, b, holdTime)
		}
		stop(t, m)
	})
}

func (h *holdBack) size() (messages, bytes int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.queue), h.bytes
}

// A takes B's session over without changing anything and without Access: SESSION_ACCESSED.
func TestAccessedTellsThePrimaryRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a, b := n.add(4001), n.add(4002)
		ma, mb := delta(t, a, nil), delta(t, b, nil)
		s, _ := visit(t, ma, "")
		before := len(b.sent)
		for range 3 {
			if err := mb.EndRequest(mb.Find(s.ID())); err != nil {
				t.Error(err)
			}
		}
		if len(b.sent) != before+1 {
			t.Fatalf("%d messages", len(b.sent)-before)
		}
		m, err := messageOf(object(t, b.sent[before]))
		if err != nil || m.event != evAccessed || m.id != s.ID() || m.data != nil || s.primary {
			t.Errorf("%+v, %v, still primary %t", m, err, s.primary)
		}
		stop(t, ma, mb)
	})
}

// Two members that start at once and ask each other do not wait for the time-out.
func TestStartingTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{delay: func() time.Duration { return time.Millisecond }}
		a, b := n.add(4001), n.add(4002)
		var ma, mb Manager
		done := make(chan struct{})
		start := time.Now()
		go func() { defer close(done); ma = delta(t, a, nil) }()
		mb = delta(t, b, nil)
		<-done
		if time.Since(start) > time.Second {
			t.Errorf("waited %v", time.Since(start))
		}
		stop(t, ma, mb)
	})
}

func TestUnknownTypeIsReportedAndStaysLocal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type cart struct{ n int }
		n := &fakeNet{}
		ma, mb := delta(t, n.add(4001), nil), delta(t, n.add(4002), nil)
		s, _ := ma.Create()
		s.Set("cart", cart{3})
		s.Set("ok", "yes")
		err := ma.EndRequest(s)
		if err == nil || !strings.Contains(err.Error(), `"cart"`) || !strings.Contains(err.Error(), "session.cart") {
			t.Errorf("error %v", err)
		}
		o := mb.Find(s.ID())
		if s.Get("cart") != (cart{3}) || o.Get("ok") != "yes" || o.Get("cart") != nil {
			t.Error("wrong attributes", o.Names())
		}
		stop(t, ma, mb)
	})
}

// Sequential requests of each session never see an older count, whichever nodes die and come back in between.
func TestHistoryNeverGoesBackwards(t *testing.T) {
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 7))
			n := &fakeNet{}
			nodes := map[*fakeChan]Manager{}
			var order []*fakeChan
			port := 4001
			join := func() {
				c := n.add(port)
				port++
				nodes[c] = delta(t, c, nil)
				order = append(order, c)
			}
			for range 3 {
				join()
			}
			var gone []Manager
			ids, want := make([]string, 5), make([]int32, 5)
			for range 300 {
				if x := rnd.IntN(20); x == 0 && len(order) > 1 {
					i := rnd.IntN(len(order))
					n.kill(order[i], rnd.IntN(2) == 0)
					gone = append(gone, nodes[order[i]])
					order = append(order[:i], order[i+1:]...)
				} else if x == 1 && len(order) < 4 {
					join()
				}
				k := rnd.IntN(len(ids))
				m := nodes[order[rnd.IntN(len(order))]]
				if old := m.Find(ids[k]); old != nil && rnd.IntN(3) == 0 {
					ids[k] = fmt.Sprintf("%s.r%d", strings.Split(ids[k], ".")[0], rnd.IntN(1000))
					m.ChangeID(old, ids[k])
					ids[k] = old.ID()
				}
				s, v := visit(t, m, ids[k])
				if ids[k] = s.ID(); v != want[k]+1 {
					t.Fatalf("seed %d: session %d has %d after %d", seed, k, v, want[k])
				}
				want[k] = v
				time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond)
			}
			for _, c := range order {
				gone = append(gone, nodes[c])
			}
			stop(t, gone...)
		})
	}
}

func TestStandardAndBinding(t *testing.T) {
	m := NewStandard(Config{Context: app, MaxActive: 1})
	created := 0
	b := &Binding{Manager: m, Requested: "nothing", OnCreate: func(*Session) { created++ }}
	r := Bind(httptest.NewRequest("GET", "/", nil), b)
	if Current(r) != nil {
		t.Error("a session without asking for one")
	}
	s := From(r)
	if From(r) != s || Current(r) != s || created != 1 || m.Find(s.ID()) != s || !s.IsNew() {
		t.Error("not one session for the request")
	}
	r2 := Bind(httptest.NewRequest("GET", "/", nil), &Binding{Manager: m, Requested: s.ID()})
	if From(r2) != s || s.IsNew() {
		t.Error("the requested session was not found")
	}
	if o := From(Bind(r, &Binding{Manager: m})); o == nil || m.Count() != 1 {
		t.Error("beyond the limit")
	}
	s.Invalidate()
	if o := From(r2); o == s || !o.Valid() || From(httptest.NewRequest("GET", "/", nil)) == nil {
		t.Error("after Invalidate a new session is due")
	}
}

func TestUnknownClassesAreHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a := n.add(4001)
		ma := delta(t, a, nil)
		msg, _ := messageOf(object(t, body(t, "session-delta-types")))
		ma.(*manager).created(msg.id, msg.stamp)
		_ = a.cl.Message(tribes.Member{}, body(t, "session-delta-types"), 6)
		mb := delta(t, n.add(4002), nil)
		s := mb.Find("B5138A2E24E01B01FCF3477B0578508C.s1")
		if s == nil {
			t.Fatal("no session")
		}
		p, ok := s.Get("t_person").(*javaser.Object)
		if !ok || p.Class.Name != "lab.Counter$Person" || s.Get("j_enum") != (javaser.EnumValue{Class: "lab.Counter$Colour", Name: "GREEN"}) {
			t.Errorf("person %#v, enum %#v", p, s.Get("j_enum"))
		}
		if got := len(s.Names()); got != 24 {
			t.Errorf("%d attributes", got)
		}
		stop(t, ma, mb)
	})
}

func FuzzMessage(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(vectors, "*.json"))
	for _, name := range files {
		if text, _ := os.ReadFile(name); strings.Contains(string(text), "SessionMessageImpl") || strings.Contains(string(text), "RpcMessage") {
			f.Add(body(f, strings.TrimSuffix(filepath.Base(name), ".json")))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n := &fakeNet{}
		c := n.add(4001)
		m := delta(t, c, nil).(*manager)
		m.created("B5138A2E24E01B01FCF3477B0578508C.s1", 1)
		if err := c.cl.Message(tribes.Member{}, data, 6); err != nil {
			t.Error(err)
		}
		for _, s := range m.all() {
			for _, name := range s.Names() {
				s.Get(name)
			}
			s.snapshot()
		}
		stop(t, m)
	})
}
