//go:build !unix

package runtime

import "net"

// setBacklog does nothing here: the system's own bound stays.
func setBacklog(net.Listener, int) {}
