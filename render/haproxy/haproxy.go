// Package haproxy writes a front end as a configuration of HAProxy 2.6 or later.
//
// The facts about HAProxy are those of its configuration manual for version 2.6
// (configuration.txt) and were tried on 2.6.12; the facts about httpd are those of
// package plan. A frontend finds the place of a request in the URL space and keeps
// it in the variable txn.at; every rule that is not about the whole frontend asks
// for it. Backends are balancers, or single workers.
package haproxy

import (
	"errors"
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
	"clowder/render/ledger"
	"clowder/render/plan"
	"clowder/render/target"
)

// Target writes haproxy.cfg.
var Target = target.Target{
	Name:   "haproxy",
	Doc:    "haproxy.cfg of HAProxy 2.6 or later",
	Render: render,
}

// means are HAProxy's nearest means for what is dropped.
var means = map[string]string{
	"authentication":        "a userlist with crypt(3) hashes, and http-request auth",
	"access":                "http-request deny with an ACL",
	"client-certificate":    "bind … verify, and the samples ssl_c_*",
	"Member.retry":          "server … downinter",
	"failover":              "option redispatch, retries, retry-on",
	"health":                "option httpchk and http-check",
	"pool":                  "http-reuse, pool-max-conn, pool-purge-delay",
	"logging":               "log and log-format",
	"files":                 "a file server as a backend, or http-request return file for single files",
	"headers":               "http-request set-header, http-response set-header",
	"responses":             "http-error, http-response return",
	"rewrite":               "http-request set-path and replace-path",
	"environment":           "http-request set-var with an ACL",
	"limits":                "tune.bufsize, tune.http.maxhdr",
	"manager":               "stats uri",
	"TLS.SSLUseStapling":    "ocsp-update on (HAProxy 2.8)",
	"Server.TraceEnable":    "http-request deny if METH_TRACE",
	"Member.iobuffersize":   "tune.bufsize",
	"Member.acquire":        "timeout queue",
	"Balancer.growth":       "server-template",
	"Server.ErrorLog":       "log",
	"Balancer.failonstatus": "observe layer7, on-error",
}

func render(s *model.Setup, o target.Options) (*target.Result, error) {
	plans := plan.All(s)
	if len(plans) == 0 {
		return nil, errors.New("the setup has no httpd, so there is nothing that HAProxy could take over")
	}
	res := &target.Result{}
	unknown := plan.UnknownGuards(s)
	for _, p := range plans {
		l := ledger.New("HAProxy")
		l.Means(means)
		w := newWriter(p, l, o)
		w.unknown = unknown
		w.write()
		p.Mark(l)
		name := "haproxy.cfg"
		if len(plans) > 1 {
			name = fileName(p.Front.Name.V) + "/haproxy.cfg"
		}
		res.Files = append(res.Files, target.File{Name: name, Data: []byte(w.out.b.String())})
		res.Notes = append(res.Notes, l.Notes(p.Front)...)
	}
	res.Notes = append(res.Notes, plan.UnknownNotes(unknown)...)
	return res, nil
}

// fileName keeps letters, digits, - and _ of a front end's name.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if isAlnum(r) || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

// writer writes one front end.
type writer struct {
	plan    *plan.Plan
	l       *ledger.Ledger
	out     *text
	front   []*frontend
	names   map[string]bool
	stats   map[string]*statsPage // by what they show
	pages   []*statsPage
	unknown []model.Unmapped
	final   bool     // a rule that ends every request was written in it
	current string   // the frontend that is written
	pending []string // ACLs to be written before the next rule
	alias   map[*plan.Pool]string
	lists   map[string]string // ACLs of addresses, by frontend and addresses
}

// statsPage is a backend with a page of statistics.
type statsPage struct {
	name  string
	uri   string
	pools []*plan.Pool // nil: all
	at    diag.Span
	what  string
}

func newWriter(p *plan.Plan, l *ledger.Ledger, o target.Options) *writer {
	w := &writer{plan: p, l: l, out: &text{provenance: o.Provenance}, names: map[string]bool{}, stats: map[string]*statsPage{}}
	for _, pool := range p.Pools {
		w.names[pool.Name] = true
	}
	w.frontends()
	return w
}

func (w *writer) write() {
	backends := w.backends()
	w.global()
	w.defaults()
	for _, f := range w.front {
		w.frontend(f)
	}
	for _, p := range w.pages {
		w.statsBackend(p)
	}
	w.out.b.WriteString(backends)
}

// backends writes the pools. Virtual hosts that inherit a balancer have one each
// in the plan; those that come out alike are one backend.
func (w *writer) backends() string {
	out := w.out
	defer func() { w.out = out }()
	w.alias = map[*plan.Pool]string{}
	var all strings.Builder
	names := map[string]string{}
	for _, p := range w.usedPools() {
		w.out = &text{provenance: out.provenance}
		w.backend(p)
		_, body, _ := strings.Cut(w.out.b.String(), "\nbackend "+p.Name+"\n")
		key := body
		if b := p.Balancer; b != nil {
			key = b.Name.V + "\n" + body
		}
		if names[key] != "" {
			w.alias[p] = names[key]
			continue
		}
		names[key] = p.Name
		all.WriteString(w.out.b.String())
	}
	return all.String()
}

// backendName is the name of the backend for a pool.
func (w *writer) backendName(p *plan.Pool) string {
	if a := w.alias[p]; a != "" {
		return a
	}
	return p.Name
}

// usedPools lists the pools that some frontend leads to, in the plan's order.
func (w *writer) usedPools() []*plan.Pool {
	used := map[*plan.Pool]bool{}
	for _, f := range w.front {
		for _, s := range f.spots {
			if s.out.Kind == plan.Proxy {
				used[s.out.Pool] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(w.plan.Pools), func(p *plan.Pool) bool { return !used[p] })
}

func (w *writer) unique(name string) string {
	try := name
	for i := 2; w.names[try]; i++ {
		try = name + "_" + itoa(i)
	}
	w.names[try] = true
	return try
}

func (w *writer) global() {
	t := w.out
	t.b.WriteString("# Made by clowder from " + printable(w.sources()) + ".\n\n")
	t.b.WriteString("global\n")
	t.line(nowhere, "log stdout format raw local0")
	for _, f := range w.front {
		if f.delExt {
			t.line(nowhere, "ssl-load-extra-del-ext")
			break
		}
	}
}

// sources names the files of the front end.
func (w *writer) sources() string {
	if f := w.plan.Front.At.File; f != nil {
		return f.Name
	}
	if m := w.plan.Front.Main; m != nil && m.At.File != nil {
		return m.At.File.Name
	}
	return w.plan.Front.Name.V
}

// defaults writes what holds for all sections. HAProxy wants the three timeouts;
// httpd's Timeout is 60 s, KeepAliveTimeout 5 s without a word.
func (w *writer) defaults() {
	t, srv := w.out, w.plan.Front.Effective(nil)
	if len(w.plan.Sites) > 0 {
		srv = w.plan.Sites[0].Server
	}
	t.section("defaults")
	t.line(nowhere, "mode http")
	t.line(nowhere, "log global")
	t.line(nowhere, "option httplog")
	t.line(nowhere, "option dontlognull")
	t.line(srv.Timeout.Place(), "timeout client", duration(srv.Timeout.V))
	t.line(srv.Timeout.Place(), "timeout connect", duration(srv.Timeout.V))
	wait := srv.Timeout
	if srv.ProxyTimeout.IsSet() {
		wait = srv.ProxyTimeout
	}
	t.line(wait.Place(), "timeout server", duration(wait.V))
	if srv.KeepAlive.V {
		t.line(srv.KeepAliveTime.Place(), "timeout http-keep-alive", duration(srv.KeepAliveTime.V))
	} else {
		t.line(srv.KeepAlive.Place(), "option httpclose")
	}
	for _, s := range w.plan.Sites {
		for _, v := range []struct {
			same bool
			fact any
		}{
			{s.Server.Timeout.V == srv.Timeout.V, s.Server.Timeout},
			{s.Server.ProxyTimeout.Or(s.Server.Timeout.V) == wait.V, s.Server.ProxyTimeout},
			{s.Server.KeepAlive.V == srv.KeepAlive.V, s.Server.KeepAlive},
			{s.Server.KeepAliveTime.V == srv.KeepAliveTime.V, s.Server.KeepAliveTime},
		} {
			if v.same {
				w.l.Exact(v.fact)
			} else {
				w.l.Approx("it is the same for all virtual hosts: that of the first one", "a frontend of its own", v.fact)
			}
		}
	}
}
