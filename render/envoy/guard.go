package envoy

import (
	"regexp/syntax"
	"slices"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// unverified closes a site whose check of client certificates Envoy would make less
// strictly, and tells so.
func (w *writer) unverified(s *plan.Site) bool {
	if s.TLS == nil || !verifies(s) {
		return false
	}
	out := false
	if s.TLS.CAFile.V == "" {
		w.l.Closed("Envoy takes a file of authorities, and none is written: every request is refused", "validation_context.trusted_ca", s.TLS.VerifyClient, s.TLS.CAPath)
		out = true
	}
	for _, d := range revocation(s, "sslcarevocationpath", "sslcarevocationcheck", "sslocspenable") {
		if strings.EqualFold(d.Name.V, "SSLCARevocationCheck") && s.TLS.CARevocation.V != "" {
			w.l.Exact(d)
			continue
		}
		w.l.Closed("Envoy does not look at this list of revoked certificates: every request is refused", "validation_context.crl", d)
		out = true
	}
	return out
}

// untrusted closes the way to https members whose revoked certificates httpd would
// not take, and tells so.
func (w *writer) untrusted(s *plan.Site, p *plan.Pool) bool {
	if !slices.ContainsFunc(p.Usable(), secure) || p.TLS == nil || strings.EqualFold(p.TLS.ProxyVerify.Or("none"), "none") {
		return false
	}
	list := revocation(s, "sslproxycarevocationfile", "sslproxycarevocationpath", "sslproxycarevocationcheck")
	for _, d := range list {
		w.l.Closed("revoked certificates of members would be taken: requests for them are refused", "validation_context.crl", d)
	}
	return list != nil
}

// turnedAway closes what rewrite rules of a section send elsewhere, and tells so.
func (w *writer) turnedAway(o *plan.Outcome) bool {
	out := false
	for _, sec := range o.Sections {
		rw := sec.Settings.Rewrite
		if rw == nil || o.Settings.Rewrite == nil || !o.Settings.Rewrite.Engine.V {
			continue
		}
		for _, r := range rw.Rules {
			if r.HasFlag("R", "redirect") || r.HasFlag("P", "proxy") || strings.Contains(r.Target.V, "://") {
				w.l.Closed("a rule of a section that sends requests elsewhere: everything in the section is refused", "a rule of the virtual host", r)
				out = true
			}
		}
	}
	return out
}

// revocation lists the directives of these names that ask for something.
func revocation(s *plan.Site, names ...string) []*model.Directive {
	var out []*model.Directive
	for _, d := range s.Server.Settings.Extras {
		if v := strings.ToLower(d.Arg(0)); slices.Contains(names, strings.ToLower(d.Name.V)) && v != "none" && v != "off" {
			out = append(out, d)
		}
	}
	return out
}

// ascii matches what holds no other bytes; RE2's dot does not match a byte that is
// no UTF-8, so that an expression could be led around by one.
const ascii = `[\x00-\x7F]*`

// beyond is a header matcher for a value with a byte outside of ASCII.
func beyond(name string) obj {
	return obj{"name": name, "string_match": obj{"safe_regex": obj{"regex": ascii}}, "treat_missing_header_as_empty": true, "invert_match": true}
}

// encodedAlike reports whether a pattern matches a path with bytes beyond ASCII just
// when it matches the path with each of them as %XX: letters of ASCII and stretches
// of anything, in which no match can begin or end inside of %XX.
func encodedAlike(regex string) bool {
	re, err := syntax.Parse(regex, syntax.Perl)
	if err != nil {
		return false
	}
	_, ok := alike(re, false)
	return ok
}

// alike goes through an expression. outside tells that the place before it cannot
// lie within %XX; the answer tells it of the place behind it.
func alike(re *syntax.Regexp, outside bool) (after, ok bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return outside, true
	case syntax.OpBeginText, syntax.OpEndText:
		return true, true
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r == '%' || r > 0x7E {
				return false, false
			}
		}
		return true, outside || !isHex(re.Rune[0])
	case syntax.OpCharClass:
		return true, classWithin(re, outside)
	case syntax.OpCapture:
		return alike(re.Sub[0], outside)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if outside, ok = alike(sub, outside); !ok {
				return false, false
			}
		}
		return outside, true
	case syntax.OpAlternate:
		after = true
		for _, sub := range re.Sub {
			a, ok := alike(sub, outside)
			if !ok {
				return false, false
			}
			after = after && a
		}
		return after, true
	case syntax.OpStar, syntax.OpPlus:
		if anything(re.Sub[0]) { // two stretches of one letter each could share a %XX
			return false, outside || re.Op == syntax.OpStar
		}
		fallthrough
	case syntax.OpQuest:
		a, ok := alike(re.Sub[0], outside)
		if a = a && outside; ok && !a && outside {
			_, ok = alike(re.Sub[0], false)
		}
		return a, ok
	}
	return false, false
}

func isHex(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'
}

// classWithin reports whether a class has letters of ASCII only and takes no part of %XX.
func classWithin(re *syntax.Regexp, outside bool) bool {
	for i := 0; i < len(re.Rune); i += 2 {
		if re.Rune[i+1] > 0x7E || re.Rune[i] <= '%' && '%' <= re.Rune[i+1] {
			return false
		}
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if !outside && isHex(r) {
				return false
			}
		}
	}
	return true
}

// anything reports whether one piece takes each byte beyond ASCII and all of %XX.
func anything(re *syntax.Regexp) bool {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	switch re.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	case syntax.OpCharClass:
		need := "%0123456789ABCDEFabcdef\u0080\u00ff\uffff"
		for _, r := range need {
			in := false
			for i := 0; i < len(re.Rune); i += 2 {
				in = in || re.Rune[i] <= r && r <= re.Rune[i+1]
			}
			if !in {
				return false
			}
		}
		last := len(re.Rune) - 2
		return re.Rune[last] <= 0x80 && re.Rune[last+1] >= 0x10FFFF // no gap beyond ASCII
	}
	return false
}
