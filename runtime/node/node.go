// Package node is the Go equivalent of one Tomcat: its connectors, the engine
// with hosts and contexts, sessions that are replicated to the other nodes of the
// cluster, access logs and the shutdown port. What it answers with is any
// [http.Handler]; without one it is the counter page.
//
// The order of things and the names in logs follow org.apache.catalina.core
// (StandardServer, StandardService, StandardEngine) of Tomcat 10.1.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"clowder/parse/model"
	"clowder/runtime/session"
	"clowder/runtime/tribes"
)

// Options of a node.
type Options struct {
	// App answers the requests of every context; nil means the counter page. It
	// reads and changes sessions with [session.From].
	App http.Handler
	// PortOffset is added to every port, besides the server.xml's own portOffset.
	PortOffset int
	// Log takes messages; nil means slog.Default.
	Log *slog.Logger
	// StaticPeers are host:port of the receivers of the other nodes. When not nil
	// they replace membership by multicast.
	StaticPeers []string
	// LogDir is where relative directories of access logs begin. With "" no
	// access log is written.
	LogDir string
}

// Node is one running Tomcat equivalent. It is started once.
type Node struct {
	model   *model.Node
	opts    Options
	log     *slog.Logger
	offset  int
	engines []*engine

	clusters   []*clusterRun
	connectors []*connector
	shutdown   net.Listener

	mu      sync.Mutex
	addrs   map[string]string
	started bool
	stopped bool
	done    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
}

// clusterRun is one Cluster element at work.
type clusterRun struct {
	channel *tribes.Channel
	cluster *session.Cluster
	model   *model.Cluster
}

// New builds the node from its model. It opens nothing.
func New(n *model.Node, o Options) (*Node, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	nd := &Node{model: n, opts: o, log: o.Log, offset: o.PortOffset + n.PortOffset.V,
		addrs: map[string]string{}, done: make(chan struct{})}
	for _, s := range n.Services {
		if s.Engine == nil {
			if len(s.Connectors) > 0 {
				return nil, fmt.Errorf("service %q has connectors but no engine", s.Name.V)
			}
			continue
		}
		e, err := nd.newEngine(s.Engine)
		if err != nil {
			return nil, err
		}
		nd.engines = append(nd.engines, e)
		for _, c := range s.Connectors {
			k, err := nd.newConnector(c, e)
			if err != nil {
				return nil, err
			}
			if k != nil {
				nd.connectors = append(nd.connectors, k)
			}
		}
	}
	if len(nd.engines) == 0 {
		return nil, errors.New("the node has no engine")
	}
	return nd, nil
}

// port moves a configured port by the offsets. 0 stays 0: any free port.
func (n *Node) port(p int) int {
	if p <= 0 {
		return p
	}
	return p + n.offset
}

func (n *Node) note(name, addr string) {
	n.mu.Lock()
	n.addrs[name] = addr
	n.mu.Unlock()
}

// Addrs returns what the node listens on: "http:8080", "ajp:8009", "shutdown:8005"
// and "receiver:4000" (with the configured ports) -> the real address.
func (n *Node) Addrs() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make(map[string]string, len(n.addrs))
	for k, v := range n.addrs {
		out[k] = v
	}
	return out
}

// Done is closed when the shutdown port got its command. Call Stop then.
func (n *Node) Done() <-chan struct{} { return n.done }

// Start joins the cluster and takes over its sessions, then opens the connectors.
// Tomcat opens them first (bindOnInit) and leaves requests waiting while it
// fetches the sessions; here the balancer is refused at once and asks another
// node. When Start fails, nothing stays open.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	if n.started {
		n.mu.Unlock()
		return errors.New("the node was started before")
	}
	n.started = true
	n.mu.Unlock()
	if err := n.start(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return errors.Join(err, n.Stop(stop))
	}
	return nil
}

func (n *Node) start(ctx context.Context) error {
	var lc net.ListenConfig
	for _, k := range n.connectors {
		if err := k.check(ctx, &lc); err != nil {
			return err
		}
	}
	if err := n.bindShutdown(ctx, &lc); err != nil {
		return err
	}
	for _, c := range n.clusters {
		if err := c.channel.Start(ctx); err != nil {
			return fmt.Errorf("cluster: %w", err)
		}
		m := c.channel.Local()
		n.note("receiver:"+strconv.Itoa(receiverPort(c.model)), net.JoinHostPort(net.IP(m.Host).String(), strconv.Itoa(m.Port)))
	}
	for _, e := range n.engines {
		if err := e.startManagers(ctx); err != nil {
			return err
		}
	}
	for _, k := range n.connectors {
		if err := k.bind(ctx, &lc); err != nil {
			return err
		}
		n.note(k.kind+":"+strconv.Itoa(k.model.Port.V), k.listener.Addr().String())
	}
	for _, k := range n.connectors {
		n.wg.Go(func() { k.serve(n.log) })
	}
	if n.shutdown != nil {
		n.wg.Go(n.await)
	}
	return nil
}

func receiverPort(c *model.Cluster) int {
	if c.Channel != nil && c.Channel.Receiver != nil {
		return c.Channel.Receiver.Port.Or(4000)
	}
	return 4000
}

// Stop stops accepting, waits for the running requests, ends the session
// managers and leaves the cluster. What is not done when the context ends is cut
// off. Further calls do nothing.
func (n *Node) Stop(ctx context.Context) error {
	n.mu.Lock()
	if n.stopped {
		n.mu.Unlock()
		return nil
	}
	n.stopped = true
	n.mu.Unlock()
	var errs []error
	if n.shutdown != nil {
		n.shutdown.Close()
	}
	var wg sync.WaitGroup
	results := make([]error, len(n.connectors))
	for i, k := range n.connectors {
		wg.Go(func() { results[i] = k.stop(ctx) })
	}
	wg.Wait()
	errs = append(errs, results...)
	for _, e := range n.engines {
		errs = append(errs, e.stopManagers(ctx))
	}
	for _, c := range n.clusters {
		errs = append(errs, c.channel.Stop(ctx))
	}
	for _, e := range n.engines {
		e.closeLogs()
	}
	n.wg.Wait()
	return errors.Join(errs...)
}
