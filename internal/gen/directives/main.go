// Command directives writes the tables of parse/known from source trees of
// Apache httpd and Apache Tomcat. internal/gen/README.md tells how to run it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type options struct {
	httpd, httpd22, tomcat, date, out string
}

func main() {
	var o options
	flag.StringVar(&o.httpd, "httpd", "", "tree of httpd 2.4")
	flag.StringVar(&o.httpd22, "httpd22", "", "tree of httpd 2.2 (may be left out)")
	flag.StringVar(&o.tomcat, "tomcat", "", "trees of Tomcat: VERSION=DIR[,VERSION=DIR...]")
	flag.StringVar(&o.date, "date", "", "date of the newest tree, YYYY-MM-DD")
	flag.StringVar(&o.out, "out", "parse/known", "directory to write to")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "directives:", err)
		os.Exit(1)
	}
}

// run writes both tables. The same trees give the same bytes.
func run(o options) error {
	if o.httpd == "" || o.tomcat == "" || o.date == "" {
		return fmt.Errorf("-httpd, -tomcat and -date are needed")
	}
	list, sources, err := readHTTPD(o.httpd, o.httpd22)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(o.out, "httpd_gen.go"), httpdFile(list, sources, o.date)); err != nil {
		return err
	}
	trees := map[string]string{}
	for _, t := range strings.Split(o.tomcat, ",") {
		v, dir, ok := strings.Cut(t, "=")
		if !ok {
			return fmt.Errorf("-tomcat %q: want VERSION=DIR", t)
		}
		trees[v] = dir
	}
	elements, sources, err := readTomcat(trees)
	if err != nil {
		return err
	}
	return write(filepath.Join(o.out, "tomcat_gen.go"), tomcatFile(elements, sources, o.date))
}
