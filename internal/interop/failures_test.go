//go:build unix

package interop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The test binary is the member of the failure tests as well: a process of its own
// can be killed and stopped.
func init() {
	if port := os.Getenv("CLOWDER_TEST_MEMBER"); port != "" {
		fmt.Fprintln(os.Stderr, serveMember(port))
		os.Exit(1)
	}
}

// answers are what a member can be told to do by a request for /mode/NAME.
var answers = map[string]http.HandlerFunc{
	"ok": func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, memberBody) },
	"503": func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not now", http.StatusServiceUnavailable)
	},
	"slow": func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(200 * time.Millisecond)
		io.WriteString(w, memberBody)
	},
	"cut": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(memberBody)))
		io.WriteString(w, memberBody[:len(memberBody)/2])
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	},
	"mute": func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	},
}

var memberBody = strings.Repeat("0123456789abcdef", 256)

func serveMember(port string) error {
	var mode atomic.Value
	mode.Store("ok")
	answers["held"] = func(w http.ResponseWriter, _ *http.Request) {
		for mode.Load() == "held" {
			time.Sleep(time.Millisecond)
		}
		io.WriteString(w, memberBody)
	}
	return http.ListenAndServe("127.0.0.1:"+port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m, ok := strings.CutPrefix(r.URL.Path, "/mode/"); ok {
			mode.Store(m)
			return
		}
		w.Header().Set("X-Member", port)
		answers[mode.Load().(string)](w, r)
	}))
}

// member is a process that serves as a backend.
type member struct {
	t    *testing.T
	port int
	cmd  *exec.Cmd
}

func (m *member) start() {
	m.t.Helper()
	m.cmd = exec.Command(os.Args[0])
	m.cmd.Env = append(os.Environ(), "CLOWDER_TEST_MEMBER="+strconv.Itoa(m.port))
	m.cmd.Stderr = os.Stderr
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	WaitPort(m.t, m.port, 10*time.Second)
}

func (m *member) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

func (m *member) signal(s syscall.Signal) {
	if err := m.cmd.Process.Signal(s); err != nil {
		m.t.Error(err)
	}
}

func (m *member) mode(name string) {
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/mode/%s", m.port, name))
	if err != nil {
		m.t.Error(err)
		return
	}
	res.Body.Close()
}

// failure is something that happens to a member, and how it ends.
type failure struct {
	name      string
	fail, end func(*member)
}

var failures = []failure{
	{"killed", (*member).kill, (*member).start},
	{"hung", func(m *member) { m.signal(syscall.SIGSTOP) }, func(m *member) { m.signal(syscall.SIGCONT) }},
	{"answers 503", func(m *member) { m.mode("503") }, func(m *member) { m.mode("ok") }},
	{"slow", func(m *member) { m.mode("slow") }, func(m *member) { m.mode("ok") }},
	{"cuts bodies", func(m *member) { m.mode("cut") }, func(m *member) { m.mode("ok") }},
	{"resets", func(m *member) { m.mode("mute") }, func(m *member) { m.mode("ok") }},
}

// The load: connections, each of which sends a request every pace, so that a faster
// server is not asked more often; the failure begins after a quarter of the time
// and ends after two thirds.
const (
	loadConns = 64
	loadPace  = 25 * time.Millisecond
	loadTime  = 4 * time.Second
)

// outcome is what the clients saw.
type outcome struct {
	sent, failed int
	statuses     map[string]int // of what failed
	back         int            // answers of the failing member in the last half second
	slowest      time.Duration
}

// loadClient is one connection; it connects again after a failure.
type loadClient struct {
	addr string
	c    net.Conn
	r    *bufio.Reader
}

// get returns the member that answered and what went wrong.
func (c *loadClient) get() (member, wrong string) {
	if c.c == nil {
		nc, err := net.DialTimeout("tcp", c.addr, 5*time.Second)
		if err != nil {
			return "", "connect"
		}
		c.c, c.r = nc, bufio.NewReader(nc)
	}
	c.c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c.c, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.close()
		return "", "no answer"
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || res.Close {
		c.close()
	}
	switch {
	case res.StatusCode != 200:
		return "", strconv.Itoa(res.StatusCode)
	case err != nil || string(body) != memberBody:
		return "", "cut"
	}
	return res.Header.Get("X-Member"), ""
}

func (c *loadClient) close() {
	if c.c != nil {
		c.c.Close()
		c.c = nil
	}
}

// load drives the front end while the failure happens to m.
func load(addr string, m *member, f failure) outcome {
	out := outcome{statuses: map[string]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	begin := time.Now()
	at := func(part, of time.Duration) time.Time { return begin.Add(loadTime * part / of) }
	for i := range loadConns {
		wg.Go(func() {
			c := &loadClient{addr: addr}
			defer c.close()
			next := begin.Add(loadPace * time.Duration(i) / loadConns)
			for next.Before(begin.Add(loadTime)) {
				time.Sleep(time.Until(next))
				t := time.Now()
				who, wrong := c.get()
				took := time.Since(t)
				mu.Lock()
				out.sent++
				out.slowest = max(out.slowest, took)
				if wrong != "" {
					out.failed++
					out.statuses[wrong]++
				} else if who == strconv.Itoa(m.port) && t.After(at(7, 8)) {
					out.back++
				}
				mu.Unlock()
				next = next.Add(loadPace)
				if now := time.Now(); next.Before(now) {
					next = now
				}
			}
		})
	}
	time.Sleep(time.Until(at(1, 4)))
	f.fail(m)
	time.Sleep(time.Until(at(2, 3)))
	f.end(m)
	wg.Wait()
	return out
}

// failureConf is what both servers run.
func failureConf(listen, a, b int) string {
	const params = "retry=1 timeout=1 connectiontimeout=1"
	return fmt.Sprintf(`Listen 127.0.0.1:%d
ServerName localhost
KeepAliveTimeout 15
MaxKeepAliveRequests 0
<Proxy balancer://c>
  BalancerMember http://127.0.0.1:%d %s
  BalancerMember http://127.0.0.1:%d %s
  ProxySet failonstatus=503 failontimeout=On
</Proxy>
ProxyPass / balancer://c/
`, listen, a, params, b, params)
}

const failureModules = `
LoadModule mpm_event_module $MODULES/mod_mpm_event.so
LoadModule authz_core_module $MODULES/mod_authz_core.so
LoadModule slotmem_shm_module $MODULES/mod_slotmem_shm.so
LoadModule proxy_module $MODULES/mod_proxy.so
LoadModule proxy_http_module $MODULES/mod_proxy_http.so
LoadModule proxy_balancer_module $MODULES/mod_proxy_balancer.so
LoadModule lbmethod_byrequests_module $MODULES/mod_lbmethod_byrequests.so
StartServers 1
ServerLimit 1
ThreadsPerChild 128
MaxRequestWorkers 128
MinSpareThreads 1
MaxSpareThreads 128
`

// TestFailuresUnderLoad lets one of two members fail in several ways, before a real
// httpd and before clowder with the same configuration, and compares how many of
// the clients' requests fail. Clowder's may be more by one for each connection:
// that many are under way when it happens, and how many of them are at the member
// is chance. The member is used again afterwards.
func TestFailuresUnderLoad(t *testing.T) {
	Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	p := FreePorts(t, 4)
	a, b := &member{t: t, port: p[0]}, &member{t: t, port: p[1]}
	a.start()
	b.start()
	t.Cleanup(func() { a.signal(syscall.SIGCONT); a.kill(); b.kill() })
	StartHTTPD(t, p[2], failureModules+failureConf(p[2], p[0], p[1]))
	startSetup(t, map[string]string{"httpd.conf": failureConf(p[3], p[0], p[1])})
	table := fmt.Sprintf("%-12s %8s %8s %8s   %s\n", "member A", "requests", "httpd", "clowder", "what failed, and the slowest answer: httpd | clowder")
	for _, f := range failures {
		t.Run(f.name, func(t *testing.T) {
			his := load("127.0.0.1:"+strconv.Itoa(p[2]), a, f)
			ours := load("127.0.0.1:"+strconv.Itoa(p[3]), a, f)
			table += fmt.Sprintf("%-12s %8s %8d %8d   %v %v | %v %v\n", f.name, fmt.Sprintf("%d/%d", his.sent, ours.sent), his.failed, ours.failed,
				his.statuses, his.slowest.Round(time.Millisecond), ours.statuses, ours.slowest.Round(time.Millisecond))
			if ours.failed > his.failed+loadConns {
				t.Errorf("%d requests of %d failed, with httpd %d of %d", ours.failed, ours.sent, his.failed, his.sent)
			}
			if ours.back == 0 {
				t.Error("the member is not used again")
			}
		})
	}
	t.Log("\n" + table)
}
