package httpd

import (
	"strings"

	"clowder/parse/model"
)

// healthNames are what ProxyHCTemplate and ProxyHCExpr named in one server: a
// virtual host does not know those of the main server.
type healthNames struct {
	templates map[string]*template
	exprs     map[string]bool
}

// template is one ProxyHCTemplate.
type template struct {
	line *Node
	srv  *model.Server
	used bool
}

func (l *lowerer) healthOf(srv *model.Server) *healthNames {
	h := l.health[srv]
	if h == nil {
		h = &healthNames{templates: map[string]*template{}, exprs: map[string]bool{}}
		if l.health == nil {
			l.health = map[*model.Server]*healthNames{}
		}
		l.health[srv] = h
	}
	return h
}

// healthCheck lowers ProxyHCTemplate and ProxyHCExpr of mod_proxy_hcheck.c: the
// values of a template go into the members that name it.
func (l *lowerer) healthCheck(n *Node, s *scope) bool {
	switch n.key() {
	case "proxyhctemplate":
		if len(n.Args) == 0 {
			l.bad(n.Span, "`ProxyHCTemplate` needs a name")
			return true
		}
		t := &template{line: n, srv: s.srv}
		l.healthOf(s.srv).templates[n.Arg(0)] = t
		l.templates = append(l.templates, t)
		for _, a := range n.Args[1:] {
			if !strings.HasPrefix(strings.ToLower(a.Text), "hc") && strings.Contains(a.Text, "=") {
				l.bad(a.Span, "`%s`: a template holds health check parameters only", a.Text)
			}
		}
		l.parameters(n, s.srv, n.Args[1:], nil, &model.Member{})
		return true
	case "proxyhcexpr":
		text, ok := exprBody(n)
		switch {
		case len(n.Args) == 0 || strings.Trim(text, "{} ") == "":
			l.bad(n.Span, "`ProxyHCExpr` needs a name and an expression")
			return false
		case len(n.Arg(0)) > 15:
			l.bad(n.Args[0].Span, "`ProxyHCExpr`: the name is longer than 15 characters")
		case !ok:
			l.bad(n.Span, "`ProxyHCExpr`: nothing may follow the expression")
		default:
			if strings.HasPrefix(text, "{") {
				text = strings.TrimSuffix(text[1:], "}")
			}
			l.expr(n, n.Span, text)
		}
		l.healthOf(s.srv).exprs[n.Arg(0)] = true
	}
	return false // the text of an expression is not in the model
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
func (l *lowerer) healthRef(srv *model.Server, p param, m *model.Member) {
	switch p.key {
	case "hctemplate":
		var t *template
		ok := false
		if h := l.health[srv]; h != nil {
			t, ok = h.templates[p.val]
		}
		if !ok && !l.c.HasIncludesUnresolved {
			l.bad(p.at, "`%s=%s`: no ProxyHCTemplate of that name stands before this line in the same server", p.key, p.val)
		}
		if !ok {
			return
		}
		t.used = true
		// A template has every value, those it does not name as well: what stood
		// before it on the line does not count (tried with httpd 2.4.71).
		m.HCMethod, m.HCURI, m.HCExpr = model.String{}, model.String{}, model.String{}
		m.HCInterval, m.HCPasses, m.HCFails = model.Duration{}, model.Int{}, model.Int{}
		for _, a := range t.line.Args[1:] {
			if key, val, ok := strings.Cut(a.Text, "="); ok && !strings.EqualFold(key, "hctemplate") {
				setWorker(m, param{strings.ToLower(key), val, a.Span})
			}
		}
	case "hcexpr":
		if h := l.health[srv]; (h == nil || !h.exprs[p.val]) && !l.c.HasIncludesUnresolved {
			l.bad(p.at, "`%s=%s`: no ProxyHCExpr of that name stands before this line in the same server", p.key, p.val)
		}
	}
}
