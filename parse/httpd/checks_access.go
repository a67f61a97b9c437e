package httpd

import (
	"maps"
	"net"
	"slices"
	"strings"

	"clowder/parse/diag"
)

// requireProviders are the words behind Require and the modules that bring them.
var requireProviders = map[string]string{
	"all": "authz_core", "env": "authz_core", "method": "authz_core", "expr": "authz_core",
	"ip": "authz_host", "host": "authz_host", "forward-dns": "authz_host", "local": "authz_host",
	"user": "authz_user", "valid-user": "authz_user", "group": "authz_groupfile", "file-group": "authz_groupfile",
	"file-owner": "authz_owner", "dbm-group": "authz_dbm", "dbm-file-group": "authz_dbm",
	"dbd-group": "authz_dbd", "dbd-login": "authz_dbd", "dbd-logout": "authz_dbd",
	"ldap-user": "authnz_ldap", "ldap-group": "authnz_ldap", "ldap-dn": "authnz_ldap", "ldap-attribute": "authnz_ldap",
	"ldap-filter": "authnz_ldap", "ldap-search": "authnz_ldap", "ssl": "ssl", "ssl-verify-client": "ssl",
	"unix-group": "authnz_external", "external-group": "authnz_external", "external-file-group": "authnz_external",
}

// requireProblem checks a Require line as add_authz_provider in mod_authz_core.c
// and the providers' own parse functions do. The first word counts that is not
// "not".
func (l *lowerer) requireProblem(args []Arg, raw string) string {
	if len(args) == 0 || args[0].Text == "" {
		return "`Require` needs a provider, such as `all granted`"
	}
	name := strings.ToLower(args[0].Text)
	_, known := requireProviders[name]
	switch {
	case !l.c.moduleList || l.foreign || l.c.HasModule("lua") || l.c.HasIncludesUnresolved || strings.HasPrefix(l.c.version, "2.2") || l.providers[name]:
	case !known:
		hint := ""
		if near := diag.Suggest(name, slices.Sorted(maps.Keys(requireProviders))); near != "" {
			hint = "; did you mean `" + near + "`?"
		}
		return "`Require " + args[0].Text + "`: no module has a provider of that name" + hint
	}
	rest := args[1:]
	switch name {
	case "all":
		if len(rest) != 1 || !strings.EqualFold(rest[0].Text, "granted") && !strings.EqualFold(rest[0].Text, "denied") {
			return "`Require all` must be followed by granted or denied"
		}
	case "ip":
		if len(rest) == 0 {
			return "`Require ip` needs at least one argument"
		}
		for _, a := range rest {
			if ip, mask, found := strings.Cut(a.Text, "/"); found && !validNet(ip, mask) || !found && !validAddress(a.Text) {
				return "`Require ip " + a.Text + "`: that is no address or network"
			}
		}
	case "method":
		for _, a := range rest {
			if m := strings.ToLower(a.Text); !httpMethods[m] && !l.methods[m] {
				return "`Require method " + a.Text + "`: there is no such method"
			}
		}
	case "expr":
		text := raw[strings.Index(strings.ToLower(raw), "expr")+len("expr"):]
		if len(rest) == 1 {
			text = rest[0].Text
		}
		if _, problem := checkExpr(strings.TrimSpace(text), l.others()); problem != "" {
			return "`Require expr`: the expression cannot be read: " + problem
		}
	}
	return ""
}

// httpMethods are the methods that httpd knows by name (ap_method_registry_init).
var httpMethods = names(`GET HEAD PUT POST DELETE CONNECT OPTIONS TRACE PATCH PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK
	VERSION-CONTROL CHECKOUT UNCHECKOUT CHECKIN UPDATE LABEL REPORT MKWORKSPACE MKACTIVITY BASELINE-CONTROL MERGE QUERY BREW WHEN`)

// validAddress accepts an address, or the first bytes of an IPv4 address as
// apr_ipsubnet_create does: 10, 10.1, 10.1.
func validAddress(s string) bool {
	if net.ParseIP(s) != nil {
		return true
	}
	parts := strings.Split(strings.TrimSuffix(s, "."), ".")
	if s == "" || len(parts) > 4 {
		return false
	}
	for _, p := range parts {
		if p == "" || strings.Trim(p, "0123456789") != "" || len(p) > 3 || atoi(p) > 255 {
			return false
		}
	}
	return true
}

// looksLikeAddress reports whether a host word is read as an address: it holds
// nothing but digits and dots, or hexadecimal digits and colons.
func looksLikeAddress(s string) bool {
	return s != "" && strings.Trim(s, "0123456789.") == "" || strings.Contains(s, ":") && strings.Trim(strings.ToLower(s), "0123456789abcdef:.") == ""
}

// group checks the logic of Require lines and groups that stand together:
// any says that one that grants is enough (add_authz_section and
// authz_core_check_section in mod_authz_core.c).
func (k *checker) group(n *Node, any bool) {
	name := n.key()
	isGroup := strings.HasPrefix(name, "require")
	what := "this section"
	if isGroup {
		what = "`<" + n.Name + ">`"
	}
	positive, lines := false, 0
	for _, c := range requireChildren(n) {
		negative := c.Is("RequireNone") || c.Kind == Directive && strings.EqualFold(c.Arg(0), "not")
		if c.Kind == Section && len(requireChildren(c)) == 0 {
			continue // reported itself
		}
		lines++
		if negative && any && c.Kind == Section {
			k.report("H007", "bad-parameter-value", c, "what only refuses has no effect in %s: beside it nothing more needs to grant access; put both into `<RequireAll>`", what)
			return
		}
		positive = positive || !negative
	}
	switch {
	case isGroup && lines == 0:
		k.report("H007", "bad-parameter-value", n, "`<%s>` holds no Require", n.Name)
	case lines > 0 && !positive:
		k.report("H007", "bad-parameter-value", n, "`<%s>` holds only what refuses; nothing grants access", n.Name)
	}
}

// requireChildren lists the Require lines and groups of a section, also those in
// a <Limit> inside.
func requireChildren(n *Node) []*Node {
	var out []*Node
	for _, c := range n.Children {
		switch strings.ToLower(c.Name) {
		case "require", "requireall", "requireany", "requirenone":
			out = append(out, c)
		case "limit", "limitexcept":
			out = append(out, requireChildren(c)...)
		}
	}
	return out
}
