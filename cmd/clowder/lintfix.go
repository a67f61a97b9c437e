package main

import (
	"fmt"

	"clowder/lint"
	"clowder/lint/fix"
	"clowder/parse"
	"clowder/parse/diag"

	"github.com/alecthomas/kong"
)

// fixMode is the value of --fix: safe, which may be left out, or suggested.
type fixMode string

// Decode reads --fix and --fix=VALUE.
func (f *fixMode) Decode(ctx *kong.DecodeContext) error {
	*f = "safe"
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		*f = fixMode(ctx.Scan.Pop().String())
	}
	return nil
}

// IsBool lets the flag stand without a value.
func (f *fixMode) IsBool() bool { return true }

// fixed is the setup after its files were mended.
type fixed struct {
	r      *parse.Result
	in     *lint.Input
	result lint.Result
}

// mend applies fixes, or prints them as a patch, and returns the setup as it is
// then. With --diff the exit code is 1 when files would change.
func (c *lintCmd) mend(a *app, found diag.List, o lint.Options) (*fixed, error) {
	var last fixed
	relint := func(overlay map[string][]byte) (diag.List, error) {
		again := *c
		again.overlay = map[string][]byte{}
		for name, data := range c.overlay {
			again.overlay[name] = data
		}
		for name, data := range overlay {
			again.overlay[name] = data
		}
		r, err := again.load(a.ctx)
		if err != nil {
			return nil, err
		}
		in := lint.NewInput(r)
		last = fixed{r, in, lint.Check(in, o)}
		return last.result.Findings, nil
	}
	if _, err := relint(nil); err != nil {
		return nil, err
	}
	res, err := fix.Run(found, c.Fix == "suggested", relint)
	if err != nil {
		return nil, err
	}
	for _, x := range res.RolledBack {
		fmt.Fprintf(a.stderr, "not fixed, it would cause another finding: %s: %s %s: %s\n", x.Finding.Span, x.Finding.ID, x.Finding.Name, x.Fix.Message)
	}
	if c.Diff {
		if _, err := a.stdout.Write(fix.Diff(res.Changes)); err != nil {
			return nil, err
		}
		if len(res.Changes) > 0 {
			return nil, exit(exitFindings)
		}
		return nil, nil
	}
	if err := fix.Write(res.Changes); err != nil {
		return nil, err
	}
	for _, x := range res.Applied {
		fmt.Fprintf(a.stderr, "fixed %s: %s %s: %s\n", x.Finding.Span, x.Finding.ID, x.Finding.Name, x.Fix.Message)
	}
	_, err = relint(nil) // what stands in the files now
	return &last, err
}
