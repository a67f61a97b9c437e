// Package lint finds what is wrong with a setup of httpd and its Tomcats.
//
// A [Rule] is one value: its identity, its whole documentation and a check
// function. The rules themselves live in lint/rules; [Run] applies a table of
// them to an [Input] and returns findings in a stable order. Nothing in this
// package knows a particular rule except the meta findings about inline ignores
// (see [Meta]).
package lint

import (
	"clowder/parse/diag"
	"clowder/parse/model"
)

// Doc is the documentation of a rule. Explain, the manual page, the help in SARIF
// and the tests are all derived from it. What, Why, Fix, Bad and Good are required.
type Doc struct {
	What   string // one or two sentences: what is found
	Why    string // what the servers do with it and whom it hurts
	Fix    string // what to do
	Bad    string // configuration that triggers the rule; see [Example]
	Good   string // the same, right
	HTTPD  string // httpd version that the examples are for; empty: 2.4
	Tomcat string // Tomcat version that the examples are for; empty: 10.1
	Notes  string // when the rule keeps silent, and what lowers its level
	Source string // manual page, source file or observation it rests on
}

// Category groups rules in lists.
type Category string

// The categories.
const (
	Syntax     Category = "syntax"
	Modules    Category = "modules"
	Mapping    Category = "mapping"
	Balancing  Category = "balancing"
	Access     Category = "access"
	Cluster    Category = "cluster"
	Connectors Category = "connectors"
	Sticky     Category = "stickiness"
	Ports      Category = "ports"
	Linting    Category = "lint"
)

// Range is a half-open range of versions of one server; empty ends are open.
type Range struct{ From, Below string }

// Versions says where a rule applies. A rule with a closed end depends on the
// version: without a declared one its findings are at most warnings.
type Versions struct {
	HTTPD, Tomcat Range
	Text          string // as shown to people: "httpd 2.4", "Tomcat 7.0.100+ 8.5.51+"
}

// Rule is one documented check. The value is never changed after start-up.
type Rule struct {
	ID         string // X201; never reused
	Name       string // receiver-port-shared; accepted wherever the ID is
	Severity   diag.Severity
	Confidence diag.Confidence
	Category   Category
	Versions   Versions
	Doc        Doc
	Fixable    bool // offers edits, at least in some cases

	// YieldsTo names rules that speak about the same subject and cause better: a
	// finding is dropped when one of them reported the same [Finding.Subject].
	YieldsTo []string

	// Check reports the rule's findings. It is called from its own goroutine and
	// must not change what the pass gives it. Nil: the findings come from the
	// parsers (or, for meta rules, from Run) and the value only documents them.
	Check func(*Pass)
}

// Finding is one finding of a check. Zero Severity and Confidence mean the rule's.
type Finding struct {
	At         diag.Span
	Message    string // one sentence, no full stop at its end, no secrets
	Detail     string
	Severity   diag.Severity
	Confidence diag.Confidence
	Lower      int // how many steps the confidence falls (see [Pass.Weaken])
	Related    []diag.Related
	Fixes      []diag.Fix
	Subject    any // pointer into the model; see [Rule.YieldsTo]
}

// Pass is one run of one rule. Its methods may be called from the check's
// goroutine only; what they return is shared and must not be changed.
type Pass struct {
	*facts
	Rule     *Rule
	findings []scoped
}

type scoped struct {
	d       diag.Diagnostic
	subject any
}

// Report adds a finding.
func (p *Pass) Report(f Finding) {
	d := diag.Diagnostic{
		ID: p.Rule.ID, Name: p.Rule.Name, Severity: f.Severity, Confidence: f.Confidence,
		Span: f.At, Message: f.Message, Detail: f.Detail, Related: f.Related, Fixes: f.Fixes,
	}
	if d.Severity == 0 {
		d.Severity = p.Rule.Severity
	}
	if d.Confidence == 0 {
		d.Confidence = p.Rule.Confidence
	}
	d.Confidence = Weaken(d.Confidence, f.Lower)
	d.Span = trim(d.Span)
	for i := range d.Related {
		d.Related[i].Span = trim(d.Related[i].Span)
	}
	p.findings = append(p.findings, scoped{d, f.Subject})
}

// Weaken lowers a confidence by steps, never below Possible.
func Weaken(c diag.Confidence, steps int) diag.Confidence {
	return max(diag.Possible, c-min(c, diag.Confidence(max(0, steps))))
}

// Undeclared lowers a finding that depends on the version of a server nobody
// declared: it becomes a warning at most, one step less sure, and says so.
func Undeclared(f *Finding, server string) {
	f.Severity = diag.Warning
	f.Lower++
	f.Message += "; declare the " + server + " version to be sure"
}

// Related makes a second place of a finding.
func Related(at diag.Span, message string) diag.Related {
	return diag.Related{Span: at, Message: message}
}

// Links returns the links between members and nodes, computed once per run.
func (p *Pass) Links() []model.Link { return p.facts.links }

// Hosts says which nodes share a machine, computed once per run.
func (p *Pass) Hosts() *model.Hosts { return p.facts.hosts }

// trim takes the blanks at both ends off a span: trees keep them, people want the
// first letter.
func trim(s diag.Span) diag.Span {
	if s.File == nil {
		return s
	}
	data := s.File.Data
	for s.Start < s.End && isBlank(data[s.Start]) {
		s.Start++
	}
	for s.End > s.Start && isBlank(data[s.End-1]) {
		s.End--
	}
	return s
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
