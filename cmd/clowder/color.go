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

// hyperlinks reports whether the terminal is one that shows links (OSC 8):
// FORCE_HYPERLINK decides, else the terminals that say so in the environment.
func hyperlinks(out io.Writer) bool {
	if v, ok := os.LookupEnv("FORCE_HYPERLINK"); ok {
		return v != "0" && v != ""
	}
	if f, ok := out.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return false
	}
	switch os.Getenv("TERM_PROGRAM") {
	case "iTerm.app", "WezTerm", "vscode", "ghostty":
		return true
	}
	return os.Getenv("VTE_VERSION") != "" || os.Getenv("WT_SESSION") != "" || os.Getenv("KITTY_WINDOW_ID") != ""
}
