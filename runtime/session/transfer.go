package session

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"clowder/runtime/tribes"
)

// Limits of what waits for the end of a state transfer.
const (
	queueMessages = 100_000
	queueBytes    = 64 << 20
)

type queued struct {
	from tribes.Member
	msg  *message
}

// transfer is the state of fetching all sessions from another member.
type transfer struct {
	mu       sync.Mutex
	queueing bool
	open     bool // ALL_SESSION_DATA replaces what is here
	asked    tribes.Member
	queue    []queued
	bytes    int
	result   chan outcome
	stamp    int64 // messages older than this are in the snapshot
}

type outcome int

const (
	outcomeDone outcome = iota
	outcomeRefused
	outcomeGone
)

// same compares as the channel does: a static peer's unique id may not be known yet.
func same(a, b tribes.Member) bool { return a.Same(b) }

// enqueue keeps the message for after the transfer; false when there is none.
// The member that was asked for the state may ask for ours at the same time: it
// is answered at once, or both would wait for the whole time-out.
func (t *transfer) enqueue(from tribes.Member, msg *message) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.queueing || msg.event == evGetAll && same(from, t.asked) {
		return false
	}
	e := heldMessage{msg: msg}
	t.queue = append(t.queue, queued{from, msg})
	t.bytes += e.size()
	for len(t.queue) > queueMessages || t.bytes > queueBytes {
		e.msg = t.queue[0].msg
		t.bytes -= e.size()
		t.queue = t.queue[1:]
	}
	return true
}

// next takes the oldest queued message; without one the queueing ends.
func (t *transfer) next() (queued, int64, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.queueing, t.queue, t.bytes = false, nil, 0
		return queued{}, 0, false
	}
	q := t.queue[0]
	t.queue[0] = queued{}
	t.queue = t.queue[1:]
	return q, t.stamp, true
}

func (t *transfer) report(from tribes.Member, o outcome, stamp int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open || !same(from, t.asked) {
		return
	}
	if o == outcomeDone {
		t.stamp = stamp
	}
	if o != outcomeGone {
		t.open = false
	}
	select {
	case t.result <- o:
	default:
	}
}

func (t *transfer) finished(from tribes.Member, stamp int64) { t.report(from, outcomeDone, stamp) }
func (t *transfer) refused(from tribes.Member)               { t.report(from, outcomeRefused, 0) }
func (t *transfer) memberGone(m tribes.Member)               { t.report(m, outcomeGone, 0) }

func (t *transfer) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queueing, t.open, t.queue, t.bytes = true, true, nil, 0
}

func (t *transfer) ask(m tribes.Member, now int64) <-chan outcome {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked, t.stamp, t.result = m, now, make(chan outcome, 1)
	return t.result
}

func (t *transfer) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = false
}

// join registers the manager and fetches the sessions from the oldest member
// (DeltaManager.getAllClusterSessions). When that member dies the next one is asked.
func (m *manager) join(ctx context.Context) error {
	t := &m.transfer
	t.begin()
	m.cluster.register(m)
	members := slices.Clone(m.cluster.ch.Members())
	slices.SortStableFunc(members, func(a, b tribes.Member) int { return cmp.Compare(b.Alive, a.Alive) })
	if len(members) == 0 {
		m.log.Info("skipping state transfer, no members active in cluster group", "context", m.cfg.Context)
	}
	wait, cancel := ctx, context.CancelFunc(func() {})
	if d := m.cfg.StateTransferTimeout; d >= 0 {
		wait, cancel = context.WithTimeout(ctx, d)
	}
	defer cancel()
	for _, peer := range members {
		if m.fetch(wait, peer) {
			break
		}
	}
	if m.cfg.StateTransferTimeout != 0 {
		t.close()
	}
	for {
		q, stamp, ok := t.next()
		if !ok {
			break
		}
		if m.cfg.StateTimestampDrop && q.msg.event != evGetAll && q.msg.stamp < stamp {
			continue
		}
		m.process(q.from, q.msg)
	}
	return ctx.Err()
}

// fetch asks one member; false when another one should be asked.
func (m *manager) fetch(ctx context.Context, peer tribes.Member) bool {
	start := time.Now()
	now := nowMS()
	result := m.transfer.ask(peer, now)
	msg := &message{
		event: evGetAll, stamp: now, stampSet: true, context: m.cfg.Context, id: "GET-ALL", unique: "GET-ALL-" + m.cfg.Context,
	}
	if err := m.cluster.send(msg, optAsync, peer); err != nil {
		m.log.Warn("session state cannot be requested", "context", m.cfg.Context, "member", peer.Name(), "error", err)
		return false
	}
	if m.cfg.StateTransferTimeout == 0 {
		return true
	}
	log := m.log.With("context", m.cfg.Context, "member", peer.Name())
	// A member that left before the request did is reported to nobody any more.
	if !slices.ContainsFunc(m.cluster.ch.Members(), func(o tribes.Member) bool { return same(o, peer) }) {
		return false
	}
	select {
	case o := <-result:
		switch o {
		case outcomeGone:
			log.Warn("the member died during the state transfer, asking the next")
			return false
		case outcomeRefused:
			log.Warn("no matching context manager on the member, starting without its sessions")
			return true
		}
		log.Info("session state received", "took", time.Since(start), "sessions", m.Count())
	case <-ctx.Done():
		log.Error("no session state received", "waited", time.Since(start))
	}
	return true
}

// install takes ALL_SESSION_DATA. Sessions replace those of the same id while
// the transfer is open; state that comes late only adds what is missing.
func (m *manager) install(from tribes.Member, msg *message) {
	records, err := decodeState(msg.data)
	if err != nil {
		m.log.Warn("session state is dropped", "context", m.cfg.Context, "member", from.Name(), "error", err)
		return
	}
	m.transfer.mu.Lock()
	replace := m.transfer.open
	m.transfer.mu.Unlock()
	for i := range records {
		c := &records[i]
		if c.id == "" || !c.valid {
			continue
		}
		s := m.blank(c.id, c.created)
		s.restore(c)
		m.mu.Lock()
		_, known := m.sessions[c.id]
		if !known || replace {
			m.sessions[c.id] = s
		}
		m.mu.Unlock()
		m.held.release(c.id)
	}
}

// sendState answers GET_ALL_SESSIONS (DeltaManager.handleGET_ALL_SESSIONS).
func (m *manager) sendState(to tribes.Member) {
	stamp := nowMS()
	var records []record
	for _, s := range m.all() {
		if c, ok := s.snapshot(); ok {
			records = append(records, c)
		}
	}
	var err error
	if m.cfg.SendAllSessions {
		err = m.sendBlock(to, stamp, records)
	} else {
		for i := 0; i < len(records) && err == nil; i += m.cfg.SendAllSize {
			if i > 0 {
				time.Sleep(m.cfg.SendAllWait)
			}
			err = m.sendBlock(to, stamp, records[i:min(i+m.cfg.SendAllSize, len(records))])
		}
	}
	if err != nil {
		m.log.Warn("session state not sent", "context", m.cfg.Context, "member", to.Name(), "error", err)
	}
	err = m.cluster.send(&message{
		event: evTransferComplete, stamp: stamp, stampSet: true, context: m.cfg.Context,
		id: "SESSION-STATE-TRANSFERRED", unique: "SESSION-STATE-TRANSFERRED" + m.cfg.Context,
	}, tribes.SendOptions(m.cfg.SendOptions), to)
	if err != nil {
		m.log.Warn("end of session state not sent", "context", m.cfg.Context, "member", to.Name(), "error", err)
	}
}

func (m *manager) sendBlock(to tribes.Member, stamp int64, records []record) error {
	data, err := encodeState(records)
	if err != nil {
		return err
	}
	return m.cluster.send(&message{
		event: evAllData, stamp: stamp, stampSet: true, context: m.cfg.Context, data: data,
		id: "SESSION-STATE", unique: "SESSION-STATE-" + m.cfg.Context,
	}, optSyncAck, to)
}
