package nginx

import (
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// tlsServer is what mod_ssl says towards clients (ngx_http_ssl_module). closed is
// the reason why nobody may get in: what checks clients cannot be carried over.
func (c *conf) tlsServer(s *plan.Site) (out []*dir, closed string) {
	t, l := s.TLS, c.l
	cert, key := c.file(t.CertFile.V), c.file(t.KeyFile.Or(t.CertFile.V))
	if cert == "" {
		l.Person("there is no certificate: nginx refuses the handshake until ssl_certificate and ssl_certificate_key stand there", "ssl_certificate", t.Engine)
		return []*dir{d("ssl_reject_handshake", "on")}, ""
	}
	l.Exact(t.Engine, t.CertFile, t.KeyFile)
	out = append(out, d("ssl_certificate", c.lit(cert)).from(t.CertFile.Place()), d("ssl_certificate_key", c.lit(key)).from(t.KeyFile.Place()))
	l.Person("nginx has one file for both: append the chain to "+comment(cert), "ssl_certificate", t.ChainFile)
	protocols := c.commonProtocols(s, c.protocols(t.Protocol, "ssl_protocols"))
	if len(protocols) == 0 {
		l.Closed("none of these protocols is known to nginx: it refuses the handshake", "ssl_protocols", t.Protocol)
		return append(out, d("ssl_reject_handshake", "on")), ""
	}
	out = append(out, d("ssl_protocols", protocols...).from(t.Protocol.Place()))
	out = append(out, c.ciphers(t.CipherSuite)...)
	if t.CipherOrder.V {
		out = append(out, d("ssl_prefer_server_ciphers", "on").from(t.CipherOrder.Place()))
	}
	l.Exact(t.CipherOrder)
	if t.Stapling.V {
		out = append(out, d("ssl_stapling", "on").from(t.Stapling.Place()))
	}
	l.Approx("nginx needs a resolver to reach the authority: add the directive resolver", "ssl_stapling", t.Stapling)
	if c.mixed(s) {
		tickets := d("ssl_session_tickets", "off")
		tickets.note = "A session of one server must not be taken up on another, which asks for other certificates."
		out = append(out, tickets)
	}
	more, closed := c.clientCertificates(s)
	return append(out, more...), closed
}

// clientCertificates is SSLVerifyClient and what belongs to it.
func (c *conf) clientCertificates(s *plan.Site) (out []*dir, closed string) {
	t, l := s.TLS, c.l
	l.Drop("nginx has no environment for programs; what members need goes into headers", "proxy_set_header with $ssl_client_s_dn, $ssl_client_verify and the like", t.Options)
	if t.Options.IsSet() && strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(t.Options.V), "+"), "StrictRequire") {
		l.Exact(t.Options)
	}
	mode := strings.ToLower(t.VerifyClient.V)
	if mode == "" || mode == "none" {
		l.Exact(t.VerifyClient, t.VerifyDepth, t.CAFile, t.CAPath, t.CARevocation)
		return nil, ""
	}
	if t.CAFile.V == "" && mode != "optional_no_ca" {
		closed = "nginx needs the authorities in one file, ssl_client_certificate: everybody is refused until it stands there"
		l.Closed(closed, "ssl_client_certificate", t.VerifyClient, t.CAPath)
		return nil, closed
	}
	if list := s.Unchecked(); list != nil {
		closed = "revoked certificates would be taken: everybody is refused until the lists stand in one file, ssl_crl"
		l.Closed(closed, "ssl_crl, ssl_ocsp", list)
		return nil, closed
	}
	word := map[string]string{"require": "on", "optional": "optional", "optional_no_ca": "optional_no_ca"}[mode]
	if word == "" {
		word = "on"
	}
	l.Exact(t.VerifyClient, t.VerifyDepth, t.CAFile)
	out = append(out, d("ssl_verify_client", word).from(t.VerifyClient.Place()))
	if t.CAFile.V != "" {
		out = append(out, d("ssl_client_certificate", c.lit(c.file(t.CAFile.V))).from(t.CAFile.Place()))
	}
	l.Approx("only the authorities of SSLCACertificateFile are taken: fewer clients get in", "ssl_client_certificate", t.CAPath)
	out = append(out, depth("ssl_verify_depth", t.VerifyDepth)...)
	if t.CARevocation.V != "" {
		out = append(out, d("ssl_crl", c.lit(c.file(t.CARevocation.V))).from(t.CARevocation.Place()))
		l.Approx("nginx checks the whole chain against it", "ssl_crl", t.CARevocation)
		for _, x := range s.Server.Settings.Extras {
			if strings.EqualFold(x.Name.V, "SSLCARevocationCheck") {
				l.Approx("nginx checks the whole chain against it", "ssl_crl", x)
			}
		}
	}
	return out, ""
}

// depth writes how long a chain may be: httpd counts the authority at its end
// (ssl_callback_SSLVerify of ssl_engine_kernel.c), OpenSSL, and so nginx, does not.
// Without a word both say 1.
func depth(name string, v model.Int) []*dir {
	return []*dir{d(name, itoa(max(0, v.Or(1)-1))).from(v.Place())}
}

// mixed reports whether the site shares a socket with one that asks clients for
// other certificates. nginx before 1.27.4 takes a session up without a look at them.
func (c *conf) mixed(s *plan.Site) bool {
	asks := func(s *plan.Site) string {
		if s.TLS == nil || s.TLS.VerifyClient.V == "" || strings.EqualFold(s.TLS.VerifyClient.V, "none") {
			return ""
		}
		return strings.ToLower(s.TLS.VerifyClient.V) + "\n" + s.TLS.CAFile.V + "\n" + s.TLS.CARevocation.V
	}
	return slices.ContainsFunc(c.plan.Listeners, func(l *plan.Listener) bool {
		return l.TLS && slices.Contains(l.Sites, s) && slices.ContainsFunc(l.Sites, func(o *plan.Site) bool { return asks(o) != asks(s) })
	})
}

var allProtocols = []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}

// protocols reads SSLProtocol: words with + and -, all, and bare ones that replace
// what came before (ssl_cmd_protocol_parse in ssl_engine_config.c). Unset, only
// those that OpenSSL still takes at its usual level of security are written.
func (c *conf) protocols(v model.String, means string) []string {
	if strings.TrimSpace(v.V) == "" {
		return []string{"TLSv1.2", "TLSv1.3"}
	}
	on := map[string]bool{}
	old := false
	for w := range strings.FieldsSeq(v.V) {
		name := strings.TrimLeft(w, "+-")
		set := []string{}
		if strings.EqualFold(name, "all") {
			set = allProtocols
		}
		for _, p := range allProtocols {
			if strings.EqualFold(p, name) {
				set = []string{p}
			}
		}
		if !strings.ContainsAny(w[:1], "+-") {
			on = map[string]bool{}
		}
		for _, p := range set {
			on[p] = w[0] != '-'
		}
		if w[0] != '-' && strings.HasPrefix(strings.ToLower(name), "sslv") {
			old = true
		}
	}
	c.l.Exact(v)
	if old {
		c.l.Approx("SSLv2 and SSLv3 are left out", means, v)
	}
	var out []string
	for _, p := range allProtocols {
		if on[p] {
			out = append(out, p)
		}
	}
	return out
}

// commonProtocols leaves the protocols that every site on the sockets of this one
// allows: nginx settles them before it knows which site is asked for.
func (c *conf) commonProtocols(s *plan.Site, own []string) []string {
	out := slices.Clone(own)
	for _, l := range c.plan.Listeners {
		if !l.TLS || !slices.Contains(l.Sites, s) {
			continue
		}
		for _, o := range l.Sites {
			if o != s && o.TLS != nil {
				others := c.protocols(o.TLS.Protocol, "ssl_protocols")
				out = slices.DeleteFunc(out, func(p string) bool { return !slices.Contains(others, p) })
			}
		}
	}
	if len(out) < len(own) {
		c.l.Approx("nginx has one list for all virtual hosts of a socket: what they all allow", "ssl_protocols", s.TLS.Protocol)
	}
	return out
}

// ciphers writes SSLCipherSuite. httpd adds to the list that there are no ciphers
// without a key or a name (ssl_cmd_SSLCipherSuite).
func (c *conf) ciphers(v model.String) []*dir {
	list := strings.Fields(v.V)
	if len(list) == 0 {
		return nil
	}
	last := list[len(list)-1]
	switch {
	case strings.HasPrefix(last, "PROFILE="):
		c.l.Approx("nginx takes the system's own ciphers", "ssl_ciphers", v)
		return nil
	case len(list) == 2 && strings.EqualFold(list[0], "TLSv1.3"):
		c.l.Exact(v)
		return []*dir{d("ssl_conf_command", "Ciphersuites", last).from(v.Place())}
	case len(list) == 2 && !strings.EqualFold(list[0], "SSL"):
		c.l.Drop("its first word is not known", "ssl_ciphers", v)
		return nil
	}
	c.l.Exact(v)
	for _, no := range []string{"aNULL", "eNULL"} {
		if !slices.Contains(strings.FieldsFunc(last, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }), "!"+no) {
			last += ":!" + no
		}
	}
	return []*dir{d("ssl_ciphers", last).from(v.Place())}
}

// backendTLS settles whether members may be asked over TLS; it returns why not.
func (c *conf) backendTLS(u *upstream) string {
	if u.scheme != "https" {
		return ""
	}
	t := u.pool.TLS
	if t == nil {
		t = &model.TLS{}
	}
	l := c.l
	if !t.ProxyEngine.V && !c.engineInSection() {
		return "its members speak TLS, but SSLProxyEngine is not on: the requests are answered with 503, as httpd refuses them"
	}
	l.Exact(t.ProxyEngine)
	if len(u.pool.Revoked) > 0 {
		why := "revoked certificates of members would be taken: the requests are answered with 503 until the lists stand in one file, proxy_ssl_crl"
		l.Closed(why, "proxy_ssl_crl", u.pool.Revoked)
		return why
	}
	if verifies(t) && t.ProxyCAFile.V == "" {
		why := "nginx needs the authorities in one file, proxy_ssl_trusted_certificate: the requests are answered with 503 until it stands there"
		l.Closed(why, "proxy_ssl_trusted_certificate", t.ProxyVerify, t.ProxyCAPath)
		return why
	}
	return ""
}

// engineInSection reports whether SSLProxyEngine is on in some section; the model
// keeps that as it stands.
func (c *conf) engineInSection() bool {
	for _, o := range c.plan.Outcomes() {
		for _, x := range o.Settings.Extras {
			if strings.EqualFold(x.Name.V, "SSLProxyEngine") && strings.EqualFold(x.Arg(0), "on") {
				c.l.Exact(x)
				return true
			}
		}
	}
	return false
}

func verifies(t *model.TLS) bool {
	v := strings.ToLower(t.ProxyVerify.V)
	return v != "" && v != "none"
}

// tlsMembers is what mod_ssl says towards members (ngx_http_proxy_module, proxy_ssl_*).
func (c *conf) tlsMembers(u *upstream) []*dir {
	if u.scheme != "https" {
		return nil
	}
	t, l := u.pool.TLS, c.l
	if t == nil {
		t = &model.TLS{}
	}
	host := u.members[0].Host
	out := []*dir{d("proxy_ssl_server_name", "on"), d("proxy_ssl_name", c.lit(host))}
	same := !slices.ContainsFunc(u.members, func(m *plan.Member) bool { return m.Host != host })
	l.Exact(t.ProxyVerify, t.ProxyDepth, t.ProxyCAFile, t.ProxyPeerName, t.ProxyPeerCN, t.ProxyPeerExpire, t.ProxyCert)
	if verifies(t) {
		out = append(out, d("proxy_ssl_verify", "on").from(t.ProxyVerify.Place()),
			d("proxy_ssl_trusted_certificate", c.lit(c.file(t.ProxyCAFile.V))).from(t.ProxyCAFile.Place()))
		out = append(out, depth("proxy_ssl_verify_depth", t.ProxyDepth)...)
		l.Approx("only the authorities of SSLProxyCACertificateFile are taken: fewer members are trusted", "proxy_ssl_trusted_certificate", t.ProxyCAPath)
		if !same {
			l.Person("nginx checks one name, "+comment(host)+", for all members: their certificates must have it, or they are refused", "proxy_ssl_name", t.ProxyVerify)
		}
		l.Approx("nginx always checks the name and the dates of a certificate that it verifies", "proxy_ssl_verify", off(t.ProxyPeerName), off(t.ProxyPeerCN), off(t.ProxyPeerExpire))
	} else {
		l.Approx("nginx looks at the name and the dates only of certificates that it verifies; without that anybody can make one with the right name for httpd, too",
			"proxy_ssl_verify", t.ProxyPeerName, t.ProxyPeerCN, t.ProxyPeerExpire)
	}
	if p := c.protocols(t.ProxyProtocol, "proxy_ssl_protocols"); t.ProxyProtocol.IsSet() && len(p) > 0 {
		out = append(out, d("proxy_ssl_protocols", p...).from(t.ProxyProtocol.Place()))
	}
	for _, x := range c.ciphers(t.ProxyCiphers) {
		if x.name == "ssl_ciphers" {
			x.name = "proxy_ssl_ciphers"
		} else {
			x.name = "proxy_ssl_conf_command"
		}
		out = append(out, x)
	}
	if t.ProxyCert.V != "" {
		f := c.lit(c.file(t.ProxyCert.V))
		out = append(out, d("proxy_ssl_certificate", f).from(t.ProxyCert.Place()), d("proxy_ssl_certificate_key", f).from(t.ProxyCert.Place()))
	}
	return out
}

// off returns the value when it was written as Off, an unset one otherwise.
func off(v model.Bool) model.Bool {
	if v.V {
		return model.Bool{}
	}
	return v
}
