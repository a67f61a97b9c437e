package proxy

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"clowder/runtime/balancer"
	"clowder/runtime/exchange"
)

// keepBody is how much of a request body is read before a backend is chosen, so
// that it can be sent again to another one.
const keepBody = 16384

// requestBody is the body of a request, as far as it was read.
type requestBody struct {
	first    []byte
	rest     io.Reader // nil when first is all
	length   int64     // -1 unknown, 0 without a body
	none     bool      // no body and no Content-Length
	held     bool      // the client waits for 100 Continue
	consumed bool      // rest was touched: it cannot be sent again
	file     *os.File  // all of the body, after spool
}

// read takes the first bytes of the body. hold leaves all of it to the transport,
// and so does lazy for a chunked one: AJP backends ask for it.
func (b *requestBody) read(q *exchange.Request, hold, lazy bool) error {
	b.held = hold
	if q.Body == nil {
		_, has := q.Header.Lookup("Content-Length")
		b.none = !has
		return nil
	}
	b.length = q.Length
	if hold || lazy && q.Length < 0 {
		b.held, b.rest = hold, q.Body
		return nil
	}
	buf := make([]byte, keepBody+1)
	if q.Length >= 0 && q.Length <= keepBody {
		buf = buf[:q.Length]
	}
	n, err := io.ReadFull(q.Body, buf)
	b.first = buf[:n]
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF && q.Length < 0:
		b.length = int64(n)
	case err != nil:
		return err
	case int64(n) == q.Length:
	default:
		b.rest = q.Body
	}
	return nil
}

// reader returns the body for one attempt.
func (b *requestBody) reader() io.Reader {
	switch {
	case b.file != nil:
		return io.NewSectionReader(b.file, 0, b.length)
	case b.rest == nil && b.length == 0:
		return nil
	case b.rest == nil:
		return bytes.NewReader(b.first)
	}
	if len(b.first) == 0 {
		return touch{b}
	}
	return io.MultiReader(bytes.NewReader(b.first), touch{b})
}

// touch notes that the rest of the body is being read.
type touch struct{ b *requestBody }

// ChunkLeft implements exchange.ChunkReader.
func (t touch) ChunkLeft() int64 {
	if r, ok := t.b.rest.(exchange.ChunkReader); ok {
		return r.ChunkLeft()
	}
	return 0
}

func (t touch) Read(p []byte) (int, error) {
	t.b.consumed = true
	return t.b.rest.Read(p)
}

// forward sends the request to a backend (proxy_handler of mod_proxy.c).
func (c *call) forward() *problem {
	q := c.x.Req
	if done, prob := c.maxForwards(); done || prob != nil {
		return prob
	}
	scheme, authority, rest, ok := splitTarget(c.url)
	if !ok {
		return c.noHandler("")
	}
	if c.p.lacks != nil && c.p.lacks[scheme] {
		return c.noHandler(scheme)
	}
	if !safeRaw(q.Query) || c.literal && !safeRaw(rest) {
		return &problem{status: 403}
	}
	target := rest
	if c.literal && (target == "" || target[0] != '/') {
		target = "/" + target
	}
	if !c.literal {
		if !c.early {
			target = canonPath(rest)
		}
		if target == "" {
			target = "/"
		}
		if q.HasQ {
			target += "?" + q.Query
		}
	}
	lazy := q.Body != nil && c.toAJP(scheme, authority)
	hold := c.conf.continue100 && strings.EqualFold(q.Header.Get("Expect"), "100-continue") && !c.toAJP(scheme, authority)
	if err := c.body.read(q, hold, lazy); err != nil {
		if lazy {
			return failure("AH02822", "dialog with client "+q.Remote.String()+" failed", "client", problem{status: bodyStatus(err), err: err})
		}
		return &problem{status: bodyStatus(err), err: err}
	}
	if _, ok := c.x.Env["proxy-sendcl"]; ok && !lazy {
		done, err := c.body.spool()
		if err != nil {
			return &problem{status: 400, err: err}
		}
		defer done()
	}
	ctx, cancel := context.WithCancel(c.p.ctx)
	defer cancel()
	if q.Context != nil {
		defer context.AfterFunc(q.Context, cancel)()
	}
	if scheme == "balancer" {
		sticky := visible(c.url)
		if q.HasQ && !c.literal {
			sticky += "?" + q.Query
		}
		return c.balance(ctx, c.srv.balancers[authority], target, sticky)
	}
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") && strings.Trim(authority[i+1:], "0123456789") != "" {
		return &problem{status: 500, phrase: proxyErr, reason: "DNS lookup failure for: " + authority}
	}
	if _, port := hostPort(authority, 80); port < 0 {
		return failure("AH01083", "error parsing URL "+visible(c.url)+": invalid host or port", "map", problem{status: 400})
	}
	a := &attempt{c: c, target: target, member: c.srv.workerFor(c.url, c.socket()), timeout: c.srv.timeout}
	a.scheme, a.authority = scheme, authority
	if a.member == nil {
		a.fresh = true
	} else {
		a.loose = addressGroup(a.member.Name)
		a.fresh = a.loose
		a.member.Acquire()
		defer a.member.Release()
		if t := a.member.Model.Timeout; given(t) {
			a.timeout = t.V
		}
	}
	if a.socket() == "" {
		_, a.authority, _, _ = splitTarget(c.p.shift(scheme + "://" + authority))
	}
	resp, prob := a.run(ctx)
	if prob != nil {
		c.logAttempt(a, prob, 1, false)
		return prob
	}
	return c.relay(a, resp)
}

// toAJP reports whether the URL leads to an AJP backend. The members of a balancer
// speak one protocol: the first one tells.
func (c *call) toAJP(scheme, authority string) bool {
	if scheme == "balancer" {
		if b := c.srv.balancers[authority]; b != nil {
			if m := b.Members(); len(m) > 0 {
				scheme, _, _, _ = splitTarget(m[0].URL)
			}
		}
	}
	return scheme == "ajp"
}

// balance is the failover loop.
func (c *call) balance(ctx context.Context, b *balancer.Balancer, target, sticky string) *problem {
	if b == nil {
		return c.noHandler("balancer")
	}
	req := balancer.StickyRequest{URL: sticky, Header: c.x.Req.Header}
	for n, most := 0, b.Attempts(); ; n++ {
		m, ch, err := b.Pick(ctx, req)
		if err != nil {
			return &problem{status: 503, err: err}
		}
		c.balancerEnv(b, m, ch)
		prob, a := c.once(ctx, b, m, target)
		if prob == nil {
			return nil
		}
		again := prob.status == 503 && !m.Usable() && n < most && !c.body.consumed && !c.x.W.Started()
		if a != nil && !prob.logged {
			c.logAttempt(a, prob, n+1, again)
		}
		c.failOnStatus(b, m, prob.status)
		if !again {
			return prob
		}
	}
}

// once is one attempt at a member, answer included.
func (c *call) once(ctx context.Context, b *balancer.Balancer, m *balancer.Member, target string) (*problem, *attempt) {
	defer m.Release()
	scheme, authority, base, ok := splitTarget(m.URL)
	if !ok {
		return c.noHandler(""), nil
	}
	a := &attempt{c: c, b: b, member: m, scheme: scheme, authority: authority, target: base + target, timeout: c.srv.timeout}
	if given(m.Model.Timeout) {
		a.timeout = m.Model.Timeout.V
	}
	resp, prob := a.run(ctx)
	if prob != nil {
		return prob, a
	}
	c.failOnStatus(b, m, resp.Status) // before the answer: the next request is elsewhere
	prob = c.relay(a, resp)
	if prob != nil {
		prob.logged = true // the backend's own answer is replaced: nothing failed
	}
	return prob, a
}

// failOnStatus puts the member into error for a status in failonstatus.
func (c *call) failOnStatus(b *balancer.Balancer, m *balancer.Member, status int) {
	list := b.Model.FailOnStatus.V
	if list == "" {
		return
	}
	for f := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if n, err := strconv.Atoi(f); err == nil && n == status {
			m.Fail()
			c.p.log.Error("AH01174: forcing "+m.Name+" into error state because of its status in failonstatus", "balancer", b.Name, "member", m.Name, "status", status)
			return
		}
	}
}

func (c *call) balancerEnv(b *balancer.Balancer, m *balancer.Member, ch balancer.Choice) {
	x := c.x
	x.Setenv("BALANCER_NAME", "balancer://"+b.Name)
	x.Setenv("BALANCER_WORKER_NAME", m.Name)
	x.Setenv("BALANCER_WORKER_ROUTE", m.Route())
	if ch.SessionRoute != "" {
		x.Setenv("BALANCER_SESSION_STICKY", ch.StickyName)
		x.Setenv("BALANCER_SESSION_ROUTE", ch.SessionRoute)
	}
	delete(x.Env, "BALANCER_ROUTE_CHANGED")
	if ch.RouteChanged {
		x.Setenv("BALANCER_ROUTE_CHANGED", "1")
	}
}

// maxForwards checks and counts down Max-Forwards. done says that the request was
// answered.
func (c *call) maxForwards() (done bool, p *problem) {
	q := c.x.Req
	v, has := q.Header.Lookup("Max-Forwards")
	n := c.srv.maxFwd
	if has {
		i, err := strconv.Atoi(strings.TrimSpace(v))
		if err != nil || i < 0 {
			return false, &problem{status: 400, phrase: proxyErr, reason: "Max-Forwards request header could not be parsed", id: "AH10188", what: "Max-Forwards value " + strconv.Quote(v) + " could not be parsed", warn: true}
		}
		if i == 0 {
			if q.Method == "TRACE" {
				return true, c.traceBack()
			}
			if q.Method == "OPTIONS" {
				return true, c.answer(200, "OK", exchange.Header{{Name: "Allow", Value: c.allow()}}, "")
			}
			return false, &problem{status: 400, phrase: proxyErr, reason: "Max-Forwards has reached zero - proxy loop?"}
		}
		n = i - 1
	}
	if n >= 0 {
		q.Header.Set("Max-Forwards", strconv.Itoa(n))
	}
	return false, nil
}

// attempt is one try to get an answer from one backend.
type attempt struct {
	c         *call
	b         *balancer.Balancer // nil for a plain worker
	member    *balancer.Member   // nil for the generic worker
	scheme    string
	authority string // host:port to connect to
	target    string // encoded path and query
	timeout   time.Duration
	fresh     bool // without reuse of connections
	loose     bool // the address comes out of the request: no pool holds it
}

func (a *attempt) run(ctx context.Context) (*exchange.Response, *problem) {
	t := transportOf(a.scheme)
	if t == nil || a.c.p.lacks != nil && a.c.p.lacks[a.scheme] {
		return nil, a.c.noHandler(a.scheme)
	}
	if len(a.c.srv.forward.blocks) > 0 {
		if p := a.checkBlock(); p != nil {
			return nil, p
		}
	}
	return t.roundTrip(ctx, a)
}

// fail puts the member of a balancer into error.
func (a *attempt) fail() {
	if a.b != nil && a.member != nil {
		a.member.Fail()
	}
}
