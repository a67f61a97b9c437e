package proxy

import (
	"strings"

	"clowder/parse/model"
	"clowder/runtime/balancer"
)

// Adopt makes p, made with Options.Hold, go on where old stands: balancers of the
// same name in the same server take over the state of their members, and the
// connections of members for which nothing changed. It is called before p serves
// and before Go; old goes on serving what it has begun. The checks of old end.
func (p *Proxy) Adopt(old *Proxy) {
	old.health.Stop()
	p.main.adopt(old.main, old)
	left := map[string][]*server{}
	for _, s := range old.vhosts {
		left[s.identity()] = append(left[s.identity()], s)
	}
	for _, s := range p.vhosts {
		id := s.identity()
		if same := left[id]; len(same) > 0 {
			left[id] = same[1:]
			s.adopt(same[0], old)
		}
	}
}

// identity is what makes a virtual host the same one after a reload.
func (s *server) identity() string {
	var b strings.Builder
	b.WriteString(strings.ToLower(s.name))
	for _, a := range s.m.Addresses {
		b.WriteString(" " + a.V)
	}
	return b.String()
}

// adopt takes over from the same server of before.
func (s *server) adopt(old *server, from *Proxy) {
	reuse := sameReach(s, old)
	for _, b := range s.order {
		if o := old.balancers[b.Name]; o != nil {
			b.Adopt(o, reuse && plain(o.Members()))
			from.keep(b.Members())
		}
	}
	for i, w := range s.workers {
		for _, o := range old.workers {
			if o.Name == w.Name {
				s.workers[i] = balancer.AdoptWorker(w, o, reuse && plain([]*balancer.Member{o}))
				break
			}
		}
	}
	from.keep(s.workers)
}

// keep notes members that go on elsewhere: Close leaves their connections alone.
func (p *Proxy) keep(ms []*balancer.Member) {
	if p.kept == nil {
		p.kept = map[*balancer.Member]bool{}
	}
	for _, m := range ms {
		p.kept[m] = true
	}
}

// plain reports whether no member uses TLS: the files of certificates may have
// changed, and connections made with the old ones must not be used any more.
func plain(ms []*balancer.Member) bool {
	for _, m := range ms {
		scheme, _, _ := balancer.SplitName(m.Name)
		switch strings.ToLower(scheme) {
		case "http", "ajp", "ws", "h2c":
		default:
			return false
		}
	}
	return true
}

// sameReach reports whether what a server says about connections to backends is
// the same as before.
func sameReach(s, old *server) bool {
	if s.timeout != old.timeout {
		return false
	}
	of := func(m *model.Server) *model.Setup {
		c := &model.Server{TLS: m.TLS, IOBufferSize: m.IOBufferSize, RecvBufferSize: m.RecvBufferSize}
		c.Settings.Extras = m.Settings.Extras
		return &model.Setup{FrontEnds: []*model.FrontEnd{{Main: c}}}
	}
	return len(model.Compare(of(s.m), of(old.m))) == 0
}

// EachBalancer calls f for every balancer of every server, with the name of the
// virtual host, "" for the main server.
func (p *Proxy) EachBalancer(f func(server string, b *balancer.Balancer)) {
	for _, b := range p.main.order {
		f("", b)
	}
	for _, s := range p.vhosts {
		for _, b := range s.order {
			f(s.name, b)
		}
	}
}
