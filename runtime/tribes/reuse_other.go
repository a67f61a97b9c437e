//go:build !unix

package tribes

import "syscall"

// reuseAddress does nothing: one member per machine can use the multicast port.
func reuseAddress(_, _ string, _ syscall.RawConn) error { return nil }
