package ajp

import (
	"encoding/binary"
	"fmt"

	"clowder/runtime/exchange"
)

// AppendHeaders appends SEND_HEADERS. A head that does not fit into size bytes
// gives [ErrTooLarge] and b as it was.
func AppendHeaders(b []byte, status int, reason string, h exchange.Header, size int) ([]byte, error) {
	from := len(b)
	if len(h) > 0xFFFF || len(reason) > size {
		return b, ErrTooLarge
	}
	b = begin(b, 0x41, 0x42)
	b = append(b, TypeSendHeaders)
	b = binary.BigEndian.AppendUint16(b, uint16(status))
	b = appendString(b, reason)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h)))
	for _, f := range h {
		if len(f.Name)+len(f.Value) > size || len(b)-from > size {
			return b[:from], ErrTooLarge
		}
		b = appendString(appendName(b, responseHeaders[:], f.Name), f.Value)
	}
	return finish(b, from, size)
}

// DecodeHeaders reads the payload of a SEND_HEADERS.
func DecodeHeaders(p []byte) (status int, reason string, h exchange.Header, err error) {
	d := &decoder{b: p}
	if d.byte("type") != TypeSendHeaders {
		return 0, "", nil, fmt.Errorf("%w: not SEND_HEADERS", ErrMalformed)
	}
	status = int(d.uint16("status"))
	reason, _ = d.string("reason")
	n := int(d.uint16("header count"))
	if 3*n > len(d.b) {
		d.fail("header count")
		n = 0
	}
	h = make(exchange.Header, 0, n)
	for range n {
		name := d.name(responseHeaders[:])
		value, _ := d.string("header value")
		if d.bad {
			break
		}
		h = append(h, exchange.Field{Name: name, Value: value})
	}
	if !d.bad && (status < 100 || status > 999) {
		d.fail("status")
	}
	return status, reason, h, d.err()
}
