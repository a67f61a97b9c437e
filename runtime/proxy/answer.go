package proxy

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/runtime/exchange"
)

// relay sends a backend's answer to the client. Errors after the head cut the
// client's connection.
func (c *call) relay(a *attempt, resp *exchange.Response) *problem {
	defer resp.Body.Close()
	if resp.Conn != nil {
		return c.tunnel(a, resp)
	}
	h := answerHeader(resp.Header)
	if c.overrides(resp.Status) {
		if resp.Status == 401 {
			if v, ok := resp.Header.Lookup("WWW-Authenticate"); ok {
				c.challenge = v
			}
		}
		return &problem{status: resp.Status, phrase: phraseUnless(resp.Status, resp.Reason)}
	}
	if c.srv.via == "on" || c.srv.via == "full" {
		h.Add("Via", c.via())
	}
	c.mapBack(h)
	c.finishHeader(&h, false)
	if err := c.head(resp.Status, resp.Reason, h, resp.Length); err != nil {
		return nil
	}
	w := io.Writer(c.x.W)
	if resp.Length < 0 {
		w = flusher{c.x.W}
	}
	var n int64
	var err error
	if resp.Length < 0 {
		buf := buffers.Get().(*[]byte)
		n, err = io.CopyBuffer(w, struct{ io.Reader }{resp.Body}, *buf)
		buffers.Put(buf)
	} else {
		n, err = io.Copy(w, resp.Body)
	}
	c.bytes += n
	if a.member != nil {
		a.member.Count(0, n)
	}
	if err != nil {
		c.p.log.Error("answer was cut", "backend", a.scheme+"://"+a.authority, "path", c.path, "phase", "body", "reason", err)
		c.x.W.Abort()
	}
	return nil
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// flusher passes on at once what comes without a length.
type flusher struct{ w exchange.ResponseWriter }

func (f flusher) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err == nil {
		err = f.w.Flush()
	}
	return n, err
}

// phraseUnless keeps the usual phrase where there is one.
func phraseUnless(status int, reason string) string {
	if statusText(status) != "" {
		return ""
	}
	return reason
}

// overrides reports whether ProxyErrorOverride replaces the answer.
func (c *call) overrides(status int) bool {
	f := strings.Fields(c.conf.override)
	if len(f) == 0 || !strings.EqualFold(f[0], "on") {
		return false
	}
	if len(f) == 1 {
		return status >= 400
	}
	for _, s := range f[1:] {
		if s == strconv.Itoa(status) {
			return true
		}
	}
	return false
}

// answerHeader drops what belongs to the backend connection, joins Vary and
// moves Set-Cookie to the end, as httpd's header tables do.
func answerHeader(in exchange.Header) exchange.Header {
	named := connectionNames(in)
	out := make(exchange.Header, 0, len(in)+3)
	var cookies exchange.Header
	vary := -1
	for _, f := range in {
		if hopByHop(f.Name, named) {
			continue
		}
		switch strings.ToLower(f.Name) {
		case "proxy-authenticate", "te":
			continue
		case "set-cookie":
			cookies = append(cookies, f)
			continue
		case "vary":
			if vary >= 0 {
				out[vary].Value += ", " + f.Value
				continue
			}
			vary = len(out)
		case "date", "expires", "last-modified":
			if t, err := http.ParseTime(f.Value); err == nil {
				f.Value = t.UTC().Format(http.TimeFormat)
			}
		}
		out = append(out, f)
	}
	return append(out, cookies...)
}

// connectionNames are the fields that Connection names, in lower case.
func connectionNames(h exchange.Header) []string {
	var names []string
	for _, f := range h {
		if strings.EqualFold(f.Name, "Connection") {
			for n := range strings.SplitSeq(f.Value, ",") {
				names = append(names, strings.ToLower(strings.TrimSpace(n)))
			}
		}
	}
	return names
}

func hopByHop(name string, named []string) bool {
	n := strings.ToLower(name)
	switch n {
	case "connection", "proxy-connection", "keep-alive", "upgrade", "trailer", "transfer-encoding":
		return true
	}
	for _, x := range named {
		if x == n && n != "host" {
			return true
		}
	}
	return false
}

func (c *call) via() string {
	s := strconv.Itoa(max(c.x.Req.Major, 1)) + "." + strconv.Itoa(c.x.Req.Minor) + " " + c.srv.name
	if port := c.serverPort(); port != 80 {
		s += ":" + strconv.Itoa(port)
	}
	if c.srv.via == "full" {
		s += " (" + c.p.o.Server + ")"
	}
	return s
}

// tunnel passes on a 101 answer and then copies both ways until one side ends
// or nothing moves for the longer of the timeouts.
func (c *call) tunnel(a *attempt, resp *exchange.Response) *problem {
	defer resp.Conn.Close()
	h := answerHeader(resp.Header)
	if u, ok := resp.Header.Lookup("Upgrade"); ok {
		h.Add("Upgrade", u)
		h.Add("Connection", "Upgrade")
	}
	if err := c.x.W.Interim(101, resp.Reason, h); err != nil {
		return nil
	}
	c.status = 101
	client, early, err := c.x.W.Upgrade()
	if err != nil {
		return nil
	}
	defer client.Close()
	idle := max(a.timeout, time.Minute)
	done := make(chan struct{}, 2)
	go func() {
		copyIdle(resp.Conn, early, client, idle)
		done <- struct{}{}
	}()
	go func() {
		n := copyIdle(client, io.MultiReader(resp.Body, resp.Conn), resp.Conn, idle)
		if a.member != nil {
			a.member.Count(0, n)
		}
		done <- struct{}{}
	}()
	<-done
	client.Close()
	resp.Conn.Close()
	<-done
	return nil
}

type deadliner interface{ SetReadDeadline(time.Time) error }

// copyIdle copies until an error or until from, which is read through r, is idle too long.
func copyIdle(to io.Writer, r io.Reader, from deadliner, idle time.Duration) (total int64) {
	buf := make([]byte, 16<<10)
	for {
		from.SetReadDeadline(time.Now().Add(idle))
		n, err := r.Read(buf)
		if n > 0 {
			total += int64(n)
			if _, werr := to.Write(buf[:n]); werr != nil {
				return total
			}
		}
		if err != nil {
			return total
		}
	}
}
