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
	"clowder/parse"
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
		if len(r.Broken) > 0 {
			return vectors.Front{}, &vectors.Refused{Err: fmt.Errorf("%v", r.Diags)}
		}
		lines := &logLines{}
		log := slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: slog.LevelWarn}))
		if running, err = runtime.Start(context.Background(), r.Setup, runtime.Options{Log: log, MemberMax: 16}); err != nil {
			if errors.Is(err, runtime.ErrUnguarded) {
				return vectors.Front{}, &vectors.Refused{Err: err}
			}
			return vectors.Front{}, err
		}
		return vectors.Front{Addr: fmt.Sprintf("127.0.0.1:%d", port), Server: "clowder", Log: lines.take}, nil
	})
}

// TestVectors plays what was recorded from httpd through the real front. Every case
// must be equal, but for those that docs/differences.md explains.
func TestVectors(t *testing.T) {
	files, err := vectors.List(*vectorDir)
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", *vectorDir, err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	equal, played := 0, 0
	for _, name := range files {
		v, err := vectors.Load(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(v.ID, *vectorIDs) {
			continue
		}
		played++
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			diff := play(t, v)
			mu.Lock()
			defer mu.Unlock()
			why, differs := deviations[v.ID]
			switch {
			case diff == "":
				equal++
				if differs {
					t.Errorf("%s is equal, but docs/differences.md says: %s", v.ID, why)
				}
			case !differs:
				t.Errorf("%s: %s", v.ID, diff)
			default:
				t.Logf("%s differs as meant: %s", v.ID, why)
			}
		})
	}
	wg.Wait()
	t.Logf("%d of %d cases equal (%.1f %%)", equal, played, 100*float64(equal)/float64(max(played, 1)))
}

// deviations are the cases that differ on purpose, and why.
var deviations = map[string]string{}
