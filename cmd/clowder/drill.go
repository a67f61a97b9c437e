package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"clowder/runtime/drill"
)

type drillCmd struct {
	inputFlags `embed:""`
	Sessions   int    `default:"30" help:"Sessions to drive through the balancer."`
	Count      int    `default:"39" help:"What every session counts to before the kill."`
	Kill       string `placeholder:"NODE" help:"Node to kill (default: the owner of the first session)."`
	Membership string `enum:"auto,multicast,static" default:"auto" help:"How nodes find each other: ${enum}."`
	Format     string `enum:"text,json" default:"text" help:"Form of the report: ${enum}."`
	Verbose    bool   `short:"v" help:"Say what is being done."`
}

// Run rehearses a failover; exit code 1 when anything was lost.
func (c *drillCmd) Run(a *app) error {
	r, err := c.load(a.ctx)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	o := drill.Options{Sessions: c.Sessions, Count: c.Count, Kill: c.Kill}
	o.Command = func(piece string, offset int) []string {
		args := []string{self, "run", "--ready", "--quiet", "--force", "--membership", c.Membership,
			"--port-offset", strconv.Itoa(offset), "--only", piece}
		return append(args, c.again()...)
	}
	if c.Verbose {
		o.Verbose = func(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }
	}
	rep, err := drill.Run(a.ctx, r.Setup, o)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(rep)
	} else {
		err = drillText(a.stdout, rep)
	}
	if err == nil && !rep.OK() {
		return exit(exitFindings)
	}
	return err
}

// again repeats the input flags for the processes of the drill.
func (f *inputFlags) again() []string {
	var args []string
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				args = append(args, flag, v)
			}
		}
	}
	add("--httpd", f.HTTPD)
	add("--tomcat", f.Tomcat...)
	add("--host", f.Host...)
	add("--define", f.Define...)
	add("--root", f.RootDir)
	return append(append(args, "--"), f.Paths...)
}

func drillText(w io.Writer, r *drill.Report) error {
	fmt.Fprintf(w, "%d sessions counted to %d, then %s was killed\n\n", r.Sessions, r.Count, r.Killed)
	fmt.Fprintf(w, "%8s  %-10s %-10s %8s %8s  %s\n", "session", "before", "after", "expected", "seen", "")
	for _, s := range r.Results {
		verdict := "kept"
		if s.Lost() {
			verdict = "LOST"
		}
		if s.Failed > 0 {
			verdict += fmt.Sprintf(", %d requests failed (%s)", s.Failed, s.Error)
		}
		fmt.Fprintf(w, "%8d  %-10s %-10s %8d %8d  %s\n", s.Number, s.Before, s.After, s.Expected, s.Seen, verdict)
	}
	took := "no session of it was answered again"
	if r.FailoverMillis >= 0 {
		took = fmt.Sprintf("first answer after %.1f ms", r.FailoverMillis)
	}
	verdict := "PASS: nothing was lost"
	if !r.OK() {
		verdict = "FAIL: the setup does not survive the loss of a node"
	}
	_, err := fmt.Fprintf(w, "\n%d kept, %d lost, %d requests failed; %s\n%s\n", r.Kept, r.Lost, r.FailedRequests, took, verdict)
	return err
}
