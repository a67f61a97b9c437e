package balancer

import "time"

// HealthChange is what the result of a health check did to a member.
type HealthChange int

// The changes.
const (
	HealthSame HealthChange = iota
	HealthLost              // the member is out until checks pass
	HealthBack              // the member takes requests again
)

// Checked takes the result of a health check that ended at the time now (hc_check
// of mod_proxy_hcheck.c): enough failures in a member that is in order take it out,
// enough passes bring back one that checks or requests put into error. A pass does
// not reset the count of failures, nor the other way round.
func (m *Member) Checked(pass bool, now time.Time) HealthChange {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := &m.health
	h.Checked = now
	switch bad := m.status&(HealthFailed|InError) != 0; {
	case bad && pass:
		if h.Passed++; h.Passed >= h.Passes {
			m.status &^= HealthFailed | InError
			h.Passed = 0
			return HealthBack
		}
	case !bad && !pass:
		m.errorTime = now
		if h.Failed++; h.Failed >= h.Fails {
			m.status |= HealthFailed
			h.Failed = 0
			return HealthLost
		}
	}
	return HealthSame
}
