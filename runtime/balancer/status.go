package balancer

import (
	"fmt"
	"strings"
)

// Status is the set of state bits of a member, the PROXY_WORKER_* flags of
// modules/proxy/mod_proxy.h.
type Status uint16

// The state bits, in the order in which pages name them.
const (
	Initialized  Status = 1 << iota // O
	Ignore                          // I: failures never put it into error
	Drain                           // N: only for its own sessions
	Generic                         // G
	Shutdown                        // U
	Disabled                        // D
	Stopped                         // S
	InError                         // E: until retried
	HotStandby                      // H: when no other member is left
	HotSpare                        // R: replaces one unusable member
	Free                            // F
	HealthFailed                    // C: until a health check passes
)

const notUsable = Shutdown | Disabled | Stopped | InError | HealthFailed

var statusTable = []struct {
	bit    Status
	letter byte
	name   string
}{
	{Initialized, 'O', "Init"}, {Ignore, 'I', "Ign"}, {Drain, 'N', "Drn"}, {Generic, 'G', "Gen"},
	{Shutdown, 'U', "Shut"}, {Disabled, 'D', "Dis"}, {Stopped, 'S', "Stop"}, {InError, 'E', "Err"},
	{HotStandby, 'H', "Stby"}, {HotSpare, 'R', "Spar"}, {Free, 'F', "Free"}, {HealthFailed, 'C', "HcFl"},
}

// Usable reports whether a member with these bits takes requests.
func (s Status) Usable() bool { return s&Initialized != 0 && s&notUsable == 0 }

// String is the text of the manager page: names each followed by a blank, then "Ok " if usable.
func (s Status) String() string {
	var b strings.Builder
	for _, t := range statusTable {
		if s&t.bit != 0 {
			b.WriteString(t.name)
			b.WriteByte(' ')
		}
	}
	if b.Len() == 0 {
		b.WriteString("??? ")
	}
	if s.Usable() {
		b.WriteString("Ok ")
	}
	return b.String()
}

// StatusOf returns the bit of a letter of status=, in any case.
func StatusOf(letter byte) (Status, bool) {
	for _, t := range statusTable {
		if t.letter == letter&^0x20 {
			return t.bit, true
		}
	}
	return 0, false
}

// Apply changes the bits as a status= parameter says: a sign holds until the
// next, and "+" stands before the first.
func (s Status) Apply(param string) (Status, error) {
	on := true
	for i := range len(param) {
		switch c := param[i]; c {
		case '+':
			on = true
		case '-':
			on = false
		default:
			bit, ok := StatusOf(c)
			if !ok {
				return s, fmt.Errorf("status %q: unknown letter %q", param, c)
			}
			if on {
				s |= bit
			} else {
				s &^= bit
			}
		}
	}
	return s, nil
}
