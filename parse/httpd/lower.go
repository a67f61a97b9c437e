package httpd

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// Lower executes the expanded configuration as httpd's second phase does and
// fills the model. It never stops: a wrong value is a finding, a directive that
// the model does not hold is listed as unmapped. Values that nobody wrote carry
// httpd's defaults.
func Lower(c *Config) (*model.FrontEnd, []model.Unmapped, diag.List) {
	f := &model.FrontEnd{Main: &model.Server{}}
	if len(c.Files) > 0 {
		f.At = diag.At(c.Files[0], 0, 0)
		f.Main.At = f.At
	}
	l := &lowerer{c: c, f: f, foreign: c.hasForeignModule(), left: c.left}
	l.nodes(c.Nodes, &scope{srv: f.Main})
	for _, t := range l.templates {
		if !t.used {
			l.skip(t.line, &scope{srv: t.srv}) // the values of the others are in the members
		}
	}
	f.ApplyDefaults()
	return f, l.unmapped, l.diags
}

type lowerer struct {
	c        *Config
	f        *model.FrontEnd
	unmapped []model.Unmapped
	diags    diag.List
	tagged   map[*model.Balancer]bool // defined by a <Proxy> tag

	balancers map[balancerKey]*model.Balancer
	indexes   map[any]*workerIndex // of long lists, by their server or balancer

	health    map[*model.Server]*healthNames
	templates []*template // of all servers

	providers map[string]bool // of <AuthzProviderAlias>
	methods   map[string]bool // named by <Limit>
	foreign   bool            // a module that is not httpd's is loaded
	left      budget          // for the model
	full      bool            // nothing is left
	around    around
	regexes   map[string]bool // whether they compile
	aside     int             // inside sections that the model does not hold
}

// scope is where a directive stands.
type scope struct {
	srv *model.Server
	sec *model.Section // nil outside of Location and Proxy sections
	req *model.Require // the innermost <RequireAny|All|None>
}

func (s *scope) settings() *model.Settings {
	if s.sec != nil {
		return &s.sec.Settings
	}
	return &s.srv.Settings
}

func (s *scope) inLocation() bool {
	return s.sec != nil && strings.HasPrefix(s.sec.Kind.V, "Location")
}

func (l *lowerer) nodes(nodes []*Node, s *scope) {
	for _, n := range nodes {
		if !l.room(n) {
			return
		}
		if n.Kind == Section {
			l.section(n, s)
			continue
		}
		if problem := l.c.argProblem(n); problem != "" {
			l.bad(n.Span, "`%s` %s", n.Name, problem)
			continue
		}
		l.check(n, s)
		if l.aside > 0 && pathTakers[n.key()] {
			continue // its place is refused already
		}
		if !l.structure(n, s) && !l.server(n, s) && !l.limits(n, s) && !l.setting(n, s) && !l.access(n, s) && !l.proxy(n, s) && !l.healthCheck(n, s) && !l.rewrite(n, s) {
			l.skip(n, s)
		}
	}
}

// room takes the memory for what the model holds of a node, without what is in
// it. When that is more than the configuration explains it is a finding, and
// nothing more is taken into the model.
func (l *lowerer) room(n *Node) bool {
	if !l.full && (l.left.left == 0 || !l.left.take(modelBytes(n))) {
		if l.full = true; l.left.told {
			return false // said when the files were read
		}
		l.report("H001", "httpd-syntax", n.Span, "the configuration makes more servers, sections, balancers and members than its size explains; what follows was not taken into the model")
	}
	return !l.full
}

// skip lists a directive, or a section with all that stands in it, as not held by
// a field of the model.
func (l *lowerer) skip(n *Node, s *scope) {
	l.skipIn(n, "")
	l.keep(n, s)
}

func (l *lowerer) skipIn(n *Node, where string) {
	if l.aside > 0 || l.left.left == 0 {
		return // listed with the section around it
	}
	what := n.Name
	if n.Kind == Section {
		what = "<" + n.Name + ">"
	}
	l.unheld(n.Span, what+where)
	if len(n.Children) == 0 {
		return
	}
	where = " in <" + n.Name[:min(len(n.Name), 100)] + ">"
	for _, c := range n.Children {
		l.skipIn(c, where)
	}
}

// unheld lists something as not held by the model.
func (l *lowerer) unheld(at diag.Span, what string) {
	if l.aside == 0 {
		if l.left.take(unmappedBytes + len(what)) {
			l.unmapped = append(l.unmapped, model.Unmapped{Span: at, What: what})
		} else {
			l.left.left = 0 // reported with the next node
		}
	}
}

func (l *lowerer) report(id, name string, at diag.Span, format string, args ...any) {
	if len(l.diags) < 10000 {
		l.diags.Add(diag.Diagnostic{ID: id, Name: name, Severity: diag.Error, Confidence: diag.Certain, Span: at, Message: fmt.Sprintf(format, args...)})
	}
}

// bad reports a value that httpd refuses.
func (l *lowerer) bad(at diag.Span, format string, args ...any) {
	l.report("H007", "bad-parameter-value", at, format, args...)
}

func (l *lowerer) section(n *Node, s *scope) {
	switch name := n.key(); name {
	case "virtualhost":
		srv := &model.Server{At: n.Span}
		for _, a := range n.Args {
			srv.Addresses = append(srv.Addresses, model.Is(a.Text, a.Span))
		}
		l.f.VHosts = append(l.f.VHosts, srv)
		l.nodes(n.Children, &scope{srv: srv})
	case "location", "locationmatch", "proxy", "proxymatch":
		l.area(n, s)
	case "requireall", "requireany", "requirenone":
		g := &model.Require{At: n.Span, Group: model.Is(name[len("require"):], n.NameSpan())}
		l.require(s, n, g)
		l.nodes(n.Children, &scope{srv: s.srv, sec: s.sec, req: g})
	default:
		if name == "authzprovideralias" && len(n.Args) > 1 {
			if l.providers == nil {
				l.providers = map[string]bool{}
			}
			l.providers[strings.ToLower(n.Arg(1))] = true
		}
		if name == "limit" || name == "limitexcept" {
			for _, a := range n.Args { // a new name becomes a method that httpd knows
				if l.methods == nil {
					l.methods = map[string]bool{}
				}
				l.methods[strings.ToLower(a.Text)] = true
			}
		}
		l.skip(n, s)
		if len(n.Children) == 0 {
			return
		}
		outer := l.around
		l.around = outer.inside(n)
		l.aside++
		l.nodes(n.Children, &scope{srv: &model.Server{}, sec: &model.Section{At: n.Span, Kind: model.Is(n.Name, n.NameSpan())}})
		l.aside--
		l.around = outer
	}
}

// area lowers a Location or Proxy section.
func (l *lowerer) area(n *Node, s *scope) {
	kind := map[string]string{"location": "Location", "locationmatch": "LocationMatch", "proxy": "Proxy", "proxymatch": "ProxyMatch"}[n.key()]
	sec := &model.Section{At: n.Span, Kind: model.Is(kind, n.NameSpan())}
	args := n.Args
	if len(args) > 1 && args[0].Text == "~" {
		sec.Kind.V = strings.TrimSuffix(kind, "Match") + "Match"
		args = args[1:]
	}
	if len(args) > 0 {
		sec.Path = model.Is(strings.TrimPrefix(args[0].Text, "proxy:"), args[0].Span)
		if !strings.HasPrefix(kind, "Proxy") {
			sec.Path.V = args[0].Text
		}
	}
	s.srv.Sections = append(s.srv.Sections, sec)
	if sec.Kind.V == "Proxy" && !strings.ContainsAny(sec.Path.V, "*?[") {
		if name, ok := balancerName(sec.Path.V); ok {
			b := l.balancer(s.srv, name, n.Span, true)
			if b.At == n.Span {
				b.Name.Span = sec.Path.Span
			}
			l.parameters(n, s.srv, args[1:], b, nil)
		} else if len(args) > 1 {
			w, _ := l.worker(s.srv, sec.Path.V, args[0].Span, n.Span)
			l.parameters(n, s.srv, args[1:], nil, w)
		}
	}
	l.nodes(n.Children, &scope{srv: s.srv, sec: sec})
}

// structure handles what belongs to the whole front end.
func (l *lowerer) structure(n *Node, s *scope) bool {
	switch n.key() {
	case "serverroot":
		text(&l.f.ServerRoot, n)
	case "listen":
		l.listen(n)
	case "loadmodule":
		m := &model.Module{At: n.Span}
		text(&m.Name, n)
		if len(n.Args) > 1 {
			m.File = model.Is(n.Args[1].Text, n.Args[1].Span)
		}
		l.f.Modules = append(l.f.Modules, m)
	default:
		return false
	}
	return true
}

// listen reads [address:]port [protocol], as ap_set_listener in server/listen.c.
func (l *lowerer) listen(n *Node) {
	if len(n.Args) == 0 || len(n.Args) > 2 {
		l.bad(n.Span, "`Listen` takes a port and a protocol")
		return
	}
	li := &model.Listen{At: n.Span}
	a := n.Args[0]
	host, port := "", a.Text
	if k := strings.LastIndexByte(a.Text, ':'); k >= 0 {
		host, port = a.Text[:k], a.Text[k+1:]
	}
	num, err := strconv.Atoi(port)
	if err != nil || num < 1 || num > 65535 {
		l.bad(a.Span, "`Listen %s`: the port must be a number from 1 to 65535", a.Text)
		return
	}
	li.Port = model.Is(num, a.Span)
	if host != "" && host != "*" {
		li.Address = model.Is(strings.Trim(host, "[]"), a.Span)
		if strings.HasPrefix(host, "[") && net.ParseIP(li.Address.V) == nil {
			l.bad(a.Span, "`Listen %s`: `%s` is no IPv6 address", a.Text, host)
		}
	}
	if len(n.Args) > 1 {
		li.Protocol = model.Is(n.Args[1].Text, n.Args[1].Span)
	}
	l.f.Listens = append(l.f.Listens, li)
}

// server handles the single values and lists of a server.
func (l *lowerer) server(n *Node, s *scope) bool {
	if s.sec != nil {
		return false // UseCanonicalName and some of mod_ssl's; the model has them for servers
	}
	srv := s.srv
	switch n.key() {
	case "servername":
		text(&srv.ServerName, n)
	case "serveralias":
		srv.Aliases = slices.Grow(srv.Aliases, len(n.Args))
		for _, a := range n.Args {
			srv.Aliases = append(srv.Aliases, model.Is(a.Text, a.Span))
		}
	case "documentroot":
		text(&srv.DocRoot, n)
	case "serveradmin":
		text(&srv.Admin, n)
	case "timeout":
		l.time(&srv.Timeout, n)
	case "proxytimeout":
		l.time(&srv.ProxyTimeout, n)
	case "keepalivetimeout":
		l.time(&srv.KeepAliveTime, n)
	case "proxyrequests":
		l.flag(&srv.ProxyRequests, n)
	case "balancerinherit":
		l.flag(&srv.BalancerInherit, n)
	case "proxypassinherit":
		l.flag(&srv.PassInherit, n)
	case "keepalive":
		l.flag(&srv.KeepAlive, n)
	case "mergeslashes":
		l.flag(&srv.MergeSlashes, n)
	case "proxyvia":
		l.oneOf(&srv.ProxyVia, n, "off on full block")
	case "proxystatus":
		l.oneOf(&srv.ProxyStatus, n, "off on full")
	case "proxybadheader":
		l.oneOf(&srv.ProxyBadHeader, n, "IsError Ignore StartBody")
	case "usecanonicalname":
		l.oneOf(&srv.CanonicalName, n, "off on dns")
	case "allowencodedslashes":
		l.oneOf(&srv.EncodedSlashes, n, "off on nodecode")
	case "traceenable":
		l.oneOf(&srv.TraceEnable, n, "off on extended")
	case "proxyiobuffersize":
		l.number(&srv.IOBufferSize, n, 512)
	case "proxyreceivebuffersize":
		l.number(&srv.RecvBufferSize, n, 512)
	case "proxymaxforwards":
		if len(n.Args) > 0 {
			srv.MaxForwards = model.Is(atoi(n.Arg(0)), n.Args[0].Span)
		}
	case "errorlog":
		text(&srv.ErrorLog, n)
	case "customlog", "transferlog", "logformat":
		l.log(srv, n)
	default:
		return l.tls(n, s) || l.pathAlias(n, srv)
	}
	return true
}

// log takes CustomLog, TransferLog and LogFormat (mod_log_config.c).
func (l *lowerer) log(srv *model.Server, n *Node) {
	most := 2
	switch {
	case n.Is("CustomLog"):
		most = 3
	case n.Is("TransferLog"):
		most = 1
	}
	if len(n.Args) < 1 || len(n.Args) > most || n.Is("CustomLog") && len(n.Args) < 2 {
		l.bad(n.Span, "`%s`: wrong number of words; put a format in quotes if it holds blanks", n.Name)
		return
	}
	lg := &model.Log{At: n.Span}
	arg := func(v *model.String, i int) {
		if i < len(n.Args) {
			*v = model.Is(n.Args[i].Text, n.Args[i].Span)
		}
	}
	if n.Is("LogFormat") {
		arg(&lg.Format, 0)
		arg(&lg.Name, 1)
		srv.LogFormats = append(srv.LogFormats, lg)
		return
	}
	arg(&lg.File, 0)
	arg(&lg.Format, 1)
	arg(&lg.Cond, 2)
	if c := strings.ToLower(lg.Cond.V); len(n.Args) == 3 && (!strings.HasPrefix(c, "env=") && !strings.HasPrefix(c, "expr=") || c == "env=" || c == "env=!" || c == "expr=") {
		l.bad(n.Args[2].Span, "`%s`: the condition of a log must be env=NAME, env=!NAME or expr=EXPRESSION", n.Arg(2))
		return
	}
	srv.CustomLogs = append(srv.CustomLogs, lg)
}

// text sets the value to the first argument.
func text(v *model.String, n *Node) {
	if len(n.Args) > 0 {
		*v = model.Is(n.Args[0].Text, n.Args[0].Span)
	}
}

// one reports whether the directive has exactly one argument that is not empty.
func (l *lowerer) one(n *Node) bool {
	if len(n.Args) == 1 && n.Arg(0) != "" {
		return true
	}
	l.bad(n.Span, "`%s` takes one argument", n.Name)
	return false
}

func (l *lowerer) time(v *model.Duration, n *Node) {
	if !l.one(n) {
		return
	}
	d, ok := parseTime(n.Arg(0), time.Second)
	if !ok {
		d = time.Duration(atoi(n.Arg(0))) * time.Second
	}
	if d < 0 || d < time.Second && n.Is("ProxyTimeout") {
		l.bad(n.Args[0].Span, "`%s %s`: the time must be at least one second", n.Name, n.Arg(0))
		return
	}
	*v = model.Is(d, n.Args[0].Span)
}

func (l *lowerer) flag(v *model.Bool, n *Node) {
	on, ok := onOff(n.Arg(0))
	if !ok {
		l.bad(n.Span, "`%s` must be On or Off", n.Name)
		return
	}
	*v = model.Is(on, n.Args[0].Span)
}

// oneOf sets a value out of a list of words; case does not matter.
func (l *lowerer) oneOf(v *model.String, n *Node, list string) {
	if !l.one(n) {
		return
	}
	for _, w := range strings.Fields(list) {
		if strings.EqualFold(w, n.Arg(0)) {
			*v = model.Is(n.Arg(0), n.Args[0].Span)
			return
		}
	}
	l.bad(n.Args[0].Span, "`%s %s`: it must be one of %s", n.Name, n.Arg(0), strings.ReplaceAll(list, " ", ", "))
}

func (l *lowerer) number(v *model.Int, n *Node, least int) {
	if !l.one(n) {
		return
	}
	x := atoi(n.Arg(0))
	if x != 0 && x < least {
		l.bad(n.Args[0].Span, "`%s %s`: it must be at least %d, or 0 for the default", n.Name, n.Arg(0), least)
		return
	}
	*v = model.Is(x, n.Args[0].Span)
}
