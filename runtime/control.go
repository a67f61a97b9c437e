package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrControlTaken is the error of ListenControl when another process answers there.
var ErrControlTaken = errors.New("another clowder run answers on this control socket")

// Control are the commands of a control socket; it is a plain HTTP server on a
// unix socket that only the user who started clowder can open.
//
//	GET  /status         the state, as JSON
//	POST /reload         409 with the findings when the configuration is refused
//	POST /drain?member=  /enable?member=   404 for a member that is not there
//	POST /stop
//
// Answers are one JSON object: {"lines": […]} or {"error": "…", "lines": [findings]}.
type Control struct {
	Running *Running
	// Reload reads the configuration again and takes it. Its error should be a
	// *RefusedError.
	Reload func(ctx context.Context) (*Reloaded, error)
	Stop   func() // begins to stop
	Log    *slog.Logger
}

// RefusedError is the error of a configuration that was not taken.
type RefusedError struct {
	Findings string // what lint and the like had to say, as text of several lines
	Err      error
}

// Error says why, without the findings.
func (e *RefusedError) Error() string {
	return "not reloaded, the old configuration goes on: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// ControlAnswer is what every command but status answers.
type ControlAnswer struct {
	Lines []string `json:"lines,omitempty"`
	Error string   `json:"error,omitempty"`
}

// ControlSocket is an open control socket.
type ControlSocket struct {
	path   string
	info   os.FileInfo
	ln     net.Listener
	server *http.Server // nil before Serve
}

// maxSocketPath is what sun_path holds on the systems that we know, with some reserve.
const maxSocketPath = 100

// ListenControl opens a socket with mode 0600; who connects waits until Serve. A
// socket that nobody answers on any more is replaced; another file is not.
func ListenControl(path string) (*ControlSocket, error) {
	if st, err := os.Lstat(path); err == nil {
		if st.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("%s exists and is not a socket", path)
		}
		if nc, err := net.DialTimeout("unix", path, time.Second); err == nil {
			nc.Close()
			return nil, fmt.Errorf("%s: %w", path, ErrControlTaken)
		}
	}
	// Bound in a directory of our own and then moved, it is never open to others.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".clowder-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	tmp := filepath.Join(dir, "s")
	if len(tmp) > maxSocketPath {
		return nil, fmt.Errorf("%s: the path is too long for a unix socket; it may have %d bytes", path, maxSocketPath-len(tmp)+len(path))
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: tmp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	err = os.Chmod(tmp, 0o600)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	var info os.FileInfo
	if err == nil {
		info, err = os.Lstat(path)
	}
	if err != nil {
		ln.Close()
		return nil, err
	}
	return &ControlSocket{path: path, info: info, ln: ln}, nil
}

// Serve begins to answer, and returns. It is called once.
func (s *ControlSocket) Serve(c *Control) {
	s.server = &http.Server{Handler: c.handler(), ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)}
	go s.server.Serve(s.ln)
}

// Path returns where the socket is.
func (s *ControlSocket) Path() string { return s.path }

// Close ends the socket and removes its file, if it is still this one's.
func (s *ControlSocket) Close() error {
	if st, err := os.Lstat(s.path); err == nil && os.SameFile(st, s.info) {
		os.Remove(s.path)
	}
	if s.server == nil {
		return s.ln.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return s.server.Shutdown(ctx)
}

func (c *Control) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { answer(w, 200, c.Running.Status()) })
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		done, err := c.Reload(r.Context())
		if err != nil {
			a := ControlAnswer{Error: err.Error()}
			if ref := (*RefusedError)(nil); errors.As(err, &ref) && ref.Findings != "" {
				a.Lines = strings.Split(strings.TrimSuffix(ref.Findings, "\n"), "\n")
			}
			answer(w, http.StatusConflict, a)
			return
		}
		answer(w, 200, ControlAnswer{Lines: done.Lines()})
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, r *http.Request) {
		answer(w, 200, ControlAnswer{Lines: []string{"stopping"}})
		c.Stop()
	})
	for path, do := range map[string]func(string) ([]string, error){"POST /drain": c.Running.Drain, "POST /enable": c.Running.Enable} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			lines, err := do(r.URL.Query().Get("member"))
			if err != nil {
				answer(w, http.StatusNotFound, ControlAnswer{Error: err.Error()})
				return
			}
			for _, l := range lines {
				c.Log.Info("control: " + l)
			}
			answer(w, 200, ControlAnswer{Lines: lines})
		})
	}
	return mux
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// Lines says what was done, for people.
func (r *Reloaded) Lines() []string {
	out := []string{"reloaded"}
	for _, a := range r.Opened {
		out = append(out, "listens on "+a)
	}
	for _, a := range r.Closed {
		out = append(out, "listens on "+a+" no more")
	}
	return append(out, r.Notes...)
}
