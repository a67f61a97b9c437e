package runtime

import "net"

// securedListener makes TLS connections of what it accepts where the address asks
// for that (proxy.Secure). The handshake is left to the front.
type securedListener struct {
	net.Listener
	secure func(net.Conn) net.Conn
}

// secured returns the listener itself without TLS.
func secured(ln net.Listener, secure func(net.Conn) net.Conn) net.Listener {
	if secure == nil {
		return ln
	}
	return &securedListener{ln, secure}
}

func (l *securedListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.secure(nc), nil
}
