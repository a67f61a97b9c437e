package balancer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime/exchange"
)

// build makes a balancer from short specs: "a", "b status=+H factor=2 set=1 redirect=a retry=5".
func build(t testing.TB, change func(*model.Balancer), specs ...string) *Balancer {
	t.Helper()
	at := diag.Span{}
	mb := &model.Balancer{Name: model.Is("c", at)}
	for i, s := range specs {
		f := strings.Fields(s)
		m := &model.Member{URL: model.Is("http://10.0.0."+string(rune('1'+i)), at), Route: model.Is(f[0], at)}
		for _, kv := range f[1:] {
			k, v, _ := strings.Cut(kv, "=")
			switch k {
			case "status":
				m.Status = model.Is(v, at)
			case "redirect":
				m.Redirect = model.Is(v, at)
			case "factor":
				m.LoadFactor = model.Is(float64(v[0]-'0'), at)
			case "set":
				m.LBSet = model.Is(int(v[0]-'0'), at)
			case "retry":
				m.Retry = model.Is(time.Duration(v[0]-'0')*time.Second, at)
			}
		}
		mb.Members = append(mb.Members, m)
	}
	if change != nil {
		change(mb)
	}
	b, err := New(mb, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sticky(s string) func(*model.Balancer) {
	return func(b *model.Balancer) { b.Sticky.V = s }
}

// picks returns the routes of n requests one after another, "-" for none.
func picks(b *Balancer, n int, url string) string {
	var out strings.Builder
	for range n {
		m, _, err := b.Pick(ctx(), StickyRequest{URL: url})
		if err != nil {
			out.WriteByte('-')
			continue
		}
		out.WriteString(m.Route())
		m.Release()
	}
	return out.String()
}

func TestSelection(t *testing.T) {
	for _, c := range []struct {
		name, want string
		specs      []string
	}{
		{"equal", "abab", []string{"a", "b"}},
		{"weights 1 1 1 2", "dabcddabcd", []string{"a", "b", "c", "d factor=2"}},
		{"disabled", "bbb", []string{"a status=+D", "b"}},
		{"stopped", "bbb", []string{"a status=S", "b"}},
		{"error at start is tried at once", "abab", []string{"a status=+E", "b"}},
		{"draining", "bbb", []string{"a status=+N", "b"}},
		{"standby waits", "aaa", []string{"a", "b status=+H"}},
		{"standby serves", "bbb", []string{"a status=+D", "b status=+H"}},
		{"spare waits", "aaa", []string{"a", "b status=+R"}},
		{"spare replaces one", "bcbc", []string{"a status=+D", "b", "c status=+R", "d status=+R"}},
		{"next set waits", "aaa", []string{"a", "b set=1"}},
		{"next set serves, with a gap", "bbb", []string{"a status=+D", "b set=3"}},
		{"nobody", "--", []string{"a status=+D"}},
		{"no members", "-", nil},
	} {
		if got := picks(build(t, nil, c.specs...), len(c.want), "/"); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestSticky(t *testing.T) {
	for _, c := range []struct {
		name, url, cookie, want string
		change                  func(*model.Balancer)
	}{
		{"parameter", "/1;jsessionid=abc.b", "", "b", nil},
		{"no left boundary", "/1;xjsessionid=abc.b", "", "b", nil},
		{"query", "/1?jsessionid=abc.b&x=1", "", "b", nil},
		{"slash does not end it", "/1;jsessionid=abc.b/more", "", "", nil},
		{"semicolon without scolonpathdelim", "/1;jsessionid=abc.b;y=2", "", "", nil},
		{"semicolon with scolonpathdelim", "/1;jsessionid=abc.b;y=2", "", "b", func(b *model.Balancer) { b.ScolonDelim.V = true }},
		{"case counts", "/1;JSESSIONID=abc.b", "", "", nil},
		{"cookie", "/", "x=1; JSESSIONID=abc.b", "b", nil},
		{"blank before equals", "/", "JSESSIONID =abc.b", "b", nil},
		{"quotes stay", "/", `JSESSIONID="abc.b"`, "", nil},
		{"cookie of longer name", "/", "XJSESSIONID=abc.b", "", nil},
		{"URL without a route hides the cookie", "/1;jsessionid=abc", "JSESSIONID=abc.b", "", nil},
		{"first separator counts", "/", "JSESSIONID=a.b.c", "", nil},
		{"separator off", "/", "JSESSIONID=b", "b", func(b *model.Balancer) { b.StickySep.V = "Off" }},
		{"other separator", "/", "JSESSIONID=a!b", "b", func(b *model.Balancer) { b.StickySep.V = "!" }},
		{"leading delimiters are skipped", "/1;jsessionid=?abc.b", "", "b", nil},
	} {
		b := build(t, sticky("JSESSIONID|jsessionid"), "a", "b")
		if c.change != nil {
			b = build(t, func(m *model.Balancer) { m.Sticky.V = "JSESSIONID|jsessionid"; c.change(m) }, "a", "b")
		}
		req := StickyRequest{URL: c.url}
		if c.cookie != "" {
			req.Header = exchange.Header{{Name: "cookie", Value: c.cookie}}
		}
		m, ch, err := b.Pick(ctx(), req)
		want := c.want
		if want == "" {
			want = "a"
		}
		if err != nil || m.Route() != want || ch.RouteChanged != (c.want == "") {
			t.Errorf("%s: %v, %+v, %v", c.name, m.Route(), ch, err)
		}
	}
}

func TestRouteStates(t *testing.T) {
	url := "/;s=x.b"
	for _, c := range []struct {
		want  string
		specs []string
	}{
		{"bb", []string{"a", "b status=+N"}},
		{"bb", []string{"a", "b status=+R"}},
		{"bb", []string{"a", "b status=+H"}},
		{"aa", []string{"a", "b status=+D"}},
		{"cc", []string{"a", "b status=+D redirect=c", "c"}},
		{"bb", []string{"b status=+H", "a", "b status=+D"}},
	} {
		if got := picks(build(t, sticky("s"), c.specs...), 2, url); got != c.want {
			t.Errorf("%v: %s, want %s", c.specs, got, c.want)
		}
	}
	b := build(t, func(b *model.Balancer) { b.Sticky.V = "s"; b.NoFailover.V = true }, "a", "b status=+D")
	_, _, err := b.Pick(ctx(), StickyRequest{URL: url})
	if !errors.Is(err, ErrRoute) || err.Error() != "AH01167: balancer://c: All workers are in error state for route (b)" {
		t.Error(err)
	}
	if got := picks(b, 1, "/;s=x.unknown"); got != "a" {
		t.Error("an unknown route is none:", got)
	}
}

func TestRecoveryAndRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := build(t, nil, "a retry=5", "b retry=5")
		b.Members()[0].Fail()
		if got := picks(b, 2, "/"); got != "bb" {
			t.Error(got)
		}
		time.Sleep(6 * time.Second)
		if got := picks(b, 2, "/"); !strings.Contains(got, "a") {
			t.Error("not retried:", got)
		}
		b.Members()[0].Fail()
		b.Members()[1].Fail()
		if got := picks(b, 2, "/"); strings.Contains(got, "-") {
			t.Error("no recovery:", got)
		}
		off := build(t, func(b *model.Balancer) { b.ForceRecovery = model.Is(false, diag.Span{}) }, "a")
		off.Members()[0].Fail()
		if got := picks(off, 1, "/"); got != "-" {
			t.Error(got)
		}
		mixed := build(t, nil, "a", "b status=+D")
		mixed.Members()[0].Fail()
		if got := picks(mixed, 1, "/"); got != "-" {
			t.Error("a disabled member prevents recovery:", got)
		}
	})
}

func TestTimeoutWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := build(t, func(b *model.Balancer) { b.Timeout.V = 4 * time.Second }, "a status=+D")
		go func() {
			time.Sleep(time.Second)
			b.Members()[0].SetStatus(Disabled, false)
		}()
		if got := picks(b, 1, "/"); got != "a" {
			t.Error(got)
		}
	})
}

func TestMethods(t *testing.T) {
	b := build(t, func(b *model.Balancer) { b.LBMethod.V, b.LBMethod.Origin = "bytraffic", model.Written }, "a", "b")
	b.Members()[0].Count(1000, 5000)
	if got := picks(b, 2, "/"); got != "bb" {
		t.Error("bytraffic", got)
	}
	if !b.SetMethod("bybusyness") || b.SetMethod("nonsense") {
		t.Error("SetMethod")
	}
	m, _, _ := b.Pick(ctx(), StickyRequest{})
	if got := picks(b, 3, "/"); m.Route() != "a" || got != "bbb" {
		t.Error("bybusyness", m.Route(), got)
	}
	b.SetMethod("heartbeat")
	if got := picks(b, 1, "/"); got != "-" {
		t.Error(got)
	}
}

func TestStatusText(t *testing.T) {
	s, err := Initialized.Apply("D+H-D")
	if err != nil || s.String() != "Init Stby Ok " {
		t.Errorf("%q %v", s, err)
	}
	if _, err := s.Apply("x"); err == nil {
		t.Error("unknown letter accepted")
	}
}

func TestAddMember(t *testing.T) {
	b := build(t, func(b *model.Balancer) { b.Growth.V = 1 }, "a")
	for url, want := range map[string]error{"http://10.0.0.1/": ErrExists, "nonsense": ErrBadURL, "http://h:99999": ErrBadURL} {
		if _, err := b.AddMember(url); err != want {
			t.Errorf("%s: %v", url, err)
		}
	}
	m, err := b.AddMember("ajp://10.0.0.9:8009")
	if err != nil || m.Status()&Disabled == 0 {
		t.Error(err)
	}
	if _, err := b.AddMember("ajp://10.0.0.8:8009"); err != ErrFull {
		t.Error(err)
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("/a;jsessionid=abc.b?x", "JSESSIONID=abc.b; x=1", "JSESSIONID|jsessionid")
	f.Add("/;s=", "s =.", "s")
	f.Add("=s=s", ",s==;", "s|")
	f.Fuzz(func(t *testing.T, url, cookie, name string) {
		c := config{sticky: name, sep: '.'}
		route, by := c.route(&StickyRequest{URL: url, Header: exchange.Header{{Name: "Cookie", Value: cookie}}})
		if route == "" {
			return
		}
		if !strings.Contains(url, route) && !strings.Contains(cookie, route) {
			t.Fatalf("route %q is in neither", route)
		}
		if !strings.Contains(name, by) {
			t.Fatalf("found by %q", by)
		}
	})
}

func ctx() context.Context { return context.Background() }
