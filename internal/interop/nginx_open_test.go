package interop

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"clowder/render/target"
)

// nginxCase is a small configuration with something that protects. @FRONT@ and @A@
// are ports of the front end and of a member, @DIR@ is a folder with the files
// passwords (alice:secret and bob:secret) and ca.pem.
type nginxCase struct {
	name   string
	conf   string
	closed string   // requests that must be refused: METHOD PATH, or PATH; ~ before it sends alice's password, ^ bob's
	open   string   // requests that must reach the member
	lost   string   // area that a note of security must name; "" for none
	has    []string // of the output
}

const nginxMember = "ProxyPass / http://127.0.0.1:@A@/\n"

var nginxCases = []nginxCase{
	{name: "order deny", conf: nginxMember + "<Location /x>\nOrder deny,allow\nDeny from all\n</Location>", closed: "/x /x/y /x//y /%78/y /a/../x/y /a/%2e%2e/x", open: "/ /xy", has: []string{"return 403;"}},
	{name: "order allow address", conf: nginxMember + "<Location /x>\nOrder allow,deny\nAllow from 10.0.0.0/8\n</Location>", closed: "/x/y", open: "/y", has: []string{"allow 10.0.0.0/8;", "deny all;"}},
	{name: "order allow own address", conf: nginxMember + "<Location /x>\nOrder allow,deny\nAllow from 127.0.0.1\n</Location>", open: "/x/y"},
	{name: "allow from name", conf: nginxMember + "<Location /x>\nOrder deny,allow\nDeny from all\nAllow from partner.example.com\n</Location>", closed: "/x/y", open: "/y", lost: "access"},
	{name: "deny from name", conf: nginxMember + "<Location /x>\nOrder allow,deny\nAllow from all\nDeny from bad.example.com\n</Location>", closed: "/x/y", lost: "access"},
	{name: "allow from env", conf: nginxMember + "SetEnvIf User-Agent good ok\n<Location /x>\nOrder deny,allow\nDeny from all\nAllow from env=ok\n</Location>", closed: "/x/y", lost: "access"},
	{name: "require denied", conf: nginxMember + "<Location /x>\nRequire all denied\n</Location>", closed: "/x /x/", open: "/"},
	{name: "require not ip", conf: nginxMember + "<Location /x>\n<RequireAll>\nRequire all granted\nRequire not ip 127.0.0.0/8\n</RequireAll>\n</Location>", closed: "/x/y", open: "/y"},
	{name: "require none", conf: nginxMember + "<Location /x>\n<RequireAll>\nRequire all granted\n<RequireNone>\nRequire ip 127.0.0.1\n</RequireNone>\n</RequireAll>\n</Location>", closed: "/x/y"},
	{name: "require host", conf: nginxMember + "<Location /x>\nRequire host example.com\n</Location>", closed: "/x/y", lost: "access"},
	{name: "require env", conf: nginxMember + "<Location /x>\nRequire env ok\n</Location>", closed: "/x/y", lost: "access"},
	{name: "require expr", conf: nginxMember + "<Location /x>\nRequire expr %{REMOTE_ADDR} == '10.0.0.1'\n</Location>", closed: "/x/y", lost: "access"},
	{name: "require method", conf: nginxMember + "<Location /x>\nRequire method GET\n</Location>", closed: "/x/y", lost: "access"},
	{name: "password", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthName \"pay $5 off\"\nAuthUserFile @DIR@/passwords\nRequire valid-user\n</Location>", closed: "/x/y", open: "~/x/y ^/x/y", has: []string{"auth_basic "}},
	{name: "realm off", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthName off\nAuthUserFile @DIR@/passwords\nRequire valid-user\n</Location>", closed: "/x/y", open: "~/x/y"},
	{name: "some users", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthName a\nAuthUserFile @DIR@/passwords\nRequire user alice\n</Location>", closed: "/x/y ^/x/y", open: "~/x/y", has: []string{"/dev/null"}},
	{name: "address and password", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthName a\nAuthUserFile @DIR@/passwords\n<RequireAll>\nRequire valid-user\nRequire ip 10.0.0.0/8\n</RequireAll>\n</Location>", closed: "/x/y ~/x/y"},
	{name: "address or password", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthName a\nAuthUserFile @DIR@/passwords\n<RequireAny>\nRequire valid-user\nRequire ip 10.0.0.0/8\n</RequireAny>\n</Location>", closed: "/x/y", open: "~/x/y", has: []string{"satisfy any;"}},
	{name: "mixed", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthName a\nAuthUserFile @DIR@/passwords\n<RequireAny>\nRequire ip 10.0.0.0/8\n<RequireAll>\nRequire valid-user\nRequire ip 127.0.0.1\n</RequireAll>\n</RequireAny>\n</Location>", closed: "/x/y", open: "~/x/y"},
	{name: "mixed without own", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthName a\nAuthUserFile @DIR@/passwords\n<RequireAny>\nRequire ip 10.0.0.0/8\n<RequireAll>\nRequire valid-user\nRequire ip 192.0.2.0/24\n</RequireAll>\n</RequireAny>\n</Location>", closed: "/x/y ~/x/y"},
	{name: "satisfy any", conf: nginxMember + "<Location /x>\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.1\nAuthType Basic\nAuthName a\nAuthUserFile @DIR@/passwords\nRequire valid-user\nSatisfy any\n</Location>", closed: "/x/y", open: "~/x/y"},
	{name: "digest", conf: nginxMember + "<Location /x>\nAuthType Digest\nAuthName a\nAuthUserFile @DIR@/passwords\nRequire valid-user\n</Location>", closed: "/x/y ~/x/y", lost: "authentication"},
	{name: "no realm", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthUserFile @DIR@/passwords\nRequire valid-user\n</Location>", closed: "/x/y ~/x/y"},
	{name: "group", conf: nginxMember + "<Location /x>\nAuthType Basic\nAuthName a\nAuthUserFile @DIR@/passwords\nAuthGroupFile @DIR@/groups\nRequire group admins\n</Location>", closed: "/x/y ~/x/y", lost: "access"},
	{name: "limit", conf: nginxMember + "<Location /x>\n<Limit PUT DELETE>\nRequire all denied\n</Limit>\n</Location>", closed: "PUT:/x/y DELETE:/x/y", open: "/y", lost: "access"},
	{name: "limitexcept", conf: nginxMember + "<Location /x>\n<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n</Location>", closed: "POST:/x/y PUT:/x/y", lost: "access"},
	{name: "if", conf: nginxMember + "<If \"%{HTTP_USER_AGENT} =~ /bad/\">\nRequire all denied\n</If>", closed: "/x/y", lost: "access"},
	{name: "requiressl", conf: nginxMember + "<Location /x>\nSSLRequireSSL\n</Location>", closed: "/x/y", open: "/y", lost: "access"},
	{name: "locationmatch", conf: nginxMember + "<LocationMatch \"^/x/.*\\.cgi$\">\nRequire all denied\n</LocationMatch>", closed: "/x/a.cgi /x/%0a.cgi /x//b/c.cgi", open: "/x/a"},
	{name: "locationmatch alternatives", conf: nginxMember + "<LocationMatch \"/(admin|config)\">\nRequire all denied\n</LocationMatch>", closed: "/admin /a/config/b", open: "/other"},
	{name: "locationmatch bad pattern", conf: nginxMember + "<LocationMatch \"(*LIMIT_MATCH=5)^/x\">\nRequire all denied\n</LocationMatch>", closed: "/x/y", lost: "mappings"},
	{name: "two patterns", conf: nginxMember + "<LocationMatch \"^/x\">\nRequire all granted\n</LocationMatch>\n<LocationMatch \"secret\">\nRequire all denied\n</LocationMatch>", closed: "/x/secret /secret", open: "/x/y /y"},
	{name: "glob", conf: nginxMember + "<Location \"/a/*/private\">\nRequire all denied\n</Location>", closed: "/a/b/private", open: "/a/b/c"},
	{name: "rewrite forbids", conf: nginxMember + "RewriteEngine On\nRewriteRule ^/x - [F]", closed: "/x/y /%78", open: "/y"},
	{name: "rewrite forbids nocase", conf: nginxMember + "RewriteEngine On\nRewriteRule ^/x - [F,NC]", closed: "/x/y /X/y"},
	{name: "rewrite forbids by header", conf: nginxMember + "RewriteEngine On\nRewriteCond %{HTTP_USER_AGENT} ^$\nRewriteCond %{REQUEST_METHOD} ^(PUT|GET)$\nRewriteRule ^/x - [F]", closed: "/x/y PUT:/x/y", open: "/y POST:/x/y"},
	{name: "rewrite forbids, alternatives", conf: nginxMember + "RewriteEngine On\nRewriteCond %{REQUEST_METHOD} ^PUT$ [OR]\nRewriteCond %{QUERY_STRING} evil\nRewriteRule ^ - [F]", closed: "PUT:/ /?a=evil", open: "/"},
	{name: "rewrite forbids, unknown condition", conf: nginxMember + "RewriteEngine On\nRewriteCond %{LA-U:REMOTE_USER} !^alice\nRewriteRule ^/x - [F]", closed: "/x/y", open: "/y"},
	{name: "rewrite forbids, chained", conf: nginxMember + "RewriteEngine On\nRewriteRule ^/x - [C]\nRewriteRule y - [F]", closed: "/x/y"},
	{name: "rewrite gone in section", conf: nginxMember + "<Location /x>\nRewriteEngine On\nRewriteRule secret - [F]\n</Location>", closed: "/x/secret /x/y", lost: "rewrite"},
	{name: "rewrite proxies into guarded", conf: nginxMember + "<Location /x>\nRequire all denied\n</Location>\nRewriteEngine On\nRewriteRule ^/(.*)$ http://127.0.0.1:@A@/$1 [P]", closed: "/x/y /y", lost: "rewrite"},
	{name: "redirect inside guarded", conf: nginxMember + "<Location /x>\nRequire ip 10.0.0.0/8\nRedirect /x http://other/\n</Location>", closed: "/x/y"},
	{name: "exclusion", conf: "ProxyPass /x !\n" + nginxMember, closed: "/x/y /x", open: "/xy"},
	{name: "manager", conf: "ProxyPass /balancer-manager !\n" + nginxMember + "<Location /balancer-manager>\nSetHandler balancer-manager\nRequire all granted\n</Location>", closed: "/balancer-manager /balancer-manager?x=1"},
	{name: "status", conf: "ProxyPass /server-status !\n" + nginxMember + "<Location /server-status>\nSetHandler server-status\nRequire ip 10.0.0.1\n</Location>", closed: "/server-status", has: []string{"stub_status;"}},
	{name: "proxy section", conf: nginxMember + "<Proxy *>\nOrder deny,allow\nDeny from all\nAllow from 10.0.0.1\n</Proxy>", closed: "/ /x"},
	{name: "proxy section deeper", conf: nginxMember + "<Proxy http://127.0.0.1:@A@/x>\nRequire all denied\n</Proxy>", closed: "/x/y"},
	{name: "behind a proxy", conf: nginxMember + "RemoteIPHeader X-Real\nRemoteIPTrustedProxyList @DIR@/list\n<Location /x>\nRequire ip 127.0.0.1\n</Location>", closed: "/x/y", open: "/y", lost: "unmapped"},
	{name: "behind a known proxy", conf: nginxMember + "RemoteIPHeader X-Real\nRemoteIPInternalProxy 10.0.0.1\n<Location /x>\nRequire ip 10.0.0.0/8\n</Location>", closed: "/x/y"},
	{name: "member over TLS without authorities", conf: "SSLProxyEngine On\nSSLProxyVerify require\nProxyPass / https://127.0.0.1:@A@/", closed: "/", lost: "backend-tls"},
	{name: "member over TLS, engine off", conf: "ProxyPass / https://127.0.0.1:@A@/", closed: "/"},
	{name: "member over TLS that is not trusted", conf: "SSLProxyEngine On\nSSLProxyVerify require\nSSLProxyCACertificateFile @DIR@/ca.pem\nProxyPass / https://127.0.0.1:@A@/", closed: "/", has: []string{"proxy_ssl_verify on;"}},
	{name: "interpolated", conf: "ProxyPassInterpolateEnv On\nProxyPass /x http://127.0.0.1:@A@/${WHERE} interpolate\n", closed: "/x/y"},
	{name: "member chosen by request", conf: "ProxyPassMatch ^/x/(\\d+)/ http://127.0.0.1:$1/\n", closed: "/x/@A@/"},
	{name: "encoded slash", conf: nginxMember + "AllowEncodedSlashes NoDecode\n<Location /x>\nRequire all denied\n</Location>", closed: "/x%2fy /x%2F..%2Fx /a%2F..%2Fx"},
}

// TestNginxOpenCases: what httpd refuses is refused by nginx with the converted
// configuration, and what it lets in still gets in.
func TestNginxOpenCases(t *testing.T) {
	bin := requireNginx(t)
	seen := &nginxMembers{}
	member := seen.listen(t, "A")
	dir := t.TempDir()
	// apr1 entries of the password "secret".
	passwords := "alice:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/\nbob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
	for name, text := range map[string]string{"passwords": passwords, "ca.pem": string(nginxCertificate(t)), "list": "10.0.0.1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range nginxCases {
		t.Run(strings.ReplaceAll(x.name, " ", "_"), func(t *testing.T) {
			port := FreePorts(t, 1)[0]
			expand := strings.NewReplacer("@FRONT@", strconv.Itoa(port), "@A@", strconv.Itoa(member), "@DIR@", dir).Replace
			file := filepath.Join(t.TempDir(), "httpd.conf")
			if err := os.WriteFile(file, []byte(expand("Listen 127.0.0.1:@FRONT@\nServerName www.example\n"+x.conf+"\n")), 0o644); err != nil {
				t.Fatal(err)
			}
			confs, notes, ok := convertToNginx(t, file)
			if !ok {
				t.Fatal("the case does not parse")
			}
			for _, h := range x.has {
				if !strings.Contains(confs[0], h) {
					t.Errorf("no %q in\n%s", h, confs[0])
				}
			}
			nginxLost(t, x.lost, notes)
			newNginxRoot(t).start(t, bin, confs[0], port)
			for _, q := range strings.Fields(x.closed) {
				if status := nginxAsk(t, port, expand(q)); status < 400 && status != 0 || len(seen.take()) > 0 {
					t.Errorf("%s gets in: %d\n%s", q, status, confs[0])
				}
			}
			for _, q := range strings.Fields(x.open) {
				if status := nginxAsk(t, port, expand(q)); status != 200 || len(seen.take()) != 1 {
					t.Errorf("%s does not get in: %d\n%s", q, status, confs[0])
				}
			}
		})
	}
}

func nginxLost(t *testing.T, area string, notes []target.Note) {
	t.Helper()
	if area == "" {
		return
	}
	for _, n := range notes {
		if n.Security && n.Loss != target.Exact && n.ID == area {
			return
		}
	}
	t.Errorf("no note of security in the area %s: %+v", area, notes)
}

// nginxAsk sends one request of an nginxCase.
func nginxAsk(t *testing.T, port int, q string) int {
	t.Helper()
	var headers [][2]string
	for user, mark := range map[string]string{"alice": "~", "bob": "^"} {
		if rest, ok := strings.CutPrefix(q, mark); ok {
			q = rest
			headers = [][2]string{{"Authorization", "Basic " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:secret", user))}}
		}
	}
	method := "GET"
	if m, rest, ok := strings.Cut(q, ":/"); ok {
		method, q = m, "/"+rest
	}
	status, _ := nginxSend(t, port, method, q, "1.1", headers, nil, false)
	return status
}
