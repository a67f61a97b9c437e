package javaser

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// maxBlock is the size of the largest block data record that Java writes.
const maxBlock = 1024

// Writer builds one stream. The zero value is not usable, see NewWriter.
type Writer struct {
	out     []byte
	blk     []byte      // block data not yet written
	handles map[any]int // nodes, by identity, and shared Go values
	classes map[string]int
	types   map[string]int // field type strings, which Java interns
	next    int
	depth   int
}

// NewWriter starts a stream.
func NewWriter() *Writer {
	return &Writer{
		out:     []byte{0xAC, 0xED, 0x00, 0x05},
		handles: map[any]int{}, classes: map[string]int{}, types: map[string]int{},
	}
}

// Bytes ends the pending block data and returns the stream so far.
func (w *Writer) Bytes() []byte {
	w.flush()
	return w.out
}

func (w *Writer) flush() {
	for len(w.blk) > 0 {
		n := min(len(w.blk), maxBlock)
		if n <= 255 {
			w.out = append(w.out, tcBlockData, byte(n))
		} else {
			w.out = append(w.out, tcBlockDataLong)
			w.out = binary.BigEndian.AppendUint32(w.out, uint32(n))
		}
		w.out = append(w.out, w.blk[:n]...)
		w.blk = w.blk[n:]
	}
	w.blk = nil
}

// Raw adds bytes to the block data.
func (w *Writer) Raw(b []byte) { w.blk = append(w.blk, b...) }

// Int32 adds an int to the block data.
func (w *Writer) Int32(v int32) { w.blk = binary.BigEndian.AppendUint32(w.blk, uint32(v)) }

// Int64 adds a long to the block data.
func (w *Writer) Int64(v int64) { w.blk = binary.BigEndian.AppendUint64(w.blk, uint64(v)) }

// Bool adds a boolean to the block data.
func (w *Writer) Bool(v bool) { w.blk = appendBool(w.blk, v) }

// UTF adds a string as writeUTF does; it fails for more than 65535 bytes.
func (w *Writer) UTF(s string) error {
	b := appendModified(nil, s)
	if len(b) > math.MaxUint16 {
		return fmt.Errorf("string of %d bytes is too long for writeUTF", len(b))
	}
	w.blk = binary.BigEndian.AppendUint16(w.blk, uint16(len(b)))
	w.blk = append(w.blk, b...)
	return nil
}

// Object writes one object: a node, or a Go value that Freeze knows. A value of
// an unknown type is refused before anything is written; after any other error
// the stream is of no use.
func (w *Writer) Object(v any) error {
	node, err := Freeze(v)
	if err != nil {
		return err
	}
	w.flush()
	return w.node(node)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func (w *Writer) assign() int {
	w.next++
	return w.next - 1
}

func (w *Writer) ref(h int) {
	w.out = append(w.out, tcReference)
	w.out = binary.BigEndian.AppendUint32(w.out, uint32(baseHandle+h))
}

func (w *Writer) str(s string) {
	b := appendModified(nil, s)
	if len(b) > math.MaxUint16 {
		w.out = append(w.out, tcLongString)
		w.out = binary.BigEndian.AppendUint64(w.out, uint64(len(b)))
	} else {
		w.out = append(w.out, tcString)
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(b)))
	}
	w.out = append(w.out, b...)
}

func (w *Writer) utf(s string) {
	b := appendModified(nil, s)
	if len(b) > math.MaxUint16 { // names come from streams, where they are shorter
		b = b[:0]
	}
	w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(b)))
	w.out = append(w.out, b...)
}

// share says which Go values Java keeps one object of: Boolean.TRUE and FALSE,
// the small Integers and Longs, and enum constants.
func share(v any) bool {
	switch v := v.(type) {
	case bool, EnumValue:
		return true
	case int32:
		return v >= -128 && v <= 127
	case int64:
		return v >= -128 && v <= 127
	}
	return false
}

// node writes a frozen value.
func (w *Writer) node(v any) error {
	if v == nil {
		w.out = append(w.out, tcNull)
		return nil
	}
	if w.depth++; w.depth > 2*maxDepth {
		return ErrLimit
	}
	defer func() { w.depth-- }()
	switch v := v.(type) {
	case string:
		w.str(v)
		w.assign()
		return nil
	case *Object, *Array, *Enum, *String, *ClassRef:
		if h, ok := w.handles[v]; ok {
			w.ref(h)
			return nil
		}
		return w.fresh(v)
	case *Class:
		return w.class(v)
	}
	if share(v) {
		if h, ok := w.handles[v]; ok {
			w.ref(h)
			return nil
		}
	}
	n := box(v)
	if n == nil {
		return fmt.Errorf("type %T has no Java form", v)
	}
	h, err := w.freshHandle(n)
	if share(v) && err == nil {
		w.handles[v] = h
	}
	return err
}

func (w *Writer) fresh(v any) error {
	_, err := w.freshHandle(v)
	return err
}

// freshHandle writes a node for the first time and returns its handle.
func (w *Writer) freshHandle(v any) (h int, err error) {
	switch v := v.(type) {
	case *String:
		w.str(v.S)
		h = w.assign()
		w.handles[v] = h
	case *ClassRef:
		w.out = append(w.out, tcClass)
		err = w.class(v.Class)
		h = w.assign()
		w.handles[v] = h
	case *Enum:
		w.out = append(w.out, tcEnum)
		if err = w.class(v.Class); err != nil {
			return 0, err
		}
		h = w.assign()
		w.handles[v] = h
		err = w.node(v.Name)
	case *Array:
		w.out = append(w.out, tcArray)
		if err = w.class(v.Class); err != nil {
			return 0, err
		}
		h = w.assign()
		w.handles[v] = h
		err = w.elements(v)
	case *Object:
		w.out = append(w.out, tcObject)
		if err = w.class(v.Class); err != nil {
			return 0, err
		}
		h = w.assign()
		w.handles[v] = h
		err = w.parts(v)
	}
	return h, err
}

func (w *Writer) elements(a *Array) error {
	if n := width(a.Class); n > 0 {
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(len(a.Data)/n))
		w.out = append(w.out, a.Data...)
		return nil
	}
	w.out = binary.BigEndian.AppendUint32(w.out, uint32(len(a.Elems)))
	for _, e := range a.Elems {
		if err := w.node(e); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) parts(o *Object) error {
	for i := range o.Parts {
		p := &o.Parts[i]
		for j, v := range p.Values {
			if err := w.value(p.Class.Fields[j].Type, v); err != nil {
				return fmt.Errorf("field %s of %s: %w", p.Class.Fields[j].Name, p.Class.Name, err)
			}
		}
		if p.Class.Flags&(FlagWriteMethod|FlagExternalizable) != 0 {
			if err := w.annotation(p.Extra); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Writer) annotation(extra []any) error {
	for _, e := range extra {
		if b, ok := e.(Block); ok {
			w.blk = append(w.blk, b...)
			continue
		}
		w.flush()
		if err := w.node(e); err != nil {
			return err
		}
	}
	w.flush()
	w.out = append(w.out, tcEndBlockData)
	return nil
}

func (w *Writer) value(kind byte, v any) error {
	if kind == 'L' || kind == '[' {
		return w.node(v)
	}
	ok := true
	switch x := v.(type) {
	case int8:
		ok = kind == 'B'
		w.out = append(w.out, byte(x))
	case bool:
		ok = kind == 'Z'
		w.out = appendBool(w.out, x)
	case Char:
		ok = kind == 'C'
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(x))
	case int16:
		ok = kind == 'S'
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(x))
	case int32:
		ok = kind == 'I'
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(x))
	case int64:
		ok = kind == 'J'
		w.out = binary.BigEndian.AppendUint64(w.out, uint64(x))
	case float32:
		ok = kind == 'F'
		w.out = binary.BigEndian.AppendUint32(w.out, math.Float32bits(x))
	case float64:
		ok = kind == 'D'
		w.out = binary.BigEndian.AppendUint64(w.out, math.Float64bits(x))
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("value of type %T does not fit field type %c", v, kind)
	}
	return nil
}

// class writes a descriptor, or a reference when an equal one was written.
func (w *Writer) class(c *Class) error {
	if c == nil {
		w.out = append(w.out, tcNull)
		return nil
	}
	h, ok := w.handles[c]
	sig := ""
	if !ok && len(c.Annotation) == 0 {
		sig = signature(c)
		h, ok = w.classes[sig]
	}
	if ok {
		w.ref(h)
		return nil
	}
	if w.depth++; w.depth > 2*maxDepth {
		return ErrLimit
	}
	defer func() { w.depth-- }()
	if c.Proxy {
		w.out = append(w.out, tcProxyClassDesc)
		w.handles[c] = w.assign()
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(len(c.Interfaces)))
		for _, n := range c.Interfaces {
			w.utf(n)
		}
	} else {
		w.out = append(w.out, tcClassDesc)
		w.utf(c.Name)
		w.out = binary.BigEndian.AppendUint64(w.out, uint64(c.UID))
		w.handles[c] = w.assign()
		w.out = append(w.out, c.Flags)
		w.out = binary.BigEndian.AppendUint16(w.out, uint16(len(c.Fields)))
		for _, f := range c.Fields {
			w.field(f)
		}
	}
	if sig != "" {
		w.classes[sig] = w.handles[c]
	}
	if err := w.annotation(c.Annotation); err != nil {
		return err
	}
	return w.class(c.Super)
}

func (w *Writer) field(f Field) {
	w.out = append(w.out, f.Type)
	w.utf(f.Name)
	if f.Type != 'L' && f.Type != '[' {
		return
	}
	if h, ok := w.types[f.Sig]; ok {
		w.ref(h)
		return
	}
	w.str(f.Sig)
	w.types[f.Sig] = w.assign()
}

// signature is equal for descriptors that say the same.
func signature(c *Class) string {
	var b strings.Builder
	for k := c; k != nil; k = k.Super {
		fmt.Fprintf(&b, "%q %d %d %t %q %v|", k.Name, k.UID, k.Flags, k.Proxy, k.Interfaces, k.Fields)
	}
	return b.String()
}
