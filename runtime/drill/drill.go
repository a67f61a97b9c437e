// Package drill rehearses a failover: it starts the balancer and the nodes of a
// setup as separate processes, drives sessions through the balancer, kills the
// node that owns the first session and reports what every session saw.
package drill

import (
	"context"
	"errors"
	"fmt"
	"time"

	"clowder/parse/model"
)

// Options steer a drill.
type Options struct {
	Sessions int    // sessions to drive, default 30
	Count    int    // requests per session before the kill, default 39
	Kill     string // node to kill; "" is the owner of the first session
	// Command returns the command line that runs one piece of the setup with every
	// port moved by the offset: clowder run --only PIECE --port-offset N …
	Command  func(piece string, offset int) []string
	Verbose  func(format string, args ...any) // progress, may be nil
	Parallel int                              // sessions driven at the same time, default 8
}

// Session is what one session saw.
type Session struct {
	Number   int    `json:"session"`
	Before   string `json:"node_before"`
	After    string `json:"node_after"`
	Expected int    `json:"expected"`
	Seen     int    `json:"seen"`
	Failed   int    `json:"failed_requests"`
	Error    string `json:"error,omitempty"`
}

// Lost reports whether the session's count did not go on.
func (s Session) Lost() bool { return s.Seen != s.Expected }

// Report is the verdict of one drill.
type Report struct {
	Schema         string   `json:"schema"` // clowder.drill/v1
	Nodes          []string `json:"nodes"`
	Killed         string   `json:"killed"`
	Sessions       int      `json:"sessions"`
	Count          int      `json:"count"`
	Kept           int      `json:"kept"`
	Lost           int      `json:"lost"`
	FailedRequests int      `json:"failed_requests"`
	// FailoverMillis is the time from the kill to the first good answer for a
	// session of the killed node, -1 when there was none.
	FailoverMillis float64   `json:"failover_ms"`
	Results        []Session `json:"results"`
}

// OK reports whether nothing was lost.
func (r *Report) OK() bool { return r.Lost == 0 && r.FailedRequests == 0 }

// Run rehearses one failover of the setup. The error says why no verdict could be
// given; a bad verdict is not an error.
func Run(ctx context.Context, s *model.Setup, o Options) (*Report, error) {
	o.defaults()
	if err := o.check(s); err != nil {
		return nil, err
	}
	entry, err := findEntry(s)
	if err != nil {
		return nil, err
	}
	offset, err := freeOffset(s)
	if err != nil {
		return nil, err
	}
	fleet, err := startFleet(ctx, s, offset, o)
	if err != nil {
		return nil, err
	}
	defer fleet.stop()
	return rehearse(ctx, s, fleet, newClients(entry, offset, o.Sessions), o)
}

func (o *Options) defaults() {
	if o.Sessions == 0 {
		o.Sessions = 30
	}
	if o.Count == 0 {
		o.Count = 39
	}
	if o.Parallel == 0 {
		o.Parallel = 8
	}
	if o.Verbose == nil {
		o.Verbose = func(string, ...any) {}
	}
}

func (o *Options) check(s *model.Setup) error {
	switch {
	case len(s.FrontEnds) == 0:
		return errors.New("the setup has no httpd front end to send requests through")
	case len(s.Nodes) < 2:
		return fmt.Errorf("the setup has %d node; a failover needs two", len(s.Nodes))
	case o.Sessions < 1 || o.Sessions > 100_000 || o.Count < 1 || o.Count > 1_000_000:
		return errors.New("the number of sessions must be 1 to 100000 and the count 1 to 1000000")
	case o.Kill != "" && s.Node(o.Kill) == nil:
		return fmt.Errorf("no node is called %q", o.Kill)
	}
	return nil
}

func rehearse(ctx context.Context, s *model.Setup, f *fleet, clients []*client, o Options) (*Report, error) {
	o.Verbose("driving %d sessions to %d", len(clients), o.Count)
	err := eachClient(ctx, clients, o.Parallel, func(ctx context.Context, c *client) error { return c.drive(ctx, o.Count) })
	if err != nil {
		return nil, err
	}
	rep := &Report{Schema: "clowder.drill/v1", Sessions: len(clients), Count: o.Count, Killed: o.Kill}
	for _, n := range s.Nodes {
		rep.Nodes = append(rep.Nodes, n.Name.V)
	}
	if rep.Killed == "" {
		rep.Killed = clients[0].node
	}
	before := make([]string, len(clients))
	for i, c := range clients {
		before[i] = c.node
	}
	o.Verbose("killing %s", rep.Killed)
	killed, err := f.kill(rep.Killed)
	if err != nil {
		return nil, err
	}
	err = eachClient(ctx, clients, o.Parallel, func(ctx context.Context, c *client) error {
		c.after(ctx)
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	rep.judge(clients, before, killed, o.Count+1)
	return rep, nil
}

// judge fills the numbers of the report from what the clients saw.
func (r *Report) judge(clients []*client, before []string, killed time.Time, expected int) {
	r.FailoverMillis = -1
	for i, c := range clients {
		res := Session{Number: i + 1, Before: before[i], After: c.node, Expected: expected, Seen: c.seen, Failed: c.failed, Error: c.problem}
		r.Results = append(r.Results, res)
		r.FailedRequests += res.Failed
		if res.Lost() {
			r.Lost++
		} else {
			r.Kept++
		}
		if before[i] == r.Killed && !c.answered.IsZero() {
			ms := float64(c.answered.Sub(killed).Microseconds()) / 1000
			if r.FailoverMillis < 0 || ms < r.FailoverMillis {
				r.FailoverMillis = ms
			}
		}
	}
}
