package balancer

import (
	"math"
	"sync"
	"time"

	"clowder/parse/model"
	"clowder/runtime/balancer/lbmethod"
)

// Member is one backend of a balancer, or a plain worker, with its run-time
// state (proxy_worker_shared of modules/proxy/mod_proxy.h). Its methods may be
// called from many goroutines.
type Member struct {
	Model *model.Member // as configured; read only
	URL   string        // member URL, lower-case scheme and host, ports moved by the offset
	Name  string        // URL as configured, for pages, logs and variables

	// Socket is the path of a Unix domain socket to connect to, "" for TCP
	// (unix:/path|http://host/); URL then is what stands behind the "|".
	Socket string

	mu        *sync.Mutex // the balancer's
	lb        lbmethod.Counters
	status    Status
	route     string
	redirect  string
	retry     time.Duration
	errorTime time.Time
	retries   int
	health    Health
	attach    any
	added     bool    // by balancer-manager
	next      *Member // that took over the state in a reload; its lock is the same
}

// Health are the settings and counts of mod_proxy_hcheck for one member.
type Health struct {
	Method        string        // as hcmethod=
	Interval      time.Duration // between checks
	Passes, Fails int           // checks needed to change the state
	URI, Expr     string
	Passed        int // counts so far
	Failed        int
	Checked       time.Time // end of the last check, or when checking began
}

// newMember makes a member; mu is the lock that guards it.
func newMember(m *model.Member, offset int, mu *sync.Mutex) (*Member, error) {
	status, err := (Initialized).Apply(m.Status.V)
	if err != nil {
		return nil, err
	}
	w := &Member{
		Model: m, Name: normalURL(m.URL.V), mu: mu, status: status,
		route: m.Route.V, redirect: m.Redirect.V,
		retry: m.Retry.Or(60 * time.Second),
		health: Health{Method: m.HCMethod.Or("NONE"), Interval: m.HCInterval.Or(30 * time.Second),
			Passes: m.HCPasses.Or(1), Fails: m.HCFails.Or(1), URI: m.HCURI.V, Expr: m.HCExpr.V},
	}
	if m.HCTemplate.IsWritten() && !m.HCMethod.IsWritten() {
		w.health.Method = "TCP" // of a template that names no method (set_hc_template)
	}
	if socket, rest := SplitSocket(m.URL.V); socket != "" {
		w.Socket, w.URL = socket, normalURL(rest)
		w.Name = "unix:" + socket + "|" + w.URL
	} else {
		w.URL = ShiftURL(w.Name, offset)
	}
	w.lb.Factor = int(math.Round(m.LoadFactor.Or(1) * 100))
	if w.lb.Factor == 0 {
		w.lb.Factor = 100
	}
	w.lb.Set = m.LBSet.V
	return w, nil
}

// NewWorker makes a plain worker, outside every balancer: it has the ignore bit.
func NewWorker(m *model.Member, o Options) (*Member, error) {
	w, err := newMember(m, o.PortOffset, new(sync.Mutex))
	if err == nil {
		w.status |= Ignore
	}
	return w, err
}

// The methods that make a member a lbmethod.Worker; the balancer's lock is held.

type worker struct{ *Member }

func (w worker) Counters() *lbmethod.Counters { return &w.lb }
func (w worker) Usable() bool                 { return w.status.Usable() }
func (w worker) Retry()                       { w.tryAgain() }
func (w worker) Draining() bool               { return w.status&Drain != 0 }
func (w worker) Spare() bool                  { return w.status&HotSpare != 0 }
func (w worker) Standby() bool                { return w.status&HotStandby != 0 }

// tryAgain clears an error whose time is over (ap_proxy_retry_worker).
func (m *Member) tryAgain() {
	if m.status&InError == 0 || m.status&Stopped != 0 {
		return
	}
	if m.status&Ignore != 0 || time.Now().After(m.errorTime.Add(m.retry)) {
		m.status &^= InError
		m.retries++
	}
}

// Fail puts the member into the error state, unless it ignores errors, and
// reports whether it did.
func (m *Member) Fail() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.status&Ignore != 0 {
		return false
	}
	m.status |= InError
	m.errorTime = time.Now()
	for n := m.next; n != nil; n = n.next {
		if n.status&Ignore == 0 {
			n.status |= InError
			n.errorTime = m.errorTime
		}
	}
	return true
}

// Usable reports whether the member takes requests.
func (m *Member) Usable() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status.Usable()
}

// Acquire counts a request in progress; Pick has done so already.
func (m *Member) Acquire() {
	m.mu.Lock()
	m.lb.Busy++
	m.lb.Elected++
	m.mu.Unlock()
}

// Release ends a request in progress, also in the members that took over.
func (m *Member) Release() {
	m.mu.Lock()
	for n := m; n != nil; n = n.next {
		if n.lb.Busy > 0 {
			n.lb.Busy--
		}
	}
	m.mu.Unlock()
}

// Count adds to the bytes sent to and received from the backend. Bytes that were
// sent show that the backend can be reached again: its last error is forgotten.
func (m *Member) Count(sent, received int64) {
	m.mu.Lock()
	if sent > 0 && m.status&InError == 0 && !m.errorTime.IsZero() {
		m.errorTime, m.retries = time.Time{}, 0
	}
	m.lb.Sent += uint64(max(sent, 0))
	m.lb.Received += uint64(max(received, 0))
	m.mu.Unlock()
}

// Status returns the state bits.
func (m *Member) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

// SetStatus sets or clears bits.
func (m *Member) SetStatus(bits Status, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if on {
		m.status |= bits
		if bits&InError != 0 {
			m.errorTime = time.Now()
		}
	} else {
		m.status &^= bits
	}
}

// Route returns the sticky route.
func (m *Member) Route() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.route
}

// SetRoute sets the sticky route, "" for none.
func (m *Member) SetRoute(r string) { m.mu.Lock(); m.route = r; m.mu.Unlock() }

// SetRedirect sets the route used instead of this member's while it is not usable.
func (m *Member) SetRedirect(r string) { m.mu.Lock(); m.redirect = r; m.mu.Unlock() }

// SetLBSet sets the set, 0 to 99.
func (m *Member) SetLBSet(n int) { m.mu.Lock(); m.lb.Set = n; m.mu.Unlock() }

// Health returns the health check's settings and counts.
func (m *Member) Health() Health {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.health
}

// UpdateHealth changes them under the lock; f must not call the member.
func (m *Member) UpdateHealth(f func(*Health)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.health)
}

// Attached returns what make returned on the first call: the proxy keeps the
// member's connection pool here.
func (m *Member) Attached(make func() any) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.attach == nil {
		m.attach = make()
	}
	return m.attach
}

// Snapshot is a member's state at one moment.
type Snapshot struct {
	Name, Route, Redirect string
	Factor                int // times 100
	Set, Busy, Load       int // Load is httpd's lbstatus
	Status                Status
	Elected               uint64
	Sent, Received        uint64 // bytes
	Retries               int
	ErrorTime             time.Time
	Retry                 time.Duration
	Health                Health
}

// Snapshot returns the state.
func (m *Member) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Snapshot{
		Name: m.Name, Route: m.route, Redirect: m.redirect, Factor: m.lb.Factor, Set: m.lb.Set,
		Busy: m.lb.Busy, Load: m.lb.Status, Status: m.status, Elected: m.lb.Elected, Sent: m.lb.Sent,
		Received: m.lb.Received, Retries: m.retries, ErrorTime: m.errorTime, Retry: m.retry, Health: m.health,
	}
}
