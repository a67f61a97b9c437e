package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse/known"
)

type explainCmd struct {
	Rule   string `arg:"" help:"ID or name of a rule, such as X201; a directive, such as ProxyPass; an element, class or attribute, such as Receiver.autoBind."`
	Format string `enum:"text,markdown" default:"text" help:"Form: ${enum}."`
}

// Run prints the documentation of a rule, or of a directive, element or attribute.
func (c *explainCmd) Run(a *app) error {
	f := lint.Text
	if c.Format == "markdown" {
		f = lint.Markdown
	}
	text, ok := lint.Explain(rules.All, c.Rule, f)
	if !ok {
		if page := explainName(c.Rule, f == lint.Markdown); page != "" {
			_, err := fmt.Fprint(a.stdout, page)
			return err
		}
		if near := known.Suggest(c.Rule); text != "" && near != "" {
			text += " or " + near
		} else {
			text += near
		}
		if text != "" {
			return usage("there is no rule %q, nor a directive or element; did you mean %s?", c.Rule, text)
		}
		return usage("there is no rule %q, nor a directive or element; clowder rules lists the rules", c.Rule)
	}
	_, err := fmt.Fprint(a.stdout, text)
	return err
}

type rulesCmd struct {
	Format string `enum:"text,json" default:"text" help:"Form: ${enum}."`
}

// Run lists the rules.
func (c *rulesCmd) Run(a *app) error {
	if c.Format == "json" {
		type entry struct {
			ID         string `json:"id"`
			Name       string `json:"name"`
			Severity   string `json:"severity"`
			Confidence string `json:"confidence"`
			Category   string `json:"category"`
			Versions   string `json:"versions"`
			Fixable    bool   `json:"fixable"`
		}
		var list []entry
		for _, r := range rules.All {
			list = append(list, entry{r.ID, r.Name, r.Severity.String(), r.Confidence.String(), string(r.Category), r.Versions.Text, r.Fixable})
		}
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, r := range rules.All {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Severity, r.Versions.Text)
	}
	return w.Flush()
}
