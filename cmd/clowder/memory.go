package main

import (
	"os"
	"runtime/debug"
)

// Memory that lint may take: so much for each byte of the files, for reading them
// and with the rules and their findings, and so much besides. Above it the
// collector works harder; it is no hard limit.
const (
	readingPerByte = 17
	rulesPerByte   = 40
	memoryBesides  = 30 << 20
)

// boundMemory makes the collector keep to a limit that grows with the input, and
// returns the function that has to be told of each file's size. Garbage may fill
// what small files leave of it, so that short runs hardly collect at all.
func boundMemory(perByte int64) func(bytes int) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	limit := int64(memoryBesides)
	return func(bytes int) {
		limit += int64(bytes) * perByte
		debug.SetMemoryLimit(limit)
	}
}
