package runtime

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"clowder/runtime/balancer"
)

// Status is what runs, for programs and for people.
type Status struct {
	PID       int              `json:"pid"`
	Started   time.Time        `json:"started"`
	Reloads   int              `json:"reloads"`
	Pieces    []PieceStatus    `json:"pieces"`
	Balancers []BalancerStatus `json:"balancers,omitempty"`
}

// PieceStatus is one running part.
type PieceStatus struct {
	Name        string            `json:"name"`
	Addresses   map[string]string `json:"addresses"`
	Connections int               `json:"connections,omitempty"` // open ones of clients
}

// BalancerStatus is one balancer:// of one server.
type BalancerStatus struct {
	Front   string         `json:"front"`
	Server  string         `json:"server,omitempty"` // of a virtual host, its name
	Name    string         `json:"name"`
	Members []MemberStatus `json:"members"`
}

// MemberStatus is one member; Status has the words of balancer-manager.
type MemberStatus struct {
	URL     string `json:"url"`
	Route   string `json:"route,omitempty"`
	Status  string `json:"status"`
	Busy    int    `json:"busy"`
	Elected uint64 `json:"elected"`
}

// Status returns the state of the moment.
func (r *Running) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{PID: os.Getpid(), Started: r.started, Reloads: r.reloads}
	for i, n := range r.nodes {
		s.Pieces = append(s.Pieces, PieceStatus{Name: r.running.nodes[i].Name.V, Addresses: n.Addrs()})
	}
	for _, f := range r.fronts {
		p := PieceStatus{Name: f.name, Addresses: f.addresses()}
		for _, d := range f.doors {
			open, _ := d.server.Conns()
			p.Connections += open
		}
		for _, srv := range f.retired {
			open, _ := srv.Conns()
			p.Connections += open
		}
		s.Pieces = append(s.Pieces, p)
		f.cur.proxy.EachBalancer(func(server string, b *balancer.Balancer) {
			bs := BalancerStatus{Front: f.name, Server: server, Name: b.Name}
			for _, m := range b.Members() {
				n := m.Snapshot()
				bs.Members = append(bs.Members, MemberStatus{n.Name, n.Route, strings.TrimSpace(n.Status.String()), n.Busy, n.Elected})
			}
			s.Balancers = append(s.Balancers, bs)
		})
	}
	return s
}

// ErrNoMember is the error of Drain and Enable for a name that no member has.
var ErrNoMember = errors.New("no such member")

// Drain lets a member serve only the sessions it has, in every balancer that has
// it: a member is named by its URL or its route. It returns a line for each.
func (r *Running) Drain(member string) ([]string, error) {
	return r.members(member, func(m *balancer.Member) string {
		m.SetStatus(balancer.Drain, true)
		return "drains"
	})
}

// Enable takes back Drain, and what else an administrator may have switched off.
func (r *Running) Enable(member string) ([]string, error) {
	return r.members(member, func(m *balancer.Member) string {
		m.SetStatus(balancer.Drain|balancer.Disabled|balancer.Stopped, false)
		return "is enabled"
	})
}

func (r *Running) members(name string, do func(*balancer.Member) string) ([]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	known := map[string]bool{}
	url := strings.TrimSuffix(strings.ToLower(name), "/")
	for _, f := range r.fronts {
		f.cur.proxy.EachBalancer(func(server string, b *balancer.Balancer) {
			for _, m := range b.Members() {
				known[m.Name] = true
				if strings.ToLower(m.Name) != url && (m.Route() == "" || m.Route() != name) {
					continue
				}
				line := fmt.Sprintf("%s of balancer://%s", m.Name, b.Name)
				if server != "" {
					line += " in " + server
				}
				out = append(out, fmt.Sprintf("%s %s: %s", line, do(m), strings.TrimSpace(m.Status().String())))
			}
		})
	}
	if out == nil {
		return nil, fmt.Errorf("%w: %q; there are: %s", ErrNoMember, name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	return out, nil
}
