package jk

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
)

type spanType = diag.Span

// balancer writes an lb worker and its members. One member that mod_jk cannot
// reach is left out; a balancer without any is not written.
func (c *connector) balancer(b *model.Balancer) {
	var members []*model.Member
	for _, m := range b.Members {
		if isAJP(m.URL.V) {
			members = append(members, m)
			continue
		}
		c.led.Person("mod_jk speaks AJP only: the member was left out; give its Tomcat an AJP connector", "ajp13", m)
	}
	if len(members) == 0 {
		return
	}
	lb := c.name(b.Name.V)
	c.lb[strings.ToLower(b.Name.V)] = lb
	c.list = append(c.list, lb)
	c.led.Exact(b.Name)
	names := make([]string, len(members))
	for i, m := range members {
		want := m.Route.V
		if want == "" {
			want = lb + "_" + strconv.Itoa(i+1)
		}
		names[i] = c.name(want)
	}
	fmt.Fprintf(&c.buf, "\nworker.%s.type=lb\nworker.%[1]s.balance_workers=%s\n", lb, strings.Join(names, ","))
	c.sticky(lb, b)
	c.method(lb, b)
	c.attempts(lb, b, len(members))
	c.recovery(lb, members)
	standby := 0
	for _, m := range members {
		standby = max(standby, m.LBSet.V+1)
	}
	scale := factors(members)
	for i, m := range members {
		c.member(names[i], m)
		c.balanced(names[i], m, scale, standby)
		if b.FailOnStatus.IsSet() {
			c.set(names[i], "fail_on_status", strings.Join(strings.FieldsFunc(b.FailOnStatus.V, func(r rune) bool { return r == ',' || r == ' ' }), ","), b.FailOnStatus)
		}
	}
}

// plainWorker writes a worker outside of balancers.
func (c *connector) plainWorker(m *model.Member) {
	_, host, _, _ := model.SplitURL(m.URL.V)
	name := c.name("ajp_" + host)
	c.plain[m.URL.V] = name
	c.list = append(c.list, name)
	c.member(name, m)
}

// member writes what a worker has in and outside of balancers.
func (c *connector) member(name string, m *model.Member) {
	fmt.Fprintf(&c.buf, "\nworker.%s.type=ajp13\n", name)
	if rest, ok := strings.CutPrefix(m.URL.V, "unix:"); ok {
		path, _, _ := strings.Cut(rest, "|")
		c.set(name, "host", path, m.URL)
	} else {
		_, host, port, _ := model.SplitURL(m.URL.V)
		if port == 0 {
			port = 8009
		}
		c.set(name, "host", host, m.URL)
		c.set(name, "port", strconv.Itoa(port))
	}
	for _, t := range []struct {
		key string
		v   model.Duration
	}{{"reply_timeout", m.Timeout}, {"socket_connect_timeout", m.ConnTimeout}, {"prepost_timeout", m.Ping}, {"connection_acquire_timeout", m.Acquire}} {
		if t.v.IsSet() && t.v.V > 0 {
			c.set(name, t.key, strconv.FormatInt(int64(t.v.V/time.Millisecond), 10), t.v)
		}
	}
	if m.TTL.IsSet() && m.TTL.V > 0 {
		c.set(name, "connection_pool_timeout", strconv.Itoa(int(math.Ceil(m.TTL.V.Seconds()))), m.TTL)
	}
	if m.Max.IsSet() && m.Max.V > 0 {
		c.set(name, "connection_pool_size", strconv.Itoa(m.Max.V), m.Max)
	}
	if m.Min.IsWritten() && m.Min.V >= 0 {
		c.set(name, "connection_pool_minsize", strconv.Itoa(m.Min.V), m.Min)
	}
	if m.KeepAlive.IsWritten() {
		c.set(name, "socket_keepalive", boolean(m.KeepAlive.V), m.KeepAlive)
	}
	if m.IOBufferSize.IsSet() && m.IOBufferSize.V > 0 {
		size := min(max((m.IOBufferSize.V+1023)&^1023, 8192), 65536)
		c.set(name, "max_packet_size", strconv.Itoa(size), m.IOBufferSize)
		if size != m.IOBufferSize.V {
			c.led.Approx("packets of mod_jk have 8192 to 65536 bytes in steps of 1024", "max_packet_size="+strconv.Itoa(size), m.IOBufferSize)
		}
	}
	if m.Secret.IsSet() && c.set(name, "secret", m.Secret.V, m.Secret) {
		c.secret = true
	}
	if m.Route.IsSet() && m.Route.V != name && m.Route.V != "" {
		c.set(name, "route", m.Route.V, m.Route)
	} else {
		c.led.Exact(m.Route)
	}
}

// balanced writes what only the lb worker looks at. A hot standby becomes the
// farthest member: those are used when no nearer one is usable.
func (c *connector) balanced(name string, m *model.Member, scale float64, standby int) {
	if m.Redirect.IsSet() && m.Redirect.V != "" {
		c.set(name, "redirect", m.Redirect.V, m.Redirect)
	}
	if m.LoadFactor.IsWritten() || scale != 1 {
		c.set(name, "lbfactor", strconv.Itoa(int(math.Round(max(m.LoadFactor.V, 1)*scale))), m.LoadFactor)
	}
	on := statusLetters(m.Status.V)
	distance := m.LBSet.V
	if on['H'] || on['R'] {
		distance = standby
		c.led.Approx("a hot standby is written as the farthest member, which comes after all of lbset "+strconv.Itoa(standby-1), "distance", m.Status)
	}
	if m.LBSet.IsWritten() || distance > 0 {
		c.set(name, "distance", strconv.Itoa(distance), m.LBSet)
	}
	switch {
	case on['S']:
		c.set(name, "activation", "Stopped", m.Status)
	case on['D']:
		c.set(name, "activation", "Stopped", m.Status)
		c.led.Approx("mod_jk's Disabled still takes requests of sessions, so Stopped is written", "activation", m.Status)
	case on['N']:
		c.set(name, "activation", "Disabled", m.Status)
	case on['I'] || on['C'] || on['E']:
		c.led.Approx("mod_jk has no such state; the member is active", "activation", m.Status)
	default:
		c.led.Exact(m.Status)
	}
}

// statusLetters returns the states that are on.
func statusLetters(s string) map[byte]bool {
	out := map[byte]bool{}
	sign := true
	for _, r := range []byte(strings.ToUpper(s)) {
		switch r {
		case '+':
			sign = true
		case '-':
			sign = false
		default:
			out[r] = sign
			sign = true
		}
	}
	return out
}

func boolean(on bool) string {
	if on {
		return "True"
	}
	return "False"
}

// factors returns what load factors are multiplied by to be whole numbers.
func factors(members []*model.Member) float64 {
	for _, by := range []float64{1, 2, 4, 5, 10, 20, 50, 100} {
		whole := true
		for _, m := range members {
			f := max(m.LoadFactor.V, 1) * by
			whole = whole && math.Abs(f-math.Round(f)) < 1e-6
		}
		if whole {
			return by
		}
	}
	return 100
}

func (c *connector) sticky(lb string, b *model.Balancer) {
	if !b.Sticky.IsSet() || b.Sticky.V == "" {
		c.set(lb, "sticky_session", "False", b.Sticky)
		return
	}
	c.set(lb, "sticky_session", "True", b.Sticky)
	cookie, path, both := strings.Cut(b.Sticky.V, "|")
	if !both {
		path = cookie
	}
	if cookie != "JSESSIONID" {
		c.set(lb, "session_cookie", cookie, b.Sticky)
	}
	if path != "jsessionid" {
		c.set(lb, "session_path", ";"+path, b.Sticky)
	}
	c.led.Exact(b.ScolonDelim) // as mod_jk always does
	if b.StickySep.IsSet() && b.StickySep.V == "." {
		c.led.Exact(b.StickySep)
	}
	if b.NoFailover.IsSet() && (b.NoFailover.V || b.NoFailover.IsWritten()) {
		c.set(lb, "sticky_session_force", boolean(b.NoFailover.V), b.NoFailover)
	}
}

func (c *connector) method(lb string, b *model.Balancer) {
	if !b.LBMethod.IsWritten() {
		return
	}
	name := map[string]string{"byrequests": "Request", "bytraffic": "Traffic", "bybusyness": "Busyness"}[b.LBMethod.V]
	if name == "" {
		c.set(lb, "method", "Request", b.LBMethod)
		c.led.Approx("mod_jk has no such method; requests are counted", "method", b.LBMethod)
		return
	}
	c.set(lb, "method", name, b.LBMethod)
}

// attempts: mod_jk tries at most lb_retries members, retries times; mod_proxy
// counts the tries after the first one.
func (c *connector) attempts(lb string, b *model.Balancer, members int) {
	if !b.MaxAttempts.IsSet() {
		return
	}
	tries, rounds := min(b.MaxAttempts.V, 1_000_000)+1, 1
	if tries > members {
		rounds = (tries + members - 1) / members
	}
	first := min(tries, members)
	c.set(lb, "lb_retries", strconv.Itoa(first), b.MaxAttempts)
	c.set(lb, "retries", strconv.Itoa(rounds), b.MaxAttempts)
	if first*rounds != tries {
		c.led.Approx("mod_jk tries whole rounds of its members", "retries", b.MaxAttempts)
	}
}

// recovery: mod_jk has one time for all members of a balancer.
func (c *connector) recovery(lb string, members []*model.Member) {
	var longest model.Duration
	same := true
	for _, m := range members {
		same = same && m.Retry.V == members[0].Retry.V
		if m.Retry.IsWritten() && m.Retry.V >= longest.V {
			longest = m.Retry
		}
	}
	if !longest.IsSet() {
		return
	}
	var facts []any
	for _, m := range members {
		facts = append(facts, m.Retry)
	}
	seconds := max(int(math.Ceil(longest.V.Seconds())), 1)
	c.set(lb, "recover_time", strconv.Itoa(seconds), facts...)
	if !same || longest.V < time.Second {
		c.led.Approx("mod_jk has one time of at least a second for all members", "recover_time="+strconv.Itoa(seconds), facts...)
	}
}
