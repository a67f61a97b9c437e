package proxy_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"clowder/internal/ports"
	"clowder/internal/vectors"
	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/runtime"
)

var (
	vectorDir = flag.String("vectors", "../../testdata/vectors/httpd/routing", "folder of routing vectors")
	vectorIDs = flag.String("vector", "", "play only the cases whose ID starts so")
)

// The recordings were made with 16 threads, which are the connections to a member
// without max= in httpd: MemberMax says so.

// atOnce is how many cases are played at the same time: most of their time they wait.
const atOnce = 24

// logLines keeps what clowder logs at level warn and above.
type logLines struct {
	mu   sync.Mutex
	list []string
}

func (l *logLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, strings.TrimSpace(string(b)))
	return len(b), nil
}

func (l *logLines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.list
	l.list = nil
	return out
}

// play plays one case through what `clowder run` starts and returns what differs,
// "" for nothing.
func play(t *testing.T, v *vectors.Vector) string {
	port, err := ports.Free()
	if err != nil {
		return err.Error()
	}
	var running *runtime.Running
	defer func() {
		if running != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			running.Stop(ctx)
		}
	}()
	return vectors.Play(t, v, port, func(root, config string) (vectors.Front, error) {
		file := filepath.Join(root, "httpd.conf")
		if err := os.WriteFile(file, []byte(v.Modules("modules")+config), 0o600); err != nil {
			return vectors.Front{}, err
		}
		r, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true, HTTPD: "2.4"})
		if err != nil {
			return vectors.Front{}, err
		}
		if v.Startup != nil { // what clowder run refuses unless it is forced
			for _, d := range lint.Run(lint.NewInput(r), lint.Options{Rules: rules.All}) {
				if d.Severity == diag.Error {
					return vectors.Front{}, &vectors.Refused{Err: errors.New(d.Message)}
				}
			}
		}
		lines := &logLines{}
		log := slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if running, err = runtime.Start(context.Background(), r.Setup, runtime.Options{Log: log, MemberMax: 16}); err != nil {
			if errors.Is(err, runtime.ErrUnguarded) {
				return vectors.Front{}, &vectors.Refused{Err: err}
			}
			return vectors.Front{}, err
		}
		return vectors.Front{Addr: fmt.Sprintf("127.0.0.1:%d", port), Server: "clowder", Log: lines.take, Graceful: func() error {
			again, err := parse.Load(parse.Options{Paths: []string{file}, Whole: true, HTTPD: "2.4"})
			if err == nil {
				_, err = running.Reload(context.Background(), again.Setup)
			}
			return err
		}}, nil
	})
}

// result is what playing a case gave.
type result struct {
	v    *vectors.Vector
	diff string
}

// playAll plays the cases, many at a time. Those that differ are played again one
// after the other: some depend on tenths of seconds, which a busy machine has not.
func playAll(t *testing.T, list []*vectors.Vector) []result {
	out := make([]result, len(list))
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, v := range list {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i] = result{v, play(t, v)}
		})
	}
	wg.Wait()
	for i := range out {
		if r := &out[i]; r.diff != "" && deviations[r.v.ID] == "" {
			if again := play(t, r.v); again == "" {
				t.Logf("%s is equal when played alone; before: %.300s", r.v.ID, r.diff)
				r.diff = ""
			}
		}
	}
	return out
}

// TestVectors plays what was recorded from httpd through what clowder run starts.
// Every case must be equal, but for those that docs/differences.md explains.
func TestVectors(t *testing.T) {
	files, err := vectors.List(*vectorDir)
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", *vectorDir, err)
	}
	var list []*vectors.Vector
	for _, name := range files {
		v, err := vectors.Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if strings.HasPrefix(v.ID, *vectorIDs) {
			list = append(list, v)
		}
	}
	equal := 0
	for _, r := range playAll(t, list) {
		why, differs := deviations[r.v.ID]
		switch {
		case r.diff == "":
			if equal++; differs {
				t.Errorf("%s is equal, but docs/differences.md says: %s", r.v.ID, why)
			}
		case differs:
			t.Logf("%s differs as meant: %s", r.v.ID, why)
		default:
			t.Errorf("%s: %s", r.v.ID, r.diff)
		}
	}
	t.Logf("%d of %d cases equal (%.1f %%)", equal, len(list), 100*float64(equal)/float64(max(len(list), 1)))
}

// TestDifferences: docs/differences.md lists the deviations with these reasons.
func TestDifferences(t *testing.T) {
	b, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := 0
	for l := range strings.Lines(string(b)) {
		cells := strings.Split(l, "|")
		if len(cells) < 3 {
			continue
		}
		id := strings.TrimSpace(cells[1])
		if why, ok := deviations[id]; ok {
			if listed++; !strings.Contains(l, why) {
				t.Errorf("docs/differences.md gives another reason for %s than the test: %s", id, why)
			}
		}
	}
	if listed != len(deviations) {
		t.Errorf("docs/differences.md lists %d of %d cases", listed, len(deviations))
	}
}

// deviations are the cases that differ on purpose, and why; docs/differences.md
// has the same table.
var deviations = map[string]string{
	"fail-15":    "a request without a body that meets a connection which the backend has just closed is sent once more on a new one",
	"fail-40":    "the 502 for a bad Content-Length is an ordinary page with its length, not one in chunks with an Expires field",
	"manager-25": "a reload keeps what balancer-manager has changed, with BalancerPersist or without",
}
