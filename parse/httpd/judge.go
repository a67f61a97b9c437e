package httpd

import (
	"slices"
	"strings"
)

// rewriteArgs splits the arguments of RewriteCond and RewriteRule as mod_rewrite's
// parseargline: a quote ends at its like, whatever stands before it, and a
// backslash keeps the blank behind it and stays.
func rewriteArgs(n *Node) []Arg {
	text := n.Text()
	raw := n.RawArgs()
	exact := raw.Text() == text
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
		a := Arg{Text: text[from:i], Span: raw}
		if i < len(text) {
			i++
		}
		if exact {
			end := i
			if quote == 0 && end > from && isBlank(text[end-1]) && from+len(a.Text) < end {
				end--
			}
			a.Span.Start, a.Span.End = raw.Start+int32(start), raw.Start+int32(end)
		}
		out = append(out, a)
	}
	return out
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
	name := n.key()
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
