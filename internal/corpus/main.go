package main

import (
	"fmt"
	"os"

	"clowder/parse/model"
	"clowder/parse/tomcat"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "usage: corpus MANIFEST.tsv")
		return 2
	}
	r, err := check(args[0])
	if err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		return 2
	}
	if err := r.write(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "corpus:", err)
		return 2
	}
	if len(r.deviations) > 0 {
		return 1
	}
	return 0
}

// loweredApp lowers a document of an application; only that it returns counts.
func loweredApp(doc *tomcat.Document) {
	tomcat.LowerContext(doc, &model.Context{}, nil)
	tomcat.LowerWebXML(doc, &model.Context{}, nil)
}
