package httpd

import (
	"slices"
	"strings"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// judge checks the values of what stands in a section that the model does not
// hold: httpd reads them all the same.
func (l *lowerer) judge(nodes []*Node, s *scope) {
	for _, n := range nodes {
		switch name := strings.ToLower(n.Name); {
		case n.Kind != Section:
			l.plain(n, s)
			if pathTakers[name] {
				continue
			}
			if !l.setting(n, s) && !l.access(n, s) {
				l.rewrite(n, s)
			}
		case strings.HasPrefix(name, "require"):
			l.judge(n.Children, &scope{srv: s.srv, sec: s.sec, req: &model.Require{Group: model.Is(name[len("require"):], n.NameSpan)}})
		default:
			l.judge(n.Children, s)
		}
	}
}

// providers are those of httpd's own modules (AUTHZ_PROVIDER_GROUP).
var providers = strings.Fields(`all dbd-group dbd-login dbd-logout dbm-file-group dbm-group env expr file-group file-owner
	forward-dns group host ip ldap-attribute ldap-dn ldap-filter ldap-group ldap-search ldap-user local method ssl
	ssl-verify-client user valid-user`)

// requireWords checks a Require line as mod_authz_core.c and the providers do. A
// module that is not httpd's, Lua and AuthzProviderAlias may bring more providers.
func (l *lowerer) requireWords(n *Node, s *scope, not bool, args []Arg) {
	if strings.HasPrefix(l.c.version, "2.2") {
		return
	}
	name := strings.ToLower(args[0].Text)
	switch {
	case not && (s.req == nil || s.req.Group.V != "all"):
		l.bad(n.Span, "`Require not` has no effect outside of `<RequireAll>`; httpd refuses it")
	case !slices.Contains(providers, name):
		if l.c.moduleList && !l.c.hasForeignModule() && !l.c.HasIncludesUnresolved && !l.moreProviders() {
			hint := ""
			if near := diag.Suggest(name, providers); near != "" {
				hint = "; did you mean `" + near + "`?"
			}
			l.bad(args[0].Span, "`Require %s`: no module has a provider of that name%s", args[0].Text, hint)
		}
	case name == "all" && (len(args) != 2 || !strings.EqualFold(args[1].Text, "granted") && !strings.EqualFold(args[1].Text, "denied")):
		l.bad(n.Span, "`Require all` must be followed by granted or denied")
	case (name == "ip" || name == "host") && len(args) < 2:
		l.bad(n.Span, "`Require %s` needs at least one argument", name)
	}
}

// moreProviders reports whether the configuration itself names providers.
func (l *lowerer) moreProviders() bool {
	found := false
	Walk(l.c.Nodes, func(n *Node) bool {
		found = found || n.Is("AuthzProviderAlias") || n.Is("LuaAuthzProvider")
		return !found
	})
	return found
}

var (
	rewriteFlags = names(`B backrefescaping BNE BNP backrefernoplus BCTLS C chain CO cookie DPI discardpath E env END F forbidden
		G gone H handler L last N next NE noescape NS nosubreq NC nocase P proxy PT passthrough QSA qsappend QSD qsdiscard
		QSL qslast R redirect S skip T type UNC UnsafeAllow3F UnsafePrefixStat`)
	condFlags   = names("NC nocase OR ornext NV novary")
	rewriteOpts = names(`inherit inheritbefore inheritdown inheritdownbefore ignoreinherit allownoslash allowanyuri mergebase
		ignorecontextinfo legacyprefixdocroot UnsafePrefixStat`)
)

// rewriteArgs splits the arguments of RewriteCond and RewriteRule as mod_rewrite's
// parseargline: a quote ends at its like, whatever stands before it, and a
// backslash keeps the blank behind it and stays.
func rewriteArgs(n *Node) []Arg {
	text := n.Text()
	exact := n.RawArgs.Text() == text
	var out []Arg
	for i := 0; i < len(text) && len(out) < 3; {
		if isBlank(text[i]) {
			i++
			continue
		}
		start, quote := i, byte(0)
		if text[i] == '"' || text[i] == '\'' {
			quote = text[i]
			i++
		}
		from := i
		for i < len(text) && text[i] != quote && (quote != 0 || !isBlank(text[i])) {
			if text[i] == '\\' && i+1 < len(text) && isBlank(text[i+1]) {
				i++
			}
			i++
		}
		i = min(i, len(text))
		a := Arg{Text: text[from:i], Span: n.RawArgs}
		if i < len(text) {
			i++
		}
		if exact {
			end := i
			if quote == 0 && end > from && isBlank(text[end-1]) && from+len(a.Text) < end {
				end--
			}
			a.Span.Start, a.Span.End = n.RawArgs.Start+int32(start), n.RawArgs.Start+int32(end)
		}
		out = append(out, a)
	}
	return out
}

// rewriteWords checks one line of mod_rewrite; false: httpd refuses it.
func (l *lowerer) rewriteWords(n *Node, args []Arg, s *scope) bool {
	flags := rewriteFlags
	switch strings.ToLower(n.Name) {
	case "rewriteoptions":
		for _, a := range n.Args {
			if !rewriteOpts[strings.ToLower(a.Text)] && !strings.HasPrefix(strings.ToLower(a.Text), "maxredirects=") {
				l.bad(a.Span, "`RewriteOptions %s`: there is no such option", a.Text)
				return false
			}
		}
		return true
	case "rewritebase":
		if s.sec == nil {
			l.bad(n.Span, "`RewriteBase` is not allowed outside of `<Directory>` and `<Location>`")
			return false
		}
		return l.one(n)
	case "rewritecond":
		flags = condFlags
	case "rewriterule":
	default:
		return true
	}
	if len(args) < 2 {
		l.bad(n.Span, "`%s` takes two words and flags in brackets", n.Name)
		return false
	}
	if len(args) > 2 && !l.flagWords(n, args[2], flags) {
		return false
	}
	re := args[0]
	if n.Is("RewriteCond") {
		if re = args[1]; strings.EqualFold(args[0].Text, "expr") {
			return true
		}
		if p := strings.TrimPrefix(re.Text, "!"); len(p) > 1 && strings.ContainsAny(p[:1], "-<>=") {
			return true
		}
	}
	if !compiles(strings.TrimPrefix(re.Text, "!")) {
		l.bad(re.Span, "`%s`: `%s` is no regular expression", n.Name, re.Text)
		return false
	}
	return true
}

// flagWords checks "[A,B=c]" (cmd_parseflagfield in mod_rewrite.c).
func (l *lowerer) flagWords(n *Node, a Arg, known set) bool {
	if len(a.Text) < 2 || a.Text[0] != '[' || a.Text[len(a.Text)-1] != ']' {
		l.bad(a.Span, "`%s`: the flags of `%s` stand in brackets, without blanks or in quotes", a.Text, n.Name)
		return false
	}
	for f := range strings.SplitSeq(a.Text[1:len(a.Text)-1], ",") {
		key, _, _ := strings.Cut(strings.TrimSpace(f), "=")
		if key != "" && !known[strings.ToLower(key)] {
			l.bad(a.Span, "`%s`: there is no flag `%s`", n.Name, key)
			return false
		}
	}
	return true
}

// sslWords are the values of directives of mod_ssl that take words out of a list
// (ssl_engine_config.c); a sign may stand before those of the second table.
var sslWords = map[string]string{
	"sslengine":       "on off optional",
	"sslverifyclient": "none optional require optional_no_ca",
	"sslproxyverify":  "none optional require optional_no_ca",
}

var sslSigned = map[string]string{
	"ssloptions":       "StdEnvVars CompatEnvVars ExportCertData FakeBasicAuth StrictRequire OptRenegotiate LegacyDNStringFormat",
	"sslprotocol":      "all SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3",
	"sslproxyprotocol": "all SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3",
}

// ssl checks values of mod_ssl.
func (l *lowerer) ssl(n *Node) {
	name := strings.ToLower(n.Name)
	list, signed := sslWords[name], false
	if list == "" {
		list, signed = sslSigned[name], true
	}
	if list == "" {
		if (name == "sslverifydepth" || name == "sslproxyverifydepth") && l.one(n) && atoi(n.Arg(0)) < 0 {
			l.bad(n.Args[0].Span, "`%s %s`: it must be 0 or more", n.Name, n.Arg(0))
		}
		return
	}
	if !signed && !l.one(n) {
		return
	}
	known := strings.Fields(list)
	for _, a := range n.Args {
		w := a.Text
		if signed {
			w = strings.TrimLeft(w, "+-")
		}
		same := func(k string) bool { return strings.EqualFold(k, w) }
		if name == "ssloptions" {
			same = func(k string) bool { return k == w }
		}
		if !slices.ContainsFunc(known, same) {
			l.bad(a.Span, "`%s %s`: it must be one of %s", n.Name, a.Text, strings.Join(known, ", "))
		}
	}
}
