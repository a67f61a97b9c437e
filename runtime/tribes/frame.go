package tribes

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Markers of a frame (io.XByteBuffer).
const (
	frameStart    = "FLT2002"
	frameEnd      = "TLF2003"
	frameOverhead = len(frameStart) + 4 + len(frameEnd)
)

// Acknowledgements (transport.Constants.ACK_DATA, FAIL_ACK_DATA): whole frames.
var (
	ackFrame     = AppendFrame(nil, []byte{6, 2, 3})
	failAckFrame = AppendFrame(nil, []byte{11, 0, 5})
)

// DefaultMaxFrame is the largest frame that is accepted by default, in bytes of
// data. Tomcat has no limit; a state transfer of many sessions is one frame.
const DefaultMaxFrame = 256 << 20

// keepBuffer is the largest buffer that a connection keeps between two frames.
const keepBuffer = 1 << 20

// ErrFrame is wrapped by the errors about malformed frames and envelopes.
var ErrFrame = errors.New("malformed frame")

// AppendFrame appends data with its start marker, length and end marker.
func AppendFrame(b, data []byte) []byte {
	b = append(b, frameStart...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	return append(b, frameEnd...)
}

// FrameReader reads frames from one connection. It is used by one goroutine.
type FrameReader struct {
	r   *bufio.Reader
	max int
	buf []byte
}

// NewFrameReader returns a reader that refuses frames with more than limit bytes
// of data; 0 stands for [DefaultMaxFrame].
func NewFrameReader(r io.Reader, limit int) *FrameReader {
	if limit <= 0 {
		limit = DefaultMaxFrame
	}
	return &FrameReader{r: bufio.NewReaderSize(r, 8<<10), max: limit}
}

// Next returns the data of the next frame, valid until the following call. At
// the end of the stream between two frames the error is io.EOF. Memory grows
// with the bytes that arrive, never with the length that is announced.
func (f *FrameReader) Next() ([]byte, error) {
	if cap(f.buf) > keepBuffer {
		f.buf = nil
	}
	var head [11]byte
	if _, err := io.ReadFull(f.r, head[:]); err != nil {
		return nil, err
	}
	if string(head[:7]) != frameStart {
		return nil, fmt.Errorf("%w: no start marker", ErrFrame)
	}
	n := int(int32(binary.BigEndian.Uint32(head[7:])))
	if n < 0 || n > f.max {
		return nil, fmt.Errorf("%w: length %d, limit %d", ErrFrame, n, f.max)
	}
	f.buf = f.buf[:0]
	for len(f.buf) < n {
		have := len(f.buf)
		if have == cap(f.buf) {
			grown := make([]byte, have, min(n, max(4<<10, 2*have)))
			copy(grown, f.buf)
			f.buf = grown
		}
		f.buf = f.buf[:min(n, cap(f.buf))]
		got, err := io.ReadFull(f.r, f.buf[have:])
		f.buf = f.buf[:have+got]
		if err != nil {
			return nil, noEOF(err)
		}
	}
	if _, err := io.ReadFull(f.r, head[:7]); err != nil {
		return nil, noEOF(err)
	}
	if string(head[:7]) != frameEnd {
		return nil, fmt.Errorf("%w: no end marker", ErrFrame)
	}
	return f.buf, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Envelope is a message with its header (io.ChannelData).
type Envelope struct {
	Options   SendOptions
	Timestamp int64 // sender's clock, milliseconds since 1970
	UniqueID  []byte
	From      Member
	Data      []byte
}

// Append appends the envelope, without the frame around it.
func (e *Envelope) Append(b []byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, uint32(int32(e.Options)))
	b = be.AppendUint64(b, uint64(e.Timestamp))
	b = be.AppendUint32(b, uint32(len(e.UniqueID)))
	b = append(b, e.UniqueID...)
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	b = AppendMember(b, e.From)
	be.PutUint32(b[at:], uint32(len(b)-at-4))
	b = be.AppendUint32(b, uint32(len(e.Data)))
	return append(b, e.Data...)
}

// ParseEnvelope reads the data of a frame. UniqueID and Data share its memory.
func ParseEnvelope(b []byte) (*Envelope, error) {
	d := cursor{b: b}
	e := &Envelope{Options: SendOptions(int32(d.u32())), Timestamp: int64(d.u64())}
	e.UniqueID = d.take(int(int32(d.u32())))
	rec := d.take(int(int32(d.u32())))
	e.Data = d.take(int(int32(d.u32())))
	if d.bad || len(d.b) != 0 {
		return nil, fmt.Errorf("%w: lengths of the envelope do not add up", ErrFrame)
	}
	m, n, err := ParseMember(rec)
	if err != nil {
		return nil, err
	}
	if n != len(rec) {
		return nil, fmt.Errorf("%w: %d bytes after the member record", ErrFrame, len(rec)-n)
	}
	e.From = m
	return e, nil
}
