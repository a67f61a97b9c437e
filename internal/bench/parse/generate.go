package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// moduleDirs are the folders that distributions keep the modules of httpd in.
var moduleDirs = []string{"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/local/apache2/modules"}

// modules are what the generated file needs, in an order that httpd can load.
var modules = []string{"mpm_event", "authn_core", "authz_core", "unixd", "env", "log_config", "headers", "setenvif",
	"slotmem_shm", "proxy", "proxy_http", "proxy_ajp", "proxy_balancer", "lbmethod_byrequests", "rewrite", "alias", "dir"}

// generate returns an httpd.conf with that many virtual hosts of linesPerHost
// lines each, behind a head that loads the modules which are there and not built in.
func generate(dir string, hosts int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "ServerRoot %q\nServerName bench.example\nListen 127.0.0.1:18080\nPidFile %q\nErrorLog %q\n",
		dir, filepath.Join(dir, "pid"), filepath.Join(dir, "error.log"))
	fmt.Fprintf(&b, "DefaultRuntimeDir %q\n", dir)
	for _, m := range modules {
		for _, d := range moduleDirs {
			file := filepath.Join(d, "mod_"+m+".so")
			if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() {
				fmt.Fprintf(&b, "LoadModule %s_module %s\n", m, file)
				break
			}
		}
	}
	b.WriteString("<Proxy balancer://cluster>\n    BalancerMember http://127.0.0.1:18081 route=s1\n    BalancerMember http://127.0.0.1:18082 route=s2\n</Proxy>\n")
	for i := range hosts {
		fmt.Fprintf(&b, `<VirtualHost 127.0.0.1:18080>
    ServerName host%[1]d.example
    ServerAlias www.host%[1]d.example alias%[1]d.example
    ProxyPreserveHost On
    RequestHeader set X-Host "host%[1]d"
    Header always set X-Frame-Options SAMEORIGIN
    <Location "/app%[1]d">
        Require all granted
        ProxyPass balancer://cluster/app stickysession=JSESSIONID|jsessionid
        ProxyPassReverse balancer://cluster/app
    </Location>
    RewriteEngine On
    RewriteCond %%{REQUEST_URI} ^/old
    RewriteRule ^/old(.*)$ /app%[1]d$1 [R=301,L]
    # one of many hosts
    SetEnv tier front
</VirtualHost>
`, i)
	}
	return b.Bytes()
}
