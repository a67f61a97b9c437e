//go:build !unix

package front

// tryRead is not used here: a connection waits by reading one byte.
func (c *conn) tryRead(uintptr) bool { return true }

const rawWait = false
