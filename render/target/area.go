package target

// Area is a kind of facts that are lost together, as a user accepts a loss.
type Area struct {
	ID  string
	Doc string
}

// Areas is the table of all areas. A loss in an area that protects is a matter of
// security only where the note says so.
var Areas = []Area{
	{"access", "Who may send requests: Require, Order/Allow/Deny, [F] rules, sections with conditions."},
	{"authentication", "Passwords: AuthType, AuthUserFile, Require valid-user."},
	{"tls", "TLS towards clients: certificates, protocols, ciphers."},
	{"client-certificate", "Certificates of clients: SSLVerifyClient and what is done with the result."},
	{"backend-tls", "TLS towards members: SSLProxyEngine, SSLProxyVerify, checks of names."},
	{"secret", "Shared secrets between httpd and Tomcat, and what relied on them."},
	{"manager", "Pages that httpd serves itself: balancer-manager, server-status, other handlers."},
	{"protocol", "The protocol between proxy and member: AJP, HTTP, sockets."},
	{"members", "Members of a balancer and their states: weights, lbset, disabled, hot standby."},
	{"lbmethod", "How a member is chosen for a new session."},
	{"stickiness", "How a session stays on its member: stickysession, route, redirect."},
	{"failover", "When a member is given up and tried again: retry, failonstatus, nofailover, maxattempts."},
	{"health", "Checks of members apart from requests: hcmethod and its settings."},
	{"pool", "Connections to members: min, smax, max, ttl, keepalive, disablereuse, buffers."},
	{"timeouts", "How long is waited for clients and members."},
	{"mappings", "Which URLs go where: ProxyPass, ProxyPassMatch, exclusions."},
	{"virtual-hosts", "Listening sockets and the choice of a virtual host."},
	{"headers", "Header, RequestHeader, Via, X-Forwarded-*, ProxyPreserveHost."},
	{"responses", "Rewriting of answers: ProxyPassReverse, cookie paths and domains, ErrorDocument, ProxyErrorOverride."},
	{"redirects", "Redirect, RedirectMatch and RewriteRule [R]."},
	{"rewrite", "mod_rewrite apart from redirects."},
	{"upgrade", "WebSocket and other upgrades."},
	{"environment", "SetEnv, SetEnvIf and what depends on them."},
	{"files", "Files served by httpd itself: DocumentRoot, Alias."},
	{"logging", "CustomLog, LogFormat, ErrorLog."},
	{"limits", "Bounds of sizes and numbers."},
	{"cluster", "Session replication of the Tomcats."},
	{"tomcat", "Elements and attributes of Tomcat's files."},
	{"unmapped", "Directives and elements that clowder reads but has no form for."},
}

// FindArea returns the area of that ID.
func FindArea(id string) (Area, bool) {
	for _, a := range Areas {
		if a.ID == id {
			return a, true
		}
	}
	return Area{}, false
}
