package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var frontSerial int64

// issue makes a certificate; by nil makes a root. isCA makes an authority.
func issue(t *testing.T, by *authority, name string, isCA bool) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	frontSerial++
	template := &x509.Certificate{SerialNumber: big.NewInt(frontSerial), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: isCA, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	if isCA {
		template.KeyUsage, template.ExtKeyUsage, template.DNSNames = x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil, nil
	}
	signer := &authority{template, key}
	if by != nil {
		signer = by
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, &key.PublicKey, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}
}

// pair is the certificate with those above it.
func (a *authority) pair(above ...*authority) *tls.Certificate {
	out := &tls.Certificate{Certificate: [][]byte{a.cert.Raw}, PrivateKey: a.key}
	for _, x := range above {
		out.Certificate = append(out.Certificate, x.cert.Raw)
	}
	return out
}

func writePEM(t *testing.T, file, kind string, der []byte) string {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := pem.Encode(f, &pem.Block{Type: kind, Bytes: der}); err != nil {
		t.Fatal(err)
	}
	return file
}

// tlsFronts are configurations with client certificates: @SITE@ stands for a
// certificate for the virtual host, @DIR@ for the folder of the others.
// Those with open have to let everybody in whom httpd lets in.
var tlsFronts = []struct {
	name, shut string
	open       bool
}{
	{"one demands", "SSLVerifyClient require\nSSLCACertificateFile @DIR@/root.pem\n", true},
	{"longer chains", "SSLVerifyClient require\nSSLVerifyDepth 2\nSSLCACertificateFile @DIR@/root.pem\n", true},
	{"optional", "SSLVerifyClient optional\nSSLCACertificateFile @DIR@/root.pem\n", false},
	{"revoked", "SSLVerifyClient require\nSSLCACertificateFile @DIR@/root.pem\nSSLCARevocationFile @DIR@/crl.pem\nSSLCARevocationCheck chain\n", true},
	{"revoked by folder", "SSLVerifyClient require\nSSLCACertificateFile @DIR@/root.pem\nSSLCARevocationPath @DIR@/crls\nSSLCARevocationCheck leaf\n", false},
	{"OCSP", "SSLVerifyClient require\nSSLCACertificateFile @DIR@/root.pem\nSSLOCSPEnable on\nSSLOCSPDefaultResponder http://127.0.0.1:1/\nSSLOCSPOverrideResponder on\n", false},
	{"authorities by folder", "SSLVerifyClient require\nSSLCACertificatePath @DIR@/crls\n", false},
}

// question is a request: the name in the handshake, the Host header, the number of
// the certificate.
type question struct {
	sni, host string
	cert      int
}

type answer struct {
	status int
	saw    sight
}

// admits reports whether httpd lets a client to the member with that certificate, as
// that user or as a better known one, when it names the host in the handshake, too.
func admits(want map[question]answer, q question, saw sight) bool {
	a := want[q].saw
	return saw.member == "" || saw.member == a.member && (saw.user == a.user || saw.user == "NONE" || saw.user == "")
}

// boundless reports whether the notes say as a loss of security that chains of
// certificates may have any length.
func boundless(t *testing.T, name, conf string) bool {
	t.Helper()
	for _, n := range notesOf(t, name, conf) {
		if n.Security && strings.HasPrefix(n.Fact, "SSLVerify") && (strings.Contains(n.Message, "depth of chains") || strings.Contains(n.Message, "length of a chain")) {
			return true
		}
	}
	return false
}

// TestClientCertificatesNeverMoreOpen: three virtual hosts of a socket, of which one
// asks clients for a certificate of one authority and another for one of another.
// Whoever httpd keeps out, by whatever name in the handshake and the Host header, is
// kept out by the real programs with what clowder made of the same configuration.
func TestClientCertificatesNeverMoreOpen(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, other := issue(t, nil, "root", true), issue(t, nil, "other", true)
	between := issue(t, root, "between", true)
	good, revoked, far, foreign := issue(t, root, "good", false), issue(t, root, "revoked", false), issue(t, between, "far", false), issue(t, other, "foreign", false)
	writePEM(t, filepath.Join(dir, "root.pem"), "CERTIFICATE", root.cert.Raw)
	writePEM(t, filepath.Join(dir, "other.pem"), "CERTIFICATE", other.cert.Raw)
	crl, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: revoked.cert.SerialNumber, RevocationTime: time.Now().Add(-time.Hour)}}}, root.cert, root.key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "crl.pem"), "X509 CRL", crl)
	if err := os.Mkdir(filepath.Join(dir, "crls"), 0o755); err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "crls", "ca.pem"), "CERTIFICATE", root.cert.Raw)
	for _, name := range []string{"open.example", "shut.example", "third.example"} {
		site := issue(t, nil, name, false)
		key, err := x509.MarshalPKCS8PrivateKey(site.key)
		if err != nil {
			t.Fatal(err)
		}
		writePEM(t, filepath.Join(dir, name), "CERTIFICATE", site.cert.Raw)
		writePEM(t, filepath.Join(dir, name), "PRIVATE KEY", key)
	}
	w := &witness{}
	site := "<VirtualHost *:@PORT@>\nServerName %[1]s\nSSLEngine on\nSSLCertificateFile @DIR@/%[1]s\n%[2]sRequestHeader set X-Remote-User \"%%{SSL_CLIENT_VERIFY}s\"\nProxyPass / http://@%[3]s@/\n</VirtualHost>\n"
	members := []string{"@A@", w.member(t, "A"), "@B@", w.member(t, "B"), "@C@", w.member(t, "C"), "@DIR@", dir}
	head := "DocumentRoot $ROOT\n"
	for mod := range strings.FieldsSeq(closedModules) {
		head += fmt.Sprintf("LoadModule %s_module $MODULES/mod_%s.so\n", mod, mod)
	}
	certs := []struct {
		name string
		pair *tls.Certificate
	}{{"none", nil}, {"good", good.pair()}, {"revoked", revoked.pair()}, {"far", far.pair(between)}, {"foreign", foreign.pair()}}
	names := []string{"open.example", "shut.example", "third.example", "nobody.example"}
	servers := append([]frontServer{{"caddy", startCaddy}}, frontServers...)
	for _, c := range tlsFronts {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			ports := FreePorts(t, 1+len(servers))
			conf := func(port int) string {
				text := "Listen 127.0.0.1:@PORT@ https\nServerName main.example\n" + fmt.Sprintf(site, "open.example", "", "A") + fmt.Sprintf(site, "shut.example", c.shut, "B") +
					fmt.Sprintf(site, "third.example", "SSLVerifyClient require\nSSLCACertificateFile @DIR@/other.pem\n", "C")
				return strings.NewReplacer(append(members, "@PORT@", strconv.Itoa(port))...).Replace(text)
			}
			StartHTTPD(t, ports[0], head+conf(ports[0]))
			try := func(port int, sni, host string, cert *tls.Certificate) (int, sight) {
				conf := &tls.Config{InsecureSkipVerify: true, ServerName: sni, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					if cert == nil {
						return &tls.Certificate{}, nil
					}
					return cert, nil
				}}
				conn := tls.Client(dialFront(t, port), conf)
				return exchange(t, conn, "GET / HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\nX-Remote-User: evil\r\n\r\n"), w.take()
			}
			var questions []question
			want := map[question]answer{}
			for _, sni := range names {
				for _, host := range names {
					for i, cert := range certs {
						status, saw := try(ports[0], sni, host, cert.pair)
						q := question{sni, host, i}
						questions, want[q] = append(questions, q), answer{status, saw}
					}
				}
			}
			for i, s := range servers {
				stop := s.start(t, convertTo(t, s.target, conf(ports[i+1])), ports[i+1])
				unbounded := boundless(t, s.target, conf(ports[i+1]))
				for _, q := range questions {
					status, saw := try(ports[i+1], q.sni, q.host, certs[q.cert].pair)
					if !admits(want, question{q.host, q.host, q.cert}, saw) && !admits(want, question{q.host, q.host, 0}, saw) &&
						!(saw.member == "A" && q.host != "shut.example" && q.host != "third.example") && !(unbounded && certs[q.cert].name == "far") {
						t.Errorf("%s: handshake for %s, host %s, certificate %s: %d %+v, httpd %d %+v", s.target, q.sni, q.host, certs[q.cert].name, status, saw, want[q].status, want[q].saw)
					}
					if c.open && !(s.target == "caddy" && strings.Contains(c.shut, "Revocation")) && q.sni == q.host && q.host == "shut.example" && want[q].saw.member != "" && saw.member == "" {
						t.Errorf("%s: certificate %s does not get in: %d", s.target, certs[q.cert].name, status)
					}
					if strings.Contains(saw.user, "evil") {
						t.Errorf("%s: the client's user is taken: %+v", s.target, saw)
					}
				}
				if status, saw := try(ports[i+1], "open.example", "open.example", nil); saw.member != "A" {
					t.Errorf("%s: the open host does not answer: %d", s.target, status)
				}
				stop()
			}
		})
	}
}
