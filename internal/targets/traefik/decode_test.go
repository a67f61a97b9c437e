// Package traefik_test decodes what clowder writes for Traefik with Traefik's own
// types and parses its rules with Traefik's own parser. It is a module of its own,
// so that Traefik is no dependency of clowder.
package traefik_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/render"
	"clowder/render/target"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
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

// tableCases writes the small configurations of the table that all targets share.
func tableCases(t *testing.T, root string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "..", "render", "caddy", "testdata", "closed.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, part := range regexp.MustCompile(`(?m)^-- [\w-]+ --\n`).Split(string(data), -1)[1:] {
		file := filepath.Join(t.TempDir(), "httpd.conf")
		text := "Listen 80\nServerName www.example.org\n" + strings.NewReplacer("@MEMBER@", "127.0.0.1:1", "@TLS@", "127.0.0.1:2", "@CA@", "/ca.pem").Replace(part) + "ProxyPass / http://127.0.0.1:1/\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out = append(out, file)
	}
	return out
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
