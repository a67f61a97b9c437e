package main

import (
	"os"
	"runtime/debug"
)

// Memory that commands which only read a setup may take: so much for each byte of
// the files, and so much besides. Above it the collector works harder; it is no
// hard limit.
const (
	memoryPerByte = 17
	memoryBesides = 30 << 20
)

// boundMemory makes the collector keep to a limit that grows with the input, and
// returns the function that has to be told of each file's size. Garbage may fill
// what small files leave of it, so that short runs hardly collect at all.
func boundMemory() func(bytes int) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	limit := int64(memoryBesides)
	return func(bytes int) {
		limit += int64(bytes) * memoryPerByte
		debug.SetMemoryLimit(limit)
	}
}
