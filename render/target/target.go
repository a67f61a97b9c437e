// Package target holds what a render target is; the targets themselves live in
// folders beside it and the table of all is in package render.
package target

import (
	"clowder/parse/diag"
	"clowder/parse/model"
)

// Target is one configuration language that a setup can be written in.
type Target struct {
	Name   string // the word after --to
	Doc    string // one line for help
	Render func(*model.Setup, Options) (*Result, error)
}

// Options steer a rendering.
type Options struct {
	// Provenance adds to every written value the place it came from.
	Provenance bool
}

// Result is what a target made: files in order, and a note for whatever was not
// carried over exactly.
type Result struct {
	Files []File
	Notes []Note
}

// File is one output file; Name is a relative path.
type File struct {
	Name string
	Data []byte
}

// Loss says how much of a source fact survived.
type Loss uint8

// The kinds of notes.
const (
	Approximated Loss = iota + 1
	Dropped
	NeedsPerson
)

func (l Loss) String() string {
	return [...]string{"exact", "approximated", "dropped", "needs a person"}[l]
}

// Note is one thing that the target could not say exactly.
type Note struct {
	Loss     Loss
	Security bool // touches access rules, secrets or TLS
	Span     diag.Span
	Message  string
}
