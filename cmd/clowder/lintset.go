package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"clowder/lint"
	"clowder/lint/rules"
	"clowder/parse"
	"clowder/parse/diag"
	"clowder/parse/native"
)

// ruleFlags choose rules and levels. The environment (CLOWDER_ENABLE,
// CLOWDER_DISABLE, CLOWDER_SEVERITY, CLOWDER_FAIL_ON, CLOWDER_MIN_CONFIDENCE;
// lists with commas) comes after the flags, clowder.toml after that.
type ruleFlags struct {
	Enable        []string `placeholder:"RULE" help:"Check only these rules, by ID, name or beginning of IDs. Repeatable."`
	Disable       []string `placeholder:"RULE" help:"Leave out these rules. Repeatable."`
	Severity      []string `placeholder:"RULE=LEVEL" sep:"none" help:"Give a rule another level: error, warning or info. Repeatable."`
	FailOn        string   `name:"fail-on" placeholder:"LEVEL" help:"Lowest level that makes the exit code 1: error, warning, info or never (default warning)."`
	MinConfidence string   `name:"min-confidence" placeholder:"LEVEL" help:"Hide less sure findings: possible, likely or certain (default: likely, and possible errors)."`
}

// said is a setting and where it was said.
type said struct{ value, source string }

// lintSettings are the settings of all layers, joined.
type lintSettings struct {
	enable, disable       []said
	severity              map[string]said // by rule ID
	failOn, minConfidence said
}

// settings joins the layers: clowder.toml, environment, flags; later ones win,
// and what one of them disables stays disabled.
func (f *ruleFlags) settings(n *native.Doc) (*lintSettings, error) {
	s := &lintSettings{severity: map[string]said{}, failOn: said{"warning", "default"}, minConfidence: said{"", "default"}}
	if n != nil {
		if err := s.file(&n.Settings.Lint); err != nil {
			return nil, err
		}
	}
	env := func(name string) []string {
		return strings.FieldsFunc(os.Getenv("CLOWDER_"+name), func(r rune) bool { return r == ',' || r == ' ' })
	}
	one := func(list []string) string { return strings.Join(list, ",") }
	layers := []struct {
		prefix                              string
		enable, disable, severity           []string
		failOn, minConfidence               string
		enableN, disableN, severityN, failN string
	}{
		{"", env("ENABLE"), env("DISABLE"), env("SEVERITY"), one(env("FAIL_ON")), one(env("MIN_CONFIDENCE")),
			"CLOWDER_ENABLE", "CLOWDER_DISABLE", "CLOWDER_SEVERITY", "CLOWDER_FAIL_ON"},
		{"", f.Enable, f.Disable, f.Severity, f.FailOn, f.MinConfidence, "--enable", "--disable", "--severity", "--fail-on"},
	}
	for _, l := range layers {
		if len(l.enable) > 0 {
			s.enable = nil
		}
		for _, ref := range l.enable {
			s.enable = append(s.enable, said{ref, l.enableN})
		}
		for _, ref := range l.disable {
			s.disable = append(s.disable, said{ref, l.disableN})
		}
		for _, w := range l.severity {
			rule, level, _ := strings.Cut(w, "=")
			if err := s.level(rule, said{level, l.severityN}); err != nil {
				return nil, err
			}
		}
		if l.failOn != "" {
			s.failOn = said{l.failOn, l.failN}
		}
		if l.minConfidence != "" {
			s.minConfidence = said{l.minConfidence, strings.NewReplacer("FAIL_ON", "MIN_CONFIDENCE", "fail-on", "min-confidence").Replace(l.failN)}
		}
	}
	return s, s.check()
}

// file takes the [lint] table of clowder.toml.
func (s *lintSettings) file(l *native.LintSettings) error {
	for _, v := range l.Enable {
		s.enable = append(s.enable, said{v.V, v.Span.Short()})
	}
	for _, v := range l.Disable {
		s.disable = append(s.disable, said{v.V, v.Span.Short()})
	}
	for _, rule := range slices.Sorted(maps.Keys(l.Severity)) {
		v := l.Severity[rule]
		if err := s.level(rule, said{v.V, v.Span.Short()}); err != nil {
			return err
		}
	}
	if l.FailOn.V != "" {
		s.failOn = said{l.FailOn.V, l.FailOn.Span.Short()}
	}
	if l.MinConfidence.V != "" {
		s.minConfidence = said{l.MinConfidence.V, l.MinConfidence.Span.Short()}
	}
	return nil
}

// level sets the level of every rule that the reference names.
func (s *lintSettings) level(ref string, v said) error {
	if err := knownRule(ref); err != nil {
		return err
	}
	if _, ok := diag.ParseSeverity(v.value); !ok {
		return usage("%s: the severity of %s must be error, warning or info, not %q", v.source, ref, v.value)
	}
	for _, r := range rules.All {
		if r.Matches(ref) {
			s.severity[r.ID] = v
		}
	}
	return nil
}

func (s *lintSettings) check() error {
	for _, v := range append(slices.Clone(s.enable), s.disable...) {
		if err := knownRule(v.value); err != nil {
			return fmt.Errorf("%s: %w", v.source, err)
		}
	}
	if _, ok := diag.ParseSeverity(s.failOn.value); !ok && s.failOn.value != "never" {
		return usage("%s %s: want error, warning, info or never", s.failOn.source, s.failOn.value)
	}
	if _, ok := diag.ParseConfidence(s.minConfidence.value); !ok && s.minConfidence.value != "" && s.minConfidence.value != "default" {
		return usage("%s %s: want possible, likely or certain", s.minConfidence.source, s.minConfidence.value)
	}
	return nil
}

// options makes the options of a run, and the level from which on it fails (0: never).
func (s *lintSettings) options(r *parse.Result) (o lint.Options, failOn diag.Severity) {
	o = lint.Options{Rules: rules.All, Severity: map[string]diag.Severity{}, Now: time.Now()}
	for _, v := range s.enable {
		o.Select = append(o.Select, v.value)
	}
	for _, v := range s.disable {
		o.Disable = append(o.Disable, v.value)
	}
	for id, v := range s.severity {
		o.Severity[id], _ = diag.ParseSeverity(v.value)
	}
	o.MinConfidence, _ = diag.ParseConfidence(s.minConfidence.value)
	if r != nil && r.Native != nil {
		o.Ignores = pathIgnores(r.Native)
	}
	failOn, _ = diag.ParseSeverity(s.failOn.value)
	return o, failOn
}

// of returns whether the rule runs, why, its level, and where that was said.
func (s *lintSettings) of(r *lint.Rule) (enabled bool, why string, level diag.Severity, from string) {
	enabled, why, level, from = true, "default", r.Severity, "default"
	if len(s.enable) > 0 {
		enabled, why = false, s.enable[0].source
		for _, v := range s.enable {
			if r.Matches(v.value) {
				enabled, why = true, v.source
			}
		}
	}
	for _, v := range s.disable {
		if r.Matches(v.value) {
			enabled, why = false, v.source
		}
	}
	if v, ok := s.severity[r.ID]; ok {
		level, _ = diag.ParseSeverity(v.value)
		from = v.source
	}
	return enabled, why, level, from
}
