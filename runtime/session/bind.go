package session

import (
	"context"
	"net/http"
	"sync"
)

// Binding ties a request to the manager of its context. Fill the exported
// fields before Bind and leave them alone afterwards.
type Binding struct {
	Manager             Manager
	Requested           string // the session id that the request carried, or ""
	FromCookie, FromURL bool   // where it was found
	OnCreate            func(*Session)

	mu      sync.Mutex
	current *Session
	looked  bool
}

type bindingKey struct{}

// Bind returns a copy of the request that carries the binding.
func Bind(r *http.Request, b *Binding) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), bindingKey{}, b))
}

// From returns the request's session and creates it when there is none, as
// HttpServletRequest.getSession() does. When that is impossible, because the
// request has no binding or the manager has reached its limit, it returns a
// session that only this call knows and that ends with it, never nil.
func From(r *http.Request) *Session {
	b, ok := r.Context().Value(bindingKey{}).(*Binding)
	if !ok || b.Manager == nil {
		return detached()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.find(); s != nil {
		return s
	}
	s, err := b.Manager.Create()
	if err != nil {
		s = detached()
		b.current = s
		return s
	}
	b.current = s
	if b.OnCreate != nil {
		b.OnCreate(s)
	}
	return s
}

// Current returns the request's session, or nil: getSession(false).
func Current(r *http.Request) *Session {
	b, ok := r.Context().Value(bindingKey{}).(*Binding)
	if !ok || b.Manager == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.find()
}

// find returns the valid session of the binding. The requested one is looked up once, which counts as an access.
func (b *Binding) find() *Session {
	if !b.looked {
		b.looked = true
		if b.Requested != "" {
			if s := b.Manager.Find(b.Requested); s != nil {
				s.Access()
				b.current = s
			}
		}
	}
	if b.current != nil && b.current.Valid() {
		return b.current
	}
	return nil
}

func detached() *Session {
	now := nowMS()
	return &Session{created: now, lastAccessed: now, thisAccessed: now, isNew: true, valid: true, attrs: map[string]attr{}}
}
