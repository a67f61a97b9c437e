// Package report writes findings: for people as text with the source under them,
// for programs as JSON, lines of JSON, GitHub annotations and SARIF 2.1.0. A
// format is one file and one line in [Formats].
package report

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
)

// Report is everything that a format may show.
type Report struct {
	Findings diag.List
	Files    []*diag.File // all files that were read
	Rules    []*lint.Rule // the table, for formats that carry help
	Version  string       // of clowder
	Color    bool         // text only: use terminal colours
	Links    bool         // text only: file names lead to the files (OSC 8)
	Brief    bool         // text only: first lines alone, without the source

	Suppressed []lint.Suppressed  // ignored by comments or clowder.toml
	Prints     *lint.Fingerprints // identities of findings; nil: made of what the findings say
}

// print returns the identity of a finding.
func (r *Report) print(d *diag.Diagnostic) string {
	p := r.Prints
	if p == nil {
		p = &lint.Fingerprints{}
	}
	return p.Of(d)
}

// Format is one output format.
type Format struct {
	Name  string
	Write func(w io.Writer, r Report) error
}

// Formats is the table of formats; the first one is the default.
var Formats = []Format{
	{"text", Text},
	{"json", JSON},
	{"ndjson", NDJSON},
	{"github", GitHub},
	{"sarif", SARIF},
	{"gitlab", GitLab},
	{"checkstyle", Checkstyle},
	{"junit", JUnit},
}

// Write writes the report in the named format.
func Write(w io.Writer, format string, r Report) error {
	for _, f := range Formats {
		if f.Name == format {
			return f.Write(w, r)
		}
	}
	return fmt.Errorf("unknown format %q", format)
}

func fixable(d *diag.Diagnostic) bool {
	for _, f := range d.Fixes {
		if len(f.Edits) > 0 {
			return true
		}
	}
	return false
}

// relativeName is the file's name relative to this folder, with slashes, where
// it is below it.
func relativeName(s diag.Span) string {
	name := fileName(s)
	if dir, err := os.Getwd(); err == nil && filepath.IsAbs(name) {
		if rel, err := filepath.Rel(dir, name); err == nil && !strings.HasPrefix(rel, "..") {
			name = rel
		}
	}
	return strings.TrimPrefix(filepath.ToSlash(name), "./")
}

func fileName(s diag.Span) string {
	if s.File == nil {
		return ""
	}
	return s.File.Name
}
