package vectors

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// behaviour is how a backend answers.
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
	NoReuse    bool        `json:"noreuse"`
	Interim    [][]any     `json:"interim"` // "103 Early Hints", then pairs of name and value
	Upgrade    string      `json:"upgrade"`
	Packets    []string    `json:"packets"` // AJP payloads in hex
}

// behaviourJSON is how a case writes it; what set leaves out stays as it was.
type behaviourJSON = json.RawMessage

// reasons are those that the recording's backends had on their own.
var reasons = map[int]string{0: "OK", 200: "OK", 204: "No Content", 302: "Found", 304: "Not Modified", 401: "Unauthorized",
	404: "Not Found", 500: "Internal Server Error", 503: "Service Unavailable"}

// line returns status and reason.
func (n *behaviour) line() (int, string) {
	status, reason := n.Status, reasons[n.Status]
	if status == 0 {
		status = 200
	}
	if reason == "" {
		reason = "Status"
	}
	if n.Reason != nil {
		reason = *n.Reason
	}
	return status, reason
}

// wait is the time before an answer.
func (n *behaviour) wait() { time.Sleep(time.Duration(n.Delay * float64(time.Second))) }

// log is what all backends of a case saw, in order.
type log struct {
	sync.Mutex
	list []*seen
}

// add records s; it may still be changed under the lock.
func (l *log) add(s *seen) *seen {
	l.Lock()
	defer l.Unlock()
	l.list = append(l.list, s)
	return s
}

// peek copies the records, take takes them out.
func (l *log) peek() []seen {
	l.Lock()
	defer l.Unlock()
	out := make([]seen, len(l.list))
	for i, s := range l.list {
		out[i] = *s
	}
	return out
}

func (l *log) take() []seen {
	out := l.peek()
	l.Lock()
	defer l.Unlock()
	l.list = l.list[len(out):]
	return out
}

// update changes a record.
func (l *log) update(f func()) {
	l.Lock()
	defer l.Unlock()
	f()
}

// lines is a listener whose connections are numbered, the common part of the
// scripted backends.
type lines struct {
	name string
	port int
	log  *log

	mu    sync.Mutex
	b     behaviour
	ln    net.Listener
	open  []net.Conn
	conns int
	done  chan struct{} // closed by stop
}

// listen changes the behaviour and opens or closes the port as it says.
func (b *lines) listen(change behaviourJSON, serve func(net.Conn, int)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.b
	if err := json.Unmarshal(change, &n); err != nil {
		return err
	}
	b.b = n
	if b.done == nil {
		b.done = make(chan struct{})
	}
	if n.Listen != nil && !*n.Listen {
		b.shut()
		return nil
	}
	if b.ln != nil {
		return nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(b.port))
	if err != nil {
		return err
	}
	b.ln = ln
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns++
			n := b.conns
			b.open = append(b.open, c)
			b.mu.Unlock()
			go serve(c, n)
		}
	}()
	return nil
}

// shut closes the port and all its connections; mu is held.
func (b *lines) shut() {
	if b.ln != nil {
		b.ln.Close()
		b.ln = nil
	}
	for _, c := range b.open {
		c.Close()
	}
	b.open = nil
}

func (b *lines) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done != nil {
		close(b.done)
		b.done = nil
	}
	b.shut()
}

func (b *lines) now() behaviour {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b
}

// hang waits until the peer goes away or the backend stops.
func hang(r io.Reader) { io.Copy(io.Discard, r) }

// backend is a scripted HTTP backend.
type backend struct{ lines }

func (b *backend) set(n behaviourJSON) error { return b.listen(n, b.serve) }

func (b *backend) serve(c net.Conn, number int) {
	defer c.Close()
	first := &seen{Member: b.name, Conn: number, Accepted: true}
	if b.now().Mode == "close_early" {
		b.log.add(first)
		return
	}
	r := bufio.NewReader(c)
	for {
		s, err := b.head(r, number)
		if err != nil {
			return
		}
		b.log.add(s)
		n := b.now()
		if !b.body(c, r, s, &n) || !b.answer(c, r, s, n) {
			return
		}
	}
}

// head reads a request head.
func (b *backend) head(r *bufio.Reader, number int) (*seen, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	s := &seen{Member: b.name, Conn: number, Line: strings.TrimRight(line, "\r\n")}
	for {
		h, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		if h = strings.TrimRight(h, "\r\n"); h == "" {
			return s, nil
		}
		k, v, _ := strings.Cut(h, ":")
		s.Headers = append(s.Headers, [2]string{k, strings.TrimSpace(v)})
	}
}

func (s *seen) header(name string) (string, bool) {
	for _, h := range s.Headers {
		if strings.EqualFold(h[0], name) {
			return h[1], true
		}
	}
	return "", false
}

// body reads a request's body, after a 100 Continue where that was asked for, and
// reports whether an answer is to follow.
func (b *backend) body(c net.Conn, r *bufio.Reader, s *seen, n *behaviour) bool {
	if n.Mode == "early_final" {
		return true
	}
	if _, ok := s.header("Expect"); ok {
		if slices.Contains([]string{"hang", "close", "no100"}, n.Mode) {
			hang(c)
			return false
		}
		io.WriteString(c, "HTTP/1.1 100 Continue\r\n\r\n")
		b.log.update(func() { s.Sent100 = true })
	}
	var data []byte
	if _, ok := s.header("Transfer-Encoding"); ok {
		b.log.update(func() { s.Chunked = true })
		for {
			l, err := r.ReadString('\n')
			size, perr := strconv.ParseInt(strings.TrimSpace(l), 16, 32)
			if err != nil || perr != nil {
				return false
			}
			part := make([]byte, size+2)
			if _, err := io.ReadFull(r, part); err != nil {
				return false
			}
			if size == 0 {
				break
			}
			data = append(data, part[:size]...)
		}
	} else if l, ok := s.header("Content-Length"); ok {
		size, err := strconv.Atoi(l)
		if err != nil {
			return false
		}
		data = make([]byte, size)
		if _, err := io.ReadFull(r, data); err != nil {
			return false
		}
	}
	b.log.update(func() { s.Body = string(data) })
	return true
}

// answer answers and reports whether the connection goes on.
func (b *backend) answer(c net.Conn, r *bufio.Reader, s *seen, n behaviour) bool {
	n.wait()
	for _, i := range n.Interim {
		out := fmt.Sprintf("HTTP/1.1 %s\r\n", i[0])
		for _, h := range i[1:] {
			if pair, ok := h.([]any); ok && len(pair) == 2 {
				out += fmt.Sprintf("%s: %s\r\n", pair[0], pair[1])
			}
		}
		io.WriteString(c, out+"\r\n")
	}
	switch n.Mode {
	case "close", "no100":
		if n.Mode == "close" {
			return false
		}
	case "reset":
		c.(*net.TCPConn).SetLinger(0)
		return false
	case "hang":
		hang(c)
		return false
	case "raw":
		io.WriteString(c, n.Raw)
		return false
	case "partial", "partialhang":
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nContent-Type: text/plain\r\n\r\n0123456789")
		if n.Mode == "partialhang" {
			hang(c)
		}
		return false
	case "chunkpartial":
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\na\r\n0123456789\r\n")
		return false
	case "chunked":
		io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n7\r\nabcdefg\r\n0\r\nX-T: 1\r\n\r\n")
		return true
	case "upgrade":
		proto := n.Upgrade
		if proto == "" {
			proto = "websocket"
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: "+proto+"\r\nConnection: Upgrade\r\n\r\n")
		buf := make([]byte, 4096)
		for {
			k, err := r.Read(buf)
			if k > 0 {
				io.WriteString(c, "echo:"+string(buf[:k]))
			}
			if err != nil {
				return false
			}
		}
	}
	return b.plain(c, s, &n)
}

// plain sends the ordinary answer.
func (b *backend) plain(c net.Conn, s *seen, n *behaviour) bool {
	body := b.name + " " + s.Line + "\n"
	if n.Body != nil {
		body = *n.Body
	} else if n.Size > 0 {
		body = strings.Repeat("z", n.Size)
	}
	status, reason := n.line()
	out := fmt.Sprintf("HTTP/1.1 %d %s\r\n", status, reason)
	for _, h := range n.Headers {
		out += h[0] + ": " + h[1] + "\r\n"
	}
	if status == 204 || status == 304 {
		body = ""
	} else {
		out += fmt.Sprintf("Content-Length: %d\r\nContent-Type: text/plain\r\n", len(body))
	}
	if n.Mode == "early_final" {
		out += "Connection: close\r\n"
	}
	if strings.HasPrefix(s.Line, "HEAD ") {
		body = ""
	}
	io.WriteString(c, out+"\r\n"+body)
	return !n.CloseAfter && n.Mode != "early_final"
}
