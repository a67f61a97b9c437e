package tlsconf

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"clowder/parse/model"
)

// verifier checks the chain of a peer.
type verifier struct {
	mode  Verify
	depth int // certificates between the peer's and the last one, and that one
	ca    *authorities
	crl   *revocations
	usage x509.ExtKeyUsage
}

// Errors of a peer's certificate.
var (
	ErrNoPeerCert = errors.New("no certificate")
	ErrDepth      = errors.New("certificate chain too long")
	ErrRevoked    = errors.New("certificate is revoked")
	ErrNoCRL      = errors.New("no valid list of revocations of the issuer")
)

// check verifies a peer's certificates, its own one first.
func (v *verifier) check(certs []*x509.Certificate) error {
	if v.mode == VerifyNone {
		return nil
	}
	if len(certs) == 0 {
		if v.mode == VerifyRequire {
			return ErrNoPeerCert
		}
		return nil
	}
	inters := v.ca.inters
	if len(certs) > 1 {
		inters = inters.Clone()
		for _, c := range certs[1:] {
			inters.AddCert(c)
		}
	}
	leaf := certs[0]
	if err := usable(leaf, v.usage); err != nil {
		return err
	}
	chains, err := leaf.Verify(x509.VerifyOptions{Roots: v.ca.roots, Intermediates: inters, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{v.usage}})
	if err != nil {
		var unknown x509.UnknownAuthorityError
		if v.mode == VerifyOptionalNoCA && errors.As(err, &unknown) {
			return nil
		}
		return err
	}
	err = ErrDepth
	for _, chain := range chains {
		if len(chain)-1 > v.depth {
			continue
		}
		if err = v.crl.check(chain); err == nil {
			return nil
		}
	}
	return err
}

// usable asks for the usage by name, as OpenSSL does: "any" does not stand for it.
func usable(c *x509.Certificate, usage x509.ExtKeyUsage) error {
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return nil
	}
	for _, u := range c.ExtKeyUsage {
		if u == usage {
			return nil
		}
	}
	return x509.CertificateInvalidError{Cert: c, Reason: x509.IncompatibleUsage}
}

// revocations are the lists of SSLCARevocationFile and SSLCARevocationPath.
type revocations struct {
	leafOnly bool
	optional bool // no_crl_for_cert_ok
	lists    []*x509.RevocationList
}

// revocations reads the lists; nil without SSLCARevocationCheck: httpd 2.4 then
// does not look at them.
func (b *builder) revocations(prefix string, v *model.Server, fileName model.String, ca *authorities) *revocations {
	d := b.lookup(prefix+"CARevocationCheck", v)
	if d == nil || strings.EqualFold(d.Arg(0), "none") {
		return nil
	}
	r := &revocations{leafOnly: strings.EqualFold(d.Arg(0), "leaf")}
	for _, a := range d.Args[1:] {
		r.optional = r.optional || strings.EqualFold(a.V, "no_crl_for_cert_ok")
	}
	if fileName.V == "" {
		if e := b.lookup(prefix+"CARevocationFile", v); e != nil && len(e.Args) > 0 {
			fileName = e.Args[0]
		}
	}
	if fileName.V != "" {
		data, err := b.read(fileName.V)
		if err == nil {
			err = r.add(data)
		}
		if err != nil {
			b.fail(fileName.Place(), "list of revocations %s: %w", fileName.V, err)
		}
	}
	if e := b.lookup(prefix+"CARevocationPath", v); e != nil {
		if err := b.each(e.Arg(0), true, r.add); err != nil {
			b.fail(where(e), "lists of revocations %s: %w", e.Arg(0), err)
		}
	}
	return r
}

func (r *revocations) add(data []byte) error {
	ders := pemBlocks(data, "X509 CRL")
	if len(ders) == 0 {
		return errors.New("it holds no list of revocations")
	}
	for _, der := range ders {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return err
		}
		r.lists = append(r.lists, l)
	}
	return nil
}

// check looks each certificate up in the lists of its issuer; the last one of the
// chain is its own issuer and is looked up as well, as OpenSSL does.
func (r *revocations) check(chain []*x509.Certificate) error {
	if r == nil {
		return nil
	}
	for i, c := range chain {
		if i > 0 && r.leafOnly {
			return nil
		}
		issuer := chain[min(i+1, len(chain)-1)]
		if err := r.one(c, issuer); err != nil {
			return err
		}
	}
	return nil
}

func (r *revocations) one(c, issuer *x509.Certificate) error {
	found, now := false, time.Now()
	for _, l := range r.lists {
		if string(l.RawIssuer) != string(issuer.RawSubject) || l.CheckSignatureFrom(issuer) != nil {
			continue
		}
		if now.Before(l.ThisUpdate) || !l.NextUpdate.IsZero() && now.After(l.NextUpdate) {
			return fmt.Errorf("%w: the list of %s is of another time", ErrNoCRL, issuer.Subject)
		}
		found = true
		for _, e := range l.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return fmt.Errorf("%w: serial %X", ErrRevoked, c.SerialNumber)
			}
		}
	}
	if !found && !r.optional {
		return fmt.Errorf("%w: %s", ErrNoCRL, issuer.Subject)
	}
	return nil
}
