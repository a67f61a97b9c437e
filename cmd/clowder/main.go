// Command clowder reads the configuration of an Apache httpd and of the Tomcats
// behind it as one setup: it lints, shows, converts, runs and drills it.
package main

import (
	"os"
	"runtime/debug"
)

func main() {
	if os.Getenv("GOGC") == "" {
		// One short run over files that are kept in memory anyway: collecting less
		// often halves the time of a lint of 50,000 lines for some MiB.
		debug.SetGCPercent(400)
	}
	os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
