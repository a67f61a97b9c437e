package model

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
)

// ReadTimeout is RequestReadTimeout (mod_reqtimeout): how long a client may take
// for its parts of a request. Each value is SECONDS, SECONDS,MinRate=BYTES or
// SECONDS-SECONDS,MinRate=BYTES; [ParseReadStage] reads it.
type ReadTimeout struct {
	At        diag.Span
	Handshake String `key:"handshake"` // of TLS
	Header    String `key:"header"`
	Body      String `key:"body"`
}

// ReadStage is one value of RequestReadTimeout.
type ReadStage struct {
	First   time.Duration // time at first; 0 is no bound
	Most    time.Duration // of all, with MinRate; 0 is no bound
	MinRate int           // bytes that prolong the time by a second; 0: none does
}

// ParseReadStage reads a value as set_reqtimeout_param of mod_reqtimeout.c does.
func ParseReadStage(s string) (ReadStage, error) {
	var st ReadStage
	first, rate := s, ""
	if i := strings.Index(strings.ToLower(s), ",minrate="); i >= 0 {
		first, rate = s[:i], s[i+len(",minrate="):]
		n, err := strconv.ParseUint(rate, 10, 31)
		if err != nil || n == 0 {
			return st, errors.New("MinRate must be a number of bytes from 1")
		}
		st.MinRate = int(n)
	}
	first, most, ranged := strings.Cut(first, "-")
	if ranged && rate == "" {
		return st, errors.New("a second time needs MinRate")
	}
	var ok bool
	if st.First, ok = wholeSeconds(first); !ok {
		return st, errors.New("the time must be a number of seconds")
	}
	if ranged {
		if st.Most, ok = wholeSeconds(most); !ok {
			return st, errors.New("the time must be a number of seconds")
		}
		if st.Most > 0 && st.First >= st.Most {
			return st, errors.New("the second time must be longer than the first")
		}
	}
	return st, nil
}

func wholeSeconds(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return time.Duration(n) * time.Second, err == nil
}
