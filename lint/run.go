package lint

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"clowder/parse/diag"
)

// Options choose rules and levels. References to rules are IDs, names, or the
// beginning of IDs ("X", "H5").
type Options struct {
	Rules    []*Rule // the table; lint/rules.All
	Select   []string
	Disable  []string
	Severity map[string]diag.Severity // level of single rules, by ID or name

	// MinConfidence hides weaker findings. Zero hides Possible ones below Error.
	MinConfidence diag.Confidence
	MinSeverity   diag.Severity // hides weaker levels; zero shows all

	NoInline bool         // comments in the files do not ignore anything
	Ignores  []PathIgnore // of clowder.toml
	Now      time.Time    // for [PathIgnore.Until]; zero: the ignores do not end
}

// Result is what a run found.
type Result struct {
	Findings   diag.List
	Suppressed []Suppressed // ignored by comments or clowder.toml
}

// Suppressed is a finding that somebody ignores.
type Suppressed struct {
	diag.Diagnostic
	InSource bool   // by a comment, else by clowder.toml
	Reason   string // as given; may be empty
}

// Matches reports whether the reference names the rule.
func (r *Rule) Matches(ref string) bool {
	return strings.EqualFold(ref, r.Name) || len(ref) > 0 && len(ref) <= len(r.ID) && strings.EqualFold(ref, r.ID[:len(ref)])
}

func (r *Rule) in(refs []string) bool { return slices.ContainsFunc(refs, r.Matches) }

func (o *Options) enabled(r *Rule) bool {
	return (len(o.Select) == 0 || r.in(o.Select)) && !r.in(o.Disable)
}

// find returns the rule that the ID or name means exactly, or nil.
func find(rules []*Rule, ref string) *Rule {
	for _, r := range rules {
		if strings.EqualFold(ref, r.ID) || strings.EqualFold(ref, r.Name) {
			return r
		}
	}
	return nil
}

// Run checks the input with the rules of the options and returns the findings,
// those of the parsers included, ordered by file, offset and ID. Rules run in
// parallel; one that panics becomes a finding of its own and the others go on.
func Run(in *Input, o Options) diag.List { return Check(in, o).Findings }

// Check is [Run] that also tells what was ignored.
func Check(in *Input, o Options) Result {
	f := newFacts(in)
	passes := make([]*Pass, len(o.Rules))
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(o.Rules)) {
		wg.Go(func() {
			for i := range jobs {
				p := &Pass{facts: f, Rule: o.Rules[i]}
				p.run()
				passes[i] = p
			}
		})
	}
	for i, r := range o.Rules {
		if r.Check != nil && o.enabled(r) {
			jobs <- i
		}
	}
	close(jobs)
	wg.Wait()

	found := settle(passes, in)
	for _, d := range in.Diags {
		if r := find(o.Rules, d.ID); r == nil || o.enabled(r) {
			found.Add(soften(d))
		}
	}
	r := suppress(found, f, &o)
	r.byPath(&o)
	r.Findings = o.level(r.Findings)
	for i := range r.Findings {
		r.Findings[i].Message = diag.HidePasswords(r.Findings[i].Message)
	}
	r.Findings.Sort(in.Files)
	return r
}

// placeholder finds what a deployment still replaces: ${NAME} that nobody defined,
// @NAME@, @@NAME@@, %NAME%, [NAME], {{ name }}, <% name %>.
var placeholder = regexp.MustCompile(`\$\{[^}]*\}|@@?[A-Za-z][\w.-]*@@?|%[A-Z][A-Z0-9_]+%|\[[A-Z][A-Z0-9_-]{2,}\]|\{\{|<%`)

// soften lowers the parsers' findings about values that hold a placeholder: the
// server gets another value.
func soften(d diag.Diagnostic) diag.Diagnostic {
	if d.ID == "H007" && d.Span.File != nil && placeholder.MatchString(d.Span.File.LineText(d.Span.Begin().Line)) {
		d.Severity, d.Confidence = diag.Info, diag.Possible
	}
	return d
}

// run calls the check; a panic in it is turned into a finding.
func (p *Pass) run() {
	defer func() {
		if x := recover(); x != nil {
			p.findings = append(p.findings, scoped{d: diag.Diagnostic{
				ID: metaInternal.ID, Name: metaInternal.Name, Severity: metaInternal.Severity,
				Confidence: diag.Certain,
				Message:    fmt.Sprintf("rule %s %s failed and was left out: %v", p.Rule.ID, p.Rule.Name, x),
			}})
		}
	}()
	p.Rule.Check(p)
}

// settle joins the findings of all passes, drops those of weaker rules about the
// same subject, and those of X rules about files that could not be read whole.
func settle(passes []*Pass, in *Input) diag.List {
	type key struct {
		id      string
		subject any
	}
	said := map[key]bool{}
	for _, p := range passes {
		if p == nil {
			continue
		}
		for _, s := range p.findings {
			if s.subject != nil {
				said[key{s.d.ID, s.subject}] = true
			}
		}
	}
	type place struct {
		id, message string
		at          diag.Span
	}
	twice := map[place]bool{} // a file read twice, a macro used twice: one place
	var out diag.List
	for _, p := range passes {
		if p == nil {
			continue
		}
	next:
		for _, s := range p.findings {
			for _, id := range p.Rule.YieldsTo {
				if s.subject != nil && said[key{id, s.subject}] {
					continue next
				}
			}
			if strings.HasPrefix(s.d.ID, "X") && touchesBroken(&s.d, in) {
				continue
			}
			if at := (place{s.d.ID, s.d.Message, s.d.Span}); !twice[at] {
				twice[at] = true
				out.Add(s.d)
			}
		}
	}
	return out
}

func touchesBroken(d *diag.Diagnostic, in *Input) bool {
	if in.Broken[d.Span.File] {
		return true
	}
	return slices.ContainsFunc(d.Related, func(r diag.Related) bool { return in.Broken[r.Span.File] })
}

// level applies the severities of the user and hides what nobody asked for.
func (o *Options) level(list diag.List) diag.List {
	out := list[:0]
	for _, d := range list {
		if s, ok := o.Severity[d.ID]; ok {
			d.Severity = s
		} else if s, ok := o.Severity[d.Name]; ok {
			d.Severity = s
		}
		if d.Confidence == 0 {
			d.Confidence = diag.Certain
		}
		weak := d.Confidence < o.MinConfidence
		if o.MinConfidence == 0 {
			weak = d.Confidence == diag.Possible && d.Severity < diag.Error
		}
		if !weak && d.Severity >= o.MinSeverity {
			out = append(out, d)
		}
	}
	return out
}
