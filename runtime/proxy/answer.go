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
	h := answerHeader(resp.Header, c.p.o.Server, a.scheme == "ajp")
	if c.overrides(resp.Status) {
		realm := ""
		if resp.Status == 401 {
			realm, _ = resp.Header.Lookup("WWW-Authenticate")
		}
		if a.scheme == "ajp" { // the dialogue is read to its end, within bounds
			io.CopyN(io.Discard, resp.Body, 64<<10)
		}
		phrase := resp.Reason // the status line stays as it came
		if phrase == "" {
			phrase = "Unknown Reason"
		}
		return &problem{status: resp.Status, phrase: phrase, realm: realm}
	}
	if a.scheme != "ajp" && (c.srv.via == "on" || c.srv.via == "full") {
		h.Add("Via", c.via())
	}
	c.mapBack(h)
	c.status = resp.Status
	h = c.finished(h, false, false)
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
		id := "AH01110: error reading the answer of "
		if a.scheme == "ajp" {
			id = "AH00893: dialog failed with "
		}
		c.p.log.Error(id+a.address(), "backend", a.scheme+"://"+a.address(), "path", c.path, "phase", "body", "client", c.x.Req.Remote, "reason", err)
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
// moves Set-Cookie to the end, as httpd's header tables do. Date, if the backend
// sent one, and Server come first; server is ours. An AJP backend knows nothing
// of connections: of its fields httpd drops only those about the body's length.
func answerHeader(in exchange.Header, server string, ajp bool) exchange.Header {
	var named []string
	if !ajp {
		named = connectionNames(in)
	}
	out := make(exchange.Header, 2, len(in)+4)
	out[1] = exchange.Field{Name: "Server", Value: server}
	cookies, warnings, vary := 0, 0, -1
	for _, f := range in {
		if !ajp && hopByHop(f.Name, named) {
			continue
		}
		switch strings.ToLower(f.Name) {
		case "proxy-authenticate", "te":
			if ajp {
				break
			}
			continue
		case "content-length", "transfer-encoding":
			if ajp {
				continue
			}
		case "set-cookie":
			if ajp {
				break
			}
			cookies++
			continue
		case "warning":
			if ajp {
				break
			}
			warnings++
			continue
		case "server":
			if f.Value != "" {
				out[1] = f
			}
			continue
		case "vary":
			if vary >= 0 {
				out[vary].Value += "," + f.Value
				continue
			}
			vary = len(out)
		case "date":
			f.Value = standardDate(f.Value)
			out[0] = f
			continue
		case "expires", "last-modified":
			f.Value = standardDate(f.Value)
		}
		out = append(out, f)
	}
	if cookies > 0 || warnings > 0 {
		out = appendLast(out, in, out[0].Value)
	}
	if out[0].Name == "" {
		out = out[1:]
	}
	return out
}

// appendLast appends the Warning fields that belong to the answer's date
// (ap_proxy_date_canon and proxy_util.c), then the cookies.
func appendLast(out, in exchange.Header, date string) exchange.Header {
	for _, f := range in {
		if strings.EqualFold(f.Name, "Warning") && warningCounts(f.Value, date) {
			out = append(out, f)
		}
	}
	for _, f := range in {
		if strings.EqualFold(f.Name, "Set-Cookie") {
			out = append(out, f)
		}
	}
	return out
}

// warningCounts reports whether a warning has no date of its own, or the answer's.
func warningCounts(v, date string) bool {
	v = strings.TrimSpace(v)
	if date == "" || !strings.HasSuffix(v, `"`) {
		return true
	}
	v = v[:len(v)-1]
	t, err := http.ParseTime(v[strings.LastIndexByte(v, '"')+1:])
	if err != nil {
		return true
	}
	d, err := http.ParseTime(date)
	return err != nil || t.Equal(d)
}

// standardDate writes a date of one of the old forms in the new one.
func standardDate(v string) string {
	if t, err := http.ParseTime(v); err == nil {
		return t.UTC().Format(http.TimeFormat)
	}
	return v
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
	_, port := hostPort(c.x.Req.Host, 80)
	if c.srv.canonical {
		port = c.serverPort()
	}
	if port > 0 && port != 80 {
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
	h := withoutServer(answerHeader(resp.Header, "", false))
	if u, ok := resp.Header.Lookup("Upgrade"); ok {
		h.Add("Connection", "Upgrade")
		h.Add("Upgrade", u)
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

// withoutServer leaves out the Server field of ours, which interim answers lack.
func withoutServer(h exchange.Header) exchange.Header {
	out := h[:0]
	for _, f := range h {
		if f.Name != "Server" || f.Value != "" {
			out = append(out, f)
		}
	}
	return out
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
