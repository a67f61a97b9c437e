package envoy

import (
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

var protocolNames = []struct{ httpd, envoy string }{{"tlsv1", "TLSv1_0"}, {"tlsv1.1", "TLSv1_1"}, {"tlsv1.2", "TLSv1_2"}, {"tlsv1.3", "TLSv1_3"}}

// serverTLS is TLS towards clients.
func (w *writer) serverTLS(s *plan.Site) obj {
	t := s.TLS
	common := obj{"tls_params": w.protocols(t), "alpn_protocols": []any{"http/1.1"}}
	if t.CertFile.V == "" {
		w.l.Person("no certificate is written: name one", "tls_certificates", t.Engine)
	}
	cert := t.CertFile.Or("/nonexistent/certificate.pem")
	common["tls_certificates"] = []any{obj{"certificate_chain": obj{"filename": cert}, "private_key": obj{"filename": t.KeyFile.Or(cert)}}}
	w.l.Exact(t.Engine, t.CertFile, t.KeyFile)
	if t.ChainFile.IsWritten() {
		w.l.Person("put the chain behind the certificate in one file", "", t.ChainFile)
	}
	w.l.Approx("Envoy's own list of ciphers is used", "tls_params.cipher_suites", t.CipherSuite, t.CipherOrder)
	ctx := obj{"common_tls_context": common}
	switch verify := strings.ToLower(t.VerifyClient.V); verify {
	case "", "none":
	default:
		validation := obj{}
		if t.CAFile.V != "" {
			validation["trusted_ca"] = obj{"filename": t.CAFile.V}
			w.l.Exact(t.CAFile)
		}
		if t.CARevocation.V != "" && t.CAFile.V != "" {
			validation["crl"] = obj{"filename": t.CARevocation.V}
			w.l.Exact(t.CARevocation)
		}
		validation["max_verify_depth"] = t.VerifyDepth.Or(1)
		w.l.Exact(t.VerifyDepth)
		if t.CAFile.V != "" { // else every request is refused
			common["validation_context"] = validation
		}
		ctx["require_client_certificate"] = verify == "require"
		if verify == "optional_no_ca" {
			w.l.Approx("a certificate that is sent has to be good", "", t.VerifyClient)
		} else {
			w.l.Exact(t.VerifyClient)
		}
	}
	return obj{"name": "envoy.transport_sockets.tls", "typed_config": typed("extensions.transport_sockets.tls.v3.DownstreamTlsContext", ctx)}
}

// protocols carries SSLProtocol; without it TLS 1.2 is the oldest.
func (w *writer) protocols(t *model.TLS) obj {
	on := map[string]bool{}
	for _, word := range strings.Fields(strings.ToLower(t.Protocol.Or("all -tlsv1 -tlsv1.1"))) {
		name := strings.TrimLeft(word, "+-")
		if name == word {
			clear(on)
		}
		for _, p := range protocolNames {
			if name == p.httpd || name == "all" {
				on[p.httpd] = !strings.HasPrefix(word, "-")
			}
		}
	}
	out := obj{}
	for _, p := range slices.Backward(protocolNames) { // of two ranges the newer one
		if !on[p.httpd] {
			if len(out) > 0 {
				break
			}
			continue
		}
		if len(out) == 0 {
			out["tls_maximum_protocol_version"] = p.envoy
		}
		out["tls_minimum_protocol_version"] = p.envoy
	}
	if len(out) == 0 {
		out["tls_minimum_protocol_version"] = "TLSv1_3"
	}
	w.l.Exact(t.Protocol)
	return out
}

// clientTLS is TLS towards members; httpd's default is to verify nothing. Each
// member has to show its own name, so each has a context of its own, which Envoy
// finds by the metadata of the endpoint (Cluster.transport_socket_matches).
func (w *writer) clientTLS(c obj, p *plan.Pool, members []*plan.Member) {
	if !secure(members[0]) {
		return
	}
	t := p.TLS
	verify := t != nil && t.ProxyVerify.V != "" && !strings.EqualFold(t.ProxyVerify.V, "none")
	if t != nil {
		w.l.Exact(t.ProxyEngine, t.ProxyVerify)
	}
	if verify {
		w.l.Exact(t.ProxyCAFile, t.ProxyPeerName, t.ProxyDepth)
	} else if plan.ChecksPeers(t) {
		for _, m := range members {
			w.l.Weaker("httpd checks the name and the dates of the member's certificate even without its authority, which Envoy does not", "SSLProxyVerify require here", m.Source.URL)
		}
	}
	socket := func(m *plan.Member) obj {
		common := obj{}
		if verify {
			validation := obj{"trusted_ca": obj{"filename": t.ProxyCAFile.V}, "max_verify_depth": t.ProxyDepth.Or(1)}
			if !t.ProxyPeerName.IsWritten() || t.ProxyPeerName.V {
				validation["match_typed_subject_alt_names"] = []any{obj{"san_type": "DNS", "matcher": obj{"exact": m.Host}}, obj{"san_type": "IP_ADDRESS", "matcher": obj{"exact": m.Host}}}
			}
			common["validation_context"] = validation
		}
		return obj{"name": "envoy.transport_sockets.tls", "typed_config": typed("extensions.transport_sockets.tls.v3.UpstreamTlsContext", obj{"common_tls_context": common, "sni": m.Host})}
	}
	c["transport_socket"] = socket(members[0])
	if len(members) == 1 {
		return
	}
	var matches []any
	for _, m := range members {
		matches = append(matches, obj{"name": m.Name, "match": obj{"member": m.Name}, "transport_socket": socket(m)})
	}
	c["transport_socket_matches"] = matches
}

// memberMeta names the member for transport_socket_matches.
func memberMeta(m *plan.Member) obj {
	return obj{"filter_metadata": obj{"envoy.transport_socket_match": obj{"member": m.Name}}}
}
