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
	case "redirect", "redirectmatch", "redirectpermanent", "redirecttemp":
		return l.redirect(n, s)
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

// reverse lowers ProxyPassReverse (add_pass_reverse in mod_proxy.c); in a
// Location the path is the section's.
func (l *lowerer) reverse(n *Node, s *scope) {
	args := n.Args
	word := func(i int) bool { return i < len(args) && strings.EqualFold(args[i].Text, "interpolate") }
	r := &model.Reverse{At: n.Span}
	switch {
	case len(args) == 0 || len(args) > 3:
		l.bad(n.Span, "`%s` takes a path, a URL and the word interpolate", n.Name)
		return
	case s.sec == nil && (len(args) < 2 || word(1)):
		l.bad(n.Span, "`%s` needs a path and a URL outside of `<Location>`", n.Name)
		return
	case s.sec != nil && (len(args) < 2 || word(1)):
		r.From, r.To = s.sec.Path, model.Is(args[0].Text, args[0].Span)
		args = args[1:]
	default:
		if s.sec != nil {
			l.notHere(n, s, "leave out the path")
		}
		r.From, r.To = model.Is(args[0].Text, args[0].Span), model.Is(args[1].Text, args[1].Span)
		args = args[2:]
	}
	if len(args) > 0 { // any word does, as httpd has it
		r.Interp = model.Is(true, args[0].Span)
	}
	st := s.settings()
	st.Reverses = append(st.Reverses, r)
}

func (l *lowerer) cookieRule(list *[]*model.Reverse, n *Node) {
	if len(n.Args) < 2 || len(n.Args) > 3 {
		l.bad(n.Span, "`%s` takes two arguments: the value of the backend and the public one", n.Name)
		return
	}
	r := &model.Reverse{At: n.Span, From: model.Is(n.Arg(0), n.Args[0].Span), To: model.Is(n.Arg(1), n.Args[1].Span)}
	if len(n.Args) == 3 {
		r.Interp = model.Is(true, n.Args[2].Span)
	}
	*list = append(*list, r)
}

var headerActions = names("add set setifempty append merge unset echo note edit edit*")

// header lowers Header and RequestHeader, as header_cmd of mod_headers.c.
func (l *lowerer) header(st *model.Settings, n *Node) {
	h := &model.HeaderRule{At: n.Span}
	if n.Is("RequestHeader") {
		h.Request = model.Is(true, n.NameSpan())
	}
	args := n.Args
	if !h.Request.V && len(args) > 0 && (strings.EqualFold(args[0].Text, "always") || strings.EqualFold(args[0].Text, "onsuccess")) {
		if strings.EqualFold(args[0].Text, "always") {
			h.Always = model.Is(true, args[0].Span)
		}
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
	h.Action, h.Name = model.Is(action, args[0].Span), model.Is(headerName(args[1].Text), args[1].Span)
	if l.headerRest(h, n, args[2:]) {
		st.Headers = append(st.Headers, h)
	}
}

// headerName cuts the name of a header at its first colon.
func headerName(w string) string {
	name, _, _ := strings.Cut(w, ":")
	return name
}

// headerRest takes what stands behind the header's name: the value, of edit also
// its replacement, and the condition. It reports whether httpd accepts it.
func (l *lowerer) headerRest(h *model.HeaderRule, n *Node, args []Arg) bool {
	wants := 1
	switch action := h.Action.V; {
	case action == "echo" && h.Request.V:
		l.bad(n.Span, "`RequestHeader echo`: only `Header` can echo")
		return false
	case action == "echo" || action == "unset":
		wants = 0
	case strings.HasPrefix(action, "edit"):
		wants = 2
	}
	switch {
	case len(args) < wants && wants == 2:
		l.bad(n.Span, "`%s %s` needs a regular expression and what to put in its place", n.Name, h.Action.V)
		return false
	case len(args) < wants:
		l.bad(n.Span, "`%s %s %s` needs a value", n.Name, h.Action.V, h.Name.V)
		return false
	case len(args) > wants+1:
		l.bad(args[wants+1].Span, "`%s`: the value of `%s %s` ends before this word; put it in quotes if it holds blanks", args[wants+1].Text, n.Name, h.Action.V)
		return false
	}
	if len(args) == wants+1 {
		l.headerCondition(n, args[wants])
		h.Cond = model.Is(args[wants].Text, args[wants].Span)
	}
	if wants > 0 {
		l.headerValue(n, args[wants-1])
	}
	switch wants {
	case 0:
		if h.Action.V == "echo" {
			l.regex(n, n.Span, h.Name.V)
		}
	case 1:
		h.Value = model.Is(args[0].Text, args[0].Span)
	case 2:
		if !l.compiles(args[0].Text) {
			l.bad(args[0].Span, "`%s %s`: `%s` is no regular expression", n.Name, h.Action.V, args[0].Text)
			return false
		}
		at := args[0].Span
		at.End = args[1].Span.End
		h.Value = model.Is(model.QuoteWord(args[0].Text)+" "+model.QuoteWord(args[1].Text), at)
	}
	return true
}

// headerCondition checks the last word: early, env= or expr=.
func (l *lowerer) headerCondition(n *Node, a Arg) {
	t := strings.ToLower(a.Text)
	switch {
	case t == "early":
	case strings.HasPrefix(t, "expr="):
		l.expr(n, a.Span, a.Text[len("expr="):])
	case !strings.HasPrefix(t, "env=") || t == "env=" || t == "env=!":
		l.bad(a.Span, "`%s`: behind the value may stand early, env=NAME, env=!NAME or expr=EXPRESSION; put a value in quotes if it holds blanks", a.Text)
	}
}

// headerValue checks the formats of a value (parse_format_tag): the letters
// behind % of mod_headers.c; s is mod_ssl's.
func (l *lowerer) headerValue(n *Node, a Arg) {
	s := a.Text
	if v, ok := strings.CutPrefix(s, "expr="); ok {
		if problem := checkStringExpr(v, l.others()); problem != "" {
			l.bad(a.Span, "`%s`: `%s` cannot be read: %s", n.Name, s, problem)
		}
		return
	}
	for i := strings.IndexByte(s, '%'); i >= 0 && i+1 < len(s); {
		s = s[i+1:]
		if s[0] == '%' {
			s = s[1:]
		} else {
			if s[0] == '{' {
				_, s, _ = strings.Cut(s, "}")
			}
			if s == "" || !strings.Contains("Dteslibc", s[:1]) {
				l.bad(a.Span, "`%s`: `%s` holds an unknown format behind `%%`; a literal `%%` is written `%%%%`", n.Name, a.Text)
				return
			}
		}
		i = strings.IndexByte(s, '%')
	}
}

func (l *lowerer) errorDocument(st *model.Settings, n *Node) {
	code := atoi(n.Arg(0))
	if !knownStatus[code] {
		l.bad(n.Args[0].Span, "`ErrorDocument %s`: httpd knows no such status code", n.Arg(0))
		return
	}
	if problem := checkStringExpr(n.Arg(1), l.others()); problem != "" {
		l.bad(n.Args[1].Span, "`ErrorDocument`: `%s` cannot be read: %s", n.Arg(1), problem)
	}
	st.ErrorDocs = append(st.ErrorDocs, &model.ErrorDoc{At: n.Span, Status: model.Is(code, n.Args[0].Span),
		Document: model.Is(n.Arg(1), n.Args[1].Span)})
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
	case "authgroupfile":
		text(&accessOf(s, n).GroupFile, n)
	case "authbasicprovider":
		a := accessOf(s, n)
		for _, w := range n.Args {
			a.Providers = append(a.Providers, model.Is(w.Text, w.Span))
		}
	case "authbasicauthoritative":
		l.flag(&accessOf(s, n).Authoritative, n)
	case "authzsendforbiddenonfailure":
		l.flag(&accessOf(s, n).Forbid, n)
	case "authmerging":
		l.oneOf(&accessOf(s, n).Merging, n, "off and or")
	default:
		return false
	}
	return true
}

// hostWord checks one word of Allow and Deny (allow_cmd in mod_access_compat.c).
func (l *lowerer) hostWord(n *Node, w Arg) {
	ip, mask, found := strings.Cut(w.Text, "/")
	switch {
	case strings.HasPrefix(strings.ToLower(w.Text), "env="), strings.EqualFold(w.Text, "all"):
	case found:
		if !validNet(ip, mask) {
			l.bad(w.Span, "`%s from %s`: that is no network", n.Name, w.Text)
		}
	case looksLikeAddress(w.Text):
		if !validAddress(w.Text) {
			l.bad(w.Span, "`%s from %s`: that is no address", n.Name, w.Text)
		}
	case strings.Contains(w.Text, "#"):
		l.bad(w.Span, "`%s`: a comment cannot follow the hosts", n.Name)
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
	problem := l.requireProblem(args, n.Text())
	if problem == "" && r.Not.V && (s.req == nil || s.req.Group.V != "all") && !strings.HasPrefix(l.c.version, "2.2") {
		problem = "`Require not` has no effect outside of `<RequireAll>`; httpd refuses it"
	}
	if problem != "" {
		l.bad(n.Span, "%s", problem)
	}
	if len(args) == 0 {
		return
	}
	for _, a := range args {
		r.Args = append(r.Args, model.Is(a.Text, a.Span))
	}
	if strings.EqualFold(args[0].Text, "expr") && len(args) > 1 {
		r.Args = append(r.Args[:1:1], model.Is(requireExpr(n.Text()), args[1].Span))
	}
	l.require(s, n, r)
}

// requireExpr cuts the expression out of "not expr …": all that follows, with the
// quotes of its own words; quotes around the whole are taken off
// (expr_parse_config in mod_authz_core.c).
func requireExpr(raw string) string {
	e := strings.TrimSpace(raw[strings.Index(strings.ToLower(raw), "expr")+len("expr"):])
	if len(e) > 1 && e[0] == '"' && e[len(e)-1] == '"' {
		e = e[1 : len(e)-1]
	}
	return e
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
