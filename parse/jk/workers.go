package jk

import (
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// workers lowers worker definitions; each attribute that the model holds is
// marked as used in the table.
type workers struct {
	t     *table
	notes []model.Unmapped // what is held only nearly
	diags diag.List

	nesting int // lb workers inside of others so far
}

func (w *workers) get(name, attr string) *entry { return w.t.byKey["worker."+name+"."+attr] }

// value returns the first of the attributes that is written.
func (w *workers) value(name string, attrs ...string) (string, diag.Span, bool) {
	for _, a := range attrs {
		if e := w.get(name, a); e != nil {
			w.t.use(e)
			return e.value, e.last().ValueSpan, true
		}
	}
	return "", diag.Span{}, false
}

// number reads an integer as jk_map_get_int: a prefix of digits, then k or m. What
// is no number counts as not written.
func (w *workers) number(name string, attrs ...string) (int, diag.Span, bool) {
	for _, a := range attrs {
		e := w.get(name, a)
		if e == nil {
			continue
		}
		if n, ok := number(e.value); ok {
			w.t.use(e)
			return n, e.last().ValueSpan, true
		}
	}
	return 0, diag.Span{}, false
}

func number(s string) (int, bool) {
	end := 0
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 32)
	if err != nil {
		return 0, false
	}
	if end < len(s) {
		switch s[end] {
		case 'k', 'K':
			n <<= 10
		case 'm', 'M':
			n <<= 20
		}
	}
	return int(n), n >= -1<<31 && n < 1<<31
}

// flag reads a boolean as jk_get_bool_code in jk_util.c.
func (w *workers) flag(name, attr string) (on bool, at diag.Span, ok bool) {
	v, at, ok := w.value(name, attr)
	if !ok || v == "" {
		return false, at, false
	}
	switch {
	case strings.EqualFold(v, "off"), strings.IndexByte("FfNn", v[0]) >= 0, v == "0":
		return false, at, true
	case strings.EqualFold(v, "on"), strings.IndexByte("TtYy", v[0]) >= 0, v == "1":
		return true, at, true
	}
	return false, at, false
}

// kind returns the worker's type; ajp13 when none is written.
func (w *workers) kind(name string) string {
	v, _, ok := w.value(name, "type")
	if !ok {
		return "ajp13"
	}
	return v
}

// place returns the first line of a worker, else where it is named.
func (w *workers) place(name string, named diag.Span) diag.Span {
	if p, ok := w.t.first[name]; ok {
		return p.Span
	}
	return named
}

// member lowers an ajp13 or ajp14 worker (ajp_validate and ajp_init in
// native/common/jk_ajp_common.c).
func (w *workers) member(name string, named diag.Span) *model.Member {
	m := &model.Member{At: w.place(name, named)}
	port := 8009
	if w.kind(name) == "ajp14" {
		port = 8011
	}
	at := m.At
	n, portAt, hasPort := w.number(name, "port")
	if hasPort {
		port, at = n, portAt
	}
	if port < 0 || port > 65535 {
		w.diags.Add(diag.Diagnostic{ID: "H007", Name: "bad-parameter-value", Severity: diag.Error, Confidence: diag.Certain,
			Span: portAt, Message: "the port of worker `" + name + "` must be from 1 to 65535, or 0 for none"})
	}
	host, hostAt, ok := w.value(name, "host")
	if ok {
		at = hostAt
	} else {
		host = "localhost"
	}
	switch {
	case strings.HasPrefix(host, "/"):
		host = "unix:" + host + "|ajp://localhost"
	case strings.Contains(host, ":") && !strings.HasPrefix(host, "["):
		host = "ajp://[" + host + "]:" + strconv.Itoa(port)
	default:
		host = "ajp://" + host + ":" + strconv.Itoa(port)
	}
	m.URL = model.Is(host, at)
	if port == 0 { // jk_lb_worker.c: such a member is stopped
		m.URL.V = strings.TrimSuffix(m.URL.V, ":0")
		m.Status = model.Is("S", at)
	}
	w.timeouts(name, m)
	w.pool(name, m)
	if v, at, ok := w.value(name, "secret"); ok {
		m.Secret = model.Is(v, at)
	}
	if on, at, ok := w.flag(name, "socket_keepalive"); ok {
		m.KeepAlive = model.Is(on, at)
	}
	if n, at, ok := w.number(name, "max_packet_size"); ok {
		m.IOBufferSize = model.Is(min(max((n+1023)&^1023, 8192), 65536), at)
	}
	if v, at, ok := w.value(name, "route", "jvm_route"); ok {
		m.Route = model.Is(v, at)
	}
	return m
}

// millis returns a time written in milliseconds; 0 and less mean none.
func (w *workers) millis(name, attr string) (time.Duration, diag.Span, bool) {
	n, at, ok := w.number(name, attr)
	return time.Duration(n) * time.Millisecond, at, ok && n > 0
}

func (w *workers) timeouts(name string, m *model.Member) {
	if n, at, ok := w.number(name, "socket_timeout"); ok && n > 0 {
		m.Timeout = model.Is(time.Duration(n)*time.Second, at)
		m.ConnTimeout = model.Is(m.Timeout.V, at)
	}
	if d, at, ok := w.millis(name, "reply_timeout"); ok {
		m.Timeout = model.Is((d + time.Second - 1).Truncate(time.Second), at) // httpd counts seconds
	}
	if d, at, ok := w.millis(name, "socket_connect_timeout"); ok {
		m.ConnTimeout = model.Is(d, at)
	}
	if d, at, ok := w.millis(name, "connection_acquire_timeout"); ok {
		m.Acquire = model.Is(d, at)
	}
	w.ping(name, m)
}

// ping: mod_proxy asks before each request, as prepost_timeout and ping_mode P
// do. A mode that asks only on new connections (connect_timeout, C) is held the
// same way.
func (w *workers) ping(name string, m *model.Member) {
	wait, waitAt, hasWait := w.millis(name, "ping_timeout")
	if !hasWait {
		wait = 10 * time.Second // AJP_DEF_PING_TIMEOUT
	}
	mode, at, ok := w.value(name, "ping_mode")
	if ok && strings.ContainsAny(mode, "CcPpAa") {
		m.Ping = model.Is(wait, at)
		if hasWait {
			m.Ping.Span = waitAt
		}
	}
	for _, attr := range []string{"connect_timeout", "prepost_timeout"} {
		if d, at, ok := w.millis(name, attr); ok {
			m.Ping = model.Is(d, at)
		}
	}
}

func (w *workers) pool(name string, m *model.Member) {
	if n, at, ok := w.number(name, "connection_pool_size", "cachesize"); ok && n > 0 {
		m.Max = model.Is(n, at)
	}
	if n, at, ok := w.number(name, "connection_pool_minsize"); ok && n >= 0 {
		m.Min = model.Is(n, at)
	}
	if n, at, ok := w.number(name, "connection_pool_timeout", "cache_timeout"); ok && n > 0 {
		m.TTL = model.Is(time.Duration(n)*time.Second, at)
	}
}

// balancer lowers an lb worker (validate and init in native/common/jk_lb_worker.c).
func (w *workers) balancer(name string, named diag.Span) *model.Balancer {
	b := &model.Balancer{At: w.place(name, named), Name: model.Is(name, named)}
	list := w.get(name, "balance_workers")
	if list == nil {
		list = w.get(name, "balanced_workers")
	}
	var members []item
	if list != nil {
		w.t.use(list)
		members = list.items()
	}
	w.sticky(name, b)
	w.method(name, b)
	b.Members = w.balancedAll(name, members, b.Sticky.IsSet(), 0)
	w.scale(b)
	w.attempts(name, b)
	w.failOn(b, members)
	return b
}

// maxNested bounds how deep lb workers are followed that are members of others,
// maxNestings how many in all.
const (
	maxNested   = 8
	maxNestings = 1000
)

// balancedAll lowers the members of an lb worker. A member that is an lb worker
// itself gives its own members, who share its load factor: mod_proxy has no
// balancers of balancers.
func (w *workers) balancedAll(lb string, members []item, sticky bool, depth int) (out []*model.Member) {
	for _, it := range members {
		if len(out) >= maxProperties {
			break
		}
		switch k := w.kind(it.text); {
		case k == "ajp13" || k == "ajp14":
			m := w.balanced(lb, it)
			if !m.Route.IsSet() && sticky {
				m.Route = model.Is(it.text, it.at) // the worker's name, as jk_lb_worker.c
			}
			out = append(out, m)
		case k == "lb" && depth < maxNested:
			out = append(out, w.nested(lb, it, sticky, depth)...)
		default:
			w.notes = append(w.notes, model.Unmapped{Span: it.at, What: "member " + it.text + " of type " + k})
		}
	}
	return out
}

// nested gives the members of an lb worker inside of another.
func (w *workers) nested(outer string, it item, sticky bool, depth int) []*model.Member {
	list := w.get(it.text, "balance_workers")
	if list == nil {
		list = w.get(it.text, "balanced_workers")
	}
	if list == nil {
		return nil
	}
	if w.nesting++; w.nesting > maxNestings {
		return nil // lb workers that hold each other
	}
	w.t.use(list)
	w.notes = append(w.notes, model.Unmapped{Span: it.at, What: "member " + it.text + " of type lb (its members stand in its place)"})
	whole := &model.Member{}
	if n, at, ok := w.number(it.text, "lbfactor"); ok {
		whole.LoadFactor = model.Is(float64(max(n, 1)), at)
	}
	if n, at, ok := w.number(it.text, "distance"); ok && n >= 0 {
		whole.LBSet = model.Is(min(n, 99), at)
	}
	w.activation(it.text, whole)
	inner := w.balancedAll(it.text, list.items(), sticky, depth+1)
	sum := 0.0
	for _, m := range inner {
		sum += max(m.LoadFactor.V, 1)
	}
	for _, m := range inner {
		m.LoadFactor = model.Is(max(whole.LoadFactor.V, 1)*max(m.LoadFactor.V, 1)/sum, at(whole.LoadFactor, it.at))
		if whole.LBSet.IsSet() {
			m.LBSet = whole.LBSet
		}
		if whole.Status.IsSet() {
			m.Status = whole.Status
		}
		if n, at, ok := w.number(outer, "recover_time"); ok && !m.Retry.IsSet() {
			m.Retry = model.Is(time.Duration(max(n, 1))*time.Second, at)
		}
	}
	return inner
}

// at is the place of a value, or other when it is not written.
func at[T model.Scalar](v model.Value[T], other diag.Span) diag.Span {
	if v.IsSet() {
		return v.Span
	}
	return other
}

// balanced lowers one member with what only a balancer looks at.
func (w *workers) balanced(lb string, it item) *model.Member {
	m := w.member(it.text, it.at)
	if v, at, ok := w.value(it.text, "redirect"); ok {
		m.Redirect = model.Is(v, at)
	}
	if n, at, ok := w.number(it.text, "lbfactor"); ok {
		m.LoadFactor = model.Is(float64(max(n, 1)), at)
	}
	if n, at, ok := w.number(it.text, "distance"); ok && n >= 0 {
		m.LBSet = model.Is(min(n, 99), at)
	}
	if n, at, ok := w.number(lb, "recover_time"); ok {
		m.Retry = model.Is(time.Duration(max(n, 1))*time.Second, at)
	}
	if v, at, ok := w.value(lb, "secret"); ok && !m.Secret.IsSet() {
		m.Secret = model.Is(v, at)
	}
	w.activation(it.text, m)
	return m
}

// activation: a disabled member takes only requests of its sessions, which is
// status N of mod_proxy; a stopped one takes none.
func (w *workers) activation(name string, m *model.Member) {
	if v, at, ok := w.value(name, "activation"); ok && v != "" {
		switch v[0] {
		case 'd', 'D', '1':
			m.Status = model.Is("N", at)
		case 's', 'S', '2':
			m.Status = model.Is("S", at)
		}
		return
	}
	if on, at, ok := w.flag(name, "stopped"); ok && on {
		m.Status = model.Is("S", at)
	} else if on, at, ok := w.flag(name, "disabled"); ok && on {
		m.Status = model.Is("N", at)
	}
}

// scale keeps the proportions of load factors that leave mod_proxy's range of 1 to 100.
func (w *workers) scale(b *model.Balancer) {
	top, low := 1.0, 1.0
	for _, m := range b.Members {
		if m.LoadFactor.IsSet() {
			top, low = max(top, m.LoadFactor.V), min(low, m.LoadFactor.V)
		}
	}
	if low == 1 && top <= 100 {
		return
	}
	by := 1 / low
	if top*by > 100 {
		by = 100 / top
	}
	for _, m := range b.Members {
		if !m.LoadFactor.IsSet() {
			m.LoadFactor = model.Is(1.0, m.At)
		}
		m.LoadFactor.V = max(1, m.LoadFactor.V*by)
	}
}

func (w *workers) sticky(name string, b *model.Balancer) {
	on, at, ok := w.flag(name, "sticky_session")
	if ok && !on {
		return
	}
	cookie, path := "JSESSIONID", "jsessionid"
	b.Sticky = model.Is("", b.At)
	if ok {
		b.Sticky = model.Is("", at)
	}
	if v, at, ok := w.value(name, "session_cookie"); ok {
		cookie, b.Sticky = v, model.Is("", at)
	}
	if v, at, ok := w.value(name, "session_path"); ok {
		path, b.Sticky = strings.TrimLeft(v, ";"), model.Is("", at)
	}
	b.Sticky.V = cookie + "|" + path
	b.ScolonDelim = model.Is(true, b.Sticky.Span) // mod_jk ends a path parameter at the next semicolon
	if on, at, ok := w.flag(name, "sticky_session_force"); ok {
		b.NoFailover = model.Is(on, at)
	}
}

// method reads the first letter, as jk_lb_get_method_code. Sessions and Next have
// no equal in mod_proxy; byrequests comes nearest.
func (w *workers) method(name string, b *model.Balancer) {
	v, at, ok := w.value(name, "method")
	if !ok || v == "" {
		return
	}
	b.LBMethod = model.Is("byrequests", at)
	switch v[0] {
	case 't', 'T', '1':
		b.LBMethod.V = "bytraffic"
	case 'b', 'B', '2':
		b.LBMethod.V = "bybusyness"
	case 's', 'S', '3', 'n', 'N', '4':
		w.notes = append(w.notes, model.Unmapped{Span: at, What: "method " + v + " (byrequests is taken)"})
	}
}

// attempts: service in jk_lb_worker.c tries at most lb_retries members, retries
// times; mod_proxy counts the tries after the first one.
func (w *workers) attempts(name string, b *model.Balancer) {
	lbRetries, at, ok := w.number(name, "lb_retries")
	if !ok {
		lbRetries = 2
	}
	retries, at2, ok2 := w.number(name, "retries")
	if !ok2 {
		retries = 2
	}
	if !ok && !ok2 {
		return
	}
	if !ok {
		at = at2
	}
	tries := min(max(lbRetries, 1), max(len(b.Members), 1)) * min(max(retries, 1), 1000)
	b.MaxAttempts = model.Is(tries-1, at)
}

// failOn: mod_jk keeps fail_on_status at each member, mod_proxy at the balancer:
// it is held when all members that have one agree. Negative values, after which
// the member stays usable, are not held.
func (w *workers) failOn(b *model.Balancer, members []item) {
	text := ""
	var from []*entry
	for _, it := range members {
		e := w.get(it.text, "fail_on_status")
		if e == nil {
			return
		}
		var codes []string
		for _, c := range e.items() {
			if n, ok := number(c.text); ok && n >= 100 && n <= 599 {
				codes = append(codes, strconv.Itoa(n))
			} else {
				return
			}
		}
		if s := strings.Join(codes, ","); text == "" || s == text {
			text, from = s, append(from, e)
		} else {
			return
		}
	}
	for _, e := range from {
		w.t.use(e)
	}
	if text != "" {
		b.FailOnStatus = model.Is(text, from[0].last().ValueSpan)
	}
}
