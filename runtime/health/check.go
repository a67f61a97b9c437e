package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"strings"
	"time"

	"clowder/runtime/ajp"
	"clowder/runtime/exchange"
)

const (
	maxLine = 8190     // bytes of one line of an answer's head
	maxHead = 64 << 10 // of the whole head
	maxBody = 1 << 20  // of a body that is kept for a condition
)

// method is one value of hcmethod=. check works on a connected connection, whose
// deadline is set.
type method struct {
	name  string
	check func(c net.Conn, j job) error
}

// methods are those that mod_proxy_hcheck has; PROVIDER is known to it and not
// implemented, and httpd does not start with it.
var methods = []method{
	{"TCP", func(net.Conn, job) error { return nil }},
	{"OPTIONS", request("OPTIONS", 0)},
	{"HEAD", request("HEAD", 0)},
	{"GET", request("GET", 0)},
	{"CPING", ping},
	{"OPTIONS11", request("OPTIONS", 1)},
	{"HEAD11", request("HEAD", 1)},
	{"GET11", request("GET", 1)},
}

func find(name string) *method {
	for i := range methods {
		if strings.EqualFold(methods[i].name, name) {
			return &methods[i]
		}
	}
	return nil
}

func names() string {
	out := "NONE"
	for _, m := range methods {
		out += ", " + m.name
	}
	return out
}

// check returns why the member does not pass, nil when it does.
func (c *Checker) check(ctx context.Context, j job) error {
	m := find(j.method)
	if m == nil {
		return errors.New("no such method: " + j.method)
	}
	dctx, cancel := context.WithTimeout(ctx, j.ConnectTimeout)
	defer cancel()
	nc, err := c.o.Dial(dctx, j.Network, j.Address)
	if err != nil {
		return err
	}
	defer func() { nc.Close() }()
	defer context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })()
	if j.Secure && m.name != "TCP" {
		if j.TLS == nil {
			return errors.New("no settings for TLS with the member")
		}
		t := tls.Client(nc, j.TLS)
		if err := t.HandshakeContext(dctx); err != nil {
			return err
		}
		nc = t
	}
	nc.SetDeadline(time.Now().Add(j.Timeout))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return m.check(nc, j)
}

func ping(c net.Conn, j job) error { return ajp.NewConn(c, ajp.Options{}).Ping(j.Ping) }

// request makes the check of an HTTP method (create_hcheck_req and hc_check_http):
// OPTIONS asks for *, the others for the member's path and hcuri with a slash
// between them.
func request(verb string, minor int) func(net.Conn, job) error {
	return func(c net.Conn, j job) error {
		uri := "*"
		if verb != "OPTIONS" {
			uri = j.Path
			if uri != "" && j.uri != "" {
				uri += "/"
			}
			uri += j.uri
		}
		if strings.ContainsAny(uri, "\r\n\x00") {
			return errors.New("hcuri holds a line end")
		}
		if _, err := fmt.Fprintf(c, "%s %s HTTP/1.%d\r\nHost: %s\r\n\r\n", verb, uri, minor, j.Host); err != nil {
			return err
		}
		a, err := readAnswer(bufio.NewReaderSize(c, 4096), verb == "GET", j.cond != nil)
		if err != nil {
			return err
		}
		if j.cond != nil {
			if !j.cond.Holds(a) {
				return fmt.Errorf("status %d: the condition does not hold", a.Status)
			}
			return nil
		}
		if a.Status < 200 || a.Status > 399 {
			return fmt.Errorf("status %d", a.Status)
		}
		return nil
	}
}

// Answer is what a condition is about.
type Answer struct {
	Status   int
	Reason   string
	Protocol string // HTTP/1.0, HTTP/1.1
	Header   exchange.Header
	Body     []byte // the first MiB, of GET only
}

var errAnswer = errors.New("not an HTTP answer")

// readAnswer reads a head as hc_read_headers does, and with body what follows it;
// keep says that it is of interest.
func readAnswer(r *bufio.Reader, body, keep bool) (*Answer, error) {
	left := maxHead
	line, err := readLine(r, &left)
	if err != nil {
		return nil, err
	}
	a := &Answer{}
	if len(line) < 12 || line[:7] != "HTTP/1." || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return nil, errAnswer
	}
	if a.Status, err = strconv.Atoi(line[9:12]); err != nil || a.Status < 100 || line[7] < '0' || line[7] > '9' {
		return nil, errAnswer
	}
	a.Protocol, a.Reason = line[:8], strings.TrimSpace(line[12:])
	for {
		if line, err = readLine(r, &left); err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		if (line[0] == ' ' || line[0] == '\t') && len(a.Header) > 0 { // folded: ap_getline joins it
			a.Header[len(a.Header)-1].Value += " " + strings.TrimSpace(line)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, errAnswer
		}
		a.Header.Add(name, strings.TrimSpace(value))
	}
	if !body || a.Status == 204 || a.Status == 304 || a.Status < 200 {
		return a, nil
	}
	return a, a.readBody(r, keep)
}

// readLine returns a line without its end.
func readLine(r *bufio.Reader, left *int) (string, error) {
	var b []byte
	for {
		part, err := r.ReadSlice('\n')
		b = append(b, part...)
		*left -= len(part)
		switch {
		case len(b) > maxLine || *left < 0:
			return "", errors.New("the head is too long")
		case err == nil:
			return strings.TrimRight(string(b), "\r\n"), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return "", err
		}
	}
}

func (a *Answer) readBody(r io.Reader, keep bool) error {
	te, chunked := a.Header.Lookup("Transfer-Encoding")
	length, counted := a.Header.Lookup("Content-Length")
	want := int64(-1)
	switch {
	case chunked && !strings.EqualFold(te, "chunked"):
		return errors.New("unknown Transfer-Encoding")
	case chunked:
		r = httputil.NewChunkedReader(r)
	case counted:
		n, err := strconv.ParseUint(length, 10, 62)
		if err != nil {
			return errors.New("bad Content-Length")
		}
		want = int64(n)
		r = io.LimitReader(r, want)
	}
	got := int64(0)
	if keep {
		var err error
		if a.Body, err = io.ReadAll(io.LimitReader(r, maxBody)); err != nil {
			return err
		}
		got = int64(len(a.Body))
	}
	n, err := io.Copy(io.Discard, r)
	if got += n; err == nil && want >= 0 && got < want {
		err = io.ErrUnexpectedEOF
	}
	return err
}
