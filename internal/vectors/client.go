package vectors

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"time"
)

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

// response is what the client saw.
type response struct {
	Status    int         `json:"status"`
	Reason    string      `json:"reason"`
	HTTP      string      `json:"http"`
	Headers   [][2]string `json:"headers"`
	Framing   string      `json:"framing"`
	Body      *string     `json:"body"`
	Truncated bool        `json:"truncated"`
	Interim   [][]any     `json:"interim"` // status, reason, header lines
	Trailers  [][2]string `json:"trailers"`
	Echo      string      `json:"tunnel_echo"`
	Got100    bool        `json:"got_100"`
	Conn      string      `json:"connection"`
	Timeout   bool        `json:"client_timeout"`
}

// client is a connection to the front.
type client struct {
	c net.Conn
	r *bufio.Reader
}

func (c *client) close() { c.c.Close() }

func dial(addr string) (*client, error) {
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &client{c, bufio.NewReader(c)}, nil
}

// request sends q and reads the answer.
func (p *player) request(q *request) (*response, error) {
	id := ""
	if q.ConnectionID != nil {
		id = fmt.Sprint(q.ConnectionID)
	}
	c := p.kept[id]
	if id == "" || c == nil {
		var err error
		if c, err = dial(p.f.Addr); err != nil {
			return nil, err
		}
		if id == "" {
			defer c.close()
		} else {
			p.kept[id] = c
		}
	}
	limit := 12 * time.Second
	if q.Timeout > 0 {
		limit = time.Duration(q.Timeout * float64(time.Second))
	}
	c.c.SetDeadline(time.Now().Add(limit))
	head, body := q.message(p.fill)
	got := &response{}
	if q.Wait100 == 0 {
		io.WriteString(c.c, head+body) // an early answer may have closed the connection
		return got, c.read(q, got)
	}
	io.WriteString(c.c, head)
	c.c.SetReadDeadline(time.Now().Add(time.Duration(q.Wait100 * float64(time.Second))))
	if b, err := c.r.Peek(12); err == nil && string(b[9:12]) == "100" {
		got.Got100 = true
		for line := " "; strings.TrimSpace(line) != ""; {
			if line, err = c.r.ReadString('\n'); err != nil {
				return nil, err
			}
		}
	} else if err == nil {
		return got, c.read(q, got) // a final answer instead
	}
	c.c.SetDeadline(time.Now().Add(limit))
	io.WriteString(c.c, body)
	return got, c.read(q, got)
}

// message is the request as bytes.
func (q *request) message(fill func(string) string) (head, body string) {
	if q.Raw != "" {
		return fill(q.Raw), ""
	}
	method, version := q.Method, q.Version
	if method == "" {
		method = "GET"
	}
	if version == "" {
		version = "1.1"
	}
	head = method + " " + fill(q.Path) + " HTTP/" + version + "\r\n"
	host := q.NoHost
	for _, h := range q.Headers {
		host = host || strings.EqualFold(h[0], "Host")
	}
	if !host {
		head += "Host: www.example\r\n"
	}
	for _, h := range q.Headers {
		head += h[0] + ": " + fill(h[1]) + "\r\n"
	}
	has := q.Body != nil && (*q.Body != "" || q.BodySize == 0)
	if has {
		body = *q.Body
		for i, name := range []string{"@A@", "@B@", "@C@", "@D@", "@E@"} { // the ports when it was recorded
			body = strings.ReplaceAll(body, strconv.Itoa(18101+i), fill(name))
		}
		body = fill(body)
	}
	if q.BodySize > 0 {
		body, has = strings.Repeat("b", q.BodySize), true
	}
	switch {
	case len(q.Chunks) > 0:
		head += "Transfer-Encoding: chunked\r\n\r\n"
		for _, k := range q.Chunks {
			body += fmt.Sprintf("%x\r\n%s\r\n", len(k), k)
		}
		body += "0\r\n\r\n"
	case has:
		head += fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body))
	default:
		head += "\r\n"
	}
	return head, body
}

// head reads a status line and header lines.
func (c *client) head(got *response) error {
	line, err := c.r.ReadString('\n')
	if err != nil {
		if line == "" && (errors.Is(err, io.EOF) || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return io.EOF
		}
		return err
	}
	line = strings.TrimRight(line, "\r\n")
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	if got.HTTP = strings.TrimPrefix(version, "HTTP/"); got.HTTP == "1.1" {
		got.HTTP = ""
	}
	if got.Status, err = strconv.Atoi(code); err != nil {
		return fmt.Errorf("status line %q", line)
	}
	got.Reason = reason
	got.Headers, err = c.fields()
	return err
}

func (c *client) fields() ([][2]string, error) {
	var out [][2]string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return out, err
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return out, nil
		}
		k, v, ok := strings.Cut(line, ":")
		if !ok {
			return out, fmt.Errorf("header line %q", line)
		}
		if !strings.EqualFold(k, "Date") {
			out = append(out, [2]string{k, strings.TrimSpace(v)})
		}
	}
}

// read reads interim answers, then the answer.
func (c *client) read(q *request, got *response) error {
	for {
		err := c.head(got)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			got.Timeout = true
			return nil
		case err == io.EOF:
			got.Conn = "closed without a response"
			return nil
		case err != nil:
			return err
		}
		if got.Status >= 200 || got.Status == 101 {
			break
		}
		if got.Status != 100 || !got.Got100 {
			got.Interim = append(got.Interim, []any{got.Status, got.Reason, got.Headers})
		}
		got.Headers = nil
	}
	if got.Status == 101 {
		return c.echo(got)
	}
	return c.body(q, got)
}

// echo tries the tunnel.
func (c *client) echo(got *response) error {
	io.WriteString(c.c, "hello")
	c.c.SetReadDeadline(time.Now().Add(3 * time.Second))
	buf := make([]byte, len("echo:hello"))
	n, _ := io.ReadFull(c.r, buf)
	got.Echo = string(buf[:n])
	return nil
}

func (c *client) body(q *request, got *response) error {
	length, chunked := -1, false
	for _, h := range got.Headers {
		switch strings.ToLower(h[0]) {
		case "content-length":
			length, _ = strconv.Atoi(h[1])
		case "transfer-encoding":
			chunked = strings.EqualFold(h[1], "chunked")
		}
	}
	var data []byte
	var err error
	switch {
	case q.Method == "HEAD" || strings.HasPrefix(q.Raw, "HEAD ") || got.Status == 204 || got.Status == 304:
		got.Framing = "none"
	case chunked:
		got.Framing = "chunked"
		data, err = c.chunks(got)
	case length >= 0:
		got.Framing = "length"
		data = make([]byte, length)
		n := 0
		n, err = io.ReadFull(c.r, data)
		data = data[:n]
	default:
		got.Framing = "close"
		data, err = io.ReadAll(c.r)
	}
	text := string(data)
	got.Body = &text
	if errors.Is(err, os.ErrDeadlineExceeded) {
		got.Timeout = true
	} else if err != nil {
		got.Truncated = true
	}
	return nil
}

func (c *client) chunks(got *response) ([]byte, error) {
	var data bytes.Buffer
	tp := textproto.NewReader(c.r)
	for {
		line, err := tp.ReadLine()
		if err != nil {
			return data.Bytes(), err
		}
		size, err := strconv.ParseInt(line, 16, 32)
		if err != nil {
			return data.Bytes(), err
		}
		if size == 0 {
			got.Trailers, err = c.fields()
			return data.Bytes(), err
		}
		if _, err := io.CopyN(&data, c.r, size); err != nil {
			return data.Bytes(), err
		}
		if _, err := tp.ReadLine(); err != nil {
			return data.Bytes(), err
		}
	}
}
