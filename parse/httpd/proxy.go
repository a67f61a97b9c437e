package httpd

import (
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

const scheme = "balancer://"

// balancerName returns the name in balancer://NAME/path.
func balancerName(u string) (string, bool) {
	if len(u) < len(scheme) || !strings.EqualFold(u[:len(scheme)], scheme) {
		return "", false
	}
	name, _, _ := strings.Cut(u[len(scheme):], "/")
	return name, name != ""
}

// balancerKey is a balancer's server and its name in lower case.
type balancerKey struct {
	srv  *model.Server
	name string
}

// balancer finds or creates a balancer of the server; names compare without
// case, as ap_proxy_get_balancer in modules/proxy/proxy_util.c. A <Proxy> tag is
// its place even if a ProxyPass named it before.
func (l *lowerer) balancer(srv *model.Server, name string, at diag.Span, tag bool) *model.Balancer {
	if l.tagged == nil {
		l.tagged, l.balancers = map[*model.Balancer]bool{}, map[balancerKey]*model.Balancer{}
	}
	key := balancerKey{srv, strings.ToLower(name)}
	if b := l.balancers[key]; b != nil {
		if tag && !l.tagged[b] {
			b.At, b.Name = at, model.Is(name, at)
			l.tagged[b] = true
		}
		return b
	}
	l.spend(balancerBytes)
	b := &model.Balancer{At: at, Name: model.Is(name, at)}
	l.tagged[b] = tag
	l.balancers[key] = b
	srv.Balancers = append(srv.Balancers, b)
	return b
}

// worker finds the plain worker that serves the URL or creates one.
func (l *lowerer) worker(srv *model.Server, u string, at, line diag.Span) (w *model.Member, fresh bool) {
	if w := l.sharing(srv, srv.Workers, u); w != nil {
		return w, false
	}
	l.spend(memberBytes)
	w = &model.Member{At: line, URL: model.Is(u, at)}
	srv.Workers = append(srv.Workers, w)
	return w, true
}

// spend takes memory for an object of the model.
func (l *lowerer) spend(bytes int) {
	if !l.left.take(bytes) {
		l.left.left = 0 // reported with the next node
	}
}

// proxy handles the directives that make mappings, balancers and workers.
func (l *lowerer) proxy(n *Node, s *scope) bool {
	switch n.key() {
	case "proxypass", "proxypassmatch":
		l.pass(n, s)
	case "balancermember":
		l.member(n, s)
	case "proxyset":
		l.proxySet(n, s)
	default:
		return false
	}
	return true
}

func (l *lowerer) notHere(n *Node, s *scope, fix string) {
	l.report("H004", "directive-not-allowed-here", n.Span, "`%s` with a path is not allowed inside `<%s>`; %s", n.Name, s.sec.Kind.V, fix)
}

// pass lowers ProxyPass and ProxyPassMatch (add_pass in mod_proxy.c).
func (l *lowerer) pass(n *Node, s *scope) {
	m := &model.Mapping{At: n.Span}
	args := n.Args
	if n.Is("ProxyPassMatch") {
		m.Regex = model.Is(true, n.NameSpan())
	}
	if len(args) > 0 && args[0].Text == "~" && s.sec == nil {
		if m.Regex.V {
			l.bad(args[0].Span, "`ProxyPassMatch` takes no `~`: it is a regular expression already")
		}
		m.Regex = model.Is(true, args[0].Span)
		args = args[1:]
	}
	hasPath := s.sec == nil
	switch {
	case hasPath && len(args) < 2, len(args) < 1:
		l.bad(n.Span, "`%s` needs a path and a URL", n.Name)
		return
	case hasPath:
		m.Path = model.Is(args[0].Text, args[0].Span)
		args = args[1:]
		if m.Regex.V {
			l.regex(n, m.Path.Span, m.Path.V)
		}
	case len(args) > 1 && strings.HasPrefix(args[0].Text, "/") && !strings.Contains(args[1].Text, "=") && !isFlag(args[1].Text):
		l.notHere(n, s, "write `"+n.Name+" "+args[1].Text+"`, the path is that of the section")
		m.Path = model.Is(args[0].Text, args[0].Span)
		args, hasPath = args[1:], true
	default:
		m.Path = s.sec.Path
		if strings.ContainsAny(m.Path.V, "*?[") && !strings.HasSuffix(s.sec.Kind.V, "Match") {
			m.Regex.V = true // httpd takes the section's pattern for a regular expression
			l.regex(n, n.Span, m.Path.V)
		}
	}
	m.Target = model.Is(args[0].Text, args[0].Span)
	if s.inLocation() && !hasPath {
		s.sec.Mapping = m
	} else {
		s.srv.Mappings = append(s.srv.Mappings, m)
	}
	params := l.flags(n, m, args[1:])
	for _, a := range params {
		if !strings.Contains(a.Text, "=") {
			l.bad(a.Span, "`%s`: a parameter has the form key=value", a.Text)
			return
		}
	}
	if !m.Excludes() {
		l.target(n, s, m, params)
	}
}

func isFlag(w string) bool {
	return strings.EqualFold(w, "nocanon") || strings.EqualFold(w, "interpolate") || strings.EqualFold(w, "noquery")
}

// flags takes the bare keywords and mapping= out of the words behind the URL.
func (l *lowerer) flags(n *Node, m *model.Mapping, args []Arg) (params []Arg) {
	for _, a := range args {
		switch t := strings.ToLower(a.Text); {
		case t == "nocanon":
			m.Nocan = model.Is(true, a.Span)
		case t == "interpolate":
			m.Interp = model.Is(true, a.Span)
		case t == "noquery":
			m.NoQry = model.Is(true, a.Span)
		case strings.HasPrefix(t, "mapping="):
			if v := t[len("mapping="):]; v == "encoded" || v == "servlet" {
				m.Enc = model.Is(v, a.Span)
			} else {
				l.bad(a.Span, "`%s`: it must be encoded or servlet", a.Text)
			}
		default:
			params = append(params, a)
		}
	}
	return params
}

// target creates the balancer or worker that a mapping names.
func (l *lowerer) target(n *Node, s *scope, m *model.Mapping, params []Arg) {
	if name, ok := balancerName(m.Target.V); ok {
		if len(name)+len(scheme) >= 96 {
			l.bad(m.Target.Span, "the balancer's name is longer than 84 characters")
			return
		}
		l.parameters(n, s.srv, lastOfEach(params), l.balancer(s.srv, name, m.Target.Span, false), nil)
		return
	}
	if !l.absolute(n, m.Target, m.Regex.V || n.Is("ProxyPassMatch")) {
		return
	}
	w, fresh := l.worker(s.srv, m.Target.V, m.Target.Span, n.Span)
	if fresh {
		l.parameters(n, s.srv, lastOfEach(params), nil, w)
	} else {
		l.ignored(params, w)
	}
}

// ignored lists parameters that httpd drops without a look, because an earlier
// worker serves the URL (AH01145, AH01146).
func (l *lowerer) ignored(params []Arg, w *model.Member) {
	for _, a := range params {
		key, _, _ := strings.Cut(a.Text, "=")
		l.unheld(a.Span, "parameter "+key+", which httpd ignores: the worker is that of "+w.At.Short())
	}
}

// absolute checks the form of a worker's URL as ap_proxy_define_worker in
// proxy_util.c and apr_uri_parse do; that of a regular expression may hold $1.
func (l *lowerer) absolute(n *Node, v model.String, match bool) bool {
	u := v.V
	if len(u) > 5 && strings.EqualFold(u[:5], "unix:") && strings.Contains(u, "|") {
		if _, rest, _ := strings.Cut(u, "|"); !strings.Contains(rest, ":") {
			l.bad(v.Span, "`%s`: a unix: target has the form unix:/path|scheme://host/", u)
			return false
		}
		return true
	}
	problem := urlProblem(u)
	if k := strings.IndexByte(u, '$'); problem != "" && match && k >= 0 {
		problem = urlProblem(u[:k])
	}
	if problem != "" {
		l.bad(v.Span, "`%s %s`: %s", n.Name, u, problem)
	}
	return problem == ""
}

// urlProblem says what is wrong with an absolute URL, "" when nothing is.
func urlProblem(u string) string {
	const what = "the URL must be absolute, with scheme and host, such as http://host:port/"
	k := strings.Index(u, "://")
	if k < 1 || !isURL(u) || !isLetter(u[0]) {
		return what
	}
	host := u[k+3:]
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	host = host[strings.LastIndexByte(host, '@')+1:]
	port := ""
	if strings.HasPrefix(host, "[") {
		i := strings.IndexByte(host, ']')
		if i < 0 || i+1 < len(host) && host[i+1] != ':' {
			return "the address lacks its closing bracket"
		}
		host, port = host[:i+1], strings.TrimPrefix(host[i+1:], ":")
	} else if i := strings.IndexByte(host, ':'); i >= 0 {
		host, port = host[:i], host[i+1:]
	}
	switch {
	case strings.Trim(port, "0123456789") != "":
		return "the port is no number"
	case host == "":
		return what
	case len(host) > 255:
		return "the host's name is longer than 255 characters"
	}
	return ""
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// lastOfEach keeps the last word for each key: ProxyPass and BalancerMember
// collect words in a table before they look at them.
func lastOfEach(args []Arg) []Arg {
	var out []Arg
	for i, a := range args {
		key, _, ok := strings.Cut(a.Text, "=")
		later := false
		for _, b := range args[i+1:] {
			k, _, ok2 := strings.Cut(b.Text, "=")
			later = later || ok && ok2 && strings.EqualFold(k, key)
		}
		if !later {
			out = append(out, a)
		}
		if i > 200 {
			return append(out, args[i+1:]...)
		}
	}
	return out
}

// parameters sets key=value words on a balancer, else on a worker.
func (l *lowerer) parameters(n *Node, srv *model.Server, args []Arg, b *model.Balancer, w *model.Member) {
	for _, a := range args {
		key, val, ok := strings.Cut(a.Text, "=")
		if !ok {
			l.bad(a.Span, "`%s`: a parameter has the form key=value", a.Text)
			continue
		}
		p := param{strings.ToLower(key), val, a.Span}
		var bad string
		var known bool
		if b != nil {
			bad, known = setBalancer(b, p)
		} else {
			bad, known = setWorker(w, p)
			l.healthRef(srv, p, w)
		}
		switch {
		case !known:
			l.unknown(n, key, a.Span, b != nil)
		case bad != "":
			if p.key == "secret" || p.key == "nonce" {
				val = "..."
			}
			l.bad(a.Span, "`%s=%s`: %s", key, val, bad)
		}
	}
}

// unknown reports a parameter name, with the nearest one when it is near.
func (l *lowerer) unknown(n *Node, key string, at diag.Span, balancer bool) {
	d := diag.Diagnostic{ID: "H005", Name: "unknown-worker-parameter", Severity: diag.Error, Confidence: diag.Certain, Span: at}
	list, other := workerParams, balancerParams
	d.Message = "unknown parameter `" + key + "` for " + n.Name
	if balancer {
		d.ID, d.Name = "H006", "unknown-balancer-parameter"
		list, other = other, list
		d.Message = "unknown balancer parameter `" + key + "`"
	}
	near := diag.Suggest(key, list)
	elsewhere := false
	for _, o := range other {
		elsewhere = elsewhere || strings.EqualFold(o, key)
	}
	switch {
	case elsewhere && balancer:
		d.Message += "; it belongs to a member: move it to BalancerMember"
	case elsewhere:
		d.Message += "; it belongs to the balancer: move it to ProxySet or ProxyPass"
	case near != "":
		d.Message += "; did you mean `" + near + "`?"
		edit := at
		edit.End = edit.Start + int32(len(key))
		if edit.Text() == key {
			d.Fixes = []diag.Fix{{Message: "write `" + near + "`", Edits: []diag.Edit{{Span: edit, New: near}}}}
		}
	}
	l.diags.Add(d)
}

// member lowers BalancerMember (add_member in mod_proxy.c).
func (l *lowerer) member(n *Node, s *scope) {
	var words, params []Arg
	for _, a := range n.Args {
		if strings.Contains(a.Text, "=") {
			params = append(params, a)
		} else {
			words = append(words, a)
		}
	}
	name, at := "", n.Span
	if s.sec != nil {
		name, at = s.sec.Path.V, s.sec.At
	} else if len(words) > 0 {
		name, at = words[0].Text, words[0].Span
		words = words[1:]
	}
	switch {
	case name == "":
		l.bad(n.Span, "`BalancerMember` outside of `<Proxy>` needs the balancer's URL first")
		return
	case len(words) == 0:
		l.bad(n.Span, "`BalancerMember` needs the URL of a backend")
		return
	case len(words) > 1:
		l.bad(words[1].Span, "`%s`: a parameter has the form key=value", words[1].Text)
	}
	bname, ok := balancerName(name)
	if k := strings.Index(name, "://"); !ok && (k < 1 || k+3 == len(name)) {
		l.bad(n.Span, "`BalancerMember`: `%s` is no balancer; its form is balancer://name", name)
		return
	} else if !ok {
		bname = name[k+3:] // httpd makes a balancer that nothing can name
	}
	v := model.Is(words[0].Text, words[0].Span)
	if !l.absolute(n, v, false) {
		return
	}
	b := l.balancer(s.srv, bname, at, false)
	m := &model.Member{At: n.Span, URL: v}
	l.parameters(n, s.srv, lastOfEach(params), nil, m)
	if old := l.sharing(b, b.Members, v.V); old != nil {
		l.unheld(n.Span, "BalancerMember, which adds none: the URL belongs to the member of "+old.At.Short())
		l.ignored(params, old)
		return
	}
	l.spend(memberBytes)
	b.Members = append(b.Members, m)
}

// proxySet lowers ProxySet (set_proxy_param in mod_proxy.c).
func (l *lowerer) proxySet(n *Node, s *scope) {
	args := n.Args
	var name model.String
	if s.sec != nil {
		name = s.sec.Path
	} else if len(args) > 0 {
		name = model.Is(args[0].Text, args[0].Span)
		args = args[1:]
	}
	if bname, ok := balancerName(name.V); ok {
		if b := l.balancers[balancerKey{s.srv, strings.ToLower(bname)}]; b != nil {
			l.parameters(n, s.srv, args, b, nil)
			return
		}
		if l.c.HasIncludesUnresolved {
			l.parameters(n, s.srv, args, l.balancer(s.srv, bname, name.Span, false), nil)
			return
		}
		l.bad(n.Span, "`ProxySet` finds no balancer `%s` before this line", name.V)
		return
	}
	if !l.absolute(n, model.Is(name.V, n.Span), false) {
		return
	}
	w := l.sharing(s.srv, s.srv.Workers, name.V)
	if w == nil && s.sec == nil && !l.c.HasIncludesUnresolved {
		l.bad(n.Span, "`ProxySet` finds no worker `%s` before this line", name.V)
		return
	}
	if w == nil {
		w, _ = l.worker(s.srv, name.V, name.Span, n.Span)
	}
	l.parameters(n, s.srv, args, nil, w)
}
