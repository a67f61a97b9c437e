package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/native"
)

type rulesCmd struct {
	Paths     []string `arg:"" optional:"" name:"path" help:"With --effective: where the clowder.toml is (default: this directory)."`
	Format    string   `enum:"text,json" default:"text" help:"Form: ${enum}."`
	Effective bool     `help:"Show what is in force with clowder.toml, the environment and these flags, and where each setting was said."`
	Config    string   `placeholder:"FILE|none" help:"Settings from this clowder.toml, or from none."`
	ruleFlags `embed:""`
}

// ruleEntry is one rule of the list.
type ruleEntry struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Severity   string `json:"severity"`
	Confidence string `json:"confidence"`
	Category   string `json:"category"`
	Versions   string `json:"versions"`
	Fixable    bool   `json:"fixable"`

	// Of --effective only.
	Enabled      *bool  `json:"enabled,omitempty"`
	EnabledFrom  string `json:"enabledFrom,omitempty"`
	SeverityFrom string `json:"severityFrom,omitempty"`
}

// Run lists the rules.
func (c *rulesCmd) Run(a *app) error {
	var settings *lintSettings
	if c.Effective {
		doc, err := c.native()
		if err != nil {
			return err
		}
		if settings, err = c.settings(doc); err != nil {
			return err
		}
	}
	var list []ruleEntry
	for _, r := range rules.All {
		list = append(list, entryOf(r, settings))
	}
	if c.Format == "json" {
		enc := json.NewEncoder(a.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, e := range list {
		fix := ""
		if e.Fixable {
			fix = "fix"
		}
		if e.Enabled == nil {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.Name, e.Severity, e.Confidence, e.Versions, fix)
			continue
		}
		state := "on"
		if !*e.Enabled {
			state = "off"
		}
		fmt.Fprintf(w, "%s\t%s\t%s (%s)\t%s (%s)\n", e.ID, e.Name, state, e.EnabledFrom, e.Severity, e.SeverityFrom)
	}
	if err := w.Flush(); err != nil || settings == nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "\nfail-on: %s (%s)\n", settings.failOn.value, settings.failOn.source)
	if err == nil && settings.minConfidence.value != "" {
		_, err = fmt.Fprintf(a.stdout, "min-confidence: %s (%s)\n", settings.minConfidence.value, settings.minConfidence.source)
	}
	return err
}

func entryOf(r *lint.Rule, settings *lintSettings) ruleEntry {
	e := ruleEntry{ID: r.ID, Name: r.Name, Severity: r.Severity.String(), Confidence: r.Confidence.String(),
		Category: string(r.Category), Versions: r.Versions.Text, Fixable: r.Fixable}
	if settings != nil {
		on, why, level, from := settings.of(r)
		e.Enabled, e.EnabledFrom, e.Severity, e.SeverityFrom = &on, why, level.String(), from
	}
	return e
}

// native reads the settings that lint would use for the paths.
func (c *rulesCmd) native() (*native.Doc, error) {
	paths := c.Paths
	if len(paths) == 0 {
		paths = []string{"."}
	}
	doc, diags, err := parse.Settings(paths, c.Config)
	if err != nil {
		return nil, err
	}
	return doc, badConfig(diags)
}
