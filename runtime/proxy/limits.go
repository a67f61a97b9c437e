package proxy

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"clowder/parse/model"
	"clowder/runtime/exchange"
	"clowder/runtime/front"
)

// defaultBody is LimitRequestBody without a word, since httpd 2.4.54, in bytes.
const defaultBody = 1 << 30

// errBodyLimit is what reading more of a body than LimitRequestBody gives.
var errBodyLimit = errors.New("AH01591: Request content-length is larger than the configured limit (LimitRequestBody)")

// ServerOf returns the server that counts for a connection to the listener while
// its host is not known: the first virtual host of the address, else the main
// server, with all that it inherits.
func (p *Proxy) ServerOf(l Listen) *model.Server {
	addr, _ := netip.ParseAddr(l.Address)
	s := p.virtualHost(&exchange.Request{Local: netip.AddrPortFrom(addr, uint16(l.Port))}, l)
	return p.front.Effective(s.m)
}

// BoundsOf returns what an effective server allows on its connections.
func BoundsOf(s *model.Server) exchange.Bounds {
	b := exchange.Bounds{KeepAlive: s.KeepAlive.Or(true) && s.KeepAliveTime.Or(5*time.Second) > 0, IdleTimeout: s.KeepAliveTime.Or(5 * time.Second),
		MaxKeepAliveRequests: max(0, s.MaxKeepAlive.Or(100)), BodyFirst: 20 * time.Second, BodyMinRate: 500}
	b.ReadTimeout = s.Timeout.Or(time.Minute)
	if b.ReadTimeout <= 0 {
		b.ReadTimeout = time.Minute
	}
	b.WriteTimeout = b.ReadTimeout
	if t := s.ReadTime; t != nil && t.Body.IsSet() {
		if st, err := model.ParseReadStage(t.Body.V); err == nil {
			b.BodyFirst, b.BodyMost, b.BodyMinRate = st.First, st.Most, st.MinRate
		}
	}
	return b
}

// bindBounds gives each server its bounds, unless all have the same.
func (p *Proxy) bindBounds() {
	all := append([]*server{p.main}, p.vhosts...)
	list := make([]exchange.Bounds, len(all))
	differ := false
	for i, s := range all {
		list[i] = BoundsOf(p.front.Effective(s.m))
		differ = differ || list[i] != list[0]
	}
	if !differ {
		return
	}
	for i, s := range all {
		s.bounds = &list[i]
	}
}

// limitBody refuses a body that is announced to be longer than LimitRequestBody and
// bounds one that is not announced.
func (c *call) limitBody() *problem {
	q := c.x.Req
	if q.Body == nil {
		return nil
	}
	most := c.conf.bodyLimit
	switch {
	case most < 0:
		most = defaultBody
	case most == 0:
		return nil
	}
	if q.Length > most {
		return &problem{status: 413, err: errBodyLimit}
	}
	if q.Length < 0 {
		q.Body = &boundedBody{q.Body, most}
	}
	return nil
}

// boundedBody ends with errBodyLimit when there is more than left bytes.
type boundedBody struct {
	r    io.Reader
	left int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errBodyLimit
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, errBodyLimit
	}
	return n, err
}

// bodyStatus is the answer to a body that could not be read
// (ap_map_http_request_error of modules/http/http_filters.c).
func bodyStatus(err error) int {
	var ne net.Error
	switch {
	case errors.Is(err, errBodyLimit):
		return 413
	case errors.Is(err, front.ErrBody):
		return 400
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return 408
	}
	return 400
}

// ChunkLeft implements exchange.ChunkReader.
func (b *boundedBody) ChunkLeft() int64 {
	if r, ok := b.r.(exchange.ChunkReader); ok {
		return r.ChunkLeft()
	}
	return 0
}
