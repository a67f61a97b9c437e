package drill

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"clowder/parse/model"
)

// Ready is what a piece writes on its standard output, as a line of its own, when
// all its ports listen.
const Ready = "clowder: ready"

// startTimeout bounds the start of one piece: a node may wait for the state of a
// session context for 60 s (stateTransferTimeout).
const startTimeout = 90 * time.Second

// fleet is the processes of one drill.
type fleet struct {
	procs map[string]*proc
	order []string
}

type proc struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  tail
}

func startFleet(ctx context.Context, s *model.Setup, offset int, o Options) (*fleet, error) {
	f := &fleet{procs: map[string]*proc{}}
	names := []string{}
	for _, n := range s.Nodes {
		names = append(names, n.Name.V)
	}
	for _, name := range append(names, "balancer") {
		o.Verbose("starting %s", name)
		p, err := startProc(ctx, name, o.Command(name, offset))
		if err != nil {
			f.stop()
			return nil, err
		}
		f.procs[name] = p
		f.order = append(f.order, name)
	}
	return f, nil
}

func startProc(ctx context.Context, name string, args []string) (*proc, error) {
	cmd := exec.Command(args[0], args[1:]...)
	endWithParent(cmd)
	p := &proc{name: name, cmd: cmd, done: make(chan struct{})}
	cmd.Stderr = &p.log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	ready := make(chan bool, 1)
	go func() {
		sc := bufio.NewScanner(out)
		for sc.Scan() {
			if sc.Text() == Ready {
				ready <- true
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		close(p.done)
	}()
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case <-ready:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s ended while starting:\n%s", name, p.log.String())
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = fmt.Errorf("%s did not start within %v:\n%s", name, startTimeout, p.log.String())
	}
	_ = cmd.Process.Kill()
	<-p.done
	return nil, err
}

// kill ends a node with SIGKILL and returns the time of the kill.
func (f *fleet) kill(name string) (time.Time, error) {
	p := f.procs[name]
	if p == nil {
		return time.Time{}, fmt.Errorf("the first session's node %q is not one of the setup's nodes", name)
	}
	at := time.Now()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return at, err
	}
	<-p.done
	return at, nil
}

// stop ends whatever still runs.
func (f *fleet) stop() {
	for _, name := range f.order {
		p := f.procs[name]
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// tail keeps the last lines that a process wrote, for the error message.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 4 << 10

// Write keeps the end of what was written.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if n := len(t.buf) - tailSize; n > 0 {
		t.buf = bytes.Clone(t.buf[n:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}

// freeOffset finds a port offset at which every port of the setup is free.
func freeOffset(s *model.Setup) (int, error) {
	ports := portsOf(s)
	highest := 0
	for _, p := range ports {
		highest = max(highest, p)
	}
	for try := range 200 {
		// Ports from 32768 are given to outgoing connections (ip_local_port_range of
		// Linux): one that is free now may be taken when the node starts.
		room := 32767 - highest
		if try >= 100 || room < 1100 {
			room = 60999 - highest
		}
		if room < 1100 {
			return 0, fmt.Errorf("port %d leaves no room to move the ports for a drill", highest)
		}
		offset := 1000 + rand.IntN(room-1000)
		if allFree(ports, offset) {
			return offset, nil
		}
	}
	return 0, errors.New("no port offset found at which every port of the setup is free")
}

func allFree(ports []int, offset int) bool {
	for _, p := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(p+offset)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// portsOf lists every TCP port that the setup listens on, and the multicast port.
func portsOf(s *model.Setup) []int {
	set := map[int]bool{}
	add := func(p int) {
		if p > 0 {
			set[p] = true
		}
	}
	for _, f := range s.FrontEnds {
		for _, l := range f.Listens {
			add(l.Port.V)
		}
	}
	for _, n := range s.Nodes {
		add(n.EffectivePort(n.Port))
		for _, c := range n.Connectors() {
			add(n.EffectivePort(c.Port))
		}
		if c := n.Cluster(); c != nil {
			ch := c.EffectiveChannel()
			for i := range min(max(1, ch.Receiver.AutoBind.V), len(s.Nodes)) {
				add(ch.Receiver.Port.V + i)
			}
			add(ch.Membership.Port.V)
		}
	}
	out := make([]int, 0, len(set))
	for p := range set {
		out = append(out, p)
	}
	return out
}
