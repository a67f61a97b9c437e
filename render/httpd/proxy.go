package httpd

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
)

const scheme = "balancer://"

func isLocation(s *model.Section) bool { return strings.HasPrefix(s.Kind.V, "Location") }

// balancerOf returns the name of the balancer that a URL names, lower case; ""
// for another URL.
func balancerOf(u string) string {
	if len(u) < len(scheme) || !strings.EqualFold(u[:len(scheme)], scheme) {
		return ""
	}
	name, _, _ := strings.Cut(u[len(scheme):], "/")
	return strings.ToLower(name)
}

// workerPlan says where each balancer and worker of a server is defined.
type workerPlan struct {
	balancer map[*model.Section]*model.Balancer // the <Proxy> that defines it
	section  map[*model.Section]*model.Member   // the <Proxy> that has the worker's parameters
	mapping  map[*model.Mapping]*model.Member   // the ProxyPass that makes the worker
	alone    []*model.Balancer                  // balancers without a section
	ahead    []*model.Member                    // workers that get a <Proxy> of their own
	wild     map[string]*model.Balancer         // by name: no <Proxy> can define them
}

// planWorkers finds the places. httpd takes parameters of a worker only where it
// is made, and a URL that begins with that of a worker before it makes none
// (ap_proxy_get_worker_ex in modules/proxy/proxy_util.c).
func planWorkers(s, main *model.Server) *workerPlan {
	p := &workerPlan{balancer: map[*model.Section]*model.Balancer{}, section: map[*model.Section]*model.Member{},
		mapping: map[*model.Mapping]*model.Member{}, wild: map[string]*model.Balancer{}}
	named := map[string]bool{}
	for _, m := range allMappings(s) {
		named[balancerOf(m.Target.V)] = true
	}
	for _, b := range s.Balancers {
		name := strings.ToLower(b.Name.V)
		i := slices.IndexFunc(s.Sections, func(sec *model.Section) bool { return sec.Kind.V == "Proxy" && balancerOf(sec.Path.V) == name })
		switch {
		case strings.ContainsAny(name, "*?["):
			p.wild[name] = b
		case i >= 0:
			p.balancer[s.Sections[i]] = b
		case len(b.Members) > 0 || len(params(b)) > 0 || !named[name]:
			p.alone = append(p.alone, b)
		}
	}
	var made []string
	shared := func(u string) bool {
		return slices.ContainsFunc(made, func(m string) bool { return strings.HasPrefix(u, m) })
	}
	left := slices.Clone(s.Workers)
	take := func(u string) *model.Member {
		i := slices.IndexFunc(left, func(m *model.Member) bool { return m.URL.V == u })
		if i < 0 {
			return nil
		}
		m := left[i]
		left = slices.Delete(left, i, i+1)
		return m
	}
	for _, sec := range s.Sections {
		if sec.Kind.V == "Proxy" && !shared(sec.Path.V) {
			if m := take(sec.Path.V); m != nil {
				p.section[sec] = m
				if len(params(m)) > 0 {
					made = append(made, m.URL.V)
				}
			}
		}
	}
	for _, m := range allMappings(s) {
		if !m.Excludes() && balancerOf(m.Target.V) == "" && !shared(m.Target.V) {
			if x := take(m.Target.V); x != nil {
				p.mapping[m] = x
			}
			made = append(made, m.Target.V)
		}
	}
	p.ahead = left
	if main != nil && main != s {
		p.inherit(s, main)
	}
	return p
}

// inherit gives the parameters of the main server's workers to mappings of a
// virtual host that has no worker of its own for them: its ProxyPass makes one.
func (p *workerPlan) inherit(s, main *model.Server) {
	for _, m := range allMappings(s) {
		own := slices.ContainsFunc(s.Workers, func(w *model.Member) bool { return strings.HasPrefix(m.Target.V, w.URL.V) })
		var best *model.Member
		for _, w := range main.Workers {
			if strings.HasPrefix(m.Target.V, w.URL.V) && (best == nil || len(w.URL.V) > len(best.URL.V)) {
				best = w
			}
		}
		if best != nil && !own {
			p.mapping[m] = best
		}
	}
}

// allMappings lists the mappings of a server as they are written: first its own,
// then those of its sections.
func allMappings(s *model.Server) []*model.Mapping {
	out := slices.Clone(s.Mappings)
	for _, sec := range s.Sections {
		if isLocation(sec) && sec.Mapping != nil {
			out = append(out, sec.Mapping)
		}
	}
	return out
}

// balancers writes the balancers, the workers with their own <Proxy>, and all
// other <Proxy> sections in their order.
func (w *writer) balancers(s *model.Server, p *workerPlan) {
	for _, b := range p.alone {
		w.balancer(b, nil, p)
	}
	for _, b := range s.Balancers {
		if p.wild[strings.ToLower(b.Name.V)] == b {
			w.wildBalancer(b)
		}
	}
	for _, m := range p.ahead {
		if len(params(m)) == 0 {
			w.led.Approx("no line of the setup leads to it; it was left out", "ProxyPass", m)
			continue
		}
		w.comment("Backend " + m.URL.V)
		w.worker(m, nil, p)
	}
	for _, sec := range s.Sections {
		if isLocation(sec) {
			continue
		}
		if b := p.balancer[sec]; b != nil {
			w.balancer(b, sec, p)
		} else if m := p.section[sec]; m != nil {
			w.comment("Backend " + m.URL.V)
			w.worker(m, sec, p)
		} else {
			w.section(sec, p)
		}
	}
}

// balancer writes a balancer with its members; sec is its section or nil.
func (w *writer) balancer(b *model.Balancer, sec *model.Section, p *workerPlan) {
	if !writable(b.Name.V) || b.Name.V == "" || strings.ContainsAny(b.Name.V, "/>") || len(b.Name.V)+len(scheme) >= 96 {
		w.led.Person("httpd cannot have a balancer of that name; it was left out", "", b)
		return
	}
	w.mods.use("proxy", "proxy_balancer", "slotmem_shm", "lbmethod_"+b.LBMethod.Or("byrequests"))
	w.comment("Balancer " + b.Name.V)
	w.open(b.At, "Proxy", scheme+b.Name.V)
	w.led.Exact(b.Name)
	for _, m := range b.Members {
		w.member(m)
	}
	w.proxySet(b)
	if sec != nil {
		w.led.Exact(sec.Kind, sec.Path)
		w.settings(&sec.Settings, sec)
	}
	w.close("Proxy")
}

// wildBalancer writes the members of a balancer whose name looks like a pattern:
// the tag <Proxy> would not define it. Its parameters stand at its mapping.
func (w *writer) wildBalancer(b *model.Balancer) {
	if !writable(b.Name.V) {
		w.led.Person(unwritable, "", b)
		return
	}
	w.mods.use("proxy", "proxy_balancer", "slotmem_shm", "lbmethod_"+b.LBMethod.Or("byrequests"))
	w.led.Exact(b.Name)
	if len(b.Members) == 0 {
		return
	}
	w.comment("Balancer " + b.Name.V)
	for _, m := range b.Members {
		w.memberOf(m, always(scheme+b.Name.V))
	}
}

func (w *writer) member(m *model.Member) { w.memberOf(m) }

// memberOf writes a member; outside of <Proxy> its balancer is named first.
func (w *writer) memberOf(m *model.Member, balancer ...string) {
	if bad := badURL(m.URL.V); bad != "" {
		w.led.Person(bad, "BalancerMember", m)
		return
	}
	w.mods.url(m.URL.V)
	words := w.paramWords(m)
	w.from(m.At)
	w.raw(strings.Join(append(append(append([]string{"BalancerMember"}, balancer...), always(m.URL.V)), words...), " "))
	w.led.Exact(m.URL)
}

// worker writes the <Proxy> with the parameters of a worker outside of balancers.
func (w *writer) worker(m *model.Member, sec *model.Section, p *workerPlan) {
	if bad := badURL(m.URL.V); bad != "" {
		w.led.Person(bad, "", m)
		return
	}
	w.mods.url(m.URL.V)
	w.open(m.At, "Proxy", m.URL.V)
	w.led.Exact(m.URL)
	w.proxySet(m)
	if sec != nil {
		w.led.Exact(sec.Kind, sec.Path)
		w.settings(&sec.Settings, sec)
	}
	w.close("Proxy")
}

func (w *writer) proxySet(x any) {
	if words := w.paramWords(x); len(words) > 0 {
		w.raw("ProxySet " + strings.Join(words, " "))
	}
}

// badURL says why a backend cannot be written, "" when it can.
func badURL(u string) string {
	if !writable(u) {
		return unwritable
	}
	if i := strings.Index(u, "://"); i < 1 || i+3 >= len(u) {
		return "a backend's URL has the form scheme://host:port; it was left out"
	}
	return ""
}

// params lists the stated parameters of a balancer or worker: the keys of the
// model are the names of httpd.
func params(x any) []pair {
	return slices.DeleteFunc(pairs(x), func(p pair) bool { return p.key == "name" || p.key == "url" })
}

// millisParams are counted in milliseconds without a unit, secondParams in whole seconds.
var (
	secondParams = map[string]bool{"retry": true, "timeout": true, "ttl": true}
	millisParams = map[string]bool{"acquire": true}
)

// paramWords writes the parameters as key=value words and keeps account of them.
func (w *writer) paramWords(x any) []string {
	var out []string
	for _, p := range params(x) {
		if p.key == "hctemplate" {
			w.led.Exact(p.fact) // its values stand at the member
			continue
		}
		text := scalar(p.value)
		if d, ok := p.value.(time.Duration); ok {
			switch {
			case secondParams[p.key] && d%time.Second != 0:
				d = (d + time.Second - 1).Truncate(time.Second)
				text = duration(d)
				w.led.Approx("httpd counts whole seconds; rounded up", p.key+"="+text, p.fact)
			case millisParams[p.key]:
				text = duration(d)
				if d%time.Second == 0 {
					text += "s"
				}
			}
		}
		if bad := badParam(reflect.TypeOf(x).Elem(), p); bad != "" {
			w.led.Person(bad+"; it was left out", "", p.fact)
			continue
		}
		if p.key == "hcexpr" && !w.definesHC(text) {
			w.led.Person("the expression that it names is not in the setup: write ProxyHCExpr and the parameter again; without it the status of the answer counts", "ProxyHCExpr", p.fact)
			continue
		}
		w.secret = w.secret || p.secret
		if strings.HasPrefix(p.key, "hc") {
			w.mods.use("proxy_hcheck")
		}
		out = append(out, quote(p.key+"="+text))
		w.led.Exact(p.fact)
	}
	return out
}

// definesHC reports whether a kept directive defines the health expression.
func (w *writer) definesHC(name string) bool {
	for _, s := range servers(w.front) {
		for _, d := range s.Settings.Extras {
			if strings.EqualFold(d.Name.V, "ProxyHCExpr") && len(d.Args) > 0 && d.Args[0].V == name {
				return true
			}
		}
	}
	return false
}

// mappings writes ProxyPass lines in their order. Those of the main server alone
// are for [writer.ownMappings].
func (w *writer) mappings(s *model.Server, p *workerPlan) {
	first := true
	for _, m := range s.Mappings {
		if m.Own.V && len(w.front.VHosts) > 0 {
			continue
		}
		if first {
			w.comment("URLs: the first line that fits decides")
			first = false
		}
		w.mapping(m, p, true)
	}
}

// mapping writes one ProxyPass; path says that it names its own.
func (w *writer) mapping(m *model.Mapping, p *workerPlan, path bool) {
	name := "ProxyPass"
	var words []string
	if m.Regex.V && (path || m.Regex.IsSet()) { // not set: the pattern of a Location, which httpd sees itself
		name = "ProxyPassMatch"
	}
	if path {
		words = append(words, always(m.Path.V))
	}
	if m.Target.V == "" || path && m.Path.V == "" {
		w.led.Person("a mapping needs a path and a URL; it was left out", name, m)
		return
	}
	words = append(words, always(m.Target.V))
	if !m.Excludes() {
		if balancerOf(m.Target.V) == "" {
			if bad := badURL(m.Target.V); bad != "" {
				w.led.Person(bad, name, m)
				w.instead(m, name, words, path)
				return
			}
		}
		w.mods.url(m.Target.V)
		if x := p.mapping[m]; x != nil {
			w.led.Exact(x.URL)
			words = append(words, w.paramWords(x)...)
		} else if b := p.wild[balancerOf(m.Target.V)]; b != nil {
			words = append(words, w.paramWords(b)...)
			delete(p.wild, balancerOf(m.Target.V))
		}
	} else {
		w.mods.use("proxy")
		words[len(words)-1] = "!"
	}
	for _, flag := range []struct {
		on   model.Bool
		word string
	}{{m.Nocan, "nocanon"}, {m.Interp, "interpolate"}, {m.NoQry, "noquery"}} {
		if flag.on.V {
			words = append(words, flag.word)
		}
	}
	if m.Enc.IsSet() {
		if !strings.EqualFold(m.Enc.V, "encoded") && !strings.EqualFold(m.Enc.V, "servlet") {
			w.led.Person("mapping= must be encoded or servlet; it was left out", "", m.Enc)
		} else {
			words = append(words, "mapping="+m.Enc.V)
		}
	}
	if !w.put(m, name, words...) {
		w.instead(m, name, words, path)
	}
}

// instead keeps the URLs of a mapping that could not be written from mappings
// behind it: they are not passed on.
func (w *writer) instead(m *model.Mapping, name string, words []string, path bool) {
	w.mods.use("proxy")
	switch {
	case !path:
		w.raw(name + " !")
	case writable(m.Path.V):
		w.raw(name + " " + words[0] + " !")
	}
}

// ownMappings writes the mappings that virtual hosts must not have into a last
// virtual host: it answers where the main server would, at addresses that no
// other one has.
func (w *writer) ownMappings(main *model.Server) {
	var own []*model.Mapping
	for _, m := range main.Mappings {
		if m.Own.V && len(w.front.VHosts) > 0 {
			own = append(own, m)
		}
	}
	if len(own) == 0 {
		return
	}
	w.comment("URLs of the main server alone: it answers at addresses that no virtual host above has")
	w.open(diag.Span{}, "VirtualHost", "_default_:*")
	if main.ServerName.V != "" && writable(main.ServerName.V) {
		w.raw("ServerName " + quote(main.ServerName.V))
	}
	empty := &workerPlan{}
	for _, m := range own {
		w.mapping(m, empty, true)
	}
	w.close("VirtualHost")
}
