// Package balancer chooses a member for each request as httpd's
// mod_proxy_balancer does: recovery of members in error, sticky routes from path
// parameter or cookie, redirects, hot standbys and spares, sets, draining and the
// load balancing methods. It is the run-time state behind balancer-manager.
//
// The behaviour follows modules/proxy/mod_proxy_balancer.c and proxy_util.c of
// httpd 2.4. Everything here is safe for concurrent use.
package balancer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/parse/model"
	"clowder/runtime/balancer/lbmethod"
)

// Options are what is not part of the configuration.
type Options struct {
	PortOffset int // added to the port of every member
}

// Why Pick found nobody; the error says it in httpd's words and with its number.
var (
	ErrRoute     = errors.New("AH01167: All workers are in error state for route")
	ErrNobody    = errors.New("AH01170: All workers are in error state")
	ErrNoMembers = errors.New("AH01171: No workers in balancer")
	ErrFull      = errors.New("no room for another member: growth is used up")
	ErrExists    = errors.New("the balancer has a member of that URL")
	ErrBadURL    = errors.New("not a member URL")
)

// PickError is the error of Pick.
type PickError struct {
	Balancer, Route string
	Err             error // ErrRoute, ErrNobody, ErrNoMembers or the context's error
}

func (e *PickError) Error() string {
	id, text, _ := strings.Cut(e.Err.Error(), ": ")
	s := id + ": balancer://" + e.Balancer + ": " + text
	if e.Err == ErrRoute {
		s += " (" + e.Route + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *PickError) Unwrap() error { return e.Err }

// Choice is how a member came to be chosen.
type Choice struct {
	SessionRoute string // route asked for, "" for none
	StickyName   string // cookie or parameter that named it
	RouteChanged bool   // the member is not the one asked for
}

// config are the settings that balancer-manager may change.
type config struct {
	sticky     string
	sep        byte // 0 for Off
	scolon     bool
	noFailover bool
	force      bool
	timeout    time.Duration
	attempts   int
	method     *lbmethod.Method
}

// Balancer is the run-time state of one balancer://.
type Balancer struct {
	Name  string // without balancer://
	Model *model.Balancer
	Nonce string // needed to change anything; "" forbids every change

	offset  int
	room    int
	mu      *sync.Mutex // of its members, too; after a reload also that of its predecessor
	c       config
	written config // as configured
	members []*Member
	workers []lbmethod.Worker // the same
}

// New makes the run-time state of b: unset values are httpd's defaults.
func New(b *model.Balancer, o Options) (*Balancer, error) {
	r := &Balancer{Name: strings.ToLower(b.Name.V), Model: b, offset: o.PortOffset, room: b.Growth.V, mu: new(sync.Mutex)}
	switch {
	case strings.EqualFold(b.Nonce.V, "none"):
	case b.Nonce.V != "":
		r.Nonce = b.Nonce.V
	default:
		r.Nonce = uuid()
	}
	for _, m := range b.Members {
		w, err := newMember(m, o.PortOffset, r.mu)
		if err != nil {
			return nil, fmt.Errorf("balancer %q, member %q: %w", b.Name.V, m.URL.V, err)
		}
		r.add(w)
	}
	r.c = config{
		sticky: b.Sticky.V, sep: '.', scolon: b.ScolonDelim.V, noFailover: b.NoFailover.V,
		force: b.ForceRecovery.Or(true), timeout: b.Timeout.V, attempts: max(len(r.members)-1, 0),
		method: lbmethod.Find(b.LBMethod.Or("byrequests")),
	}
	if s := b.StickySep.V; strings.EqualFold(s, "off") {
		r.c.sep = 0
	} else if s != "" {
		r.c.sep = s[0]
	}
	if b.MaxAttempts.IsWritten() {
		r.c.attempts = b.MaxAttempts.V
	}
	if r.c.method == nil {
		return nil, fmt.Errorf("balancer %q: unknown lbmethod %q", b.Name.V, b.LBMethod.V)
	}
	r.written = r.c
	return r, nil
}

func (b *Balancer) add(m *Member) {
	b.members = append(slices.Clone(b.members), m)
	b.workers = append(slices.Clone(b.workers), worker{m})
}

// uuid returns a random UUID of version 4.
func uuid() string {
	var u [16]byte
	rand.Read(u[:]) // never fails: it crashes the program instead
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// Members returns the members in file order; the list is not changed afterwards.
func (b *Balancer) Members() []*Member {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.members
}

// Attempts returns how many further members a request may try.
func (b *Balancer) Attempts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.c.attempts
}

// Pick chooses a member for the request and counts it as busy: the caller ends
// that with Release. A failed attempt is marked with Fail before the next Pick.
// With the balancer's timeout it waits until a member is usable. Errors are *PickError.
func (b *Balancer) Pick(ctx context.Context, req StickyRequest) (*Member, Choice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.members) == 0 {
		return nil, Choice{}, &PickError{b.Name, "", ErrNoMembers}
	}
	b.recover()
	var ch Choice
	ch.SessionRoute, ch.StickyName = b.c.route(&req)
	if r := ch.SessionRoute; r != "" {
		if m := b.findRoute(r, 1); m != nil {
			b.bookSticky(m)
			ch.RouteChanged = m.route != r
			return m, ch, nil
		}
		if b.c.noFailover && slices.ContainsFunc(b.members, func(m *Member) bool { return m.route == r }) {
			return nil, ch, &PickError{b.Name, r, ErrRoute}
		}
	}
	i := b.c.method.Pick(b.workers)
	if i < 0 && b.c.timeout > 0 {
		var err error
		if i, err = b.await(ctx); err != nil {
			return nil, ch, &PickError{b.Name, "", err}
		}
	}
	if i < 0 {
		return nil, ch, &PickError{b.Name, "", ErrNobody}
	}
	m := b.members[i]
	m.lb.Busy++
	m.lb.Elected++
	ch.RouteChanged = b.c.sticky != ""
	return m, ch, nil
}

// await polls for a member until the balancer's timeout is over; the lock is
// held at both ends.
func (b *Balancer) await(ctx context.Context) (int, error) {
	end := time.Now().Add(b.c.timeout)
	for step := max(b.c.timeout/100, time.Millisecond); time.Now().Before(end); {
		b.mu.Unlock()
		t := time.NewTimer(step)
		var err error
		select {
		case <-t.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
		t.Stop()
		b.mu.Lock()
		if err != nil {
			return -1, err
		}
		if i := b.c.method.Pick(b.workers); i >= 0 {
			return i, nil
		}
	}
	return -1, nil
}

// recover clears the errors of all members when all have one and no retry is due.
func (b *Balancer) recover() {
	for _, m := range b.members {
		m.tryAgain()
		if m.status&InError == 0 {
			return
		}
	}
	if !b.c.force {
		return
	}
	for _, m := range b.members {
		m.status &^= InError
		m.retries++
	}
}

// findRoute is find_route_worker: members that are no hot standby come first,
// and a member that cannot be used may name another route.
func (b *Balancer) findRoute(route string, depth int) *Member {
	for _, standby := range [...]Status{0, HotStandby} {
		for _, m := range b.members {
			if m.route != route || m.route == "" || m.status&HotStandby != standby {
				continue
			}
			if !m.status.Usable() {
				m.tryAgain()
			}
			if m.status.Usable() {
				return m
			}
			if m.redirect != "" && depth < len(b.members) {
				if r := b.findRoute(m.redirect, depth+1); r != nil {
					return r
				}
			}
		}
	}
	return nil
}

// bookSticky counts a member that was chosen by its route.
func (b *Balancer) bookSticky(m *Member) {
	total := 0
	for _, w := range b.members {
		if w.status.Usable() {
			w.lb.Status += w.lb.Factor
			total += w.lb.Factor
		}
	}
	m.lb.Status -= total
	m.lb.Busy++
	m.lb.Elected++
}

// Settings are the balancer's settings at one moment.
type Settings struct {
	Sticky     string // NAME or NAME|PARAM, "" for none
	NoFailover bool
	Timeout    time.Duration
	Attempts   int
	Method     string
	Force      bool
	Room       int // members that may still be added
}

// Settings returns the settings.
func (b *Balancer) Settings() Settings {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Settings{b.c.sticky, b.c.noFailover, b.c.timeout, b.c.attempts, b.c.method.Name, b.c.force, b.room}
}

// SetMethod changes the method and resets what the methods count. It reports
// whether there is such a method.
func (b *Balancer) SetMethod(name string) bool {
	m := lbmethod.Find(name)
	if m == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.c.method = m
	for _, w := range b.members {
		w.lb = lbmethod.Counters{Factor: w.lb.Factor, Set: w.lb.Set, Busy: w.lb.Busy}
	}
	return true
}

// SetTimeout sets the time to wait for a usable member.
func (b *Balancer) SetTimeout(d time.Duration) { b.mu.Lock(); b.c.timeout = d; b.mu.Unlock() }

// SetAttempts sets the number of further attempts.
func (b *Balancer) SetAttempts(n int) { b.mu.Lock(); b.c.attempts = n; b.mu.Unlock() }

// SetNoFailover says whether a session never leaves its route.
func (b *Balancer) SetNoFailover(on bool) { b.mu.Lock(); b.c.noFailover = on; b.mu.Unlock() }

// SetSticky sets NAME or NAME|PARAM; "" turns stickiness off.
func (b *Balancer) SetSticky(s string) { b.mu.Lock(); b.c.sticky = s; b.mu.Unlock() }

// SetFactor sets a member's load factor times 100, and starts every member's
// share anew as balancer-manager does.
func (b *Balancer) SetFactor(m *Member, factor int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m.lb.Factor = factor
	for _, w := range b.members {
		w.lb.Status = w.lb.Factor
	}
	if len(b.members) == 1 {
		m.lb.Factor, m.lb.Status = 100, 100
	}
}

// AddMember adds a member at run time; it starts disabled.
func (b *Balancer) AddMember(url string) (*Member, error) {
	before, authority, _ := splitURL(url)
	scheme := strings.ToLower(strings.TrimSuffix(before, "://"))
	if authority == "" || DefaultPort(scheme) == 0 || strings.ContainsAny(url, " \"<>\r\n") {
		return nil, ErrBadURL
	}
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		if n, err := strconv.Atoi(authority[i+1:]); err != nil || n < 1 || n > 65535 {
			return nil, ErrBadURL
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	name := normalURL(url)
	if slices.ContainsFunc(b.members, func(m *Member) bool { return m.Name == name }) {
		return nil, ErrExists
	}
	if b.room <= 0 {
		return nil, ErrFull
	}
	spec := model.Member{}
	spec.URL.V = url
	m, err := newMember(&spec, b.offset, b.mu)
	if err != nil {
		return nil, err
	}
	m.status |= Disabled
	m.added = true
	b.room--
	b.add(m)
	return m, nil
}
