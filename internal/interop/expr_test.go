package interop

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"clowder/parse"
	"clowder/runtime/expr"
	"clowder/runtime/front"
	"clowder/runtime/proxy"
)

// frontModules are what the tests of URL mapping load into httpd.
const frontModules = "mpm_event authn_core authz_core authz_host access_compat proxy proxy_http proxy_balancer slotmem_shm lbmethod_byrequests alias headers rewrite dir setenvif env mime"

func loadModules(list string) string {
	var b strings.Builder
	for _, m := range strings.Fields(list) {
		fmt.Fprintf(&b, "LoadModule %s_module $MODULES/mod_%s.so\n", m, m)
	}
	return b.String()
}

// frontRoot makes a DocumentRoot that any user may read, with the files.
func frontRoot(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for dir := root; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Date(2020, 5, 4, 3, 2, 1, 0, time.UTC)
	for name, text := range files {
		p := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, old, old); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// openPorts listens on n ports of loopback.
func openPorts(t *testing.T, n int) (map[int]net.Listener, []int) {
	t.Helper()
	all, ports := map[int]net.Listener{}, make([]int, n)
	for i := range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = ln.Addr().(*net.TCPAddr).Port
		all[ports[i]] = ln
	}
	return all, ports
}

// startClowderFront serves the first front end of a configuration, whose Listen
// lines name the ports of the listeners.
func startClowderFront(t *testing.T, conf string, listeners map[int]net.Listener) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "httpd.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true})
	if err != nil || len(r.Broken) > 0 {
		t.Fatal(err, r.Diags)
	}
	p, err := proxy.New(r.Setup.FrontEnds[0], proxy.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	for _, l := range p.Listens() {
		srv := front.New(front.Config{Handler: p.Handler(l), KeepAlive: true, ErrorPage: proxy.ErrorPage})
		go srv.Serve(listeners[l.Port])
		t.Cleanup(func() { srv.Close() })
	}
}

// confQuote writes a word in quotes as httpd's files have it.
func confQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// conditions and texts are expressions whose values both servers are asked for.
var conditions = []string{
	`true`, `false`, `! false`, `not true`, `!!true`, `true && false`, `true || false`, `false or true`, `true and not false`,
	`(true || true) && false`, `true || true && false`, `! (true && false)`, `-n 'a'`, `-n ''`, `-z ''`, `-z 'x'`, `-T 'off'`, `-T 'Off'`, `-T '0'`,
	`-T '00'`, `-T 'no'`, `-T 'yes'`, `-T ''`, `-T 'false'`, `-T 'nope'`,
	`'a' == 'a'`, `'a' = 'b'`, `'a' != 'b'`, `'a' < 'b'`, `'b' <= 'a'`, `'abc' > 'b'`, `'b' >= 'abc'`,
	`10 -eq 10`, `9 -lt 10`, `'9' -gt '10'`, `'10' lt '9'`, `'9' < '10'`, `5 -ge 5`, `5 -le 4`, `5 -ne 4`, `5 eq 5`, `'a' eq 'b'`, `'12abc' -eq 12`, `-5 -lt 3`,
	`%{REQUEST_METHOD} == 'GET'`, `%{REQUEST_METHOD} in { 'GET', 'HEAD' }`, `%{REQUEST_METHOD} -in { 'POST' }`, `'a' -in { 'b', 'c' }`,
	`%{REQUEST_URI} =~ m#^/e/#`, `%{REQUEST_URI} =~ /E/`, `%{REQUEST_URI} =~ /E/i`, `%{REQUEST_URI} !~ m#x#`, `%{REQUEST_URI} =~ m|\.txt$|`, `%{REQUEST_URI} =~ m,^/,`,
	`'abcabc' =~ /(b)(c)a/ && $2 == 'c'`, `'abc' =~ /(b)/ && $0 == 'b'`, `'abc' =~ /b/ && $0 == ''`, `'x' =~ /(y)?x/ && $1 == ''`,
	`%{HTTP_HOST} == 'www.example'`, `%{HTTP:X-One} == 'uno'`, `%{req:x-one} == 'uno'`, `req('X-One') == 'uno'`, `http('x-none') == ''`, `%{HTTP_USER_AGENT} -strmatch 'Moz*'`,
	`%{HTTP_USER_AGENT} -strmatch 'moz*'`, `%{HTTP_USER_AGENT} -strcmatch 'moz*'`, `'/a/b' -fnmatch '/*/b'`, `'/a/b' -fnmatch '/*'`, `'/a/b' -strmatch '/*'`,
	`'abc' -strmatch 'a[a-c]c'`, `'abc' -strmatch 'a[!b]c'`, `'a*c' -strmatch 'a\\*c'`, `'abc' -strmatch 'a?c'`, `'abc' -fnmatch 'ab'`,
	`-R '127.0.0.1'`, `-R '127.0.0.0/8'`, `-R '10.0.0.0/8'`, `%{REMOTE_ADDR} -ipmatch '127.0.0.0/255.0.0.0'`, `'10.1.2.3' -ipmatch '10.1'`, `'::1' -ipmatch '::/1'`, `'x' -ipmatch '10.1'`,
	`'10.1.2.3' -ipmatch '10.2.0.0/15'`, `env('SERVER_NOPE') == ''`, `reqenv('MARK') == 'set'`, `%{ENV:MARK} == 'set'`, `%{reqenv:MARK} =~ /^(s).t$/ && $1 == 's'`,
	`tolower('ABC') == 'abc'`, `toupper('abc') . 'd' == 'ABCd'`, `'a' . 'b' . 'c' == 'abc'`, `1 . 2 == '12'`, `%{tolower:AbC} == 'abc'`,
	`md5('a') == '0cc175b9c0f1b6a831c399e269772661'`, `sha1('a') == '86f7e437faa5a7fce15d1ddcb9eaeaea377667b8'`, `base64('abc') == 'YWJj'`, `unbase64('YWJj') == 'abc'`,
	`escape('a b/ü?') == 'a%20b/%c3%bc%3f'`, `unescape('a%20b%2fc') == 'a b%2fc'`, `unescape('%zz') == ''`, `%{HTTPS} == 'off'`, `%{IPV6} == 'off'`, `%{HTTP2} == 'off'`,
	`%{QUERY_STRING} == ''`, `-z %{QUERY_STRING}`, `%{SERVER_PORT} -gt 1`, `%{SERVER_NAME} == 'www.example'`, `%{REQUEST_SCHEME} == 'http'`, `%{SERVER_PROTOCOL} == 'HTTP/1.1'`,
	`%{IS_SUBREQ} == 'false'`, `%{TIME_YEAR} -ge 2024`, `%{TIME} =~ /^20[0-9]{12}$/`, `%{TIME_WDAY} -le 6`, `-f "%{DOCUMENT_ROOT}/e/a.txt"`, `-d "%{DOCUMENT_ROOT}/e"`, `-e '/nowhere'`, `-s "%{DOCUMENT_ROOT}/e/empty.txt"`,
	`-L '/nowhere'`, `filesize("%{DOCUMENT_ROOT}/e/a.txt") -eq 2`, `file("%{DOCUMENT_ROOT}/e/a.txt") == 'a\n'`, `-U '/e/a.txt'`, `-U '/closed/a'`, `-A '/e/a.txt'`, `"it's" == 'it\'s'`, `'\101' == 'A'`, `'a\tb' =~ /\t/`,
	`"%{REQUEST_METHOD}x" == 'GETx'`, `'100%' == "100%"`, `'$' == "$"`, `'}' == "}"`, `%{HTTP_COOKIE} =~ /a=(\d+)/ && $1 -eq 7`, `resp('X-Early') == 'e'`, `%{CONTENT_TYPE} =~ /plain/`,
	`%{REQUEST_STATUS} -eq 200`, `%{HANDLER} == ''`, `%{AUTH_TYPE} == ''`, `%{REMOTE_USER} == ''`, `%{SERVER_ADMIN} =~ /./`, `%{DOCUMENT_URI} == %{REQUEST_URI}`, `%{THE_REQUEST} =~ /^GET /`, `%{PATH_INFO} == ''`,
	`((((((((((((((((((true))))))))))))))))))`, `!(!(!(!(!(!(!(!(!(!(true))))))))))`,
	`'x' =~ /^(?!y)/`, `'aa' =~ /^(a)\1$/`, `'é' =~ /^..$/`, `"a\nb" =~ /^a.b$/`, `"a\n" =~ /a$/`,
}

var texts = []string{
	`plain`, `%{REQUEST_METHOD} %{REQUEST_URI}`, `a%{tolower:XyZ}b`, `%{req:X-One}/%{http:X-Two}`, `100%`, `$1 of %{HTTP_HOST}`, `it's "quoted"`, `%{env:MARK}`, `%{reqenv:NOPE}.`, `\101\x`,
	`%{REQUEST_FILENAME}`, `%{unescape:%{escape:a b}}`, `%{base64:%{REQUEST_URI}}`, `%{QUERY_STRING}`, `%{resp:X-Early}`, `%{note:kept}`, `%{md5:}x`,
}

// TestExpressions: both servers give each expression the same value, for several
// requests.
func TestExpressions(t *testing.T) {
	Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	root := frontRoot(t, map[string]string{"e/a.txt": "a\n", "e/empty.txt": "", "e/sub/index.html": "index\n"})
	listeners, own := openPorts(t, 1)
	ports := []int{FreePorts(t, 1)[0], own[0]}
	var b strings.Builder
	b.WriteString("ServerName localhost\nDocumentRoot " + root + "\nTypesConfig /etc/mime.types\nSetEnvIf Request_Method . MARK=set\nHeader set X-Early e early\n")
	b.WriteString("<Location /closed>\nRequire all denied\n</Location>\n<Location /e>\nHeader note X-Early kept\n")
	n := 0
	for _, list := range []struct {
		form string
		list []string
	}{{"Header set X-B%d yes %s\n", conditions}, {"Header set X-S%d %s\n", texts}} {
		for i, e := range list.list {
			if _, err := expr.ParseText(e); err != nil && strings.Contains(list.form, "X-S") {
				continue // see TestBrokenExpressions
			}
			fmt.Fprintf(&b, list.form, i, confQuote("expr="+e))
			n++
		}
	}
	b.WriteString("</Location>\n")
	if n < 80 {
		t.Fatalf("%d expressions", n)
	}
	conf := func(port int) string { return fmt.Sprintf("Listen 127.0.0.1:%d\n", port) + b.String() }
	StartHTTPD(t, ports[0], loadModules(frontModules)+conf(ports[0]))
	startClowderFront(t, conf(ports[1]), listeners)
	asked := 0
	for _, path := range []string{"/e/a.txt", "/e/a.txt?", "/e/a.txt?q=1&r=%20", "/e/empty.txt", "/e/sub/index.html?x"} {
		for _, h := range []map[string]string{{}, {"X-One": "uno", "X-Two": "dos", "User-Agent": "Mozilla/5", "Cookie": "a=7"}, {"User-Agent": "curl"}} {
			want, got := values(t, ports[0], path, h), values(t, ports[1], path, h)
			for _, k := range keysOf(want, got) {
				if want[k] != got[k] {
					t.Errorf("%s %v: %s: httpd has %q, clowder %q, of %s", path, h, k, want[k], got[k], expressionOf(k))
				}
				asked++
			}
		}
	}
	t.Logf("%d expressions, %d values compared", n, asked)
}

func expressionOf(header string) string {
	var i int
	if _, err := fmt.Sscanf(header, "X-B%d", &i); err == nil {
		return conditions[i]
	}
	if _, err := fmt.Sscanf(header, "X-S%d", &i); err == nil {
		return texts[i]
	}
	return "the answer"
}

// values returns the headers that expressions made. Ports are made alike.
func values(t *testing.T, port int, path string, h map[string]string) map[string]string {
	t.Helper()
	req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "www.example"
	req.Header.Set("User-Agent", "")
	for k, v := range h {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	out := map[string]string{"status": res.Status, "body": string(body)}
	for k, v := range res.Header {
		switch {
		case strings.HasPrefix(k, "X-"), k == "Vary":
			out[k] = strings.Join(v, " | ")
		}
	}
	return out
}

func keysOf(a, b map[string]string) []string {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	var out []string
	for k := range all {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// brokenExpressions are judged by httpd -t.
var brokenExpressions = []string{
	``, `'a'`, `'a' ==`, `== 'a'`, `a == 'a'`, `-n`, `-Q 'a'`, `-n a`, `'a' -nope 'b'`, `'a' =~ 'b'`, `'a' =~ /(/`, `'a' =~ /b`, `%{NOPE} == 'a'`, `%{nope:a} == 'a'`,
	`nope('a') == 'a'`, `%{req:} == ''`, `%{ == 'a'`, `%{REQUEST_URI == 'a'`, `'a`, `"a`, `('a' == 'b'`, `'a' == 'b')`, `'a' -in 'b'`, `'a' -in { }`, `'a' -in { 'b' `, `-R 'x'`, `-R %{REMOTE_ADDR}`,
	`'a' -ipmatch '10.0.0.0/99'`, `'\400' == 'a'`, `'\8' == 'a'`, `true &&`, `true & false`, `true true`, `'a' . == 'a'`, `# == 'a'`, `'a' == 'b' == 'c'`, `%{REQUEST_URI} =~ m#a`, `1.2 -eq 1`, `'a' -EQ 'a'`, `TRUE`, `'a' =~ m;b;i`, `'a' =~ m(b)`,
	`'::1' -ipmatch '::/0'`, `'1.1.1.1' -ipmatch '0.0.0.0/0'`, `'1.1.1.1' -ipmatch '1.1.1.1/255.0.255.0'`, `-R '10'`, `-R '10.'`, `-R '10.0/8'`, `%{md5:"a"} == 'b'`, `! 'a' == 'b'`, `req(X) == ''`, `%{req:X Y} == ''`, `%{req:%{REQUEST_URI}} == ''`, `-f a`, `-5 -eq -5`, `'a' IN { 'a' }`,
}

// TestBrokenExpressions: httpd and clowder refuse the same ones.
func TestBrokenExpressions(t *testing.T) {
	apache := Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	root := t.TempDir()
	refused := 0
	for _, e := range brokenExpressions {
		file := filepath.Join(root, "httpd.conf")
		conf := fmt.Sprintf("ServerRoot %q\nServerName x\nErrorLog error.log\nListen 127.0.0.1:1\n%sHeader set X 1 %s\n", root,
			strings.ReplaceAll(loadModules("mpm_event authz_core headers"), "$MODULES", "/usr/lib/apache2/modules"), confQuote("expr="+e))
		if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(apache, "-t", "-f", file).CombinedOutput()
		_, perr := expr.Parse(e, 0)
		if (err == nil) != (perr == nil) {
			t.Errorf("%s: httpd says %s, clowder %v", e, out, perr)
		}
		if perr != nil {
			refused++
		}
	}
	t.Logf("%d refused", refused)
}
