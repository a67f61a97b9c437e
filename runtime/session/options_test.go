package session

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"clowder/runtime/tribes"
)

func TestExpireOnShutdown(t *testing.T) {
	for _, whole := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := &fakeNet{}
			opt := func(c *Config) { c.ExpireOnShutdown = whole }
			ma, mb := delta(t, n.add(4001), opt), delta(t, n.add(4002), opt)
			visit(t, ma, "")
			stop(t, ma)
			if left := mb.Count(); (left == 0) != whole || ma.Count() != 0 {
				t.Errorf("ExpireOnShutdown %t: %d sessions left on the other node", whole, left)
			}
			stop(t, mb)
		})
	}
}

func TestNameFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		opt := func(c *Config) { c.NameFilter = "user|cart.*" }
		ma, mb := delta(t, n.add(4001), opt), delta(t, n.add(4002), opt)
		s, _ := ma.Create()
		for _, name := range []string{"user", "user2", "cart7", "javax.security.auth.subject"} {
			s.Set(name, "x")
		}
		if err := ma.EndRequest(s); err != nil {
			t.Error(err)
		}
		mc := delta(t, n.add(4003), opt)
		for _, m := range []Manager{mb, mc} {
			if got := m.Find(s.ID()).Names(); !slices.Equal(got, []string{"cart7", "user"}) {
				t.Errorf("replicated %v", got)
			}
		}
		stop(t, ma, mb, mc)
	})
}

// Messages that arrive during the transfer are replayed after it, those older than the snapshot only on request.
func TestQueueDuringTransfer(t *testing.T) {
	for _, drop := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			n := &fakeNet{}
			peer, b := n.add(4001), n.add(4002)
			peer.mute = true
			time.AfterFunc(time.Second, func() {
				now := nowMS()
				for id, stamp := range map[string]int64{"OLD": now - 1000, "NEW": now + 1000} {
					data, _ := (&message{event: evCreated, stamp: stamp, context: app, id: id}).encode()
					b.cl.Message(peer.me, data, 6)
				}
				data, _ := (&message{event: evTransferComplete, stamp: now, context: app}).encode()
				b.cl.Message(peer.me, data, 8)
			})
			m := delta(t, b, func(c *Config) { c.StateTimestampDrop = drop })
			if m.Find("NEW") == nil || (m.Find("OLD") == nil) != drop {
				t.Errorf("StateTimestampDrop %t: %d sessions", drop, m.Count())
			}
			stop(t, m)
		})
	}
}

func TestActionsOfOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, all := range []bool{false, true} {
			n := &fakeNet{}
			a := n.add(4001)
			m := delta(t, a, func(c *Config) { c.RecordAllActions = all })
			n.add(4002)
			s, _ := m.Create()
			s.Set("a", 1)
			s.Set("b", 2)
			s.Set("a", 3)
			if err := m.EndRequest(s); err != nil {
				t.Error(err)
			}
			msg, err := messageOf(object(t, a.sent[len(a.sent)-1]))
			if err != nil {
				t.Fatal(err)
			}
			id, rec, actions, err := decodeDelta(msg.data)
			var names []string
			for _, x := range actions {
				names = append(names, x.name)
			}
			want := []string{nameIsNew, nameMaxInterval, "b", "a"}
			if all {
				want = []string{nameIsNew, nameMaxInterval, "a", "b", "a"}
			}
			if err != nil || id != s.ID() || rec != all || !slices.Equal(names, want) {
				t.Errorf("%v %q %t %v, want %v", err, id, rec, names, want)
			}
			stop(t, m)
		}
	})
}

func TestUnknownRPCIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNet{}
		a, b := n.add(4001), n.add(4002)
		if err := a.cl.Message(b.me, body(t, "map-init-request"), tribes.SendOptions(2)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(a.sent) != 1 || object(t, a.sent[0]).Class.Name != nameRPC+"$NoRpcChannelReply" {
			t.Errorf("%d answers", len(a.sent))
		}
	})
}
