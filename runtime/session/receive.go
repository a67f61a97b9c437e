package session

import (
	"clowder/runtime/javaser"
	"clowder/runtime/tribes"
)

// receive takes a message for this context; during a state transfer most wait.
func (m *manager) receive(from tribes.Member, msg *message) {
	switch msg.event {
	case evAllData:
		m.install(from, msg)
	case evTransferComplete:
		m.transfer.finished(from, msg.stamp)
	case evNoContext:
		m.transfer.refused(from)
	case evGetAll, evCreated, evExpired, evAccessed, evDelta, evChangeID:
		if !m.transfer.enqueue(from, msg) {
			m.process(from, msg)
		}
	default:
		m.log.Warn("session message of an unknown type", "context", m.cfg.Context, "type", msg.event)
	}
}

func (m *manager) process(from tribes.Member, msg *message) {
	if msg.event == evGetAll {
		m.cluster.answer(func() { m.sendState(from) })
		return
	}
	if msg.event == evCreated {
		m.created(msg.id, msg.stamp)
		return
	}
	// The look-up and the decision to hold back are one step, or the session could appear in between.
	s := m.held.find(msg)
	if s == nil {
		return
	}
	m.change(s, msg)
}

func (m *manager) created(id string, stamp int64) {
	s := m.blank(id, stamp)
	s.thisAccessed = nowMS()
	m.mu.Lock()
	known := m.sessions[id] != nil // a repeated message must not empty the session
	if !known {
		m.sessions[id] = s
	}
	m.mu.Unlock()
	if !known {
		m.held.release(id)
	}
}

// change carries out a message about a session that is known here.
func (m *manager) change(s *Session, msg *message) {
	switch msg.event {
	case evExpired:
		m.expire(s, false)
	case evAccessed:
		s.touch()
	case evDelta:
		id, _, actions, err := decodeDelta(msg.data)
		if err == nil {
			err = s.apply(id, actions)
		}
		if err != nil {
			m.log.Warn("session delta is dropped", "context", m.cfg.Context, "session", msg.id, "error", err)
		}
	case evChangeID:
		r := javaser.NewReader(msg.data)
		id := r.UTF()
		if r.Err() != nil || id == "" {
			m.log.Warn("session id change is dropped", "context", m.cfg.Context, "session", msg.id, "error", r.Err())
			return
		}
		if m.rename(s, id) {
			s.touch()
			m.held.release(id)
		}
	}
}
