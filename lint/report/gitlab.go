package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"

	"clowder/parse/diag"
)

// GitLab writes a Code Quality report as GitLab reads it: a JSON array of issues.
// Fingerprints are those of the baseline, made unique where several findings look
// the same.
func GitLab(w io.Writer, r Report) error {
	type lines struct {
		Begin int `json:"begin"`
	}
	type location struct {
		Path  string `json:"path"`
		Lines lines  `json:"lines"`
	}
	type issue struct {
		Description string   `json:"description"`
		CheckName   string   `json:"check_name"`
		Fingerprint string   `json:"fingerprint"`
		Severity    string   `json:"severity"`
		Location    location `json:"location"`
	}
	out := []issue{}
	seen := map[string]int{}
	for i := range r.Findings {
		d := &r.Findings[i]
		print := r.print(d) + "\x00" + fileName(d.Span)
		seen[print]++
		sum := sha256.Sum256([]byte(print + string(rune(seen[print]))))
		out = append(out, issue{
			Description: d.ID + " " + d.Name + ": " + oneLine(d.Message), CheckName: d.ID + "-" + d.Name,
			Fingerprint: hex.EncodeToString(sum[:16]), Severity: gitlabSeverity(d.Severity),
			Location: location{relativeName(d.Span), lines{max(1, d.Span.Begin().Line)}},
		})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

func gitlabSeverity(s diag.Severity) string {
	switch s {
	case diag.Error:
		return "critical"
	case diag.Warning:
		return "minor"
	}
	return "info"
}
