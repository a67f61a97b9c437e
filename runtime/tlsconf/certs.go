package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// file is a file name and where it is written.
type file struct {
	name string
	at   diag.Span
}

// material is a file that was read, with its error.
type material struct {
	data []byte
	err  error
}

// read reads a file once for each compilation.
func (b *builder) read(name string) ([]byte, error) {
	m := b.files[name]
	if m == nil {
		m = &material{}
		m.data, m.err = os.ReadFile(b.path(name))
		b.files[name] = m
	}
	return m.data, m.err
}

// certFiles lists the certificates and keys of a server. Those of a virtual host
// replace the main server's one by one (modssl_ctx_cfg_merge_certkeys_array).
func (b *builder) certFiles(v *model.Server) (certs, keys []file) {
	own := func(s *model.Server, name string, first func(*model.TLS) model.String) []file {
		var out []file
		if s.TLS != nil {
			if f := first(s.TLS); f.IsSet() {
				out = append(out, file{f.V, f.Place()})
			}
		}
		for _, d := range extras(name, s) {
			out = append(out, file{d.Arg(0), where(d)})
		}
		return out
	}
	merged := func(name string, first func(*model.TLS) model.String) []file {
		list := own(v, name, first)
		if v == b.main {
			return list
		}
		if base := own(b.main, name, first); len(base) > len(list) {
			list = append(list, base[len(list):]...)
		}
		return list
	}
	certs = merged("SSLCertificateFile", func(t *model.TLS) model.String { return t.CertFile })
	keys = merged("SSLCertificateKeyFile", func(t *model.TLS) model.String { return t.KeyFile })
	return certs, keys
}

// certificates loads the pairs; a certificate without a key file holds its key
// itself (ssl_init_server_certs).
func (b *builder) certificates(certs, keys []file, chain model.String) []tls.Certificate {
	var out []tls.Certificate
	for i, c := range certs {
		k := c
		if i < len(keys) {
			k = keys[i]
		}
		pair, err := b.pair(c, k)
		if err != nil {
			b.errs = append(b.errs, err)
			continue
		}
		out = append(out, pair)
	}
	if chain.V != "" && len(out) > 0 {
		data, err := b.read(chain.V)
		if err != nil {
			b.fail(chain.Place(), "SSLCertificateChainFile cannot be read: %w", err)
			return nil
		}
		ders := pemBlocks(data, "CERTIFICATE")
		if len(ders) == 0 {
			b.fail(chain.Place(), "SSLCertificateChainFile %s holds no certificate", chain.V)
		}
		for _, der := range ders {
			if !bytes.Equal(der, out[0].Certificate[0]) {
				out[0].Certificate = append(out[0].Certificate, der)
			}
		}
	}
	return out
}

func (b *builder) pair(c, k file) (tls.Certificate, error) {
	place := func(at diag.Span, err error) error {
		if at.File == nil {
			return err
		}
		return fmt.Errorf("%s: %w", at, err)
	}
	certPEM, err := b.read(c.name)
	if err != nil {
		return tls.Certificate{}, place(c.at, fmt.Errorf("the certificate cannot be read: %w", err))
	}
	keyPEM, err := b.read(k.name)
	if err != nil {
		return tls.Certificate{}, place(k.at, fmt.Errorf("the key cannot be read: %w", err))
	}
	if encrypted(keyPEM) {
		return tls.Certificate{}, place(k.at, fmt.Errorf("the key in %s needs a pass phrase; clowder run asks for none: store it without one, readable for its user only", k.name))
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return tls.Certificate{}, place(k.at, fmt.Errorf("certificate %s and key %s: %w", c.name, k.name, err))
	}
	return pair, nil
}

// encrypted reports whether the private key is protected by a pass phrase.
func encrypted(data []byte) bool {
	for {
		var p *pem.Block
		if p, data = pem.Decode(data); p == nil {
			return false
		}
		if p.Type == "ENCRYPTED PRIVATE KEY" || strings.HasSuffix(p.Type, "PRIVATE KEY") && strings.Contains(p.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
	}
}

// pemBlocks returns the contents of the blocks of a type, "TRUSTED" ones not.
func pemBlocks(data []byte, kind string) [][]byte {
	var out [][]byte
	for {
		var p *pem.Block
		if p, data = pem.Decode(data); p == nil {
			return out
		}
		if p.Type == kind {
			out = append(out, p.Bytes)
		}
	}
}

// selfSigned reports whether a certificate is its own issuer: only those end a
// chain for OpenSSL, while crypto/x509 would end it at any trusted one.
func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// authorities are certificates of authorities as OpenSSL uses them.
type authorities struct {
	roots, inters *x509.CertPool
	names         *x509.CertPool // for the names that a server sends
	all           []*x509.Certificate
}

func newAuthorities() *authorities {
	return &authorities{roots: x509.NewCertPool(), inters: x509.NewCertPool(), names: x509.NewCertPool()}
}

func (a *authorities) add(c *x509.Certificate) {
	a.all = append(a.all, c)
	a.names.AddCert(c)
	if selfSigned(c) {
		a.roots.AddCert(c)
	} else {
		a.inters.AddCert(c)
	}
}

// authorities reads a file and a directory of certificates. Without either the
// result trusts nobody.
func (b *builder) authorities(fileName, dir model.String) *authorities {
	a := newAuthorities()
	if fileName.V != "" {
		data, err := b.read(fileName.V)
		if err == nil {
			err = a.addPEM(data)
		}
		if err != nil {
			b.fail(fileName.Place(), "certificates of authorities, %s: %w", fileName.V, err)
		}
	}
	if dir.V != "" {
		if err := b.each(dir.V, false, a.addPEM); err != nil {
			b.fail(dir.Place(), "certificates of authorities, %s: %w", dir.V, err)
		}
	}
	return a
}

var errNoCertificate = errors.New("it holds no certificate")

func (a *authorities) addPEM(data []byte) error {
	ders := pemBlocks(data, "CERTIFICATE")
	if len(ders) == 0 {
		return errNoCertificate
	}
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		a.add(c)
	}
	return nil
}

// each gives the files of a directory that OpenSSL would find there: those with
// the hash of a name and a number.
func (b *builder) each(dir string, crl bool, use func([]byte) error) error {
	list, err := os.ReadDir(b.path(dir))
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.IsDir() || !hashed(e.Name(), crl) {
			continue
		}
		data, err := b.read(filepath.Join(dir, e.Name()))
		if err == nil {
			err = use(data)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

// hashed reports whether a file has a name as c_rehash gives: eight hexadecimal
// digits, a dot, for lists of revocation an r, and digits.
func hashed(name string, crl bool) bool {
	hash, num, ok := strings.Cut(name, ".")
	if crl && ok {
		num, ok = strings.CutPrefix(num, "r")
	}
	digits := func(s, set string) bool {
		return s != "" && !slices.ContainsFunc([]byte(s), func(c byte) bool { return strings.IndexByte(set, c) < 0 })
	}
	return ok && len(hash) == 8 && digits(hash, "0123456789abcdef") && digits(num, "0123456789")
}
