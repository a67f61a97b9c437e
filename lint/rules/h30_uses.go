package rules

import (
	"regexp"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

// h30Front is what the rules about balancers know about one front end.
type h30Front struct {
	fe      *model.FrontEnd
	scopes  []h2Scope
	uses    [][]h30Use        // parallel to scopes
	used    map[string]bool   // names that any server uses, in lower case
	dynamic bool              // some use names its balancer only for a request
	members map[string]bool   // names that have members in some server
	lines   []map[string]bool // parallel to scopes: names with BalancerMember lines, right or wrong
	grows   bool              // members may come at run time: BalancerPersist, mod_cluster
}

// h30Use is one directive that sends requests to a balancer.
type h30Use struct {
	name string // lower case
	at   diag.Span
	line diag.Span
}

var h30AnyBalancer = regexp.MustCompile(`(?i)balancer://([^/\s"'?$%{}]*)`)

// h30Fronts collects the uses of balancers of all front ends.
func h30Fronts(p *lint.Pass) []*h30Front {
	var out []*h30Front
	for _, sc := range h2Scopes(p) {
		if sc.Main {
			out = append(out, &h30Front{fe: sc.FrontEnd, used: map[string]bool{}, members: map[string]bool{}, grows: h30Cluster(sc.FrontEnd)})
		}
		f := out[len(out)-1]
		f.scopes = append(f.scopes, sc)
		var uses []h30Use
		lines := map[string]bool{}
		for _, n := range sc.Nodes {
			uses = f.look(n, uses)
			if n.Is("BalancerMember") {
				if name, ok := h2MemberBalancer(n); ok {
					lines[name], f.members[name] = true, true
				}
			}
		}
		f.uses, f.lines = append(f.uses, uses), append(f.lines, lines)
		for _, b := range sc.Balancers {
			if len(b.Members) > 0 {
				f.members[strings.ToLower(b.Name.V)] = true
			}
		}
	}
	return out
}

// h30Cluster reports whether mod_cluster, which makes balancers at run time, is loaded.
func h30Cluster(fe *model.FrontEnd) bool {
	return fe.HasModule("proxy_cluster_module") || fe.HasModule("manager_module") || fe.HasModule("advertise_module")
}

// look adds what one directive says about balancers.
func (f *h30Front) look(n *httpd.Node, uses []h30Use) []h30Use {
	switch {
	case n.Is("BalancerPersist") && strings.EqualFold(n.Arg(0), "on"),
		n.Is("EnableMCPMReceive"), n.Is("ManagerBalancerName"), n.Is("CreateBalancers"):
		f.grows = true
		return uses
	case n.Is("BalancerMember"), n.Is("ProxySet"), n.Is("ProxyPassReverse"), n.Kind == httpd.Section && strings.HasPrefix(strings.ToLower(n.Name), "proxy"):
		return uses
	}
	if t, ok := h2TargetOf(n); ok {
		if name, dynamic, ok := h2BalancerName(t.URL); ok {
			f.dynamic = f.dynamic || dynamic
			f.used[name] = true
			if !dynamic && name != "" {
				uses = append(uses, h30Use{name, h2At(t.At, n.Span), n.Span})
			}
			return uses
		}
	}
	if text := n.Text(); strings.Contains(text, "://") {
		for _, m := range h30AnyBalancer.FindAllStringSubmatch(text, -1) {
			f.used[strings.ToLower(m[1])] = true
			f.dynamic = f.dynamic || m[1] == ""
		}
	}
	return uses
}

// h30Absent weakens a finding that rests on a balancer or its use not being
// there: an Include that could not be read may hold it, and files without any
// LoadModule line are a part of a configuration as a rule.
func h30Absent(p *lint.Pass, fe *model.FrontEnd, f *lint.Finding) {
	switch {
	case absence(p) > 0:
		f.Lower, f.Severity = f.Lower+1, diag.Warning
	case len(fe.Modules) == 0:
		f.Lower++
	}
}

// h30OfHttpd reports whether a balancer was written for mod_proxy, not for mod_jk.
func h30OfHttpd(b *model.Balancer) bool {
	return b.At.File == nil || !strings.HasSuffix(strings.ToLower(b.At.File.Name), ".properties")
}

// h30Tag reports whether the balancer has a <Proxy> section.
func h30Tag(b *model.Balancer) bool {
	return strings.HasPrefix(strings.TrimLeft(b.At.Text(), " \t"), "<")
}

// h30Misnamed returns the names, in lower case, that H209 speaks about.
func h30Misnamed(servers ...*model.Server) map[string]bool {
	out := map[string]bool{}
	for _, sv := range servers {
		if sv == nil {
			continue
		}
		for _, sec := range sv.Sections {
			if name, _, ok := h2NameWithParameters(sec); ok {
				out[strings.ToLower(name)] = true
			}
		}
	}
	return out
}
