package ajp

import (
	"bufio"
	"encoding/binary"
	"fmt"
)

// decoder reads a payload. The first failure sticks; reads after it give zeros.
type decoder struct {
	b    []byte
	what string // of the failure
	bad  bool
}

func (d *decoder) fail(what string) {
	if !d.bad {
		d.bad, d.what, d.b = true, what, nil
	}
}

func (d *decoder) err() error {
	if d.bad {
		return fmt.Errorf("%w: %s", ErrMalformed, d.what)
	}
	return nil
}

func (d *decoder) byte(what string) byte {
	if len(d.b) < 1 {
		d.fail(what)
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uint16(what string) uint16 {
	if len(d.b) < 2 {
		d.fail(what)
		return 0
	}
	v := binary.BigEndian.Uint16(d.b)
	d.b = d.b[2:]
	return v
}

// string returns the string and whether it was not null.
func (d *decoder) string(what string) (string, bool) {
	n := int(d.uint16(what))
	if d.bad || n == 0xFFFF {
		return "", false
	}
	if len(d.b) < n+1 {
		d.fail(what)
		return "", false
	}
	s := string(d.b[:n])
	d.b = d.b[n+1:] // the zero byte at the end is not looked at, as in Tomcat
	return s, true
}

// name reads a header's name.
func (d *decoder) name(table []string) string {
	if len(d.b) >= 2 && d.b[0] == 0xA0 {
		c := int(d.uint16("header code")) - 0xA001
		if c < 0 || c >= len(table) {
			d.fail("unknown header code")
			return ""
		}
		return table[c]
	}
	s, ok := d.string("header name")
	if !d.bad && !ok {
		d.fail("null header name")
	}
	return s
}

// readPacket returns the payload of the next packet. It is valid until the next
// read; the reader's buffer must hold size bytes. No byte of a payload longer
// than size-4 is read.
func readPacket(r *bufio.Reader, m0, m1 byte, size int, discard *int) ([]byte, error) {
	if *discard > 0 {
		if _, err := r.Discard(*discard); err != nil {
			return nil, err
		}
		*discard = 0
	}
	h, err := r.Peek(headSize)
	if err != nil {
		return nil, err
	}
	if h[0] != m0 || h[1] != m1 {
		return nil, ErrMagic
	}
	n := int(binary.BigEndian.Uint16(h[2:]))
	if n > size-headSize {
		return nil, fmt.Errorf("%w: %d bytes announced", ErrTooLarge, n)
	}
	p, err := r.Peek(headSize + n)
	if err != nil {
		return nil, err
	}
	*discard = headSize + n
	return p[headSize:], nil
}

// Decode returns the payload of the first packet of b and what follows it.
// toTomcat chooses the magic bytes that are expected.
func Decode(b []byte, toTomcat bool) (payload, rest []byte, err error) {
	m0, m1 := byte(0x41), byte(0x42)
	if toTomcat {
		m0, m1 = 0x12, 0x34
	}
	if len(b) < headSize {
		return nil, b, fmt.Errorf("%w: head", ErrMalformed)
	}
	if b[0] != m0 || b[1] != m1 {
		return nil, b, ErrMagic
	}
	n := headSize + int(binary.BigEndian.Uint16(b[2:]))
	if n > len(b) {
		return nil, b, fmt.Errorf("%w: length", ErrMalformed)
	}
	return b[headSize:n:n], b[n:], nil
}

// DecodeBody returns the bytes of a body chunk to Tomcat; none means the end.
func DecodeBody(p []byte) ([]byte, error) {
	if len(p) == 0 {
		return nil, nil
	}
	d := decoder{b: p}
	n := int(d.uint16("body length"))
	if d.bad || n > len(d.b) {
		return nil, fmt.Errorf("%w: body length", ErrMalformed)
	}
	return d.b[:n], nil
}

// DecodeSendBody returns the bytes of a SEND_BODY_CHUNK; none means flush.
func DecodeSendBody(p []byte) ([]byte, error) {
	d := decoder{b: p}
	t := d.byte("type")
	n := int(d.uint16("chunk length"))
	// ajp_parse_data of httpd: type, length and the closing zero are four bytes.
	if d.bad || t != TypeSendBodyChunk || n != len(p)-4 {
		return nil, fmt.Errorf("%w: chunk length", ErrMalformed)
	}
	return d.b[:n], nil
}
