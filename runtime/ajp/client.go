package ajp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"clowder/runtime/exchange"
)

// Phase says how far a request was when it failed.
type Phase string

// The phases, in the order in which a request passes through them.
const (
	PhaseConnect Phase = "connect" // dialling; set by callers that dial
	PhasePing    Phase = "ping"    // CPING, waiting for CPONG
	PhaseSend    Phase = "send"    // head or body to the backend
	PhaseWait    Phase = "wait"    // nothing came from the backend yet
	PhaseRead    Phase = "read"    // the backend answered something before
	PhaseClient  Phase = "client"  // reading the request body from the client
)

// Error is a failed request. After it the connection must be closed. Its fields
// are what httpd's failover depends on (mod_proxy_ajp.c, ap_proxy_ajp_request).
type Error struct {
	Phase     Phase
	BytesSent int64 // bytes of the request's body that were sent
	GotPacket bool  // any packet came back for this request
	GotHead   bool  // SEND_HEADERS came
	Timeout   bool  // a time limit was reached
	TooLarge  bool  // the request's head does not fit into a packet: answer 400
	Err       error
}

func (e *Error) Error() string { return fmt.Sprintf("ajp: %s: %v", e.Phase, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// maxEarlyBody is how much of an answer's body may come before its headers.
const maxEarlyBody = 1 << 20

// Errors of a dialogue that breaks the protocol.
var (
	errTwice   = errors.New("headers sent twice")
	errAfter   = errors.New("body asked for after its end")
	errPacket  = errors.New("unexpected packet")
	errEarly   = errors.New("too much body before the headers")
	errBusy    = errors.New("connection is in use or broken")
	errNoBody  = errors.New("Content-Length without a body")
	errBodyEnd = errors.New("the answer's body was closed before its end")
)

// Options of a client connection.
type Options struct {
	// PacketSize in bytes, 8192 to 65536; others are clamped. 0 means 8192.
	PacketSize int
	// Timeout limits each single wait for the backend (httpd's worker timeout); 0: none.
	Timeout time.Duration
	// FirstTimeout limits the wait for the first packet of an answer; 0: Timeout.
	FirstTimeout time.Duration
}

// Conn is a client connection to a Tomcat. It carries one request at a time and
// is used by one goroutine at a time; Close may be called from any.
type Conn struct {
	c       net.Conn
	r       *bufio.Reader
	o       Options
	discard int
	out     []byte

	req       *Request
	busy      bool
	broken    bool
	bodyEnded bool // the end chunk was sent
	gotPacket bool
	gotHead   bool
	sent      int64
	limited   bool // a read deadline is set
}

// NewConn takes over the network connection.
func NewConn(c net.Conn, o Options) *Conn {
	o.PacketSize = packetSize(o.PacketSize)
	return &Conn{c: c, o: o, r: bufio.NewReaderSize(c, o.PacketSize), out: make([]byte, 0, 512)}
}

// Close closes the connection.
func (c *Conn) Close() error { return c.c.Close() }

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.c }

// SetTimeout changes the limit of each single wait; 0 means none.
func (c *Conn) SetTimeout(d time.Duration) { c.o.Timeout = d }

// Reusable reports whether another request may be sent: the last answer was read
// to its end and the backend agreed with END_RESPONSE reuse 1.
func (c *Conn) Reusable() bool { return !c.busy && !c.broken }

// Ping sends CPING and waits for CPONG. An answer of another kind is an error,
// as in ajp_handle_cping_cpong of httpd. 0 means no limit.
func (c *Conn) Ping(timeout time.Duration) error {
	if !c.Reusable() {
		return &Error{Phase: PhasePing, Err: errBusy}
	}
	err := c.send(AppendPing(c.out[:0]), timeout)
	var p []byte
	if err == nil {
		p, err = c.read(timeout)
	}
	if err == nil && (len(p) < 1 || p[0] != TypePong) {
		err = errPacket
	}
	if err != nil {
		c.broken = true
		return &Error{Phase: PhasePing, Timeout: isTimeout(err), Err: err}
	}
	return nil
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

func (c *Conn) send(b []byte, timeout time.Duration) error {
	if timeout > 0 {
		c.c.SetWriteDeadline(time.Now().Add(timeout))
		defer c.c.SetWriteDeadline(time.Time{})
	}
	_, err := c.c.Write(b)
	if cap(b) <= MaxPacketSize+headSize {
		c.out = b[:0]
	}
	return err
}

func (c *Conn) read(timeout time.Duration) ([]byte, error) {
	if timeout > 0 {
		c.c.SetReadDeadline(time.Now().Add(timeout))
		c.limited = true
	} else if c.limited {
		c.c.SetReadDeadline(time.Time{})
		c.limited = false
	}
	return readPacket(c.r, 0x41, 0x42, c.o.PacketSize, &c.discard)
}

func (c *Conn) fail(phase Phase, err error) *Error {
	c.broken = true
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return &Error{Phase: phase, BytesSent: c.sent, GotPacket: c.gotPacket, GotHead: c.gotHead,
		Timeout: isTimeout(err), TooLarge: phase == PhaseSend && errors.Is(err, ErrTooLarge), Err: err}
}

// Do sends the request and reads up to the answer's headers. The answer's Length
// is -1 unless it has no body: httpd does not trust Content-Length of an AJP
// backend. Reading Body to io.EOF finishes the exchange; closing it before that
// closes the connection. An error is always an *[Error], also one of Body.Read.
//
// The first part of a body of known length goes out at once; further ones, and
// all of a chunked body, when the backend asks for them.
func (c *Conn) Do(req *Request) (*exchange.Response, error) {
	if !c.Reusable() {
		return nil, &Error{Phase: PhaseSend, Err: errBusy}
	}
	c.req, c.busy = req, true
	c.bodyEnded, c.gotPacket, c.gotHead, c.sent = false, false, false, 0
	b, err := AppendRequest(c.out[:0], req, c.o.PacketSize)
	if err != nil {
		c.busy = false // nothing was sent
		return nil, &Error{Phase: PhaseSend, TooLarge: true, Err: err}
	}
	if req.Body != nil && req.Length > 0 {
		n := len(b)
		if b, err = c.appendChunk(b); err == nil && len(b) == n+6 {
			err = errNoBody
		}
		if err != nil {
			return nil, c.fail(PhaseClient, err)
		}
	}
	if err := c.send(b, c.o.Timeout); err != nil {
		c.sent = 0
		return nil, c.fail(PhaseSend, err)
	}
	return c.head()
}

// appendChunk appends the next part of the request's body, or the empty end.
func (c *Conn) appendChunk(b []byte) ([]byte, error) {
	if c.req.Body == nil || c.req.Length == 0 {
		c.bodyEnded = true
		return AppendBody(b, nil), nil
	}
	from, room := len(b), c.o.PacketSize-6
	b = append(b, 0x12, 0x34, 0, 0, 0, 0)
	b = append(b, make([]byte, room)...)
	data := b[from+6:]
	var n int
	var err error
	if c.req.Length > 0 {
		if left := c.req.Length - c.sent; int64(room) > left {
			data = data[:left]
		}
		if len(data) > 0 {
			n, err = io.ReadFull(c.req.Body, data)
		}
	} else {
		for tries := 0; n == 0 && err == nil && tries < 100; tries++ {
			n, err = c.req.Body.Read(data)
		}
		chunks, _ := c.req.Body.(exchange.ChunkReader)
		for chunks != nil && n > 0 && n < len(data) && err == nil && chunks.ChunkLeft() > 0 {
			more := 0
			more, err = c.req.Body.Read(data[n:min(int64(len(data)), int64(n)+chunks.ChunkLeft())])
			n += more
		}
		if n > 0 || err == io.EOF {
			err = nil
		} else if err == nil {
			err = io.ErrNoProgress
		}
	}
	if err != nil {
		return b[:from], err
	}
	b = b[:from+6+n]
	b[from+2], b[from+3] = byte((n+2)>>8), byte(n+2)
	b[from+4], b[from+5] = byte(n>>8), byte(n)
	c.sent += int64(n)
	c.bodyEnded = n == 0
	return b, nil
}

// sendNext sends what GET_BODY_CHUNK asked for.
func (c *Conn) sendNext() error {
	if c.bodyEnded {
		return c.fail(PhaseRead, errAfter)
	}
	b, err := c.appendChunk(c.out[:0])
	if err != nil {
		return c.fail(PhaseClient, err)
	}
	if err := c.send(b, c.o.Timeout); err != nil {
		return c.fail(PhaseSend, err)
	}
	return nil
}

// next reads a packet of the answer, answering requests for body on the way.
func (c *Conn) next() ([]byte, error) {
	for {
		timeout, phase := c.o.Timeout, PhaseRead
		if !c.gotPacket {
			phase = PhaseWait
			if c.o.FirstTimeout > 0 {
				timeout = c.o.FirstTimeout
			}
		}
		p, err := c.read(timeout)
		if err != nil {
			return nil, c.fail(phase, err)
		}
		c.gotPacket = true
		if len(p) == 0 {
			return nil, c.fail(PhaseRead, errPacket)
		}
		if p[0] != TypeGetBodyChunk {
			return p, nil
		}
		if len(p) != 3 {
			return nil, c.fail(PhaseRead, errPacket)
		}
		if err := c.sendNext(); err != nil {
			return nil, err
		}
	}
}

func (c *Conn) end(p []byte) error {
	if len(p) != 2 {
		return c.fail(PhaseRead, errPacket)
	}
	c.busy, c.req = false, nil
	if p[1] != 1 || c.limited && c.c.SetReadDeadline(time.Time{}) != nil {
		c.broken = true
	}
	c.limited = false
	return nil
}

func (c *Conn) head() (*exchange.Response, error) {
	body := &answerBody{c: c}
	for {
		p, err := c.next()
		if err != nil {
			return nil, err
		}
		switch p[0] {
		case TypeSendHeaders:
			st, reason, h, err := DecodeHeaders(p)
			if err != nil {
				return nil, c.fail(PhaseRead, err)
			}
			c.gotHead = true
			return &exchange.Response{Status: st, Reason: reason, Header: h, Length: -1, Body: body}, nil
		case TypeSendBodyChunk:
			data, err := DecodeSendBody(p)
			if err == nil && len(body.early)+len(data) > maxEarlyBody {
				err = errEarly
			}
			if err != nil {
				return nil, c.fail(PhaseRead, err)
			}
			body.early = append(body.early, data...)
			body.rest = body.early
		case TypeEndResponse:
			if err := c.end(p); err != nil {
				return nil, err
			}
			// mod_proxy_ajp passes on a 200 when no headers came at all.
			body.done = true
			return &exchange.Response{Status: 200, Reason: "OK", Length: int64(len(body.rest)), Body: body}, nil
		default:
			return nil, c.fail(PhaseRead, fmt.Errorf("%w of type %d", errPacket, p[0]))
		}
	}
}

// answerBody streams the chunks of an answer.
type answerBody struct {
	c      *Conn
	early  []byte // came before the headers
	rest   []byte // of the packet in the connection's buffer, or of early
	done   bool
	closed bool
	flush  bool // Tomcat asked for one, and the answer's head was not on its way yet
	err    error
}

// Filler is what the Body of an answer to [Conn.Do] can do: Fill waits until bytes
// of the body are there, its end or a request to flush, and has the error that the
// first Read would have. As long as no byte went to the client an exchange that
// breaks may be repeated; httpd sends the head with the first bytes, too.
type Filler interface{ Fill() error }

// Fill implements [Filler].
func (b *answerBody) Fill() error {
	for len(b.rest) == 0 && !b.done && !b.closed && !b.flush && b.err == nil {
		b.err = b.more(true)
	}
	return b.err
}

func (b *answerBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errBodyEnd
	}
	if b.flush {
		b.flush = false
		b.asked()
	}
	for len(b.rest) == 0 {
		if b.done {
			return 0, io.EOF
		}
		if b.err != nil {
			return 0, b.err
		}
		if b.err = b.more(false); b.err != nil {
			return 0, b.err
		}
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// asked tells that Tomcat wants what it sent to reach the client.
func (b *answerBody) asked() {
	if req := b.c.req; req != nil && req.OnFlush != nil {
		req.OnFlush()
	}
}

// more reads a packet. early keeps a request to flush for the first Read.
func (b *answerBody) more(early bool) error {
	c := b.c
	p, err := c.next()
	if err != nil {
		return err
	}
	switch p[0] {
	case TypeSendBodyChunk:
		data, err := DecodeSendBody(p)
		if err != nil {
			return c.fail(PhaseRead, err)
		}
		if len(data) == 0 && early {
			b.flush = true
		} else if len(data) == 0 {
			b.asked()
		}
		b.rest = data
	case TypeEndResponse:
		if err := c.end(p); err != nil {
			return err
		}
		b.done = true
	case TypeSendHeaders:
		return c.fail(PhaseRead, errTwice)
	default:
		return c.fail(PhaseRead, fmt.Errorf("%w of type %d", errPacket, p[0]))
	}
	return nil
}

// Close ends the exchange. Before the end of the body it closes the connection.
func (b *answerBody) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	if b.done {
		return nil
	}
	b.c.broken = true
	return b.c.c.Close()
}
