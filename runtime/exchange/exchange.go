// Package exchange is the neutral form of one request and its answer, between
// the fronts that read HTTP/1.1 or HTTP/2 and the proxy, balancer, manager and
// backends behind them. It knows no wire format and imports nothing of clowder.
package exchange

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Field is one header line as it came: the name keeps its case.
type Field struct{ Name, Value string }

// Header is the ordered list of header lines. Names compare without case.
type Header []Field

// Get returns the first value of the name, or "".
func (h Header) Get(name string) string {
	v, _ := h.Lookup(name)
	return v
}

// Lookup returns the first value of the name and whether there is one.
func (h Header) Lookup(name string) (string, bool) {
	for i := range h {
		if len(h[i].Name) == len(name) && strings.EqualFold(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	return "", false
}

// Add appends a line.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// Set replaces the first line of the name, in place, and drops its others; without one it appends.
func (h *Header) Set(name, value string) {
	done := false
	out := (*h)[:0]
	for _, f := range *h {
		if strings.EqualFold(f.Name, name) {
			if done {
				continue
			}
			f.Value, done = value, true
		}
		out = append(out, f)
	}
	if !done {
		out = append(out, Field{name, value})
	}
	*h = out
}

// Del removes every line of the name.
func (h *Header) Del(name string) {
	out := (*h)[:0]
	for _, f := range *h {
		if !strings.EqualFold(f.Name, name) {
			out = append(out, f)
		}
	}
	*h = out
}

// Request is one request as it was read, not normalised in any way. All strings
// may alias a buffer of the front: they are valid until the handler returns, and
// what is kept longer must be cloned (strings.Clone).
type Request struct {
	Method string
	Target string // as on the request line: "/a/b;x?q", "*" or an absolute URL
	Path   string // raw path of Target, still encoded, without query
	Query  string // raw query without "?"
	HasQ   bool   // a "?" was there, so that "/a?" stays "/a?"
	Minor  int    // of HTTP/1.x; 2 stands for HTTP/2 with Major 2
	Major  int
	Header Header
	Host   string // Host header or :authority, "" without one

	// Body is nil without a body. Reading it from the handler's goroutine only.
	// Length is its length in bytes, -1 when it comes in chunks.
	Body    io.Reader
	Length  int64
	Trailer func() Header // after Body gave io.EOF; may be nil

	Remote, Local netip.AddrPort
	TLS           *tls.ConnectionState // nil for plain connections
	ConnRequests  int                  // requests served before this one on the connection

	// TLSVar looks up a variable of mod_ssl, SSL_PROTOCOL and the like; nil for
	// plain connections.
	TLSVar func(name string) (string, bool)
	// Context ends when the client gave the request up; nil where the front does
	// not know, as in HTTP/1.
	Context context.Context
}

// ChunkReader is what the Body of a request in chunks may be as well: ChunkLeft
// returns how many bytes of the chunk that is being read are still to come. A
// protocol with packets of its own sends no packet that waits for another chunk.
type ChunkReader interface{ ChunkLeft() int64 }

// ResponseWriter takes the answer. It is used by one goroutine at a time.
type ResponseWriter interface {
	// Interim sends a 1xx answer.
	Interim(status int, reason string, h Header) error
	// Head sends status line and header. length is the body's length in bytes,
	// -1 when unknown (the front chunks or closes). The front adds framing,
	// Connection and, when absent, Date; it adds nothing else.
	Head(status int, reason string, h Header, length int64) error
	// Write sends body bytes; Head must have been called.
	Write(p []byte) (int, error)
	// Flush pushes what is buffered to the client.
	Flush() error
	// Abort closes the client connection so that a cut answer is seen as cut.
	Abort()
	// Started reports whether Head was called.
	Started() bool
	// Upgrade hands over the connection after a 101 was sent with Interim.
	// What the client already sent is in the reader.
	Upgrade() (net.Conn, io.Reader, error)
}

// Exchange is one request and the way to answer it.
type Exchange struct {
	Req *Request
	W   ResponseWriter
	Env map[string]string // request environment (SetEnv, BALANCER_*); nil until used

	ajp []string // names of Env with AJPPrefix, in the order of their setting
}

// Setenv sets a variable of the request's environment.
func (x *Exchange) Setenv(name, value string) {
	if x.Env == nil {
		x.Env = make(map[string]string, 8)
	}
	if strings.HasPrefix(name, AJPPrefix) && !slices.Contains(x.ajp, name) {
		x.ajp = append(x.ajp, name)
	}
	x.Env[name] = value
}

// AJPPrefix begins the names of variables that AJP backends are told.
const AJPPrefix = "AJP_"

// AJPNames returns the names of the variables with AJPPrefix in the order of their
// first setting; some may be unset again.
func (x *Exchange) AJPNames() []string { return x.ajp }

// Handler answers exchanges; it is called from many goroutines.
type Handler interface{ Serve(*Exchange) }

// HandlerFunc makes a Handler of a function.
type HandlerFunc func(*Exchange)

// Serve calls f.
func (f HandlerFunc) Serve(x *Exchange) { f(x) }

// Response is an answer as a backend gives it. Body is never nil; closing it
// before its end closes the backend connection, reading it to its end gives the
// connection back to its pool.
type Response struct {
	Status int
	Reason string
	Header Header
	Length int64 // of the body in bytes, -1 unknown
	Body   io.ReadCloser
	Conn   net.Conn // of a 101 answer: the raw connection; Body holds bytes already read
}
