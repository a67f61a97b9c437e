package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// useColor decides by flag, then NO_COLOR, CLICOLOR_FORCE or FORCE_COLOR,
// TERM=dumb, then whether the output is a terminal.
func useColor(flag string, out io.Writer) bool {
	switch {
	case flag == "always":
		return true
	case flag == "never", os.Getenv("NO_COLOR") != "":
		return false
	case forced("CLICOLOR_FORCE"), forced("FORCE_COLOR"):
		return true
	case os.Getenv("TERM") == "dumb":
		return false
	}
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func forced(name string) bool {
	v := os.Getenv(name)
	return v != "" && v != "0"
}
