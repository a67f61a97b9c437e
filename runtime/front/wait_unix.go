//go:build unix

package front

import (
	"io"
	"os"
	"syscall"
)

const rawWait = true

// tryRead is called by the poller when the connection may be readable: it takes
// a buffer, reads without blocking, and gives the buffer back if nothing is there.
func (c *conn) tryRead(fd uintptr) bool {
	w := works.Get().(*work)
	for {
		n, err := syscall.Read(int(fd), w.buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			works.Put(w)
			return false
		case err != nil:
			c.tryErr = os.NewSyscallError("read", err)
		case n == 0:
			c.tryErr = io.EOF
		default:
			w.c, w.n = c, n
			c.w = w
			return true
		}
		works.Put(w)
		return true
	}
}
