package parse

import (
	"os"
	"path/filepath"
	"testing"
)

// The files that the Jk directives name are found below the root; what is in the
// model is off the list of the rest.
func TestLoadJK(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"httpd.conf":                "Listen 80\nJkWorkersFile /etc/jk/workers.properties\nJkLogLevel info\n<VirtualHost *:80>\n  JkMount /* lb\n  JkMountFile /etc/jk/map\n</VirtualHost>\n",
		"etc/jk/workers.properties": "worker.list=lb\nworker.lb.type=lb\nworker.lb.balance_workers=a\nworker.a.domain=d\n",
		"etc/jk/map":                "!/static/*=lb\n",
	} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Load(Options{Paths: []string{filepath.Join(dir, "httpd.conf")}, Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Diags) > 0 || len(r.Setup.Files) != 3 {
		t.Errorf("findings %v, %d files", r.Diags, len(r.Setup.Files))
	}
	var left []string
	for _, u := range r.Setup.Unmapped {
		left = append(left, u.What)
	}
	if len(left) != 2 || left[0] != "JkLogLevel" || left[1] != "worker.a.domain" {
		t.Errorf("unmapped: %v", left)
	}
	f := r.Setup.FrontEnds[0]
	if m := f.Effective(f.VHosts[0]).Mappings; len(m) != 2 || !m[0].Excludes() || m[1].Target.V != "balancer://lb/" {
		t.Errorf("mappings: %+v", m)
	}
	if links := r.Setup.Links(); len(links) != 1 || links[0].Port != 8009 {
		t.Errorf("links: %+v", links)
	}
}
