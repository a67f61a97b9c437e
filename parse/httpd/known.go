package httpd

import (
	_ "embed"
	"strings"

	"clowder/parse/known"
)

//go:embed directives.txt
var directiveTable string

// command is what httpd knows about one directive or section of the stock modules.
type command struct {
	name    string   // as its module spells it, without "<"
	modules []string // "-" is the core; any one of them is enough
	where   byte     // s: server and virtual host, d: inside sections, a: both
	args    string   // how httpd reads the arguments: TAKE1, FLAG, RAW_ARGS, …
	args22  string   // where httpd 2.2 reads them otherwise

	override string // the class of AllowOverride that permits it
}

// commands maps lower-case names to directives, sections with their "<".
var commands = func() map[string]*command {
	m := make(map[string]*command, 800)
	for l := range strings.Lines(directiveTable) {
		f := strings.Fields(l)
		if len(f) != 3 || f[0] == "#" {
			continue
		}
		key := strings.ToLower(f[0])
		c := m[key]
		if c == nil {
			c = &command{name: strings.TrimPrefix(f[0], "<"), where: f[2][0]}
			m[key] = c
		}
		if c.where != f[2][0] {
			c.where = 'a'
		}
		c.modules = append(c.modules, f[1])
	}
	for _, d := range known.Directives() {
		if c := m[strings.ToLower(d.Name)]; c != nil && !d.IsSection {
			c.args, c.override = d.Args, d.Override
			if d.In22 != nil {
				c.args22 = d.In22.Args
			}
		}
	}
	return m
}()

// stockModule reports whether the directives of a module are in the table, or
// the module is one of httpd's that brings none.
var stockModule = func() map[string]bool {
	m := map[string]bool{}
	for _, c := range commands {
		for _, x := range c.modules {
			m[x] = true
		}
	}
	for _, x := range append(strings.Fields(`asis authz_core authz_host authz_owner authz_user bucketeer core data example_hooks http isapi
		lbmethod_bybusyness lbmethod_byrequests lbmethod_bytraffic ldap logio mpm_event mpm_prefork
		mpm_worker optional_hook_export proxy_ajp proxy_balancer proxy_fdpass proxy_http proxy_http2
		proxy_uwsgi ratelimit slotmem_plain slotmem_shm so socache_dbm socache_dc socache_shmcb status
		systemd unique_id unixd version watchdog`), builtinModules...) {
		m[x] = true
	}
	return m
}()

func withWhere(w byte, more string) set {
	s := names(more)
	for key, c := range commands {
		if c.where == w && key[0] != '<' {
			s[key] = true
		}
	}
	return s
}

// RemovedIn24 reports whether httpd 2.2, or 2.3 on the way to 2.4, had the
// directive and 2.4 refuses it. Case does not matter.
func RemovedIn24(name string) bool {
	low := strings.ToLower(name)
	return removedIn24[low] && commands[low] == nil
}

var removedIn24 = names(`AcceptMutex LockFile SSLMutex SSLStaplingMutex WatchdogMutexPath RewriteLog RewriteLogLevel CookieLog RewriteLock
	DumpIOLogLevel SSIEnableAccess MaxRequestsPerThread Win32DisableAcceptEx MCacheMaxObjectCount MCacheMaxObjectSize
	MCacheMaxStreamingBuffer MCacheMinObjectSize MCacheRemovalAlgorithm AuthzLDAPAuthoritative
	AuthDefaultAuthoritative AuthzDefaultAuthoritative AuthzGroupFileAuthoritative AuthzUserAuthoritative AuthzOwnerAuthoritative
	AuthzDBMAuthoritative AuthBasicAuthoritative CacheForceCompletion MCacheSize Compress NWSSLTrustedCerts`)

// hasCommand reports whether a loaded module brings the directive, or the
// section when key starts with "<"; it answers <IfDirective> and <IfSection>.
func (c *Config) hasCommand(key string) bool {
	x := commands[strings.ToLower(key)]
	return x != nil && c.brings(x)
}

// brings reports whether a loaded module brings the directive or section.
func (c *Config) brings(x *command) bool {
	for _, m := range x.modules {
		if m == "util_ldap" {
			m = "ldap"
		}
		if m == "-" || m == "mpm" || c.Modules[m+"_module"] {
			return true
		}
	}
	return false
}

// hasForeignModule reports whether a module is loaded whose directives are not
// in the table.
func (c *Config) hasForeignModule() bool {
	for m := range c.Modules {
		if x, ok := strings.CutSuffix(m, "_module"); ok && !stockModule[x] {
			return true
		}
	}
	return false
}
