package front

import (
	"net"
	"runtime"
	"testing"
	"time"
)

// TestIdleMemory: kept-alive connections that wait hold no buffers. Both ends
// are in this process, so the client's sockets are counted too.
func TestIdleMemory(t *testing.T) {
	if raceOn {
		t.Skip("the race detector needs memory itself")
	}
	s, addr := start(t, Config{Handler: fixed, KeepAlive: true, IdleTimeout: time.Minute})
	const n = 300
	buf := make([]byte, 4096)
	conns := make([]net.Conn, 0, n)
	before := inUse()
	for range n {
		c := dial(t, addr)
		oneGet(t, c, buf)
		conns = append(conns, c)
	}
	for _, idle := s.Conns(); idle < n; _, idle = s.Conns() {
		runtime.Gosched()
	}
	per := (inUse() - before) / n
	t.Logf("%d bytes per connection", per)
	if per > 8<<10 {
		t.Errorf("%d bytes per idle connection", per)
	}
	runtime.KeepAlive(conns)
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
