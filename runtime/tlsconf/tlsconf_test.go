package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"clowder/internal/interop"
	"clowder/parse"
	"clowder/parse/model"
)

// front reads a configuration as clowder run does.
func front(t *testing.T, conf string) *model.FrontEnd {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, Overlay: map[string][]byte{"httpd.conf": []byte(conf)}, Config: "none", Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	return r.Setup.FrontEnds[0]
}

func TestProtocolRange(t *testing.T) {
	const v10, v11, v12, v13 = tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13
	for _, tt := range []struct {
		text   string
		lo, hi uint16
		gap    bool
	}{
		{"", v12, v13, false},
		{"all", v12, v13, false},
		{"all -SSLv3", v12, v13, false},
		{"all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1", v12, v13, false},
		{"all -TLSv1.3", v12, v12, false},
		{"TLSv1.2", v12, v12, false},
		{"TLSv1.3", v13, v13, false},
		{"-all +TLSv1.2 +TLSv1.3", v12, v13, false},
		{"TLSv1 TLSv1.1 TLSv1.2", v12, v12, false}, // the last word without a sign counts
		{"+TLSv1 +TLSv1.1 +TLSv1.2", v10, v12, false},
		{"all +TLSv1.1", v11, v13, false},
		{"+TLSv1 +TLSv1.2", v12, v12, true},
		{"all -TLSv1.2", v13, v13, false},
		{"+TLSv1.1 +TLSv1.3", v13, v13, true},
		{"-all", 0, 0, false},
		{"all -TLSv1.2 -TLSv1.3", 0, 0, false},
		{"SSLv3", 0, 0, false},
	} {
		if lo, hi, gap := protocolRange(tt.text); lo != tt.lo || hi != tt.hi || gap != tt.gap {
			t.Errorf("%q: %x to %x, gap %v", tt.text, lo, hi, gap)
		}
	}
}

// cipherStrings are in use: the generators of Mozilla, of Debian and others.
var cipherStrings = []string{
	"HIGH:!aNULL", "HIGH:MEDIUM:!MD5:!RC4:!3DES", "HIGH:!aNULL:!MD5", "ALL:!ADH:!EXPORT:!SSLv2:RC4+RSA:+HIGH:+MEDIUM:+LOW", "DEFAULT",
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256",
	"EECDH+AESGCM:EDH+AESGCM:AES256+EECDH:AES256+EDH", "kEECDH+ECDSA+AES128:kEECDH+aRSA+AES256:RSA+AES:!SHA1", "AES128+EECDH:!SHA",
	"ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES256:!aNULL:!SHA1:!AESCCM", "TLSv1.2:!kRSA", "TLSv1.2+HIGH+ECDHE", "ALL:!kRSA:-AES128:AES128-SHA",
	"AES256-SHA", "!ALL:AES256-SHA", "ALL:-ALL:AES128", "HIGH:!RSA", "kRSA:!SHA256", "SHA384", "aECDSA", "aRSA+SHA1", "ECDHE-RSA-AES256-SHA384", "NULL", "nonsense", "HIGH@STRENGTH", "HIGH:@STRENGTH",
	"HIGH:!DH:!kECDHE", "TLSv1", "TLSv1.0", "SSLv3", "AESGCM:SHA256", "ALL:!SHA256:!SHA384", "HIGH:!AES256:+SHA", "SSLv3:!AES256", "CHACHA20:AESGCM:!ECDSA", "ALL:COMPLEMENTOFALL:!eNULL:!CAMELLIA:!PSK:!SRP:!DSS:!ARIA", "HIGH, !aNULL AES128-SHA;AES256-SHA",
}

// TestCiphers compares with openssl ciphers: what crypto/tls has of the list.
func TestCiphers(t *testing.T) {
	openssl := interop.Require(t, "openssl", "apt-get install openssl")
	for _, s := range cipherStrings {
		out, err := exec.Command(openssl, "ciphers", "-s", "-tls1_2", s+":@SECLEVEL=0").Output()
		if err != nil {
			out = nil // no cipher matches
		}
		have := strings.Split(strings.TrimSpace(string(out)), ":")
		var want, got []string
		for _, k := range suites {
			if slices.Contains(have, k.name) {
				want = append(want, k.name)
			}
		}
		ids, _ := cipherSuites(s)
		for _, id := range ids {
			name, _ := CipherName(id)
			got = append(got, name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", s, got, want)
		}
	}
}

// TestCheck: what would be weaker than in httpd is told with its place.
func TestCheck(t *testing.T) {
	const host = "Listen 443\n<VirtualHost *:443>\nServerName a\nSSLEngine on\nSSLCertificateFile a.pem\n"
	for _, tt := range []struct{ lines, want string }{
		{"SSLEngine optional", "httpd.conf:6:11: SSLEngine optional"},
		{"SSLVerifyClient optional_no_ca", "httpd.conf:6:17: SSLVerifyClient optional_no_ca"},
		{"SSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384", "httpd.conf:6:1: SSLCipherSuite TLSv1.3 leaves TLS_CHACHA20_POLY1305_SHA256 out"},
		{"SSLProtocol TLSv1.2\nSSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384", ""},
		{"SSLCipherSuite TLSv1.3 TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", ""},
		{"SSLCipherSuite HIGH:@SECLEVEL=3", "httpd.conf:6:16: SSLCipherSuite: crypto/tls has no way to do what @SECLEVEL=3"},
		{"SSLCipherSuite HIGH:@SECLEVEL=2", ""},
		{"SSLCipherSuite SUITEB128", "SUITEB128"},
		{"SSLOCSPEnable on", "httpd.conf:6:1: SSLOCSPEnable on"},
		{"SSLOCSPEnable off", ""},
		{"SSLFIPS on", "SSLFIPS on"},
		{"SSLOptions +FakeBasicAuth", "FakeBasicAuth"},
		{"SSLOptions +StdEnvVars +StrictRequire", ""},
		{"SSLUserName SSL_CLIENT_S_DN_CN", "SSLUserName"},
		{"SSLOpenSSLConfCmd MinProtocol TLSv1.3", "SSLOpenSSLConfCmd MinProtocol"},
		{"SSLOpenSSLConfCmd Curves X25519:P-256", ""},
		{"SSLOpenSSLConfCmd Options -SessionTicket,ServerPreference", ""},
		{"SSLOpenSSLConfCmd Options NoSuchThing", "NoSuchThing"},
		{"SSLProxyMachineCertificatePath /x", "SSLProxyMachineCertificatePath"},
		{"<Location /x>\nSSLVerifyClient require\n</Location>", "httpd.conf:7:1: SSLVerifyClient require in <Location /x>: clowder run asks for certificates in the handshake only"},
		{"<Location /x>\nSSLVerifyClient optional\n</Location>", "in <Location /x>"},
		{"<Location /x>\nSSLVerifyClient none\n</Location>", ""},
		{"SSLVerifyClient optional\n<Location /x>\nSSLVerifyClient require\n</Location>", ""},
		{"<Location /x>\nSSLVerifyDepth 1\n</Location>", "SSLVerifyDepth in <Location /x>"},
		{"<Location /x>\nSSLCipherSuite HIGH\n</Location>", "SSLCipherSuite in <Location /x>"},
		{"<Proxy http://b/>\nSSLProxyVerify require\n</Proxy>", "SSLProxyVerify in <Proxy http://b/>"},
		{"<Location /x>\nSSLRequireSSL\nSSLOptions +StdEnvVars\n</Location>", ""},
	} {
		var got []string
		for _, err := range Check(front(t, host+tt.lines+"\n</VirtualHost>\n")) {
			got = append(got, err.Error())
		}
		text := strings.Join(got, "\n")
		if tt.want == "" && text != "" || !strings.Contains(text, tt.want) {
			t.Errorf("%s:\n got %s\nwant %s", tt.lines, text, tt.want)
		}
	}
	// A section of the main server counts for each virtual host.
	for conf, refused := range map[string]bool{"SSLVerifyClient optional": false, "SSLVerifyClient none": true} {
		errs := Check(front(t, "Listen 443\nSSLEngine on\nSSLVerifyClient optional\n<Location /x>\nSSLVerifyClient require\n</Location>\n<VirtualHost *:443>\nServerName a\n"+conf+"\n</VirtualHost>\n"))
		if (len(errs) > 0) != refused {
			t.Errorf("%s: %v", conf, errs)
		}
	}
}

// TestDone: a rule counts as enforced only where somebody looks at it.
func TestDone(t *testing.T) {
	for lines, want := range map[string]bool{
		"<Location /x>\nSSLRequireSSL\n</Location>":                       true,
		"<Proxy *>\nSSLRequireSSL\n</Proxy>":                              true,
		"<Location /x>\nSSLVerifyClient require\n</Location>":             true,
		"<Location /x>\n<If \"true\">\nSSLRequireSSL\n</If>\n</Location>": false,
		"<Directory /x>\nSSLRequireSSL\n</Directory>":                     false,
		"<Location /x>\nSSLRequire %{SSL_CIPHER} != \"\"\n</Location>":    false,
	} {
		r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, Overlay: map[string][]byte{"httpd.conf": []byte("Listen 80\n" + lines + "\n")}, Config: "none", Whole: true})
		if err != nil {
			t.Fatal(err)
		}
		guards, done := 0, true
		for _, u := range r.Setup.Unmapped {
			if u.Guard || u.FileGuard {
				guards++
				done = done && Done(r.Setup.FrontEnds[0], u.Span)
			}
		}
		if guards == 0 || done != want {
			t.Errorf("%s: %d rules, done %v", lines, guards, done)
		}
	}
}

// TestFiles: a file that cannot be used is an error with its place.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	ca := interop.NewAuthority(t, dir, "ca")
	ca.Issue(t, interop.Leaf{Name: "a", DNS: []string{"a"}})
	ca.Issue(t, interop.Leaf{Name: "b", DNS: []string{"b"}, RSA: true})
	ca.Revoke(t, "ca.crl")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("empty.pem", "")
	write("locked.key", string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})))
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write("both.pem", read("a.pem")+read("a.key"))
	const good = "SSLCertificateFile a.pem\nSSLCertificateKeyFile a.key\n"
	for _, tt := range []struct{ lines, want string }{
		{good, ""},
		{"SSLCertificateFile both.pem", ""},
		{good + "SSLCertificateFile b.pem\nSSLCertificateKeyFile b.key", ""},
		{"", "httpd.conf:5:11: TLS is on and there is no SSLCertificateFile"},
		{"SSLCertificateFile no.pem\nSSLCertificateKeyFile a.key", "httpd.conf:6:20: the certificate cannot be read: "},
		{"SSLCertificateFile a.pem\nSSLCertificateKeyFile no.key", "httpd.conf:7:23: the key cannot be read: "},
		{"SSLCertificateFile a.pem\nSSLCertificateKeyFile locked.key", "httpd.conf:7:23: the key in locked.key needs a pass phrase"},
		{"SSLCertificateFile a.pem\nSSLCertificateKeyFile b.key", "httpd.conf:7:23: certificate a.pem and key b.key: "},
		{"SSLCertificateFile a.pem", "httpd.conf:6:20: certificate a.pem and key a.pem: tls: "},
		{good + "SSLCertificateFile b.pem\nSSLCertificateKeyFile a.key", "httpd.conf:9:1: certificate b.pem and key a.key"},
		{good + "SSLCertificateChainFile empty.pem", "SSLCertificateChainFile empty.pem holds no certificate"},
		{good + "SSLVerifyClient require\nSSLCACertificateFile empty.pem", "httpd.conf:9:22: certificates of authorities, empty.pem: it holds no certificate"},
		{good + "SSLVerifyClient require\nSSLCACertificateFile no.pem", "httpd.conf:9:22"},
		{good + "SSLVerifyClient require\nSSLCACertificatePath no", "httpd.conf:9:22"},
		{good + "SSLVerifyClient require\nSSLCACertificateFile ca.pem\nSSLCARevocationCheck chain\nSSLCARevocationFile ca.pem", "list of revocations ca.pem"},
		{good + "SSLVerifyClient require\nSSLCACertificateFile ca.pem\nSSLCARevocationCheck chain\nSSLCARevocationFile ca.crl", ""},
		{good + "SSLProtocol -all", "httpd.conf:8:13: SSLProtocol -all: nothing is left"},
		{good + "SSLProtocol TLSv1.2\nSSLCipherSuite DHE-RSA-AES128-GCM-SHA256", "crypto/tls has none of these ciphers"},
		{good + "SSLCipherSuite DHE-RSA-AES128-GCM-SHA256", ""}, // TLS 1.3 is left
		{good + "SSLProxyEngine on\nSSLProxyVerify require\nSSLProxyCACertificateFile no.pem", "httpd.conf:10:27"},
		{good + "SSLProxyEngine on\nSSLProxyMachineCertificateFile a.pem", "holds no certificate with its key"},
		{good + "SSLProxyEngine on\nSSLProxyMachineCertificateFile both.pem", ""},
		{good + "SSLOpenSSLConfCmd Curves brainpoolP256r1", "none of these groups"},
	} {
		f := front(t, fmt.Sprintf("ServerRoot %q\nListen 443\n<VirtualHost *:443>\nServerName a\nSSLEngine on\n%s\n</VirtualHost>\n", dir, tt.lines))
		_, err := New(f)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s:\n got %v\nwant %s", tt.lines, err, tt.want)
		}
	}
}

// TestAgain: certificates are read again by another New.
func TestAgain(t *testing.T) {
	dir := t.TempDir()
	ca := interop.NewAuthority(t, dir, "ca")
	f := front(t, fmt.Sprintf("ServerRoot %q\nListen 443\n<VirtualHost *:443>\nServerName a\nSSLEngine on\nSSLCertificateFile a.pem\nSSLCertificateKeyFile a.key\n</VirtualHost>\n", dir))
	for range 2 {
		pair := ca.Issue(t, interop.Leaf{Name: "a", DNS: []string{"a"}})
		out, err := New(f)
		if err != nil {
			t.Fatal(err)
		}
		got := out.Servers[f.VHosts[0]].Config().Certificates[0].Leaf
		if !got.Equal(pair.Leaf) {
			t.Error("the certificate is an older one")
		}
	}
}

// TestByClient: of two certificates the client gets the one it can check, whatever
// names are in them.
func TestByClient(t *testing.T) {
	dir := t.TempDir()
	ca := interop.NewAuthority(t, dir, "ca")
	pairs := []tls.Certificate{ca.Issue(t, interop.Leaf{Name: "r", RSA: true}), ca.Issue(t, interop.Leaf{Name: "e"})}
	choose := byClient(pairs)
	hello := func(s ...tls.SignatureScheme) *tls.ClientHelloInfo {
		return &tls.ClientHelloInfo{ServerName: "other", SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: s, SupportedCurves: []tls.CurveID{tls.CurveP256},
			CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256}}
	}
	for want, h := range map[string]*tls.ClientHelloInfo{"e": hello(tls.ECDSAWithP256AndSHA256, tls.PSSWithSHA256), "r": hello(tls.PSSWithSHA256)} {
		got, err := choose(h)
		if err != nil || got.Leaf.Subject.CommonName != want {
			t.Errorf("%v %v, want %s", got.Leaf.Subject, err, want)
		}
	}
}

// TestRevocations: lists count only when they are the issuer's and of this time.
func TestRevocations(t *testing.T) {
	dir := t.TempDir()
	ca, other := interop.NewAuthority(t, dir, "ca"), interop.NewAuthority(t, dir, "other")
	leaf := ca.Issue(t, interop.Leaf{Name: "l", Client: true}).Leaf
	list := func(a *interop.Authority, change func(*x509.RevocationList), revoked ...*x509.Certificate) *x509.RevocationList {
		a.Revoke(t, "x.crl", revoked...)
		data, err := os.ReadFile(filepath.Join(dir, "x.crl"))
		if err != nil {
			t.Fatal(err)
		}
		l, err := x509.ParseRevocationList(pemBlocks(data, "X509 CRL")[0])
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(l)
		}
		return l
	}
	chain := []*x509.Certificate{leaf, ca.Cert}
	for _, tt := range []struct {
		name string
		r    *revocations
		ok   bool
	}{
		{"none", nil, true},
		{"empty", &revocations{}, false},
		{"empty, optional", &revocations{optional: true}, true},
		{"good", &revocations{lists: []*x509.RevocationList{list(ca, nil)}}, true},
		{"revoked", &revocations{lists: []*x509.RevocationList{list(ca, nil, leaf)}}, false},
		{"revoked, leaf", &revocations{leafOnly: true, lists: []*x509.RevocationList{list(ca, nil, leaf)}}, false},
		{"of another", &revocations{lists: []*x509.RevocationList{list(other, nil)}}, false},
		{"old", &revocations{lists: []*x509.RevocationList{list(ca, func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Minute) })}}, false},
		{"old, optional", &revocations{optional: true, lists: []*x509.RevocationList{list(ca, func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Minute) })}}, false},
		{"forged", &revocations{lists: []*x509.RevocationList{list(ca, func(l *x509.RevocationList) { l.Signature[20] ^= 1 })}}, false},
	} {
		if err := tt.r.check(chain); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzCipherSuites(f *testing.F) {
	for _, s := range cipherStrings {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ids, _ := cipherSuites(s)
		for _, id := range ids {
			if name, _ := CipherName(id); !slices.ContainsFunc(suites, func(k suite) bool { return k.name == name }) {
				t.Errorf("%x is no suite of the table", id)
			}
		}
		protocolRange(s)
	})
}

// TestHTTPSOnly: without SSLEngine a virtual host is TLS when its very address is
// one that Listen gives to https, as tried with httpd 2.4.71.
func TestHTTPSOnly(t *testing.T) {
	dir := t.TempDir()
	interop.NewAuthority(t, dir, "ca").Issue(t, interop.Leaf{Name: "a"})
	const cert = "SSLCertificateFile a.pem\nSSLCertificateKeyFile a.key\n"
	for _, tt := range []struct {
		listen, address, lines string
		want                   bool
	}{
		{"8443 https", "*:8443", cert, true},
		{"443", "*:443", cert, true},
		{"443 http", "*:443", cert, false},
		{"8443", "*:8443", cert, false},
		{"443", "*:443", "", false},
		{"127.0.0.1:8443 https", "127.0.0.1:8443", cert, true},
		{"127.0.0.1:8443 https", "*:8443", cert, false},
		{"8443 https", "127.0.0.1:8443", cert, false},
		{"8443 https", "_default_:8443", cert, false},
		{"443", "*:443", cert + "SSLEngine off", false},
		{"8443", "*:8443", cert + "SSLEngine on", true},
	} {
		f := front(t, fmt.Sprintf("ServerRoot %q\nListen %s\nLoadModule ssl_module x\n<VirtualHost %s>\nServerName a\n%s\n</VirtualHost>\n", dir, tt.listen, tt.address, tt.lines))
		out, err := New(f)
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
		} else if got := out.Servers[f.VHosts[0]].Engine; got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
