package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"clowder/lint"
	"clowder/lint/report"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/runtime"
	"clowder/runtime/drill"
)

type runCmd struct {
	inputFlags `embed:""`
	PortOffset int           `name:"port-offset" placeholder:"N" help:"Add N to every port, so that port 80 works for an ordinary user."`
	Only       []string      `placeholder:"NAME" help:"Run only this part: balancer, or the name of a node. Repeatable."`
	Membership string        `enum:"auto,multicast,static" default:"auto" help:"How nodes find each other: ${enum}."`
	Force      bool          `help:"Run in spite of errors that lint found."`
	LogDir     string        `name:"log-dir" placeholder:"DIR" help:"Where access logs with relative directories are written (default: none are written)."`
	Drain      time.Duration `default:"10s" help:"How long requests in progress may take after Ctrl-C, SIGTERM or clowder ctl stop."`
	Control    string        `placeholder:"PATH|none" help:"Socket for clowder ctl (default: one in $$XDG_RUNTIME_DIR whose name comes from the paths; none with --only)."`
	Quiet      bool          `short:"q" help:"Say only warnings and errors."`
	Ready      bool          `hidden:"" help:"Write a line to standard output when everything listens."`

	mu sync.Mutex // one reload at a time
}

// Run lints, then runs the setup until Ctrl-C, SIGTERM or clowder ctl stop.
func (c *runCmd) Run(a *app) error {
	debug.SetGCPercent(100) // a server runs long: memory counts again
	if c.PortOffset < 0 || c.PortOffset > 65534 {
		return usage("--port-offset %d: want 0 to 65534", c.PortOffset)
	}
	level := slog.LevelInfo
	if c.Quiet {
		level = slog.LevelWarn
	}
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	r, err := c.read(a.ctx, a.stderr)
	if errors.Is(err, errSetup) {
		return codeError{exitFindings, fmt.Errorf("not started: %w", err)}
	}
	if err != nil {
		return err
	}
	socket, err := c.control(log)
	if err != nil {
		return err
	}
	if socket != nil {
		defer socket.Close()
	}
	running, err := runtime.Start(a.ctx, r.Setup, runtime.Options{
		Only: c.Only, PortOffset: c.PortOffset, Membership: runtime.Membership(c.Membership), LogDir: c.LogDir, Log: log, Unguarded: c.Force,
	})
	if err != nil {
		if a.ctx.Err() != nil {
			return a.ctx.Err()
		}
		if errors.Is(err, runtime.ErrUnguarded) {
			return codeError{exitFindings, err}
		}
		return err
	}
	ctx, stop := context.WithCancel(a.ctx)
	defer stop()
	control := &runtime.Control{Running: running, Stop: stop, Log: log,
		Reload: func(ctx context.Context) (*runtime.Reloaded, error) { return c.reload(ctx, a.stderr, running) }}
	if socket != nil {
		socket.Serve(control)
	}
	c.announce(a, running, socket)
	c.serve(ctx, a, running, hup, control.Reload)
	end, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), c.Drain)
	defer cancel()
	if err := running.Stop(end); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// serve waits for the end, and reloads at each SIGHUP.
func (c *runCmd) serve(ctx context.Context, a *app, running *runtime.Running, hup <-chan os.Signal, reload func(context.Context) (*runtime.Reloaded, error)) {
	for {
		select {
		case <-ctx.Done():
		case <-running.Done():
		case <-hup:
			done, err := reload(ctx)
			if err != nil {
				if ref := (*runtime.RefusedError)(nil); errors.As(err, &ref) {
					io.WriteString(a.stderr, ref.Findings)
				}
				fmt.Fprintln(a.stderr, "clowder: error:", err)
			} else if !c.Quiet {
				fmt.Fprintln(a.stderr, strings.Join(done.Lines(), "\n"))
			}
			continue
		}
		if !c.Quiet {
			fmt.Fprintf(a.stderr, "stopping; requests in progress have %v\n", c.Drain)
		}
		return
	}
}

// read reads and lints the setup, and says what of it does not count.
func (c *runCmd) read(ctx context.Context, w io.Writer) (*parse.Result, error) {
	c.whole = true // RewriteMap, SetEnvIfExpr, DirectoryIndex, conditions of health checks and the like
	r, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.lint(w, r); err != nil {
		return nil, err
	}
	if !c.Quiet {
		for _, n := range runtime.NotNeeded(r.Setup) {
			fmt.Fprintf(w, "%s: %s is not needed by clowder run\n", n.Span.Short(), n.What)
		}
	}
	return r, nil
}

// reload reads the same files again. An error holds the findings.
func (c *runCmd) reload(ctx context.Context, w io.Writer, running *runtime.Running) (*runtime.Reloaded, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var told bytes.Buffer
	var done *runtime.Reloaded
	r, err := c.read(ctx, &told)
	if err == nil {
		done, err = running.Reload(ctx, r.Setup)
	}
	if err != nil {
		return nil, &runtime.RefusedError{Findings: told.String(), Err: err}
	}
	io.Copy(w, &told)
	return done, nil
}

// control opens the control socket; nil when there is none.
func (c *runCmd) control(log *slog.Logger) (*runtime.ControlSocket, error) {
	path := controlPath(c.Control, c.Paths)
	if path == "" || c.Control == "" && len(c.Only) > 0 {
		return nil, nil
	}
	s, err := runtime.ListenControl(path)
	if err != nil && c.Control == "" {
		log.Warn("no control socket; --control PATH names another one", "err", err)
		return nil, nil
	}
	return s, err
}

// errSetup is what a setup with errors is refused with.
var errSetup = errors.New("the setup has errors; mend them, or run with --force")

// lint refuses setups with errors, unless --force.
func (c *runCmd) lint(w io.Writer, r *parse.Result) error {
	var errs diag.List
	for _, d := range check(r, lint.Options{}) {
		if d.Severity == diag.Error {
			errs = append(errs, d)
		}
	}
	if len(errs) == 0 || c.Force && c.Quiet {
		return nil
	}
	if err := report.Text(w, report.Report{Findings: errs, Files: r.Setup.Files}); err != nil {
		return err
	}
	if c.Force {
		return nil
	}
	return errSetup
}

func (c *runCmd) announce(a *app, r *runtime.Running, s *runtime.ControlSocket) {
	if !c.Quiet {
		for _, p := range r.Pieces {
			for _, what := range slices.Sorted(maps.Keys(p.Addresses)) {
				fmt.Fprintf(a.stderr, "%s: %s listens on %s\n", p.Name, what, p.Addresses[what])
			}
		}
		if c.LogDir == "" {
			fmt.Fprintln(a.stderr, "access logs are not written; --log-dir DIR writes them below DIR")
		}
		if s != nil {
			fmt.Fprintf(a.stderr, "clowder ctl finds it at %s\n", s.Path())
		}
		fmt.Fprintln(a.stderr, "running; Ctrl-C drains and stops")
	}
	if c.Ready {
		fmt.Fprintln(a.stdout, drill.Ready)
	}
}
