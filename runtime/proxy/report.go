package proxy

import (
	"log/slog"
	"strconv"

	"clowder/runtime/balancer"
)

// The records of the error log carry the numbers that httpd gives to the same
// events (log-message-tags of httpd 2.4), one record for each event: where httpd
// writes a failure once in each layer, the record of the lowest one stands here.

// failure makes a problem that is logged under httpd's number.
func failure(id, what, phase string, p problem) *problem {
	p.id, p.what, p.phase = id, what, phase
	return &p
}

// address is host:port of the attempt's backend.
func (a *attempt) address() string {
	host, port := hostPort(a.authority, balancer.DefaultPort(a.scheme))
	return host + ":" + strconv.Itoa(port)
}

// logAttempt writes the record of a failed attempt: member, phase and reason.
func (c *call) logAttempt(a *attempt, p *problem, number int, again bool) {
	p.logged = true
	id, what := p.id, p.what
	switch {
	case id != "":
	case p.reason != "":
		id, what = "AH00898", p.reason+" returned by "+c.x.Req.Target
	default:
		id, what = "AH00898", "attempt failed"
	}
	attrs := []any{"backend", a.scheme + "://" + a.address(), "status", p.status, "client", c.x.Req.Remote, "path", c.path}
	if p.phase != "" {
		attrs = append(attrs, "phase", p.phase)
	}
	if a.b != nil {
		attrs = append(attrs, "balancer", a.b.Name, "member", a.member.Name, "attempt", number, "failover", again)
	}
	if p.err != nil {
		attrs = append(attrs, "reason", p.err)
	}
	c.p.log.Log(c.p.ctx, p.level(), id+": "+what, attrs...)
}

func (p *problem) level() slog.Level {
	if p.warn {
		return slog.LevelWarn
	}
	return slog.LevelError
}

// logProblem writes the record of a problem that no attempt had.
func (c *call) logProblem(p *problem) {
	if p.logged || p.err == nil && p.reason == "" && p.id == "" {
		return
	}
	p.logged = true
	msg := "request failed"
	switch {
	case p.id != "":
		msg = p.id + ": " + p.what
	case p.reason != "":
		msg = "AH00898: " + p.reason + " returned by " + c.x.Req.Target
	case p.err != nil:
		msg = p.err.Error()
	}
	c.p.log.Log(c.p.ctx, p.level(), msg, "server", c.srv.name, "client", c.x.Req.Remote, "method", c.x.Req.Method, "path", c.path,
		"status", p.status, "reason", p.Error())
}

// noHandler is the problem of a scheme that nobody speaks.
func (c *call) noHandler(scheme string) *problem {
	return failure("AH01144", "no protocol handler was valid for the URL "+c.path+" (scheme '"+scheme+"')", "map", problem{status: 500, warn: true})
}
