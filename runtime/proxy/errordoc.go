package proxy

import (
	"strings"

	"clowder/runtime/exchange"
)

// problem sends an answer of our own (ap_die of modules/http/http_request.c): what
// ErrorDocument names, or the generated page.
func (c *call) problem(p *problem) {
	c.logProblem(p)
	if c.x.W.Started() {
		c.x.W.Abort()
		return
	}
	if p.status == 401 && p.realm != "" {
		c.challenge = p.realm
	}
	if p.status == 401 && c.challenge != "" {
		c.errHeader.Set("WWW-Authenticate", c.challenge)
	}
	extra := 0
	doc, ok := c.conf.errorDocs[p.status]
	switch {
	case !ok, strings.EqualFold(doc, "default"):
	case p.status == 401 && strings.Contains(doc, "://"): // httpd ignores it: the challenge would be lost
	case strings.HasPrefix(doc, "http://"), strings.HasPrefix(doc, "https://"):
		c.page(&problem{status: 302, location: doc}, 0)
		return
	case strings.HasPrefix(doc, "/"):
		second := c.redirect(doc, p)
		if second == nil {
			return
		}
		c.logProblem(second)
		if c.x.W.Started() {
			c.x.W.Abort()
			return
		}
		extra = second.status
	default:
		h := exchange.Header{{Name: "Content-Type", Value: pageType}}
		c.send(p.status, p.title(), h, strings.TrimPrefix(doc, `"`))
		return
	}
	c.page(p, extra)
}

// page sends a generated page. extra is the status of an ErrorDocument that failed
// as well, 0 for none.
func (c *call) page(p *problem, extra int) {
	var h exchange.Header
	if p.location != "" {
		h.Add("Location", p.location)
	}
	if p.status == 405 {
		h.Add("Allow", p.allow)
	}
	h.Add("Content-Type", pageType)
	c.send(p.status, p.title(), h, p.page(c.x.Req.Method, c.x.Req.Header.Get("Expect"), c.srv.admin, extra))
}

// redirect answers with another resource of this server (ap_internal_redirect):
// mappings, access rules and handlers apply to it as to a GET without a body, and
// the status stays that of the first problem where the second has none to tell.
func (c *call) redirect(path string, p *problem) *problem {
	if c.first != nil {
		return p // an ErrorDocument of an ErrorDocument
	}
	old := c.x
	q := *old.Req
	q.Method, q.Target, q.Body, q.Length, q.Trailer = "GET", path, nil, 0, nil
	q.Path, q.Query, q.HasQ = strings.Cut(path, "?")
	q.Header = make(exchange.Header, 0, len(old.Req.Header))
	for _, f := range old.Req.Header {
		switch strings.ToLower(f.Name) {
		case "content-length", "transfer-encoding", "expect":
		default:
			q.Header = append(q.Header, f)
		}
	}
	inner := *c
	inner.x = &exchange.Exchange{Req: &q, W: old.W, Env: c.redirectEnv(p.status)}
	inner.first, inner.body, inner.prob = p, requestBody{}, nil
	inner.outHeader = nil // its Header and Vary are told again
	inner.again, inner.fixed, inner.forcedType, inner.forcedHandler = "", false, "", ""
	inner.filename, inner.base, inner.info, inner.script, inner.forwarding = "", "", "", false, false
	inner.url, inner.literal, inner.early, inner.viaRule = "", false, false, nil
	second := inner.route()
	if second == nil {
		old.Env = inner.x.Env
	}
	c.status, c.bytes, c.sent = inner.status, inner.bytes, inner.sent
	return second
}

// ownOrder puts what the front adds before Content-Type, as in httpd's answers
// that come from no backend (ap_http_header_filter of modules/http/http_filters.c).
func ownOrder(h exchange.Header) exchange.Header {
	out := make(exchange.Header, 0, len(h)+4)
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Content-Type") {
			out = append(out, f)
		}
	}
	out = append(out, exchange.Field{Name: "Content-Length"}, exchange.Field{Name: "Connection"}, exchange.Field{Name: "Transfer-Encoding"})
	for _, f := range h {
		if strings.EqualFold(f.Name, "Content-Type") {
			out = append(out, f)
		}
	}
	return out
}

// finished is the answer's header after the Header rules, with what comes first
// first: Date, Server. generated says that it is of a page made of an error; own,
// that the answer is from no backend: then Server is ours whatever the rules say.
func (c *call) finished(h exchange.Header, generated, own bool) exchange.Header {
	rules := len(c.conf.headers) > 0 || len(c.errHeader) > 0 || len(c.outHeader) > 0
	c.finishHeader(&h, generated)
	if !rules && !own {
		return h // answerHeader has put them there
	}
	out := make(exchange.Header, 2, len(h)+2)
	out[1] = exchange.Field{Name: "Server", Value: c.p.o.Server}
	found, date := own, false
	for _, f := range h {
		switch {
		case len(f.Name) == 6 && strings.EqualFold(f.Name, "Server"):
			if !found && f.Value != "" {
				out[1].Value, found = f.Value, true
			}
		case len(f.Name) == 4 && strings.EqualFold(f.Name, "Date"):
			if !date && !own {
				out[0], date = f, true
			}
		default:
			out = append(out, f)
		}
	}
	if !date {
		out = out[1:]
	}
	return out
}
