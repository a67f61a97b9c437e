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
	// Tomcat is the version that server.xml is written for, such as "10.1"; ""
	// takes the newest that the target knows. Only the target tomcat looks at it.
	Tomcat string
}

// OptionError says that an option has a value that the target does not take.
type OptionError struct{ Message string }

func (e OptionError) Error() string { return e.Message }

// Result is what a target made: files in order, and a note for every fact of the
// source that the target is about.
type Result struct {
	Files []File
	Notes []Note
}

// File is one output file; Name is a relative path with slashes.
type File struct {
	Name    string
	Data    []byte
	Private bool // holds a secret: readable by its owner only
}

// Loss says how much of a source fact survived.
type Loss uint8

// The kinds of notes.
const (
	Exact        Loss = iota // says the same
	Approximated             // says nearly the same; the message tells the difference
	Dropped                  // is not said
	NeedsPerson              // cannot be decided here: the message asks for it
)

func (l Loss) String() string {
	return [...]string{"exact", "approximated", "dropped", "needs a person"}[l]
}

// Note is what became of one fact of the source.
type Note struct {
	Loss     Loss
	ID       string    // its area, one of [Areas]; the word after --accept-loss
	Security bool      // what was lost protects: access rules, secrets, checks of TLS
	Span     diag.Span // the fact's place
	Fact     string    // the fact as it stands there: "ProxyTimeout 30"; never a secret
	Message  string    // what became of it, one sentence; "" for Exact
	Means    string    // the target's nearest means, "" when it has none
}
