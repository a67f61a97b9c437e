package lint

import "clowder/parse/diag"

var metaInternal = &Rule{
	ID: "C000", Name: "internal-error", Severity: diag.Error, Confidence: diag.Certain, Category: Linting,
	Versions: Versions{Text: "all"},
	Doc: Doc{
		What:   "A rule failed on this input and was left out of the run; the other rules ran.",
		Why:    "The setup was not checked for what that rule looks for.",
		Fix:    "Report it with the smallest configuration that shows it.",
		Bad:    "(a defect of clowder)",
		Good:   "(none)",
		Source: "clowder",
	},
}

var metaUnused = &Rule{
	ID: "C001", Name: "unused-ignore", Severity: diag.Warning, Confidence: diag.Certain, Category: Linting,
	Versions: Versions{Text: "all"},
	Doc: Doc{
		What:   "A clowder:ignore comment names a rule that finds nothing there.",
		Why:    "It hides the next mistake of that kind, long after its reason is gone.",
		Fix:    "Delete the comment, or move it to the line in front of the directive or element it is meant for.",
		Bad:    "# clowder:ignore H503 -- internal network\nListen 80",
		Good:   "Listen 80",
		Notes:  "Silent for rules that did not run. Cannot be ignored itself.",
		Source: "as unused disable directives in eslint",
	},
}

var metaReason = &Rule{
	ID: "C002", Name: "ignore-without-reason", Severity: diag.Warning, Confidence: diag.Certain, Category: Linting,
	Versions: Versions{Text: "all"},
	Doc: Doc{
		What:   "A clowder:ignore comment gives no reason.",
		Why:    "Nobody can tell later whether it may go.",
		Fix:    "Write `reason: ...` behind the rule IDs; in httpd files ` -- ...` does as well. XML comments must not hold `--`.",
		Bad:    "# clowder:ignore H503",
		Good:   "# clowder:ignore H503 -- only reachable from the management network",
		Notes:  "The comment takes effect all the same.",
		Source: "as the strict mode of nolintlint",
	},
}

var metaUnknown = &Rule{
	ID: "C003", Name: "unknown-rule-in-ignore", Severity: diag.Error, Confidence: diag.Certain, Category: Linting,
	Versions: Versions{Text: "all"},
	Doc: Doc{
		What:   "A clowder:ignore comment names no rule, or one that does not exist.",
		Why:    "It has no effect, and a comment without a rule would hide everything.",
		Fix:    "Name the rules by ID or name, separated by commas.",
		Bad:    "# clowder:ignore H5O3 -- internal",
		Good:   "# clowder:ignore H503 -- internal",
		Notes:  "A comment without any rule is found as well. Cannot be ignored itself.",
		Source: "as require-specific in nolintlint",
	},
}

var metaNotRecognised = &Rule{
	ID: "C004", Name: "file-not-recognised", Severity: diag.Warning, Confidence: diag.Certain, Category: Linting,
	Versions: Versions{Text: "all"},
	Doc: Doc{
		What:   "A file was named that is neither an httpd configuration nor a file of Tomcat.",
		Why:    "It was not read: what stands in it is not checked.",
		Fix:    "Name the right file, or leave it out.",
		Bad:    "clowder lint notes.xml",
		Good:   "clowder lint server.xml",
		Source: "clowder",
	},
}

// Meta returns the rules about linting itself; their findings come from [Run].
func Meta() []*Rule {
	return []*Rule{metaInternal, metaUnused, metaReason, metaUnknown, metaNotRecognised}
}

func (r *Rule) finding(at diag.Span, msg string) diag.Diagnostic {
	return diag.Diagnostic{ID: r.ID, Name: r.Name, Severity: r.Severity, Confidence: r.Confidence, Span: at, Message: msg}
}
