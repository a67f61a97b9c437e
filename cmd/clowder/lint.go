package main

import (
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
)

type lintCmd struct {
	inputFlags    `embed:""`
	Format        []string `default:"text" sep:"none" placeholder:"FORMAT[=FILE]" help:"Form of the report: ${formats}. Repeatable."`
	FailOn        string   `name:"fail-on" placeholder:"LEVEL" help:"Lowest level that makes the exit code 1: error, warning, info or never (default warning)."`
	Only          string   `placeholder:"syntax" help:"Check only this: syntax (what httpd -t and an XML parser see)."`
	Enable        []string `placeholder:"RULE" help:"Check only these rules, by ID, name or beginning of IDs. Repeatable."`
	Disable       []string `placeholder:"RULE" help:"Leave out these rules. Repeatable."`
	MinSeverity   string   `name:"min-severity" enum:"info,warning,error" default:"info" help:"Hide weaker findings: ${enum}."`
	MinConfidence string   `name:"min-confidence" enum:"default,possible,likely,certain" default:"default" help:"Hide less sure findings: ${enum}."`
	Color         string   `enum:"auto,always,never" default:"auto" help:"Colour: ${enum}."`
	Quiet         bool     `short:"q" help:"No summary."`
	Verbose       bool     `short:"v" help:"Say what was read and assumed."`
}

// Run lints; the exit code is 1 when a finding is at or above --fail-on.
func (c *lintCmd) Run(a *app) error {
	r, err := c.loadBounded()
	if err != nil {
		return err
	}
	o, failOn, err := c.options(r)
	if err != nil {
		return err
	}
	if c.Verbose {
		c.tellInputs(a.stderr, r)
	}
	var found diag.List
	if c.Only == "syntax" {
		found = syntaxOnly(r)
	} else {
		found = check(r, o)
	}
	rep := report.Report{Findings: found, Files: r.Setup.Files, Rules: rules.All, Version: version()}
	if err := c.write(a, rep); err != nil {
		return err
	}
	if !c.Quiet {
		fmt.Fprintln(a.stderr, summary(found, len(r.Setup.Files)))
	}
	if failOn != 0 && found.Worst() >= failOn {
		return exit(exitFindings)
	}
	return nil
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
		case "H001", "H002", "H003", "H004", "H005", "H006", "H007", "H010", "T001":
			out = append(out, d)
		}
	}
	out.Sort(r.Setup.Files)
	return out
}

// options joins flags and clowder.toml; flags win.
func (c *lintCmd) options(r *parse.Result) (lint.Options, diag.Severity, error) {
	o := lint.Options{Rules: rules.All, Select: c.Enable, Disable: c.Disable}
	fail := c.FailOn
	if n := r.Native; n != nil {
		for _, d := range n.Settings.Lint.Disable {
			o.Disable = append(o.Disable, d.V)
		}
		o.Severity = map[string]diag.Severity{}
		for rule, level := range n.Settings.Lint.Severity {
			s, ok := diag.ParseSeverity(level.V)
			if !ok {
				return o, 0, usage("%s: severity of %s must be error, warning or info, not %q", level.Span, rule, level.V)
			}
			o.Severity[rule] = s
		}
		if fail == "" {
			fail = n.Settings.Lint.FailOn.V
		}
	}
	for _, ref := range append(append([]string{}, c.Enable...), c.Disable...) {
		if err := knownRule(ref); err != nil {
			return o, 0, err
		}
	}
	if c.Only != "" && c.Only != "syntax" {
		return o, 0, usage("--only %s: the only choice is syntax", c.Only)
	}
	o.MinSeverity, _ = diag.ParseSeverity(c.MinSeverity)
	o.MinConfidence, _ = diag.ParseConfidence(c.MinConfidence)
	switch fail {
	case "":
		return o, diag.Warning, nil
	case "never":
		return o, 0, nil
	}
	s, ok := diag.ParseSeverity(fail)
	if !ok {
		return o, 0, usage("--fail-on %s: want error, warning, info or never", fail)
	}
	return o, s, nil
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
		fmt.Fprintf(w, "httpd version %s: %s\n", f.Version.V, f.Version.Origin)
	}
	for _, n := range r.Setup.Nodes {
		fmt.Fprintf(w, "node %s, Tomcat version %s: %s\n", n.Name.V, n.Version.V, n.Version.Origin)
	}
	for _, m := range r.Remarks {
		fmt.Fprintln(w, m)
	}
}

// write gives the report in every format asked for; at most one goes to standard output.
func (c *lintCmd) write(a *app, rep report.Report) error {
	stdout := 0
	for _, spec := range c.Format {
		name, file, toFile := strings.Cut(spec, "=")
		f, ok := findFormat(name)
		if !ok {
			return usage("--format %s: want one of %s", name, formatNames())
		}
		if !toFile {
			if stdout++; stdout > 1 {
				return usage("two formats cannot share standard output: write one as --format %s=FILE", name)
			}
			rep.Color = useColor(c.Color, a.stdout)
			if err := f.Write(a.stdout, rep); err != nil {
				return err
			}
			continue
		}
		rep.Color = false
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
