package interop

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStaticAgreesWithHTTPD: files, ranges, validators, directories and what must
// not be reached, as httpd answers them.
func TestStaticAgreesWithHTTPD(t *testing.T) {
	Require(t, "apache2", "apt-get install apache2", "/usr/sbin/apache2")
	root := frontRoot(t, map[string]string{"htdocs/a.txt": "0123456789", "htdocs/dir/index.html": "index", "htdocs/none/x.css": "x{}", "htdocs/two/b.html": "b", "htdocs/e.odd": "",
		"htdocs/blank name.txt": "blank", "alias/x.html": "alias", "alias/sub/y": "y", "secret.txt": "secret", "htdocs/t.html.gz": "zz", "cgi/run": "#!/bin/sh\n"})
	if err := os.Symlink(filepath.Join(root, "htdocs/a.txt"), filepath.Join(root, "htdocs/in.txt")); err != nil {
		t.Fatal(err)
	}
	listeners, own := openPorts(t, 1)
	ports := []int{FreePorts(t, 1)[0], own[0]}
	conf := func(port int) string {
		return strings.NewReplacer("ROOT", root, "PORT", fmt.Sprint(port)).Replace(`ServerName www.example
Listen 127.0.0.1:PORT
DocumentRoot ROOT/htdocs
TypesConfig /etc/mime.types
AddType text/odd .odd
Alias /al ROOT/alias
Alias /one ROOT/alias/x.html
AliasMatch ^/m/(.*)$ ROOT/alias/$1
<Location /two>
DirectoryIndex no.html b.html
</Location>
<Location /none>
DirectoryIndex disabled
</Location>
`)
	}
	StartHTTPD(t, ports[0], loadModules(frontModules)+conf(ports[0]))
	startClowderFront(t, conf(ports[1]), listeners)
	etag := head(t, ports[0], "/a.txt").Get("ETag")
	date := head(t, ports[0], "/a.txt").Get("Last-Modified")
	n := 0
	for _, path := range []string{"/a.txt", "/", "/dir", "/dir/", "/dir/?q", "/dir?q", "/none", "/none/", "/none/x.css", "/two/", "/two", "/e.odd", "/blank%20name.txt", "/a.txt/", "/a.txt/info", "/nowhere", "/nowhere/",
		"/al", "/al/", "/al/x.html", "/al/sub", "/al/sub/y", "/al/nope", "/alx", "/one", "/one/x", "/m/x.html", "/m/sub/y", "/m/../secret.txt", "/al/../../secret.txt", "/al/%2e%2e/secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
		"/in.txt", "/t.html.gz", "/a.txt%00", "//a.txt", "/dir//index.html", "/./a.txt", "/A.TXT", "/al//x.html", "/a.txt?x=1"} {
		n += compareStatic(t, ports, "GET", path, nil)
	}
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
		for _, path := range []string{"/a.txt", "/nowhere", "/dir/"} {
			n += compareStatic(t, ports, method, path, nil)
		}
	}
	for _, h := range []string{"Range: bytes=0-3", "Range: bytes=4-", "Range: bytes=-3", "Range: bytes=20-", "Range: bytes=3-1", "Range: bytes=0-0,-1", "Range: lines=1-2", "Range: bytes=a", "Range: bytes=0-100", "Range: bytes=-0",
		"Range: bytes=1-2,5-6,0-9", "Range: BYTES=1-2", "If-None-Match: " + etag, "If-None-Match: *", `If-None-Match: "x", ` + etag, `If-None-Match: "x"`, "If-Match: " + etag, `If-Match: "x"`, "If-Match: *", "If-Modified-Since: " + date, "If-Modified-Since: Mon, 01 Jan 2001 00:00:00 GMT",
		"If-Modified-Since: nonsense", "If-Unmodified-Since: " + date, "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT"} {
		name, v, _ := strings.Cut(h, ": ")
		n += compareStatic(t, ports, "GET", "/a.txt", http.Header{name: {v}})
	}
	for _, ir := range []string{etag, `"x"`, date, "Mon, 01 Jan 2001 00:00:00 GMT"} {
		n += compareStatic(t, ports, "GET", "/a.txt", http.Header{"Range": {"bytes=1-2"}, "If-Range": {ir}})
	}
	t.Logf("%d requests", n)

	// What httpd would follow and clowder does not: a link out of the root; and it
	// runs no programs.
	if err := os.Symlink(filepath.Join(root, "secret.txt"), filepath.Join(root, "htdocs/out.txt")); err != nil {
		t.Fatal(err)
	}
	if got := answerOf(t, ports[1], "GET", "/out.txt", http.Header{}); !strings.HasPrefix(got, "403") {
		t.Error("a link out of the root:", got)
	}
}

func head(t *testing.T, port int, path string) http.Header {
	t.Helper()
	res, err := http.Head(fmt.Sprintf("http://127.0.0.1:%d%s", port, path))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.Header
}

func compareStatic(t *testing.T, ports []int, method, path string, h http.Header) int {
	t.Helper()
	want, got := answerOf(t, ports[0], method, path, h), answerOf(t, ports[1], method, path, h)
	if want != got {
		t.Errorf("%s %s %v:\nhttpd    %s\nclowder  %s", method, path, h, want, got)
	}
	return 1
}

// answerOf is status, headers and body of an answer. The list of Allow depends on
// modules, and the parts of a multipart answer have a boundary by chance.
func answerOf(t *testing.T, port int, method, path string, h http.Header) string {
	t.Helper()
	req := &http.Request{Method: method, URL: &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port), Opaque: path}, Host: "www.example", Header: h}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	out := fmt.Sprint(res.StatusCode)
	for _, n := range []string{"Location", "Content-Type", "Last-Modified", "Etag", "Accept-Ranges", "Content-Range", "Content-Length"} {
		v := res.Header.Get(n)
		if strings.HasPrefix(v, "multipart/byteranges") || strings.HasPrefix(res.Header.Get("Content-Type"), "multipart") && n == "Content-Length" {
			v = "multipart"
		}
		if v != "" && !(res.StatusCode >= 400 && n == "Content-Length") {
			out += fmt.Sprintf(" %s:%q", n, v)
		}
	}
	if res.StatusCode < 300 && !strings.HasPrefix(res.Header.Get("Content-Type"), "multipart") {
		out += " " + string(body)
	}
	return strings.ReplaceAll(out, fmt.Sprintf("www.example:%d/", port), "www.example:PORT/")
}
