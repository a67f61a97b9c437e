package runtime

import (
	"net"
	"sync/atomic"
)

// securedListener makes TLS connections of what it accepts where the address asks
// for that (proxy.Secure). The handshake is left to the front.
type securedListener struct {
	net.Listener
	secure atomic.Pointer[func(net.Conn) net.Conn] // nil without TLS
}

// secured wraps a listener; secure is nil without TLS.
func secured(ln net.Listener, secure func(net.Conn) net.Conn) *securedListener {
	l := &securedListener{Listener: ln}
	l.set(secure)
	return l
}

// set replaces the settings for connections accepted from now on: proxy.Secure of
// another proxy, whose certificates were read again.
func (l *securedListener) set(secure func(net.Conn) net.Conn) {
	if secure == nil {
		l.secure.Store(nil)
		return
	}
	l.secure.Store(&secure)
}

func (l *securedListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if f := l.secure.Load(); f != nil {
		nc = (*f)(nc)
	}
	return nc, nil
}
