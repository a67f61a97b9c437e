// Command clowder reads the configuration of an Apache httpd and of the Tomcats
// behind it as one setup: it lints, shows, converts, runs and drills it.
package main

import (
	"os"
)

func main() {
	os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
