package lint

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"clowder/parse/diag"
)

// PathIgnore ignores a rule in files, as [[lint.ignore]] of clowder.toml says.
type PathIgnore struct {
	At     diag.Span // of the entry
	Rule   string    // ID, name or beginning of IDs
	Path   string    // pattern of a file's name: * within a folder, ** across; empty: every file
	Base   string    // folder that the pattern is relative to
	Reason string
	Until  time.Time // day after whose end it does not count any more; zero: it does not end
}

// matches reports whether the entry is about the finding.
func (p *PathIgnore) matches(d *diag.Diagnostic) bool {
	if !(&Rule{ID: d.ID, Name: d.Name}).Matches(p.Rule) {
		return false
	}
	if p.Path == "" {
		return true
	}
	spans := []diag.Span{d.Span}
	if strings.HasPrefix(d.ID, "X") {
		for _, r := range d.Related {
			spans = append(spans, r.Span)
		}
	}
	for _, s := range spans {
		if s.File == nil {
			continue
		}
		name := filepath.ToSlash(filepath.Clean(s.File.Name))
		rel := name
		if r, err := filepath.Rel(p.Base, s.File.Name); err == nil {
			rel = filepath.ToSlash(r)
		}
		if MatchPath(p.Path, rel) || MatchPath(p.Path, name) {
			return true
		}
	}
	return false
}

// MatchPath matches a slash-separated path against a pattern in which ** stands
// for any number of folders. A pattern without a slash is about the last part of
// the path.
func MatchPath(pattern, name string) bool {
	if !strings.Contains(pattern, "/") {
		ok, _ := path.Match(pattern, path.Base(name))
		return ok
	}
	return matchParts(strings.Split(pattern, "/"), strings.Split(name, "/"))
}

func matchParts(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if matchParts(pattern[1:], name[i:]) {
					return true
				}
			}
			return false
		}
		if len(name) == 0 {
			return false
		}
		if ok, err := path.Match(pattern[0], name[0]); err != nil || !ok {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

// byPath takes the findings out that clowder.toml ignores. An entry that ended
// leaves its findings, and they say so; one that ignores nothing is reported.
func (r *Result) byPath(o *Options) {
	if len(o.Ignores) == 0 {
		return
	}
	used := make([]bool, len(o.Ignores))
	out := r.Findings[:0:0]
	for _, d := range r.Findings {
		by := -1
		for i := range o.Ignores {
			p := &o.Ignores[i]
			if !p.matches(&d) || strings.HasPrefix(d.ID, "C0") {
				continue
			}
			used[i] = true
			if !p.Until.IsZero() && !o.Now.IsZero() && o.Now.After(p.Until.AddDate(0, 0, 1)) {
				d.Detail = strings.TrimPrefix(d.Detail+"; ignored until "+p.Until.Format(time.DateOnly)+" by "+p.At.Short(), "; ")
				continue
			}
			by = i
			break
		}
		if by < 0 {
			out = append(out, d)
		} else {
			r.Suppressed = append(r.Suppressed, Suppressed{d, false, o.Ignores[by].Reason})
		}
	}
	for i, p := range o.Ignores {
		if !used[i] && o.enabled(metaUnused) && o.ran(p.Rule) {
			out.Add(metaUnused.finding(p.At, fmt.Sprintf("%s finds nothing there; delete this entry", p.Rule)))
		}
	}
	r.Findings = out
}

// ran reports whether a rule that the reference names took part.
func (o *Options) ran(ref string) bool {
	for _, r := range o.Rules {
		if r.Matches(ref) && o.enabled(r) {
			return true
		}
	}
	return false
}
