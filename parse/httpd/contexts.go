package httpd

import "strings"

// set is a set of lower-case directive names.
type set map[string]bool

func names(s string) set {
	m := set{}
	for _, w := range strings.Fields(s) {
		m[strings.ToLower(w)] = true
	}
	return m
}

var (
	conditions = names("IfModule IfDefine IfVersion IfFile IfDirective IfSection")

	// dirSections are sections that hold per-directory directives; they stand at
	// top level and in <VirtualHost>.
	dirSections = names("Directory DirectoryMatch Location LocationMatch Proxy ProxyMatch")

	// serverOnly may stand at top level and in <VirtualHost> only (RSRC_CONF).
	serverOnly = withWhere('s', "")

	// dirOnly may stand in sections only (ACCESS_CONF or .htaccess).
	dirOnly = withWhere('d', "RequireAll RequireAny RequireNone")

	// pathTakers stand in a Location without a path; with one they belong
	// outside.
	pathTakers = names("ProxyPass ProxyPassMatch ProxyPassReverse")
)

// mayStandIn reports whether n is at home directly in an unclosed section s. It
// decides only where parsing goes on after a missing closing tag.
func mayStandIn(n, s *Node) bool {
	name, outer := n.key(), s.key()
	if conditions[outer] || outer == "macro" {
		return true
	}
	if name == "virtualhost" {
		return false
	}
	if outer == "virtualhost" {
		return !dirOnly[name] && name != "listen" && name != "loadmodule"
	}
	switch {
	case serverOnly[name], dirSections[name]:
		return false
	case strings.HasPrefix(outer, "require"):
		return name == "require" || strings.HasPrefix(name, "require")
	case name == "balancermember" || name == "proxyset":
		return outer == "proxy" || outer == "proxymatch" || outer == "location"
	case pathTakers[name]:
		if outer == "location" || outer == "locationmatch" {
			return !takesPath(n)
		}
		return false
	}
	return true
}

// takesPath reports whether a ProxyPass or ProxyPassReverse is written with a
// path in front of its URL, the form for use outside of a Location.
func takesPath(n *Node) bool {
	return len(n.Args) >= 2 && !strings.Contains(n.Args[1].Text, "=") && strings.HasPrefix(n.Args[0].Text, "/")
}
