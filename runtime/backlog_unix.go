//go:build unix

package runtime

import (
	"net"
	"syscall"
)

// setBacklog bounds the connections that wait in the kernel: listen(2) may be
// called again. Without success the system's own bound stays.
func setBacklog(ln net.Listener, n int) {
	t, ok := ln.(*net.TCPListener)
	if !ok {
		return
	}
	if raw, err := t.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), n) })
	}
}
