// Package traefik writes a front end for Traefik 3: traefik.yml for the process and
// dynamic.yml for its file provider.
//
// Every cell of the plan becomes a router with a priority, so that the order of
// httpd's evaluation holds. Traefik keeps a session on its member with a cookie of
// its own; where members are checked (hcmethod), routers that look for the route
// behind the session's identifier come before that.
package traefik

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/plan"
	"clowder/render/target"

	"go.yaml.in/yaml/v3"
)

// Target writes traefik.yml and dynamic.yml.
var Target = target.Target{
	Name:   "traefik",
	Doc:    "Traefik 3: traefik.yml and dynamic.yml for its file provider",
	Render: render,
}

var means = map[string]string{
	"lbmethod": "loadBalancer.strategy", "health": "loadBalancer.healthCheck", "pool": "serversTransports", "timeouts": "entryPoints transport, serversTransports forwardingTimeouts",
	"responses": "middleware errors", "logging": "accessLog", "environment": "rules with Header and HeaderRegexp", "failover": "middleware retry, loadBalancer.passiveHealthCheck",
	"headers": "middleware headers", "files": "a web server beside it", "manager": "the dashboard (api)", "limits": "middleware buffering",
}

func render(s *model.Setup, _ target.Options) (*target.Result, error) {
	res := &target.Result{}
	plans := plan.All(s)
	for _, p := range plans {
		l := ledger.New("Traefik")
		l.Means(means)
		p.Mark(l)
		w := newWriter(p, l)
		w.unknown = unknownGuards(s)
		w.write()
		dir := ""
		if len(plans) > 1 {
			dir = strings.Map(fileRune, p.Front.Name.V) + "/"
		}
		for _, f := range []struct {
			name string
			v    any
		}{{"traefik.yml", w.static}, {"dynamic.yml", w.dynamic}} {
			data, err := encode(f.v, p)
			if err != nil {
				return nil, err
			}
			res.Files = append(res.Files, target.File{Name: dir + f.name, Data: data})
		}
		res.Notes = append(res.Notes, l.Notes(p.Front)...)
	}
	for _, u := range s.Unmapped {
		if u.Guard && !plan.Held(s, u) {
			res.Notes = append(res.Notes, target.Note{Loss: target.Dropped, ID: "access", Security: true, Span: u.Span, Fact: u.What,
				Message: "what it restricts cannot be said there: every request is refused"})
		}
	}
	return res, nil
}

// unknownGuards reports whether something restricts requests that no field of the
// model holds, so that nobody can tell which.
func unknownGuards(s *model.Setup) bool {
	for _, u := range s.Unmapped {
		if u.Guard && !plan.Held(s, u) {
			return true
		}
	}
	return false
}

func fileRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
		return r
	}
	return '_'
}

func encode(v any, p *plan.Plan) ([]byte, error) {
	var b bytes.Buffer
	from := ""
	if f := p.Front.At.File; f != nil {
		from = " from " + strings.Map(printable, f.Name)
	}
	fmt.Fprintf(&b, "# Made by clowder%s.\n", from)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

func printable(r rune) rune {
	if r < 0x20 || r == 0x7F {
		return '?'
	}
	return r
}

// writer makes the files of one front end.
type writer struct {
	plan    *plan.Plan
	l       *ledger.Ledger
	static  *static
	dynamic *dynamic
	names   map[string]bool
	entries map[*plan.Site][]string // entry points of a site
	last    map[*plan.Site]bool     // the default site: takes every name
	next    int                     // priority of the next router
	unknown bool
	pools   map[*plan.Pool]string // the service, "" for none
}

func newWriter(p *plan.Plan, l *ledger.Ledger) *writer {
	return &writer{plan: p, l: l, names: map[string]bool{}, entries: map[*plan.Site][]string{}, last: map[*plan.Site]bool{}, pools: map[*plan.Pool]string{},
		static:  &static{EntryPoints: map[string]*entryPoint{}, Providers: providers{fileProvider{"dynamic.yml", false}}},
		dynamic: &dynamic{HTTP: httpPart{Routers: map[string]*router{}, Middlewares: map[string]*middleware{}, Services: map[string]*service{}, ServersTransports: map[string]*serversTr{}}},
	}
}

// first is the priority of the router that is asked first.
const first = 1_000_000

func (w *writer) write() {
	w.next = first
	if len(w.plan.Front.Main.CustomLogs) > 0 {
		w.static.AccessLog = &struct{}{}
		w.l.Approx("requests are logged to standard output in Traefik's form of the common log", "accessLog", w.plan.Front.Main.CustomLogs)
	}
	for _, l := range w.plan.Listeners {
		w.listener(l)
	}
	// Sites that are chosen by name come before those that take every name.
	for _, fallback := range []bool{false, true} {
		for _, s := range w.plan.Sites {
			if w.last[s] == fallback {
				w.site(s)
			}
		}
	}
}

func (w *writer) listener(l *plan.Listener) {
	name := w.unique(fmt.Sprintf("port%d", l.Port))
	addr := l.Address
	if a, err := netip.ParseAddr(addr); err == nil && a.Is6() {
		addr = "[" + addr + "]"
	}
	e := &entryPoint{Address: fmt.Sprintf("%s:%d", addr, l.Port)}
	if t := l.Sites[0].Server.KeepAliveTime; t.IsWritten() {
		e.Transport = &transport{map[string]string{"idleTimeout": seconds(t.V)}}
		w.l.Exact(t)
	}
	if t := l.Sites[0].Server.Timeout; t.IsSet() && t.V > 0 {
		if e.Transport == nil {
			e.Transport = &transport{map[string]string{}}
		}
		e.Transport.RespondingTimeouts["readTimeout"] = "0s"
		w.l.Approx("Traefik bounds a whole request, not the wait between two reads: no bound is set", "entryPoints transport", t)
	}
	w.static.EntryPoints[name] = e
	w.l.Exact(l.Source)
	w.last[l.Sites[0]] = true
	for _, s := range l.Sites {
		w.entries[s] = append(w.entries[s], name)
		if (s.TLS != nil) != l.TLS {
			w.l.Person("TLS is on for some of the virtual hosts of this socket only: each of its routers does as its own virtual host says", "", s.Source.Addresses)
		}
	}
}

// unique makes a name that nothing else has.
func (w *writer) unique(name string) string {
	for try, i := name, 2; ; i++ {
		if !w.names[try] {
			w.names[try] = true
			return try
		}
		try = fmt.Sprintf("%s-%d", name, i)
	}
}
