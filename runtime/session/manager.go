package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"clowder/runtime/tribes"
)

// Manager holds the sessions of one context.
type Manager interface {
	// Start takes the manager into use. For a cluster it fetches the state of the oldest member, and waits for it.
	Start(ctx context.Context) error
	// Stop ends all sessions on this node, and in the whole cluster with ExpireOnShutdown.
	Stop(ctx context.Context) error
	// Find returns the valid session of that id, or nil.
	Find(id string) *Session
	// Create makes a session with a new id. It fails with ErrTooMany.
	Create() (*Session, error)
	// ChangeID gives the session another id, here and on all members. An id that is in use is not taken.
	ChangeID(s *Session, newID string)
	// EndRequest ends a request that used the session and sends what it changed. With SendOptions 6 it returns
	// after all members acknowledged. It calls EndAccess itself.
	EndRequest(s *Session) error
	// Count returns the number of sessions held, primary and backup.
	Count() int
	// Context returns the name of the context, as in Config.
	Context() string
}

// ErrTooMany is returned by Create when MaxActive sessions exist.
var ErrTooMany = errors.New("too many active sessions")

// Config configures a manager. What it says about replication is for NewDelta; the meanings are those of
// the attributes of Tomcat's ClusterManagerBase and DeltaManager.
type Config struct {
	Context              string        // HOST#PATH, as "localhost#/app"
	JVMRoute             string        // suffix of the ids made here, without the dot
	IDLength             int           // random bytes of an id, 0 means 16
	MaxInactive          time.Duration // of new sessions; <= 0: they never expire
	MaxActive            int           // limit for Create, <= 0: none
	StateTransferTimeout time.Duration // 0: do not wait for the state, < 0: wait for ever
	SendOptions          int           // of session messages (channelSendOptions)
	ExpireOnShutdown     bool          // Stop ends the sessions in the whole cluster
	SendAllSessions      bool          // send the state as one message instead of blocks
	SendAllSize          int           // sessions in a block, 0 means 1000
	SendAllWait          time.Duration // pause between blocks
	StateTimestampDrop   bool          // after a transfer drop queued messages older than the snapshot
	RecordAllActions     bool          // keep every change in a delta, not the last of each name
	NameFilter           string        // regular expression of attribute names that are replicated, "": all
	Log                  *slog.Logger  // nil: discarded
}

const (
	expiryInterval = 10 * time.Second // Tomcat's background thread runs as often
	sendTimeout    = 15 * time.Second
)

// never names attributes that DeltaManager does not replicate.
var never = map[string]bool{
	"javax.security.auth.subject":                           true,
	"org.apache.catalina.valves.CrawlerSessionManagerValve": true,
}

type manager struct {
	cfg     Config
	log     *slog.Logger
	filter  *regexp.Regexp
	cluster *Cluster // nil for sessions of one node

	mu       sync.RWMutex
	sessions map[string]*Session

	life   sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}

	held     holdBack
	transfer transfer
}

// NewStandard returns a manager whose sessions live on this node only.
func NewStandard(c Config) Manager { return newManager(c, nil) }

func newManager(c Config, cl *Cluster) *manager {
	if c.IDLength <= 0 {
		c.IDLength = 16
	}
	if c.SendAllSize <= 0 {
		c.SendAllSize = 1000
	}
	m := &manager{cfg: c, log: c.Log, cluster: cl, sessions: map[string]*Session{}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if c.NameFilter != "" {
		re, err := regexp.Compile("^(?:" + c.NameFilter + ")$")
		if err != nil {
			m.log.Error("session attribute name filter is ignored", "context", c.Context, "error", err)
		}
		m.filter = re
	}
	m.held.m = m
	return m
}

func (m *manager) replicates(name string) bool {
	return m != nil && m.cluster != nil && !never[name] && (m.filter == nil || m.filter.MatchString(name))
}

func (m *manager) Context() string { return m.cfg.Context }

func (m *manager) Start(ctx context.Context) error {
	m.life.Lock()
	defer m.life.Unlock()
	if m.cancel != nil {
		return fmt.Errorf("manager of %s is started already", m.cfg.Context)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if m.cluster != nil {
		if err := m.join(ctx); err != nil {
			cancel()
			m.cluster.forget(m)
			return err
		}
	}
	m.cancel, m.done = cancel, make(chan struct{})
	go m.background(run, m.done)
	return nil
}

func (m *manager) background(ctx context.Context, done chan struct{}) {
	defer close(done)
	t := time.NewTicker(expiryInterval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			m.expireDue()
		}
	}
}

func (m *manager) expireDue() {
	now := nowMS()
	for _, s := range m.all() {
		if over, tell := s.due(now); over {
			m.expire(s, tell)
		}
	}
}

func (m *manager) Stop(context.Context) error {
	m.life.Lock()
	defer m.life.Unlock()
	if m.cancel == nil {
		return nil
	}
	m.cancel()
	<-m.done
	m.cancel = nil
	for _, s := range m.all() {
		m.expire(s, m.cluster != nil && m.cfg.ExpireOnShutdown)
	}
	if m.cluster != nil {
		m.cluster.forget(m)
		m.held.clear()
	}
	return nil
}

func (m *manager) all() []*Session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make([]*Session, 0, len(m.sessions))
	for _, s := range m.sessions {
		out = append(out, s)
	}
	return out
}

func (m *manager) lookup(id string) *Session {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sessions[id]
}

func (m *manager) Find(id string) *Session {
	s := m.lookup(id)
	if s == nil {
		return nil
	}
	if over, tell := s.due(nowMS()); over {
		m.expire(s, tell)
	}
	if !s.Valid() {
		return nil
	}
	return s
}

func (m *manager) Count() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.sessions)
}

// newID makes an id as StandardSessionIdGenerator does: upper-case hexadecimal and the route.
func (m *manager) newID() string {
	b := make([]byte, m.cfg.IDLength)
	rand.Read(b) // never fails: crypto/rand ends the program instead
	id := strings.ToUpper(hex.EncodeToString(b))
	if m.cfg.JVMRoute != "" {
		id += "." + m.cfg.JVMRoute
	}
	return id
}

func (m *manager) blank(id string, created int64) *Session {
	return &Session{
		m: m, id: id, created: created, lastAccessed: created, thisAccessed: created,
		maxInactive: seconds(m.cfg.MaxInactive), isNew: true, valid: true, attrs: map[string]attr{}, replicated: created,
	}
}

func (m *manager) Create() (*Session, error) {
	s := m.blank(m.newID(), nowMS())
	s.primary = true
	s.sending.Lock() // nothing about the session leaves before SESSION_CREATED
	defer s.sending.Unlock()
	m.mu.Lock()
	if m.cfg.MaxActive > 0 && len(m.sessions) >= m.cfg.MaxActive {
		m.mu.Unlock()
		return nil, ErrTooMany
	}
	for m.sessions[s.id] != nil {
		s.id = m.newID()
	}
	m.sessions[s.id] = s
	m.mu.Unlock()
	if m.cluster == nil {
		return s, nil
	}
	s.mu.Lock()
	s.record(action{kind: typeIsNew, act: actionSet, name: nameIsNew, has: true, value: true})
	s.record(action{kind: typeMaxInterval, act: actionSet, name: nameMaxInterval, has: true, value: s.maxInactive})
	id, stamp := s.id, s.created
	s.mu.Unlock()
	if err := m.broadcast(&message{event: evCreated, stamp: stamp, id: id, unique: unique(id, stamp)}); err != nil {
		m.log.Warn("session creation not sent to all members", "context", m.cfg.Context, "error", err)
	}
	return s, nil
}

func unique(id string, stamp int64) string { return fmt.Sprintf("%s-%d", id, stamp) }

// broadcast completes the message and sends it to all members.
func (m *manager) broadcast(msg *message) error {
	msg.context, msg.stampSet = m.cfg.Context, true
	members := m.cluster.ch.Members()
	if len(members) == 0 {
		return nil
	}
	return m.cluster.send(msg, tribes.SendOptions(m.cfg.SendOptions), members...)
}

// rename moves the session to another id; false when that is in use or the session is gone.
func (m *manager) rename(s *Session, newID string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.sessions[newID] != nil || m.sessions[s.id] != s || !s.valid {
		return false
	}
	delete(m.sessions, s.id)
	s.id = newID
	m.sessions[newID] = s
	return true
}

func (m *manager) ChangeID(s *Session, newID string) {
	s.sending.Lock()
	defer s.sending.Unlock()
	old := s.ID()
	data, err := encodeID(newID)
	if err != nil || !m.rename(s, newID) || m.cluster == nil {
		return
	}
	now := nowMS()
	err = m.broadcast(&message{event: evChangeID, stamp: now, data: data, id: old, unique: unique(old, now)})
	if err != nil {
		m.log.Warn("session id change not sent to all members", "context", m.cfg.Context, "error", err)
	}
	m.held.release(newID)
}

func (m *manager) EndRequest(s *Session) error {
	if s == nil || s.m != m {
		return nil
	}
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	s.endAccess()
	if m.cluster == nil || !s.valid {
		s.mu.Unlock()
		return nil
	}
	now := nowMS()
	id, actions, unsent := s.id, s.actions, s.unsent
	idle := s.maxInactive > 0 && now-s.replicated > int64(s.maxInactive)*1000
	tell := len(actions) > 0 || !s.primary || idle
	s.actions, s.unsent, s.primary = nil, nil, true
	if tell {
		s.replicated = now
	}
	s.mu.Unlock()
	if !tell {
		return errors.Join(unsent...)
	}
	if len(actions) == 0 {
		unsent = append(unsent, m.broadcast(&message{event: evAccessed, stamp: now, id: id, unique: unique(id, now)}))
	} else {
		unsent = append(unsent, m.sendDelta(id, actions, now))
	}
	return errors.Join(unsent...)
}

func (m *manager) sendDelta(id string, actions []action, now int64) error {
	if len(m.cluster.ch.Members()) == 0 {
		return nil
	}
	data, err := encodeDelta(id, m.cfg.RecordAllActions, actions)
	if err != nil {
		return fmt.Errorf("delta of session %s: %w", id, err)
	}
	return m.broadcast(&message{event: evDelta, stamp: now, data: data, id: id, unique: unique(id, now)})
}

// expire ends the session here; with tell its last changes and SESSION_EXPIRED go to all members.
func (m *manager) expire(s *Session, tell bool) {
	if tell && m.cluster != nil {
		s.sending.Lock()
		defer s.sending.Unlock()
	}
	m.mu.Lock()
	s.mu.Lock()
	was, id, actions := s.valid, s.id, s.actions
	s.valid, s.actions, s.unsent, s.attrs = false, nil, nil, map[string]attr{}
	if m.sessions[id] == s {
		delete(m.sessions, id)
	}
	s.mu.Unlock()
	m.mu.Unlock()
	if !was || !tell || m.cluster == nil {
		return
	}
	now := nowMS()
	var err error
	if len(actions) > 0 {
		err = m.sendDelta(id, actions, now)
	}
	err = errors.Join(err, m.broadcast(&message{event: evExpired, stamp: now, id: id, unique: id + "-EXPIRED-MSG"}))
	if err != nil {
		m.log.Warn("session expiry not sent to all members", "context", m.cfg.Context, "error", err)
	}
}
