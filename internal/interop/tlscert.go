package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates for tests.
type Authority struct {
	Cert *x509.Certificate
	key  crypto.Signer
	dir  string
	n    int64
}

// Leaf says what a certificate is to hold.
type Leaf struct {
	Name    string   // of the files NAME.pem and NAME.key, and the common name
	DNS     []string // names, instead of Name
	CN      string   // common name, instead of Name
	RSA     bool     // an RSA key instead of one on P-256
	Expired bool
	Client  bool // for clients, not for servers
	CA      bool
	IPs     []net.IP
}

// NewAuthority makes an authority and writes NAME.pem into dir.
func NewAuthority(t testing.TB, dir, name string) *Authority {
	t.Helper()
	a := &Authority{dir: dir}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	tmpl := a.template(Leaf{Name: name, CA: true})
	a.Cert = tmpl
	a.Cert = a.sign(t, tmpl, key)
	a.write(t, name+".pem", "CERTIFICATE", a.Cert.Raw)
	return a
}

func (a *Authority) template(l Leaf) *x509.Certificate {
	a.n++
	cn := l.CN
	if cn == "" {
		cn = l.Name
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano() + a.n), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		Subject: pkix.Name{CommonName: cn, Organization: []string{"Test"}, Country: []string{"DE"}}, DNSNames: l.DNS, IPAddresses: l.IPs,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	if l.Expired {
		c.NotAfter = time.Now().Add(-24 * time.Hour)
	}
	if l.Client {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if l.CA {
		c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil
	}
	return c
}

func (a *Authority) sign(t testing.TB, tmpl *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.Cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (a *Authority) write(t testing.TB, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Issue makes a certificate, writes NAME.pem and NAME.key and returns the pair.
func (a *Authority) Issue(t testing.TB, l Leaf) tls.Certificate {
	t.Helper()
	var key crypto.Signer
	var err error
	if l.RSA {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := a.sign(t, a.template(l), key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, l.Name+".pem", "CERTIFICATE", c.Raw)
	a.write(t, l.Name+".key", "PRIVATE KEY", der)
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}
}

// Sub makes an authority below this one; its certificate is NAME.pem.
func (a *Authority) Sub(t testing.TB, name string) *Authority {
	t.Helper()
	pair := a.Issue(t, Leaf{Name: name, CA: true})
	return &Authority{Cert: pair.Leaf, key: pair.PrivateKey.(crypto.Signer), dir: a.dir}
}

// Revoke writes a list of revocations as the named file.
func (a *Authority) Revoke(t testing.TB, name string, certs ...*x509.Certificate) {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range certs {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, a.Cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name, "X509 CRL", der)
}
