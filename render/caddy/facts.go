package caddy

import (
	"strings"
	"time"

	"clowder/parse/model"
	"clowder/render/target"
)

// means are Caddy's nearest means for what is dropped because nothing was written
// for it, by area or field.
var means = map[string]string{
	"lbmethod": "lb_policy", "stickiness": "lb_policy cookie", "failover": "lb_retries, fail_duration", "health": "health_uri",
	"pool": "transport http { … }", "timeouts": "servers { timeouts { … } }, transport http { … }", "headers": "header, header_up, header_down",
	"responses": "header_down, handle_errors", "redirects": "redir", "rewrite": "rewrite, uri", "logging": "log",
	"limits": "request_body, servers { max_header_size }", "environment": "vars, matchers", "files": "file_server",
	"access": "remote_ip, basicauth", "authentication": "basicauth (basic_auth since 2.8), forward_auth",
	"client-certificate": "tls { client_auth { … } }", "backend-tls": "transport http { tls … }",
	"Member.hcpasses": "health_passes since 2.8", "Member.hcfails": "health_fails since 2.8",
	"Member.min": "connections are opened when needed", "Server.Timeout": "servers { timeouts { read_header … } }",
	"Member.smax": "keepalive_idle_conns_per_host", "Server.ErrorLog": "log { output file … } in the global options",
}

// facts marks what became of the balancer's and the members' parameters. Caddy has
// them for a whole handler; those of the first member count.
func (g *proxyGen) facts() {
	for _, m := range g.pool.Members {
		if m.Unusable == "" {
			g.memberFacts(m.Source)
		}
	}
	b := g.pool.Balancer
	if b == nil {
		return
	}
	g.l.Exact(b.FailOnStatus, b.NoFailover, b.MaxAttempts)
	if b.MaxAttempts.IsWritten() && b.MaxAttempts.V == 0 {
		g.l.Exact(b.MaxAttempts)
	}
	g.l.Approx("Caddy waits as long for a member, also after one has refused", "lb_try_duration", b.Timeout)
	if b.ForceRecovery.IsWritten() && !b.ForceRecovery.V {
		g.l.Exact(b.ForceRecovery)
	} else if len(g.members) > 1 {
		const message = "when all members are down, httpd asks them again at once; Caddy answers 503 until fail_duration is over; before 2.11 a request with a body that a member refuses is answered 502 and not sent to another"
		g.l.Approx(message, "fail_duration", b.ForceRecovery)
		if !b.ForceRecovery.IsWritten() {
			g.l.Add(target.Note{Loss: target.Approximated, ID: "failover", Span: b.At.Head(), Fact: "balancer://" + b.Name.V, Message: message, Means: "fail_duration"})
		}
	}
	if b.LBMethod.IsWritten() && strings.EqualFold(b.LBMethod.V, "byrequests") || len(g.members) < 2 {
		g.l.Exact(b.LBMethod)
	}
}

func (g *proxyGen) memberFacts(m *model.Member) {
	lead := m
	if len(g.members) > 0 {
		lead = g.members[0].Source
	}
	same(g, "Caddy has one value for all members, that of the first", m.Retry, lead.Retry)
	same(g, "Caddy has one value for all members, that of the first", m.Timeout, lead.Timeout)
	same(g, "Caddy has one value for all members, that of the first", m.ConnTimeout, lead.ConnTimeout)
	same(g, "Caddy has one value for all members, that of the first", m.TTL, lead.TTL)
	same(g, "Caddy has one value for all members, that of the first", m.DisableReuse, lead.DisableReuse)
	same(g, "Caddy has one value for all members, that of the first", m.EnableReuse, lead.EnableReuse)
	same(g, "Caddy has one value for all members, that of the first", m.FlushPackets, lead.FlushPackets)
	if m.Retry.IsWritten() && m.Retry.V <= 0 {
		g.l.Approx("a member that failed is left alone for one second, so that another one is asked", "fail_duration", m.Retry)
	}
	g.l.Exact(m.KeepAlive)
	if m.Max.V == lead.Max.V {
		g.l.Approx("Caddy counts all connections, httpd those of one process", "max_conns_per_host", m.Max)
	}
	g.l.Exact(m.LoadFactor, m.LBSet, m.Redirect, m.Route)
	switch {
	case strings.ContainsAny(strings.ToUpper(m.Status.V), "R"):
		g.l.Approx("a spare is used when all others are down, not when one is", "lb_policy first", m.Status)
	case strings.ContainsAny(strings.ToUpper(m.Status.V), "I"):
		g.l.Approx("errors of this member count as those of others", "", m.Status)
	default:
		g.l.Exact(m.Status)
	}
	if g.pool.Balancer == nil {
		g.l.Drop("a member outside of a balancer is always asked, in httpd too", "", m.Retry)
	}
	if up := m.Upgrade; up.V != "" && !strings.EqualFold(up.V, "none") && !strings.EqualFold(up.V, "websocket") {
		g.l.Approx("Caddy passes on every upgrade", "", up)
	} else {
		g.l.Exact(up)
	}
	g.healthFacts(m, lead)
}

// healthFacts marks the parameters of checks.
func (g *proxyGen) healthFacts(m, lead *model.Member) {
	switch method := strings.ToUpper(m.HCMethod.V); method {
	case "GET", "GET11":
		g.l.Exact(m.HCMethod)
	case "HEAD", "OPTIONS", "HEAD11", "OPTIONS11":
		g.l.Approx("Caddy checks with GET", "health_uri", m.HCMethod)
	case "", "NONE":
	default:
		g.l.Drop("Caddy checks with GET only; failed requests still take a member out", "fail_duration", m.HCMethod)
		return
	}
	same(g, "Caddy has one check for all members, that of the first", m.HCURI, lead.HCURI)
	same(g, "Caddy has one check for all members, that of the first", m.HCInterval, lead.HCInterval)
	if m.HCPasses.V == 1 {
		g.l.Exact(m.HCPasses)
	}
	if m.HCFails.V == 1 {
		g.l.Exact(m.HCFails)
	}
}

// same marks a value that all members share with the first one as said, another
// as said by the first one's.
func same[T string | bool | int | float64 | time.Duration](g *proxyGen, message string, v, lead model.Value[T]) {
	if v.V == lead.V {
		g.l.Exact(v)
	} else {
		g.l.Approx(message, "", v)
	}
}
