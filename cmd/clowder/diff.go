package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"clowder/parse/model"
	"clowder/parse/model/diff"
)

type diffCmd struct {
	A       string   `arg:"" name:"a" help:"File or directory of the first setup."`
	B       string   `arg:"" name:"b" help:"File or directory of the second setup."`
	Only    string   `enum:"httpd,tomcat,all" default:"all" placeholder:"PART" help:"Compare only this part: httpd or tomcat."`
	Format  string   `enum:"text,json" default:"text" help:"Form of the report: ${enum}."`
	HTTPDA  string   `name:"httpd-a" placeholder:"VERSION" help:"Version of httpd of the first setup."`
	HTTPDB  string   `name:"httpd-b" placeholder:"VERSION" help:"Version of httpd of the second setup."`
	TomcatA []string `name:"tomcat-a" placeholder:"[NODE=]VERSION" sep:"none" help:"Version of Tomcat in the first setup. Repeatable."`
	TomcatB []string `name:"tomcat-b" placeholder:"[NODE=]VERSION" sep:"none" help:"Version of Tomcat in the second setup. Repeatable."`
	Define  []string `short:"D" name:"define" placeholder:"NAME" sep:"none" help:"Set a name as httpd -D does, for both. Repeatable."`
	RootA   string   `name:"root-a" placeholder:"DIR" help:"Put before absolute paths in Include and ServerRoot of the first setup."`
	RootB   string   `name:"root-b" placeholder:"DIR" help:"Put before absolute paths in Include and ServerRoot of the second setup."`
	Color   string   `enum:"auto,always,never" default:"auto" help:"Colour: ${enum}."`
	Quiet   bool     `short:"q" help:"No summary."`
}

// Help is shown under the flags.
func (*diffCmd) Help() string {
	return "Each setup is a file or a directory: files of httpd and Tomcat, or a clowder.toml. What counts is what the servers do: " +
		"a default that is written down is no difference, a value inherited from the main server equals one in the virtual host; " +
		"files, comments, LoadModule, ServerRoot and the order of things without one do not count. Secrets are compared and never shown.\n\n" +
		"Exit codes: 0 the setups say the same, 1 they differ, 2 wrong usage, 3 one of them could not be read."
}

// Run compares; see [diffCmd.Help].
func (c *diffCmd) Run(a *app) error {
	first, err := c.read(a, c.A, c.HTTPDA, c.TomcatA, c.RootA)
	if err != nil {
		return err
	}
	second, err := c.read(a, c.B, c.HTTPDB, c.TomcatB, c.RootB)
	if err != nil {
		return err
	}
	o := diff.Options{Only: c.Only}
	if c.Only == "all" {
		o.Only = ""
	}
	found := diff.Compare(first, second, o)
	if c.Format == "json" {
		err = writeDiffJSON(a.stdout, found)
	} else {
		err = writeDiffText(a.stdout, found, useColor(c.Color, a.stdout))
	}
	if err != nil {
		return err
	}
	if !c.Quiet {
		fmt.Fprintln(a.stderr, plural(len(found), "difference", "differences"))
	}
	if len(found) > 0 {
		return exit(exitFindings)
	}
	return nil
}

// read loads one side as a whole. A file with syntax errors cannot be compared:
// nobody knows what it says.
func (c *diffCmd) read(a *app, path, httpd string, tomcat []string, root string) (*model.Setup, error) {
	in := inputFlags{Paths: []string{path}, HTTPD: httpd, Tomcat: tomcat, Define: c.Define, RootDir: root, whole: true}
	if path == "-" {
		return nil, usage("diff reads files and directories, not standard input")
	}
	r, err := in.load(a.ctx)
	if err != nil {
		return nil, c.named(a.ctx, path, err)
	}
	if err := unbroken(a, r, "compared"); err != nil {
		return nil, codeError{exitFailed, err}
	}
	return r.Setup, nil
}

// named says which of the two could not be read.
func (c *diffCmd) named(ctx context.Context, path string, err error) error {
	if ctx.Err() != nil || strings.Contains(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}

func writeDiffText(w io.Writer, found []diff.Difference, color bool) error {
	b := bufio.NewWriter(w)
	for _, d := range found {
		paint := ""
		switch d.Change {
		case diff.Added:
			paint = "\x1b[32m"
		case diff.Removed:
			paint = "\x1b[31m"
		}
		if color && paint != "" {
			fmt.Fprintf(b, "%s%s\x1b[0m\n", paint, d)
		} else {
			fmt.Fprintln(b, d)
		}
	}
	return b.Flush()
}

// jsonDifference is one difference as --format json writes it.
type jsonDifference struct {
	Change string    `json:"change"`
	Part   string    `json:"part"`
	Path   []string  `json:"path"`
	Field  string    `json:"field,omitempty"`
	Hidden bool      `json:"hidden,omitempty"` // the values are secrets and left out
	A      *jsonSide `json:"a,omitempty"`
	B      *jsonSide `json:"b,omitempty"`
}

// jsonSide is what one setup says.
type jsonSide struct {
	Value  string `json:"value,omitempty"`
	Origin string `json:"origin,omitempty"` // of a value: written, inferred, default or unset
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"` // in bytes, from 1
}

func writeDiffJSON(w io.Writer, found []diff.Difference) error {
	out := struct {
		Differences []jsonDifference `json:"differences"`
	}{make([]jsonDifference, len(found))}
	for i, d := range found {
		j := jsonDifference{Change: d.Change.String(), Part: d.Part, Path: d.Path, Field: d.Field, Hidden: d.Hidden}
		if j.Path == nil {
			j.Path = []string{}
		}
		if d.Change != diff.Added {
			j.A = sideJSON(d.A, d.Change == diff.Changed)
		}
		if d.Change != diff.Removed {
			j.B = sideJSON(d.B, d.Change == diff.Changed)
		}
		out.Differences[i] = j
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func sideJSON(s diff.Side, origin bool) *jsonSide {
	j := &jsonSide{Value: s.Value}
	if origin {
		j.Origin = s.Origin.String()
	}
	if s.Span.IsValid() {
		at := s.Span.Begin()
		j.File, j.Line, j.Column = s.Span.File.Name, at.Line, at.Column
	}
	return j
}
