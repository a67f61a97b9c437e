package httpd

import (
	"strings"
	"testing"

	"clowder/parse/diag"
	"clowder/parse/model"
)

// TestWordsAsHTTPDJudges: the judgement of httpd 2.4.71 -t on values, in a server,
// in a Location and in sections that the model does not hold.
func TestWordsAsHTTPDJudges(t *testing.T) {
	const loc, dir = "<Location /x>\n%s\n</Location>", "<Directory /x>\n%s\n</Directory>"
	tests := []struct {
		in, line string
		want     string // part of the message; "" accepted
	}{
		{"", `Header set X a b`, "put a value in quotes"},
		{"", `Header set X "a b"`, ""},
		{"", `Header set X a env=B early`, "ends before this word"},
		{"", `Header set X`, "needs a value"},
		{"", `Header set X early`, ""}, // a value
		{"", `Header unset X early`, ""},
		{"", `Header unset X a`, "may stand early, env=NAME"},
		{"", `Header edit X a`, "what to put in its place"},
		{"", `Header edit X a(a b`, "no regular expression"},
		{"", `Header edit X a b env=!Z`, ""},
		{"", `Header set X a env=!`, "env=NAME"},
		{"", `RequestHeader echo X`, "only `Header` can echo"},
		{dir, `Header set X a b`, "put a value in quotes"},
		{"", `CustomLog f common foo`, "condition of a log"},
		{"", `CustomLog f common env=!a`, ""},
		{"", `CustomLog f`, "two or three arguments"},
		{"", `TransferLog a b`, "one argument; put one with blanks in quotes"},
		{"", `LogFormat "%h" a b`, "one or two arguments"},
		{"", `ErrorDocument 404 /a b`, "put one with blanks in quotes"},
		{"", `SetEnvIf a b`, "needs a variable to set"},
		{"", `ServerAlias a`, "not allowed outside of `<VirtualHost>`"},
		{"", `Listen 81 https x`, "takes a port and a protocol"},
		{"", `SSLEngine optional`, ""},
		{"", `SSLEngine maybe`, "must be one of"},
		{dir, `SSLOptions +stdenvvars`, "must be one of"},
		{"", `SSLProtocol all -SSLv9`, "must be one of"},
		{"", `SSLCipherSuite FOO BAR`, "the protocol must be SSL or TLSv1.3"},
		{"", `SSLCipherSuite TLSv1.3 X`, ""},
		{"", `SSLVerifyDepth -1`, "0 or more"},
		{loc, `Require not ip 1.2.3.4`, "no effect outside of `<RequireAll>`"},
		{loc, "<RequireAll>\nRequire not ip 1.2.3.4\nRequire all granted\n</RequireAll>", ""},
		{dir, "<RequireAny>\nRequire not ip 1.2.3.4\n</RequireAny>", "no effect outside of `<RequireAll>`"},
		{dir, `Require all maybe`, "granted or denied"},
		{loc, `Require ip`, "at least one argument"},
		{loc, `Require valid-usr`, "did you mean `valid-user`?"},
		{"", `RewriteRule ^/a`, "takes two words"},
		{"", `RewriteRule ^/a( /b`, "no regular expression"},
		{"", `RewriteRule !^/a /b [R=301,L,NE]`, ""},
		{"", `RewriteRule ^/a /b P`, "stand in brackets"},
		{"", `RewriteRule ^/a /b [R, L]`, "stand in brackets"},
		{"", `RewriteRule ^/a /b "[R, L]"`, ""},
		{"", `RewriteRule ^/a /b [PX]`, "no flag `PX`"},
		{"", `RewriteRule "a\"b" /x`, "stand in brackets"},
		{"", `RewriteCond %{A} a\ b [NC]`, ""},
		{"", `RewriteCond %{A} b [QSA]`, "no flag `QSA`"},
		{"", `RewriteCond %{A} >b(`, ""},
		{"", `RewriteCond expr "%{HTTP_HOST} == '('"`, ""},
		{"", `RewriteOptions bogus`, "no such option"},
		{"", `RewriteBase /x`, "not allowed outside"},
		{dir, `RewriteBase /x`, ""},
		{"", "ProxyHCTemplate n hcmethod=GET\n<VirtualHost *:80>\nBalancerMember balancer://c http://h hctemplate=n\n</VirtualHost>", "in the same server"},
		{"", "ProxyHCTemplate n hcmethod=GET\nBalancerMember balancer://c http://h hctemplate=n", ""},
	}
	for _, tt := range tests {
		text := tt.line
		if tt.in != "" {
			text = strings.Replace(tt.in, "%s", tt.line, 1)
		}
		_, _, diags := lowerString("LoadModule authz_core_module modules/mod_authz_core.so\nLoadModule authz_host_module modules/mod_authz_host.so\nLoadModule authz_user_module modules/mod_authz_user.so\n" + strings.Replace(text, "\n\n", "\n", 1) + "\n")
		switch {
		case tt.want == "" && len(diags) > 0:
			t.Errorf("%s: %v", text, diags)
		case tt.want != "" && (len(diags) != 1 || !strings.Contains(diags[0].Message, tt.want)):
			t.Errorf("%s: findings %v, want %q", text, diags, tt.want)
		}
	}
}

// TestValuesThatWereLost: what one field of the model cannot hold twice is listed,
// and what adds up is added up.
func TestValuesThatWereLost(t *testing.T) {
	fe, unmapped, diags := lowerString(`SSLOptions +StdEnvVars
SSLOptions +ExportCertData
SSLCertificateFile rsa.pem
SSLCertificateFile ecc.pem
SSLCipherSuite HIGH
SSLCipherSuite TLSv1.3 A:B
Header edit Set-Cookie "a \"b" "c d" env=E
ProxyPassReverse /a http://h/ interpolate
ProxyPassReverseCookiePath /a /b interpolate
CustomLog f common env=!quiet
RewriteRule a\ b "c d" [L]
ProxyPass /a http://h:1/ timeout=3
ProxyPass /b http://h:1/b retry=4
<Location /x>
SSLVerifyClient require
UseCanonicalName On
</Location>
`)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	m := fe.Main
	if m.TLS.Options.V != "+StdEnvVars +ExportCertData" || m.TLS.CertFile.V != "rsa.pem" || m.TLS.CipherSuite.V != "HIGH" {
		t.Errorf("TLS: %+v", m.TLS)
	}
	if m.TLS.VerifyClient.IsSet() || m.CanonicalName.IsWritten() {
		t.Error("a setting of a Location went to the server")
	}
	h := m.Settings.Headers[0]
	if p, r := h.Edit(); p != `a "b` || r != "c d" || h.Cond.V != "env=E" {
		t.Errorf("edit %q %q, %q", p, r, h.Cond.V)
	}
	if !m.Settings.Reverses[0].Interp.V || !m.Settings.CookiePaths[0].Interp.V || m.CustomLogs[0].Cond.V != "env=!quiet" {
		t.Errorf("interpolate or condition: %+v", m.Settings)
	}
	if r := m.Settings.Rewrite.Rules[0]; r.Pattern.V != `a\ b` || r.Pattern.Span.Text() != `a\ b` || r.Target.V != "c d" || r.Target.Span.Text() != `"c d"` || r.Flags.V != "L" {
		t.Errorf("rewrite: %+v", r)
	}
	want := []string{"4 SSLCertificateFile", "6 SSLCipherSuite TLSv1.3", "13 parameter retry, which httpd ignores: the worker is that of /none/httpd.conf:12",
		"15 SSLVerifyClient", "16 UseCanonicalName"}
	for i, u := range unmapped {
		if got := strings.TrimPrefix(u.Span.Short(), "/none/httpd.conf:") + " " + u.What; i >= len(want) || got != want[i] {
			t.Errorf("listed: %s", got)
		}
	}
	if len(unmapped) != len(want) {
		t.Errorf("%d are listed, want %d", len(unmapped), len(want))
	}
}

// TestQuoteWord: Edit gives back what QuoteWord wrote.
func TestQuoteWord(t *testing.T) {
	for _, w := range []string{"", "a", "a b", `a"b`, `"`, `a\`, `a \" b`, `'x'`, "a\tb"} {
		h := model.HeaderRule{Value: model.Is(model.QuoteWord(w)+" "+model.QuoteWord("z "+w), diag.Span{})}
		if p, r := h.Edit(); p != w || r != "z "+w {
			t.Errorf("%q: %q, %q from %s", w, p, r, h.Value.V)
		}
	}
}

// TestNumbersAsInC proves that numbers are read as C's atof does.
func TestNumbersAsInC(t *testing.T) {
	for text, want := range map[string]float64{"1.5x": 1.5, "0x10": 16, "0x1g": 1, "1_0": 1, " 2e1": 20, "x": 0} {
		if got := atof(text); got != want {
			t.Errorf("atof(%q) = %v, want %v", text, got, want)
		}
	}
}
