// Package javaser reads and writes the Java object serialization stream
// format, as far as a foreign member of a Tomcat cluster needs it: block data,
// class descriptors, objects, arrays, enums, and data written by writeObject or
// writeExternal.
//
// A stream is read at two levels. [Reader.Node] gives the objects as they are
// in the stream, a tree of *Object, *Array, *Enum, *String and *Class in which
// one node that is referred to twice is one pointer; [Writer.Object] writes such
// a tree back, so classes nobody here knows can be carried from one Tomcat to
// another. [Reader.Object] and [Thaw] turn what has a Go meaning into Go values:
//
//	Integer int32, Long int64, Short int16, Byte int8, Character Char,
//	Boolean bool, Float float32, Double float64, String string,
//	Date time.Time, BigInteger *big.Int, BigDecimal *Decimal, UUID UUID,
//	byte[] []byte, int[] []int32, String[] []string, Object[] ObjectArray,
//	ArrayList []any, HashMap and LinkedHashMap *Map (HashMap with string keys
//	map[string]any), HashSet *Set, enum constants EnumValue
//
// The writer accepts the same values, and int, which becomes an Integer when it
// fits and a Long when not. Nothing is ever instantiated by a class name.
//
// Nodes are never changed after they were read or frozen and may be shared
// between goroutines; Reader and Writer belong to one goroutine.
package javaser

import (
	"errors"
	"math/big"
)

// Errors that a caller may want to tell apart.
var (
	// ErrLimit is reported when a stream is nested too deeply or would need more memory than its size justifies.
	ErrLimit = errors.New("java stream exceeds a limit")
	// ErrAborted is reported for TC_EXCEPTION: the sender failed in the middle of an object.
	ErrAborted = errors.New("java stream aborted by its writer")
)

// Flags of a class descriptor (java.io.ObjectStreamConstants).
const (
	FlagWriteMethod    = 0x01 // extra data after the fields, ended by TC_ENDBLOCKDATA
	FlagSerializable   = 0x02
	FlagExternalizable = 0x04
	FlagBlockData      = 0x08 // external data is in block form
	FlagEnum           = 0x10
)

// Class is a class descriptor. It must not be changed once in use.
type Class struct {
	Name       string
	UID        int64 // serialVersionUID
	Flags      byte
	Fields     []Field // primitives first, each group sorted by name
	Annotation []any   // class annotation, normally empty: Block or nodes
	Super      *Class
	Proxy      bool // dynamic proxy: only Interfaces, Annotation and Super count
	Interfaces []string
}

// Field is one field of a class descriptor.
type Field struct {
	Type byte   // one of B C D F I J S Z [ L
	Name string //
	Sig  string // for [ and L the type, as "[B" or "Ljava/lang/String;"
}

// Object is an instance of a class: its data class by class, the topmost first.
// For an Externalizable class there is one part, without field values.
type Object struct {
	Class *Class
	Parts []Part
}

// Part is what one class of the hierarchy wrote.
type Part struct {
	Class *Class
	// Values holds the fields in the order of the descriptor: int8, Char, float64, float32, int32,
	// int64, int16, bool for the primitives, a node or nil for the others.
	Values []any
	// Extra is what writeObject or writeExternal wrote: Block values and nodes, never two Blocks in a row.
	Extra []any
}

// Block is a run of primitive data, with the record borders taken out.
type Block []byte

// String is a string as a node of the tree. Halves of surrogate pairs that stand
// alone, which UTF-8 cannot express, are kept in their three-byte form.
type String struct{ S string }

// Array is an array. Data holds the elements of a primitive array, big-endian;
// Elems those of the others.
type Array struct {
	Class *Class
	Data  []byte
	Elems []any
}

// Enum is an enum constant as a node.
type Enum struct {
	Class *Class
	Name  *String
}

// ClassRef is a java.lang.Class object.
type ClassRef struct{ Class *Class }

// Char is a java.lang.Character: one UTF-16 code unit.
type Char uint16

// EnumValue is an enum constant as a Go value.
type EnumValue struct{ Class, Name string }

// UUID is a java.util.UUID, most significant byte first.
type UUID [16]byte

// Decimal is a java.math.BigDecimal: Unscaled / 10^Scale.
type Decimal struct {
	Unscaled *big.Int
	Scale    int32
}

// ObjectArray is an Object[], as []any is an ArrayList.
type ObjectArray []any

// Map is a HashMap or, with Linked, a LinkedHashMap, entries in stream order.
type Map struct {
	Entries     []Entry
	Linked      bool
	AccessOrder bool // LinkedHashMap: ordered by access instead of insertion
}

// Entry is one pair of a Map.
type Entry struct{ Key, Value any }

// Set is a HashSet, elements in stream order.
type Set struct{ Elems []any }

// Field returns the value of the first field of that name, from the most
// derived class upwards, and whether the object has one.
func (o *Object) Field(name string) (any, bool) {
	for i := len(o.Parts) - 1; i >= 0; i-- {
		p := &o.Parts[i]
		for j, f := range p.Class.Fields {
			if f.Name == name && j < len(p.Values) {
				return p.Values[j], true
			}
		}
	}
	return nil, false
}

// hierarchy returns the classes from the top down, nil if there are more than maxSupers.
func (c *Class) hierarchy() []*Class {
	n := 0
	for k := c; k != nil; k = k.Super {
		n++
		if n > maxSupers {
			return nil
		}
	}
	out := make([]*Class, n)
	for k := c; k != nil; k = k.Super {
		n--
		out[n] = k
	}
	return out
}
