package httpd

import (
	"net"
	"strings"

	"clowder/parse/model"
)

// rule is a condition of mod_authz_core that stands for host rules of 2.2: a line
// of Require, or a group of such.
type rule struct {
	group string // all, any; "" for a line
	not   bool
	line  []string // provider and its ready words
	kids  []rule
}

func line(words ...string) rule { return rule{line: words} }

// hostRule returns the rule that lets in whom Order, Allow and Deny let in
// (find_allowdeny and check_dir_access in modules/aaa/mod_access_compat.c): with
// allow,deny whoever is allowed and not denied, with deny,allow, the default,
// whoever is allowed or not denied.
func hostRule(a *model.Access) rule {
	allow, everyone := hostLines(a.Allow)
	deny, nobody := hostLines(a.Deny)
	granted, refused := line("all", "granted"), line("all", "denied")
	notDenied := func(first ...rule) rule {
		for _, d := range deny {
			d.not = true
			first = append(first, d)
		}
		return rule{group: "all", kids: first}
	}
	if o := strings.ToLower(a.Order.V); o == "allow,deny" || o == "mutual-failure" {
		switch {
		case nobody, len(allow) == 0 && !everyone:
			return refused
		case everyone && len(deny) == 0:
			return granted
		case everyone:
			return notDenied(granted)
		case len(deny) == 0:
			return anyOf(allow)
		}
		return notDenied(anyOf(allow))
	}
	switch {
	case everyone, !nobody && len(deny) == 0:
		return granted
	case nobody && len(allow) == 0:
		return refused
	case nobody:
		return anyOf(allow)
	}
	return anyOf(append(allow, notDenied(granted)))
}

func anyOf(list []rule) rule {
	if len(list) == 1 {
		return list[0]
	}
	return rule{group: "any", kids: list}
}

// hostLines makes lines of the words behind "from". all reports the word all. The
// word none is a name that no host has.
func hostLines(words []model.String) (out []rule, all bool) {
	for _, w := range words {
		low := strings.ToLower(w.V)
		switch {
		case low == "all":
			all = true
		case low == "none":
		case strings.HasPrefix(low, "env=!"):
			out = append(out, rule{group: "all", kids: []rule{line("all", "granted"), {not: true, line: []string{"env", quote(w.V[5:])}}}})
		case strings.HasPrefix(low, "env="):
			out = append(out, line("env", quote(w.V[4:])))
		case isAddress(w.V):
			out = joinLast(out, "ip", quote(w.V))
		default:
			out = joinLast(out, "host", quote(w.V))
		}
	}
	return out, all
}

// joinLast puts hosts of one kind that follow each other on one line.
func joinLast(out []rule, kind, word string) []rule {
	if n := len(out); n > 0 && len(out[n-1].line) > 0 && out[n-1].line[0] == kind {
		out[n-1].line = append(out[n-1].line, word)
		return out
	}
	return append(out, line(kind, word))
}

// isAddress reports what mod_access_compat takes for an address or a network.
func isAddress(s string) bool {
	ip, _, net4 := strings.Cut(s, "/")
	if net4 {
		return true
	}
	return strings.Trim(ip, "0123456789.") == "" || strings.Contains(ip, ":") && net.ParseIP(ip) != nil
}

// hasHosts reports whether the section has rules of mod_access_compat.
func hasHosts(a *model.Access) bool {
	return a != nil && (a.Order.IsSet() || a.Satisfy.IsSet() || len(a.Allow)+len(a.Deny) > 0)
}

// accessRules writes the access control of a section. In a server httpd takes
// none, except the names of users.
func (w *writer) accessRules(a *model.Access, sec bool) {
	if a == nil {
		return
	}
	if !sec && (hasHosts(a) || a.Require != nil) {
		w.lost = true // the refusal at the end of the server
		w.led.Closed("httpd has access rules in sections only; every request is refused until they stand in one", "Location", a)
		return
	}
	w.auth(a)
	if w.access.keep[a] {
		w.compat(a)
		w.require(a.Require)
		return
	}
	if !hasHosts(a) {
		w.require(a.Require)
		return
	}
	if !writable(texts(a.Allow)...) || !writable(texts(a.Deny)...) {
		w.led.Closed("it holds a line break; everything is refused here", "Require", a)
		w.rule(line("all", "denied"))
		return
	}
	hosts := hostRule(a)
	switch {
	case a.Require == nil:
		w.root(hosts)
	case strings.EqualFold(a.Satisfy.V, "any"):
		if w.grants(hosts) {
			w.rule(hosts)
			w.led.Exact(a.Require)
			break
		}
		w.group("RequireAny", func() {
			w.rule(hosts)
			w.requireKids(a.Require, "any")
		})
	case w.grants(hosts):
		w.require(a.Require)
	default:
		w.group("RequireAll", func() {
			w.rule(hosts)
			if len(a.Require.Children) == 1 {
				w.requireKids(a.Require, "all")
			} else {
				w.group("RequireAny", func() { w.requireKids(a.Require, "any") })
			}
		})
	}
	w.hostFacts(a)
}

// hostFacts keeps account of the words of 2.2.
func (w *writer) hostFacts(a *model.Access) {
	w.led.Exact(a.Order, a.Satisfy)
	open := w.grants(hostRule(a))
	for _, list := range [][]model.String{a.Allow, a.Deny} {
		for _, x := range list {
			if strings.EqualFold(x.V, "none") {
				w.led.Approx("it names a host called none, which there is not; it was left out", "Require", x)
			} else if open && !strings.EqualFold(x.V, "all") {
				w.led.Approx("Order and Deny let everybody in here, named or not; so does what was written", "Require all granted", x)
			} else {
				w.led.Exact(x)
			}
		}
	}
}

func (w *writer) grants(r rule) bool {
	return len(r.line) == 2 && r.line[0] == "all" && r.line[1] == "granted" && !r.not
}

// root writes a rule where the section's own group is an implied RequireAny.
func (w *writer) root(r rule) {
	if r.group == "any" {
		for _, k := range r.kids {
			w.rule(k)
		}
		return
	}
	w.rule(r)
}

func (w *writer) rule(r rule) {
	if r.group == "" {
		w.mods.use("authz_core")
		if r.line[0] == "ip" || r.line[0] == "host" {
			w.mods.use("authz_host")
		}
		not := ""
		if r.not {
			not = "not "
		}
		w.raw("Require " + not + strings.Join(r.line, " "))
		return
	}
	name := map[string]string{"all": "RequireAll", "any": "RequireAny", "none": "RequireNone"}[r.group]
	if r.not && r.group == "all" {
		// not (all granted, not X) is X
		for _, k := range r.kids[1:] {
			k.not = !k.not
			w.rule(k)
		}
		return
	}
	w.group(name, func() {
		for _, k := range r.kids {
			w.rule(k)
		}
	})
}

func (w *writer) group(name string, inside func()) {
	w.raw("<" + name + ">")
	w.depth++
	inside()
	w.depth--
	w.raw("</" + name + ">")
}

// compat keeps the style of 2.2.
func (w *writer) compat(a *model.Access) {
	if !hasHosts(a) {
		return
	}
	w.mods.use("access_compat", "authz_core", "authz_host")
	const why = "kept in the style of 2.2, which means the same: sections that meet on one request have either style, and with Require one would replace the other"
	if a.Order.IsSet() {
		w.put(a.Order, "Order", a.Order.V)
	}
	for i, list := range [][]model.String{a.Allow, a.Deny} {
		if len(list) > 0 {
			w.put(list, []string{"Allow", "Deny"}[i], append([]string{"from"}, quoteAll(texts(list))...)...)
		}
	}
	if a.Satisfy.IsSet() {
		w.put(a.Satisfy, "Satisfy", a.Satisfy.V)
	}
	w.led.Approx(why, "Order", a.Order, a.Allow, a.Deny, a.Satisfy)
}

// providerModules bring the words of AuthBasicProvider.
var providerModules = map[string][]string{"file": {"authn_file"}, "anon": {"authn_anon"}, "dbm": {"authn_dbm"}, "dbd": {"authn_dbd", "dbd"},
	"socache": {"authn_socache"}, "ldap": {"authnz_ldap", "ldap"}, "fcgi": {"authnz_fcgi"}}

var onOff = map[bool]string{true: "On", false: "Off"}

// auth writes the names for logins.
func (w *writer) auth(a *model.Access) {
	if stated(a.AuthType.Origin) {
		w.mods.use("authn_core")
		switch strings.ToLower(a.AuthType.V) {
		case "basic":
			w.mods.use("auth_basic", "authn_file")
		case "digest":
			w.mods.use("auth_digest", "authn_file")
		case "form":
			w.mods.use("auth_form", "authn_file", "request", "session")
		}
		w.fact(a.AuthType, "AuthType", a.AuthType.V)
	}
	if stated(a.AuthName.Origin) {
		w.mods.use("authn_core")
		w.put(a.AuthName, "AuthName", always(a.AuthName.V))
	}
	if stated(a.AuthFile.Origin) {
		w.mods.use("authn_file")
		w.put(a.AuthFile, "AuthUserFile", always(a.AuthFile.V))
	}
	if stated(a.GroupFile.Origin) {
		w.mods.use("authz_groupfile")
		w.put(a.GroupFile, "AuthGroupFile", always(a.GroupFile.V))
	}
	if len(a.Providers) > 0 {
		w.mods.use("auth_basic")
		for _, p := range a.Providers {
			w.mods.use(providerModules[strings.ToLower(p.V)]...)
		}
		w.put(a.Providers, "AuthBasicProvider", quoteAll(texts(a.Providers))...)
	}
	if stated(a.Authoritative.Origin) {
		w.mods.use("auth_basic")
		w.put(a.Authoritative, "AuthBasicAuthoritative", onOff[a.Authoritative.V])
	}
	if stated(a.Forbid.Origin) {
		w.mods.use("authz_core")
		w.put(a.Forbid, "AuthzSendForbiddenOnFailure", onOff[a.Forbid.V])
	}
	if stated(a.Merging.Origin) {
		w.mods.use("authz_core")
		w.fact(a.Merging, "AuthMerging", a.Merging.V)
	}
}

// require writes the lines of mod_authz_core; nothing that can be written means
// that nobody is let in.
func (w *writer) require(r *model.Require) {
	if r == nil {
		return
	}
	if w.requireKids(r, "any") == 0 {
		w.mods.use("authz_core")
		w.raw("Require all denied")
	}
}

// requireKids writes what is in a group and returns how many lines and groups
// that were. Where something cannot be written the group lets nobody in.
func (w *writer) requireKids(r *model.Require, group string) (n int) {
	lost := false
	for _, k := range r.Children {
		ok := true
		switch {
		case len(k.Args) > 0:
			ok = w.requireLine(k, group)
		case k.Group.V == "all", k.Group.V == "any", k.Group.V == "none":
			w.mods.use("authz_core")
			w.from(k.At)
			w.group("Require"+strings.ToUpper(k.Group.V[:1])+k.Group.V[1:], func() {
				if w.requireKids(k, k.Group.V) == 0 && k.Group.V == "any" {
					w.raw("Require all denied")
				}
			})
			w.led.Exact(k.At, k.Group)
		default:
			w.led.Closed("httpd has no group of that kind; nobody is let in by it", "RequireAny", k)
			ok = false
		}
		if ok {
			n++
		}
		lost = lost || !ok
	}
	switch {
	case lost && group == "all":
		w.raw("Require all denied")
	case lost && group == "none":
		w.raw("Require all granted") // of which RequireNone lets nobody in
	}
	return n
}

func (w *writer) requireLine(k *model.Require, group string) bool {
	w.mods.use("authz_core")
	words := quoteAll(texts(k.Args))
	if strings.EqualFold(k.Args[0].V, "expr") && len(k.Args) == 2 {
		words[1] = k.Args[1].V // read to the end of the line as it stands
		if strings.HasPrefix(words[1], `"`) || words[1] == "" || strings.HasSuffix(words[1], `\`) {
			words[1] = `"` + words[1] + `"`
		}
	}
	if k.Not.V && group != "all" {
		w.led.Closed("httpd refuses not outside of RequireAll; nobody is let in by it", "RequireAll", k)
		return false
	}
	switch strings.ToLower(k.Args[0].V) {
	case "ip", "host", "forward-dns", "local":
		w.mods.use("authz_host")
	case "user", "valid-user":
		w.mods.use("authz_user")
	case "group":
		w.mods.use("authz_groupfile")
	case "dbm-group", "dbm-file-group":
		w.mods.use("authz_dbm")
	case "file-owner", "file-group":
		w.mods.use("authz_owner", "authz_groupfile")
	case "ldap-user", "ldap-group", "ldap-dn", "ldap-attribute", "ldap-filter", "ldap-search":
		w.mods.use("authnz_ldap", "ldap")
	case "dbd-group", "dbd-login", "dbd-logout":
		w.mods.use("authz_dbd", "dbd")
	}
	if k.Not.V {
		words = append([]string{"not"}, words...)
	}
	if !w.put(k, "Require", words...) {
		w.led.Closed("it holds a line break; nobody is let in by it", "Require", k)
		return false
	}
	return true
}
