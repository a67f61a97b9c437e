package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse"
)

// dump writes a plan in short, one outcome a line.
func dump(p *Plan) string {
	var b strings.Builder
	for _, l := range p.Listeners {
		fmt.Fprintf(&b, "listen %s:%d tls=%v", l.Address, l.Port, l.TLS)
		for _, s := range l.Sites {
			b.WriteString(" " + s.Name)
		}
		b.WriteByte('\n')
	}
	for _, s := range p.Sites {
		fmt.Fprintf(&b, "site %s %v\n", s.Name, s.Names)
		for _, e := range s.Early {
			fmt.Fprintf(&b, "  early %d %d %s %s\n", e.Kind, e.Status, e.Path.Regex, e.Target)
		}
		for _, c := range s.Cells {
			for _, br := range c.Branches {
				var pats []string
				for _, p := range br.Patterns {
					pats = append(pats, p.Regex)
				}
				fmt.Fprintf(&b, "  %s ~ %s: %s\n", c.Path, strings.Join(pats, " & "), short(&br.Outcome))
			}
			fmt.Fprintf(&b, "  %s: %s\n", c.Path, short(&c.Outcome))
		}
	}
	for _, pool := range p.Pools {
		fmt.Fprintf(&b, "pool %s path=%q", pool.Name, pool.Path)
		if pool.Sticky != nil {
			fmt.Fprintf(&b, " sticky=%s|%s%s", pool.Sticky.Cookie, pool.Sticky.Param, pool.Sticky.Sep)
		}
		b.WriteByte('\n')
		for _, m := range pool.Members {
			fmt.Fprintf(&b, "  %s %s %s weight=%d", m.Name, m.Scheme, m.Address(), m.Weight)
			if m.Unusable != "" {
				b.WriteString(" unusable: " + m.Unusable)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func short(o *Outcome) string {
	text := [...]string{"files", "proxy", "handler", "redirect", "refuse"}[o.Kind]
	switch o.Kind {
	case Proxy:
		text += fmt.Sprintf(" %s %s->%s", o.Pool.Name, o.Strip, o.To)
	case Handler:
		text += " " + o.Handler
	case Redirect:
		text += fmt.Sprintf(" %d %s->%s", o.Status, o.Strip, o.Location)
	case Refuse:
		text += fmt.Sprint(" ", o.Status)
	case Files:
		text += " " + o.Root
	}
	if !o.Access.Open() {
		text += fmt.Sprintf(" free=%v auth=%v", o.Access.Free.Prefixes(), o.Access.Auth.Prefixes())
	}
	return text
}

// TestPlan: what is served where, for setups whose answer follows from httpd's
// documentation of ProxyPass, Location and Redirect.
func TestPlan(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			conf, want, _ := strings.Cut(string(data), "-- want --\n")
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "httpd.conf"), []byte(conf), 0o644); err != nil {
				t.Fatal(err)
			}
			r, err := parse.Load(parse.Options{Paths: []string{dir}, Whole: true})
			if err != nil || len(r.Broken) > 0 {
				t.Fatal(err, r.Diags)
			}
			if got := dump(All(r.Setup)[0]); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

// TestStory: the AJP members of the story go to the HTTP connectors of their Tomcats.
func TestStory(t *testing.T) {
	r, err := parse.Load(parse.Options{Paths: []string{"../../testdata/seed/fixed"}, Whole: true})
	if err != nil {
		t.Fatal(err)
	}
	want := `listen :80 tls=false localhost
site localhost [localhost]
  /balancer-manager: handler balancer-manager free=[127.0.0.0/8 ::1/128] auth=[]
  /: proxy mybalancer /->/
pool mybalancer path="" sticky=JSESSIONID|jsessionid.
  s1 http localhost:8101 weight=1
  s2 http localhost:8102 weight=1
  s3 http localhost:8103 weight=1
`
	if got := dump(All(r.Setup)[0]); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
