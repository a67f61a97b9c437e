package plan

import (
	"strings"

	"clowder/parse/model"
)

// UnknownGuards lists what restricts requests of httpd and has no place in
// the model at all, so that nobody can tell which requests it is about. A target
// then refuses all.
func UnknownGuards(s *model.Setup) []model.Unmapped {
	kept := s.Kept()
	var out []model.Unmapped
	for _, u := range s.Unmapped {
		if u.Guard && !kept(u.Span) {
			out = append(out, u)
		}
	}
	return out
}

// guard closes what is protected by directives that the model does not understand.
func (c *cutter) guard(o *Outcome) {
	for _, d := range o.Settings.Extras {
		name := strings.ToLower(d.Name.V)
		switch {
		case strings.HasPrefix(name, "remoteip") && !o.Access.Free.All() && !o.Access.Free.Empty():
			o.Access = closed(o.Access, d, "it says whose address counts, which is not carried over: who is let in by address is refused")
		case name == "regexdefaultoptions" && changesMatches(d):
			o.Access = closed(o.Access, d, "it changes what every expression matches: every request is refused; write the options into the expressions, as (?i)")
		case d.Guard.V && (name != "sslrequiressl" || c.site.TLS == nil):
			o.Access = closed(o.Access, d, "what it restricts cannot be said there: every request that it could be about is refused")
		}
	}
	for _, sec := range o.Sections {
		c.section(o, sec)
	}
}

// section closes what a section sends elsewhere or asks of members in a way that is
// not carried over.
func (c *cutter) section(o *Outcome, sec *model.Section) {
	if rw := sec.Settings.Rewrite; rw != nil && o.Settings.Rewrite != nil && o.Settings.Rewrite.Engine.V {
		for _, r := range rw.Rules {
			if turnsAway(r) {
				o.Access = closed(o.Access, r, "a rule of a section that refuses requests or sends them elsewhere: everything in the section is refused")
			}
		}
	}
	if o.Kind != Proxy {
		return
	}
	for _, d := range sec.Settings.Extras {
		if checksMembers(d) {
			o.Access = closed(o.Access, d, "it checks the members of this section only: everything in the section is refused")
		}
	}
}

// turnsAway reports whether a rule of a section keeps requests from the place that
// their path names: it refuses, redirects, proxies, or has another target than none
// (hook_fixup of mod_rewrite.c).
func turnsAway(r *model.RewriteRule) bool {
	return r.Target.V != "-" || r.HasFlag("F", "forbidden") || r.HasFlag("G", "gone") || r.HasFlag("R", "redirect") || r.HasFlag("P", "proxy")
}

// checksMembers reports whether a directive of mod_ssl in a section makes httpd
// trust fewer members (since 2.4.30 they may stand in Proxy sections).
func checksMembers(d *model.Directive) bool {
	switch strings.ToLower(d.Name.V) {
	case "sslproxyverify":
		return !strings.EqualFold(d.Arg(0), "none")
	case "sslproxycarevocationcheck":
		return !strings.EqualFold(d.Arg(0), "none")
	case "sslproxycheckpeername", "sslproxycheckpeercn", "sslproxycheckpeerexpire":
		return strings.EqualFold(d.Arg(0), "on")
	case "sslproxyverifydepth", "sslproxyprotocol", "sslproxyciphersuite", "sslproxycacertificatefile", "sslproxycacertificatepath":
		return true
	}
	return false
}

// changesMatches reports whether RegexDefaultOptions lets expressions match what
// they would not match without it. DOTALL and DOLLAR_ENDONLY are about line feeds,
// which no target lets through in a path (server/util_pcre.c).
func changesMatches(d *model.Directive) bool {
	for _, a := range d.Args {
		for w := range strings.FieldsSeq(a.V) {
			switch strings.ToLower(strings.TrimLeft(w, "+")) {
			case "icase", "extended", "extend":
				return true
			}
		}
	}
	return false
}

// Unchecked lists what httpd asks of the certificates of a site's clients beyond the
// fields of [model.TLS]: lists of revoked ones in a folder, and answers of OCSP.
// SSLCARevocationCheck is among them where no file of revoked certificates is
// named. None of it counts without SSLVerifyClient.
func (s *Site) Unchecked() []*model.Directive {
	if s.TLS == nil || off(s.TLS.VerifyClient) {
		return nil
	}
	var out []*model.Directive
	for _, d := range s.Server.Settings.Extras {
		switch strings.ToLower(d.Name.V) {
		case "sslcarevocationcheck":
			if s.TLS.CARevocation.V != "" {
				continue
			}
		case "sslcarevocationpath", "sslocspenable":
		default:
			continue
		}
		if v := strings.ToLower(d.Arg(0)); v != "none" && v != "off" {
			out = append(out, d)
		}
	}
	return out
}

// off reports whether a word of SSLVerifyClient or SSLProxyVerify asks for nothing.
func off(v model.String) bool { return v.V == "" || strings.EqualFold(v.V, "none") }

// unchecked lists what httpd asks of members' certificates beyond the fields of
// [model.TLS].
func unchecked(s *model.Server) []*model.Directive {
	if s.TLS == nil || off(s.TLS.ProxyVerify) {
		return nil
	}
	var out []*model.Directive
	for _, d := range s.Settings.Extras {
		switch strings.ToLower(d.Name.V) {
		case "sslproxycarevocationfile", "sslproxycarevocationpath", "sslproxycarevocationcheck":
			if !strings.EqualFold(d.Arg(0), "none") {
				out = append(out, d)
			}
		}
	}
	return out
}
