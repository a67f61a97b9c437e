package ajp

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Server serves AJP connections with a net/http handler, as Tomcat's AJP
// connector does. Its fields must not change after Serve was called.
type Server struct {
	Handler http.Handler
	// Secret that every request must carry, compared in constant time. Without
	// one, secrets of requests are ignored.
	Secret string
	// SecretRequired makes Serve fail without a Secret (Tomcat: since 9.0.31).
	SecretRequired bool
	// PacketSize in bytes, clamped to 8192..65536.
	PacketSize int
	// AllowedAttributes must match the whole name of a request attribute that
	// Tomcat does not know; others are refused with 403. nil allows none.
	AllowedAttributes *regexp.Regexp
	// TomcatAuthentication true ignores the user of the front end.
	TomcatAuthentication bool
	// ConnectionTimeout limits each wait for the peer; 0 or less means none.
	// KeepAliveTimeout limits the wait for a further request; 0 means
	// ConnectionTimeout, less than 0 none.
	ConnectionTimeout, KeepAliveTimeout time.Duration
	// MaxConnections served at the same time; further ones wait in the listen
	// queue. 0 means Tomcat's 8192, less than 0 no limit.
	MaxConnections int
	// Log takes refusals and broken dialogues; nil means slog.Default.
	Log *slog.Logger

	mu        sync.Mutex
	listeners map[net.Listener]struct{}
	conns     map[*serverConn]struct{}
	closing   bool
	wg        sync.WaitGroup
	done      chan struct{}

	compile sync.Once
	allowed *regexp.Regexp // AllowedAttributes, anchored
}

// ErrServerClosed is returned by Serve after Shutdown or Close.
var ErrServerClosed = http.ErrServerClosed

// ErrSecretRequired is what Serve returns when a secret is required and none is
// configured; Tomcat's connector does not start either (AbstractAjpProtocol.start).
var ErrSecretRequired = errors.New(`ajp: the AJP connector is configured with secretRequired="true" but the secret attribute is either null or ""`)

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

func (s *Server) init() {
	if s.done == nil {
		s.done = make(chan struct{})
		s.listeners = map[net.Listener]struct{}{}
		s.conns = map[*serverConn]struct{}{}
	}
}

// Serve accepts connections until the listener fails or the server is closed;
// then it returns [ErrServerClosed]. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if s.SecretRequired && s.Secret == "" {
		return ErrSecretRequired
	}
	s.mu.Lock()
	s.init()
	if s.closing {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[l] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	limit := s.MaxConnections
	if limit == 0 {
		limit = 8192
	}
	var slots chan struct{}
	if limit > 0 {
		slots = make(chan struct{}, limit)
	}
	for {
		if slots != nil {
			select {
			case slots <- struct{}{}:
			case <-s.done:
				return ErrServerClosed
			}
		}
		c, err := l.Accept()
		if err != nil {
			if s.isClosing() {
				return ErrServerClosed
			}
			if slots != nil {
				<-slots
			}
			if te, ok := err.(interface{ Temporary() bool }); ok && te.Temporary() {
				s.log().Warn("ajp accept", "err", err)
				time.Sleep(5 * time.Millisecond)
				continue
			}
			return err
		}
		s.start(c, slots)
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

func (s *Server) start(c net.Conn, slots chan struct{}) {
	sc := newServerConn(s, c)
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		c.Close()
		return
	}
	s.conns[sc] = struct{}{}
	s.wg.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.wg.Done()
		defer func() {
			c.Close()
			s.mu.Lock()
			delete(s.conns, sc)
			s.mu.Unlock()
			if slots != nil {
				<-slots
			}
		}()
		sc.serve()
	}()
}

// setIdle marks the connection as waiting for a request and reports whether it
// may go on waiting.
func (s *Server) setIdle(sc *serverConn, idle bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc.idle = idle
	return !s.closing
}

func (s *Server) close(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.init()
	if !s.closing {
		s.closing = true
		close(s.done)
	}
	for l := range s.listeners {
		l.Close()
	}
	for sc := range s.conns {
		if all || sc.idle {
			sc.c.Close()
		}
	}
}

// Shutdown stops accepting, closes idle connections and waits until the running
// requests are answered, each of them with END_RESPONSE reuse 0. When the context
// ends first it closes what is left and returns the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close(false)
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.close(true)
		return ctx.Err()
	}
}

// Close closes listeners and connections at once.
func (s *Server) Close() error {
	s.close(true)
	return nil
}
