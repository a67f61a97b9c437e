package session

import (
	"slices"
	"sync"
	"time"
)

// Limits of the hold-back, per manager. Tomcat drops a delta whose
// SESSION_CREATED it has not seen; messages of one session can overtake each
// other on their way, so here they wait a little for the session to appear.
const (
	holdTime     = 2 * time.Second
	holdMessages = 1024
	holdBytes    = 4 << 20
)

type heldMessage struct {
	msg   *message
	until time.Time
}

// holdBack keeps messages for sessions that are not known yet, oldest first.
type holdBack struct {
	m *manager

	mu    sync.Mutex
	queue []heldMessage
	bytes int
	timer *time.Timer
	busy  map[string]bool // ids whose messages are being released: newer ones queue up behind them
}

func (h *heldMessage) size() int {
	return len(h.msg.data) + len(h.msg.id) + len(h.msg.unique) + len(h.msg.context) + 128
}

// find returns the session of the message, or holds the message back.
func (h *holdBack) find(msg *message) *Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.m.lookup(msg.id); s != nil && !h.busy[msg.id] {
		return s
	}
	now := time.Now()
	h.prune(now)
	e := heldMessage{msg: msg, until: now.Add(holdTime)}
	if e.size() > holdBytes {
		return nil
	}
	h.queue = append(h.queue, e)
	h.bytes += e.size()
	for len(h.queue) > holdMessages || h.bytes > holdBytes {
		h.drop()
	}
	if h.timer == nil {
		h.timer = time.AfterFunc(holdTime, h.tick)
	}
	return nil
}

func (h *holdBack) drop() {
	h.bytes -= h.queue[0].size()
	h.queue[0] = heldMessage{}
	h.queue = h.queue[1:]
}

func (h *holdBack) prune(now time.Time) {
	for len(h.queue) > 0 && !h.queue[0].until.After(now) {
		h.drop()
	}
	if len(h.queue) == 0 {
		h.queue = nil
	}
}

func (h *holdBack) tick() {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.prune(now)
	h.timer = nil
	if len(h.queue) > 0 {
		h.timer = time.AfterFunc(h.queue[0].until.Sub(now), h.tick)
	}
}

// release carries out what was held for the id, in the order of arrival.
func (h *holdBack) release(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.busy[id] {
		return // the one who is at it takes everything
	}
	for {
		i := slices.IndexFunc(h.queue, func(e heldMessage) bool { return e.msg.id == id })
		if i < 0 {
			return
		}
		s := h.m.lookup(id)
		if s == nil {
			return
		}
		msg := h.queue[i].msg
		h.bytes -= h.queue[i].size()
		h.queue = slices.Delete(h.queue, i, i+1)
		h.carryOut(s, msg, id)
	}
}

// carryOut does the message with the lock given up meanwhile.
func (h *holdBack) carryOut(s *Session, msg *message, id string) {
	if h.busy == nil {
		h.busy = map[string]bool{}
	}
	h.busy[id] = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.busy, id)
	}()
	h.m.change(s, msg)
}

func (h *holdBack) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queue, h.bytes = nil, 0
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
}
