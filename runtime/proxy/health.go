package proxy

import (
	"cmp"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"clowder/parse/model"
	"clowder/runtime/balancer"
	"clowder/runtime/health"
)

// newHealth makes the health checks of all balancers; they do not run yet. A
// virtual host knows the conditions of its own server, and those of the main
// server for the members it has from there.
func (p *Proxy) newHealth() error {
	size := health.DefaultSize
	for _, d := range p.main.m.Settings.Extras {
		if strings.EqualFold(d.Name.V, "ProxyHCTPsize") {
			n, err := strconv.Atoi(d.Arg(0))
			if err != nil || n < 0 {
				return fmt.Errorf("%s: ProxyHCTPsize %s: want a number of at least 0", d.At, d.Arg(0))
			}
			size = n
		}
	}
	var groups []health.Group
	common, err := conditions(nil, p.main.m)
	if err != nil {
		return err
	}
	for _, s := range append([]*server{p.main}, p.vhosts...) {
		conds := common
		if s != p.main {
			if conds, err = conditions(common, s.m); err != nil {
				return err
			}
		}
		for _, b := range s.order {
			if err := knownConditions(b, conds); err != nil {
				return err
			}
			groups = append(groups, health.Group{Balancer: b, Target: s.target(p), Condition: func(name string) *health.Condition {
				return conds[strings.ToLower(name)]
			}})
		}
	}
	p.health, err = health.New(groups, health.Options{Size: size, Log: p.log, Dial: p.o.Dial})
	return err
}

// conditions compiles the ProxyHCExpr lines of a server and adds those of outer
// without changing it; names are in lower case.
func conditions(outer map[string]*health.Condition, m *model.Server) (map[string]*health.Condition, error) {
	out, own := outer, false
	for _, d := range m.Settings.Extras {
		if !strings.EqualFold(d.Name.V, "ProxyHCExpr") {
			continue
		}
		c, err := health.Compile(d.Arg(1))
		if err != nil {
			return nil, fmt.Errorf("%s: ProxyHCExpr %s: %w", d.At, d.Arg(0), err)
		}
		if !own {
			own = true
			if out = maps.Clone(outer); out == nil {
				out = map[string]*health.Condition{}
			}
		}
		out[strings.ToLower(d.Arg(0))] = c
	}
	return out, nil
}

// knownConditions refuses a member whose condition is not there: its checks would
// pass where httpd's fail.
func knownConditions(b *balancer.Balancer, conds map[string]*health.Condition) error {
	for _, m := range b.Members() {
		if e := m.Model.HCExpr; e.V != "" && conds[strings.ToLower(e.V)] == nil {
			return fmt.Errorf("%s: hcexpr=%s: the text of this ProxyHCExpr is not known", e.Span, e.V)
		}
	}
	return nil
}

// target says how checks reach a member of the server: as requests do, on
// connections of their own (hc_get_hcworker).
func (s *server) target(p *Proxy) func(*balancer.Member) health.Target {
	known := map[*balancer.Member]health.Target{}
	return func(m *balancer.Member) health.Target {
		t, ok := known[m]
		if ok {
			return t
		}
		scheme, authority, path, _ := splitTarget(m.URL)
		timeout := s.timeout
		if given(m.Model.Timeout) {
			timeout = m.Model.Timeout.V
		}
		secure := scheme == "https" || scheme == "wss"
		a := &attempt{c: &call{p: p, srv: s}, member: m, scheme: scheme, authority: authority, timeout: timeout}
		pc := a.poolConfig(secure)
		host, port := hostPort(authority, balancer.DefaultPort(scheme))
		t = health.Target{
			Network: cmp.Or(pc.Network, "tcp"), Address: pc.Address, Host: host + ":" + strconv.Itoa(port), Path: path, Secure: secure, TLS: pc.TLS,
			ConnectTimeout: pc.ConnectTimeout, Timeout: timeout, Ping: timeout,
		}
		switch {
		case given(m.Model.Ping):
			t.Ping = m.Model.Ping.V
		case given(m.Model.ConnTimeout):
			t.Ping = m.Model.ConnTimeout.V
		}
		known[m] = t
		return t
	}
}
