package proxy

import (
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

	body   requestBody
	status int
	bytes  int64
	sent   exchange.Header // of the answer, for the log
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
	if prob := c.run(); prob != nil {
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
	if q.Path == "" || q.Path[0] != '/' {
		if q.Target == "*" && q.Method == "OPTIONS" {
			return c.answer(200, "OK", exchange.Header{{Name: "Allow", Value: "GET,HEAD,POST,OPTIONS"}}, "")
		}
		return &problem{status: 400}
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
	if prob := c.translate(); prob != nil {
		return prob
	}
	if c.url != "" {
		c.conf = c.srv.locate(path, c.url)
	}
	c.setEnv(true)
	if prob := c.authorize(); prob != nil {
		return prob
	}
	if q.Method == "TRACE" && !c.srv.trace {
		return &problem{status: 405}
	}
	if prob := c.limitBody(); prob != nil {
		return prob
	}
	switch {
	case c.url != "":
		return c.forward()
	case c.conf.handler == "balancer-manager" && !slices.Contains([]string{"GET", "HEAD", "POST", "OPTIONS"}, q.Method):
		return &problem{status: 405}
	case c.conf.handler == "balancer-manager":
		c.p.manager.Serve(c.watch(), c.view())
		return nil
	case c.conf.handler == "server-status":
		c.p.manager.Status(c.watch(), c.view())
		return nil
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

// setEnv runs SetEnvIf and the like, or with late SetEnv and UnsetEnv.
func (c *call) setEnv(late bool) {
	for _, r := range c.conf.env {
		if r.late == late {
			r.apply(c.x)
		}
	}
}

// translate finds the mapping of the request (proxy_trans of mod_proxy.c).
func (c *call) translate() *problem {
	q := c.x.Req
	if _, ok := c.x.Env["no-proxy"]; ok {
		return nil
	}
	if len(c.srv.early) > 0 {
		enc, ok := encodedNormal(q.Path, c.srv.merge)
		if !ok {
			return &problem{status: 400}
		}
		for _, r := range c.srv.early {
			if u, ok := r.matchEarly(enc); ok {
				c.url, c.early, c.viaRule = u, true, r
				return nil
			}
		}
	}
	raw := q.Path
	if q.HasQ {
		raw += "?" + q.Query
	}
	if r := c.conf.rule; r != nil && c.try(r, raw) {
		return nil
	}
	for _, r := range c.srv.rules {
		if c.try(r, raw) {
			return nil
		}
	}
	return nil
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
	return manager.View{ServerName: c.serverName(), Path: c.path, Balancers: c.srv.order, Paths: c.srv.paths}
}

// problem sends an answer of our own: ErrorDocument text or the generated page.
func (c *call) problem(p *problem) {
	if p.err != nil {
		c.p.log.Error("request failed", "server", c.srv.name, "method", c.x.Req.Method, "path", c.path,
			"status", p.status, "reason", p.Error())
	}
	if c.x.W.Started() {
		c.x.W.Abort()
		return
	}
	var h exchange.Header
	location := ""
	if p.status == 401 {
		h.Add("WWW-Authenticate", `Basic realm="`+strings.ReplaceAll(c.conf.authName, `"`, `\"`)+`"`)
	}
	if doc, ok := c.conf.errorDocs[p.status]; ok {
		switch {
		case strings.HasPrefix(doc, "http://"), strings.HasPrefix(doc, "https://"):
			h.Add("Location", doc)
			p, location = &problem{status: 302}, doc
		case strings.HasPrefix(doc, "/"):
			if text, kind, ok := c.localFile(doc); ok {
				c.send(p.status, p.title(), append(h, exchange.Field{Name: "Content-Type", Value: kind}), text)
				return
			}
		case !strings.EqualFold(doc, "default"):
			h.Add("Content-Type", pageType)
			c.send(p.status, p.title(), h, strings.TrimPrefix(doc, `"`))
			return
		}
	}
	h.Add("Content-Type", pageType)
	c.send(p.status, p.title(), h, p.page(c.x.Req.Method, c.x.Req.Header.Get("Expect"), c.srv.admin, location))
}

// answer sends a small answer of our own and returns nil.
func (c *call) answer(status int, reason string, h exchange.Header, body string) *problem {
	c.send(status, reason, h, body)
	return nil
}

// send finishes and sends an answer with a known body.
func (c *call) send(status int, reason string, h exchange.Header, body string) {
	c.finishHeader(&h, status >= 400)
	if c.head(status, reason, h, int64(len(body))) != nil || c.x.Req.Method == "HEAD" {
		return
	}
	n, _ := c.x.W.Write([]byte(body))
	c.bytes += int64(n)
}

// head sends the answer's head and remembers it for the log.
func (c *call) head(status int, reason string, h exchange.Header, length int64) error {
	c.status, c.sent = status, h
	err := c.x.W.Head(status, reason, h, length)
	if err != nil && !c.x.W.Started() {
		c.p.log.Error("answer cannot be sent", "server", c.srv.name, "path", c.path, "reason", err)
		c.x.W.Abort()
	}
	return err
}

// finishHeader runs the Header rules (mod_headers' output filters) and adds what httpd adds.
func (c *call) finishHeader(h *exchange.Header, failed bool) {
	for _, r := range c.conf.headers {
		if !r.m.Request.V && (r.m.Always.V || !failed) {
			r.apply(h, c.x, c.start)
		}
	}
	if _, ok := h.Lookup("Server"); !ok {
		*h = append(exchange.Header{{Name: "Server", Value: c.p.o.Server}}, *h...)
	}
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
	w.c.finishHeader(&h, status >= 400)
	return w.c.head(status, reason, h, length)
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.c.bytes += int64(n)
	return n, err
}
