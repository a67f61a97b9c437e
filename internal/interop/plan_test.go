package interop

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/render/plan"
)

var (
	planN    = flag.Int("plan.n", 60, "how many random virtual hosts to lay out and ask httpd about")
	planSeed = flag.Uint64("plan.seed", 1, "seed of the random virtual hosts")
)

// TestPlanAgreesWithHTTPD: the layout that all proxy targets are written from says
// what real httpd does, for random virtual hosts of mappings, patterns, sections,
// access rules and redirects: who is refused, who is sent elsewhere, which member
// gets which path.
func TestPlanAgreesWithHTTPD(t *testing.T) {
	Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	echo := [2]int{}
	for i := range echo {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		echo[i] = l.Addr().(*net.TCPAddr).Port
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Saw", fmt.Sprintf("%d %s", echo[i], r.URL.Path))
		})}
		go srv.Serve(l)
		t.Cleanup(func() { srv.Close() })
	}
	ports := FreePorts(t, *planN)
	g := &planGenerator{rand.New(rand.NewPCG(*planSeed, 7)), echo}
	var conf strings.Builder
	conf.WriteString("ServerName localhost\nDocumentRoot $ROOT\n")
	for _, m := range strings.Fields("mpm_event authn_core authz_core authz_host access_compat proxy proxy_http proxy_balancer slotmem_shm lbmethod_byrequests alias headers") {
		fmt.Fprintf(&conf, "LoadModule %s_module $MODULES/mod_%s.so\n", m, m)
	}
	bodies := make([]string, *planN)
	for i, port := range ports {
		bodies[i] = g.host(i)
		fmt.Fprintf(&conf, "Listen 127.0.0.1:%d\n<VirtualHost 127.0.0.1:%d>\n%s</VirtualHost>\n", port, port, bodies[i])
	}
	StartHTTPD(t, ports[0], conf.String())
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true})
	if err != nil || len(r.Broken) > 0 {
		t.Fatal(err, r.Diags)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}
	asked, bad := 0, 0
	for _, l := range plan.All(r.Setup)[0].Listeners {
		for _, path := range planRequests {
			want := foretell(l.Sites[0], path)
			got := ask(t, client, fmt.Sprintf("http://127.0.0.1:%d%s", l.Port, path))
			if asked++; got != want {
				if bad++; bad < 10 {
					t.Errorf("%s: httpd says %q, the plan %q, of:\n%s", path, got, want, bodies[indexOf(ports, l.Port)])
				}
			}
		}
	}
	t.Logf("%d requests, %d differ", asked, bad)
	if asked < *planN*len(planRequests) || bad > 0 {
		t.Errorf("%d requests, %d differ", asked, bad)
	}
}

func indexOf(list []int, x int) int {
	for i, v := range list {
		if v == x {
			return i
		}
	}
	return -1
}

// foretell says in one line what the plan makes of a request from loopback.
func foretell(s *plan.Site, path string) string {
	o := s.Find(path)
	me := netip.MustParseAddr("127.0.0.1")
	switch {
	case o.Kind == plan.Refuse && o.Access.Free.Contains(me):
		return fmt.Sprint(o.Status)
	case !o.Access.Free.Contains(me):
		return "403"
	case o.Kind == plan.Redirect:
		return fmt.Sprintf("%d %s", o.Status, o.PathAt(path))
	case o.Kind == plan.Proxy:
		return fmt.Sprintf("200 %d %s", o.Pool.Members[0].Port, o.PathAt(path))
	}
	return "404"
}

func ask(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	switch {
	case res.StatusCode == 200:
		return "200 " + res.Header.Get("X-Saw")
	case res.Header.Get("Location") != "":
		return fmt.Sprintf("%d %s", res.StatusCode, res.Header.Get("Location"))
	}
	return fmt.Sprint(res.StatusCode)
}

var (
	planPaths    = []string{"/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/c", "/a/b/c", "/c/x"}
	planPatterns = []string{`^/a/(.*)\.x$`, `\.y$`, `^/c/(.*)$`, `^/a/b/`, `b`}
	planRequests = []string{"/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "/ab/c", "/c", "/c/", "/c/x", "/c/x/z.y", "/a/z.x", "/a/b/q.x", "/a/b/c", "/a/b/c/d.y", "/apple", "/z", "/q.y", "/a/bb"}
)

// planGenerator makes the inside of random virtual hosts.
type planGenerator struct {
	*rand.Rand
	echo [2]int
}

func (g *planGenerator) pick(list []string) string { return list[g.IntN(len(list))] }

// target is a member or a balancer of the host; its path ends in a slash as the prefix does.
func (g *planGenerator) target(host int, prefix string) string {
	slash := ""
	if strings.HasSuffix(prefix, "/") {
		slash = "/"
	}
	n := g.IntN(2)
	switch g.IntN(3) {
	case 0:
		return fmt.Sprintf("balancer://b%dx%d%s%s", host, n, g.pick([]string{"", "/in"}), slash)
	case 1:
		return "!"
	}
	return fmt.Sprintf("http://127.0.0.1:%d%s%s", g.echo[n], g.pick([]string{"/p", "/p/q"}), slash)
}

func (g *planGenerator) access() string {
	return g.pick([]string{"Require all denied\n", "Require all granted\n", "Require ip 127.0.0.1\n", "Require ip 10.0.0.0/8\n",
		"Order deny,allow\nDeny from all\n", "Order allow,deny\nAllow from 127.0.0\n", "Order deny,allow\nDeny from all\nAllow from 10.0.0.1 127.0.0.1\n",
		"<RequireAll>\nRequire all granted\nRequire not ip 127.0.0.0/8\n</RequireAll>\n"})
}

func (g *planGenerator) host(i int) string {
	var b strings.Builder
	for n := range 2 {
		fmt.Fprintf(&b, "<Proxy balancer://b%dx%d>\nBalancerMember http://127.0.0.1:%d%s\n</Proxy>\n", i, n, g.echo[n], g.pick([]string{"", "/m"}))
	}
	for range 2 + g.IntN(5) {
		switch p := g.pick(planPaths); g.IntN(9) {
		case 0, 1, 2:
			fmt.Fprintf(&b, "ProxyPass %s %s\n", p, g.target(i, p))
		case 3:
			re := g.pick(planPatterns)
			fmt.Fprintf(&b, "ProxyPassMatch %s %s\n", re, g.pick([]string{"!", fmt.Sprintf("balancer://b%dx0", i), fmt.Sprintf("http://127.0.0.1:%d/r/$1", g.echo[1])}))
		case 4, 5:
			fmt.Fprintf(&b, "<Location %s>\n%s</Location>\n", p, g.access())
		case 6:
			fmt.Fprintf(&b, "<LocationMatch %s>\n%s</LocationMatch>\n", g.pick(planPatterns), g.access())
		case 7:
			fmt.Fprintf(&b, "Redirect %s %s http://else.example.org%s\n", g.pick([]string{"301", "307", "temp"}), p, g.pick([]string{"/", "/new"}))
		case 8:
			inside := "Redirect 308 http://in.example.org/\n"
			if t := g.target(i, p); t != "!" && g.IntN(2) == 0 {
				inside = "ProxyPass " + t + "\n"
			}
			fmt.Fprintf(&b, "<Location %s>\n%s</Location>\n", p, inside)
		}
	}
	return b.String()
}
