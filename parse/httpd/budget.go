package httpd

import (
	"fmt"
	"unsafe"
)

// What a configuration of any size may take, in bytes of memory, and what it may
// take for each byte of its files: several times what files need that people or
// programs write. It bounds the memory that a hostile file can take.
const (
	freeBytes    = 20 << 20
	bytesPerByte = 13
)

// What files may cost that are included again, and uses of macros, in bytes read
// besides those in proportion to the files. It bounds the time.
const (
	freeReread    = 64 << 20
	rereadPerByte = 8
	freeReplay    = 256 << 20
	replayPerByte = 64
)

// What things cost, with the pointers to them and the room that growing lists
// leave.
const (
	nodeBytes    = int(unsafe.Sizeof(Node{})) + 24
	sectionBytes = 2*nodeBytes + 64 // expanding copies it
	argBytes     = int(unsafe.Sizeof(Arg{}))
	madeBytes    = int(unsafe.Sizeof(made{}))
	segmentBytes = int(unsafe.Sizeof(segment{}))
	lineBytes    = 2 * int(unsafe.Sizeof(line{}))
	fileBytes    = 2048
)

// budget is what a configuration may still take.
type budget struct {
	left   int // bytes of memory
	replay int // bytes that uses of macros may read
	reread int // bytes that files included again may have

	rereadBytes int // bytes of files included again
	nodes       int // so many were made
	told        bool
}

func newBudget() *budget { return &budget{left: freeBytes, replay: freeReplay, reread: freeReread} }

// grow adds what a file of that many bytes may take.
func (b *budget) grow(size int) {
	b.left += size * bytesPerByte
	b.replay += size * replayPerByte
	b.reread += size * rereadPerByte
}

// take takes memory; false, without taking any, when it is not there.
func (b *budget) take(bytes int) bool {
	if bytes > b.left {
		return false
	}
	b.left -= bytes
	return true
}

// node takes one node.
func (b *budget) node() bool {
	b.nodes++
	return b.take(nodeBytes)
}

// again takes one more reading of a file of that size.
func (b *budget) again(size int) bool {
	if size > b.reread {
		return false
	}
	b.reread -= size
	b.rereadBytes += size
	return true
}

// use takes one use of a macro with that many bytes and arguments.
func (b *budget) use(size, args int) bool {
	cost := size * (4 + args)
	if cost > b.replay {
		return false
	}
	b.replay -= cost
	return true
}

// tooDense is the sentence for a budget that is used up.
func tooDense(b *budget) string {
	return fmt.Sprintf("the configuration has more than %d directives, or more words, than its size explains; what follows was not read", b.nodes-1)
}
