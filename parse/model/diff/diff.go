// Package diff compares two setups by their meaning: what httpd and Tomcat would
// do otherwise, not how it is written down. A value counts with the server's
// default when nobody wrote it, and in a virtual host with what it inherits; files,
// comments, modules and the order of things that have no order do not count.
//
// The comparison walks the model by its key tags. What belongs together and what a
// value means stands in tables (table.go); a new field of the model needs no code.
package diff

import (
	"fmt"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// Change says what kind of difference it is.
type Change uint8

// The kinds of differences.
const (
	Changed Change = iota + 1
	Added          // stands only in the second setup
	Removed        // stands only in the first setup
	Moved          // another place in a list where the order matters
)

func (c Change) String() string { return [...]string{"", "changed", "added", "removed", "moved"}[c] }

// The parts of a setup.
const (
	HTTPD   = "httpd"
	Tomcat  = "tomcat"
	Clowder = "clowder" // what clowder's own nodes answer with
)

// Difference is one thing in which two setups differ.
type Difference struct {
	Change Change
	Part   string   // HTTPD, Tomcat or Clowder
	Path   []string // "virtual host *:80 a.example", "balancer b", "member ajp://h:8302"
	Field  string   // key of the value; "" when it is the last element of the path itself
	Hidden bool     // a secret: the values are left out
	A, B   Side     // of an added one A is empty, of a removed one B
}

// Side is what one of the two setups says.
type Side struct {
	Value  string
	Origin model.Origin // Unset: nothing is said and there is no default
	Span   diag.Span    // of the value, else of the element that has it
}

// String returns the difference as one line without secrets.
func (d Difference) String() string {
	path := strings.Join(d.Path, ": ")
	what := path
	if d.Field != "" {
		if what != "" {
			what += ": "
		}
		what += d.Field
	}
	switch d.Change {
	case Added:
		return "+ " + what + d.B.suffix(d.Hidden)
	case Removed:
		return "- " + what + d.A.suffix(d.Hidden)
	case Moved:
		return fmt.Sprintf("%s: place %s%s -> place %s%s", what, d.A.Value, d.A.place(), d.B.Value, d.B.place())
	}
	if d.Hidden {
		return fmt.Sprintf("%s differs%s -> %s", what, d.A.unsaid(), strings.TrimPrefix(d.B.unsaid(), " "))
	}
	return fmt.Sprintf("%s %s%s -> %s%s", what, d.A.text(), d.A.place(), d.B.text(), d.B.place())
}

// text returns the value for people.
func (s Side) text() string {
	if s.Origin == model.Unset {
		return "not set"
	}
	return quote(s.Value)
}

// unsaid returns the place of a secret, and whether there is one.
func (s Side) unsaid() string {
	if s.Origin == model.Unset {
		return " not set" + s.place()
	}
	if s.place() == "" {
		return " set"
	}
	return s.place()
}

// suffix returns value and place of what was added or removed.
func (s Side) suffix(hidden bool) string {
	if s.Value == "" || hidden {
		return s.place()
	}
	return " " + s.Value + s.place()
}

// place returns the place in brackets.
func (s Side) place() string {
	at := s.Span.Short()
	switch {
	case s.Origin == model.Default && at == "":
		return " (default)"
	case s.Origin == model.Default:
		return " (default, " + at + ")"
	case s.Origin == model.Inferred && at != "":
		return " (inferred from " + at + ")"
	case s.Origin == model.Written && at == "":
		return " (command line)"
	case at == "":
		return ""
	}
	return " (" + at + ")"
}

// quote shows where a value with blanks begins and ends.
func quote(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\r\n\"") {
		return fmt.Sprintf("%q", s)
	}
	return s
}

// Options say what is compared.
type Options struct {
	Only string // HTTPD or Tomcat; "" is all
}

// Compare lists what differs between two setups, in the order of the first one;
// what only the second one has comes at the end of its list. Both must have their
// defaults, as parse.Load leaves them. Neither is changed; the cost grows as n log n.
func Compare(a, b *model.Setup, o Options) []Difference {
	c := &comparer{}
	if o.Only != Tomcat {
		c.part = HTTPD
		c.fronts(a.FrontEnds, b.FrontEnds)
	}
	if o.Only != HTTPD {
		c.part = Tomcat
		c.array("node", values(a.Nodes), values(b.Nodes))
	}
	c.unmapped(a, b, o.Only)
	if o.Only == "" {
		c.part = Clowder
		c.pointer("app", pointer(a.App), pointer(b.App))
	}
	return c.out
}
