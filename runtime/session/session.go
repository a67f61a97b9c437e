// Package session holds HTTP sessions with the meaning they have in Tomcat:
// sessions of one node (catalina/session/StandardManager) and sessions that all
// members of a Tomcat cluster hold (catalina/ha/session/DeltaManager), with the
// same messages on the wire.
//
// A node binds a request to a manager with [Bind]; the program behind it calls
// [From] and uses the Session. After the answer the node calls
// Manager.EndRequest, which is when changes leave.
//
// All exported types are safe for concurrent use.
package session

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"clowder/runtime/javaser"
)

// attr is one attribute: the value the application set, and the form that is
// sent, taken when it was set. An attribute that came from another member has
// only the frozen form until somebody asks for it.
type attr struct {
	value  any
	live   bool
	frozen any
	err    error
}

// Session is one HTTP session.
type Session struct {
	m *manager // nil for a session that no manager knows

	// sending orders the messages of this session; it is taken before mu, and never by what receives messages.
	sending sync.Mutex

	mu           sync.Mutex
	id           string
	created      int64 // ms since 1970, as the next two
	lastAccessed int64
	thisAccessed int64
	maxInactive  int32 // seconds; <= 0: never expires
	isNew        bool
	valid        bool
	attrs        map[string]attr
	carried      *carried

	primary    bool
	replicated int64 // when a message about it was last sent
	actions    []action
	unsent     []error
}

// carried is what only Tomcats understand: kept and handed on.
type carried struct {
	principal any
	authType  any
	notes     map[string]any
	listeners []any
}

func nowMS() int64 { return time.Now().UnixMilli() }

// ID returns the current session id, with the route suffix.
func (s *Session) ID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// Get returns the attribute, nil if there is none.
func (s *Session) Get(name string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.get(name)
}

func (s *Session) get(name string) any {
	a, ok := s.attrs[name]
	if ok && !a.live {
		a.value, a.live = javaser.Thaw(a.frozen), true
		s.attrs[name] = a
	}
	return a.value
}

// Set sets the attribute; nil removes it. In a cluster the value is copied for
// sending now: later changes inside it are not replicated unless it is set
// again. A value without a Java form stays on this node, and the request's
// EndRequest says so. On an invalid session nothing happens.
func (s *Session) Set(name string, v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set(name, v)
}

func (s *Session) set(name string, v any) {
	if v == nil {
		s.remove(name)
		return
	}
	if !s.valid {
		return
	}
	a := attr{value: v, live: true}
	if s.m.replicates(name) {
		if a.frozen, a.err = javaser.Freeze(v); a.err != nil {
			a.err = fmt.Errorf("session attribute %q of type %T is not replicated: %w", name, v, a.err)
			s.unsent = append(s.unsent, a.err)
		} else {
			s.record(action{kind: typeAttribute, act: actionSet, name: name, has: true, value: a.frozen})
		}
	}
	s.attrs[name] = a
}

// Remove removes the attribute.
func (s *Session) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(name)
}

func (s *Session) remove(name string) {
	if _, ok := s.attrs[name]; !ok || !s.valid {
		return
	}
	delete(s.attrs, name)
	if s.m.replicates(name) {
		s.record(action{kind: typeAttribute, act: actionRemove, name: name})
	}
}

// Update replaces the attribute by what f makes of it, as one step: no other
// change of the session comes between. f gets nil when there is none, and
// returns nil to remove it; it must not use the session. Update returns the new value.
func (s *Session) Update(name string, f func(old any) any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := f(s.get(name))
	s.set(name, v)
	return v
}

// record keeps an action for the next delta: without RecordAllActions the last of a name counts.
func (s *Session) record(a action) {
	if s.m == nil || s.m.cluster == nil {
		return
	}
	if !s.m.cfg.RecordAllActions {
		s.actions = slices.DeleteFunc(s.actions, func(b action) bool { return b.name == a.name })
	}
	s.actions = append(s.actions, a)
}

// Names returns the names of the attributes, sorted.
func (s *Session) Names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.attrs))
}

// IsNew reports whether the client does not know of the session yet.
func (s *Session) IsNew() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isNew
}

// CreationTime returns when the session was created, on whatever member that was.
func (s *Session) CreationTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.UnixMilli(s.created)
}

// LastAccessedTime returns when the request before the current one ended.
func (s *Session) LastAccessedTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.UnixMilli(s.lastAccessed)
}

// MaxInactive returns how long the session lives without a request; <= 0 means for ever.
func (s *Session) MaxInactive() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.maxInactive) * time.Second
}

// SetMaxInactive sets how long the session lives without a request, in whole seconds; <= 0 means for ever.
func (s *Session) SetMaxInactive(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maxInactive = seconds(d)
	s.record(action{kind: typeMaxInterval, act: actionSet, name: nameMaxInterval, has: true, value: s.maxInactive})
}

func seconds(d time.Duration) int32 {
	if d < 0 {
		return -1
	}
	return int32(min(int64((d+time.Second-1)/time.Second), math.MaxInt32))
}

// Valid reports whether the session was neither invalidated nor expired.
func (s *Session) Valid() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.valid
}

// Invalidate ends the session, here and on all members.
func (s *Session) Invalidate() {
	if s.m == nil {
		s.mu.Lock()
		s.valid, s.attrs = false, map[string]attr{}
		s.mu.Unlock()
		return
	}
	s.m.expire(s, true)
}

// Access notes that a request joins the existing session. Its isNew becomes
// false, which in a cluster is always part of the next delta, as in Tomcat
// since 9.0.110, 10.1.47 and 11.0.12.
func (s *Session) Access() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.thisAccessed = nowMS()
	s.isNew = false
	s.record(action{kind: typeIsNew, act: actionSet, name: nameIsNew, has: true, value: false})
}

// EndAccess notes that a request that used the session is over.
func (s *Session) EndAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endAccess()
}

func (s *Session) endAccess() {
	s.lastAccessed = s.thisAccessed
	s.thisAccessed = nowMS()
}

// due says whether the session is over, and whether the others are to be told:
// a backup waits twice as long as the primary, and says nothing.
func (s *Session) due(now int64) (over, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.valid || s.maxInactive <= 0 {
		return false, false
	}
	limit := int64(s.maxInactive) * 1000
	if !s.primary {
		limit *= 2
	}
	return now-s.thisAccessed >= limit, s.primary
}

// snapshot gives the full state, without the notes, a form that every Tomcat from 8.5 on reads.
func (s *Session) snapshot() (record, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := record{
		created: s.created, lastAccessed: s.lastAccessed, maxInactive: s.maxInactive, isNew: s.isNew, valid: s.valid,
		thisAccessed: s.thisAccessed, id: s.id,
	}
	for _, n := range slices.Sorted(maps.Keys(s.attrs)) {
		a := s.attrs[n]
		if a.err != nil || !s.m.replicates(n) {
			continue
		}
		c.names = append(c.names, n)
		c.values = append(c.values, a.frozen)
	}
	if s.carried != nil {
		c.principal, c.listeners = s.carried.principal, s.carried.listeners
	}
	return c, s.valid
}

// restore makes the session what the record says: a valid backup.
func (s *Session) restore(c *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.created, s.lastAccessed, s.thisAccessed = c.id, c.created, c.lastAccessed, c.thisAccessed
	s.maxInactive, s.isNew, s.valid, s.primary = c.maxInactive, c.isNew, true, false
	s.attrs = make(map[string]attr, len(c.names))
	for i, n := range c.names {
		s.attrs[n] = received(c.values[i])
	}
	if c.principal != nil || c.notes || len(c.listeners) > 0 {
		k := s.extra()
		k.principal, k.listeners = c.principal, c.listeners
		k.note("org.apache.catalina.authenticator.SESSION_ID", c.noteID)
		k.note("org.apache.catalina.authenticator.REQUEST", c.noteForm)
	}
}

func (s *Session) extra() *carried {
	if s.carried == nil {
		s.carried = &carried{}
	}
	return s.carried
}

func (k *carried) note(name string, v any) {
	if v == nil {
		delete(k.notes, name)
		return
	}
	if k.notes == nil {
		k.notes = map[string]any{}
	}
	k.notes[name] = v
}

func received(node any) attr {
	if v, ok := javaser.Scalar(node); ok {
		return attr{value: v, live: true, frozen: v}
	}
	return attr{frozen: node}
}

// errMismatch is Tomcat's "Session id mismatch, not executing the delta request".
var errMismatch = errors.New("session id mismatch, not executing the delta request")

// apply carries out a delta that came from another member.
func (s *Session) apply(id string, actions []action) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != id {
		return errMismatch
	}
	for _, a := range actions {
		v, _ := javaser.Scalar(a.value)
		set := a.act == actionSet && a.has
		switch a.kind {
		case typeAttribute:
			if set && a.value != nil {
				s.attrs[a.name] = received(a.value)
			} else {
				delete(s.attrs, a.name)
			}
		case typeIsNew:
			if b, ok := v.(bool); ok {
				s.isNew = b
			}
		case typeMaxInterval:
			if n, ok := v.(int32); ok {
				s.maxInactive = n
			}
		case typePrincipal:
			s.extra().principal = a.value
		case typeAuthType:
			s.extra().authType = a.value
		case typeListener:
			if set {
				s.extra().listeners = append(s.extra().listeners, a.value)
			}
		case typeNote:
			s.extra().note(a.name, a.value)
		}
	}
	s.thisAccessed = nowMS()
	s.endAccess()
	s.primary = false
	return nil
}

// touch is what SESSION_ACCESSED does to the copy.
func (s *Session) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.thisAccessed = nowMS()
	s.endAccess()
	s.primary = false
}
