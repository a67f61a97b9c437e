package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"clowder/parse/model"
	"clowder/runtime/front"
	"clowder/runtime/proxy"
)

// frontend is one running balancer: the proxy and its listening sockets.
type frontend struct {
	proxy     *proxy.Proxy
	servers   []*front.Server
	addresses map[string]string
}

func startFrontEnd(f *model.FrontEnd, noFiles bool, o Options) (*frontend, error) {
	log := o.Log.With("balancer", f.Name.V)
	p, err := proxy.New(f, proxy.Options{PortOffset: o.PortOffset, Log: log, NoFiles: noFiles, AccessLog: accessLogs(o.LogDir)})
	if err != nil {
		return nil, err
	}
	fe := &frontend{proxy: p, addresses: map[string]string{}}
	listens := p.Listens()
	if len(listens) == 0 {
		p.Close()
		return nil, errors.New("the configuration has no Listen directive, so the balancer would answer nowhere")
	}
	slots := slotsOf(f)
	for _, l := range listens {
		addr := net.JoinHostPort(l.Address, strconv.Itoa(l.Port))
		ln, err := listenTCP(f, l)
		if err != nil {
			err = explainListen(err, l.Port, o.PortOffset)
			return nil, errors.Join(err, fe.stop(context.Background()))
		}
		cfg := front.Config{Handler: p.Handler(l), ErrorPage: proxy.ErrorPage, ServerHeader: "clowder", Log: log, Slots: slots}
		applyLimits(&cfg, p, l)
		srv := front.New(cfg)
		fe.servers = append(fe.servers, srv)
		fe.addresses["http:"+strconv.Itoa(l.Port)] = ln.Addr().String()
		go func() {
			if err := srv.Serve(ln); err != nil {
				log.Debug("listener ended", "address", addr, "err", err)
			}
		}()
	}
	return fe, nil
}

// explainListen adds the next step to the errors that people meet first.
func explainListen(err error, port, offset int) error {
	if port < 1024 {
		return fmt.Errorf("%w; a port below 1024 may need more rights: --port-offset %d moves every port", err, offset+8000)
	}
	return fmt.Errorf("%w; --port-offset moves every port", err)
}

func (f *frontend) stop(ctx context.Context) error {
	var errs []error
	for _, s := range f.servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, err, s.Close())
		}
	}
	f.proxy.Close()
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
