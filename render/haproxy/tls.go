package haproxy

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/plan"
)

// bind writes the sockets of a listener. IPv4 and IPv6 get one each: on a socket
// for both HAProxy would log and forward IPv4 addresses as ::ffff:a.b.c.d.
func (w *writer) bind(f *frontend, l *plan.Listener) {
	var addrs []string
	switch {
	case l.Address == "" && l.Family == "4":
		addrs = []string{":" + itoa(l.Port)}
	case l.Address == "":
		addrs = []string{":" + itoa(l.Port), ":::" + itoa(l.Port) + " v6only"}
	case strings.Contains(l.Address, ":"):
		addrs = []string{word("["+l.Address+"]:"+itoa(l.Port)) + " v6only"}
	default:
		addrs = []string{word(l.Address + ":" + itoa(l.Port))}
	}
	var tls []string
	if f.tls {
		tls = w.serverTLS(f)
	}
	at := diag.Span{}
	if l.Source != nil {
		at = l.Source.At
	}
	for _, a := range addrs {
		w.out.line(at, append([]string{"bind", a}, tls...)...)
	}
}

// file makes a path of httpd absolute: it is relative to ServerRoot.
func (w *writer) file(name string) string {
	root := w.plan.Front.ServerRoot.V
	if name == "" || strings.HasPrefix(name, "/") || len(name) > 2 && name[1] == ':' || root == "" {
		return name
	}
	return path.Join(root, name)
}

// serverTLS writes the words of bind for TLS towards clients.
func (w *writer) serverTLS(f *frontend) []string {
	words := []string{"ssl"}
	var crts []string
	h2 := false
	for _, s := range f.sites {
		if s.TLS == nil {
			continue
		}
		if c := w.certificate(f, s.TLS); c != "" && !slices.Contains(crts, c) {
			crts = append(crts, c)
			words = append(words, "crt", word(c))
		}
		for _, d := range s.Server.Settings.Extras {
			if strings.EqualFold(d.Name.V, "Protocols") {
				h2 = h2 || slices.ContainsFunc(d.Args, func(a model.String) bool { return strings.EqualFold(a.V, "h2") })
				w.l.Exact(d)
			}
		}
	}
	first := f.sites[0].TLS
	words = append(words, w.protocols(f)...)
	if first.CipherSuite.V != "" {
		words = append(words, w.ciphers(first.CipherSuite, false)...)
	}
	for _, s := range f.sites[1:] {
		if s.TLS != nil && s.TLS.CipherSuite.V != first.CipherSuite.V {
			w.l.Weaker("the ciphers of the first virtual host are used for all of the socket", "crt-list", s.TLS.CipherSuite)
		}
	}
	w.l.Exact(first.Engine)
	for _, s := range f.sites {
		if s.TLS == nil {
			continue
		}
		w.l.Exact(s.TLS.Engine)
		if s.TLS.CipherOrder.IsWritten() && !s.TLS.CipherOrder.V {
			w.l.Approx("HAProxy keeps the server's order of ciphers", "prefer-client-ciphers", s.TLS.CipherOrder)
		} else {
			w.l.Exact(s.TLS.CipherOrder)
		}
	}
	if h2 {
		words = append(words, "alpn h2,http/1.1")
	}
	return append(words, w.verifyClients(f)...)
}

// certificate returns the file for crt. HAProxy finds a key in the same file, or
// in one of the same name with .key behind it or, with ssl-load-extra-del-ext, in
// the place of .crt.
func (w *writer) certificate(f *frontend, t *model.TLS) string {
	cert, key := w.file(t.CertFile.V), w.file(t.KeyFile.V)
	if cert == "" || !writable(cert) {
		w.l.Person("no certificate is named: HAProxy will not start without certificate.pem", "bind … crt", t.Engine)
		return "certificate.pem"
	}
	w.l.Exact(t.CertFile)
	switch base, isCrt := strings.CutSuffix(cert, ".crt"); {
	case key == "" || key == cert || key == cert+".key":
		w.l.Exact(t.KeyFile)
	case isCrt && key == base+".key":
		f.delExt = true
		w.l.Exact(t.KeyFile)
	default:
		w.l.Person("put the key into the file of the certificate, or beside it as "+printable(cert)+".key: HAProxy looks nowhere else", "crt", t.KeyFile)
	}
	if t.ChainFile.V != "" {
		w.l.Person("put the certificates of the chain behind the own one in "+printable(cert), "crt", t.ChainFile)
	}
	return cert
}

// versions of TLS in their order, with HAProxy's names.
var versions = []struct{ httpd, haproxy string }{
	{"sslv3", "SSLv3"}, {"tlsv1", "TLSv1.0"}, {"tlsv1.1", "TLSv1.1"}, {"tlsv1.2", "TLSv1.2"}, {"tlsv1.3", "TLSv1.3"},
}

// enabled tells which versions an SSLProtocol allows (ssl_cmd_protocol_parse):
// "all" is everything but SSLv3, a word without a sign starts anew.
func enabled(value string) (on [5]bool) {
	for word := range strings.FieldsSeq(strings.ToLower(value)) {
		add := true
		switch word[0] {
		case '+':
			word = word[1:]
		case '-':
			add, word = false, word[1:]
		default:
			on = [5]bool{}
		}
		for i, v := range versions {
			if word == v.httpd || word == "all" && i > 0 {
				on[i] = add
			}
		}
	}
	return on
}

// minMax writes the versions as ssl-min-ver and ssl-max-ver; a gap is closed from below.
func minMax(on [5]bool) (words []string, ok bool) {
	low, high := -1, -1
	for i := len(on) - 1; i >= 0; i-- {
		switch {
		case !on[i] && high >= 0:
			i = -1
		case on[i]:
			if high < 0 {
				high = i
			}
			low = i
		}
	}
	if low < 0 {
		return nil, false
	}
	words = []string{"ssl-min-ver " + versions[low].haproxy}
	if high < len(on)-1 {
		words = append(words, "ssl-max-ver "+versions[high].haproxy)
	}
	return words, true
}

// protocols writes the versions that every site of the frontend allows.
func (w *writer) protocols(f *frontend) []string {
	all, written := [5]bool{true, true, true, true, true}, false
	for _, s := range f.sites {
		if s.TLS == nil || s.TLS.Protocol.V == "" {
			continue
		}
		written = true
		on := enabled(s.TLS.Protocol.V)
		for i := range all {
			all[i] = all[i] && on[i]
		}
	}
	if !written {
		return nil
	}
	words, ok := minMax(all)
	if !ok {
		words = []string{"ssl-min-ver TLSv1.3"}
	}
	for _, s := range f.sites {
		if s.TLS == nil {
			continue
		}
		if enabled(s.TLS.Protocol.V) == all && ok {
			w.l.Exact(s.TLS.Protocol)
		} else {
			w.l.Approx("the socket has the versions that all of its virtual hosts allow", "ssl-min-ver", s.TLS.Protocol)
		}
	}
	return words
}

// ciphers writes a list of OpenSSL; httpd forbids the null ciphers whatever is
// written (ssl_cmd_SSLCipherSuite).
func (w *writer) ciphers(v model.String, member bool) []string {
	kind, list, two := strings.Cut(v.V, " ")
	keyword := "ciphers"
	switch {
	case two && strings.EqualFold(kind, "TLSv1.3"):
		keyword = "ciphersuites"
	case two && strings.EqualFold(kind, "SSL"):
		list += ":!aNULL:!eNULL:!EXP"
	case two:
		w.l.Drop("the list is not understood", "ciphers", v)
		return nil
	default:
		list = v.V + ":!aNULL:!eNULL:!EXP"
	}
	if !writable(list) || strings.HasPrefix(list, "PROFILE=") {
		w.l.Drop("the list is not understood", "ciphers", v)
		return nil
	}
	w.l.Exact(v)
	return []string{keyword, word(list)}
}

// verifies reports whether a site asks clients for certificates, and must have them.
func verifies(t *model.TLS) (asks, must bool) {
	if t == nil {
		return false, false
	}
	v := strings.ToLower(t.VerifyClient.V)
	return v != "" && v != "none", v == "require"
}

// verifyClients writes verify of bind. Where only some sites ask, the handshake
// asks everybody and the rules of clientCertificates insist.
func (w *writer) verifyClients(f *frontend) []string {
	ca, crl, every := "", "", true
	for _, s := range f.sites {
		asks, must := verifies(s.TLS)
		every = every && must
		if asks && ca == "" {
			ca, crl = w.clientCA(s.TLS), w.file(s.TLS.CARevocation.V)
		}
	}
	if ca == "" || !writable(ca+crl) {
		return nil
	}
	words := []string{"ca-file", word(ca)}
	if crl != "" {
		words = append(words, "crl-file", word(crl))
	}
	if every {
		return append(words, "verify required")
	}
	return append(words, "verify optional")
}

// clientCA is the file of authorities. Of a folder HAProxy takes every file, httpd
// only those that are found by the hash of their subject, so none is named.
func (w *writer) clientCA(t *model.TLS) string { return w.file(t.CAFile.V) }

// clientCertificates refuses requests to sites that must have a certificate from
// clients that gave none, or that named another site in the handshake.
func (w *writer) clientCertificates(f *frontend) {
	ca, crl := "", ""
	for _, s := range f.sites {
		asks, must := verifies(s.TLS)
		if !asks {
			continue
		}
		own, ownCRL := w.clientCA(s.TLS), w.file(s.TLS.CARevocation.V)
		in := ""
		if len(f.sites) > 1 {
			in = "{ var(txn.at) -m beg " + pattern(s.Name+"/") + " }"
		}
		at := s.TLS.VerifyClient.Place()
		trusts := !strings.EqualFold(s.TLS.VerifyClient.V, "optional_no_ca")
		shut := ca != "" && own != "" && (own != ca || ownCRL != crl) || !writable(own+ownCRL) || !f.tls
		if ca == "" {
			ca, crl = own, ownCRL
		}
		unchecked := s.Unchecked()
		switch {
		case len(unchecked) > 0:
			w.l.Closed("revoked certificates would be taken: this virtual host refuses every request", "bind … crl-file", unchecked, s.TLS.VerifyClient)
			w.rule(rule{at, refusal(403), ""}, in)
			continue
		case trusts && own == "":
			w.l.Closed("no file of authorities is named, and of a folder HAProxy trusts more than httpd: this virtual host refuses every request", "bind … ca-file", s.TLS.VerifyClient, s.TLS.CAPath)
			w.rule(rule{at, refusal(403), ""}, in)
			continue
		case shut:
			w.l.Closed("one socket has one list of authorities and of revoked certificates: this virtual host refuses every request", "crt-list", s.TLS.VerifyClient, s.TLS.CAFile, s.TLS.CAPath, s.TLS.CARevocation)
			w.rule(rule{at, refusal(403), ""}, in)
			continue
		case must:
			if len(f.sites) > 1 {
				w.rule(rule{at, refusal(403), "!{ ssl_c_used }"}, in)
				w.rule(rule{at, refusal(403), "!{ ssl_c_verify 0 }"}, in)
			}
			w.l.Weaker("HAProxy does not bound the depth of chains, httpd does (SSLVerifyDepth, 1 by default)", "a ca-file with the direct issuer only", s.TLS.VerifyClient, s.TLS.VerifyDepth)
		default:
			w.l.Weaker("a certificate that does not verify ends the handshake; the depth of chains is not bounded", "verify optional", s.TLS.VerifyClient, s.TLS.VerifyDepth)
		}
		w.l.Exact(s.TLS.CAFile, s.TLS.CARevocation)
		w.l.Approx("only the authorities of SSLCACertificateFile are taken: fewer clients get in", "bind … ca-file", s.TLS.CAPath)
		for _, d := range s.Server.Settings.Extras {
			if strings.EqualFold(d.Name.V, "SSLCARevocationCheck") {
				w.l.Approx("HAProxy checks the whole chain against it", "crl-file", d)
			}
		}
		w.tlsOptions(s.TLS)
	}
	for _, s := range f.sites {
		if s.TLS != nil {
			w.tlsOptions(s.TLS)
		}
	}
}

// tlsOptions accounts for SSLOptions: the variables of StdEnvVars exist in httpd only.
func (w *writer) tlsOptions(t *model.TLS) {
	harmless := true
	for o := range strings.FieldsSeq(t.Options.V) {
		harmless = harmless && slices.Contains([]string{"stdenvvars", "exportcertdata", "optrenegotiate", "legacydnstringformat"}, strings.ToLower(strings.TrimLeft(o, "+-")))
	}
	if harmless {
		w.l.Approx("the variables of mod_ssl are HAProxy's samples ssl_fc_* and ssl_c_*; nothing sets them for members", "http-request set-header", t.Options)
	}
}

// memberTLS writes the words of server for TLS towards a member.
func (w *writer) memberTLS(p *plan.Pool, m *plan.Member) []string {
	if m.Scheme != "https" && m.Scheme != "h2" {
		return nil
	}
	t := p.TLS
	if t == nil {
		return []string{"ssl verify none"}
	}
	words := []string{"ssl"}
	if m.Scheme == "h2" {
		words = append(words, "alpn h2")
	}
	isIP := false
	if _, err := netip.ParseAddr(m.Host); err == nil {
		isIP = true
	}
	verify := strings.ToLower(t.ProxyVerify.V)
	names := !(t.ProxyPeerName.IsWritten() && !t.ProxyPeerName.V)
	switch ca := w.proxyCA(t); {
	case len(p.Revoked) > 0:
		w.l.Closed("revoked certificates would be taken: the member is disabled", "server … crl-file", p.Revoked)
		return []string{"disabled"}
	case verify != "require" && verify != "optional" && verify != "optional_no_ca":
		words = append(words, "verify none")
		w.l.Exact(t.ProxyVerify)
		w.l.Weaker("HAProxy checks the name and the dates of a member's certificate only together with its authority", "verify required ca-file", t.ProxyPeerName, t.ProxyPeerCN, t.ProxyPeerExpire)
	case ca == "" || !writable(ca):
		w.l.Closed("no file of authorities is named, so no certificate could be trusted: the member is disabled", "verify required ca-file", t.ProxyVerify, t.ProxyCAPath)
		return []string{"disabled"}
	default:
		words = append(words, "verify required ca-file", word(ca))
		w.l.Exact(t.ProxyVerify, t.ProxyCAFile)
		w.l.Approx("only the authorities of SSLProxyCACertificateFile are taken: fewer members are trusted", "verify required ca-file", t.ProxyCAPath)
		w.l.Weaker("HAProxy does not bound the depth of chains, httpd does (SSLProxyVerifyDepth, 1 by default)", "a ca-file with the direct issuer only", t.ProxyVerify, t.ProxyDepth)
		if verify != "require" {
			w.l.Approx("a member's certificate must verify", "verify required", t.ProxyVerify)
		}
	}
	if names && !slices.Contains(words, "verify none") && writable(m.Host) {
		words = append(words, "verifyhost", word(m.Host))
		w.l.Exact(t.ProxyPeerName, t.ProxyPeerCN, t.ProxyPeerExpire)
	}
	if !isIP && isToken(m.Host) && (names || slices.Contains(words, "verify none")) {
		words = append(words, "sni str("+m.Host+")", "check-sni "+m.Host)
	}
	w.l.Exact(t.ProxyEngine, t.ProxyPeerName, t.ProxyPeerCN, t.ProxyPeerExpire)
	if t.ProxyProtocol.V != "" {
		if v, ok := minMax(enabled(t.ProxyProtocol.V)); ok {
			words = append(words, v...)
			w.l.Exact(t.ProxyProtocol)
		}
	}
	if t.ProxyCiphers.V != "" {
		words = append(words, w.ciphers(t.ProxyCiphers, true)...)
	}
	if t.ProxyCert.V != "" && writable(t.ProxyCert.V) {
		words = append(words, "crt", word(w.file(t.ProxyCert.V)))
		w.l.Exact(t.ProxyCert)
	}
	return words
}

// proxyCA is clientCA for members.
func (w *writer) proxyCA(t *model.TLS) string { return w.file(t.ProxyCAFile.V) }
