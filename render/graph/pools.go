package graph

import (
	"fmt"
	"slices"
	"strings"

	"clowder/parse/model"
)

// poolOf returns the card of a balancer as the server has it; the balancer comes
// from the one Effective of that server. A copy that a virtual host makes of the
// main server's balancer, as soon as it names it in a ProxyPass, has a card of its
// own only when that would say something else.
func (f *front) poolOf(sv *model.Server, bal *model.Balancer) *Card {
	if c := f.pools[bal]; c != nil {
		return c
	}
	if slices.Contains(sv.Balancers, bal) {
		return f.pool(bal)
	}
	var c *Card
	for _, m := range f.fe.Main.Balancers {
		if m.Name.V == bal.Name.V && slices.Equal(balancerNotes(m), balancerNotes(bal)) {
			c = f.pool(m)
		}
	}
	if c == nil {
		where := sv.ServerName.V
		if where == "" && len(sv.Addresses) > 0 {
			where = sv.Addresses[0].V
		}
		c = f.pool(bal)
		c.Notes = append(c.Notes, "as "+clean(where)+" changes it")
	}
	f.pools[bal] = c
	for _, b := range sv.Balancers {
		if strings.EqualFold(b.Name.V, bal.Name.V) {
			f.own(b, &c.Marks)
		}
	}
	return c
}

// balancerNotes are the facts of a balancer that are shown.
func balancerNotes(bal *model.Balancer) []string {
	method := bal.LBMethod.V
	if method == "" {
		method = "byrequests"
	}
	notes := []string{clean(method)}
	if bal.Sticky.V != "" {
		notes = append(notes, "sticky "+clean(bal.Sticky.V))
	} else {
		notes = append(notes, "not sticky")
	}
	if bal.NoFailover.V {
		notes = append(notes, "no failover")
	}
	if len(bal.Members) == 0 {
		notes = append(notes, "no members")
	}
	return notes
}

// pool returns the card of a balancer, made at the first call.
func (f *front) pool(bal *model.Balancer) *Card {
	if c := f.pools[bal]; c != nil {
		return c
	}
	c := &Card{Kind: Balancer, Title: clean(bal.Name.V), Notes: balancerNotes(bal)}
	f.own(bal, &c.Marks)
	for _, m := range bal.Members {
		row := f.member(m)
		f.own(m, &row.Marks)
		c.Rows = append(c.Rows, row)
	}
	f.pools[bal] = c
	f.f.Pools = append(f.f.Pools, c)
	return c
}

// worker returns the card of the plain worker that serves the URL: the one with
// the longest URL that it begins with (ap_proxy_get_worker_ex in
// modules/proxy/proxy_util.c).
func (f *front) worker(eff *model.Server, url string) *Card {
	var best *model.Member
	for _, w := range eff.Workers {
		if len(w.URL.V) <= len(url) && strings.EqualFold(url[:len(w.URL.V)], w.URL.V) && (best == nil || len(w.URL.V) > len(best.URL.V)) {
			best = w
		}
	}
	if best == nil {
		c := f.loose[url]
		if c == nil {
			c = &Card{Kind: Worker, Rows: []*Row{{Label: clean(url)}}}
			f.loose[url] = c
			f.f.Pools = append(f.f.Pools, c)
		}
		return c
	}
	c := f.workers[best]
	if c == nil {
		c = &Card{Kind: Worker, Rows: []*Row{f.member(best)}}
		f.own(best, &c.Rows[0].Marks)
		f.workers[best] = c
		f.f.Pools = append(f.f.Pools, c)
	}
	return c
}

// statusWords are the flags of status= (modules/proxy/mod_proxy.h).
var statusWords = []struct {
	letter byte
	word   string
	state  State
}{
	{'D', "disabled", Off}, {'S', "stopped", Off}, {'N', "draining", Off}, {'H', "hot standby", Standby}, {'R', "hot spare", Standby},
	{'E', "in error", Off}, {'I', "errors ignored", Normal}, {'C', "failed check", Off},
}

func (f *front) member(m *model.Member) *Row {
	row := &Row{Label: clean(m.URL.V)}
	if m.Route.V != "" {
		row.Notes = append(row.Notes, "route "+clean(m.Route.V))
	}
	set := statusFlags(m.Status.V)
	for _, w := range statusWords {
		if set[w.letter] {
			row.Notes = append(row.Notes, w.word)
			row.State = max(row.State, w.state)
		}
	}
	if w := m.LoadFactor; w.IsSet() && w.V != 1 {
		row.Notes = append(row.Notes, fmt.Sprintf("weight %g", w.V))
	}
	if m.LBSet.V != 0 {
		row.Notes = append(row.Notes, fmt.Sprintf("lbset %d", m.LBSet.V))
	}
	if h := m.HCMethod; h.V != "" && !strings.EqualFold(h.V, "none") {
		row.Notes = append(row.Notes, "checked by "+clean(h.V))
	}
	l, ok := f.links[m]
	if ok && l.Node != nil {
		row.To = f.nodes[l.Node]
		if l.Connector == nil {
			row.Notes = append(row.Notes, "no such connector")
		}
	} else if len(f.setup.Nodes) > 0 {
		row.Notes = append(row.Notes, "no Tomcat here")
	}
	return row
}

// statusFlags reads "+H-E": a minus takes the letters behind it away.
func statusFlags(s string) map[byte]bool {
	set, on := map[byte]bool{}, true
	for _, c := range []byte(strings.ToUpper(s)) {
		switch c {
		case '+', '-':
			on = c == '+'
		default:
			set[c] = on
		}
	}
	return set
}

// balancerName returns the name in balancer://NAME/path.
func balancerName(url string) (string, bool) {
	const scheme = "balancer://"
	if len(url) < len(scheme) || !strings.EqualFold(url[:len(scheme)], scheme) {
		return "", false
	}
	name := url[len(scheme):]
	if i := strings.IndexAny(name, "/?"); i >= 0 {
		name = name[:i]
	}
	return name, name != ""
}

// targetPath returns the path of a URL, "/" for none.
func targetPath(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return url
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}
