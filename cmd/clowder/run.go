package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
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
	Drain      time.Duration `default:"10s" help:"How long requests in progress may take after Ctrl-C."`
	Quiet      bool          `short:"q" help:"Say only warnings and errors."`
	Ready      bool          `hidden:"" help:"Write a line to standard output when everything listens."`
}

// Run lints, then runs the setup until Ctrl-C.
func (c *runCmd) Run(a *app) error {
	debug.SetGCPercent(100) // a server runs long: memory counts again
	if c.PortOffset < 0 || c.PortOffset > 65534 {
		return usage("--port-offset %d: want 0 to 65534", c.PortOffset)
	}
	c.whole = true // directives without a field count here, too: SSLRequireSSL, Protocols
	r, err := c.load(a.ctx)
	if err != nil {
		return err
	}
	if err := c.lint(a, r); err != nil {
		return err
	}
	level := slog.LevelInfo
	if c.Quiet {
		level = slog.LevelWarn
	}
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
	for _, n := range runtime.NotDone(r.Setup) {
		fmt.Fprintf(a.stderr, "%s: warning: %s is not carried out by clowder run\n", n.Span, n.What)
	}
	if !c.Quiet {
		for _, n := range runtime.NotNeeded(r.Setup) {
			fmt.Fprintf(a.stderr, "%s: %s is not needed by clowder run\n", n.Span.Short(), n.What)
		}
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
	c.announce(a, running)
	select {
	case <-a.ctx.Done():
	case <-running.Done():
	}
	if !c.Quiet {
		fmt.Fprintf(a.stderr, "stopping; requests in progress have %v\n", c.Drain)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), c.Drain)
	defer cancel()
	if err := running.Stop(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// lint refuses setups with errors, unless --force.
func (c *runCmd) lint(a *app, r *parse.Result) error {
	var errs diag.List
	for _, d := range check(r, lint.Options{}) {
		if d.Severity == diag.Error {
			errs = append(errs, d)
		}
	}
	if len(errs) == 0 || c.Force && c.Quiet {
		return nil
	}
	if err := report.Text(a.stderr, report.Report{Findings: errs, Files: r.Setup.Files}); err != nil {
		return err
	}
	if c.Force {
		return nil
	}
	return codeError{exitFindings, errors.New("not started: the setup has errors; mend them, or run with --force")}
}

func (c *runCmd) announce(a *app, r *runtime.Running) {
	if !c.Quiet {
		for _, p := range r.Pieces {
			for _, what := range slices.Sorted(maps.Keys(p.Addresses)) {
				fmt.Fprintf(a.stderr, "%s: %s listens on %s\n", p.Name, what, p.Addresses[what])
			}
		}
		if c.LogDir == "" {
			fmt.Fprintln(a.stderr, "access logs are not written; --log-dir DIR writes them below DIR")
		}
		fmt.Fprintln(a.stderr, "running; Ctrl-C drains and stops")
	}
	if c.Ready {
		fmt.Fprintln(a.stdout, drill.Ready)
	}
}
