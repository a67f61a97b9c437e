// Package envoy_test decodes what clowder writes for Envoy strictly into Envoy's own
// messages and validates them. It is a module of its own, so that Envoy's API is no
// dependency of clowder.
package envoy_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/render"
	"clowder/render/target"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
)

// convert writes a setup for Envoy, as JSON.
func convert(t *testing.T, path string) []byte {
	t.Helper()
	r, err := parse.Load(parse.Options{Paths: []string{path}, Whole: true, HTTPD: "2.4", Config: "none"})
	if err != nil || len(r.Broken) > 0 {
		return nil
	}
	tg, _ := render.Find("envoy")
	res, err := tg.Render(r.Setup, target.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Files) == 0 {
		return nil
	}
	var tree any
	if err := yaml.Unmarshal(res.Files[0].Data, &tree); err != nil {
		t.Errorf("%s: %v", path, err)
		return nil
	}
	data, err := json.Marshal(tree)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return nil
	}
	return data
}

// TestDecodes: every output is a bootstrap of known fields only that Envoy's own
// rules find valid, each message inside an Any as well, each expression is RE2, and
// each cluster that a route names exists.
func TestDecodes(t *testing.T) {
	root := filepath.Join("..", "..", "..", "testdata")
	paths := []string{filepath.Join(root, "convert")}
	for _, pattern := range []string{"seed/*"} {
		list, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, list...)
	}
	decoded := 0
	for _, p := range slices.Concat(paths, tableCases(t, root), wordCases(t, root)) {
		data := convert(t, p)
		if data == nil {
			continue
		}
		decoded++
		var b bootstrapv3.Bootstrap
		if err := (protojson.UnmarshalOptions{DiscardUnknown: false}).Unmarshal(data, &b); err != nil {
			t.Errorf("%s: %v\n%s", p, err, data)
			continue
		}
		valid(t, p, &b)
		names := map[string]bool{}
		for _, c := range b.GetStaticResources().GetClusters() {
			names[c.GetName()] = true
		}
		for _, m := range regexp.MustCompile(`"cluster":"([^"]+)"`).FindAllStringSubmatch(string(data), -1) {
			if !names[m[1]] {
				t.Errorf("%s: no cluster %s", p, m[1])
			}
		}
		for _, m := range regexp.MustCompile(`"regex":("(?:[^"\\]|\\.)*")`).FindAllStringSubmatch(string(data), -1) {
			var re string
			if err := json.Unmarshal([]byte(m[1]), &re); err != nil {
				t.Fatal(err)
			}
			if _, err := regexp.Compile(re); err != nil {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
	if decoded < 300 {
		t.Errorf("only %d setups were decoded", decoded)
	}
}

// valid runs Validate on a message and on those inside of its Anys.
func valid(t *testing.T, path string, m proto.Message) {
	t.Helper()
	if v, ok := m.(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	var walk func(protoreflect.Message)
	walk = func(r protoreflect.Message) {
		if a, ok := r.Interface().(*anypb.Any); ok {
			inner, err := a.UnmarshalNew()
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			valid(t, path, inner)
			return
		}
		r.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case f.IsMap() && f.MapValue().Message() != nil:
				v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool { walk(e.Message()); return true })
			case f.IsList() && f.Message() != nil:
				for i := range v.List().Len() {
					walk(v.List().Get(i).Message())
				}
			case !f.IsMap() && !f.IsList() && f.Message() != nil:
				walk(v.Message())
			}
			return true
		})
	}
	walk(m.ProtoReflect())
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

// wordCases writes configurations with odd words in each place that takes a text.
func wordCases(t *testing.T, root string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "..", "render", "envoy", "testdata", "words.txt"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var out []string
	for line := range strings.Lines(string(data)) {
		for _, word := range []string{"/a", "x: y # z", "[a, b]", "*.example.org", "*ample.org", "[::1]", "%2e", "/a?b", "/a#b", "/ü", `\\Qa`, "$1", "^/(.*)$", "a\\"} {
			text := strings.ReplaceAll(strings.ReplaceAll(line, `\n`, "\n"), "@WORD@", `"`+word+`"`)
			file := filepath.Join(dir, strconv.Itoa(len(out))+".conf")
			text = "Listen 80\n<VirtualHost *:80>\nServerName www.example.org\n" + text + "ProxyPass / http://10.0.0.1:8080/\n</VirtualHost>\n<VirtualHost *:80>\nServerName other.example.org\n" + text + "</VirtualHost>\n"
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			out = append(out, file)
		}
	}
	return out
}

// TestNeverMoreOpen looks for the route of each refused request of the table, as
// Envoy does: the first one that matches. It must answer itself, or let only others in.
func TestNeverMoreOpen(t *testing.T) {
	asked := 0
	for _, file := range tableCases(t, filepath.Join("..", "..", "..", "testdata")) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var b bootstrapv3.Bootstrap
		if err := protojson.Unmarshal(convert(t, file), &b); err != nil {
			t.Fatal(err)
		}
		var hcm hcmv3.HttpConnectionManager
		if err := b.StaticResources.Listeners[0].FilterChains[0].Filters[0].GetTypedConfig().UnmarshalTo(&hcm); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) < 3 || words[0] != "#" || words[1] != "refused" {
				continue
			}
			for _, path := range words[2:] {
				if asked++; slices.Contains(elsewhere, path) || badCertificate(string(text), path) {
					continue
				}
				if r := routeOf(hcm.GetRouteConfig().GetVirtualHosts()[0].GetRoutes(), path); r != nil && passes(t, r) {
					t.Errorf("%s passes by %v of:\n%s", path, r.GetMatch(), text)
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

// routeOf returns the first route for a request; nil: the connection manager refuses
// it (escaped slashes) or none matches.
func routeOf(routes []*routev3.Route, target string) *routev3.Route {
	raw, _, _ := strings.Cut(target, "?")
	if low := strings.ToLower(raw); strings.Contains(low, "%2f") || strings.Contains(low, "%5c") {
		return nil
	}
	clean := path.Clean(raw) // normalize_path, merge_slashes
	if strings.HasSuffix(raw, "/") && clean != "/" {
		clean += "/"
	}
	headers := map[string]string{":path": clean + strings.TrimPrefix(target, raw), ":authority": "www.example.org", ":method": "GET", "user-agent": "secret bad"}
	for _, r := range routes {
		m := r.GetMatch()
		ok := false
		switch {
		case m.GetSafeRegex() != nil:
			ok = full(m.GetSafeRegex().GetRegex(), clean)
		case m.GetPathSeparatedPrefix() != "":
			p := m.GetPathSeparatedPrefix()
			ok = clean == p || strings.HasPrefix(clean, p+"/")
		default:
			ok = strings.HasPrefix(clean, m.GetPrefix())
		}
		for _, h := range m.GetHeaders() {
			value, has := headers[strings.ToLower(h.GetName())]
			hit := (has || h.GetTreatMissingHeaderAsEmpty()) && full(h.GetStringMatch().GetSafeRegex().GetRegex(), value)
			ok = ok && hit != h.GetInvertMatch()
			if !has && !h.GetTreatMissingHeaderAsEmpty() {
				ok = false
			}
		}
		if ok {
			return r
		}
	}
	return nil
}

func full(re, text string) bool { return regexp.MustCompile("^(?:" + re + ")$").MatchString(text) }

// passes reports whether a client on loopback gets through to a member.
func passes(t *testing.T, r *routev3.Route) bool {
	t.Helper()
	if r.GetRoute() == nil {
		return false
	}
	any := r.GetTypedPerFilterConfig()["envoy.filters.http.rbac"]
	if any == nil {
		return true
	}
	var rbac rbacv3.RBACPerRoute
	if err := any.UnmarshalTo(&rbac); err != nil {
		t.Fatal(err)
	}
	for _, p := range rbac.GetRbac().GetRules().GetPolicies() {
		for _, who := range p.GetPrincipals() {
			n := who.GetDirectRemoteIp()
			if netip.PrefixFrom(netip.MustParseAddr(n.GetAddressPrefix()), int(n.GetPrefixLen().GetValue())).Contains(netip.MustParseAddr("127.0.0.1")) {
				return true
			}
		}
	}
	return false
}
