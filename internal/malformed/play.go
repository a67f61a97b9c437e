package malformed

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/internal/ports"
)

// Result is what came of a case.
type Result struct {
	Statuses []int    `json:"statuses"`          // of the answers, in order; empty when the connection just ended
	Backend  []string `json:"backend,omitempty"` // what the backend saw, a text for each connection
}

// Refused reports whether nothing was let through and no answer is a good one.
func (r Result) Refused() bool {
	for _, s := range r.Statuses {
		if s >= 200 && s < 400 {
			return false
		}
	}
	return len(r.Backend) == 0
}

// Rig is a number of backends and the configuration of a front end that leads a
// port of its own to each of them, so that cases can be played side by side.
type Rig struct{ slots []*slot }

type slot struct {
	front int
	ln    net.Listener
	mu    sync.Mutex
	conns [][]byte
	open  int        // connections whose end has not come
	quiet *sync.Cond // there is none
}

// New opens n backends. Close the rig when all is done.
func New(n int) (*Rig, error) {
	r := &Rig{}
	for range n {
		p, ln, err := open()
		if err != nil {
			return nil, err
		}
		s := &slot{front: p, ln: ln}
		s.quiet = sync.NewCond(&s.mu)
		r.slots = append(r.slots, s)
		go s.accept()
	}
	return r, nil
}

// open returns a port for a front end, and a backend's socket.
func open() (port int, ln net.Listener, err error) {
	if port, err = ports.Free(); err != nil {
		return 0, nil, err
	}
	ln, err = net.Listen("tcp", "127.0.0.1:0")
	return port, ln, err
}

// Close ends the backends.
func (r *Rig) Close() {
	for _, s := range r.slots {
		s.ln.Close()
	}
}

// Ports returns the front's ports.
func (r *Rig) Ports() []int {
	var out []int
	for _, s := range r.slots {
		out = append(out, s.front)
	}
	return out
}

// Config returns the front end's lines. Below /closed nobody may come.
func (r *Rig) Config() string {
	var b strings.Builder
	for _, s := range r.slots {
		fmt.Fprintf(&b, "Listen 127.0.0.1:%d\n", s.front)
	}
	for _, s := range r.slots {
		fmt.Fprintf(&b, "<VirtualHost 127.0.0.1:%d>\n  ServerName front.example\n  <Location /closed>\n    Require all denied\n  </Location>\n  ProxyPass / http://%s/ disablereuse=on\n</VirtualHost>\n", s.front, s.ln.Addr())
	}
	return b.String()
}

// Play sends all cases, as many at a time as there are slots.
func (r *Rig) Play(cases []Case) (map[string]Result, error) {
	todo := make(chan Case)
	out := map[string]Result{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var first error
	for _, s := range r.slots {
		wg.Go(func() {
			for c := range todo {
				res, err := s.play(c.Raw)
				mu.Lock()
				out[c.Name] = res
				if err != nil && first == nil {
					first = fmt.Errorf("%s: %w", c.Name, err)
				}
				mu.Unlock()
			}
		})
	}
	for _, c := range cases {
		todo <- c
	}
	close(todo)
	wg.Wait()
	return out, first
}

var statusLine = regexp.MustCompile(`HTTP/1\.1 (\d{3})[ \r]`)

// play sends one case. A client that has waited long enough closes its side, so
// that no front end has to time out.
func (s *slot) play(raw string) (Result, error) {
	c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.front))
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	go io.WriteString(c, raw) // a front end that has refused may not read all of it
	var answer bytes.Buffer
	for _, wait := range []time.Duration{250 * time.Millisecond, 4 * time.Second} {
		c.SetReadDeadline(time.Now().Add(wait))
		if _, err = io.Copy(&answer, c); err == nil {
			break
		}
		if e, ok := err.(net.Error); !ok || !e.Timeout() {
			break // a reset after the answer
		}
		c.(*net.TCPConn).CloseWrite()
	}
	res := Result{Statuses: []int{}}
	for _, m := range statusLine.FindAllStringSubmatch(answer.String(), -1) {
		n, _ := strconv.Atoi(m[1])
		res.Statuses = append(res.Statuses, n)
	}
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.open > 0 {
		s.quiet.Wait()
	}
	for _, b := range s.conns {
		if len(b) > 0 {
			res.Backend = append(res.Backend, string(b))
		}
	}
	s.conns = nil
	return res, nil
}

func (s *slot) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open++
		i := len(s.conns)
		s.conns = append(s.conns, nil)
		s.mu.Unlock()
		go func() {
			defer c.Close()
			b := answer(c)
			s.mu.Lock()
			s.conns[i] = b
			if s.open--; s.open == 0 {
				s.quiet.Broadcast()
			}
			s.mu.Unlock()
		}()
	}
}

var expects100 = regexp.MustCompile(`(?i)\nExpect: *100-continue`)

// answer reads all that comes on a connection, answers what looks like a request,
// and returns what it read.
func answer(c net.Conn) []byte {
	var all []byte
	done, asked := 0, 0
	buf := make([]byte, 64<<10)
	for {
		c.SetReadDeadline(time.Now().Add(2 * time.Second))
		n, err := c.Read(buf)
		all = append(all, buf[:n]...)
		for {
			reqs := Lenient(all[done:])
			if len(reqs) == 0 {
				break
			}
			if reqs[0].Size == 0 {
				head, _, ok := bytes.Cut(all[done:], []byte("\r\n\r\n"))
				if asked <= done && ok && expects100.Match(head) {
					asked = done + 1
					io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
				}
				break
			}
			done += reqs[0].Size
			length := "Content-Length: 2\r\n\r\nok"
			if reqs[0].Method == "HEAD" {
				length = "Content-Length: 2\r\n\r\n"
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\n"+length)
		}
		if err != nil {
			return all
		}
	}
}

// Request is what a parser made of a piece of a stream.
type Request struct {
	Method, Target string
	Body           string // chunks joined
	Size           int    // of the whole request in the stream, in bytes; 0 when its end is missing
}

// Lenient reads requests as a careless parser would: lines may end in LF alone,
// names may have blanks around them and any case, underscores stand for dashes, a
// coding that has "chunked" somewhere counts, and beats a length; of several
// lengths the last counts, and of a bad one its leading digits.
func Lenient(stream []byte) []Request {
	var out []Request
	for at := 0; at < len(stream); {
		r := lenientOne(stream[at:])
		out = append(out, r)
		if r.Size == 0 {
			break
		}
		at += r.Size
	}
	return out
}

func lenientOne(b []byte) (r Request) {
	next := func() (string, bool) {
		i := bytes.IndexByte(b[r.Size:], '\n')
		if i < 0 {
			return "", false
		}
		l := string(b[r.Size : r.Size+i])
		r.Size += i + 1
		return strings.TrimSuffix(l, "\r"), true
	}
	fail := func() Request { return Request{Method: r.Method, Target: r.Target} }
	line, ok := next()
	for ok && line == "" {
		line, ok = next()
	}
	w := strings.Fields(line)
	if len(w) > 0 {
		r.Method = w[0]
	}
	if len(w) > 1 {
		r.Target = w[1]
	}
	length, coded := 0, false
	for {
		if line, ok = next(); !ok {
			return fail()
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		switch strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-") {
		case "content-length":
			length = digits(strings.TrimSpace(value), 10)
		case "transfer-encoding":
			coded = coded || strings.Contains(strings.ToLower(value), "chunked")
		}
	}
	if !coded {
		if len(b) < r.Size+length {
			return fail()
		}
		r.Body = string(b[r.Size : r.Size+length])
		r.Size += length
		return r
	}
	for {
		if line, ok = next(); !ok {
			return fail()
		}
		n := digits(strings.TrimSpace(line), 16)
		if n == 0 {
			for line != "" && ok {
				line, ok = next()
			}
			if !ok {
				return fail()
			}
			return r
		}
		if len(b) < r.Size+n {
			return fail()
		}
		r.Body += string(b[r.Size : r.Size+n])
		r.Size += n
		if _, ok = next(); !ok {
			return fail()
		}
	}
}

// digits reads the number at the begin of a text, 0 for none and for what is huge.
func digits(s string, base int) int {
	end := 0
	for end < len(s) && strings.IndexByte("0123456789abcdefABCDEF"[:10+(base-10)*2], s[end]) >= 0 {
		end++
	}
	n, err := strconv.ParseInt(s[:end], base, 31)
	if err != nil {
		return 0
	}
	return int(n)
}
