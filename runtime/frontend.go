package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"clowder/parse/model"
	"clowder/runtime/front"
	"clowder/runtime/proxy"
)

// frontend is one running balancer: its listening sockets, and the configuration
// that answers. Its methods are called from one goroutine at a time.
type frontend struct {
	name    string
	o       Options
	log     *slog.Logger
	cur     *generation
	old     []*generation // that may have requests in progress
	secure  bool          // cur uses TLS
	slots   front.Slots   // one for each connection, of all servers; nil without a bound
	bound   int           // how many slots, 0 for no bound
	doors   map[string]*door
	retired []*front.Server // that may have connections
}

// door is one address that a front end listens on.
type door struct {
	listen proxy.Listen
	sock   *socket
	server *front.Server
	config front.Config
	gate   *gate
}

// change is a configuration that is ready to be taken.
type change struct {
	f      *frontend
	proxy  *proxy.Proxy
	secure bool
	bound  int
	opened map[string]*socket
}

func startFrontEnd(f *model.FrontEnd, noFiles bool, o Options) (*frontend, error) {
	fe := newFrontEnd(f.Name.V, o)
	c, err := fe.prepare(f, noFiles)
	if err != nil {
		return nil, err
	}
	c.take()
	return fe, nil
}

func newFrontEnd(name string, o Options) *frontend {
	return &frontend{name: name, o: o, log: o.Log.With("balancer", name), doors: map[string]*door{}}
}

func address(l proxy.Listen) string { return net.JoinHostPort(l.Address, strconv.Itoa(l.Port)) }

// prepare compiles a configuration and opens the sockets it needs beyond those
// that are open. Nothing that runs is touched; take or drop must follow.
func (f *frontend) prepare(m *model.FrontEnd, noFiles bool) (*change, error) {
	p, err := proxy.New(m, proxy.Options{PortOffset: f.o.PortOffset, Log: f.log, NoFiles: noFiles, MemberMax: f.o.MemberMax, AccessLog: accessLogs(f.o.LogDir), Hold: true})
	if err != nil {
		return nil, err
	}
	c := &change{f: f, proxy: p, secure: usesTLS(m), bound: connections(m), opened: map[string]*socket{}}
	if len(p.Listens()) == 0 {
		c.drop()
		return nil, errors.New("the configuration has no Listen directive, so the balancer would answer nowhere")
	}
	for _, l := range p.Listens() {
		addr := address(l)
		if f.doors[addr] != nil || c.opened[addr] != nil {
			continue
		}
		ln, err := listenTCP(m, l)
		if err != nil {
			err = f.explainListen(err, l)
			c.drop()
			return nil, err
		}
		c.opened[addr] = &socket{Listener: ln}
	}
	return c, nil
}

// drop gives up what prepare made.
func (c *change) drop() {
	for _, s := range c.opened {
		s.Listener.Close()
	}
	c.proxy.Close()
}

// take makes the configuration the one that answers. Addresses that stay are not
// closed for a moment; those that are gone are, and their requests finish. It
// returns the addresses that were opened and closed.
func (c *change) take() (opened, closed []string) {
	f := c.f
	before := f.cur
	if before != nil {
		c.proxy.Adopt(before.proxy)
	}
	c.proxy.Go()
	f.cur = newGeneration(c.proxy)
	if c.bound != f.bound {
		f.bound, f.slots = c.bound, newSlots(c.bound)
	}
	renew := c.secure || f.secure
	f.secure = c.secure
	wanted := map[string]bool{}
	for _, l := range c.proxy.Listens() {
		addr := address(l)
		if wanted[addr] {
			continue
		}
		wanted[addr] = true
		if s := c.opened[addr]; s != nil {
			f.doors[addr] = &door{sock: s, gate: &gate{}}
			opened = append(opened, addr)
		}
		f.open(f.doors[addr], l, renew)
	}
	for addr, d := range f.doors {
		if !wanted[addr] {
			d.sock.Listener.Close()
			d.gate.to.Store(&entry{f.cur, c.proxy.Handler(d.listen)})
			go d.server.Shutdown(context.Background())
			f.retired = append(f.retired, d.server)
			delete(f.doors, addr)
			closed = append(closed, addr)
		}
	}
	if before != nil {
		before.retire()
		f.old = append(f.old, before)
	}
	f.forget()
	return opened, closed
}

// open leads the requests of a door to the current generation. A server whose
// settings have changed, and any with TLS, whose certificates may be new, hands
// its socket to another one and retires.
func (f *frontend) open(d *door, l proxy.Listen, renew bool) {
	d.listen = l
	d.gate.to.Store(&entry{f.cur, f.cur.proxy.Handler(l)})
	cfg := f.serverConfig(l)
	if d.server != nil && !renew && sameServer(d.config, cfg) {
		return
	}
	if d.server != nil {
		d.server.Retire()
		f.retired = append(f.retired, d.server)
	}
	d.config = cfg
	cfg.Handler, cfg.ErrorPage, cfg.PlainPage, cfg.Log = d.gate, proxy.ErrorPage, proxy.PlainPage, f.log
	srv := front.New(cfg)
	d.server = srv
	ln := secured(d.sock.lease(), f.cur.proxy.Secure(l))
	go func() {
		if err := srv.Serve(ln); err != nil {
			f.log.Debug("listener ended", "address", address(l), "err", err)
		}
	}()
}

// serverConfig are the settings of the server of one address, without what is the
// same for all.
func (f *frontend) serverConfig(l proxy.Listen) front.Config {
	p := f.cur.proxy
	c := front.Config{ServerHeader: "clowder", H2C: p.H2C(l), MaxStreams: p.MaxStreams(), Slots: f.slots, Log: f.log}
	applyLimits(&c, p, l)
	return c
}

// sameServer reports whether a server can stay; functions count as different.
func sameServer(a, b front.Config) bool { return reflect.DeepEqual(a, b) }

// usesTLS reports whether any server of the front end has mod_ssl's engine on, or
// a Listen is for https.
func usesTLS(m *model.FrontEnd) bool {
	for _, s := range append([]*model.Server{m.Main}, m.VHosts...) {
		if s != nil && s.TLS != nil && s.TLS.Engine.V != "" && !strings.EqualFold(s.TLS.Engine.V, "off") {
			return true
		}
	}
	return slices.ContainsFunc(m.Listens, func(l *model.Listen) bool { return strings.EqualFold(l.Protocol.V, "https") })
}

// forget drops what has come to its end since.
func (f *frontend) forget() {
	f.old = slices.DeleteFunc(f.old, func(g *generation) bool {
		select {
		case <-g.gone:
			return true
		default:
			return false
		}
	})
	f.retired = slices.DeleteFunc(f.retired, func(s *front.Server) bool {
		open, _ := s.Conns()
		return open == 0
	})
}

// addresses are those the front end listens on.
func (f *frontend) addresses() map[string]string {
	out := map[string]string{}
	for _, d := range f.doors {
		out[d.listen.Protocol+":"+strconv.Itoa(d.listen.Port)] = d.sock.Addr().String()
	}
	return out
}

// explainListen adds the next step to the errors that people meet first.
func explainListen(err error, port, offset int) error {
	if port < 1024 {
		return fmt.Errorf("%w; a port below 1024 may need more rights: --port-offset %d moves every port", err, offset+8000)
	}
	return fmt.Errorf("%w; --port-offset moves every port", err)
}

// explainListen names the reason that is particular to a reload: the port is taken
// by a socket of our own that the new configuration would close.
func (f *frontend) explainListen(err error, l proxy.Listen) error {
	for addr, d := range f.doors {
		if d.listen.Port == l.Port {
			return fmt.Errorf("%w; clowder itself listens on %s: such a change needs a restart", err, addr)
		}
	}
	return explainListen(err, l.Port, f.o.PortOffset)
}

// stop closes the sockets, then waits for the requests in progress until the
// context ends, and ends what is left.
func (f *frontend) stop(ctx context.Context) error {
	servers := slices.Clone(f.retired)
	for _, d := range f.doors {
		d.sock.Listener.Close()
		servers = append(servers, d.server)
	}
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				errs[i] = errors.Join(err, s.Close())
			}
		})
	}
	wg.Wait()
	for _, g := range append(slices.Clone(f.old), f.cur) {
		g.close()
	}
	return errors.Join(errs...)
}

// accessLogs opens what a CustomLog names, relative names below dir; without a
// directory no access log is written.
func accessLogs(dir string) func(string) (io.Writer, error) {
	if dir == "" {
		return nil
	}
	return func(name string) (io.Writer, error) {
		if strings.HasPrefix(name, "|") {
			return nil, fmt.Errorf("CustomLog %q: logs into a program are not supported", name)
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		return os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	}
}
