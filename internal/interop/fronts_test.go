package interop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// sight is what a member saw of a request, "" for nothing.
type sight struct{ member, user, host, path string }

// witness notes the last request that one of its members saw.
type witness struct {
	mu   sync.Mutex
	last sight
}

func (w *witness) member(t *testing.T, name string) string {
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.last = sight{name, strings.Join(r.Header.Values("X-Remote-User"), ", "), strings.ToLower(r.Host), r.URL.Path}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// take returns what was seen and forgets it.
func (w *witness) take() sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.last
	w.last = sight{}
	return s
}

// request is one of a table: "# ask HOST METHOD TARGET | Header: value | …", or open
// in the place of ask when everybody has to let it through. Words are written as in Go.
type request struct {
	text string
	open bool
}

func requestsOf(t *testing.T, text string) []request {
	t.Helper()
	var out []request
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "# ")
		verb, rest, _ := strings.Cut(rest, " ")
		if !ok || verb != "ask" && verb != "open" {
			continue
		}
		parts := strings.Split(rest, " | ")
		words := strings.Fields(parts[0])
		if len(words) != 3 {
			t.Fatalf("not a request: %s", line)
		}
		raw := words[1] + " " + words[2] + " HTTP/1.1\r\nHost: " + words[0] + "\r\nConnection: close\r\n"
		for _, h := range parts[1:] {
			raw += h + "\r\n"
		}
		raw, err := strconv.Unquote(`"` + strings.NewReplacer("\r", `\r`, "\n", `\n`, `"`, `\"`).Replace(raw+"\r\n") + `"`)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, request{raw, verb == "open"})
	}
	return out
}

// exchange sends a request as it stands; 0 stands for a connection without an answer.
func exchange(t *testing.T, c net.Conn, raw string) int {
	t.Helper()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, raw); err != nil {
		return 0
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func dialFront(t *testing.T, port int) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// moreOpen tells what a front end let through that httpd did not, "" for nothing.
func moreOpen(want, got int, httpd, front sight, hosts bool) string {
	switch {
	case front.member == "":
		if want >= 400 && got > 0 && got < 300 {
			return "it is answered"
		}
		return ""
	case front.member != httpd.member:
		return "it gets to another member"
	case front.user != "" && front.user != httpd.user:
		return "its user is taken"
	case hosts && front.host != httpd.host:
		return "its host is taken"
	}
	return ""
}

// TestFrontsNeverMoreOpen sends the requests of a table to real httpd and to the real
// programs with what clowder made of the same configuration: each gets to the member
// that httpd sends it to, as the user that httpd names, or to none.
func TestFrontsNeverMoreOpen(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/fronts.txtar")
	if err != nil {
		t.Fatal(err)
	}
	servers := append([]frontServer{{"caddy", startCaddy}}, frontServers...)
	w := &witness{}
	members := []string{"@A@", w.member(t, "A"), "@B@", w.member(t, "B"), "@C@", w.member(t, "C")}
	head := "DocumentRoot $ROOT\n"
	for mod := range strings.FieldsSeq(closedModules) {
		head += fmt.Sprintf("LoadModule %s_module $MODULES/mod_%s.so\n", mod, mod)
	}
	for _, f := range archive.Files {
		t.Run(f.Name, func(t *testing.T) {
			ports := FreePorts(t, 1+len(servers))
			conf := func(port int) string {
				return strings.NewReplacer(append(members, "@PORT@", strconv.Itoa(port))...).Replace(string(f.Data))
			}
			hosts := strings.Contains(string(f.Data), "ProxyPreserveHost On")
			StartHTTPD(t, ports[0], head+conf(ports[0]))
			list := requestsOf(t, string(f.Data))
			if len(list) == 0 {
				t.Fatal("the case asks nothing")
			}
			type answer struct {
				status int
				saw    sight
			}
			var want []answer
			for _, r := range list {
				a := answer{exchange(t, dialFront(t, ports[0]), r.text), w.take()}
				want = append(want, a)
				if r.open && a.saw.member == "" {
					t.Errorf("httpd does not let it through: %d\n%q", a.status, r.text)
				}
			}
			for i, s := range servers {
				stop := s.start(t, convertTo(t, s.target, conf(ports[i+1])), ports[i+1])
				for j, r := range list {
					status, saw := exchange(t, dialFront(t, ports[i+1]), r.text), w.take()
					if why := moreOpen(want[j].status, status, want[j].saw, saw, hosts); why != "" {
						t.Errorf("%s: %s: %d %+v, httpd %d %+v\n%q", s.target, why, status, saw, want[j].status, want[j].saw, r.text)
					}
					if r.open && saw.member == "" {
						t.Errorf("%s does not let it through: %d\n%q", s.target, status, r.text)
					}
				}
				stop()
			}
		})
	}
}

// TestListenNoWider: where httpd listens on all IPv4 addresses nobody gets in by IPv6.
func TestListenNoWider(t *testing.T) {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6: enable it on the loopback interface")
	}
	probe.Close()
	w := &witness{}
	conf := "ServerName www.example.org\nProxyPass / http://" + w.member(t, "A") + "/\n"
	for _, s := range append([]frontServer{{"caddy", startCaddy}}, frontServers...) {
		t.Run(s.target, func(t *testing.T) {
			for listen, both := range map[string]bool{"0.0.0.0:": false, "": true} {
				port := FreePorts(t, 1)[0]
				stop := s.start(t, convertTo(t, s.target, fmt.Sprintf("Listen %s%d\n%s", listen, port, conf)), port)
				c, err := net.DialTimeout("tcp", fmt.Sprintf("[::1]:%d", port), 5*time.Second)
				if err == nil {
					c.Close()
				}
				if (err == nil) != both {
					t.Errorf("Listen %s%d: a connection by IPv6: %v, want %v", listen, port, err == nil, both)
				}
				stop()
			}
		})
	}
}
