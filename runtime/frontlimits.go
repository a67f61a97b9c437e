package runtime

import (
	"net"
	"strconv"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/runtime/front"
	"clowder/runtime/proxy"
)

// maxFields stands for a LimitRequestFields without a bound: a head must have one.
const maxFields = 10000

// applyLimits sets in c what the first virtual host of the listener says (the
// server that httpd goes by until it knows the host) about request heads and
// connections: Timeout, KeepAlive*, LimitRequest*, RequestReadTimeout (as if
// mod_reqtimeout were loaded) and HttpProtocolOptions.
func applyLimits(c *front.Config, p *proxy.Proxy, l proxy.Listen) {
	s := p.ServerOf(l)
	b := proxy.BoundsOf(s)
	c.KeepAlive, c.IdleTimeout, c.MaxKeepAliveRequests = b.KeepAlive, b.IdleTimeout, b.MaxKeepAliveRequests
	c.ReadTimeout, c.WriteTimeout = b.ReadTimeout, b.WriteTimeout
	c.BodyRate = front.Rate{First: b.BodyFirst, Most: b.BodyMost, MinRate: b.BodyMinRate}
	c.HeadRate = front.Rate{First: 20 * time.Second, Most: 40 * time.Second, MinRate: 500}
	if t := s.ReadTime; t != nil && t.Header.IsSet() {
		if st, err := model.ParseReadStage(t.Header.V); err == nil {
			c.HeadRate = front.Rate{First: st.First, Most: st.Most, MinRate: st.MinRate}
		}
	}
	if c.HeadRate.First <= 0 { // no bound but Timeout for each read: a head must come to an end
		c.HeadRate = front.Rate{First: b.ReadTimeout, MinRate: 1}
	}
	c.ReadHeaderTimeout = min(c.HeadRate.First, b.ReadTimeout)
	c.MaxRequestLine = max(s.LimitLine.Or(8190), 1)
	c.MaxFieldSize = max(s.LimitFieldSize.Or(8190), 1)
	if c.MaxFields = s.LimitFields.Or(100); c.MaxFields <= 0 || c.MaxFields > maxFields {
		c.MaxFields = maxFields
	}
	for _, o := range s.HTTPOptions {
		switch strings.ToLower(o.V) {
		case "unsafe":
			if c.Log != nil {
				c.Log.Warn("HttpProtocolOptions Unsafe has no effect: malformed requests are refused", "place", o.Span)
			}
		case "registeredmethods":
			c.Methods = registered()
		case "lenientmethods":
			c.Methods = nil
		}
	}
}

// registered are the methods that httpd knows (ap_method_registry_init of
// modules/http/http_protocol.c).
func registered() map[string]bool {
	m := map[string]bool{"HEAD": true}
	for w := range strings.FieldsSeq("GET PUT POST DELETE CONNECT OPTIONS TRACE PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK " +
		"VERSION-CONTROL CHECKOUT UNCHECKOUT CHECKIN UPDATE LABEL REPORT MKWORKSPACE MKACTIVITY BASELINE-CONTROL MERGE") {
		m[w] = true
	}
	return m
}

// connections is how many connections the front end may have: MaxRequestWorkers of
// the prefork and worker MPMs; the event MPM, and one that is not named, lets
// AsyncRequestWorkerFactor more for each worker wait. The threaded ones have no
// more workers than ServerLimit × ThreadsPerChild. 0: nothing was written.
func connections(f *model.FrontEnd) int {
	n := f.Workers.V
	if n <= 0 {
		return 0
	}
	if f.HasModule("mpm_prefork_module") {
		return n
	}
	if f.Processes.IsSet() || f.Threads.IsSet() {
		n = max(1, min(n, max(1, f.Processes.Or(16))*max(1, f.Threads.Or(25))))
	}
	if f.HasModule("mpm_worker_module") {
		return n
	}
	return n + int(float64(n)*max(0, f.AsyncMore.Or(2)))
}

// newSlots makes the bound of a front end's connections, nil for none.
func newSlots(n int) front.Slots {
	if n > 0 {
		return front.NewSlots(n)
	}
	return nil
}

// listenTCP opens a socket with ListenBacklog, as far as the system allows it.
func listenTCP(f *model.FrontEnd, l proxy.Listen) (net.Listener, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort(l.Address, strconv.Itoa(l.Port)))
	if err == nil && f.Backlog.V > 0 {
		setBacklog(ln, f.Backlog.V)
	}
	return ln, err
}
