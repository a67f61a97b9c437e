package haproxy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/plan"
)

// accessRules refuses who may not send requests to the spot. HAProxy knows
// passwords only from its own configuration, and the files of httpd are not read
// by a converter: who would have to log in is refused.
func (w *writer) accessRules(s *spot) []rule {
	o := s.out
	if o.Access.NeedsAuth() {
		w.noPasswords(o.Settings.Access)
	}
	shut := w.sectionRewrites(o)
	if o.Kind == plan.Files || o.Kind == plan.Refuse {
		return nil
	}
	if globbed(o) {
		w.l.Approx("httpd takes the pattern of this Location for a plain path, so that nothing is proxied: the answer is 404", "", o.Mapping)
		return []rule{{spotPlace(s), refusal(404), ""}}
	}
	shut = w.deeperProxies(s) || shut
	refuse := rule{at: accessPlace(o), text: "http-request deny deny_status 403"}
	if shut || o.Access.Free.Empty() {
		return []rule{refuse}
	}
	if o.Access.Open() {
		return nil
	}
	nets, allow := addresses(o.Access.Free)
	if allow {
		refuse.cond = "!" + w.from(nets)
		return []rule{refuse}
	}
	var out []rule
	for part := range slices.Chunk(nets, mostWords) {
		refuse.cond = "{ src " + strings.Join(part, " ") + " }"
		out = append(out, refuse)
	}
	return out
}

// accessPlace is where the access rules of an outcome stand.
func accessPlace(o *plan.Outcome) diag.Span {
	if a := o.Settings.Access; a != nil {
		for _, v := range slices.Concat([]model.String{a.Order, a.AuthType}, a.Allow, a.Deny) {
			if v.IsWritten() {
				return v.Span
			}
		}
		if a.Require != nil {
			return a.Require.At
		}
	}
	return diag.Span{}
}

// from is the condition that the client's address is in the networks; a list that
// is too long for one line becomes an ACL.
func (w *writer) from(nets []string) string {
	if len(nets) <= mostWords {
		return "{ src " + strings.Join(nets, " ") + " }"
	}
	key := strings.Join(nets, " ")
	if w.lists == nil {
		w.lists = map[string]string{}
	}
	name, ok := w.lists[w.current+" "+key]
	if !ok {
		name = "from_" + strconv.Itoa(len(w.lists)+1)
		w.lists[w.current+" "+key] = name
		for part := range slices.Chunk(nets, mostWords) {
			w.pending = append(w.pending, "acl "+name+" src "+strings.Join(part, " "))
		}
	}
	return name
}

// mapped are the IPv6 addresses that stand for IPv4 ones. HAProxy compares an IPv4
// address with IPv6 networks as one of them (section 7.1.6), so they must not be
// in any list for the sake of IPv6.
var mapped = plan.SetOf(netip.MustParsePrefix("::ffff:0:0/96"))

// addresses writes a set of clients as the shorter list: of those that are let in,
// or of those that are not.
func addresses(s plan.Set) (nets []string, allow bool) {
	in, out := s.And(mapped.Not()).Prefixes(), s.Not().And(mapped.Not()).Prefixes()
	list := in
	if allow = len(out) >= len(in); !allow {
		list = out
	}
	for _, p := range list {
		nets = append(nets, plan.Short(p))
	}
	return nets, allow
}

// sixToFour tells whether addresses let clients in on a socket for IPv6: HAProxy
// takes a 6to4 address (2002::/16) for the IPv4 address in it.
func (f *frontend) sixToFour() bool {
	v6 := slices.ContainsFunc(f.listen, func(l *plan.Listener) bool {
		return l.Address == "" && l.Family == "" || strings.Contains(l.Address, ":")
	})
	return v6 && slices.ContainsFunc(f.spots, func(s *spot) bool {
		if s.out.Access.Open() || s.out.Kind == plan.Files || s.out.Kind == plan.Refuse {
			return false
		}
		nets, allow := addresses(s.out.Access.Free)
		return allow && slices.ContainsFunc(nets, func(n string) bool { return !strings.Contains(n, ":") })
	})
}

// noPasswords accounts for a login that is not carried over.
func (w *writer) noPasswords(a *model.Access) {
	if a == nil {
		return
	}
	w.l.Closed("passwords are not read: who would have to log in is refused", "", a.AuthType, a.AuthFile, a.AuthName)
	var each func(r *model.Require)
	each = func(r *model.Require) {
		if r == nil {
			return
		}
		if len(r.Args) > 0 && (strings.EqualFold(r.Args[0].V, "valid-user") || strings.EqualFold(r.Args[0].V, "user")) {
			w.l.Closed("passwords are not read: who would have to log in is refused", "", r.At)
		}
		for _, c := range r.Children {
			each(c)
		}
	}
	each(a.Require)
}

// sectionRewrites reports whether a section has rewrite rules that change or
// refuse requests, and accounts for them: the section is then closed.
func (w *writer) sectionRewrites(o *plan.Outcome) bool {
	shut := false
	for _, sec := range o.Sections {
		rw := sec.Settings.Rewrite
		if rw == nil || o.Settings.Rewrite == nil || !o.Settings.Rewrite.Engine.V {
			continue
		}
		for _, r := range rw.Rules {
			if r.Target.V != "-" {
				shut = true
				w.l.Closed("rewrite rules of a section are not carried over: everything in the section is refused", "", r)
			}
		}
	}
	return shut
}

// bodyLimits refuses requests whose Content-Length is more than LimitRequestBody.
func (w *writer) bodyLimits(s *spot) []rule {
	most := s.out.Settings.LimitBody
	if !most.IsSet() || s.out.Kind != plan.Proxy {
		return nil
	}
	if most.V <= 0 {
		w.l.Exact(most)
		return nil
	}
	w.l.Approx("it is compared with Content-Length: bodies without one are not bounded", "", most)
	return []rule{{most.Place(), "http-request deny deny_status 413", "{ req.hdr_val(content-length) gt " + strconv.Itoa(most.V) + " }"}}
}

// globbed reports whether the mapping stands in a Location with * or ?: mod_proxy
// compares the pattern itself with the path (alias_match).
func globbed(o *plan.Outcome) bool {
	return o.Mapping != nil && slices.ContainsFunc(o.Sections, func(sec *model.Section) bool {
		return sec.Mapping == o.Mapping && sec.Kind.V == "Location" && strings.ContainsAny(sec.Path.V, "*?[")
	})
}

// deeperProxies reports whether a Proxy section restricts some of the URLs that the
// mapping leads to, but not all of them, and accounts for it: the mapping is closed.
func (w *writer) deeperProxies(s *spot) bool {
	o := s.out
	if o.Kind != plan.Proxy || o.Mapping == nil {
		return false
	}
	shut := false
	for _, sec := range s.site.Server.Sections {
		if !strings.HasPrefix(sec.Kind.V, "Proxy") || slices.Contains(o.Sections, sec) || !restricts(sec) || !mayHold(sec, o.Mapping.Target.V) {
			continue
		}
		shut = true
		message := "it is about some of the URLs that a mapping leads to: all of them are refused"
		w.l.Closed(message, "http-request deny", sec.Settings.Access)
		for _, d := range sec.Settings.Extras {
			if d.Guard.V {
				w.l.Closed(message, "http-request deny", d)
			}
		}
	}
	return shut
}

// restricts reports whether a section may refuse requests.
func restricts(sec *model.Section) bool {
	if slices.ContainsFunc(sec.Settings.Extras, func(d *model.Directive) bool { return d.Guard.V }) {
		return true
	}
	a := sec.Settings.Access
	if a == nil {
		return false
	}
	if len(a.Deny) > 0 || a.Order.IsSet() && !slices.ContainsFunc(a.Allow, func(v model.String) bool { return strings.EqualFold(v.V, "all") }) {
		return true
	}
	if a.Require == nil {
		return false
	}
	granted := func(r *model.Require) bool {
		return len(r.Args) == 2 && !r.Not.V && strings.EqualFold(r.Args[0].V, "all") && strings.EqualFold(r.Args[1].V, "granted")
	}
	return !granted(a.Require) && (len(a.Require.Children) != 1 || !granted(a.Require.Children[0]))
}

// mayHold reports whether the section may apply to a longer URL than the target:
// what both say before their first special character must agree.
func mayHold(sec *model.Section, target string) bool {
	special := "*?["
	p := sec.Path.V
	if sec.Kind.V == "ProxyMatch" {
		rest, anchored := strings.CutPrefix(p, "^")
		if !anchored || strings.Contains(p, "|") {
			return true
		}
		p, special = rest, `\.[]()*+?{}$`
		if i := strings.IndexAny(p, "*?{"); i > 0 {
			p = p[:i-1] // the letter before may be absent
		}
	}
	lit := func(s, special string) string {
		if i := strings.IndexAny(s, special); i >= 0 {
			s = s[:i]
		}
		return strings.ToLower(s)
	}
	a, b := lit(p, special), lit(target, "$")
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}
