package proxy

import (
	"errors"
	"path/filepath"
	"strings"

	"clowder/runtime/balancer"
	"clowder/runtime/upstream"
)

// dialing says how to reach the attempt's backend: by a Unix domain socket, with TLS.
func (a *attempt) dialing(pc *upstream.PoolConfig, secure bool) {
	if s := a.socket(); s != "" {
		pc.Network, pc.Address = "unix", a.c.p.socketPath(s)
	}
	if secure {
		pc.TLSFor = tlsFor(a.c.srv.backendTLS, "")
	}
}

// socket is the Unix domain socket of the attempt, "" for TCP.
func (a *attempt) socket() string {
	if a.member != nil {
		return a.member.Socket
	}
	return a.c.socket()
}

// socket is the one of the mapping that was used.
func (c *call) socket() string {
	if c.viaRule != nil {
		return c.viaRule.socket
	}
	return ""
}

// socketPath resolves a relative name below DefaultRuntimeDir, or ServerRoot.
func (p *Proxy) socketPath(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	dir := ""
	if p.front.Main != nil {
		for _, d := range p.front.Main.Settings.Extras {
			if strings.EqualFold(d.Name.V, "DefaultRuntimeDir") {
				dir = d.Arg(0)
			}
		}
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(p.front.ServerRoot.V, dir)
	}
	return filepath.Join(dir, name)
}

// noProxyEngine is the answer for a member behind TLS without SSLProxyEngine; the
// connection is made before (ap_proxy_connection_create).
func (c *call) noProxyEngine(a *attempt) *problem {
	return &problem{status: 500, err: errors.New("AH00961: failed to enable ssl support for " + a.authority + ": SSLProxyEngine is not on")}
}

// tlsHost is the name that a backend is asked for and its certificate checked
// against (ap_proxy_determine_connection): the client's with ProxyPreserveHost On.
func (a *attempt) tlsHost() string {
	if a.c.conf.preserveHost {
		host, _ := hostPort(a.c.x.Req.Host, 0)
		return strings.ToLower(host)
	}
	host, _ := hostPort(a.authority, balancer.DefaultPort(a.scheme))
	return host
}
