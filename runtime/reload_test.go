package runtime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"clowder/internal/ports"
	"clowder/parse"
	"clowder/parse/model"
)

// setup reads a configuration.
func setup(t *testing.T, conf string) *model.Setup {
	t.Helper()
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Broken) > 0 {
		t.Fatal(r.Diags)
	}
	return r.Setup
}

func free(t *testing.T) int {
	t.Helper()
	p, err := ports.Free()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func start(t *testing.T, conf string) *Running {
	t.Helper()
	r, err := Start(t.Context(), setup(t, conf), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

// backend is a member that counts its connections; paths that begin with /wait
// are answered when the channel lets them.
type backend struct {
	*httptest.Server
	conns  atomic.Int64
	closed atomic.Int64
	held   chan struct{}
	inside chan struct{}
}

func newBackend(t *testing.T) *backend {
	b := &backend{held: make(chan struct{}), inside: make(chan struct{}, 10)}
	b.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/wait") {
			b.inside <- struct{}{}
			<-b.held
		}
		io.WriteString(w, "hello")
	}))
	b.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			b.conns.Add(1)
		case http.StateClosed:
			b.closed.Add(1)
		}
	}
	b.Start()
	t.Cleanup(b.Close)
	return b
}

// client sends requests, over one connection while that is kept.
type client struct {
	addr  string
	fresh bool
	c     net.Conn
	r     *bufio.Reader
}

func (c *client) get(path string) (*http.Response, error) {
	if c.c == nil {
		nc, err := net.Dial("tcp", c.addr)
		if err != nil {
			return nil, err
		}
		c.c, c.r = nc, bufio.NewReader(nc)
	}
	c.c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := fmt.Fprintf(c.c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == 200 && string(body) != "hello" {
		return nil, fmt.Errorf("body %q", body)
	}
	if c.fresh || res.Close {
		c.close()
	}
	return res, nil
}

func (c *client) close() {
	if c.c != nil {
		c.c.Close()
		c.c = nil
	}
}

// conf is a front end with two members; generation is a header of its answers.
func conf(generation int, extra string, listens []int, members ...string) string {
	text := "ServerName x\n" + extra + "\n"
	for _, p := range listens {
		text += fmt.Sprintf("Listen 127.0.0.1:%d\n", p)
	}
	return text + fmt.Sprintf("Header set X-Generation %d\n<Proxy balancer://c>\nBalancerMember %s\n</Proxy>\nProxyPass / balancer://c/\n",
		generation, strings.Join(members, "\nBalancerMember "))
}

// TestReloadUnderLoad reloads 20 times while clients with kept and with new
// connections send requests: none fails. Every other configuration listens on a
// second address; in the second half every server hands its socket to a new one.
func TestReloadUnderLoad(t *testing.T) {
	a, b := newBackend(t), newBackend(t)
	p, q := free(t), free(t)
	r := start(t, conf(0, "", []int{p}, a.URL, b.URL))
	addr := fmt.Sprintf("127.0.0.1:%d", p)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var requests atomic.Int64
	failed := make(chan error, 100)
	for i := range 24 {
		wg.Go(func() {
			c := &client{addr: addr, fresh: i%3 == 0}
			defer c.close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				res, err := c.get("/x")
				if err == nil && res.StatusCode != 200 {
					err = errors.New(res.Status)
				}
				if err != nil {
					select {
					case failed <- fmt.Errorf("client %d: %w", i, err):
					default:
					}
					return
				}
				requests.Add(1)
			}
		})
	}
	for n := 1; n <= 20; n++ {
		listens := []int{p}
		if n%2 == 1 {
			listens = append(listens, q)
		}
		if n > 10 {
			r.mu.Lock()
			r.fronts[0].secure = true // as if certificates had to be read again
			r.mu.Unlock()
		}
		before := requests.Load()
		done, err := r.Reload(t.Context(), setup(t, conf(n, "", listens, a.URL, b.URL)))
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 1 && len(done.Opened) != 1 || n%2 == 0 && len(done.Closed) != 1 {
			t.Errorf("reload %d: %+v", n, done)
		}
		for _, port := range listens {
			c := &client{addr: fmt.Sprintf("127.0.0.1:%d", port), fresh: true}
			res, err := c.get("/")
			if err != nil {
				t.Fatal(err)
			}
			if g := res.Header.Get("X-Generation"); g != fmt.Sprint(n) {
				t.Errorf("port %d after reload %d: generation %s", port, n, g)
			}
		}
		for requests.Load() < before+200 && len(failed) == 0 {
			time.Sleep(time.Millisecond) // let the load go on before the next one
		}
	}
	close(stop)
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	total := uint64(0)
	for _, m := range r.Status().Balancers[0].Members {
		total += m.Elected
		if m.Busy != 0 {
			t.Errorf("%s is busy with %d", m.URL, m.Busy)
		}
	}
	if want := uint64(requests.Load()) + 30; total != want {
		t.Errorf("elected %d times, want %d", total, want)
	}
	if n := a.conns.Load() + b.conns.Load(); n > 100 {
		t.Errorf("%d connections to the members: pools were not kept", n)
	}
	t.Logf("%d requests, %d connections to members", requests.Load(), a.conns.Load()+b.conns.Load())
}

// TestReloadInProgress: a request finishes with the configuration it began with,
// also when its member is gone and its address is closed.
func TestReloadInProgress(t *testing.T) {
	a, b := newBackend(t), newBackend(t)
	p, q := free(t), free(t)
	r := start(t, conf(1, "", []int{p}, a.URL))
	type result struct {
		res *http.Response
		err error
	}
	got := make(chan result)
	go func() {
		c := &client{addr: fmt.Sprintf("127.0.0.1:%d", p)}
		defer c.close()
		res, err := c.get("/wait")
		got <- result{res, err}
	}()
	<-a.inside
	done, err := r.Reload(t.Context(), setup(t, conf(2, "", []int{q}, b.URL)))
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Opened) != 1 || len(done.Closed) != 1 {
		t.Errorf("%+v", done)
	}
	if _, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p)); err == nil {
		t.Error("the address that is gone is open")
	}
	r.mu.Lock()
	old := r.fronts[0].old[0]
	r.mu.Unlock()
	c := &client{addr: fmt.Sprintf("127.0.0.1:%d", q), fresh: true}
	if res, err := c.get("/"); err != nil || res.Header.Get("X-Generation") != "2" || b.conns.Load() != 1 {
		t.Error(res, err)
	}
	select {
	case <-old.gone:
		t.Error("the old configuration ended before its request")
	default:
	}
	close(a.held)
	g := <-got
	if g.err != nil || g.res.Header.Get("X-Generation") != "1" || !g.res.Close {
		t.Errorf("%+v %v", g.res, g.err)
	}
	<-old.gone
	for end := time.Now().Add(5 * time.Second); a.closed.Load() < a.conns.Load(); {
		if time.Now().After(end) {
			t.Fatal("connections to the member that is gone are open")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestReloadLogs: access logs are opened again, so that they can be moved away.
func TestReloadLogs(t *testing.T) {
	a := newBackend(t)
	p, dir := free(t), t.TempDir()
	text := conf(1, "CustomLog access.log \"%r\"", []int{p}, a.URL)
	r, err := Start(t.Context(), setup(t, text), Options{LogDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "access.log")
	get := func(path string) {
		t.Helper()
		if _, err := (&client{addr: fmt.Sprintf("127.0.0.1:%d", p), fresh: true}).get(path); err != nil {
			t.Fatal(err)
		}
	}
	get("/1")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reload(t.Context(), setup(t, text)); err != nil {
		t.Fatal(err)
	}
	get("/2")
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{file + ".1": "GET /1 HTTP/1.1\n", file: "GET /2 HTTP/1.1\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q %v, want %q", name, got, err, want)
		}
	}
}

// TestReloadRefused: what cannot be taken changes nothing.
func TestReloadRefused(t *testing.T) {
	a := newBackend(t)
	p := free(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	r := start(t, conf(1, "", []int{p}, a.URL))
	for _, c := range []struct{ conf, want string }{
		{conf(2, "", nil, a.URL), "no Listen directive"},
		{conf(2, "", []int{p, taken.Addr().(*net.TCPAddr).Port}, a.URL), "address already in use"},
		{strings.Replace(conf(2, "", []int{p}, a.URL), "127.0.0.1:", "", 1), "such a change needs a restart"},
		{conf(2, "<Location />\n<LimitExcept GET>\nRequire all denied\nAllowMethods GET\n</LimitExcept>\n</Location>", []int{p}, a.URL), "more open than httpd"},
		{conf(2, "ProxyHCExpr x {%{REMOTE_ADDR} == 'y'}", []int{p}, a.URL), "not known to health checks"},
	} {
		if _, err := r.Reload(t.Context(), setup(t, c.conf)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
		cl := &client{addr: fmt.Sprintf("127.0.0.1:%d", p), fresh: true}
		if res, err := cl.get("/"); err != nil || res.Header.Get("X-Generation") != "1" {
			t.Error(res, err)
		}
	}
	if st := r.Status(); st.Reloads != 0 {
		t.Errorf("%d reloads", st.Reloads)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Reload(ctx, setup(t, conf(2, "", []int{p}, a.URL))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestReloadKeepsState: what is known of a member stays, also when it is
// configured differently, and checks of its health go on.
func TestReloadKeepsState(t *testing.T) {
	a, b := newBackend(t), newBackend(t)
	p := free(t)
	r := start(t, conf(1, "", []int{p}, a.URL+" route=a", b.URL+" route=b"))
	if _, err := r.Drain("a"); err != nil {
		t.Fatal(err)
	}
	c := &client{addr: fmt.Sprintf("127.0.0.1:%d", p)}
	defer c.close()
	for range 4 {
		if _, err := c.get("/"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Reload(t.Context(), setup(t, conf(2, "", []int{p}, b.URL+" route=b loadfactor=2", a.URL+" route=a"))); err != nil {
		t.Fatal(err)
	}
	ms := r.Status().Balancers[0].Members
	if ms[0].URL != b.URL || ms[0].Elected != 4 || ms[1].Status != "Init Drn Ok" {
		t.Errorf("%+v", ms)
	}
	// The connection that was kept goes on with the new configuration.
	if res, err := c.get("/"); err != nil || res.Header.Get("X-Generation") != "2" || a.conns.Load() != 0 {
		t.Error(res, err)
	}
	if lines, err := r.Enable(a.URL + "/"); err != nil || len(lines) != 1 || !strings.HasSuffix(lines[0], "Init Ok") {
		t.Error(lines, err)
	}
}

// TestStopDrains: a request in progress is finished and told that the connection
// ends, the address is closed at once, an idle connection too.
func TestStopDrains(t *testing.T) {
	a := newBackend(t)
	p := free(t)
	r := start(t, conf(1, "", []int{p}, a.URL))
	addr := fmt.Sprintf("127.0.0.1:%d", p)
	idle := &client{addr: addr}
	if _, err := idle.get("/"); err != nil {
		t.Fatal(err)
	}
	type result struct {
		res *http.Response
		err error
	}
	got := make(chan result)
	go func() {
		res, err := (&client{addr: addr}).get("/wait")
		got <- result{res, err}
	}()
	<-a.inside
	stopped := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- r.Stop(ctx)
	}()
	if _, err := idle.r.ReadByte(); err != io.EOF {
		t.Errorf("idle connection: %v", err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("the address is open")
	}
	if _, err := r.Reload(t.Context(), setup(t, conf(2, "", []int{p}, a.URL))); !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
	close(a.held)
	if g := <-got; g.err != nil || g.res.StatusCode != 200 || !g.res.Close {
		t.Errorf("%+v %v", g.res, g.err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
