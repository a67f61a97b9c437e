// Package diag holds what every part of clowder says about the user's files:
// files with exact places, findings, related places and fixes.
//
// A place is a [Span] of byte offsets into a [File]; lines and columns are
// computed when somebody asks for them. The package imports nothing of clowder.
package diag

import (
	"bytes"
	"fmt"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"
	"unsafe"
)

// File is one input as it was read. Name is shown to the user exactly as it was
// given or found; Data holds the bytes that spans point into and is never
// changed after the file was loaded. A File may be used by many goroutines.
type File struct {
	Name string
	Data []byte

	once   sync.Once
	before []int32 // how many line feeds stand before each block of Data

}

// NewFile makes a File of the given bytes, which it keeps.
func NewFile(name string, data []byte) *File { return &File{Name: name, Data: data} }

// Again returns a file of the same name that shares the bytes of f, for a second
// reading whose places are to be told from those of the first.
func (f *File) Again() *File { return f.AgainAs(f.Name) }

// AgainAs is Again with another name.
func (f *File) AgainAs(name string) *File {
	g := NewFile(name, f.Data)
	g.once.Do(func() { g.before = f.blocks() })
	return g
}

// Text returns Data[start:end] as a string that shares its memory, since Data is
// never changed.
func (f *File) Text(start, end int) string {
	return unsafe.String(unsafe.SliceData(f.Data), len(f.Data))[start:end]
}

// blockBytes is the distance of the places where the count of lines is known.
const blockBytes = 4096

// blocks counts the line feeds before each block of Data, and in the end all.
func (f *File) blocks() []int32 {
	f.once.Do(func() {
		f.before = make([]int32, 1, len(f.Data)/blockBytes+2)
		n := 0
		for at := 0; at < len(f.Data); at += blockBytes {
			n += bytes.Count(f.Data[at:min(at+blockBytes, len(f.Data))], []byte{'\n'})
			f.before = append(f.before, int32(n))
		}
	})
	return f.before
}

// Line returns the 1-based number of the line that holds the byte offset.
func (f *File) Line(offset int) int {
	offset = max(0, min(offset, len(f.Data)))
	block := offset / blockBytes
	return int(f.blocks()[block]) + bytes.Count(f.Data[block*blockBytes:offset], []byte{'\n'}) + 1
}

// LineCount returns the number of lines; a final line feed opens no new line.
func (f *File) LineCount() int {
	b := f.blocks()
	n := int(b[len(b)-1]) + 1
	if n > 1 && f.Data[len(f.Data)-1] == '\n' {
		n--
	}
	return n
}

// LineStart returns the offset of the first byte of the 1-based line. A line
// before the first or behind the last gives the nearest end of the file.
func (f *File) LineStart(line int) int {
	if line <= 1 {
		return 0
	}
	b, feeds := f.blocks(), line-1 // it begins behind so many line feeds
	if feeds > int(b[len(b)-1]) {
		return len(f.Data)
	}
	block := sort.Search(len(b), func(i int) bool { return int(b[i]) >= feeds }) - 1
	at := block * blockBytes
	for n := int(b[block]); n < feeds; n++ {
		at += bytes.IndexByte(f.Data[at:], '\n') + 1
	}
	return at
}

// LineText returns the text of the 1-based line without its line end.
func (f *File) LineText(line int) string {
	start, end := f.LineStart(line), f.LineStart(line+1)
	return strings.TrimRight(string(f.Data[start:end]), "\r\n")
}

// Position is one place in the units that people and programs want.
type Position struct {
	Offset int // 0-based byte offset
	Line   int // 1-based
	Column int // 1-based, bytes; a tab counts one
}

// Position converts a byte offset. Offsets outside the file are clamped.
func (f *File) Position(offset int) Position {
	offset = max(0, min(offset, len(f.Data)))
	line := f.Line(offset)
	return Position{Offset: offset, Line: line, Column: offset - f.LineStart(line) + 1}
}

// RuneColumn returns the 1-based column in Unicode code points, as SARIF's
// columnKind "unicodeCodePoints" counts.
func (f *File) RuneColumn(offset int) int {
	p := f.Position(offset)
	return utf8.RuneCount(f.Data[p.Offset-p.Column+1:p.Offset]) + 1
}

// UTF16Column returns the 1-based column in UTF-16 code units, as editors count.
func (f *File) UTF16Column(offset int) int {
	p := f.Position(offset)
	n := 1
	for _, r := range string(f.Data[p.Offset-p.Column+1 : p.Offset]) {
		if r > 0xFFFF {
			n++
		}
		n++
	}
	return n
}

// Span is a half-open range of bytes in a file. The zero Span means "no place".
type Span struct {
	File       *File
	Start, End int32
}

// At makes a Span from ints.
func At(f *File, start, end int) Span { return Span{f, int32(start), int32(end)} }

// IsValid reports whether the span names a place.
func (s Span) IsValid() bool { return s.File != nil }

// Text returns the bytes of the span as a string.
func (s Span) Text() string {
	if s.File == nil {
		return ""
	}
	return string(s.File.Data[s.Start:s.End])
}

// Begin returns the position of the first byte.
func (s Span) Begin() Position {
	if s.File == nil {
		return Position{}
	}
	return s.File.Position(int(s.Start))
}

// Finish returns the position behind the last byte.
func (s Span) Finish() Position {
	if s.File == nil {
		return Position{}
	}
	return s.File.Position(int(s.End))
}

// String returns file:line:column, the bare file name for an empty file, or "".
func (s Span) String() string {
	if s.File == nil {
		return ""
	}
	p := s.Begin()
	return fmt.Sprintf("%s:%d:%d", s.File.Name, p.Line, p.Column)
}

// Short returns file:line, or "" without a place.
func (s Span) Short() string {
	if s.File == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d", s.File.Name, s.Begin().Line)
}

// Head returns a span of only the first line of s.
func (s Span) Head() Span {
	if s.File == nil {
		return s
	}
	end := int32(s.File.LineStart(s.Begin().Line+1)) - 1
	for end > s.Start && (s.File.Data[end] == '\n' || s.File.Data[end] == '\r') {
		end--
	}
	if end+1 < s.End {
		s.End = end + 1
	}
	return s
}
