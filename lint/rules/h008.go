package rules

import (
	"fmt"
	"strings"

	"clowder/lint"
	"clowder/parse/diag"
	"clowder/parse/httpd"
)

// h0Instead says what to write in httpd 2.4 in the place of a directive of 2.2;
// the names are in lower case.
var h0Instead = map[string]string{
	"acceptmutex": "use `Mutex`, or delete the line", "lockfile": "use `Mutex file:/path default`, or delete the line",
	"rewritelock": "use `Mutex file:/path rewrite-map`, or delete the line", "sslmutex": "use `Mutex default ssl-cache`, or delete the line",
	"sslstaplingmutex": "use `Mutex default ssl-stapling`, or delete the line", "watchdogmutexpath": "use `Mutex file:/path watchdog-callback`, or delete the line",
	"rewritelog":               "the rewrite log goes to the ErrorLog; delete the line and use `LogLevel warn rewrite:trace3`",
	"rewriteloglevel":          "use `LogLevel warn rewrite:traceN`",
	"dumpiologlevel":           "use `LogLevel warn dumpio:trace7`",
	"cookielog":                "use `CustomLog` with %{…}n",
	"ssienableaccess":          "use `SSILegacyExprParser`, or delete the line",
	"maxrequestsperthread":     "use `MaxConnectionsPerChild`",
	"win32disableacceptex":     "use `AcceptFilter http none`",
	"authdefaultauthoritative": "delete the line, and list the providers in AuthBasicProvider",
}

// h0Deletable are directives without which httpd 2.4 does the same, save for a
// file name or a kind of lock.
var h0Deletable = map[string]bool{
	"acceptmutex": true, "lockfile": true, "rewritelock": true, "sslmutex": true, "sslstaplingmutex": true, "watchdogmutexpath": true, "rewritelog": true,
}

var directiveRemoved = &lint.Rule{
	ID: "H008", Name: "directive-removed", Severity: diag.Error, Confidence: diag.Certain, Category: lint.Syntax, Fixable: true,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What:   "A directive of httpd 2.2 that 2.4 does not have any more.",
		Why:    "httpd refuses to start: \"Invalid command\".",
		Fix:    "Write what has taken its place, which the message names, or delete the line.",
		Bad:    `LockFile "/var/lock/apache2/accept.lock"`,
		Good:   `Mutex file:/var/lock/apache2 default`,
		Notes:  "NameVirtualHost and DefaultType are only ignored (H009); MaxClients and MaxRequestsPerChild still work under their old names. In place of H002. A warning while nothing shows that the files are for 2.4.",
		Source: "httpd manual, Upgrading to 2.4 from 2.2; the directives of both versions. Each one tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for d := range p.Directives {
			if d.Node == nil || d.Node.Kind != httpd.Directive || !httpd.RemovedIn24(d.Name) {
				continue
			}
			version, sure := p.HTTPDVersion(d.FrontEnd)
			if !p.Rule.Versions.HTTPD.Contains(version) {
				continue
			}
			name := strings.ToLower(d.Name)
			instead := h0Instead[name]
			switch {
			case instead != "":
			case strings.HasSuffix(name, "authoritative"):
				instead = "use `<RequireAll>` and `<RequireAny>` to say which Require lines must hold"
			default:
				instead = "delete the line"
			}
			f := lint.Finding{At: d.Span.Head(), Message: fmt.Sprintf("`%s` was removed in httpd 2.4: %s", d.Name, instead)}
			if h0Deletable[name] {
				f.Fixes = []diag.Fix{{Message: "delete the line", Edits: []diag.Edit{h2DeleteLines(d.Span)}}}
			}
			if !sure {
				lint.Undeclared(&f, "httpd")
			}
			p.Report(f)
		}
	},
}

var directiveIgnored = &lint.Rule{
	ID: "H009", Name: "directive-ignored", Severity: diag.Info, Confidence: diag.Certain, Category: lint.Syntax, Fixable: true,
	Versions: lint.Versions{HTTPD: lint.Range{From: "2.4"}, Text: "httpd 2.4"},
	Doc: lint.Doc{
		What:   "A directive that httpd 2.4 accepts and ignores.",
		Why:    "httpd prints a warning at each start, and the line does nothing: each address and port is name-based since 2.4, and DefaultType gives no type any more.",
		Fix:    "Delete the line.",
		Bad:    "NameVirtualHost *:80",
		Good:   "<VirtualHost *:80>\n    ServerName www.example.com\n</VirtualHost>",
		Notes:  "httpd 2.2 needs NameVirtualHost. `DefaultType none` is no mistake in 2.4.",
		Source: "httpd manual, Upgrading to 2.4 from 2.2; messages AH00548 and AH00117. Tried with httpd 2.4.71.",
	},
	Check: func(p *lint.Pass) {
		for d := range p.Directives {
			n := d.Node
			if n == nil || n.Kind != httpd.Directive || !n.Is("NameVirtualHost") && (!n.Is("DefaultType") || strings.EqualFold(n.Arg(0), "none")) {
				continue
			}
			version, sure := p.HTTPDVersion(d.FrontEnd)
			if !p.Rule.Versions.HTTPD.Contains(version) {
				continue
			}
			f := lint.Finding{
				At: d.Span.Head(), Message: fmt.Sprintf("`%s` has no effect in httpd 2.4; delete the line", d.Name),
				Fixes: []diag.Fix{{Message: "delete the line", Safe: true, Edits: []diag.Edit{h2DeleteLines(d.Span)}}},
			}
			if !sure {
				f.Lower = 1
				f.Message += "; declare the httpd version to be sure"
			}
			p.Report(f)
		}
	},
}
