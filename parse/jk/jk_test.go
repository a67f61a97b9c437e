package jk

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// lower reads an archive whose first file is httpd.conf; the others are found
// below the ServerRoot /srv.
func lower(t testing.TB, archive string) (*model.FrontEnd, Result) {
	t.Helper()
	a := txtar.Parse([]byte(archive))
	files := map[string][]byte{}
	for _, f := range a.Files {
		files["/srv/"+f.Name] = f.Data
	}
	f := diag.NewFile("/srv/httpd.conf", files["/srv/httpd.conf"])
	cfg, _ := httpd.Load(f, httpd.Options{})
	front, _, _ := httpd.Lower(cfg)
	res := Lower(front, cfg, Options{
		Env: func(k string) (string, bool) { return "from-" + k, strings.HasPrefix(k, "ENV") },
		Open: func(name string) ([]byte, error) {
			if b, ok := files[name]; ok {
				return b, nil
			}
			return nil, fs.ErrNotExist
		},
	})
	return front, res
}

// worker lowers the properties of one lb worker "lb" with the member "a".
func worker(t *testing.T, props string) (*model.Balancer, *model.Member, Result) {
	t.Helper()
	front, res := lower(t, "-- httpd.conf --\nJkWorkersFile w.properties\nJkMount /* lb\n-- w.properties --\nworker.list=lb\nworker.lb.type=lb\nworker.lb.balance_workers=a,b\n"+props)
	if len(front.Main.Balancers) != 1 || len(front.Main.Balancers[0].Members) != 2 {
		t.Fatalf("balancers: %+v", front.Main.Balancers)
	}
	b := front.Main.Balancers[0]
	return b, b.Members[0], res
}

func TestMemberAttributes(t *testing.T) {
	tests := []struct {
		name, props string
		get         func(*model.Balancer, *model.Member) any
		want        any
	}{
		{"defaults", "", func(b *model.Balancer, m *model.Member) any { return m.URL.V + " " + m.Route.V + " " + b.Sticky.V }, "ajp://localhost:8009 a JSESSIONID|jsessionid"},
		{"address", "worker.a.host=10.1.1.1\nworker.a.port=9009\n", func(_ *model.Balancer, m *model.Member) any { return m.URL.V }, "ajp://10.1.1.1:9009"},
		{"ipv6", "worker.a.host=::1\n", func(_ *model.Balancer, m *model.Member) any { return m.URL.V }, "ajp://[::1]:8009"},
		{"ajp14", "worker.a.type=ajp14\n", func(_ *model.Balancer, m *model.Member) any { return m.URL.V }, "ajp://localhost:8011"},
		{"port 0 stops", "worker.a.port=0\n", func(_ *model.Balancer, m *model.Member) any { return m.Status.V }, "S"},
		{"variable", "h=web\nworker.a.host=$(h)1.$(ENVX)$(none)\n", func(_ *model.Balancer, m *model.Member) any { return m.URL.V }, "ajp://web1.from-ENVX$(none):8009"},
		{"template", "worker.t.port=1\nworker.t.host=x\nworker.a.reference=worker.t\nworker.a.port=2\n", func(_ *model.Balancer, m *model.Member) any { return m.URL.V }, "ajp://x:2"},
		{"template of template", "worker.a.reference=worker.t\nworker.t.reference=worker.u\nworker.u.port=5\n", func(_ *model.Balancer, m *model.Member) any { return m.URL.V }, "ajp://localhost:5"},
		{"route", "worker.a.route=r1\n", func(_ *model.Balancer, m *model.Member) any { return m.Route.V }, "r1"},
		{"jvm_route", "worker.a.jvm_route=r2\n", func(_ *model.Balancer, m *model.Member) any { return m.Route.V }, "r2"},
		{"redirect", "worker.a.redirect=b\n", func(_ *model.Balancer, m *model.Member) any { return m.Redirect.V }, "b"},
		{"distance", "worker.a.distance=2\n", func(_ *model.Balancer, m *model.Member) any { return m.LBSet.V }, 2},
		{"lbfactor", "worker.a.lbfactor=3\n", func(_ *model.Balancer, m *model.Member) any { return m.LoadFactor.V }, 3.0},
		{"lbfactor above 100", "worker.a.lbfactor=50\nworker.b.lbfactor=200\n", func(_ *model.Balancer, m *model.Member) any { return m.LoadFactor.V }, 25.0},
		{"disabled", "worker.a.activation=disabled\n", func(_ *model.Balancer, m *model.Member) any { return m.Status.V }, "N"},
		{"stopped", "worker.a.activation=S\n", func(_ *model.Balancer, m *model.Member) any { return m.Status.V }, "S"},
		{"active", "worker.a.activation=A\nworker.a.stopped=1\n", func(_ *model.Balancer, m *model.Member) any { return m.Status.V }, ""},
		{"old disabled", "worker.a.disabled=true\n", func(_ *model.Balancer, m *model.Member) any { return m.Status.V }, "N"},
		{"socket_timeout", "worker.a.socket_timeout=20\n", func(_ *model.Balancer, m *model.Member) any { return [2]time.Duration{m.Timeout.V, m.ConnTimeout.V} }, [2]time.Duration{20 * time.Second, 20 * time.Second}},
		{"reply_timeout", "worker.a.socket_timeout=20\nworker.a.reply_timeout=1500\n", func(_ *model.Balancer, m *model.Member) any { return m.Timeout.V }, 2 * time.Second},
		{"socket_connect_timeout", "worker.a.socket_connect_timeout=250\n", func(_ *model.Balancer, m *model.Member) any { return m.ConnTimeout.V }, 250 * time.Millisecond},
		{"ping_mode", "worker.a.ping_mode=A\n", func(_ *model.Balancer, m *model.Member) any { return m.Ping.V }, 10 * time.Second},
		{"ping_mode interval only", "worker.a.ping_mode=I\n", func(_ *model.Balancer, m *model.Member) any { return m.Ping.IsSet() }, false},
		{"prepost before connect", "worker.a.prepost_timeout=7\nworker.a.connect_timeout=9\n", func(_ *model.Balancer, m *model.Member) any { return m.Ping.V }, 7 * time.Millisecond},
		{"pool", "worker.a.connection_pool_size=9\nworker.a.connection_pool_minsize=2\nworker.a.connection_pool_timeout=600\n", func(_ *model.Balancer, m *model.Member) any { return fmt.Sprint(m.Max.V, m.Min.V, m.TTL.V) }, "9 2 10m0s"},
		{"cachesize", "worker.a.cachesize=4\n", func(_ *model.Balancer, m *model.Member) any { return m.Max.V }, 4},
		{"secret of lb", "worker.lb.secret=x\n", func(_ *model.Balancer, m *model.Member) any { return m.Secret.V }, "x"},
		{"own secret first", "worker.lb.secret=x\nworker.a.secret=y\n", func(_ *model.Balancer, m *model.Member) any { return m.Secret.V }, "y"},
		{"packet size", "worker.a.max_packet_size=9000\n", func(_ *model.Balancer, m *model.Member) any { return m.IOBufferSize.V }, 9216},
		{"recover_time", "worker.lb.recover_time=5\n", func(_ *model.Balancer, m *model.Member) any { return m.Retry.V }, 5 * time.Second},
		{"last counts", "worker.a.port=1\nworker.a.port=2\n", func(_ *model.Balancer, m *model.Member) any { return m.URL.V }, "ajp://localhost:2"},
		{"sticky off", "worker.lb.sticky_session=False\n", func(b *model.Balancer, _ *model.Member) any { return b.Sticky.IsSet() }, false},
		{"force", "worker.lb.sticky_session_force=1\n", func(b *model.Balancer, _ *model.Member) any { return b.NoFailover.V }, true},
		{"session names", "worker.lb.session_cookie=SID\nworker.lb.session_path=;sid\n", func(b *model.Balancer, _ *model.Member) any { return b.Sticky.V }, "SID|sid"},
		{"traffic", "worker.lb.method=T\n", func(b *model.Balancer, _ *model.Member) any { return b.LBMethod.V }, "bytraffic"},
		{"busyness", "worker.lb.method=Busyness\n", func(b *model.Balancer, _ *model.Member) any { return b.LBMethod.V }, "bybusyness"},
		{"sessions", "worker.lb.method=Sessions\n", func(b *model.Balancer, _ *model.Member) any { return b.LBMethod.V }, "byrequests"},
		{"lb_retries", "worker.lb.lb_retries=1\nworker.lb.retries=1\n", func(b *model.Balancer, _ *model.Member) any { return b.MaxAttempts.V }, 0},
		{"fail_on_status", "worker.a.fail_on_status=500,503\nworker.b.fail_on_status=500 503\n", func(b *model.Balancer, _ *model.Member) any { return b.FailOnStatus.V }, "500,503"},
		{"fail_on_status differs", "worker.a.fail_on_status=500\n", func(b *model.Balancer, _ *model.Member) any { return b.FailOnStatus.IsSet() }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, m, _ := worker(t, tt.props)
			if got := tt.get(b, m); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestUnmapped(t *testing.T) {
	_, _, res := worker(t, "worker.a.domain=d\nworker.lb.method=N\nworker.other.port=1\nfree=1\nworker.a.fail_on_status=-404\n")
	var got []string
	for _, u := range res.Unmapped {
		got = append(got, u.What+" "+u.Span.Short()+" "+u.Span.Text())
	}
	want := []string{
		"method N (byrequests is taken) /srv/w.properties:5 N",
		"worker.a.domain /srv/w.properties:4 worker.a.domain=d",
		"worker.other.port /srv/w.properties:6 worker.other.port=1",
		"worker.a.fail_on_status /srv/w.properties:8 worker.a.fail_on_status=-404",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestParsePropertiesSpans(t *testing.T) {
	f := diag.NewFile("w", []byte("# c\r\n  worker.list = a, b \t# end\r\nnothing\nx=\n=y\nworker.a.prot=1\nv=a=b"))
	props, diags := ParseProperties(f)
	var got []string
	for _, p := range props {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s", p.KeySpan.Text(), p.ValueSpan.Text(), p.Span.Text(), p.KeySpan))
	}
	want := []string{"worker.list|a, b|worker.list = a, b|w:2:3", "worker.a.prot|1|worker.a.prot=1|w:6:1", "v|a=b|v=a=b|w:7:1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(diags) != 1 || diags[0].ID != "H005" || !strings.Contains(diags[0].Message, "`port`") || diags[0].Fixes[0].Edits[0].Span.Text() != "prot" {
		t.Errorf("diags: %+v", diags)
	}
}

func TestListsJoin(t *testing.T) {
	front, res := lower(t, `-- httpd.conf --
JkWorkerProperty worker.list=a
JkWorkerProperty worker.a.host=h1
JkWorkersFile w.properties
JkMount /a/* a
JkMount /b/* b
-- w.properties --
worker.list=b
worker.b.port=1
worker.a.host=h2
`)
	if len(res.Diags) > 0 {
		t.Error(res.Diags)
	}
	var got []string
	for _, w := range front.Main.Workers {
		got = append(got, w.URL.V+" "+w.URL.Span.String()+" "+w.URL.Span.Text())
	}
	want := []string{"ajp://h2:8009 /srv/w.properties:3:15 h2", "ajp://localhost:1 /srv/w.properties:2:15 1"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// decide is the first match of httpd's mappings.
func decide(list []*model.Mapping, path string) string {
	for _, m := range list {
		fits := false
		if m.Regex.V {
			fits = regexp.MustCompile(m.Path.V).MatchString(path)
		} else {
			p := strings.TrimSuffix(m.Path.V, "/")
			fits = strings.HasPrefix(path, p+"/") || path == p && !strings.HasSuffix(m.Path.V, "/")
		}
		if fits {
			if m.Excludes() {
				return ""
			}
			return strings.Split(strings.TrimPrefix(m.Target.V, "ajp://"), ":")[0]
		}
	}
	return ""
}

var paths = []string{"/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a/b/c.gif", "/a/x.gif", "/x.gif", "/ab", "/ab/c.jsp", "/a/c.jsp",
	"/a/b/c.jsp", "/c.jsp", "/b", "/b/", "/b/x.gif", "/a/static/x", "/a/static", "/b/static/x.jsp", "/a1", "/a1/b", "/a/b/static/y"}

func TestPrecedence(t *testing.T) {
	tests := []struct{ name, conf, urimap string }{
		{"longer first", "JkMount /* w1\nJkMount /a/* w2\nJkMount /a/b/* w3\n", ""},
		{"exact", "JkMount /a/* w1\nJkMount /a/b w2\n", ""},
		{"bar", "JkMount /a|/* w1\n", ""},
		{"bar with a rule between", "JkMount /a|/* w1\nJkMount /a* w2\n", ""},
		{"suffix", "JkMount /*.jsp w1\nJkMount /a/* w2\n", ""},
		{"unmount", "JkMount /a/* w1\nJkUnMount /a/static/* w1\n", ""},
		{"unmount of another worker", "JkMount /a/* w1\nJkUnMount /a/static/* w2\n", ""},
		{"unmount cut to the rule", "JkMount /a/* w1\nJkUnMount /*.gif w1\nJkMount /* w2\n", ""},
		{"unmount does not fall through", "JkMount /a/* w1\nJkUnMount /a/static/* w1\nJkMount /* w2\n", ""},
		{"unmount of all", "JkMount /a/* w1\nJkMount /* w2\n", "!/*.gif=*\n"},
		{"one replaces", "JkMount /a/* w1\nJkMount /a/* w2\n", ""},
		{"uriworkermap wins over JkMount", "JkMount /a/* w1\n", "/a/*=w2\n"},
		{"off", "JkMount /* w1\n", "-/a/*=w2\n"},
		{"question marks", "JkMount /a? w1\nJkMount /a?/* w2\n", ""},
		{"several stars", "JkMount /*/static/* w1\nJkMount /a* w2\nJkUnMount /*/b/* w1\n", ""},
		{"bar exclusion", "JkMount /* w1\n", "!/a|/*=w1\n"},
		{"more slashes win over length", "JkMount /a/*/* w1\nJkMount /a/b*jsp w2\n", ""},
		{"many", "JkMount /*.jsp w1\nJkMount /a|/* w2\nJkMount /b/* w3\nJkUnMount /*/static/* w2\nJkUnMount /b/*.gif *\nJkUnMount /a/*.jsp w2\n", "/a/b/*=w1\n!/a/b/c*=w1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conf := "JkWorkersFile w\nJkMountFile u\n" + tt.conf
			front, res := lower(t, "-- httpd.conf --\n"+conf+"-- w --\nworker.list=w1,w2,w3\nworker.w1.host=w1\nworker.w2.host=w2\nworker.w3.host=w3\n-- u --\n"+tt.urimap)
			if len(res.Diags) > 0 {
				t.Fatal(res.Diags)
			}
			var m mounts
			var rules []Rule
			for _, line := range strings.Split(strings.TrimSpace(tt.conf), "\n") {
				w := strings.Fields(line)
				m.put(mount{path: map[string]string{"JkUnMount": "!"}[w[0]] + w[1], worker: w[2], from: fromJkMount})
			}
			rules, _ = m.rules()
			more, _ := ParseURIMap(diag.NewFile("u", []byte(tt.urimap)), nil)
			rules = append(rules, more...)
			order(rules)
			for _, p := range paths {
				want, _ := find(rules, p)
				if got := decide(front.Main.Mappings, p); got != want {
					t.Errorf("%s goes to %q, mod_jk sends it to %q", p, got, want)
				}
			}
		})
	}
}
