// Package envoy writes a front end as Envoy's bootstrap file with static resources.
//
// Cells of the plan become routes, the longest first; path_separated_prefix is
// httpd's idea of a prefix. A session stays on its member by routes that look for
// the member's route behind the session's identifier and lead to an aggregate
// cluster: the member first, the balancer when it is ejected
// (envoyproxy.io/docs, v3 API; "Aggregate cluster").
package envoy

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/plan"
	"clowder/render/target"

	"go.yaml.in/yaml/v3"
)

// Target writes envoy.yaml.
var Target = target.Target{
	Name:   "envoy",
	Doc:    "Envoy: a bootstrap file with static resources",
	Render: render,
}

// obj is a message of Envoy's API by the names of its JSON form.
type obj = map[string]any

var means = map[string]string{
	"lbmethod": "lb_policy", "health": "health_checks", "pool": "circuit_breakers, upstream connection options", "timeouts": "route and cluster timeouts",
	"responses": "local_reply_config, Lua", "logging": "access_log", "environment": "header matchers", "failover": "outlier_detection, retry_policy",
	"headers": "request_headers_to_add, response_headers_to_add", "files": "a web server beside it", "manager": "the admin interface", "limits": "buffer filter",
}

func render(s *model.Setup, _ target.Options) (*target.Result, error) {
	res := &target.Result{}
	plans, guards := plan.All(s), plan.UnknownGuards(s)
	for _, p := range plans {
		l := ledger.New("Envoy")
		l.Means(means)
		p.Mark(l)
		w := &writer{plan: p, l: l, clusters: map[string]obj{}, pools: map[*plan.Pool]bool{}}
		w.unknown = len(guards) > 0
		data, err := encode(w.bootstrap(), p)
		if err != nil {
			return nil, err
		}
		name := "envoy.yaml"
		if len(plans) > 1 {
			name = strings.Map(nameRune, p.Front.Name.V) + "/" + name
		}
		res.Files = append(res.Files, target.File{Name: name, Data: data})
		res.Notes = append(res.Notes, l.Notes(p.Front)...)
	}
	for _, u := range guards {
		res.Notes = append(res.Notes, target.Note{Loss: target.Dropped, ID: "access", Security: true, Span: u.Span, Fact: u.What,
			Message: "what it restricts cannot be said there: every request is refused"})
	}
	return res, nil
}

func nameRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
		return r
	}
	return '_'
}

func encode(v any, p *plan.Plan) ([]byte, error) {
	var b bytes.Buffer
	if f := p.Front.At.File; f != nil {
		fmt.Fprintf(&b, "# Made by clowder from %s.\n", strings.Map(func(r rune) rune {
			if r < 0x20 || r == 0x7F || r == 0x85 || r == 0x2028 || r == 0x2029 || r == utf8.RuneError { // YAML 1.1 breaks lines at some of them
				return '?'
			}
			return r
		}, f.Name))
	}
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

// writer makes the file of one front end.
type writer struct {
	plan     *plan.Plan
	l        *ledger.Ledger
	clusters map[string]obj
	order    []string // of the clusters
	pools    map[*plan.Pool]bool
	unknown  bool
}

func (w *writer) bootstrap() obj {
	var listeners []any
	for i, l := range w.plan.Listeners {
		listeners = append(listeners, w.listener(i, l))
	}
	var clusters []any
	for _, name := range w.order {
		clusters = append(clusters, w.clusters[name])
	}
	static := obj{"listeners": listeners}
	if clusters != nil {
		static["clusters"] = clusters
	}
	if listeners == nil {
		delete(static, "listeners")
	}
	return obj{"static_resources": static}
}

const typePrefix = "type.googleapis.com/envoy."

// typed is an Any with its type.
func typed(name string, fields obj) obj {
	out := obj{"@type": typePrefix + name}
	for k, v := range fields {
		out[k] = v
	}
	return out
}

func seconds(d time.Duration) string {
	s := fmt.Sprintf("%.3f", d.Seconds())
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + "s"
}

func (w *writer) listener(i int, l *plan.Listener) obj {
	socket := obj{"address": l.Address, "port_value": l.Port}
	switch {
	case l.Address == "" && w.onlyIPv4(l):
		socket["address"] = "0.0.0.0"
	case l.Address == "":
		socket["address"], socket["ipv4_compat"] = "::", true
	}
	w.l.Exact(l.Source)
	name := fmt.Sprintf("listener_%d", i+1)
	names := assign(l.Sites)
	out := obj{"name": name, "address": obj{"socket_address": socket}}
	if !l.TLS {
		out["filter_chains"] = []any{obj{"filters": []any{w.manager(name, l, w.routeConfig(name, l, names, nil))}}}
		return out
	}
	out["listener_filters"] = []any{obj{"name": "envoy.filters.listener.tls_inspector",
		"typed_config": typed("extensions.filters.listener.tls_inspector.v3.TlsInspector", nil)}}
	var chains []any
	for n, s := range l.Sites {
		if s.TLS == nil {
			w.l.Person("plain HTTP on a socket of TLS: give this virtual host a socket of its own", "", s.Source.Addresses)
			continue
		}
		sni := sniNames(names.domains[n])
		if n > 0 && sni == nil {
			continue
		}
		filters := []any{w.manager(name, l, w.routeConfig(name, l, names, s))}
		if n == 0 { // takes every other name as well
			chains = append(chains, obj{"filters": filters, "transport_socket": w.serverTLS(s)})
		}
		if sni != nil && (n > 0 || len(l.Sites) > 1) {
			chains = append(chains, obj{"filters": filters, "transport_socket": w.serverTLS(s), "filter_chain_match": obj{"server_names": sni}})
		}
	}
	out["filter_chains"] = chains
	return out
}

// onlyIPv4 reports whether httpd listens on this port at 0.0.0.0 and at no other
// wildcard: then nobody comes in by IPv6.
func (w *writer) onlyIPv4(l *plan.Listener) bool {
	for _, li := range w.plan.Front.Listens {
		if li.Port.V == l.Port && li.Address.V != "0.0.0.0" && (li.Address.V == "" || model.IsWildcard(li.Address.V)) {
			return false
		}
	}
	return l.Source.Address.V == "0.0.0.0"
}

// manager is the HTTP connection manager of a listener.
func (w *writer) manager(name string, l *plan.Listener, routes obj) obj {
	s := l.Sites[0].Server
	h := obj{
		"stat_prefix":                      name,
		"codec_type":                       "HTTP1",
		"use_remote_address":               true,
		"normalize_path":                   true,
		"merge_slashes":                    true,
		"strip_trailing_host_dot":          true,
		"path_with_escaped_slashes_action": "REJECT_REQUEST",
		"route_config":                     routes,
		"stream_idle_timeout":              "0s",
		"common_http_protocol_options":     obj{"headers_with_underscores_action": "ALLOW"},
		"server_header_transformation":     "PASS_THROUGH",
		"http_filters": []any{
			obj{"name": "envoy.filters.http.rbac", "typed_config": typed("extensions.filters.http.rbac.v3.RBAC", nil)},
			obj{"name": "envoy.filters.http.router", "typed_config": typed("extensions.filters.http.router.v3.Router", nil)},
		},
	}
	if t := s.KeepAliveTime; t.IsWritten() && t.V > 0 {
		h["common_http_protocol_options"].(obj)["idle_timeout"] = seconds(t.V)
		w.l.Exact(t)
	}
	if s.MergeSlashes.IsWritten() && !s.MergeSlashes.V {
		w.l.Approx("slashes are merged before paths are compared", "merge_slashes", s.MergeSlashes)
	}
	w.l.Exact(s.MergeSlashes)
	if strings.EqualFold(s.EncodedSlashes.V, "off") {
		w.l.Exact(s.EncodedSlashes)
	} else {
		w.l.Approx("paths with %2F are refused", "path_with_escaped_slashes_action", s.EncodedSlashes)
	}
	if len(s.CustomLogs) > 0 {
		h["access_log"] = []any{obj{"name": "envoy.access_loggers.stdout",
			"typed_config": typed("extensions.access_loggers.stream.v3.StdoutAccessLog", nil)}}
		w.l.Approx("requests are logged to standard output in Envoy's form", "access_log", s.CustomLogs)
	}
	return obj{"name": "envoy.filters.network.http_connection_manager",
		"typed_config": typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", h)}
}

// routeConfig holds the sites of a listener, for connections to own.
func (w *writer) routeConfig(name string, l *plan.Listener, names hostNames, own *plan.Site) obj {
	var hosts []any
	for i, s := range l.Sites {
		if names.unsaid[i] {
			w.l.Drop("Envoy knows * at the start of a name only: requests for such a name are answered with 421", "", s.Source.Aliases)
		}
		w.l.Exact(s.Source.ServerName, s.Source.Aliases, s.Source.Addresses)
		if rw := s.Server.Settings.Rewrite; rw != nil {
			w.l.Exact(rw.Engine)
		}
		if names.domains[i] == nil {
			continue // httpd chooses it by no name either
		}
		routes := []any{obj{"match": obj{"prefix": "/"}, "direct_response": obj{"status": 421}}}
		if mayServe(own, s) {
			routes = append(names.guard(i), w.routes(s)...)
		}
		hosts = append(hosts, obj{"name": s.Name, "domains": names.domains[i], "routes": routes})
	}
	return obj{"name": name, "virtual_hosts": hosts, "ignore_port_in_host_matching": true}
}
