package javaser

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Element codes (java.io.ObjectStreamConstants).
const (
	tcNull = 0x70 + iota
	tcReference
	tcClassDesc
	tcObject
	tcString
	tcArray
	tcClass
	tcBlockData
	tcEndBlockData
	tcReset
	tcBlockDataLong
	tcException
	tcLongString
	tcProxyClassDesc
	tcEnum
)

const (
	baseHandle = 0x7E0000
	maxDepth   = 256
	maxSupers  = 64
)

// Reader reads one stream that is wholly in memory. The first error stays: all
// later reads give zero values, and Err reports it. No value refers to the input:
// bytes are copied.
type Reader struct {
	in      []byte
	pos     int
	blk     int // bytes left in the current block data record
	handles []any
	depth   int
	budget  int
	err     error
}

// NewReader starts to read data, which must begin with the stream header.
func NewReader(data []byte) *Reader {
	r := &Reader{in: data, budget: 1<<16 + 8*len(data)}
	if h := r.raw(4); h != nil && binary.BigEndian.Uint32(h) != 0xACED0005 {
		r.fail("no java stream header")
	}
	return r
}

// Err returns the first error, nil if there was none.
func (r *Reader) Err() error { return r.err }

// More reports whether anything is left to be read.
func (r *Reader) More() bool { return r.err == nil && (r.blk > 0 || r.pos < len(r.in)) }

func (r *Reader) fail(format string, a ...any) {
	r.failErr(fmt.Errorf(format, a...))
}

func (r *Reader) failErr(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("java stream at byte %d: %w", r.pos, err)
	}
}

func (r *Reader) spend(n int) {
	if r.budget -= n; r.budget < 0 {
		r.failErr(ErrLimit)
	}
}

// raw takes n bytes as they stand in the stream.
func (r *Reader) raw(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.in)-r.pos {
		r.failErr(io.ErrUnexpectedEOF)
		return nil
	}
	b := r.in[r.pos : r.pos+n]
	r.pos += n
	return b
}

func (r *Reader) u8() byte {
	if b := r.raw(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *Reader) u16() int {
	if b := r.raw(2); b != nil {
		return int(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *Reader) i32() int32 {
	if b := r.raw(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *Reader) i64() int64 {
	if b := r.raw(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (r *Reader) text(n int) string {
	s, ok := decodeModified(r.raw(n))
	if !ok {
		r.fail("malformed string")
	}
	return s
}

func (r *Reader) utf() string { return r.text(r.u16()) }

// block makes sure that block data is next; false at an object or the end.
func (r *Reader) block() bool {
	for r.blk == 0 && r.err == nil && r.pos < len(r.in) {
		switch r.in[r.pos] {
		case tcBlockData:
			r.pos++
			r.blk = int(r.u8())
		case tcBlockDataLong:
			r.pos++
			r.blk = int(r.i32())
		case tcReset:
			r.pos++
			r.handles = nil
		default:
			return false
		}
		if r.blk < 0 || r.blk > len(r.in)-r.pos {
			r.blk = 0
			r.failErr(io.ErrUnexpectedEOF)
		}
	}
	return r.blk > 0
}

// Bytes takes n bytes of block data, which may straddle records.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.in)-r.pos {
		r.failErr(io.ErrUnexpectedEOF)
		return nil
	}
	out := make([]byte, 0, n)
	for len(out) < n {
		if !r.block() {
			r.failErr(errors.New("block data expected"))
			return nil
		}
		k := min(r.blk, n-len(out))
		out = append(out, r.raw(k)...)
		r.blk -= k
	}
	return out
}

// Int32 reads an int from block data.
func (r *Reader) Int32() int32 {
	if b := r.Bytes(4); len(b) == 4 {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Int64 reads a long from block data.
func (r *Reader) Int64() int64 {
	if b := r.Bytes(8); len(b) == 8 {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Bool reads a boolean from block data.
func (r *Reader) Bool() bool {
	b := r.Bytes(1)
	return len(b) == 1 && b[0] != 0
}

// UTF reads what writeUTF wrote into block data.
func (r *Reader) UTF() string {
	var n int
	if b := r.Bytes(2); len(b) == 2 {
		n = int(binary.BigEndian.Uint16(b))
	}
	s, ok := decodeModified(r.Bytes(n))
	if !ok {
		r.fail("malformed string")
	}
	return s
}

// Object reads one object and gives it as a Go value where it has one, see Thaw.
func (r *Reader) Object() any { return Thaw(r.Node()) }

// Node reads one object as it is: nil, *Object, *Array, *Enum, *String, *ClassRef or *Class.
func (r *Reader) Node() any {
	if r.blk > 0 || r.block() {
		r.fail("object expected, found block data")
	}
	return r.content()
}

func (r *Reader) add(v any) int {
	r.spend(1)
	r.handles = append(r.handles, v)
	return len(r.handles) - 1
}

func (r *Reader) reference() any {
	h := int(r.i32()) - baseHandle
	if r.err != nil {
		return nil
	}
	if h < 0 || h >= len(r.handles) || r.handles[h] == nil {
		r.fail("reference to an unknown handle")
		return nil
	}
	return r.handles[h]
}

func (r *Reader) content() any {
	if r.depth++; r.depth > maxDepth {
		r.failErr(ErrLimit)
	}
	defer func() { r.depth-- }()
	tag := r.u8()
	for tag == tcReset && r.err == nil {
		r.handles = nil
		tag = r.u8()
	}
	if r.err != nil {
		return nil
	}
	r.spend(1)
	switch tag {
	case tcNull:
		return nil
	case tcReference:
		return r.reference()
	case tcString:
		s := &String{S: r.utf()}
		r.add(s)
		return s
	case tcLongString:
		n := r.i64()
		if n < 0 || n > int64(len(r.in)) {
			r.failErr(io.ErrUnexpectedEOF)
			return nil
		}
		s := &String{S: r.text(int(n))}
		r.add(s)
		return s
	case tcObject:
		return r.object()
	case tcArray:
		return r.array()
	case tcEnum:
		return r.enum()
	case tcClass:
		c := &ClassRef{Class: r.classDesc()}
		r.add(c)
		return c
	case tcClassDesc, tcProxyClassDesc:
		r.pos--
		return r.classDesc()
	case tcException:
		r.failErr(ErrAborted)
	default:
		r.fail("unexpected element %#02x", tag)
	}
	return nil
}

func (r *Reader) enum() any {
	e := &Enum{Class: r.classDesc()}
	h := r.add(e)
	if e.Class == nil {
		r.fail("enum without a class")
		return nil
	}
	name, ok := r.content().(*String)
	if !ok || h < 0 {
		r.fail("enum constant without a name")
		return nil
	}
	e.Name = name
	return e
}

// classDesc reads a class descriptor, a reference to one, or null.
func (r *Reader) classDesc() *Class {
	if r.depth++; r.depth > maxDepth {
		r.failErr(ErrLimit)
	}
	defer func() { r.depth-- }()
	switch tag := r.u8(); {
	case r.err != nil || tag == tcNull:
		return nil
	case tag == tcReference:
		c, ok := r.reference().(*Class)
		if !ok {
			r.fail("reference to something that is no class descriptor")
		}
		return c
	case tag == tcClassDesc:
		return r.newClass()
	case tag == tcProxyClassDesc:
		return r.newProxy()
	default:
		r.fail("class descriptor expected, found %#02x", tag)
		return nil
	}
}

func (r *Reader) newClass() *Class {
	c := &Class{Name: r.utf(), UID: r.i64()}
	r.add(c)
	c.Flags = r.u8()
	n := r.u16()
	for i := 0; i < n && r.err == nil; i++ {
		r.spend(2)
		f := Field{Type: r.u8(), Name: r.utf()}
		switch f.Type {
		case 'B', 'C', 'D', 'F', 'I', 'J', 'S', 'Z':
		case '[', 'L':
			s, ok := r.content().(*String)
			if !ok {
				r.fail("field without a type")
				return nil
			}
			f.Sig = s.S
		default:
			r.fail("unknown field type %#02x", f.Type)
		}
		c.Fields = append(c.Fields, f)
	}
	return r.finishClass(c)
}

func (r *Reader) newProxy() *Class {
	c := &Class{Proxy: true, Flags: FlagSerializable}
	r.add(c)
	n := int(r.i32())
	for i := 0; i < n && r.err == nil; i++ {
		r.spend(2)
		c.Interfaces = append(c.Interfaces, r.utf())
	}
	return r.finishClass(c)
}

func (r *Reader) finishClass(c *Class) *Class {
	c.Annotation = r.annotation()
	super := r.classDesc()
	// A descriptor may name itself as its own super class: that would never end.
	for k, n := super, 0; k != nil; k, n = k.Super, n+1 {
		if k == c || n >= maxSupers {
			r.failErr(ErrLimit)
			return nil
		}
	}
	c.Super = super
	if r.err != nil {
		return nil
	}
	return c
}

// annotation reads contents up to TC_ENDBLOCKDATA.
func (r *Reader) annotation() []any {
	var out []any
	var run Block
	for r.err == nil {
		if r.block() {
			run = append(run, r.raw(r.blk)...)
			r.blk = 0
			continue
		}
		if len(run) > 0 {
			out = append(out, run)
			run = nil
		}
		if r.pos < len(r.in) && r.in[r.pos] == tcEndBlockData {
			r.pos++
			return out
		}
		r.spend(1)
		out = append(out, r.content())
	}
	return nil
}

func (r *Reader) object() any {
	c := r.classDesc()
	if c == nil {
		r.fail("object without a class")
		return nil
	}
	o := &Object{Class: c}
	r.add(o)
	if c.Flags&FlagExternalizable != 0 {
		if c.Flags&FlagBlockData == 0 {
			r.fail("external data of %s is not in block form", c.Name)
			return nil
		}
		o.Parts = []Part{{Class: c, Extra: r.annotation()}}
		return o
	}
	classes := c.hierarchy()
	if classes == nil || c.Flags&FlagSerializable == 0 {
		r.fail("class %s is not serializable", c.Name)
		return nil
	}
	r.spend(4 * len(classes))
	o.Parts = make([]Part, 0, len(classes))
	for _, k := range classes {
		p := Part{Class: k}
		for _, f := range k.Fields {
			if r.err != nil {
				return nil
			}
			p.Values = append(p.Values, r.value(f.Type))
		}
		if k.Flags&FlagWriteMethod != 0 {
			p.Extra = r.annotation()
		}
		o.Parts = append(o.Parts, p)
	}
	return o
}

// value reads one field.
func (r *Reader) value(kind byte) any {
	switch kind {
	case 'B':
		return int8(r.u8())
	case 'C':
		return Char(r.u16())
	case 'D':
		return math.Float64frombits(uint64(r.i64()))
	case 'F':
		return math.Float32frombits(uint32(r.i32()))
	case 'I':
		return r.i32()
	case 'J':
		return r.i64()
	case 'S':
		return int16(r.u16())
	case 'Z':
		return r.u8() != 0
	}
	return r.content()
}

// width gives the size of one element of a primitive array, 0 for the others.
func width(c *Class) int {
	if len(c.Name) < 2 || c.Name[0] != '[' {
		return -1
	}
	switch c.Name[1] {
	case 'B', 'Z':
		return 1
	case 'C', 'S':
		return 2
	case 'I', 'F':
		return 4
	case 'J', 'D':
		return 8
	case 'L', '[':
		return 0
	}
	return -1
}

func (r *Reader) array() any {
	c := r.classDesc()
	if c == nil {
		r.fail("array without a class")
		return nil
	}
	a := &Array{Class: c}
	r.add(a)
	n, w := int(r.i32()), width(c)
	if r.err != nil {
		return nil
	}
	if n < 0 || w < 0 || n > (len(r.in)-r.pos)/max(w, 1) {
		r.fail("bad array of class %q", c.Name)
		return nil
	}
	if w > 0 {
		a.Data = append(make([]byte, 0, n*w), r.raw(n*w)...)
		return a
	}
	for i := 0; i < n && r.err == nil; i++ {
		a.Elems = append(a.Elems, r.content())
	}
	return a
}
