package rules

import (
	"net/netip"
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/parse/tomcat"
)

// overHTTP reports whether the link is HTTP without TLS: AJP carries whether the
// browser used TLS, and an https connector is secure itself.
func overHTTP(l *model.Link) bool {
	switch l.Scheme {
	case "http", "ws", "h2c":
		return l.Connector != nil && l.Connector.Kind() == "http"
	}
	return false
}

// fixedScheme reports whether the connector tells applications that TLS is used.
func fixedScheme(c *model.Connector) bool {
	return strings.EqualFold(c.Scheme.V, "https") || c.Secure.V || c.ProxyPort.V == 443
}

// proxyFilter reports whether a web.xml of the setup names a filter that takes
// the forwarded headers over, as RemoteIpFilter and Spring's ForwardedHeaderFilter,
// or the setup file says that the application does.
func proxyFilter(p *lint.Pass) bool {
	found := p.Features["forwarded-by-app"]
	for _, d := range p.Docs {
		if d.Kind() != tomcat.WebXML {
			continue
		}
		d.Root.Walk(func(e *tomcat.Element) bool {
			if e.Local() == "filter-class" {
				class := strings.ToLower(e.Text)
				found = found || strings.Contains(class, "forwarded") || strings.Contains(class, "remoteip")
			}
			return !found
		})
	}
	return found
}

// remoteIPs remembers the valves of nodes.
type remoteIPs map[*model.Node][]*model.Component

// of returns every RemoteIpValve of the node: of its engines, hosts and contexts.
func (m remoteIPs) of(n *model.Node) []*model.Component {
	if v, ok := m[n]; ok {
		return v
	}
	var out []*model.Component
	add := func(list []*model.Component) {
		for _, v := range list {
			if strings.Contains(model.SimpleClass(v.Class.V), "RemoteIpValve") {
				out = append(out, v)
			}
		}
	}
	for _, s := range n.Services {
		if s.Engine == nil {
			continue
		}
		add(s.Engine.Valves)
		for _, h := range s.Engine.Hosts {
			add(h.Valves)
			for _, c := range h.Contexts {
				add(c.Valves)
			}
		}
	}
	m[n] = out
	return out
}

// valveValue returns an attribute of the valve, or the default, and its place:
// from the attribute's name, or the tag.
func valveValue(v *model.Component, name, standard string) (value string, at diag.Span, written bool) {
	if a := v.Attribute(name); a != nil {
		return a.Value.V, a.Value.Span, true
	}
	return standard, v.At.Head(), false
}

// Defaults of RemoteIpValve.
const (
	protocolHeader = "X-Forwarded-Proto"
	remoteIPHeader = "X-Forwarded-For"
)

// setsHeader reports whether the rule puts a header into requests.
func setsHeader(h *model.HeaderRule) bool {
	switch strings.ToLower(h.Action.V) {
	case "set", "setifempty", "add", "append", "merge":
		return h.Request.V
	}
	return false
}

// requestHeaders returns the headers that httpd sets for requests of the use, by
// their names in lower case.
func (u *use) requestHeaders() map[string]*model.HeaderRule {
	if u.set != nil {
		return u.set
	}
	out := map[string]*model.HeaderRule{}
	u.set = out
	apply := func(rules []*model.HeaderRule) {
		for _, h := range rules {
			name := strings.ToLower(h.Name.V)
			if setsHeader(h) {
				out[name] = h
			} else if h.Request.V && strings.EqualFold(h.Action.V, "unset") && !h.Cond.IsSet() {
				delete(out, name)
			}
		}
	}
	apply(u.headers)
	for _, sec := range u.sections {
		if sec.Kind.V == "Location" && u.path != "" && !strings.ContainsAny(sec.Path.V, "*?[$") &&
			!covers(sec.Path.V, u.path) && !covers(u.path, sec.Path.V) {
			continue
		}
		apply(sec.Settings.Headers)
	}
	return out
}

// schemeNames are headers by which proxies tell the scheme.
var schemeNames = map[string]bool{
	"x-forwarded-proto": true, "x-forwarded-protocol": true, "x-forwarded-scheme": true, "x-proto": true,
	"x-scheme": true, "x-url-scheme": true, "x-forwarded-ssl": true, "front-end-https": true, "x-https": true, "x-ssl": true,
}

// schemeWord says what a rule tells about the scheme: https, http, another word,
// "*" for a value that follows the request, or "" for a header about something else.
func schemeWord(h *model.HeaderRule) string {
	v := strings.ToLower(strings.TrimSpace(h.Value.V))
	switch {
	case v == "https" || v == "http":
		return v
	case strings.Contains(v, "request_scheme") || strings.Contains(v, "%{https}") || strings.Contains(v, "http:x-forwarded-proto"):
		return "*"
	case !schemeNames[strings.ToLower(h.Name.V)]:
		return ""
	case strings.ContainsAny(v, "%$"):
		return "*"
	}
	return v
}

// told says how a Tomcat gets to know that the browser used TLS.
type told struct {
	valve    *model.Component  // nil: none
	header   *model.HeaderRule // that httpd sets; nil: none about the scheme
	mismatch bool              // both are there and do not fit; X503 speaks
	ok       bool
}

// toldTLS finds out whether the valves of the link's node take over what httpd
// sets for the use.
func toldTLS(u *use, l *model.Link, valves []*model.Component) told {
	t := told{ok: fixedScheme(l.Connector)}
	headers := u.requestHeaders()
	for _, h := range u.headersInOrder(headers) {
		if schemeWord(h) != "" {
			t.header = h
			break
		}
	}
	for _, v := range valves {
		t.valve = v
		name, _, _ := valveValue(v, "protocolHeader", protocolHeader)
		https, _, _ := valveValue(v, "protocolHeaderHttpsValue", "https")
		h := headers[strings.ToLower(name)]
		if unknown(name + https) {
			t.ok = true
		} else if h != nil {
			t.header = h
			word := schemeWord(h)
			t.ok = t.ok || word == "" || word == "*" || strings.EqualFold(word, https) || strings.EqualFold(h.Value.V, https)
		}
		if t.ok {
			return t
		}
	}
	t.mismatch = t.valve != nil && t.header != nil
	return t
}

// headersInOrder returns the rules in the order of the files.
func (u *use) headersInOrder(set map[string]*model.HeaderRule) []*model.HeaderRule {
	var out []*model.HeaderRule
	take := func(rules []*model.HeaderRule) {
		for _, h := range rules {
			if set[strings.ToLower(h.Name.V)] == h {
				out = append(out, h)
			}
		}
	}
	take(u.headers)
	for _, sec := range u.sections {
		take(sec.Settings.Headers)
	}
	return out
}

// prefixes is a list of networks.
type prefixes []netip.Prefix

func (ps prefixes) contains(a netip.Addr) bool {
	for _, p := range ps {
		if p.Contains(a.Unmap()) {
			return true
		}
	}
	return false
}

// defaultProxies is what RemoteIpValve trusts without internalProxies.
var defaultProxies = mustPrefixes("10.0.0.0/8", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8", "100.64.0.0/10",
	"172.16.0.0/12", "::1/128", "fe80::/10", "fc00::/7")

func mustPrefixes(list ...string) prefixes {
	var out prefixes
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// trusts reports whether a value of internalProxies or trustedProxies matches
// one of the addresses; known is false when that cannot be told here. The value
// is a regular expression for the whole address, or in newer versions a list of
// networks (org.apache.catalina.valves.RemoteIpValve).
func trusts(value string, addresses []netip.Addr) (yes, known bool) {
	if unknown(value) {
		return false, false
	}
	if value == "" {
		return false, true
	}
	if nets, ok := networks(value); ok {
		for _, a := range addresses {
			if nets.contains(a) {
				return true, true
			}
		}
		return false, true
	}
	re, err := regexp.Compile(`^(?:` + value + `)$`)
	if err != nil {
		return false, false
	}
	for _, a := range addresses {
		if re.MatchString(a.String()) || a.Is6() && re.MatchString(javaIPv6(a)) {
			return true, true
		}
	}
	return false, true
}

func networks(value string) (prefixes, bool) {
	if !strings.Contains(value, "/") && !strings.Contains(value, ",") {
		return nil, false
	}
	var out prefixes
	for s := range strings.SplitSeq(value, ",") {
		s = strings.TrimSpace(s)
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, false
		}
		out = append(out, p)
	}
	return out, true
}

// javaIPv6 writes an address as Java does: eight groups without leading zeros.
func javaIPv6(a netip.Addr) string {
	groups := strings.Split(a.StringExpanded(), ":")
	for i, g := range groups {
		if groups[i] = strings.TrimLeft(g, "0"); groups[i] == "" {
			groups[i] = "0"
		}
	}
	return strings.Join(groups, ":")
}
