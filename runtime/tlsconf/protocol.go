package tlsconf

import (
	"crypto/tls"
	"strings"
)

// versions are the protocol names of SSLProtocol, oldest first.
var versions = []struct {
	name string
	v    uint16
}{
	{"TLSv1", tls.VersionTLS10}, {"TLSv1.1", tls.VersionTLS11}, {"TLSv1.2", tls.VersionTLS12}, {"TLSv1.3", tls.VersionTLS13},
}

// protocolRange reads SSLProtocol or SSLProxyProtocol (ssl_cmd_protocol_parse). The
// result goes from the newest version down without a gap, since crypto/tls knows
// ranges only: leaving a version out is stricter. Without an old version by name
// it starts at TLS 1.2, as OpenSSL 3 has it at its default security level.
// gap says that a version was left out; min is 0 when none is left.
func protocolRange(text string) (min, max uint16, gap bool) {
	on, named := map[uint16]bool{}, map[uint16]bool{}
	if strings.TrimSpace(text) == "" {
		text = "all"
	}
	fresh := true
	for w := range strings.FieldsSeq(text) {
		op := byte(0)
		if w[0] == '+' || w[0] == '-' {
			op, w = w[0], w[1:]
		}
		if op == 0 { // a word without a sign starts again
			if !fresh {
				clear(on)
				clear(named)
			}
		}
		fresh = false
		for _, v := range versions {
			all := strings.EqualFold(w, "all")
			if !all && !strings.EqualFold(w, v.name) {
				continue
			}
			on[v.v] = op != '-'
			named[v.v] = op != '-' && !all
		}
	}
	for i := len(versions) - 1; i >= 0; i-- {
		v := versions[i].v
		use := on[v] && (v >= tls.VersionTLS12 || named[v])
		switch {
		case use && max == 0:
			min, max = v, v
		case use && !gap && v == min-1:
			min = v
		case use:
			gap = true
		}
	}
	return min, max, gap
}

// suite is a cipher suite of TLS up to 1.2 that crypto/tls has, under OpenSSL's
// name; the words are those that a cipher string may select it by.
type suite struct {
	id    uint16
	name  string
	bits  int
	words string
}

// suites leaves out RC4 and 3DES, which OpenSSL 3 has no more in its usual builds.
var suites = []suite{
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", 256, ecdhe + withECDSA + "AES256 AES AESGCM TLSv1.2"},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", 256, ecdhe + withRSA + "AES256 AES AESGCM TLSv1.2"},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", 256, ecdhe + withECDSA + "CHACHA20 TLSv1.2"},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", 256, ecdhe + withRSA + "CHACHA20 TLSv1.2"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", 128, ecdhe + withECDSA + "AES128 AES AESGCM TLSv1.2"},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", 128, ecdhe + withRSA + "AES128 AES AESGCM TLSv1.2"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256", 128, ecdhe + withECDSA + "AES128 AES SHA256 TLSv1.2"},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", 128, ecdhe + withRSA + "AES128 AES SHA256 TLSv1.2"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", 256, ecdhe + withECDSA + "AES256 AES " + sha1 + " TLSv1 TLSv1.0"},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", 256, ecdhe + withRSA + "AES256 AES " + sha1 + " TLSv1 TLSv1.0"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", 128, ecdhe + withECDSA + "AES128 AES " + sha1 + " TLSv1 TLSv1.0"},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", 128, ecdhe + withRSA + "AES128 AES " + sha1 + " TLSv1 TLSv1.0"},
	{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", 256, krsa + withRSA + "AES256 AES AESGCM TLSv1.2"},
	{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", 128, krsa + withRSA + "AES128 AES AESGCM TLSv1.2"},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", 128, krsa + withRSA + "AES128 AES SHA256 TLSv1.2"},
	{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", 256, krsa + withRSA + "AES256 AES " + sha1 + " SSLv3"},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", 128, krsa + withRSA + "AES128 AES " + sha1 + " SSLv3"},
}

const (
	ecdhe     = "ECDHE EECDH kECDHE kEECDH ECDH ALL DEFAULT HIGH "
	krsa      = "RSA kRSA ALL DEFAULT HIGH "
	withECDSA = "aECDSA ECDSA "
	withRSA   = "aRSA "
	sha1      = "SHA SHA1"
)

// tls13 are the suites of TLS 1.3; crypto/tls always offers all of them.
var tls13 = []string{"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}

// CipherName is OpenSSL's name of a suite and its key size in bits.
func CipherName(id uint16) (name string, bits int) {
	for _, s := range suites {
		if s.id == id {
			return s.name, s.bits
		}
	}
	name, bits = tls.CipherSuiteName(id), 256
	if strings.Contains(name, "AES_128") {
		bits = 128
	}
	return name, bits
}

// matches reports whether a suite is meant by a term: words joined with "+".
func (s *suite) matches(term string) bool {
	for w := range strings.SplitSeq(term, "+") {
		found := w == s.name
		for known := range strings.FieldsSeq(s.words) {
			found = found || known == w
		}
		if !found {
			return false
		}
	}
	return true
}

// cipherSuites evaluates an OpenSSL cipher string (ciphers(1)) over the suites that
// crypto/tls has. Order does not count: crypto/tls has its own. nil stands for the
// default of crypto/tls, an empty list for none; unknown says that a keyword
// changes more than the list of suites.
func cipherSuites(text string) (ids []uint16, unknown string) {
	text = strings.TrimSpace(text)
	if text == "" || strings.HasPrefix(text, "PROFILE=") {
		return nil, ""
	}
	const (
		out = iota
		in
		dead
	)
	state := make([]int, len(suites))
	terms := strings.FieldsFunc(strings.ReplaceAll(text, "@", ":@"), func(r rune) bool { return r == ':' || r == ',' || r == ' ' || r == ';' })
	for _, term := range terms {
		op := byte('=')
		if strings.IndexByte("!-+", term[0]) >= 0 {
			op, term = term[0], term[1:]
		}
		switch {
		case strings.HasPrefix(term, "@SECLEVEL="):
			if term > "@SECLEVEL=2" {
				unknown = term
			}
			continue
		case strings.HasPrefix(term, "SUITEB"):
			unknown = term
			continue
		case term == "" || term[0] == '@':
			continue
		}
		for i := range suites {
			if !suites[i].matches(term) {
				continue
			}
			switch {
			case op == '!':
				state[i] = dead
			case op == '-' && state[i] == in:
				state[i] = out
			case op == '=' && state[i] == out:
				state[i] = in
			}
		}
	}
	ids = []uint16{}
	for i, s := range suites {
		if state[i] == in {
			ids = append(ids, s.id)
		}
	}
	return ids, unknown
}
