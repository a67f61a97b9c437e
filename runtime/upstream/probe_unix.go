//go:build unix

package upstream

import "syscall"

const canPeek = true

// quiet reports whether the socket is open and nothing is there to read. The
// descriptor is in non-blocking mode.
func quiet(fd uintptr) bool {
	var one [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		if err == syscall.EINTR {
			continue
		}
		return err == syscall.EAGAIN
	}
}
