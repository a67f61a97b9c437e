// Package baseline remembers findings that are known, so that only new ones are
// reported. A finding is known by its rule, its file and its content (see
// [lint.Fingerprints]), not by its line.
package baseline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"clowder/lint"
	"clowder/parse/diag"
)

// Entry is one known finding, or several that look the same.
type Entry struct {
	Rule  string `json:"rule"`
	Path  string `json:"path"` // relative to the folder of the baseline file, with slashes
	Hash  string `json:"hash"`
	Count int    `json:"count"`
}

// Baseline is the content of a baseline file.
type Baseline struct {
	Version  int     `json:"version"`
	Findings []Entry `json:"findings"`
}

// Of makes the baseline of findings. dir is the folder that paths are relative to.
func Of(list diag.List, prints *lint.Fingerprints, dir string) *Baseline {
	count := map[Entry]int{}
	for i := range list {
		count[entry(&list[i], prints, dir)]++
	}
	b := &Baseline{Version: 1, Findings: []Entry{}}
	for e, n := range count {
		e.Count = n
		b.Findings = append(b.Findings, e)
	}
	b.sort()
	return b
}

func entry(d *diag.Diagnostic, prints *lint.Fingerprints, dir string) Entry {
	e := Entry{Rule: d.ID, Hash: prints.Of(d)}
	if d.Span.File != nil {
		e.Path = relative(dir, d.Span.File.Name)
	}
	return e
}

// relative makes a path relative to dir; one elsewhere stays as it is.
func relative(dir, name string) string {
	a, err1 := filepath.Abs(dir)
	b, err2 := filepath.Abs(name)
	if err1 == nil && err2 == nil {
		if rel, err := filepath.Rel(a, b); err == nil {
			name = rel
		}
	}
	return filepath.ToSlash(name)
}

func (b *Baseline) sort() {
	slices.SortFunc(b.Findings, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Hash, b.Hash))
	})
}

// Split parts findings into new ones and known ones, and returns the entries of
// the baseline that are not found any more (with what is left of their counts).
func (b *Baseline) Split(list diag.List, prints *lint.Fingerprints, dir string) (fresh, known diag.List, gone []Entry) {
	left := map[Entry]int{}
	for _, e := range b.Findings {
		n := e.Count
		e.Count = 0
		left[e] += n
	}
	for i := range list {
		e := entry(&list[i], prints, dir)
		if left[e] > 0 {
			left[e]--
			known.Add(list[i])
		} else {
			fresh.Add(list[i])
		}
	}
	for e, n := range left {
		if n > 0 {
			e.Count = n
			gone = append(gone, e)
		}
	}
	return fresh, known, gone
}

// Read reads a baseline file.
func Read(path string) (*Baseline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b := &Baseline{}
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("%s: not a baseline of clowder: %w", path, err)
	}
	if b.Version != 1 {
		return nil, fmt.Errorf("%s: version %d of the baseline is not known; write it anew with --write-baseline", path, b.Version)
	}
	return b, nil
}

// Write writes a baseline file, whole or not at all.
func (b *Baseline) Write(path string) error {
	data, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".clowder-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
