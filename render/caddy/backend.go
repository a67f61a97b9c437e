package caddy

import "strings"

// backendTLS settles TLS towards members; it returns why they cannot be used. What
// Caddy would trust more than httpd is refused (ssl_engine_io.c,
// caddyserver.com/docs/caddyfile/directives/reverse_proxy#the-http-transport).
func (g *proxyGen) backendTLS() (why string) {
	t := g.pool.TLS
	if t == nil || !t.ProxyEngine.V {
		return "SSLProxyEngine is not on, as httpd refuses them"
	}
	g.l.Exact(t.ProxyEngine, t.ProxyVerify)
	if len(g.pool.Revoked) > 0 {
		g.l.Closed("Caddy has no lists of revoked certificates: requests for these members are refused", "certificates of short life", g.pool.Revoked)
		return "revoked certificates would be taken"
	}
	if t.ProxyProtocol.IsSet() {
		g.l.Approx("Caddy speaks TLS 1.2 and 1.3 to members", "", t.ProxyProtocol)
	}
	if t.ProxyCiphers.IsSet() {
		g.l.Approx("Caddy offers its own list: suites with ECDHE and AEAD first", "", t.ProxyCiphers)
	}
	if t.ProxyPeerExpire.IsSet() && t.ProxyPeerExpire.V {
		g.l.Exact(t.ProxyPeerExpire)
	}
	if !g.verifies() {
		g.l.Approx("members' certificates are not verified, as in httpd, which still compares their names and dates", "tls_trusted_ca_certs", t.ProxyVerify)
		g.l.Exact(t.ProxyCAFile, t.ProxyCAPath, t.ProxyDepth, t.ProxyPeerName, t.ProxyPeerCN, t.ProxyPeerExpire)
		if !t.ProxyVerify.IsWritten() {
			g.l.Approx("members' certificates are not verified, as in httpd without SSLProxyVerify; httpd still compares their names and dates", "tls_trusted_ca_certs", t.ProxyEngine)
		}
		return ""
	}
	if _, ok := quote(g.file2(t.ProxyCAFile.V)); !t.ProxyCAFile.IsSet() || !ok || strings.Contains(t.ProxyCAFile.V, "{") {
		g.l.Closed("Caddy needs the certificates of the authorities in a file: requests for these members are refused", "tls_trusted_ca_certs FILE", t.ProxyVerify, t.ProxyCAPath)
		return "there is no SSLProxyCACertificateFile"
	}
	g.l.Exact(t.ProxyCAFile)
	if t.ProxyCAPath.IsSet() {
		g.l.Approx("authorities in a directory are not read: members with their certificates are refused", "tls_trusted_ca_certs FILE", t.ProxyCAPath)
	}
	if t.ProxyPeerName.IsSet() && !t.ProxyPeerName.V || t.ProxyPeerCN.IsSet() && !t.ProxyPeerCN.V {
		g.l.Approx("Caddy compares the names in certificates always", "tls_server_name", t.ProxyPeerName, t.ProxyPeerCN)
	} else {
		g.l.Exact(t.ProxyPeerName, t.ProxyPeerCN)
	}
	if t.ProxyPeerExpire.IsSet() && !t.ProxyPeerExpire.V {
		g.l.Approx("Caddy refuses certificates that have expired", "", t.ProxyPeerExpire)
	}
	g.l.Weaker("Caddy sets no bound to the length of a chain, httpd does (SSLProxyVerifyDepth, 1 by default)", "tls_trusted_ca_certs with the last authority of the chain only", t.ProxyVerify, t.ProxyDepth)
	if strings.HasPrefix(strings.ToLower(t.ProxyVerify.V), "optional") {
		g.l.Approx("members need a valid certificate", "", t.ProxyVerify)
	}
	return ""
}

func (g *proxyGen) verifies() bool {
	v := strings.ToLower(g.pool.TLS.ProxyVerify.V)
	return v == "require" || v == "optional"
}

// tlsLines writes the TLS settings of the transport.
func (g *proxyGen) tlsLines(in *block) {
	if s := g.scheme(); s != "https" && s != "h2" {
		return
	}
	t := g.pool.TLS
	if g.verifies() {
		file, _ := quote(g.file2(t.ProxyCAFile.V))
		in.add("tls_trusted_ca_certs " + file)
		in.from(t.ProxyCAFile.Place())
	} else {
		in.add("tls_insecure_skip_verify")
	}
	if t.ProxyCert.IsSet() {
		file, ok := quote(g.file2(t.ProxyCert.V))
		if ok && !strings.Contains(file, "{") {
			in.add("tls_client_auth", file, file)
			in.from(t.ProxyCert.Place())
			g.l.Exact(t.ProxyCert)
		}
	}
}
