package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"clowder/parse/model"
	"clowder/runtime/ajp"
)

// connector is one HTTP or AJP connector.
type connector struct {
	model    *model.Connector
	kind     string // http or ajp
	name     string // as in Tomcat's logs: "http-nio-8080"
	port     int
	engine   *engine
	threads  chan struct{} // one slot per request being answered
	listener net.Listener
	http     *http.Server
	ajp      *ajp.Server
}

func ms(v model.Int, d int) time.Duration {
	return time.Duration(v.Or(d)) * time.Millisecond
}

// newConnector returns nil for a connector that cannot be run.
func (n *Node) newConnector(c *model.Connector, e *engine) (*connector, error) {
	kind := c.Kind()
	if c.Port.V < 0 {
		return nil, nil // Tomcat: not started
	}
	if kind == "https" {
		n.log.Warn("TLS connectors are not run; the balancer ends TLS", "port", c.Port.V)
		return nil, nil
	}
	threads := c.MaxThreads.Or(200)
	if threads <= 0 {
		threads = 200
	}
	k := &connector{model: c, kind: kind, port: n.port(c.Port.V), engine: e, threads: make(chan struct{}, threads)}
	k.name = kind + "-nio-" + strconv.Itoa(k.port)
	timeout := ms(c.ConnTimeout, map[string]int{"http": 60000, "ajp": -1}[kind])
	keep := timeout
	if c.KeepAliveTime.IsSet() {
		if keep = ms(c.KeepAliveTime, 0); keep <= 0 {
			keep = -1
		}
	}
	if kind == "http" {
		k.http = &http.Server{
			Handler: k, ReadHeaderTimeout: max(timeout, 0), IdleTimeout: keep, // negative: none
			MaxHeaderBytes: c.MaxHeaderSize.Or(8192),
			ErrorLog:       slog.NewLogLogger(n.log.Handler(), slog.LevelDebug),
		}
		return k, nil
	}
	k.ajp = &ajp.Server{
		Handler: k, Secret: c.Secret.V, SecretRequired: c.SecretRequired.V, PacketSize: c.PacketSize.Or(ajp.MinPacketSize),
		TomcatAuthentication: c.TomcatAuth.Or(true), ConnectionTimeout: timeout, KeepAliveTimeout: keep, Log: n.log,
	}
	if p := c.AllowedAttrs.V; p != "" {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("connector %d: allowedRequestAttributesPattern: %w", c.Port.V, err)
		}
		k.ajp.AllowedAttributes = re
	}
	if c.SecretRequired.V && c.Secret.V == "" {
		return nil, fmt.Errorf("connector %d: %w", c.Port.V, ajp.ErrSecretRequired)
	}
	return k, nil
}

// check tells early that the port is taken, before the cluster is joined.
func (k *connector) check(ctx context.Context, lc *net.ListenConfig) error {
	if k.port <= 0 {
		return nil
	}
	if err := k.bind(ctx, lc); err != nil {
		return err
	}
	err := k.listener.Close()
	k.listener = nil
	return err
}

func (k *connector) bind(ctx context.Context, lc *net.ListenConfig) error {
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(k.model.Address.V, strconv.Itoa(k.port)))
	if err != nil {
		return fmt.Errorf("connector %s: %w", k.name, err)
	}
	k.listener = l
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		k.port = a.Port
	}
	return nil
}

func (k *connector) serve(log *slog.Logger) {
	var err error
	if k.http != nil {
		err = k.http.Serve(k.listener)
	} else {
		err = k.ajp.Serve(k.listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		log.Error("connector failed", "connector", k.name, "err", err)
	}
}

func (k *connector) stop(ctx context.Context) error {
	if k.listener == nil {
		return nil
	}
	defer k.listener.Close()
	if k.ajp != nil {
		return k.ajp.Shutdown(ctx)
	}
	err := k.http.Shutdown(ctx)
	if err != nil {
		k.http.Close()
	}
	return err
}

// ServeHTTP gives the request one of the connector's threads.
func (k *connector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case k.threads <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	defer func() { <-k.threads }()
	k.engine.serve(k, w, r)
}
