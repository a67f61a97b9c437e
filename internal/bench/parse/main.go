// Package main compares the time that clowder and httpd take to check the syntax
// of one large configuration: the whole processes, from start to exit.
//
//	go run ./internal/bench/parse [--quick] [--json]
//
// Both read the same generated file of 51,000 lines with 3,000 virtual hosts in
// turn; the medians are compared. Without --quick the growth of time and memory
// with files of 2, 5 and 10 times the size is measured as well: up to 510,000
// lines, in the columns "wall per size" and "RSS per size", which stay near 1 or
// below it while growth is linear. The exit code is 3 when httpd is not installed
// and 1 when a measurement fails.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
)

// hostsPerFile virtual hosts of linesPerHost lines make a file of 51,000 lines.
const (
	hostsPerFile = 3000
	linesPerHost = 17
)

var errNoHTTPD = errors.New("httpd is not installed; install it, on Debian by: apt-get install apache2")

func main() {
	quick := flag.Bool("quick", false, "fewer runs, no growth")
	asJSON := flag.Bool("json", false, "print the ratios as JSON")
	flag.Parse()
	switch err := bench(os.Stdout, *quick, *asJSON); {
	case errors.Is(err, errNoHTTPD):
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(3)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// findHTTPD returns the program of httpd.
func findHTTPD() (string, error) {
	for _, name := range []string{"apache2", "httpd", "/usr/sbin/apache2", "/usr/sbin/httpd", "/usr/local/apache2/bin/httpd"} {
		if p, err := exec.LookPath(name); err == nil {
			return p, nil
		}
	}
	return "", errNoHTTPD
}

func bench(w io.Writer, quick, asJSON bool) error {
	httpd, err := findHTTPD()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "clowder-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clowder := filepath.Join(dir, "clowder")
	if out, err := exec.Command("go", "build", "-o", clowder, "clowder/cmd/clowder").CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	runs, factors := 11, []int{1, 2, 5, 10}
	if quick {
		runs, factors = 5, []int{1}
	}
	var rows []row
	for i, factor := range factors {
		conf := filepath.Join(dir, fmt.Sprintf("httpd-%dx.conf", factor))
		if err := os.WriteFile(conf, generate(dir, hostsPerFile*factor), 0o600); err != nil {
			return err
		}
		ours := []string{clowder, "lint", "--only", "syntax", conf}
		theirs := []string{httpd, "-t", "-f", conf}
		n := runs
		if i > 0 {
			n = 3
		}
		a, b, err := alternate(ours, theirs, n)
		if err != nil {
			return err
		}
		rows = append(rows, row{factor, a, b})
	}
	if asJSON {
		return json.NewEncoder(w).Encode(report(rows))
	}
	return table(w, rows)
}

// row is the comparison for one size.
type row struct {
	factor       int
	ours, theirs sample
}

func (r row) ratio() float64 { return float64(r.ours.wall) / float64(r.theirs.wall) }

// perSize returns how wall time and memory of clowder grew from the first row to
// r, each divided by how the file grew: 1 is linear.
func (r row) perSize(first row) (wall, rss float64) {
	size := float64(r.factor) / float64(first.factor)
	return float64(r.ours.wall) / float64(first.ours.wall) / size, float64(r.ours.rss) / float64(first.ours.rss) / size
}

// report is what --json prints: the ratio, and with more than one size how wall
// time and memory grew with each.
func report(rows []row) map[string]any {
	out := map[string]any{"ratios": map[string]float64{"syntax_vs_httpd": rows[0].ratio()}}
	var growth []map[string]float64
	for _, r := range rows[1:] {
		wall, rss := r.perSize(rows[0])
		growth = append(growth, map[string]float64{"factor": float64(r.factor), "wall_per_size": wall, "rss_per_size": rss})
	}
	if growth != nil {
		out["growth"] = growth
	}
	return out
}

func table(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "lines\tprogram\twall ms\tCPU ms\tmax RSS MiB\tratio\twall per size\tRSS per size\t")
	for _, r := range rows {
		lines := r.factor * hostsPerFile * linesPerHost
		wall, rss := r.perSize(rows[0])
		fmt.Fprintf(t, "%d\tclowder lint --only syntax\t%s\t%.2f\t%.2f\t%.2f\t\n", lines, r.ours, r.ratio(), wall, rss)
		wall, rss = row{factor: r.factor, ours: r.theirs}.perSize(row{factor: rows[0].factor, ours: rows[0].theirs})
		fmt.Fprintf(t, "%d\thttpd -t\t%s\t1.00\t%.2f\t%.2f\t\n", lines, r.theirs, wall, rss)
	}
	return t.Flush()
}
