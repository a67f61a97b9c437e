package lint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
)

// advised are findings of level warning or error in configurations as shipped:
// what the servers' own security pages advise against, with the reason.
var advised = map[string]string{}

// lintStock lints a shipped configuration; nothing may be found at level warning
// or error, save what is advised against.
func lintStock(t *testing.T, o parse.Options) *parse.Result {
	t.Helper()
	r, err := parse.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Setup.FrontEnds)+len(r.Setup.Nodes) == 0 {
		t.Fatalf("%v holds neither httpd nor Tomcat", o.Paths)
	}
	for _, d := range lint.Run(lint.NewInput(r), lint.Options{Rules: rules.All, MinConfidence: diag.Possible, MinSeverity: diag.Warning}) {
		if why, ok := advised[d.ID+" "+filepath.Base(d.Span.File.Name)]; ok {
			t.Logf("%s: %s: %s (%s)", d.Span.Short(), d.ID, d.Message, why)
			continue
		}
		t.Errorf("%s: %s %s: %s", d.Span.Short(), d.Severity, d.ID, d.Message)
	}
	return r
}

// missing skips the test, or fails it where CI demands the real servers.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CLOWDER_INTEROP") == "require" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// TestStockTomcat lints the configuration files that Tomcat comes with: those of
// the distribution's package, and of every folder that CLOWDER_STOCK lists (conf
// folders of unpacked releases, separated as in PATH).
func TestStockTomcat(t *testing.T) {
	dirs := filepath.SplitList(os.Getenv("CLOWDER_STOCK"))
	for _, pattern := range []string{"/usr/share/tomcat[0-9]*/etc", "/etc/tomcat[0-9]*"} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	linted := 0
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "server.xml")); err != nil {
			continue
		}
		for name, versions := range map[string]map[string]string{"declared": {"": stockVersion(dir)}, "undeclared": nil} {
			linted++
			t.Run(strings.Trim(filepath.ToSlash(dir), "/")+"/"+name, func(t *testing.T) {
				lintStock(t, parse.Options{Paths: []string{dir}, Tomcat: versions})
			})
		}
	}
	if linted == 0 {
		missing(t, "no Tomcat here: install the package tomcat10, or list conf folders of releases in CLOWDER_STOCK")
	}
}

// stockVersion is the branch that a folder such as /etc/tomcat10 or
// apache-tomcat-9.0.100/conf is of.
func stockVersion(dir string) string {
	for _, part := range strings.Split(filepath.ToSlash(dir), "/") {
		switch digits := strings.TrimLeft(strings.ToLower(part), "abcdefghijklmnopqrstuvwxyz-"); {
		case !strings.Contains(strings.ToLower(part), "tomcat") || digits == "":
		case digits == "10":
			return "10.1"
		default:
			return digits
		}
	}
	return lint.DefaultTomcat
}

// TestStockHTTPD lints Debian's configuration of httpd as it is installed, and a
// copy in which modules and sites were switched on as a2enmod and a2ensite do.
func TestStockHTTPD(t *testing.T) {
	const etc = "/etc/apache2"
	if _, err := os.Stat(filepath.Join(etc, "apache2.conf")); err != nil {
		missing(t, "no httpd in Debian's layout here: install the package apache2")
	}
	t.Run("installed", func(t *testing.T) { lintStock(t, parse.Options{Paths: []string{etc}, HTTPD: "2.4"}) })
	t.Run("undeclared", func(t *testing.T) { lintStock(t, parse.Options{Paths: []string{etc}}) })
	for _, c := range []struct {
		name    string
		modules []string
		sites   []string
	}{
		{name: "balancer", modules: []string{"proxy", "proxy_http", "proxy_ajp", "proxy_balancer", "slotmem_shm", "lbmethod_byrequests", "headers", "rewrite", "alias"}},
		{name: "tls", modules: []string{"setenvif", "mime", "socache_shmcb", "ssl", "http2"}, sites: []string{"default-ssl.conf"}},
		{name: "pages", modules: []string{"status", "info", "userdir", "dav", "dav_fs", "ldap", "authnz_ldap"}},
		{name: "all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copyConfiguration(t, etc)
			if c.modules == nil {
				c.modules = moduleNames(t, dir)
			}
			for _, m := range c.modules {
				enable(t, dir, "mods", m+".load")
				enable(t, dir, "mods", m+".conf")
			}
			for _, s := range c.sites {
				enable(t, dir, "sites", s)
			}
			r := lintStock(t, parse.Options{Paths: []string{dir}, HTTPD: "2.4"})
			for _, m := range c.modules {
				if m == "dump_io" {
					m = "dumpio" // the one file that is not named after its module
				}
				if len(r.HTTPD) != 1 || !r.HTTPD[0].HasModule(m) {
					t.Errorf("module %s was not switched on", m)
				}
			}
			if len(c.sites) > 0 && len(r.Setup.FrontEnds[0].VHosts) < 2 {
				t.Error("the site was not switched on")
			}
		})
	}
}

// copyConfiguration copies the available parts and makes the links of the enabled ones anew.
func copyConfiguration(t *testing.T, etc string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "apache2")
	err := filepath.WalkDir(etc, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(etc, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case d.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		case d.Type().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(to, data, 0o644)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// moduleNames returns the modules that can be switched on together: one MPM and
// one of the two ways to run CGI programs.
func moduleNames(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "mods-available", "*.load"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no modules in %s (%v)", dir, err)
	}
	var out []string
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".load")
		if !strings.HasPrefix(name, "mpm_") && name != "cgi" {
			out = append(out, name)
		}
	}
	return out
}

// enable links a file as a2enmod and a2ensite do; one that is not there, or is
// enabled already, is left out.
func enable(t *testing.T, dir, kind, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, kind+"-available", name)); err != nil {
		return
	}
	err := os.Symlink(filepath.Join("..", kind+"-available", name), filepath.Join(dir, kind+"-enabled", name))
	if err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}
