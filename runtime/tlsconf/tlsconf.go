// Package tlsconf turns what mod_ssl is told into settings of crypto/tls: the
// certificates, protocols and client checks of each virtual host, and what members
// behind https:// are asked for.
//
// The rules are those of modules/ssl in httpd 2.4 (ssl_engine_config.c,
// ssl_engine_init.c, ssl_engine_kernel.c, ssl_engine_io.c), as httpd 2.4.71 with
// OpenSSL 3.0 carries them out. What crypto/tls cannot do and would leave a setup
// weaker is refused by [Check]; what gets stricter is told in Notes.
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// Verify is SSLVerifyClient or SSLProxyVerify.
type Verify uint8

// The ways to verify a peer. OptionalNoCA is for backends only.
const (
	VerifyNone Verify = iota
	VerifyOptional
	VerifyRequire
	VerifyOptionalNoCA
)

func verifyOf(s string) Verify {
	switch strings.ToLower(s) {
	case "optional":
		return VerifyOptional
	case "require":
		return VerifyRequire
	case "optional_no_ca":
		return VerifyOptionalNoCA
	}
	return VerifyNone
}

// Server are the settings of one virtual host or of the main server. It does not
// change after it was made and may be used by many goroutines.
type Server struct {
	Engine  bool // connections that this server is the base of are TLS
	Strict  bool // SSLStrictSNIVHostCheck
	Verify  Verify
	Depth   int
	Options Options
	H2, H2C bool // of Protocols

	key     string // what two servers must have in common: see Compatible
	authKey string
	leaf    *x509.Certificate // of the first certificate
	config  *tls.Config
	protos  []string // of ALPN, best first
}

// Options is SSLOptions.
type Options struct {
	StdEnvVars, ExportCertData, StrictRequire, LegacyDN bool
}

// Config returns the settings of a handshake. A client whose ALPN names no protocol
// of the server gets no connection, as from httpd.
func (s *Server) Config() *tls.Config { return s.config }

// Policy is SSLVHostSNIPolicy of httpd 2.4.66 and later: what the virtual hosts of
// the handshake and of the request must have in common.
type Policy uint8

// The policies.
const (
	PolicySecure Policy = iota
	PolicyStrict
	PolicyAuthOnly
	PolicyInsecure
)

// Compatible reports whether a request for server b may be answered on a
// connection whose handshake was made for a.
func (p Policy) Compatible(a, b *Server) bool {
	switch {
	case a == b:
		return true
	case p == PolicyInsecure:
		return true
	case a == nil || b == nil || p == PolicyStrict:
		return false
	case p == PolicyAuthOnly:
		return a.authKey == b.authKey
	}
	return a.key == b.key
}

// Asked reports whether a handshake made for another server asked the client for
// what this one wants to know of it: the certificate cannot be asked for later.
func (s *Server) Asked(handshake *Server) bool { return s.Verify <= handshake.Verify }

// Front are the TLS settings of a whole front end.
type Front struct {
	Policy  Policy
	Servers map[*model.Server]*Server
	Proxies map[*model.Server]*Backend
	// MaxStreams is the least H2MaxSessionStreams, 0 without one.
	MaxStreams int
	Notes      []Note // what is stricter than in httpd, or left out
}

// Note is a remark about a setting.
type Note struct {
	Span diag.Span
	Text string
}

func (n Note) String() string {
	if n.Span.File == nil {
		return n.Text
	}
	return n.Span.String() + ": " + n.Text
}

// Log writes the notes as warnings.
func (f *Front) Log(log *slog.Logger) {
	for _, n := range f.Notes {
		log.Warn("TLS: " + n.String())
	}
}

// New compiles the TLS settings of a front end and reads its certificates. The
// error names each place that cannot be carried out. Calling it again reads the
// files again. nil without an error is a front end without TLS of any kind.
func New(f *model.FrontEnd) (*Front, error) {
	out := &Front{Servers: map[*model.Server]*Server{}, Proxies: map[*model.Server]*Backend{}}
	main := f.Main
	if main == nil {
		main = &model.Server{}
	}
	any := Used(f)
	b := &builder{f: f, main: main, out: out, root: f.ServerRoot.V, any: any, files: map[string]*material{}}
	out.Policy = b.policy()
	for _, s := range append([]*model.Server{main}, f.VHosts...) {
		b.server(s)
	}
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	if !any && !out.http2() {
		return nil, nil
	}
	return out, nil
}

func (f *Front) http2() bool {
	for _, s := range f.Servers {
		if s.H2 || s.H2C {
			return true
		}
	}
	return false
}

// Used reports whether anything of mod_ssl is configured.
func Used(f *model.FrontEnd) bool {
	if f.HasModule("ssl_module") {
		return true
	}
	for _, s := range servers(f) {
		if s.TLS != nil {
			return true
		}
	}
	return false
}

func servers(f *model.FrontEnd) []*model.Server {
	out := make([]*model.Server, 0, len(f.VHosts)+1)
	if f.Main != nil {
		out = append(out, f.Main)
	}
	return append(out, f.VHosts...)
}

type builder struct {
	f     *model.FrontEnd
	main  *model.Server
	out   *Front
	root  string
	any   bool
	errs  []error
	files map[string]*material
}

func (b *builder) fail(at diag.Span, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if at.File != nil {
		err = fmt.Errorf("%s: %w", at, err)
	}
	b.errs = append(b.errs, err)
}

func (b *builder) note(at diag.Span, format string, args ...any) {
	n := Note{at, fmt.Sprintf(format, args...)}
	for _, o := range b.out.Notes {
		if o == n {
			return
		}
	}
	b.out.Notes = append(b.out.Notes, n)
}

// path resolves a file name as httpd does, against ServerRoot.
func (b *builder) path(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(b.root, name)
}

func (b *builder) policy() Policy {
	if d := lastExtra("SSLVHostSNIPolicy", b.main); d != nil {
		switch strings.ToLower(d.Arg(0)) {
		case "strict":
			return PolicyStrict
		case "authonly":
			return PolicyAuthOnly
		case "insecure":
			return PolicyInsecure
		}
	}
	return PolicySecure
}

// lastExtra returns the directive of that name that counts: the last one of the
// first server that has it.
func lastExtra(name string, list ...*model.Server) *model.Directive {
	for _, s := range list {
		ds := extras(name, s)
		if len(ds) > 0 {
			return ds[len(ds)-1]
		}
	}
	return nil
}

// extras lists the directives of that name which the model keeps as they stand.
func extras(name string, s *model.Server) []*model.Directive {
	var out []*model.Directive
	for _, d := range s.Settings.Extras {
		if strings.EqualFold(d.Name.V, name) && !d.Section.V {
			out = append(out, d)
		}
	}
	return out
}

func (b *builder) lookup(name string, v *model.Server) *model.Directive {
	return lastExtra(name, v, b.main)
}

// server compiles one server.
func (b *builder) server(v *model.Server) {
	eff := b.f.Effective(v)
	t := eff.TLS
	if t == nil {
		t = &model.TLS{}
	}
	s := &Server{}
	b.out.Servers[v] = s
	b.protocols(s, v)
	if !b.any {
		return
	}
	b.out.Proxies[v] = b.backend(t, v)
	certs, keys := b.certFiles(v)
	s.Engine = strings.EqualFold(t.Engine.V, "on") || !t.Engine.IsSet() && b.httpsOnly(v, certs)
	s.Verify, s.Depth = verifyOf(t.VerifyClient.V), 1
	if s.Verify == VerifyOptionalNoCA {
		s.Verify = VerifyOptional // refused by Check; with --force the stricter one
	}
	if t.VerifyDepth.IsSet() {
		s.Depth = t.VerifyDepth.V
	}
	s.Options = Options{}.with(t.Options.V)
	if d := b.lookup("SSLStrictSNIVHostCheck", v); d != nil {
		s.Strict = strings.EqualFold(d.Arg(0), "on")
	}
	b.keys(s, t, v, certs, keys)
	if s.Engine {
		b.handshake(s, t, v, eff, certs, keys)
	}
}

// keys makes the strings that [Policy.Compatible] compares. httpd compares what is
// written: the same certificate under another name is another one.
func (b *builder) keys(s *Server, t *model.TLS, v *model.Server, certs, keys []file) {
	dir := func(name string) string {
		if d := b.lookup(name, v); d != nil {
			return strings.ToLower(d.Arg(0))
		}
		return ""
	}
	depth := "unset"
	if t.VerifyDepth.IsSet() {
		depth = fmt.Sprint(t.VerifyDepth.V)
	}
	auth := []string{fmt.Sprint(s.Engine), fmt.Sprint(s.Verify), depth, t.CAFile.V, t.CAPath.V, t.CARevocation.V, dir("SSLCARevocationCheck"), dir("SSLCARevocationPath")}
	s.authKey = strings.Join(auth, "\x00")
	all := append(auth, strings.ToLower(t.Protocol.V), t.CipherSuite.V, b.tls13Ciphers(v), dir("SSLCADNRequestFile"), dir("SSLCADNRequestPath"))
	for _, list := range [][]file{certs, keys} {
		all = append(all, "|")
		for _, f := range list {
			all = append(all, f.name)
		}
	}
	s.key = strings.Join(all, "\x00")
}

// httpsOnly reports whether a server without SSLEngine is one of an address that
// Listen gives to https: the very address must stand in both, and a certificate be
// there (ssl_init_Module with ap_get_server_protocol; seen in httpd 2.4.71).
func (b *builder) httpsOnly(v *model.Server, certs []file) bool {
	if len(certs) == 0 {
		return false
	}
	for _, a := range v.Addresses {
		i := strings.LastIndexByte(a.V, ':')
		if i < 0 {
			continue
		}
		host := strings.Trim(strings.TrimPrefix(a.V[:i], "*"), "[]")
		for _, l := range b.f.Listens {
			https := strings.EqualFold(l.Protocol.V, "https") || l.Protocol.V == "" && l.Port.V == 443
			if https && fmt.Sprint(l.Port.V) == a.V[i+1:] && strings.TrimPrefix(l.Address.V, "*") == host {
				return true
			}
		}
	}
	return false
}

// protocols reads Protocols (server/core.c): http/1.1 without one.
func (b *builder) protocols(s *Server, v *model.Server) {
	if d := b.lookup("H2MaxSessionStreams", v); d != nil {
		if n, err := strconv.Atoi(d.Arg(0)); err == nil && n > 0 && (b.out.MaxStreams == 0 || n < b.out.MaxStreams) {
			b.out.MaxStreams = n
		}
	}
	d := b.lookup("Protocols", v)
	if d == nil {
		s.protos = []string{"http/1.1"}
		return
	}
	for _, a := range d.Args {
		switch p := strings.ToLower(a.V); p {
		case "h2":
			s.H2 = true
			s.protos = append(s.protos, p)
		case "h2c":
			direct := b.lookup("H2Direct", v)
			s.H2C = direct == nil || !strings.EqualFold(direct.Arg(0), "off")
		case "http/1.1":
			s.protos = append(s.protos, p)
		}
	}
	if len(s.protos) == 0 || s.protos[len(s.protos)-1] != "http/1.1" {
		s.protos = append(s.protos, "http/1.1")
	}
}

// with puts more words of SSLOptions over the options: with a sign they change
// them, without one they replace them (ssl_cmd_SSLOptions).
func (o Options) with(text string) Options {
	if text != "" && !strings.ContainsRune("+-", rune(text[0])) {
		o = Options{}
	}
	set := func(word string, on bool) {
		switch word {
		case "StdEnvVars":
			o.StdEnvVars = on
		case "ExportCertData":
			o.ExportCertData = on
		case "StrictRequire":
			o.StrictRequire = on
		case "LegacyDNStringFormat":
			o.LegacyDN = on
		}
	}
	for w := range strings.FieldsSeq(text) {
		switch {
		case w[0] == '-':
			set(w[1:], false)
		case w[0] == '+':
			set(w[1:], true)
		default:
			set(w, true)
		}
	}
	return o
}

// where is the place of a directive's name, without the blanks before it.
func where(d *model.Directive) diag.Span {
	if at := d.Name.Place(); at.File != nil {
		return at
	}
	return d.At
}
