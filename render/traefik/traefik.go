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
	"slices"
	"strings"
	"unicode"

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
	plans, guards := plan.All(s), plan.UnknownGuards(s)
	for _, p := range plans {
		l := ledger.New("Traefik")
		l.Means(means)
		p.Mark(l)
		w := newWriter(p, l)
		w.unknown = len(guards) > 0
		w.write()
		if w.next < 1 {
			return nil, fmt.Errorf("%d routers are more than Traefik's priorities are given to", first)
		}
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
	for _, u := range guards {
		res.Notes = append(res.Notes, target.Note{Loss: target.Dropped, ID: "access", Security: true, Span: u.Span, Fact: u.What,
			Message: "what it restricts cannot be said there: every request is refused"})
	}
	return res, nil
}

func fileRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
		return r
	}
	return '_'
}

func encode(v any, p *plan.Plan) ([]byte, error) {
	var b bytes.Buffer
	var root yaml.Node
	if err := root.Encode(v); err != nil {
		return nil, err
	}
	mark := "\uE000"
	for keep := true; keep; mark += "\uE000" { // until no text holds it
		keep = contains(&root, mark)
	}
	split(&root, mark)
	from := ""
	if f := p.Front.At.File; f != nil {
		from = " from " + strings.Map(printable, f.Name)
	}
	fmt.Fprintf(&b, "# Made by clowder%s.\n", from)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte(mark), []byte(`\x7B`)), nil
}

// split puts the mark in the place of every second brace of {{, between quotes that
// know \x7B: the file provider runs its file through Go's templates first
// (pkg/provider/file of Traefik), and no text of the source may be one.
func split(n *yaml.Node, mark string) {
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, "{{") {
		n.Value, n.Style = strings.ReplaceAll(n.Value, "{{", "{"+mark), yaml.DoubleQuotedStyle
	}
	for _, c := range n.Content {
		split(c, mark)
	}
}

func contains(n *yaml.Node, text string) bool {
	return strings.Contains(n.Value, text) || slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return contains(c, text) })
}

// printable keeps what may stand in a comment: no ends of lines and no braces, see split.
func printable(r rune) rune {
	if !unicode.IsPrint(r) || r == '{' {
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
	named   map[*plan.Site][]string // entry points where a site is chosen by name
	every   map[*plan.Site][]string // entry points where it takes every name that is left
	plain   map[*plan.Site][]string // those of them where the socket speaks TLS and the site has none of its own
	on      []string                // entry points of the routers that are written
	options *string                 // their TLS options, "" for those called default; nil without TLS
	next    int                     // priority of the next router
	unknown bool
	refused map[*plan.Site]bool   // what protects it cannot be said
	pools   map[*plan.Pool]string // the service, "" for none
	made    map[string]string     // names of the middlewares, by what they say
}

func newWriter(p *plan.Plan, l *ledger.Ledger) *writer {
	return &writer{plan: p, l: l, names: map[string]bool{}, named: map[*plan.Site][]string{}, every: map[*plan.Site][]string{}, refused: map[*plan.Site]bool{}, pools: map[*plan.Pool]string{}, made: map[string]string{}, plain: map[*plan.Site][]string{},
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
	// The options of sites that take every name come first: they are those called default.
	for _, first := range []bool{true, false} {
		for _, s := range w.plan.Sites {
			if (w.every[s] != nil) == first {
				w.tls(s)
			}
		}
	}
	// Names come before the rest: a later site does not take a name of the first one.
	for _, s := range w.plan.Sites {
		w.l.Exact(s.Source.ServerName, s.Source.Aliases, s.Source.Addresses)
		on := w.named[s]
		if slices.ContainsFunc(w.plan.Sites, func(o *plan.Site) bool { return o != s && w.named[o] != nil && overlap(s, o) }) {
			on = slices.Concat(w.named[s], w.every[s])
		}
		w.hosts(s, on)
	}
	for _, s := range w.plan.Sites {
		w.sockets(s, "", w.every[s], "")
	}
}

// hosts writes the routers of a site for its names. Traefik knows the TLS options
// of a router by its Host conditions only (see defaults), so wildcards stand apart.
func (w *writer) hosts(s *plan.Site, on []string) {
	plain, wildcards := hostRules(s)
	if s.TLS == nil && plain != "" && wildcards != "" {
		plain, wildcards = group([]string{plain, wildcards}), ""
	}
	if plain != "" {
		w.sockets(s, plain, on, w.tlsOptions(s))
	}
	if wildcards != "" {
		w.sockets(s, wildcards, on, "")
	}
}

// sockets writes the routers of a site, apart for those entry points where it has no
// TLS of its own and the socket speaks it: httpd then uses that of the first site.
func (w *writer) sockets(s *plan.Site, host string, on []string, options string) {
	if s.TLS != nil {
		w.on, w.options = on, &options
	} else {
		w.on, w.options = slices.DeleteFunc(slices.Clone(on), func(e string) bool { return slices.Contains(w.plain[s], e) }), nil
	}
	if len(w.on) > 0 {
		w.site(s, host)
	}
	if s.TLS != nil {
		return
	}
	none := ""
	w.on, w.options = slices.DeleteFunc(slices.Clone(on), func(e string) bool { return !slices.Contains(w.plain[s], e) }), &none
	if len(w.on) > 0 {
		w.site(s, host)
	}
}

func (w *writer) listener(l *plan.Listener) {
	name := w.unique(fmt.Sprintf("port%d", l.Port))
	addr := l.Address
	if a, err := netip.ParseAddr(addr); err == nil && a.Is6() {
		addr = "[" + addr + "]"
	}
	e := &entryPoint{Address: fmt.Sprintf("%s:%d", addr, l.Port), HTTP: entryHTTP{map[string]bool{
		"allowEncodedSlash": false, "allowEncodedBackSlash": false, "allowEncodedNullCharacter": false, "allowEncodedSemicolon": false,
		"allowEncodedPercent": false, "allowEncodedQuestionMark": false, "allowEncodedHash": false}}}
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
	e.ReusePort = slices.ContainsFunc(w.plan.Listeners, func(o *plan.Listener) bool { return o != l && o.Port == l.Port && (o.Address == "" || l.Address == "") })
	w.static.EntryPoints[name] = e
	w.l.Exact(l.Source)
	for i, s := range l.Sites {
		if i == 0 {
			w.every[s] = append(w.every[s], name)
		} else {
			w.named[s] = append(w.named[s], name)
		}
		if l.TLS && s.TLS == nil {
			w.plain[s] = append(w.plain[s], name)
			w.l.Person("TLS is on for some of the virtual hosts of this socket only: it answers over TLS, with that of the first one", "", s.Source.Addresses)
		} else if s.TLS != nil && !l.TLS {
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
