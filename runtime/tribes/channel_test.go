package tribes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"clowder/parse/model"
	"clowder/runtime/tribes/memnet"
)

// recorder is a Listener that keeps what it gets.
type recorder struct {
	mu     sync.Mutex
	msgs   []string
	events []string
	err    error
	delay  time.Duration
}

func (r *recorder) Message(_ Member, data []byte, _ SendOptions) error {
	time.Sleep(r.delay)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.msgs = append(r.msgs, string(data))
	return r.err
}
func (r *recorder) MemberAdded(m Member)       { r.event("+" + fmt.Sprint(m.Port)) }
func (r *recorder) MemberDisappeared(m Member) { r.event("-" + fmt.Sprint(m.Port)) }
func (r *recorder) event(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, s)
}
func (r *recorder) got() (msgs, events string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.msgs, " "), strings.Join(r.events, " ")
}

type testNode struct {
	*Channel
	*recorder
}

func newNode(t *testing.T, o Options, edit func(*model.Cluster)) testNode {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	cl := &model.Cluster{}
	if edit != nil {
		edit(cl)
	}
	c, err := FromModel(cl, o)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	c.SetListener(r)
	return testNode{c, r}
}

func start(t *testing.T, o Options) testNode {
	t.Helper()
	n := newNode(t, o, nil)
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

func stop(t *testing.T, nodes ...testNode) {
	t.Helper()
	for _, n := range nodes {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func wantEvents(t *testing.T, n testNode, want string) {
	t.Helper()
	synctest.Wait()
	if _, got := n.got(); got != want {
		t.Errorf("events %q, want %q", got, want)
	}
}

// TestLife walks through join, order by age, leave and crash. A goroutine that
// outlives its channel fails the bubble.
func TestLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		h1, h2 := n.Host("10.0.0.1"), n.Host("10.0.0.2")
		a := start(t, Options{Transport: h1})
		b := start(t, Options{Transport: h1}) // same host: the next port
		c := start(t, Options{Transport: h2, PortOffset: 0})
		wantEvents(t, a, "+4001 +4000")
		wantEvents(t, c, a1(c))
		if m := c.Members(); len(m) != 2 || !m[0].Same(a.Local()) || !m[1].Same(b.Local()) {
			t.Errorf("members of c: %v", m)
		}
		stop(t, b)
		wantEvents(t, a, "+4001 +4000 -4001")
		before := time.Now()
		h2.Crash()
		for time.Since(before) < 5*time.Second && len(a.Members()) > 0 {
			time.Sleep(100 * time.Millisecond)
		}
		if d := time.Since(before); d < 2500*time.Millisecond || d > 4*time.Second {
			t.Errorf("the crash was noticed after %v", d)
		}
		wantEvents(t, a, "+4001 +4000 -4001 -4000")
		stop(t, a, c)
	})
}

// a1 gives the two possible orders in which two members are probed at a time.
func a1(n testNode) string {
	_, got := n.got()
	if got == "+4001 +4000" {
		return got
	}
	return "+4000 +4001"
}

// TestVeto: a member whose heartbeats are lost but that answers stays; when the
// network is cut altogether it goes, and it comes back when it is healed.
func TestVeto(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		a := start(t, Options{Transport: n.Host("10.0.0.1")})
		b := start(t, Options{Transport: n.Host("10.0.0.2")})
		n.DropDatagrams(func(from, _ string, _ []byte) bool { return from == "10.0.0.2" })
		time.Sleep(20 * time.Second)
		wantEvents(t, a, "+4000")
		n.Partition([]string{"10.0.0.1"}, []string{"10.0.0.2"})
		time.Sleep(20 * time.Second)
		wantEvents(t, a, "+4000 -4000")
		n.DropDatagrams(nil)
		n.Heal()
		time.Sleep(10 * time.Second)
		wantEvents(t, a, "+4000 -4000 +4000")
		wantEvents(t, b, "+4000 -4000 +4000")
		stop(t, a, b)
	})
}

func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		n.Delay(time.Millisecond)
		a := start(t, Options{Transport: n.Host("10.0.0.1")})
		b := start(t, Options{Transport: n.Host("10.0.0.2")})
		for o := range SendOptions(16) {
			if err := a.Send(t.Context(), []byte{byte('a' + o)}, o); err != nil {
				t.Errorf("options %d: %v", o, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		for i := range 5 { // queued: in order
			a.Send(t.Context(), fmt.Append(nil, i), OptAsync)
		}
		time.Sleep(50 * time.Millisecond)
		if got, _ := b.got(); got != "a b c d e f g h i j k l m n o p 0 1 2 3 4" {
			t.Errorf("arrived: %s", got)
		}
		b.err = errors.New("no")
		err := a.Send(t.Context(), []byte("x"), 6)
		var se *SendError
		if !errors.As(err, &se) || !errors.Is(err, ErrFailedAck) || !se.Faulty[0].Member.Same(b.Local()) {
			t.Errorf("FAIL_ACK: %v", err)
		}
		if b.Unhandled() != 1 {
			t.Errorf("%d messages unhandled", b.Unhandled())
		}
		if err := a.Send(t.Context(), []byte("y"), 2); err != nil {
			t.Errorf("acknowledged on arrival: %v", err)
		}
		b.delay = 4 * time.Second
		begin := time.Now()
		if err := a.Send(t.Context(), []byte("z"), 6); !errors.Is(err, ErrAckTimeout) || time.Since(begin) != 3*time.Second {
			t.Errorf("no acknowledgement: %v after %v", err, time.Since(begin))
		}
		if len(a.Members()) != 1 {
			t.Error("a slow member was removed")
		}
		time.Sleep(5 * time.Second)
		n.Host("10.0.0.2").Crash()
		if err := a.Send(t.Context(), []byte("!"), 6); err == nil {
			t.Error("a dead member took a message")
		}
		synctest.Wait()
		if len(a.Members()) != 0 {
			t.Error("the failed send did not remove the dead member")
		}
		stop(t, a, b)
		if err := a.Send(t.Context(), nil, 0); !errors.Is(err, ErrStopped) {
			t.Errorf("after Stop: %v", err)
		}
	})
}

func TestStatic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New()
		h := n.Host("10.0.0.1")
		a := start(t, Options{Transport: h, Static: []string{"10.0.0.1:4001"}})
		b := start(t, Options{Transport: h, Static: []string{"10.0.0.1:4000"}})
		wantEvents(t, a, "+4001")
		wantEvents(t, b, "+4000")
		if m := a.Members(); len(m) != 1 || m[0].UniqueID != b.Local().UniqueID {
			t.Errorf("the id of the peer was not learnt: %+v", m)
		}
		stop(t, b)
		wantEvents(t, a, "+4001 -4001")
		b = start(t, Options{Transport: h, Static: []string{"10.0.0.1:4000"}})
		wantEvents(t, a, "+4001 -4001 +4001")
		if m := a.Members(); len(m) != 1 || m[0].UniqueID != b.Local().UniqueID {
			t.Errorf("the id of the new peer was not learnt: %+v", m)
		}
		stop(t, a, b)
	})
}

func TestAutoBindExhausted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := memnet.New().Host("10.0.0.1")
		one := func(c *model.Cluster) {
			c.Channel = &model.Channel{Receiver: &model.Receiver{AutoBind: model.Def(0), Port: model.Def(4000)}}
			c.Channel.Receiver.AutoBind.Origin = model.Written
		}
		a := newNode(t, Options{Transport: h, Static: []string{}}, one)
		b := newNode(t, Options{Transport: h, Static: []string{}}, one)
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.Start(t.Context()); err == nil {
			t.Error("two receivers on one port")
		}
		stop(t, a)
	})
}

func TestUnsupported(t *testing.T) {
	c := &model.Cluster{Channel: &model.Channel{Interceptors: []*model.Interceptor{
		{Class: model.Def("org.apache.catalina.tribes.group.interceptors.EncryptInterceptor")}}}}
	if _, err := FromModel(c, Options{}); err == nil || !strings.Contains(err.Error(), "EncryptInterceptor") {
		t.Errorf("%v", err)
	}
}

// TestRealSockets runs three channels on the loopback interface.
func TestRealSockets(t *testing.T) {
	if err := multicastWorks("228.0.0.4", 45891, "127.0.0.1"); err != nil {
		t.Skipf("no multicast here: %v", err)
	}
	edit := func(c *model.Cluster) {
		c.Channel = &model.Channel{
			Membership: &model.Membership{Bind: model.Def("127.0.0.1"), Port: model.Def(45892), Frequency: model.Def(100)},
			Receiver:   &model.Receiver{Address: model.Def("127.0.0.1"), Port: model.Def(24890)},
		}
	}
	var nodes []testNode
	for range 3 {
		n := newNode(t, Options{}, edit)
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		if len(n.Members()) != 2 {
			t.Errorf("%s sees %v", n.Local(), n.Members())
		}
	}
	if err := nodes[0].Send(t.Context(), []byte("hello"), 6); err != nil {
		t.Error(err)
	}
	for _, n := range nodes[1:] {
		if got, _ := n.got(); got != "hello" {
			t.Errorf("%s got %q", n.Local(), got)
		}
	}
	stop(t, nodes...)
	if c, err := net.Dial("tcp", nodes[0].Local().address()); err == nil {
		c.Close()
		t.Error("a stopped receiver still listens")
	}
}
