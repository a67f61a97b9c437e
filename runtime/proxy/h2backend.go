package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/runtime/balancer"
	"clowder/runtime/exchange"
	"clowder/runtime/tlsconf"
	"clowder/runtime/upstream"
)

// tlsFor makes the settings for connections to a host; alpn "" asks for none.
func tlsFor(b *tlsconf.Backend, alpn string) func(string) *tls.Config {
	return func(host string) *tls.Config {
		if b == nil || !b.Engine {
			return nil
		}
		if alpn == "" {
			return b.Config(host)
		}
		return b.Config(host, alpn)
	}
}

// h2Transport speaks HTTP/2 with members h2:// and h2c:// (mod_proxy_http2), over
// net/http's client: many requests share a connection.
type h2Transport struct{ secure bool }

// h2Client is what a member keeps: one client for each host that TLS asks for.
type h2Client struct {
	mu    sync.Mutex
	hosts map[string]*http.Transport
	make  func(host string) *http.Transport
}

func (h *h2Client) host(name string) *http.Transport {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.hosts[name]
	if t == nil {
		if len(h.hosts) >= maxHosts {
			for k, old := range h.hosts {
				old.CloseIdleConnections()
				delete(h.hosts, k)
			}
		}
		name = strings.Clone(name) // it may lie in the buffer of the request
		t = h.make(name)
		h.hosts[name] = t
	}
	return t
}

// maxHosts bounds the clients of one member: names come from clients with
// ProxyPreserveHost On.
const maxHosts = 64

// Close closes the connections that no request uses.
func (h *h2Client) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.hosts {
		t.CloseIdleConnections()
	}
	return nil
}

func (t h2Transport) client(a *attempt) *h2Client {
	pc := a.poolConfig(false)
	b := a.c.srv.backendTLS
	h := &h2Client{hosts: map[string]*http.Transport{}}
	h.make = func(host string) *http.Transport {
		tr := &http.Transport{Protocols: &http.Protocols{}, IdleConnTimeout: pc.TTL, DisableCompression: true,
			MaxResponseHeaderBytes: 1 << 20, DisableKeepAlives: pc.DisableReuse, HTTP2: &http.HTTP2Config{WriteByteTimeout: time.Minute}}
		dial := pc.Dial
		if dial == nil {
			dial = (&net.Dialer{Timeout: pc.ConnectTimeout, KeepAlive: -1}).DialContext
		}
		network, address := pc.Network, pc.Address
		if network == "" {
			network = "tcp"
		}
		connect := func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, network, address) }
		if !t.secure {
			tr.Protocols.SetUnencryptedHTTP2(true)
			tr.DialContext = connect
			return tr
		}
		tr.Protocols.SetHTTP2(true)
		settings := tlsFor(b, "h2")
		tr.DialTLSContext = func(ctx context.Context, n, a string) (net.Conn, error) {
			nc, err := connect(ctx, n, a)
			if err != nil {
				return nil, err
			}
			cfg := settings(host)
			if cfg == nil {
				nc.Close()
				return nil, &upstream.Error{Phase: upstream.TLS, Err: upstream.ErrNoTLS}
			}
			c := tls.Client(nc, cfg)
			if err := c.HandshakeContext(ctx); err != nil {
				nc.Close()
				return nil, &upstream.Error{Phase: upstream.TLS, Err: err}
			}
			return c, nil
		}
		return tr
	}
	return h
}

func (t h2Transport) roundTrip(ctx context.Context, a *attempt) (*exchange.Response, *problem) {
	c := a.c
	host := ""
	if t.secure {
		host = a.tlsHost()
	}
	var client *h2Client
	if a.member == nil {
		client = t.client(a)
	} else {
		client = a.member.Attached(func() any { return t.client(a) }).(*h2Client)
	}
	req, sent, prob := c.h2Request(ctx, a, t.secure)
	if prob != nil {
		return nil, prob
	}
	// The request lives until its answer was read: ending it takes the wait with it.
	wait, cancel := context.WithCancelCause(req.Context())
	resp, err := a.h2Exchange(client.host(host), req.WithContext(wait), cancel)
	if a.member != nil {
		a.member.Count(sent, 0)
	}
	if err != nil {
		late := context.Cause(wait) == errH2Timeout
		cancel(nil)
		return nil, a.h2Problem(err, late)
	}
	out := &exchange.Response{Status: resp.StatusCode, Reason: statusText(resp.StatusCode), Length: resp.ContentLength,
		Body: &h2Body{resp.Body, cancel, a.timeout}}
	for _, name := range sortedNames(resp.Header) {
		for _, v := range resp.Header[name] {
			out.Header.Add(name, v)
		}
	}
	return out, nil
}

// h2Exchange sends the request and returns the head of the answer. The body is read
// here, in the handler's goroutine, as the front wants it, to its end or until the
// backend takes no more.
func (a *attempt) h2Exchange(tr *http.Transport, req *http.Request, cancel context.CancelCauseFunc) (*http.Response, error) {
	body := a.c.body.reader()
	if body == nil {
		timer := time.AfterFunc(a.timeout, func() { cancel(errH2Timeout) })
		defer timer.Stop()
		return tr.RoundTrip(req)
	}
	pr, pw := io.Pipe()
	req.Body, req.ContentLength = pr, a.c.body.length
	type result struct {
		resp *http.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		resp, err := tr.RoundTrip(req)
		if err != nil {
			pr.CloseWithError(err)
		}
		done <- result{resp, err}
	}()
	from := &clientBody{r: body}
	io.Copy(pw, from)
	pw.CloseWithError(from.err)
	timer := time.AfterFunc(a.timeout, func() { cancel(errH2Timeout) })
	defer timer.Stop()
	r := <-done
	if from.err != nil {
		if r.resp != nil {
			r.resp.Body.Close()
		}
		return nil, &upstream.Error{Phase: upstream.Body, Err: from.err}
	}
	return r.resp, r.err
}

// clientBody keeps the error of the client's side.
type clientBody struct {
	r   io.Reader
	err error
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

var errH2Timeout = errors.New("no answer in time")

// h2Body ends the stream when its answer was read, or a read takes too long.
type h2Body struct {
	io.ReadCloser
	cancel  context.CancelCauseFunc
	timeout time.Duration
}

func (b *h2Body) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.timeout, func() { b.cancel(errH2Timeout) })
	defer timer.Stop()
	return b.ReadCloser.Read(p)
}

func (b *h2Body) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// h2Request makes the request, its header as for HTTP/1.1 without what belongs to
// the connection. Nothing of it lies in a buffer of the front: net/http's client
// may look at it for longer than the handler runs.
func (c *call) h2Request(ctx context.Context, a *attempt, secure bool) (*http.Request, int64, *problem) {
	q := c.x.Req
	u := &url.URL{Scheme: "http", Host: strings.Clone(a.authority)}
	if secure {
		u.Scheme = "https"
	}
	if _, port := hostPort(a.authority, 0); port == 0 {
		u.Host = strings.Clone(a.authority) + ":" + strconv.Itoa(balancer.DefaultPort(a.scheme))
	}
	path, query, has := strings.Cut(strings.Clone(a.target), "?")
	u.Opaque, u.RawQuery, u.ForceQuery = path, query, has && query == ""
	req := &http.Request{Method: strings.Clone(q.Method), URL: u, Header: http.Header{}, Proto: "HTTP/2.0", ProtoMajor: 2}
	for _, f := range c.requestHeader(a, false, "", false) {
		switch strings.ToLower(f.Name) {
		case "host":
			req.Host = strings.Clone(f.Value)
		case "connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "proxy-connection", "te":
		default:
			name := textproto.CanonicalMIMEHeaderKey(strings.Clone(f.Name))
			req.Header[name] = append(req.Header[name], strings.Clone(f.Value))
		}
	}
	if strings.HasPrefix(path, "//") {
		u.Opaque = "//" + req.Host + path // or net/http would take it for an authority
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		req.Header["User-Agent"] = nil // net/http would name itself
	}
	sent := int64(len(q.Method)+len(a.target)) + max(c.body.length, 0)
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		var eh exchange.Header
		for _, name := range sortedNames(h) {
			for _, v := range h[name] {
				eh.Add(name, v)
			}
		}
		return c.interim(false)(code, statusText(code), eh)
	}}
	return req.WithContext(httptrace.WithClientTrace(ctx, trace)), sent, nil
}

func sortedNames[M ~map[string][]string](h M) []string {
	out := make([]string, 0, len(h))
	for k := range h {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// h2Problem is what mod_proxy_http2 makes of a failure.
func (a *attempt) h2Problem(err error, late bool) *problem {
	var e *upstream.Error
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case late:
		return &problem{status: 504, err: errH2Timeout}
	case errors.As(err, &e) && e.Phase == upstream.Body:
		return &problem{status: 400, err: err}
	case errors.Is(err, upstream.ErrNoTLS):
		return a.c.noProxyEngine(a)
	case errors.As(err, &e) && e.Phase == upstream.TLS:
		return &problem{status: 503, err: err} // httpd's h2 session ends before anything was sent
	case errors.As(err, &dns):
		return a.connectProblem(&upstream.Error{Phase: upstream.Resolve, Err: err})
	case errors.As(err, &op) && op.Op == "dial":
		return a.connectProblem(&upstream.Error{Phase: upstream.Connect, Err: err})
	}
	return &problem{status: 502, phrase: proxyErr, reason: "Error reading from remote server", err: err}
}
