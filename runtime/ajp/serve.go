package ajp

import (
	"bufio"
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"clowder/runtime/exchange"
)

// Info is what a FORWARD_REQUEST says beyond the HTTP request.
type Info struct {
	TLS                  bool
	SSL                  SSL
	JVMRoute             string
	RemoteUser, AuthType string // "" with tomcatAuthentication
	RemoteHost           string
	LocalAddr            string
	ServerName           string
	ServerPort           int
	Attributes           []Attribute
}

type infoKey struct{}

// FromContext returns what the front end sent with the request, or nil when the
// request did not come by AJP.
func FromContext(ctx context.Context) *Info {
	i, _ := ctx.Value(infoKey{}).(*Info)
	return i
}

// knownAttributes are the names that Tomcat's AjpProcessor takes without being
// told to (its javaxAttributes and the IIS names), besides those decoded.
var knownAttributes = map[string]bool{
	"JK_LB_ACTIVATION":                      true,
	"javax.servlet.request.cipher_suite":    true,
	"javax.servlet.request.key_size":        true,
	"javax.servlet.request.ssl_session":     true,
	"javax.servlet.request.X509Certificate": true,
	"CERT_ISSUER":                           true,
	"CERT_SUBJECT":                          true,
	"CERT_COOKIE":                           true,
	"HTTPS_SERVER_SUBJECT":                  true,
	"CERT_FLAGS":                            true,
	"HTTPS_SECRETKEYSIZE":                   true,
	"CERT_SERIALNUMBER":                     true,
	"HTTPS_SERVER_ISSUER":                   true,
	"HTTPS_KEYSIZE":                         true,
}

type serverConn struct {
	s       *Server
	c       net.Conn
	r       *bufio.Reader
	size    int
	discard int
	idle    bool // under Server.mu

	// A handler may read the body and write the answer in two goroutines.
	writing sync.Mutex
	out     []byte
	broken  bool // a write failed
}

func newServerConn(s *Server, c net.Conn) *serverConn {
	size := packetSize(s.PacketSize)
	return &serverConn{s: s, c: c, size: size, r: bufio.NewReaderSize(c, size)}
}

func (sc *serverConn) deadline(d time.Duration) {
	var t time.Time
	if d > 0 {
		t = time.Now().Add(d)
	}
	sc.c.SetReadDeadline(t)
}

// send writes the packets that encode appends to the connection's buffer.
func (sc *serverConn) send(encode func(b []byte) []byte) error {
	sc.writing.Lock()
	defer sc.writing.Unlock()
	if sc.broken {
		return net.ErrClosed
	}
	b := encode(sc.out[:0])
	if d := sc.s.ConnectionTimeout; d > 0 {
		sc.c.SetWriteDeadline(time.Now().Add(d))
	}
	_, err := sc.c.Write(b)
	sc.out = b[:0]
	if err != nil {
		sc.broken = true
	}
	return err
}

func (sc *serverConn) readPacket() ([]byte, error) {
	return readPacket(sc.r, 0x12, 0x34, sc.size, &sc.discard)
}

func (sc *serverConn) serve() {
	wait := sc.s.ConnectionTimeout
	for {
		if !sc.s.setIdle(sc, true) {
			return
		}
		sc.deadline(wait)
		p, err := sc.readPacket()
		sc.s.setIdle(sc, false)
		if err != nil {
			switch {
			case errors.Is(err, ErrTooLarge):
				// AjpProcessor.readMessage: a head that is too long is a 400.
				sc.refuse(http.StatusBadRequest)
			case errors.Is(err, ErrMagic):
				sc.s.log().Debug("ajp: invalid message", "remote", sc.c.RemoteAddr(), "err", err)
			}
			return
		}
		if len(p) == 1 && p[0] == TypePing {
			if sc.send(AppendPong) != nil {
				return
			}
			continue
		}
		if len(p) == 0 || p[0] != TypeForwardRequest {
			sc.s.log().Debug("ajp: unexpected packet", "remote", sc.c.RemoteAddr())
			return
		}
		if !sc.request(p) {
			return
		}
		if wait = sc.s.KeepAliveTimeout; wait == 0 {
			wait = sc.s.ConnectionTimeout
		}
	}
}

// refuse answers with an error page and gives up the connection.
func (sc *serverConn) refuse(status int) {
	w := newWriter(sc, false)
	ErrorPage(w, status)
	w.finish(false)
}

// ErrorPage answers with a page in the manner of Tomcat's ErrorReportValve.
func ErrorPage(w http.ResponseWriter, status int) {
	h := w.Header()
	h.Set("Content-Type", "text/html;charset=utf-8")
	h.Set("Content-Language", "en")
	title := "HTTP Status " + strconv.Itoa(status) + " – " + http.StatusText(status)
	page := `<!doctype html><html lang="en"><head><title>` + title + `</title></head><body><h1>` + title + `</h1></body></html>`
	h.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	io.WriteString(w, page)
}

// check applies what AjpProcessor.prepareRequest refuses with 403.
func (s *Server) check(r *Request) int {
	for _, a := range r.Attributes {
		if !knownAttributes[a.Name] && !s.allows(a.Name) {
			s.log().Warn("ajp: request attribute refused; see allowedRequestAttributesPattern", "name", a.Name)
			return http.StatusForbidden
		}
	}
	if s.Secret != "" && (!r.hasSecret || subtle.ConstantTimeCompare([]byte(r.Secret), []byte(s.Secret)) != 1) {
		s.log().Warn("ajp: wrong or missing secret")
		return http.StatusForbidden
	}
	return 0
}

// allows reports whether the pattern of allowed attributes matches the whole name,
// as Pattern.matcher(name).matches() in AjpProcessor.
func (s *Server) allows(name string) bool {
	if s.AllowedAttributes == nil {
		return false
	}
	s.compile.Do(func() { s.allowed = regexp.MustCompile("^(?:" + s.AllowedAttributes.String() + ")$") })
	return s.allowed.MatchString(name)
}

// request answers one request and reports whether the connection may be used on.
func (sc *serverConn) request(p []byte) bool {
	s := sc.s
	r, err := DecodeRequest(p)
	if err != nil {
		s.log().Debug("ajp: bad request", "remote", sc.c.RemoteAddr(), "err", err)
		sc.refuse(http.StatusBadRequest)
		return false
	}
	if st := s.check(r); st != 0 {
		sc.refuse(st)
		return false
	}
	hr, err := s.httpRequest(r)
	if err != nil {
		sc.refuse(http.StatusBadRequest)
		return false
	}
	ctx, cancel := context.WithCancel(hr.Context())
	defer cancel()
	if a := sc.c.LocalAddr(); a != nil {
		ctx = context.WithValue(ctx, http.LocalAddrContextKey, a)
	}
	body := &requestBody{sc: sc, first: r.Length > 0}
	hr = hr.WithContext(ctx)
	hr.Body = body
	w := newWriter(sc, hr.Method == http.MethodHead)
	ok := s.call(w, hr)
	if !ok {
		return false
	}
	// A read that another goroutine still does comes to its end first.
	body.Close()
	body.mu.Lock()
	defer body.mu.Unlock()
	if body.pending() {
		// AjpProcessor.finishResponse swallows the unread body packet.
		sc.deadline(s.ConnectionTimeout)
		if body.receive() != nil {
			return false
		}
	}
	return w.finish(body.err == nil && !s.isClosing())
}

// call runs the handler; false means that the answer must be seen as cut.
func (s *Server) call(w *writer, r *http.Request) (ok bool) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v != http.ErrAbortHandler {
			s.log().Error("ajp: handler panicked", "panic", v, "uri", r.RequestURI)
		}
		if ok = !w.sent && v != http.ErrAbortHandler; ok {
			w.reset()
			ErrorPage(w, http.StatusInternalServerError)
		}
	}()
	s.Handler.ServeHTTP(w, r)
	return true
}

// httpRequest makes the handler's request. URL.RawPath and RequestURI keep the
// path as it came, path parameters (;jsessionid=) included.
func (s *Server) httpRequest(r *Request) (*http.Request, error) {
	path := r.URI
	if strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://") {
		_, rest, _ := strings.Cut(path, "://")
		i := strings.IndexByte(rest, '/')
		if i < 0 {
			rest, i = "/", 0
		}
		path = rest[i:]
	}
	if path == "" || path[0] != '/' && path != "*" {
		return nil, ErrMalformed
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return nil, err
	}
	hr := &http.Request{
		Method: r.Method, Proto: r.Protocol, Header: make(http.Header, len(r.Header)),
		URL:        &url.URL{Path: plain, RawPath: path, RawQuery: r.Query, ForceQuery: r.HasQuery && r.Query == ""},
		RequestURI: path, ContentLength: r.Length, Host: r.ServerName,
		RemoteAddr: net.JoinHostPort(r.RemoteAddr, strconv.Itoa(r.RemotePort)),
	}
	if r.HasQuery {
		hr.RequestURI += "?" + r.Query
	}
	var ok bool
	if hr.ProtoMajor, hr.ProtoMinor, ok = http.ParseHTTPVersion(r.Protocol); !ok {
		hr.Proto, hr.ProtoMajor, hr.ProtoMinor = "HTTP/1.1", 1, 1
	}
	for _, f := range r.Header {
		switch {
		case strings.EqualFold(f.Name, "host"):
			hr.Host = f.Value
		case strings.EqualFold(f.Name, "transfer-encoding"):
			if r.Length < 0 {
				hr.TransferEncoding = []string{"chunked"}
			}
		default:
			k := http.CanonicalHeaderKey(f.Name)
			hr.Header[k] = append(hr.Header[k], f.Value)
		}
	}
	info := &Info{TLS: r.TLS, SSL: r.SSL, JVMRoute: r.JVMRoute, RemoteHost: r.RemoteHost, LocalAddr: r.LocalAddr,
		ServerName: r.ServerName, ServerPort: r.ServerPort, Attributes: r.Attributes}
	if !s.TomcatAuthentication {
		info.RemoteUser, info.AuthType = r.RemoteUser, r.AuthType
	}
	return hr.WithContext(context.WithValue(context.Background(), infoKey{}, info)), nil
}

// requestBody asks the front end for the body as the handler reads it. The first
// packet of a body of known length comes unasked.
type requestBody struct {
	sc     *serverConn
	closed atomic.Bool
	mu     sync.Mutex // held while reading
	rest   []byte
	first  bool
	asked  bool
	ended  bool
	err    error
}

func (b *requestBody) pending() bool { return b.err == nil && !b.ended && (b.first || b.asked) }

func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		if b.ended {
			return 0, io.EOF
		}
		if !b.first {
			if b.err = b.sc.send(func(out []byte) []byte { return AppendGetBody(out, b.sc.size-6) }); b.err != nil {
				return 0, b.err
			}
			b.asked = true
		}
		b.sc.deadline(b.sc.s.ConnectionTimeout)
		if err := b.receive(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// receive reads one body packet.
func (b *requestBody) receive() error {
	b.first, b.asked = false, false
	p, err := b.sc.readPacket()
	if err == nil {
		b.rest, err = DecodeBody(p)
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	b.ended = err == nil && len(b.rest) == 0
	return err
}

func (b *requestBody) Close() error {
	b.closed.Store(true)
	return nil
}

// orderedHeader lists the lines of h by name: the order is the same each time.
func orderedHeader(h http.Header) exchange.Header {
	out := make(exchange.Header, 0, len(h))
	for _, k := range sortedKeys(h) {
		for _, v := range h[k] {
			out = append(out, exchange.Field{Name: k, Value: v})
		}
	}
	return out
}
