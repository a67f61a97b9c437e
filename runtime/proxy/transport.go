package proxy

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"clowder/runtime/balancer"
	"clowder/runtime/exchange"
	"clowder/runtime/upstream"
)

// transport speaks one protocol with backends. It is called from many
// goroutines. A problem with status 503 whose member was put into error makes
// the request go on to another member.
type transport interface {
	roundTrip(ctx context.Context, a *attempt) (*exchange.Response, *problem)
}

// transports are the schemes of member URLs.
var transports = []struct {
	scheme string
	transport
}{
	{"http", httpTransport{}},
	{"https", httpTransport{secure: true}},
	{"ws", httpTransport{upgrade: true}},
	{"wss", httpTransport{secure: true, upgrade: true}},
	{"ajp", ajpTransport{}},
	{"h2", h2Transport{secure: true}},
	{"h2c", h2Transport{}},
}

func transportOf(scheme string) transport {
	for _, t := range transports {
		if t.scheme == scheme {
			return t.transport
		}
	}
	return nil
}

// pool returns the connection pool of the attempt's member, or one for this
// attempt alone.
func (a *attempt) pool(secure bool) *upstream.Pool {
	if a.member == nil || a.loose {
		return upstream.NewPool(a.poolConfig(secure))
	}
	return a.member.Attached(func() any { return upstream.NewPool(a.poolConfig(secure)) }).(*upstream.Pool)
}

func (a *attempt) poolConfig(secure bool) upstream.PoolConfig {
	host, port := hostPort(a.authority, balancer.DefaultPort(a.scheme))
	host = strings.Trim(host, "[]")
	pc := upstream.PoolConfig{
		Address: net.JoinHostPort(host, strconv.Itoa(port)), ConnectTimeout: a.timeout,
		DisableReuse: a.member == nil || a.loose, Dial: a.c.p.o.Dial,
	}
	a.dialing(&pc, secure)
	if a.member == nil {
		return pc
	}
	m := a.member.Model
	pc.Max, pc.SMax, pc.TTL, pc.Acquire = m.Max.V, m.SMax.V, m.TTL.V, m.Acquire.V
	if pc.Max == 0 {
		pc.Max = a.c.p.o.MemberMax
	}
	if given(m.SMax) && m.SMax.V == 0 {
		pc.SMax = -1 // none is kept beyond its TTL
	}
	pc.KeepAlive = m.KeepAlive.V
	pc.DisableReuse = a.reuseOff()
	if given(m.ConnTimeout) {
		pc.ConnectTimeout = m.ConnTimeout.V
	}
	return pc
}

// connectProblem answers for a connection that could not be had.
func (a *attempt) connectProblem(e *upstream.Error) *problem {
	a.fail()
	if e.Phase == upstream.Resolve {
		host, _ := hostPort(a.authority, 0)
		return &problem{status: 500, phrase: proxyErr, reason: "DNS lookup failure for: " + host, phase: "resolve", err: e}
	}
	if e.Phase == upstream.Acquire {
		return failure("AH00941", "failed to acquire connection for ("+a.address()+")", "acquire", problem{status: 503, err: e})
	}
	return failure("AH00957", a.scheme+": attempt to connect to "+a.address()+" failed", "connect", problem{status: 503, err: e})
}

type httpTransport struct{ secure, upgrade bool }

func (t httpTransport) roundTrip(ctx context.Context, a *attempt) (*exchange.Response, *problem) {
	c := a.c
	q := c.x.Req
	_, old := c.x.Env["force-proxy-request-1.0"]
	_, noKeep := c.x.Env["proxy-nokeepalive"]
	_, initial := c.x.Env["proxy-initial-not-pooled"]
	pool := a.pool(t.secure)
	r := &upstream.HTTPRequest{
		Method: q.Method, Target: a.target, Minor: 1, Timeout: a.timeout,
		Fresh: a.fresh || initial && q.ConnRequests == 0, Close: noKeep || old, BadHeader: c.srv.badHeader,
		Body: c.body.reader(), Length: c.body.length,
	}
	closing := noKeep || a.reuseOff()
	if t.secure {
		r.Host = a.tlsHost()
	}
	if m := a.member; m != nil {
		r.MaxField = m.Model.ResponseField.V
		if given(m.Model.Ping) && r.Body != nil {
			r.Expect100 = m.Model.Ping.V
		}
	}
	if c.body.held && r.Expect100 == 0 {
		r.Expect100 = a.timeout
	}
	proto := t.wantsUpgrade(a)
	r.AllowUpgrade = true // and judged below
	r.Header = c.requestHeader(a, r.Expect100 > 0, proto, closing)
	if old {
		r.Minor = 0
		r.Header.Del("Connection")
	}
	r.Interim = c.interim(r.Expect100 > 0)
	if r.BadHeader != "" {
		r.OnBadHeader = func(string) {
			id := "AH01100: ignoring a line that is no header"
			if strings.EqualFold(r.BadHeader, "StartBody") {
				id = "AH01098: starting the body at a line that is no header"
			}
			c.p.log.Warn(id+" in the answer of "+a.address(), "client", q.Remote, "path", c.path)
		}
	}
	size := int64(len(r.Method) + len(r.Target) + 14)
	for _, f := range r.Header {
		size += int64(len(f.Name) + len(f.Value) + 4)
	}
	resp, err := pool.RoundTripHTTP(ctx, r)
	size += max(c.body.length, 0)
	if err == nil {
		if a.member != nil {
			a.member.Count(size, int64(len("HTTP/1.1 200 ")+len(resp.Reason)))
		}
		if resp.Conn != nil {
			if u := resp.Header.Get("Upgrade"); proto == "" || !strings.EqualFold(u, proto) {
				resp.Conn.Close()
				return nil, &problem{status: 502, phrase: proxyErr, phase: "read", reason: "Unexpected Upgrade: " + cmp.Or(u, "n/a") + " (expecting " + cmp.Or(proto, "n/a") + ")"}
			}
		}
		return resp, nil
	}
	var e *upstream.Error
	known := errors.As(err, &e)
	if a.member != nil && known && e.BytesSent {
		a.member.Count(size, 0)
	}
	if !known {
		return nil, &problem{status: 502, phrase: proxyErr, reason: "Error reading from remote server", err: err}
	}
	if e.Reused && e.Phase == upstream.Wait && !e.Timeout {
		pool.CloseIdle() // others of its age would fail one request each as well
	}
	return nil, a.httpProblem(e)
}

// reuseOff reports whether the member's connections serve one request each: so it
// is told, or its URL has references to groups and nothing says otherwise.
func (a *attempt) reuseOff() bool {
	if a.member == nil || a.loose {
		return true
	}
	m := a.member.Model
	if given(m.EnableReuse) {
		return !m.EnableReuse.V
	}
	return m.DisableReuse.V || a.b == nil && hasGroup(a.member.Name)
}

// httpProblem is what mod_proxy_http.c makes of a failure.
func (a *attempt) httpProblem(e *upstream.Error) *problem {
	c := a.c
	const reading = "Error reading from remote server"
	const statusLine = "error reading status line from remote server "
	const badHeader = "bad HTTP header in the answer of "
	switch e.Phase {
	case upstream.Resolve, upstream.Connect, upstream.Acquire:
		return a.connectProblem(e)
	case upstream.TLS:
		if errors.Is(e, upstream.ErrNoTLS) {
			return c.noProxyEngine(a)
		}
		return &problem{status: 500, phrase: proxyErr, reason: "Error during SSL Handshake with remote server", err: e}
	case upstream.Send:
		if e.Timeout {
			return failure("AH01084", "passing the request to "+a.address()+" failed", "send", problem{status: 504, err: e})
		}
		return failure("AH01084", "passing the request to "+a.address()+" failed", "send", problem{status: 502, phrase: proxyErr, reason: "Error during send", err: e})
	case upstream.Body:
		return failure("AH01095", "reading the request body failed", "body", problem{status: bodyStatus(e.Err), err: e})
	case upstream.Continue:
		a.fail()
		return failure("AH01102", statusLine+a.address(), "continue", problem{status: 503, phrase: phraseIf(a.b == nil), reason: "Timeout on 100-Continue", err: e})
	case upstream.Wait:
		if e.Timeout && a.b != nil && a.b.Model.FailOnTimeout.V {
			a.fail()
			c.p.log.Error("AH02460: forcing "+a.member.Name+" into error state because of a time-out and failontimeout", "balancer", a.b.Name, "member", a.member.Name)
		}
		if !e.Timeout && c.x.Req.ConnRequests > 0 {
			// The client may repeat on a new connection what it sent on a kept one.
			if !e.Reused {
				a.fail()
			}
			c.x.W.Abort()
			return failure("AH01102", statusLine+a.address(), "wait", problem{status: 502, err: e})
		}
		return failure("AH01102", statusLine+a.address(), "wait", problem{status: 502, phrase: proxyErr, reason: reading, err: e})
	}
	var corrupt *upstream.CorruptStatusError
	switch {
	case errors.As(e.Err, &corrupt):
		return &problem{status: 502, phrase: proxyErr, reason: "Corrupt status line returned by remote server: " + corrupt.Line, err: e}
	case errors.Is(e.Err, upstream.ErrInterims):
		return &problem{status: 502, phrase: proxyErr, reason: "Too many (10) interim responses from origin server", err: e}
	}
	if errors.Is(e.Err, upstream.ErrHeadTooLong) {
		return failure("AH10124", "header size is over the limit allowed by ResponseFieldSize in the answer of "+a.address(), "read", problem{status: 502, warn: true, err: e})
	}
	return failure("AH01106", badHeader+a.address(), "read", problem{status: 502, warn: true, err: e})
}

func phraseIf(b bool) string {
	if b {
		return proxyErr
	}
	return ""
}

// wantsUpgrade returns the protocol to ask the backend for, "" for none.
func (t httpTransport) wantsUpgrade(a *attempt) string {
	u := a.c.x.Req.Header.Get("Upgrade")
	if u == "" || a.c.x.Req.Major > 1 || strings.EqualFold(u, "h2c") {
		// Behind an upgrade to HTTP/2 nobody would look at the requests any more.
		return ""
	}
	allowed := ""
	if a.member != nil {
		allowed = a.member.Model.Upgrade.V
	}
	switch {
	case allowed == "" && t.upgrade && strings.EqualFold(u, "websocket"):
		return u
	case allowed == "*", strings.EqualFold(allowed, "any"), allowed != "" && strings.EqualFold(allowed, u):
		return u
	}
	return ""
}

// interim passes on 1xx answers.
func (c *call) interim(asked bool) func(int, string, exchange.Header) error {
	policy := strings.ToLower(c.x.Env["proxy-interim-response"])
	return func(status int, reason string, h exchange.Header) error {
		if policy == "suppress" && !(status == 100 && c.body.held) || status == 100 && !c.body.held && policy != "rfc" {
			return nil
		}
		if c.x.Req.Major < 2 && c.x.Req.Minor == 0 {
			return nil
		}
		return c.x.W.Interim(status, reason, withoutServer(answerHeader(h, "", false)))
	}
}

// requestHeader makes the header for an HTTP backend (ap_proxy_create_hdrbrgd).
func (c *call) requestHeader(a *attempt, expect bool, upgrade string, closing bool) exchange.Header {
	q := c.x.Req
	h := make(exchange.Header, 0, len(q.Header)+6)
	host := a.authority
	if name, port := hostPort(host, 80); port == 80 {
		host = name
	}
	if c.conf.preserveHost {
		host = q.Header.Get("Host")
		if host == "" {
			host = c.srv.name
			c.p.log.Warn("AH01092: request without a Host header and ProxyPreserveHost: the host is "+host, "path", c.path, "client", q.Remote)
		}
	}
	h.Add("Host", host)
	h = c.clientHeader(h, expect)
	if c.conf.addHeaders && !c.forwarding {
		appendValue(&h, "X-Forwarded-For", plainAddr(q.Remote).String())
		if v := q.Header.Get("Host"); v != "" {
			appendValue(&h, "X-Forwarded-Host", v)
		}
		appendValue(&h, "X-Forwarded-Server", c.srv.name)
	}
	switch {
	case c.body.length < 0:
		h.Add("Transfer-Encoding", "chunked")
	case !c.body.none:
		h.Add("Content-Length", strconv.FormatInt(c.body.length, 10))
	}
	switch {
	case upgrade != "":
		h.Add("Connection", "Upgrade")
		h.Add("Upgrade", upgrade)
	case closing:
		h.Add("Connection", "close")
	default:
		h.Add("Connection", "Keep-Alive")
	}
	return h
}

// clientHeader appends the client's lines that go on, equal names joined.
func (c *call) clientHeader(h exchange.Header, expect bool) exchange.Header {
	q := c.x.Req
	named := connectionNames(q.Header)
	own, expected := len(h), false
	for _, f := range q.Header {
		if hopByHop(f.Name, named) {
			continue
		}
		switch strings.ToLower(f.Name) {
		case "host", "te", "content-length":
			continue
		case "expect":
			if !expect {
				continue
			}
			expected = true
		case "proxy-authorization": // taken here; Proxy-Chain-Auth hands it on
			if _, chain := c.x.Env["Proxy-Chain-Auth"]; c.hasUser && !chain {
				continue
			}
		case "via":
			if c.srv.via == "block" {
				continue
			}
		}
		joined := false
		for i := own; i < len(h); i++ {
			if strings.EqualFold(h[i].Name, f.Name) {
				h[i].Value += ", " + f.Value
				joined = true
				break
			}
		}
		if !joined {
			h = append(h, f)
		}
	}
	if c.srv.via == "on" || c.srv.via == "full" {
		appendValue(&h, "Via", c.via())
	}
	if expect && !expected {
		h.Add("Expect", "100-Continue")
	}
	return h
}

// ping is how long a CPING may take, 0 for none.
func (a *attempt) ping() time.Duration {
	if a.member != nil && given(a.member.Model.Ping) {
		return a.member.Model.Ping.V
	}
	return 0
}
