// Package caddy writes a setup as a Caddyfile for Caddy 2.6 and newer.
//
// What directives mean is taken from Caddy's manual (caddyserver.com/docs) and,
// where it is silent, from the source of 2.6.2 and 2.11; each place says which. Order
// matters in httpd and not in a Caddyfile, so everything stands in route blocks,
// which keep it.
package caddy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/plan"
	"clowder/render/target"
)

// Target writes a Caddyfile.
var Target = target.Target{
	Name:   "caddy",
	Doc:    "a Caddyfile for Caddy 2.6 or newer",
	Render: render,
}

func render(s *model.Setup, o target.Options) (*target.Result, error) {
	if len(s.FrontEnds) == 0 {
		return nil, errors.New("there is no httpd in the setup, and only its part of it can be written for Caddy")
	}
	l := ledger.New("Caddy")
	l.Means(means)
	res := &target.Result{}
	unknown := plan.UnknownGuards(s)
	for _, p := range plan.All(s) {
		name := "Caddyfile"
		if len(s.FrontEnds) > 1 {
			name = fileName(p.Front.Name.V) + "/Caddyfile"
		}
		g := &gen{plan: p, l: l, opt: o, bodies: map[string]*body{}, unknown: len(unknown) > 0}
		res.Files = append(res.Files, target.File{Name: name, Data: []byte(g.file())})
		p.Mark(l)
	}
	res.Notes = append(l.Notes(s.FrontEnds), plan.UnknownNotes(unknown)...)
	return res, nil
}

// fileName makes a name for a directory.
func fileName(s string) string {
	if s = word(s); s == "x" {
		return "httpd"
	}
	return s
}

// gen writes one front end.
type gen struct {
	plan   *plan.Plan
	l      *ledger.Ledger
	opt    target.Options
	bodies map[string]*body // by their text

	unknown bool // something that may restrict requests is not understood
}

func (g *gen) block() *block { return &block{provenance: g.opt.Provenance} }

// unused makes a name that is not in the set, and puts it there.
func unused(names map[string]bool, base string) string {
	base = word(base)
	for try, i := base, 2; ; i++ {
		if !names[try] {
			names[try] = true
			return try
		}
		try = fmt.Sprintf("%s_%d", base, i)
	}
}

// share returns the body with that text, a new one at its first use. least is the
// number of lines from which on a snippet is worth while.
func (g *gen) share(base string, least int, b *block) *body {
	key := base + "\x00" + b.key()
	if u := g.bodies[key]; u != nil {
		return u
	}
	u := &body{name: base, block: b, least: least}
	g.bodies[key] = u
	return u
}

// file writes the whole Caddyfile.
func (g *gen) file() string {
	sites := g.block()
	for _, b := range g.sites() {
		sites.add("")
		sites.append(b, 0)
	}
	var s strings.Builder
	g.options().write(&s, 0, false)
	var order []*body
	sites.count(&order)
	names := map[string]bool{}
	for _, u := range order {
		if !u.snippet() {
			continue
		}
		u.name = unused(names, u.name)
		snippet := g.block()
		snippet.add("")
		snippet.nest(u.block, "("+u.name+")")
		snippet.write(&s, 0, false)
	}
	sites.write(&s, 0, false)
	return s.String()
}

// options writes the global options: nothing but what the source says is opened.
// The admin API would listen on localhost:2019, and HTTP/3 on the UDP port of each
// TLS socket (caddyserver.com/docs/caddyfile/options).
func (g *gen) options() *block {
	f := g.plan.Front
	in := g.block()
	in.add("admin off")
	in.add("auto_https off")
	g.ports(in)
	servers := g.block()
	for _, l := range g.plan.Listeners {
		if l.TLS {
			if g.http2() {
				servers.add("protocols h1 h2")
			} else {
				servers.add("protocols h1")
			}
			break
		}
	}
	if f.Main != nil {
		if t := f.Main.KeepAliveTime; t.IsWritten() && t.V > 0 {
			idle := g.block()
			idle.add("idle " + seconds(t.V))
			idle.from(t.Span)
			servers.nest(idle, "timeouts")
			g.l.Exact(t)
		}
		if f.Main.KeepAlive.V {
			g.l.Exact(f.Main.KeepAlive)
		}
	}
	if !servers.empty() {
		in.nest(servers, "servers")
	}
	out := g.block()
	out.comment(strings.TrimSuffix("Made from "+f.At.Head().Short(), ":1") + " by clowder.")
	out.nest(in)
	g.l.Exact(f.Modules)
	if len(g.plan.Listeners) == 0 && f.Main != nil {
		g.l.Person("there is no Listen line: nothing of it was written", "", f.Main)
	}
	for _, vh := range f.VHosts {
		if !slices.ContainsFunc(g.plan.Sites, func(s *plan.Site) bool { return s.Source == vh }) {
			g.l.Person("no Listen line leads to this virtual host: nothing of it was written", "", vh)
		}
	}
	if main := f.Main; main != nil && !slices.ContainsFunc(g.plan.Sites, func(s *plan.Site) bool { return s.Main }) {
		g.l.Exact(main.ServerName, main.Aliases, main.DocRoot) // no request reaches it
	}
	return out
}

// ports moves the ports that Caddy ties to a scheme (80 to http, 443 to https) when
// the source uses them the other way round.
func (g *gen) ports(in *block) {
	clash80, clash443 := false, false
	used := map[int]bool{}
	for _, l := range g.plan.Listeners {
		used[l.Port] = true
		clash80 = clash80 || l.TLS && l.Port == 80
		clash443 = clash443 || !l.TLS && l.Port == 443
	}
	free := func(p int) int {
		for used[p] {
			p++
		}
		used[p] = true
		return p
	}
	if clash80 {
		in.add(fmt.Sprint("http_port ", free(8080)))
	}
	if clash443 {
		in.add(fmt.Sprint("https_port ", free(8443)))
	}
}

// http2 reports whether the source asks for HTTP/2 towards clients.
func (g *gen) http2() bool {
	found := false
	for _, s := range g.plan.Sites {
		for _, d := range s.Server.Settings.Extras {
			if strings.EqualFold(d.Name.V, "Protocols") {
				for _, a := range d.Args {
					found = found || strings.EqualFold(a.V, "h2")
				}
				g.l.Exact(d)
			}
		}
	}
	return found
}

// source names a place for a comment: "httpd.conf:12", "" for none.
func source(at diag.Span) string {
	if !at.IsValid() {
		return ""
	}
	return at.Short()
}

// seconds writes a duration in whole seconds where it is one.
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}
