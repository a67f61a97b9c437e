package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/runtime/ajp"
	"clowder/runtime/session"
	"clowder/runtime/tribes"
)

// engine is one Engine with its hosts.
type engine struct {
	node        *Node
	model       *model.Engine
	hosts       map[string]*host // by name and alias, lower case
	wildcards   map[string]*host // "*.example.com" by ".example.com"
	defaultHost *host            // nil: no such host
	list        []*host
	logs        []*accessLog
}

// host is one Host.
type host struct {
	name     string
	contexts []*webContext // longest path first
	logs     []*accessLog
}

func (n *Node) newEngine(m *model.Engine) (*engine, error) {
	e := &engine{node: n, model: m, hosts: map[string]*host{}, wildcards: map[string]*host{}}
	var err error
	if e.logs, err = n.newLogs(m.AccessLogs); err != nil {
		return nil, err
	}
	var own *clusterRun
	if m.Cluster != nil {
		if own, err = n.newCluster(m.Cluster, m.Name.V); err != nil {
			return nil, err
		}
	}
	for _, hm := range m.Hosts {
		cl, inHost := own, false
		if hm.Cluster != nil {
			if cl, err = n.newCluster(hm.Cluster, m.Name.V); err != nil {
				return nil, err
			}
			inHost = true
		}
		h, err := e.newHost(hm, cl, inHost)
		if err != nil {
			return nil, err
		}
		e.list = append(e.list, h)
		for _, name := range append([]model.String{hm.Name}, hm.Aliases...) {
			e.addName(strings.ToLower(name.V), h)
		}
	}
	if len(e.list) == 0 {
		h, err := e.newHost(&model.Host{Name: model.Def("localhost")}, own, false)
		if err != nil {
			return nil, err
		}
		e.list = []*host{h}
		e.addName("localhost", h)
	}
	if e.defaultHost = e.hosts[strings.ToLower(m.DefaultHost.V)]; m.DefaultHost.V == "" {
		e.defaultHost = e.list[0]
	}
	return e, nil
}

func (e *engine) addName(name string, h *host) {
	if s, ok := strings.CutPrefix(name, "*"); ok && strings.HasPrefix(s, ".") {
		e.wildcards[s] = h
	} else if _, taken := e.hosts[name]; !taken {
		e.hosts[name] = h
	}
}

func (n *Node) newCluster(m *model.Cluster, engine string) (*clusterRun, error) {
	ch, err := tribes.FromModel(m, tribes.Options{PortOffset: n.offset, NodeName: n.model.Name.V, Log: n.log,
		Static: n.opts.StaticPeers, Engine: engine})
	if err != nil {
		return nil, err
	}
	c := &clusterRun{channel: ch, cluster: session.NewCluster(ch, n.log), model: m}
	ch.SetListener(c.cluster)
	n.clusters = append(n.clusters, c)
	return c, nil
}

// newHost builds the host's contexts; a ROOT context is there even if none is known.
func (e *engine) newHost(m *model.Host, cl *clusterRun, inHost bool) (*host, error) {
	h := &host{name: m.Name.V}
	var err error
	if h.logs, err = e.node.newLogs(m.AccessLogs); err != nil {
		return nil, err
	}
	list := m.Contexts
	if !slices.ContainsFunc(list, func(c *model.Context) bool { return contextPath(c) == "" }) {
		list = append(slices.Clone(list), &model.Context{})
	}
	for _, cm := range list {
		c, err := e.newContext(h, m, cm, cl, inHost)
		if err != nil {
			return nil, err
		}
		h.contexts = append(h.contexts, c)
	}
	slices.SortStableFunc(h.contexts, func(a, b *webContext) int { return len(b.path) - len(a.path) })
	return h, nil
}

// contextPath returns the path without the slash that Tomcat takes away.
func contextPath(c *model.Context) string { return strings.TrimSuffix(c.Path.V, "/") }

// host returns the host of the Host header, the default host, or nil.
func (e *engine) host(header string) *host {
	name := strings.ToLower(header)
	if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
		name = name[:i]
	}
	if h := e.hosts[name]; h != nil {
		return h
	}
	if i := strings.IndexByte(name, '.'); i > 0 {
		if h := e.wildcards[name[i:]]; h != nil {
			return h
		}
	}
	return e.defaultHost
}

// serve finds host and context, answers, and writes the access logs.
func (e *engine) serve(k *connector, w http.ResponseWriter, r *http.Request) {
	x := &exchangeInfo{connector: k, begin: time.Now(), writer: recorder{ResponseWriter: w}}
	x.uri, x.info = rawPath(r), ajp.FromContext(r.Context())
	r.URL.RawPath = x.uri
	path, params := splitParams(r.URL.Path)
	h := e.host(r.Host)
	logs := e.logs
	var c *webContext
	if h != nil {
		logs = append(slices.Clip(logs), h.logs...)
		if c = h.context(path); c != nil {
			logs = append(slices.Clip(logs), c.logs...)
		}
	}
	if len(logs) > 0 {
		defer func() {
			x.end = time.Now()
			for _, l := range logs {
				l.write(x, r, h)
			}
		}()
	}
	if c == nil || !strings.HasPrefix(path, "/") && path != "*" {
		ajp.ErrorPage(&x.writer, http.StatusNotFound)
		return
	}
	c.serve(x, r, path, params)
}

func (h *host) context(path string) *webContext {
	for _, c := range h.contexts {
		if c.path == "" || path == c.path || strings.HasPrefix(path, c.path) && path[len(c.path)] == '/' {
			return c
		}
	}
	return nil
}

// rawPath returns the path as it stood on the request line, parameters included.
func rawPath(r *http.Request) string {
	p := r.RequestURI
	if i := strings.Index(p, "://"); i > 0 && p[0] != '/' {
		p = p[i+3:]
		if i = strings.IndexByte(p, '/'); i < 0 {
			return "/"
		}
		p = p[i:]
	}
	p, _, _ = strings.Cut(p, "?")
	return p
}

// splitParams takes path parameters (";name=value" of any segment) out of a path.
func splitParams(p string) (path string, params []string) {
	if !strings.Contains(p, ";") {
		return p, nil
	}
	var b strings.Builder
	for i, seg := range strings.Split(p, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		name, rest, ok := strings.Cut(seg, ";")
		b.WriteString(name)
		if ok {
			params = append(params, strings.Split(rest, ";")...)
		}
	}
	return b.String(), params
}

func (e *engine) startManagers(ctx context.Context) error {
	for _, h := range e.list {
		for _, c := range h.contexts {
			if err := c.manager.Start(ctx); err != nil {
				return err
			}
			c.started = true
		}
	}
	return nil
}

func (e *engine) stopManagers(ctx context.Context) error {
	var errs []error
	for _, h := range e.list {
		for _, c := range h.contexts {
			if c.started {
				errs = append(errs, c.manager.Stop(ctx))
			}
		}
	}
	return errors.Join(errs...)
}

func (e *engine) closeLogs() {
	for _, l := range e.logs {
		l.close()
	}
	for _, h := range e.list {
		for _, l := range h.logs {
			l.close()
		}
		for _, c := range h.contexts {
			for _, l := range c.logs {
				l.close()
			}
		}
	}
}

// valves are what the cluster does around each request (ha.tcp.ReplicationValve
// and ha.session.JvmRouteBinderValve).
type valves struct {
	replicate, bind bool
	filter          *regexp.Regexp // matches the whole URI of requests that do not replicate
}

// valvesOf reads a cluster's valves. A cluster without any has both
// (SimpleTcpCluster.checkDefaults).
func valvesOf(m *model.Cluster) (valves, error) {
	v := valves{replicate: len(m.Valves) == 0, bind: len(m.Valves) == 0}
	for _, c := range m.Valves {
		switch model.SimpleClass(c.Class.V) {
		case "JvmRouteBinderValve":
			a := c.Attribute("enabled")
			v.bind = a == nil || a.Value.V != "false"
		case "ReplicationValve":
			v.replicate = true
			if a := c.Attribute("filter"); a != nil && a.Value.V != "" {
				re, err := regexp.Compile(`^(?:` + a.Value.V + `)$`)
				if err != nil {
					return v, err
				}
				v.filter = re
			}
		}
	}
	return v, nil
}

// remoteIP is the client's address without port.
func remoteIP(r *http.Request) string {
	if h, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return h
	}
	return r.RemoteAddr
}
