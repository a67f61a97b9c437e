package malformed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Answer is what a hostile or broken backend sends to a request.
type Answer struct {
	Name, Method string
	Raw          string
}

// second is the answer to the next client; sneaked is what a parser that is off the
// track takes for it.
const (
	secondBody = "the second answer"
	sneaked    = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-Sneaked: 1\r\n\r\nsneaked"
)

func ok(fields, body string) string { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + body }

// Answers returns all answers; their names are unique.
func Answers() []Answer {
	var list []Answer
	group := func(name, method string, raws ...string) {
		for i, raw := range raws {
			list = append(list, Answer{fmt.Sprintf("%s-%02d", name, i+1), method, raw})
		}
	}
	line := func(l string) string { return l + "\r\nContent-Length: 2\r\n\r\nok" }
	field := func(f string) string { return ok(f+"Content-Length: 2\r\n", "ok") }
	chunks := func(body string) string { return ok("Transfer-Encoding: chunked\r\n", body) }
	length := func(v string) string { return ok("Content-Length:"+v+"\r\n", "abc") }
	group("length", "GET", length(" 3"), length("3"), length(" +3"), length(" -3"), length(" 0x3"), length(" 3,3"), length(" 3, 4"), length(" 3 3"), length(" a"), length(""),
		length(" 99999999999999999999"), length(" 003"), length(" 3.0"), ok("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), ok("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
		ok("Content-Length: 0\r\nContent-Length: 3\r\n", "abc"), ok("Content-Length : 3\r\n", "abc"), ok(" Content-Length: 3\r\n", "abc"), ok("Content_Length: 1\r\nContent-Length: 3\r\n", "abc"),
		ok("Content-Length: 5\r\n", "abc"), ok("Content-Length: 1\r\n", "abc"), ok("", "to the end"))
	group("coding", "GET", chunks("3\r\nabc\r\n0\r\n\r\n"), ok("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "3\r\nabc\r\n0\r\n\r\n"),
		ok("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), ok("Transfer-Encoding: gzip\r\nContent-Length: 3\r\n", "abc"),
		ok("Transfer-Encoding: identity\r\nContent-Length: 3\r\n", "abc"), ok("Transfer-Encoding: gzip, chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
		ok("Transfer-Encoding: chunked, gzip\r\n", "3\r\nabc\r\n0\r\n\r\n"), ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
		ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "3\r\nabc\r\n0\r\n\r\n"), ok("Transfer-Encoding: xchunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
		ok("Transfer-Encoding: \"chunked\"\r\n", "3\r\nabc\r\n0\r\n\r\n"), ok("Transfer-Encoding:\r\n chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), ok("Transfer-Encoding : chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"),
		ok("Transfer-Encoding: chun\x0bked\r\n", "3\r\nabc\r\n0\r\n\r\n"), "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	group("chunk", "GET", chunks("g\r\nabc\r\n0\r\n\r\n"), chunks("-3\r\nabc\r\n0\r\n\r\n"), chunks("+3\r\nabc\r\n0\r\n\r\n"), chunks("0x3\r\nabc\r\n0\r\n\r\n"), chunks(" 3\r\nabc\r\n0\r\n\r\n"),
		chunks("3 \r\nabc\r\n0\r\n\r\n"), chunks("3\nabc\n0\n\n"), chunks("3\r\nabcd\r\n0\r\n\r\n"), chunks("3\r\nab\r\n0\r\n\r\n"), chunks("3;a=b\r\nabc\r\n0\r\n\r\n"), chunks("\r\nabc\r\n0\r\n\r\n"),
		chunks("ffffffffffffffff1\r\nabc\r\n0\r\n\r\n"), chunks("7fffffffffffffff\r\nabc"), chunks("3\r\nabc\r\n"), chunks("3\r\nabc\r\n0\r\n"), chunks("3\r\nabc0\r\n\r\n"), chunks("3\rabc\r\n0\r\n\r\n"),
		chunks("3\r\nabc\r\n"+strings.Repeat("0", 5000)+"\r\n\r\n"), chunks("3;"+strings.Repeat("a", 20000)+"\r\nabc\r\n0\r\n\r\n"))
	group("trailer", "GET", chunks("3\r\nabc\r\n0\r\nX: y\r\n\r\n"), chunks("3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n"), chunks("3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
		chunks("3\r\nabc\r\n0\r\nno colon\r\n\r\n"), chunks("3\r\nabc\r\n0\r\nX: a\r\n folded\r\n\r\n"), chunks("3\r\nabc\r\n0\r\nX: \x00\r\n\r\n"), chunks("3\r\nabc\r\n0\r\n"+strings.Repeat("X: y\r\n", 2000)+"\r\n"))
	group("line", "GET", line("HTTP/1.1 200"), line("HTTP/1.1 200 "), line("HTTP/1.1  200 OK"), line("HTTP/1.1 20 OK"), line("HTTP/1.1 2000 OK"), line("HTTP/1.1 abc OK"), line("HTTP/1.1 099 OK"),
		line("HTTP/1.1 999 Odd"), line("HTTP/1.1 600 Odd"), line("HTTP/2.0 200 OK"), line("HTTP/0.9 200 OK"), line("HTTP/1.2 200 OK"), line("HTTP/1.10 200 OK"), line("http/1.1 200 OK"), line("ICY 200 OK"),
		line(" HTTP/1.1 200 OK"), line("\r\nHTTP/1.1 200 OK"), line("HTTP/1.1\t200 OK"), line("HTTP/1.1 200 O\x00K"), line("HTTP/1.1 200 O\rK"), line("HTTP/1.1 200 O\x01K"), line("HTTP/1.1 200 "+strings.Repeat("K", 9000)),
		line("HTTP/1.1 200OK"), line("HTTP/1.1 -200 OK"), "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "just text", "", "\x00\x01\x02")
	group("field", "GET", field("X : y\r\n"), field("X\t: y\r\n"), field("X y: z\r\n"), field("no colon\r\n"), field(": empty\r\n"), field("X: a\x00b\r\n"), field("X\x00: a\r\n"), field("X: a\rb\r\n"), field("X: a\rContent-Length: 9\r\n"),
		field("X: a\r\n folded\r\n"), field(" first folded\r\n"), field("X: a\nY: b\r\n"), field("X: "+strings.Repeat("a", 7000)+"\r\n"), field("X: "+strings.Repeat("a", 20000)+"\r\n"), field(strings.Repeat("X: y\r\n", 99)),
		field(strings.Repeat("X: y\r\n", 3000)), field("X\xe9: y\r\n"), field("X: \xe9\r\n"), field("X: \x7f\r\n"), field("X: \x01\r\n"), field("X(: y\r\n"), field("Connection: Content-Length, close\r\n"), field("Connection: X-Gone\r\nX-Gone: 1\r\n"))
	group("interim", "GET", "HTTP/1.1 100 Continue\r\n\r\n"+field(""), "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n"+field(""), strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", 9)+field(""), strings.Repeat("HTTP/1.1 103 Early\r\n\r\n", 50)+field(""),
		"HTTP/1.1 102 Processing\r\nContent-Length: 3\r\n\r\nabc"+field(""), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"+sneaked, "HTTP/1.1 101 Switching Protocols\r\n\r\n"+sneaked, "HTTP/1.1 199 Odd\r\n\r\n"+field(""), "HTTP/1.1 100 Continue\r\n\r\n")
	group("nobody", "GET", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 204 No Content\r\n\r\n"+sneaked, "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\n\r\n"+sneaked, "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n"+sneaked)
	group("head", "HEAD", ok("Content-Length: 3\r\n", ""), ok("Content-Length: 3\r\n", "abc"), ok("Content-Length: 0\r\n", sneaked), ok("Transfer-Encoding: chunked\r\n", ""), ok("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), ok("", sneaked))
	group("behind", "GET", field("")+sneaked, field("")+"\r\n", field("")+"\x00", chunks("3\r\nabc\r\n0\r\n\r\n")+sneaked, ok("Content-Length: 0\r\n", sneaked), field("Connection: close\r\n")+sneaked, ok("Content-Length: 0\r\n", "HTTP/1.1 1"))
	return list
}

// Outcome is what clients got: the first one the answer of the backend, or a
// refusal, the next one what must be the second answer.
type Outcome struct {
	Status  int      `json:"status"`            // of the final answer; 0: none
	Interim []int    `json:"interim,omitempty"` // before it
	Body    string   `json:"body,omitempty"`    // below 500 only
	Cut     bool     `json:"cut,omitempty"`     // the client sees that the answer is not whole
	Extra   string   `json:"extra,omitempty"`   // bytes behind the answer
	Next    int      `json:"next"`              // status of the next client's answer
	Astray  string   `json:"astray,omitempty"`  // its body, when it is none of the expected
	Names   []string `json:"-"`                 // header names of the first answer
}

// AnswerRig is a number of hostile backends, and a front's port to each of them.
type AnswerRig struct{ slots []*answerSlot }

type answerSlot struct {
	front int
	ln    net.Listener
	mu    sync.Mutex
	raw   string
	sent  bool
	conns []net.Conn
}

// NewAnswers opens n backends. Close the rig when all is done.
func NewAnswers(n int) (*AnswerRig, error) {
	r := &AnswerRig{}
	for range n {
		p, ln, err := open()
		if err != nil {
			return nil, err
		}
		s := &answerSlot{front: p, ln: ln}
		r.slots = append(r.slots, s)
		go s.accept()
	}
	return r, nil
}

// Close ends the backends.
func (r *AnswerRig) Close() {
	for _, s := range r.slots {
		s.ln.Close()
	}
}

// Ports returns the front's ports.
func (r *AnswerRig) Ports() (out []int) {
	for _, s := range r.slots {
		out = append(out, s.front)
	}
	return out
}

// Config returns the front end's lines.
func (r *AnswerRig) Config() string {
	var b strings.Builder
	for _, s := range r.slots {
		fmt.Fprintf(&b, "Listen 127.0.0.1:%d\n<VirtualHost 127.0.0.1:%d>\n  ServerName front.example\n  ProxyPass / http://%s/ retry=0\n</VirtualHost>\n", s.front, s.front, s.ln.Addr())
	}
	return b.String()
}

func (s *answerSlot) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		go s.serve(c)
	}
}

// serve answers the case's request with its bytes and all others well; a
// connection that is silent for a while is closed.
func (s *answerSlot) serve(c net.Conn) {
	defer c.Close()
	var in []byte
	buf := make([]byte, 16<<10)
	for {
		c.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
		n, err := c.Read(buf)
		in = append(in, buf[:n]...)
		for bytes.Contains(in, []byte("\r\n\r\n")) {
			_, in, _ = bytes.Cut(in, []byte("\r\n\r\n"))
			s.mu.Lock()
			raw, first := s.raw, !s.sent
			s.sent = true
			s.mu.Unlock()
			if !first {
				raw = ok("Content-Length: "+strconv.Itoa(len(secondBody))+"\r\n", secondBody)
			}
			io.WriteString(c, raw)
		}
		if err != nil {
			return
		}
	}
}

// Play plays all answers, as many at a time as there are slots.
func (r *AnswerRig) Play(cases []Answer) (map[string]Outcome, error) {
	todo := make(chan Answer)
	out := map[string]Outcome{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	for _, s := range r.slots {
		wg.Go(func() {
			for a := range todo {
				o, err := s.play(a)
				mu.Lock()
				out[a.Name] = o
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", a.Name, err))
				}
				mu.Unlock()
			}
		})
	}
	for _, a := range cases {
		todo <- a
	}
	close(todo)
	wg.Wait()
	return out, errors.Join(errs...)
}

func (s *answerSlot) play(a Answer) (Outcome, error) {
	s.mu.Lock()
	s.raw, s.sent = a.Raw, false
	s.mu.Unlock()
	var o Outcome
	got, err := s.ask(a.Method)
	if err != nil {
		return o, err
	}
	o.read(got, a.Method)
	if got, err = s.ask("GET"); err != nil {
		return o, err
	}
	var next Outcome
	next.read(got, "GET")
	if o.Next = next.Status; next.Body != secondBody || next.Extra != "" {
		o.Astray = next.Body + next.Extra
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns { // the next case has fresh ones
		c.Close()
	}
	s.conns = nil
	return o, nil
}

// ask sends a request on a connection of its own and returns all that comes.
func (s *answerSlot) ask(method string) ([]byte, error) {
	c, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.front))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	io.WriteString(c, method+" /a HTTP/1.1\r\nHost: front.example\r\nConnection: close\r\n\r\n")
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(c)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		return got, err
	}
	return got, nil
}

// read takes a client's bytes apart with the strict parser of net/http.
func (o *Outcome) read(b []byte, method string) {
	r := bufio.NewReader(bytes.NewReader(b))
	for {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			o.Cut = len(b) > 0
			return
		}
		if resp.StatusCode < 200 {
			o.Interim = append(o.Interim, resp.StatusCode)
			continue
		}
		o.Status = resp.StatusCode
		for n := range resp.Header {
			o.Names = append(o.Names, n)
		}
		body, err := io.ReadAll(resp.Body)
		o.Cut = err != nil
		if o.Status < 500 {
			o.Body = string(body[:min(len(body), 300)])
		}
		rest, _ := io.ReadAll(r)
		o.Extra = string(rest[:min(len(rest), 300)])
		return
	}
}

// AnswersFile is where httpd's outcomes stand, below the root of the repository.
func AnswersFile(root string) string {
	return filepath.Join(root, "testdata", "malformed", "answers.json")
}

// RecordedAnswers reads httpd's outcomes.
func RecordedAnswers(root string) (map[string]Outcome, error) {
	data, err := os.ReadFile(AnswersFile(root))
	if err != nil {
		return nil, err
	}
	out := map[string]Outcome{}
	return out, json.Unmarshal(data, &out)
}
