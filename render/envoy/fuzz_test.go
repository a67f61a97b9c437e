package envoy

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"clowder/parse"
	"clowder/render/target"

	"go.yaml.in/yaml/v3"
)

// FuzzRender: whatever an httpd.conf says, the output is the same each time and one
// YAML document; its keys are those of Envoy's messages only and the letters of its
// strings come from the text, so that nothing written in it breaks out of its place.
func FuzzRender(f *testing.F) {
	seeds := 0
	for _, file := range []string{"../../testdata/seed/fixed/httpd.conf", "../../testdata/seed/broken/httpd.conf"} {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(string(data), "")
			seeds++
		}
	}
	table, err := os.ReadFile(filepath.Join("..", "caddy", "testdata", "closed.txtar"))
	if err != nil || seeds == 0 {
		f.Fatal("no seeds", err)
	}
	for _, part := range regexp.MustCompile(`(?m)^-- [\w-]+ --\n`).Split(string(table), -1)[1:] {
		f.Add("Listen 80\nServerName www.example.org\n"+strings.NewReplacer("@MEMBER@", "10.0.0.1:80", "@TLS@", "10.0.0.1:443", "@CA@", "/ca.pem").Replace(part)+"ProxyPass / http://10.0.0.1:8080/\n", "")
	}
	f.Add("Listen 443\nSSLEngine on\nSSLCertificateFile \"/a: b\n\"\nServerAlias * \"\" ?a \"x: y\"\nSSLVerifyClient require\nSSLCACertificateFile '/#c'\nRequestHeader set \"X: y\" \"a\\nb: c\"\nHeader set X \"- {a: b}\"\nProxyPass \"/a: b\" \"http://10.0.0.1:80/x: y #\"\n", "")
	for _, text := range withWord(f) {
		for _, word := range []string{"/a", "/a: b", "x # y", "- x", "{a: b}", "[a, b]", "\n  a: b", "*", "&x", "!x", "'", "\u2028a: b", "\u0085a: b", "\xff", "~", "yes", "0x1", "%2e", "a?b", "\\Qa", "$1", "^/(.*)$"} {
			f.Add(text, word)
		}
	}
	f.Fuzz(func(t *testing.T, text, word string) {
		if len(text) > 20000 {
			return
		}
		text = strings.ReplaceAll(text, "@WORD@", `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word)+`"`)
		once := func() ([]target.File, []target.Note) {
			r, err := parse.Load(parse.Options{Paths: []string{"httpd.conf"}, HTTPD: "2.4", Whole: true, Config: "none", Overlay: map[string][]byte{"httpd.conf": []byte(text)}})
			if err != nil || len(r.Broken) > 0 || r.Setup == nil {
				return nil, nil
			}
			res, err := Target.Render(r.Setup, target.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return res.Files, res.Notes
		}
		files, notes := once()
		again, notes2 := once()
		if len(files) != len(again) || len(notes) != len(notes2) {
			t.Fatal("not the same twice")
		}
		for i, file := range files {
			if !bytes.Equal(file.Data, again[i].Data) {
				t.Fatalf("not the same twice:\n%s\n%s", file.Data, again[i].Data)
			}
			checkYAML(t, file.Data)
		}
	})
}

// withWord are configurations with a place for any text; \n in their file stands for
// a new line. The test with Envoy's own types reads them as well.
func withWord(f *testing.F) []string {
	data, err := os.ReadFile("testdata/words.txt")
	if err != nil {
		f.Fatal(err)
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		line = strings.ReplaceAll(line, `\n`, "\n")
		out = append(out, "Listen 80\n<VirtualHost *:80>\nServerName www.example.org\n"+line+"ProxyPass / http://10.0.0.1:8080/\n</VirtualHost>\n<VirtualHost *:80>\nServerName other.example.org\n"+line+"ProxyPass / http://10.0.0.1:8080/\n</VirtualHost>\n")
	}
	return out
}

// checkYAML reads an output as one document whose keys are those that this package writes.
func checkYAML(t *testing.T, data []byte) {
	t.Helper()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var tree yaml.Node
	if err := dec.Decode(&tree); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if err := dec.Decode(new(yaml.Node)); err == nil {
		t.Fatalf("more than one document:\n%s", data)
	}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode || n.Anchor != "" {
			t.Fatalf("an anchor or alias:\n%s", data)
		}
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 && !slices.Contains(keys, c.Value) {
				t.Fatalf("key %q:\n%s", c.Value, data)
			}
			walk(c)
		}
	}
	walk(&tree)
	for _, n := range tree.Content {
		checkRegexes(t, n, data)
	}
}

// checkRegexes compiles the expressions: Envoy does not start with a wrong one.
func checkRegexes(t *testing.T, n *yaml.Node, data []byte) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "regex" {
			if _, err := regexp.Compile(c.Value); err != nil {
				t.Fatalf("%v:\n%s", err, data)
			}
		}
		checkRegexes(t, c, data)
	}
}

// keys are all that an output may have.
var keys = strings.Fields(`
@type access access_log action address address_prefix alpn_protocols any append_action auto_host_rewrite base_ejection_time
certificate_chain circuit_breakers cluster cluster_name cluster_type clusters codec_type common_http_protocol_options common_lb_config
common_tls_context connect_timeout consecutive_gateway_failure consecutive_local_origin_failure crl direct_remote_ip direct_response domains
end endpoint endpoints enforcing_consecutive_5xx enforcing_consecutive_gateway_failure enforcing_local_origin_success_rate
enforcing_success_rate envoy.extensions.upstreams.http.v3.HttpProtocolOptions envoy.filters.http.rbac envoy.transport_socket_match exact
expected_statuses explicit_http_config filename filter_chain_match filter_chains filter_metadata filters header headers
headers_with_underscores_action health_checks healthy_panic_threshold healthy_threshold host_redirect host_rewrite_literal
http2_protocol_options http_filters http_health_check idle_timeout ignore_port_in_host_matching interval invert_match ipv4_compat
keep_empty_value key lb_endpoints lb_policy listener_filters listeners load_assignment load_balancing_weight match
match_typed_subject_alt_names matcher max_connections max_ejection_percent max_verify_depth member merge_slashes metadata method name
normalize_path num_retries outlier_detection overprovisioning_factor path path_redirect path_separated_prefix
path_with_escaped_slashes_action pattern permissions policies policy port_redirect port_value prefix prefix_len principals priority
private_key rbac redirect regex regex_rewrite request_headers_to_add request_headers_to_remove require_client_certificate response_code
response_headers_to_add response_headers_to_remove retry_host_predicate retry_on retry_policy route route_config routes rules safe_regex
san_type scheme_redirect server_header_transformation server_names sni socket_address split_external_local_origin_errors start stat_prefix
static_resources status stream_idle_timeout string_match strip_trailing_host_dot substitution tcp_health_check thresholds timeout
tls_certificates tls_maximum_protocol_version tls_minimum_protocol_version tls_params transport_socket transport_socket_matches
treat_missing_header_as_empty trusted_ca type typed_config typed_extension_protocol_options typed_per_filter_config unhealthy_threshold
upgrade_configs upgrade_type use_remote_address validation_context value virtual_hosts`)
