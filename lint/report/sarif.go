package report

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

// SARIF writes the Static Analysis Results Interchange Format, version 2.1.0.
// Columns count Unicode code points, as its columnKind says.
func SARIF(w io.Writer, r Report) error {
	index := map[string]int{}
	rules := []sarifRule{}
	for _, rule := range r.Rules {
		index[rule.ID] = len(rules)
		rules = append(rules, sarifRuleOf(rule))
	}
	results := []sarifResult{}
	add := func(d *diag.Diagnostic, suppressions []sarifSuppression) {
		res := sarifResult{
			RuleID: d.ID, Level: sarifLevel(d.Severity), Rank: sarifRank(d.Confidence),
			Message: sarifText{Text: d.Message}, Suppressions: suppressions,
			Prints: map[string]string{"clowder/v1": r.print(d)}, Fixes: sarifFixes(d),
		}
		if n, ok := index[d.ID]; ok {
			res.RuleIndex = &n
		}
		if d.Span.IsValid() {
			res.Locations = []sarifLocation{sarifPlace(d.Span, "")}
		}
		for _, rel := range d.Related {
			if rel.Span.IsValid() {
				res.Related = append(res.Related, sarifPlace(rel.Span, rel.Message))
			}
		}
		results = append(results, res)
	}
	for i := range r.Findings {
		add(&r.Findings[i], nil)
	}
	for i := range r.Suppressed {
		s := &r.Suppressed[i]
		kind := "external"
		if s.InSource {
			kind = "inSource"
		}
		add(&s.Diagnostic, []sarifSuppression{{kind, s.Reason}})
	}
	log := sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{
			Tool:       sarifTool{sarifDriver{Name: "clowder", Version: r.Version, Rules: rules}},
			ColumnKind: "unicodeCodePoints", Results: results,
		}},
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(log)
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool       sarifTool     `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifText struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown,omitempty"`
}

type sarifRule struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Short   sarifText   `json:"shortDescription"`
	Help    sarifText   `json:"help"`
	Default sarifConfig `json:"defaultConfiguration"`
}

type sarifConfig struct {
	Level string `json:"level"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	RuleIndex *int            `json:"ruleIndex,omitempty"`
	Level     string          `json:"level"`
	Rank      float64         `json:"rank"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
	Related   []sarifLocation `json:"relatedLocations,omitempty"`

	Prints       map[string]string  `json:"partialFingerprints,omitempty"`
	Fixes        []sarifFix         `json:"fixes,omitempty"`
	Suppressions []sarifSuppression `json:"suppressions,omitempty"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Justification string `json:"justification,omitempty"`
}

type sarifFix struct {
	Description sarifText     `json:"description"`
	Changes     []sarifChange `json:"artifactChanges"`
}

type sarifChange struct {
	Artifact     sarifArtifact      `json:"artifactLocation"`
	Replacements []sarifReplacement `json:"replacements"`
}

type sarifReplacement struct {
	Deleted  sarifRegion `json:"deletedRegion"`
	Inserted *sarifText  `json:"insertedContent,omitempty"`
}

// sarifFixes gives the safe fixes; the others need a person.
func sarifFixes(d *diag.Diagnostic) []sarifFix {
	var out []sarifFix
	for _, f := range d.Fixes {
		if !f.Safe || len(f.Edits) == 0 {
			continue
		}
		x := sarifFix{Description: sarifText{Text: f.Message}}
		at := map[string]int{}
		for _, e := range f.Edits {
			name := e.Span.File.Name
			i, ok := at[name]
			if !ok {
				i = len(x.Changes)
				at[name] = i
				x.Changes = append(x.Changes, sarifChange{Artifact: sarifArtifact{fileURI(name)}})
			}
			r := sarifReplacement{Deleted: sarifRegionOf(e.Span)}
			if e.New != "" {
				r.Inserted = &sarifText{Text: e.New}
			}
			x.Changes[i].Replacements = append(x.Changes[i].Replacements, r)
		}
		out = append(out, x)
	}
	return out
}

func sarifRegionOf(s diag.Span) sarifRegion {
	return sarifRegion{
		StartLine: s.Begin().Line, StartColumn: s.File.RuneColumn(int(s.Start)),
		EndLine: s.Finish().Line, EndColumn: s.File.RuneColumn(int(s.End)),
	}
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
	Message  *sarifText    `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   sarifRegion   `json:"region"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn"`
	EndLine     int `json:"endLine"`
	EndColumn   int `json:"endColumn"`
}

func sarifRuleOf(r *lint.Rule) sarifRule {
	return sarifRule{
		ID: r.ID, Name: r.Name, Short: sarifText{Text: r.Doc.What},
		Help:    sarifText{Text: r.Explain(lint.Text), Markdown: r.Explain(lint.Markdown)},
		Default: sarifConfig{sarifLevel(r.Severity)},
	}
}

func sarifLevel(s diag.Severity) string {
	if s == diag.Info {
		return "note"
	}
	return s.String()
}

func sarifRank(c diag.Confidence) float64 {
	return [...]float64{0, 40, 70, 100}[c]
}

func sarifPlace(s diag.Span, message string) sarifLocation {
	f := s.File
	l := sarifLocation{Physical: sarifPhysical{
		Artifact: sarifArtifact{fileURI(f.Name)},
		Region:   sarifRegionOf(s),
	}}
	if message != "" {
		l.Message = &sarifText{Text: message}
	}
	return l
}

// fileURI makes a relative reference of a relative name, a file URI of others.
func fileURI(name string) string {
	u := url.URL{Path: strings.TrimPrefix(filepath.ToSlash(name), "./")}
	if strings.HasPrefix(u.Path, "/") {
		u.Scheme = "file"
	}
	return u.String()
}
