package report

import (
	"encoding/json"
	"io"

	"clowder/parse/diag"
)

// Schema names the form of [JSON]; it changes when a member changes its meaning.
const Schema = "clowder.lint/v1"

// Place is where something stands: lines and byte columns from 1, the end is the
// position behind the last byte.
type Place struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	EndLine int    `json:"endLine"`
	EndCol  int    `json:"endColumn"`
}

// RelatedPlace is a second place of a finding.
type RelatedPlace struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// Finding is one finding in JSON.
type Finding struct {
	Rule       string `json:"rule"`
	Name       string `json:"name"`
	Severity   string `json:"severity"`
	Confidence string `json:"confidence"`
	Message    string `json:"message"`
	Place
	Related []RelatedPlace `json:"related"`
	Fixable bool           `json:"fixable"`
}

type summary struct {
	Error   int `json:"error"`
	Warning int `json:"warning"`
	Info    int `json:"info"`
	Files   int `json:"files"`
}

type document struct {
	Schema   string    `json:"schema"`
	Findings []Finding `json:"findings"`
	Summary  summary   `json:"summary"`
}

func finding(d *diag.Diagnostic) Finding {
	b, e := d.Span.Begin(), d.Span.Finish()
	f := Finding{
		Rule: d.ID, Name: d.Name, Severity: d.Severity.String(), Confidence: d.Confidence.String(), Message: d.Message,
		Place:   Place{fileName(d.Span), b.Line, b.Column, e.Line, e.Column},
		Related: []RelatedPlace{}, Fixable: fixable(d),
	}
	for _, r := range d.Related {
		p := r.Span.Begin()
		f.Related = append(f.Related, RelatedPlace{fileName(r.Span), p.Line, p.Column, r.Message})
	}
	return f
}

// JSON writes one document with all findings and a summary.
func JSON(w io.Writer, r Report) error {
	doc := document{Schema: Schema, Findings: []Finding{}}
	for i := range r.Findings {
		doc.Findings = append(doc.Findings, finding(&r.Findings[i]))
	}
	l := r.Findings
	doc.Summary = summary{l.Count(diag.Error), l.Count(diag.Warning), l.Count(diag.Info), len(r.Files)}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// NDJSON writes one finding per line, each as in [JSON].
func NDJSON(w io.Writer, r Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for i := range r.Findings {
		if err := e.Encode(finding(&r.Findings[i])); err != nil {
			return err
		}
	}
	return nil
}
