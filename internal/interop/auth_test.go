package interop

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authModules are what the access rules of the test need.
var authModules = func() string {
	var b strings.Builder
	for _, m := range strings.Fields("mpm_event authn_core authn_file authz_core authz_host authz_user authz_groupfile access_compat auth_basic env setenvif proxy proxy_http headers") {
		fmt.Fprintf(&b, "LoadModule %s_module $MODULES/mod_%s.so\n", m, m)
	}
	return b.String()
}()

// accessCase writes random access rules that httpd accepts.
type accessCase struct {
	*rand.Rand
	b   strings.Builder
	dir string
}

func (c *accessCase) pick(list ...string) string { return list[c.IntN(len(list))] }

func (c *accessCase) line() string {
	return c.pick("all granted", "all denied", "valid-user", "valid-user", "user ann", "user ann bob", "user nobody", "group staff", "group Admins empty",
		"ip 127.0.0.1", "ip 127.0.0.2 127.0.1", "ip 127.0.0.0/24", "ip 127.0.1.0/255.255.255.0", "ip 10.0.0.0/8 ::1", "local",
		"env TAG", "env LATE", "env tag", "method GET", "method POST PUT", "ip 127.0.0.2", "group staff")
}

// rules writes the inside of a group. Rules that only refuse stand in RequireAll
// beside one that does not, as httpd demands.
func (c *accessCase) rules(group string, depth int) {
	n := 1 + c.IntN(3)
	for i := range n {
		negative := group == "all" && i > 0
		switch {
		case depth < 3 && c.IntN(3) == 0:
			kind := c.pick("Any", "All")
			if negative && c.IntN(2) == 0 {
				kind = "None"
			}
			fmt.Fprintf(&c.b, "<Require%s>\n", kind)
			c.rules(strings.ToLower(kind), depth+1)
			fmt.Fprintf(&c.b, "</Require%s>\n", kind)
		case negative && c.IntN(2) == 0:
			fmt.Fprintf(&c.b, "Require not %s\n", c.line())
		default:
			fmt.Fprintf(&c.b, "Require %s\n", c.line())
		}
	}
}

// hosts writes rules of mod_access_compat.
func (c *accessCase) hosts() {
	c.b.WriteString(c.pick("Order allow,deny\n", "Order deny,allow\n", "Order mutual-failure\n", ""))
	for range c.IntN(3) {
		fmt.Fprintf(&c.b, "%s from %s\n", c.pick("Allow", "Deny"), c.pick("all", "127.0.0.1", "127.0.0.2", "127.0.1", "127.0.0.0/24", "env=TAG", "env=!TAG", "env=LATE", "none"))
	}
	c.b.WriteString(c.pick("Satisfy any\n", "Satisfy any\n", "Satisfy all\n", ""))
}

// limit writes rules for some methods only.
func (c *accessCase) limit(depth int) {
	kind, methods := c.pick("Limit", "LimitExcept"), c.pick("GET", "HEAD POST", "POST PUT", "FOO GET", "foo Get", "POST FOO", "GET POST HEAD")
	if depth > 0 {
		kind, methods = "LimitExcept", "PATCH"
	}
	fmt.Fprintf(&c.b, "<%s %s>\n", kind, methods)
	if c.IntN(4) > 0 {
		c.rules("any", 1)
	}
	if c.IntN(3) == 0 {
		c.hosts()
	}
	if depth == 0 && kind == "LimitExcept" && c.IntN(3) == 0 {
		c.limit(1)
	}
	c.b.WriteString(c.pick("", "", "", "AuthName \"of methods\"\n", "AuthType Basic\n", "AuthzSendForbiddenOnFailure On\n", "AuthMerging And\n", "AuthMerging Or\n"))
	fmt.Fprintf(&c.b, "</%s>\n", kind)
}

// section writes one place with rules.
func (c *accessCase) section(kind, path string) {
	fmt.Fprintf(&c.b, "<%s \"%s\">\n", kind, path)
	limits := c.IntN(2) == 0
	if limits && c.IntN(3) == 0 {
		c.limit(0)
	}
	if c.IntN(4) > 0 && !(limits && c.IntN(2) == 0) {
		c.rules("any", 0)
	}
	if limits && c.IntN(2) == 0 {
		c.limit(0)
	}
	if c.IntN(3) == 0 {
		c.hosts()
	}
	if limits {
		c.limit(0)
	}
	if c.IntN(3) == 0 {
		fmt.Fprintf(&c.b, "AuthMerging %s\n", c.pick("And", "Or", "Off"))
	}
	if kind == "Proxy" || c.IntN(5) > 0 {
		fmt.Fprintf(&c.b, "AuthType %s\n", c.pick("Basic", "Basic", "Basic", "Basic", "basic", "Basic", "Basic", "None", "Digest"))
		if c.IntN(12) > 0 {
			fmt.Fprintf(&c.b, "AuthName \"%s\"\n", c.pick("the realm", `say \"hi\"`, "x"))
		}
		if c.IntN(12) > 0 {
			fmt.Fprintf(&c.b, "AuthUserFile \"%s\"\n", filepath.Join(c.dir, c.pick("users", "users", "users", "users", "users", "missing")))
		}
		if c.IntN(8) > 0 {
			fmt.Fprintf(&c.b, "AuthGroupFile \"%s\"\n", filepath.Join(c.dir, "groups"))
		}
	}
	if c.IntN(6) == 0 {
		c.b.WriteString(c.pick("AuthBasicProvider file\n", "AuthBasicProvider file file\n", "AuthBasicAuthoritative Off\n", "AuthzSendForbiddenOnFailure On\n"))
	}
	fmt.Fprintf(&c.b, "</%s>\n", kind)
}

// accessAnswer asks one server for one thing.
func accessAnswer(t *testing.T, port int, from, method, path, auth, tag string) string {
	t.Helper()
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	conn, err := d.DialContext(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, DisableKeepAlives: true}
	req, err := http.NewRequest(method, "http://front.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	if tag != "" {
		req.Header.Set("X-Tag", tag)
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %q\n%s", res.StatusCode, res.Header.Values("WWW-Authenticate"), body)
}

func basic(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

// TestAccessMatrix compares who gets in, who is asked for a password and who is
// refused with what httpd answers, over random nests of rules in up to three
// sections that meet, some of them for some methods only.
func TestAccessMatrix(t *testing.T) {
	const cases = 360
	Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"users": "ann:$2y$05$uj8fBaJylB.psJFKUqeAyOFGS80RofIWtLWUqZL3UygHi4b2K7952\nbob:$apr1$QkeU6fmm$TYVyQS5CWFMg7FuUB5Zs/.\n" +
			"carol:{SHA}YDV33R8IzlsB5bY1NVyuHerfnOA=\ndave:$6$8hjWKys4iD93uOL9$SnTYlu9JbilzXBMj/UO0BN91292/Swcu.9J8SLw4iorlW9Ua5sPMmF7HueOl.3WWYrk47SSaM.HNJ8Rbt3J.a/\n",
		"groups": "staff: ann carol\nadmins: bob\nempty:\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "let in") }))
	defer backend.Close()

	c := &accessCase{Rand: rand.New(rand.NewPCG(6, 2026)), dir: dir}
	texts := make([]string, cases)
	for i := range cases {
		c.b.Reset()
		url := fmt.Sprintf("%s/b%d/", backend.URL, i)
		fmt.Fprintf(&c.b, "ProxyPass /c%d/ %s\n", i, url)
		if c.IntN(3) == 0 {
			c.section("Proxy", url)
		}
		c.section("Location", fmt.Sprintf("/c%d", i))
		if c.IntN(3) > 0 {
			c.section("Location", fmt.Sprintf("/c%d/in", i))
		}
		texts[i] = c.b.String()
	}
	ports := FreePorts(t, 2)
	conf := func(port int) string {
		return fmt.Sprintf("Listen 127.0.0.1:%d\n%sServerName front.example\nServerAdmin admin@example.com\nSetEnvIf X-Tag yes TAG=1\nSetEnv LATE 1\n%s",
			port, authModules, strings.Join(texts, ""))
	}
	StartHTTPD(t, ports[0], conf(ports[0]))
	startSetup(t, map[string]string{"httpd.conf": strings.ReplaceAll(conf(ports[1]), "$MODULES", "/usr/lib/apache2/modules")})

	const pw = ":pass wörd:1"
	auths := []string{"", "", basic("ann" + pw), basic("bob" + pw), basic("carol" + pw), basic("dave" + pw), basic("ann:wrong"), basic("nobody:x"), basic("ann"),
		basic(":"), "Bearer abc", "basic " + base64.RawStdEncoding.EncodeToString([]byte("ann"+pw))}
	seen := map[string]int{}
	bad := 0
	for i, text := range texts {
		for range 14 {
			from := c.pick("127.0.0.1", "127.0.0.2", "127.0.1.5")
			method := c.pick("GET", "GET", "GET", "HEAD", "POST", "PUT", "FOO", "foo", "DELETE")
			path := fmt.Sprintf("/c%d/%s", i, c.pick("x", "in/x"))
			auth, tag := auths[c.IntN(len(auths))], c.pick("", "yes")
			want := accessAnswer(t, ports[0], from, method, path, auth, tag)
			got := accessAnswer(t, ports[1], from, method, path, auth, tag)
			seen[want[:3]]++
			if got != want {
				if bad++; bad <= 5 {
					t.Errorf("%s %s from %s, Authorization %q, tag %q:\n--- clowder\n%s\n--- httpd\n%s\n--- rules\n%s", method, path, from, auth, tag, got, want, text)
				}
			}
		}
	}
	t.Logf("answers of httpd: %v", seen)
	if bad > 5 {
		t.Errorf("%d answers differ", bad)
	}
	for _, status := range []string{"200", "401", "403", "500"} {
		if seen[status] < 100 {
			t.Errorf("only %d answers are %s: the cases say too little", seen[status], status)
		}
	}
}
