// Package runtime runs a setup: the balancer that stands for httpd and a node for
// each Tomcat, in one process or a part of them each.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"clowder/parse/model"
	"clowder/runtime/node"
)

// Membership says how the nodes of a cluster find each other.
type Membership string

// The ways of finding each other.
const (
	// Auto uses multicast where the machine can do it, else static peers.
	Auto      Membership = "auto"
	Multicast Membership = "multicast"
	Static    Membership = "static"
)

// Options steer a run.
type Options struct {
	Only       []string // names of front ends or nodes, "balancer" for every front end; empty: all
	PortOffset int      // added to every port
	Membership Membership
	LogDir     string       // where access logs with relative directories go; "" writes none
	App        http.Handler // what the nodes answer with; nil is the counter page
	Unguarded  bool         // run in spite of access rules that cannot be enforced
	MemberMax  int          // connections to a member without max=; 0 is 1024
	Log        *slog.Logger // nil discards
}

// Piece is one running part and the addresses it listens on.
type Piece struct {
	Name      string
	Addresses map[string]string // what → address
}

// Running is a started setup. Its methods may be called from many goroutines.
type Running struct {
	Pieces []Piece // as started; Status tells the present ones

	log     *slog.Logger
	o       Options
	started time.Time
	nodes   []*node.Node
	done    chan struct{}
	once    sync.Once

	mu      sync.Mutex // of what Reload and Stop change
	setup   *model.Setup
	running selection
	fronts  []*frontend
	leaving []*frontend // dropped by a reload, with requests in progress
	reloads int
	stopped bool
}

// Start starts the nodes, then the balancers, and returns when all listen. On an
// error what was already started is stopped again. The context bounds only the start.
func Start(ctx context.Context, s *model.Setup, o Options) (*Running, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := &Running{log: o.Log, o: o, done: make(chan struct{}), started: time.Now(), setup: s}
	chosen, err := choose(s, o.Only)
	if err != nil {
		return nil, err
	}
	if err := guards(s, chosen, o.Unguarded); err != nil {
		return nil, err
	}
	r.running = chosen
	peers, err := planMembership(s, chosen.nodes, o)
	if err != nil {
		return nil, err
	}
	if err := r.start(ctx, s, chosen, peers, o); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return nil, errors.Join(err, r.Stop(stop))
	}
	go r.watch(len(chosen.fronts) == 0)
	return r, nil
}

func (r *Running) start(ctx context.Context, s *model.Setup, c selection, peers map[*model.Node][]string, o Options) error {
	for _, n := range c.nodes {
		nd, err := node.New(n, node.Options{App: o.App, PortOffset: o.PortOffset, Log: o.Log, LogDir: o.LogDir, StaticPeers: peers[n]})
		if err != nil {
			return fmt.Errorf("node %s: %w", n.Name.V, err)
		}
		if err := nd.Start(ctx); err != nil {
			return fmt.Errorf("node %s: %w", n.Name.V, err)
		}
		r.nodes = append(r.nodes, nd)
		r.Pieces = append(r.Pieces, Piece{n.Name.V, nd.Addrs()})
	}
	for _, f := range c.fronts {
		fe, err := startFrontEnd(f, hasFileGuards(s), o)
		if err != nil {
			return fmt.Errorf("balancer %s: %w", f.Name.V, err)
		}
		r.fronts = append(r.fronts, fe)
		r.Pieces = append(r.Pieces, Piece{f.Name.V, fe.addresses()})
	}
	return nil
}

// watch stops each node that its shutdown port told to stop. When no balancer
// runs in this process (alone), the last one closes Done.
func (r *Running) watch(alone bool) {
	var wg sync.WaitGroup
	for _, n := range r.nodes {
		wg.Go(func() {
			select {
			case <-n.Done():
			case <-r.done:
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), nodeDrain)
			defer cancel()
			if err := n.Stop(ctx); err != nil {
				r.log.Warn("stopping a node", "err", err)
			}
		})
	}
	wg.Wait()
	if alone && len(r.nodes) > 0 {
		r.finish()
	}
}

// nodeDrain is how long a node that got its shutdown command waits for requests.
const nodeDrain = 10 * time.Second

func (r *Running) finish() { r.once.Do(func() { close(r.done) }) }

// Done is closed when nothing is left to run.
func (r *Running) Done() <-chan struct{} { return r.done }

// Stop drains the balancers, then the nodes, until the context ends.
func (r *Running) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopped = true
	fronts := append(slices.Clone(r.fronts), r.leaving...)
	r.mu.Unlock()
	var errs []error
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, f := range fronts {
		wg.Go(func() {
			if err := f.stop(ctx); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, n := range r.nodes {
		wg.Go(func() {
			if err := n.Stop(ctx); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	r.finish()
	return errors.Join(errs...)
}

// selection is what of a setup runs in this process.
type selection struct {
	fronts []*model.FrontEnd
	nodes  []*model.Node
}

func choose(s *model.Setup, only []string) (selection, error) {
	if len(only) == 0 {
		return selection{s.FrontEnds, s.Nodes}, nil
	}
	var c selection
	for _, name := range only {
		found := false
		for _, f := range s.FrontEnds {
			if name == "balancer" || name == f.Name.V {
				c.fronts, found = append(c.fronts, f), true
			}
		}
		for _, n := range s.Nodes {
			if name == n.Name.V {
				c.nodes, found = append(c.nodes, n), true
			}
		}
		if !found {
			return c, fmt.Errorf("no balancer or node is called %q; there are: %s", name, names(s))
		}
	}
	return c, nil
}

func names(s *model.Setup) string {
	out := "balancer"
	for _, n := range s.Nodes {
		out += ", " + n.Name.V
	}
	return out
}
