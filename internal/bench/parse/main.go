// Package main compares the time that clowder and httpd take to check one large
// configuration: the whole processes, from start to exit, of clowder once for the
// syntax alone and once for all rules.
//
//	go run ./internal/bench/parse [--quick] [--json]
//
// All read the same generated file of 51,000 lines with 3,000 virtual hosts in
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
		syntax := []string{clowder, "lint", "--only", "syntax", conf}
		lint := []string{clowder, "lint", "--fail-on", "never", conf}
		theirs := []string{httpd, "-t", "-f", conf}
		n := runs
		if i > 0 {
			n = 3
		}
		s, err := alternate(n, syntax, lint, theirs)
		if err != nil {
			return err
		}
		rows = append(rows, row{factor, s[0], s[1], s[2]})
	}
	if asJSON {
		return json.NewEncoder(w).Encode(report(rows))
	}
	return table(w, rows)
}

// row is the comparison for one size.
type row struct {
	factor               int
	syntax, lint, theirs sample
}

func (r row) ratio(s sample) float64 { return float64(s.wall) / float64(r.theirs.wall) }

// perSize returns how wall time and memory grew from one size to another that is
// factor times as large, each divided by the factor: 1 is linear.
func perSize(small, large sample, factor float64) (wall, rss float64) {
	return float64(large.wall) / float64(small.wall) / factor, float64(large.rss) / float64(small.rss) / factor
}

// report is what --json prints: the ratios, and with more than one size how wall
// time and memory of clowder grew with each.
func report(rows []row) map[string]any {
	first := rows[0]
	out := map[string]any{"ratios": map[string]float64{"syntax_vs_httpd": first.ratio(first.syntax), "lint_vs_httpd": first.ratio(first.lint)}}
	var growth []map[string]float64
	for _, r := range rows[1:] {
		f := float64(r.factor) / float64(first.factor)
		wall, rss := perSize(first.syntax, r.syntax, f)
		lintWall, lintRSS := perSize(first.lint, r.lint, f)
		growth = append(growth, map[string]float64{"factor": float64(r.factor), "wall_per_size": wall, "rss_per_size": rss,
			"lint_wall_per_size": lintWall, "lint_rss_per_size": lintRSS})
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
		factor := float64(r.factor) / float64(rows[0].factor)
		for _, x := range []struct {
			name       string
			now, first sample
		}{
			{"clowder lint --only syntax", r.syntax, rows[0].syntax},
			{"clowder lint", r.lint, rows[0].lint},
			{"httpd -t", r.theirs, rows[0].theirs},
		} {
			wall, rss := perSize(x.first, x.now, factor)
			fmt.Fprintf(t, "%d\t%s\t%s\t%.2f\t%.2f\t%.2f\t\n", lines, x.name, x.now, r.ratio(x.now), wall, rss)
		}
	}
	return t.Flush()
}
