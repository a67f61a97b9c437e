package plan

import (
	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/target"
)

// Outcomes lists every outcome of the plan: of each site's cells and branches.
func (p *Plan) Outcomes() []*Outcome {
	var out []*Outcome
	for _, s := range p.Sites {
		for _, c := range s.Cells {
			out = append(out, &c.Outcome)
			for _, b := range c.Branches {
				out = append(out, &b.Outcome)
			}
		}
	}
	return out
}

// Mark puts into the ledger what the plan itself settles and what is then the same
// in every target: names, the choice of sites, access rules, members that cannot
// be used, AJP members that go over HTTP, mappings and redirects that no request reaches. What
// the target writes of the rest it marks itself.
func (p *Plan) Mark(l *ledger.Ledger) {
	reached, redirects := map[*model.Mapping]bool{}, map[*model.Redirect]bool{}
	for _, o := range p.Outcomes() {
		o.Access.Mark(l)
		if o.Mapping != nil {
			reached[o.Mapping] = true
		}
		redirects[o.Redirect] = true
	}
	for _, s := range p.Sites {
		for _, m := range s.Server.Mappings {
			if !reached[m] {
				l.Exact(m)
			}
		}
		for _, r := range s.Server.Settings.Redirects {
			if !redirects[r] {
				l.Exact(r)
			}
		}
	}
	for _, pool := range p.Pools {
		for _, m := range pool.Members {
			m.mark(l)
		}
	}
}

func (m *Member) mark(l *ledger.Ledger) {
	switch {
	case m.Unusable != "":
		l.Person(m.Unusable+": it was left out", "", m.Source.URL)
	case m.AJP:
		l.Approx("it goes to the HTTP connector at "+m.Address()+" ("+m.Connector.At.Short()+
			"); give that Tomcat a RemoteIpValve, so that it knows the client's address and scheme as AJP told it", "", m.Source.URL)
	default:
		l.Exact(m.Source.URL)
	}
	if m.AJP {
		l.Closed("HTTP has no shared secret: keep the connector where only the proxy reaches it", "a firewall, an address, or client certificates", m.Source.Secret)
		l.Drop("it is AJP's CPing", "", m.Source.Ping)
	}
}

// UnknownNotes are the notes on what [UnknownGuards] lists.
func UnknownNotes(list []model.Unmapped) []target.Note {
	var out []target.Note
	for _, u := range list {
		out = append(out, target.Note{Loss: target.Dropped, ID: "access", Security: true, Span: u.Span, Fact: u.What,
			Message: "it may restrict requests in a way that is not understood: every request is refused"})
	}
	return out
}
