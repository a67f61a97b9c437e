package proxy

import (
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"clowder/runtime/ajp"
	"clowder/runtime/exchange"
	"clowder/runtime/tlsconf"
)

// compileTLS reads the certificates and gives each server its settings.
func (p *Proxy) compileTLS() error {
	t, err := tlsconf.New(p.front)
	if err != nil || t == nil {
		return err
	}
	t.Log(p.log)
	p.tls = t
	for _, s := range append([]*server{p.main}, p.vhosts...) {
		s.tls, s.backendTLS = t.Servers[s.m], t.Proxies[s.m]
	}
	return nil
}

// Secure returns the function that makes a TLS connection of what was accepted on
// l where the virtual host of the connection's address says so, as mod_ssl does
// before anything is read. The handshake takes place with the first read. Without
// any TLS it is nil.
func (p *Proxy) Secure(l Listen) func(net.Conn) net.Conn {
	if p.tls == nil {
		return nil
	}
	base := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		local := localAddr(hello.Conn)
		s := p.handshakeServer(local, hello.ServerName, l)
		if s.tls == nil || !s.tls.Engine {
			s = p.handshakeServer(local, "", l)
		}
		return s.tls.Config(), nil
	}}
	return func(nc net.Conn) net.Conn {
		if s := p.handshakeServer(localAddr(nc), "", l); s.tls != nil && s.tls.Engine {
			return tls.Server(nc, base)
		}
		return nc
	}
}

// H2C reports whether a plain connection accepted on l may speak HTTP/2 at once
// (Protocols h2c in the virtual host of its address).
func (p *Proxy) H2C(l Listen) func(net.Conn) bool {
	if !p.anyH2C() {
		return nil
	}
	return func(nc net.Conn) bool {
		s := p.handshakeServer(localAddr(nc), "", l)
		return s.tls != nil && s.tls.H2C
	}
}

// MaxStreams is the least H2MaxSessionStreams of the front end, 0 without one.
func (p *Proxy) MaxStreams() int {
	if p.tls == nil {
		return 0
	}
	return p.tls.MaxStreams
}

func (p *Proxy) anyH2C() (h2c bool) {
	if p.tls != nil {
		for _, s := range p.tls.Servers {
			h2c = h2c || s.H2C
		}
	}
	return h2c
}

func localAddr(nc net.Conn) netip.AddrPort {
	if t, ok := nc.LocalAddr().(*net.TCPAddr); ok {
		return t.AddrPort()
	}
	return netip.AddrPort{}
}

// handshakeServer is the virtual host that a handshake was made for: the one of
// that name, else the first of the address (ssl_callback_ServerNameIndication).
func (p *Proxy) handshakeServer(local netip.AddrPort, sni string, l Listen) *server {
	return p.virtualHost(&exchange.Request{Local: local, Host: sni}, l)
}

// checkTLS compares the virtual host of the request with the one of the handshake
// (ssl_hook_ReadReq) and makes the variables of mod_ssl available.
func (c *call) checkTLS(l Listen) *problem {
	q := c.x.Req
	cs := q.TLS
	if cs == nil {
		return nil
	}
	s := c.srv.tls
	q.TLSVar = func(name string) (string, bool) { return s.Var(cs, name) }
	if cs.ServerName != "" && q.Host == "" {
		return &problem{status: 400}
	}
	host, _ := hostPort(q.Host, 0)
	if cs.ServerName != "" && strings.EqualFold(host, cs.ServerName) {
		return nil
	}
	hs := c.p.handshakeServer(q.Local, cs.ServerName, l)
	if cs.ServerName == "" && c.srv != c.p.main && (s != nil && s.Strict || hs.tls != nil && hs.tls.Strict) {
		return &problem{status: 403, note: "Reason: The client software did not provide a hostname using Server Name Indication (SNI), which is required to access this server.<br />\n"}
	}
	if c.srv != hs && !c.p.tls.Policy.Compatible(hs.tls, s) {
		c.p.log.Error("AH02032: the handshake was made for another virtual host with other TLS settings", "sni", cs.ServerName, "host", q.Host)
		return &problem{status: 421}
	}
	// SSLVHostSNIPolicy allowed it, but what the host asks of clients still counts.
	if s != nil && hs.tls != nil && c.srv != hs && !s.Asked(hs.tls) {
		c.p.log.Error("access failed: the client was not asked for the certificate of this virtual host", "sni", cs.ServerName, "host", q.Host)
		return &problem{status: 403}
	}
	return nil
}

// tlsAccess carries out SSLRequireSSL and SSLVerifyClient of sections, the latter
// for TLS connections only (ssl_hook_Access).
func (c *call) tlsAccess() *problem {
	t := c.conf.tls
	switch {
	case t == nil:
	case t.RequireTLS && c.x.Req.TLS == nil:
		c.p.log.Error("access failed: TLS connection required", "path", c.path)
		return &problem{status: 403}
	case t.RequireCert && c.x.Req.TLS != nil && len(c.x.Req.TLS.PeerCertificates) == 0:
		c.p.log.Error("access failed: client certificate required", "path", c.path)
		return &problem{status: 403}
	}
	return nil
}

// tlsEnv sets the variables of a TLS request (ssl_hook_Fixup).
func (c *call) tlsEnv() {
	if cs := c.x.Req.TLS; cs != nil {
		c.srv.tls.Environment(cs, c.conf.tls, c.x.Setenv)
	}
}

// ajpTLS fills what AJP tells about the client's connection (ajp_header.c).
func (c *call) ajpTLS(r *ajp.Request) {
	q := c.x.Req
	if q.TLS == nil || q.TLSVar == nil {
		return
	}
	get := func(name string) string {
		v, _ := q.TLSVar(name)
		return v
	}
	size, _ := strconv.Atoi(get("SSL_CIPHER_USEKEYSIZE"))
	r.SSL = ajp.SSL{Protocol: get("SSL_PROTOCOL"), Cert: get("SSL_CLIENT_CERT"), Cipher: get("SSL_CIPHER"), KeySize: size}
}

// PlainPage is the answer to plain HTTP on a connection that should be TLS.
func PlainPage() (contentType string, body []byte) {
	p := &problem{status: 400, note: "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n" +
		" Instead use the HTTPS scheme to access this URL, please.<br />\n"}
	return pageType, []byte(p.page("", "", "", 0))
}

// tlsVar is %{NAME}s of a header rule.
func tlsVar(x *exchange.Exchange, name string) (string, bool) {
	if x.Req.TLSVar == nil {
		return "", false
	}
	return x.Req.TLSVar(name)
}

// tlsLogVar is %{NAME}x of a log, and the older %{version}c and the like
// (ssl_var_log_handler_c and _x).
func tlsLogVar(x *exchange.Exchange, kind byte, name string) string {
	if kind == 'c' {
		name = map[string]string{"version": "SSL_PROTOCOL", "cipher": "SSL_CIPHER", "subjectdn": "SSL_CLIENT_S_DN", "issuerdn": "SSL_CLIENT_I_DN", "errcode": "SSL_CLIENT_VERIFY"}[name]
	}
	v, _ := tlsVar(x, name)
	return v
}
