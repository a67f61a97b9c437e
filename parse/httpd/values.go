package httpd

import (
	"strings"

	"clowder/parse/model"
)

// health lowers ProxyHCTemplate and ProxyHCExpr of mod_proxy_hcheck.c: the
// values of a template go into the members that name it.
func (l *lowerer) health(n *Node) bool {
	switch n.key() {
	case "proxyhctemplate":
		if len(n.Args) == 0 || strings.Contains(n.Arg(0), "=") {
			l.bad(n.Span, "`ProxyHCTemplate` needs a name")
			return true
		}
		if l.templates == nil {
			l.templates = map[string][]Arg{}
		}
		l.templates[n.Arg(0)] = n.Args[1:]
		for _, a := range n.Args[1:] {
			if !strings.HasPrefix(strings.ToLower(a.Text), "hc") && strings.Contains(a.Text, "=") {
				l.bad(a.Span, "`%s`: a template holds health check parameters only", a.Text)
			}
		}
		l.parameters(n, n.Args[1:], nil, &model.Member{})
	case "proxyhcexpr":
		text, ok := exprBody(n)
		switch {
		case len(n.Args) == 0 || text == "":
			l.bad(n.Span, "`ProxyHCExpr` needs a name and an expression")
		case len(n.Arg(0)) > 15:
			l.bad(n.Args[0].Span, "`ProxyHCExpr`: the name is longer than 15 characters")
		case !ok:
			l.bad(n.Span, "`ProxyHCExpr`: nothing may follow the expression")
		}
		if l.exprs == nil {
			l.exprs = map[string]bool{}
		}
		l.exprs[n.Arg(0)] = true
		return false // its text is not in the model
	default:
		return false
	}
	return true
}

// exprBody returns the expression behind the name, {…} with nested brackets as
// ap_getword_conf2 reads it, and whether nothing follows.
func exprBody(n *Node) (string, bool) {
	if len(n.Args) < 2 {
		return "", true
	}
	raw := n.Text()
	i := strings.IndexByte(raw, '{')
	if !strings.HasPrefix(n.Arg(1), "{") || i < 0 {
		return n.Arg(1), len(n.Args) == 2
	}
	depth := 0
	for k := i; k < len(raw); k++ {
		switch raw[k] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return raw[i : k+1], strings.TrimSpace(raw[k+1:]) == ""
			}
		}
	}
	return raw[i:], true
}

// healthRef follows hctemplate= and checks hcexpr=.
func (l *lowerer) healthRef(p param, m *model.Member) {
	switch p.key {
	case "hctemplate":
		t, ok := l.templates[p.val]
		if !ok && !l.c.HasIncludesUnresolved {
			l.bad(p.at, "`%s=%s`: no ProxyHCTemplate of that name stands before this line", p.key, p.val)
		}
		for _, a := range t {
			if key, val, ok := strings.Cut(a.Text, "="); ok && !strings.EqualFold(key, "hctemplate") {
				setWorker(m, param{strings.ToLower(key), val, a.Span})
			}
		}
	case "hcexpr":
		if !l.exprs[p.val] && !l.c.HasIncludesUnresolved {
			l.bad(p.at, "`%s=%s`: no ProxyHCExpr of that name stands before this line", p.key, p.val)
		}
	}
}

var logLevels = names(`emerg alert crit error warn notice info debug trace1 trace2 trace3 trace4 trace5 trace6 trace7 trace8`)

// plain checks values of directives that the model does not hold, or holds as
// they are written.
func (l *lowerer) plain(n *Node) {
	switch n.key() {
	case "serveradmin", "errorlog", "documentroot":
		l.one(n)
	case "balancergrowth":
		if l.one(n) && (atoi(n.Arg(0)) < 0 || atoi(n.Arg(0)) > 1000) {
			l.bad(n.Span, "`BalancerGrowth %s`: it must be from 0 to 1000", n.Arg(0))
		}
	case "proxydomain":
		if l.one(n) && !strings.HasPrefix(n.Arg(0), ".") {
			l.bad(n.Span, "`ProxyDomain %s`: the name must begin with a dot", n.Arg(0))
		}
	case "proxyhctpsize":
		if l.one(n) && atoi(n.Arg(0)) < 0 {
			l.bad(n.Span, "`ProxyHCTPsize %s`: it must be 0 or more", n.Arg(0))
		}
	case "allowconnect":
		for _, a := range n.Args {
			if a.Text == "" || strings.Trim(a.Text, "0123456789-") != "" {
				l.bad(a.Span, "`AllowCONNECT %s`: ports must be numbers", a.Text)
			}
		}
	case "servername":
		if !l.one(n) {
			return
		}
		name := n.Arg(0)
		if k := strings.LastIndexByte(name, ':'); k >= 0 && !strings.HasSuffix(name, "]") {
			if p := name[k+1:]; !strings.HasPrefix(p, "//") && (atoi(p) < 1 || atoi(p) > 65535) {
				l.bad(n.Args[0].Span, "`ServerName %s`: the port must be from 1 to 65535", name)
			}
		}
	case "loglevel":
		for _, a := range n.Args {
			word := a.Text[strings.LastIndexByte(a.Text, ':')+1:]
			if !logLevels[strings.ToLower(word)] {
				l.bad(a.Span, "`LogLevel %s`: the level must be emerg, alert, crit, error, warn, notice, info, debug or trace1 to trace8", a.Text)
			}
		}
	case "setenvif", "setenvifnocase":
		if len(n.Args) > 1 && !compiles(n.Arg(1)) {
			l.bad(n.Args[1].Span, "`%s`: `%s` is no regular expression", n.Name, n.Arg(1))
		}
	}
}
