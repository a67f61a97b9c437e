package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"clowder/internal/vectors"
)

var (
	logLine   = regexp.MustCompile(`^\[[^\]]*\] \[(\w*:\w+)\] (?:\[pid [^\]]*\] )?`)
	logClient = regexp.MustCompile(`\[client ([0-9.]+):\d+\]`)
)

// errorLog reads what was appended to a file since the last call.
func errorLog(name string) func() []string {
	at := int64(0)
	return func() []string {
		f, err := os.Open(name)
		if err != nil {
			return nil
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil || st.Size() <= at {
			return nil
		}
		b := make([]byte, st.Size()-at)
		n, _ := f.ReadAt(b, at)
		text := string(b[:n])
		end := strings.LastIndexByte(text, '\n') + 1
		at += int64(end)
		var out []string
		for l := range strings.Lines(text[:end]) {
			l = logLine.ReplaceAllString(strings.TrimSpace(l), "[$1] ")
			out = append(out, logClient.ReplaceAllString(l, "[client $1]"))
		}
		return out
	}
}

// onHTTPD starts the real httpd with a recorded configuration.
func onHTTPD(t *testing.T, apache string, v *vectors.Vector, port int) func(root, config string) (vectors.Front, error) {
	return func(root, config string) (vectors.Front, error) {
		if err := os.Chmod(root, 0o755); err != nil {
			return vectors.Front{}, err
		}
		file, logFile := filepath.Join(root, "httpd.conf"), filepath.Join(root, "error.log")
		config = v.Modules(apacheModules) + "TypesConfig /dev/null\n" + config
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			return vectors.Front{}, err
		}
		args := []string{"-d", root, "-f", file, "-D", "FOREGROUND"}
		for _, c := range []string{"DefaultRuntimeDir " + root, "PidFile " + root + "/pid", "Mutex file:" + root + " default", "ErrorLog " + logFile,
			"StartServers 1", "ServerLimit 1", "ThreadsPerChild 16", "MaxRequestWorkers 16", "MinSpareThreads 1", "MaxSpareThreads 16"} {
			args = append(args, "-c", c)
		}
		if v.Startup != nil {
			if out, err := exec.Command(apache, args...).CombinedOutput(); err != nil {
				return vectors.Front{}, &vectors.Refused{Err: errors.New(string(out))}
			}
			return vectors.Front{}, nil
		}
		cmd := exec.Command(apache, args...)
		process(t, cmd, func() { _ = cmd.Process.Signal(os.Interrupt) })
		WaitPort(t, port, 20*time.Second)
		return vectors.Front{Addr: fmt.Sprintf("127.0.0.1:%d", port), Log: errorLog(logFile), Graceful: graceful(cmd)}, nil
	}
}

// graceful restarts httpd. A request that the old generation answers would be taken
// for one of the new, and httpd does not say when the new one serves.
func graceful(cmd *exec.Cmd) func() error {
	return func() error {
		if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
			return err
		}
		time.Sleep(2 * time.Second)
		return nil
	}
}

// TestRecordedOnHTTPD plays recorded cases on the real httpd: what the player and
// its backends do is what the recording did.
func TestRecordedOnHTTPD(t *testing.T) {
	apache := Require(t, "apache2", "apt-get install apache2", apacheBin)
	files, err := vectors.List(*convertVectors)
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", *convertVectors, err)
	}
	if !*allVectors {
		files = sample(files, 40)
	}
	for _, name := range files {
		v, err := vectors.Load(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Run(v.ID, func(t *testing.T) {
			port := FreePorts(t, 1)[0]
			if diff := vectors.Play(t, v, port, onHTTPD(t, apache, v, port)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
