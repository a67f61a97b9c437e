package caddy

import (
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// tls writes the TLS settings of an address and reports whether it must be closed
// (caddyserver.com/docs/caddyfile/directives/tls; caddytls/connpolicy.go).
func (g *gen) tls(in *block, a *address) (closed bool) {
	if a.tls == nil {
		return false
	}
	t := a.tls.TLS
	if t == nil {
		return true
	}
	g.l.Exact(t.Engine)
	cert, key := t.CertFile, t.KeyFile
	if !cert.IsSet() {
		g.l.Person("there is no SSLCertificateFile: give the site a certificate", "tls CERT KEY", t.Engine)
		return true
	}
	if !key.IsSet() {
		key = cert // both in one file
	}
	c, ok1 := quote(g.file2(cert.V))
	k, ok2 := quote(g.file2(key.V))
	if !ok1 || !ok2 || strings.ContainsAny(cert.V+key.V, "{") {
		g.l.Closed("the names of the files cannot be written in a Caddyfile: the site is closed", "", cert)
		return true
	}
	g.l.Exact(cert, t.KeyFile)
	if t.ChainFile.IsWritten() {
		g.l.Person("append the chain to the file of the certificate: Caddy takes both from one file", "tls CERT KEY", t.ChainFile)
	}
	inner := g.block()
	g.protocols(inner, t)
	g.ciphers(inner, t)
	closed = g.clientCertificates(inner, a.tls)
	if inner.empty() {
		in.add("tls", c, k)
	} else {
		in.nest(inner, "tls", c, k)
	}
	g.l.Exact(t.Stapling, t.CipherOrder)
	return closed
}

// file2 makes a path absolute that is relative to ServerRoot.
func (g *gen) file2(name string) string {
	if strings.HasPrefix(name, "/") || isWindows(name) || g.plan.Front.ServerRoot.V == "" {
		return name
	}
	return strings.TrimSuffix(strings.ReplaceAll(g.plan.Front.ServerRoot.V, `\`, "/"), "/") + "/" + name
}

// protocols writes SSLProtocol. Caddy has TLS 1.2 and 1.3.
func (g *gen) protocols(in *block, t *model.TLS) {
	if !t.Protocol.IsSet() {
		return
	}
	v12, v13, older := sslProtocols(t.Protocol.V)
	switch {
	case v12 && v13 && !older:
		g.l.Exact(t.Protocol)
		return
	case v12 && v13:
		g.l.Approx("Caddy speaks TLS 1.2 and 1.3 only", "", t.Protocol)
		return
	case v13:
		in.add("protocols tls1.3")
	case v12:
		in.add("protocols tls1.2 tls1.2")
	default:
		g.l.Person("Caddy speaks TLS 1.2 and 1.3 only, and none of them is allowed here: it uses both", "protocols tls1.2", t.Protocol)
		return
	}
	in.from(t.Protocol.Span)
	if older {
		g.l.Approx("Caddy speaks TLS 1.2 and 1.3 only", "", t.Protocol)
	} else {
		g.l.Exact(t.Protocol)
	}
}

// sslProtocols evaluates SSLProtocol: words with + and -, a bare one starts anew
// (ssl_engine_config.c, ssl_cmd_protocol_parse).
func sslProtocols(words string) (v12, v13, older bool) {
	versions := map[string]bool{}
	old := []string{"sslv2", "sslv3", "tlsv1", "tlsv1.1"}
	for w := range strings.FieldsSeq(words) {
		on := true
		if w[0] == '+' || w[0] == '-' {
			on, w = w[0] == '+', w[1:]
		} else {
			clear(versions)
		}
		names := []string{strings.ToLower(w)}
		if names[0] == "all" {
			names = append([]string{"tlsv1.2", "tlsv1.3"}, old[2:]...)
		}
		for _, n := range names {
			versions[n] = on
		}
	}
	older = slices.ContainsFunc(old, func(v string) bool { return versions[v] })
	return versions["tlsv1.2"], versions["tlsv1.3"], older
}

// suites are OpenSSL's names of those cipher suites of TLS 1.2 that Caddy has
// (openssl ciphers -stdname; caddytls/values.go).
var suites = map[string]string{
	"ECDHE-ECDSA-AES256-GCM-SHA384": "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	"ECDHE-RSA-AES256-GCM-SHA384":   "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
	"ECDHE-ECDSA-AES128-GCM-SHA256": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	"ECDHE-RSA-AES128-GCM-SHA256":   "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
	"ECDHE-ECDSA-CHACHA20-POLY1305": "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	"ECDHE-RSA-CHACHA20-POLY1305":   "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}

// ciphers writes SSLCipherSuite when it is a list of suites; keywords of OpenSSL
// have no counterpart.
func (g *gen) ciphers(in *block, t *model.TLS) {
	if !t.CipherSuite.IsSet() {
		return
	}
	words := strings.FieldsFunc(t.CipherSuite.V, func(r rune) bool { return r == ':' || r == ',' || r == ' ' })
	var out []string
	keywords, unknown, cuts := false, false, false
	for _, w := range words {
		upper := strings.ToUpper(w)
		switch {
		case suites[upper] != "":
			out = append(out, suites[upper])
		case strings.HasPrefix(w, "!") || strings.HasPrefix(w, "-"):
			cuts = cuts || slices.Contains([]string{"AES", "AES128", "AES256", "AESGCM", "CHACHA20", "ECDHE", "EECDH", "KECDHE", "KEECDH", "ARSA", "RSA", "ECDSA", "AECDSA", "SHA256", "SHA384"}, upper[1:])
		case strings.Count(w, "-") >= 2:
			unknown = true
		default:
			keywords = true
		}
	}
	switch {
	case keywords && cuts:
		g.l.Weaker("Caddy offers its own list, suites with ECDHE and AEAD, and one of those may be excluded here", "tls { ciphers … }", t.CipherSuite)
	case keywords || len(out) == 0:
		g.l.Approx("Caddy offers its own list: suites with ECDHE and AEAD", "tls { ciphers … }", t.CipherSuite)
	default:
		in.add("ciphers", strings.Join(out, " "))
		in.from(t.CipherSuite.Span)
		if unknown {
			g.l.Approx("the suites that Caddy does not have were left out", "", t.CipherSuite)
		} else {
			g.l.Exact(t.CipherSuite)
		}
	}
}

// clientCertificates writes SSLVerifyClient. Without a file of certificates Go would
// take the system's, which is more open: then the site is closed.
func (g *gen) clientCertificates(in *block, s *plan.Site) (closed bool) {
	t := s.TLS
	mode := ""
	switch strings.ToLower(t.VerifyClient.V) {
	case "require":
		mode = "require_and_verify"
	case "optional":
		mode = "verify_if_given"
	case "optional_no_ca":
		mode = "request"
	default:
		g.l.Exact(t.VerifyClient, t.VerifyDepth, t.CAFile, t.CAPath, t.CARevocation)
		return false
	}
	if t.CARevocation.IsSet() {
		g.l.Closed("Caddy has no lists of revoked certificates: the site is closed", "certificates of short life", t.CARevocation)
		closed = true
	}
	if list := s.Unchecked(); list != nil {
		g.l.Closed("Caddy asks nobody for revoked certificates: the site is closed", "certificates of short life", list)
		closed = true
	}
	file, ok := quote(g.file2(t.CAFile.V))
	verify := g.block()
	verify.add("mode " + mode)
	verify.from(t.VerifyClient.Span)
	switch {
	case mode == "request":
	case !t.CAFile.IsSet() || !ok:
		g.l.Closed("Caddy needs the certificates of the authorities in a file: the site is closed", "trusted_ca_cert_file FILE", t.VerifyClient, t.CAPath)
		return true
	default:
		verify.add("trusted_ca_cert_file " + file)
		verify.from(t.CAFile.Span)
		g.l.Approx("Caddy takes the first certificate of the file only", "trusted_ca_cert_file for each authority", t.CAFile)
	}
	in.nest(verify, "client_auth")
	g.l.Weaker("Caddy sets no bound to the length of a chain, httpd does (SSLVerifyDepth, 1 by default)", "trusted_ca_cert_file with the last authority of the chain only", t.VerifyClient, t.VerifyDepth)
	if t.CAPath.IsSet() {
		g.l.Approx("authorities in a directory are not read: clients with their certificates are refused", "trusted_ca_cert_file FILE", t.CAPath)
	}
	return closed
}
