// Package model is one setup: an httpd front end and the Tomcats behind it, as
// the syntax packages lower it and as lint, render and runtime see it.
//
// Every scalar is a [Value] that knows where it was written, or that it is the
// server's default. The key tags name the field in clowder.toml, which uses the
// names of httpd and Tomcat; show, the TOML writer and reader and the schema are
// all derived from these tags, so a new field needs no further code.
package model

import (
	"time"

	"clowder/parse/diag"
)

// Origin says where a value comes from.
type Origin uint8

// The origins. Unset means that nothing is written and the server has no default.
const (
	Unset    Origin = iota
	Default         // the server's own default
	Inferred        // concluded from other facts of the setup
	Written         // stands in a file at Span
)

func (o Origin) String() string { return [...]string{"unset", "default", "inferred", "written"}[o] }

// Scalar is what a Value can hold.
type Scalar interface {
	string | bool | int | float64 | time.Duration
}

// Value is one fact and its place.
type Value[T Scalar] struct {
	V      T
	Origin Origin
	Span   diag.Span // valid when Origin is Written; may name the reason when Inferred
}

// Is returns a value written at the place.
func Is[T Scalar](v T, at diag.Span) Value[T] { return Value[T]{v, Written, at} }

// Def returns a default of the server.
func Def[T Scalar](v T) Value[T] { return Value[T]{V: v, Origin: Default} }

// Infer returns a value concluded from the fact at the place.
func Infer[T Scalar](v T, from diag.Span) Value[T] { return Value[T]{v, Inferred, from} }

// IsWritten reports whether the value stands in a file.
func (v Value[T]) IsWritten() bool { return v.Origin == Written }

// IsSet reports whether there is a value at all, a default included.
func (v Value[T]) IsSet() bool { return v.Origin != Unset }

// Place returns where the value was written, or no place.
func (v Value[T]) Place() diag.Span {
	if v.Origin == Written {
		return v.Span
	}
	return diag.Span{}
}

// Or returns the value, or d when it is unset.
func (v Value[T]) Or(d T) T {
	if v.Origin == Unset {
		return d
	}
	return v.V
}

// Short spellings of the kinds in use.
type (
	String   = Value[string]
	Bool     = Value[bool]
	Int      = Value[int]
	Float    = Value[float64]
	Duration = Value[time.Duration]
)
