package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// Build makes the graph of a setup with the findings of lint; nil when it was not
// run. The setup is only read.
func Build(s *model.Setup, findings diag.List) *Graph {
	b := &builder{setup: s, g: &Graph{Checked: findings != nil}, owners: map[any][]*Marks{}, nodes: map[*model.Node]*Card{},
		links: map[*model.Member]model.Link{}}
	for _, l := range s.Links() {
		b.links[l.Member] = l
	}
	b.groups()
	for _, fe := range s.FrontEnds {
		b.front(fe)
	}
	for i, c := range b.g.Cards() {
		c.ID = fmt.Sprintf("c%d", i+1)
	}
	b.place(findings)
	b.g.legend(findings)
	return b.g
}

type builder struct {
	setup  *model.Setup
	g      *Graph
	owners map[any][]*Marks // what shows the findings of an object of the model
	nodes  map[*model.Node]*Card
	links  map[*model.Member]model.Link
	pools  int // so many have a colour
}

// own says that findings about the object are shown there.
func (b *builder) own(object any, m *Marks) {
	if !slices.Contains(b.owners[object], m) {
		b.owners[object] = append(b.owners[object], m)
	}
}

// front is the state of one front end while it is built.
type front struct {
	*builder
	fe      *model.FrontEnd
	f       *Front
	pools   map[*model.Balancer]*Card
	workers map[*model.Member]*Card
	loose   map[string]*Card // workers that only a mapping names
	first   map[*model.Server]bool
}

func (b *builder) front(fe *model.FrontEnd) {
	f := &front{builder: b, fe: fe, f: &Front{Title: clean(fe.Name.Or("httpd"))}, pools: map[*model.Balancer]*Card{},
		workers: map[*model.Member]*Card{}, loose: map[string]*Card{}, first: defaults(fe.VHosts)}
	b.g.Fronts = append(b.g.Fronts, f.f)
	b.own(fe, &f.f.Marks)
	if fe.Version.IsWritten() {
		f.f.Notes = append(f.f.Notes, "version "+clean(fe.Version.V))
	}
	if fe.Host.IsWritten() {
		f.f.Notes = append(f.f.Notes, "on "+clean(fe.Host.V))
	}
	if at := fe.At; at.IsValid() {
		f.f.Notes = append(f.f.Notes, clean(at.File.Name))
	}
	main := fe.Main
	if main == nil {
		main = &model.Server{At: fe.At}
	}
	for _, bal := range main.Balancers {
		f.pool(bal)
	}
	reach := f.listeners(main)
	for _, sv := range append([]*model.Server{main}, fe.VHosts...) {
		from, drawn := reach[sv]
		if sv == main && !drawn {
			continue
		}
		card := f.server(sv, sv == main)
		f.f.Servers = append(f.f.Servers, card)
		for _, l := range from {
			l.To = append(l.To, card)
		}
	}
	for _, p := range f.f.Pools {
		p.Hue = b.pools
		b.pools++
	}
}

// listeners makes a card for each Listen and says which lead to which server: a
// server that no listener leads to is in the map with none. The main server is
// drawn when it answers.
func (f *front) listeners(main *model.Server) map[*model.Server][]*Card {
	reach := map[*model.Server][]*Card{}
	for _, vh := range f.fe.VHosts {
		reach[vh] = nil
	}
	if len(f.fe.VHosts) == 0 {
		reach[main] = nil
	}
	listens := f.fe.Listens
	if len(listens) == 0 {
		card := &Card{Kind: Listener, Title: "no Listen", Notes: []string{"not in these files"}}
		f.f.Listeners = append(f.f.Listeners, card)
		for _, sv := range append([]*model.Server{main}, f.fe.VHosts...) {
			if _, ok := reach[sv]; ok {
				reach[sv] = append(reach[sv], card)
			}
		}
		return reach
	}
	for _, l := range listens {
		card := &Card{Kind: Listener, Title: clean(address(l.Address.V, l.Port.V))}
		if l.Protocol.V != "" {
			card.Notes = append(card.Notes, clean(l.Protocol.V))
		}
		f.own(l, &card.Marks)
		f.f.Listeners = append(f.f.Listeners, card)
		hosts, rest := f.answering(l)
		for _, vh := range hosts {
			reach[vh] = append(reach[vh], card)
		}
		if rest {
			reach[main] = append(reach[main], card)
		}
	}
	return reach
}

// answering returns the virtual hosts that take requests of the listener, and
// whether the main server takes some (vhost matching of httpd: an exact address is
// better than a wildcard, and the main server has the rest).
func (f *front) answering(l *model.Listen) (hosts []*model.Server, rest bool) {
	var exact, both []*model.Server
	rest = true
	for _, vh := range f.fe.VHosts {
		isExact, isWild := false, false
		for _, a := range vh.Addresses {
			host, port := splitAddress(a.V)
			switch {
			case port != "" && port != "*" && port != strconv.Itoa(l.Port.V):
			case model.IsWildcard(host), strings.EqualFold(host, "_default_"):
				isWild = true
			case model.AddressesCollide(l.Address.V, host):
				isExact = true
			}
		}
		if isExact {
			exact = append(exact, vh)
		}
		if isExact || isWild {
			both = append(both, vh)
		}
		rest = rest && !isWild
	}
	if !model.IsWildcard(l.Address.V) && len(exact) > 0 {
		return exact, false
	}
	return both, rest
}

// splitAddress takes the argument of <VirtualHost> apart.
func splitAddress(a string) (host, port string) {
	if i := strings.LastIndexByte(a, ':'); i >= 0 && !strings.Contains(a[i:], "]") && (strings.Count(a, ":") == 1 || a[i-1] == ']') {
		return strings.Trim(a[:i], "[]"), a[i+1:]
	}
	return strings.Trim(a, "[]"), ""
}

// address writes a socket as httpd does; every address is a star.
func address(host string, port int) string {
	if model.IsWildcard(host) {
		host = "*"
	} else if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", host, port)
}

// server makes the card of a virtual host or of the main server, with a row for
// each thing that decides where a request goes, in the order in which httpd looks.
func (f *front) server(sv *model.Server, main bool) *Card {
	eff := f.fe.Effective(sv)
	card := &Card{Kind: Server, Title: clean(sv.ServerName.V)}
	f.own(sv, &card.Marks)
	addresses := make([]string, len(sv.Addresses))
	for i, a := range sv.Addresses {
		addresses[i] = clean(a.V)
	}
	if card.Title == "" {
		if card.Title = strings.Join(addresses, " "); card.Title == "" {
			card.Title = "main server"
		}
	}
	if main {
		card.Notes = append(card.Notes, "main server")
	} else {
		card.Notes = append(card.Notes, "virtual host "+strings.Join(addresses, " "))
	}
	if f.first[sv] {
		card.Notes = append(card.Notes, "default")
	}
	if n := len(sv.Aliases); n > 0 {
		card.Notes = append(card.Notes, fmt.Sprintf("+%s", plural(n, "name")))
	}
	if eff.TLS != nil && eff.TLS.Engine.V != "" && !strings.EqualFold(eff.TLS.Engine.V, "off") {
		card.Notes = append(card.Notes, "TLS")
	}
	for _, bal := range eff.Balancers {
		f.poolOf(sv, bal)
	}
	f.rows(card, eff, sv)
	return card
}

// defaults returns the first of several virtual hosts of one address: it takes
// what names none of them.
func defaults(vhosts []*model.Server) map[*model.Server]bool {
	of := map[string][]*model.Server{}
	for _, vh := range vhosts {
		for _, a := range vh.Addresses {
			if list := of[a.V]; len(list) < 2 && !slices.Contains(list, vh) {
				of[a.V] = append(list, vh)
			}
		}
	}
	out := map[*model.Server]bool{}
	for _, list := range of {
		if len(list) > 1 {
			out[list[0]] = true
		}
	}
	return out
}

// rows lists where requests go, in the order in which httpd decides: rewrite rules
// of the server, ProxyPass of a Location, ProxyPass (proxy_trans of
// modules/proxy/mod_proxy.c), rules of a Location, and last the handlers, which
// see only what none of these took.
func (f *front) rows(card *Card, eff, sv *model.Server) {
	add := func(object any, label, target string, notes ...string) {
		row := &Row{Label: label, Notes: notes}
		if target != "" {
			f.target(row, eff, sv, target)
		}
		f.own(object, &row.Marks)
		card.Rows = append(card.Rows, row)
	}
	rewrites := func(r *model.Rewrite, where string) {
		if r == nil || !r.Engine.V {
			return
		}
		for _, rule := range r.Rules {
			if rule.HasFlag("P", "proxy") {
				add(rule, where+"~ "+clean(rule.Pattern.V), rule.Target.V, "RewriteRule")
			}
		}
	}
	rewrites(eff.Settings.Rewrite, "")
	for _, sec := range eff.Sections {
		f.section(sec, eff)
		if m := sec.Mapping; m != nil {
			add(m, sectionPath(sec), m.Target.V)
		}
	}
	for _, m := range eff.Mappings {
		path := clean(m.Path.V)
		if m.Regex.V {
			path = "~ " + path
		}
		add(m, path, m.Target.V)
	}
	for _, sec := range eff.Sections {
		rewrites(sec.Settings.Rewrite, sectionPath(sec)+" ")
	}
	for _, sec := range eff.Sections {
		if strings.HasPrefix(sec.Kind.V, "Proxy") {
			continue
		}
		switch h := sec.Settings.Handler.V; {
		case strings.HasPrefix(strings.ToLower(h), "proxy:"):
			add(sec, sectionPath(sec), h[len("proxy:"):], "SetHandler")
		case h != "" && !strings.EqualFold(h, "none"):
			add(sec, sectionPath(sec), "", "httpd's own "+clean(h))
		}
	}
}

func sectionPath(sec *model.Section) string {
	if strings.HasSuffix(sec.Kind.V, "Match") {
		return "~ " + clean(sec.Path.V)
	}
	return clean(sec.Path.V)
}

// section shows findings of a <Proxy> section at its balancer; those of others stay
// with the server.
func (f *front) section(sec *model.Section, eff *model.Server) {
	if sec.Kind.V != "Proxy" {
		return
	}
	if name, ok := balancerName(sec.Path.V); ok {
		for _, bal := range eff.Balancers {
			if p := f.pools[bal]; p != nil && strings.EqualFold(bal.Name.V, name) {
				f.own(sec, &p.Marks)
			}
		}
	}
}

// target leads the row to the balancer or worker of the URL; "!" is an exclusion.
func (f *front) target(row *Row, eff, sv *model.Server, target string) {
	if target == "!" {
		row.Notes = append(row.Notes, "! not proxied")
		return
	}
	rest := targetPath(target)
	if len(row.Notes) == 0 && strings.Trim(rest, "/") != strings.Trim(row.Label, "/") && !strings.HasPrefix(row.Label, "~ ") {
		row.Notes = append(row.Notes, "→ "+clean(rest))
	}
	if name, ok := balancerName(target); ok {
		for _, bal := range eff.Balancers {
			if strings.EqualFold(bal.Name.V, name) {
				row.To = f.poolOf(sv, bal)
				return
			}
		}
		row.Notes = append(row.Notes, "no balancer "+clean(name))
		return
	}
	row.To = f.worker(eff, target)
}
