// Package vectors plays recorded cases of httpd: requests through a front, before
// backends that answer as the recorded ones did.
package vectors

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"clowder/internal/ports"
)

type behaviour struct {
	Proto      string      `json:"proto"`
	Mode       string      `json:"mode"`
	Status     int         `json:"status"`
	Reason     *string     `json:"reason"`
	Headers    [][2]string `json:"headers"`
	Body       *string     `json:"body"`
	Size       int         `json:"size"`
	Delay      float64     `json:"delay"`
	Raw        string      `json:"raw"`
	Listen     *bool       `json:"listen"`
	CloseAfter bool        `json:"close_after"`
	Interim    any         `json:"interim"`
}

// Vector is one recorded case; testdata/vectors/httpd/README.md describes the fields.
type Vector struct {
	ID       string                     `json:"id"`
	Config   string                     `json:"config"`
	Files    map[string]string          `json:"files"`
	Backends map[string]json.RawMessage `json:"backends"`
	Startup  json.RawMessage            `json:"startup"`
	Removed  []string                   `json:"modules_removed"`
	Prelude  []string                   `json:"prelude_added"`
	Steps    []struct {
		Request  *request                   `json:"request"`
		Parallel json.RawMessage            `json:"parallel"`
		Set      map[string]json.RawMessage `json:"set"`
		Sleep    float64                    `json:"sleep"`
		Graceful json.RawMessage            `json:"graceful"`
		Unstable any                        `json:"unstable"`
		Expect   struct {
			Response struct {
				Status    int         `json:"status"`
				Headers   [][2]string `json:"headers"`
				Body      *string     `json:"body"`
				Truncated bool        `json:"truncated"`
				Conn      string      `json:"connection"`
			} `json:"response"`
			Backend []struct {
				Member  string      `json:"member"`
				Line    string      `json:"line"`
				Headers [][2]string `json:"headers"`
			} `json:"backend"`
		} `json:"expect"`
	} `json:"steps"`
}

type request struct {
	Method       string      `json:"method"`
	Path         string      `json:"path"`
	Version      string      `json:"version"`
	Headers      [][2]string `json:"headers"`
	Body         *string     `json:"body"`
	Raw          string      `json:"raw"`
	NoHost       bool        `json:"nohost"`
	BodySize     int         `json:"body_size"`
	Chunks       []string    `json:"chunks"`
	Wait100      float64     `json:"wait100"`
	Timeout      float64     `json:"timeout"`
	ConnectionID any         `json:"connection_id"`
}

// backend is a scripted HTTP backend.
type backend struct {
	name string
	port int
	mu   sync.Mutex
	b    behaviour
	ln   net.Listener
	open []net.Conn
	log  *seen
}

type seen struct {
	sync.Mutex
	lines []string
}

func (s *seen) take() []string {
	s.Lock()
	defer s.Unlock()
	out := s.lines
	s.lines = nil
	return out
}

func (b *backend) set(n behaviour) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b = n
	if off := n.Listen != nil && !*n.Listen; off || b.ln != nil {
		if off && b.ln != nil {
			b.ln.Close()
			b.ln = nil
			for _, c := range b.open {
				c.Close()
			}
			b.open = nil
		}
		return nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(b.port))
	if err != nil {
		return err
	}
	b.ln = ln
	b.port = ln.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.open = append(b.open, c)
			b.mu.Unlock()
			go b.serve(c)
		}
	}()
	return nil
}

func (b *backend) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		b.mu.Lock()
		mode := b.b.Mode
		b.mu.Unlock()
		if mode == "close_early" {
			return
		}
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		entry := []string{}
		length := 0
		chunked := false
		for {
			h, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if h = strings.TrimSpace(h); h == "" {
				break
			}
			entry = append(entry, h)
			k, v, _ := strings.Cut(h, ": ")
			if strings.EqualFold(k, "Content-Length") {
				length, _ = strconv.Atoi(v)
			}
			chunked = chunked || strings.EqualFold(k, "Transfer-Encoding")
		}
		b.log.Lock()
		b.log.lines = append(b.log.lines, b.name+" "+line+"\n"+strings.Join(entry, "\n"))
		b.log.Unlock()
		if slices.Contains(entry, "Expect: 100-Continue") || slices.Contains(entry, "Expect: 100-continue") {
			io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		}
		if chunked {
			for {
				l, err := r.ReadString('\n')
				n, _ := strconv.ParseInt(strings.TrimSpace(l), 16, 32)
				if err != nil {
					return
				}
				r.Discard(int(n) + 2)
				if n == 0 {
					break
				}
			}
		}
		r.Discard(length)
		b.mu.Lock()
		now := b.b
		b.mu.Unlock()
		if !b.answer(c, line, now) {
			return
		}
	}
}

func (b *backend) answer(c net.Conn, line string, n behaviour) bool {
	if n.Delay > 0 {
		time.Sleep(time.Duration(n.Delay * float64(time.Second)))
	}
	switch n.Mode {
	case "close":
		return false
	case "reset":
		c.(*net.TCPConn).SetLinger(0)
		return false
	case "raw":
		io.WriteString(c, n.Raw)
		return false
	case "partial":
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
		return false
	case "chunked":
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n7\r\nabcdefg\r\n0\r\nX-T: 1\r\n\r\n")
		return true
	}
	body := b.name + " " + line + "\n"
	if n.Body != nil {
		body = *n.Body
	} else if n.Size > 0 {
		body = strings.Repeat("z", n.Size)
	}
	status, reason := n.Status, "OK"
	if status == 0 {
		status = 200
	} else if reason = http.StatusText(status); reason == "" {
		reason = "X"
	}
	if n.Reason != nil {
		reason = *n.Reason
	}
	out := fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, reason)
	for _, h := range n.Headers {
		out += h[0] + ": " + h[1] + "\r\n"
	}
	out += fmt.Sprintf("Content-Length: %d\r\nContent-Type: text/plain\r\n\r\n", len(body))
	if strings.HasPrefix(line, "HEAD") || status == 304 || status == 204 {
		body = ""
	}
	io.WriteString(c, out+body)
	return !n.CloseAfter
}

// Playable says why a case cannot be played, "" if it can.
func (v *Vector) Playable() string {
	if len(v.Startup) > 0 && string(v.Startup) != "null" {
		return "startup"
	}
	check := func(raw json.RawMessage) string {
		var b behaviour
		if err := json.Unmarshal(raw, &b); err != nil {
			return err.Error()
		}
		if b.Proto == "ajp" || b.Interim != nil || !slices.Contains([]string{"", "ok", "close", "reset", "close_early", "raw", "partial", "chunked"}, b.Mode) {
			return "backend " + b.Proto + b.Mode
		}
		return ""
	}
	for _, raw := range v.Backends {
		if s := check(raw); s != "" {
			return s
		}
	}
	for _, s := range v.Steps {
		for _, raw := range s.Set {
			if s := check(raw); s != "" {
				return s
			}
		}
		if len(s.Parallel) > 0 || len(s.Graceful) > 0 || s.Sleep > 2 {
			return "step"
		}
		if q := s.Request; q != nil && (q.Raw != "" || q.ConnectionID != nil || q.Wait100 > 0 || q.Timeout > 0) {
			return "request"
		}
	}
	return ""
}

// Front is what a case is played through.
type Front struct {
	Addr string
	Body func(body, want string) string // takes out of a body what changes from run to run; nil: nothing
}

// requests leaves out health checks, which the steps of a case do not list.
func (v *Vector) requests(seen []string) []string {
	if !strings.HasPrefix(v.ID, "hcheck") {
		return seen
	}
	return slices.DeleteFunc(seen, func(s string) bool { return !strings.Contains(s, "X-Forwarded-For") })
}

// Load reads one case.
func Load(name string) (*Vector, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	v := &Vector{}
	return v, json.Unmarshal(data, v)
}

// Play starts the backends, has the front started with the configuration as it was
// recorded, with all places filled in, for the port, and returns what differs from
// the record, "" for nothing.
func Play(t *testing.T, v *Vector, port int, start func(root, config string) (Front, error)) string {
	root := t.TempDir()
	os.Mkdir(filepath.Join(root, "htdocs"), 0o755)
	os.WriteFile(filepath.Join(root, "htdocs", "index.html"), []byte("local index\n"), 0o644)
	os.WriteFile(filepath.Join(root, "htdocs", "local.txt"), []byte("local file\n"), 0o644)
	places := map[string]int{"FRONT": port}
	log := &seen{}
	backends := map[string]*backend{}
	for name, raw := range v.Backends {
		var n behaviour
		json.Unmarshal(raw, &n)
		b := &backend{name: name, log: log}
		var err error
		if b.port, err = ports.Free(); err != nil {
			return err.Error()
		}
		if err := b.set(n); err != nil {
			return err.Error()
		}
		backends[name], places[name] = b, b.port
		off := false
		defer b.set(behaviour{Listen: &off})
	}
	for i, name := range []string{"A", "B", "C", "D", "E", "J", "K", "L", "X", "Y"} {
		if places[name] == 0 {
			places[name] = 1 + i
		}
	}
	expandText := func(s string) string {
		for n, p := range places {
			s = strings.ReplaceAll(s, "@"+n+"@", strconv.Itoa(p))
		}
		return strings.ReplaceAll(s, "$ROOT", root)
	}
	config := "ServerName front.example\nListen 127.0.0.1:@FRONT@\nTimeout 30\nDocumentRoot \"$ROOT/htdocs\"\n" + strings.Join(v.Prelude, "\n") + "\n" + v.Config
	f, err := start(root, expandText(config))
	if err != nil {
		return err.Error()
	}
	for i, s := range v.Steps {
		for name, raw := range s.Set {
			var n behaviour
			json.Unmarshal(raw, &n)
			if b := backends[name]; b != nil {
				if err := b.set(n); err != nil {
					return err.Error()
				}
			}
		}
		time.Sleep(time.Duration(s.Sleep * float64(time.Second))) // as recorded
		if s.Request == nil || s.Unstable != nil {
			continue
		}
		status, body, err := s.Request.send(f.Addr, expandText)
		want := s.Expect.Response
		if f.Body != nil && want.Body != nil {
			body = f.Body(body, *want.Body)
		}
		if want.Conn != "" || want.Truncated {
			if err == nil {
				return fmt.Sprintf("step %d: connection was kept", i)
			}
		} else if err != nil {
			return fmt.Sprintf("step %d: %v", i, err)
		} else if status != want.Status {
			return fmt.Sprintf("step %d: status %d, want %d", i, status, want.Status)
		} else if want.Body != nil && body != expandText(*want.Body) && !strings.Contains(body, "Balancer Manager") {
			return fmt.Sprintf("step %d: body %.300q, want %.300q", i, body, expandText(*want.Body))
		}
		var lines []string
		for _, b := range s.Expect.Backend {
			if b.Line == "" {
				continue
			}
			l := b.Member + " " + b.Line + "\n"
			for j, h := range b.Headers {
				if j > 0 {
					l += "\n"
				}
				l += strings.TrimSpace(h[0] + ": " + h[1]) // as the backend keeps them
			}
			lines = append(lines, expandText(l))
		}
		if got := v.requests(log.take()); !slices.Equal(got, lines) {
			return fmt.Sprintf("step %d: backends saw %q, want %q", i, got, lines)
		}
	}
	return ""
}

func (q *request) send(addr string, x func(string) string) (int, string, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(12 * time.Second))
	method, version := q.Method, q.Version
	if method == "" {
		method = "GET"
	}
	if version == "" {
		version = "1.1"
	}
	out := method + " " + x(q.Path) + " HTTP/" + version + "\r\n"
	if !q.NoHost && !slices.ContainsFunc(q.Headers, func(h [2]string) bool { return strings.EqualFold(h[0], "Host") }) {
		out += "Host: www.example\r\n"
	}
	for _, h := range q.Headers {
		out += h[0] + ": " + x(h[1]) + "\r\n"
	}
	body, has := "", q.Body != nil
	if has {
		body = *q.Body
		for i, name := range []string{"@A@", "@B@", "@C@", "@D@", "@E@"} { // the ports when it was recorded
			body = strings.ReplaceAll(body, strconv.Itoa(18101+i), x(name))
		}
	}
	if q.BodySize > 0 {
		body, has = strings.Repeat("b", q.BodySize), true
	}
	switch {
	case len(q.Chunks) > 0:
		out += "Transfer-Encoding: chunked\r\n\r\n"
		for _, k := range q.Chunks {
			out += fmt.Sprintf("%x\r\n%s\r\n", len(k), k)
		}
		out += "0\r\n\r\n"
	case has:
		out += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
	default:
		out += "\r\n"
	}
	io.WriteString(c, out)
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return 0, "", err
	}
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}
