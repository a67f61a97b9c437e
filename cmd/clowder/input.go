package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
)

// inputFlags are the arguments of every command that reads a setup.
type inputFlags struct {
	Paths   []string `arg:"" optional:"" name:"path" help:"Files or directories of the setup (default: this directory)."`
	HTTPD   string   `name:"httpd" placeholder:"VERSION" help:"Version of httpd, such as 2.2.21 or 2.4."`
	Tomcat  []string `name:"tomcat" placeholder:"[NODE=]VERSION" sep:"none" help:"Version of Tomcat, such as 7.0.23 or s1=10.1. Repeatable."`
	Host    []string `name:"host" placeholder:"NODE=ADDRESS" sep:"none" help:"Machine that a node, or the httpd of a file, runs on. Repeatable."`
	Define  []string `short:"D" name:"define" placeholder:"NAME" sep:"none" help:"Set a name as httpd -D does. Repeatable."`
	RootDir string   `name:"root" placeholder:"DIR" help:"Put before absolute paths in Include and ServerRoot: for a copied /etc."`
	Stdin   string   `name:"stdin-filename" placeholder:"NAME" help:"Name of what is read from standard input, given as the path -."`
	Config  string   `name:"config" placeholder:"FILE|none" help:"Settings from this clowder.toml, or from none, in place of the one beside the files."`

	OnHost  bool              `kong:"-"`
	whole   bool              // keep what has no field in the model
	overlay map[string][]byte // contents of files, for fixes and standard input
	read    func(bytes int)   // told the size of each file; see [boundMemory]
}

// load reads the setup. When the context ends before, it returns at once with the
// context's error; the reading is left to itself, for the process ends then.
func (f *inputFlags) load(ctx context.Context) (*parse.Result, error) {
	o := parse.Options{Paths: f.Paths, Root: f.RootDir, Defines: f.Define, HTTPD: f.HTTPD, OnHost: f.OnHost, Config: f.Config, Whole: f.whole, Overlay: f.overlay, Read: f.read}
	if len(o.Paths) == 0 {
		o.Paths = []string{"."}
	}
	if i := slices.Index(o.Paths, "-"); i >= 0 {
		if f.Stdin == "" {
			return nil, usage("standard input needs a name: --stdin-filename httpd.conf")
		}
		if f.overlay == nil {
			data, err := io.ReadAll(io.LimitReader(os.Stdin, maxStdin+1))
			if err != nil || len(data) > maxStdin {
				return nil, fmt.Errorf("standard input: more than %d MiB, or unreadable: %v", maxStdin>>20, err)
			}
			f.overlay = map[string][]byte{f.Stdin: data}
			o.Overlay = f.overlay
		}
		o.Paths = slices.Clone(o.Paths)
		o.Paths[i] = f.Stdin
	}
	var err error
	if o.Tomcat, err = pairs("--tomcat", f.Tomcat, true); err != nil {
		return nil, err
	}
	if o.Hosts, err = pairs("--host", f.Host, false); err != nil {
		return nil, err
	}
	var r *parse.Result
	err = interruptible(ctx, func() error {
		var err error
		r, err = parse.Load(o)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(r.UnusedNames) > 0 {
		return nil, usage("%s", strings.Join(r.UnusedNames, "\n"))
	}
	if err := badConfig(r.Diags); err != nil {
		return nil, err
	}
	return r, nil
}

// interruptible runs work that takes no notice of a context; it returns without
// waiting for it when the context ends.
func interruptible(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// badConfig makes an error of the mistakes in a clowder.toml.
func badConfig(diags diag.List) error {
	var lines []string
	for _, d := range diags {
		if strings.HasPrefix(d.ID, "C1") && d.Severity == diag.Error {
			lines = append(lines, fmt.Sprintf("%s: %s [%s %s]", d.Span, d.Message, d.ID, d.Name))
		}
	}
	if n := len(lines); n > maxConfigErrors {
		lines = append(lines[:maxConfigErrors], fmt.Sprintf("and %d more", n-maxConfigErrors))
	}
	if lines == nil {
		return nil
	}
	return codeError{exitUsage, errors.New(strings.Join(lines, "\n"))}
}

// maxConfigErrors is how many mistakes of a clowder.toml are told at once.
const maxConfigErrors = 20

// maxStdin bounds what is read from standard input, in bytes.
const maxStdin = 64 << 20

// pairs reads NAME=VALUE words; with bare allowed, VALUE alone gets the name "".
func pairs(flag string, words []string, bare bool) (map[string]string, error) {
	out := map[string]string{}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok && bare {
			name, value = "", w
		}
		if value == "" || !ok && !bare {
			return nil, usage("%s %s: want NAME=VALUE", flag, w)
		}
		out[name] = value
	}
	return out, nil
}

// check runs the rules over what was read.
func check(r *parse.Result, o lint.Options) diag.List {
	if o.Rules == nil {
		o.Rules = rules.All
	}
	return lint.Run(lint.NewInput(r), o)
}
