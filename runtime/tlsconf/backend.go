package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"clowder/parse/model"
)

// Backend is what SSLProxy* asks of members behind https:// and wss://.
type Backend struct {
	Engine bool // SSLProxyEngine: without it such a member is answered with 500

	base  *tls.Config
	check *verifier
	// The checks of the certificate itself, which httpd makes without
	// SSLProxyVerify as well (ssl_io_filter_handshake).
	expire, name, cn bool
}

// Errors of a backend's certificate.
var (
	ErrExpired = errors.New("certificate of the backend is expired or not yet valid")
	ErrName    = errors.New("certificate of the backend is for another name")
)

// Config returns the settings for a connection to the host that the member's URL
// names, or the client with ProxyPreserveHost On. alpn are protocols of which the
// backend must choose one. "" as host sends no name and checks none.
func (p *Backend) Config(host string, alpn ...string) *tls.Config {
	host = strings.Trim(strings.ToLower(host), "[]")
	c := p.base.Clone()
	c.NextProtos = alpn
	c.ServerName = host // crypto/tls sends no addresses as SNI
	c.VerifyConnection = func(cs tls.ConnectionState) error { return p.verify(cs, host, alpn) }
	return c
}

func (p *Backend) verify(cs tls.ConnectionState, host string, alpn []string) error {
	if err := p.check.check(cs.PeerCertificates); err != nil {
		return err
	}
	if len(cs.PeerCertificates) == 0 {
		return ErrNoPeerCert
	}
	leaf := cs.PeerCertificates[0]
	if now := time.Now(); p.expire && (!now.After(leaf.NotBefore) || !now.Before(leaf.NotAfter)) {
		return ErrExpired
	}
	switch {
	case host == "":
	case p.name && !matchName(leaf, host), p.cn && !p.name && !matchCN(leaf.Subject.CommonName, host):
		return fmt.Errorf("%w than %s", ErrName, host)
	}
	if len(alpn) > 0 && cs.NegotiatedProtocol == "" {
		return fmt.Errorf("the backend speaks none of %s", strings.Join(alpn, ", "))
	}
	return nil
}

// matchName compares with the names of the certificate, those of DNS and the
// common name, with a wildcard as first label (modssl_X509_match_name with
// getIDs of ssl_util_ssl.c: names of type DNS, then every CN).
func matchName(c *x509.Certificate, host string) bool {
	names := append([]string(nil), c.DNSNames...)
	for _, n := range c.Subject.Names {
		if s, ok := n.Value.(string); ok && n.Type.String() == "2.5.4.3" {
			names = append(names, s)
		}
	}
	for _, n := range names {
		if matchCN(n, host) {
			return true
		}
	}
	return false
}

func matchCN(name, host string) bool {
	if strings.EqualFold(name, host) {
		return true
	}
	rest, ok := strings.CutPrefix(name, "*.")
	if !ok || rest == "" {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	i := strings.IndexByte(host, '.')
	return i > 0 && strings.EqualFold(host[i+1:], rest)
}

// backend compiles SSLProxy* of a server.
func (b *builder) backend(t *model.TLS, v *model.Server) *Backend {
	on := func(f model.Bool) bool { return !f.IsSet() || f.V }
	p := &Backend{Engine: t.ProxyEngine.V, expire: on(t.ProxyPeerExpire)}
	if !p.Engine {
		return p
	}
	// CheckPeerName counts unless it is off, or unset beside a CheckPeerCN off.
	p.name = t.ProxyPeerName.V || !t.ProxyPeerName.IsSet() && on(t.ProxyPeerCN)
	p.cn = t.ProxyPeerCN.IsSet() && t.ProxyPeerCN.V
	mode, depth := verifyOf(t.ProxyVerify.V), 1
	if t.ProxyDepth.IsSet() {
		depth = t.ProxyDepth.V
	}
	p.check = &verifier{mode: mode, depth: depth, usage: x509.ExtKeyUsageServerAuth, ca: newAuthorities()}
	if mode != VerifyNone {
		p.check.ca = b.authorities(t.ProxyCAFile, t.ProxyCAPath)
		p.check.crl = b.revocations("SSLProxy", v, model.String{}, p.check.ca)
		if len(p.check.ca.all) == 0 && mode != VerifyOptionalNoCA {
			b.note(t.ProxyVerify.Place(), "SSLProxyVerify %s: no authority is known, so no backend is trusted", t.ProxyVerify.V)
		}
	}
	// The chain is verified by check: by OpenSSL's rules, not by the system's authorities.
	c := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(16)}
	b.versions(c, t.ProxyProtocol, t.ProxyCiphers, nil, "SSLProxyProtocol")
	if c.MinVersion == 0 {
		return p // reported
	}
	if f := t.ProxyCert; f.V != "" {
		b.machine(c, f)
	}
	p.base = c
	return p
}

// machine reads certificates and keys, each pair one after the other
// (SSLProxyMachineCertificateFile). The backend's list of authorities chooses.
func (b *builder) machine(c *tls.Config, f model.String) {
	data, err := b.read(f.V)
	if err != nil {
		b.fail(f.Place(), "SSLProxyMachineCertificateFile cannot be read: %w", err)
		return
	}
	var certs []tls.Certificate
	keys := pemText(data, func(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") })
	if encrypted(data) {
		b.fail(f.Place(), "SSLProxyMachineCertificateFile %s: keys with a pass phrase are not supported", f.V)
		return
	}
	for _, cert := range pemText(data, func(kind string) bool { return kind == "CERTIFICATE" }) {
		for _, key := range keys {
			if pair, err := tls.X509KeyPair(cert, key); err == nil {
				certs = append(certs, pair)
			}
		}
	}
	if len(certs) == 0 {
		b.fail(f.Place(), "SSLProxyMachineCertificateFile %s holds no certificate with its key", f.V)
		return
	}
	c.GetClientCertificate = func(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		for i := range certs {
			if info.SupportsCertificate(&certs[i]) == nil {
				return &certs[i], nil
			}
		}
		return &tls.Certificate{}, nil
	}
}

func pemText(data []byte, want func(string) bool) [][]byte {
	var out [][]byte
	for {
		var p *pem.Block
		if p, data = pem.Decode(data); p == nil {
			return out
		}
		if want(p.Type) {
			out = append(out, pem.EncodeToMemory(p))
		}
	}
}
