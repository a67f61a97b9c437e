package tlsconf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// tls13Ciphers is what SSLCipherSuite TLSv1.3 allows on a server, "" without it.
func (b *builder) tls13Ciphers(v *model.Server) string {
	if d := thirteen("SSLCipherSuite", v, b.main); d != nil {
		return d.Arg(1)
	}
	return ""
}

func thirteen(name string, list ...*model.Server) *model.Directive {
	for _, s := range list {
		for _, d := range slices.Backward(extras(name, s)) {
			if strings.EqualFold(d.Arg(0), "TLSv1.3") {
				return d
			}
		}
	}
	return nil
}

// refused are directives of mod_ssl that make connections stricter and that are not
// carried out: what they are worth when they are not off.
var refused = map[string]string{
	"sslocspenable": "certificates of clients are not asked for by OCSP", "sslfips": "this is no FIPS build",
	"sslsrpverifierfile": "SRP is not spoken", "sslproxymachinecertificatepath": "only SSLProxyMachineCertificateFile is read",
	"sslproxymachinecertificatechainfile": "only SSLProxyMachineCertificateFile is read", "sslcadnrequestpath": "only SSLCADNRequestFile is read",
	"sslusername": "the user's name is not taken from the certificate",
}

// Check lists what of the setup would be weaker than in httpd, each with its place:
// such a front end must not be started. It reads no files.
func Check(f *model.FrontEnd) []error {
	k := &checker{f: f, main: f.Main}
	if k.main == nil {
		k.main = &model.Server{}
	}
	for _, s := range servers(f) {
		k.server(s)
		for _, sec := range s.Sections {
			k.section(s, sec)
		}
	}
	return k.errs
}

type checker struct {
	f    *model.FrontEnd
	main *model.Server
	errs []error
}

func (k *checker) fail(at diag.Span, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if at.File != nil {
		err = fmt.Errorf("%s: %w", at, err)
	}
	k.errs = append(k.errs, err)
}

func (k *checker) server(v *model.Server) {
	if t := v.TLS; t != nil {
		if strings.EqualFold(t.Engine.V, "optional") {
			k.fail(t.Engine.Place(), "SSLEngine optional: clowder run does not upgrade connections to TLS")
		}
		if strings.EqualFold(t.VerifyClient.V, "optional_no_ca") {
			k.fail(t.VerifyClient.Place(), "SSLVerifyClient optional_no_ca is not supported by clowder run")
		}
		if strings.Contains(t.Options.V, "FakeBasicAuth") && !strings.Contains(t.Options.V, "-FakeBasicAuth") {
			k.fail(t.Options.Place(), "SSLOptions FakeBasicAuth: clowder run does not take users from certificates")
		}
		for _, c := range []struct {
			name string
			v    model.String
		}{{"SSLCipherSuite", t.CipherSuite}, {"SSLProxyCipherSuite", t.ProxyCiphers}} {
			if _, word := cipherSuites(c.v.V); word != "" {
				k.fail(c.v.Place(), "%s: crypto/tls has no way to do what %s asks for", c.name, word)
			}
		}
	}
	for _, d := range v.Settings.Extras {
		k.directive(v, d)
	}
}

// directive judges a directive of mod_ssl that stands in a server.
func (k *checker) directive(v *model.Server, d *model.Directive) {
	name := strings.ToLower(d.Name.V)
	if why := refused[name]; why != "" && !strings.EqualFold(d.Arg(0), "off") {
		k.fail(where(d), "%s %s: %s by clowder run", d.Name.V, d.Arg(0), why)
		return
	}
	switch name {
	case "sslciphersuite", "sslproxyciphersuite":
		if strings.EqualFold(d.Arg(0), "TLSv1.3") && k.speaks13(v, name) {
			for _, c := range tls13 {
				if !slices.Contains(strings.FieldsFunc(d.Arg(1), func(r rune) bool { return r == ':' || r == ' ' || r == ',' }), c) {
					k.fail(where(d), "%s TLSv1.3 leaves %s out: crypto/tls offers every cipher of TLS 1.3; take the line away, or TLSv1.3 out of the protocols", d.Name.V, c)
					return
				}
			}
		}
	case "sslopensslconfcmd":
		switch strings.ToLower(d.Arg(0)) {
		case "curves", "groups", "ecdhparameters", "dhparameters":
		case "options":
			for o := range strings.FieldsFuncSeq(d.Arg(1), func(r rune) bool { return r == ',' || r == ' ' }) {
				if !slices.Contains(harmless, strings.ToLower(strings.TrimLeft(o, "+-"))) {
					k.fail(where(d), "SSLOpenSSLConfCmd Options %s is not carried out by clowder run", o)
				}
			}
		default:
			k.fail(where(d), "SSLOpenSSLConfCmd %s is not carried out by clowder run", d.Arg(0))
		}
	}
}

// harmless are options of OpenSSL that crypto/tls has anyway or that weaken nothing
// when they are not there.
var harmless = []string{"sessionticket", "compression", "emptyfragments", "bugs", "dhsingle", "ecdhsingle", "serverpreference",
	"norenegotiation", "noresumptiononrenegotiation", "unsafelegacyrenegotiation", "clientrenegotiation", "prioritizechacha", "middleboxcompat", "ktls"}

// speaks13 reports whether TLS 1.3 is among the protocols.
func (k *checker) speaks13(v *model.Server, name string) bool {
	t := k.f.Effective(v).TLS
	if t == nil {
		return true
	}
	text := t.Protocol.V
	if strings.Contains(name, "proxy") {
		text = t.ProxyProtocol.V
	}
	_, hi, _ := protocolRange(text)
	return hi == 0 || hi == versions[len(versions)-1].v
}

// section judges what mod_ssl is told in a Location or Proxy.
func (k *checker) section(v *model.Server, sec *model.Section) {
	for _, d := range sec.Settings.Extras {
		name := strings.ToLower(d.Name.V)
		switch {
		case d.Section.V || !strings.HasPrefix(name, "ssl"):
		case name == "sslrequiressl", name == "sslrenegbuffersize", name == "ssloptions":
		case name == "sslverifyclient":
			if err := k.sectionVerify(v, d.Arg(0)); err != nil {
				k.fail(where(d), "SSLVerifyClient %s in <%s %s>: %w", d.Arg(0), sec.Kind.V, sec.Path.V, err)
			}
		case name == "sslrequire":
			// told where access rules are
		default:
			k.fail(where(d), "%s in <%s %s>: clowder run takes it in a virtual host only", d.Name.V, sec.Kind.V, sec.Path.V)
		}
	}
}

// sectionVerify: a client is asked once, in the handshake, so a section can insist
// on a certificate only where every TLS server with that section asks for one.
func (k *checker) sectionVerify(v *model.Server, mode string) error {
	if strings.EqualFold(mode, "none") {
		return nil // the stronger one of both counts
	}
	if strings.EqualFold(mode, "optional_no_ca") {
		return errors.New("it is not supported by clowder run")
	}
	for _, s := range servers(k.f) {
		if s != v && v != k.main {
			continue
		}
		t := k.f.Effective(s).TLS
		if t == nil || t.Engine.IsSet() && strings.EqualFold(t.Engine.V, "off") || !t.Engine.IsSet() && !t.CertFile.IsSet() {
			continue // no TLS: httpd does not look at the directive
		}
		if verifyOf(t.VerifyClient.V) == VerifyNone {
			return errors.New("clowder run asks for certificates in the handshake only; write SSLVerifyClient optional into the virtual host")
		}
	}
	return nil
}

// Section is what mod_ssl asks of requests for one Location or Proxy.
type Section struct {
	RequireTLS  bool // SSLRequireSSL
	RequireCert bool // SSLVerifyClient require
	Cert        bool // SSLVerifyClient is set at all
	Options     string
}

// Over returns the settings of a section put over those of an earlier one.
func (s *Section) Over(earlier *Section) *Section {
	if s == nil || earlier == nil {
		if s == nil {
			return earlier
		}
		return s
	}
	out := *s
	out.RequireTLS = s.RequireTLS || earlier.RequireTLS
	if !s.Cert {
		out.Cert, out.RequireCert = earlier.Cert, earlier.RequireCert
	}
	out.Options = strings.TrimSpace(earlier.Options + " " + s.Options)
	return &out
}

// SectionOf reads the directives of a section; nil when mod_ssl is told nothing.
func SectionOf(s *model.Settings) *Section {
	var out Section
	for _, d := range s.Extras {
		if d.Section.V {
			continue
		}
		switch strings.ToLower(d.Name.V) {
		case "sslrequiressl":
			out.RequireTLS = true
		case "sslverifyclient":
			out.Cert, out.RequireCert = true, strings.EqualFold(d.Arg(0), "require")
		case "ssloptions":
			for _, a := range d.Args {
				out.Options = strings.TrimSpace(out.Options + " " + a.V)
			}
		}
	}
	if out == (Section{}) {
		return nil
	}
	return &out
}

// Done reports whether the rule of the place is one that a section enforces, or that
// Check judges. Only what stands directly in a section or server counts: inside of
// <If>, <Limit> or <Directory> nobody looks at it.
func Done(f *model.FrontEnd, at diag.Span) bool {
	is := func(list []*model.Directive, names ...string) bool {
		return slices.ContainsFunc(list, func(d *model.Directive) bool {
			return !d.Section.V && d.At.File == at.File && d.At.End == at.End && slices.Contains(names, strings.ToLower(d.Name.V))
		})
	}
	for _, s := range servers(f) {
		for _, sec := range s.Sections {
			if is(sec.Settings.Extras, "sslrequiressl", "sslverifyclient") {
				return true
			}
		}
	}
	return false
}
