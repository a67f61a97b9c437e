package node

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"
)

// shutdownWait is how long a client of the shutdown port may take (StandardServer.await).
const shutdownWait = 10 * time.Second

func (n *Node) bindShutdown(ctx context.Context, lc *net.ListenConfig) error {
	port := n.model.Port.Or(-1)
	if port < 0 {
		return nil
	}
	addr := n.model.Address.V
	if addr == "" {
		addr = "localhost"
	}
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(addr, strconv.Itoa(n.port(port))))
	if err != nil {
		return fmt.Errorf("shutdown port: %w", err)
	}
	n.shutdown = l
	n.note("shutdown:"+strconv.Itoa(port), l.Addr().String())
	return nil
}

// await takes one client after the other until one says the command.
func (n *Node) await() {
	want := n.model.Shutdown.V
	if want == "" {
		want = "SHUTDOWN"
	}
	for {
		c, err := n.shutdown.Accept()
		if err != nil {
			return
		}
		got := readCommand(c, max(1024, len(want)))
		c.Close()
		if got == want {
			n.log.Info("a valid shutdown command was received via the shutdown port; stopping the server instance")
			n.once.Do(func() { close(n.done) })
			n.shutdown.Close()
			return
		}
		n.log.Warn("invalid shutdown command received", "command", got)
	}
}

// readCommand reads up to limit characters (ISO-8859-1) before a control
// character, the end or the time limit.
func readCommand(c net.Conn, limit int) string {
	c.SetReadDeadline(time.Now().Add(shutdownWait))
	buf := make([]byte, 256)
	var out []rune
	for len(out) < limit {
		k, err := c.Read(buf)
		for _, b := range buf[:k] {
			if b < 32 || b == 127 || len(out) == limit {
				return string(out)
			}
			out = append(out, rune(b))
		}
		if err != nil {
			break
		}
	}
	return string(out)
}
