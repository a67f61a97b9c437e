package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"clowder/parse/model"
)

// ErrStopped is the error of Reload after Stop.
var ErrStopped = errors.New("stopping")

// Reloaded says what a reload has done.
type Reloaded struct {
	Opened []string `json:"opened,omitempty"` // addresses
	Closed []string `json:"closed,omitempty"`
	Notes  []string `json:"notes,omitempty"` // what is not taken until a restart
}

// Reload takes a new configuration for the balancers. Requests in progress finish
// with the old one; listening sockets that stay are not closed for a moment;
// members keep counts, errors, connections and what balancer-manager changed. With
// an error nothing was changed. Nodes go on as they are; Notes tell what differs.
// The context bounds the preparation only.
func (r *Running) Reload(ctx context.Context, s *model.Setup) (*Reloaded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return nil, ErrStopped
	}
	chosen, err := choose(s, r.o.Only)
	if err != nil {
		return nil, err
	}
	if err := guards(s, chosen, r.o.Unguarded); err != nil {
		return nil, err
	}
	if len(chosen.fronts) == 0 && len(r.fronts) > 0 {
		return nil, errors.New("the new configuration has no balancer")
	}
	changes, fresh, err := r.prepare(ctx, s, chosen)
	if err != nil {
		return nil, err
	}
	out := &Reloaded{}
	var fronts []*frontend
	for _, c := range changes {
		opened, closed := c.take()
		out.Opened, out.Closed = append(out.Opened, opened...), append(out.Closed, closed...)
		fronts = append(fronts, c.f)
	}
	for _, f := range r.fronts {
		if !slices.Contains(fronts, f) {
			for a := range f.doors {
				out.Closed = append(out.Closed, a)
			}
			r.leaving = append(r.leaving, f)
			go f.stop(context.Background())
		}
	}
	for _, f := range fresh {
		r.log.Info("a new balancer", "balancer", f.name)
	}
	out.Notes = nodeNotes(r.running.nodes, chosen.nodes, r.setup, s)
	slices.Sort(out.Opened)
	slices.Sort(out.Closed)
	r.fronts, r.running.fronts = fronts, chosen.fronts
	r.reloads++
	r.log.Info("reloaded", "opened", out.Opened, "closed", out.Closed)
	for _, n := range out.Notes {
		r.log.Warn(n)
	}
	return out, nil
}

// prepare makes everything ready that can fail; fresh are front ends of names that
// did not run before. On an error all of it is given up.
func (r *Running) prepare(ctx context.Context, s *model.Setup, c selection) (changes []*change, fresh []*frontend, err error) {
	defer func() {
		if err != nil {
			for _, c := range changes {
				c.drop()
			}
		}
	}()
	for _, m := range c.fronts {
		if err := ctx.Err(); err != nil {
			return changes, nil, err
		}
		var f *frontend
		for _, x := range r.fronts {
			if x.name == m.Name.V {
				f = x
			}
		}
		if f == nil {
			f = newFrontEnd(m.Name.V, r.o)
			fresh = append(fresh, f)
		}
		ch, err := f.prepare(m, hasFileGuards(s))
		if err != nil {
			return changes, nil, fmt.Errorf("balancer %s: %w", m.Name.V, err)
		}
		changes = append(changes, ch)
	}
	return changes, fresh, nil
}

// nodeNotes lists the nodes whose new configuration is not taken.
func nodeNotes(was, is []*model.Node, old, fresh *model.Setup) []string {
	var out []string
	find := func(list []*model.Node, name string) *model.Node {
		for _, n := range list {
			if n.Name.V == name {
				return n
			}
		}
		return nil
	}
	for _, n := range was {
		switch m := find(is, n.Name.V); {
		case m == nil:
			out = append(out, fmt.Sprintf("node %s is not in the new configuration; it runs until clowder stops", n.Name.V))
		case len(model.Compare(&model.Setup{Nodes: []*model.Node{n}}, &model.Setup{Nodes: []*model.Node{m}})) > 0:
			out = append(out, fmt.Sprintf("node %s is configured differently; it goes on as it is until clowder is started again", n.Name.V))
		}
	}
	for _, n := range is {
		if find(was, n.Name.V) == nil {
			out = append(out, fmt.Sprintf("node %s is new; it runs when clowder is started again", n.Name.V))
		}
	}
	if len(was) > 0 && len(model.Compare(&model.Setup{App: old.App}, &model.Setup{App: fresh.App})) > 0 {
		out = append(out, "the app of the nodes is configured differently; it goes on as it is until clowder is started again")
	}
	return out
}
