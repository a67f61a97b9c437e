// Package traefik_test decodes what clowder writes for Traefik with Traefik's own
// types and parses its rules with Traefik's own parser. It is a module of its own,
// so that Traefik is no dependency of clowder.
package traefik_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/render"
	"clowder/render/target"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/middlewares/requestdecorator"
	traefikmux "github.com/traefik/traefik/v3/pkg/muxer/http"
	"go.yaml.in/yaml/v3"
)

// convert writes a setup for Traefik and returns its dynamic configuration.
func convert(t *testing.T, path string) []byte {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{path}, Whole: true, HTTPD: "2.4", Config: "none"})
	if err != nil || len(r.Broken) > 0 {
		return nil
	}
	tg, _ := render.Find("traefik")
	res, err := tg.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range res.Files {
		if strings.HasSuffix(f.Name, "dynamic.yml") {
			return f.Data
		}
	}
	return nil
}

// TestDecodes: every output is a dynamic configuration without an unknown field,
// each name in it leads somewhere, and each rule and expression is understood.
func TestDecodes(t *testing.T) {
	root := filepath.Join("..", "..", "..", "testdata")
	paths := []string{filepath.Join(root, "convert")}
	for _, pattern := range []string{"seed/*", "vectors/httpd/*/*.conf"} {
		list, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, list...)
	}
	decoded := 0
	for _, p := range append(paths, tableCases(t, root)...) {
		data := convert(t, p)
		if data == nil {
			continue
		}
		decoded++
		var c dynamic.Configuration
		d := yaml.NewDecoder(bytes.NewReader(data))
		d.KnownFields(true)
		if err := d.Decode(&c); err != nil {
			t.Errorf("%s: %v\n%s", p, err, data)
			continue
		}
		check(t, p, &c)
	}
	if decoded < 30 {
		t.Errorf("only %d setups were decoded", decoded)
	}
}

// tableCases writes the small configurations of the table that all targets share and of
// that of Traefik alone.
func tableCases(t *testing.T, root string) []string {
	t.Helper()
	var parts []string
	for _, target := range []string{"caddy", "traefik"} {
		data, err := os.ReadFile(filepath.Join(root, "..", "render", target, "testdata", "closed.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, regexp.MustCompile(`(?m)^-- [\w-]+ --\n`).Split(string(data), -1)[1:]...)
	}
	var out []string
	for _, part := range parts {
		file := filepath.Join(t.TempDir(), "httpd.conf")
		text := "Listen 80\nServerName www.example.org\n" + strings.NewReplacer("@MEMBER@", "127.0.0.1:1", "@TLS@", "127.0.0.1:2", "@CA@", "/ca.pem").Replace(part) + "ProxyPass / http://127.0.0.1:1/\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out = append(out, file)
	}
	return out
}

// TestNeverMoreOpen sends the refused requests of the table through Traefik's own
// muxer: the router that takes them must refuse them.
func TestNeverMoreOpen(t *testing.T) {
	cases := tableCases(t, filepath.Join("..", "..", "..", "testdata"))
	asked := 0
	for _, file := range cases {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c dynamic.Configuration
		if err := yaml.Unmarshal(convert(t, file), &c); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if ask, ok := strings.CutPrefix(line, "# ask "); ok {
				verdict, rest, _ := strings.Cut(strings.TrimSpace(ask), " ")
				parts := strings.Split(rest, " | ")
				name := taker(t, &c, parts[0], parts[1:]...)
				passes := name != "" && !refuses(&c, c.HTTP.Routers[name])
				if asked++; passes != (verdict == "passed") {
					t.Errorf("%s is not %s, by router %q, of:\n%s", rest, verdict, name, text)
				}
				continue
			}
			words := strings.Fields(line)
			if len(words) < 3 || words[0] != "#" || words[1] != "refused" {
				continue
			}
			for _, path := range words[2:] {
				if asked++; slices.Contains(elsewhere, path) || badCertificate(string(text), path) {
					continue
				}
				if name := taker(t, &c, path); name != "" && !refuses(&c, c.HTTP.Routers[name]) {
					t.Errorf("%s passes by router %s (%s) of:\n%s", path, name, c.HTTP.Routers[name].Rule, text)
				}
			}
		}
	}
	if asked < 40 {
		t.Errorf("only %d requests", asked)
	}
}

// badCertificate reports whether a request is refused when the member's certificate
// is seen, which no route tells.
func badCertificate(text, path string) bool {
	return path == "/tls" && strings.Contains(text, "SSLProxyCACertificateFile") && strings.Contains(text, "SSLProxyEngine On")
}

// elsewhere are requests that httpd itself lets through and only the first user of
// the table refuses.
var elsewhere = []string{
	"/public/../private", // is /private, for which there is no rule
	"/img/x%3Fy.png",     // goes to the member as it is encoded, as from httpd
}

// forbidden are the encodings that the entry points refuse, see traefik.yml.
var forbidden = regexp.MustCompile("(?i)%(2f|5c|00|3b|25|3f|23)")

// unreserved are the encodings that the entry point decodes before it cleans the path.
var unreserved = regexp.MustCompile("(?i)%(2[de]|3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9a]|7e)")

// taker returns the name of the router that takes a request from loopback, "" for
// none; what the entry point refuses is taken by none. Each header is "Name: value",
// and "Method: X" is none.
func taker(t *testing.T, c *dynamic.Configuration, path string, headers ...string) string {
	t.Helper()
	if forbidden.MatchString(path) {
		return ""
	}
	parser, err := traefikmux.NewSyntaxParser()
	if err != nil {
		t.Fatal(err)
	}
	mux, name := traefikmux.NewMuxer(parser, nil), ""
	for n, r := range c.HTTP.Routers {
		if !isBuilt(c, r) {
			continue
		}
		if err := mux.AddRoute(r.Rule, "v3", r.Priority, "file", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { name = n })); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequest("GET", "http://www.example.org"+unreserved.ReplaceAllStringFunc(path, func(m string) string {
		plain, _ := url.PathUnescape(m)
		return plain
	}), nil)
	if err != nil {
		return "" // no request that Go's server takes
	}
	req.URL = req.URL.JoinPath()
	req.RequestURI, req.RemoteAddr = req.URL.RequestURI(), "127.0.0.1:4711"
	req.Header.Set("User-Agent", "secret bad")
	for _, h := range headers {
		switch name, value, _ := strings.Cut(h, ":"); name {
		case "Method":
			req.Method = strings.TrimSpace(value)
		case "Host":
			req.Host = strings.TrimSpace(value)
		default:
			req.Header.Add(name, strings.TrimSpace(value))
		}
	}
	requestdecorator.New(nil).ServeHTTP(httptest.NewRecorder(), req, mux.ServeHTTP)
	return name
}

// isBuilt reports whether Traefik makes a router at all: it leaves out one whose file
// of passwords cannot be read (NewBasic of pkg/middlewares/auth).
func isBuilt(c *dynamic.Configuration, r *dynamic.Router) bool {
	return !slices.ContainsFunc(r.Middlewares, func(name string) bool {
		m := c.HTTP.Middlewares[name]
		if m.BasicAuth == nil {
			return false
		}
		_, err := os.ReadFile(m.BasicAuth.UsersFile)
		return err != nil
	})
}

// refuses reports whether a router lets nobody through who comes from loopback
// without a password.
func refuses(c *dynamic.Configuration, r *dynamic.Router) bool {
	if r.Service == "noop@internal" {
		return true
	}
	for _, name := range r.Middlewares {
		m := c.HTTP.Middlewares[name]
		if m.BasicAuth != nil {
			return true
		}
		if m.IPAllowList != nil && !slices.ContainsFunc(m.IPAllowList.SourceRange, func(n string) bool {
			return netip.MustParsePrefix(n).Contains(netip.MustParseAddr("127.0.0.1"))
		}) {
			return true
		}
	}
	return false
}

func check(t *testing.T, path string, c *dynamic.Configuration) {
	t.Helper()
	parser, err := traefikmux.NewSyntaxParser()
	if err != nil {
		t.Fatal(err)
	}
	mux := traefikmux.NewMuxer(parser, nil)
	priorities := map[int]bool{}
	for name, r := range c.HTTP.Routers {
		if err := mux.AddRoute(r.Rule, "v3", r.Priority, "file", http.NotFoundHandler()); err != nil {
			t.Errorf("%s: router %s: %s: %v", path, name, r.Rule, err)
		}
		if priorities[r.Priority] {
			t.Errorf("%s: two routers have the priority %d", path, r.Priority)
		}
		priorities[r.Priority] = true
		if r.Service != "noop@internal" && c.HTTP.Services[r.Service] == nil {
			t.Errorf("%s: router %s leads to %s, which does not exist", path, name, r.Service)
		}
		if r.Service == "noop@internal" && len(r.Middlewares) == 0 {
			t.Errorf("%s: router %s neither refuses nor leads anywhere", path, name)
		}
		for _, m := range r.Middlewares {
			if c.HTTP.Middlewares[m] == nil {
				t.Errorf("%s: router %s uses %s, which does not exist", path, name, m)
			}
		}
	}
	for name, m := range c.HTTP.Middlewares {
		for _, re := range expressions(m) {
			if _, err := regexp.Compile(re); err != nil {
				t.Errorf("%s: middleware %s: %v", path, name, err)
			}
		}
	}
}

func expressions(m *dynamic.Middleware) []string {
	var out []string
	if m.ReplacePathRegex != nil {
		out = append(out, m.ReplacePathRegex.Regex)
	}
	if m.RedirectRegex != nil {
		out = append(out, m.RedirectRegex.Regex)
	}
	return out
}
