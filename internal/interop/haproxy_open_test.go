package interop

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"clowder/render/target"
)

// haClosed is one configuration with rules on access. want are lines of the
// output; refused are requests that must reach no member, allowed those that must.
type haClosed struct {
	name     string
	conf     string
	want     []string
	security bool // some note says that protection was lost
	refused  []string
	allowed  []string
}

const deny403 = "http-request deny deny_status 403"

var haClosedTable = []haClosed{
	{name: "deny from all", conf: "ProxyPass / $A/\n<Location /x>\nOrder allow,deny\nDeny from all\n</Location>",
		want: []string{deny403 + " if { var(txn.at) -m str t/x }"}, refused: []string{"/x", "/x/y", "//x", "/%78", "/x/../x/y", "/%78/y", "/a/..%2fx", "/./x"}, allowed: []string{"/", "/xy"}},
	{name: "order deny,allow", conf: "ProxyPass / $A/\n<Location /x>\nOrder deny,allow\nDeny from all\nAllow from 10.9.9.9\n</Location>",
		want: []string{"!{ src 10.9.9.9 }"}, refused: []string{"/x"}, allowed: []string{"/y"}},
	{name: "deny an address", conf: "ProxyPass / $A/\n<Location /x>\nOrder allow,deny\nAllow from all\nDeny from 127.0.0.0/8\n</Location>",
		want: []string{"{ src 127.0.0.0/8 }"}, refused: []string{"/x"}, allowed: []string{"/y"}},
	{name: "no order, allow only", conf: "ProxyPass / $A/\n<Location /x>\nDeny from 127\n</Location>",
		want: []string{"{ src 127.0.0.0/8 }"}, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "allow from a name", conf: "ProxyPass / $A/\n<Location /x>\nOrder deny,allow\nDeny from all\nAllow from example.org\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "deny from a name", conf: "ProxyPass / $A/\n<Location /x>\nOrder allow,deny\nAllow from all\nDeny from .example.org\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "allow from env", conf: "SetEnvIf User-Agent good ok\nProxyPass / $A/\n<Location /x>\nOrder deny,allow\nDeny from all\nAllow from env=ok\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "require all denied", conf: "ProxyPass / $A/\n<Location /x>\nRequire all denied\n</Location>",
		want: []string{deny403}, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "require ip", conf: "ProxyPass / $A/\n<Location /x>\nRequire ip 10.0.0.0/8 192.168.1\n</Location>",
		want: []string{"!{ src 10.0.0.0/8 192.168.1.0/24 }"}, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "require not ip", conf: "ProxyPass / $A/\n<Location /x>\n<RequireAll>\nRequire all granted\nRequire not ip 127.0.0.1\n</RequireAll>\n</Location>",
		want: []string{"{ src 127.0.0.1 }"}, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "require tree", conf: "ProxyPass / $A/\n<Location /x>\n<RequireAll>\nRequire ip 127.0.0.1\n<RequireNone>\nRequire ip 127.0.0.0/24\n</RequireNone>\n</RequireAll>\n</Location>",
		refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "require host", conf: "ProxyPass / $A/\n<Location /x>\nRequire host example.org\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "require expr", conf: "ProxyPass / $A/\n<Location /x>\nRequire expr %{HTTP_USER_AGENT} == 'a'\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "require env", conf: "ProxyPass / $A/\n<Location /x>\nRequire env ok\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "basic password", conf: "ProxyPass / $A/\n<Location /x>\nAuthType Basic\nAuthName n\nAuthUserFile /etc/passwords\nRequire valid-user\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "digest password", conf: "ProxyPass / $A/\n<Location /x>\nAuthType Digest\nAuthName n\nAuthUserFile /etc/passwords\nRequire user bob\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "satisfy any", conf: "ProxyPass / $A/\n<Location /x>\nOrder deny,allow\nDeny from all\nAllow from 10.1.2.3\nAuthType Basic\nAuthName n\nAuthUserFile /etc/passwords\nRequire valid-user\nSatisfy any\n</Location>",
		security: true, want: []string{"!{ src 10.1.2.3 }"}, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "limit", conf: "ProxyPass / $A/\n<Location /x>\n<Limit GET>\nRequire all denied\n</Limit>\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "limit except", conf: "ProxyPass / $A/\n<Location /x>\n<LimitExcept POST>\nDeny from all\n</LimitExcept>\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "if", conf: "ProxyPass / $A/\n<If \"%{REQUEST_URI} =~ m#^/x#\">\nRequire all denied\n</If>",
		security: true, refused: []string{"/x"}},
	{name: "needs TLS", conf: "ProxyPass / $A/\n<Location /x>\nSSLRequireSSL\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "needs a certificate in a section", conf: "ProxyPass / $A/\n<Location /x>\nSSLVerifyClient require\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "ssl require", conf: "ProxyPass / $A/\n<Location /x>\nSSLRequire %{SSL_CLIENT_S_DN_CN} eq \"bob\"\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "location match", conf: "ProxyPass / $A/\n<LocationMatch \"^/app/.*\\.(secret|key)$\">\nRequire all denied\n</LocationMatch>",
		refused: []string{"/app/a.secret", "/app/a%2Ekey", "/app/a.%6Bey", "/app//a.key", "/app/a.key%0a"}, allowed: []string{"/app/a.txt"}},
	{name: "forbidden by a rule", conf: "RewriteEngine On\nRewriteRule ^/x - [F]\nProxyPass / $A/",
		want: []string{deny403 + " if { var(txn.path) -m reg ^/x }"}, refused: []string{"/x", "/%78", "//x"}, allowed: []string{"/"}},
	{name: "forbidden under an unknown condition", conf: "RewriteEngine On\nRewriteCond %{TIME_HOUR} >20\nRewriteRule ^/x - [F]\nProxyPass / $A/",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "forbidden by one of two conditions", conf: "RewriteEngine On\nRewriteCond %{HTTP_USER_AGENT} ^$ [OR]\nRewriteCond %{QUERY_STRING} bad\nRewriteRule ^/x - [F]\nProxyPass / $A/",
		refused: []string{"/x", "/x?bad=1"}, allowed: []string{"/y?bad=1"}},
	{name: "gone by a rule", conf: "RewriteEngine On\nRewriteRule ^/x - [G]\nProxyPass / $A/",
		refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "a rule that leads away from a protected path", conf: "RewriteEngine On\nRewriteRule ^/x /denied.html [L]\nProxyPass / $A/",
		refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "a rule that passes through elsewhere", conf: "RewriteEngine On\nRewriteRule ^/x /y [PT]\nProxyPass / $A/",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "rules of a section", conf: "ProxyPass / $A/\n<Location /x>\nRewriteEngine On\nRewriteRule .* - [F]\n</Location>",
		security: true, refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "exclusion", conf: "ProxyPass /x !\nProxyPass / $A/",
		refused: []string{"/x", "/x/y", "/%78/y"}, allowed: []string{"/"}},
	{name: "exclusion in a location", conf: "ProxyPass / $A/\n<Location /x>\nProxyPass !\n</Location>",
		refused: []string{"/x"}, allowed: []string{"/"}},
	{name: "exclusion by a pattern", conf: "ProxyPassMatch ^/.*\\.gif$ !\nProxyPass / $A/",
		refused: []string{"/a.gif", "/a%2egif"}, allowed: []string{"/a.png"}},
	{name: "handler", conf: "ProxyPass /status !\nProxyPass / $A/\n<Location /status>\nSetHandler server-status\nRequire ip 10.0.0.1\n</Location>",
		refused: []string{"/status", "/status?auto"}, allowed: []string{"/"}},
	{name: "handler without a counterpart", conf: "ProxyPass /info !\nProxyPass / $A/\n<Location /info>\nSetHandler server-info\n</Location>",
		refused: []string{"/info"}, allowed: []string{"/"}},
	{name: "section of the proxy", conf: "<Proxy *>\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.1\n</Proxy>\nProxyPass / $A/",
		want: []string{"!{ src 10.0.0.1 }"}, refused: []string{"/", "/x"}},
	{name: "section below the target", conf: "<Proxy $A/x>\nRequire all denied\n</Proxy>\nProxyPass / $A/",
		security: true, refused: []string{"/x"}},
	{name: "virtual host", conf: "<VirtualHost *:$PORT>\nServerName other\nProxyPass / $A/\n</VirtualHost>\n<VirtualHost *:$PORT>\nServerName t\nProxyPass / $A/\n<Location />\nRequire all denied\n</Location>\n</VirtualHost>",
		refused: []string{"/", "/x"}},
	{name: "verified member without an authority", conf: "SSLProxyEngine On\nSSLProxyVerify require\nProxyPass / $S/",
		security: true, want: []string{"disabled"}, refused: []string{"/"}},
	{name: "verified member of another authority", conf: "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile $DUMMY\nProxyPass / $S/",
		security: true, want: []string{"verify required ca-file"}, refused: []string{"/"}},
	{name: "upgrade", conf: "ProxyPass / $A/", want: []string{"http-request del-header Upgrade"}, allowed: []string{"/"}},
	{name: "dots above a mapped path", conf: "ProxyPass / $A/app/", refused: []string{"/../x", "/%2e%2e/x", "/a/%2e./../x", "/..%2fx"}, allowed: []string{"/x"}},
	{name: "redirect of a protected path", conf: "ProxyPass / $A/\n<Location /x>\nRedirect 301 /x http://elsewhere/\n</Location>", refused: []string{"/x"}, allowed: []string{"/"}},
}

// TestHAProxyNeverMoreOpen: what httpd refuses, or what cannot be said in HAProxy's
// words, reaches no member; in the text, and through the real program.
func TestHAProxyNeverMoreOpen(t *testing.T) {
	for _, c := range haClosedTable {
		t.Run(c.name, func(t *testing.T) {
			ports := FreePorts(t, 3)
			dummy := dummyCertificate(t, t.TempDir())
			conf := strings.NewReplacer("$A", "http://127.0.0.1:"+strconv.Itoa(ports[1]), "$S", "https://127.0.0.1:"+strconv.Itoa(ports[2]),
				"$PORT", strconv.Itoa(ports[0]), "$DUMMY", dummy).Replace(c.conf)
			cfg, notes := haConvert(t, map[string]string{"httpd.conf": fmt.Sprintf("Listen 127.0.0.1:%d\nServerName t\n%s\n", ports[0], conf)})
			for _, w := range c.want {
				if !strings.Contains(cfg, w) {
					t.Errorf("the output lacks %q:\n%s", w, cfg)
				}
			}
			if c.security != hasSecurity(notes) {
				t.Errorf("a note of lost protection: %v, want %v: %+v", hasSecurity(notes), c.security, notes)
			}
			t.Run("real", func(t *testing.T) {
				requireHAProxy(t)
				b := &haBackends{}
				b.start(t, "A", ports[1])
				b.startTLS(t, "S", ports[2])
				startHAProxy(t, cfg, ports[0])
				for _, p := range c.refused {
					status := haSend(t, ports[0], "GET "+p+" HTTP/1.1\r\nHost: t\r\n\r\n")
					if hits := b.take(); len(hits) > 0 || status < 300 {
						t.Errorf("%s: status %d, members asked: %v", p, status, hits)
					}
				}
				for _, p := range c.allowed {
					status := haSend(t, ports[0], "GET "+p+" HTTP/1.1\r\nHost: t\r\n\r\n")
					if hits := b.take(); len(hits) != 1 || status != 200 {
						t.Errorf("%s: status %d, members asked: %v; want it allowed", p, status, hits)
					}
				}
			})
		})
	}
}

func hasSecurity(notes []target.Note) bool {
	for _, n := range notes {
		if n.Security && n.Loss != target.Exact {
			return true
		}
	}
	return false
}
