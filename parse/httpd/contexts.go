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

	// globalOnly may stand in the main server only (GLOBAL_ONLY).
	globalOnly = names(`AcceptFilter ServerRoot DefaultRuntimeDir ServerTokens RegexDefaultOptions RegisterHttpMethod StartServers
		MinSpareThreads MaxSpareThreads MaxClients MaxRequestWorkers ThreadsPerChild ThreadLimit AsyncRequestWorkerFactor
		MinSpareServers MaxSpareServers User Group Suexec ScriptSock LDAPSharedCacheSize LDAPSharedCacheFile LDAPCacheEntries
		LDAPCacheTTL LDAPOpCacheEntries LDAPOpCacheTTL LDAPTrustedGlobalCert LDAPVerifyServerCert LDAPConnectionTimeout
		LDAPLibraryDebug LDAPTimeout LDAPRetries LDAPRetryDelay SessionCryptoDriver GlobalLog HeartbeatListen HeartbeatStorage
		HeartbeatMaxServers HeartbeatAddress AuthnCacheSOCache AuthnCacheEnable AuthnzFcgiDefineProvider ServerLimit
		PidFile ScoreBoardFile MaxMemFree MaxConnectionsPerChild MaxRequestsPerChild CoreDumpDirectory ThreadStackSize
		EnableExceptionHook ListenBackLog SendBufferSize ReceiveBufferSize GracefulShutdownTimeout LogIOTrackTTFB
		LDAPConnectionPoolTTL`)

	// pathTakers stand in a Location without a path; with one they belong
	// outside.
	pathTakers = names("ProxyPass ProxyPassMatch ProxyPassReverse")
)

// inAuthConfig reports whether a directive may stand beside Require in a group:
// those that an .htaccess file may hold with AllowOverride AuthConfig.
func inAuthConfig(name string) bool {
	c := commands[name]
	return c == nil || c.override == "" && c.args == "" || strings.Contains(c.override, "AuthConfig") || c.override == "All"
}

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
