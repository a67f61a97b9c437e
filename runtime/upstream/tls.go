package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
)

// ErrNoTLS is the cause when [PoolConfig.TLSFor] has no settings for the host.
var ErrNoTLS = errors.New("no settings for TLS")

// handshakeError marks what went wrong after the connection stood.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// secure makes the TLS handshake, if the pool has one, within the context's time.
// On an error the connection is closed.
func (p *Pool) secure(ctx context.Context, nc net.Conn, host string) (net.Conn, error) {
	cfg := p.cfg.TLS
	if p.cfg.TLSFor != nil {
		if cfg = p.cfg.TLSFor(host); cfg == nil {
			nc.Close()
			return nil, &handshakeError{ErrNoTLS}
		}
	}
	if cfg == nil {
		return nc, nil
	}
	t := tls.Client(nc, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, &handshakeError{err}
	}
	return t, nil
}
