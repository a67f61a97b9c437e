package traefik

import (
	"fmt"
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// pool writes the service of a pool once and returns its name, "" when no member
// of it can be used.
func (w *writer) pool(p *plan.Pool, s *plan.Site, o *plan.Outcome) string {
	keep := o.Settings.PreserveHost.V || p.AJP
	if o.Settings.PreserveHost.IsWritten() {
		w.l.Exact(o.Settings.PreserveHost)
	}
	if name, ok := w.pools[p]; ok {
		if lb := w.balancerOf(name); lb != nil && lb.PassHostHeader != keep {
			w.l.Person("other mappings to the same members send another Host: give this one a service of its own", "passHostHeader", o.Settings.PreserveHost)
		}
		return name
	}
	if why := p.Sealed(); why != "" {
		p.MarkSealed(w.l, why)
		w.pools[p] = ""
		return ""
	}
	var normal, standby []*plan.Member
	for _, m := range p.Usable() {
		w.member(m)
		switch {
		case m.Down:
			w.l.Exact(m.Source.Status)
		case m.Drain:
			w.l.Approx("it was left out: its sessions go to others at once", "", m.Source.Status)
		case m.Standby || m.Spare:
			standby = append(standby, m)
		default:
			normal = append(normal, m)
		}
	}
	w.balancer(p)
	if len(normal) == 0 {
		normal, standby = standby, nil
	}
	if len(normal) == 0 {
		w.pools[p] = ""
		return ""
	}
	name := w.loadBalancer(p.Name, p, normal, keep)
	if len(standby) > 0 {
		name = w.withStandby(p, name, standby, keep)
	}
	w.pools[p] = name
	return name
}

// withStandby puts hot standbys behind the others, which takes checks.
func (w *writer) withStandby(p *plan.Pool, name string, standby []*plan.Member, keep bool) string {
	lb := w.dynamic.HTTP.Services[name].LoadBalancer
	if lb.HealthCheck == nil {
		for _, m := range standby {
			w.l.Drop("a standby takes over only where Traefik checks the others, which needs a URL to ask for: it was left out", "hcmethod=GET hcuri=… here, or failover with healthCheck there", m.Source.Status)
		}
		return name
	}
	back := w.loadBalancer(p.Name+"-standby", p, standby, keep)
	both := w.unique(p.Name + "-all")
	w.dynamic.HTTP.Services[both] = &service{Failover: &failover{Service: name, Fallback: back}}
	for _, m := range standby {
		w.l.Exact(m.Source.Status)
	}
	return both
}

func (w *writer) balancerOf(name string) *loadBalancer {
	if s := w.dynamic.HTTP.Services[name]; s != nil {
		if s.Failover != nil {
			return w.balancerOf(s.Failover.Service)
		}
		return s.LoadBalancer
	}
	return nil
}

func (w *writer) loadBalancer(name string, p *plan.Pool, members []*plan.Member, keep bool) string {
	name = w.unique(name)
	lb := &loadBalancer{PassHostHeader: keep, ServersTransport: w.transport(p, members)}
	for _, m := range members {
		scheme := map[string]string{"h2": "https", "h2c": "h2c"}[m.Scheme]
		if scheme == "" {
			scheme = m.Scheme
		}
		sv := server{URL: scheme + "://" + m.Address()}
		if m.Weight > 1 {
			sv.Weight = m.Weight
		}
		lb.Servers = append(lb.Servers, sv)
		w.l.Exact(m.Source.LoadFactor)
	}
	w.check(lb, members)
	if p.Sticky != nil && len(members) > 1 {
		lb.Sticky = &sticky{stickyCookie{Name: "TRAEFIK_" + strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_")), HTTPOnly: true}}
	}
	w.dynamic.HTTP.Services[name] = &service{LoadBalancer: lb}
	return name
}

// member marks what is written of a member in its service.
func (w *writer) member(m *plan.Member) {
	if m.Socket != "" {
		w.l.Person("Traefik reaches members over TCP only: let it listen on "+m.Address(), "", m.Source.URL)
	}
	if m.Set > 0 {
		w.l.Drop("all members are used alike, whatever their set", "failover of services", m.Source.LBSet)
	}
	w.l.Exact(m.Source.Upgrade)
	w.l.Approx("a member that fails is left out only where it is checked; it is asked again at each check", "loadBalancer.healthCheck", m.Source.Retry)
}

// balancer marks what is written of a balancer.
func (w *writer) balancer(p *plan.Pool) {
	b := p.Balancer
	if b == nil {
		return
	}
	if b.LBMethod.V == "byrequests" || b.LBMethod.V == "" {
		w.l.Exact(b.LBMethod)
	} else {
		w.l.Approx("members are taken in turn, by their weights", "loadBalancer.strategy", b.LBMethod)
	}
	if b.NoFailover.V {
		w.l.Approx("a session goes to another member when its own is gone", "", b.NoFailover)
	}
	const how = "Traefik keeps sessions with a cookie of its own: those that exist at the change may lose their member, and sessions in URLs stay only where members are checked"
	w.l.Approx(how, "loadBalancer.sticky.cookie", b.Sticky, b.StickySep, b.ScolonDelim)
	for _, m := range p.Members {
		if m.Route != "" {
			w.l.Approx("the member's URL, not its route, stands in Traefik's cookie", "", m.Source.Route)
		}
	}
}

// check writes the health check of hcmethod; without it Traefik asks nobody.
func (w *writer) check(lb *loadBalancer, members []*plan.Member) {
	src := members[0].Source
	method := strings.ToUpper(src.HCMethod.V)
	switch method {
	case "", "NONE":
		return
	case "GET", "HEAD", "OPTIONS", "GET11", "HEAD11", "OPTIONS11":
		method = strings.TrimSuffix(method, "11")
	default:
		for _, m := range members {
			w.l.Drop("Traefik checks with HTTP requests only", "loadBalancer.healthCheck", m.Source.HCMethod)
		}
		return
	}
	path := src.HCURI.Or("/")
	lb.HealthCheck = &healthCheck{Path: path, Interval: seconds(src.HCInterval.V)}
	if method != "GET" {
		lb.HealthCheck.Method = method
	}
	for _, m := range members {
		w.l.Exact(m.Source.HCMethod, m.Source.HCURI, m.Source.HCInterval)
		w.l.Approx("one failed check takes a member out, one good one brings it back", "", m.Source.HCFails, m.Source.HCPasses)
	}
}

// transport writes how members are reached, "" when nothing is said about it.
func (w *writer) transport(p *plan.Pool, members []*plan.Member) string {
	t := &serversTr{}
	used := false
	var dial, answer model.Duration
	for _, m := range members {
		dial, answer = longer(dial, m.Source.ConnTimeout), longer(answer, m.Source.Timeout)
	}
	if dial.IsWritten() || answer.IsWritten() {
		used = true
		t.ForwardingTimeouts = &forwardingTimeout{}
		if dial.IsWritten() {
			t.ForwardingTimeouts.DialTimeout = seconds(dial.V)
		}
		if answer.IsWritten() {
			t.ForwardingTimeouts.ResponseHeaderTimeout = seconds(answer.V)
		}
		for _, m := range members {
			w.l.Approx("the longest one of the members counts for all; an answer has to begin within it", "serversTransports", m.Source.ConnTimeout, m.Source.Timeout)
		}
	}
	if members[0].Scheme == "https" || members[0].Scheme == "h2" {
		used = true
		w.backendTLS(t, p.TLS, members)
	}
	if !used {
		return ""
	}
	name := w.unique(p.Name + "-transport")
	w.dynamic.HTTP.ServersTransports[name] = t
	return name
}

func longer(a, b model.Duration) model.Duration {
	if !b.IsWritten() || a.IsWritten() && a.V >= b.V {
		return a
	}
	return b
}

// backendTLS carries SSLProxy*: httpd's default is to verify nothing.
func (w *writer) backendTLS(t *serversTr, tls *model.TLS, members []*plan.Member) {
	verify := tls != nil && strings.EqualFold(tls.ProxyVerify.V, "require")
	if tls != nil && !verify && tls.ProxyVerify.IsWritten() && !strings.EqualFold(tls.ProxyVerify.V, "none") {
		verify = true
		w.l.Approx("a certificate is required", "", tls.ProxyVerify)
	}
	t.InsecureSkipVerify = !verify
	if !verify && plan.ChecksPeers(tls) {
		for _, m := range members {
			w.l.Weaker("httpd checks the name and the dates of the member's certificate even without its authority, which Traefik does not", "SSLProxyVerify require here", m.Source.URL)
		}
	}
	if tls == nil {
		return
	}
	w.l.Exact(tls.ProxyEngine)
	if verify {
		w.l.Exact(tls.ProxyCAFile, tls.ProxyPeerName)
		w.l.Weaker("Traefik sets no bound to the length of a chain, httpd does (SSLProxyVerifyDepth, 1 by default)", "rootCAs with the last authority of the chain only", tls.ProxyVerify, tls.ProxyDepth)
		t.RootCAs = []string{tls.ProxyCAFile.V}
		if tls.ProxyPeerName.IsWritten() && !tls.ProxyPeerName.V {
			w.l.Approx("the name is compared in any case", "", tls.ProxyPeerName)
		}
		return
	}
	w.l.Exact(tls.ProxyVerify)
}

// stickyService is a service that keeps sessions on one member.
type stickyService struct{ rule, service string }

// stickyServices writes a service for each route that Traefik can check, so that a
// session of httpd's time finds its member and fails over.
func (w *writer) stickyServices(p *plan.Pool, all string) []stickyService {
	lb := w.balancerOf(all)
	if p.Sticky == nil || lb == nil || lb.HealthCheck == nil {
		return nil
	}
	var out []stickyService
	for _, m := range p.Usable() {
		if m.Route == "" || m.Down || m.Standby || m.Spare {
			continue
		}
		name := fmt.Sprintf("%s-%s", p.Name, m.Name)
		if w.dynamic.HTTP.Services[name] == nil {
			own := w.loadBalancer(name+"-only", p, []*plan.Member{m}, lb.PassHostHeader)
			w.names[name] = true
			w.dynamic.HTTP.Services[name] = &service{Failover: &failover{Service: own, Fallback: all}}
		}
		out = append(out, stickyService{sessionRule(p.Sticky, m.Route), name})
	}
	return out
}
