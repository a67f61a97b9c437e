// Package fix applies the fixes of findings to the files: edits of exact spans,
// every other byte stays as it is.
package fix

import (
	"cmp"
	"slices"

	"clowder/parse/diag"
)

// maxRounds bounds how often the result of fixes is fixed again.
const maxRounds = 10

// maxTrials bounds how many fixes are tried one by one when together they make
// something worse.
const maxTrials = 200

// Change is one file with all accepted edits.
type Change struct {
	File  *diag.File // as it was read first
	After []byte
	Fixes int // how many fixes have an edit in it
}

// Applied is a fix together with the finding that it mends.
type Applied struct {
	Finding diag.Diagnostic
	Fix     diag.Fix
}

// Result is what a run of fixes would change.
type Result struct {
	Changes    []Change // by file name
	Applied    []Applied
	RolledBack []Applied // fixes that would have caused a new finding
	Left       diag.List // findings of the fixed files
}

// Relint lints again with the contents of some files replaced, by their names.
type Relint func(overlay map[string][]byte) (diag.List, error)

// Run applies safe fixes, and the suggested ones when asked, until nothing is
// left to mend. After each round the files are linted again: fixes that cause a
// new finding are left out. Nothing is written; see [Write].
func Run(found diag.List, suggested bool, relint Relint) (*Result, error) {
	r := &Result{Left: found}
	first := map[string]*diag.File{}
	overlay := map[string][]byte{}
	fixes := map[string]int{}
	banned := map[string]bool{}
	for range maxRounds {
		plan := choose(r.Left, suggested, banned)
		if len(plan) == 0 {
			break
		}
		next := merged(overlay, plan)
		after, err := relint(next)
		if err != nil {
			return nil, err
		}
		if introduces(r.Left, after) {
			if err := r.ban(plan, overlay, banned, relint); err != nil {
				return nil, err
			}
			continue
		}
		for _, a := range plan {
			for name, f := range filesOf(a.Fix) {
				if first[name] == nil {
					first[name] = f
				}
				fixes[name]++
			}
		}
		r.Applied = append(r.Applied, plan...)
		overlay, r.Left = next, after
	}
	for name, data := range overlay {
		r.Changes = append(r.Changes, Change{first[name], data, fixes[name]})
	}
	slices.SortFunc(r.Changes, func(a, b Change) int { return cmp.Compare(a.File.Name, b.File.Name) })
	return r, nil
}

// ban finds out which fixes of the plan cause new findings. When each alone does
// no harm, all are left out.
func (r *Result) ban(plan []Applied, overlay map[string][]byte, banned map[string]bool, relint Relint) error {
	guilty := 0
	for _, a := range plan[:min(len(plan), maxTrials)] {
		after, err := relint(merged(overlay, []Applied{a}))
		if err != nil {
			return err
		}
		if introduces(r.Left, after) {
			guilty++
			banned[key(&a.Finding)] = true
			r.RolledBack = append(r.RolledBack, a)
		}
	}
	if guilty == 0 {
		for _, a := range plan {
			banned[key(&a.Finding)] = true
		}
		r.RolledBack = append(r.RolledBack, plan...)
	}
	return nil
}

func key(d *diag.Diagnostic) string { return d.ID + "\x00" + fileName(d.Span) + "\x00" + d.Message }

func fileName(s diag.Span) string {
	if s.File == nil {
		return ""
	}
	return s.File.Name
}

// choose takes for each finding its first fix that is wanted and that does not
// touch what an earlier one edits.
func choose(list diag.List, suggested bool, banned map[string]bool) []Applied {
	var plan []Applied
	taken := map[string][]diag.Edit{}
	for _, d := range list {
		if banned[key(&d)] {
			continue
		}
		for _, f := range d.Fixes {
			if len(f.Edits) == 0 || !f.Safe && !suggested || overlaps(taken, f.Edits) {
				continue
			}
			for _, e := range f.Edits {
				taken[e.Span.File.Name] = append(taken[e.Span.File.Name], e)
			}
			plan = append(plan, Applied{d, f})
			break
		}
	}
	return plan
}

// overlaps reports whether an edit touches a taken one. Two that insert at one
// place touch each other as well, unless they are the same.
func overlaps(taken map[string][]diag.Edit, edits []diag.Edit) bool {
	for _, e := range edits {
		for _, t := range taken[e.Span.File.Name] {
			if e.Span.Start == t.Span.Start && e.Span.End == t.Span.End || e.Span.Start < t.Span.End && t.Span.Start < e.Span.End {
				return true
			}
		}
	}
	return false
}

func filesOf(f diag.Fix) map[string]*diag.File {
	m := map[string]*diag.File{}
	for _, e := range f.Edits {
		m[e.Span.File.Name] = e.Span.File
	}
	return m
}

// merged applies the plan to the files as they were linted last.
func merged(overlay map[string][]byte, plan []Applied) map[string][]byte {
	out := make(map[string][]byte, len(overlay))
	for name, data := range overlay {
		out[name] = data
	}
	edits, files := map[string][]diag.Edit{}, map[string]*diag.File{}
	for _, a := range plan {
		for _, e := range a.Fix.Edits {
			edits[e.Span.File.Name] = append(edits[e.Span.File.Name], e)
			files[e.Span.File.Name] = e.Span.File
		}
	}
	for name, list := range edits {
		out[name] = Apply(files[name].Data, list)
	}
	return out
}

// Apply returns data with the edits made. They must not overlap.
func Apply(data []byte, edits []diag.Edit) []byte {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b diag.Edit) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	var out []byte
	at := 0
	for _, e := range edits {
		out = append(append(out, data[at:e.Span.Start]...), e.New...)
		at = int(e.Span.End)
	}
	return append(out, data[at:]...)
}

// introduces reports whether a rule finds more in a file than before.
func introduces(before, after diag.List) bool {
	count := map[string]int{}
	for _, d := range before {
		count[d.ID+"\x00"+fileName(d.Span)]++
	}
	for _, d := range after {
		k := d.ID + "\x00" + fileName(d.Span)
		if count[k]--; count[k] < 0 {
			return true
		}
	}
	return false
}
