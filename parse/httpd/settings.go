package httpd

import (
	"net"
	"strings"

	"clowder/parse/model"
)

// setting handles the per-directory directives of [model.Settings].
func (l *lowerer) setting(n *Node, s *scope) bool {
	st := s.settings()
	switch n.key() {
	case "sethandler":
		if l.one(n) {
			text(&st.Handler, n)
		}
	case "proxypreservehost":
		l.flag(&st.PreserveHost, n)
	case "proxyaddheaders":
		l.flag(&st.AddHeaders, n)
	case "proxy100continue":
		l.flag(&st.Continue100, n)
	case "proxypassinterpolateenv":
		l.flag(&st.InterpolEnv, n)
	case "proxyerroroverride":
		l.errorOverride(&st.ErrorOverride, n)
	case "proxypassreverse":
		l.reverse(n, s)
	case "proxypassreversecookiepath":
		l.cookieRule(&st.CookiePaths, n)
	case "proxypassreversecookiedomain":
		l.cookieRule(&st.CookieDomains, n)
	case "header", "requestheader":
		l.header(st, n)
	case "setenv", "unsetenv", "setenvif", "setenvifnocase", "browsermatch", "browsermatchnocase":
		e := &model.Env{At: n.Span, Directive: model.Is(n.Name, n.NameSpan())}
		for _, a := range n.Args {
			e.Args = append(e.Args, model.Is(a.Text, a.Span))
		}
		st.SetEnv = append(st.SetEnv, e)
	case "errordocument":
		l.errorDocument(st, n)
	default:
		return false
	}
	return true
}

func (l *lowerer) errorOverride(v *model.String, n *Node) {
	on, ok := onOff(n.Arg(0))
	if !ok {
		l.bad(n.Span, "`ProxyErrorOverride` must begin with On or Off")
		return
	}
	for _, a := range n.Args[1:] {
		c := atoi(a.Text)
		if !on || c < 400 || c >= 600 {
			l.bad(a.Span, "`ProxyErrorOverride %s`: after On may stand status codes from 400 to 599", n.Text())
			return
		}
	}
	*v = model.Is(strings.Join(argTexts(n.Args), " "), n.RawArgs())
}

func argTexts(args []Arg) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a.Text
	}
	return out
}

// reverse lowers ProxyPassReverse; in a Location the path is the section's.
func (l *lowerer) reverse(n *Node, s *scope) {
	r := &model.Reverse{At: n.Span}
	args := n.Args
	if k := len(args); k > 1 && strings.EqualFold(args[k-1].Text, "interpolate") {
		args = args[:k-1]
	}
	switch {
	case len(args) >= 2:
		if s.sec != nil {
			l.notHere(n, s, "leave out the path")
		}
		r.From, r.To = model.Is(args[0].Text, args[0].Span), model.Is(args[1].Text, args[1].Span)
	case len(args) == 1 && s.sec != nil:
		r.From, r.To = s.sec.Path, model.Is(args[0].Text, args[0].Span)
	default:
		l.bad(n.Span, "`%s` needs a path and a URL outside of `<Location>`", n.Name)
		return
	}
	st := s.settings()
	st.Reverses = append(st.Reverses, r)
}

func (l *lowerer) cookieRule(list *[]*model.Reverse, n *Node) {
	if len(n.Args) < 2 || len(n.Args) > 3 {
		l.bad(n.Span, "`%s` takes two arguments: the value of the backend and the public one", n.Name)
		return
	}
	*list = append(*list, &model.Reverse{At: n.Span, From: model.Is(n.Arg(0), n.Args[0].Span), To: model.Is(n.Arg(1), n.Args[1].Span)})
}

var headerActions = names("add set setifempty append merge unset echo note edit edit*")

// header lowers Header and RequestHeader, as header_cmd of mod_headers.c.
func (l *lowerer) header(st *model.Settings, n *Node) {
	h := &model.HeaderRule{At: n.Span, Request: model.Is(n.Is("RequestHeader"), n.NameSpan())}
	args := n.Args
	if !h.Request.V && len(args) > 0 && (strings.EqualFold(args[0].Text, "always") || strings.EqualFold(args[0].Text, "onsuccess")) {
		h.Always = model.Is(strings.EqualFold(args[0].Text, "always"), args[0].Span)
		args = args[1:]
	}
	if len(args) < 2 {
		l.bad(n.Span, "`%s` needs an action and the name of a header", n.Name)
		return
	}
	action := strings.ToLower(args[0].Text)
	if !headerActions[action] {
		l.bad(args[0].Span, "`%s %s`: the action must be add, set, setifempty, append, merge, unset, echo, note, edit or edit*", n.Name, args[0].Text)
		return
	}
	h.Action, h.Name = model.Is(action, args[0].Span), model.Is(strings.TrimSuffix(args[1].Text, ":"), args[1].Span)
	args = args[2:]
	if len(args) > 0 {
		last := args[len(args)-1]
		if t := strings.ToLower(last.Text); strings.HasPrefix(t, "env=") || strings.HasPrefix(t, "expr=") || t == "early" {
			h.Cond = model.Is(last.Text, last.Span)
			args = args[:len(args)-1]
		}
	}
	if len(args) > 0 {
		at := args[0].Span
		at.End = args[len(args)-1].Span.End
		h.Value = model.Is(strings.Join(argTexts(args), " "), at)
	}
	st.Headers = append(st.Headers, h)
}

func (l *lowerer) errorDocument(st *model.Settings, n *Node) {
	code := atoi(n.Arg(0))
	if len(n.Args) < 2 || code < 400 || code > 599 {
		l.bad(n.Span, "`ErrorDocument` takes a status code from 400 to 599 and a document")
		return
	}
	at := n.Args[1].Span
	at.End = n.Args[len(n.Args)-1].Span.End
	st.ErrorDocs = append(st.ErrorDocs, &model.ErrorDoc{At: n.Span, Status: model.Is(code, n.Args[0].Span),
		Document: model.Is(strings.Join(argTexts(n.Args[1:]), " "), at)})
}

// accessOf returns the access control of the scope.
func accessOf(s *scope, n *Node) *model.Access {
	st := s.settings()
	if st.Access == nil {
		st.Access = &model.Access{At: n.Span}
	}
	return st.Access
}

// access handles both styles of access control, as mod_access_compat.c and
// mod_authz_core.c.
func (l *lowerer) access(n *Node, s *scope) bool {
	switch n.key() {
	case "order":
		a := accessOf(s, n)
		if l.one(n) {
			l.oneOf(&a.Order, n, "deny,allow allow,deny mutual-failure")
			a.Order.V = strings.ToLower(a.Order.V)
		}
	case "allow", "deny":
		a := accessOf(s, n)
		if len(n.Args) < 2 || !strings.EqualFold(n.Arg(0), "from") {
			l.bad(n.Span, "`%s` needs `from` and at least one host", n.Name)
			return true
		}
		for _, w := range n.Args[1:] {
			l.hostWord(n, w)
			if n.Is("Allow") {
				a.Allow = append(a.Allow, model.Is(w.Text, w.Span))
			} else {
				a.Deny = append(a.Deny, model.Is(w.Text, w.Span))
			}
		}
	case "satisfy":
		l.oneOf(&accessOf(s, n).Satisfy, n, "all any")
	case "require":
		l.requireLine(n, s)
	case "authtype":
		text(&accessOf(s, n).AuthType, n)
	case "authname":
		text(&accessOf(s, n).AuthName, n)
	case "authuserfile":
		text(&accessOf(s, n).AuthFile, n)
	default:
		return false
	}
	return true
}

// hostWord checks one word of Allow and Deny.
func (l *lowerer) hostWord(n *Node, w Arg) {
	ip, mask, found := strings.Cut(w.Text, "/")
	switch {
	case strings.HasPrefix(w.Text, "#"):
		l.bad(w.Span, "`%s`: a comment cannot follow the hosts", n.Name)
	case !found || strings.HasPrefix(strings.ToLower(w.Text), "env="):
	case !validNet(ip, mask):
		l.bad(w.Span, "`%s from %s`: that is no network", n.Name, w.Text)
	}
}

func validNet(ip, mask string) bool {
	bits := 128
	if a := net.ParseIP(ip); a == nil || a.To4() != nil {
		bits = 32
		if strings.Trim(ip, "0123456789.") != "" || ip == "" {
			return false
		}
	}
	if strings.Trim(mask, "0123456789") != "" {
		return net.ParseIP(mask) != nil
	}
	return mask != "" && atoi(mask) <= bits
}

func (l *lowerer) requireLine(n *Node, s *scope) {
	r := &model.Require{At: n.Span}
	args := n.Args
	if len(args) > 0 && strings.EqualFold(args[0].Text, "not") {
		r.Not = model.Is(true, args[0].Span)
		args = args[1:]
	}
	if len(args) == 0 {
		l.bad(n.Span, "`Require` needs a provider, such as `all granted`")
		return
	}
	for _, a := range args {
		if strings.EqualFold(args[0].Text, "ip") && a != args[0] {
			if ip, mask, found := strings.Cut(a.Text, "/"); found && !validNet(ip, mask) {
				l.bad(a.Span, "`Require ip %s`: that is no network", a.Text)
			}
		}
		r.Args = append(r.Args, model.Is(a.Text, a.Span))
	}
	l.require(s, n, r)
}

// require hangs a line or group into the section's tree, whose root is an
// implied RequireAny.
func (l *lowerer) require(s *scope, n *Node, r *model.Require) {
	if s.req != nil {
		s.req.Children = append(s.req.Children, r)
		return
	}
	a := accessOf(s, n)
	if a.Require == nil {
		a.Require = &model.Require{At: n.Span, Group: model.Def("any")}
	}
	a.Require.Children = append(a.Require.Children, r)
}
