package proxy

import (
	"strings"

	"clowder/runtime/exchange"
)

// traceBack answers TRACE itself: the request comes back as it was understood
// (ap_send_http_trace of modules/http/http_filters.c). One with a body is refused.
func (c *call) traceBack() *problem {
	q := c.x.Req
	if q.Body != nil {
		return &problem{status: 413}
	}
	var b strings.Builder
	b.WriteString(q.Method + " " + q.Target + " " + protocol(q) + "\r\n")
	for _, f := range q.Header {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	b.WriteString("\r\n")
	h := c.finished(ownOrder(exchange.Header{{Name: "Content-Type", Value: "message/http"}}), false, true)
	if c.head(200, "OK", h, -1) == nil {
		n, _ := c.x.W.Write([]byte(b.String()))
		c.bytes += int64(n)
	}
	return nil
}
