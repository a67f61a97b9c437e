package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"clowder/lint"
	"clowder/lint/report"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/httpd"
	"clowder/parse/model"
)

type lintCmd struct {
	inputFlags      `embed:""`
	Format          []string `default:"text" sep:"none" placeholder:"FORMAT[=FILE]" help:"Form of the report: ${formats}, or auto. Repeatable."`
	Only            string   `placeholder:"syntax" help:"Check only this: syntax (what httpd -t and an XML parser see)."`
	OnHost          bool     `name:"on-host" help:"This is the server's own machine: files that LoadModule names must exist."`
	ruleFlags       `embed:""`
	MinSeverity     string `name:"min-severity" enum:"default,info,warning,error" default:"default" help:"Hide weaker findings: info, warning or error (default: warning, or info with --fail-on info)."`
	NoInlineIgnores bool   `name:"no-inline-ignores" help:"Comments clowder:ignore in the files count for nothing."`
	baselineFlags   `embed:""`
	Fix             fixMode `placeholder:"safe" help:"Mend what can be mended in the files: --fix or --fix=safe, or --fix=suggested for all that is offered."`
	Diff            bool    `help:"Print the fixes as a patch in place of writing them; exit code 1 when there are any."`
	Color           string  `enum:"auto,always,never" default:"auto" help:"Colour: ${enum}."`
	Quiet           bool    `short:"q" help:"No summary."`
	Verbose         bool    `short:"v" help:"Say what was read and assumed."`
}

// Run lints; the exit code is 1 when a finding is at or above --fail-on.
func (c *lintCmd) Run(a *app) error {
	c.inputFlags.OnHost = c.OnHost
	if err := c.checkFlags(); err != nil {
		return err
	}
	perByte := int64(rulesPerByte)
	if c.Only == "syntax" {
		perByte = readingPerByte
	}
	c.read = boundMemory(perByte)
	r, err := c.load(a.ctx)
	if err != nil {
		return err
	}
	settings, err := c.settings(r.Native)
	if err != nil {
		return err
	}
	o, failOn := settings.options(r)
	o.NoInline = c.NoInlineIgnores
	least, asked := diag.ParseSeverity(c.MinSeverity)
	if !asked {
		least = min(cmp.Or(failOn, diag.Warning), diag.Warning)
	}
	o.MinSeverity = least
	if c.Verbose {
		c.tellInputs(a.stderr, r)
	}
	var in *lint.Input
	var result lint.Result
	err = interruptible(a.ctx, func() error {
		in = lint.NewInput(r)
		result = c.check(r, in, o)
		return nil
	})
	if err != nil {
		return err
	}
	if c.Fix != "" || c.Diff {
		fixed, err := c.mend(a, result.Findings, o)
		if err != nil || c.Diff {
			return err
		}
		if r, in = fixed.r, fixed.in; true {
			result = fixed.result
		}
	}
	remark := ""
	if result.Findings, remark, err = c.apply(result.Findings, in, r); err != nil {
		return err
	}
	if c.NewFrom != "" {
		if result.Findings, err = c.newFrom(a.ctx, result.Findings, in, o); err != nil {
			return err
		}
	}
	rep := report.Report{Findings: result.Findings, Suppressed: result.Suppressed, Files: r.Setup.Files, Rules: rules.All, Version: version(),
		Prints: lint.NewFingerprints(in)}
	if err := c.write(a, rep); err != nil {
		return err
	}
	if !c.Quiet {
		text := summary(result.Findings, len(r.Setup.Files))
		if remark != "" {
			text += ", " + remark
		}
		fmt.Fprintln(a.stderr, text)
	}
	if failOn != 0 && result.Findings.Worst() >= failOn {
		return exit(exitFindings)
	}
	return nil
}

// checkFlags finds what does not go together.
func (c *lintCmd) checkFlags() error {
	switch {
	case c.Only != "" && c.Only != "syntax":
		return usage("--only %s: the only choice is syntax", c.Only)
	case c.Fix != "" && c.Fix != "safe" && c.Fix != "suggested":
		return usage("--fix=%s: want safe or suggested", c.Fix)
	case c.Only != "" && (c.Fix != "" || c.Diff):
		return usage("--only syntax and --fix do not go together")
	case c.WriteBaseline != "" && (c.Baseline != "" || c.PruneBaseline || c.NewFrom != ""):
		return usage("--write-baseline does not go together with --baseline, --prune-baseline and --new-from")
	}
	return nil
}

func (c *lintCmd) check(r *parse.Result, in *lint.Input, o lint.Options) lint.Result {
	if c.Only == "syntax" {
		return lint.Result{Findings: syntaxOnly(r)}
	}
	return lint.Check(in, o)
}

// syntaxOnly gives what httpd -t and an XML parser would say, without running the
// rules.
func syntaxOnly(r *parse.Result) diag.List {
	all := r.Diags
	for _, cfg := range r.HTTPD {
		if cfg != nil {
			all = append(all, httpd.CheckModules(cfg)...)
		}
	}
	var out diag.List
	for _, d := range all {
		switch d.ID {
		case "H001", "H002", "H003", "H004", "H005", "H006", "H007", "H010", "H108", "T001":
			out = append(out, d)
		}
	}
	out.Sort(r.Setup.Files)
	return out
}

func knownRule(ref string) error {
	var names []string
	for _, r := range rules.All {
		if r.Matches(ref) {
			return nil
		}
		names = append(names, r.ID, r.Name)
	}
	msg := ""
	if s := diag.Suggest(ref, names); s != "" {
		msg = fmt.Sprintf("; did you mean %s?", s)
	}
	return usage("there is no rule %q%s", ref, msg)
}

func (c *lintCmd) tellInputs(w io.Writer, r *parse.Result) {
	for _, f := range r.Setup.Files {
		fmt.Fprintf(w, "read %s: %s\n", f.Name, r.Kinds[f])
	}
	for _, f := range r.Setup.FrontEnds {
		fmt.Fprintf(w, "httpd version %s: %s\n", f.Version.V, saidBy(f.Version))
	}
	for _, n := range r.Setup.Nodes {
		fmt.Fprintf(w, "node %s, Tomcat version %s: %s\n", n.Name.V, n.Version.V, saidBy(n.Version))
	}
	for _, m := range r.Remarks {
		fmt.Fprintln(w, m)
	}
}

// saidBy tells where a version comes from.
func saidBy(v model.String) string {
	switch {
	case v.Origin == model.Inferred && v.Span.IsValid():
		return "inferred from " + v.Span.Short()
	case v.IsWritten() && v.Span.IsValid():
		return v.Span.Short()
	case v.IsWritten():
		return "command line"
	}
	return v.Origin.String()
}

// write gives the report in every format asked for; at most one goes to standard output.
func (c *lintCmd) write(a *app, rep report.Report) error {
	stdout := 0
	for _, spec := range c.Format {
		name, file, toFile := strings.Cut(spec, "=")
		if name == "auto" {
			if name = "text"; os.Getenv("GITHUB_ACTIONS") == "true" {
				name = "github"
			}
		}
		f, ok := findFormat(name)
		if !ok {
			return usage("--format %s: want one of %s", name, formatNames())
		}
		if !toFile {
			if stdout++; stdout > 1 {
				return usage("two formats cannot share standard output: write one as --format %s=FILE", name)
			}
			rep.Color = useColor(c.Color, a.stdout)
			rep.Links = rep.Color && hyperlinks(a.stdout)
			if err := f.Write(a.stdout, rep); err != nil {
				return err
			}
			continue
		}
		rep.Color, rep.Links = false, false
		if err := writeReport(file, f, rep); err != nil {
			return err
		}
	}
	return nil
}

func findFormat(name string) (report.Format, bool) {
	for _, f := range report.Formats {
		if f.Name == name {
			return f, true
		}
	}
	return report.Format{}, false
}

func formatNames() string {
	var names []string
	for _, f := range report.Formats {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

func writeReport(path string, f report.Format, rep report.Report) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Write(out, rep), out.Close())
}

func summary(list diag.List, files int) string {
	if len(list) == 0 {
		return fmt.Sprintf("no findings in %s", count(files, "file"))
	}
	return fmt.Sprintf("%s, %s, %d info in %s", count(list.Count(diag.Error), "error"),
		count(list.Count(diag.Warning), "warning"), list.Count(diag.Info), count(files, "file"))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
