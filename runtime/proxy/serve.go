package proxy

import (
	"net/netip"
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

	forwarding bool // for a forward proxy: nothing is told about the client

	body   requestBody
	status int
	bytes  int64
	sent   exchange.Header // of the answer, for the log

	first     *problem        // what an ErrorDocument is being sent for, else nil
	errHeader exchange.Header // fields that stay when the answer is replaced
}

func protocol(q *exchange.Request) string {
	return "HTTP/" + strconv.Itoa(max(q.Major, 1)) + "." + strconv.Itoa(q.Minor)
}

// serve is the life of a request (server/request.c).
func (p *Proxy) serve(x *exchange.Exchange, l Listen) {
	c := &call{p: p, x: x, srv: p.virtualHost(x.Req, l), start: time.Now()}
	c.conf = c.srv.base
	if prob := c.run(); prob != nil {
		c.problem(prob)
	}
	if len(c.srv.logs) > 0 {
		c.logAccess()
	}
}

func (c *call) run() *problem {
	q := c.x.Req
	if e := q.Header.Get("Expect"); e != "" && !strings.EqualFold(e, "100-continue") {
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
	if !done {
		if prob := c.mapPath(); prob != nil {
			return prob
		}
	}
	if c.url != "" {
		c.conf = c.srv.locate(c.path, c.url)
	}
	c.setEnv(true)
	if prob := c.authorize(); prob != nil {
		return prob
	}
	if q.Method == "TRACE" && !c.srv.trace {
		return failure("AH01139", "TRACE forbidden by server configuration", "", problem{status: 405})
	}
	switch {
	case c.url != "":
		return c.forward()
	case q.Method == "TRACE":
		return c.traceBack()
	case strings.HasPrefix(c.conf.handler, "proxy:"):
		c.url = c.handlerTarget()
		return c.forward()
	case c.conf.handler == "balancer-manager" && q.Method == "OPTIONS":
		return c.answer(200, "OK", exchange.Header{{Name: "Allow", Value: c.allow("GET", "HEAD", "OPTIONS", "POST")}}, "")
	case c.conf.handler == "balancer-manager":
		return c.handled(c.p.manager.Serve(c.watch(), c.view()), "GET", "HEAD", "OPTIONS", "POST")
	case c.conf.handler == "server-status":
		return c.handled(c.p.manager.Status(c.watch(), c.view()), "GET", "HEAD", "OPTIONS", "POST")
	}
	return c.static()
}

// setEnv runs SetEnvIf and the like, or with late SetEnv and UnsetEnv.
func (c *call) setEnv(late bool) {
	for _, r := range c.conf.env {
		if r.late == late {
			r.apply(c.x)
		}
	}
}

// mapPath finds the mapping of the request. Rules for the encoded path come before it
// is decoded, and then it stays as it is (ap_process_request_internal of
// server/request.c).
func (c *call) mapPath() *problem {
	q := c.x.Req
	if len(c.srv.early) > 0 {
		enc, ok := encodedNormal(q.Path, c.srv.merge)
		if !ok {
			return &problem{status: 400}
		}
		c.path = enc
		c.conf = c.srv.locate(enc, "")
		c.setEnv(false)
		if c.tryEarly(enc) {
			return nil
		}
	}
	decoded, status := decodePath(q.Path, c.srv.slashes)
	if status != 0 {
		return &problem{status: status}
	}
	path, ok := normalPath(decoded, c.srv.merge)
	if !ok {
		return &problem{status: 400}
	}
	c.path = path
	c.conf = c.srv.locate(path, "")
	c.setEnv(false)
	c.translate()
	return nil
}

// tryEarly applies the rules with mapping=encoded and mapping=servlet, and reports
// whether the search ends.
func (c *call) tryEarly(enc string) bool {
	if _, ok := c.x.Env["no-proxy"]; ok {
		return false
	}
	for _, r := range c.srv.early {
		u, ok := r.matchEarly(enc)
		if !ok {
			continue
		}
		if r.exclude {
			return false
		}
		c.url, c.early, c.viaRule = u, true, r
		if r.early == "servlet" {
			c.path = withoutParams(enc)
		}
		return true
	}
	return false
}

// withoutParams is the path that Locations see under mapping=servlet.
func withoutParams(p string) string {
	if strings.IndexByte(p, ';') < 0 {
		return p
	}
	parts := strings.Split(p, "/")
	for i, s := range parts {
		parts[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(parts, "/")
}

// translate finds the mapping of a decoded path (proxy_trans of mod_proxy.c).
func (c *call) translate() {
	q := c.x.Req
	if _, ok := c.x.Env["no-proxy"]; ok {
		return
	}
	raw := q.Path
	if q.HasQ {
		raw += "?" + q.Query
	}
	if r := c.conf.rule; r != nil && c.try(r, raw) {
		return
	}
	for _, r := range c.srv.rules {
		if c.try(r, raw) {
			return
		}
	}
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

func (c *call) authorize() *problem {
	if c.conf.compat == nil && c.conf.require == nil {
		return nil
	}
	q := c.x.Req
	cl := client{addr: plainAddr(q.Remote), local: plainAddr(q.Local), method: q.Method, env: c.x.Env}
	what := c.url
	if what == "" {
		what = c.path
	} else {
		what = "proxy:" + visible(what)
	}
	switch c.conf.access(&cl) {
	case denied:
		id := "AH01630"
		if c.conf.compat != nil && !compatAllows(c.conf.compat, &cl) {
			id = "AH01797"
		}
		c.p.log.Error(id+": client denied by server configuration: "+what, "client", cl.addr)
		return &problem{status: 403}
	case needUser:
		return &problem{status: 401}
	}
	return nil
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
	if c.x.Req.Host == "" {
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
	h = c.finishHeader(ownOrder(h), status >= 300, true)
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
	return w.c.head(status, reason, w.c.finishHeader(ownOrder(h), status >= 300, true), length)
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.c.bytes += int64(n)
	return n, err
}
