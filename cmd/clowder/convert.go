package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"clowder/parse"
	"clowder/parse/diag"
	"clowder/render"
	"clowder/render/target"
)

type convertCmd struct {
	To         string `required:"" placeholder:"TARGET" help:"Format to write: ${targets}."`
	inputFlags `embed:""`
	Output     string   `short:"o" placeholder:"DIR" help:"Write the files below this directory instead of standard output."`
	Overwrite  bool     `help:"Replace files that exist."`
	Provenance bool     `help:"Say for every value where it stood."`
	Strict     bool     `help:"Exit 1 when anything was dropped or needs a person."`
	AcceptLoss []string `name:"accept-loss" placeholder:"AREA[@FILE:LINE]" sep:"none" help:"Do not exit 1 for losses of security in this area, or at this place only. Repeatable."`
	Notes      []string `name:"notes" placeholder:"FORMAT[=FILE]" sep:"none" help:"Form of the notes about what was lost: text, json or none; =FILE writes them there. Repeatable."`
	AllNotes   bool     `name:"all-notes" help:"List in text what was carried over exactly, too."`
}

// Help is shown under the flags.
func (c *convertCmd) Help() string {
	var b strings.Builder
	b.WriteString("Exit 1 when a loss touches security and was not accepted, or with --strict when anything was dropped. " +
		"With --to tomcat a bare --tomcat VERSION names the version to write for; --tomcat NODE=VERSION still says what a node runs now.\n\n" +
		"Areas of losses:\n")
	for _, a := range target.Areas {
		fmt.Fprintf(&b, "\n  %-19s %s", a.ID, a.Doc)
	}
	return b.String()
}

// Run converts; notes about losses go to standard error.
func (c *convertCmd) Run(a *app) error {
	t, ok := render.Find(c.To)
	if !ok {
		return usage("--to %s: there is no such target; the targets are: %s", c.To, strings.Join(render.Names(), ", "))
	}
	accepted, err := acceptedLosses(c.AcceptLoss)
	if err != nil {
		return err
	}
	sinks, err := noteSinks(c.Notes)
	if err != nil {
		return err
	}
	opts := target.Options{Provenance: c.Provenance}
	if c.To == "tomcat" {
		c.Tomcat = slices.DeleteFunc(slices.Clone(c.Tomcat), func(v string) bool {
			if strings.Contains(v, "=") {
				return false
			}
			opts.Tomcat = v
			return true
		})
	}
	c.whole = true
	r, err := c.load(a.ctx)
	if err != nil {
		return err
	}
	if err := unbroken(a, r, "converted"); err != nil {
		return err
	}
	res, err := t.Render(r.Setup, opts)
	if wrong, ok := errors.AsType[target.OptionError](err); ok {
		return usage("--tomcat: %s", wrong.Message)
	}
	if err != nil {
		return err
	}
	if err := c.write(a, res); err != nil {
		return err
	}
	if err := sinks.write(a, c, res.Notes, accepted); err != nil {
		return err
	}
	return c.verdict(a, res.Notes, accepted)
}

// unbroken refuses a setup with files that could not be read as a whole.
func unbroken(a *app, r *parse.Result, done string) error {
	if len(r.Broken) == 0 {
		return nil
	}
	for _, d := range r.Diags {
		if r.Broken[d.Span.File] {
			fmt.Fprintf(a.stderr, "%s: %s %s: %s\n", d.Span, d.Severity, d.ID, d.Message)
		}
	}
	return codeError{exitFindings, errors.New("files with syntax errors are not " + done + "; mend them first")}
}

// verdict is exit 1 for losses that nobody accepted.
func (c *convertCmd) verdict(a *app, notes []target.Note, accepted losses) error {
	areas := map[string]bool{}
	dropped := 0
	for _, n := range notes {
		if n.Loss >= target.Dropped {
			dropped++
		}
		if n.Loss != target.Exact && n.Security && !accepted.has(n) {
			areas[n.ID] = true
		}
	}
	if len(areas) > 0 {
		names := make([]string, 0, len(areas))
		for _, area := range target.Areas {
			if areas[area.ID] {
				names = append(names, "--accept-loss "+area.ID)
			}
		}
		return codeError{exitFindings, fmt.Errorf("protection was lost, see the notes marked security; after a look accept it with %s", strings.Join(names, " "))}
	}
	if c.Strict && dropped > 0 {
		return codeError{exitFindings, fmt.Errorf("--strict: %s not carried over", plural(dropped, "fact was", "facts were"))}
	}
	return nil
}

func (c *convertCmd) write(a *app, res *target.Result) error {
	if c.Output != "" {
		return writeFiles(a.stderr, c.Output, res.Files, c.Overwrite)
	}
	if len(res.Files) != 1 {
		names := make([]string, len(res.Files))
		for i, f := range res.Files {
			names[i] = f.Name
		}
		return usage("--to %s makes %d files (%s): say where with -o DIR", c.To, len(res.Files), strings.Join(names, ", "))
	}
	_, err := a.stdout.Write(res.Files[0].Data)
	return err
}

// losses are the areas, and places in them, that a user accepted to lose.
type losses map[string][]string // area → places; "" for all

func acceptedLosses(words []string) (losses, error) {
	out := losses{}
	for _, w := range words {
		id, place, _ := strings.Cut(w, "@")
		if _, ok := target.FindArea(id); !ok {
			ids := make([]string, len(target.Areas))
			for i, a := range target.Areas {
				ids[i] = a.ID
			}
			if s := diag.Suggest(id, ids); s != "" {
				return nil, usage("--accept-loss %s: there is no such area; did you mean %s?", id, s)
			}
			return nil, usage("--accept-loss %s: there is no such area; the areas are: %s", id, strings.Join(ids, ", "))
		}
		out[id] = append(out[id], place)
	}
	return out, nil
}

// has reports whether the loss of this note was accepted.
func (l losses) has(n target.Note) bool {
	return slices.ContainsFunc(l[n.ID], func(place string) bool {
		return place == "" || n.Span.IsValid() && (n.Span.String() == place || n.Span.Short() == place)
	})
}

// plural writes a number with the word that fits it.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
