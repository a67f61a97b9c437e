package proxy

import (
	"context"
	"errors"
	"io"
	"strings"

	"clowder/runtime/ajp"
	"clowder/runtime/exchange"
	"clowder/runtime/upstream"
)

type ajpTransport struct{}

// roundTrip is ap_proxy_ajp_handler of mod_proxy_ajp.c: connect, CPING if asked
// for, send, read. A connection that fails its CPING is replaced once.
func (ajpTransport) roundTrip(ctx context.Context, a *attempt) (*exchange.Response, *problem) {
	pool := a.pool(false)
	opt := ajp.Options{Timeout: a.timeout}
	if a.member != nil {
		opt.PacketSize = a.member.Model.IOBufferSize.V
		if opt.PacketSize == 0 {
			opt.PacketSize = a.c.srv.m.IOBufferSize.V
		}
		opt.PacketSize = (opt.PacketSize + 1023) &^ 1023
	}
	for try, fresh := 1, a.fresh; ; try, fresh = try+1, true {
		pc, err := pool.Get(ctx, fresh)
		if err != nil {
			var e *upstream.Error
			if errors.As(err, &e) {
				return nil, a.connectProblem(e)
			}
			return nil, &problem{status: 503, err: err}
		}
		conn, ok := pc.Attach.(*ajp.Conn)
		if !ok {
			conn = ajp.NewConn(pc.Conn, opt)
			pc.Attach = conn
		}
		conn.SetTimeout(a.timeout)
		if d := a.ping(); d > 0 {
			if err := conn.Ping(d); err != nil {
				pc.Discard()
				if try < 2 {
					continue
				}
				a.fail()
				return nil, failure("AH00897", "cping/cpong failed to "+a.address(), "ping", problem{status: 503, err: err})
			}
		}
		return a.ajpExchange(ctx, pc, conn)
	}
}

func (a *attempt) ajpExchange(ctx context.Context, pc *upstream.PooledConn, conn *ajp.Conn) (*exchange.Response, *problem) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	req := a.c.ajpRequest(a)
	resp, err := conn.Do(req)
	if err == nil {
		if f, ok := resp.Body.(ajp.Filler); ok {
			err = f.Fill()
		}
	}
	if err != nil {
		stop()
		pc.Discard()
		return nil, a.ajpProblem(err)
	}
	if a.member != nil {
		a.member.Count(max(req.Length, 0), 0)
	}
	resp.Body = &ajpBody{ReadCloser: resp.Body, pc: pc, conn: conn, stop: stop}
	return resp, nil
}

// ajpBody gives the connection back when the answer was read.
type ajpBody struct {
	io.ReadCloser
	pc   *upstream.PooledConn
	conn *ajp.Conn
	stop func() bool
}

func (b *ajpBody) Close() error {
	if b.pc == nil {
		return nil
	}
	if !b.conn.Reusable() { // the end may be unread behind the last byte
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n > 0 || err != io.EOF {
			b.ReadCloser.Close()
		}
	}
	if b.stop() && b.conn.Reusable() {
		b.pc.Put()
	} else {
		b.pc.Discard()
	}
	b.pc = nil
	return nil
}

// ajpProblem decides between failover and 500 as ap_proxy_ajp_request does.
func (a *attempt) ajpProblem(err error) *problem {
	var e *ajp.Error
	if !errors.As(err, &e) {
		return &problem{status: 503, err: err}
	}
	p := failure("AH00893", "dialog failed with "+a.address(), string(e.Phase), problem{status: 500, err: e})
	switch {
	case e.Phase == ajp.PhaseClient:
		p.id, p.what = "AH02822", "dialog failed with client "+a.c.x.Req.Remote.String()
	case !e.GotPacket:
		p.id, p.what = "AH00878", "read response failed from "+a.address()
	}
	switch {
	case e.TooLarge, e.Phase == ajp.PhaseClient:
		p.status = 400
	case e.Timeout && a.ping() > 0:
		p.status = 504
	case a.safe() && e.BytesSent == 0:
		a.fail()
		p.status = 503
	case !e.GotHead:
		a.fail()
	}
	return p
}

// safe reports whether a request may be repeated after it was sent.
func (a *attempt) safe() bool {
	switch a.c.x.Req.Method {
	case "GET", "HEAD", "DELETE", "PUT", "OPTIONS", "TRACE":
		return !strings.Contains(a.target, "?")
	}
	return false
}

// joinLines joins lines of equal names at the first one's place, as httpd keeps what
// it has read.
func joinLines(in exchange.Header) exchange.Header {
	out := make(exchange.Header, 0, len(in))
	for _, f := range in {
		appendValue(&out, f.Name, f.Value)
	}
	return out
}

// ajpRequest makes the FORWARD_REQUEST (ajp_marshal_into_msgb of ajp_header.c).
func (c *call) ajpRequest(a *attempt) *ajp.Request {
	q := c.x.Req
	uri, query, has := strings.Cut(a.target, "?")
	r := &ajp.Request{
		Method: q.Method, Protocol: protocol(q), URI: uri, Query: query, HasQuery: has,
		RemoteAddr: plainAddr(q.Remote).String(), ServerName: c.serverName(),
		ServerPort: int(q.Local.Port()), RemotePort: int(q.Remote.Port()),
		LocalAddr: plainAddr(q.Local).String(), TLS: q.TLS != nil,
		Body: c.body.reader(), Length: c.body.length,
		JVMRoute: c.x.Env["BALANCER_SESSION_ROUTE"],
		OnFlush:  func() { c.x.W.Flush() },

		RemoteUser: c.user, AuthType: c.authType,
	}
	if a.member != nil {
		r.Secret = a.member.Model.Secret.V
	}
	// httpd's AJP handler sends the client's lines as they came, those of the
	// connection included, and adds none of its own.
	if q.Body != nil {
		r.Length = q.Length
	}
	r.Header = joinLines(q.Header)
	c.ajpTLS(r)
	for _, name := range c.x.AJPNames() {
		if v, ok := c.x.Env[name]; ok {
			r.Attributes = append(r.Attributes, ajp.Attribute{Name: strings.TrimPrefix(name, exchange.AJPPrefix), Value: v})
		}
	}
	return r
}
