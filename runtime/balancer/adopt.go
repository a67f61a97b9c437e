package balancer

import (
	"slices"
	"strings"

	"clowder/parse/model"
)

// Adopt makes b, which nobody uses yet, go on where old stands: counts, errors and
// what balancer-manager has changed stay with each member of the same URL, except
// where the configuration itself says something new. With reuse members whose
// configuration is the same are the same objects afterwards, with their
// connections. Requests that still run with old count in b as well.
func (b *Balancer) Adopt(old *Balancer, reuse bool) {
	old.mu.Lock()
	defer old.mu.Unlock()
	b.mu = old.mu
	for i, m := range b.members {
		m.mu = b.mu
		if o := old.named(m.Name); o != nil {
			m = adopted(m, o, reuse)
		}
		b.members[i], b.workers[i] = m, worker{m}
	}
	for _, o := range old.members {
		if o.added && b.room > 0 && b.named(o.Name) == nil {
			b.room--
			b.add(o)
		}
	}
	if !b.Model.Nonce.IsSet() && !old.Model.Nonce.IsSet() {
		b.Nonce = old.Nonce
	}
	was, is, now := old.written, b.written, old.c
	b.c = config{
		sticky: kept(was.sticky, is.sticky, now.sticky), sep: kept(was.sep, is.sep, now.sep), scolon: kept(was.scolon, is.scolon, now.scolon),
		noFailover: kept(was.noFailover, is.noFailover, now.noFailover), force: kept(was.force, is.force, now.force),
		timeout: kept(was.timeout, is.timeout, now.timeout), attempts: kept(was.attempts, is.attempts, now.attempts), method: kept(was.method, is.method, now.method),
	}
}

// kept is the rule of all settings: a new configuration counts where it differs
// from the old one, else the present value stays.
func kept[T comparable](was, is, now T) T {
	if was != is {
		return is
	}
	return now
}

func (b *Balancer) named(name string) *Member {
	if i := slices.IndexFunc(b.members, func(m *Member) bool { return m.Name == name }); i >= 0 {
		return b.members[i]
	}
	return nil
}

// AdoptWorker is Adopt for a plain worker: it returns the one to use.
func AdoptWorker(m, old *Member, reuse bool) *Member {
	old.mu.Lock()
	defer old.mu.Unlock()
	m.mu = old.mu
	return adopted(m, old, reuse)
}

// adopted returns old itself or m with old's state; the lock is held.
func adopted(m, old *Member, reuse bool) *Member {
	if reuse && SameMember(m.Model, old.Model) {
		return old
	}
	first, err := newMember(old.Model, 0, nil) // as old was at first
	if err != nil {
		first = old
	}
	if m.Model.Status.V == old.Model.Status.V {
		m.status = old.status
	}
	m.status |= old.status & (InError | HealthFailed)
	was, is, now := first.health, m.health, old.health
	m.health = Health{
		Method: kept(was.Method, is.Method, now.Method), Interval: kept(was.Interval, is.Interval, now.Interval),
		Passes: kept(was.Passes, is.Passes, now.Passes), Fails: kept(was.Fails, is.Fails, now.Fails),
		URI: kept(was.URI, is.URI, now.URI), Expr: kept(was.Expr, is.Expr, now.Expr),
		Passed: now.Passed, Failed: now.Failed, Checked: now.Checked,
	}
	if strings.EqualFold(m.health.Method, "none") {
		m.status &^= HealthFailed // nothing would bring it back
	}
	m.route, m.redirect = kept(first.route, m.route, old.route), kept(first.redirect, m.redirect, old.redirect)
	m.errorTime, m.retries = old.errorTime, old.retries
	lb := old.lb
	lb.Factor, lb.Set = kept(first.lb.Factor, m.lb.Factor, lb.Factor), kept(first.lb.Set, m.lb.Set, lb.Set)
	m.lb = lb
	old.next = m
	return m
}

// SameMember reports whether two members are configured alike.
func SameMember(a, b *model.Member) bool {
	in := func(m *model.Member) *model.Setup {
		return &model.Setup{FrontEnds: []*model.FrontEnd{{Main: &model.Server{Workers: []*model.Member{m}}}}}
	}
	return len(model.Compare(in(a), in(b))) == 0
}
