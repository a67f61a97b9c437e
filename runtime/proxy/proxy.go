// Package proxy answers requests as an httpd front end with mod_proxy does:
// virtual hosts, mappings, access control, header rules, choice of a member,
// failover and the pages httpd makes itself.
//
// The behaviour follows modules/proxy (mod_proxy.c, proxy_util.c,
// mod_proxy_http.c, mod_proxy_ajp.c, mod_proxy_balancer.c), server/request.c and
// modules/aaa of httpd 2.4. What two parsers could read differently is refused.
package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/runtime/balancer"
	"clowder/runtime/exchange"
	"clowder/runtime/health"
	"clowder/runtime/manager"
	"clowder/runtime/tlsconf"
	"clowder/runtime/upstream"
)

// Options are what is not part of the configuration. The zero value is ready for use.
type Options struct {
	PortOffset int          // added to the ports of listeners and members
	Log        *slog.Logger // nil discards
	Server     string       // Server field of answers without one; "" is "clowder"
	// Dial replaces the dialer of every backend.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// NoFiles answers 404 for what would come from DocumentRoot: for setups whose
	// access rules for files are not known here.
	NoFiles bool
	// MemberMax are the connections to a member without max=; 0 is
	// upstream.DefaultMax. In httpd it is the number of threads of one process.
	MemberMax int
	// Hold leaves the health checks to a call of Go, once.
	Hold bool
	// AccessLog opens what a CustomLog names; nil writes no access logs. The
	// writer is closed by Close if it is an io.Closer, and written to by many
	// goroutines, one line for each call.
	AccessLog func(file string) (io.Writer, error)
}

// Listen is one address the front end listens on, ports already moved.
type Listen struct {
	Address  string // "" is every address
	Port     int
	Protocol string // "http" or "https"
}

// Proxy is a running front end. It is safe for concurrent use.
type Proxy struct {
	front   *model.FrontEnd
	o       Options
	log     *slog.Logger
	lacks   map[string]bool // schemes without their module; nil for none
	main    *server
	vhosts  []*server
	tls     *tlsconf.Front // nil without TLS and HTTP/2
	manager *manager.Manager
	health  *health.Checker
	kept    map[*balancer.Member]bool // what another proxy took over
	started time.Time
	logs    []io.Closer
	files   authFiles
	ctx     context.Context
	cancel  context.CancelFunc
}

// New compiles the front end. An error names the place of what cannot be run.
func New(f *model.FrontEnd, o Options) (*Proxy, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Server = cmp.Or(o.Server, "clowder")
	o.MemberMax = cmp.Or(o.MemberMax, upstream.DefaultMax)
	p := &Proxy{front: f, o: o, log: o.Log, started: time.Now()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.manager = manager.New(manager.Options{Log: o.Log, Server: o.Server, Started: p.started, MemberMax: o.MemberMax})
	main := f.Main
	if main == nil {
		main = &model.Server{}
	}
	p.lacks = p.lacking()
	var err error
	if p.main, err = p.newServer(main, main); err != nil {
		return nil, err
	}
	for _, v := range f.VHosts {
		s, err := p.newServer(main, v)
		if err != nil {
			return nil, err
		}
		p.vhosts = append(p.vhosts, s)
	}
	p.bindBounds()
	if err := p.compileTLS(); err != nil {
		return nil, err
	}
	p.checkAuth()
	p.tellKept()
	if err := p.newHealth(); err != nil {
		return nil, err
	}
	if !o.Hold {
		p.Go()
	}
	return p, nil
}

// Go starts the health checks; New does it unless Options.Hold.
func (p *Proxy) Go() { p.health.Start() }

// at puts the place before an error.
func at(span diag.Span, err error) error {
	if err == nil || span.File == nil {
		return err
	}
	return fmt.Errorf("%v: %w", span, err)
}

// shift moves the port of a backend URL.
func (p *Proxy) shift(u string) string { return balancer.ShiftURL(u, p.o.PortOffset) }

// Listens returns the listening addresses, ports moved by the offset.
func (p *Proxy) Listens() []Listen {
	var out []Listen
	for _, l := range p.front.Listens {
		proto := strings.ToLower(l.Protocol.V)
		if proto == "" {
			proto = "http"
			if l.Port.V == 443 {
				proto = "https"
			}
		}
		n := Listen{l.Address.V, l.Port.V + p.o.PortOffset, proto}
		if n.Address == "*" {
			n.Address = ""
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// Handler answers what comes in on that address.
func (p *Proxy) Handler(l Listen) exchange.Handler {
	return exchange.HandlerFunc(func(x *exchange.Exchange) { p.serve(x, l) })
}

// Balancers returns every balancer of every server, the main server's first.
func (p *Proxy) Balancers() []*balancer.Balancer {
	var out []*balancer.Balancer
	for _, s := range append([]*server{p.main}, p.vhosts...) {
		out = append(out, s.order...)
	}
	return out
}

// Close ends requests in progress and closes idle connections to backends.
func (p *Proxy) Close() error {
	p.health.Stop()
	p.cancel()
	var errs []error
	for _, s := range append([]*server{p.main}, p.vhosts...) {
		ms := slices.Clone(s.workers)
		for _, b := range s.order {
			ms = append(ms, b.Members()...)
		}
		for _, m := range ms {
			if p.kept[m] {
				continue
			}
			if pool, ok := m.Attached(func() any { return nil }).(io.Closer); ok {
				errs = append(errs, pool.Close())
			}
		}
	}
	for _, c := range p.logs {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}
