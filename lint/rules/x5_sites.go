package rules

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"clowder/lint"
	"clowder/parse/model"
)

// site is one server of a front end as browsers see it.
type site struct {
	lint.Server
	tls   bool // TLS ends here
	plain bool // answers without TLS, and nothing says that TLS ends before httpd

	headers  []*model.HeaderRule // RequestHeader lines of the main server and its own
	sections []*model.Section    // those with RequestHeader lines, inherited ones first
	redirect bool                // a rewrite rule sends every request to https
}

// sitesOf returns the servers of a front end that answer requests. The main
// server is left out when the virtual hosts take all its ports.
func sitesOf(fe *model.FrontEnd) []*site {
	var out []*site
	if fe.Main != nil && mainAnswers(fe) {
		out = append(out, newSite(lint.Server{Server: fe.Main, FrontEnd: fe, Main: true}))
	}
	for _, v := range fe.VHosts {
		out = append(out, newSite(lint.Server{Server: v, FrontEnd: fe}))
	}
	return out
}

func newSite(sv lint.Server) *site {
	s := &site{Server: sv, redirect: redirectsAll(sv.Settings.Rewrite)}
	servers := []*model.Server{sv.Server}
	if main := sv.FrontEnd.Main; main != nil && !sv.Main {
		servers = []*model.Server{main, sv.Server}
	}
	ahead := false
	for _, x := range servers {
		for _, h := range x.Settings.Headers {
			if h.Request.V {
				s.headers = append(s.headers, h)
			}
		}
		for _, sec := range x.Sections {
			if slices.ContainsFunc(sec.Settings.Headers, func(h *model.HeaderRule) bool { return h.Request.V }) {
				s.sections = append(s.sections, sec)
			}
		}
		for _, e := range x.Settings.SetEnv {
			ahead = ahead || slices.ContainsFunc(e.Args, func(a model.String) bool { return strings.EqualFold(a.V, "HTTPS=on") })
		}
	}
	switch engine(sv) {
	case "on":
		s.tls = true
	case "":
		s.tls = implicitTLS(sv)
	case "optional":
		return s
	}
	for _, h := range s.headers {
		ahead = ahead || setsHeader(h) && !h.Cond.IsSet() && schemeWord(h) == "https"
	}
	s.plain = !s.tls && !ahead && !onPorts(sv, 443, 8443) && !loopbackOnly(sv)
	return s
}

// engine returns the SSLEngine in force, in lower case; virtual hosts inherit it.
func engine(sv lint.Server) string {
	v := ""
	if main := sv.FrontEnd.Main; main != nil && main.TLS != nil {
		v = main.TLS.Engine.V
	}
	if sv.TLS != nil && sv.TLS.Engine.IsWritten() {
		v = sv.TLS.Engine.V
	}
	return strings.ToLower(v)
}

// implicitTLS reports whether mod_ssl switches itself on: a certificate and a
// listener that speaks https, as port 443 does (ssl_init_Module in
// modules/ssl/ssl_engine_init.c).
func implicitTLS(sv lint.Server) bool {
	if sv.TLS == nil || !sv.TLS.CertFile.IsWritten() {
		return false
	}
	for _, a := range sv.Addresses {
		port := addressPort(a.V)
		for _, l := range sv.FrontEnd.Listens {
			if l.Port.V == port && (strings.EqualFold(l.Protocol.V, "https") || !l.Protocol.IsSet() && port == 443) {
				return true
			}
		}
	}
	return false
}

// addressPort returns the port of an address of <VirtualHost>, 0 for all.
func addressPort(address string) int {
	i := strings.LastIndexByte(address, ':')
	if i < 0 || strings.HasSuffix(address, "]") {
		return 0
	}
	n, err := strconv.Atoi(address[i+1:])
	if err != nil {
		return 0
	}
	return n
}

// onPorts reports whether all addresses of the virtual host have one of the ports.
func onPorts(sv lint.Server, ports ...int) bool {
	for _, a := range sv.Addresses {
		if !slices.Contains(ports, addressPort(a.V)) {
			return false
		}
	}
	return len(sv.Addresses) > 0
}

// loopbackOnly reports whether only this machine can reach the virtual host.
func loopbackOnly(sv lint.Server) bool {
	for _, a := range sv.Addresses {
		host := a.V
		if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
			host = host[:i]
		}
		if !model.IsLoopback(host) {
			return false
		}
	}
	return len(sv.Addresses) > 0
}

// mainAnswers reports whether the main server gets requests: a port that is
// listened on and that no virtual host takes.
func mainAnswers(fe *model.FrontEnd) bool {
	if len(fe.VHosts) == 0 {
		return true
	}
	taken := map[int]bool{}
	for _, v := range fe.VHosts {
		for _, a := range v.Addresses {
			taken[addressPort(a.V)] = true
		}
	}
	if taken[0] {
		return false
	}
	for _, l := range fe.Listens {
		if !taken[l.Port.V] {
			return true
		}
	}
	return false
}

var catchAll = []string{"^", ".*", "(.*)", "^.*$", "^.*", ".*$", "^(.*)$", "^(.*)", "(.*)$", "^/(.*)$", "^/(.*)", "/(.*)", "^/?(.*)$", "^/?(.*)", "^/.*$", "^/.*", "/.*", "^/", "/", ".?", ".", "^.", "^/?"}

// redirectsAll reports whether a rewrite rule sends every request to https. It
// runs before ProxyPass, other than Redirect of mod_alias
// (ap_hook_translate_name in mod_rewrite.c, mod_proxy.c and mod_alias.c).
func redirectsAll(r *model.Rewrite) bool {
	if r == nil || !r.Engine.V {
		return false
	}
rules:
	for _, rule := range r.Rules {
		if !slices.Contains(catchAll, rule.Pattern.V) || !strings.HasPrefix(strings.ToLower(rule.Target.V), "https://") || rule.HasFlag("P", "proxy") {
			continue
		}
		for _, c := range rule.Conds {
			test := strings.ToUpper(c.Test.V)
			about := strings.Contains(test, "HTTPS") || strings.Contains(test, "SERVER_PORT") || strings.Contains(test, "REQUEST_SCHEME") || strings.Contains(test, "X-FORWARDED-PROTO")
			if !about && !strings.HasPrefix(c.Pattern.V, "!") {
				continue rules
			}
		}
		return true
	}
	return false
}

// untrustedAddress reports whether the text is an address outside the ranges that
// RemoteIpValve trusts by default.
func untrustedAddress(text string) bool {
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return err == nil && !defaultProxies.contains(a)
}
