package httpd

import (
	"reflect"
	"strings"

	"clowder/parse/model"
)

// tls sets the field of model.TLS whose key is the directive. Several words, as
// SSLProtocol and SSLOptions take, are kept with single blanks between them.
func (l *lowerer) tls(n *Node, s *scope) bool {
	srv := s.srv
	if len(n.Name) < 4 || !strings.EqualFold(n.Name[:3], "ssl") {
		return false
	}
	for _, f := range model.Fields(reflect.TypeFor[model.TLS]()) {
		if !strings.EqualFold(f.Key, n.Name) {
			continue
		}
		if srv.TLS == nil {
			srv.TLS = &model.TLS{At: n.Span}
		}
		if len(n.Args) == 0 {
			return true // reported where arguments are counted
		}
		switch v := reflect.ValueOf(srv.TLS).Elem().FieldByIndex(f.Index).Addr().Interface().(type) {
		case *model.String:
			l.tlsText(v, n, s)
		case *model.Bool:
			l.flag(v, n)
		case *model.Int:
			*v = model.Is(atoi(n.Arg(0)), n.Args[0].Span)
		}
		return true
	}
	return false
}

// tlsText sets one of the texts. What the model has no second place for is listed:
// a second certificate or key (of another kind, as RSA and ECC), and ciphers of
// TLS 1.3, which are a value of their own (ssl_cmd_SSLCipherSuite in
// ssl_engine_config.c). Options with a sign add to those before.
func (l *lowerer) tlsText(v *model.String, n *Node, s *scope) {
	args, before := n.Args, ""
	switch n.key() {
	case "sslcertificatefile", "sslcertificatekeyfile":
		if v.IsSet() {
			l.skip(n, s)
			return
		}
	case "sslciphersuite", "sslproxyciphersuite":
		switch {
		case len(args) == 2 && args[0].Text == "TLSv1.3":
			l.unheld(n.Span, n.Name+" TLSv1.3")
			l.keep(n, s)
			return
		case len(args) == 2 && args[0].Text == "SSL":
			args = args[1:]
		case len(args) > 1:
			l.bad(args[0].Span, "`%s %s`: the protocol must be SSL or TLSv1.3; put ciphers in quotes if they hold blanks", n.Name, args[0].Text)
			return
		}
	case "ssloptions":
		if v.IsSet() && strings.ContainsRune("+-", rune((args[0].Text + " ")[0])) {
			before = v.V + " "
		}
	}
	at := args[0].Span
	at.End = args[len(args)-1].Span.End
	*v = model.Is(before+strings.Join(argTexts(args), " "), at)
}

// rewrite collects mod_rewrite. A RewriteRule takes the conditions before it
// (mod_rewrite's cmd_rewriterule); conditions without a rule stay on a rule
// without a pattern, so that they are not lost.
func (l *lowerer) rewrite(n *Node, s *scope) bool {
	switch n.key() {
	case "rewriteengine", "rewritebase", "rewriteoptions", "rewritecond", "rewriterule":
	default:
		return false
	}
	args := rewriteArgs(n)
	if !l.rewriteWords(n, args, s) {
		return true
	}
	st := s.settings()
	if st.Rewrite == nil {
		st.Rewrite = &model.Rewrite{At: n.Span}
	}
	r := st.Rewrite
	arg := func(i int) (v model.String) {
		if i < len(args) {
			v = model.Is(args[i].Text, args[i].Span)
		}
		return v
	}
	switch n.key() {
	case "rewriteengine":
		l.flag(&r.Engine, n)
	case "rewritebase":
		text(&r.Base, n)
	case "rewriteoptions":
		for _, a := range n.Args {
			r.Options = append(r.Options, model.Is(a.Text, a.Span))
		}
	case "rewritecond":
		c := &model.RewriteCond{At: n.Span, Test: arg(0), Pattern: arg(1), Flags: flagList(arg(2))}
		open := openRule(r)
		open.Conds = append(open.Conds, c)
	case "rewriterule":
		rule := openRule(r)
		rule.At, rule.Pattern, rule.Target, rule.Flags = n.Span, arg(0), arg(1), flagList(arg(2))
	}
	return true
}

// openRule returns the rule that still waits for its pattern, a new one if there is none.
func openRule(r *model.Rewrite) *model.RewriteRule {
	if k := len(r.Rules); k > 0 && !r.Rules[k-1].Pattern.IsSet() {
		return r.Rules[k-1]
	}
	rule := &model.RewriteRule{}
	r.Rules = append(r.Rules, rule)
	return rule
}

func flagList(v model.String) model.String {
	v.V = strings.TrimSuffix(strings.TrimPrefix(v.V, "["), "]")
	return v
}
