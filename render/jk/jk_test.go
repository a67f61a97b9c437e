package jk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/parse/model"
	"clowder/render/target"
)

// there writes a configuration, converts it and reads the result.
func there(t *testing.T, conf string) (before, after *model.Setup, res *target.Result) {
	t.Helper()
	return thereFrom(t, write(t, map[string]string{"httpd.conf": conf}))
}

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func thereFrom(t *testing.T, path string) (before, after *model.Setup, res *target.Result) {
	t.Helper()
	load := func(path string) *model.Setup {
		r, err := parse.Load(parse.Options{Paths: []string{path}, Whole: true, HTTPD: "2.4"})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Broken) > 0 {
			t.Fatal(r.Diags)
		}
		return r.Setup
	}
	before = load(path)
	res, err := Target.Render(before, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range res.Files {
		files[f.Name] = string(f.Data)
	}
	return before, load(write(t, files)), res
}

// normal is the balancers of the main server without what mod_jk counts otherwise
// or always does.
func normal(s *model.Setup) *model.Setup {
	f := &model.FrontEnd{Main: &model.Server{}}
	for _, b := range s.FrontEnds[0].Main.Balancers {
		c := *b
		c.ScolonDelim = model.Bool{} // always on
		if c.Sticky.V == "JSESSIONID" {
			c.Sticky.V = "JSESSIONID|JSESSIONID"
		}
		if !c.Sticky.IsSet() {
			c.Sticky = model.String{}
		}
		if !c.NoFailover.V {
			c.NoFailover = model.Bool{}
		}
		if c.LBMethod.V == "byrequests" {
			c.LBMethod = model.String{}
		}
		c.Members = nil
		for i, m := range b.Members {
			d := *m
			if i > 0 {
				d.Retry.Origin = b.Members[0].Retry.Origin // one for all
			}
			if d.LoadFactor.V == 1 {
				d.LoadFactor = model.Float{}
			}
			if !d.KeepAlive.V {
				d.KeepAlive = model.Bool{}
			}
			if d.LBSet.V == 0 {
				d.LBSet = model.Int{}
			}
			c.Members = append(c.Members, &d)
		}
		f.Main.Balancers = append(f.Main.Balancers, &c)
	}
	return &model.Setup{FrontEnds: []*model.FrontEnd{f}}
}

// TestBalancersComeBack: a balancer of AJP members, written for mod_jk and read
// again, is the same.
func TestBalancersComeBack(t *testing.T) {
	for name, conf := range map[string]string{
		"everything": `<Proxy balancer://c>
BalancerMember ajp://10.0.0.1:8009 route=a redirect=b loadfactor=3 lbset=1 retry=30 timeout=7 connectiontimeout=1500ms ping=250ms acquire=80 min=2 max=20 ttl=90 keepalive=On iobuffersize=16384 secret=s3cret
BalancerMember ajp://10.0.0.2 route=b retry=30 status=S
BalancerMember ajp://[::1]:8010 route=c.d retry=30 status=N
ProxySet lbmethod=bybusyness stickysession=SID|sid scolonpathdelim=On nofailover=On maxattempts=2 failonstatus=500,503
</Proxy>
ProxyPass /x !
ProxyPass / balancer://c/
`,
		"plain":    "<Proxy balancer://c>\nBalancerMember ajp://a:1 route=x\nBalancerMember ajp://b:2 route=y\n</Proxy>\nProxyPass /app balancer://c/app stickysession=JSESSIONID|jsessionid\n",
		"one name": "<Proxy balancer://c>\nBalancerMember ajp://a:1 route=x\n</Proxy>\nProxyPass /app balancer://c/app stickysession=JSESSIONID scolonpathdelim=On\n",
		"socket":   "<Proxy balancer://c>\nBalancerMember unix:/run/t.sock|ajp://localhost route=x\n</Proxy>\nProxyPass /app balancer://c/app lbmethod=bytraffic stickysession=JSESSIONID|jsessionid\n",
	} {
		t.Run(name, func(t *testing.T) {
			before, after, res := there(t, conf)
			for _, n := range res.Notes {
				if n.Loss >= target.Dropped {
					t.Errorf("%v", n)
				}
			}
			for _, d := range model.Compare(normal(before), normal(after)) {
				if strings.HasSuffix(d.Path, "url") && strings.Contains(d.B, d.A[:strings.IndexByte(d.A, ' ')]+":8009") {
					continue // the default port is written
				}
				t.Error(d)
			}
			if t.Failed() {
				t.Logf("%s\n%s", res.Files[0].Data, res.Files[1].Data)
			}
		})
	}
}

// TestClosed: what mod_jk cannot pass on is refused, not served from files, and
// nothing that the source keeps back is passed on.
func TestClosed(t *testing.T) {
	_, _, res := there(t, `<Proxy balancer://h>
BalancerMember http://10.0.0.1:8080
</Proxy>
<Proxy balancer://a>
BalancerMember ajp://10.0.0.1:8009 secret=top#secret
</Proxy>
<Proxy *>
Require ip 10.0.0.0/8
</Proxy>
ProxyPass /private !
ProxyPass /http balancer://h/http
ProxyPass /moved balancer://a/other
ProxyPass / balancer://a/
<Location /private/manager>
SetHandler balancer-manager
</Location>
`)
	conf := string(res.Files[0].Data)
	for _, want := range []string{"<LocationMatch \"^/http(/|$)\">\n    Require all denied", "<LocationMatch \"^/moved(/|$)\">\n    Require all denied",
		`JkUnMount "/private|/*" a`, "Require local", "<Location \"/\">\n    Require all denied"} {
		if !strings.Contains(conf, want) {
			t.Errorf("there is no %q in\n%s", want, conf)
		}
	}
	security := 0
	for _, n := range res.Notes {
		if n.Security {
			security++
		}
		if strings.Contains(n.Fact+n.Message, "top") {
			t.Errorf("a note tells the secret: %+v", n)
		}
	}
	if security == 0 {
		t.Error("no note says that protection was lost")
	}
	if strings.Contains(string(res.Files[1].Data), "top") {
		t.Error("a secret was written in part")
	}
}

// TestHiddenPageStaysHidden: where a mapping takes the page's URL, mod_jk must not
// bring it to light.
func TestHiddenPageStaysHidden(t *testing.T) {
	_, _, res := there(t, "<Proxy balancer://a>\nBalancerMember ajp://a:1\n</Proxy>\nProxyPass / balancer://a/\n<Location /balancer-manager>\nSetHandler balancer-manager\n</Location>\n")
	if text := string(res.Files[0].Data) + string(res.Files[1].Data); strings.Contains(text, "jkstatus") {
		t.Errorf("the page is mounted:\n%s", text)
	}
}

// TestSecretIsPrivate: the file with a secret is for its owner only.
func TestSecretIsPrivate(t *testing.T) {
	_, _, res := there(t, "<Proxy balancer://a>\nBalancerMember ajp://a:1 secret=x\n</Proxy>\nProxyPass / balancer://a/\n")
	for _, f := range res.Files {
		if f.Private != (f.Name == "workers.properties") {
			t.Errorf("%s: private %v", f.Name, f.Private)
		}
	}
}

// TestSeed: the balancers of the story come back.
func TestSeed(t *testing.T) {
	for _, name := range []string{"broken", "fixed", "broken-on-current"} {
		before, after, _ := thereFrom(t, "../../testdata/seed/"+name+"/httpd.conf")
		for _, d := range model.Compare(normal(before), normal(after)) {
			t.Errorf("%s: %s", name, d)
		}
	}
}
