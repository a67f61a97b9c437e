// Package tribes is Tomcat's group communication (org.apache.catalina.tribes) on
// the wire: who is a member of the cluster, and how messages reach the members.
//
// A [Channel] is what Tomcat's GroupChannel is with McastService, NioReceiver,
// PooledParallelSender, MessageDispatchInterceptor and TcpFailureDetector. Every
// byte it sends is laid out as Tomcat's, so that a channel can be a member of a
// cluster of live Tomcats. Messages are opaque bytes here.
//
// All integers on the wire are big-endian.
package tribes

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Markers and commands of the member record (membership.MemberImpl).
const (
	memberBegin = "TRIBES-B\x01\x00"
	memberEnd   = "TRIBES-E\x01\x00"
	// memberFixed is the length of a record's body with empty host, command, domain and payload.
	memberFixed = 8 + 4 + 4 + 4 + 1 + 4 + 4 + 16 + 4
)

// shutdownCommand in a member record says that the member leaves (Member.SHUTDOWN_PAYLOAD).
var shutdownCommand = []byte("BABY-ALEX")

// ErrRecord is wrapped by every error of [ParseMember].
var ErrRecord = errors.New("malformed member record")

// Member is one member of the cluster, as it announces itself. Host, Command,
// Domain and Payload are never changed after the member was made: copies of a
// Member may share them.
type Member struct {
	Host       []byte // address, 4 or 16 bytes
	Port       int    // of the TCP receiver
	SecurePort int    // -1 when unused
	UDPPort    int    // -1 when unused
	Alive      int64  // milliseconds since the member started; what was announced last
	Command    []byte
	Domain     []byte
	Payload    []byte
	UniqueID   [16]byte // new at every start of the member
}

// Name returns the name that Tomcat prints, "tcp://{127, 0, 0, 1}:4000".
func (m Member) Name() string {
	var b strings.Builder
	b.WriteString("tcp://{")
	for i, o := range m.Host {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(int(o)))
	}
	b.WriteString("}:")
	b.WriteString(strconv.Itoa(m.Port))
	return b.String()
}

// String returns Name.
func (m Member) String() string { return m.Name() }

// Same reports whether both records are of one member: host, port and uniqueId
// are equal. A static member whose uniqueId is not known yet (all zero) is the
// same as every member at its host and port.
func (m Member) Same(o Member) bool {
	if m.Port != o.Port || !bytes.Equal(m.Host, o.Host) {
		return false
	}
	var none [16]byte
	return m.UniqueID == o.UniqueID || m.UniqueID == none || o.UniqueID == none
}

// Leaving reports whether the record carries the shutdown command.
func (m Member) Leaving() bool { return bytes.Equal(m.Command, shutdownCommand) }

// key is the identity of a member.
type key struct {
	host string
	port int
	id   [16]byte
}

func (m Member) key() key { return key{string(m.Host), m.Port, m.UniqueID} }

// sameAddress reports whether both keys are of one receiver.
func (k key) sameAddress(o key) bool { return k.host == o.host && k.port == o.port }

// AppendMember appends the member's record (MemberImpl.getData). A host longer
// than 127 bytes cannot be written and is cut off.
func AppendMember(b []byte, m Member) []byte {
	host := m.Host
	if len(host) > 127 {
		host = host[:127]
	}
	be := binary.BigEndian
	b = append(b, memberBegin...)
	b = be.AppendUint32(b, uint32(memberFixed+len(host)+len(m.Command)+len(m.Domain)+len(m.Payload)))
	b = be.AppendUint64(b, uint64(m.Alive))
	b = be.AppendUint32(b, uint32(int32(m.Port)))
	b = be.AppendUint32(b, uint32(int32(m.SecurePort)))
	b = be.AppendUint32(b, uint32(int32(m.UDPPort)))
	b = append(b, byte(len(host)))
	b = append(b, host...)
	b = be.AppendUint32(b, uint32(len(m.Command)))
	b = append(b, m.Command...)
	b = be.AppendUint32(b, uint32(len(m.Domain)))
	b = append(b, m.Domain...)
	b = append(b, m.UniqueID[:]...)
	b = be.AppendUint32(b, uint32(len(m.Payload)))
	b = append(b, m.Payload...)
	return append(b, memberEnd...)
}

// ParseMember reads the record at the start of b and returns it with its length
// in bytes (MemberImpl.getMember). The result does not share memory with b.
func ParseMember(b []byte) (Member, int, error) {
	if len(b) < len(memberBegin)+4+memberFixed+len(memberEnd) {
		return Member{}, 0, fmt.Errorf("%w: %d bytes are too few", ErrRecord, len(b))
	}
	if string(b[:10]) != memberBegin {
		return Member{}, 0, fmt.Errorf("%w: no begin marker", ErrRecord)
	}
	n := binary.BigEndian.Uint32(b[10:])
	if uint64(n)+24 > uint64(len(b)) || n < memberFixed {
		return Member{}, 0, fmt.Errorf("%w: body length %d in %d bytes", ErrRecord, n, len(b))
	}
	end := 14 + int(n)
	if string(b[end:end+10]) != memberEnd {
		return Member{}, 0, fmt.Errorf("%w: no end marker", ErrRecord)
	}
	d := cursor{b: b[14:end]}
	m := Member{Alive: int64(d.u64()), Port: int(int32(d.u32())), SecurePort: int(int32(d.u32())), UDPPort: int(int32(d.u32()))}
	m.Host = bytes.Clone(d.take(int(int8(d.u8()))))
	m.Command = bytes.Clone(d.take(int(int32(d.u32()))))
	m.Domain = bytes.Clone(d.take(int(int32(d.u32()))))
	copy(m.UniqueID[:], d.take(16))
	m.Payload = bytes.Clone(d.take(int(int32(d.u32()))))
	if d.bad || len(d.b) != 0 {
		return Member{}, 0, fmt.Errorf("%w: lengths of the fields do not add up", ErrRecord)
	}
	return m, end + 10, nil
}

// cursor reads fields from the front of a slice; after a read past the end it is bad.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n < 0 || n > len(c.b) {
		c.bad = true
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) u8() byte {
	if p := c.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if p := c.take(4); p != nil {
		return binary.BigEndian.Uint32(p)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if p := c.take(8); p != nil {
		return binary.BigEndian.Uint64(p)
	}
	return 0
}

// newID makes a random id in the form of a version 4 UUID (util.UUIDGenerator).
func newID() (id [16]byte) {
	rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseBytes reads a text of the configuration that stands for bytes: "{1,2,-3}"
// is a list of signed decimal bytes, everything else is ISO-8859-1 text
// (util.Arrays.fromString, Arrays.convert).
func ParseBytes(s string) ([]byte, error) {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "{") {
		out := make([]byte, 0, len(s))
		for _, r := range s {
			if r > 0xff {
				r = '?'
			}
			out = append(out, byte(r))
		}
		return out, nil
	}
	s = strings.TrimSuffix(s[1:], "}")
	var out []byte
	for f := range strings.SplitSeq(s, ",") {
		if f = strings.TrimSpace(f); f == "" {
			continue
		}
		n, err := strconv.ParseInt(f, 10, 8)
		if err != nil {
			return nil, fmt.Errorf("%q is not a signed byte", f)
		}
		out = append(out, byte(int8(n)))
	}
	return out, nil
}
