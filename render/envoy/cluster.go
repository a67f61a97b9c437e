package envoy

import (
	"strings"

	"clowder/parse/model"
	"clowder/render/plan"
)

// pool writes the cluster of a pool once; false when no member can be used.
func (w *writer) pool(p *plan.Pool) bool {
	if usable, known := w.pools[p]; known {
		return usable
	}
	if why := p.Sealed(); why != "" {
		p.MarkSealed(w.l, why)
		w.pools[p] = false
		return false
	}
	var members []*plan.Member
	for _, m := range p.Usable() {
		switch {
		case m.Down:
			w.l.Exact(m.Source.Status)
			continue
		case m.Drain:
			w.l.Approx("it was left out: its sessions go to others at once", "", m.Source.Status)
			continue
		case m.Socket != "":
			w.l.Person("a socket of the file system: let the member listen on "+m.Address(), "", m.Source.URL)
		}
		if len(members) > 0 && secure(m) != secure(members[0]) {
			w.l.Person("Envoy speaks TLS with all members of a cluster or with none: it was left out, give it a balancer of its own", "transport_socket_matches", m.Source.URL)
			m.Unusable = "it speaks another protocol than the first member"
			continue
		}
		members = append(members, m)
	}
	w.pools[p] = len(members) > 0
	if len(members) == 0 {
		return false
	}
	w.balancer(p)
	w.add(p.Name, w.cluster(p.Name, p, members))
	for _, m := range stickyMembers(p) {
		own := w.via(p, m)
		w.add(own+"/only", w.cluster(own+"/only", p, []*plan.Member{m}))
		w.add(own, obj{"name": own, "connect_timeout": "5s", "lb_policy": "CLUSTER_PROVIDED", "cluster_type": obj{"name": "envoy.clusters.aggregate",
			"typed_config": typed("extensions.clusters.aggregate.v3.ClusterConfig", obj{"clusters": []any{own + "/only", p.Name}})}})
	}
	return true
}

func secure(m *plan.Member) bool { return m.Scheme == "https" || m.Scheme == "h2" }

func (w *writer) add(name string, c obj) {
	w.clusters[name] = c
	w.order = append(w.order, name)
}

// stickyMembers are the members that sessions can stay on.
func stickyMembers(p *plan.Pool) []*plan.Member {
	if p.Sticky == nil {
		return nil
	}
	var out []*plan.Member
	for _, m := range p.Usable() {
		if m.Route != "" && !m.Down && !m.Drain {
			out = append(out, m)
		}
	}
	return out
}

// via is the cluster of a session's member. No name of a pool or member has a slash.
func (w *writer) via(p *plan.Pool, m *plan.Member) string { return p.Name + "/" + m.Name }

func (w *writer) balancer(p *plan.Pool) {
	b := p.Balancer
	if b == nil {
		return
	}
	switch strings.ToLower(b.LBMethod.V) {
	case "", "byrequests":
		w.l.Exact(b.LBMethod)
	case "bybusyness":
		w.l.Approx("the less busy one of two members is taken", "LEAST_REQUEST", b.LBMethod)
	default:
		w.l.Approx("members are taken in turn, by their weights", "ROUND_ROBIN", b.LBMethod)
	}
	if b.NoFailover.V {
		w.l.Approx("a session goes to another member when its own is gone", "", b.NoFailover)
	}
	w.l.Exact(b.Sticky, b.StickySep)
	w.l.Approx("a path parameter ends at a semicolon in any case", "", b.ScolonDelim)
	for _, m := range p.Members {
		w.l.Exact(m.Source.Route)
	}
	if strings.TrimSpace(b.FailOnStatus.V) != "" {
		w.l.Approx("answers 502, 503 and 504 eject a member", "outlier_detection.consecutive_gateway_failure", b.FailOnStatus)
	}
}

// cluster writes members as endpoints: each lbset is a priority, hot standbys are the last.
func (w *writer) cluster(name string, p *plan.Pool, members []*plan.Member) obj {
	c := obj{"name": name, "type": "STRICT_DNS", "lb_policy": "ROUND_ROBIN", "connect_timeout": "60s",
		"common_lb_config": obj{"healthy_panic_threshold": obj{"value": 0}}}
	if p.Balancer != nil && strings.EqualFold(p.Balancer.LBMethod.V, "bybusyness") {
		c["lb_policy"] = "LEAST_REQUEST"
	}
	tiers := tiersOf(members)
	var localities []any
	for priority, tier := range tiers {
		var endpoints []any
		for _, m := range tier {
			e := obj{"endpoint": obj{"address": obj{"socket_address": obj{"address": m.Host, "port_value": m.Port}}}}
			if secure(m) && len(members) > 1 {
				e["metadata"] = memberMeta(m)
			}
			if m.Weight > 1 {
				e["load_balancing_weight"] = m.Weight
			}
			endpoints = append(endpoints, e)
			w.l.Exact(m.Source.LoadFactor, m.Source.LBSet, m.Source.Status, m.Source.Upgrade)
		}
		locality := obj{"lb_endpoints": endpoints}
		if priority > 0 {
			locality["priority"] = priority
		}
		localities = append(localities, locality)
	}
	c["load_assignment"] = obj{"cluster_name": name, "endpoints": localities, "policy": obj{"overprovisioning_factor": 100000}}
	w.outliers(c, p, members)
	w.health(c, members[0].Source, members)
	w.limits(c, members)
	w.clientTLS(c, p, members)
	if members[0].Scheme == "h2" || members[0].Scheme == "h2c" {
		c["typed_extension_protocol_options"] = obj{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": typed("extensions.upstreams.http.v3.HttpProtocolOptions",
			obj{"explicit_http_config": obj{"http2_protocol_options": obj{}}})}
	}
	return c
}

// tiersOf groups members by lbset, standbys behind all others.
func tiersOf(members []*plan.Member) [][]*plan.Member {
	by := map[int][]*plan.Member{}
	most := 0
	for _, m := range members {
		most = max(most, m.Set)
	}
	key := func(m *plan.Member) int {
		if m.Standby || m.Spare {
			return most + 1 + m.Set
		}
		return m.Set
	}
	last := 0
	for _, m := range members {
		by[key(m)] = append(by[key(m)], m)
		last = max(last, key(m))
	}
	var out [][]*plan.Member
	for i := range last + 1 {
		if by[i] != nil {
			out = append(out, by[i])
		}
	}
	return out
}

// outliers ejects a member that cannot be reached for the time of retry=.
func (w *writer) outliers(c obj, p *plan.Pool, members []*plan.Member) {
	if len(members) == 1 && p.Balancer == nil {
		return
	}
	retry := members[0].Source.Retry.V
	for _, m := range members {
		retry = max(retry, m.Source.Retry.V)
		w.l.Approx("a member that cannot be reached is left out for the longest retry of the balancer; the time grows with each failure", "outlier_detection", m.Source.Retry)
	}
	o := obj{"split_external_local_origin_errors": true, "consecutive_local_origin_failure": 1, "enforcing_local_origin_success_rate": 0,
		"enforcing_consecutive_5xx": 0, "enforcing_success_rate": 0, "max_ejection_percent": 100, "interval": "1s"}
	if retry > 0 {
		o["base_ejection_time"] = seconds(retry)
	}
	if p.Balancer != nil && p.Balancer.FailOnStatus.V != "" {
		o["consecutive_gateway_failure"], o["enforcing_consecutive_gateway_failure"] = 1, 100
	}
	c["outlier_detection"] = o
}

// health writes the health check of hcmethod.
func (w *writer) health(c obj, src *model.Member, members []*plan.Member) {
	method := strings.TrimSuffix(strings.ToUpper(src.HCMethod.V), "11")
	check := obj{"timeout": "5s", "interval": seconds(max(src.HCInterval.V, 1e9)), "unhealthy_threshold": max(1, src.HCFails.V), "healthy_threshold": max(1, src.HCPasses.V)}
	switch method {
	case "TCP":
		check["tcp_health_check"] = obj{}
	case "GET", "HEAD", "OPTIONS":
		check["http_health_check"] = obj{"path": src.HCURI.Or("/"), "method": method, "expected_statuses": []any{obj{"start": 200, "end": 400}}}
	default:
		return
	}
	c["health_checks"] = []any{check}
	for _, m := range members {
		w.l.Exact(m.Source.HCMethod, m.Source.HCURI, m.Source.HCInterval, m.Source.HCFails, m.Source.HCPasses)
	}
}

// limits carries connectiontimeout and max.
func (w *writer) limits(c obj, members []*plan.Member) {
	connect, most := members[0].Source.ConnTimeout, 0
	for _, m := range members {
		if m.Source.ConnTimeout.IsWritten() && m.Source.ConnTimeout.V > connect.V {
			connect = m.Source.ConnTimeout
		}
		most += m.Source.Max.V
		w.l.Approx("the longest one of the members counts for all", "connect_timeout", m.Source.ConnTimeout)
		w.l.Approx("the sum of the members counts for all of them together", "circuit_breakers", m.Source.Max)
	}
	if connect.IsWritten() && connect.V > 0 {
		c["connect_timeout"] = seconds(connect.V)
	}
	if most > 0 {
		c["circuit_breakers"] = obj{"thresholds": []any{obj{"max_connections": most}}}
	}
}
