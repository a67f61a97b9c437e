package parse

import (
	"os"
	"path/filepath"
	"strings"
)

// debianVariables are what Debian's /etc/apache2/envvars sets.
var debianVariables = map[string]string{
	"APACHE_CONFDIR":   "/etc/apache2",
	"APACHE_RUN_USER":  "www-data",
	"APACHE_RUN_GROUP": "www-data",
	"APACHE_PID_FILE":  "/var/run/apache2/apache2.pid",
	"APACHE_RUN_DIR":   "/var/run/apache2",
	"APACHE_LOCK_DIR":  "/var/lock/apache2",
	"APACHE_LOG_DIR":   "/var/log/apache2",
}

// environment returns the variables for an httpd root file: those that are set,
// and in Debian's layout also those that its envvars would set.
func environment(file string) func(string) (string, bool) {
	if !isDebian(file) {
		return os.LookupEnv
	}
	return func(name string) (string, bool) {
		if v, ok := os.LookupEnv(name); ok {
			return v, true
		}
		v, ok := debianVariables[name]
		return v, ok
	}
}

// isDebian reports whether a root file stands in Debian's layout.
func isDebian(file string) bool {
	if !strings.EqualFold(filepath.Base(file), "apache2.conf") {
		return false
	}
	dir := filepath.Dir(file)
	for _, name := range []string{"envvars", "sites-enabled", "sites-available", "mods-enabled", "mods-available", "conf-enabled"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}
