package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"clowder/runtime"
)

// ctlCmd are the commands for a clowder run of the same user.
type ctlCmd struct {
	Control string        `placeholder:"PATH" help:"Its control socket, as given to clowder run."`
	Setup   []string      `placeholder:"PATH" sep:"none" help:"The paths given to clowder run, which name its default socket (default: this directory). Repeatable."`
	Timeout time.Duration `default:"60s" help:"How long to wait for the answer."`

	Reload ctlReload `cmd:"" help:"Take the configuration as it is now; a bad one is refused and the old one goes on."`
	Status ctlStatus `cmd:"" help:"Show what runs, and the state of every member."`
	Drain  ctlDrain  `cmd:"" help:"Give a member no new sessions."`
	Enable ctlEnable `cmd:"" help:"Use a member again that was drained, disabled or stopped."`
	Stop   ctlStop   `cmd:"" help:"Finish the requests in progress and stop."`
}

type (
	ctlReload struct{}
	ctlStop   struct{}
	ctlDrain  struct {
		Member string `arg:"" help:"URL of the member, as configured, or its route."`
	}
	ctlEnable struct {
		Member string `arg:"" help:"URL of the member, as configured, or its route."`
	}
	ctlStatus struct {
		Format string `enum:"text,json" default:"text" help:"Form of the output: ${enum}."`
	}
)

// Run reloads; exit code 1 when the new configuration was refused.
func (ctlReload) Run(c *ctlCmd, a *app) error { return c.command(a, "/reload") }

// Run begins to stop and returns at once.
func (ctlStop) Run(c *ctlCmd, a *app) error { return c.command(a, "/stop") }

// Run drains a member.
func (d ctlDrain) Run(c *ctlCmd, a *app) error {
	return c.command(a, "/drain?member="+url.QueryEscape(d.Member))
}

// Run enables a member.
func (d ctlEnable) Run(c *ctlCmd, a *app) error {
	return c.command(a, "/enable?member="+url.QueryEscape(d.Member))
}

// Run prints the state.
func (s ctlStatus) Run(c *ctlCmd, a *app) error {
	var raw json.RawMessage
	if _, err := c.call(a.ctx, http.MethodGet, "/status", &raw); err != nil {
		return err
	}
	if s.Format == "json" {
		var out bytes.Buffer
		if err := json.Indent(&out, raw, "", "  "); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.stdout, strings.TrimSpace(out.String()))
		return err
	}
	var st runtime.Status
	if err := json.Unmarshal(raw, &st); err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "process %d, started %s, reloaded %d times\n", st.PID, st.Started.Format(time.DateTime), st.Reloads)
	for _, p := range st.Pieces {
		var list []string
		for what, addr := range p.Addresses {
			list = append(list, what+" on "+addr)
		}
		slices.Sort(list)
		fmt.Fprintf(&b, "%s: %s\n", p.Name, strings.Join(list, ", "))
	}
	for _, bal := range st.Balancers {
		fmt.Fprintf(&b, "balancer://%s", bal.Name)
		if bal.Server != "" {
			fmt.Fprintf(&b, " in %s", bal.Server)
		}
		b.WriteString("\n")
		for _, m := range bal.Members {
			fmt.Fprintf(&b, "  %-40s %-10s %-14s busy %-5d elected %d\n", m.URL, m.Route, m.Status, m.Busy, m.Elected)
		}
	}
	_, err := fmt.Fprint(a.stdout, b.String())
	return err
}

// command sends a command and prints the answer's lines.
func (c *ctlCmd) command(a *app, path string) error {
	var ans runtime.ControlAnswer
	status, err := c.call(a.ctx, http.MethodPost, path, &ans)
	switch {
	case err != nil:
		return err
	case status == http.StatusConflict:
		for _, l := range ans.Lines {
			fmt.Fprintln(a.stderr, l)
		}
		return codeError{exitFindings, errors.New(ans.Error)}
	case status == http.StatusNotFound:
		return codeError{exitUsage, errors.New(ans.Error)}
	case status != http.StatusOK:
		return fmt.Errorf("the answer was %d %s", status, ans.Error)
	}
	for _, l := range ans.Lines {
		fmt.Fprintln(a.stdout, l)
	}
	return nil
}

// call sends one request to the control socket.
func (c *ctlCmd) call(ctx context.Context, method, path string, into any) (int, error) {
	socket := controlPath(c.Control, c.Setup)
	if socket == "" {
		return 0, usage("there is no default control socket without XDG_RUNTIME_DIR: start clowder run with --control PATH, and name it here")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://clowder"+path, nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		if op := new(net.OpError); errors.As(err, &op) && op.Op == "dial" {
			return 0, fmt.Errorf("no clowder run answers on %s: %w", socket, op.Err)
		}
		return 0, err
	}
	defer res.Body.Close()
	return res.StatusCode, json.NewDecoder(res.Body).Decode(into)
}

// controlPath is where the control socket is: as given, or in XDG_RUNTIME_DIR with
// a name that comes from the paths of the setup; "" for none.
func controlPath(given string, paths []string) string {
	switch {
	case given == "none":
		return ""
	case given != "":
		return given
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		return ""
	}
	if len(paths) == 0 {
		paths = []string{"."}
	}
	h := sha256.New()
	for _, p := range paths {
		if abs, err := filepath.Abs(p); err == nil && p != "-" {
			p = abs
		}
		fmt.Fprintf(h, "%s\x00", p)
	}
	return filepath.Join(dir, fmt.Sprintf("clowder-%x.sock", h.Sum(nil)[:6]))
}
