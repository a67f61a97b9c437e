// Package main compares what clowder's balancer costs with what httpd, HAProxy
// and nginx cost for the same work.
//
//	go run ./internal/bench/proxy [--quick] [--json] [--rounds N] [--seconds S] [--only TEXT]
//
// All of them stand in front of the same two backends: kept-alive connections on
// both sides, requests shared out in turn, X-Forwarded-For added, no access log,
// two threads or workers each. Clients, backends and proxies are processes of
// their own; what is compared is the CPU time of the proxy's whole process tree for
// each request (or each GiB), by the kernel's count in /proc. The proxies are
// measured in turn, round by round, and the table has the medians. --quick
// measures 32 connections with small answers only.
//
// The exit code is 3 when a program to compare with is not installed and 1 when a
// measurement fails. It needs Linux.
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
	"strings"
	"time"
)

// options of a run.
type options struct {
	quick, asJSON bool
	rounds        int
	span          time.Duration // of one measurement
	only          string        // of scenarios
	clowder       string        // program to use instead of building it
}

func main() {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(runRole(role))
	}
	var o options
	flag.BoolVar(&o.quick, "quick", false, "only small answers over 32 connections")
	flag.BoolVar(&o.asJSON, "json", false, "print the ratios as JSON")
	flag.IntVar(&o.rounds, "rounds", 5, "how often everything is measured")
	seconds := flag.Float64("seconds", 1, "length of one measurement")
	flag.StringVar(&o.only, "only", "", "only the scenarios whose name contains this")
	flag.StringVar(&o.clowder, "clowder", "", "a built clowder to measure instead of this tree's")
	flag.Parse()
	o.span = time.Duration(*seconds * float64(time.Second))
	if o.quick && o.span > 700*time.Millisecond {
		o.span = 700 * time.Millisecond
	}
	err := bench(os.Stdout, o)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	var missing *missingError
	if errors.As(err, &missing) {
		os.Exit(3)
	}
	os.Exit(1)
}

// quickTime is when a quick run stops to measure: with building and starting
// it has to end within 45 s.
const quickTime = 30 * time.Second

func bench(w io.Writer, o options) (err error) {
	begin := time.Now()
	programs, err := findPrograms()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "clowder-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755) // workers of nginx and httpd run as another user than root
	programs.clowder = o.clowder
	if o.clowder == "" {
		programs.clowder = filepath.Join(dir, "clowder-program")
		if out, err := exec.Command("go", "build", "-o", programs.clowder, "clowder/cmd/clowder").CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	field := &field{dir: dir}
	defer func() { err = errors.Join(err, field.stop()) }()
	if err := field.start(programs); err != nil {
		return err
	}
	var results []result
	for _, s := range scenarios {
		if o.quick && !s.quick || !strings.Contains(s.name, o.only) {
			continue
		}
		r, err := measure(field, s, o, begin)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		results = append(results, r...)
	}
	if o.asJSON {
		return json.NewEncoder(w).Encode(map[string]any{"ratios": ratios(results)})
	}
	fmt.Fprintln(w, machine(programs))
	if err := table(w, results); err != nil || o.quick || o.only != "" {
		return err
	}
	mem, err := memory(field)
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	return memoryTable(w, mem)
}
