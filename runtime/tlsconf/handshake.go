package tlsconf

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"strings"

	"clowder/parse/model"
)

// handshake makes the settings of a server that speaks TLS.
func (b *builder) handshake(s *Server, t *model.TLS, v, eff *model.Server, certs, keys []file) {
	at := t.Engine.Place()
	if at.File == nil {
		at = v.At
	}
	if len(certs) == 0 {
		b.fail(at, "TLS is on and there is no SSLCertificateFile (httpd does not start either: AH02572)")
		return
	}
	pairs := b.certificates(certs, keys, t.ChainFile)
	if len(pairs) == 0 {
		return // reported
	}
	s.leaf = pairs[0].Leaf
	c := &tls.Config{Certificates: pairs, SessionTicketsDisabled: false}
	if len(pairs) > 1 {
		c.GetCertificate = byClient(pairs)
	}
	if d := b.lookup("SSLSessionTickets", v); d != nil && strings.EqualFold(d.Arg(0), "off") {
		c.SessionTicketsDisabled = true
	}
	b.versions(c, t.Protocol, t.CipherSuite, eff, "SSLProtocol")
	if t.CipherOrder.V && t.CipherSuite.V != "" {
		b.note(t.CipherOrder.Place(), "SSLHonorCipherOrder: the order of the ciphers is that of crypto/tls, which is the server's, too")
	}
	if t.Stapling.V {
		b.note(t.Stapling.Place(), "SSLUseStapling: answers of OCSP are not stapled; clients ask the authority themselves")
	}
	b.curves(c, v)
	b.clients(s, c, t, v)
	if c.MinVersion == 0 {
		return // reported
	}
	c.NextProtos = s.protos
	s.config = c
}

// byClient chooses a certificate by what the client can check, whatever name it
// asked for: the name chose the virtual host already. Elliptic curves come first.
func byClient(pairs []tls.Certificate) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	var order []*tls.Certificate
	for _, first := range []bool{true, false} {
		for i := range pairs {
			if modern(pairs[i].Leaf) == first {
				order = append(order, &pairs[i])
			}
		}
	}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		h := *hello
		h.ServerName = ""
		for _, p := range order {
			if h.SupportsCertificate(p) == nil {
				return p, nil
			}
		}
		return &pairs[0], nil
	}
}

func modern(c *x509.Certificate) bool {
	if c == nil {
		return false
	}
	switch c.PublicKey.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// versions sets protocols and ciphers.
func (b *builder) versions(c *tls.Config, proto, cipher model.String, eff *model.Server, name string) {
	lo, hi, gap := protocolRange(proto.V)
	if lo == 0 {
		b.fail(proto.Place(), "%s %s: nothing is left that crypto/tls can speak", name, proto.V)
		return
	}
	if gap {
		b.note(proto.Place(), "%s %s: versions below a gap are not offered", name, proto.V)
	}
	if strings.Contains(strings.ToLower(proto.V), "+sslv3") {
		b.note(proto.Place(), "%s: SSLv3 is not offered", name)
	}
	ids, _ := cipherSuites(cipher.V)
	if ids != nil {
		if len(ids) == 0 && hi < tls.VersionTLS13 {
			b.fail(cipher.Place(), "SSLCipherSuite %s: crypto/tls has none of these ciphers", cipher.V)
			return
		}
		if len(ids) == 0 && lo < tls.VersionTLS13 {
			b.note(cipher.Place(), "SSLCipherSuite %s: crypto/tls has none of these ciphers, only TLS 1.3 is offered", cipher.V)
			lo = tls.VersionTLS13
		}
		c.CipherSuites = ids
	}
	c.MinVersion, c.MaxVersion = lo, hi
}

// clients sets what is asked of the client. crypto/tls asks, the verifier decides:
// chains end only at self-signed authorities and are as long as SSLVerifyDepth
// allows, also when a session is resumed.
func (b *builder) clients(s *Server, c *tls.Config, t *model.TLS, v *model.Server) {
	if s.Verify == VerifyNone {
		return
	}
	ca := b.authorities(t.CAFile, t.CAPath)
	if len(ca.all) == 0 {
		b.note(t.VerifyClient.Place(), "SSLVerifyClient %s: no authority is known, so no certificate of a client is valid", t.VerifyClient.V)
	}
	check := &verifier{mode: s.Verify, depth: s.Depth, ca: ca, usage: x509.ExtKeyUsageClientAuth,
		crl: b.revocations("SSL", v, t.CARevocation, ca)}
	c.ClientAuth = tls.RequestClientCert
	if s.Verify == VerifyRequire {
		c.ClientAuth = tls.RequireAnyClientCert
	}
	c.ClientCAs = ca.names
	if d := b.lookup("SSLCADNRequestFile", v); d != nil {
		at := d.At
		names := b.authorities(model.Is(d.Arg(0), at), model.String{})
		c.ClientCAs = names.names
	}
	c.VerifyConnection = func(cs tls.ConnectionState) error { return check.check(cs.PeerCertificates) }
}

// curves reads the groups of SSLOpenSSLConfCmd; other commands are judged by Check.
func (b *builder) curves(c *tls.Config, v *model.Server) {
	for _, s := range []*model.Server{b.main, v} {
		for _, d := range extras("SSLOpenSSLConfCmd", s) {
			if !strings.EqualFold(d.Arg(0), "Curves") && !strings.EqualFold(d.Arg(0), "Groups") && !strings.EqualFold(d.Arg(0), "ECDHParameters") {
				continue
			}
			var list []tls.CurveID
			for n := range strings.FieldsFuncSeq(d.Arg(1), func(r rune) bool { return r == ':' }) {
				if id, ok := groups[strings.ToLower(strings.TrimPrefix(n, "?"))]; ok {
					list = append(list, id)
				}
			}
			if len(list) == 0 && !strings.EqualFold(d.Arg(1), "auto") && !strings.EqualFold(d.Arg(1), "automatic") {
				b.fail(where(d), "SSLOpenSSLConfCmd %s %s: crypto/tls has none of these groups", d.Arg(0), d.Arg(1))
			}
			c.CurvePreferences = list
		}
	}
}

var groups = map[string]tls.CurveID{
	"x25519": tls.X25519, "prime256v1": tls.CurveP256, "p-256": tls.CurveP256, "secp256r1": tls.CurveP256,
	"secp384r1": tls.CurveP384, "p-384": tls.CurveP384, "secp521r1": tls.CurveP521, "p-521": tls.CurveP521,
	"x25519mlkem768": tls.X25519MLKEM768,
}
