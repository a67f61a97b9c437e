package parse

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"clowder/parse/model"
)

// jkDirectives are those of mod_jk 1.2.50 (native/apache-2.0/mod_jk.c, jk_cmds).
var jkDirectives = map[string]string{
	"JkWorkersFile": "w.properties", "JkWorkerProperty": "worker.solo.port=9", "JkMountFile": "u.properties", "JkAutoAlias": "/srv",
	"JkMount": "/y lb", "JkUnMount": "/x/* lb", "JkMountCopy": "On", "JkLogFile": "l", "JkLogLevel": "info", "JkLogStampFormat": "%H", "JkRequestLogFormat": "%w",
	"JkShmFile": "s", "JkShmSize": "9", "JkWatchdogInterval": "60", "JkOptions": "+ForwardKeySize", "JkEnvVar": "A b", "JkStripSession": "On",
	"JkExtractSSL": "On", "JkHTTPSIndicator": "H", "JkCERTSIndicator": "C", "JkCIPHERIndicator": "C", "JkSESSIONIndicator": "S",
	"JkKEYSIZEIndicator": "K", "JkCertChainPrefix": "P", "JkMountFileReload": "60", "JkRemoteUserIndicator": "R", "JkLocalNameIndicator": "L",
	"JkLocalPortIndicator": "L", "JkRemoteAddrIndicator": "R", "JkRemoteHostIndicator": "R", "JkRemotePortIndicator": "R",
	"JkAuthTypeIndicator": "A", "JkWorkerIndicator": "W", "JkUriWorkerMapOptions": "x", "JkSSLPROTOCOLIndicator": "P", "JkSecretIndicator": "x",
}

// TestEveryJkDirective: each changes the model or is listed, at its place.
func TestEveryJkDirective(t *testing.T) {
	const base = "LoadModule jk_module m.so\n%s\nJkMount /x/* lb\nJkWorkerProperty worker.list=lb,solo\nJkWorkerProperty worker.lb.type=lb\n" +
		"JkWorkerProperty worker.lb.balance_workers=solo\nJkWorkerProperty worker.solo.host=h\n<VirtualHost *:80>\n%s\n</VirtualHost>\n"
	const files = "-- w.properties --\nworker.solo.lbfactor=3\n-- u.properties --\n/u=lb\n"
	read := func(main, vhost string) *model.Setup {
		return mustLoad(t, Options{Paths: []string{unpack(t, "-- httpd.conf --\n"+fmt.Sprintf(base, main, vhost)+files)}}).Setup
	}
	empty := read("", "")
	for name, args := range jkDirectives {
		for _, inHost := range []bool{false, true} {
			var s *model.Setup
			line := 2
			if inHost {
				s, line = read("", name+" "+args), 9
			} else {
				s = read(name+" "+args, "")
			}
			listed := slices.ContainsFunc(s.Unmapped, func(u model.Unmapped) bool {
				return (u.What == name || name == "JkUnMount") && strings.HasSuffix(u.Span.Short(), fmt.Sprintf("httpd.conf:%d", line))
			})
			changed := slices.ContainsFunc(model.Compare(empty, s), func(d model.Difference) bool { return !strings.HasSuffix(d.Path, ".unmapped") })
			copied := name == "JkMountCopy" && !inHost // says nothing of the main server itself
			if !listed && !changed && !copied && !(inHost && name == "JkWorkersFile") {
				t.Errorf("%s %s in a virtual host %v: neither in the model nor listed: %v", name, args, inHost, s.Unmapped)
			}
		}
	}
}
