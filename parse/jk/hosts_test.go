package jk

import (
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
)

const three = `JkWorkerProperty worker.list=w1,st
JkWorkerProperty worker.w1.host=h1
JkWorkerProperty worker.st.type=status
JkMount /m/* w1
`

func mapped(list []*model.Mapping) string {
	var out []string
	for _, m := range list {
		out = append(out, m.Path.V+">"+m.Target.V)
	}
	return strings.Join(out, " ")
}

func TestVirtualHosts(t *testing.T) {
	tests := []struct{ name, conf, want string }{
		{"not inherited", "<VirtualHost *:1>\n</VirtualHost>\n", ""},
		{"copied", "<VirtualHost *:1>\nJkMountCopy On\n</VirtualHost>\n", "/m/>ajp://h1:8009/m/"},
		{"all", "JkMountCopy All\n<VirtualHost *:1>\n</VirtualHost>\n", "/m/>ajp://h1:8009/m/"},
		{"all but one", "JkMountCopy All\n<VirtualHost *:1>\nJkMountCopy Off\n</VirtualHost>\n", ""},
		{"own", "<VirtualHost *:1>\nJkMount /v/* w1\n</VirtualHost>\n", "/v/>ajp://h1:8009/v/"},
		{"own and copied", "<VirtualHost *:1>\nJkMountCopy On\nJkMount /longer/* w1\n</VirtualHost>\n", "/longer/>ajp://h1:8009/longer/ /m/>ajp://h1:8009/m/"},
		{"own wins", "<VirtualHost *:1>\nJkMountCopy On\nJkMount /m/* st\n</VirtualHost>\n", "/m/>!"},
		{"mod_proxy first", "<VirtualHost *:1>\nJkMountCopy On\nProxyPass /p http://x/\n</VirtualHost>\n", "/p>http://x/ /m/>ajp://h1:8009/m/"},
		{"nothing inherited", "<VirtualHost *:1>\nBalancerInherit Off\nProxyPassInherit Off\nJkMount /v/* w1\n</VirtualHost>\n", "/v/>ajp://h1:8009/v/"},
		{"in a Location", "<VirtualHost *:1>\n<Location /loc>\nJkMount w1\n</Location>\n</VirtualHost>\n", "^/loc$>ajp://h1:8009"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			front, res := lower(t, "-- httpd.conf --\n"+three+tt.conf)
			if len(res.Diags) > 0 {
				t.Fatal(res.Diags)
			}
			eff := front.Effective(front.VHosts[0])
			if got := mapped(eff.Mappings); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if len(eff.Workers) == 0 {
				t.Error("the virtual host has no worker")
			}
			if got := mapped(front.Main.Mappings); got != "/m/>ajp://h1:8009/m/" {
				t.Errorf("main: %s", got)
			}
		})
	}
}

func TestStatus(t *testing.T) {
	front, _ := lower(t, "-- httpd.conf --\n"+three+"JkMount /a st\n<Location /a>\nRequire local\n</Location>\nJkMount /b/* st\n")
	if len(front.Main.Sections) != 2 {
		t.Fatalf("%d sections", len(front.Main.Sections))
	}
	a, b := front.Main.Sections[0], front.Main.Sections[1]
	if a.Path.V != "/a" || a.Settings.Handler.V != "jk-status" || a.Settings.Access == nil {
		t.Errorf("section of /a: %+v", a)
	}
	if b.Path.V != "/b/" || b.Settings.Handler.V != "jk-status" || b.Settings.Handler.Span.Text() != "st" {
		t.Errorf("section of /b: %+v", b)
	}
}

func TestFindings(t *testing.T) {
	tests := []struct{ name, conf, id, place, part string }{
		{"no file", "JkWorkersFile none\nJkMount /a w\n", "H010", "none", "finds no file"},
		{"no rules file", "JkMountFile none\n", "H010", "none", "finds no file"},
		{"no worker", three + "JkMount /x ww1\n", "H007", "ww1", "did you mean `w1`"},
		{"no slash", three + "JkMount x w1\n", "H007", "x", "slash"},
		{"path in a Location", three + "<Location /l>\nJkMount /x w1\n</Location>\n", "H004", "JkMount /x w1", "not allowed"},
		{"file in a host", three + "<VirtualHost *>\nJkWorkersFile x\n</VirtualHost>\n", "H004", "JkWorkersFile x", "not allowed"},
		{"reference", three + "JkWorkerProperty worker.w1.reference=worker.t\n", "H007", "worker.t", "names no worker"},
		{"port", three + "JkWorkerProperty worker.w1.port=70000\n", "H007", "70000", "65535"},
		{"attribute", three + "JkWorkerProperty worker.w1.hots=x\n", "H005", "worker.w1.hots", "`host`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, res := lower(t, "-- httpd.conf --\n"+tt.conf)
			if len(res.Diags) != 1 {
				t.Fatalf("findings: %v", res.Diags)
			}
			d := res.Diags[0]
			if d.ID != tt.id || d.Span.Text() != tt.place || !strings.Contains(d.Message, tt.part) {
				t.Errorf("%s %q %s", d.ID, d.Span.Text(), d.Message)
			}
		})
	}
}

func TestFileBesideTheDirective(t *testing.T) {
	_, res := lower(t, "-- httpd.conf --\nJkWorkersFile /etc/other/w.properties\nJkMount /* a\n-- w.properties --\nworker.list=a\n")
	if len(res.Files) != 1 || res.Files[0].Name != "/srv/w.properties" || len(res.Diags) != 1 || !strings.Contains(res.Diags[0].Message, "in its place") {
		t.Errorf("files %v, findings %v", res.Files, res.Diags)
	}
}

func TestRuleOptions(t *testing.T) {
	rules, diags := ParseURIMap(diag.NewFile("u", []byte("w=lb\n/a|/*=$(w);reply_timeout=5;;sticky_ignore=1 # x\n!/b=*\nc=lb\n")), nil)
	if len(rules) != 3 || len(diags) != 1 {
		t.Fatalf("%d rules, %v", len(rules), diags)
	}
	if rules[0].Path != "/a" || rules[1].Path != "/a/*" || rules[1].Worker != "lb" || len(rules[1].Options) != 2 {
		t.Errorf("rules: %+v", rules)
	}
	if !rules[2].Exclude || rules[2].Worker != "*" || rules[2].PathSpan.Text() != "!/b" || rules[2].WorkerSpan.String() != "u:3:5" {
		t.Errorf("exclusion: %+v", rules[2])
	}
	front, res := lower(t, "-- httpd.conf --\n"+three+"JkMount /x/* w1;reply_timeout=7\n")
	if len(res.Unmapped) != 1 || res.Unmapped[0].Span.Text() != "reply_timeout=7" || len(front.Main.Mappings) != 2 {
		t.Errorf("unmapped: %v", res.Unmapped)
	}
}

func TestIntersect(t *testing.T) {
	globs := []string{"/*", "/a/*", "/*.gif", "/a?/*", "/a", "/a*b*", "*", "/**b", "/a/b/c.gif", "/?", "/*/*/x*"}
	words := append([]string{"/aXb", "/ab", "/a/bb", "/a1/b", "/q/r/x", "/a/b/x.gif", "/a.gif", ""}, paths...)
	for _, a := range globs {
		for _, b := range globs {
			both, ok := intersect(a, b)
			if !ok {
				t.Errorf("%s and %s: too many", a, b)
			}
			for _, w := range words {
				got := false
				for _, g := range both {
					got = got || matches(g, w)
				}
				if want := matches(a, w) && matches(b, w); got != want {
					t.Errorf("%s and %s = %v: %q is %v, want %v", a, b, both, w, got, want)
				}
			}
		}
	}
	if _, ok := intersect("/"+strings.Repeat("*a", 100), "/"+strings.Repeat("*b", 100)); ok {
		t.Error("an intersection without bound")
	}
}

func FuzzProperties(f *testing.F) {
	f.Add([]byte("worker.list=a,b\nworker.a.reference=worker.b\nworker.b.reference=worker.a\nworker.a.host=$(x)$(worker.list)\n"))
	f.Add([]byte("worker.list=lb\nworker.lb.type=lb\nworker.lb.balance_workers=a b,lb\nworker..reference=worker.\n"))
	f.Add([]byte("a=\x00#\r\n= =\nworker.a.lbfactor=99999999999k"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := diag.NewFile("w", data)
		props, _ := ParseProperties(file)
		for _, p := range props {
			if p.KeySpan.Text() != p.Key || p.ValueSpan.Text() != p.Value || p.Key == "" || p.Value == "" {
				t.Fatalf("spans of %+v", p)
			}
		}
		front, _ := lower(t, "-- httpd.conf --\nJkWorkersFile w\nJkMount /a|/* lb\n-- w --\n"+string(data))
		front.ApplyDefaults()
	})
}

func FuzzURIMap(f *testing.F) {
	f.Add([]byte("/a|/*=w1;x=1\n!/a/*.gif=*\n-/b=w1\nv=1\n/c=$(v)\n"))
	f.Add([]byte("|=a\n/*?*=w1\n!|!=w1\n/=;;"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "-- ") {
			return
		}
		rules, _ := ParseURIMap(diag.NewFile("u", data), nil)
		for _, r := range rules {
			if !strings.HasPrefix(r.Path, "/") {
				t.Fatalf("rule %+v", r)
			}
		}
		lower(t, "-- httpd.conf --\n"+three+"JkMountFile u\n-- u --\n"+string(data))
	})
}

// A reference to everything grows without end in mod_jk's own algorithm.
func TestReferenceBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("worker.list=a\nworker.a.reference=worker\nworker.b.reference=worker\n")
	for i := range 2000 {
		b.WriteString("worker.x" + strings.Repeat("y", i%50) + strings.Repeat("z", i/50) + ".port=1\n")
	}
	front, _ := lower(t, "-- httpd.conf --\nJkWorkersFile w\nJkMount /* a\n-- w --\n"+b.String())
	if len(front.Main.Workers) != 1 {
		t.Errorf("%d workers", len(front.Main.Workers))
	}
}
