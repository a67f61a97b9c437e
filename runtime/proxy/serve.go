package proxy

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/runtime/balancer"
	"clowder/runtime/exchange"
	"clowder/runtime/manager"
)

// call is one request on its way through the proxy.
type call struct {
	p     *Proxy
	x     *exchange.Exchange
	srv   *server
	conf  conf
	start time.Time
	path  string // decoded and normalised

	url     string // mapped, not canonical
	literal bool   // the URL's rest is already encoded and has the query
	early   bool   // the URL's rest is already encoded
	viaRule *rule

	forwarding    bool   // for a forward proxy: nothing is told about the client
	filename      string // what the URL was mapped to, before it is cut; "" is below DocumentRoot
	base          string // the directory of the Alias that mapped it
	info          string // path info
	script        bool   // of a ScriptAlias
	translating   bool   // nothing was mapped yet
	walking       walking
	sub           bool // a lookup, not a request
	prob          *problem
	fixed         bool   // all before the handler was done
	parent        *call  // of a lookup
	turns         int    // internal redirects
	again         string // where an internal redirect goes
	ownPort       bool   // the port of the Host field is forgotten
	rewriteEnd    bool   // [END]
	forcedType    string
	forcedHandler string
	notes         map[string]string
	errHeader     exchange.Header  // sent with errors, too
	outHeader     exchange.Header  // sent with a good answer
	answering     *exchange.Header // while Header rules run

	body   requestBody
	status int
	bytes  int64
	sent   exchange.Header // of the answer, for the log

	first *problem // what an ErrorDocument is being sent for, else nil
	login
}

func protocol(q *exchange.Request) string {
	return "HTTP/" + strconv.Itoa(max(q.Major, 1)) + "." + strconv.Itoa(q.Minor)
}

// serve is the life of a request (server/request.c).
func (p *Proxy) serve(x *exchange.Exchange, l Listen) {
	c := &call{p: p, x: x, srv: p.virtualHost(x.Req, l), start: time.Now()}
	c.conf = c.srv.base
	if b := c.srv.bounds; b != nil {
		if w, ok := x.W.(exchange.Bounded); ok {
			w.Bound(b)
		}
	}
	if c.srv.remote != nil {
		c.srv.remote.apply(c)
	}
	prob := c.checkTLS(l)
	if prob == nil {
		prob = c.run()
	}
	if prob != nil {
		c.problem(prob)
	}
	if len(c.srv.logs) > 0 {
		c.logAccess()
	}
}

func (c *call) run() *problem {
	q := c.x.Req
	if !knownExpect(q.Header) {
		return &problem{status: 417}
	}
	return c.route()
}

// route finds who answers the request's path, and has it answered.
func (c *call) route() *problem {
	q := c.x.Req
	done, prob := c.forwardTarget()
	if prob != nil {
		return prob
	}
	if !done && (q.Path == "" || q.Path[0] != '/') {
		if q.Target == "*" && q.Method == "OPTIONS" {
			return c.answer(200, "OK", nil, "")
		}
		return &problem{status: 400}
	}
	for ; ; c.turns++ {
		prob := c.prepare()
		if prob == nil {
			prob = c.handle()
		}
		if prob == nil || prob.again == "" {
			return prob
		}
		if c.turns >= maxInternal {
			return &problem{status: 500, err: errors.New("AH00124: Request exceeded the limit of 10 internal redirects")}
		}
		c.redirectInside(prob.again)
	}
}

// prepare does all that comes before the handler: mapping, access control, fixups
// (ap_process_request_internal).
func (c *call) prepare() *problem {
	q := c.x.Req
	if !c.forwarding {
		c.path = ""
	}
	if !c.sub {
		if c.srv.hasEarly {
			c.headersEarly()
		}
		c.setEnv(c.srv.base.env)
	}
	path := c.path
	if !c.forwarding {
		if prob := c.readPath(); prob != nil {
			return prob
		}
		c.locate(c.path, "", walkBefore)
		path = c.path
		c.translating = true
		if prob := c.translate(); prob != nil {
			return prob
		}
		c.translating = false
	}
	if c.url != "" || c.path != path || c.conf.ifs != nil {
		c.locate(c.path, c.url, walkAfter)
	}
	if c.conf.unknown != nil {
		return &problem{status: 500, err: c.conf.unknown} // the section may guard something
	}
	if !c.sub {
		c.setEnv(c.conf.env[len(c.srv.base.env):])
	}
	if !c.sameAccess() {
		if prob := c.tlsAccess(); prob != nil {
			return prob
		}
		if prob := c.authorize(); prob != nil {
			return prob
		}
	}
	if q.Method == "TRACE" && !c.srv.trace {
		return failure("AH01139", "TRACE forbidden by server configuration", "", problem{status: 405})
	}
	local := c.url == "" && c.conf.handler == ""
	if c.conf.rewrite != nil {
		if prob := c.rewriteDir(); prob != nil {
			return prob
		}
	}
	if c.conf.redirects != nil || c.conf.redirectAll != nil {
		if prob := c.redirects(c.conf.redirects); prob != nil {
			return prob
		}
	}
	c.tlsEnv() // access rules do not see it (ssl_hook_Fixup)
	c.setLate(c.conf.env)
	if len(c.conf.headers) > 0 && !c.sub {
		c.headersIn()
	}
	if local {
		if prob := c.fixupDir(); prob != nil {
			return prob
		}
	}
	c.fixed = true
	if c.again != "" {
		return &problem{again: c.again}
	}
	return nil
}

// readPath decodes and normalises the path. One that only a rule with
// mapping=encoded can take stays as it is.
func (c *call) readPath() *problem {
	q := c.x.Req
	decoded, status := decodePath(q.Path, c.srv.slashes)
	if status == 404 && len(c.srv.early) > 0 && !strings.Contains(q.Path, "%00") {
		if _, ok := c.x.Env["no-proxy"]; !ok {
			enc, ok := encodedNormal(q.Path, c.srv.merge)
			if _, hit := c.earlyRule(enc); ok && hit {
				c.path = enc
				return nil
			}
		}
	}
	if status != 0 {
		return &problem{status: status}
	}
	path, ok := normalPath(decoded, c.srv.merge)
	if !ok || path == "" || path[0] != '/' {
		return &problem{status: 400}
	}
	c.path = path
	return nil
}

// sameAccess reports whether this is a lookup under the same access rules as the
// request that it is for: they are not asked twice (ap_process_request_internal).
func (c *call) sameAccess() bool {
	p := c.parent
	return p != nil && p.conf.auth == c.conf.auth && c.conf.ifs == nil // conditions make it another configuration
}

func (c *call) handle() *problem {
	q := c.x.Req
	handler := c.conf.handler
	if c.forcedHandler != "" {
		handler = c.forcedHandler
	}
	if prob := c.limitBody(); prob != nil {
		return prob
	}
	switch {
	case c.url != "":
		return c.forward()
	case q.Method == "TRACE":
		return c.traceBack()
	case handler == "balancer-manager" && q.Method == "OPTIONS":
		return c.answer(200, "OK", exchange.Header{{Name: "Allow", Value: c.allow("GET", "HEAD", "OPTIONS", "POST")}}, "")
	case handler == "balancer-manager":
		return c.handled(c.p.manager.Serve(c.watch(), c.view()), "GET", "HEAD", "OPTIONS", "POST")
	case handler == "server-status":
		return c.handled(c.p.manager.Status(c.watch(), c.view()), "GET", "HEAD", "OPTIONS", "POST")
	case strings.HasPrefix(handler, "proxy:"):
		// As httpd has it, the name of the file is added, not the URL's path.
		name, _ := c.mapFile()
		c.url = strings.TrimPrefix(handler, "proxy:") + name
		return c.forward()
	}
	return c.static()
}

// knownExpect reports whether nothing but one 100-continue is expected; several
// lines are one list for httpd (ap_read_request of server/protocol.c).
func knownExpect(h exchange.Header) bool {
	lines := 0
	for _, f := range h {
		if len(f.Name) == len("Expect") && strings.EqualFold(f.Name, "Expect") {
			if lines++; lines > 1 || f.Value != "" && !strings.EqualFold(f.Value, "100-continue") {
				return false
			}
		}
	}
	return true
}

// lookup does all that a request for the URL would do before its handler
// (ap_sub_req_lookup_uri); the problem is in prob.
func (c *call) lookup(target string) *call {
	q := *c.x.Req
	q.Method, q.Body, q.Length, q.Trailer = "GET", nil, 0, nil
	q.Header = slices.Clone(q.Header)
	q.Path, q.Query, q.HasQ = target, "", false
	if i := strings.IndexByte(target, '?'); i >= 0 {
		q.Path, q.Query, q.HasQ = target[:i], target[i+1:], true
	}
	sub := &call{p: c.p, srv: c.srv, start: c.start, login: c.login, sub: true, parent: c, turns: c.turns, ownPort: true,
		x: &exchange.Exchange{Req: &q, Env: maps.Clone(c.x.Env)}}
	sub.conf = c.srv.base
	sub.prob = sub.prepare()
	return sub
}

// depthLeft reports whether a lookup may nest one more
// (ap_is_recursion_limit_exceeded).
func (c *call) depthLeft() bool {
	n := 0
	for p := c; p != nil; p = p.parent {
		n++
	}
	return n <= maxInternal && c.turns < maxInternal
}

// mayLookup keeps rules from looking up what they are looking up (subreq_ok of
// mod_rewrite.c).
func (c *call) mayLookup() bool {
	return c.depthLeft() && (c.parent == nil || c.parent.path != c.path)
}

// allowed reports whether a request for the URL would be answered, or with file
// whether the file is there.
func (c *call) allowed(target string, file bool) bool {
	if !c.mayLookup() {
		return false
	}
	if file {
		return c.fileTest('f', target) || c.fileTest('d', target)
	}
	sub := c.lookup(target)
	return sub.prob == nil || sub.prob.status < 400
}

// translate maps the URL: rules with mapping=encoded, mod_rewrite, the other
// ProxyPass, then mod_alias. What none of them takes is below DocumentRoot.
func (c *call) translate() *problem {
	if len(c.srv.early) > 0 {
		if prob := c.translateEarly(); prob != nil {
			return prob
		}
	}
	if c.srv.rewrite != nil {
		if done, prob := c.rewriteServer(); done || prob != nil {
			return prob
		}
	}
	if c.url != "" || c.proxied() {
		return nil
	}
	if c.srv.redirects != nil || c.conf.redirectAll != nil {
		if prob := c.redirects(c.srv.redirects); prob != nil {
			return prob
		}
	}
	if c.srv.aliases != nil {
		return c.aliases()
	}
	return nil
}

// translateEarly tries the rules with mapping=encoded and servlet.
func (c *call) translateEarly() *problem {
	if _, ok := c.x.Env["no-proxy"]; ok {
		return nil
	}
	enc, ok := encodedNormal(c.x.Req.Path, c.srv.merge)
	if !ok {
		return &problem{status: 400}
	}
	if r, ok := c.earlyRule(enc); ok {
		u, _ := r.matchEarly(enc)
		c.url, c.early, c.viaRule = u, true, r
	}
	return nil
}

func (c *call) earlyRule(enc string) (*rule, bool) {
	for _, r := range c.srv.early {
		if _, ok := r.matchEarly(enc); ok {
			return r, true
		}
	}
	return nil, false
}

// proxied reports whether a ProxyPass takes the request (proxy_trans of
// mod_proxy.c); c.url is where it goes.
func (c *call) proxied() bool {
	q := c.x.Req
	if _, ok := c.x.Env["no-proxy"]; ok {
		return false
	}
	raw := q.Path
	if q.HasQ {
		raw += "?" + q.Query
	}
	if r := c.conf.rule; r != nil && c.try(r, raw) {
		return c.url != ""
	}
	for _, r := range c.srv.rules {
		if c.try(r, raw) {
			return c.url != ""
		}
	}
	return false
}

// try applies one rule and reports whether the search ends.
func (c *call) try(r *rule, raw string) bool {
	env := c.x.Env
	if r.interp && !c.conf.interp {
		c := *r
		c.interp = false
		r = &c
	}
	u, literal, unsafe, ok := r.match(c.path, raw, env)
	if unsafe {
		c.p.log.Warn("AH01136: Unescaped URL path matched ProxyPass; ignoring unsafe nocanon", "path", c.path)
	}
	if !ok {
		return false
	}
	if r.exclude {
		return true
	}
	c.url, c.literal, c.viaRule = u, literal, r
	return true
}

func plainAddr(a netip.AddrPort) netip.Addr { return a.Addr().Unmap() }

// serverName is the name the client called, or ServerName (ap_get_server_name).
func (c *call) serverName() string {
	if host, _ := hostPort(c.x.Req.Host, 0); host != "" && !c.srv.canonical {
		return strings.ToLower(host)
	}
	return c.srv.name
}

func (c *call) scheme() string {
	if c.x.Req.TLS != nil {
		return "https"
	}
	return "http"
}

// serverPort is the port of the client's URL (ap_get_server_port).
func (c *call) serverPort() int {
	def := balancer.DefaultPort(c.scheme())
	if c.srv.port > 0 {
		def = c.srv.port
	}
	if c.srv.canonical {
		return def
	}
	if c.x.Req.Host == "" || c.ownPort {
		return def
	}
	if _, port := hostPort(c.x.Req.Host, def); port > 0 {
		return port
	}
	return def
}

// selfURL is scheme and authority of this server, for completed redirects.
func (c *call) selfURL() string {
	s := c.scheme() + "://" + c.serverName()
	if port := c.serverPort(); port != balancer.DefaultPort(c.scheme()) {
		s += ":" + strconv.Itoa(port)
	}
	return s
}

// view is what the manager's pages show of this server.
func (c *call) view() manager.View {
	v := c.srv.view
	v.ServerName, v.Path, v.Balancers, v.Paths = c.serverName(), c.path, c.srv.order, c.srv.paths
	v.Action = c.selfURL() + canonPath(c.path)
	return v
}

// handled makes a problem of what a handler could not answer itself; methods are
// those that it knows.
func (c *call) handled(status int, methods ...string) *problem {
	if status == 0 {
		return nil
	}
	return &problem{status: status, allow: c.allow(methods...)}
}

// allow is the value of Allow: the methods, and TRACE unless that is off.
func (c *call) allow(methods ...string) string {
	if c.srv.trace {
		methods = append(methods, "TRACE")
	}
	return strings.Join(methods, ",")
}

// answer sends a small answer of our own and returns nil.
func (c *call) answer(status int, reason string, h exchange.Header, body string) *problem {
	c.send(status, reason, h, body)
	return nil
}

// send finishes and sends an answer with a known body.
func (c *call) send(status int, reason string, h exchange.Header, body string) {
	c.status = status
	h = c.finished(ownOrder(h), status >= 300, true)
	length := int64(len(body))
	if c.x.Req.Method == "HEAD" && status >= 300 {
		length = -1 // httpd counts nothing where it makes a page that it does not send
	}
	if c.head(status, reason, h, length) != nil || c.x.Req.Method == "HEAD" {
		return
	}
	n, _ := c.x.W.Write([]byte(body))
	c.bytes += int64(n)
}

// head sends the answer's head and remembers it for the log. An ErrorDocument's
// answer has the status of the problem that it tells about.
func (c *call) head(status int, reason string, h exchange.Header, length int64) error {
	if c.first != nil && status == 200 {
		status, reason = c.first.status, c.first.title()
	}
	c.status, c.sent = status, h
	err := c.x.W.Head(status, reason, h, length)
	if err != nil && !c.x.W.Started() {
		c.p.log.Error("answer cannot be sent", "server", c.srv.name, "path", c.path, "reason", err)
		c.x.W.Abort()
	}
	return err
}

// watch returns the exchange for handlers of other packages, with the answer's
// head passing through the header rules.
func (c *call) watch() *exchange.Exchange {
	return &exchange.Exchange{Req: c.x.Req, W: &watched{c.x.W, c}, Env: c.x.Env}
}

type watched struct {
	exchange.ResponseWriter
	c *call
}

func (w *watched) Head(status int, reason string, h exchange.Header, length int64) error {
	w.c.status = status
	return w.c.head(status, reason, w.c.finished(ownOrder(h), status >= 300, true), length)
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.c.bytes += int64(n)
	return n, err
}
