package balancer

import (
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/httpd"
)

func load(t *testing.T, params string, members ...string) *Balancer {
	t.Helper()
	text := "<Proxy balancer://c>\nBalancerMember " + strings.Join(members, "\nBalancerMember ") + "\nProxySet growth=1 " + params + "\n</Proxy>\n"
	cfg, _ := httpd.Load(diag.NewFile("httpd.conf", []byte(text)), httpd.Options{})
	f, _, _ := httpd.Lower(cfg)
	b, err := New(f.Main.Balancers[0], Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAdopt reloads a balancer with one member unchanged, one changed, one gone
// and one new, after balancer-manager and requests have changed its state.
func TestAdopt(t *testing.T) {
	old := load(t, "stickysession=S", "http://a:1 route=a", "http://b:1 route=b loadfactor=2", "http://c:1")
	a, b := old.Members()[0], old.Members()[1]
	for range 10 {
		if _, _, err := old.Pick(t.Context(), StickyRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	a.SetStatus(Disabled, true)
	b.Fail()
	b.SetRoute("bb")
	old.SetAttempts(7)
	added, err := old.AddMember("http://d:1")
	if err != nil {
		t.Fatal(err)
	}
	before := []Snapshot{a.Snapshot(), b.Snapshot()}

	fresh := load(t, "nofailover=On stickysession=T", "http://b:1 route=b loadfactor=3", "http://e:1", "http://a:1 route=a")
	fresh.Adopt(old, true)
	ms := fresh.Members()
	if len(ms) != 4 || ms[2] != a || ms[3] != added || ms[1].Snapshot().Elected != 0 {
		t.Fatalf("members %v", ms)
	}
	if s := ms[0].Snapshot(); ms[0] == b || s.Elected != before[1].Elected || s.Busy != before[1].Busy || s.Load != before[1].Load ||
		s.Status&InError == 0 || s.Route != "bb" || s.Factor != 300 || !s.ErrorTime.Equal(before[1].ErrorTime) {
		t.Errorf("changed member: %+v, was %+v", s, before[1])
	}
	if s := a.Snapshot(); s != before[0] {
		t.Errorf("same member: %+v, was %+v", s, before[0])
	}
	if s := fresh.Settings(); s.Sticky != "T" || !s.NoFailover || s.Attempts != 7 || fresh.Nonce != old.Nonce || s.Room != 0 {
		t.Errorf("%+v", s)
	}
	// A request of before ends.
	busy := ms[0].Snapshot().Busy
	b.Release()
	if got := ms[0].Snapshot().Busy; busy == 0 || got != busy-1 {
		t.Errorf("busy %d, was %d", got, busy)
	}
	// One of before fails.
	ms[0].SetStatus(InError, false)
	b.Fail()
	if ms[0].Usable() {
		t.Error("an error seen by a request of the old configuration is forgotten")
	}
}

// TestAdoptSettings: what a new configuration says counts, what it does not change
// stays as balancer-manager left it.
func TestAdoptSettings(t *testing.T) {
	old := load(t, "", "http://a:1 status=+D", "http://b:1 hcmethod=TCP")
	old.Members()[0].SetStatus(Disabled, false)
	old.Members()[1].SetStatus(HealthFailed, true)
	for _, c := range []struct {
		a, b       string
		reuse      bool
		usable, ok bool
	}{
		{"http://a:1 status=+D", "http://b:1 hcmethod=TCP", true, true, false},
		{"http://a:1 status=+D", "http://b:1 hcmethod=TCP", false, true, false},
		{"http://a:1 status=+D timeout=5", "http://b:1 hcmethod=TCP hcpasses=2", true, true, false},
		{"http://a:1 status=+S", "http://b:1", true, false, true},
	} {
		b := load(t, "", c.a, c.b)
		b.Adopt(old, c.reuse)
		ms := b.Members()
		if ms[0].Usable() != c.usable || ms[1].Usable() != c.ok {
			t.Errorf("%s, %s: %s, %s", c.a, c.b, ms[0].Status(), ms[1].Status())
		}
		if same := ms[0] == old.Members()[0]; same != (c.reuse && c.a == "http://a:1 status=+D") {
			t.Errorf("%s: same object %v", c.a, same)
		}
	}
}

func TestAdoptWorker(t *testing.T) {
	b, c := load(t, "", "http://a:1"), load(t, "", "http://a:1 timeout=3")
	w, _ := NewWorker(b.Members()[0].Model, Options{})
	w.Acquire()
	same, _ := NewWorker(w.Model, Options{})
	if AdoptWorker(same, w, true) != w {
		t.Error("not the same")
	}
	other, _ := NewWorker(c.Members()[0].Model, Options{})
	if got := AdoptWorker(other, w, true); got != other || got.Snapshot().Busy != 1 || got.Status()&Ignore == 0 {
		t.Errorf("%+v", got.Snapshot())
	}
	w.Release()
	if other.Snapshot().Busy != 0 {
		t.Error("still busy")
	}
}
