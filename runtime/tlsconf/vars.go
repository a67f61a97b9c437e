package tlsconf

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Var returns a variable of mod_ssl (ssl_var_lookup in ssl_engine_vars.c), false
// when there is none: SSL_PROTOCOL, SSL_CLIENT_S_DN_CN, …. cs is nil on a plain
// connection. There is no SSL_SESSION_ID: crypto/tls does not tell it.
func (s *Server) Var(cs *tls.ConnectionState, name string) (string, bool) {
	switch name {
	case "HTTPS":
		if cs != nil {
			return "on", true
		}
		return "off", true
	case "SSL_VERSION_LIBRARY":
		return "crypto/tls/" + runtime.Version(), true
	case "SSL_VERSION_INTERFACE":
		return "clowder", true
	}
	if cs == nil || !strings.HasPrefix(name, "SSL_") {
		return "", false
	}
	rest := name[4:]
	if v, ok := strings.CutPrefix(rest, "CLIENT_"); ok {
		return s.clientVar(cs, v)
	}
	if v, ok := strings.CutPrefix(rest, "SERVER_"); ok {
		if s == nil || s.leaf == nil {
			return "", false
		}
		return s.certVar(s.leaf, v)
	}
	return connVar(cs, rest)
}

func connVar(cs *tls.ConnectionState, name string) (string, bool) {
	cipher, bits := CipherName(cs.CipherSuite)
	switch name {
	case "PROTOCOL":
		return ProtocolName(cs.Version), true
	case "CIPHER":
		return cipher, true
	case "CIPHER_USEKEYSIZE", "CIPHER_ALGKEYSIZE":
		return strconv.Itoa(bits), true
	case "CIPHER_EXPORT":
		return "false", true
	case "SESSION_RESUMED":
		if cs.DidResume {
			return "Resumed", true
		}
		return "Initial", true
	case "SECURE_RENEG":
		return "true", true
	case "COMPRESS_METHOD":
		return "NULL", true
	case "TLS_SNI":
		return cs.ServerName, cs.ServerName != ""
	}
	return "", false
}

// ProtocolName is OpenSSL's name of a version.
func ProtocolName(v uint16) string {
	for _, k := range versions {
		if k.v == v {
			return k.name
		}
	}
	return tls.VersionName(v)
}

func (s *Server) clientVar(cs *tls.ConnectionState, name string) (string, bool) {
	if name == "VERIFY" {
		if len(cs.PeerCertificates) == 0 {
			return "NONE", true
		}
		return "SUCCESS", true // others end the handshake
	}
	if n, ok := strings.CutPrefix(name, "CERT_CHAIN_"); ok {
		i, err := strconv.Atoi(n)
		if err != nil || i < 0 || i+1 >= len(cs.PeerCertificates) {
			return "", false
		}
		return PEM(cs.PeerCertificates[i+1]), true
	}
	if len(cs.PeerCertificates) == 0 {
		return "", false
	}
	return s.certVar(cs.PeerCertificates[0], name)
}

// PEM writes a certificate as SSL_CLIENT_CERT has it.
func PEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func (s *Server) certVar(c *x509.Certificate, name string) (string, bool) {
	switch name {
	case "CERT":
		return PEM(c), true
	case "M_VERSION":
		return strconv.Itoa(c.Version), true
	case "M_SERIAL":
		return serial(c), true
	case "V_START":
		return asn1Time(c.NotBefore), true
	case "V_END":
		return asn1Time(c.NotAfter), true
	case "V_REMAIN":
		return strconv.Itoa(int(max(time.Until(c.NotAfter), 0).Hours() / 24)), true
	case "S_DN":
		return s.name(c.Subject), true
	case "I_DN":
		return s.name(c.Issuer), true
	case "A_KEY":
		return keyName(c), true
	case "A_SIG":
		return sigName(c.SignatureAlgorithm), true
	case "CERT_RFC4523_CEA":
		return fmt.Sprintf("{ serialNumber %s, issuer rdnSequence:%q }", c.SerialNumber, s.name(c.Issuer)), true
	}
	for prefix, n := range map[string]pkix.Name{"S_DN_": c.Subject, "I_DN_": c.Issuer} {
		if part, ok := strings.CutPrefix(name, prefix); ok {
			return namePart(n, part)
		}
	}
	for prefix, list := range map[string][]string{"SAN_DNS_": c.DNSNames, "SAN_Email_": c.EmailAddresses} {
		if n, ok := strings.CutPrefix(name, prefix); ok {
			if i, err := strconv.Atoi(n); err == nil && i >= 0 && i < len(list) {
				return list[i], true
			}
		}
	}
	return "", false
}

func serial(c *x509.Certificate) string {
	s := strings.ToUpper(c.SerialNumber.Text(16))
	if len(s)%2 == 1 && s[0] != '-' {
		s = "0" + s
	}
	return s
}

func asn1Time(t time.Time) string { return t.UTC().Format("Jan _2 15:04:05 2006 GMT") }

func keyName(c *x509.Certificate) string {
	switch c.PublicKey.(type) {
	case *rsa.PublicKey:
		return "rsaEncryption"
	case *ecdsa.PublicKey:
		return "id-ecPublicKey"
	case ed25519.PublicKey:
		return "ED25519"
	}
	return c.PublicKeyAlgorithm.String()
}

func sigName(a x509.SignatureAlgorithm) string {
	switch a {
	case x509.SHA1WithRSA:
		return "sha1WithRSAEncryption"
	case x509.SHA256WithRSA:
		return "sha256WithRSAEncryption"
	case x509.SHA384WithRSA:
		return "sha384WithRSAEncryption"
	case x509.SHA512WithRSA:
		return "sha512WithRSAEncryption"
	case x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		return "rsassaPss"
	case x509.ECDSAWithSHA1:
		return "ecdsa-with-SHA1"
	case x509.ECDSAWithSHA256:
		return "ecdsa-with-SHA256"
	case x509.ECDSAWithSHA384:
		return "ecdsa-with-SHA384"
	case x509.ECDSAWithSHA512:
		return "ecdsa-with-SHA512"
	case x509.PureEd25519:
		return "ED25519"
	}
	return a.String()
}

// dnNames are the parts of a name: mod_ssl's (SSL_CLIENT_S_DN_x) and OpenSSL's.
var dnNames = []struct{ oid, part, long string }{
	{"2.5.4.6", "C", "C"}, {"2.5.4.8", "ST", "ST"}, {"2.5.4.8", "SP", "ST"}, {"2.5.4.7", "L", "L"}, {"2.5.4.10", "O", "O"},
	{"2.5.4.11", "OU", "OU"}, {"2.5.4.3", "CN", "CN"}, {"2.5.4.12", "T", "title"}, {"2.5.4.43", "I", "initials"},
	{"2.5.4.42", "G", "GN"}, {"2.5.4.4", "S", "SN"}, {"2.5.4.13", "D", "description"}, {"0.9.2342.19200300.100.1.1", "UID", "UID"},
	{"1.2.840.113549.1.9.1", "Email", "emailAddress"}, {"0.9.2342.19200300.100.1.25", "DC", "DC"}, {"2.5.4.5", "", "serialNumber"},
	{"2.5.4.9", "", "street"}, {"2.5.4.17", "", "postalCode"}, {"2.5.4.97", "", "organizationIdentifier"}, {"2.5.4.15", "", "businessCategory"},
}

// namePart returns a part: CN is the first one of its kind, CN_1 the second.
func namePart(n pkix.Name, part string) (string, bool) {
	skip := 0
	if i := strings.LastIndexByte(part, '_'); i >= 0 {
		k, err := strconv.Atoi(part[i+1:])
		if err != nil || k < 0 {
			return "", false
		}
		part, skip = part[:i], k
	}
	for _, known := range dnNames {
		if known.part != part || part == "" {
			continue
		}
		for _, a := range n.Names {
			if a.Type.String() == known.oid {
				if skip == 0 {
					return fmt.Sprint(a.Value), true
				}
				skip--
			}
		}
	}
	return "", false
}

// name writes a distinguished name in the way of RFC 2253, last part first, or
// with SSLOptions LegacyDNStringFormat as /C=…/O=….
func (s *Server) name(n pkix.Name) string {
	legacy := s != nil && s.Options.LegacyDN
	parts := make([]string, 0, len(n.Names))
	for _, a := range n.Names {
		key := a.Type.String()
		for _, known := range dnNames {
			if known.oid == key {
				key = known.long
				break
			}
		}
		v := fmt.Sprint(a.Value)
		if !legacy {
			v = escapeDN(v)
		}
		parts = append(parts, key+"="+v)
	}
	if legacy {
		return "/" + strings.Join(parts, "/")
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, ",")
}

// escapeDN escapes as RFC 2253 asks, and control characters and bytes above 0x7F
// as \XX (XN_FLAG_RFC2253: ASN1_STRFLGS_ESC_2253, ESC_CTRL, ESC_MSB).
func escapeDN(v string) string {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c < ' ' || c >= 0x7f:
			fmt.Fprintf(&b, `\%02X`, c)
			continue
		case strings.IndexByte(`,+"\<>;`, c) >= 0, c == ' ' && (i == 0 || i == len(v)-1), c == '#' && i == 0:
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// stdNames are the variables of SSLOptions +StdEnvVars (ssl_hook_Fixup_vars).
var stdNames = []string{"SSL_VERSION_INTERFACE", "SSL_VERSION_LIBRARY", "SSL_PROTOCOL", "SSL_SECURE_RENEG", "SSL_COMPRESS_METHOD", "SSL_CIPHER", "SSL_CIPHER_EXPORT",
	"SSL_CIPHER_USEKEYSIZE", "SSL_CIPHER_ALGKEYSIZE", "SSL_CLIENT_VERIFY", "SSL_CLIENT_M_VERSION", "SSL_CLIENT_M_SERIAL", "SSL_CLIENT_V_START",
	"SSL_CLIENT_V_END", "SSL_CLIENT_V_REMAIN", "SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN", "SSL_CLIENT_A_KEY", "SSL_CLIENT_A_SIG", "SSL_CLIENT_CERT_RFC4523_CEA",
	"SSL_SERVER_M_VERSION", "SSL_SERVER_M_SERIAL", "SSL_SERVER_V_START", "SSL_SERVER_V_END", "SSL_SERVER_S_DN", "SSL_SERVER_I_DN",
	"SSL_SERVER_A_KEY", "SSL_SERVER_A_SIG", "SSL_SESSION_RESUMED"}

// Environment calls set with each variable that a request on the connection has in
// its environment (ssl_hook_Fixup): HTTPS and SSL_TLS_SNI always, the others with
// SSLOptions StdEnvVars and ExportCertData. sec are the settings of the request's
// sections, nil without any.
func (s *Server) Environment(cs *tls.ConnectionState, sec *Section, set func(name, value string)) {
	set("HTTPS", "on")
	if cs.ServerName != "" {
		set("SSL_TLS_SNI", cs.ServerName)
	}
	if s == nil {
		return
	}
	put := func(name string) bool {
		v, ok := s.Var(cs, name)
		if ok {
			set(name, v)
		}
		return ok
	}
	o := s.Options
	if sec != nil && sec.Options != "" {
		o = o.with(sec.Options)
	}
	if o.StdEnvVars {
		for _, n := range stdNames {
			put(n)
		}
		for _, side := range []string{"SSL_CLIENT_", "SSL_SERVER_"} {
			for _, dn := range []string{"S_DN_", "I_DN_"} {
				for _, k := range dnNames {
					if k.part == "" || k.part == "SP" || !put(side+dn+k.part) {
						continue
					}
					for i := 1; put(side + dn + k.part + "_" + strconv.Itoa(i)); i++ {
					}
				}
			}
			for _, san := range []string{"SAN_DNS_", "SAN_Email_"} {
				for i := 0; put(side + san + strconv.Itoa(i)); i++ {
				}
			}
		}
	}
	if o.ExportCertData {
		put("SSL_SERVER_CERT")
		put("SSL_CLIENT_CERT")
		for i := 0; put("SSL_CLIENT_CERT_CHAIN_" + strconv.Itoa(i)); i++ {
		}
	}
}
