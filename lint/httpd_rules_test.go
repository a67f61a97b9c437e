package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"clowder/lint"
	"clowder/parse"
	"clowder/parse/diag"
)

// TestHTTPDRules checks variants of what the rules about modules, mappings and
// balancers find: each wanted finding is ID:line:level, and nothing else of these
// rules may be found.
func TestHTTPDRules(t *testing.T) {
	const (
		base   = "LoadModule mpm_event_module m/mod_mpm_event.so\nLoadModule authz_core_module m/mod_authz_core.so\nLoadModule proxy_module m/mod_proxy.so\n" // 3 lines
		ajp    = base + "LoadModule proxy_ajp_module m/mod_proxy_ajp.so\n"                                                                                    // 4 lines
		lb     = ajp + "LoadModule slotmem_shm_module m/mod_slotmem_shm.so\nLoadModule lbmethod_byrequests_module m/mod_lbmethod_byrequests.so\nLoadModule proxy_balancer_module m/mod_proxy_balancer.so\n"
		c      = "<Proxy balancer://c>\nBalancerMember ajp://h:8009\nBalancerMember ajp://i:8009\n</Proxy>\n"
		helper = "H008 H009 H101 H102 H105 H106 H107 H108 H202 H203 H204 H205 H206 H207 H208 H209 H210 H301 H302 H303 H304 H305"
	)
	for _, x := range []struct{ name, text, want string }{
		// Removed and ignored directives.
		{"removed, case and place", "<IfModule mod_rewrite.c>\nrewritelog /x\nRewriteLogLevel 3\n</IfModule>\n", "H008:2:error H008:3:error"},
		{"authoritative", base + "<Location /x>\nAuthzUserAuthoritative Off\nAuthBasicAuthoritative Off\n</Location>\n", "H008:5:error"},
		{"for 2.2 only", "<IfModule !mod_authz_core.c>\nLockFile /x\n</IfModule>\n<IfVersion < 2.4>\nNameVirtualHost *\nLockFile /y\n</IfVersion>\n", ""},
		{"still accepted", base + "MaxClients 10\nMaxRequestsPerChild 0\n", ""},
		{"ignored", base + "NameVirtualHost *:80\nDefaultType text/plain\n", "H009:4:info H009:5:info"},
		{"DefaultType none", base + "DefaultType none\n", ""},
		// Modules.
		{"scheme in Location", base + "<Location /a>\nProxyPass ajp://h:8009/a\n</Location>\n", "H101:5:error"},
		{"scheme in SetHandler", base + "<Location /a>\nSetHandler \"proxy:fcgi://localhost:9000\"\n</Location>\n", "H101:5:error"},
		{"scheme behind a socket", base + "ProxyPass /a unix:/run/x.sock|http://localhost/a\n", "H101:4:error"},
		{"scheme of a rule", base + "LoadModule rewrite_module m/mod_rewrite.so\nRewriteEngine On\nRewriteRule ^/a(/.*)$ ajp://h:8009/a$1 [P,L]\n", "H101:6:error"},
		{"one finding per module", base + "ProxyPass /a http://h/a\nProxyPass /b https://h/b\nProxyPass /c AJP://h/c\n", "H101:4:error H101:6:error"},
		{"ws by mod_proxy_http", base + "LoadModule proxy_http_module m/mod_proxy_http.so\nProxyPass /a ws://h/a\n", ""},
		{"an exclusion has no scheme", base + "ProxyPass /a !\n", ""},
		{"no LoadModule", "ProxyPass /a ajp://h:8009/a\n", ""},
		{"modules elsewhere", base + "IncludeOptional mods-enabled/*.load\nProxyPass /a ajp://h:8009/a\n", ""},
		{"balancer in a rule", ajp + "LoadModule rewrite_module m/mod_rewrite.so\nRewriteEngine On\n" + c + "RewriteRule ^/a(/.*)$ balancer://c/a$1 [P]\n", "H102:7:error"},
		{"balancer by BalancerMember", ajp + "BalancerMember balancer://c ajp://h:8009\nProxyPass / balancer://c/\n", "H102:5:error"},
		{"manager without mod_proxy_balancer", base + "<Location /m>\nSetHandler balancer-manager\nRequire local\n</Location>\n", "H105:5:error"},
		{"manager and balancer", ajp + c + "ProxyPass /a balancer://c/a\n<Location /m>\nSetHandler balancer-manager\nRequire local\n</Location>\n", "H102:5:error"},
		{"handler in a virtual host", base + "<VirtualHost *:80>\n<Location /s>\nSetHandler Server-Status\nRequire local\n</Location>\n</VirtualHost>\n", "H105:6:error"},
		{"local handler", base + "<Location /s>\nSetHandler none\n</Location>\n", ""},
		{"satisfy alone", base + "<Location /s>\nSatisfy any\n</Location>\n", "H106:5:error"},
		{"compat in a condition", base + "<IfModule mod_access_compat.c>\nOrder deny,allow\n</IfModule>\n", ""},
		{"for 2.2", base + "<Location /s>\n<IfModule !mod_authz_core.c>\nOrder deny,allow\nDeny from all\n</IfModule>\n<IfModule mod_authz_core.c>\nRequire all denied\n</IfModule>\n</Location>\n", ""},
		{"compat loaded", base + "LoadModule access_compat_module m/x.so\n<Location /s>\nOrder deny,allow\nDeny from all\n</Location>\n", ""},
		{"module twice", base + "LoadModule proxy_module m/mod_proxy.so\n", "H107:4:info"},
		{"module twice in branches", "<IfDefine !A>\nLoadModule proxy_module m/a.so\n</IfDefine>\n<IfDefine !B>\nLoadModule proxy_module m/b.so\n</IfDefine>\n", ""},
		{"health in ProxySet", ajp + "ProxyPass /a ajp://h:8009/a\nProxySet ajp://h:8009/a hcmethod=TCP\n", "H108:6:error"},
		{"health in ProxyPass", ajp + "ProxyPass /a ajp://h:8009/a HCmethod=TCP\n", "H108:5:error"},
		{"health with watchdog built in", "ServerRoot /etc/apache2\n" + ajp + "LoadModule proxy_hcheck_module m/mod_proxy_hcheck.so\nProxyPass /a ajp://h:8009/a hcmethod=TCP\n", ""},
		// The order of mappings.
		{"root first", "ProxyPass / http://a/\nProxyPass /b http://b/b\n", "H202:2:error"},
		{"equal paths", "ProxyPass /a http://a/a\nProxyPass /a http://b/a\n", "H202:2:error"},
		{"the same URL", "ProxyPass /a http://a/a\nProxyPass /a/b http://a/a/b\n", "H202:2:info"},
		{"whole parts", "ProxyPass /app http://a/app\nProxyPass /apple http://b/apple\nProxyPass /b/ http://a/b/\nProxyPass /b http://a/c\n", ""},
		{"behind a slash", "ProxyPass /b/ http://a/b/\nProxyPass /b/c http://a/c\n", "H202:2:error"},
		{"hidden by an expression", "ProxyPassMatch ^/app/(.*)$ http://a/$1\nProxyPass /app/x http://b/x\n", "H202:2:error"},
		{"an expression hidden", "ProxyPass / http://a/\nProxyPassMatch ^/x/(.*)\\.gif$ http://b/$1\n", "H202:2:error"},
		{"an expression not hidden", "ProxyPass /app http://a/app\nProxyPassMatch ^/app(.*)$ http://b/x$1\nProxyPassMatch \\.gif$ http://c\n", ""},
		{"other hosts", "<VirtualHost *:80>\nServerName a\nProxyPass / http://a/\n</VirtualHost>\n<VirtualHost *:80>\nServerName b\nProxyPass /b http://b/b\n</VirtualHost>\n", ""},
		{"the main server comes first", "ProxyPass /a http://a/a\n<VirtualHost *:80>\nProxyPassInherit Off\nProxyPass /a/b http://b/b\n</VirtualHost>\n", "H202:4:error"},
		{"a host's own does not hide the main server's", "ProxyPass /a/b http://a/b\n<VirtualHost *:80>\nProxyPass / http://b/\n</VirtualHost>\n", ""},
		{"upgrades go on", "ProxyPass /a ws://a/a\nProxyPass /a http://a/a\n", ""},
		{"sections: the last counts", "<Location /a/b>\nProxyPass http://b/b\n</Location>\n<Location /a>\nProxyPass http://a/a\n</Location>\n", "H202:2:error"},
		{"sections in order", "<Location /a>\nProxyPass http://a/a\n</Location>\n<Location /a/b>\nProxyPass http://b/b\n</Location>\n", ""},
		{"hidden by an exclusion", "ProxyPass /a !\nProxyPass /a/b http://b/b\n", "H202:2:error"},
		{"late exclusion", "ProxyPass / http://a/\nProxyPass /s !\nProxyPassMatch ^/.*\\.gif$ !\n", "H203:2:error H203:3:error"},
		{"two exclusions", "ProxyPass /s !\nProxyPass /s/t !\nProxyPass / http://a/\n", ""},
		{"late exclusion in a host", "ProxyPass / http://a/\n<VirtualHost *:80>\nProxyPass /s !\n</VirtualHost>\n", "H203:3:error"},
		// Slashes.
		{"path with slash", "ProxyPass /a/ http://a:80/a\n", "H204:1:error"},
		{"URL with slash", "ProxyPass /a http://a/a/\n", "H204:1:warning"},
		{"root slash", "ProxyPass /a http://a/\n", "H204:1:info"},
		{"in a section", "<Location /a/>\nProxyPass http://a:80\n</Location>\n", "H204:2:error"},
		{"reverse", "ProxyPass /a http://a/a\nProxyPassReverse /a http://a/a/\nProxyPassReverse / http://a\n", "H204:2:warning H204:3:warning"},
		{"reverse of a balancer", c + "ProxyPass / balancer://c/\nProxyPassReverse / balancer://c\n", ""},
		{"no slash to compare", "ProxyPass /a/ http://a/x?u=\nProxyPass /b/ unix:/run/s|http://localhost\nProxyPass /c/ !\nProxyPassMatch ^/d/(.*)$ http://a/d$1\n", ""},
		// Expressions.
		{"star", "ProxyPass /a/* http://a/a\n", "H205:1:error"},
		{"no slash in front", "ProxyPass app http://a/app\n", "H205:1:error"},
		{"tilde", "ProxyPass ~ ^/a/(.*)$ http://a/$1\n", ""},
		{"a dot is a path", "ProxyPass /a.b/c-d_e~f http://a/x\n", ""},
		// Sections and lines of the server.
		{"a section in front of a line", "<Location /a>\nProxyPass http://a/a\n</Location>\nProxyPass /a/b http://b/b\n", "H206:4:error"},
		{"an excluding section", "ProxyPass /a !\n<Location /a>\nProxyPass !\n</Location>\n", ""},
		{"a deeper section", "ProxyPass /a !\n<Location /a/b>\nProxyPass http://a/a\n</Location>\n", ""},
		{"a section of the main server", "<Location /a>\nProxyPass http://a/a\n</Location>\n<VirtualHost *:80>\nProxyPass /a/b !\n</VirtualHost>\n", "H206:5:error"},
		{"a section of a host", "ProxyPass /a/b !\n<VirtualHost *:80>\n<Location /a>\nProxyPass http://a/a\n</Location>\n</VirtualHost>\n", ""},
		// Workers.
		{"the same parameters", "ProxyPass /a/ http://h/ timeout=6\nProxyPass /b http://h/b timeout=6\n", ""},
		{"no parameters", "ProxyPass /a/ http://h/ timeout=6\nProxyPass /b http://h/b nocanon\n", ""},
		{"the same URL, other parameters", "ProxyPass /a http://h/x retry=0\nProxyPass /b http://H/x timeout=6\n", "H207:2:warning"},
		{"other port", "ProxyPass /a http://h:80/a retry=0\nProxyPass /b http://h:8080/a timeout=6\n", ""},
		{"a section in front", "<Proxy http://h/>\nProxySet timeout=6\n</Proxy>\nProxyPass /b http://h/b timeout=7\n", "H207:4:warning"},
		{"a section behind", "ProxyPass /b http://h/b timeout=7\n<Proxy http://h/b>\nProxySet timeout=6\n</Proxy>\n", ""},
		{"part of a name", "ProxyPass /a http://h:80 retry=0\nProxyPass /b http://h:8080 timeout=6\n", ""},
		{"other host", "<VirtualHost *:80>\nProxyPass /a http://h/a retry=0\n</VirtualHost>\n<VirtualHost *:81>\nProxyPass /a http://h/a retry=1\n</VirtualHost>\n", ""},
		{"members", "<Proxy balancer://c>\nBalancerMember http://h:80 route=a\nBalancerMember http://h:80/b route=b\n</Proxy>\nProxyPass / balancer://c/\n", "H207:3:warning"},
		// Hosts.
		{"no slash behind the host", "ProxyPassMatch ^(.*)$ http://h:80$1\n", "H208:1:error"},
		{"the host itself", "ProxyPassMatch ^/([^/]+)/(.*)$ http://$1/$2\n", "H208:1:error"},
		{"a list of hosts", "ProxyPassMatch ^/(a|b)/(.*)$ http://$1/$2\n", ""},
		{"a slash in the group", "ProxyPassMatch ^/x(/.*)?$ http://h$1\nProxyPassMatch ^/y/(.*)$ http://h/$1\nProxyPassMatch ^(/.*)$ http://h$1\n", ""},
		{"rule", "RewriteEngine On\nRewriteRule ^/a(.*)$ http://h:80$1 [P]\nRewriteRule ^/b(.*)$ http://h:80$1 [R]\n", "H208:2:error"},
		{"rule of the whole path", "RewriteEngine On\nRewriteRule . http://h:80%{REQUEST_URI} [P]\nRewriteRule ^/c http://h:80$0 [P]\n", ""},
		// Balancers.
		{"quoted parameters", "<Proxy \"balancer://c stickysession=S lbmethod=byrequests\">\nBalancerMember ajp://h:8009\n</Proxy>\nProxyPass / balancer://C/\n", "H209:1:error"},
		{"parameters behind the name", "<Proxy \"balancer://c\" stickysession=S>\nBalancerMember ajp://h:8009\n</Proxy>\nProxyPass / balancer://c/\n", ""},
		{"path twice", "<Proxy balancer://c>\nBalancerMember http://h:80/app/\n</Proxy>\nProxyPassMatch ^/app/(.*)$ balancer://c/app/$1\n", "H210:4:warning"},
		{"other path", "<Proxy balancer://c>\nBalancerMember http://h:80/app\n</Proxy>\nProxyPass /a balancer://c/application\n", ""},
		{"path twice from a host", "<Proxy balancer://c>\nBalancerMember http://h:80/app\n</Proxy>\n<VirtualHost *:80>\n<Location /app>\nProxyPass balancer://c/app\n</Location>\n</VirtualHost>\n", "H210:6:warning"},
		{"undefined in a rule", c + "ProxyPass /a balancer://c/a\nRewriteEngine On\nRewriteRule ^/b(/.*)$ balancer://d/b$1 [P]\n", "H301:7:error"},
		{"undefined in SetHandler", "<Location /a>\nSetHandler proxy:balancer://d\n</Location>\n", "H301:2:warning"},
		{"of another host", "<VirtualHost *:80>\n" + c + "ProxyPass / balancer://c/\n</VirtualHost>\n<VirtualHost *:81>\nProxyPass / balancer://c/\n</VirtualHost>\n", "H301:9:error"},
		{"of the main server", c + "<VirtualHost *:80>\nProxyPass / balancer://C/\n</VirtualHost>\n", ""},
		{"not inherited", c + "ProxyPass /a balancer://c/a\n<VirtualHost *:80>\nBalancerInherit Off\nProxyPassInherit Off\nProxyPass /b balancer://c/b\n</VirtualHost>\n", "H301:9:error"},
		{"defined by BalancerMember", "BalancerMember balancer://c/ ajp://h:8009\nProxyPass / balancer://c/\n", ""},
		{"grows", "ProxyPass / balancer://c/ growth=3\n", ""},
		{"path of the section", "<Proxy balancer://c/x>\nBalancerMember ajp://h:8009\n</Proxy>\nProxyPass / balancer://c/\n", ""},
		{"name of the request", c + "RewriteEngine On\nRewriteRule ^/(a|c)/(.*)$ balancer://$1/$2 [P]\n", ""},
		{"a reference behind the name", c + "ProxyPassMatch ^(/x/.*)$ balancer://c$1\n", ""},
		{"unused", c, "H302:1:warning"},
		{"used by reverse only", c + "ProxyPassReverse / balancer://c/\n", "H302:1:warning"},
		{"used by SetHandler", c + "<Location /a>\nSetHandler \"proxy:balancer://c\"\n</Location>\n", ""},
		{"used by a host", c + "<VirtualHost *:80>\nRewriteEngine On\nRewriteRule ^/(.*) balancer://c/$1 [P,L]\n</VirtualHost>\n", ""},
		{"misspelt where used", "<Proxy balancer://cluster>\nBalancerMember ajp://h:8009\n</Proxy>\nProxyPass / balancer://clustre/\n", "H301:4:error"},
		{"empty", "<Proxy balancer://c>\nProxySet lbmethod=byrequests\n</Proxy>\nProxyPass / balancer://c/\n", "H303:1:error"},
		{"empty and unused", "<Proxy balancer://c>\nRequire all granted\n</Proxy>\n", "H303:1:warning"},
		{"pattern", "<Proxy balancer://*>\nRequire all granted\n</Proxy>\n<Proxy *>\nRequire all granted\n</Proxy>\n", ""},
		{"members at run time", "BalancerPersist On\n<Proxy balancer://c>\n</Proxy>\nProxyPass / balancer://c/\n", ""},
		{"section of access only", c + "<VirtualHost *:80>\n<Proxy balancer://c>\nRequire all granted\n</Proxy>\nProxyPass / balancer://c/\n</VirtualHost>\n", ""},
		{"members of no port", "<Proxy balancer://c>\nBalancerMember http://h:@PORT@\n</Proxy>\nProxyPass / balancer://c/\n", ""},
		{"member twice", c + "BalancerMember balancer://C \"ajp://H:8009\" route=x\nProxyPass / balancer://c/\n", "H304:5:error"},
		{"default port", "<Proxy balancer://c>\nBalancerMember http://h:80 route=a\nBalancerMember http://h/ route=b\n</Proxy>\nProxyPass / balancer://c/\n", "H304:3:error"},
		{"address of version 6", "<Proxy balancer://c>\nBalancerMember http://[2001:db8::1]:80\nBalancerMember http://[2001:DB8:0::1]\n</Proxy>\nProxyPass / balancer://c/\n", "H304:3:error"},
		{"other scheme or port", "<Proxy balancer://c>\nBalancerMember http://h:8009\nBalancerMember ajp://h:8009\nBalancerMember ajp://h:8010\n</Proxy>\nProxyPass / balancer://c/\n", ""},
		{"route twice", "<Proxy balancer://c>\nBalancerMember ajp://a:8009 route=s\nBalancerMember ajp://b:8009 route=S\nBalancerMember ajp://d:8009 \\\n  route=s\n</Proxy>\nProxyPass / balancer://c/\n", "H305:4:error"},
		{"modules complete", lb + c + "ProxyPass / balancer://c/\n", ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			var got []string
			for _, d := range lintFiles(t, []lint.ExampleFile{{Name: "httpd.conf", Text: x.text}}, parse.Options{HTTPD: "2.4"}) {
				if strings.Contains(helper, d.ID) {
					got = append(got, fmt.Sprintf("%s:%d:%s", d.ID, d.Span.Begin().Line, d.Severity))
				}
			}
			slices.Sort(got)
			if g := strings.Join(got, " "); g != x.want {
				t.Errorf("found %q, want %q", g, x.want)
			}
		})
	}
}

// TestHTTPDFixes applies the fixes of findings and compares the text.
func TestHTTPDFixes(t *testing.T) {
	for _, x := range []struct{ name, id, text, want string }{
		{"move an exclusion", "H203", "ProxyPass / http://a/\n# pictures\nProxyPass /s \\\n  !\n", "ProxyPass /s \\\n  !\nProxyPass / http://a/\n# pictures\n"},
		{"no move out of a condition", "H202", "ProxyPass / http://a/\n<IfModule mod_proxy.c>\nProxyPass /s http://b/s\n</IfModule>\n", ""},
		{"slash", "H204", "ProxyPass \"/\" \"http://a:80\"\n", "ProxyPass \"/\" \"http://a:80/\"\n"},
		{"match", "H205", "ProxyPass \"^/a/(.*)$\" http://a/$1\n", "ProxyPassMatch \"^/a/(.*)$\" http://a/$1\n"},
		{"plain", "H205", "ProxyPass \"^/a/\" http://a/\n", "ProxyPass \"/a/\" http://a/\n"},
		{"host", "H208", "ProxyPassMatch \"^(.*)$\" \"http://h:80$1\"\n", "ProxyPassMatch \"^/(.*)$\" \"http://h:80/$1\"\n"},
		{"section name", "H209", "  <Proxy \"balancer://c stickysession=S\">\n  BalancerMember ajp://h\n  </Proxy>\n", "  <Proxy \"balancer://c\">\n      ProxySet stickysession=S\n  BalancerMember ajp://h\n  </Proxy>\n"},
		{"name in all places", "H301", "<Proxy balancer://cluster>\nBalancerMember ajp://h\n</Proxy>\nProxyPass /a balancer://cluste/a\nProxyPass /b \"balancer://Cluste/b\"\n", "<Proxy balancer://cluster>\nBalancerMember ajp://h\n</Proxy>\nProxyPass /a balancer://cluster/a\nProxyPass /b \"balancer://cluster/b\"\n"},
		{"require", "H106", "LoadModule authz_core_module m/a.so\n<Location /a>\n\tOrder allow,deny\n\tAllow from 10.0.0 .example.com\n</Location>\n<Location /b>\n  Order deny,allow\n  Deny from all\n</Location>\n", "LoadModule authz_core_module m/a.so\n<Location /a>\n\tRequire ip 10.0.0\n\tRequire host .example.com\n</Location>\n<Location /b>\n  Require all denied\n</Location>\n"},
		{"require stays with a login", "H106", "LoadModule authz_core_module m/a.so\n<Location /a>\nOrder allow,deny\nAllow from all\nRequire valid-user\n</Location>\n", ""},
		{"load modules", "H102", "LoadModule proxy_module m/mod_proxy.so\nLoadModule proxy_ajp_module m/mod_proxy_ajp.so\nBalancerMember balancer://c ajp://h\n", "LoadModule proxy_module m/mod_proxy.so\nLoadModule proxy_ajp_module m/mod_proxy_ajp.so\nLoadModule slotmem_shm_module m/mod_slotmem_shm.so\nLoadModule lbmethod_byrequests_module m/mod_lbmethod_byrequests.so\nLoadModule proxy_balancer_module m/mod_proxy_balancer.so\nBalancerMember balancer://c ajp://h\n"},
	} {
		t.Run(x.name, func(t *testing.T) {
			var edits []diag.Edit
			found := false
			for _, d := range lintText(t, "httpd.conf", x.text, true) {
				if d.ID == x.id {
					found = true
					if len(d.Fixes) > 0 {
						edits = append(edits, d.Fixes[0].Edits...)
					}
				}
			}
			if !found {
				t.Fatalf("%s is not found", x.id)
			}
			got := ""
			if len(edits) > 0 {
				got = string(apply([]byte(x.text), edits))
			}
			if got != x.want {
				t.Errorf("fixed:\n%s\nwant:\n%s", got, x.want)
			}
		})
	}
}
