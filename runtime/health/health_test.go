package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/runtime/ajp"
	"clowder/runtime/balancer"
)

// fixture is a balancer whose members answer through pipes.
type fixture struct {
	b      *balancer.Balancer
	wg     sync.WaitGroup
	mu     sync.Mutex
	times  []time.Duration // of the checks, since the start
	heads  map[string]bool
	start  time.Time
	answer func(c net.Conn, head string) // nil: the connection is refused
}

func newFixture(t *testing.T, params ...string) *fixture {
	t.Helper()
	text := "<Proxy balancer://c>\n"
	for i, p := range params {
		text += fmt.Sprintf("BalancerMember http://10.0.0.%d:8080%s\n", i+1, p)
	}
	cfg, _ := httpd.Load(diag.NewFile("httpd.conf", []byte(text+"</Proxy>\n")), httpd.Options{})
	f, _, _ := httpd.Lower(cfg)
	b, err := balancer.New(f.Main.Balancers[0], balancer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{b: b, start: time.Now(), heads: map[string]bool{}}
}

func (f *fixture) dial(_ context.Context, _, addr string) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times = append(f.times, time.Since(f.start))
	if f.answer == nil {
		return nil, errors.New("refused")
	}
	a, b := net.Pipe()
	answer := f.answer
	f.wg.Go(func() {
		defer b.Close()
		r := bufio.NewReader(b)
		head := ""
		for !strings.HasSuffix(head, "\r\n\r\n") {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			head += line
		}
		f.mu.Lock()
		f.heads[addr+" "+head] = true
		f.mu.Unlock()
		answer(b, head)
	})
	return a, nil
}

func (f *fixture) set(answer func(net.Conn, string)) {
	f.mu.Lock()
	f.answer = answer
	f.mu.Unlock()
}

func (f *fixture) run(t *testing.T, o Options, cond *Condition) {
	t.Helper()
	o.Dial = f.dial
	c, err := New([]Group{{f.b, func(m *balancer.Member) Target {
		_, rest, _ := strings.Cut(m.URL, "://")
		host, path, ok := strings.Cut(rest, "/")
		if ok {
			path = "/" + path
		}
		return Target{Network: "tcp", Address: host, Host: host, Path: path, ConnectTimeout: time.Second, Timeout: time.Second, Ping: time.Second}
	}, func(string) *Condition { return cond }}}, o)
	if err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(func() { c.Stop(); f.wg.Wait() })
}

func says(text string) func(net.Conn, string) {
	return func(c net.Conn, _ string) { io.WriteString(c, text) }
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// TestRequests compares what is sent with what httpd sends (hcheck-02 to hcheck-09).
func TestRequests(t *testing.T) {
	for _, c := range []struct{ params, want string }{
		{" hcmethod=OPTIONS hcuri=/hc", "OPTIONS * HTTP/1.0"},
		{" hcmethod=OPTIONS11", "OPTIONS * HTTP/1.1"},
		{" hcmethod=HEAD hcuri=/hc", "HEAD /hc HTTP/1.0"},
		{" hcmethod=head11 hcuri=/hc", "HEAD /hc HTTP/1.1"},
		{" hcmethod=GET11 hcuri=/hc", "GET /hc HTTP/1.1"},
		{"/base hcmethod=GET hcuri=/hc", "GET /base//hc HTTP/1.0"},
		{" hcmethod=GET hcuri=hc", "GET hc HTTP/1.0"},
		{" hcmethod=GET", "GET  HTTP/1.0"},
		{"/base/ hcmethod=GET", "GET /base/ HTTP/1.0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, c.params+" hcinterval=1")
			f.answer = says(ok)
			f.run(t, Options{}, nil)
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			want := "10.0.0.1:8080 " + c.want + "\r\nHost: 10.0.0.1:8080\r\n\r\n"
			if len(f.heads) != 1 || !f.heads[want] {
				t.Errorf("%s: sent %v, want %q", c.params, f.heads, want)
			}
			if s := f.b.Members()[0].Status(); !s.Usable() {
				t.Errorf("%s: status %s", c.params, s)
			}
		})
	}
}

// TestStates counts failures and passes as hc_check does.
func TestStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, " hcmethod=TCP hcinterval=5 hcfails=2 hcpasses=3 retry=1")
		f.run(t, Options{}, nil)
		m := f.b.Members()[0]
		after := func(d time.Duration, want string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := m.Status().String(); got != want {
				t.Errorf("after %v: %q, want %q", time.Since(f.start), got, want)
			}
		}
		after(5500*time.Millisecond, "Init Ok ") // one failure
		after(5*time.Second, "Init HcFl ")
		f.set(func(net.Conn, string) {})
		after(10*time.Second, "Init HcFl ")
		after(6*time.Second, "Init Ok ") // three passes
		// A failure of a request is healed by checks, not only by the retry time.
		m.Fail()
		after(time.Second, "Init Err ")
		after(15*time.Second, "Init Ok ")
	})
}

// TestNotByTime shows that no request brings a member back that a check took out:
// the retry time is for errors of requests only (ap_proxy_retry_worker).
func TestNotByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, " hcmethod=TCP hcinterval=5 retry=1")
		f.run(t, Options{}, nil)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if _, _, err := f.b.Pick(t.Context(), balancer.StickyRequest{}); err == nil {
			t.Error("a member that failed its checks was chosen")
		}
		f.b.Members()[0].Fail()
		time.Sleep(3 * time.Second)
		if m, _, err := f.b.Pick(t.Context(), balancer.StickyRequest{}); err == nil {
			t.Errorf("%s was chosen", m.Status())
		}
	})
}

// TestInterval: the first check comes an interval after the start, the next one an
// interval after the end of the one before; a stopped member is left alone.
func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, " hcmethod=GET hcinterval=2")
		f.answer = func(c net.Conn, _ string) { time.Sleep(800 * time.Millisecond); io.WriteString(c, ok) }
		f.run(t, Options{Size: 4}, nil)
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if len(f.times) != 3 {
			t.Fatalf("checks at %v", f.times)
		}
		for i, want := range []time.Duration{2000, 4800, 7600} {
			if d := f.times[i] - want*time.Millisecond; d <= 0 || d > 350*time.Millisecond {
				t.Errorf("check %d at %v, want a tick or two after %v", i, f.times[i], want*time.Millisecond)
			}
		}
		f.b.Members()[0].SetStatus(balancer.Stopped, true)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(f.times) > 4 {
			t.Errorf("a stopped member was checked: %v", f.times)
		}
	})
}

// TestSize: no more checks run at one time than ProxyHCTPsize says.
func TestSize(t *testing.T) {
	for _, c := range []struct{ size, want int }{{0, 1}, {1, 1}, {3, 3}, {16, 6}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, " hcmethod=GET hcinterval=1", " hcmethod=GET hcinterval=1", " hcmethod=GET hcinterval=1",
				" hcmethod=GET hcinterval=1", " hcmethod=GET hcinterval=1", " hcmethod=GET hcinterval=1")
			var now, most atomic.Int32
			f.answer = func(c net.Conn, _ string) {
				most.Store(max(most.Load(), now.Add(1)))
				time.Sleep(900 * time.Millisecond)
				now.Add(-1)
				io.WriteString(c, ok)
			}
			f.run(t, Options{Size: c.size}, nil)
			time.Sleep(20 * time.Second)
			synctest.Wait()
			if int(most.Load()) != c.want {
				t.Errorf("ProxyHCTPsize %d: %d at one time, want %d", c.size, most.Load(), c.want)
			}
		})
	}
}

// TestAnswers is what passes and what does not.
func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		method, answer string
		pass           bool
	}{
		{"GET", ok, true},
		{"GET", "HTTP/1.0 302 Found\r\n\r\n", true},
		{"GET", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false},
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", false},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
		{"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", false},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true},
		{"OPTIONS", "HTTP/1.1 200 OK\r\nAllow: GET\r\n a b\r\n\r\n", true},
		{"GET", "HTTP/1.1 200\r\n\r\n", true},
		{"GET", "HTTP/2.0 200 OK\r\n\r\n", false},
		{"GET", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", false},
		{"GET", "HTTP/1.1 200 OK\r\n", false},
		{"GET", "hello", false},
		{"GET", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20000) + "\r\n", false},
		{"GET", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("b", 9000) + "\r\n\r\n", false},
		{"GET", "", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, " hcmethod="+c.method+" hcinterval=1")
			f.answer = says(c.answer)
			f.run(t, Options{}, nil)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := f.b.Members()[0].Status(); got.Usable() != c.pass {
				t.Errorf("%s answered %.60q: %s", c.method, c.answer, got)
			}
		})
	}
}

// TestSlow: a member that is too slow fails, and does not keep the checker busy.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, " hcmethod=GET hcinterval=1")
		f.answer = func(c net.Conn, _ string) {
			for range 100 {
				if _, err := io.WriteString(c, "H"); err != nil {
					return
				}
				time.Sleep(400 * time.Millisecond)
			}
		}
		f.run(t, Options{}, nil)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := f.b.Members()[0].Status(); got.Usable() {
			t.Error("a member that drips passes")
		}
	})
}

func TestPing(t *testing.T) {
	for _, c := range []struct {
		reply byte
		pass  bool
	}{{ajp.TypePong, true}, {4, false}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, " hcmethod=CPING hcinterval=1")
			m := f.b.Members()[0]
			ck, err := New([]Group{{f.b, func(*balancer.Member) Target {
				return Target{Address: "x", ConnectTimeout: time.Second, Timeout: time.Second, Ping: time.Second}
			}, nil}}, Options{Log: slog.New(slog.DiscardHandler), Dial: func(context.Context, string, string) (net.Conn, error) {
				a, b := net.Pipe()
				go func() {
					defer b.Close()
					var head [5]byte
					if io.ReadFull(b, head[:]); head == [5]byte{0x12, 0x34, 0, 1, 10} {
						b.Write([]byte{'A', 'B', 0, 1, c.reply})
					}
				}()
				return a, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			ck.Start()
			defer ck.Stop()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := m.Status(); got.Usable() != c.pass {
				t.Errorf("answer %d: %s", c.reply, got)
			}
		})
	}
}

// TestShared: equal members of several servers are checked once for all.
func TestShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newFixture(t, " hcmethod=GET hcinterval=1"), newFixture(t, " hcmethod=GET hcinterval=1")
		target := func(*balancer.Member) Target {
			return Target{Address: "x", ConnectTimeout: time.Second, Timeout: time.Second}
		}
		c, err := New([]Group{{a.b, target, nil}, {b.b, target, nil}}, Options{Size: 4, Dial: a.dial})
		if err != nil {
			t.Fatal(err)
		}
		c.Start()
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		c.Stop()
		if len(a.times) != 1 || a.b.Members()[0].Status().Usable() || b.b.Members()[0].Status().Usable() {
			t.Errorf("checks at %v: %s, %s", a.times, a.b.Members()[0].Status(), b.b.Members()[0].Status())
		}
	})
}

// TestSecure: without settings for TLS nothing is sent in the clear.
func TestSecure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, " hcmethod=GET hcinterval=1")
		f.answer = says(ok)
		c, err := New([]Group{{f.b, func(*balancer.Member) Target {
			return Target{Address: "x", Secure: true, ConnectTimeout: time.Second, Timeout: time.Second}
		}, nil}}, Options{Dial: f.dial})
		if err != nil {
			t.Fatal(err)
		}
		c.Start()
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		c.Stop()
		f.wg.Wait()
		if len(f.heads) != 0 || f.b.Members()[0].Status().Usable() {
			t.Errorf("sent %v: %s", f.heads, f.b.Members()[0].Status())
		}
	})
}

func TestProviderIsRefused(t *testing.T) {
	f := newFixture(t, " hcmethod=TCP")
	f.b.Members()[0].UpdateHealth(func(h *balancer.Health) { h.Method = "PROVIDER" })
	_, err := New([]Group{{Balancer: f.b}}, Options{})
	if err == nil || !strings.Contains(err.Error(), "httpd.conf:2:") || !strings.Contains(err.Error(), "PROVIDER") {
		t.Error(err)
	}
}

// TestConditionDecides: with a condition the status alone does not count.
func TestConditionDecides(t *testing.T) {
	for _, c := range []struct {
		expr string
		pass bool
	}{
		{"{%{REQUEST_STATUS} == 500}", true},
		{"%{REQUEST_STATUS} =~ /^[234]/", false},
		{"hc('body') =~ /Under maint/", true},
		{"hc('body') !~ /maint/i", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, " hcmethod=GET hcinterval=1")
			f.b.Members()[0].UpdateHealth(func(h *balancer.Health) { h.Expr = "x" })
			f.answer = says("HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\nUnder maintenance")
			cond, err := Compile(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			f.run(t, Options{}, cond)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got := f.b.Members()[0].Status(); got.Usable() != c.pass {
				t.Errorf("%s: %s", c.expr, got)
			}
		})
	}
}
