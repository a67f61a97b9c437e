package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"clowder/render"

	"github.com/alecthomas/kong"
)

// The documented exit codes.
const (
	exitOK          = 0   // clean
	exitFindings    = 1   // findings, losses or a lost session
	exitUsage       = 2   // wrong usage or a bad clowder.toml
	exitFailed      = 3   // the work could not be done
	exitInterrupted = 130 // Ctrl-C
)

// cli is the whole command line.
type cli struct {
	Lint    lintCmd    `cmd:"" help:"Find what is wrong with a setup, inside files and between them."`
	Fmt     fmtCmd     `cmd:"" help:"Indent files of httpd and clowder.toml."`
	Explain explainCmd `cmd:"" help:"Explain a rule: what, why, how to fix it."`
	Rules   rulesCmd   `cmd:"" help:"List all rules."`
	Show    showCmd    `cmd:"" help:"Show the setup as it was understood, each value with its place."`
	Graph   graphCmd   `cmd:"" help:"Draw the setup, with what lint found in it."`
	Convert convertCmd `cmd:"" help:"Write the setup in another format."`
	Schema  schemaCmd  `cmd:"" help:"Print the JSON Schema of clowder.toml, for editors."`
	Diff    diffCmd    `cmd:"" help:"Compare two setups by their meaning."`
	Run     runCmd     `cmd:"" help:"Run the balancer and the nodes of a setup."`
	Ctl     ctlCmd     `cmd:"" help:"Reload, drain and stop what clowder run runs."`
	Drill   drillCmd   `cmd:"" help:"Rehearse a failover and say whether sessions survive it."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// app is what commands get: the streams and a context that ends with Ctrl-C.
type app struct {
	ctx            context.Context
	stdin          io.Reader
	stdout, stderr io.Writer
}

// codeError is an error that already was told to the user, with its exit code.
type codeError struct {
	code int
	err  error // nil: nothing more to say
}

func (e codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e codeError) Unwrap() error { return e.err }

func exit(code int) error { return codeError{code: code} }

func usage(format string, args ...any) error {
	return codeError{exitUsage, fmt.Errorf(format, args...)}
}

type exitPanic int

// Main runs one command line and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	var c cli
	defer func() {
		if r := recover(); r != nil {
			p, ok := r.(exitPanic)
			if !ok {
				panic(r)
			}
			code = int(p)
		}
	}()
	parser, err := kong.New(&c,
		kong.Name("clowder"),
		kong.Description("Apache httpd in front of Tomcats, read as one setup: lint, convert, run and drill it.\n\n"+
			"Exit codes: 0 clean, 1 findings or losses, 2 wrong usage, 3 the work could not be done."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(n int) { panic(exitPanic(n)) }),
		kong.Vars{"targets": strings.Join(render.Names(), ", "), "formats": formatNames(), "graphs": strings.Join(graphNames(), ", ")},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "clowder: error:", err)
		return exitFailed
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(stderr, "clowder: error:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return exitCode(stderr, k.Run(&app{ctx, stdin, stdout, stderr}))
}

func exitCode(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	var ce codeError
	if errors.As(err, &ce) {
		if ce.err != nil {
			fmt.Fprintln(stderr, "clowder: error:", ce.err)
		}
		return ce.code
	}
	if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	fmt.Fprintln(stderr, "clowder: error:", err)
	return exitFailed
}

type versionCmd struct{}

// Run prints the module's version, and the revision when it is known.
func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintf(a.stdout, "clowder %s\n", version())
	return err
}

func version() string {
	version, revision := "devel", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			version = v
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				revision = " " + s.Value[:12]
			}
		}
	}
	return version + revision
}
