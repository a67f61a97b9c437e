package interop

import (
	"fmt"
	"strings"

	"clowder/parse/known"
)

// diffModuleNames are loaded when configurations are compared: those that a
// front end of Tomcats has.
const diffModuleNames = `mpm_event authn_core authn_file auth_basic authz_core authz_host authz_user access_compat alias
	headers env setenvif rewrite macro status dir mime slotmem_shm proxy proxy_http proxy_ajp proxy_balancer
	proxy_hcheck proxy_connect proxy_wstunnel lbmethod_byrequests lbmethod_bytraffic lbmethod_bybusyness lbmethod_heartbeat`

// statement makes a short configuration around one directive or parameter with
// a value from everywhere: most of these values are wrong for httpd.
func (g generator) statement() string {
	switch g.IntN(12) {
	case 0, 1, 2, 3:
		return g.parameter()
	case 4, 5:
		return g.proxyPass()
	case 6:
		return g.accessLines()
	case 7:
		return g.tag()
	case 8:
		return g.health()
	default:
		return g.anyDirective()
	}
}

const (
	workerKeys = `loadfactor lbset route redirect status retry timeout connectiontimeout ping acquire min max smax ttl keepalive
		disablereuse enablereuse addressttl flushpackets flushwait iobuffersize receivebuffersize responsefieldsize secret
		upgrade flusher hcmethod hcinterval hcpasses hcfails hcuri hcexpr hctemplate bogus LoadFactor Route`
	balancerKeys = `lbmethod stickysession stickysessionsep scolonpathdelim nofailover timeout maxattempts failonstatus
		failontimeout forcerecovery nonce growth bogus LBMethod`
)

func (g generator) value() string {
	return g.pick("0", "1", "-1", "2", "5", "99", "100", "101", "511", "512", "513", "999", "1000", "1001", "65535", "65536", "2147483647",
		"2147483648", "99999999999", "x", "", "5s", "5ms", "500ms", "99ms", "100ms", "1mi", "1m", "1h", "1d", "5x", "1.5", "0.5", "100.5", "0x10", "+5", "007",
		"on", "off", "On", "OFF", "auto", "yes", "full", "+D", "+D-E", "D", "+HI", "-", "Z", "+Z", "ab", ".", ";", "None", "byrequests", "bytraffic", "bybusyness", "heartbeat",
		"roundrobin", "500", "500,503", "99,500", "600", "503,", ",503", "200", "GET", "get", "TCP", "HEAD", "CPING", "POST", "OPTIONS11", "S|s", "S|", "JSESSIONID|jsessionid", "a=b", "a,b",
		"websocket", "ANY", "NONE", "/x", "x/y", "http://h/", "-5", "1 2", strings.Repeat("a", 15), strings.Repeat("b", 16), strings.Repeat("c", 63), strings.Repeat("d", 64), strings.Repeat("e", 300))
}

func (g generator) pair(keys string) string {
	k := strings.Fields(keys)
	p := k[g.IntN(len(k))] + g.pick("=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "=", "==", " = ", "", " ") + g.value()
	if g.IntN(12) == 0 {
		p = `"` + p + `"`
	}
	return p
}

func (g generator) params(keys string) string {
	s := ""
	for range 1 + g.IntN(2) {
		s += " " + g.pair(keys)
	}
	return s
}

func (g generator) backend() string {
	return g.pick("http://127.0.0.1:81", "http://127.0.0.1:81/", "ajp://127.0.0.1:82", "ajp://127.0.0.1:82/x", "https://h.example", "ws://127.0.0.1:83/", "http://h/?a=b",
		"balancer://c", "balancer://c/", "127.0.0.1:81", "/b", "h", "http:", "http://", "http://:81", "http://h:x/", "http://h:99999", "http://[::1]:81", "http://[::1", "ftp://h/", "foo://h/", "unix:/s|http://h/", "unix:/s|http:", "unix:/s", "fcgi://h/$1", "!", `"http://h/a b"`,
		"http://u:p@h/", "HTTP://H", "http://"+strings.Repeat("h", 300)+"/", "balancer://"+strings.Repeat("b", 70))
}

func (g generator) parameter() string {
	member := "BalancerMember http://127.0.0.1:81 route=a\n"
	switch g.IntN(9) {
	case 0, 1:
		return "<Proxy balancer://c>\nBalancerMember " + g.backend() + g.params(workerKeys) + "\n</Proxy>\n"
	case 2:
		return "ProxyPass /a http://127.0.0.1:81/" + g.params(workerKeys) + "\n"
	case 3:
		return "<Proxy balancer://c>\n" + member + "</Proxy>\nProxyPass /a balancer://c/" + g.params(balancerKeys) + "\n"
	case 4:
		return "<Proxy balancer://c>\n" + member + "ProxySet" + g.params(balancerKeys) + "\n</Proxy>\n"
	case 5:
		return "<Proxy " + g.pick("balancer://c", "http://127.0.0.1:81/", "*", "foo", "~ ^http", "balancer://c/p", "proxy:balancer://c") + g.params(g.pick(workerKeys, balancerKeys)) + ">\n</Proxy>\n"
	case 6:
		return "<Proxy http://127.0.0.1:81/>\nProxySet" + g.params(workerKeys) + "\n</Proxy>\n"
	case 7:
		return "<Proxy balancer://c>\n" + member + "</Proxy>\nProxySet " + g.pick("balancer://c", "balancer://d", "http://127.0.0.1:81", "") + g.params(g.pick(workerKeys, balancerKeys)) + "\n"
	}
	return "BalancerMember " + g.pick("balancer://c", "balancer://c/x", "http://x", "c", "", "BALANCER://c") + " " + g.backend() + g.params(workerKeys) + "\n"
}

func (g generator) proxyPass() string {
	line := g.pick("ProxyPass", "ProxyPass", "ProxyPassMatch", "ProxyPassReverse", "proxypass") + g.pick("", "", "", "", " ~") + " "
	line += g.pick("/a", "/a", "/", "a", "", "^/a(.*)$", "^/(", `"/a b"`, "!", "/a/(.*)", "http://h/") + " " + g.pick(g.backend(), g.backend(), g.backend()+"$1", "!")
	line += g.pick("", "", " nocanon", " interpolate", " noquery", " nocanon noquery interpolate", " bogus", " mapping=encoded", " mapping=servlet", " mapping=x", g.params(workerKeys)) + "\n"
	switch g.IntN(5) {
	case 0:
		return "<Location " + g.pick("/a", "/", `"/a b"`, "~ ^/a") + ">\n" + line + "</Location>\n"
	case 1:
		return g.pick("<LocationMatch ^/a>\n", "<LocationMatch ^/(a|b)/>\n") + strings.Replace(line, "/a ", "", 1) + "</LocationMatch>\n"
	case 2:
		return "<Location /a>\n" + strings.Replace(line, "/a ", "", 1) + "</Location>\n"
	}
	return line
}

func (g generator) accessLines() string {
	host := func() string {
		return g.pick("all", "none", "localhost", "127.0.0.1", "10.1", "10.", "10.0.0.0/8", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "foo/24", ".example.com", "2001:db8::/32", "::1", "env=X", "env=!X", "env=", "#c", "300.1.1.1", "10.0.0.1/", "a.b.c.d", "*", "from")
	}
	line := ""
	switch g.IntN(8) {
	case 0:
		line = "Order " + g.pick("allow,deny", "deny,allow", "mutual-failure", "Deny,Allow", "allow, deny", "allow", "deny allow", "")
	case 1, 2:
		line = g.pick("Allow", "Deny", "allow") + " " + g.pick("from", "from", "from", "From", "to", "") + " " + host() + g.pick("", " "+host())
	case 3:
		line = "Satisfy " + g.pick("any", "all", "ALL", "some", "", "any all")
	default:
		line = "Require " + g.pick("", "", "", "not ") + g.pick("all granted", "all denied", "all", "all maybe", "all granted x", "ip "+host(), "host "+host(), "local", "local x", "valid-user", "valid-user x", "user a b", "user", "group a", "env X", "env", "method GET", "method FOO", "method",
			"expr true", `expr "%{REQUEST_URI} =~ /a/"`, "expr %{X", "expr", "forward-dns h.example", "ip", "host", "bogus x", "not", "", "ip 10.0.0.0/8 127.0.0.1")
	}
	line += "\n"
	if g.IntN(4) == 0 {
		name := g.pick("RequireAny", "RequireAll", "RequireNone", "Limit GET", "LimitExcept GET", "Limit FOO", "Limit", "RequireAny x", `If "true"`)
		line = "<" + name + ">\n" + line + g.pick("", "Require all granted\n") + "</" + strings.Fields(name)[0] + ">\n"
	}
	where := g.pick("Location /m", "Proxy *", "Directory /tmp", "", "Files x", "LocationMatch ^/m")
	if where == "" {
		return line
	}
	return "<" + where + ">\n" + line + "</" + strings.Fields(where)[0] + ">\n"
}

func (g generator) tag() string {
	name := g.pick("VirtualHost", "Location", "LocationMatch", "Proxy", "ProxyMatch", "Directory", "DirectoryMatch", "Files", "FilesMatch", "If", "ElseIf", "Else", "Limit", "LimitExcept", "RequireAll", "IfVersion", "IfModule", "IfFile", "IfDirective", "IfSection", "Bogus", "virtualhost")
	arg := g.pick("", "", "/a", "*:80", "*", "_default_", "_default_:*", "127.0.0.1", "127.0.0.1:x", "[::1]:80", "[::1", "no.such.example:80", "*:99999", ":80", "80", "127.0.0.1:80 *:81", `"/a b"`, "/a b", "~ ^/a", "~ (", "~", "^/(", "^/a", `"%{HTTP_HOST} == 'x'"`, "true", `"false"`, `"-n %{X}"`, `"%{X} in {'a'}"`,
		`"a"`, `"%{X} -eq 1"`, `"%{X} =~ m#a#i"`, `"%{X} =~ /(/"`, `"req('A') && true"`, `"foo(%{X})"`, "GET", "GET POST", "TRACE", "foo", "balancer://c", "http://h/*", ">= 2.4", "2.4", "= /2/", "~ 2.4", "! 2.4", "!~ ^2", "2.4.x", ">2.4", "=> 2", "mod_proxy.c", "!mod_proxy.c", "ProxyPass", "<Proxy", "VirtualHost", "!")
	inner := g.pick("", "", "ServerName x\n", "ProxyPass http://h/\n", "Require all granted\n", "SetHandler x\n", "Order allow,deny\n", "Listen 81\n", "ProxyVia on\n", "<Location /x>\n</Location>\n", "<Files x>\n</Files>\n", "<VirtualHost *:1>\n</VirtualHost>\n", "<If true>\n</If>\n", "<Proxy *>\n</Proxy>\n", "<Limit GET>\n</Limit>\n", "<Directory /x>\n</Directory>\n")
	s := "<" + name + g.pick(" ", " ", " ", " ", "") + arg + g.pick(">", ">", ">", ">", ">", " >", "> x", "") + "\n" + inner + g.pick("</", "</", "</", "</", "</", "< /") + name + g.pick(">", ">", ">", ">", " >", "> x", "") + "\n"
	if strings.HasPrefix(name, "Else") && g.IntN(3) > 0 {
		s = "<If true>\n</If>\n" + s
	}
	if g.IntN(3) == 0 {
		outer := g.pick("VirtualHost *:80", "Location /", "Directory /", "Files x", "Proxy *", "If true", "IfModule mod_proxy.c", "IfModule nope.c", "IfDefine !X", "RequireAny")
		s = "<" + outer + ">\n" + s + "</" + strings.Fields(outer)[0] + ">\n"
	}
	return s
}

func (g generator) health() string {
	return g.pick("ProxyHCExpr ok ", "ProxyHCExpr ", "ProxyHCExpr "+strings.Repeat("n", 15)+" ", "ProxyHCExpr "+strings.Repeat("n", 16)+" ") + g.pick("{%{REQUEST_STATUS} =~ /^[234]/}", "{true}", "{hc('body') !~ /x/}", "{%{X} =~ }", "{true", "true", "{true} x", "{}", "") + "\n" +
		g.pick("", "ProxyHCTemplate t "+g.pair("hcmethod hcinterval hcpasses hcfails hcuri hcexpr timeout route bogus")+"\n", "ProxyHCTemplate "+g.pick("", "t", "t t", "t=1")+"\n", "ProxyHCTPsize "+g.value()+"\n") +
		"<Proxy balancer://c>\nBalancerMember http://127.0.0.1:81 " + g.pick("hctemplate=t", "hcexpr=ok", "hcexpr=no", "hctemplate=u", g.pair(workerKeys)) + "\n</Proxy>\n"
}

// skipDirectives touch the machine, or are about files that must exist.
var skipDirectives = map[string]bool{
	"include": true, "includeoptional": true, "loadfile": true, "loadmodule": true, "serverroot": true, "defaultruntimedir": true, "macro": true, "use": true, "define": true,
	"user": true, "group": true, "chrootdir": true, "suexec": true, "coredumpdirectory": true, "error": true, "warning": true,
	"typesconfig": true, "documentroot": true, "errorlog": true, "customlog": true, "transferlog": true, "globallog": true, "mutex": true, "scriptlog": true, "pidfile": true, "scoreboardfile": true,
	"authuserfile": true, "rewritemap": true, "listen": true, "listencoresbucketsratio": true, "serverlimit": true, "threadlimit": true,
	"proxysourceaddress": true, // a name may resolve here
}

var diffDirectives = func() []string {
	loaded := map[string]bool{"core": true, "mpm_common": true, "event": true, "mod_so": true, "mod_unixd": true, "mod_log_config": true, "mod_version": true, "mod_watchdog": true}
	for _, m := range strings.Fields(diffModuleNames) {
		loaded["mod_"+m] = true
	}
	var out []string
	for _, d := range known.Directives() {
		if first, _, _ := strings.Cut(d.Module, ","); loaded[first] && d.Versions&known.V24 != 0 && !d.IsSection && !skipDirectives[strings.ToLower(d.Name)] {
			out = append(out, d.Name)
		}
	}
	return out
}()

func (g generator) anyDirective() string {
	d := diffDirectives[g.IntN(len(diffDirectives))]
	if g.IntN(2) == 0 {
		d = g.pick("ProxyVia", "ProxyStatus", "ProxyBadHeader", "ProxyTimeout", "ProxyIOBufferSize", "ProxyReceiveBufferSize", "ProxyMaxForwards", "ProxyErrorOverride", "BalancerGrowth", "BalancerInherit", "BalancerPersist",
			"ProxyDomain", "AllowCONNECT", "ProxyRequests", "ProxyBlock", "NoProxy", "ServerName", "ServerAlias", "Timeout", "KeepAlive", "KeepAliveTimeout", "MaxKeepAliveRequests", "UseCanonicalName", "AllowEncodedSlashes", "MergeSlashes", "TraceEnable", "ErrorDocument", "LogLevel", "ServerTokens",
			"ServerSignature", "Header", "RequestHeader", "SetEnv", "UnsetEnv", "SetEnvIf", "SetEnvIfNoCase", "BrowserMatch", "RewriteEngine", "RewriteRule", "RewriteCond", "RewriteBase", "Alias", "AliasMatch", "Redirect", "RedirectMatch", "ScriptAlias", "DirectoryIndex", "Options", "AllowOverride",
			"ProxyRemote", "ProxyPassReverseCookiePath", "ProxyPassReverseCookieDomain", "ProxyAddHeaders", "ProxyPreserveHost", "SetHandler", "AddHandler", "AuthType", "AuthName", "LimitRequestBody", "LimitRequestFields", "LimitRequestFieldSize", "LimitRequestLine", "HostnameLookups", "UnDefine", "UndefMacro")
	}
	line := d
	for range g.IntN(4) {
		line += " " + g.pick(g.value(), g.value(), "set", "add", "append", "unset", "edit", "echo", "always", "onsuccess", "early", "env=X", "env=!X", `"expr=true"`, "expr=%{", "X-A", `"%D %t %{VAR}e"`, "%", "%q", "%{x", "/a", "^/(.*)$", "(", "http://h/$1", "[P,L]", "[R=301]", "[R=999]", "[bogus]", "[P", "-", "%{HTTP_HOST}", "%{REQUEST_URI}", "!^x$", "[NC,OR]", "[NC", "permanent", "temp", "301", "gone",
			"Request_URI", "Remote_Addr", ".example.com", "www.example.com", "*.example.com", "example.com:80", "http://x:99999", "[::1]:80", "443-445", "10.0.0.0/8", "warn", "proxy:debug", "proxy:loud", "info", "Prod", "EMail", "404", "99", "700", `"text"`, "/err.html", "extended", "nodecode", "dns", "IsError", "StartBody", "Double", "None", "All", "+Indexes", "-Indexes", "Indexes", "Limit", "FileInfo", "Basic", "Digest", "interpolate", "*")
	}
	line += "\n"
	if g.IntN(4) == 0 {
		where := g.pick("VirtualHost *:80", "Location /", "Directory /", "Proxy *", "Files x", "If true")
		line = fmt.Sprintf("<%s>\n%s</%s>\n", where, line, strings.Fields(where)[0])
	}
	return line
}
