//go:build !unix

package upstream

const canPeek = false

func quiet(uintptr) bool { return false }
