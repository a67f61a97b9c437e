// Package ports finds TCP ports for tests.
package ports

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

const (
	low   = 12000
	count = 20000
)

var next atomic.Uint32

// Free returns a TCP port of 127.0.0.1 that was free a moment ago. It lies below
// 32768, where Linux begins to give ports to outgoing connections and to listeners
// on port 0 (ip_local_port_range), and no port is returned twice in a process: it
// stays free, or dead, until the test uses it. It may be called concurrently.
func Free() (int, error) {
	for range count {
		p := low + int((uint32(os.Getpid())*97+next.Add(1))%count)
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p)); err == nil {
			l.Close()
			return p, nil
		}
	}
	return 0, fmt.Errorf("no TCP port of 127.0.0.1 is free from %d to %d", low, low+count-1)
}
