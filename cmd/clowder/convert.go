package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"clowder/render"
	"clowder/render/target"
)

type convertCmd struct {
	To         string `required:"" placeholder:"TARGET" help:"Format to write: ${targets}."`
	inputFlags `embed:""`
	Output     string `short:"o" placeholder:"DIR" help:"Write the files below this directory instead of standard output."`
	Overwrite  bool   `help:"Replace files that exist."`
	Provenance bool   `help:"Say for every value where it stood."`
	Strict     bool   `help:"Exit 1 when anything was dropped."`
}

// Run converts; notes about losses go to standard error.
func (c *convertCmd) Run(a *app) error {
	t, ok := render.Find(c.To)
	if !ok {
		return usage("--to %s: there is no such target; the targets are: %s", c.To, strings.Join(render.Names(), ", "))
	}
	r, err := c.load(a.ctx)
	if err != nil {
		return err
	}
	if len(r.Broken) > 0 {
		for _, d := range r.Diags {
			if r.Broken[d.Span.File] {
				fmt.Fprintf(a.stderr, "%s: %s %s: %s\n", d.Span, d.Severity, d.ID, d.Message)
			}
		}
		return codeError{exitFindings, errors.New("files with syntax errors are not converted; mend them first")}
	}
	res, err := t.Render(r.Setup, target.Options{Provenance: c.Provenance})
	if err != nil {
		return err
	}
	if err := c.write(a, res); err != nil {
		return err
	}
	return c.notes(a, res)
}

func (c *convertCmd) notes(a *app, res *target.Result) error {
	dropped, security := 0, 0
	for _, n := range res.Notes {
		place := ""
		if n.Span.IsValid() {
			place = n.Span.String() + ": "
		}
		fmt.Fprintf(a.stderr, "%s%s: %s\n", place, n.Loss, n.Message)
		if n.Loss == target.Dropped {
			dropped++
		}
		if n.Security {
			security++
		}
	}
	if security > 0 || c.Strict && dropped > 0 {
		return exit(exitFindings)
	}
	return nil
}

func (c *convertCmd) write(a *app, res *target.Result) error {
	if c.Output == "" {
		if len(res.Files) != 1 {
			return usage("--to %s makes %d files: say where with -o DIR", c.To, len(res.Files))
		}
		_, err := a.stdout.Write(res.Files[0].Data)
		return err
	}
	for _, f := range res.Files {
		path := filepath.Join(c.Output, filepath.FromSlash(f.Name))
		if err := writeFile(path, f.Data, c.Overwrite); err != nil {
			return err
		}
		fmt.Fprintf(a.stderr, "wrote %s\n", path)
	}
	return nil
}

// writeFile writes a file as a whole or not at all: into a temporary file beside
// it, then in its place.
func writeFile(path string, data []byte, overwrite bool) error {
	if _, err := os.Lstat(path); err == nil && !overwrite {
		return fmt.Errorf("%s exists; --overwrite replaces it", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".clowder-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if overwrite {
		return os.Rename(tmp.Name(), path)
	}
	return os.Link(tmp.Name(), path)
}
