package upstream

import (
	"net"
	"os"
	"syscall"
	"time"
)

// prober tells whether an idle connection can be used again: it must be open
// and have nothing to read (ap_proxy_is_socket_connected in httpd).
type prober struct {
	raw  syscall.RawConn
	peek func(fd uintptr)
	live bool
}

func (p *prober) init(nc net.Conn) {
	for range 4 {
		t, ok := nc.(interface{ NetConn() net.Conn }) // *tls.Conn and what Wrap makes
		if !ok {
			break
		}
		nc = t.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok || !canPeek {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	p.raw = raw
	p.peek = func(fd uintptr) { p.live = quiet(fd) }
}

// probeTime is how long a connection without a file descriptor may be tested: a
// deadline in the past would fail before anything is read.
const probeTime = 100 * time.Microsecond

// alive tests the connection, without blocking.
func (c *PooledConn) alive() bool {
	if c.R.Buffered() > 0 {
		return false
	}
	if c.probe.raw != nil {
		c.probe.live = false
		return c.probe.raw.Control(c.probe.peek) == nil && c.probe.live
	}
	var one [1]byte
	c.readBy = time.Time{}
	c.Conn.SetReadDeadline(time.Now().Add(probeTime))
	n, err := c.Conn.Read(one[:])
	c.Conn.SetReadDeadline(time.Time{})
	return n == 0 && os.IsTimeout(err)
}
