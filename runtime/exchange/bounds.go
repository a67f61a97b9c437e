package exchange

import "time"

// Bounds are what a virtual host allows on a connection. They count from the
// moment that it is known until the next request's head was read.
type Bounds struct {
	KeepAlive            bool
	IdleTimeout          time.Duration // until the next request: KeepAliveTimeout
	MaxKeepAliveRequests int           // answers that keep a connection open; 0 is no limit
	ReadTimeout          time.Duration // for each read of a body
	WriteTimeout         time.Duration // for each part of an answer

	// The body's stage of RequestReadTimeout: time at first, at most (0: no bound),
	// and how many bytes prolong it by a second. BodyFirst 0 is no bound.
	BodyFirst, BodyMost time.Duration
	BodyMinRate         int
}

// Bounded is a ResponseWriter whose connection has bounds. b is not changed and
// must not be.
type Bounded interface{ Bound(b *Bounds) }
