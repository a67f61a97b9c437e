package main

import (
	"fmt"

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
