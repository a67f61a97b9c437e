package diag

import (
	"cmp"
	"slices"
)

// Severity says what a finding promises (see docs/rules): an Error cannot work
// as written, a Warning works by luck, an Info is true and often fine.
type Severity uint8

// The severities, from weak to strong.
const (
	Info Severity = iota + 1
	Warning
	Error
)

var severityNames = [...]string{"", "info", "warning", "error"}

func (s Severity) String() string { return severityNames[s] }

// ParseSeverity is the inverse of [Severity.String].
func ParseSeverity(s string) (Severity, bool) {
	i := slices.Index(severityNames[:], s)
	return Severity(max(i, 0)), i > 0
}

// Confidence says how sure a finding is; it is separate from its severity.
type Confidence uint8

// The confidences, from weak to strong.
const (
	Possible Confidence = iota + 1
	Likely
	Certain
)

var confidenceNames = [...]string{"", "possible", "likely", "certain"}

func (c Confidence) String() string { return confidenceNames[c] }

// ParseConfidence is the inverse of [Confidence.String].
func ParseConfidence(s string) (Confidence, bool) {
	i := slices.Index(confidenceNames[:], s)
	return Confidence(max(i, 0)), i > 0
}

// Related is another place that belongs to a finding.
type Related struct {
	Span    Span
	Message string
}

// Edit replaces the bytes of a span by new text.
type Edit struct {
	Span Span
	New  string
}

// Fix is one way to mend a finding. Its edits are applied all or not at all.
// A safe fix neither opens access nor changes which requests match.
type Fix struct {
	Message string
	Safe    bool
	Edits   []Edit
}

// Diagnostic is one thing to say about the user's files.
type Diagnostic struct {
	ID         string // X201
	Name       string // receiver-port-shared
	Severity   Severity
	Confidence Confidence
	Span       Span
	Message    string // one sentence, no full stop at its end, no secrets
	Detail     string // why it matters and what to do; may be empty
	Related    []Related
	Fixes      []Fix
}

// List is an ordered collection of diagnostics.
type List []Diagnostic

// Add appends a diagnostic.
func (l *List) Add(d Diagnostic) { *l = append(*l, d) }

// Count returns how many diagnostics have exactly the severity.
func (l List) Count(s Severity) int {
	n := 0
	for i := range l {
		if l[i].Severity == s {
			n++
		}
	}
	return n
}

// Worst returns the highest severity in the list, 0 for an empty list.
func (l List) Worst() Severity {
	var w Severity
	for i := range l {
		w = max(w, l[i].Severity)
	}
	return w
}

// Sort orders by the file's place in files, then by offset, then by ID. Files
// that are not in the slice come last, by name.
func (l List) Sort(files []*File) {
	rank := make(map[*File]int, len(files))
	for i, f := range files {
		rank[f] = i
	}
	of := func(f *File) int {
		if r, ok := rank[f]; ok {
			return r
		}
		return len(files)
	}
	name := func(f *File) string {
		if f == nil {
			return ""
		}
		return f.Name
	}
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(of(a.Span.File), of(b.Span.File)),
			cmp.Compare(name(a.Span.File), name(b.Span.File)),
			cmp.Compare(a.Span.Start, b.Span.Start),
			cmp.Compare(a.ID, b.ID),
		)
	})
}
