package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/render/graph"
)

type graphCmd struct {
	inputFlags `embed:""`
	Format     string `placeholder:"FORMAT" default:"svg" help:"Form of the picture: ${graphs}."`
	Output     string `short:"o" placeholder:"FILE" help:"Write to this file instead of standard output."`
	Overwrite  bool   `help:"Replace the file if it exists."`
	NoLint     bool   `name:"no-lint" help:"Draw without the findings of lint."`
}

// Help is shown under the flags.
func (c *graphCmd) Help() string {
	var b strings.Builder
	b.WriteString("Draws clients, listeners, virtual hosts, mappings, balancers, members, Tomcats and clusters. Errors and warnings " +
		"of lint are marked where they belong; clowder.toml and the environment choose the rules as for lint. " +
		"Findings do not change the exit code.\n\nForms:\n")
	for _, f := range graph.Formats {
		fmt.Fprintf(&b, "\n  %-8s %s", f.Name, f.Doc)
	}
	return b.String()
}

// Run draws the setup.
func (c *graphCmd) Run(a *app) error {
	f, ok := graph.FindFormat(c.Format)
	if !ok {
		if s := diag.Suggest(c.Format, graphNames()); s != "" {
			return usage("--format %s: there is no such form; did you mean %s?", c.Format, s)
		}
		return usage("--format %s: want one of %s", c.Format, strings.Join(graphNames(), ", "))
	}
	c.whole = !c.NoLint // more places that findings can belong to
	r, err := c.load(a.ctx)
	if err != nil {
		return err
	}
	var found diag.List
	if !c.NoLint {
		if found, err = c.findings(a, r); err != nil {
			return err
		}
	}
	g := graph.Build(r.Setup, found)
	if g.Empty() {
		return codeError{exitFailed, errors.New("there is no front end and no node among the files: nothing to draw")}
	}
	if len(r.Broken) > 0 {
		fmt.Fprintf(a.stderr, "%s with syntax errors: the picture shows what could be read\n", count(len(r.Broken), "file"))
	}
	var out bytes.Buffer
	if err := f.Write(&out, g); err != nil {
		return err
	}
	if c.Output != "" {
		if err := writeFile(c.Output, out.Bytes(), 0o644, c.Overwrite); err != nil {
			return notOverwritten(c.Output, err)
		}
		fmt.Fprintf(a.stderr, "wrote %s\n", c.Output)
		return nil
	}
	_, err = a.stdout.Write(out.Bytes())
	return err
}

// findings runs the rules as lint does without flags; never nil.
func (c *graphCmd) findings(a *app, r *parse.Result) (diag.List, error) {
	settings, err := (&ruleFlags{}).settings(r.Native)
	if err != nil {
		return nil, err
	}
	o, failOn := settings.options(r)
	o.MinSeverity = diag.Warning
	if failOn != 0 {
		o.MinSeverity = min(failOn, diag.Warning)
	}
	found := diag.List{}
	err = interruptible(a.ctx, func() error {
		found = append(found, lint.Run(lint.NewInput(r), o)...)
		return nil
	})
	return found, err
}

func graphNames() []string {
	names := make([]string, len(graph.Formats))
	for i, f := range graph.Formats {
		names[i] = f.Name
	}
	return names
}
