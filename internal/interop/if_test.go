package interop

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

var (
	ifN    = flag.Int("if.n", 80, "how many random virtual hosts with conditional sections to serve")
	ifSeed = flag.Uint64("if.seed", 1, "seed of the random virtual hosts")
)

// ifRequests leave the index of a folder out: see docs/differences-urls.md.
var ifRequests = []string{"/a.txt", "/a/b.txt", "/p", "/p/a?x", "/p/b/c?x=1", "/p/q%20r", "/dir", "/dir?x", "/dir/index.html?x", "/index.html", "/none", "/b/a.txt", "/p//a/../b"}

// TestIfAgreesWithHTTPD: clowder answers as real httpd does, for random nests of
// <If>, <ElseIf> and <Else> in virtual hosts, Locations and Proxy sections: status,
// headers, files, and what a backend sees.
func TestIfAgreesWithHTTPD(t *testing.T) {
	Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	root := frontRoot(t, map[string]string{"htdocs/a.txt": "a", "htdocs/a/b.txt": "ab", "htdocs/dir/index.html": "index", "htdocs/dir/a.txt": "dir a", "htdocs/index.html": "home", "htdocs/b/a.txt": "ba"})
	g := &ifGenerator{rewriteGenerator{rand.New(rand.NewPCG(*ifSeed, 17)), startEcho(t), root}}
	listeners, own := openPorts(t, *ifN)
	ports := [2][]int{FreePorts(t, *ifN), own}
	bodies := make([]string, *ifN)
	for i := range bodies {
		bodies[i] = g.host()
	}
	conf := func(ports []int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "ServerName www.example\nDocumentRoot %s/htdocs\nTypesConfig /etc/mime.types\n<If \"-n %%{HTTP:X-Main}\">\nHeader always set X-D main\n</If>\n", root)
		for i, port := range ports {
			fmt.Fprintf(&b, "Listen 127.0.0.1:%d\n<VirtualHost 127.0.0.1:%d>\n%s</VirtualHost>\n", port, port, bodies[i])
		}
		return b.String()
	}
	StartHTTPD(t, ports[0][0], loadModules(frontModules)+conf(ports[0]))
	startClowderFront(t, conf(ports[1]), listeners)
	asked, bad, odd, hosts, seen := 0, 0, 0, map[int]bool{}, map[string]int{}
	for i := range bodies {
		for _, path := range ifRequests {
			for _, h := range []http.Header{{"User-Agent": {""}}, {"User-Agent": {"Mozilla/5"}, "X-One": {"uno"}}, {"User-Agent": {"x"}, "X-Main": {"1"}}} {
				want, got := askRaw(t, ports[0][i], path, h), askRaw(t, ports[1][i], path, h)
				seen[want[:3]]++
				if want != got && strings.HasPrefix(want, "403") && strings.HasPrefix(got, "403") && strings.Contains(got, "charset=iso-8859-1") {
					odd++ // an ErrorDocument under the same sections, see docs/differences-urls.md: its access rules are asked again
					continue
				}
				if asked++; want != got {
					if bad++; !hosts[i] && len(hosts) < 8 {
						hosts[i] = true
						t.Errorf("%s %v:\nhttpd    %s\nclowder  %s\nof:\n%s", path, h, want, got, bodies[i])
					}
				}
			}
		}
	}
	t.Logf("%d requests, %d differ, %d left out; answers of httpd: %v", asked, bad, odd, seen)
	if asked < 2000 || bad > 0 || odd > asked/100 || seen["200"] < 200 || seen["403"] < 100 {
		t.Errorf("%d requests, %d differ", asked, bad)
	}
}

// ifGenerator makes the inside of random virtual hosts.
type ifGenerator struct{ rewriteGenerator }

func (g *ifGenerator) host() string {
	var b strings.Builder
	fmt.Fprintf(&b, "SetEnvIf X-One (.*) W=$1\nProxyPass /p http://127.0.0.1:%d/p\n", g.echo)
	if g.IntN(2) == 0 {
		b.WriteString(g.chain(0))
	}
	if g.IntN(3) == 0 {
		b.WriteString(g.header())
	}
	for range 1 + g.IntN(3) {
		tag, path := "Location", g.pick("/a", "/p", "/p/b", "/dir", "/")
		if g.IntN(4) == 0 {
			tag, path = "Proxy", fmt.Sprintf("http://127.0.0.1:%d/p%s", g.echo, g.pick("", "/b"))
		}
		fmt.Fprintf(&b, "<%s %s>\n%s", tag, path, g.settings(2))
		if g.IntN(5) == 0 {
			b.WriteString(g.access())
		}
		if g.IntN(3) > 0 {
			b.WriteString(g.chain(0))
		}
		fmt.Fprintf(&b, "</%s>\n", tag)
	}
	return b.String()
}

// chain writes an <If> with what belongs to it.
func (g *ifGenerator) chain(depth int) string {
	var b strings.Builder
	for range 1 + g.IntN(2) {
		fmt.Fprintf(&b, "<If \"%s\">\n%s</If>\n", g.condition(), g.inside(depth))
		for range g.IntN(3) {
			fmt.Fprintf(&b, "<ElseIf \"%s\">\n%s</ElseIf>\n", g.condition(), g.inside(depth))
		}
		if g.IntN(2) == 0 {
			fmt.Fprintf(&b, "<Else>\n%s</Else>\n", g.inside(depth))
		}
	}
	return b.String()
}

func (g *ifGenerator) inside(depth int) string {
	s := g.settings(3)
	if g.IntN(3) == 0 {
		s += g.access()
	}
	if depth < 2 && g.IntN(4) == 0 {
		s += g.chain(depth + 1)
	}
	return s
}

func (g *ifGenerator) settings(most int) string {
	var b strings.Builder
	for range g.IntN(most + 1) {
		switch g.IntN(6) {
		case 0, 1, 2:
			h := g.header()
			for strings.Contains(h, "early") || strings.Contains(h, "RequestHeader unset X-One") || strings.Contains(h, "RequestHeader edit X-One") { // of the index of a folder they would be asked again
				h = g.header()
			}
			b.WriteString(h)
		case 3:
			b.WriteString(g.pick("Redirect 303 http://in.example/%{REQUEST_URI}\n", "Redirect gone\n", "RedirectMatch 410 txt$\n", "Redirect 307 /p/b /to\n", "LogLevel info\n", "DirectoryIndex a.txt\n", "ForceType text/odd\n"))
		case 4:
			b.WriteString(g.pick("SetEnvIf User-Agent ^(M) V=$1\n", "SetEnv V fixed\n", "SetEnvIfExpr \"%{REQUEST_URI} =~ /(.)$/\" V=$1\n", "UnsetEnv V\n", "DirectorySlash Off\n"))
		case 5:
			b.WriteString(g.pick("ErrorDocument 403 \"no entry\"\n", "ErrorDocument 403 /a.txt\n", "ErrorDocument 404 http://else.example/\n", "ErrorDocument 403 default\n", "ProxyErrorOverride On\n", "RequestHeader set X-R if\n"))
		}
	}
	return b.String()
}

func (g *ifGenerator) access() string {
	return g.pick("Require all denied\n", "Require all granted\n", "Require expr %{HTTP_USER_AGENT} =~ /Moz/\n", "Order allow,deny\nAllow from env=W\n", "Deny from env=V\n", "AuthMerging And\nRequire method GET\n",
		"<RequireAny>\nRequire env W\nRequire ip 10.0.0.0/8\n</RequireAny>\n", "<Limit GET>\nRequire env W\n</Limit>\n", "<LimitExcept GET>\nRequire all denied\n</LimitExcept>\n", "Satisfy any\nDeny from all\n", "AuthMerging Or\nRequire env V\n")
}

func (g *ifGenerator) condition() string {
	return g.pick("%{QUERY_STRING} == 'x'", "%{REQUEST_URI} =~ m#^/p#", "-n %{HTTP:X-One}", "%{HTTP_USER_AGENT} =~ /Moz/", "%{REQUEST_METHOD} == 'GET'", "true", "false", "-R '127.0.0.0/8'", "reqenv('W') == 'uno'", "reqenv('V') != ''",
		"%{HANDLER} == ''", "%{REQUEST_FILENAME} =~ /txt$/", "file('/nowhere/at/all') == ''", "%{PATH_INFO} == ''", "%{REMOTE_USER} == ''", "%{HTTP_HOST} == 'www.example:8080'", "-f %{REQUEST_FILENAME}", "%{REQUEST_URI} =~ m#/b#", "%{HTTP:X-One} == 'x' || %{HTTP:X-Main} == '1'")
}
