package rules

import (
	"bytes"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/model"
)

// proxyServers returns the servers of the front ends that came from httpd's own
// files: rules that speak about directives have no place in other files.
func proxyServers(p *lint.Pass) []lint.Server {
	own := map[*model.FrontEnd]bool{}
	for i, fe := range p.Setup.FrontEnds {
		own[fe] = i < len(p.Configs) && p.Configs[i] != nil
	}
	var out []lint.Server
	for _, sv := range p.Servers() {
		if own[sv.FrontEnd] {
			out = append(out, sv)
		}
	}
	return out
}

// written reports whether the text at the place begins with the directive, which
// tells ProxyPass and BalancerMember from what mod_jk's files say.
func written(at diag.Span, directive string) bool {
	text := strings.TrimLeft(at.Text(), " \t\r\n")
	return len(text) >= len(directive) && strings.EqualFold(text[:len(directive)], directive)
}

// wordPlace is the place of an argument, or of its directive when the argument
// stands on a continued line: findings are at the first line of a directive.
func wordPlace(at diag.Span) diag.Span {
	if at.File == nil {
		return at
	}
	line := at.Begin().Line
	first := line
	for first > 1 && strings.HasSuffix(strings.TrimRight(at.File.LineText(first-1), "\r\n"), `\`) {
		first--
	}
	if first == line {
		return at
	}
	start := at.File.LineStart(first)
	text := at.File.LineText(first)
	indent := len(text) - len(strings.TrimLeft(text, " \t"))
	return diag.At(at.File, start+indent, start+len(strings.TrimRight(text, " \t\r\n\\")))
}

// balancerIndex finds balancers by name and knows what virtual hosts inherit.
// Not for concurrent use.
type balancerIndex struct {
	byName map[*model.Server]map[string]*model.Balancer
	lent   map[*model.FrontEnd]map[string]model.String // stickysession that virtual hosts give to the main server's balancers
}

func newBalancerIndex() *balancerIndex {
	return &balancerIndex{byName: map[*model.Server]map[string]*model.Balancer{}, lent: map[*model.FrontEnd]map[string]model.String{}}
}

func (ix *balancerIndex) of(s *model.Server) map[string]*model.Balancer {
	if s == nil {
		return nil
	}
	m, ok := ix.byName[s]
	if !ok {
		m = make(map[string]*model.Balancer, len(s.Balancers))
		for _, b := range s.Balancers {
			m[strings.ToLower(b.Name.V)] = b
		}
		ix.byName[s] = m
	}
	return m
}

// find returns the balancer that has the members for the server, or nil: a
// virtual host uses the main server's of that name (merge_proxy_config).
func (ix *balancerIndex) find(sv lint.Server, name string) *model.Balancer {
	name = strings.ToLower(name)
	if b := ix.of(sv.FrontEnd.Main)[name]; b != nil && (len(b.Members) > 0 || sv.Main) {
		return b
	}
	return ix.of(sv.Server)[name]
}

// sticky returns the stickysession in force for the balancer of the server: its
// own, the main server's, or, for one of the main server, that of a virtual host.
func (ix *balancerIndex) sticky(sv lint.Server, b *model.Balancer) model.String {
	if b.Sticky.V != "" {
		return b.Sticky
	}
	name := strings.ToLower(b.Name.V)
	if !sv.Main {
		if m := ix.of(sv.FrontEnd.Main)[name]; m != nil {
			return m.Sticky
		}
		return b.Sticky
	}
	lent, ok := ix.lent[sv.FrontEnd]
	if !ok {
		lent = map[string]model.String{}
		for _, v := range sv.FrontEnd.VHosts {
			for _, x := range v.Balancers {
				if x.Sticky.V != "" && len(x.Members) == 0 {
					lent[strings.ToLower(x.Name.V)] = x.Sticky
				}
			}
		}
		ix.lent[sv.FrontEnd] = lent
	}
	return lent[name]
}

// splitBackend cuts the URL of a backend into scheme://host:port in lower case
// and its path; of a unix: target what stands behind the bar counts.
func splitBackend(u string) (base, path string) {
	if strings.HasPrefix(strings.ToLower(u), "unix:") {
		if _, rest, ok := strings.Cut(u, "|"); ok {
			u = rest
		}
	}
	k := strings.Index(u, "://")
	if k < 0 {
		return "", u
	}
	if e := strings.IndexByte(u[k+3:], '/'); e >= 0 {
		return strings.ToLower(u[:k+3+e]), u[k+3+e:]
	}
	return strings.ToLower(u), ""
}

func schemeOf(u string) string {
	base, _ := splitBackend(u)
	scheme, _, _ := strings.Cut(base, "://")
	return scheme
}

// backend is what a mapping leads to.
type backend struct {
	base     string          // scheme://host:port, lower case
	path     string          // as the backend sees it, that of the member included
	balancer *model.Balancer // nil for a plain worker
	urls     []string        // of the workers
	schemes  map[string]bool // of the workers
}

func (b *backend) only(schemes ...string) bool {
	n := 0
	for _, s := range schemes {
		if b.schemes[s] {
			n++
		}
	}
	return n > 0 && n == len(b.schemes)
}

func (b *backend) any(schemes ...string) bool {
	for _, s := range schemes {
		if b.schemes[s] {
			return true
		}
	}
	return false
}

// resolve follows a mapping's target; a balancer without known members has no schemes.
func (ix *balancerIndex) resolve(sv lint.Server, target string) backend {
	base, path := splitBackend(target)
	out := backend{base: base, path: path, schemes: map[string]bool{}}
	name, ok := strings.CutPrefix(base, "balancer://")
	if !ok {
		out.urls = []string{target}
		out.schemes[schemeOf(target)] = true
		return out
	}
	out.balancer = ix.find(sv, name)
	if out.balancer == nil {
		return out
	}
	for i, m := range out.balancer.Members {
		out.urls = append(out.urls, m.URL.V)
		out.schemes[schemeOf(m.URL.V)] = true
		if _, mp := splitBackend(m.URL.V); i == 0 {
			out.path = strings.TrimRight(mp, "/") + path
		}
	}
	return out
}

// mapped is a mapping and the Location that it stands in, if any.
type mapped struct {
	*model.Mapping
	section *model.Section
}

// place is where a line in front of the mapping can go at the level of the server.
func (m mapped) place() diag.Span {
	if m.section != nil {
		return m.section.At.Head()
	}
	return m.At
}

// passes returns the ProxyPass lines of the server itself, those in Locations
// included, without exclusions.
func passes(sv lint.Server) []mapped {
	var out []mapped
	for _, m := range sv.Mappings {
		if !m.Excludes() && written(m.At, "ProxyPass") {
			out = append(out, mapped{m, nil})
		}
	}
	for _, sec := range sv.Sections {
		if sec.Mapping != nil && !sec.Mapping.Excludes() && written(sec.Mapping.At, "ProxyPass") {
			out = append(out, mapped{sec.Mapping, sec})
		}
	}
	return out
}

// rewritesToProxy returns the targets of rules with [P] of the server and its sections.
func rewritesToProxy(sv lint.Server) []*model.RewriteRule {
	var out []*model.RewriteRule
	take := func(s *model.Settings) {
		if s.Rewrite == nil {
			return
		}
		for _, r := range s.Rewrite.Rules {
			if r.HasFlag("P", "proxy") {
				out = append(out, r)
			}
		}
	}
	take(&sv.Settings)
	for _, sec := range sv.Sections {
		take(&sec.Settings)
	}
	return out
}

// inherits reports whether the server is a virtual host that takes over the
// ProxyPass lines of the main server.
func inherits(sv lint.Server) bool {
	return !sv.Main && sv.FrontEnd.Main != nil && sv.PassInherit.Or(true)
}

func mainOf(sv lint.Server) lint.Server {
	return lint.Server{Server: sv.FrontEnd.Main, FrontEnd: sv.FrontEnd, Main: true}
}

// samePath compares paths without their last slash.
func samePath(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }

// hasModules reports whether the front end names its modules.
func hasModules(fe *model.FrontEnd) bool { return len(fe.Modules) > 0 }

// deleteLine removes the line of a directive that is alone on it and not continued.
func deleteLine(at diag.Span) diag.Edit {
	f := at.File
	from := f.LineStart(f.Line(int(at.Start)))
	to := f.LineStart(f.Line(int(max(at.Start, at.End-1))) + 1)
	if to == len(f.Data) && from > 0 && !bytes.HasSuffix(f.Data, []byte("\n")) {
		from-- // the line end in front of it
	}
	return diag.Edit{Span: diag.At(f, from, to)}
}

// quoted writes a word in the quotes that the place has.
func quoted(at diag.Span, word string) string {
	if text := at.Text(); len(text) > 0 && (text[0] == '"' || text[0] == '\'') {
		return text[:1] + word + text[:1]
	}
	return word
}
