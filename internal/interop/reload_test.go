//go:build unix

package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"clowder/runtime"
)

// clowderProgram builds the command.
func clowderProgram(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "clowder")
	if out, err := exec.Command("go", "build", "-o", exe, "clowder/cmd/clowder").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

// TestReloadOfAProcess sends 20 SIGHUP to a real clowder run with two member
// processes while clients with kept and with new connections send requests, and
// SIGTERM at the end: no request fails until then, and those in progress finish.
func TestReloadOfAProcess(t *testing.T) {
	exe := clowderProgram(t)
	p := FreePorts(t, 3)
	a, b := &member{t: t, port: p[0]}, &member{t: t, port: p[1]}
	a.start()
	b.start()
	t.Cleanup(func() { a.kill(); b.kill() })
	dir := t.TempDir()
	file, socket := filepath.Join(dir, "httpd.conf"), filepath.Join(dir, "ctl")
	write := func(generation int) {
		text := strings.ReplaceAll(failureConf(p[2], p[0], p[1]), " timeout=1 ", " timeout=30 ") + fmt.Sprintf("Header set X-Generation %d\nTimeout %d\n", generation, 30+generation)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	cmd := exec.Command(exe, "run", "--control", socket, "--quiet", file)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	WaitPort(t, p[2], 20*time.Second)

	addr := "127.0.0.1:" + strconv.Itoa(p[2])
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var sent atomic.Int64
	var mu sync.Mutex
	wrong := map[string]int{}
	for i := range loadConns {
		wg.Go(func() {
			c := &loadClient{addr: addr}
			defer c.close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, w := c.get(); w != "" {
					mu.Lock()
					wrong[w]++
					mu.Unlock()
				}
				sent.Add(1)
				if i%2 == 0 {
					c.close()
				}
			}
		})
	}
	status := func() (s runtime.Status) {
		out, err := exec.Command(exe, "ctl", "--control", socket, "status", "--format", "json").Output()
		if err == nil {
			err = json.Unmarshal(out, &s)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for n := 1; n <= 20; n++ {
		write(n)
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); status().Reloads < n; {
			if time.Now().After(end) {
				t.Fatalf("reload %d did not happen", n)
			}
		}
	}
	close(stop)
	wg.Wait()
	if len(wrong) > 0 {
		t.Errorf("of %d requests failed: %v", sent.Load(), wrong)
	}
	t.Logf("%d requests, 20 reloads", sent.Load())

	a.mode("held")
	b.mode("held")
	ended := make(chan string, loadConns)
	for range loadConns {
		go func() {
			_, w := (&loadClient{addr: addr}).get()
			ended <- w
		}()
	}
	end := time.Now().Add(20 * time.Second)
	for busy := 0; busy < loadConns && time.Now().Before(end); {
		busy = 0
		for _, m := range status().Balancers[0].Members {
			busy += m.Busy
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for time.Now().Before(end) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			break
		}
		c.Close()
	}
	a.mode("ok")
	b.mode("ok")
	for range loadConns {
		if w := <-ended; w != "" {
			t.Errorf("a request in progress: %s", w)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("clowder run: %v\n%s", err, output.String())
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the control socket is there still: %v", err)
	}
}
